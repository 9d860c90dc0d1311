"""Five relations on real tables, declared and not: how many rows keep them, and what the scores of the rest are. pandas judges the rows, not the
program that drew them.

    pip install pandas numpy
    SEMBLANT_DATA=folder python benches/peers/constraints.py target/release/semblant [--models masked-diffusion] [--draws 3] [--set epochs=5]

The relations: a sum of two columns, a year that is 0 or not before another, six columns that agree, a ratio of two columns in a third, and fixed
combinations of two labels. The columns that the tables lack for them are made of those that they have, with a seed. Every table is fitted twice by
each model, without and with the relation in the schema, and each fit is drawn `--draws` times, as many rows as the table has, 10,000 at most.
"""
import argparse, json, os, subprocess, tempfile
from pathlib import Path

import numpy as np
import pandas as pd

parser = argparse.ArgumentParser()
parser.add_argument("semblant")
parser.add_argument("--models", nargs="+", default=["masked-diffusion"])
parser.add_argument("--relations", nargs="+")
parser.add_argument("--draws", type=int, default=3)
parser.add_argument("--set", nargs="*", default=[])
parser.add_argument("--without-scores", action="store_true", help="only count the rows that keep the relation")
arguments = parser.parse_args()
DATA = Path(os.environ["SEMBLANT_DATA"])
SCORES = ["column_shapes", "column_pair_trends", "detection_auc", "utility"]

CONTINENTS = {"United-States": "America", "Mexico": "America", "Canada": "America", "Cuba": "America", "Jamaica": "America", "Philippines": "Asia", "India": "Asia", "China": "Asia", "Japan": "Asia", "Vietnam": "Asia", "Taiwan": "Asia", "Germany": "Europe", "England": "Europe", "Italy": "Europe", "Poland": "Europe", "Portugal": "Europe"}


def total(table, _):
    table.insert(4, "Pages", table.Administrative + table.Informational)


def renovated(table, random):
    built = 1990 - table.housing_median_age.astype(int)
    year = built + (random.random(len(table)) * (1991 - built)).astype(int)
    table["built"], table["renovated"] = built, np.where(random.random(len(table)) < 0.3, year, 0)
    table.drop(columns="housing_median_age", inplace=True)


def ratio(table, _):
    table["rooms_per_household"] = (table.total_rooms / table.households).round(2)


def continent(table, _):
    table["continent"] = table["native-country"].map(CONTINENTS).fillna("other")


def or_missing(keeps, values):
    """As in SQL, rows in which something is missing keep a relation."""
    return keeps | values.isna().any(axis=1)


def pairs(table):
    of = lambda name: or_missing((table[name] > 0) | (table[f"{name}_Duration"] == 0), table[[name, f"{name}_Duration"]])
    return of("Administrative") & of("Informational") & of("ProductRelated")


def combinations(table, known=set()):
    both = list(zip(table["native-country"].fillna(""), table.continent))
    known.update(both if not known else ())
    return np.array([pair in known for pair in both])


# For each: the data, what it adds, the target, the constraint, and whether a row keeps it. The first table that is judged is the real one.
RELATIONS = {
    "sum of two columns": ("online-shoppers", total, "Revenue", 'check = "Pages = Administrative + Informational"', lambda table: or_missing(table.Pages == table.Administrative + table.Informational, table[["Pages", "Administrative", "Informational"]])),
    "renovated after built": ("california-housing", renovated, "median_house_value", 'check = "renovated = 0 or renovated >= built"', lambda table: (table.renovated == 0) | (table.renovated >= table.built)),
    "six columns that agree": (
        "online-shoppers", lambda *_: None, "Revenue",
        "check = '''" + " and ".join(f"({name} > 0 or {name}_Duration = 0)" for name in ["Administrative", "Informational", "ProductRelated"]) + "'''", pairs,
    ),
    "ratio of three columns": (
        "california-housing", ratio, "median_house_value", 'check = "rooms_per_household = round(total_rooms / households, 2)"',
        lambda table: ((table.rooms_per_household - table.total_rooms / table.households).abs() <= 0.005 + 1e-9),
    ),
    "fixed combinations": ("adult", continent, "income", 'combinations = ["native-country", "continent"]', combinations),
}


def semblant(*words):
    done = subprocess.run([arguments.semblant, "-q", *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"semblant {' '.join(map(str, words))}: {done.stderr.strip()}")
    return done.stdout


def scores(folder, real, holdout, synthetic, target):
    found = json.loads(semblant("evaluate", "--real", real, "--holdout", holdout, "--synthetic", synthetic, "--target", target, "--json", "-"))
    values = {score["id"]: score["value"] for score in found["scores"]}
    values["utility"] = values.get("utility_auc", values.get("utility_r2"))
    return [values[name] for name in SCORES]


def main():
    print(f"| relation, model | kept without / with | {' | '.join(f'{name} without / with' for name in SCORES)} |")
    print("|---" * (2 + len(SCORES)) + "|")
    for name in arguments.relations or RELATIONS:
        data, add, target, constraint, keeps = RELATIONS[name]
        with tempfile.TemporaryDirectory() as folder:
            folder, random = Path(folder), np.random.default_rng(0)
            for part in ["train", "test"]:
                table = pd.read_csv(DATA / data / f"{part}.csv.gz")
                add(table, random)
                table.to_csv(folder / f"{part}.csv", index=False)
                if part == "train":
                    assert keeps(table).all(), f"{name}: real rows break it"
                    rows = min(len(table), 10_000)
            (folder / "with.toml").write_text(f"[[constraint]]\n{constraint}\n")
            for model in arguments.models:
                kept, all_scores = [], []
                for schema in [[], ["--schema", folder / "with.toml"]]:
                    file, made = folder / "m.safetensors", folder / "s.csv"
                    settings = [word for setting in arguments.set for word in ("--set", setting)]
                    semblant("fit", folder / "train.csv", "--model", model, "-o", file, "--force", *schema, *settings)
                    share, values = [], []
                    for seed in range(1, arguments.draws + 1):
                        semblant("sample", file, "-n", rows, "--seed", seed, "-o", made, "--force")
                        share.append(keeps(pd.read_csv(made)).mean())
                        if not arguments.without_scores:
                            values.append(scores(folder, folder / "train.csv", folder / "test.csv", made, target))
                    kept.append(np.mean(share))
                    all_scores.append(np.mean(values, axis=0) if values else [float("nan")] * len(SCORES))
                pairs_of = " | ".join(f"{a:.3f} / {b:.3f}" for a, b in zip(*all_scores))
                print(f"| {name}, {model} | {kept[0]:.4f} / {kept[1]:.4f} | {pairs_of} |", flush=True)


main()

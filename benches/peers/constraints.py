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

CONTINENTS = {
    "America": ["United-States", "Mexico", "Canada", "Cuba", "Jamaica"],
    "Asia": ["Philippines", "India", "China", "Japan", "Vietnam", "Taiwan"],
    "Europe": ["Germany", "England", "Italy", "Poland", "Portugal"],
}
PAGES = ["Administrative", "Informational", "ProductRelated"]


def total(table, _):
    table.insert(4, "Pages", table.Administrative + table.Informational)


def renovated(table, random):
    built = 1990 - table.housing_median_age.astype(int)
    year = built + (random.random(len(table)) * (1991 - built)).astype(int)
    table["built"], table["renovated"] = built, np.where(random.random(len(table)) < 0.3, year, 0)
    del table["housing_median_age"]


def ratio(table, _):
    table["rooms_per_household"] = (table.total_rooms / table.households).round(2)


def continent(table, _):
    of = {country: name for name, countries in CONTINENTS.items() for country in countries}
    table["continent"] = table["native-country"].map(of).fillna("other")


def or_missing(keeps, values):
    """As in SQL, rows in which something is missing keep a relation."""
    return keeps | values.isna().any(axis=1)


def is_total(table, _):
    return or_missing(table.Pages == table.Administrative + table.Informational, table[["Pages", "Administrative", "Informational"]])


def is_later(table, _):
    return (table.renovated == 0) | (table.renovated >= table.built)


def agree(table, _):
    of = [or_missing((table[name] > 0) | (table[f"{name}_Duration"] == 0), table[[name, f"{name}_Duration"]]) for name in PAGES]
    return np.logical_and.reduce(of)


def is_ratio(table, _):
    return (table.rooms_per_household - table.total_rooms / table.households).abs() <= 0.005 + 1e-9


def is_known(table, real):
    pairs = lambda table: list(zip(table["native-country"].fillna(""), table.continent))
    known = set(pairs(real))
    return np.array([pair in known for pair in pairs(table)])


# For each: the data, what is added to it, the target, the constraint, and which rows of a table keep it, given the real one.
RELATIONS = {
    "sum of two columns": ("online-shoppers", total, "Revenue", 'check = "Pages = Administrative + Informational"', is_total),
    "renovated after built": ("california-housing", renovated, "median_house_value", 'check = "renovated = 0 or renovated >= built"', is_later),
    "six columns that agree": (
        "online-shoppers", lambda *_: None, "Revenue", f'check = "{" and ".join(f"({name} > 0 or {name}_Duration = 0)" for name in PAGES)}"', agree,
    ),
    "ratio of three columns": (
        "california-housing", ratio, "median_house_value", 'check = "rooms_per_household = round(total_rooms / households, 2)"', is_ratio,
    ),
    "fixed combinations": ("adult", continent, "income", 'combinations = ["native-country", "continent"]', is_known),
}


def semblant(*words):
    done = subprocess.run([arguments.semblant, "-q", *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"semblant {' '.join(map(str, words))}: {done.stderr.strip()}")
    return done.stdout


def scores(real, holdout, synthetic, target):
    found = json.loads(semblant("evaluate", "--real", real, "--holdout", holdout, "--synthetic", synthetic, "--target", target, "--json", "-"))
    values = {score["id"]: score["value"] for score in found["scores"]}
    values["utility"] = values.get("utility_auc", values.get("utility_r2"))
    return [values[name] for name in SCORES]


def measured(folder, fit, sample, real, keeps, target):
    """The share of rows that keep the relation, and the scores, as means over draws of one fit."""
    model, made, share, values = folder / "m.safetensors", folder / "s.csv", [], []
    semblant("fit", folder / "train.csv", "-o", model, "--force", *fit)
    for seed in range(1, arguments.draws + 1):
        semblant("sample", model, "--seed", seed, "-o", made, "--force", *sample)
        share.append(keeps(pd.read_csv(made), real).mean())
        if not arguments.without_scores:
            values.append(scores(folder / "train.csv", folder / "test.csv", made, target))
    return np.mean(share), np.mean(values, axis=0) if values else []


def relation(name, folder):
    data, add, target, constraint, keeps = RELATIONS[name]
    random, tables = np.random.default_rng(0), {}
    for part in ["train", "test"]:
        tables[part] = pd.read_csv(DATA / data / f"{part}.csv.gz")
        add(tables[part], random)
        tables[part].to_csv(folder / f"{part}.csv", index=False)
    real = tables["train"]
    assert keeps(real, real).all(), f"{name}: real rows break it"
    schema = folder / "with.toml"
    schema.write_text(f"[[constraint]]\n{constraint}\n")
    sample, settings = ["-n", min(len(real), 10_000)], [word for setting in arguments.set for word in ("--set", setting)]
    for model in arguments.models:
        fit = ["--model", model, *settings]
        (kept, plain), (kept_with, declared) = (
            measured(folder, [*fit, *more], sample, real, keeps, target) for more in [[], ["--schema", schema]]
        )
        cells = [f"{kept:.4f} / {kept_with:.4f}", *(f"{a:.3f} / {b:.3f}" for a, b in zip(plain, declared))]
        print(f"| {name}, {model} | {' | '.join(cells)} |", flush=True)


def main():
    columns = ["relation, model", "kept, without / with", *([] if arguments.without_scores else SCORES)]
    print(f"| {' | '.join(columns)} |")
    print("|---" * len(columns) + "|")
    for name in arguments.relations or RELATIONS:
        with tempfile.TemporaryDirectory() as folder:
            relation(name, Path(folder))


main()

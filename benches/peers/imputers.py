"""Filling missing cells: hides a fifth of the cells of a test table, and scores tables that a program has filled, or scikit-learn's baselines.

    pip install scikit-learn pandas
    python benches/peers/imputers.py TRAIN.csv TEST.csv HOLES.csv [--labels Month,Region]
    semblant impute model.safetensors HOLES.csv -o FILLED.csv
    python benches/peers/imputers.py TRAIN.csv TEST.csv HOLES.csv [--labels Month,Region] --filled FILLED.csv

The first call writes HOLES.csv, the test table with empty cells for holes and every other cell's text as it was, and scores the baselines; the
second, with one or more filled tables, scores these. Each column's score is over its holes alone: for numbers the root of the mean squared
error divided by the training column's standard deviation (lower is better), for labels the accuracy (higher is better); the last lines are the
means over the columns. Columns with other texts than numbers are labels, and so are those of --labels. Cells that were empty from the start
are neither hidden nor scored.

The baselines know the training table only:
- constant: the training column's mean, or its most frequent label;
- draw: for each hole another row's value of the training column;
- iterative: scikit-learn's IterativeImputer (Bayesian ridge regressions, 10 rounds) over standardised numbers and one-hot labels, of which the
  largest is taken. It is fitted to the training table with a fifth of its cells hidden: on a complete one it can stop before its
  rounds are done. Ordinal codes of labels and a complete training table were tried and were not better.
- apart: the same, but the indicators of one label are not regressed on each other. They are missing together and sum to one, so that
  "iterative" leaves them at their means and always takes the most frequent label.

A program that draws values at random rather than giving their mean has a larger error by nature: up to sqrt(2) times.
"""
import argparse, sys, warnings

import numpy as np
import pandas as pd
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer

warnings.filterwarnings("ignore")
parser = argparse.ArgumentParser()
parser.add_argument("train")
parser.add_argument("test")
parser.add_argument("holes")
parser.add_argument("--filled", nargs="+", default=[])
parser.add_argument("--labels", default="", help="columns of numbers that are codes of labels, with commas between them")
parser.add_argument("--share", type=float, default=0.2)
parser.add_argument("--seed", type=int, default=1)
arguments = parser.parse_args()


def read(path):
    """Every cell's text as it is, missing ones as empty texts."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def hidden(table, seed):
    """Which cells to hide: a random share of those that are not empty."""
    return (np.random.default_rng(seed).random(table.shape) < arguments.share) & (table != "").to_numpy()


def numeric(table):
    return table[numbers].apply(pd.to_numeric, errors="coerce").astype(float)


train, test = read(arguments.train), read(arguments.test)
coded = [name for name in arguments.labels.split(",") if name]
if list(train.columns) != list(test.columns) or not set(coded) <= set(train.columns):
    sys.exit("the two tables, or --labels, do not have the same columns")
is_label = lambda column: column.name in coded or pd.to_numeric(column[column != ""], errors="coerce").isna().any()
labels = [name for name in train if is_label(train[name])]
numbers = [name for name in train if name not in labels]
categories = {name: train.loc[train[name] != "", name].value_counts().index.to_numpy() for name in labels}
mean, deviation = numeric(train).mean(), numeric(train).std()

if arguments.filled:
    holes = read(arguments.holes)
else:
    text = open(arguments.test, newline="").read()
    write = lambda table: table.to_csv(index=False, lineterminator="\r\n" if "\r\n" in text else "\n")
    if write(test) != text:
        print("note: quotes or line ends of the test table are not written back as they were; no text of a cell changes")
    holes = test.mask(hidden(test, arguments.seed), "")
    with open(arguments.holes, "w", newline="") as file:
        file.write(write(holes))
if holes.shape != test.shape or not ((holes == test) | (holes == "")).all(axis=None):
    sys.exit("the table with holes is not made of this test table")
hole = (holes == "") & (test != "")


# The column of the table that each encoded column belongs to.
owners = np.array([*numbers, *(name for name in labels for _ in categories[name])])


def encoded(table):
    """Standardised numbers and one-hot labels; an empty cell, and a label that training never saw, are missing."""
    parts = [(numeric(table) - mean) / deviation]
    for name in labels:
        hot = (table[name].to_numpy()[:, None] == categories[name]).astype(float)
        hot[hot.sum(1) == 0] = np.nan
        parts.append(pd.DataFrame(hot, columns=[f"{name}={label}" for label in categories[name]]))
    return pd.concat(parts, axis=1)


class Apart(IterativeImputer):
    def _get_neighbor_feat_idx(self, n_features, feat_idx, abs_corr_mat):
        return np.flatnonzero(owners != owners[feat_idx])


def regressions(imputer):
    model = imputer(random_state=0).fit(encoded(train.mask(hidden(train, arguments.seed + 1), "")))
    inputs = encoded(holes)
    values = pd.DataFrame(model.transform(inputs), columns=inputs.columns)
    filled = {name: values[name] * deviation[name] + mean[name] for name in numbers}
    for name in labels:
        hot = values[[f"{name}={label}" for label in categories[name]]].to_numpy()
        filled[name] = categories[name][hot.argmax(1)]
    return pd.DataFrame(filled)


def constant():
    row = {name: mean[name] if name in numbers else categories[name][0] for name in train}
    return pd.DataFrame([row] * len(test))


def draw():
    random = np.random.default_rng(arguments.seed + 2)
    return pd.DataFrame({name: random.choice(train.loc[train[name] != "", name], len(test)) for name in train})


def same(a, b):
    """The same text, or the same number written in two ways."""
    x, y = (pd.to_numeric(column, errors="coerce") for column in (a, b))
    return (a.astype(str) == b.astype(str)) | ((x - y).abs() <= 1e-9 * y.abs())


def scores(filled):
    """Each column's score; a hole without a value counts as the mean, or as a wrong label."""
    result = {}
    for name in train:
        at = hole[name].to_numpy()
        if name in numbers:
            guess = pd.to_numeric(filled[name][at], errors="coerce").fillna(mean[name]).astype(float)
            error = guess.to_numpy() - pd.to_numeric(test[name][at]).to_numpy(float)
            result[name] = np.sqrt(np.mean(error**2)) / deviation[name]
        else:
            result[name] = same(filled[name][at], test[name][at]).mean()
    return result


results = {}
if arguments.filled:
    for path in arguments.filled:
        filled = read(path)
        if list(filled.columns) != list(test.columns) or len(filled) != len(test):
            sys.exit(f"{path} has other columns or rows than the test table")
        kept = holes != ""
        changed = sum((kept[name] & ~same(filled[name], test[name])).sum() for name in test)
        print(f"{path}: {changed} cells changed that were no holes, {((filled == '') & hole).sum().sum()} of the holes left empty")
        results[path] = scores(filled)
else:
    for name, make in (("constant", constant), ("draw", draw), ("iterative", lambda: regressions(IterativeImputer)),
                       ("apart", lambda: regressions(Apart))):
        results[name] = scores(make())

table = pd.DataFrame(results)
means = [pd.DataFrame({f"mean of {len(part)} {kind}": table.loc[part].mean()}).T
         for part, kind in ((numbers, "numbers, RMSE / deviation"), (labels, "labels, accuracy")) if part]
table.index = [f"{name}, {'accuracy' if name in labels else 'RMSE / deviation'}" for name in table.index]
print(f"{hole.sum().sum()} holes in {len(test)} rows of {len(train.columns)} columns")
print(pd.concat([table, *means]).to_string(float_format="%.4f"))

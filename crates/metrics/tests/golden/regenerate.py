"""Writes sdmetrics.json: a seeded mixed table, a distorted copy, and what SDMetrics says of the two.

pip install sdmetrics==0.29.0 scikit-learn pandas; python regenerate.py
"""

import json
import math
import pathlib
import warnings

import numpy as np
import pandas as pd
import sdmetrics
from sdmetrics.column_pairs import ContingencySimilarity, CorrelationSimilarity
from sdmetrics.reports.single_table._properties import ColumnPairTrends, ColumnShapes, DataValidity
from sdmetrics.single_table import NewRowSynthesis, TableStructure
from sdmetrics.single_table.privacy.dcr_utils import calculate_dcr

warnings.simplefilter("ignore")


def table(seed, rows, shift):
    r = np.random.default_rng(seed)
    a = r.normal(50 + shift, 12, rows).round(2)
    b = (a * 0.7 + r.normal(0, 4, rows)).round(1)
    n = r.poisson(3, rows).astype(float)
    c = np.where(r.random(rows) < 0.2 + shift / 40, "x", np.where(a > 50, "hi", "lo")).astype(object)
    d = np.where(c == "hi", r.choice(["p", "q"], rows), r.choice(["q", "r", "s"], rows)).astype(object)
    e = np.where(r.random(rows) < 0.6, "yes", "no").astype(object)
    data = pd.DataFrame({"a": a, "b": b, "n": n, "c": c, "d": d, "e": e})
    for column, share in (("b", 0.08), ("c", 0.05), ("n", 0.1)):
        data.loc[r.random(rows) < share, column] = np.nan
    return data


real, synthetic = table(1, 300, 0), table(2, 280, 3)
synthetic.loc[:27, :] = real.loc[:27, :]
synthetic.loc[30:34, "d"] = "new"
kinds = {"a": "numerical", "b": "numerical", "n": "numerical", "c": "categorical", "d": "categorical", "e": "categorical"}
metadata = {"columns": {name: {"sdtype": kind} for name, kind in kinds.items()}}


def plain(value):
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and math.isnan(value) else value


def by_column(property_):
    score = property_.get_score(real.copy(), synthetic.copy(), metadata)
    return {"mean": score, "columns": dict(zip(property_.details["Column"], property_.details["Score"]))}


def pairs(threshold):
    trends = ColumnPairTrends()
    if threshold:
        trends.real_correlation_threshold, trends.real_association_threshold = 0.5, 0.3
    mean = trends.get_score(real.copy(), synthetic.copy(), metadata)
    scores = zip(trends.details["Column 1"], trends.details["Column 2"], trends.details["Score"], trends.details["Real Association"])
    return {"mean": mean, "pairs": {f"{x}|{y}": [score, association] for x, y, score, association in scores}}


def contingency(x, y):
    continuous = [name for name in (x, y) if kinds[name] == "numerical"]
    return ContingencySimilarity.compute(real[[x, y]].copy(), synthetic[[x, y]].copy(), continuous_column_names=continuous)


golden = {
    "made_by": f"sdmetrics {sdmetrics.__version__}",
    "real": {name: real[name].tolist() for name in kinds},
    "synthetic": {name: synthetic[name].tolist() for name in kinds},
    "shapes": by_column(ColumnShapes()),
    "validity": by_column(DataValidity()),
    "pairs": pairs(False),
    "pairs_related": pairs(True),
    "real_rule": {"a|c": contingency("a", "c"), "b|d": contingency("b", "d"), "n|e": contingency("n", "e")},
    "spearman": {
        f"{x}|{y}": CorrelationSimilarity.compute(real[[x, y]], synthetic[[x, y]], coefficient="Spearman")
        for x, y in (("a", "b"), ("a", "n"), ("b", "n"))
    },
    "new_rows": NewRowSynthesis.compute(real, synthetic, metadata),
    "structure": TableStructure.compute(real, synthetic),
    "distances": calculate_dcr(synthetic, real, metadata).tolist(),
}
path = pathlib.Path(__file__).with_name("sdmetrics.json")
path.write_text(json.dumps(plain(golden), allow_nan=False) + "\n")

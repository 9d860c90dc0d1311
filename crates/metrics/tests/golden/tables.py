"""Writes tables.json: further scores of the tables of regenerate.py, and scores of three real tables, as SDMetrics, scipy and scikit-learn
compute them.

pip install sdmetrics==0.29.0 scikit-learn scipy pandas; SEMBLANT_DATA=... python tables.py
"""

import json
import os
import pathlib
import warnings

import numpy as np
import pandas as pd
import sdmetrics
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance
from sdmetrics.reports.single_table._properties import ColumnPairTrends, ColumnShapes
from sdmetrics.single_column import (
    BoundaryAdherence,
    CategoryAdherence,
    CategoryCoverage,
    MissingValueSimilarity,
    RangeCoverage,
    StatisticSimilarity,
)
from sdmetrics.single_table import DCROverfittingProtection, DisclosureProtection, LogisticDetection, NewRowSynthesis
from sdmetrics.single_table.privacy.dcr_utils import calculate_dcr
from sklearn.metrics import normalized_mutual_info_score

warnings.simplefilter("ignore")
assert sdmetrics.__version__ == "0.29.0"
here = pathlib.Path(__file__).parent


def means(real, synthetic, numbers, labels):
    """Means over columns, and nothing where the real column is constant."""
    of = lambda metric, columns, **more: [metric.compute(real[c], synthetic[c], **more) for c in columns]
    coverage = of(RangeCoverage, numbers) + of(CategoryCoverage, labels)
    return {
        "coverage": float(np.nanmean(coverage)),
        "adherence": float(np.nanmean(of(BoundaryAdherence, numbers) + of(CategoryAdherence, labels))),
        "missing": float(np.mean(of(MissingValueSimilarity, numbers + labels))),
        **{s: float(np.nanmean(of(StatisticSimilarity, numbers, statistic=s))) for s in ("mean", "median", "std")},
    }


def disclosure(real, synthetic, known, sensitive, numbers):
    columns = known + sensitive
    continuous = [c for c in numbers if c in columns]
    return {
        method: DisclosureProtection.compute_breakdown(
            real[columns].copy(), synthetic[columns].copy(), known, sensitive, method, continuous or None
        )
        for method in ("cap", "zero_cap", "generalized_cap")
    }


def toy():
    stored = json.loads((here / "sdmetrics.json").read_text())
    frame = lambda which: pd.DataFrame({c: pd.Series(v, dtype=float if c in "abn" else object) for c, v in stored[which].items()})
    real, synthetic = frame("real"), frame("synthetic")
    real[["c", "d", "e"]] = real[["c", "d", "e"]].where(real[["c", "d", "e"]].notna(), np.nan)
    synthetic[["c", "d", "e"]] = synthetic[["c", "d", "e"]].where(synthetic[["c", "d", "e"]].notna(), np.nan)
    holdout = real.sample(frac=0.5, random_state=1).reset_index(drop=True)
    holdout["a"] = holdout["a"].sample(frac=1, random_state=2).to_numpy()
    metadata = {"columns": {c: {"sdtype": "numerical" if c in "abn" else "categorical"} for c in "abncde"}}
    seen = ["a", "b", "n", "c", "e"]
    logistic = {"columns": {c: metadata["columns"][c] for c in seen}}
    fill = lambda x: x.fillna("nothing")
    shares = lambda x, values: [(fill(x) == v).mean() for v in values]
    pairs = [("c", "d"), ("c", "e"), ("d", "e")]
    return {
        "means": means(real, synthetic, ["a", "b", "n"], ["c", "d", "e"]),
        "holdout": {c: [None if pd.isna(v) else v for v in holdout[c]] for c in "abncde"},
        "overfitting": DCROverfittingProtection.compute(real, synthetic, holdout, {"tables": {"t": metadata}}, "t"),
        "disclosure": disclosure(real, synthetic, ["a", "d", "e"], ["c"], ["a"]),
        "disclosure_two": disclosure(real, synthetic, ["d"], ["b", "e"], ["b"]),
        # A mean over 200 draws of its unseeded folds.
        "logistic": float(np.mean([LogisticDetection.compute(real[seen].copy(), synthetic[seen].copy(), logistic) for _ in range(200)])),
        "wasserstein": {
            c: wasserstein_distance(real[c].dropna(), synthetic[c].dropna()) / (real[c].max() - real[c].min()) for c in "abn"
        },
        "jensen_shannon": {
            c: jensenshannon(*(shares(t[c], sorted(set(fill(real[c])) | set(fill(synthetic[c])))) for t in (real, synthetic)), base=2)
            for c in "cde"
        },
        "mutual_information": {
            f"{x}|{y}": [normalized_mutual_info_score(fill(t[x]), fill(t[y]), average_method="geometric") for t in (real, synthetic)]
            for x, y in pairs
        },
    }


KINDS = {
    "adult": (["age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"], "income", ["sex", "race", "age"]),
    "online-shoppers": (
        ["Administrative", "Administrative_Duration", "Informational", "Informational_Duration", "ProductRelated"]
        + ["ProductRelated_Duration", "BounceRates", "ExitRates", "PageValues", "SpecialDay"],
        "Revenue",
        ["Month", "Region", "PageValues"],
    ),
    "california-housing": (
        ["longitude", "latitude", "housing_median_age", "total_rooms", "total_bedrooms", "population", "households"]
        + ["median_income", "median_house_value"],
        "ocean_proximity",
        ["longitude", "median_income"],
    ),
}
# What the library takes for a missing value.
MISSING = ["", "?", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]
ROWS, FEW = 1500, 300


def real_table(name):
    numbers, sensitive, known = KINDS[name]

    def read(split):
        path = pathlib.Path(os.environ["SEMBLANT_DATA"]) / name / f"{split}.csv.gz"
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=MISSING, nrows=ROWS)
        return frame.assign(**{c: pd.to_numeric(frame[c]) for c in numbers})

    real, synthetic = read("train"), read("test")
    labels = [c for c in real.columns if c not in numbers]
    metadata = {"columns": {c: {"sdtype": "numerical" if c in numbers else "categorical"} for c in real.columns}}
    pairs = ColumnPairTrends()
    few = synthetic[:FEW]
    return {
        **means(real, synthetic, numbers, labels),
        "shapes": ColumnShapes().get_score(real.copy(), synthetic.copy(), metadata),
        "pairs": pairs.get_score(real.copy(), synthetic.copy(), metadata),
        "distances": float(calculate_dcr(few, real, metadata).sum()),
        "new_rows": NewRowSynthesis.compute(real, few, metadata),
        "disclosure": disclosure(real[:FEW], synthetic, known, [sensitive], numbers),
    }


def plain(value):
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and np.isnan(value) else value


golden = {"made_by": f"sdmetrics {sdmetrics.__version__}", "toy": toy(), "real": {name: real_table(name) for name in KINDS}}
(here / "tables.json").write_text(json.dumps(plain(golden), allow_nan=False, indent=1) + "\n")

"""Times SDMetrics and Anonymeter beside `semblant evaluate` on the same three tables, in one run on one machine.

    pip install sdmetrics==0.29.0 anonymeter
    python evaluate.py SEMBLANT REAL.csv SYNTHETIC.csv HOLDOUT.csv TARGET

The packages' part is what both sides have: quality and diagnostic report, new rows, both distance protections, disclosure, logistic
detection, and the three attacks of 1,000 attempts. Semblant's time is that of its whole report, which holds more than that.
"""

import json
import subprocess
import sys
import time
import warnings

import pandas as pd
from anonymeter.evaluators import InferenceEvaluator, LinkabilityEvaluator, SinglingOutEvaluator
from sdmetrics.reports.single_table import DiagnosticReport, QualityReport
from sdmetrics.single_table import (
    DCRBaselineProtection,
    DCROverfittingProtection,
    DisclosureProtection,
    LogisticDetection,
    NewRowSynthesis,
)

warnings.filterwarnings("ignore")
ATTACKS = 1000


def timed(times, name, work):
    start = time.perf_counter()
    try:
        work()
        note = ""
    except Exception as error:  # a peer that fails is told, not hidden
        note = f"  failed: {type(error).__name__}: {str(error)[:80]}"
    times[name] = time.perf_counter() - start
    print(f"{name:28} {times[name]:9.2f} s{note}", flush=True)


def main():
    program, *paths, target = sys.argv[1:]
    start = time.perf_counter()
    command = [program, "-q", "evaluate", "--real", paths[0], "--synthetic", paths[1], "--holdout", paths[2]]
    subprocess.run([*command, "--target", target, "--json", "-"], check=True, stdout=subprocess.DEVNULL)
    ours = time.perf_counter() - start
    print(f"{'semblant, whole report':28} {ours:9.2f} s", flush=True)

    real, synthetic, holdout = (pd.read_csv(path, na_values=["?"]) for path in paths)
    kind = lambda column: "numerical" if pd.api.types.is_numeric_dtype(column) else "categorical"
    metadata = {"columns": {name: {"sdtype": kind(real[name])} for name in real.columns}}
    names = list(real.columns)
    halves = (names[::2], names[1::2])
    others = [name for name in names if name != target]
    times = {}
    timed(times, "quality report", lambda: QualityReport().generate(real, synthetic, metadata, verbose=False))
    timed(times, "diagnostic report", lambda: DiagnosticReport().generate(real, synthetic, metadata, verbose=False))
    # It stops at missing labels, so they are a label of their own here.
    labels = [name for name in names if kind(real[name]) == "categorical"]
    filled = [table.assign(**{name: table[name].fillna("missing") for name in labels}) for table in (real, synthetic)]
    tables = {"tables": {"table": metadata}}
    timed(times, "logistic detection", lambda: LogisticDetection.compute(*filled, metadata))
    timed(
        times,
        "singling out, one column",
        lambda: SinglingOutEvaluator(real, synthetic, n_attacks=ATTACKS, control=holdout).evaluate(mode="univariate").risk(),
    )
    timed(
        times,
        "singling out, three columns",
        lambda: SinglingOutEvaluator(real, synthetic, n_attacks=ATTACKS, n_cols=3, control=holdout).evaluate(mode="multivariate").risk(),
    )
    timed(
        times,
        "linkability",
        lambda: LinkabilityEvaluator(real, synthetic, aux_cols=halves, n_attacks=ATTACKS, n_neighbors=1, control=holdout)
        .evaluate(n_jobs=-1)
        .risk(),
    )
    timed(
        times,
        "inference",
        lambda: InferenceEvaluator(
            real, synthetic, aux_cols=others, secret=target, regression=False, n_attacks=ATTACKS, control=holdout
        )
        .evaluate(n_jobs=-1)
        .risk(),
    )
    timed(
        times,
        "disclosure protection",
        lambda: DisclosureProtection.compute_breakdown(
            real.sample(2000, random_state=0),
            synthetic.sample(10_000, random_state=0),
            known_column_names=others,
            sensitive_column_names=[target],
            continuous_column_names=[name for name in others if kind(real[name]) == "numerical"],
            computation_method="generalized_cap",
        ),
    )
    timed(times, "DCR baseline protection", lambda: DCRBaselineProtection.compute_breakdown(real, synthetic, tables, "table"))
    timed(
        times, "DCR overfitting protection", lambda: DCROverfittingProtection.compute_breakdown(real, synthetic, holdout, tables, "table")
    )
    timed(times, "new row synthesis", lambda: NewRowSynthesis.compute(real, synthetic, metadata))
    whole = sum(times.values())
    print(json.dumps({"semblant_secs": ours, "packages_secs": whole, "ratio": whole / ours, "parts": times}))


main()

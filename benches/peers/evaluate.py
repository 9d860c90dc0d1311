"""Times SDMetrics and Anonymeter beside `semblant evaluate` on the same three tables, in one run on one machine.

    pip install sdmetrics==0.29.0 anonymeter
    python evaluate.py SEMBLANT REAL.csv SYNTHETIC.csv HOLDOUT.csv TARGET

The packages' part is what both sides have: quality and diagnostic report, new rows, both distance protections, disclosure, logistic
detection, and the three attacks of 1,000 attempts. Semblant's time is that of its whole report, which holds more than that. Seconds by the
clock and of CPU (all threads and processes); the latter do not depend on what else the machine does.
"""

import json
import resource
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


def cpu_secs():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def timed(times, name, work):
    start, cpu = time.perf_counter(), cpu_secs()
    try:
        work()
        note = ""
    except Exception as error:  # a peer that fails is told, not hidden
        note = f"  failed: {type(error).__name__}: {str(error)[:80]}"
    times[name] = [time.perf_counter() - start, cpu_secs() - cpu]
    print(f"{name:28} {times[name][0]:9.2f} s {times[name][1]:9.2f} s of CPU{note}", flush=True)


def main():
    program, *paths, target = sys.argv[1:]
    command = [program, "-q", "evaluate", "--real", paths[0], "--synthetic", paths[1], "--holdout", paths[2]]
    command += ["--target", target, "--json", "-"]
    ours = {}
    timed(ours, "semblant, whole report", lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))

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
    sums = [sum(part[place] for part in times.values()) for place in (0, 1)]
    ratios = [sums[place] / ours["semblant, whole report"][place] for place in (0, 1)]
    print(json.dumps({"semblant": ours, "packages": sums, "ratios": ratios, "parts": times}))


main()

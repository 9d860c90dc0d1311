"""Python's ctgan and semblant on the same table and machine, in turns, with the ratios.

    pip install ctgan==0.12.1
    cargo build --release
    SEMBLANT_DATA=folder python benches/peers/ctgan.py target/release/semblant [--epochs 4] [--rounds 3] [--rows 1000000]

Both use their defaults (batch 500, networks 256-256, 300 epochs); a fit is timed over a few epochs, and a whole one is
encoding + steps of 300 epochs x seconds a step. Medians over the rounds, the two taking turns.
"""
import argparse, json, os, statistics, subprocess, sys, tempfile, time, warnings
from pathlib import Path

import pandas as pd

warnings.filterwarnings("ignore")
parser = argparse.ArgumentParser()
parser.add_argument("semblant")
parser.add_argument("--epochs", type=int, default=4)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--rows", type=int, default=1_000_000)
parser.add_argument("--set", action="append", default=[], help="a setting for semblant's fit")
arguments = parser.parse_args()
path = Path(os.environ["SEMBLANT_DATA"]) / "adult" / "train.csv.gz"
folder = Path(tempfile.mkdtemp())

# This file has the package's name, so its own folder must not be searched first.
sys.path.pop(0)
from ctgan import CTGAN
from ctgan.data_transformer import DataTransformer

table = pd.read_csv(path)
discrete = ["workclass", "education", "marital-status", "occupation", "relationship", "race", "sex", "native-country", "income"]
# ctgan refuses missing values, so they are a category of their own there too.
table[discrete] = table[discrete].fillna("?")
steps_per_epoch = len(table) // 500


def peer():
    start = time.perf_counter()
    transformer = DataTransformer()
    transformer.fit(table, discrete)
    transformer.transform(table)
    encode = time.perf_counter() - start
    model = CTGAN(epochs=arguments.epochs, verbose=False)
    start = time.perf_counter()
    model.fit(table, discrete)
    step = (time.perf_counter() - start - encode) / (arguments.epochs * steps_per_epoch)
    start = time.perf_counter()
    model.sample(arguments.rows // 10).to_csv(folder / "peer.csv", index=False)
    sample = 10 * (time.perf_counter() - start)
    return encode, step, sample


def ours():
    model = folder / "model.safetensors"
    sets = [f"epochs={arguments.epochs}", *arguments.set]
    flags = [part for one in sets for part in ("--set", one)]
    out = subprocess.run([arguments.semblant, "-q", "fit", "adult", *flags, "-o", model, "--json"], check=True, capture_output=True, text=True)
    summary = json.loads(out.stdout)["summary"]
    start = time.perf_counter()
    subprocess.run([arguments.semblant, "-q", "sample", model, "-n", str(arguments.rows), "-o", folder / "ours.csv"], check=True, capture_output=True)
    return summary["encode_secs"], summary["train_secs"] / summary["steps"], time.perf_counter() - start


rounds = [(peer(), ours()) for _ in range(arguments.rounds)]
median = lambda side, item: statistics.median(round[side][item] for round in rounds)
steps = 300 * steps_per_epoch
rows = [("encode the table, s", *(median(side, 0) for side in (0, 1))),
        ("one training step, ms", *(1e3 * median(side, 1) for side in (0, 1))),
        ("whole fit of 300 epochs, s", *(median(side, 0) + steps * median(side, 1) for side in (0, 1))),
        (f"sample {arguments.rows} rows to CSV, s", *(median(side, 2) for side in (0, 1)))]
print(f"{'':40} {'ctgan':>10} {'semblant':>10} {'ratio':>8}")
for name, theirs, mine in rows:
    print(f"{name:40} {theirs:10.2f} {mine:10.2f} {theirs / mine:7.1f}x")

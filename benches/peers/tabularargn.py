"""TabularARGN of mostlyai-engine on a table: one fit at its default settings on the CPU, then as many rows as the training table, one or more
times. Each draw is written as a CSV file with the training table's columns.

    pip install mostlyai-engine==2.7.3
    python benches/peers/tabularargn.py TRAIN.csv PREFIX [--draws 1] [--seed 1] [--threads 1] [--minutes 14400]

writes PREFIX-1.csv, PREFIX-2.csv and so on. Prints the seconds of CPU (user and system) and by the clock of the fit and of each draw, and the
peak memory of the process. The engine's own defaults bound a fit: 100 epochs, or no better validation loss for five epochs in a row;
--minutes is its max_training_time.
"""
import argparse, os, resource, time

parser = argparse.ArgumentParser()
parser.add_argument("train")
parser.add_argument("prefix")
parser.add_argument("--draws", type=int, default=1)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--minutes", type=float, default=14400.0)
arguments = parser.parse_args()
# Both must be set before numpy and torch are imported: the threads of their loops, and the processes that encode columns.
os.environ["OMP_NUM_THREADS"] = os.environ["LOKY_MAX_CPU_COUNT"] = str(arguments.threads)

import pandas as pd
import torch
from mostlyai.engine import TabularARGN, set_random_state
from mostlyai.engine._workspace import Workspace

torch.set_num_threads(arguments.threads)


def timed(name, work):
    used, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    result = work()
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    print(f"{name}: {cpu:.1f} s of CPU, {wall:.1f} s by the clock, peak memory {after.ru_maxrss / 1024:.0f} MiB", flush=True)
    return result


table = pd.read_csv(arguments.train)
model = TabularARGN(random_state=arguments.seed, max_training_time=arguments.minutes, device="cpu")
timed("fit", lambda: model.fit(table))
# The engine's log of a fit has a line for each epoch.
log = pd.read_csv(Workspace(model.workspace_path_).model_progress_messages_path)
best = log.loc[log["val_loss"].idxmin()]
print(f"{log['epoch'].max():.0f} epochs, best validation loss {best['val_loss']:.4f} after {best['epoch']:.0f}; "
      f"{sum(part.numel() for part in torch.load(Workspace(model.workspace_path_).model_tabular_weights_path).values())} weights", flush=True)
for draw in range(1, arguments.draws + 1):
    set_random_state(1000 * arguments.seed + draw)
    rows = timed(f"draw {draw}", lambda: model.sample(len(table)))
    rows[table.columns].to_csv(f"{arguments.prefix}-{draw}.csv", index=False)

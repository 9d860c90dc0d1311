"""Masked diffusion over columns in PyTorch, eager, on the CPU, beside `semblant`: a training step, and sampling.

    pip install torch
    SEMBLANT_DATA=folder python benches/peers/masked_diffusion.py target/release/semblant [--threads 1] [--rounds 3]

The network is that of the defaults for Adult: 15 positions, as many tokens as `semblant fit` says, embeddings of 16, width 128, depth 2, six numbers
with six sines and cosines each. PyTorch's inputs are random tokens of that shape; its step is forward, cross-entropy of every position, backward
and Adam over 512 rows, its sampling one pass of the network for each column over batches of 4,096 rows. Both run in turn; medians and the
fastest.
"""
import argparse, json, os, re, statistics, subprocess, tempfile, time

import torch
from torch import nn
from torch.nn.functional import cross_entropy, dropout, layer_norm, silu

parser = argparse.ArgumentParser()
parser.add_argument("semblant")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--steps", type=int, default=200)
parser.add_argument("--sampled", type=int, default=32768)
arguments = parser.parse_args()
torch.set_num_threads(arguments.threads)
torch.manual_seed(0)
WIDTH, DEPTH, EMBEDDING, NUMBERS, PLACE, BATCH = 128, 2, 16, 6, 14, 512
environment = dict(os.environ, RAYON_NUM_THREADS=str(arguments.threads))
folder = tempfile.mkdtemp()
model = os.path.join(folder, "adult.safetensors")


def semblant():
    """Milliseconds of a training step, and seconds of the sample."""
    fit = [arguments.semblant, "fit", "adult", "-o", model, "--force", "--set", f"rows={BATCH * arguments.steps}", "--set", "calibration=0", "--json"]
    ran = subprocess.run(fit, env=environment, capture_output=True, text=True, check=True)
    widths = [int(count) for count in re.search(r"(\d+) positions with (\d+) tokens", ran.stderr).groups()]
    step = json.loads(ran.stdout)["summary"]["train_secs"] / arguments.steps
    started = time.perf_counter()
    sample = [arguments.semblant, "-q", "sample", model, "-n", str(arguments.sampled), "-o", os.path.join(folder, "s.csv"), "--force"]
    subprocess.run(sample, env=environment, check=True, stdout=subprocess.DEVNULL)
    return 1e3 * step, time.perf_counter() - started, widths


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.inner, self.outer = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        return x + self.outer(dropout(silu(self.inner(self.norm(x))), 0.1, self.training))


class Net(nn.Module):
    def __init__(self, positions, tokens):
        super().__init__()
        self.widths = [tokens // positions + (place < tokens % positions) for place in range(positions)]
        self.embedding = nn.Embedding(tokens + positions, EMBEDDING)
        self.first = nn.Linear(positions * EMBEDDING + NUMBERS * PLACE, WIDTH)
        self.blocks, self.norm, self.head = nn.ModuleList(Block() for _ in range(DEPTH)), nn.LayerNorm(WIDTH), nn.Linear(WIDTH, tokens)

    def forward(self, shown, places):
        x = self.first(torch.cat([self.embedding(shown).flatten(1), places], 1))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def pytorch(positions, tokens):
    net = Net(positions, tokens)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, betas=(0.9, 0.99))
    shown, places = torch.randint(0, tokens, (BATCH, positions)), torch.randn(BATCH, NUMBERS * PLACE)
    targets = torch.stack([torch.randint(0, width, (BATCH,)) for width in net.widths], 1)

    def step():
        logits = net(shown, places).split(net.widths, 1)
        loss = sum(cross_entropy(part, targets[:, place]) for place, part in enumerate(logits))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    step()
    started = time.perf_counter()
    for _ in range(arguments.steps):
        step()
    trained = 1e3 * (time.perf_counter() - started) / arguments.steps
    net.eval()
    started = time.perf_counter()
    with torch.inference_mode():
        for first in range(0, arguments.sampled, 4096):
            rows = min(4096, arguments.sampled - first)
            shown, places = torch.zeros(rows, positions, dtype=torch.long), torch.zeros(rows, NUMBERS * PLACE)
            for place, width in enumerate(net.widths):
                begin = sum(net.widths[:place])
                probabilities = net(shown, places)[:, begin : begin + width].softmax(1)
                shown[:, place] = begin + torch.multinomial(probabilities, 1)[:, 0]
    return trained, time.perf_counter() - started


ours, theirs = [], []
for _ in range(arguments.rounds):
    *times, widths = semblant()
    ours.append(times)
    theirs.append(pytorch(*widths))
for name, index, unit in (("training step of 512 rows", 0, "ms"), (f"sampling {arguments.sampled} rows", 1, "s")):
    a, b = [times[index] for times in theirs], [times[index] for times in ours]
    print(f"{name}: PyTorch {statistics.median(a):.2f} ({min(a):.2f}) {unit}, semblant {statistics.median(b):.2f} ({min(b):.2f}) {unit}, "
          f"ratio {statistics.median(a) / statistics.median(b):.2f}")

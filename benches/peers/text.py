"""text-ar beside the same network in PyTorch, eager, on the CPU: a training step, held-out nats after equal updates, and sampling with a cache beside
a loop that runs the whole text again for every character, as nanoGPT's `generate` does.

    pip install torch
    python benches/peers/text.py target/release/semblant train.txt held.txt [--model text-mdlm] [--updates 1000] [--threads 1]

The network: RMS normalisation, rotary positions, GELU, tied table, 160 wide, 4 blocks, 5 heads, context 256; 8 windows a step; Adam (0.9, 0.99) with a
warm-up of 2 % and a cosine to 0, clipped at 1, dropout 0.1; PyTorch's are the averaged weights too, of a half-life of 50,000 windows that grows with the
run. text-ar has no match model here, as PyTorch's has none. Held-out windows overlap by half, as in `semblant evaluate --likelihood`. Of text-mdlm the
bound of 8 draws a window is compared, and no sampling.
"""
import argparse, copy, json, math, os, re, subprocess, tempfile, time

import torch
from torch import nn
from torch.nn import functional as F

parser = argparse.ArgumentParser()
parser.add_argument("semblant")
parser.add_argument("train")
parser.add_argument("held")
parser.add_argument("--model", choices=["text-ar", "text-mdlm"], default="text-ar")
parser.add_argument("--updates", type=int, default=1000)
parser.add_argument("--threads", type=int, default=1)
arguments = parser.parse_args()
torch.set_num_threads(arguments.threads)
torch.manual_seed(0)
WIDTH, DEPTH, HEADS, CONTEXT, BATCH, DROPOUT = 160, 4, 5, 256, 8, 0.1
environment = dict(os.environ, RAYON_NUM_THREADS=str(arguments.threads))
folder = tempfile.mkdtemp()
train, held = (open(path, encoding="utf-8").read() for path in (arguments.train, arguments.held))
characters = sorted(set(train))
number = {character: index for index, character in enumerate(characters)}
UNKNOWN, BEGIN, HIDDEN = (len(characters) + place for place in range(3))
IS_CAUSAL, DRAWS = arguments.model == "text-ar", 8
encode = lambda text: torch.tensor([number.get(character, UNKNOWN) for character in text])


def rotated(x):  # [batch, heads, tokens, size]
    size, tokens = x.shape[-1], x.shape[-2]
    frequency = 10000.0 ** (-torch.arange(0, size, 2) / size)
    angle = torch.arange(tokens)[:, None] * frequency[None]
    a, b = x[..., : size // 2], x[..., size // 2 :]
    return torch.cat([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], -1)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm_1, self.norm_2 = nn.RMSNorm(WIDTH), nn.RMSNorm(WIDTH)
        self.packed, self.mixed = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        batch, tokens, _ = x.shape
        q, k, v = (part.view(batch, tokens, HEADS, -1).transpose(1, 2) for part in self.packed(self.norm_1(x)).chunk(3, -1))
        mixed = F.scaled_dot_product_attention(rotated(q), rotated(k), v, is_causal=IS_CAUSAL)
        x = x + F.dropout(self.mixed(mixed.transpose(1, 2).reshape(batch, tokens, WIDTH)), DROPOUT, self.training)
        return x + F.dropout(self.down(F.gelu(self.up(self.norm_2(x)), approximate="tanh")), DROPOUT, self.training)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.bias = nn.Embedding(len(characters) + 3, WIDTH), nn.Parameter(torch.zeros(len(characters) + 1))
        self.blocks, self.norm = nn.ModuleList(Block() for _ in range(DEPTH)), nn.RMSNorm(WIDTH)
        for name, weight in self.named_parameters():
            if weight.dim() > 1:
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * DEPTH) if "mixed" in name or "down" in name else 0.02)

    def forward(self, ids):
        x = self.table(ids)
        if not IS_CAUSAL:  # A mark before the tokens, which is added to each of them too.
            mark = self.table.weight[BEGIN].expand(len(ids), 1, WIDTH)
            x = torch.cat([mark, x + mark], 1)
        x = F.dropout(x, DROPOUT, self.training)
        for block in self.blocks:
            x = block(x)
        x = x if IS_CAUSAL else x[:, 1:]
        return F.linear(self.norm(x), self.table.weight[: len(characters) + 1], self.bias)


def losses(net, tokens, first=0, places=None):
    """The nats of each window [windows, tokens] from `first` on; of masked diffusion a bound with a share `places` of these tokens shown."""
    if IS_CAUSAL:
        ids = torch.cat([torch.full((len(tokens), 1), BEGIN), tokens[:, :-1]], 1)
        nats = F.cross_entropy(net(ids).transpose(1, 2), tokens, reduction="none")
        return nats[:, first:].sum(1)
    count = tokens.shape[1] - first
    shown = (places * count).long().clamp(max=count - 1)[:, None]
    rank = torch.rand(len(tokens), count).argsort(1).argsort(1)
    is_hidden = torch.cat([torch.zeros(len(tokens), first, dtype=torch.bool), rank >= shown], 1)
    nats = F.cross_entropy(net(torch.where(is_hidden, HIDDEN, tokens)).transpose(1, 2), tokens, reduction="none")
    return (nats * is_hidden).sum(1) * count / (count - shown[:, 0])


def pytorch_fit(tokens):
    net, rate = Net(), 2e-3
    average = copy.deepcopy(net)
    optimizer = torch.optim.Adam(net.parameters(), lr=rate, betas=(0.9, 0.99))
    warm_up, started = max(1, int(0.02 * arguments.updates)), time.perf_counter()
    for step in range(arguments.updates):
        share = min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * step / arguments.updates))
        optimizer.param_groups[0]["lr"] = rate * share
        starts = torch.randint(len(tokens) - CONTEXT, (BATCH,))
        batch = torch.stack([tokens[start : start + CONTEXT] for start in starts])
        loss = losses(net, batch, 0, (torch.arange(BATCH) + torch.rand(())) / BATCH).mean() / CONTEXT
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        half_life = min(50_000.0, 0.03 * BATCH * (step + 1))
        keep = 0.5 ** (BATCH / half_life) if half_life > 0 else 0.0
        with torch.no_grad():
            for own, new in zip(average.parameters(), net.parameters()):
                own.lerp_(new, 1 - keep)
    return average.eval(), (time.perf_counter() - started) / arguments.updates


@torch.no_grad()
def pytorch_nats(net, tokens):
    total, start = 0.0, 0
    while True:
        window = tokens[start : start + CONTEXT]
        first, draws = 0 if start == 0 else CONTEXT // 2, 1 if IS_CAUSAL else DRAWS
        places = (torch.arange(draws) + torch.rand(())) / draws
        total += losses(net, window.expand(draws, -1), first, places).mean().item()
        if start + CONTEXT >= len(tokens):
            return total / len(tokens)
        start += CONTEXT // 2


@torch.no_grad()
def pytorch_naive(net, count, length):
    started = time.perf_counter()
    ids = torch.full((count, 1), BEGIN)
    for _ in range(length):
        logits = net(ids[:, -CONTEXT:])[:, -1]
        ids = torch.cat([ids, torch.multinomial(logits.softmax(-1), 1)], 1)
    return count * length / (time.perf_counter() - started)


def semblant(*command):
    return subprocess.run([arguments.semblant, *command], env=environment, capture_output=True, text=True, check=True).stdout


model = os.path.join(folder, "m.safetensors")
settings = [f"rows={BATCH * arguments.updates}", "epochs=0", "patience_ticks=0", f"batch_rows={BATCH}", f"width={WIDTH}", f"depth={DEPTH}", f"heads={HEADS}"]
settings += [f"context={CONTEXT}", f"dropout={DROPOUT}", "guard=false", "validation=0.005", f"tick_rows={BATCH * arguments.updates}"]
settings += ["match_model=false"] if IS_CAUSAL else []
fit = ["fit", arguments.train, "--whole", "256", "--model", arguments.model, "-o", model, "--json"]
summary = json.loads(semblant(*fit, *[part for setting in settings for part in ("--set", setting)]))["summary"]
ours = summary["train_secs"] / summary["steps"]
judge = ["evaluate", "--likelihood", model, "--real", arguments.held, "--whole", "1000000", "--samples", str(DRAWS)]
score = re.search(r"([0-9.]+) nats and", semblant(*judge)).group(1)
net, theirs = pytorch_fit(encode(train))
print(f"step: semblant {1e3 * ours:.1f} ms, PyTorch {1e3 * theirs:.1f} ms, ratio {ours / theirs:.2f}")
print(f"held out after {arguments.updates} updates: semblant {score}, PyTorch {pytorch_nats(net, encode(held)):.4f} nats a character")
if IS_CAUSAL:
    started = time.perf_counter()
    semblant("-q", "sample", model, "-n", "64", "--characters", "256", "-o", os.path.join(folder, "s.txt"), "--force")
    ours_sampled = 64 * 256 / (time.perf_counter() - started)
    naive = pytorch_naive(net, 16, 256)
    print(f"sampling: semblant {ours_sampled:.0f} characters a second, PyTorch without a cache {naive:.0f}, ratio {ours_sampled / naive:.1f}")

"""One training step of a DiT (Peebles and Xie 2023) in PyTorch on the CPU: forward, backward, AdamW. The peer of
crates/diffusion/benches/step.rs.

    pip install torch
    python benches/peers/dit.py [--threads 2] [--steps 10]

f32, eager, batch 64 of 32 x 32 x 3, patch 4, width 256, depth 6, 4 heads. Prints the median and the fastest step.
"""
import argparse, statistics, time

import torch
from torch import nn
from torch.nn.functional import gelu, layer_norm, mse_loss, scaled_dot_product_attention, silu

parser = argparse.ArgumentParser()
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--steps", type=int, default=10)
arguments = parser.parse_args()
torch.set_num_threads(arguments.threads)
torch.manual_seed(0)
PATCH, WIDTH, DEPTH, HEADS, SIDE, CHANNELS, BATCH = 4, 256, 6, 4, 32, 3, 64


def modulated(x, shift, scale):
    return layer_norm(x, (WIDTH,), eps=1e-6) * (1 + scale[:, None]) + shift[:, None]


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.modulation = nn.Linear(WIDTH, 6 * WIDTH)
        self.packed, self.mixed = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x, condition):
        parts = self.modulation(condition).chunk(6, 1)
        batch, tokens, _ = x.shape
        packed = self.packed(modulated(x, parts[0], parts[1])).view(batch, tokens, 3, HEADS, WIDTH // HEADS)
        query, key, value = packed.permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(batch, tokens, WIDTH)
        x = x + parts[2][:, None] * self.mixed(mixed)
        fed = self.down(gelu(self.up(modulated(x, parts[3], parts[4])), approximate="tanh"))
        return x + parts[5][:, None] * fed


class Dit(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Linear(PATCH * PATCH * CHANNELS, WIDTH)
        self.time_1, self.time_2 = nn.Linear(256, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.classes = nn.Embedding(1, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(DEPTH))
        self.last_modulation, self.last = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(WIDTH, PATCH * PATCH * CHANNELS)
        self.register_buffer("places", torch.randn(1, (SIDE // PATCH) ** 2, WIDTH))

    def forward(self, x, time):
        rows = SIDE // PATCH
        batch = x.shape[0]
        x = x.view(batch, CHANNELS, rows, PATCH, rows, PATCH).permute(0, 2, 4, 1, 3, 5).reshape(batch, rows * rows, -1)
        x = self.patch(x) + self.places
        angles = time[:, None] * torch.exp(-9.21 * torch.arange(128) / 127)
        condition = self.time_2(silu(self.time_1(torch.cat([angles.cos(), angles.sin()], 1)))) + self.classes.weight
        condition = silu(condition)
        for block in self.blocks:
            x = block(x, condition)
        shift, scale = self.last_modulation(condition).chunk(2, 1)
        x = self.last(modulated(x, shift, scale))
        x = x.view(batch, rows, rows, PATCH, PATCH, CHANNELS).permute(0, 5, 1, 3, 2, 4)
        return x.reshape(batch, CHANNELS, SIDE, SIDE)


model = Dit()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
x, target = torch.randn(BATCH, CHANNELS, SIDE, SIDE), torch.randn(BATCH, CHANNELS, SIDE, SIDE)
t = torch.arange(BATCH).float() * 13


def step():
    start = time.perf_counter()
    loss = mse_loss(model(x, t), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return time.perf_counter() - start


for _ in range(2):
    step()
times = [1e3 * step() for _ in range(arguments.steps)]
weights = sum(p.numel() for p in model.parameters())
print(f"{weights} weights, {arguments.threads} threads: median {statistics.median(times):.1f} ms, fastest {min(times):.1f} ms")

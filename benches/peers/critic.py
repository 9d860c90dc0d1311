"""A critic's step in PyTorch, plain and with R1 and R2 by double backward: the network of crates/gan/benches/critic.rs.

Run: pip install torch; python critic.py [threads] [steps]
"""
import sys
import time

import torch
import torch.nn.functional as F

threads, steps = int(sys.argv[1]) if len(sys.argv) > 1 else 1, int(sys.argv[2]) if len(sys.argv) > 2 else 10
torch.set_num_threads(threads)
torch.manual_seed(0)
PAIRS, GROUP = 32, 16
line = torch.tensor([1.0, 2.0, 1.0]) / 4
kernel = torch.outer(line, line)


class Block(torch.nn.Module):
    def __init__(self, channels):
        super().__init__()
        inner = 2 * channels
        self.a = torch.nn.Conv2d(channels, inner, 1)
        self.b = torch.nn.Conv2d(inner, inner, 3, padding=1, groups=max(inner // GROUP, 1))
        self.c = torch.nn.Conv2d(inner, channels, 1)

    def forward(self, x):
        return x + self.c(F.leaky_relu(self.b(F.leaky_relu(self.a(x), 0.2)), 0.2))


class Halve(torch.nn.Module):
    def forward(self, x):
        channels = x.shape[1]
        return F.avg_pool2d(F.conv2d(x, kernel.expand(channels, 1, 3, 3), padding=1, groups=channels), 2)


class Critic(torch.nn.Module):
    def __init__(self):
        super().__init__()
        layers, inputs = [], 1
        for place, channels in enumerate([16, 32, 64]):
            if place:
                layers.append(Halve())
            layers += [torch.nn.Conv2d(inputs, channels, 1), Block(channels)]
            inputs = channels
        self.layers = torch.nn.Sequential(*layers)
        self.features, self.score, self.classes = torch.nn.Linear(64 * 49, 64), torch.nn.Linear(64, 1), torch.nn.Embedding(10, 64)

    def forward(self, x, label):
        f = self.features(self.layers(x).flatten(1))
        return (f * (self.score.weight + self.classes(label))).sum(1, keepdim=True) + self.score.bias


medians = []
for penalised in (False, True):
    critic = Critic()
    optimizer = torch.optim.Adam(critic.parameters(), lr=1e-4)
    images, label = torch.randn(2 * PAIRS, 1, 28, 28), torch.arange(2 * PAIRS) % 10
    times = []
    for _ in range(steps + 2):
        start = time.perf_counter()
        x = images.clone().requires_grad_(penalised)
        scores = critic(x, label)
        loss = F.softplus(scores[PAIRS:] - scores[:PAIRS]).mean()
        if penalised:
            (gradient,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
            loss = loss + gradient.square().sum() / (2 * PAIRS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        times.append(1e3 * (time.perf_counter() - start))
    times = sorted(times[2:])
    medians.append(times[len(times) // 2])
    print(f"critic step, {'with R1 and R2' if penalised else 'plain'}: median {medians[-1]:.1f} ms, fastest {times[0]:.1f} ms, {threads} threads")
print(f"the penalised step takes {medians[1] / medians[0]:.2f} times as long")

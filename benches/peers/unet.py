"""One training step of diffusers' UNet2DModel in PyTorch on the CPU: forward, backward, AdamW. The peer of crates/diffusion/benches/step.rs.

    pip install diffusers==0.42.1 torch
    python benches/peers/unet.py [--threads 2] [--layers 1] [--steps 20]

f32, eager, batch 32 of 32 x 32 x 3, widths 32, 64, 64, attention at the lowest resolution. Prints the median and the fastest step.
"""
import argparse, statistics, time

import torch
from diffusers import UNet2DModel

parser = argparse.ArgumentParser()
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--layers", type=int, default=1)
parser.add_argument("--steps", type=int, default=20)
parser.add_argument("--profile", action="store_true")
arguments = parser.parse_args()
torch.set_num_threads(arguments.threads)
torch.manual_seed(0)
model = UNet2DModel(
    in_channels=3, out_channels=3, block_out_channels=(32, 64, 64), layers_per_block=arguments.layers, norm_num_groups=8,
    down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
    attention_head_dim=None)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
x, target, t = torch.randn(32, 3, 32, 32), torch.randn(32, 3, 32, 32), torch.randint(0, 1000, (32,))


def step():
    start = time.perf_counter()
    loss = torch.nn.functional.mse_loss(model(x, t).sample, target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return time.perf_counter() - start


for _ in range(3):
    step()
if arguments.profile:
    with torch.profiler.profile() as profile:
        step()
    print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=20))
times = [1e3 * step() for _ in range(arguments.steps)]
weights = sum(p.numel() for p in model.parameters())
print(f"{weights} weights, {arguments.layers} layers, {arguments.threads} threads: median {statistics.median(times):.1f} ms, fastest {min(times):.1f} ms")

"""PyTorch's side of run.py: one piece of work on one device, one line of JSON. See there.

    python peers.py WORK DEVICE PRECISION SIZE [--compile] [--tf32] [--table table.csv]

WORK is ctgan, masked, mlp, dit, unet, sampling or metrics; DEVICE what torch calls it; PRECISION f32 or bf16 (autocast). The networks have the sizes that
gpu-bench has, and a step is the same work: a batch from the device, noise, forward, loss, backward, clipping, Adam, weight average.
"""
import argparse, json, statistics, sys, time, warnings

sys.path.pop(0)
import torch
from torch import nn
from torch.nn.functional import cross_entropy, dropout, gelu, layer_norm, mse_loss, scaled_dot_product_attention, silu

warnings.filterwarnings("ignore")
parser = argparse.ArgumentParser()
parser.add_argument("work")
parser.add_argument("device")
parser.add_argument("precision", choices=["f32", "bf16"])
parser.add_argument("size", choices=["full", "tiny"])
parser.add_argument("--compile", action="store_true")
parser.add_argument("--tf32", action="store_true", help="as torch.backends.cuda.matmul.allow_tf32 does")
parser.add_argument("--table")
arguments = parser.parse_args()
device, tiny = torch.device(arguments.device), arguments.size == "tiny"
torch.manual_seed(0)
# What f32 means in PyTorch by default: no TF32.
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = arguments.tf32


def wait():
    if device.type == "cuda":
        torch.cuda.synchronize()


class Embedded(nn.Module):
    """The time as a vector."""

    def __init__(self, width):
        super().__init__()
        self.first, self.second = nn.Linear(256, width), nn.Linear(width, width)

    def forward(self, time):
        angles = time[:, None] * torch.exp(-9.21 * torch.arange(128, device=time.device) / 127)
        return self.second(silu(self.first(torch.cat([angles.cos(), angles.sin()], 1))))


class Mlp(nn.Module):
    def __init__(self, values, width, depth):
        super().__init__()
        self.time = Embedded(width)
        self.first, self.last = nn.Linear(values, width), nn.Linear(width, values)
        self.blocks = nn.ModuleList(nn.ModuleList([nn.Linear(width, width), nn.Linear(width, width)]) for _ in range(depth))

    def forward(self, x, time):
        shape = x.shape
        x, told = self.first(x.flatten(1)), self.time(time)
        for up, down in self.blocks:
            x = x + down(silu(up(x + told)))
        return self.last(x).view(shape)


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.width = heads, width
        self.modulation = nn.Linear(width, 6 * width)
        self.packed, self.mixed = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def modulated(self, x, shift, scale):
        return layer_norm(x, (self.width,), eps=1e-6) * (1 + scale[:, None]) + shift[:, None]

    def forward(self, x, condition):
        parts = self.modulation(condition).chunk(6, 1)
        batch, tokens, width = x.shape
        packed = self.packed(self.modulated(x, parts[0], parts[1])).view(batch, tokens, 3, self.heads, width // self.heads)
        query, key, value = packed.permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(batch, tokens, width)
        x = x + parts[2][:, None] * self.mixed(mixed)
        fed = self.down(gelu(self.up(self.modulated(x, parts[3], parts[4])), approximate="tanh"))
        return x + parts[5][:, None] * fed


class Dit(nn.Module):
    def __init__(self, patch, width, depth, heads, side=32, channels=3):
        super().__init__()
        self.patch_size, self.side, self.channels, self.width = patch, side, channels, width
        self.patch, self.time = nn.Linear(patch * patch * channels, width), Embedded(width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.last_modulation, self.last = nn.Linear(width, 2 * width), nn.Linear(width, patch * patch * channels)
        self.register_buffer("places", torch.randn(1, (side // patch) ** 2, width))

    def forward(self, x, time):
        rows, size, batch = self.side // self.patch_size, self.patch_size, x.shape[0]
        x = x.view(batch, self.channels, rows, size, rows, size).permute(0, 2, 4, 1, 3, 5).reshape(batch, rows * rows, -1)
        x, condition = self.patch(x) + self.places, silu(self.time(time))
        for block in self.blocks:
            x = block(x, condition)
        shift, scale = self.last_modulation(condition).chunk(2, 1)
        x = self.last(layer_norm(x, (self.width,), eps=1e-6) * (1 + scale[:, None]) + shift[:, None])
        x = x.view(batch, rows, rows, size, size, self.channels).permute(0, 5, 1, 3, 2, 4)
        return x.reshape(batch, self.channels, self.side, self.side)


def network(kind):
    """The network, and the shape of its batch."""
    if kind == "mlp":
        return (Mlp(128, 16, 1), [4, 1, 8, 16]) if tiny else (Mlp(128, 1024, 4), [4096, 1, 8, 16])
    if kind == "dit":
        return (Dit(8, 16, 1, 2), [4, 3, 32, 32]) if tiny else (Dit(2, 384, 12, 6), [128, 3, 32, 32])
    from diffusers import UNet2DModel

    widths, layers, groups = ((8, 8, 8), 1, 4) if tiny else ((128, 256, 256), 2, 32)
    unet = UNet2DModel(
        in_channels=3, out_channels=3, block_out_channels=widths, layers_per_block=layers, norm_num_groups=groups, attention_head_dim=None,
        down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"))

    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.unet = unet

        def forward(self, x, time):
            return self.unet(x, time).sample

    return Plain(), [4 if tiny else 128, 3, 32, 32]


def cast():
    return torch.autocast(device.type, torch.bfloat16, enabled=arguments.precision == "bf16")


def train(kind):
    model, shape = network(kind)
    model = model.to(device)
    average = [p.detach().clone() for p in model.parameters()]
    parameters = list(model.parameters())
    optimizer = torch.optim.Adam(parameters, lr=1e-4, **({"fused": True} if device.type == "cuda" else {}))
    called = torch.compile(model) if arguments.compile else model
    images = torch.randn([1024, *shape[1:]] if kind != "mlp" else shape, device=device)

    def step():
        batch = images[torch.randint(0, len(images), (shape[0],), device=device)]
        noise, time_ = torch.randn_like(batch), torch.rand(shape[0], device=device)
        mix = time_.view(-1, 1, 1, 1)
        with cast():
            made = called((1 - mix) * batch + mix * noise, 1000 * time_)
        loss = mse_loss(made.float(), noise - batch)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        torch._foreach_lerp_(average, parameters, 1e-3)
        return loss

    return timed(step, parameters)


def timed(step, parameters):
    every = 1 if tiny else 10
    times = []
    for tick in range(20):
        start = time.perf_counter()
        for _ in range(every):
            loss = step()
        loss.item()
        wait()
        times.append(1e3 * (time.perf_counter() - start) / every)
    kept = sorted(times[3:])
    return {"step_ms": statistics.median(kept), "fastest_ms": kept[0], "weights": sum(p.numel() for p in parameters)}


class Rows(nn.Module):
    """Masked diffusion's network of `gpu-bench masked`: 10 columns with 704 tokens, 7 of them numbers with 14 values that tell a place."""

    def __init__(self, width=128, depth=2, embedding=16):
        super().__init__()
        self.widths, self.places = [70] * 6 + [71] * 4, 7 * 14
        self.embedding = nn.Embedding(sum(self.widths) + len(self.widths), embedding)
        self.first = nn.Linear(len(self.widths) * embedding + self.places, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth + 1))
        self.blocks = nn.ModuleList(nn.ModuleList([nn.Linear(width, width), nn.Linear(width, width)]) for _ in range(depth))
        self.head = nn.Linear(width, sum(self.widths))

    def forward(self, shown, places):
        x = self.first(torch.cat([self.embedding(shown).flatten(1), places], 1))
        for norm, (inner, outer) in zip(self.norms, self.blocks):
            x = x + outer(dropout(silu(inner(norm(x))), 0.1, self.training))
        return self.head(self.norms[-1](x))


def masked():
    """A step over random tokens, and rows that are sampled, one pass of the network for each column."""
    rows, sampled = (64, 4096) if tiny else (4096, 1 << 20)
    model = Rows().to(device)
    called = torch.compile(model) if arguments.compile else model
    parameters, widths, columns = list(model.parameters()), model.widths, len(model.widths)
    average = [p.detach().clone() for p in parameters]
    optimizer = torch.optim.Adam(parameters, lr=1e-3, betas=(0.9, 0.99), **({"fused": True} if device.type == "cuda" else {}))

    def step():
        shown, places = torch.randint(0, sum(widths), (rows, columns), device=device), torch.randn(rows, model.places, device=device)
        targets = torch.randint(0, min(widths), (rows, columns), device=device)
        with cast():
            logits = called(shown, places)
        loss = sum(cross_entropy(part, targets[:, place]) for place, part in enumerate(logits.float().split(widths, 1)))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 10.0)
        optimizer.step()
        torch._foreach_lerp_(average, parameters, 1e-3)
        return loss

    @torch.no_grad()
    def sample(count):
        for _ in range(0, count, 4096):
            shown, places = torch.zeros(4096, columns, dtype=torch.long, device=device), torch.zeros(4096, model.places, device=device)
            for place, part in enumerate(widths):
                begin = sum(widths[:place])
                shares = called(shown, places)[:, begin : begin + part].softmax(1)
                shown[:, place] = begin + torch.multinomial(shares, 1)[:, 0]
            shown.cpu()

    found = timed(step, parameters)
    model.eval()
    sample(4096)
    start = time.perf_counter()
    sample(sampled)
    return {**found, "rows_per_s": sampled / (time.perf_counter() - start)}


@torch.no_grad()
def sampling():
    model, shape = network("dit")
    model = model.to(device).eval()
    called = torch.compile(model) if arguments.compile else model
    count, batch = (2, 2) if tiny else (256, 16)
    for _ in range(2):
        start = time.perf_counter()
        for _ in range(0, count, batch):
            x = torch.randn([batch, *shape[1:]], device=device)
            times = torch.linspace(1, 0, 19, device=device)
            for now, then in zip(times[:-1], times[1:]):
                with cast():
                    slope = called(x, (1000 * now).expand(batch)).float()
                moved = x + (then - now) * slope
                if then > 0:
                    with cast():
                        slope = 0.5 * (slope + called(moved, (1000 * then).expand(batch)).float())
                    moved = x + (then - now) * slope
                x = moved
            x.clamp(-1, 1).cpu()
        wait()
        seconds = time.perf_counter() - start
    return {"images_per_s": count / seconds, "images": count, "whole_s": seconds}


def ctgan():
    import pandas as pd
    from ctgan import CTGAN
    from ctgan.data_transformer import DataTransformer

    table = pd.read_csv(arguments.table)
    if tiny:
        table = table.head(500)
    discrete = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    table[discrete] = table[discrete].fillna("?")
    # ctgan refuses missing values.
    table = table.fillna({name: table[name].mean() for name in table.columns if name not in discrete})
    epochs, steps = (5 if tiny else 20), max(1, len(table) // 500)
    def encoded():
        transformer = DataTransformer()
        transformer.fit(table, discrete)
        transformer.transform(table)

    def fitted(epochs):
        CTGAN(epochs=epochs, verbose=False, cuda=arguments.device if device.type == "cuda" else False).fit(table, discrete)
        wait()

    def seconds(work, *options):
        start = time.perf_counter()
        work(*options)
        return time.perf_counter() - start

    # The first of each loads libraries and, on a GPU, kernels.
    fitted(1)
    encode, whole = seconds(encoded), seconds(fitted, epochs)
    return {"step_ms": 1e3 * (whole - encode) / (epochs * steps), "whole_s": whole, "steps": epochs * steps, "encode_s": encode}


def metrics():
    """Precision, recall (3 neighbours), density, coverage (5) and the kernel distance (100 subsets of 1,000), by blocks of all distances."""
    count, width = (200, 16) if tiny else (10_000, 2048)
    real, synthetic = torch.randn(count, width, device=device), torch.randn(count, width, device=device)

    def radii(features):
        # The nearest is the feature itself.
        blocks = [torch.cdist(part, features).topk(6, largest=False).values[:, [3, 5]] for part in features.split(2000)]
        return torch.cat(blocks)

    def overlap(real_radii, synthetic_radii):
        within_real, balls, covered = [], 0, []
        recalled = torch.zeros(count, dtype=torch.bool, device=device)
        for begin in range(0, count, 2000):
            distances = torch.cdist(real[begin : begin + 2000], synthetic)
            own = real_radii[begin : begin + 2000]
            within_real.append((distances < own[:, :1]).any(0))
            balls += (distances < own[:, 1:]).sum()
            covered.append((distances.min(1).values < own[:, 1]))
            recalled[begin : begin + 2000] = (distances < synthetic_radii[:, 0]).any(1)
        return torch.stack(within_real).any(0).float().mean(), recalled.float().mean(), balls / 5 / count, torch.cat(covered).float().mean()

    def kernel(a, b):
        return (a @ b.T / width + 1) ** 3

    def kernel_distance():
        size = min(1000, count)
        found = []
        for _ in range(100):
            a, b = real[torch.randperm(count, device=device)[:size]], synthetic[torch.randperm(count, device=device)[:size]]
            own = sum((k.sum() - k.diagonal().sum()) / (size * (size - 1)) for k in (kernel(a, a), kernel(b, b)))
            found.append(own - 2 * kernel(a, b).mean())
        return torch.stack(found).mean()

    for _ in range(2):
        wait()
        start = time.perf_counter()
        [value.item() for value in (*overlap(radii(real), radii(synthetic)), kernel_distance())]
        seconds = time.perf_counter() - start
    return {"seconds": seconds, "features": count, "width": width}


works = {"ctgan": ctgan, "masked": masked, "sampling": sampling, "metrics": metrics}
print(json.dumps(works.get(arguments.work, lambda: train(arguments.work))()))

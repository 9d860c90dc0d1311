"""Semblant and PyTorch on the same GPU and the same work, in one go; writes a table in Markdown.

    python benches/gpu/run.py --binary gpu-bench [--devices cuda:0 wgpu:0] [--out table.md] [--dry-run]

Needs: the program gpu-bench, built elsewhere (below); on this machine an NVIDIA driver, Python with torch, and for their rows `ctgan` and
`diffusers`. No internet and no Rust. A row whose program fails has the reason in the place of its number; nothing is estimated.

Building the program, where there is Rust: `cargo build --release --workspace --features semblant/wgpu` gives target/release/gpu-bench, which
runs wherever glibc is at least that of the machine it was built on. The feature `semblant/cuda` links LLVM 23, which burn's build script
downloads; a build with it needs the internet once.

--dry-run runs everything with tiny sizes on the CPU, to see that it runs; its numbers mean nothing and the table says so.
"""
import argparse, datetime, json, os, platform, subprocess, sys, tempfile, threading, time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--binary", required=True, help="gpu-bench, or a command that runs it")
parser.add_argument("--devices", nargs="+", default=["cuda:0", "wgpu:0"])
parser.add_argument("--torch-device", default="cuda")
parser.add_argument("--works", nargs="+", default=["ctgan", "masked", "mlp", "dit", "unet", "sampling", "metrics"])
parser.add_argument("--out")
parser.add_argument("--limit", type=float, default=1800, help="seconds for one measurement")
parser.add_argument("--dry-run", action="store_true")
arguments = parser.parse_args()
if arguments.dry_run:
    arguments.devices, arguments.torch_device = ["cpu"], "cpu"
SIZE = "tiny" if arguments.dry_run else "full"
BINARY = arguments.binary.split()
PEERS = [sys.executable, str(Path(__file__).with_name("peers.py"))]


def said(command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


class Watch(threading.Thread):
    """Memory and utilisation by nvidia-smi, twice a second."""

    def __init__(self):
        super().__init__(daemon=True)
        self.over, self.seen = threading.Event(), []

    def run(self):
        while not self.over.wait(0.5):
            line = said(["nvidia-smi", "--query-gpu=memory.used,utilization.gpu", "--format=csv,noheader,nounits", "-i", "0"])
            if line:
                self.seen.append([float(part) for part in line.split(",")])

    def result(self):
        self.over.set()
        self.join()
        if not self.seen:
            return {}
        busy = sorted(use for _, use in self.seen)
        return {"memory_mib": max(used for used, _ in self.seen), "busy": busy[len(busy) // 2]}


def measure(command):
    watch = Watch()
    watch.start()
    start = time.perf_counter()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=arguments.limit)
        lines = done.stdout.strip().splitlines()
        found = json.loads(lines[-1]) if done.returncode == 0 and lines else {}
        error = "" if found else (done.stderr.strip().splitlines() or ["no output"])[-1][:160]
    except subprocess.TimeoutExpired:
        found, error = {}, f"not done after {arguments.limit:.0f} s"
    except (OSError, json.JSONDecodeError) as problem:
        found, error = {}, str(problem)[:160]
    print(f"  {' '.join(command)}: {found or error} ({time.perf_counter() - start:.0f} s)", file=sys.stderr)
    return {**found, **watch.result(), "error": error}


def number(found, key):
    value = found.get(key)
    return f"{value:.2f}" if value is not None else found["error"].replace("|", "/") or ""


def row(name, found, key, unit, peer=None):
    value, theirs = found.get(key), (peer or {}).get(key)
    ratio = ""
    if value and theirs:
        # How many times faster than PyTorch eager: for a time the quotient the other way round than for a rate.
        ratio = f"{theirs / value if unit != 'images/s' else value / theirs:.2f}"
    extra = " | ".join(f"{found[k]:.0f}" if k in found else "" for k in ("launches", "memory_mib", "busy"))
    return f"| {name} | {number(found, key)} | {unit if value is not None else ''} | {ratio} | {extra} |"


def lines_of(work, table):
    key, unit = {"sampling": ("images_per_s", "images/s"), "metrics": ("seconds", "s")}.get(work, ("step_ms", "ms a step"))
    precisions = ["f32"] if work in ("ctgan", "sampling", "metrics") or arguments.dry_run else ["f32", "bf16"]
    for precision in precisions:
        peer_command = [*PEERS, work, arguments.torch_device, precision, SIZE, "--table", str(table)]
        eager = measure(peer_command)
        name = "Python ctgan" if work == "ctgan" else "PyTorch eager"
        yield row(f"{work} {precision}, {name}", eager, key, unit)
        if work not in ("ctgan", "metrics") and not arguments.dry_run:
            yield row(f"{work} {precision}, torch.compile", measure([*peer_command, "--compile"]), key, unit, eager)
        for device in arguments.devices:
            ours = measure([*BINARY, work, device, precision, SIZE])
            yield row(f"{work} {precision}, semblant {device}", ours, key, unit, eager)
            yield from whole_fit(f"semblant {device}", work, ours, eager)


def whole_fit(name, work, ours, eager):
    if work == "ctgan" and "step_ms" in ours and "step_ms" in eager:
        whole = lambda found: found["encode_s"] + 300 * (found["steps"] / (5 if arguments.dry_run else 20)) * found["step_ms"] / 1e3
        yield f"| ctgan, whole fit of 300 epochs by the step above, {name} | {whole(ours):.1f} | s | {whole(eager) / whole(ours):.2f} | | | |"


def main():
    versions = said([*PEERS[:1], "-c", "import torch; print(torch.__version__, torch.version.cuda)"])
    gpu = said(["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]) or "no nvidia-smi"
    head = [f"{datetime.date.today()}, {gpu}, {platform.processor() or platform.machine()} with {os.cpu_count()} cores, torch {versions}."]
    found = said([*BINARY, "devices"])
    for backend in json.loads(found) if found else []:
        head += [f"{device['name']}: {device['description']}." for device in backend["devices"]]
    if arguments.dry_run:
        head.insert(0, "**A dry run with tiny sizes on the CPU: these numbers mean nothing.**")
    head += ["", "| work | | | times PyTorch eager (or Python ctgan) | kernel launches a step | peak memory of the GPU, MiB | busy, % |", "|---|---|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.csv"
        said([*BINARY, "table", str(table), "500" if arguments.dry_run else "26049"])
        text = "\n".join([*head, *(line for work in arguments.works for line in lines_of(work, table))])
    print(text)
    if arguments.out:
        Path(arguments.out).write_text(text + "\n")


main()

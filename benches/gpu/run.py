"""Semblant and PyTorch on the same GPU and the same work, in one go; writes a table in Markdown.

    python benches/gpu/run.py --binary gpu-bench [--tests on_gpu-...] [--devices cuda:0 wgpu:0] [--out table.md] [--profile] [--dry-run]

Needs: the program gpu-bench, built elsewhere (below); on this machine an NVIDIA driver, Python with torch, and for their rows `ctgan` and
`diffusers`. No internet and no Rust. A row whose program fails has the reason in the place of its number; one that takes longer than --limit
has what was measured until then; nothing is estimated. The table is written anew after every row, so that an end at any time loses one row.

--tests names test programs (`cargo test --no-run --release --features semblant/cuda --test on_gpu` says where they are), which run first.
--profile runs each of ours once more with burn's profile and lists the share of each kernel; its times are not compared.

Building the program, where there is Rust: `cargo build --release --workspace --features semblant/wgpu` gives target/release/gpu-bench, which
runs wherever glibc is at least that of the machine it was built on. The feature `semblant/cuda` links LLVM 23, which burn's build script
downloads; a build with it needs the internet once.

--dry-run runs everything with tiny sizes on the CPU, to see that it runs; its numbers mean nothing and the table says so.
"""
import argparse, datetime, json, os, platform, re, subprocess, sys, tempfile, threading, time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--binary", required=True, help="gpu-bench, or a command that runs it")
parser.add_argument("--devices", nargs="+", default=["cuda:0", "wgpu:0"])
parser.add_argument("--torch-device", default="cuda")
parser.add_argument("--works", nargs="+", default=["dit", "masked", "ctgan", "mlp", "unet", "sampling", "metrics"], help="the most important first")
parser.add_argument("--tests", nargs="+", default=[])
parser.add_argument("--out")
parser.add_argument("--limit", type=float, default=90, help="seconds for one measurement")
parser.add_argument("--profile", action="store_true")
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


def measure(command, **where):
    watch = Watch()
    watch.start()
    start = time.perf_counter()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=arguments.limit, **where)
        text, error = done.stdout, "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no output"])[-1][:160]
    except subprocess.TimeoutExpired as late:
        text, error = (late.stdout or b"").decode(errors="replace"), f"not done after {arguments.limit:.0f} s"
    except OSError as problem:
        text, error = "", str(problem)[:160]
    found = last_of(text)
    if not found and not error:
        error = "no output"
    print(f"  {' '.join(command)}: {found or error} ({time.perf_counter() - start:.0f} s)", file=sys.stderr)
    return {**found, **watch.result(), "error": error}


def last_of(text):
    """The last line that is JSON: what a program that was ended had measured until then."""
    for line in reversed(text.strip().splitlines()):
        try:
            return json.loads(line)
        except json.JSONDecodeError:
            pass
    return {}


def number(found, key):
    value, why = found.get(key), found["error"].replace("|", "/")
    if value is None:
        return why
    return f"{value:.2f} ({why}; until then)" if why else f"{value:.2f}"


def row(name, found, key, unit, peer=None):
    value, theirs = found.get(key), (peer or {}).get(key)
    ratio = ""
    if value and theirs:
        # How many times faster than PyTorch eager: for a time the quotient the other way round than for a rate.
        ratio = f"{value / theirs if unit.endswith('/s') else theirs / value:.2f}"
    extra = " | ".join(f"{found[k]:.0f}" if k in found else "" for k in ("first_tick_s", "compiled", "launches", "memory_mib", "busy"))
    return f"| {name} | {number(found, key)} | {unit if value is not None else ''} | {ratio} | {extra} |"


def lines_of(work, table):
    key, unit = {"sampling": ("images_per_s", "images/s"), "metrics": ("seconds", "s")}.get(work, ("step_ms", "ms a step"))
    precisions = ["f32"] if work in ("ctgan", "sampling", "metrics") or arguments.dry_run else ["bf16", "f32"]
    for precision in precisions:
        peer_command = [*PEERS, work, arguments.torch_device, precision, SIZE, "--table", str(table)]
        eager = measure(peer_command)
        name = "Python ctgan" if work == "ctgan" else "PyTorch eager"
        yield row(f"{work} {precision}, {name}", eager, key, unit)
        yield from drawn(name, precision, eager)
        for device in arguments.devices:
            ours = measure([*BINARY, work, device, precision, SIZE])
            yield row(f"{work} {precision}, semblant {device}", ours, key, unit, eager)
            yield from whole_fit(f"semblant {device}", work, ours, eager)
            yield from drawn(f"semblant {device}", precision, ours, eager)
            if arguments.profile:
                yield from profile([*BINARY, work, device, precision, SIZE], f"{work} {precision}, semblant {device}")
        if work not in ("ctgan", "metrics") and not arguments.dry_run:
            # Our f32 products on CUDA are TF32.
            if precision == "f32":
                yield row(f"{work} {precision}, PyTorch eager with TF32", measure([*peer_command, "--tf32"]), key, unit, eager)
            yield row(f"{work} {precision}, torch.compile", measure([*peer_command, "--compile"]), key, unit, eager)


def profile(command, name):
    """The share of each kernel by burn's own profile, the greatest first."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "cubecl.toml").write_text('[profiling.logger]\nlevel = "basic"\nfile = "profile.txt"\n')
        measure([str(Path(command[0]).resolve()), *command[1:]] if Path(command[0]).exists() else command, cwd=folder)
        path = Path(folder) / "profile.txt"
        text = path.read_text(errors="replace") if path.exists() else ""
    seconds = {}
    # A line for each launch: its time as Rust prints a duration, then the kernel's name, of which the part before a hash of its settings counts.
    for value, unit, kernel in re.findall(r"^\| ([\d.]+)(ns|µs|ms|s)\s*\| (\w+?)(?:_[0-9a-f]{8})?(?: \||$)", text, re.MULTILINE):
        seconds[kernel] = seconds.get(kernel, 0) + float(value) * {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1}[unit]
    whole = sum(seconds.values())
    for kernel, took in sorted(seconds.items(), key=lambda pair: -pair[1])[:12]:
        yield f"| {name}: {kernel} | {100 * took / whole:.1f} | % of the time of kernels | | | | | | |"


def tested():
    """The test programs, one line each."""
    for program in arguments.tests:
        try:
            done = subprocess.run([program, "--test-threads", "1"], capture_output=True, text=True, timeout=4 * arguments.limit)
            said = [line for line in done.stdout.splitlines() if line.startswith("test result") or line.endswith("FAILED")]
        except (OSError, subprocess.TimeoutExpired) as problem:
            said = [str(problem)[:160]]
        yield f"{Path(program).name}: {'; '.join(said)}."


def whole_fit(name, work, ours, eager):
    if work == "ctgan" and "step_ms" in ours and "step_ms" in eager:
        whole = lambda found: found["encode_s"] + 300 * (found["steps"] / (5 if arguments.dry_run else 20)) * found["step_ms"] / 1e3
        yield f"| ctgan, whole fit of 300 epochs by the step above, {name} | {whole(ours):.1f} | s | {whole(eager) / whole(ours):.2f} | | | | | |"


def drawn(name, precision, found, eager=None):
    if "rows_per_s" in found:
        yield row(f"masked {precision}, rows drawn, {name}", found, "rows_per_s", "rows/s", eager)


def main():
    versions = said([*PEERS[:1], "-c", "import torch; print(torch.__version__, torch.version.cuda)"])
    gpu = said(["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]) or "no nvidia-smi"
    head = [f"{datetime.date.today()}, {gpu}, {platform.processor() or platform.machine()} with {os.cpu_count()} cores, torch {versions}."]
    found = said([*BINARY, "devices"])
    for backend in json.loads(found) if found else []:
        head += [f"{device['name']}: {device['description']}." for device in backend["devices"]]
    if arguments.dry_run:
        head.insert(0, "**A dry run with tiny sizes on the CPU: these numbers mean nothing.**")
    head += tested()
    head += [
        "",
        "| work | | | times PyTorch eager (or Python ctgan) | first ten steps, s | kernels compiled | kernel launches a step | peak memory of the GPU, MiB | busy, % |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.csv"
        said([*BINARY, "table", str(table), "500" if arguments.dry_run else "26049"])
        for work in arguments.works:
            for line in lines_of(work, table):
                lines.append(line)
                if arguments.out:
                    Path(arguments.out).write_text("\n".join([*head, *lines]) + "\n")
    print("\n".join([*head, *lines]))


main()

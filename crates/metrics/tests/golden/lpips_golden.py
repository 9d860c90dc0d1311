"""Writes lpips.json and lpips_alex.pth: what the package lpips makes of pairs of images with weights by a formula, and a file of weights by
channel as torch.save writes it.

pip install lpips==0.1.4 torchvision; python lpips_golden.py
"""

import json
import pathlib

import lpips
import torch
from formula import bytes_of, units

here = pathlib.Path(__file__).parent
out = {}
for net in ["alex", "vgg"]:
    metric = lpips.LPIPS(net=net, pretrained=False, pnet_rand=True, verbose=False).eval()
    shapes = {}
    for stage in [metric.net.slice1, metric.net.slice2, metric.net.slice3, metric.net.slice4, metric.net.slice5]:
        for place, layer in stage.named_children():
            for name, tensor in layer.named_parameters():
                name = f"features.{place}.{name}"
                fan_in = tensor.numel() // tensor.shape[0]
                scale = (6 / fan_in) ** 0.5 if tensor.dim() > 1 else 0.1
                tensor.data = torch.tensor(units(name, tuple(tensor.shape))) * torch.tensor(scale, dtype=torch.float32)
                shapes[name] = list(tensor.shape)
    channels = {}
    for stage in range(5):
        name = f"lin{stage}.model.1.weight"
        lin = getattr(metric, f"lin{stage}").model[1].weight
        lin.data = torch.tensor(abs(units(f"{net} {name}", tuple(lin.shape))))
        channels[name] = lin.data.clone()
    if net == "alex":
        torch.save(channels, here / "lpips_alex.pth")
    distances = {}
    for shape in [(3, 3, 48, 40), (2, 1, 31, 64)]:
        pair = [torch.tensor(bytes_of(f"{side} {shape}", shape)).float() / 127.5 - 1 for side in ("a", "b")]
        pair = [x.expand(-1, 3, -1, -1) for x in pair]
        with torch.no_grad():
            distances[str(list(shape))] = metric(*pair).flatten().double().tolist()
    out[net] = {"tensors": shapes, "channels": {k: list(v.shape) for k, v in channels.items()}, "distances": distances}
(here / "lpips.json").write_text(json.dumps(out) + "\n")
print({net: part["distances"] for net, part in out.items()})

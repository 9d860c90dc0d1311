"""Writes inception.json: what pytorch-fid's Inception makes of two images with weights by a formula, the three ways of resizing, and
distances of features after pytorch-fid, torch-fidelity and prdc.

pip install pytorch-fid==0.3.0 torch-fidelity==0.4.0 prdc==0.2 torchvision pillow scikit-learn; python inception.py
"""

import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from formula import bytes_of, units, weights_of
from PIL import Image
from prdc import compute_prdc
from pytorch_fid import inception as pf
from pytorch_fid.fid_score import calculate_frechet_distance
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x
from torch_fidelity.metric_fid import fid_statistics_to_metric
from torch_fidelity.metric_kid import kernel_poly, mmd2

# The module as the package builds it, with our weights where it would fetch its own: `wrapper` is what users of the package run.
plain = {}
pf.load_state_dict_from_url = lambda *_, **__: None
original = torch.nn.Module.load_state_dict
torch.nn.Module.load_state_dict = lambda self, _: plain.update(net=self) or original(self, weights_of(self))
wrapper = pf.InceptionV3().eval()
torch.nn.Module.load_state_dict = original

images = bytes_of("images", (2, 3, 20, 17))
with torch.no_grad():
    features = wrapper(torch.tensor(images).float() / 255)[0].flatten(1)
    logits = features @ plain["net"].fc.weight.T
log_shares = torch.log_softmax(logits.double(), 1)

def pillow(image):
    channels = [Image.fromarray(c.astype(np.float32)).resize((299, 299), resample=Image.BICUBIC) for c in image]
    return (np.stack([np.asarray(c).clip(0, 255) for c in channels]) - 128) / 128

def by_torch(image):
    return 2 * F.interpolate(torch.tensor(image[None]).float() / 255, size=(299, 299), mode="bilinear", align_corners=False)[0].numpy() - 1

def by_tensorflow(image):
    x = torch.tensor(image[None]).float()
    return ((interpolate_bilinear_2d_like_tensorflow1x(x, size=(299, 299), align_corners=False) - 128) / 128)[0].numpy()

# Small, long, of the very size, and large: a prime step over all values keeps the file small and misses no row or column.
resized = []
for shape in [(3, 20, 17), (1, 32, 32), (3, 299, 299), (1, 640, 333)]:
    image = bytes_of(f"image {shape[0]} x {shape[1]} x {shape[2]}", shape)
    ways = {"pytorch-fid": by_torch, "tf1": by_tensorflow, "clean": pillow}
    values = {name: np.broadcast_to(way(image), (3, 299, 299)).ravel()[::1009].astype(np.float64).round(7).tolist() for name, way in ways.items()}
    resized.append({"shape": shape, "step": 1009, **values})

width = 8
real = np.maximum(units("real", (240, width)), 0) * np.arange(1, width + 1, dtype=np.float32)
synthetic = np.maximum(units("synthetic", (200, width)) + np.float32(0.25), 0) * np.arange(1, width + 1, dtype=np.float32)
a, b = real.astype(np.float64), synthetic.astype(np.float64)
poly = lambda x, y: kernel_poly(x, y, kid_kernel_poly_degree=3, kid_kernel_poly_gamma=None, kid_kernel_poly_coef0=1)
three, five = (compute_prdc(a, b, k) for k in (3, 5))
moments = lambda x: {"mu": x.mean(0), "sigma": np.cov(x, rowvar=False)}
fidelity = fid_statistics_to_metric(moments(a), moments(b), False)
out = {
    "tensors": {name: list(tensor.shape) for name, tensor in plain["net"].state_dict().items() if tensor.is_floating_point()},
    "every": 8,
    "features": features[:, ::8].double().numpy().round(8).tolist(),
    
    "log_shares": log_shares[:, ::8].numpy().round(7).tolist(),
    "resized": resized,
    "width": width,
    "frechet_pytorch_fid": float(calculate_frechet_distance(*moments(a).values(), *moments(b).values())),
    "frechet_torch_fidelity": float(fidelity["frechet_inception_distance"]),
    "kid": float(mmd2(poly(a[:200], a[:200]), poly(a[:200], b), poly(b, b))),
    "precision": three["precision"],
    "recall": three["recall"],
    "density": five["density"],
    "coverage": five["coverage"],
}
pathlib.Path(__file__).with_name("inception.json").write_text(json.dumps(out) + "\n")
print({k: v for k, v in out.items() if not isinstance(v, (list, dict))}, features.std(), logits.std())

"""Writes images.json: two clouds of features, shares of classes, and what prdc and torch-fidelity say of them.

pip install prdc==0.2 torch-fidelity==0.4.0 scikit-learn; python images.py
"""

import json
import pathlib

import numpy as np
import torch
from prdc import compute_prdc
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kernel_poly, mmd2

r = np.random.default_rng(5)
width, classes = 6, 4
mixture = lambda n, lost: (r.normal(0, 1, (n, width)) + 4 * r.integers(0, 3 - lost, (n, 1)) * np.arange(width) / 3)
real = np.maximum(mixture(260, 0), -1).round(4).astype(np.float32)
synthetic = np.maximum(0.8 * mixture(220, 1) + 0.2, -1).round(4).astype(np.float32)
directions = r.normal(0, 1, (25, width)).round(4).astype(np.float32)
logits = torch.tensor(3 * r.normal(0, 1, (120, classes)), dtype=torch.float64)
log_shares = torch.log_softmax(logits, 1).numpy().round(5)

poly = lambda a, b: kernel_poly(a, b, kid_kernel_poly_degree=3, kid_kernel_poly_gamma=None, kid_kernel_poly_coef0=1)
x, y = real[: len(synthetic)].astype(np.float64), synthetic.astype(np.float64)
three, five = (compute_prdc(real.astype(np.float64), synthetic.astype(np.float64), k) for k in (3, 5))
units = directions.astype(np.float64) / np.linalg.norm(directions.astype(np.float64), axis=1, keepdims=True)
places = [np.sort(x @ units.T, axis=0) for x in (x, y)]
out = {
    "width": width,
    "real": real.ravel().astype(float).round(4).tolist(),
    "synthetic": synthetic.ravel().astype(float).round(4).tolist(),
    "directions": directions.ravel().astype(float).round(4).tolist(),
    "precision": three["precision"],
    "recall": three["recall"],
    "density": five["density"],
    "coverage": five["coverage"],
    "kid": float(mmd2(poly(x, x), poly(x, y), poly(y, y))),
    # arXiv 2605.06797: 3 d times the mean over directions and places of the squared differences.
    "mind": float(3 * width * ((places[0] - places[1]) ** 2).mean()),
    "classes": classes,
    "log_shares": log_shares.ravel().tolist(),
    "inception_score": isc_features_to_metric(torch.tensor(log_shares), splits=1, shuffle=False)["inception_score_mean"],
    "inception_score_parts": [isc_features_to_metric(torch.tensor(log_shares), splits=10, shuffle=False)[f"inception_score_{of}"] for of in ("mean", "std")],
}
pathlib.Path(__file__).with_name("images.json").write_text(json.dumps(out, indent=1) + "\n")
print({k: v for k, v in out.items() if not isinstance(v, list)})

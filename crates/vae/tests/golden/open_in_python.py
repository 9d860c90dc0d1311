"""Opens a folder that Semblant wrote and rebuilds one image; prints the largest difference from Semblant's.

Run: python crates/vae/tests/golden/open_in_python.py FOLDER IMAGES.npz REBUILT.npz
"""

import sys

import numpy as np
import torch
from diffusers import AutoencoderKL

folder, images, rebuilt = sys.argv[1:]
vae = AutoencoderKL.from_pretrained(folder).eval()
load = lambda path: torch.from_numpy(np.load(path)["images"]).float() / 127.5 - 1
x, expected = load(images), load(rebuilt)
if x.shape[1] not in (1, 3):
    x, expected = x.permute(0, 3, 1, 2), expected.permute(0, 3, 1, 2)
with torch.no_grad():
    made = vae.decode(vae.encode(x).latent_dist.mode()).sample.clamp(-1, 1)
print(float((made - expected).abs().max()) * 127.5, "steps of brightness")

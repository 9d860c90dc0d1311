"""Opens a folder that Semblant exported, rebuilds images, and prints the largest difference from what Semblant rebuilt of them.

Run: semblant export MODEL -o FOLDER && semblant sample MODEL --from IMAGES -o REBUILT.npz
     python crates/vae/tests/golden/open_in_python.py FOLDER IMAGES REBUILT.npz    (IMAGES: a folder of PNG files, sub-folders are classes)
"""

import sys
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from PIL import Image

folder, images, rebuilt = sys.argv[1:]
vae = AutoencoderKL.from_pretrained(folder).eval()
paths = sorted(Path(images).rglob("*.png"))
x = torch.from_numpy(np.stack([np.asarray(Image.open(path).convert("RGB")) for path in paths])).permute(0, 3, 1, 2).float() / 127.5 - 1
with torch.no_grad():
    made = vae.decode(vae.encode(x).latent_dist.mode()).sample.clamp(-1, 1)
made = ((made + 1) * 127.5).round().permute(0, 2, 3, 1).numpy()
print(np.abs(made - np.load(rebuilt)["images"].astype(np.float32)).max(), "steps of brightness at most, of", len(paths), "images")

"""Writes the folder autoencoder-kl/ and what diffusers makes of it.

Run: python crates/vae/tests/golden/autoencoder_kl.py    (torch and diffusers)
"""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL

here = Path(__file__).parent
torch.manual_seed(0)
vae = AutoencoderKL(
    in_channels=3,
    out_channels=3,
    down_block_types=("DownEncoderBlock2D",) * 2,
    up_block_types=("UpDecoderBlock2D",) * 2,
    block_out_channels=(4, 8),
    layers_per_block=1,
    latent_channels=2,
    norm_num_groups=2,
    sample_size=16,
    scaling_factor=0.7,
).eval()
with torch.no_grad():
    # Fresh normalisations scale by one and shift by nothing, which would hide mistakes.
    for parameter in vae.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    vae.save_pretrained(here / "autoencoder-kl")
    x = torch.rand(2, 3, 16, 16) * 2 - 1
    posterior = vae.encode(x).latent_dist
    z = torch.randn(1, 2, 20, 12)
    decoded = vae.decode(z).sample
    vae.tile_latent_min_size, vae.tile_sample_min_size = 8, 16
    tiled = vae.tiled_decode(z).sample
    flat = lambda t: [float(f"{v:.7g}") for v in t.flatten().tolist()]
    golden = {
        "x": flat(x),
        "mean": flat(posterior.mean),
        "log_variance": flat(posterior.logvar),
        "kl": flat(posterior.kl()),
        "z": flat(z),
        "decoded": flat(decoded),
        "tiled": flat(tiled),
    }
(here / "autoencoder_kl.json").write_text(json.dumps(golden) + "\n")

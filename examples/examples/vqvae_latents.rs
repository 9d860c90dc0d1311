//! A vector-quantised autoencoder of 8 x 8 digits, a minute on a CPU: each digit becomes 4 x 4 codes of a codebook, a transformer learns
//! which codes come together, and new grids of codes become new digits.
//! Run: SEMBLANT_DATA=folder cargo run --release --example vqvae_latents -p semblant-examples [-- IMAGES_SEEN]

use std::path::{Path, PathBuf};

use anyhow::Context;
use semblant::data::catalog::Catalog;
use semblant::prelude::*;
use semblant::progress::Terminal;
use serde_json::json;

fn main() -> anyhow::Result<()> {
    let images_seen: u64 = std::env::args().nth(1).map_or(Ok(200_000), |text| text.parse())?;
    let folder = std::env::var_os("SEMBLANT_DATA").map(PathBuf::from);
    let digits = Catalog::get("digits8x8")?.read_images("train", folder.as_deref(), Path::new("."))?.images;

    let settings = json!({
        "channels": [32], "codes": 64, "code_width": 8, "autoencoder_share": 0.4, "decay": 0.98,
        "prior": { "width": 96, "depth": 3, "heads": 4 },
        "training": { "rows": images_seen, "tick_rows": 10_000, "ema": { "half_life_rows": 5000.0 } },
    });
    let mut model = semblant::model::<Images>("vq-vae", settings)?;
    // When it has ended, the terminal tells how many of the codes are used.
    let run = Run::new(semblant::device::select("auto")?, 0);
    model.fit(&digits, &mut Run { observer: Box::new(Terminal::default()), ..run })?;
    model.save("vqvae.safetensors".as_ref())?;

    // Twenty digits and their reconstructions.
    let twenty = digits.select(&(0..20).collect::<Vec<_>>());
    let rebuilt = model.rebuild().context("a vq-vae reconstructs")?.rebuild(&twenty, None, &ImageRequest::new(0, 0))?.data;
    Images::concat(vec![twenty, rebuilt])?.write_grid("vqvae-rebuilt.png", 20, 6)?;
    // Every class in turn; a lower temperature makes likelier digits.
    let request = ImageRequest::new(100, 1).balanced().with_setting("temperature", 0.8);
    model.sample(&request)?.data.write_grid("vqvae.png", 10, 6)?;
    Ok(())
}

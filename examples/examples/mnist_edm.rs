//! EDM on MNIST with a small UNet, half an hour on two cores, then images in one or two steps by consistency tuning.
//! Run: SEMBLANT_DATA=folder cargo run --release --example mnist_edm -p semblant-examples [-- IMAGES_SEEN]

use std::path::{Path, PathBuf};

use semblant::data::catalog::Catalog;
use semblant::prelude::*;
use semblant::progress::Terminal;

fn main() -> anyhow::Result<()> {
    let images_seen: u64 = std::env::args().nth(1).map_or(Ok(120_000), |text| text.parse())?;
    let folder = std::env::var_os("SEMBLANT_DATA").map(PathBuf::from);
    let mnist = Catalog::get("mnist")?.read_images("train", folder.as_deref(), Path::new("."))?.images;
    let run = |name: &str| -> anyhow::Result<Run> {
        let run = Run::new(semblant::device::select("auto")?, 0);
        Ok(Run { observer: Box::new(Terminal::default()), folder: Some(name.into()), ..run })
    };

    let mut edm = semblant::model::<Images>(
        "edm",
        serde_json::json!({
            "network": { "kind": "unet", "block_out_channels": [16, 32, 32] },
            "training": { "rows": images_seen, "batch_rows": 32, "tick_rows": 20_000, "ema": { "half_life_rows": 5_000.0 } },
        }),
    )?;
    edm.fit(&mnist, &mut run("mnist-edm.run")?)?;
    edm.save("mnist-edm.safetensors".as_ref())?;
    let request = ImageRequest::new(100, 1).balanced();
    edm.sample(&request)?.data.write_grid("mnist-edm.png", 10, 2)?;

    let settings = serde_json::json!({
        "from": "mnist-edm.safetensors",
        "training": { "rows": images_seen / 4, "tick_rows": 10_000, "ema": { "half_life_rows": 5_000.0 } },
    });
    let mut fast = semblant::model::<Images>("consistency", settings)?;
    fast.fit(&mnist, &mut run("mnist-fast.run")?)?;
    fast.save("mnist-fast.safetensors".as_ref())?;
    fast.sample(&request)?.data.write_grid("mnist-two-steps.png", 10, 2)?;
    Ok(())
}

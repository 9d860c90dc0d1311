//! EDM with a transformer on CIFAR-10: flips, the augmentation of Karras et al. 2022, class-conditional samples and image-to-image.
//! On a CPU this shows the way; for good pictures take a GPU and a hundred times the images.
//! Run: SEMBLANT_DATA=folder cargo run --release --example cifar_dit -p semblant-examples [-- IMAGES_SEEN]

use std::path::{Path, PathBuf};

use anyhow::Context;
use semblant::data::catalog::Catalog;
use semblant::prelude::*;
use semblant::progress::Terminal;

fn main() -> anyhow::Result<()> {
    let images_seen: u64 = std::env::args().nth(1).map_or(Ok(200_000), |text| text.parse())?;
    let folder = std::env::var_os("SEMBLANT_DATA").map(PathBuf::from);
    let cifar = Catalog::get("cifar10")?;
    let train = cifar.read_images("train", folder.as_deref(), Path::new("."))?.images;
    let test = cifar.read_images("test", folder.as_deref(), Path::new("."))?.images;

    let settings = serde_json::json!({
        "network": { "kind": "dit", "patch": 4, "width": 256, "depth": 6, "heads": 4 },
        "training": { "rows": images_seen, "tick_rows": 20_000, "flip": 0.5, "augmentation": 0.12 },
    });
    let mut model = semblant::model::<Images>("edm", settings)?;
    let run = Run::new(semblant::device::select("auto")?, 0);
    model.fit(&train, &mut Run { observer: Box::new(Terminal::default()), folder: Some("cifar.run".into()), ..run })?;
    model.save("cifar.safetensors".as_ref())?;

    let request = ImageRequest::new(100, 0).balanced().guidance(2.0);
    model.sample(&request)?.data.write_grid("cifar.png", 10, 2)?;

    // Real pictures on the left of each pair, what the model makes of them at half strength on the right.
    let real = test.select(&[0, 1, 2, 3, 4, 5, 6, 7]);
    let request = ImageRequest::new(0, 0).strength(0.5);
    let made = model.rebuild().context("edm makes images from images")?.rebuild(&real, None, &request)?.data;
    let pairs: Vec<usize> = (0..8).flat_map(|index| [index, 8 + index]).collect();
    Images::concat(vec![real, made])?.select(&pairs).write_grid("cifar-image-to-image.png", 4, 3)?;
    Ok(())
}

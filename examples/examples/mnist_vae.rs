//! A variational autoencoder of black and white MNIST on the importance-weighted bound, minutes on a CPU: how likely it finds test digits,
//! what it rebuilds, what it makes. The recipe with the score of docs/vae.md is models/mnist-vae.toml.
//! Run: SEMBLANT_DATA=folder cargo run --release --example mnist_vae -p semblant-examples [-- IMAGES_SEEN]

#![allow(clippy::print_stdout, reason = "an example tells what it found")]

use std::path::{Path, PathBuf};

use anyhow::Context;
use semblant::data::catalog::Catalog;
use semblant::prelude::*;
use semblant::progress::Terminal;
use serde_json::json;

fn main() -> anyhow::Result<()> {
    let images_seen: u64 = std::env::args().nth(1).map_or(Ok(500_000), |text| text.parse())?;
    let folder = std::env::var_os("SEMBLANT_DATA").map(PathBuf::from);
    let mnist = Catalog::get("mnist")?;
    let train = mnist.read_images("train", folder.as_deref(), Path::new("."))?.images;
    let test = mnist.read_images("test", folder.as_deref(), Path::new("."))?.images.select(&(0..1000).collect::<Vec<_>>());

    let settings = json!({
        "network": { "kind": "mlp", "width": 512, "depth": 2 }, "latent_width": 32, "classes": "ignored",
        "likelihood": { "kind": "bernoulli", "binarisation": "dynamic" }, "importance_samples": 5,
        "training": { "rows": images_seen, "batch_rows": 100 },
    });
    let mut model = semblant::model::<Images>("vae", settings)?;
    let run = Run::new(semblant::device::select("auto")?, 0);
    model.fit(&train, &mut Run { observer: Box::new(Terminal::default()), ..run })?;
    model.save("mnist-vae.safetensors".as_ref())?;

    // Burda et al. 2016: the bound with many samples as an estimate of the likelihood.
    let nats = model.likelihood().expect("a likelihood").negative_log_likelihoods(&test, 1000, 0)?;
    println!("negative log-likelihood: {:.2} nats an image", nats.iter().sum::<f64>() / nats.len() as f64);

    // Latent vectors from where the images' came to lie, and from the distribution that they were trained towards.
    for prior in ["mixture", "normal"] {
        let request = ImageRequest::new(100, 1).with_setting("prior", prior);
        model.sample(&request)?.data.write_grid(format!("mnist-vae-{prior}.png"), 10, 2)?;
    }
    // Ten digits, their reconstructions from 32 numbers each, and an interpolation between two samples.
    let ten = test.select(&(0..10).collect::<Vec<_>>());
    let bare = Images::new(ten.pixels().to_vec(), ten.shape(), None)?;
    let rebuilt = model.rebuild().context("a vae reconstructs")?.rebuild(&bare, None, &ImageRequest::new(0, 0))?.data;
    let between = model.sample(&ImageRequest::new(10, 1).interpolate(0, 1))?.data;
    Images::concat(vec![bare, rebuilt, between])?.write_grid("mnist-vae-rebuilt.png", 10, 2)?;
    Ok(())
}

//! There and back between Semblant and Python's diffusers: a model trained here becomes a folder that diffusers opens, and any such
//! folder is sampled from.
//! Run: cargo run --release --example diffusers_folder -p semblant-examples -- MODEL.safetensors|FOLDER NEW_FOLDER

#![allow(clippy::print_stdout, reason = "an example tells what it wrote")]

use std::path::PathBuf;

use anyhow::Context;
use semblant::prelude::*;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).map(PathBuf::from);
    let from = arguments.next().context("name a model file, or a folder that diffusers wrote")?;
    let to = arguments.next().context("name the folder to write")?;
    let model = semblant::load::<Images>(&from, "cpu")?;
    model.export().context("this model has no such form")?.export("diffusers", &to)?;
    println!("in Python: diffusers.DiTTransformer2DModel.from_pretrained({to:?}, subfolder=\"transformer\")");

    // The folder is a model like any other, with the solver and levels of its own scheduler.
    let again = semblant::load::<Images>(&to, "cpu")?;
    let sheet = to.with_extension("png");
    again.sample(&ImageRequest::new(16, 0))?.data.write_grid(&sheet, 4, 2)?;
    println!("{}", sheet.display());
    Ok(())
}

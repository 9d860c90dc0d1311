//! There and back between Semblant and Python's diffusers: a model trained here becomes a folder that diffusers opens, and any such
//! folder is sampled from.
//! Run: cargo run --release --example diffusers_folder -p semblant-examples -- MODEL.safetensors|FOLDER NEW_FOLDER

#![allow(clippy::print_stdout, reason = "an example tells what it wrote")]

use std::path::PathBuf;

use anyhow::Context;
use semblant::AnyModel;
use semblant::prelude::*;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).map(PathBuf::from);
    let from = arguments.next().context("name a model file, or a folder that diffusers wrote")?;
    let to = arguments.next().context("name the folder to write")?;
    let AnyModel::Image(model) = semblant::load_model(&from, "cpu")? else { anyhow::bail!("this is a model of tables") };
    model.export_diffusers(&to)?;
    println!("in Python: diffusers.DiTTransformer2DModel.from_pretrained({to:?}, subfolder=\"transformer\")");

    // The folder is a model like any other, with the solver and levels of its own scheduler.
    let AnyModel::Image(again) = semblant::load_model(&to, "cpu")? else { unreachable!("diffusers makes images") };
    let sheet = to.with_extension("png");
    again.sample(&SampleRequest::new(16, 0))?.data.write_grid(&sheet, 4, 2)?;
    println!("{}", sheet.display());
    Ok(())
}

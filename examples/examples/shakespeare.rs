//! One long text: the last tenth is kept out, and what a character of it costs is told.
//! Run: SEMBLANT_DATA=data cargo run --release --example shakespeare -p semblant-examples [EPOCHS] [text-ar or text-mdlm]
//! Reads tinyshakespeare/input.txt in the folder SEMBLANT_DATA, or the file that SEMBLANT_TEXT names.

#![allow(clippy::print_stdout, reason = "an example says what it found")]

use anyhow::Context;
use semblant::prelude::*;
use semblant_examples::text_file;
use serde_json::json;

fn main() -> anyhow::Result<()> {
    let epochs: u64 = std::env::args().nth(1).map_or(Ok(4), |text| text.parse())?;
    let name = std::env::args().nth(2).unwrap_or_else(|| "text-ar".into());
    let whole = std::fs::read_to_string(text_file("tinyshakespeare/input.txt")?)?;
    let cut = whole.char_indices().nth(whole.chars().count() * 9 / 10).map_or(whole.len(), |(at, _)| at);
    let train = Text::of_whole(&whole[..cut], 512)?;
    let mut model = semblant::model::<Text>(&name, json!({ "epochs": epochs }))?;
    let summary = model.fit(&train, &mut Run::new(semblant::device::select("auto")?, 0))?;
    // Each part is judged by itself, so that its first characters cost more than they would in the text.
    let held = Text::of_whole(&whole[cut..], if name == "text-ar" { 1 << 20 } else { 256 })?;
    let nats = model.likelihood().context("has one")?.negative_log_likelihoods(&held, 8, 0)?;
    let each = nats.iter().sum::<f64>() / held.characters() as f64;
    println!(
        "{name}: {} steps, {:.0} s; a held-out character costs {each:.3} nats, {:.3} bits",
        summary.steps,
        summary.train_secs,
        each / std::f64::consts::LN_2
    );
    let request = TextRequest { temperature: 0.8, ..TextRequest::new(2, 1).with_prompt("\nROMEO:\n") };
    for text in model.sample(&request)?.data.iter() {
        println!("---{text}");
    }
    Ok(())
}

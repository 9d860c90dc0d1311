//! New names: how many are novel, and how probable held-out names are beside a model of n-grams.
//! Run: SEMBLANT_DATA=data cargo run --release --example names -p semblant-examples [EPOCHS]
//! Reads names/names.txt in the folder SEMBLANT_DATA, or the file of lines that SEMBLANT_TEXT names.

#![allow(clippy::print_stdout, reason = "an example says what it found")]

use anyhow::Context;
use semblant::metrics::text::{Ngrams, alphabet, novelty};
use semblant::prelude::*;
use semblant_examples::text_file;
use serde_json::json;

fn main() -> anyhow::Result<()> {
    let epochs: u64 = std::env::args().nth(1).map_or(Ok(20), |text| text.parse())?;
    let all = Text::read(text_file("names/names.txt")?, &TextOptions::default())?.data;
    // Every tenth name is kept out.
    let part = |kept: bool| all.select(&(0..all.len()).filter(|index| (index % 10 == 9) == kept).collect::<Vec<_>>());
    let (train, held) = (part(false), part(true));
    let mut model = semblant::model::<Text>("text-ar", json!({ "epochs": epochs }))?;
    let summary = model.fit(&train, &mut Run::new(semblant::device::select("cpu")?, 0))?;
    let nats = model.likelihood().context("exact")?.negative_log_likelihoods(&held, 1, 0)?;
    let bits = nats.iter().sum::<f64>() / std::f64::consts::LN_2 / held.characters() as f64;
    println!("{:.0} s of training; a character of held-out names, with the end of the name:", summary.train_secs);
    println!("  text-ar      {bits:.3} bits");
    for order in [3, 4, 5] {
        let ngrams = Ngrams::fit(train.iter(), order, alphabet(&[&train, &held]), true);
        println!("  {order}-grams      {:.3} bits", ngrams.bits_per_character(held.iter()));
    }
    let made = model.sample(&TextRequest::new(10_000, 1))?.data;
    println!(
        "of 10,000 sampled names {:.1} % are none of the training names, {:.1} % are held-out ones",
        100.0 * novelty(&made, &train),
        100.0 - 100.0 * novelty(&made, &held)
    );
    let known: std::collections::HashSet<&str> = train.iter().collect();
    let new: Vec<&str> = made.iter().filter(|name| !known.contains(name)).take(20).collect();
    println!("novel: {}", new.join(", "));
    Ok(())
}

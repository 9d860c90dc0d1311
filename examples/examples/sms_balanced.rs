//! Few messages are spam: synthetic ones are added until both labels are equally frequent, and a classifier is trained with and without them.
//! Run: SEMBLANT_DATA=data cargo run --release --example sms_balanced -p semblant-examples [EPOCHS]
//! Reads sms-spam/sms_spam.csv.gz in the folder SEMBLANT_DATA.

#![allow(clippy::print_stdout, reason = "an example says what it found")]

use anyhow::Context;
use semblant::data::text::Layout;
use semblant::metrics::text::Classifier;
use semblant::prelude::*;
use semblant_examples::text_file;
use serde_json::json;

/// The share of spam in the training messages.
const RARE: f64 = 0.05;

fn main() -> anyhow::Result<()> {
    let epochs: u64 = std::env::args().nth(1).map_or(Ok(20), |text| text.parse())?;
    let options = TextOptions { text_column: Some("text".into()), label: Some("type".into()), ..TextOptions::default() };
    let all = Text::read(text_file("sms-spam/sms_spam.csv.gz")?, &options)?.data;
    let part = |kept: bool| all.select(&(0..all.len()).filter(|index| (index % 5 == 4) == kept).collect::<Vec<_>>());
    let (train, test) = (part(false), part(true));
    let (spam, ham): (Vec<usize>, Vec<usize>) = (0..train.len()).partition(|&index| train.label(index) == Some("spam"));
    let few = (ham.len() as f64 * RARE / (1.0 - RARE)) as usize;
    let rare = train.select(&[&spam[..few.min(spam.len())], &ham].concat());
    println!("{} messages, of which {few} are spam; {} for the test", rare.len(), test.len());

    let mut model = semblant::model::<Text>("text-ar", json!({ "epochs": epochs }))?;
    let summary = model.fit(&rare, &mut Run::new(semblant::device::select("auto")?, 0))?;
    let asked = model.sample(&TextRequest::new(1000, 1).balanced())?.data;
    let judge = Classifier::fit(&train).context("two labels")?;
    println!(
        "{:.0} s of training; a classifier of real messages finds the label that was asked for in {:.1} % (of the test messages {:.1} %)",
        summary.train_secs,
        100.0 * judge.balanced_accuracy(&asked).context("labels")?,
        100.0 * judge.balanced_accuracy(&test).context("labels")?
    );
    let more = model.sample(&TextRequest::new((ham.len() - few) as u64, 2).with_label("spam"))?.data;
    let f1 = |texts: &Text| Classifier::fit(texts).and_then(|classifier| classifier.macro_f1(&test)).unwrap_or(f64::NAN);
    let joined = Text::concat(vec![rare.clone(), more.clone().with_layout(Layout::Lines)])?;
    // Copies of the few that there are, as many, are what rebalancing costs nothing.
    let repeated = Text::concat(vec![rare.clone(), rare.select(&(0..more.len()).map(|index| index % few).collect::<Vec<_>>())])?;
    println!(
        "F1 on real messages, mean over labels: {:.3} with {RARE} spam, {:.3} with its copies, {:.3} with synthetic spam, {:.3} with all real spam",
        f1(&rare),
        f1(&repeated),
        f1(&joined),
        f1(&train)
    );
    for text in more.iter().take(5) {
        println!("  {text}");
    }
    Ok(())
}

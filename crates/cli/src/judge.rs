//! `semblant evaluate --features`: synthetic images against real ones.

use std::path::Path;

use semblant::AnyModel;
use semblant::checkpoint::write_atomically;
use semblant::metrics::image::classifier::{Classifier, ClassifierConfig};
use semblant::metrics::image::{ImageScores, Scores, evaluate_images};
use semblant::prelude::*;
use semblant::progress::{Observer, Silent, Terminal};
use serde_json::json;

use crate::arguments::Evaluate;
use crate::evaluate::named_json;
use crate::fit::check_writable;
use crate::{Failure, Outcome, beside, print, say, source};

pub(crate) fn run(arguments: &Evaluate, features: &str, quiet: bool) -> Outcome {
    let Some(("classifier", file)) = features.split_once(':') else {
        return Err(Failure::Usage(format!("--features {features}: write classifier:FILE")));
    };
    if arguments.output.is_some() || arguments.target.is_some() || arguments.schema.is_some() {
        return Err(Failure::Usage("--output, --target and --schema are for tables; images get --json".into()));
    }
    let real = read(&arguments.real, quiet)?;
    let synthetics = arguments.synthetics();
    let sets = synthetics.iter().map(|path| read(&path.to_string_lossy(), quiet)).collect::<Result<Vec<Images>, Failure>>()?;
    let holdout = arguments.holdout.as_deref().map(|name| read(name, quiet)).transpose()?;
    let classifier = classifier(Path::new(file), &real, holdout.as_ref(), arguments.seed, quiet)?;
    let scores = sets
        .iter()
        .map(|synthetic| Ok(evaluate_images(&real, synthetic, holdout.as_ref(), &classifier, arguments.seed)?))
        .collect::<Result<Vec<ImageScores>, Failure>>()?;
    let json = match (&scores[..], arguments.compare.is_empty()) {
        ([scores], true) => serde_json::to_string_pretty(scores).map_err(|error| Failure::Work(error.to_string()))?,
        _ => named_json(&synthetics, &scores)?,
    };
    let headings = if arguments.compare.is_empty() { vec!["value".to_owned()] } else { beside::headings(&synthetics) };
    match arguments.json.as_deref() {
        Some(path) if path.as_os_str() == "-" => print(&json),
        Some(path) => {
            write_atomically(path, json.as_bytes())?;
            lines(&headings, &scores).iter().for_each(|line| print(line));
        }
        None => lines(&headings, &scores).iter().for_each(|line| print(line)),
    }
    Ok(())
}

/// `semblant evaluate --likelihood`: how unlikely a model finds images.
pub(crate) fn likelihood(arguments: &Evaluate, model: &Path, quiet: bool) -> Outcome {
    let AnyModel::Image(model) = semblant::load_model(model, "cpu")? else {
        return Err(Failure::Usage(format!("{}: a model of tables has no likelihood that can be estimated", model.display())));
    };
    let images = read(&arguments.real, quiet)?;
    if images.count() == 0 {
        return Err(Failure::Work(format!("{}: there are no images to judge", arguments.real)));
    }
    let each = model.negative_log_likelihoods(&images, arguments.samples, arguments.seed)?;
    let count = each.len() as f64;
    let mean = each.iter().sum::<f64>() / count;
    let variance = each.iter().map(|nats| (nats - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    let (error, bits) = ((variance / count).sqrt(), mean / images.bytes_of_one() as f64 / std::f64::consts::LN_2);
    let json = json!({
        "negative_log_likelihood_nats": mean, "standard_error_nats": error, "bits_per_dimension": bits,
        "images": each.len(), "samples": arguments.samples, "seed": arguments.seed,
    });
    let text = format!("negative log-likelihood {mean:.3} nats an image (standard error {error:.3}), {bits:.4} bits a number");
    match arguments.json.as_deref() {
        Some(path) if path.as_os_str() == "-" => print(&json.to_string()),
        Some(path) => {
            write_atomically(path, format!("{json:#}\n").as_bytes())?;
            print(&text);
        }
        None => print(&text),
    }
    Ok(())
}

fn read(name: &str, quiet: bool) -> Result<Images, Failure> {
    let read = source::read_images(name, &ImageOptions::default())?;
    if !quiet {
        read.notes.iter().for_each(|note| say(&format!("note: {name}: {note}")));
    }
    Ok(read.images)
}

/// The classifier in a file, or one that is trained now and kept there.
fn classifier(path: &Path, real: &Images, holdout: Option<&Images>, seed: u64, quiet: bool) -> Result<Classifier, Failure> {
    let device = semblant::device::select("cpu")?;
    if path.exists() {
        return Ok(Classifier::load(path, &device)?);
    }
    check_writable(path)?;
    if !quiet {
        say(&format!("training a classifier on {} real images; it is kept in {}", real.count(), path.display()));
    }
    let observer: Box<dyn Observer> = if quiet { Box::new(Silent) } else { Box::new(Terminal::default()) };
    let mut run = Run { observer, ..Run::new(device, seed) };
    let classifier = Classifier::fit(real, holdout, &ClassifierConfig::default(), &mut run)?;
    classifier.save(path)?;
    Ok(classifier)
}

fn lines(headings: &[String], sets: &[ImageScores]) -> Vec<String> {
    let row = |(name, get): (&str, fn(&Scores) -> Option<f64>)| -> beside::Row {
        let reference = sets.first().and_then(|scores| scores.reference.as_ref()).and_then(get);
        (name.to_owned(), sets.iter().map(|scores| get(&scores.synthetic)).collect(), reference)
    };
    let rows: [(&str, fn(&Scores) -> Option<f64>); 13] = [
        ("Class accuracy", |scores| scores.class_accuracy),
        ("Class share distance", |scores| Some(scores.class_share_distance)),
        ("Classifier score", |scores| Some(scores.classifier_score)),
        ("Frechet classifier distance", |scores| Some(scores.frechet_distance)),
        ("Kernel distance (KID)", |scores| Some(scores.kid)),
        ("Sliced distance (MIND)", |scores| Some(scores.mind)),
        ("Precision", |scores| scores.prdc.map(|prdc| prdc.precision)),
        ("Recall", |scores| scores.prdc.map(|prdc| prdc.recall)),
        ("Density", |scores| scores.prdc.map(|prdc| prdc.density)),
        ("Coverage", |scores| scores.prdc.map(|prdc| prdc.coverage)),
        ("Memorised", |scores| Some(scores.memorised)),
        ("Distance to nearest training image, median", |scores| Some(scores.nearest)),
        ("Kernel distance, deviation over subsets", |scores| Some(scores.kid_deviation)),
    ];
    let mut lines = beside::lines(headings, rows.into_iter().map(row));
    for (heading, scores) in headings.iter().zip(sets) {
        let [real, synthetic, holdout] = scores.images;
        let [held, held_holdout] = scores.held_against_real;
        lines.push(format!(
            "{heading}: {real} real, {synthetic} synthetic, {holdout} holdout images; the reference is what the holdout gets"
        ));
        lines.push(format!(
            "  MIND, precision, recall, density and coverage: {} images of each side, seed {}",
            scores.compared, scores.seed
        ));
        lines.push(format!("  memory: {held} synthetic and {held_holdout} holdout images against every real one, by pixels"));
    }
    lines.extend(sets.first().map(|scores| {
        format!(
            "features: {}; seed {}, accuracy {}, sha256 {}",
            scores.classifier.architecture,
            scores.classifier.seed,
            scores.classifier.accuracy.map_or_else(|| "-".to_owned(), |accuracy| format!("{accuracy:.4}")),
            scores.classifier.sha256
        )
    }));
    lines
}

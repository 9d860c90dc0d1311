//! `semblant evaluate --features`: synthetic images against real ones.

use std::path::Path;

use semblant::checkpoint::write_atomically;
use semblant::metrics::image::shadow::by_shadows;
use semblant::metrics::image::utility::{ImageUtility, image_utility};
use semblant::metrics::membership::Membership;
use semblant::metrics::report::{ImageEvaluation, Report, report_images, report_pairs};
use semblant::prelude::*;
use semblant::shadow::Recipe;
use semblant::{AnyModel, DataKind, Device};
use serde_json::json;

use crate::arguments::Evaluate;
use crate::evaluate::{check_outputs, deliver, shadow_begins, sources};
use crate::eyes::Features;
use crate::{Failure, Outcome, observer, print, say, source};

pub(crate) fn run(arguments: &Evaluate, features: &str, quiet: bool) -> Outcome {
    let features = Features::parse(features)?;
    if arguments.target.is_some() || arguments.schema.is_some() {
        return Err(Failure::Usage("--target and --schema are for tables".into()));
    }
    let device = semblant::device::select(&arguments.device)?;
    let recipe = arguments.shadow.as_deref().map(|model| Recipe::read(model, DataKind::Image, &device)).transpose()?;
    let sets = Sets::read(arguments, quiet)?;
    check_outputs(arguments)?;
    if let Some(lpips) = features.paired(&device)? {
        if arguments.holdout.is_some() {
            return Err(Failure::Usage("--features lpips compares images in pairs; --holdout is for the other features".into()));
        }
        let pairs = |(path, synthetic): (&&Path, &Images)| Ok(report_pairs(&sets.real, synthetic, &lpips, &sources(arguments, path))?);
        let reports = arguments.synthetics().iter().zip(&sets.synthetics).map(pairs).collect::<Result<Vec<Report>, Failure>>()?;
        return deliver(arguments, reports);
    }
    let Sets { real, synthetics, holdout } = &sets;
    let extractor = features.extractor(real, holdout.as_ref(), (&device, arguments.seed), quiet)?;
    let mut utilities =
        arguments.utility.map(|images| learn((&device, arguments.seed), &sets, images, quiet)).transpose()?.unwrap_or_default().into_iter();
    let mut stage = |name: &str| {
        if !quiet {
            say(name);
        }
    };
    let judge = |(path, synthetic): (&&Path, &Images)| -> Result<Report, Failure> {
        let attack = |(recipe, holdout)| attack(arguments, recipe, [real, synthetic, holdout], quiet);
        let membership = recipe.as_ref().zip(holdout.as_ref()).map(attack).transpose()?;
        let (utility, sources) = (utilities.next(), sources(arguments, path));
        let evaluation = ImageEvaluation { utility, membership, seed: arguments.seed, sources, ..ImageEvaluation::new(&extractor) };
        Ok(report_images(real, synthetic, holdout.as_ref(), &evaluation, &mut stage)?)
    };
    let reports = arguments.synthetics().iter().zip(synthetics).map(judge).collect::<Result<Vec<Report>, Failure>>()?;
    deliver(arguments, reports)
}

/// `--shadow`: models are trained with and without single images.
fn attack(
    arguments: &Evaluate,
    recipe: &Recipe,
    [real, synthetic, holdout]: [&Images; 3],
    quiet: bool,
) -> Result<(usize, Membership), Failure> {
    let shadows = arguments.plan();
    let mut generate = |images: &Images, number: u64| {
        let seed = shadow_begins(arguments, number, quiet);
        recipe.train_and_sample_images(images, synthetic.count() as u64, seed).map_err(|error| error.to_string())
    };
    Ok((shadows.models, by_shadows(real, synthetic, holdout, &shadows, &mut generate)?))
}

/// All images of one call.
struct Sets {
    real: Images,
    synthetics: Vec<Images>,
    holdout: Option<Images>,
}

impl Sets {
    fn read(arguments: &Evaluate, quiet: bool) -> Result<Self, Failure> {
        let real = read(&arguments.real, quiet)?;
        let paths = arguments.synthetics();
        let synthetics = paths.iter().map(|path| read(&path.to_string_lossy(), quiet)).collect::<Result<Vec<Images>, Failure>>()?;
        let holdout = arguments.holdout.as_deref().map(|name| read(name, quiet)).transpose()?;
        Ok(Self { real, synthetics, holdout })
    }
}

/// Three classifiers for every synthetic set, for who asked for them.
fn learn((device, seed): (&Device, u64), sets: &Sets, images: u64, quiet: bool) -> Result<Vec<ImageUtility>, Failure> {
    let Some(holdout) = &sets.holdout else {
        return Err(Failure::Usage("--utility tests what is learnt on real images that nobody has seen; name them with --holdout".into()));
    };
    if !quiet {
        say(&format!("training three classifiers on {images} images each: synthetic ones, real ones, and both"));
    }
    let mut run = Run { observer: observer(quiet), ..Run::new(device.clone(), seed) };
    Ok(image_utility(&sets.real, &sets.synthetics, holdout, images, &mut run)?)
}

/// `semblant evaluate --likelihood`: how unlikely a model finds images.
pub(crate) fn likelihood(arguments: &Evaluate, model: &Path, quiet: bool) -> Outcome {
    let AnyModel::Image(model) = semblant::load_model(model, &arguments.device)? else {
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

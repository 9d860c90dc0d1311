//! `semblant evaluate --features`: synthetic images against real ones.

use std::path::Path;

use semblant::files;
use semblant::metrics::image::extractor::Provenance;
use semblant::metrics::image::paired::{Lpips, psnr, ssim};
use semblant::metrics::image::shadow::by_shadows;
use semblant::metrics::image::utility::{ImageUtility, image_utility};
use semblant::metrics::membership::Membership;
use semblant::metrics::report::images::{ImageReport, Sources, Trained, report_images};
use semblant::prelude::*;
use semblant::shadow::Recipe;
use semblant::{AnyModel, DataKind, Device};
use serde_json::json;

use crate::arguments::Evaluate;
use crate::evaluate::{check_outputs, deliver, headings, scores, shadow_begins};
use crate::eyes::Features;
use crate::{Failure, Outcome, beside, observer, print, say, source};

pub(crate) fn run(arguments: &Evaluate, features: &str, quiet: bool) -> Outcome {
    let features = Features::parse(features)?;
    if arguments.target.is_some() || arguments.schema.is_some() {
        return Err(Failure::Usage("--target and --schema are for tables".into()));
    }
    let device = semblant::device::select(&arguments.device)?;
    let recipe = arguments.shadow.as_deref().map(|model| Recipe::read(model, DataKind::Image, &device)).transpose()?;
    let sets = Sets::read(arguments, quiet)?;
    if let Some(lpips) = features.paired(&device)? {
        return pairs(arguments, &sets, &lpips);
    }
    check_outputs(arguments)?;
    let Sets { real, synthetics, holdout } = &sets;
    let extractor = features.extractor(real, holdout.as_ref(), (&device, arguments.seed), quiet)?;
    let mut utilities =
        arguments.utility.map(|images| learn((&device, arguments.seed), &sets, images, quiet)).transpose()?.unwrap_or_default().into_iter();
    let mut stage = |name: &str| {
        if !quiet {
            say(name);
        }
    };
    let judge = |(path, synthetic): (&&Path, &Images)| -> Result<ImageReport, Failure> {
        let attack = |(recipe, holdout)| attack(arguments, recipe, [real, synthetic, holdout], quiet);
        let membership = recipe.as_ref().zip(holdout.as_ref()).map(attack).transpose()?;
        let trained = Trained { utility: utilities.next(), membership };
        let report = report_images(real, synthetic, holdout.as_ref(), &extractor, trained, arguments.seed, &mut stage)?;
        let (real, synthetic, holdout) = (arguments.real.clone(), path.to_string_lossy().into_owned(), arguments.holdout.clone());
        Ok(ImageReport { sources: Some(Sources { real, synthetic, holdout }), ..report })
    };
    let reports = arguments.synthetics().iter().zip(synthetics).map(judge).collect::<Result<Vec<ImageReport>, Failure>>()?;
    deliver(arguments, &reports, ImageReport::to_html, || lines(&headings(arguments), &reports))
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

/// `--features lpips`: image by image, each synthetic one beside the real one in the same place.
fn pairs(arguments: &Evaluate, sets: &Sets, lpips: &Lpips) -> Outcome {
    if arguments.output.is_some() || arguments.holdout.is_some() {
        let what = "--features lpips compares images in pairs; --output, --holdout and what needs one are for the other features";
        return Err(Failure::Usage(what.into()));
    }
    let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let of = |synthetic: &Images| -> Result<[Option<f64>; 3], Failure> {
        // Structure is looked for in windows of eleven pixels, which small images do not have.
        let structure = match ssim(&sets.real, synthetic) {
            Err(semblant::metrics::Error::Undefined(_)) => None,
            found => Some(mean(found?)),
        };
        let noise = mean(psnr(&sets.real, synthetic)?);
        let distance = mean(lpips.distances(&sets.real, synthetic)?);
        // Equal images have no noise to speak of, and JSON no infinity.
        Ok([Some(distance), structure, Some(noise).filter(|noise| noise.is_finite())])
    };
    let found = sets.synthetics.iter().map(of).collect::<Result<Vec<_>, Failure>>()?;
    let (about, pairs) = (lpips.provenance(), sets.real.count());
    let result =
        |[lpips, ssim, psnr]: &[Option<f64>; 3]| json!({ "lpips": lpips, "ssim": ssim, "psnr": psnr, "pairs": pairs, "features": about });
    let results: Vec<serde_json::Value> = found.iter().map(result).collect();
    let names = ["LPIPS, mean over pairs", "Structural similarity (SSIM), mean", "Peak signal-to-noise ratio (PSNR), mean, dB"];
    let row = |(place, name): (usize, &str)| (name.to_owned(), found.iter().map(|found| found[place]).collect(), None);
    let lines = || {
        let mut lines = beside::lines(&headings(arguments), names.into_iter().enumerate().map(row));
        lines.push(format!("features: LPIPS 0.1, {:?}, sha256 {}, by channel {}", about.backbone, about.sha256, about.sha256_of_channels));
        lines
    };
    deliver(arguments, &results, |_| String::new(), lines)
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
            files::write(path, format!("{json:#}\n").as_bytes())?;
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

fn lines(headings: &[String], reports: &[ImageReport]) -> Vec<String> {
    let mut lines = scores(headings, &reports.iter().map(|report| &report.scores[..]).collect::<Vec<_>>());
    for (heading, report) in headings.iter().zip(reports) {
        let counts = report.images;
        let [held, held_holdout] = report.held_against_real;
        lines.push(format!(
            "{heading}: {} real, {} synthetic, {} holdout images; the reference is what the holdout gets",
            counts.real,
            counts.synthetic,
            counts.holdout.unwrap_or(0)
        ));
        lines.push(format!(
            "  MIND, precision, recall, density and coverage: {} images of each side, seed {}",
            report.compared, report.seed
        ));
        lines.push(format!("  memory: {held} synthetic and {held_holdout} holdout images against every real one, by pixels"));
        if let Some(utility) = &report.utility {
            let seen = utility.images_seen;
            lines.push(format!("  utility: three classifiers that saw {seen} images each, tested on {} holdout images", utility.tested));
        }
    }
    lines.extend(reports.first().map(|report| made_with(&report.features)));
    lines
}

fn made_with(features: &Provenance) -> String {
    let resize = features.resize.as_ref().map_or_else(String::new, |resize| format!(", resized as {resize}"));
    let seed = features.seed.map_or_else(String::new, |seed| format!("; seed {seed}"));
    let accuracy = features.accuracy.map_or_else(String::new, |accuracy| format!(", accuracy {accuracy:.4}"));
    format!("features: {}: {}{resize}{seed}{accuracy}, sha256 {}", features.kind, features.architecture, features.sha256)
}

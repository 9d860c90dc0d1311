//! The evaluation of images.

use semblant_core::options::{Names, OptionSpec, number};
use semblant_core::progress::Event;
use semblant_core::synthesizer::Run;
use semblant_core::{Error, Result};
use semblant_data::image::Images;
use semblant_metrics::Report;
use semblant_metrics::image::shadow::by_shadows;
use semblant_metrics::image::utility::{ImageUtility, image_utility};
use semblant_metrics::membership::Membership;
use semblant_metrics::report::{ImageEvaluation, report_images, report_pairs};

use super::evaluation::{shadow_sample, shadows, sources};
use super::features::Features;
use crate::modality::{EvaluationJob, Evaluator, Observe};

/// Fidelity, utility and privacy of images.
pub(super) struct ImageEvaluator;

const OPTIONS: &[OptionSpec] = &[
    OptionSpec::value(
        "features",
        "KIND:FILE",
        "The feature extractor; without it a classifier of the real images is trained and not kept. classifier:FILE is a classifier of the real images, trained and saved there if the file does not exist. inception:FILE[,resize=pytorch-fid|tf1|clean] is FID's Inception v3 with pytorch-fid's weights, a local .pth or .safetensors file. lpips:BACKBONE,lin=FILE compares images in pairs, with torchvision's AlexNet or VGG16 and the weights of the package lpips",
    )
    .naming(Names::Input),
    OptionSpec::optional_value(
        "utility",
        "IMAGES",
        "Train three classifiers, on synthetic images, real images and both, and test them on the holdout; the value is the number of training images that each sees [default: 100000]",
    ),
    OptionSpec::value("shadows", "MODELS", "With --shadow: the number of shadow models [default: 16]"),
    OptionSpec::value(
        "targets",
        "IMAGES",
        "With --shadow: the number of training images, and of holdout images, that are attacked [default: 1000]",
    ),
];

impl Evaluator<Images> for ImageEvaluator {
    fn options(&self) -> &'static [OptionSpec] {
        OPTIONS
    }

    fn evaluate(&self, job: &EvaluationJob<'_, Images>, observe: Observe<'_>) -> Result<Vec<Report>> {
        let (_, real) = job.real;
        let features = job.options.text("features").map_or_else(|| Features::of(real), Features::parse)?;
        let utility_images = utility_images(job)?;
        let holdout = job.holdout.map(|(_, holdout)| holdout);
        if let Some(lpips) = features.paired(job.device)? {
            if holdout.is_some() {
                return Err(Error::Config("--features lpips compares images in pairs; --holdout is for the other features".into()));
            }
            let one = |&(name, synthetic): &(&str, &Images)| Ok(report_pairs(real, synthetic, &lpips, &sources(job, name))?);
            return job.synthetics.iter().map(one).collect();
        }
        let extractor = features.extractor(real, holdout, (job.device, job.seed), observe)?;
        let mut utilities = utility_images.map(|images| utilities(job, images, observe)).transpose()?.unwrap_or_default().into_iter();
        let one = |&(name, synthetic): &(&str, &Images)| -> Result<Report> {
            let membership =
                holdout.filter(|_| job.retrain.is_some()).map(|holdout| attack(job, synthetic, holdout, observe)).transpose()?;
            let (utility, sources) = (utilities.next(), sources(job, name));
            let evaluation = ImageEvaluation { utility, membership, seed: job.seed, sources, ..ImageEvaluation::new(&extractor) };
            Ok(report_images(real, synthetic, holdout, &evaluation, &mut |stage| observe().event(Event::Stage(stage)))?)
        };
        job.synthetics.iter().map(one).collect()
    }
}

/// Membership inference by models that are trained with and without single images.
fn attack(job: &EvaluationJob<'_, Images>, synthetic: &Images, holdout: &Images, observe: Observe<'_>) -> Result<(usize, Membership)> {
    let plan = shadows(job.options, job.seed)?;
    let mut generate = |images: &Images, number: u64| shadow_sample(job, observe, &plan, images, synthetic.count(), number);
    Ok((plan.models, by_shadows(job.real.1, synthetic, holdout, &plan, &mut generate)?))
}

/// How many images the classifiers of `--utility` see, where it is given.
fn utility_images(job: &EvaluationJob<'_, Images>) -> Result<Option<u64>> {
    if !job.options.has("utility") {
        return Ok(None);
    }
    if job.holdout.is_none() {
        let what = "--utility tests on held-out real images; give them with --holdout";
        return Err(Error::Config(what.into()));
    }
    job.options.text("utility").map_or(Ok(100_000), |text| number("utility", text)).map(Some)
}

/// Three classifiers for every synthetic set.
fn utilities(job: &EvaluationJob<'_, Images>, images: u64, observe: Observe<'_>) -> Result<Vec<ImageUtility>> {
    let Some((_, holdout)) = job.holdout else { return Ok(Vec::new()) };
    let mut observer = observe();
    observer.event(Event::Stage(&format!("training three classifiers on {images} images each: synthetic, real and both")));
    let mut run = Run { observer, ..Run::new(job.device.clone(), job.seed) };
    let synthetics: Vec<Images> = job.synthetics.iter().map(|(_, synthetic)| (*synthetic).clone()).collect();
    Ok(image_utility(job.real.1, &synthetics, holdout, images, &mut run)?)
}

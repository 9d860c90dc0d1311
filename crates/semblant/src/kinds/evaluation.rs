//! What the evaluations of all kinds share.

use semblant_core::data::Data;
use semblant_core::options::OptionValues;
use semblant_core::progress::Event;
use semblant_core::{Error, Result};
use semblant_metrics::membership::lira::Shadows;
use semblant_metrics::report::{ModelSource, Source, Sources};

use crate::modality::{EvaluationJob, Observe};

/// The names of what an evaluation compares, for its report.
pub(super) fn sources<D: Data>(job: &EvaluationJob<'_, D>, synthetic: &str) -> Sources {
    Sources {
        real: Source::named(job.real.0),
        synthetic: Source::named(synthetic),
        holdout: job.holdout.map(|(name, _)| Source::named(name)),
        model: job.model.map(|name| ModelSource { name: name.into(), seed: None }),
        date: job.date.map(str::to_owned),
        ..Sources::default()
    }
}

/// How many shadow models are trained, and on how many targets the attack is measured.
#[cfg_attr(not(any(feature = "images", feature = "tables")), allow(dead_code, reason = "only their models have shadows"))]
pub(super) fn shadows(options: &OptionValues, seed: u64) -> Result<Shadows> {
    let models = options.number("shadows")?.unwrap_or(16);
    let targets = options.number("targets")?.unwrap_or(1000);
    if models < 4 || targets < 8 {
        return Err(Error::Config(format!(
            "--shadows {models} --targets {targets}: train at least 4 models and attack at least 8 targets"
        )));
    }
    Ok(Shadows { models, targets, seed })
}

/// Trains shadow model `number` and samples `count` items of it.
#[cfg_attr(not(any(feature = "images", feature = "tables")), allow(dead_code, reason = "only their models have shadows"))]
pub(super) fn shadow_sample<D: Data>(
    job: &EvaluationJob<'_, D>,
    observe: Observe<'_>,
    plan: &Shadows,
    data: &D,
    count: usize,
    number: u64,
) -> Result<D, String> {
    observe().event(Event::Stage(&format!("shadow model {} of {}", number + 1, plan.models)));
    let retrain = job.retrain.ok_or("no model to train")?;
    retrain(data, count as u64, job.seed.wrapping_add(1 + number)).map_err(|error| error.to_string())
}

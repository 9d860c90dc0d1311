//! Several models on one split of the data.

use std::time::Instant;

use semblant_core::data::{Data, Opened, Request};
use semblant_core::progress::Event;
use semblant_core::seeds::streams::EVALUATION;
use semblant_core::synthesizer::Run;
use semblant_core::{Error, Result};

use super::{CompareJob, Compared, EvaluationJob, Evaluator, Kind, Observe};

/// The stream of the split, after those of metrics.
const SPLIT: u32 = 0x40_0000;

/// Fits each model to the same rows, samples as many, and judges all by the same held-out rows.
pub(super) fn compare<D: Data>(
    kind: &Kind<D>,
    evaluator: &dyn Evaluator<D>,
    job: CompareJob<'_>,
    observe: Observe<'_>,
) -> Result<Vec<Compared>> {
    // Wrong names and settings are found before the data is read.
    let models = job.models.iter().map(|(name, settings)| Ok((name, (kind.entry(name)?.build)(settings.clone())?)));
    let models = models.collect::<Result<Vec<_>>>()?;
    let options = job.source.completed::<D>(D::parse_open_options(job.options)?)?;
    let all = kind.open(job.source, options.clone(), observe)?;
    let (train, holdout) = match &job.holdout {
        Some(source) => {
            let holdout = kind.open(source, D::options_to_compare(options), observe)?;
            let Opened { data, .. } = holdout.conform(&all)?;
            (all, data)
        }
        None => split(&all, job.holdout_share, job.seed)?,
    };
    let mut compared = Vec::new();
    for (name, mut model) in models {
        let mut run = Run {
            observer: observe(),
            stop: job.stop.clone(),
            deadline: job.budget.map(|budget| Instant::now() + budget),
            ..Run::new(job.device.clone(), job.seed)
        };
        run.observer.event(Event::Stage(&format!("fitting {name} to {} {}", train.len(), D::ITEMS)));
        let summary = model.fit(&train, &mut run)?;
        let started = Instant::now();
        let made = model.sample(&D::Request::new(train.len() as u64, job.seed))?.data;
        let sample_secs = started.elapsed().as_secs_f64();
        run.observer.event(Event::Stage(&format!("judging {name}")));
        let evaluation = EvaluationJob {
            real: (job.source.name(), &train),
            synthetics: vec![(name.as_str(), &made)],
            holdout: Some((job.holdout.as_ref().map_or("held-out part", |holdout| holdout.name()), &holdout)),
            seed: job.seed,
            device: job.device,
            model: Some(name),
            date: job.date,
            retrain: None,
            options: job.options,
        };
        let report = evaluator.evaluate(&evaluation, observe)?.pop();
        let none = || Error::Data(format!("{name}: there is no report"));
        compared.push(Compared { model: name.clone(), summary, sample_secs, report: report.ok_or_else(none)? });
    }
    Ok(compared)
}

/// The part that is learned, and the part that is held out.
fn split<D: Data>(data: &D, share: f64, seed: u64) -> Result<(D, D)> {
    let mut rows = EVALUATION.nth(seed, SPLIT).permutation(0, data.len());
    let held = (data.len() as f64 * share).round() as usize;
    if held == 0 || held >= data.len() {
        return Err(Error::Config(format!("{} {} cannot be split; give more, or name a holdout", data.len(), D::ITEMS)));
    }
    let mut learned = rows.split_off(held);
    rows.sort_unstable();
    learned.sort_unstable();
    Ok((data.select(&learned), data.select(&rows)))
}

//! The evaluation of series.

use semblant_core::options::OptionSpec;
use semblant_core::progress::Event;
use semblant_core::{Error, Result};
use semblant_data::series::Series;
use semblant_metrics::Report;
use semblant_metrics::report::{SeriesEvaluation, report_series};

use super::evaluation::sources;
use crate::modality::{EvaluationJob, Evaluator, Observe};

/// Fidelity, utility and privacy of series.
pub(super) struct SeriesEvaluator;

const OPTIONS: &[OptionSpec] = &[OptionSpec::value(
    "repeats",
    "N",
    "How often networks are trained for a score, each time with another seed; scores are means with intervals [default: 5]",
)];

impl Evaluator<Series> for SeriesEvaluator {
    fn options(&self) -> &'static [OptionSpec] {
        OPTIONS
    }

    fn evaluate(&self, job: &EvaluationJob<'_, Series>, observe: Observe<'_>) -> Result<Vec<Report>> {
        const MOST_REPEATS: usize = 1000;
        let repeats = job.options.number("repeats")?.unwrap_or(5);
        if !(1..=MOST_REPEATS).contains(&repeats) {
            return Err(Error::Config(format!("--repeats {repeats}: train from 1 to {MOST_REPEATS} networks for a score")));
        }
        let one = |&(name, synthetic): &(&str, &Series)| -> Result<Report> {
            let evaluation = SeriesEvaluation { repeats, seed: job.seed, device: job.device.clone(), sources: sources(job, name) };
            let holdout = job.holdout.map(|(_, holdout)| holdout);
            Ok(report_series(job.real.1, synthetic, holdout, &evaluation, &mut |stage| observe().event(Event::Stage(stage)))?)
        };
        job.synthetics.iter().map(one).collect()
    }
}

//! The evaluation of databases.

use semblant_core::Result;
use semblant_core::options::OptionSpec;
use semblant_core::progress::Event;
use semblant_data::database::Database;
use semblant_data::table::TARGET;
use semblant_metrics::report::report_database;
use semblant_metrics::{Options, Report};

use super::evaluation::sources;
use crate::modality::{EvaluationJob, Evaluator, Observe};

/// Fidelity, utility and privacy of databases.
pub(super) struct DatabaseEvaluator;

const OPTIONS: &[OptionSpec] = &[TARGET];

impl Evaluator<Database> for DatabaseEvaluator {
    fn options(&self) -> &'static [OptionSpec] {
        OPTIONS
    }

    fn evaluate(&self, job: &EvaluationJob<'_, Database>, observe: Observe<'_>) -> Result<Vec<Report>> {
        let one = |&(name, synthetic): &(&str, &Database)| -> Result<Report> {
            let options = Options {
                target: job.options.text("target").map(str::to_owned),
                seed: job.seed,
                device: job.device.clone(),
                sources: sources(job, name),
                ..Options::default()
            };
            let holdout = job.holdout.map(|(_, holdout)| holdout);
            Ok(report_database(job.real.1, synthetic, holdout, &options, &mut |stage| observe().event(Event::Stage(stage)))?)
        };
        job.synthetics.iter().map(one).collect()
    }
}

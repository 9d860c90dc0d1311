//! The evaluation of text.

use semblant_core::Result;
use semblant_core::options::OptionSpec;
use semblant_core::progress::Event;
use semblant_data::text::Text;
use semblant_metrics::Report;
use semblant_metrics::report::{TextEvaluation, report_text};

use super::evaluation::sources;
use crate::modality::{EvaluationJob, Evaluator, Observe};

/// Fidelity, utility and privacy of text.
pub(super) struct TextEvaluator;

impl Evaluator<Text> for TextEvaluator {
    fn options(&self) -> &'static [OptionSpec] {
        &[]
    }

    fn evaluate(&self, job: &EvaluationJob<'_, Text>, observe: Observe<'_>) -> Result<Vec<Report>> {
        let one = |&(name, synthetic): &(&str, &Text)| -> Result<Report> {
            let evaluation = TextEvaluation { seed: job.seed, sources: sources(job, name) };
            let holdout = job.holdout.map(|(_, holdout)| holdout);
            Ok(report_text(job.real.1, synthetic, holdout, &evaluation, &mut |stage| observe().event(Event::Stage(stage)))?)
        };
        job.synthetics.iter().map(one).collect()
    }
}

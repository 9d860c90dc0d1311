//! The evaluation of tables.

use semblant_core::options::OptionSpec;
use semblant_core::progress::Event;
use semblant_core::{Error, Result};
use semblant_data::table::{Schema, Table};
use semblant_metrics::membership::lira::Generate;
use semblant_metrics::report::evaluate_tabsyn;
use semblant_metrics::table::binning::BinRule;
use semblant_metrics::table::rules::{Mined, mine};
use semblant_metrics::{Options, Report, evaluate_with_shadows};

use super::evaluation::{shadow_sample, shadows, sources};
use crate::modality::{EvaluationJob, Evaluator, Observe};

/// Fidelity, utility and privacy of tables.
pub(super) struct TableEvaluator;

const OPTIONS: &[OptionSpec] = &[
    OptionSpec::value(
        "bins",
        "RULE",
        "The bins of numbers paired with categories: from each table's own range, as in SDMetrics' report (each-table), or from the real table's (real) [default: each-table]",
    ),
    OptionSpec::value(
        "budget",
        "TIME",
        "About how long the evaluation may take, as 90s, 10m or 2h: compares as many rows of each table as that allows on this machine, 1,000 at least, and notes what they can find",
    ),
    OptionSpec::value(
        "max-rows",
        "ROWS",
        "The maximum number of rows of each table for distances, copies, detection, support and attacks; fewer take less time and miss some copies",
    ),
    OptionSpec::value(
        "protocol",
        "NAME",
        "Print the scores of a published protocol instead: tabsyn (TabSyn, TabDiff: Shape, Trend, alpha-precision, beta-recall, C2ST, MLE, DCR share)",
    ),
    OptionSpec::list(
        "protected",
        "COLUMN",
        "Compare the rows of each label of this column by themselves, as those of the target; may be given several times. A schema says `protected = true`",
    ),
    OptionSpec::list(
        "secret",
        "COLUMN",
        "Let attackers infer this column only; may be given several times. Without it they infer every column. A schema says `secret = true`",
    ),
    OptionSpec::value("shadows", "MODELS", "With --shadow: the number of shadow models [default: 16]"),
    OptionSpec::value(
        "targets",
        "ROWS",
        "With --shadow: the number of training rows, and of holdout rows, that are attacked [default: 1000]",
    ),
];

impl Evaluator<Table> for TableEvaluator {
    fn options(&self) -> &'static [OptionSpec] {
        OPTIONS
    }

    fn evaluate(&self, job: &EvaluationJob<'_, Table>, observe: Observe<'_>) -> Result<Vec<Report>> {
        let (_, real) = job.real;
        let max_rows: Option<usize> = job.options.number("max-rows")?;
        if max_rows == Some(0) {
            return Err(Error::Config("--max-rows 0: compare at least one row".into()));
        }
        let plan = shadows(job.options, job.seed)?;
        let base = Options {
            target: job.options.text("target").map(str::to_owned).or_else(|| real.schema().target.clone()),
            seed: job.seed,
            bins: job.options.choice("bins", &[("each-table", BinRule::EachTable), ("real", BinRule::Real)])?.unwrap_or(BinRule::EachTable),
            secret: job.options.all("secret").to_vec(),
            protected: job.options.all("protected").to_vec(),
            device: job.device.clone(),
            max_rows,
            budget: job.options.duration("budget")?,
            ..Options::default()
        };
        let tabsyn = job.options.choice("protocol", &[("tabsyn", true)])?.unwrap_or(false);
        let one = |&(name, synthetic): &(&str, &Table)| -> Result<Report> {
            let options = Options { sources: sources(job, name), ..base.clone() };
            if tabsyn {
                observe().event(Event::Stage("scores of TabSyn's protocol"));
                return Ok(evaluate_tabsyn(real, synthetic, job.holdout.map(|(_, holdout)| holdout), &options)?);
            }
            let mut generate = |rows: &Table, number: u64| shadow_sample(job, observe, &plan, rows, synthetic.rows(), number);
            let attack = job.retrain.is_some().then_some((&plan, &mut generate as Generate<Table>));
            let mut stage = |name: &str| observe().event(Event::Stage(name));
            let holdout = job.holdout.map(|(_, holdout)| holdout);
            Ok(evaluate_with_shadows(real, synthetic, holdout, &options, attack, &mut stage)?)
        };
        job.synthetics.iter().map(one).collect()
    }

    fn mine(&self, table: &Table) -> Result<String> {
        let found = mine(table, 0);
        if found.is_empty() {
            return Err(Error::Data("no relation between columns holds in every row, so there is no constraint to propose".into()));
        }
        let mut text = String::from(
            "# Constraints that hold in every row. Keep those that hold by their meaning, delete the others, and add the rest to a schema file.\n",
        );
        for Mined { constraint, words, shuffled } in found {
            // Of this one alone, so that it stands below its comment.
            let toml = Schema { constraints: vec![constraint], ..Schema::default() }.to_toml()?;
            let toml: String =
                toml.lines().skip_while(|line| !line.starts_with("[[constraint]]")).map(|line| format!("{line}\n")).collect();
            let words = words.replace('\n', " ");
            text.push_str(&format!(
                "\n# {words}  (chance alone keeps {:.1} % of rows)\n{}",
                100.0 * shuffled,
                toml.replace("columns = []\n", "")
            ));
        }
        Ok(text)
    }
}

//! The attacks of a report.

use semblant_data::table::Table;

use super::{Compared, Direction, Group, Scores, reason};
use crate::Result;
use crate::bootstrap::Estimate;
use crate::error::undefined;
use crate::membership::Membership;
use crate::membership::lira::{Generate, Shadows};
use crate::report::scores::{by_shadow_models, of_membership};
use crate::table::align::align;
use crate::table::attacks::membership::{by_density, by_distance, by_relative_distance};
use crate::table::attacks::shadow::by_shadows;
use crate::table::attacks::{Inference, Outcome, Predicates, inference, linkability, singling_out};

/// Targets, or predicates, of an attack.
const ATTEMPTS: usize = 1_000;
/// Columns of a predicate on several.
const PREDICATE_COLUMNS: usize = 3;
/// Rows of each table in membership inference.
const MEMBERSHIP_ROWS: usize = 5_000;

/// The results of the attacks that could be run.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::report) struct Attacks {
    /// Singling out, linkability and inference, by name.
    pub(in crate::report) outcomes: Vec<(String, Outcome)>,
    /// Membership inference, by what it looks at.
    pub(in crate::report) membership: Vec<(&'static str, Membership)>,
}

impl Attacks {
    /// The attack with the highest estimated risk, among those that are better than guessing; of equal ones the first.
    pub(in crate::report) fn strongest(&self) -> Option<&(String, Outcome)> {
        let better = self.outcomes.iter().filter(|(_, outcome)| !outcome.failed);
        better.reduce(|best, other| if other.1.risk > best.1.risk { other } else { best })
    }

    /// The highest AUC of membership inference.
    pub(in crate::report) fn membership_auc(&self) -> Option<Estimate> {
        self.membership.iter().map(|(_, found)| found.auc).max_by(|a, b| a.value.total_cmp(&b.value))
    }
}

impl Scores {
    /// Runs the attacks on training rows and, as their control, on holdout rows.
    pub(in crate::report) fn attacks(&mut self, tables: &Compared, secrets: &[String], seed: u64) -> Result<Attacks> {
        let Some(holdout) = tables.holdout else {
            self.add_attack("attacks", "Attacks", Err("needs a holdout".into()), "What an attacker gains from the synthetic table.");
            return Ok(Attacks::default());
        };
        let (real, synthetic) = (tables.real, tables.synthetic);
        let single = |predicates| singling_out(real, synthetic, holdout, predicates, ATTEMPTS, seed);
        let link = || {
            let shared = align(&[real, synthetic, holdout])?;
            let names: Vec<&str> = shared[0].schema().names().collect();
            if names.len() < 2 {
                return undefined("one column cannot be linked with another");
            }
            let half = |odd: usize| names.iter().skip(odd).step_by(2).copied().collect::<Vec<&str>>();
            linkability(real, synthetic, holdout, (&half(0), &half(1)), ATTEMPTS, seed)
        };
        let outcomes = [
            self.risk(
                ("singling_out_one", "Singling out by one column"),
                single(Predicates::OneColumn),
                "a value that only one synthetic row has occurs in only one training row",
            )?,
            self.risk(
                ("singling_out_many", "Singling out by three columns"),
                single(Predicates::Columns(PREDICATE_COLUMNS)),
                "a combination of three attributes that only one synthetic row has occurs in only one training row",
            )?,
            self.risk(("linkability", "Linkability"), link(), "two halves of a target's columns lead to the same synthetic row")?,
        ];
        let mut outcomes: Vec<(String, Outcome)> =
            outcomes.into_iter().flatten().map(|(name, outcome)| (name.to_owned(), outcome)).collect();
        outcomes.extend(self.inferences(tables, holdout, secrets, seed)?);
        let membership = [
            self.members(
                "distance",
                by_distance(real, synthetic, holdout, MEMBERSHIP_ROWS, seed),
                "rows close to a synthetic row are taken for training rows",
            )?,
            self.members(
                "relative_distance",
                by_relative_distance(real, synthetic, holdout, MEMBERSHIP_ROWS, seed),
                "rows that are closer to a synthetic row than to other real rows are taken for training rows, which finds copies of unusual rows",
            )?,
            self.members(
                "density",
                by_density(real, synthetic, holdout, MEMBERSHIP_ROWS, seed),
                "rows where synthetic rows are denser than other real rows are taken for training rows (DOMIAS), which finds models that are too dense around whole groups of training rows, not copies of single ones",
            )?,
        ];
        Ok(Attacks { outcomes, membership: membership.into_iter().flatten().collect() })
    }

    /// Inference of every secret column; the score is that of the column with the highest risk.
    fn inferences(&mut self, tables: &Compared, holdout: &Table, secrets: &[String], seed: u64) -> Result<Vec<(String, Outcome)>> {
        let (real, synthetic) = (tables.real, tables.synthetic);
        let shared = reason(align(&[real, synthetic, holdout]))?;
        let all = || shared.as_ref().map_or_else(|_| Vec::new(), |shared| shared[0].schema().names().map(str::to_owned).collect());
        let columns: Vec<String> = if secrets.is_empty() { all() } else { secrets.to_vec() };
        let names: Vec<&str> = columns.iter().map(String::as_str).collect();
        let found = reason(inference(real, synthetic, holdout, &names, ATTEMPTS, seed))?;
        let worst = found.as_ref().map_err(Clone::clone).and_then(|found| {
            let better = |of: &Inference| if of.outcome.failed { -1.0 } else { of.outcome.risk };
            let worst = found.iter().reduce(|best, other| if better(other) > better(best) { other } else { best });
            worst.ok_or_else(|| "there is no column to infer".to_owned())
        });
        let what = worst.as_ref().map_or_else(
            |_| "the synthetic row closest to a target in all other columns has the target's value of the remaining one".to_owned(),
            |worst| format!("the synthetic row closest to a target in all other columns has the target's value of \"{}\", of all columns the one with the highest risk", worst.secret),
        );
        self.risk(("inference", "Inference"), worst.map(|worst| worst.outcome).map_err(crate::Error::Undefined), &what)?;
        let named = |of: Inference| (format!("Inference of {}", of.secret), of.outcome);
        Ok(found.into_iter().flatten().map(named).collect())
    }

    fn add_attack(&mut self, id: &str, name: &str, value: Result<f64, String>, meaning: &str) {
        self.add(Group::Privacy, (id, name), value, None, Direction::Lower, meaning);
        self.ideal(0.0);
    }

    fn risk(&mut self, (id, name): (&str, &'static str), outcome: Result<Outcome>, what: &str) -> Result<Option<(&'static str, Outcome)>> {
        let outcome = reason(outcome)?;
        let failed = outcome.as_ref().is_ok_and(|outcome| outcome.failed);
        let weak = if failed { " Guessing does as well, so this attack was too weak to measure a risk." } else { "" };
        let meaning = format!("Risk that {what}, beyond the same for holdout rows; 0 none, 1 certain.{weak}");
        self.add_attack(id, &format!("Attack: {name}"), outcome.as_ref().map(|outcome| outcome.risk).map_err(Clone::clone), &meaning);
        self.interval(outcome.as_ref().ok().map(|outcome| outcome.interval));
        Ok(outcome.ok().map(|outcome| (name, outcome)))
    }

    /// Membership inference by shadow models.
    pub(in crate::report) fn shadows(
        &mut self,
        tables: &Compared,
        shadows: &Shadows,
        generate: Generate<Table>,
    ) -> Result<Option<(&'static str, Membership)>> {
        let found = tables
            .holdout
            .map_or_else(|| undefined("needs a holdout"), |holdout| by_shadows(tables.real, tables.synthetic, holdout, shadows, generate));
        self.members("shadow", found, &by_shadow_models(shadows.models))
    }

    fn members(&mut self, by: &'static str, found: Result<Membership>, how: &str) -> Result<Option<(&'static str, Membership)>> {
        let found = reason(found)?;
        self.list.extend(of_membership(by, found.as_ref(), "rows", how));
        Ok(found.ok().map(|found| (by, found)))
    }
}

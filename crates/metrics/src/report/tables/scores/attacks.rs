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
use crate::table::attacks::membership::{by_density, by_distance};
use crate::table::attacks::shadow::by_shadows;
use crate::table::attacks::{Outcome, Predicates, inference, linkability, singling_out};

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
    pub(in crate::report) outcomes: Vec<(&'static str, Outcome)>,
    pub(in crate::report) membership: Vec<Membership>,
}

impl Attacks {
    /// The attack with the largest lower end of the risk, among those that are better than guessing.
    pub(in crate::report) fn strongest(&self) -> Option<&(&'static str, Outcome)> {
        let better = self.outcomes.iter().filter(|(_, outcome)| !outcome.failed);
        better.max_by(|(_, a), (_, b)| a.interval[0].total_cmp(&b.interval[0]))
    }

    /// The AUC of membership inference with the largest lower end.
    pub(in crate::report) fn membership_auc(&self) -> Option<Estimate> {
        self.membership.iter().map(|found| found.auc).max_by(|a, b| a.interval[0].total_cmp(&b.interval[0]))
    }
}

impl Scores {
    /// Runs the attacks on training rows and, as their control, on holdout rows.
    pub(in crate::report) fn attacks(&mut self, tables: &Compared, target: Option<&str>, seed: u64) -> Result<Attacks> {
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
        let infer = || match target {
            Some(target) => Ok(inference(real, synthetic, holdout, target, ATTEMPTS, seed)?.outcome),
            None => undefined("no target column was named"),
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
            self.risk(
                ("inference", "Inference"),
                infer(),
                "the synthetic row closest to a target in all other columns has the target's value of the predicted column",
            )?,
        ];
        let membership = [
            self.members(
                "distance",
                by_distance(real, synthetic, holdout, MEMBERSHIP_ROWS, seed),
                "rows close to a synthetic row are taken for training rows",
            )?,
            self.members(
                "density",
                by_density(real, synthetic, holdout, MEMBERSHIP_ROWS, seed),
                "rows where synthetic rows are denser than other real rows are taken for training rows (DOMIAS)",
            )?,
        ];
        Ok(Attacks { outcomes: outcomes.into_iter().flatten().collect(), membership: membership.into_iter().flatten().collect() })
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
    ) -> Result<Option<Membership>> {
        let found = tables
            .holdout
            .map_or_else(|| undefined("needs a holdout"), |holdout| by_shadows(tables.real, tables.synthetic, holdout, shadows, generate));
        self.members("shadow", found, &by_shadow_models(shadows.models))
    }

    fn members(&mut self, by: &str, found: Result<Membership>, how: &str) -> Result<Option<Membership>> {
        let found = reason(found)?;
        self.list.extend(of_membership(by, found.as_ref(), "rows", how));
        Ok(found.ok())
    }
}

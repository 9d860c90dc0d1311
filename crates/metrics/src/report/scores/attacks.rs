//! The attacks of a report: run, named, and each beside what guessing gets.

use semblant_data::table::Table;
use serde::{Deserialize, Serialize};

use super::membership::{how_shadows, of_membership};
use super::{Compared, Direction, Group, Scores, reason};
use crate::Result;
use crate::bootstrap::Estimate;
use crate::error::undefined;
use crate::membership::Membership;
use crate::membership::lira::{Generate, Shadows};
use crate::table::align::align;
use crate::table::attacks::membership::{by_density, by_distance};
use crate::table::attacks::shadow::by_shadows;
use crate::table::attacks::{Outcome, Predicates, inference, linkability, singling_out};

/// Persons, or predicates, of an attack.
const ATTEMPTS: usize = 1_000;
/// Columns of a predicate on several.
const PREDICATE_COLUMNS: usize = 3;
/// Rows of each table in the attacks on membership.
const MEMBERSHIP_ROWS: usize = 5_000;

/// What the attacks achieved; none where one could not be run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Attacks {
    /// [`singling_out`] by one column.
    pub singling_out_one: Option<Outcome>,
    /// [`singling_out`] by three columns.
    pub singling_out_many: Option<Outcome>,
    /// [`linkability`] of every other column with the rest.
    pub linkability: Option<Outcome>,
    /// [`inference`] of the target from all other columns.
    pub inference: Option<Outcome>,
    /// [`by_distance`].
    pub membership_distance: Option<Membership>,
    /// [`by_density`].
    pub membership_density: Option<Membership>,
    /// [`by_shadows`], where models were trained for it.
    #[serde(default)]
    pub membership_shadow: Option<Membership>,
}

impl Attacks {
    /// Every attack that a guess does not match, by name.
    fn outcomes(&self) -> impl Iterator<Item = (&'static str, &Outcome)> {
        let named = [
            ("singling out by one column", &self.singling_out_one),
            ("singling out by three columns", &self.singling_out_many),
            ("linking two halves of the columns", &self.linkability),
            ("inferring the target", &self.inference),
        ];
        named.into_iter().filter_map(|(name, outcome)| Some((name, outcome.as_ref()?))).filter(|(_, outcome)| !outcome.failed)
    }

    /// The attack whose risk is surest to be above 0.
    pub(in crate::report) fn strongest(&self) -> Option<(&'static str, &Outcome)> {
        self.outcomes().max_by(|(_, a), (_, b)| a.interval[0].total_cmp(&b.interval[0]))
    }

    /// The largest AUC of the attacks on membership.
    pub(in crate::report) fn membership(&self) -> Option<Estimate> {
        let all = [self.membership_distance, self.membership_density, self.membership_shadow];
        all.into_iter().flatten().map(|found| found.auc).max_by(|a, b| a.interval[0].total_cmp(&b.interval[0]))
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
        Ok(Attacks {
            singling_out_one: self.risk(
                ("singling_out_one", "Singling out by one column"),
                single(Predicates::OneColumn),
                "an attribute that only one synthetic row has fits only one training row",
            )?,
            singling_out_many: self.risk(
                ("singling_out_many", "Singling out by three columns"),
                single(Predicates::Columns(PREDICATE_COLUMNS)),
                "a combination of three attributes that only one synthetic row has fits only one training row",
            )?,
            linkability: self.risk(
                ("linkability", "Linkability"),
                link(),
                "two halves of a person's columns lead to the same synthetic row",
            )?,
            inference: self.risk(
                ("inference", "Inference"),
                infer(),
                "the target of a person is that of the synthetic row that is most alike in all other columns",
            )?,
            membership_distance: self.members(
                "distance",
                by_distance(real, synthetic, holdout, MEMBERSHIP_ROWS, seed),
                "who is close to a synthetic row is taken for a training row",
            )?,
            membership_density: self.members(
                "density",
                by_density(real, synthetic, holdout, MEMBERSHIP_ROWS, seed),
                "who lies where synthetic rows are denser than other real rows is taken for a training row (DOMIAS)",
            )?,
            membership_shadow: None,
        })
    }

    fn add_attack(&mut self, id: &str, name: &str, value: Result<f64, String>, meaning: &str) {
        self.add(Group::Privacy, (id, name), value, None, Direction::Lower, meaning);
        self.ideal(0.0);
    }

    fn risk(&mut self, (id, name): (&str, &str), outcome: Result<Outcome>, what: &str) -> Result<Option<Outcome>> {
        let rates = outcome.as_ref().map_or_else(
            |_| String::new(),
            |outcome| {
                let percent = |rate: f64| format!("{:.1} %", 100.0 * rate);
                let weak = if outcome.failed { " Guessing does as well, so the attack was too weak to say anything." } else { "" };
                format!(
                    " Succeeds for {} of the training rows, {} of the holdout, {} by guessing; 95 % interval of the risk {} to {}.{weak}",
                    percent(outcome.main.rate),
                    percent(outcome.control.rate),
                    percent(outcome.baseline.rate),
                    percent(outcome.interval[0]),
                    percent(outcome.interval[1]),
                )
            },
        );
        let outcome = reason(outcome)?;
        let meaning = format!("Risk, beyond what holdout rows give away, that {what}; 0 none, 1 certain.{rates}");
        self.add_attack(id, &format!("Attack: {name}"), outcome.as_ref().map(|outcome| outcome.risk).map_err(Clone::clone), &meaning);
        Ok(outcome.ok())
    }

    /// The attack by shadow models, for which models are trained.
    pub(in crate::report) fn shadows(
        &mut self,
        tables: &Compared,
        shadows: &Shadows,
        generate: Generate<Table>,
    ) -> Result<Option<Membership>> {
        let found = tables
            .holdout
            .map_or_else(|| undefined("needs a holdout"), |holdout| by_shadows(tables.real, tables.synthetic, holdout, shadows, generate));
        self.members("shadow", found, &how_shadows(shadows.models))
    }

    fn members(&mut self, by: &str, found: Result<Membership>, how: &str) -> Result<Option<Membership>> {
        let found = reason(found)?;
        self.list.extend(of_membership(by, found.as_ref(), "rows", how));
        Ok(found.ok())
    }
}

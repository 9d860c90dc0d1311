//! The scores of a table, each with its name, reference and meaning.

mod attacks;
mod distributions;
mod intervals;
mod privacy;
mod rules;
mod utility;

use semblant_data::table::Table;

pub(super) use attacks::Attacks;
pub(super) use intervals::Spread;
pub(super) use privacy::mark;

use super::looks::Looks;
use crate::bootstrap::Estimate;
use crate::report::{Direction, Group, ReferenceFrom, Score};
use crate::table::diagnostic::diagnostic;
use crate::table::pairs::PairScores;
use crate::table::shapes::{ColumnScores, mean};
use crate::{Error, Result};

/// The tables that scores compare.
#[derive(Clone, Copy)]
pub(super) struct Compared<'a> {
    pub(super) real: &'a Table,
    pub(super) synthetic: &'a Table,
    pub(super) holdout: Option<&'a Table>,
}

/// The scores so far.
pub(super) struct Scores {
    pub(super) list: Vec<Score>,
    pub(super) holdout: bool,
}

impl Scores {
    fn add(
        &mut self,
        group: Group,
        (id, name): (&str, &str),
        value: Result<f64, String>,
        reference: Option<f64>,
        direction: Direction,
        meaning: &str,
    ) {
        let reference_from = match group {
            Group::Utility => ReferenceFrom::TrainedOnReal,
            _ if self.holdout => ReferenceFrom::Holdout,
            _ => ReferenceFrom::Ideal,
        };
        let (value, undefined) = match value {
            Ok(value) if value.is_finite() => (Some(value), None),
            Ok(_) => (None, Some("the values are too large to compute with".to_owned())),
            Err(why) => (None, Some(why)),
        };
        let reference = reference.filter(|reference| reference.is_finite());
        let (id, name, meaning) = (id.to_owned(), name.to_owned(), meaning.to_owned());
        self.list.push(Score {
            id,
            group,
            name,
            value,
            interval: None,
            reference,
            reference_from,
            direction,
            mark: None,
            meaning,
            undefined,
        });
    }

    /// A score of the synthetic table with that of the holdout as its reference, or `ideal` without a holdout.
    fn with_holdout(
        &mut self,
        group: Group,
        names: (&str, &str),
        (tables, ideal): (&Compared, Option<f64>),
        direction: Direction,
        meaning: &str,
        score: impl Fn(&Table) -> Result<f64>,
    ) -> Result<()> {
        let value = reason(score(tables.synthetic))?;
        let reference = tables.holdout.map(|holdout| reason(score(holdout))).transpose()?.map_or(ideal, Result::ok);
        self.add(group, names, value, reference, direction, meaning);
        Ok(())
    }

    /// Sets the interval of the last score, if it has a value.
    fn interval(&mut self, interval: Option<[f64; 2]>) {
        if let Some(score) = self.list.last_mut() {
            score.interval = interval.filter(|_| score.value.is_some());
        }
    }

    /// Sets an ideal value as the reference of the last score.
    fn ideal(&mut self, value: f64) {
        if let Some(score) = self.list.last_mut() {
            (score.reference, score.reference_from) = (Some(value), ReferenceFrom::Ideal);
        }
    }

    /// Marks the reference of the last score as that of the real rows among themselves, if it has one and there is no holdout.
    fn among_real_rows(&mut self) {
        if let Some(score) = self.list.last_mut().filter(|score| !self.holdout && score.reference.is_some()) {
            score.reference_from = ReferenceFrom::WithinReal;
        }
    }

    pub(super) fn fidelity(
        &mut self,
        shapes: &ColumnScores,
        shapes_holdout: Option<&ColumnScores>,
        pairs: &PairScores,
        pairs_holdout: Option<&PairScores>,
        spread: &Spread,
    ) {
        let defined = |value: Option<f64>, why: &str| value.ok_or_else(|| why.to_owned());
        let reference = |value: Option<Option<f64>>| value.unwrap_or(Some(1.0));
        let (shape, shape_reference) = (shapes.mean, reference(shapes_holdout.map(|shapes| shapes.mean)));
        let (trend, trend_reference) = (pairs.mean, reference(pairs_holdout.map(|pairs| pairs.mean)));
        let overall = |shape: Option<f64>, trend: Option<f64>| mean(shape.into_iter().chain(trend));
        let add = |this: &mut Self, id, name, value: Result<f64, String>, reference, meaning: &str| {
            let interval = value.as_ref().ok().and_then(|value| spread.interval(id, *value));
            this.add(Group::Fidelity, (id, name), value, reference, Direction::Higher, meaning);
            this.interval(interval);
        };
        let related = pairs.mean_related;
        let related_reference = reference(pairs_holdout.map(|pairs| pairs.mean_related));
        add(
            self,
            "quality",
            "Quality",
            defined(overall(shape, related), "nothing could be compared"),
            overall(shape_reference, related_reference),
            "The mean of column shapes and trends of related pairs: SDMetrics' quality since 0.27.",
        );
        add(
            self,
            "quality_all_pairs",
            "Quality, all pairs",
            defined(overall(shape, trend), "nothing could be compared"),
            overall(shape_reference, trend_reference),
            "The mean of column shapes and column pair trends: the quality of SDMetrics before 0.27 and of papers.",
        );
        add(
            self,
            "column_shapes",
            "Column shapes",
            defined(shape, "no column has a defined score"),
            shape_reference,
            "Similarity of the distributions of single columns, averaged over columns; 1 is equal.",
        );
        add(
            self,
            "column_pair_trends",
            "Column pair trends",
            defined(trend, "no pair of columns has a defined score"),
            trend_reference,
            "Similarity of correlations and joint distributions of two columns, averaged over all pairs; 1 is equal.",
        );
        add(
            self,
            "column_pair_trends_related",
            "Trends of related pairs",
            defined(related, "no pair of columns is clearly related in the real table"),
            related_reference,
            "The same over pairs that are clearly related in the real table, where differences matter most.",
        );
    }

    /// Detection against the real rows, with that of holdout rows as its reference, and against the holdout, of which synthetic rows are no
    /// copies.
    pub(super) fn detection(&mut self, auc: Result<Estimate>, reference: Option<f64>, holdout: Option<Result<Estimate>>) -> Result<()> {
        let meaning = "How well boosted trees distinguish synthetic rows from real ones; 0.5 is guessing, 1 is always right. Strict: one detail that is wrong in every row is enough for 1.";
        self.one_detection(("detection_auc", "Detection AUC"), auc, reference, meaning)?;
        let meaning = "The same against holdout rows; above the detection AUC if synthetic rows repeat training rows.";
        let holdout = holdout.unwrap_or_else(|| Err(Error::Undefined("needs a holdout".into())));
        self.one_detection(("detection_auc_holdout", "Detection AUC, holdout"), holdout, None, meaning)
    }

    fn one_detection(&mut self, names: (&str, &str), auc: Result<Estimate>, reference: Option<f64>, meaning: &str) -> Result<()> {
        let auc = reason(auc)?;
        let value = auc.as_ref().map(|auc| auc.value).map_err(Clone::clone);
        self.add(Group::Fidelity, names, value, reference, Direction::Lower, meaning);
        if reference.is_none() {
            self.ideal(0.5);
        }
        self.interval(auc.ok().map(|auc| auc.interval));
        Ok(())
    }

    /// What is kept of the relations between columns, and rows that repeat each other.
    pub(super) fn looks(&mut self, looks: &Looks) {
        let relations = looks.relations.as_ref().ok_or_else(|| "no two columns of the real table are related".to_owned());
        let kept = relations.as_ref().map(|relations| relations.kept);
        self.add(
            Group::Fidelity,
            ("relations_kept", "Relations kept"),
            kept.map(|kept| kept.value).map_err(|why| why.clone()),
            Some(1.0),
            Direction::Higher,
            "Similarity of the joint shares of related columns, from shuffled columns (0) to as many new real rows (1).",
        );
        self.ideal(1.0);
        self.interval(kept.ok().map(|kept| kept.interval));
        self.add(
            Group::Fidelity,
            ("repeated_rows", "Repeated rows"),
            Ok(looks.repeated[0]),
            Some(looks.repeated[1]),
            Direction::NearReference,
            "Share of synthetic rows that equal another synthetic row; the reference is the share of as many real rows that equal another one.",
        );
    }

    pub(super) fn validity(&mut self, real: &Table, synthetic: &Table, holdout: Option<&Table>) -> Result<()> {
        let found = diagnostic(real, synthetic)?;
        let reference = holdout.map(|holdout| diagnostic(real, holdout)).transpose()?;
        let validity = found.validity.mean.ok_or_else(|| "no column has a defined score".to_owned());
        let reference = reference.map_or(Some(1.0), |reference| reference.validity.mean);
        self.add(
            Group::Validity,
            ("data_validity", "Data validity"),
            validity,
            reference,
            Direction::Higher,
            "Share of values within the real range or among the real labels, and of unique ids; 1 is best. Coverage asks the reverse.",
        );
        self.add(
            Group::Validity,
            ("data_structure", "Data structure"),
            Ok(found.structure),
            Some(1.0),
            Direction::Higher,
            "Share of columns that both tables have with the same type; 1 is best.",
        );
        self.ideal(1.0);
        Ok(())
    }
}

/// A score that is not defined, or whose tables share no column, as its reason; other errors stay errors.
fn reason<T>(score: Result<T>) -> Result<Result<T, String>> {
    match score {
        Err(Error::Undefined(why) | Error::Tables(why)) => Ok(Err(why)),
        other => other.map(Ok),
    }
}

//! The evaluation, stage by stage.

use semblant_data::table::Table;

use super::verdict::verdicts;
use super::{ColumnDetail, Direction, FORMAT, Figures, Group, Options, ReferenceFrom, Report, Rows, Score, figures};
use crate::random::subsample;
use crate::table::align::align;
use crate::table::detection::detection_auc;
use crate::table::diagnostic::diagnostic;
use crate::table::pairs::{PairScores, column_pair_trends};
use crate::table::privacy::{Privacy, privacy};
use crate::table::shapes::{ColumnScores, column_shapes, mean};
use crate::table::utility::{Prediction, Utility, utility};
use crate::{Error, Result};

/// Measures `synthetic` against `real`, the rows its generator was trained on, and against `holdout`, real rows that the generator never saw
/// (without them nothing can be said about privacy). `progress` is told the name of each stage as it starts.
///
/// A score that is not defined for these tables is reported as such with the reason and does not stop the others.
///
/// # Errors
/// [`Error::Tables`] when the tables share no column or one has no rows, [`Error::Data`] when the target does not exist.
pub fn evaluate(
    real: &Table,
    synthetic: &Table,
    holdout: Option<&Table>,
    options: &Options,
    progress: &mut dyn FnMut(&str),
) -> Result<Report> {
    let target = options.target.as_deref().or(real.schema().target.as_deref());
    if let Some(target) = target {
        real.schema().index_of(target)?;
    }
    let judged = align(&[real, synthetic])?;
    let mut scores = Scores { list: Vec::new(), holdout: holdout.is_some() };

    progress("column shapes");
    let shapes = column_shapes(real, synthetic)?;
    let shapes_holdout = holdout.map(|holdout| column_shapes(real, holdout)).transpose()?;
    progress("column pair trends");
    let pairs = column_pair_trends(real, synthetic, options.bins)?;
    let pairs_holdout = holdout.map(|holdout| column_pair_trends(real, holdout, options.bins)).transpose()?;
    scores.fidelity(&shapes, shapes_holdout.as_ref(), &pairs, pairs_holdout.as_ref());

    progress("detection");
    let cut = |table: &Table, purpose| table.take(&subsample(table.rows(), options.max_rows.unwrap_or(usize::MAX), options.seed, purpose));
    let (real_cut, synthetic_cut, holdout_cut) = (cut(real, 11), cut(synthetic, 12), holdout.map(|holdout| cut(holdout, 13)));
    let reference = holdout_cut.as_ref().and_then(|holdout| detection_auc(&real_cut, holdout, options.seed).ok());
    scores.detection(detection_auc(&real_cut, &synthetic_cut, options.seed), reference)?;

    progress("utility");
    scores.utility(target, target.map(|target| train_and_test(real, synthetic, holdout, target, options.seed)))?;

    progress("privacy");
    let privacy = privacy(&real_cut, &synthetic_cut, holdout_cut.as_ref(), options.seed)?;
    scores.privacy(&privacy);

    progress("validity");
    scores.validity(real, synthetic, holdout)?;

    progress("figures");
    let figures = Figures {
        marginals: figures::marginals(&judged),
        matrices: figures::matrices(judged[0].schema().names().map(str::to_owned).collect(), &pairs.pairs),
        scatter: figures::scatter(&judged, options.scatter_points, options.seed),
        distances: Some(figures::distances(&privacy)),
    };
    Ok(Report {
        format: FORMAT,
        rows: Rows { real: real.rows(), synthetic: synthetic.rows(), holdout: holdout.map(Table::rows) },
        seed: options.seed,
        verdicts: verdicts(&scores.list, synthetic_cut.rows(), holdout_cut.as_ref().map(Table::rows)),
        scores: scores.list,
        columns: columns(shapes, shapes_holdout),
        pairs: pairs.pairs,
        notes: notes(real, synthetic, holdout, &judged[0], options),
        figures,
    })
}

/// Utility on the holdout; without one, on a fifth of the real rows that the model trained on real rows does not see.
fn train_and_test(real: &Table, synthetic: &Table, holdout: Option<&Table>, target: &str, seed: u64) -> Result<Utility> {
    if let Some(holdout) = holdout {
        return utility(real, synthetic, holdout, target, seed);
    }
    let test = subsample(real.rows(), real.rows().div_ceil(5), seed, 14);
    let train: Vec<usize> = (0..real.rows()).filter(|row| test.binary_search(row).is_err()).collect();
    if train.is_empty() {
        return Err(Error::Undefined("the real table has too few rows to split".into()));
    }
    utility(&real.take(&train), synthetic, &real.take(&test), target, seed)
}

fn columns(shapes: ColumnScores, holdout: Option<ColumnScores>) -> Vec<ColumnDetail> {
    let reference = |name: &str| holdout.as_ref()?.columns.iter().find(|score| score.column == name)?.value;
    let detail = |score: crate::table::shapes::ColumnScore| ColumnDetail {
        reference: reference(&score.column),
        column: score.column,
        metric: score.metric,
        value: score.value,
        undefined: score.undefined,
    };
    shapes.columns.into_iter().map(detail).collect()
}

fn notes(real: &Table, synthetic: &Table, holdout: Option<&Table>, judged: &Table, options: &Options) -> Vec<String> {
    let mut notes = Vec::new();
    let left_out: Vec<&str> = real.schema().names().filter(|name| judged.schema().index_of(name).is_err()).collect();
    if !left_out.is_empty() {
        notes.push(format!("Not compared, because they are ids, constant, or not in both tables with one type: {}.", left_out.join(", ")));
    }
    if holdout.is_none() {
        notes.push("There is no holdout. References are ideal values, privacy is not judged, and utility is tested on a fifth of the real rows, which the generator may have seen.".into());
    }
    let longest = real.rows().max(synthetic.rows()).max(holdout.map_or(0, Table::rows));
    if let Some(max_rows) = options.max_rows.filter(|&max_rows| max_rows < longest) {
        notes.push(format!(
            "Distances, copies and detection use {max_rows} random rows of each table; copies of rows left out are not seen."
        ));
    }
    notes.push(
        "Passing the privacy checks is no guarantee: they look for copies and near copies, not for every way to learn about a person."
            .into(),
    );
    notes
}

/// The scores as they come.
struct Scores {
    list: Vec<Score>,
    holdout: bool,
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
        self.list.push(Score { id, group, name, value, reference, reference_from, direction, meaning, undefined });
    }

    /// The last score's reference is one by definition.
    fn ideal(&mut self, value: f64) {
        if let Some(score) = self.list.last_mut() {
            (score.reference, score.reference_from) = (Some(value), ReferenceFrom::Ideal);
        }
    }

    fn fidelity(
        &mut self,
        shapes: &ColumnScores,
        shapes_holdout: Option<&ColumnScores>,
        pairs: &PairScores,
        pairs_holdout: Option<&PairScores>,
    ) {
        let defined = |value: Option<f64>, why: &str| value.ok_or_else(|| why.to_owned());
        let reference = |value: Option<Option<f64>>| value.unwrap_or(Some(1.0));
        let (shape, shape_reference) = (shapes.mean, reference(shapes_holdout.map(|shapes| shapes.mean)));
        let (trend, trend_reference) = (pairs.mean, reference(pairs_holdout.map(|pairs| pairs.mean)));
        let overall = |shape: Option<f64>, trend: Option<f64>| mean(shape.into_iter().chain(trend));
        let add = |this: &mut Self, id, name, value, reference, meaning| {
            this.add(Group::Fidelity, (id, name), value, reference, Direction::Higher, meaning)
        };
        add(
            self,
            "quality",
            "Quality",
            defined(overall(shape, trend), "nothing could be compared"),
            overall(shape_reference, trend_reference),
            "The mean of the two scores that follow.",
        );
        add(
            self,
            "column_shapes",
            "Column shapes",
            defined(shape, "no column has a defined score"),
            shape_reference,
            "How alike the distributions of single columns are, averaged over columns; 1 is equal.",
        );
        add(
            self,
            "column_pair_trends",
            "Column pair trends",
            defined(trend, "no pair of columns has a defined score"),
            trend_reference,
            "How alike pairs of columns move together, averaged over all pairs; 1 is equal.",
        );
        let related = reference(pairs_holdout.map(|pairs| pairs.mean_related));
        add(
            self,
            "column_pair_trends_related",
            "Trends of related pairs",
            defined(pairs.mean_related, "no pair of columns is clearly related in the real table"),
            related,
            "The same over those pairs only that are clearly related in the real table, where a failure matters most.",
        );
    }

    fn detection(&mut self, auc: Result<f64>, reference: Option<f64>) -> Result<()> {
        let meaning = "How well boosted trees tell synthetic rows from real ones; 0.5 is guessing, 1 is never wrong. Demanding: one detail that is always off is enough for 1.";
        self.add(Group::Fidelity, ("detection_auc", "Detection AUC"), reason(auc)?, reference.or(Some(0.5)), Direction::Lower, meaning);
        if reference.is_none() {
            self.ideal(0.5);
        }
        Ok(())
    }

    fn utility(&mut self, target: Option<&str>, result: Option<Result<Utility>>) -> Result<()> {
        let Some(result) = result else {
            self.add(
                Group::Utility,
                ("utility", "Trained on synthetic"),
                Err("no target column was named".into()),
                None,
                Direction::Higher,
                "How well a model trained on synthetic rows predicts real ones.",
            );
            return Ok(());
        };
        let utility = match result {
            Err(Error::Undefined(why)) => Err(why),
            other => Ok(other?),
        };
        let target = target.unwrap_or_default();
        let (real, synthetic) = match utility {
            Ok(utility) => (Some(utility.real), utility.synthetic),
            Err(why) => (None, Err(why)),
        };
        let parts = |prediction: &Prediction| match *prediction {
            Prediction::Classes { auc, f1 } => [auc, f1],
            Prediction::Values { r2, rmse } => [r2, rmse],
        };
        let numeric = matches!(real, Some(Prediction::Values { .. }));
        let names = if numeric { [("utility_r2", "R2"), ("utility_rmse", "RMSE")] } else { [("utility_auc", "AUC"), ("utility_f1", "F1")] };
        for (place, (id, name)) in names.into_iter().enumerate() {
            let value = synthetic.as_ref().map(|prediction| parts(prediction)[place]).map_err(Clone::clone);
            let direction = if id == "utility_rmse" { Direction::Lower } else { Direction::Higher };
            let meaning = format!(
                "{name} of boosted trees that learnt from synthetic rows to predict \"{target}\", on real rows; the reference learnt from real rows."
            );
            self.add(
                Group::Utility,
                (id, &format!("Trained on synthetic: {name}")),
                value,
                real.as_ref().map(|prediction| parts(prediction)[place]),
                direction,
                &meaning,
            );
        }
        Ok(())
    }

    fn privacy(&mut self, privacy: &Privacy) {
        let holdout = privacy.holdout.as_ref();
        let add = |this: &mut Self, id, name, value, reference, direction, meaning| {
            this.add(Group::Privacy, (id, name), value, reference, direction, meaning)
        };
        let closer = privacy.closer_to_train.ok_or_else(|| "needs a holdout".to_owned());
        add(
            self,
            "closer_to_train",
            "Closer to training rows",
            closer,
            Some(0.5),
            Direction::NearReference,
            "Share of synthetic rows that lie closer to a training row than to a holdout row, at equal sizes; well above one half means that rows were memorised.",
        );
        self.ideal(0.5);
        add(
            self,
            "copies",
            "Exact copies",
            Ok(privacy.synthetic.copies),
            holdout.map(|close| close.copies),
            Direction::Lower,
            "Share of synthetic rows that equal a training row; the reference says how often new real rows do by chance.",
        );
        add(
            self,
            "dcr_median",
            "Distance to closest record, median",
            Ok(privacy.synthetic.median),
            holdout.map(|close| close.median),
            Direction::NearReference,
            "Distance of a synthetic row to the nearest training row, 0 equal to 1 different in every column; well below the reference is too close, above it is not like the data.",
        );
        add(
            self,
            "dcr_percentile_5",
            "Distance to closest record, 5th percentile",
            Ok(privacy.synthetic.percentile_5),
            holdout.map(|close| close.percentile_5),
            Direction::NearReference,
            "The same for the closest twentieth of the rows, where copies would show.",
        );
        add(
            self,
            "new_row_synthesis",
            "New rows",
            Ok(privacy.synthetic.new_rows),
            holdout.map(|close| close.new_rows),
            Direction::Higher,
            "Share of synthetic rows that match no training row, numbers within 1 %.",
        );
    }

    fn validity(&mut self, real: &Table, synthetic: &Table, holdout: Option<&Table>) -> Result<()> {
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
            "Share of values within the real range or among the real labels, and of ids that are unique; 1 is flawless.",
        );
        self.add(
            Group::Validity,
            ("data_structure", "Data structure"),
            Ok(found.structure),
            Some(1.0),
            Direction::Higher,
            "Share of columns that both tables have with the same type; 1 is all.",
        );
        self.ideal(1.0);
        Ok(())
    }
}

/// An undefined score as its reason; other errors stay errors.
fn reason(score: Result<f64>) -> Result<Result<f64, String>> {
    match score {
        Err(Error::Undefined(why)) => Ok(Err(why)),
        other => other.map(Ok),
    }
}

//! The evaluation, stage by stage.

use semblant_data::table::Table;

use super::scores::{Compared, Scores, Spread};
use super::verdict::verdicts;
use super::{ColumnDetail, FORMAT, Figures, Options, Report, Rows, figures};
use crate::membership::lira::{Generate, Shadows};
use crate::random::subsample;
use crate::table::align::align;
use crate::table::detection::detection_auc;
use crate::table::pairs::column_pair_trends;
use crate::table::privacy::privacy;
use crate::table::shapes::{ColumnScores, column_shapes};
use crate::table::utility::{Utility, UtilityOptions, utility};
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
    evaluate_with_shadows(real, synthetic, holdout, options, None, progress)
}

/// As [`evaluate`], and with the attack by shadow models ([`crate::membership::lira`]) where a model is given that can be trained anew.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_with_shadows(
    real: &Table,
    synthetic: &Table,
    holdout: Option<&Table>,
    options: &Options,
    shadows: Option<(&Shadows, Generate<Table>)>,
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
    progress("intervals");
    let spread = Spread::of_fidelity(real, synthetic, options.bins, options.seed)?;
    scores.fidelity(&shapes, shapes_holdout.as_ref(), &pairs, pairs_holdout.as_ref(), &spread);

    progress("detection");
    let cut = |table: &Table, purpose| table.take(&subsample(table.rows(), options.max_rows.unwrap_or(usize::MAX), options.seed, purpose));
    let (real_cut, synthetic_cut, holdout_cut) = (cut(real, 11), cut(synthetic, 12), holdout.map(|holdout| cut(holdout, 13)));
    let reference = holdout_cut.as_ref().and_then(|holdout| detection_auc(&real_cut, holdout, options.seed).ok());
    scores.detection(detection_auc(&real_cut, &synthetic_cut, options.seed), reference)?;

    let whole = Compared { real, synthetic, holdout };
    let cut = Compared { real: &real_cut, synthetic: &synthetic_cut, holdout: holdout_cut.as_ref() };
    progress("coverage and distances between distributions");
    scores.distributions(&whole, options.seed)?;
    scores.accuracy(&whole, options.seed)?;
    progress("support");
    scores.support(&cut, options.seed)?;

    progress("utility");
    let utility = scores.utility(target, target.map(|target| train_and_test(&whole, target, options)))?;

    progress("privacy");
    let privacy = privacy(&real_cut, &synthetic_cut, holdout_cut.as_ref(), options.seed)?;
    scores.privacy(&privacy);
    progress("disclosure");
    scores.protection(&privacy, &cut, target, options.seed)?;

    progress("attacks");
    let mut attacks = scores.attacks(&cut, target, options.seed)?;
    if let Some((shadows, generate)) = shadows {
        progress("shadow models");
        attacks.membership_shadow = scores.shadows(&whole, shadows, generate)?;
    }

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
        verdicts: verdicts(&scores.list, &attacks, synthetic_cut.rows(), holdout_cut.as_ref().map(Table::rows)),
        scores: scores.list,
        columns: columns(shapes, shapes_holdout),
        pairs: pairs.pairs,
        attacks,
        utility,
        notes: notes(real, synthetic, holdout, &judged[0], options),
        figures,
    })
}

/// Utility on the holdout; without one, on a fifth of the real rows that the model trained on real rows does not see.
fn train_and_test(tables: &Compared, target: &str, options: &Options) -> Result<Utility> {
    let how = UtilityOptions { learners: options.learners.clone(), seed: options.seed, device: options.device.clone() };
    let Compared { real, synthetic, holdout } = *tables;
    if let Some(holdout) = holdout {
        return utility(real, synthetic, holdout, target, &how);
    }
    let test = subsample(real.rows(), real.rows().div_ceil(5), options.seed, 14);
    let train: Vec<usize> = (0..real.rows()).filter(|row| test.binary_search(row).is_err()).collect();
    if train.is_empty() {
        return Err(Error::Undefined("the real table has too few rows to split".into()));
    }
    utility(&real.take(&train), synthetic, &real.take(&test), target, &how)
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
            "Distances, copies, detection, support and attacks use {max_rows} random rows of each table; copies of rows left out are not seen."
        ));
    }
    notes.push(
        "Passing the privacy checks is no guarantee. A good distance to the closest record says nothing about who can be recognised: tables that passed it have given their training rows away to attacks on membership (arXiv 2505.01524). The attacks here are those that are known and cheap, on rows drawn by the seed; others may do better. Only training with differential privacy proves anything."
            .into(),
    );
    notes
}

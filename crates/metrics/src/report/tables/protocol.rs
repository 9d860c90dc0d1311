//! The report of a published protocol: its scores and nothing else.

use semblant_data::table::Table;

use super::Options;
use crate::Result;
use crate::report::{Direction, FORMAT, Group, ReferenceFrom, Report, Score};
use crate::table::align::align;
use crate::table::tabsyn::{TabSyn, tabsyn};

/// The scores of the papers on TabSyn and TabDiff ([`crate::table::tabsyn`]).
///
/// # Errors
/// As [`super::evaluate`].
pub fn evaluate_tabsyn(real: &Table, synthetic: &Table, holdout: Option<&Table>, options: &Options) -> Result<Report> {
    let target = options.target.as_deref().or(real.schema().target.as_deref());
    if let Some(target) = target {
        real.schema().index_of(target)?;
    }
    let found = tabsyn(real, synthetic, holdout, target, options.seed)?;
    let columns = align(&[real, synthetic])?[0].columns().len();
    let mut notes = vec![
        "Published rows were computed on other splits; Adult there has 32,561 training rows. XGBoost's settings are chosen there on a part of the synthetic rows, here they are fixed.".to_owned(),
    ];
    // The share of a model that copies nothing; the papers split in halves.
    let expected = holdout.map(|holdout| real.rows() as f64 / (real.rows() + holdout.rows()) as f64);
    match expected {
        Some(share) if (0.48..=0.52).contains(&share) => {}
        Some(share) => notes.push(format!(
            "The DCR share of a model that copies nothing is about {share:.3} here, the training rows' share of all real rows; the papers split in halves."
        )),
        None => notes.push("Without a holdout there are no MLE and no DCR share.".into()),
    }
    Ok(Report {
        format: FORMAT,
        kind: "table".into(),
        sources: options.sources.filled(
            "rows",
            format!("{columns} columns compared"),
            [real.rows(), synthetic.rows()],
            holdout.map(Table::rows),
        ),
        seed: options.seed,
        verdicts: Vec::new(),
        scores: scores(found, expected),
        sections: Vec::new(),
        notes,
    })
}

fn scores(found: TabSyn, expected_dcr_share: Option<f64>) -> Vec<Score> {
    let TabSyn { shape_error, trend_error, alpha_precision, beta_recall, c2st_logistic, c2st_boosted, mle, dcr_share } = found;
    let score = |id: &str, name: &str, value: Option<f64>, reference: Option<f64>, direction, meaning: &str| Score {
        id: format!("tabsyn_{id}"),
        group: if id == "mle" {
            Group::Utility
        } else if id == "dcr_share" {
            Group::Privacy
        } else {
            Group::Fidelity
        },
        name: name.into(),
        value,
        interval: None,
        reference,
        reference_from: if id == "mle" { ReferenceFrom::TrainedOnReal } else { ReferenceFrom::Ideal },
        direction,
        mark: None,
        meaning: meaning.into(),
        undefined: if value.is_none() { Some("it needs a holdout, a target, or tables of another form".into()) } else { None },
    };
    let [synthetic, trained_on_real] = mle.unwrap_or_default();
    vec![
        score("shape", "Shape (error)", shape_error, Some(0.0), Direction::Lower, "1 - SDMetrics' Column Shapes."),
        score("trend", "Trend (error)", trend_error, Some(0.0), Direction::Lower, "1 - SDMetrics' Column Pair Trends."),
        score(
            "alpha_precision",
            "Alpha-precision",
            Some(alpha_precision),
            Some(1.0),
            Direction::Higher,
            "Synthetic rows where real ones are.",
        ),
        score(
            "beta_recall",
            "Beta-recall",
            Some(beta_recall),
            Some(1.0),
            Direction::Higher,
            "Real rows near which there are synthetic ones.",
        ),
        score("c2st", "C2ST (logistic)", c2st_logistic, Some(1.0), Direction::Higher, "SDMetrics' LogisticDetection."),
        score("c2st_boosted", "C2ST (boosted trees, AUC)", c2st_boosted, Some(0.5), Direction::Lower, "The AUC of boosted trees."),
        score(
            "mle",
            "MLE (AUC or R2)",
            synthetic,
            trained_on_real,
            Direction::Higher,
            "Boosted trees trained on synthetic rows, tested on the holdout.",
        ),
        score(
            "dcr_share",
            "DCR share",
            dcr_share,
            expected_dcr_share,
            Direction::NearReference,
            "Synthetic rows nearer to a training row than to any held-out row.",
        ),
    ]
}

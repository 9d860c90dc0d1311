//! The sections of a table's report.

use semblant_data::table::Table;

use super::figures;
use super::scores::{Attacks, mark};
use crate::report::{Bars, Cell, Content, Distribution, Distributions, Grid, GridRow, Section, pca};
use crate::table::attacks::Rate;
use crate::table::identifying::{Identifying, What};
use crate::table::pairs::PairScore;
use crate::table::privacy::Privacy;
use crate::table::rules::Rules;
use crate::table::shapes::ColumnScores;
use crate::table::utility::{Fairness, Gap, GroupUtility, Prediction, Utility};

/// How to read the answers.
pub(super) fn reading() -> Section {
    Section::reading(
        "A difference or a sign of leakage that an answer names was larger than chance explains, for these rows and this holdout.",
        "That nothing was found does not prove that nothing is there, nor that the rows suit a use that was not tested: a few copies among thousands and attackers who know more can be missed, and only training with differential privacy gives a guarantee.",
    )
}

/// Every model, by what it was trained on.
pub(super) fn models(utility: &Utility, holdout: bool) -> Section {
    let row = |name: &str, trained_on: &str, found: Result<&Prediction, &String>| GridRow {
        name: format!("Trained on {trained_on} rows, {name}"),
        cells: found.map_or_else(
            |_| vec![Cell::Empty; 2],
            |found| vec![Cell::estimate(found.main().value, found.main().interval), Some(found.second()).into()],
        ),
    };
    let mut rows = Vec::new();
    let mut classification = true;
    for of in &utility.learners {
        classification = matches!(of.real, Prediction::Classes { .. });
        rows.push(row(of.learner.name(), "real", Ok(&of.real)));
        rows.push(row(of.learner.name(), "synthetic", of.synthetic.as_ref()));
    }
    if let Some(first) = utility.learners.first() {
        rows.push(row(first.learner.name(), "real and synthetic", utility.augmented.as_ref()));
    }
    let headings = if classification { ["Model", "AUC", "F1"] } else { ["Model", "R2", "RMSE"] };
    let tested = if holdout {
        "holdout rows, which are in no training set"
    } else {
        "real rows, a fifth of them, held out of the training on real rows"
    };
    let text = format!("Predictions of \"{}\" for {} {tested}.", utility.target, utility.test_rows);
    Section::new("models", "Models", text, Content::Table(Grid::new(&headings, rows)))
}

/// F1 of each class of the target.
pub(super) fn classes(utility: &Utility) -> Option<Section> {
    let headings = ["Class", "Real rows", "Synthetic rows", "F1, real", "F1, synthetic", "F1, both"];
    let row = |class: &crate::table::utility::ClassUtility| GridRow {
        name: class.class.clone(),
        cells: vec![
            Cell::Count(class.train_rows[0]),
            Cell::Count(class.train_rows[1]),
            Some(class.real).into(),
            class.synthetic.into(),
            class.augmented.into(),
        ],
    };
    let rows: Vec<GridRow> = utility.classes.iter().map(row).collect();
    let text = "F1 on the test rows of boosted trees trained on real rows, on synthetic rows and on both; the rarest class comes first.";
    let section =
        |rows| Section::new("classes", format!("Classes of {}", utility.target), text, Content::Table(Grid::new(&headings, rows)));
    (!rows.is_empty()).then(|| section(rows))
}

/// Performance in each group of the protected columns.
pub(super) fn group_utility(utility: &Utility) -> Option<Section> {
    let row = |group: &GroupUtility| GridRow {
        name: format!("{}: {}", group.column, group.label),
        cells: vec![
            Cell::Count(group.test_rows),
            Cell::Count(group.train_rows[0]),
            Cell::Count(group.train_rows[1]),
            Some(group.real).into(),
            Some(group.synthetic).into(),
            Cell::estimate(group.loss.value, group.loss.interval),
            Cell::Text(if group.is_lost() { "predicted worse" } else { "" }.into()),
        ],
    };
    let rows: Vec<GridRow> = utility.groups.iter().map(row).collect();
    let headings = ["Group", "Test rows", "Real rows", "Synthetic rows", "Trained on real", "Trained on synthetic", "Loss", "Finding"];
    let text = "AUC or R2 of boosted trees among the test rows of one label of a protected column. The interval of the loss includes the draw of test and training rows.";
    (!rows.is_empty()).then(|| Section::new("group_utility", "Utility by group", text, Content::Table(Grid::new(&headings, rows))))
}

/// How differently predictions treat the groups of protected columns.
pub(super) fn fairness(utility: &Utility) -> Option<Section> {
    let row = |column: &str, measure: &str, gap: &Gap| GridRow {
        name: format!("{column}: {measure}"),
        cells: vec![
            Some(gap.real).into(),
            Some(gap.synthetic).into(),
            Cell::estimate(gap.more.value, gap.more.interval),
            Cell::Text(if gap.is_wider() { "wider" } else { "" }.into()),
        ],
    };
    let rows = |of: &Fairness| {
        let parity = row(&of.column, "demographic parity difference", &of.demographic_parity);
        let odds = of.equalized_odds.as_ref().map(|gap| row(&of.column, "equalized odds difference", gap));
        std::iter::once(parity).chain(odds)
    };
    let class = utility.fairness.first().map(|of| of.class.clone())?;
    let headings = ["Groups of", "Trained on real", "Trained on synthetic", "More", "Finding"];
    let text = format!(
        "How differently boosted trees treat the groups of a protected column when they predict \"{class}\" of \"{}\": the greatest difference between groups in the share predicted (demographic parity), and in the true or false positive rate (equalized odds). 0 is equal treatment.",
        utility.target
    );
    let content = Content::Table(Grid::new(&headings, utility.fairness.iter().flat_map(rows).collect()));
    Some(Section::new("fairness", "Fairness of predictions", text, content))
}

/// The success rates behind the risks; none without a holdout.
pub(super) fn attacks(attacks: &Attacks) -> Option<Section> {
    let rate = |rate: Rate| Cell::estimate(rate.rate, [rate.rate - rate.half_width, rate.rate + rate.half_width]);
    let row = |(name, outcome): &(String, crate::table::attacks::Outcome)| GridRow {
        name: name.clone(),
        cells: vec![rate(outcome.main), rate(outcome.control), rate(outcome.baseline), Cell::estimate(outcome.risk, outcome.interval)],
    };
    let rows: Vec<GridRow> = attacks.outcomes.iter().map(row).collect();
    let headings = ["Attack", "Training rows", "Holdout rows", "Guessing", "Risk"];
    let text = "Success rates of the attacks with 95 % confidence intervals. The risk is what an attacker gains on training rows beyond holdout rows.";
    (!rows.is_empty()).then(|| Section::new("attacks", "Attacks", text, Content::Table(Grid::new(&headings, rows))))
}

/// The columns with identifying values.
pub(super) fn identifying(found: &[Identifying]) -> Option<Section> {
    let row = |of: &Identifying| {
        let what = match of.what {
            What::Ids => "ids",
            What::NearUnique => "nearly unique labels",
            What::RareLabels => "labels of fewer than five rows",
            What::Numbers => "nearly unique numbers",
        };
        let finding = mark(of.finding).word();
        let counts = [Cell::Count(of.values), Cell::Count(of.returned)];
        let shares = [Some(of.synthetic).into(), Some(of.reference).into()];
        let texts = [what, finding].map(|text| Cell::Text(text.into()));
        GridRow { name: of.column.clone(), cells: counts.into_iter().chain(shares).chain(texts).collect() }
    };
    let headings = ["Column", "Real values", "Come back", "Share of synthetic values", "Of new real values", "What", "Finding"];
    let text = "Values of real rows that can name someone, and how many of them the synthetic table has. Ids are to be made anew; other values should come back no more often than in new real rows.";
    let content = || Content::Table(Grid::new(&headings, found.iter().map(row).collect()));
    (!found.is_empty()).then(|| Section::new("identifying", "Identifying values", text, content()))
}

/// Every rule with the shares of rows that keep it.
pub(super) fn rules(rules: &Rules) -> Section {
    let row = |rule: &crate::table::rules::Rule| GridRow {
        name: rule.words.clone(),
        cells: vec![rule.synthetic.into(), rule.holdout.into(), Some(rule.shuffled).into()],
    };
    let headings = ["Rule", "Synthetic rows", "Holdout rows", "Shuffled rows"];
    let text = "Relations that hold in every real row, and the share of other rows that keep them, of those that a rule applies to. The last column is what remains after one column of the real table was shuffled: the lower, the more the rule says.";
    let content = Content::Table(Grid::new(&headings, rules.rules.iter().map(row).collect()));
    Section::new("rules", "Rules", text, content)
}

/// The marginal distribution of each column of two aligned tables.
pub(super) fn columns(tables: &[Table], shapes: &ColumnScores, holdout: Option<&ColumnScores>) -> Section {
    let of = |scores: &ColumnScores, name: &str| scores.columns.iter().find(|score| score.column == name).cloned();
    let charts = tables[0].iter().zip(tables[1].columns()).map(|((described, real), synthetic)| {
        let score = of(shapes, &described.name);
        Distribution {
            name: described.name.clone(),
            metric: score.as_ref().map(|score| score.metric.clone()),
            value: score.as_ref().and_then(|score| score.value),
            reference: holdout.and_then(|holdout| of(holdout, &described.name)?.value),
            undefined: score.and_then(|score| score.undefined),
            missing: [real, synthetic].map(|column| column.missing() as f64 / column.len() as f64),
            bars: figures::bars(described.kind, real, synthetic),
        }
    });
    let content = Content::Distributions(Distributions { series: ["real", "synthetic"].map(String::from), charts: charts.collect() });
    let text = "Shares of the known values of each column. The outermost bars of a histogram include all values beyond them.";
    Section::new("columns", "Columns", text, content)
}

/// The relations between columns.
pub(super) fn pairs(columns: Vec<String>, pairs: &[PairScore]) -> Option<Section> {
    let text = "Pearson correlation of two numbers, Cramér's V of every other pair; the stronger the colour, the stronger the relation. The last panel shows the absolute difference of the two tables.";
    (columns.len() > 1)
        .then(|| Section::new("pairs", "Relations between columns", text, Content::Matrices(figures::matrices(columns, pairs))))
}

/// Rows in the plane of the principal components.
pub(super) fn rows(tables: &[Table], points: usize, seed: u64) -> Option<Section> {
    let text = "Each point is a row, projected onto the first two principal components of the real rows. The two clouds should have the same shape.";
    pca::of_tables(tables, points, seed).map(|scatter| Section::new("rows", "Rows", text, Content::Scatter(scatter)))
}

/// Distances to the training rows.
pub(super) fn distances(privacy: &Privacy) -> Section {
    let first = if privacy.holdout.is_some() { "holdout rows" } else { "real rows, to each other" };
    let chart = Distribution::plain("Distance to the closest training row", Bars::Histogram(figures::distances(privacy)));
    let content = Content::Distributions(Distributions { series: [first, "synthetic rows"].map(String::from), charts: vec![chart] });
    let text = "0 is a copy, 1 differs in every column. Synthetic rows that are closer to the training rows than new real rows are indicate memorization.";
    Section::new("distances", "Distance to the closest training row", text, content)
}

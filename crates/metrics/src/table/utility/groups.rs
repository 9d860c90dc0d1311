//! Utility and fairness by group: how models trained on real and on synthetic rows treat the rows of each label of a protected column.

use rayon::prelude::*;
use semblant_data::table::{Column, Table};
use serde::{Deserialize, Serialize};

use super::Task;
use super::spread::Trained;
use crate::bootstrap::{DRAWS, Estimate, drawn};
use crate::table::shapes::deviation;

/// Fewest test rows of a group.
const LEAST_TEST_ROWS: usize = 100;
/// Fewest test rows of a group that have the class, and that do not, for a rate among them.
const LEAST_OF_CLASS: usize = 10;
/// Most groups of a column.
const MOST_GROUPS: usize = 20;
/// A loss or a gap counts from here on, where it is also this many deviations from 0.
pub(crate) const LEAST: f64 = 0.05;
pub(crate) const DEVIATIONS: f64 = 3.5;

/// How well the first kind of model predicts the test rows of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupUtility {
    /// The protected column.
    pub column: String,
    /// Its label.
    pub label: String,
    /// Test rows with that label.
    pub test_rows: usize,
    /// Real training rows and synthetic rows with it.
    pub train_rows: [usize; 2],
    /// AUC or R2 of the model trained on real rows.
    pub real: f64,
    /// Of that trained on synthetic rows.
    pub synthetic: f64,
    /// `real - synthetic`; the interval includes the draw of test and training rows.
    pub loss: Estimate,
}

impl GroupUtility {
    /// Whether the group loses 0.05 and more, for certain (3.5 deviations).
    pub fn is_lost(&self) -> bool {
        is_certain(&self.loss)
    }
}

/// How differently predictions treat the groups of a column: the rates of the rarer class of the target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fairness {
    /// The protected column.
    pub column: String,
    /// The class whose prediction counts as positive.
    pub class: String,
    /// Greatest difference between groups of the share of rows predicted positive. Source: Agarwal et al. 2018; Fairlearn's
    /// `demographic_parity_difference`.
    pub demographic_parity: Gap,
    /// The greater one of the greatest differences between groups of the true and of the false positive rate, among groups with ten rows of
    /// each. Source: Hardt et al. 2016; Fairlearn's `equalized_odds_difference`. `None` with fewer than two such groups.
    pub equalized_odds: Option<Gap>,
}

/// A difference between groups under both models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// Of the model trained on real rows.
    pub real: f64,
    /// Of that trained on synthetic rows.
    pub synthetic: f64,
    /// `synthetic - real`; the interval includes the draw of test and training rows.
    pub more: Estimate,
}

impl Gap {
    /// Whether training on synthetic rows widens the gap by 0.05 and more, for certain (3.5 deviations).
    pub fn is_wider(&self) -> bool {
        is_certain(&self.more)
    }
}

fn is_certain(found: &Estimate) -> bool {
    found.value > LEAST && found.value > DEVIATIONS * found.deviation()
}

/// The groups of the test rows.
pub(super) struct Groups {
    columns: Vec<GroupColumn>,
}

struct GroupColumn {
    name: String,
    labels: Vec<String>,
    /// For each test row the place of its label, `None` for missing ones and labels of few rows.
    of_row: Vec<Option<usize>>,
    train_rows: Vec<[usize; 2]>,
}

impl Groups {
    /// The groups of the columns in `protected` that have labels, those of most rows first.
    pub(super) fn new(protected: &[String], train: [&Table; 2], test: &Table) -> Self {
        let column = |name: &String| -> Option<GroupColumn> {
            let of_test = test.column(name).ok()?;
            let (_, levels) = of_test.categories()?;
            let rows = |table: &Table, label: &str| {
                let column = table.column(name).ok();
                column.map_or(0, |column| (0..column.len()).filter(|&row| column.label(row) == Some(label)).count())
            };
            let mut labels: Vec<(usize, &String)> = levels.iter().map(|label| (rows(test, label), label)).collect();
            labels.retain(|(count, _)| *count >= LEAST_TEST_ROWS);
            labels.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
            labels.truncate(MOST_GROUPS);
            let labels: Vec<String> = labels.into_iter().map(|(_, label)| label.clone()).collect();
            let place = |row: usize| labels.iter().position(|label| of_test.label(row) == Some(label));
            Some(GroupColumn {
                name: name.clone(),
                of_row: (0..test.rows()).map(place).collect(),
                train_rows: labels.iter().map(|label| train.map(|table| rows(table, label))).collect(),
                labels,
            })
        };
        Self { columns: protected.iter().filter_map(column).filter(|column| !column.labels.is_empty()).collect() }
    }

    /// The number of figures.
    pub(super) fn figure_count(&self) -> usize {
        self.columns.iter().map(|column| column.labels.len() + 2).sum()
    }

    /// All figures of a model over some test rows: of each column the score of each group, demographic parity, equalized odds.
    pub(super) fn figures(&self, task: &Task, predicted: &[Vec<f64>], rows: &[usize]) -> Vec<Option<f64>> {
        let mut figures = Vec::new();
        for column in &self.columns {
            let mut groups = vec![Vec::new(); column.labels.len()];
            for &row in rows {
                if let Some(group) = column.of_row[row] {
                    groups[group].push(row);
                }
            }
            figures.extend(groups.iter().map(|rows| task.measure(predicted, rows).ok()));
            figures.extend(gaps(task, predicted, &groups));
        }
        figures
    }

    /// What both models' figures say.
    pub(super) fn compare(&self, task: &Task, [real, synthetic]: [&Trained; 2]) -> (Vec<GroupUtility>, Vec<Fairness>) {
        let rows = task.truth.len();
        let figures = |of: &Trained, rows: &[usize]| self.figures(task, of.predicted, rows);
        let all: Vec<usize> = (0..rows).collect();
        let found = [figures(real, &all), figures(synthetic, &all)];
        let draw = |draw: usize| {
            let rows = drawn(rows, task.options.seed, draw);
            let pairs = figures(real, &rows).into_iter().zip(figures(synthetic, &rows));
            pairs.map(|(real, synthetic)| Some(synthetic? - real?)).collect()
        };
        let draws: Vec<Vec<Option<f64>>> = (0..DRAWS).into_par_iter().map(draw).collect();
        // The synthetic figure less the real one.
        let difference = |place: usize| -> Option<[f64; 3]> {
            let [real_figure, synthetic_figure] = [found[0][place]?, found[1][place]?];
            let drawn: Vec<f64> = draws.iter().filter_map(|draw| draw[place]).collect();
            let of_training = real.variances[place + 1] + synthetic.variances[place + 1];
            Some([real_figure, synthetic_figure, (deviation(&drawn)?.powi(2) + of_training).sqrt()])
        };
        let (mut groups, mut fairness, mut place) = (Vec::new(), Vec::new(), 0);
        for column in &self.columns {
            for (group, label) in column.labels.iter().enumerate() {
                groups.extend(difference(place + group).map(|[real, synthetic, deviation]| GroupUtility {
                    column: column.name.clone(),
                    label: label.clone(),
                    test_rows: column.of_row.iter().filter(|of| **of == Some(group)).count(),
                    train_rows: column.train_rows[group],
                    real,
                    synthetic,
                    loss: Estimate::around(real - synthetic, deviation),
                }));
            }
            place += column.labels.len();
            let gap = |place: usize| {
                difference(place).map(|[real, synthetic, deviation]| Gap {
                    real,
                    synthetic,
                    more: Estimate::around(synthetic - real, deviation),
                })
            };
            fairness.extend(gap(place).map(|demographic_parity| Fairness {
                column: column.name.clone(),
                class: task.positive_class(),
                demographic_parity,
                equalized_odds: gap(place + 1),
            }));
            place += 2;
        }
        (groups, fairness)
    }
}

/// Demographic parity difference and equalized odds difference over groups of test rows; not defined for a target of numbers.
fn gaps(task: &Task, predicted: &[Vec<f64>], groups: &[Vec<usize>]) -> [Option<f64>; 2] {
    let Column::Category { codes: truth, .. } = task.truth else { return [None; 2] };
    let positive = |row: usize| task.is_predicted(predicted, row, task.positive);
    let rate = |rows: &mut dyn Iterator<Item = usize>, least: usize| -> Option<f64> {
        let (mut count, mut found) = (0, 0);
        for row in rows {
            count += 1;
            found += usize::from(positive(row));
        }
        (count >= least).then(|| found as f64 / count as f64)
    };
    let range = |rates: Vec<f64>| {
        let [low, high] = rates.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], &rate| [low.min(rate), high.max(rate)]);
        (rates.len() > 1).then_some(high - low)
    };
    let among = |class: bool| {
        let of_class =
            |rows: &Vec<usize>| rate(&mut rows.iter().copied().filter(|&row| (truth[row] == task.positive) == class), LEAST_OF_CLASS);
        range(groups.iter().filter_map(of_class).collect())
    };
    let parity = range(groups.iter().filter_map(|rows| rate(&mut rows.iter().copied(), 1)).collect());
    [parity, among(true).zip(among(false)).map(|(true_positive, false_positive)| true_positive.max(false_positive))]
}

#[cfg(test)]
mod tests {
    use super::super::{Utility, UtilityOptions, utility};
    use super::*;
    use crate::learn::Learner;
    use crate::random::random;
    use semblant_data::table::ColumnKind;

    #[test]
    fn gaps_are_the_differences_of_rates() {
        // 100 rows of each group. Of the first, 60 of the class, 45 of which are predicted, and 10 of the 40 others; of the second, 50 of the class,
        // 20 of which are predicted, and 20 of the 50 others.
        let rows = [(60, 45), (40, 10), (50, 20), (50, 20)];
        let mut cells = Vec::new();
        for (place, (count, positive)) in rows.into_iter().enumerate() {
            cells.extend((0..count).map(|row| (["a", "b"][place / 2], place % 2 == 0, row < positive)));
        }
        let truth = Column::from_labels(cells.iter().map(|(_, yes, _)| Some(if *yes { "yes" } else { "no" })));
        let group = Column::from_labels(cells.iter().map(|(group, _, _)| Some(*group)));
        let test = Table::from_columns(vec![("y", ColumnKind::Categorical, truth), ("g", ColumnKind::Categorical, group)]).unwrap();
        let (_, levels) = test.columns()[0].categories().unwrap();
        let yes = levels.iter().position(|level| &**level == "yes").unwrap();
        let options = UtilityOptions::default();
        let task = Task { target: "y", truth: &test.columns()[0], positive: yes as u32, test: &test, options: &options };
        let share = |yes: bool| cells.iter().map(|(_, _, found)| if *found == yes { 0.9 } else { 0.1 }).collect::<Vec<f64>>();
        let predicted: Vec<Vec<f64>> = (0..2).map(|class| share(class == yes)).collect();
        let groups = Groups::new(&["g".into()], [&test, &test], &test);
        let figures = groups.figures(&task, &predicted, &(0..200).collect::<Vec<usize>>());
        assert_eq!(figures.len(), groups.figure_count());
        // Shares 55 and 40 of 100; true positive rates 45/60 and 20/50; false positive rates 10/40 and 20/50.
        assert!((figures[2].unwrap() - 0.15).abs() < 1e-12 && (figures[3].unwrap() - 0.35).abs() < 1e-12, "{figures:?}");
        assert_eq!(task.positive_class(), "yes");
    }

    /// Two groups; y follows x, in group b only where it is not `broken`. With `biased`, rows of b are more often "yes" at the same x.
    fn table(seed: u64, broken: bool, biased: bool) -> Table {
        let mut random = random(seed, 0);
        let (mut x, mut y, mut g) = (Vec::new(), Vec::new(), Vec::new());
        for row in 0..3000 {
            let group = row % 3 == 0;
            let value = random.below(1000) as f64 / 1000.0;
            let source = if broken && group { random.below(1000) as f64 / 1000.0 } else { value };
            let limit = if biased && group { 0.3 } else { 0.6 };
            let noise = random.below(1000) as f64 / 5000.0 - 0.1;
            x.push(value);
            y.push(Some(if source + noise > limit { "yes" } else { "no" }));
            g.push(Some(if group { "b" } else { "a" }));
        }
        Table::from_columns(vec![
            ("x", ColumnKind::Continuous, Column::Number(x)),
            ("g", ColumnKind::Categorical, Column::from_labels(g)),
            ("y", ColumnKind::Categorical, Column::from_labels(y)),
        ])
        .unwrap()
    }

    fn found(synthetic: &Table) -> Utility {
        let options = UtilityOptions { learners: vec![Learner::Trees], protected: vec!["g".into()], ..UtilityOptions::default() };
        utility(&table(1, false, false), synthetic, &table(2, false, false), "y", &options).unwrap()
    }

    #[test]
    fn a_group_that_loses_its_relation_is_found_and_no_other() {
        let lost =
            |found: &Utility| found.groups.iter().filter(|group| group.is_lost()).map(|group| group.label.clone()).collect::<Vec<_>>();
        let honest = found(&table(3, false, false));
        assert_eq!(honest.groups.iter().map(|group| group.test_rows).collect::<Vec<_>>(), [2000, 1000]);
        assert!(lost(&honest).is_empty() && !honest.fairness[0].demographic_parity.is_wider(), "{honest:?}");
        assert_eq!(lost(&found(&table(3, true, false))), ["b"]);
        // A column of numbers has no groups.
        let options = UtilityOptions { learners: vec![Learner::Trees], protected: vec!["x".into()], ..UtilityOptions::default() };
        let real = table(1, false, false);
        assert!(utility(&real, &real, &table(2, false, false), "y", &options).unwrap().groups.is_empty());
    }

    #[test]
    fn predictions_that_favour_a_group_are_found() {
        let biased = &found(&table(3, false, true)).fairness[0];
        assert!(biased.demographic_parity.is_wider() && biased.equalized_odds.as_ref().unwrap().is_wider(), "{biased:?}");
        assert!((biased.demographic_parity.more.value - 0.3).abs() < 0.06, "{biased:?}");
    }
}

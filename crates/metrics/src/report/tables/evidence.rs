//! Signs of leakage, each tested against chance, and what they amount to together.
//!
//! Every test asks whether training rows are treated otherwise than holdout rows, by a p-value that holds for any table of any size. What is
//! found is what remains significant when all tests are counted, so that an honest table is suspected once in [`LEVEL`] cases, however many
//! tests there are.

use super::scores::Attacks;
use crate::report::{Cell, Content, Grade, Grid, GridRow, Section};
use crate::significance::more_often;
use crate::table::privacy::Privacy;
use crate::table::rare_values::RareValues;

/// The chance that any test suspects a table that was made without knowledge of the training rows.
pub(super) const LEVEL: f64 = 0.005;

/// Shares of rows, beyond those of new rows, from which on they are possible leakage, and leakage.
const OF_ROWS: [f64; 2] = [0.0005, 0.002];

/// One test.
pub(super) struct Test {
    /// What is tested.
    pub(super) name: String,
    /// The size of the effect, and what is found if it is significant.
    pub(super) effect: f64,
    /// A sentence for the answer.
    pub(super) sentence: String,
    /// The chance of such an effect without leakage.
    pub(super) p_value: f64,
    /// Effects from which on it counts as possible leakage, and as leakage.
    limits: [f64; 2],
    /// The column whose values come back, if it is about one.
    pub(super) column: Option<String>,
}

/// All tests of a table with a holdout.
pub(super) struct Tests(pub(super) Vec<Test>);

impl Tests {
    pub(super) fn new(privacy: &Privacy, attacks: &Attacks, rare: &[RareValues]) -> Self {
        let mut tests = Vec::new();
        of_rows(privacy, &mut tests);
        for (by, found) in &attacks.membership {
            let by = by.replace('_', " ");
            tests.push(Test {
                name: format!("Membership inference by {by}"),
                effect: found.auc.value - 0.5,
                sentence: format!("Membership inference by {by} reaches an AUC of {:.3} (0.5 is guessing).", found.auc.value),
                p_value: found.auc_p_value,
                limits: [0.02, 0.08],
                column: None,
            });
            tests.push(Test {
                name: format!("Membership inference by {by}: surest rows"),
                effect: found.tail.excess,
                sentence: format!(
                    "Membership inference by {by} recognizes {} training rows with more certainty than nearly all holdout rows.",
                    found.tail.rows
                ),
                p_value: found.tail.p_value,
                limits: OF_ROWS,
                column: None,
            });
        }
        for (name, outcome) in attacks.outcomes.iter().filter(|(_, outcome)| outcome.main.attempts > 0) {
            tests.push(Test {
                name: name.clone(),
                effect: outcome.risk,
                sentence: format!("The attack \"{name}\" has a risk of {:.1} %.", 100.0 * outcome.risk),
                p_value: if outcome.failed { 1.0 } else { outcome.p_value },
                limits: [0.02, 0.1],
                column: None,
            });
        }
        tests.extend(rare.iter().map(of_rare_values));
        Self(tests)
    }

    /// The p-value below which a test counts: [`LEVEL`] shared among all.
    pub(super) fn level(&self) -> f64 {
        LEVEL / self.0.len().max(1) as f64
    }

    pub(super) fn grade(&self, test: &Test) -> Grade {
        match test.p_value < self.level() {
            true if test.effect >= test.limits[1] => Grade::Poor,
            true if test.effect >= test.limits[0] => Grade::Fair,
            _ => Grade::Good,
        }
    }

    /// The tests that found something, the clearest first.
    pub(super) fn found(&self) -> Vec<(&Test, Grade)> {
        let graded = self.0.iter().map(|test| (test, self.grade(test)));
        let mut found: Vec<(&Test, Grade)> = graded.filter(|(_, grade)| *grade != Grade::Good).collect();
        found.sort_by(|(a, grade), (b, other)| (*grade != Grade::Poor).cmp(&(*other != Grade::Poor)).then(a.p_value.total_cmp(&b.p_value)));
        found
    }

    /// All tests, as a table.
    pub(super) fn section(&self) -> Section {
        let row = |test: &Test| GridRow {
            name: test.name.clone(),
            cells: vec![
                Some(test.effect).into(),
                Cell::Text(probability((test.p_value * self.0.len() as f64).min(1.0))),
                Cell::Text(match self.grade(test) {
                    Grade::Poor => "leakage".into(),
                    Grade::Fair => "possible leakage".into(),
                    _ if test.p_value < self.level() => "too small to matter".into(),
                    _ => "nothing found".into(),
                }),
            ],
        };
        let text = "Each test asks whether training rows are treated otherwise than holdout rows. The chance is that of such an effect in a table made without knowledge of the training rows, with all tests counted; below 0.005 something is found. The effect is the share of rows or values beyond what the holdout has, the risk of an attack, or an AUC less 0.5.";
        let content = Content::Table(Grid::new(&["Test", "Effect", "Chance", "Finding"], self.0.iter().map(row).collect()));
        Section::new("tests", "Tests of leakage", text, content)
    }
}

/// A probability in few digits.
fn probability(value: f64) -> String {
    if value < 1e-9 {
        "< 1e-9".into()
    } else if value < 0.001 {
        format!("{value:.0e}")
    } else {
        format!("{value:.3}")
    }
}

/// Tests of the distances of rows.
fn of_rows(privacy: &Privacy, tests: &mut Vec<Test>) {
    let Some(holdout) = &privacy.holdout else { return };
    let synthetic = &privacy.synthetic;
    let copies = |of: &crate::table::privacy::Closeness| [(of.copies * of.distances.len() as f64).round() as usize, of.distances.len()];
    tests.push(Test {
        name: "Exact copies".into(),
        effect: synthetic.copies - holdout.copies,
        sentence: format!(
            "{:.2} % of the synthetic rows equal a training row, of new real rows {:.2} %.",
            100.0 * synthetic.copies,
            100.0 * holdout.copies
        ),
        p_value: more_often(copies(synthetic), copies(holdout)),
        limits: OF_ROWS,
        column: None,
    });
    let near = [
        (
            "Near copies of single training rows",
            &privacy.near_copies,
            "lie much closer to one training row than to any other, as copies with small changes do",
        ),
        (
            "Copies of single training rows with one label changed",
            &privacy.changed_copies,
            "lie, but for one label, much closer to one training row than to any other, as copies with one label changed do",
        ),
    ];
    for (name, tail, what) in near {
        let Some(tail) = tail else { continue };
        tests.push(Test {
            name: name.into(),
            effect: tail.excess,
            sentence: format!("{} synthetic rows ({:.2} % more than of new real rows) {what}.", tail.rows, 100.0 * tail.excess),
            p_value: tail.p_value,
            limits: OF_ROWS,
            column: None,
        });
    }
    if let Some(lean) = &privacy.lean {
        tests.push(Test {
            name: "Closer to training rows".into(),
            effect: lean.share - 0.5,
            sentence: format!("{:.1} % of the synthetic rows are closer to the training rows than to the holdout.", 100.0 * lean.share),
            p_value: lean.p_value,
            limits: [0.01, 0.05],
            column: None,
        });
    }
}

fn of_rare_values(rare: &RareValues) -> Test {
    let RareValues { column, values, returned, p_value } = rare;
    let [train, holdout] = rare.shares();
    // Values beyond those that would come back anyway.
    let more = returned[0] as f64 - holdout * values[0] as f64;
    Test {
        name: format!("Rare values of {column}"),
        effect: train - holdout,
        sentence: format!(
            "In `{column}`, {} of {} values that fewer than five rows have come back ({:.1} %; of such values of holdout rows {:.1} %): declare it `kind = \"id\"` in a schema, or leave it out with `semblant fit --drop {column}`.",
            returned[0],
            values[0],
            100.0 * train,
            100.0 * holdout
        ),
        p_value: *p_value,
        limits: [0.0, if more >= 10.0 { 0.01 } else { f64::INFINITY }],
        column: Some(column.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(p_value: f64, effect: f64) -> Test {
        Test { name: "t".into(), effect, sentence: String::new(), p_value, limits: [0.01, 0.05], column: None }
    }

    #[test]
    fn what_is_found_is_significant_among_all_tests_and_large_enough() {
        let mut tests = Tests(vec![test(0.002, 0.1), test(1e-9, 0.001), test(1e-9, 0.02), test(1e-5, 0.3)]);
        assert_eq!(tests.level(), 0.00125);
        let grades: Vec<Grade> = tests.0.iter().map(|test| tests.grade(test)).collect();
        assert_eq!(grades, [Grade::Good, Grade::Good, Grade::Fair, Grade::Poor]);
        assert_eq!(tests.found().iter().map(|(_, grade)| *grade).collect::<Vec<_>>(), [Grade::Poor, Grade::Fair]);
        tests.0.truncate(1);
        assert_eq!(tests.found().len(), 1);
    }
}

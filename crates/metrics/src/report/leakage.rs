//! Tests of leakage, for every kind of data, and what they amount to together.
//!
//! A test asks whether training items are treated otherwise than holdout items, by a p-value that holds for any data. What is found is what remains
//! significant when all tests are counted, so that honest data is suspected once in 1 / [`LEVEL`] cases, however many tests there are.

use crate::membership::Membership;
use crate::report::{Cell, Content, Grade, Grid, GridRow, Section};

/// The chance that any test suspects data that was made without knowledge of the training items.
pub(super) const LEVEL: f64 = 0.005;

/// Shares of items, beyond those of new items, from which on they are possible leakage, and leakage.
pub(super) const OF_ITEMS: [f64; 2] = [0.0005, 0.002];

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
    pub(super) limits: [f64; 2],
    /// The column whose values come back, if it is about one.
    pub(super) column: Option<String>,
}

impl Test {
    /// Membership inference on average, and of those items that it is surest of.
    pub(super) fn of_membership(by: &str, found: &Membership, items: &str) -> [Self; 2] {
        let by = by.replace('_', " ");
        [
            Self {
                name: format!("Membership inference by {by}"),
                effect: found.auc.value - 0.5,
                sentence: format!("Membership inference by {by} reaches an AUC of {:.3} (0.5 is guessing).", found.auc.value),
                p_value: found.auc_p_value,
                limits: [0.02, 0.08],
                column: None,
            },
            Self {
                name: format!("Membership inference by {by}: surest {items}"),
                effect: found.tail.excess,
                sentence: format!(
                    "Membership inference by {by} recognizes {} training {items} with more certainty than nearly all holdout {items}.",
                    found.tail.rows
                ),
                p_value: found.tail.p_value,
                limits: OF_ITEMS,
                column: None,
            },
        ]
    }
}

/// All tests of data with a holdout.
pub(super) struct Tests(pub(super) Vec<Test>);

impl Tests {
    /// The p-value below which a test counts: [`LEVEL`] shared among all.
    fn level(&self) -> f64 {
        LEVEL / self.0.len().max(1) as f64
    }

    fn grade(&self, test: &Test) -> Grade {
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

    /// All tests, as a table; `effects` says what an effect is.
    pub(super) fn section(&self, items: &str, effects: &str) -> Section {
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
        let text = format!(
            "Each test asks whether training {items} are treated otherwise than holdout {items}. The chance is that of such an effect in data made without knowledge of the training {items}, with all tests counted; below {LEVEL} something is found. The effect is {effects}."
        );
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
        let Content::Table(grid) = tests.section("rows", "a share").content else { panic!("a table") };
        let findings: Vec<&Cell> = grid.rows.iter().map(|row| &row.cells[2]).collect();
        let expected = ["nothing found", "too small to matter", "possible leakage", "leakage"].map(|text| Cell::Text(text.into()));
        assert_eq!(findings, expected.iter().collect::<Vec<_>>());
        tests.0.truncate(1);
        assert_eq!(tests.found().len(), 1);
    }
}

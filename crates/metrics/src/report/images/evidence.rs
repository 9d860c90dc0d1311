//! Signs of leakage from images, each tested against chance, and what they amount to together.
//!
//! Every test but that of exact copies asks whether training images are treated otherwise than holdout images, by a p-value that holds whatever
//! the images look like. What is found is what remains significant when all tests are counted.

use crate::image::copies::{Closeness, Copies};
use crate::membership::Membership;
use crate::report::{Cell, Content, Grade, Grid, GridRow, Section};

/// The chance that any test suspects images that were made without knowledge of the training images.
pub(super) const LEVEL: f64 = 0.005;

/// One test.
pub(super) struct Test {
    /// What is tested.
    name: String,
    /// The size of the effect.
    effect: f64,
    /// A sentence for the answer.
    pub(super) sentence: String,
    /// The chance of such an effect without leakage.
    p_value: f64,
    /// Effects from which on it counts as possible leakage, and as leakage.
    limits: [f64; 2],
}

/// All tests of images with a holdout.
pub(super) struct Tests(Vec<Test>);

impl Tests {
    pub(super) fn new(copies: &Copies, shadows: Option<&Membership>) -> Self {
        let mut tests = vec![exact(copies)];
        if let Some(tail) = &copies.moved {
            tests.push(Test {
                name: "Near copies, smoothed and moved by up to a pixel".into(),
                effect: tail.share,
                sentence: near("smoothed, at any shift by up to one pixel and at any brightness", tail.images),
                p_value: tail.p_value,
                limits: NEAR_COPIES,
            });
        }
        for (by, found) in copies.closeness() {
            of_closeness(by, found, &mut tests);
        }
        if let Some(found) = shadows {
            of_membership("shadow models", found, &mut tests);
        }
        Self(tests)
    }

    /// How many tests were made.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

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
        let text = "Each test asks whether training images are treated otherwise than holdout images. The chance is that of such an effect in images made without knowledge of the training images, with all tests counted; below 0.005 something is found. The effect is the share of synthetic images, the share closer to training images less 0.5, or an AUC less 0.5.";
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

/// Shares of synthetic images that are near copies.
const NEAR_COPIES: [f64; 2] = [0.0005, 0.002];

fn exact(copies: &Copies) -> Test {
    let [made, new] = copies.memorised.map(|[hits, of]| hits as f64 / of.max(1) as f64);
    Test {
        name: "Copies by pixels".into(),
        effect: made - new,
        sentence: format!(
            "{:.2} % of the synthetic images equal a training image, or are three times closer to it than to any other (new real images: {:.2} %).",
            100.0 * made,
            100.0 * new
        ),
        p_value: copies.memorised_p_value(),
        limits: NEAR_COPIES,
    }
}

fn near(how: &str, images: usize) -> String {
    format!("{images} synthetic images are, {how}, much closer to one training image than to the next real images, as copies are.")
}

fn of_closeness(by: &str, found: &Closeness, tests: &mut Vec<Test>) {
    tests.push(Test {
        name: format!("Near copies by {by}"),
        effect: found.near_copies.share,
        sentence: near(&format!("by {by}"), found.near_copies.images),
        p_value: found.near_copies.p_value,
        limits: NEAR_COPIES,
    });
    tests.push(Test {
        name: format!("Closer to training images by {by}"),
        effect: found.lean.share - 0.5,
        sentence: format!(
            "By {by}, {:.1} % of the synthetic images are closer to the training images than to the holdout.",
            100.0 * found.lean.share
        ),
        p_value: found.lean.p_value,
        limits: [0.01, 0.05],
    });
    of_membership(by, &found.membership, tests);
}

fn of_membership(by: &str, found: &Membership, tests: &mut Vec<Test>) {
    tests.push(Test {
        name: format!("Membership inference by {by}"),
        effect: found.auc.value - 0.5,
        sentence: format!("Membership inference by {by} reaches an AUC of {:.3} (0.5 is guessing).", found.auc.value),
        p_value: found.auc_p_value,
        limits: [0.02, 0.08],
    });
    tests.push(Test {
        name: format!("Membership inference by {by}: surest images"),
        effect: found.tail.excess,
        sentence: format!(
            "Membership inference by {by} recognizes {} training images with more certainty than nearly all holdout images.",
            found.tail.rows
        ),
        p_value: found.tail.p_value,
        limits: [0.0005, 0.002],
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(p_value: f64, effect: f64) -> Test {
        Test { name: "t".into(), effect, sentence: String::new(), p_value, limits: [0.01, 0.05] }
    }

    #[test]
    fn what_is_found_is_significant_among_all_tests_and_large_enough() {
        let tests = Tests(vec![test(0.002, 0.1), test(1e-9, 0.001), test(1e-9, 0.02), test(1e-5, 0.3)]);
        assert_eq!((tests.level(), tests.count()), (0.00125, 4));
        assert_eq!(tests.found().iter().map(|(_, grade)| *grade).collect::<Vec<_>>(), [Grade::Poor, Grade::Fair]);
        let Content::Table(grid) = tests.section().content else { panic!("a table") };
        let findings: Vec<&Cell> = grid.rows.iter().map(|row| &row.cells[2]).collect();
        let expected = ["nothing found", "too small to matter", "possible leakage", "leakage"].map(|text| Cell::Text(text.into()));
        assert_eq!(findings, expected.iter().collect::<Vec<_>>());
    }
}

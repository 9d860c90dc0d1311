//! Signs of leakage from images, each tested against chance.

use crate::image::copies::{Closeness, Copies};
use crate::membership::Membership;
use crate::report::leakage::{OF_ITEMS, Test, Tests};

/// All tests of images with a holdout.
pub(super) fn tests(copies: &Copies, shadows: Option<&Membership>) -> Tests {
    let mut tests = vec![exact(copies)];
    if let Some(tail) = &copies.moved {
        tests.push(Test {
            name: "Near copies, smoothed and moved by up to a pixel".into(),
            effect: tail.share,
            sentence: near("smoothed, at any shift by up to one pixel and at any brightness", tail.images),
            p_value: tail.p_value,
            limits: OF_ITEMS,
            column: None,
        });
    }
    for (by, found) in copies.closeness() {
        of_closeness(by, found, &mut tests);
    }
    if let Some(found) = shadows {
        tests.extend(Test::of_membership("shadow models", found, "images"));
    }
    Tests(tests)
}

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
        limits: OF_ITEMS,
        column: None,
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
        limits: OF_ITEMS,
        column: None,
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
        column: None,
    });
    tests.extend(Test::of_membership(by, &found.membership, "images"));
}

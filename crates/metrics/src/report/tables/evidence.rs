//! Signs of leakage from tables, each tested against chance.

use super::scores::Attacks;
use crate::report::leakage::{OF_ITEMS, Test, Tests};
use crate::significance::more_often;
use crate::table::privacy::Privacy;
use crate::table::rare_values::RareValues;

/// All tests of a table with a holdout.
pub(super) fn tests(privacy: &Privacy, attacks: &Attacks, rare: &[RareValues]) -> Tests {
    let mut tests = Vec::new();
    of_rows(privacy, &mut tests);
    tests.extend(attacks.membership.iter().flat_map(|(by, found)| Test::of_membership(by, found, "rows")));
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
    Tests(tests)
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
        limits: OF_ITEMS,
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
            limits: OF_ITEMS,
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

//! The limits of the answers on a table, and the section that states them.

use super::looks;
use crate::report::leakage::LEVEL;
use crate::report::verdict::KEPT;
use crate::report::{Cell, Content, Grid, GridRow, Section};
use crate::table::utility::{DEVIATIONS, LEAST};

/// Mean similarity of columns below that of new rows: fair, poor.
pub(super) const SHAPES: [f64; 2] = [0.03, 0.1];
/// Relations kept, by the upper end of the interval: fair, poor.
pub(super) const RELATIONS: [f64; 2] = [0.9, 0.5];
/// A pair of columns that keeps less than this is named.
pub(super) const PAIR: f64 = 0.8;
/// Detection: rows that a classifier tells apart, by the lower end of the interval.
pub(super) const DETECTED: f64 = 0.65;
/// Detection: rows that repeat each other, by the upper end.
pub(super) const REPEATED: f64 = 0.48;

/// Every rule in words.
pub(super) fn section(holdout: bool) -> Section {
    let [fair, poor] = SHAPES;
    let [some, few] = RELATIONS;
    let [most, enough] = KEPT;
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    let mut rules = vec![
        ("Fidelity", "Mean similarity of columns", format!("below that of new rows by {fair}: fair; by {poor}: poor")),
        ("Fidelity", "A single column", format!("less similar than new rows by {} and the noise of both: fair", looks::LEAST_LOSS)),
        ("Fidelity", "Relations kept", format!("upper end of the interval below {}: fair; below {}: poor", percent(some), percent(few))),
        (
            "Fidelity",
            "Detection",
            format!("AUC above {DETECTED} by the lower end of its interval, or below {REPEATED} by the upper end: fair"),
        ),
        (
            "Fidelity",
            "Labels, repeated rows",
            format!("a label missing, or rows that repeat each other, with a chance below {}: fair", looks::LEVEL),
        ),
        ("Fidelity", "Groups", format!("relations kept three deviations below {}: fair", percent(looks::GROUP_KEPT))),
        (
            "Utility",
            "Kept of the gain over a guess",
            format!("upper end of the interval below {}: fair; below {}: poor", percent(most), percent(enough)),
        ),
        (
            "Utility",
            "Groups of protected columns",
            format!("AUC or R2 lost, or a gap between groups wider, by {LEAST} and {DEVIATIONS} deviations: fair"),
        ),
    ];
    if holdout {
        let chance = format!("chance below {} with all tests counted, and an effect that matters: fair; a large one: poor", LEVEL);
        rules.push(("Privacy", "Tests of leakage", chance));
    } else {
        let rule = "copies above the repetitions among real rows by three standard errors, or most rows closer to one than real rows are to each other: poor";
        rules.push(("Privacy", "Copies and near copies", rule.into()));
    }
    rules.push(("Privacy", "Identifying values", "ids of real rows, or rare values that come back more often than chance: poor".into()));
    let row = |(answer, what, rule): (&str, &str, String)| GridRow {
        name: format!("{answer}: {what}"),
        cells: vec![Cell::Text(rule), Cell::Text("our judgement".into())],
    };
    let text = "What lowers an answer. The worst of what is found decides. References and intervals are measured on these tables; the limits are conventions.";
    let grid = Grid::new(&["Answer", "Limit", "Source of the limit"], rules.into_iter().map(row).collect());
    Section::new("limits", "Limits of the answers", text, Content::Table(grid))
}

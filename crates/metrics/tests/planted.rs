//! The answers on planted leaks and planted damage, on Adult, where `SEMBLANT_DATA` has it.

mod support;

use semblant_data::table::Table;
use semblant_metrics::report::{Grade, Group, Verdict};
use semblant_metrics::{Options, Report, evaluate};
use support::planted::{self, Parts};

const ROWS: usize = 2000;

fn adult(seed: u64) -> Parts {
    let (mut table, test) = support::data_set("adult");
    table.append(&test).expect("the same columns");
    planted::parts(&table, ROWS, seed)
}

fn run(parts: &Parts, synthetic: &Table) -> Report {
    let options = Options { protected: vec!["race".into()], learners: Vec::new(), ..Options::default() };
    evaluate(&parts.train, synthetic, Some(&parts.holdout), &options, &mut |_| {}).expect("a report")
}

#[track_caller]
fn answered(report: &Report, group: Group, grade: Grade, texts: &[&str]) {
    let verdict: &Verdict = report.verdict(group).expect("an answer");
    assert_eq!(verdict.grade, grade, "{verdict:?}");
    let said = format!("{} {}", verdict.answer, verdict.because);
    texts.iter().for_each(|text| assert!(said.contains(text), "{text}: {said}"));
}

#[test]
#[cfg_attr(not(has_data), ignore = "set SEMBLANT_DATA to run")]
fn honest_rows_are_not_suspected() {
    for seed in [0, 1] {
        let parts = adult(seed);
        let report = run(&parts, &parts.honest);
        answered(&report, Group::Fidelity, Grade::Good, &["Close to the real data"]);
        answered(&report, Group::Privacy, Grade::Good, &["No leakage found"]);
    }
    let (named, _) = planted::with_names(&adult(2));
    answered(&run(&named, &named.honest), Group::Privacy, Grade::Good, &[]);
}

#[test]
#[cfg_attr(not(has_data), ignore = "set SEMBLANT_DATA to run")]
fn copies_with_and_without_noise_are_found() {
    let parts = adult(1000);
    for (synthetic, text) in [
        (planted::copies(&parts, 0.01), "equal a training row"),
        (planted::noisy_copies(&parts, 0.05, false), "much closer to one training row"),
        (planted::noisy_copies(&parts, 0.05, true), "but for one label"),
        (planted::outliers_twice(&parts), "much closer to one training row"),
    ] {
        answered(&run(&parts, &synthetic), Group::Privacy, Grade::Poor, &["leakage", text]);
    }
}

#[test]
#[cfg_attr(not(has_data), ignore = "set SEMBLANT_DATA to run")]
fn values_that_name_someone_are_found() {
    let parts = adult(1000);
    let (numbered, leaking) = planted::with_numbers(&parts);
    answered(&run(&numbered, &leaking), Group::Privacy, Grade::Poor, &["Identifying values come back", "`number`", "--drop number"]);
    let (named, leaking) = planted::with_names(&parts);
    answered(&run(&named, &leaking), Group::Privacy, Grade::Poor, &["Identifying values come back", "`name`", "fewer than five rows"]);
}

#[test]
#[cfg_attr(not(has_data), ignore = "set SEMBLANT_DATA to run")]
fn damage_is_named() {
    let parts = adult(1000);
    let honest = &parts.honest;
    let all = vec![0; honest.rows()];
    for (synthetic, grade, text) in [
        (planted::permuted(honest, &all), Grade::Poor, "relations between columns"),
        (planted::permuted(honest, &planted::groups(honest, "income")), Grade::Poor, "relations between columns"),
        (planted::broken_group(honest, "race", "Black"), Grade::Fair, "`Black` of `race`"),
        (planted::shifted(honest, "age"), Grade::Fair, "`age`"),
        (planted::dropped_label(honest, "native-country", "Mexico"), Grade::Fair, "`Mexico` of `native-country`"),
        (planted::inverted(honest, "income"), Grade::Poor, "`income`"),
        (planted::doubled(honest), Grade::Fair, "equal another synthetic row"),
        (planted::half_copies_half_rubbish(&parts), Grade::Fair, "relations between columns"),
    ] {
        answered(&run(&parts, &synthetic), Group::Fidelity, grade, &[text]);
    }
}

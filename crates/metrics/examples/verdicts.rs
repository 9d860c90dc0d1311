//! Prints the answers on honest tables, planted leaks and planted damage, as docs/metrics.md has them.
//!
//!     SEMBLANT_DATA=folder cargo run --release -p semblant-metrics --example verdicts -- adult 2000 30
//!
//! The arguments are a data set, the number of rows, and how many honest draws to judge.
#![allow(clippy::print_stdout)]

#[path = "../tests/support/mod.rs"]
mod support;

use semblant_data::table::Table;
use semblant_metrics::learn::Learner;
use semblant_metrics::report::{Content, Grade};
use semblant_metrics::{Options, evaluate};
use support::planted::{self, Parts};

/// What each data set plants: a group of about a tenth, a column of numbers, a label of about a fiftieth, and the target.
struct Set {
    name: &'static str,
    group: [&'static str; 2],
    number: &'static str,
    label: [&'static str; 2],
    target: &'static str,
}

const SETS: [Set; 3] = [
    Set { name: "adult", group: ["race", "Black"], number: "age", label: ["native-country", "Mexico"], target: "income" },
    Set {
        name: "california-housing",
        group: ["ocean_proximity", "NEAR BAY"],
        number: "housing_median_age",
        label: ["ocean_proximity", "NEAR OCEAN"],
        target: "median_house_value",
    },
    Set { name: "online-shoppers", group: ["Region", "4"], number: "Administrative", label: ["Month", "6"], target: "Revenue" },
];

fn judge(what: &str, set: &Set, parts: &Parts, synthetic: &Table) -> [Grade; 3] {
    let options = Options {
        target: Some(set.target.into()),
        protected: vec![set.group[0].into()],
        learners: vec![Learner::Trees],
        ..Options::default()
    };
    let started = std::time::Instant::now();
    let mut stages: Vec<(String, f64)> = Vec::new();
    let mut progress = |stage: &str| stages.push((stage.to_owned(), started.elapsed().as_secs_f64()));
    let report = evaluate(&parts.train, synthetic, Some(&parts.holdout), &options, &mut progress).expect("a report");
    stages.push((String::new(), started.elapsed().as_secs_f64()));
    let mut times: Vec<(f64, &str)> = stages.windows(2).map(|pair| (pair[1].1 - pair[0].1, pair[0].0.as_str())).collect();
    times.sort_by(|a, b| b.0.total_cmp(&a.0));
    let times: Vec<String> = times.iter().take(5).map(|(secs, stage)| format!("{stage} {secs:.1}")).collect();
    println!("## {what} ({:.1} s: {})", started.elapsed().as_secs_f64(), times.join(", "));
    for verdict in &report.verdicts {
        println!("{:8} {}: {}", verdict.grade.word(), verdict.answer, verdict.because);
    }
    if let Some(Content::Table(grid)) = report.section("tests").map(|section| &section.content) {
        // The three clearest.
        let mut rows: Vec<(f64, String)> = Vec::new();
        for row in &grid.rows {
            if let Some(semblant_metrics::report::Cell::Text(chance)) = row.cells.get(1) {
                let number = chance.trim_start_matches("< ").parse().unwrap_or(1.0);
                rows.push((number, format!("{} ({chance})", row.name)));
            }
        }
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        println!("clearest {}", rows.iter().take(3).map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(", "));
    }
    [0, 1, 2].map(|place: usize| report.verdicts[place].grade)
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |place: usize, other: &str| arguments.get(place).cloned().unwrap_or_else(|| other.into());
    let name = argument(0, "adult");
    let set = SETS.iter().find(|set| set.name == name).expect("a known data set");
    let rows: usize = argument(1, "2000").parse().expect("a number of rows");
    let draws: u64 = argument(2, "3").parse().expect("a number of draws");
    let (mut table, test) = support::data_set(set.name);
    table.append(&test).expect("the same columns");
    let mut alarms = [0; 3];
    for seed in 0..draws {
        let parts = planted::parts(&table, rows, seed);
        let grades = judge(&format!("honest, draw {seed}"), set, &parts, &parts.honest);
        (0..3).for_each(|place| alarms[place] += usize::from(matches!(grades[place], Grade::Fair | Grade::Poor)));
    }
    println!("# {name}, {rows} rows: false alarms of {draws} honest draws on fidelity, utility, privacy: {alarms:?}");
    if arguments.len() > 3 {
        return;
    }
    let parts = planted::parts(&table, rows, 1000);
    let honest = &parts.honest;
    for share in [0.01, 0.05, 0.2] {
        judge(&format!("exact copies, {share}"), set, &parts, &planted::copies(&parts, share));
        judge(&format!("noisy copies, {share}"), set, &parts, &planted::noisy_copies(&parts, share, false));
        judge(&format!("noisy copies with a label changed, {share}"), set, &parts, &planted::noisy_copies(&parts, share, true));
    }
    judge("outliers twice", set, &parts, &planted::outliers_twice(&parts));
    let (numbered, leaking) = planted::with_numbers(&parts);
    judge("numbers of persons, honest", set, &numbered, &numbered.honest);
    judge("numbers of persons, 5 %", set, &numbered, &leaking);
    let (named, leaking) = planted::with_names(&parts);
    judge("rare names, honest", set, &named, &named.honest);
    judge("rare names, 2 %", set, &named, &leaking);
    judge("itself", set, &parts, &parts.train);
    judge("half copies, half rubbish", set, &parts, &planted::half_copies_half_rubbish(&parts));
    judge("permuted", set, &parts, &planted::permuted(honest, &vec![0; honest.rows()]));
    judge("permuted within the target", set, &parts, &planted::permuted(honest, &planted::groups(honest, set.target)));
    judge("a broken group", set, &parts, &planted::broken_group(honest, set.group[0], set.group[1]));
    judge("a shifted column", set, &parts, &planted::shifted(honest, set.number));
    judge("a dropped label", set, &parts, &planted::dropped_label(honest, set.label[0], set.label[1]));
    judge("an inverted target", set, &parts, &planted::inverted(honest, set.target));
    judge("doubled rows", set, &parts, &planted::doubled(honest));
}

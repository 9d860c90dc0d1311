//! Prints the answers on honest images, planted leaks and planted damage, as docs/metrics.md has them.
//!
//!     SEMBLANT_DATA=folder cargo run --release -p semblant-metrics --example image_verdicts -- mnist 2000,2000,2000 30 5
//!
//! The arguments are a data set, the numbers of training, synthetic and holdout images, how many honest draws to judge, in how many of them leaks
//! and damage are planted, and how many images the classifier sees in training.
#![allow(clippy::print_stdout)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::time::Instant;

use semblant_core::synthesizer::Run;
use semblant_data::image::Images;
use semblant_metrics::image::classifier::{Classifier, ClassifierConfig};
use semblant_metrics::report::{Cell, Content, Grade, Group, ImageEvaluation, Report, report_images};
use support::images::{self as planted, Parts};

/// One line: the answers on fidelity and privacy, the clearest test of leakage, and the power of fine and finest detail.
fn judge(what: &str, parts: &Parts, synthetic: &Images, classifier: &Classifier) -> Report {
    let started = Instant::now();
    let evaluation = ImageEvaluation::new(classifier);
    let report = report_images(&parts.train, synthetic, Some(&parts.holdout), &evaluation, &mut |_| {}).expect("a report");
    let said = |group| report.verdict(group).map_or_else(String::new, |verdict| format!("{} ({})", verdict.answer, verdict.grade.word()));
    let mut clearest = (f64::INFINITY, String::new());
    if let Some(Content::Table(grid)) = report.section("tests").map(|section| &section.content) {
        for row in &grid.rows {
            let Some(Cell::Text(chance)) = row.cells.get(1) else { continue };
            let number: f64 = chance.trim_start_matches("< ").parse().unwrap_or(1.0);
            if number < clearest.0 {
                clearest = (number, format!("{} ({chance})", row.name));
            }
        }
    }
    let detail = ["fine_detail", "finest_detail"].map(|id| report.score(id).and_then(|score| score.value).unwrap_or(f64::NAN));
    println!(
        "{what:28} | {} | {} | {} | detail {detail:.2?} | {:.1} s",
        said(Group::Fidelity),
        said(Group::Privacy),
        clearest.1,
        started.elapsed().as_secs_f64()
    );
    report
}

fn alarmed(report: &Report, group: Group) -> bool {
    report.verdict(group).is_some_and(|verdict| matches!(verdict.grade, Grade::Fair | Grade::Poor))
}

/// What is planted, by name.
fn cases(parts: &Parts) -> Vec<(String, Images)> {
    let mut cases = Vec::new();
    for share in [0.01, 0.02, 0.05, 0.2] {
        let mut leak = |name: &str, change: &dyn Fn(&Images) -> Images| {
            cases.push((format!("{name}, {:.0} %", 100.0 * share), planted::copies(parts, share, change)));
        };
        leak("copies", &Images::clone);
        leak("noise 10", &|images| planted::noisy(images, 10.0));
        leak("noise 40", &|images| planted::noisy(images, 40.0));
        leak("blur 1", &|images| planted::blurred(images, 1.0));
        leak("brightness", &planted::brighter);
        leak("shift 1", &planted::moved);
        leak("shift, noise, brightness", &|images| planted::noisy(&planted::brighter(&planted::moved(images)), 20.0));
    }
    let honest = &parts.honest;
    for (name, images) in [
        ("a class is missing", planted::without_class(honest, 3)),
        ("one class only", planted::one_class(honest, 1)),
        ("a class is halved", planted::with_half_of_class(honest, 3)),
        ("labels of two classes mixed", planted::mixed_labels(honest)),
        ("all blurred by 0.5", planted::blurred(honest, 0.5)),
        ("all blurred by 1", planted::blurred(honest, 1.0)),
        ("noise 10 on all", planted::noisy(honest, 10.0)),
        ("noise 40 on all", planted::noisy(honest, 40.0)),
    ] {
        cases.push((name.into(), images));
    }
    cases
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |place: usize, other: &str| arguments.get(place).cloned().unwrap_or_else(|| other.into());
    let name = argument(0, "mnist");
    let all = planted::data_set(&name);
    let sizes: Vec<usize> = argument(1, "2000,2000,2000").split(',').map(|count| count.parse().expect("a number of images")).collect();
    let [train, synthetic, holdout] = sizes[..] else { panic!("three numbers of images") };
    let draws: u64 = argument(2, "3").parse().expect("a number of draws");
    let with_plants: u64 = argument(3, "1").parse().expect("a number of draws");
    let config = ClassifierConfig { images: argument(4, "20000").parse().expect("a number of images"), ..ClassifierConfig::default() };
    let mut alarms = [0; 2];
    let mut found: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    let alarmed = |report: &Report| [Group::Fidelity, Group::Privacy].map(|group| usize::from(alarmed(report, group)));
    for seed in 0..draws {
        let parts = planted::parts(&all, [train, synthetic, holdout], seed);
        let mut run = Run::new(semblant_core::device::select("cpu").expect("always there"), seed);
        let classifier = Classifier::fit(&parts.train, None, &config, &mut run).expect("trains");
        let of_honest = alarmed(&judge(&format!("honest, draw {seed}"), &parts, &parts.honest, &classifier));
        (0..2).for_each(|side| alarms[side] += of_honest[side]);
        let planted = if seed < with_plants { cases(&parts) } else { Vec::new() };
        for (name, images) in planted {
            let of_case = alarmed(&judge(&name, &parts, &images, &classifier));
            let sum = found.entry(name).or_default();
            (0..2).for_each(|side| sum[side] += of_case[side]);
        }
    }
    println!("# {name}, {sizes:?} images: alarms on fidelity and privacy in {draws} honest draws: {alarms:?}");
    found.iter().for_each(|(name, alarms)| println!("# alarms in {with_plants} draws: {alarms:?} {name}"));
}

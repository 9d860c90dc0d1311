//! The answers on planted leaks and planted damage, on MNIST, where `SEMBLANT_DATA` has it.

mod support;

use semblant_core::synthesizer::Run;
use semblant_data::image::Images;
use semblant_metrics::image::classifier::{Classifier, ClassifierConfig};
use semblant_metrics::report::{Grade, Group, ImageEvaluation, Report, report_images};
use support::images::{self as planted, Parts};

const IMAGES: usize = 800;

/// Images and a classifier of the training images, trained for a few seconds.
fn mnist(seed: u64) -> (Parts, Classifier) {
    let parts = planted::parts(&planted::data_set("mnist"), [IMAGES; 3], seed);
    let config = ClassifierConfig { images: 12_000, ..ClassifierConfig::default() };
    let mut run = Run::new(semblant_core::device::select("cpu").expect("always there"), seed);
    let classifier = Classifier::fit(&parts.train, None, &config, &mut run).expect("trains");
    (parts, classifier)
}

fn run(parts: &Parts, synthetic: &Images, classifier: &Classifier) -> Report {
    report_images(&parts.train, synthetic, Some(&parts.holdout), &ImageEvaluation::new(classifier), &mut |_| {}).expect("a report")
}

#[track_caller]
fn answered(report: &Report, group: Group, grade: Grade, texts: &[&str]) {
    let verdict = report.verdict(group).expect("an answer");
    assert_eq!(verdict.grade, grade, "{texts:?}: {verdict:?}");
    let said = format!("{} {}", verdict.answer, verdict.because);
    texts.iter().for_each(|text| assert!(said.contains(text), "{text}: {said}"));
}

#[test]
#[cfg_attr(not(has_data), ignore = "set SEMBLANT_DATA to run")]
fn honest_images_are_not_suspected_and_changed_copies_are_found() {
    let (parts, classifier) = mnist(0);
    let report = run(&parts, &parts.honest, &classifier);
    answered(&report, Group::Fidelity, Grade::Good, &["Close to the real data"]);
    answered(&report, Group::Privacy, Grade::Good, &["No leakage found"]);
    let changes: [(&str, &dyn Fn(&Images) -> Images); 6] = [
        ("copies", &Images::clone),
        ("noise 10", &|images| planted::noisy(images, 10.0)),
        ("noise 40", &|images| planted::noisy(images, 40.0)),
        ("blur", &|images| planted::blurred(images, 1.0)),
        ("brightness", &planted::brighter),
        ("shift", &planted::moved),
    ];
    for (name, change) in changes {
        let report = run(&parts, &planted::copies(&parts, 0.05, change), &classifier);
        let verdict = report.verdict(Group::Privacy).expect("an answer");
        assert!(verdict.grade == Grade::Poor && verdict.because.contains("closer to"), "{name}: {verdict:?}");
    }
    answered(&run(&parts, &parts.train, &classifier), Group::Privacy, Grade::Poor, &["Gives everyone away"]);
}

#[test]
#[cfg_attr(not(has_data), ignore = "set SEMBLANT_DATA to run")]
fn damage_is_named() {
    let (parts, classifier) = mnist(1);
    let honest = &parts.honest;
    answered(&run(&parts, honest, &classifier), Group::Fidelity, Grade::Good, &[]);
    for (synthetic, grade, texts) in [
        (planted::blurred(honest, 1.0), Grade::Poor, ["Smoother than the real images", "power above 0.25 cycles per pixel is"]),
        (planted::noisy(honest, 40.0), Grade::Poor, ["Noisier than the real images", "power above 0.4375 cycles per pixel is"]),
        (planted::without_class(honest, 3), Grade::Fair, ["a class is missing", "missing: `3`"]),
        (planted::mixed_labels(honest), Grade::Fair, ["classes are mixed up", "were made for"]),
    ] {
        let report = run(&parts, &synthetic, &classifier);
        answered(&report, Group::Fidelity, grade, &texts);
        // None of it is a leak.
        answered(&report, Group::Privacy, Grade::Good, &[]);
    }
}

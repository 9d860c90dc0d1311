//! Speed and the learner's quality on the Adult table; run by hand: `ADULT=folder cargo test --release -p semblant-metrics --test adult --
//! --ignored --nocapture`, where the folder holds train.csv and test.csv (uncompressed) and mock.csv, any synthetic table.
#![allow(clippy::print_stdout)]

mod support;

use std::time::Instant;

use semblant_metrics::table::{binning::BinRule, copies, detection, pairs, privacy, shapes, utility};
use semblant_metrics::{Options, evaluate};

fn folder() -> String {
    std::env::var("ADULT").expect("ADULT names the folder")
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    println!("{what}: {:.2} s", start.elapsed().as_secs_f64());
    result
}

#[test]
#[ignore = "needs the Adult files"]
fn boosting_is_as_good_as_scikit_learns() {
    let [train, test] = ["train", "test"].map(|name| support::read(&format!("{}/{name}.csv", folder())));
    let result = timed("utility (two fits)", || utility::utility(&train, &train, &test, "income", 0)).expect("a score");
    println!("{result:?}");
    // scikit-learn 1.x HistGradientBoostingClassifier(early_stopping=False, categorical_features="from_dtype") on this split: 0.92446.
    assert!((result.real.main() - 0.92446).abs() < 0.003);
}

#[test]
#[ignore = "needs the Adult files"]
fn every_metric_on_adult() {
    let [train, test, mock] = ["train", "test", "mock"].map(|name| support::read(&format!("{}/{name}.csv", folder())));
    println!("shapes {:?}", timed("shapes", || shapes::column_shapes(&train, &mock)).expect("a score").mean);
    let trends = timed("pairs", || pairs::column_pair_trends(&train, &mock, BinRule::EachTable)).expect("a score");
    println!("pairs {:?} {:?}", trends.mean, trends.mean_related);
    println!("new rows {:?}", timed("new rows", || copies::new_row_synthesis(&train, &mock)));
    let privacy = timed("privacy", || privacy::privacy(&train, &mock, Some(&test), 0)).expect("a score");
    println!("{:?} {:?}", privacy.closer_to_train, privacy.tied);
    for close in [Some(&privacy.synthetic), privacy.holdout.as_ref()].into_iter().flatten() {
        println!("median {} p5 {} copies {} new {}", close.median, close.percentile_5, close.copies, close.new_rows);
    }
    println!("detection {:?}", timed("detection", || detection::detection_auc(&train, &mock, 0)));
    println!("detection of the holdout {:?}", timed("detection", || detection::detection_auc(&train, &test, 0)));
}

#[test]
#[ignore = "needs the Adult files"]
fn the_report_on_adult() {
    let [train, test, mock] = ["train", "test", "mock"].map(|name| support::read(&format!("{}/{name}.csv", folder())));
    let options = Options { target: Some("income".into()), ..Options::default() };
    let report = timed("evaluate", || evaluate(&train, &mock, Some(&test), &options, &mut |stage| println!("{stage}"))).expect("a report");
    std::fs::write(format!("{}/report.html", folder()), report.to_html()).expect("written");
    std::fs::write(format!("{}/report.json", folder()), report.to_json().expect("JSON")).expect("written");
    for verdict in &report.verdicts {
        println!("{verdict:?}");
    }
    let alone = evaluate(&train, &mock, None, &Options { max_rows: Some(2000), ..Options::default() }, &mut |_| {}).expect("a report");
    std::fs::write(format!("{}/alone.html", folder()), alone.to_html()).expect("written");
}

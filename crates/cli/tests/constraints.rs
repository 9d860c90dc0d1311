//! Constraints, target shares, given rows and comparisons, from the command line.

#[allow(dead_code, reason = "shared with tests that use more of it")]
mod support;

use std::collections::BTreeSet;

use support::*;

/// 200 orders: total is price times units, shipped never before ordered, a city of one state, a flag.
fn orders(place: &Place) {
    let mut text = String::from("ordered,shipped,price,units,total,city,state,express\n");
    for row in 0..200u32 {
        let mixed = row.wrapping_mul(2_654_435_761) >> 7;
        let (day, later, price, units) = (mixed % 28 + 1, (mixed >> 4) % 3, 100 + (mixed >> 3) % 41 * 5, (mixed >> 5) % 13 + 1);
        let (city, state) = [("Bonn", "NW"), ("Ulm", "BW"), ("Jena", "TH"), ("Essen", "NW")][(mixed >> 8) as usize % 4];
        let express = if (mixed >> 11) % 5 == 0 { "yes" } else { "no" };
        text.push_str(&format!(
            "2024-01-{day:02},2024-01-{:02},{:.2},{units},{:.2},{city},{state},{express}\n",
            day + later,
            f64::from(price) / 100.0,
            f64::from(price * units) / 100.0
        ));
    }
    place.file("orders.csv", text);
}

fn cells(text: &str) -> Vec<Vec<String>> {
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

#[test]
fn constraints_are_declared_mined_and_kept() {
    let place = Place::new();
    orders(&place);
    let mined = place.good(&["schema", "orders.csv", "--mine"]).out;
    for expected in ["combinations = [\"city\", \"state\"]", "[[constraint]]", "\"ordered\", \"shipped\"", "chance alone keeps"] {
        assert!(mined.contains(expected), "no {expected} in {mined}");
    }
    // What is proposed can be used as it is.
    place.file("mined.toml", &mined);
    place.good(&["fit", "orders.csv", "--schema", "mined.toml", "-m", "copula", "-o", "m.safetensors"]);
    let rows = cells(&place.good(&["-q", "sample", "m.safetensors", "-n", "150", "-o", "-"]).out);
    let places: BTreeSet<(&str, &str)> = rows.iter().map(|row| (row[5].as_str(), row[6].as_str())).collect();
    assert_eq!(places, BTreeSet::from([("Bonn", "NW"), ("Essen", "NW"), ("Jena", "TH"), ("Ulm", "BW")]));
    assert!(rows.iter().all(|row| row[0] <= row[1]), "shipped before it was ordered");

    let fit = [
        "fit",
        "orders.csv",
        "-m",
        "copula",
        "-o",
        "c.safetensors",
        "--constraint",
        "total = price * units",
        "--constraint",
        "units <= 11",
    ];
    let ran = place.good(&fit);
    assert!(ran.err.contains("constraint check = \"units <= 11\": ") && ran.err.contains("they are not learned"), "{}", ran.err);
    let rows = cells(&place.good(&["-q", "sample", "c.safetensors", "-n", "150", "--where", "total > 2", "-o", "-"]).out);
    let number = |text: &str| text.parse::<f64>().expect("a number");
    for row in &rows {
        assert!(
            (number(&row[4]) - number(&row[2]) * number(&row[3])).abs() < 0.005 && number(&row[4]) > 2.0 && number(&row[3]) <= 11.0,
            "{row:?}"
        );
    }
    let wrong = |constraint: &str, words: &[&str]| {
        place.bad(2, &["fit", "orders.csv", "-m", "copula", "-o", "x.safetensors", "--constraint", constraint], words);
    };
    wrong("totl = price", &["constraint check = \"totl = price\"", "did you mean \"total\""]);
    wrong("units > 9", &["rows break it", "correct it in the schema"]);
    place.file("bad.toml", "[[constraint]]\ncheck = \"units > 0\"\nderive = \"total = units\"\n");
    place.bad(1, &["fit", "orders.csv", "--schema", "bad.toml", "-o", "x.safetensors"], &["bad.toml", "line 1", "one of: check"]);
    place.file("flat.csv", "a,b\n1,2\n2,1\n");
    place.bad(1, &["schema", "flat.csv", "--mine"], &["no constraint to propose"]);
}

#[test]
fn shares_and_given_rows() {
    let place = Place::new();
    orders(&place);
    place.good(&["-q", "fit", "orders.csv", "-m", "copula", "-o", "m.safetensors"]);
    let sample = |more: &[&str]| place.good(&[&["-q", "sample", "m.safetensors", "-o", "-"], more].concat()).out;
    let rows = cells(&sample(&["-n", "100", "--distribution", "express=yes:0.5,no:0.5"]));
    assert_eq!(rows.iter().filter(|row| row[7] == "yes").count(), 50);
    place.file("some.csv", "city,price,units\nBonn,2.5,\nUlm,,3\n");
    let rows = cells(&sample(&["--given", "some.csv", "--draws", "3"]));
    assert_eq!(rows.len(), 6);
    for (number, row) in rows.iter().enumerate() {
        match number % 2 {
            0 => assert_eq!((row[5].as_str(), row[2].as_str()), ("Bonn", "2.50")),
            _ => assert_eq!((row[5].as_str(), row[3].as_str()), ("Ulm", "3")),
        }
    }
    // A part of the completed rows.
    assert_eq!(cells(&sample(&["--given", "some.csv", "--draws", "3", "--rows", "2..4"])), rows[2..4]);
    let wrong = |more: &[&str], words: &[&str]| {
        place.bad(2, &[&["sample", "m.safetensors", "-o", "x.csv"], more].concat(), words);
    };
    wrong(&["-n", "9", "--distribution", "express"], &["--distribution express", "plan=free:0.7"]);
    wrong(&["-n", "9", "--distribution", "express=maybe:1"], &["\"maybe\" was not in the training data"]);
    wrong(&["-n", "9", "--draws", "3"], &["add --given"]);
    wrong(&["--given", "some.csv", "--draws", "0"], &["--draws 0"]);
    wrong(&["--given", "some.csv", "--balance", "city"], &["omit --balance"]);
    place.file("other.csv", "town\nBonn\n");
    place.bad(1, &["sample", "m.safetensors", "-o", "x.csv", "--given", "other.csv"], &["town"]);
    place.bad(1, &["sample", "m.safetensors", "-o", "x.csv", "--given", "none.csv"], &["none.csv"]);
}

#[test]
fn models_are_compared_on_one_split() {
    let place = Place::new();
    orders(&place);
    let ran = place.good(&["compare", "orders.csv", "--target", "express", "--models", "copula,independent", "-o", "c.html"]);
    for expected in ["copula", "independent", "Column shapes", "copula: fitted in", "c.html"] {
        assert!(ran.out.contains(expected), "no {expected} in {}", ran.out);
    }
    assert!(String::from_utf8(place.bytes("c.html")).expect("UTF-8").contains("independent"));
    let json = place.good(&["-q", "compare", "orders.csv", "--models", "copula", "--holdout", "orders.csv", "--json"]).json();
    assert!(json["times"][0]["model"] == "copula" && json["scores"].is_object(), "{json}");
    place.bad(2, &["compare", "orders.csv", "--models", "copla"], &["copla", "there are"]);
    place.bad(2, &["compare", "orders.csv", "--budget", "soon"], &["90s, 10m or 2h"]);
    place.bad(2, &["compare", "orders.csv", "--holdout-share", "1"], &["--holdout-share 1"]);
    // A budget ends a fit early, with what was learned.
    let ran = place.good(&["compare", "orders.csv", "--models", "masked-diffusion", "--budget", "0.2s"]);
    assert!(ran.err.contains("time budget"), "{}", ran.err);
}

#[test]
fn a_published_protocol_has_its_scores_only() {
    let place = Place::new();
    orders(&place);
    place.good(&["-q", "fit", "orders.csv", "-m", "copula", "-o", "m.safetensors"]);
    place.good(&["-q", "sample", "m.safetensors", "-n", "200", "-o", "made.csv"]);
    let evaluate = [
        "-q",
        "evaluate",
        "--real",
        "orders.csv",
        "--synthetic",
        "made.csv",
        "--holdout",
        "orders.csv",
        "--target",
        "express",
        "--protocol",
        "tabsyn",
    ];
    let ran = place.good(&evaluate);
    for expected in ["Shape (error)", "Alpha-precision", "Beta-recall", "C2ST (logistic)", "MLE", "DCR share"] {
        assert!(ran.out.contains(expected), "no {expected} in {}", ran.out);
    }
    place.bad(2, &["evaluate", "--real", "orders.csv", "--synthetic", "made.csv", "--protocol", "tabsin"], &["tabsin", "tabsyn"]);
}

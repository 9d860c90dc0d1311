//! `semblant evaluate --features` as its users run it: the page, and what cannot be evaluated.

mod support;

use std::path::Path;

use semblant::checkpoint::Checkpoint;
use semblant::data::image::Images;
use semblant::metrics::image::classifier::{Classifier, ClassifierConfig};
use semblant::synthesizer::Run;
use support::*;

const CLASSES: [&str; 2] = ["left", "top"];

/// Images of `side` x `side` pixels, bright on the left or on top.
fn bright(count: usize, side: usize, seed: usize) -> Images {
    let lit = |image: usize, y: usize, x: usize| if image.is_multiple_of(2) { 2 * x < side } else { 2 * y < side };
    let pixel = |i: usize| {
        let (image, y, x) = (i / (side * side), i / side % side, i % side);
        180 * u8::from(lit(image, y, x)) + ((i * 37 + seed * 101) % 71) as u8
    };
    let classes = (0..count as u32).map(|image| image % 2).collect();
    let pixels = (0..count * side * side).map(pixel).collect();
    Images::new(pixels, [count, 1, side, side], Some((classes, CLASSES.map(String::from).to_vec()))).expect("sound")
}

/// `real`, `made`, `kept` (a holdout), and a classifier of them.
fn place() -> Place {
    let place = Place::new();
    for (name, images) in [("real", bright(40, 8, 1)), ("made", bright(30, 8, 2)), ("kept", bright(20, 8, 3))] {
        images.write_folder(place.path(name), false).expect("writable");
    }
    let config = ClassifierConfig { images: 1_000, ..ClassifierConfig::default() };
    let mut run = Run::new(semblant::device::select("cpu").expect("always there"), 0);
    let classifier = Classifier::fit(&bright(40, 8, 1), None, &config, &mut run).expect("fits");
    classifier.save(&place.path("c.safetensors")).expect("writable");
    place
}

const FEATURES: [&str; 2] = ["--features", "classifier:c.safetensors"];

#[test]
fn a_page_and_its_numbers_are_written() {
    let place = place();
    let asked = ["evaluate", "--real", "real", "--synthetic", "made", "--holdout", "kept", "-o", "r.html", "--json", "s.json"];
    let said = place.good(&[&asked[..], &["--utility", "1000"], &FEATURES].concat());
    assert!(said.err.contains("three classifiers on 1000 images"), "{}", said.err);
    assert!(place.has("r.html") && place.has("s.json"));
    let json: serde_json::Value = serde_json::from_slice(&place.bytes("s.json")).expect("JSON");
    let page = String::from_utf8(place.bytes("r.html")).expect("UTF-8");
    let section = |id: &str| json["sections"].as_array().expect("sections").iter().find(|section| section["id"] == id).expect("there");
    let facts = section("settings")["data"].as_array().expect("facts");
    let hash = facts.iter().find(|fact| fact["id"] == "sha256").and_then(|fact| fact["value"].as_str()).expect("a hash");
    for word in [hash, "Utility", "Frechet distance", "Closest training images", "30 synthetic images"] {
        assert!(page.contains(word), "{word}");
    }
    for word in
        [hash, "r.html", "Trained on synthetic: accuracy", "40 real, 30 synthetic, 20 holdout images", "each trained on 1000 images"]
    {
        assert!(said.out.contains(word), "{word}: {}", said.out);
    }
    let classes = section("utility")["data"]["rows"].as_array().expect("rows").iter().map(|row| row["name"].as_str().expect("a name"));
    assert_eq!(classes.collect::<Vec<_>>(), ["All", CLASSES[0], CLASSES[1]]);
    assert_eq!(json["verdicts"].as_array().map(Vec::len), Some(3));
    // Without a holdout there is no measure, and the answers say so.
    let json = place.good(&[&["-q", "evaluate", "--real", "real", "--synthetic", "made", "--json", "-"][..], &FEATURES].concat()).json();
    assert!(json["verdicts"].as_array().expect("three").iter().all(|verdict| verdict["grade"] == "unknown"), "{json}");
    assert!(json["scores"].as_array().expect("scores").iter().all(|score| score["reference"].is_null()), "{json}");
    // Fewer images than neighbours: the rest is still measured.
    bright(4, 8, 5).write_folder(place.path("four"), false).expect("writable");
    let json = place.good(&[&["-q", "evaluate", "--real", "real", "--synthetic", "four", "--json", "-"][..], &FEATURES].concat()).json();
    let undefined: Vec<&str> = json["scores"].as_array().expect("scores").iter().filter_map(|score| score["undefined"].as_str()).collect();
    let few = |why: &&str| why.contains("five images") || why.contains("twice as many images");
    assert!(undefined.len() == 5 && undefined.iter().all(few), "{undefined:?}");
}

#[test]
fn paired_images_are_compared() {
    let place = Place::new();
    // AlexNet's layers with weights that mean nothing: what matters here is what is asked and said.
    let mut weights = Checkpoint::foreign();
    for (at, outputs, inputs, kernel) in [(0, 64, 3, 11), (3, 192, 64, 5), (6, 384, 192, 3), (8, 256, 384, 3), (10, 256, 256, 3)] {
        let values: Vec<f32> = (0..outputs * inputs * kernel * kernel).map(|i| 0.01 * ((i * 31 % 97) as f32 - 48.0)).collect();
        weights.insert(&format!("features.{at}.weight"), &[outputs, inputs, kernel, kernel], values);
        weights.insert(&format!("features.{at}.bias"), &[outputs], vec![0.1; outputs]);
    }
    weights.write(&place.path("alex.safetensors")).expect("writable");
    let channels = Path::new(env!("CARGO_MANIFEST_DIR")).join("../metrics/tests/golden/lpips_alex.pth");
    std::fs::copy(channels, place.path("lin.pth")).expect("there");
    for (name, images) in [("a", bright(4, 32, 1)), ("b", bright(4, 32, 2)), ("few", bright(2, 32, 1)), ("small", bright(4, 12, 1))] {
        images.write_folder(place.path(name), false).expect("writable");
    }
    const LPIPS: [&str; 3] = ["evaluate", "--features", "lpips:alex.safetensors,lin=lin.pth"];
    let json = place.good(&[&LPIPS[..], &["--real", "a", "--synthetic", "b", "--json", "-"]].concat()).json();
    let score = |place: usize| json["scores"][place]["value"].as_f64().expect("a number");
    assert!(score(0) > 0.0 && score(1) < 1.0 && score(2) > 10.0, "{json}");
    assert_eq!(json["sources"]["real"]["count"], 4);
    // Equal images are at no distance, and their ratio to no noise is no number.
    let said = place.good(&[&LPIPS[..], &["--real", "a", "--compare", "a", "b"]].concat()).out;
    let line =
        |name: &str| said.lines().find(|line| line.starts_with(name)).map(|line| line.split_whitespace().rev().nth(2).map(str::to_owned));
    assert_eq!(line("LPIPS"), Some(Some("0.0000".into())), "{said}");
    assert_eq!(line("Peak"), Some(Some("-".into())), "{said}");
    assert!(said.contains("SHA-256") && said.contains("Alex"), "{said}");
    place.bad(1, &[&LPIPS[..], &["--real", "a", "--synthetic", "few"]].concat(), &["paired"]);
    place.bad(1, &[&LPIPS[..], &["--real", "small", "--synthetic", "small"]].concat(), &["31 x 31", "12 x 12"]);
    place.bad(2, &[&LPIPS[..], &["--real", "a", "--synthetic", "b", "--holdout", "a"]].concat(), &["--holdout", "pairs"]);
}

#[test]
fn inputs_that_cannot_be_evaluated_are_errors_of_one_line() {
    let place = place();
    bright(8, 12, 1).write_folder(place.path("large"), false).expect("writable");
    bright(1, 8, 1).write_folder(place.path("one"), false).expect("writable");
    let bare = bright(9, 8, 1);
    let bare = Images::new(bare.pixels().to_vec(), bare.shape(), None).expect("sound");
    bare.write_folder(place.path("bare"), false).expect("writable");
    place.file("cut.pth", [&b"PK\x03\x04"[..], &[7; 300]].concat());
    place.file("empty.pth", b"");
    let with = |made: &str, features: &str, more: &[&str], words: &[&str]| {
        place.bad(1, &[&["evaluate", "--real", "real", "--synthetic", made, "--features", features], more].concat(), words);
    };
    let judge = "classifier:c.safetensors";
    with("large", judge, &[], &["12", "8", "size"]);
    with("one", judge, &[], &["two images"]);
    with("made", judge, &["--holdout", "large"], &["12", "8", "size"]);
    with("made", judge, &["--holdout", "one"], &["two images"]);
    with("bare", judge, &["--holdout", "kept", "--utility"], &["same classes", "synthetic"]);
    place.bad(2, &["evaluate", "--real", "real", "--synthetic", "made", "--features", judge, "-o", "real"], &["is the input real"]);
    with("made", "classifier:cut.pth", &[], &["cut.pth"]);
    with("made", "inception:cut.pth", &[], &["cut.pth", "truncated"]);
    with("made", "inception:empty.pth,resize=tf1", &[], &["empty.pth", "truncated"]);
    with("made", "inception:absent.pth,resize=clean", &[], &["absent.pth"]);
    with("made", "inception:c.safetensors", &[], &["c.safetensors", "Conv2d_1a_3x3.conv.weight is missing", "Inception"]);
    with("made", "lpips:c.safetensors,lin=cut.pth", &[], &["c.safetensors", "features.0.weight is missing", "AlexNet"]);
    let usage = |more: &[&str], words: &[&str]| {
        place.bad(2, &[&["evaluate", "--real", "real", "--synthetic", "made"], more].concat(), words);
    };
    usage(&["--features", judge, "--utility", "many", "--holdout", "kept"], &["many"]);
    usage(&["--features", judge, "--schema", "s.toml"], &["--schema", "table"]);
}

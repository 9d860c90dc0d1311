//! The program with models of images, as its users run it.

mod support;

use std::path::Path;

use semblant::data::image::{ImageOptions, Images};
use semblant::metrics::image::classifier::{Classifier, ClassifierConfig};
use semblant::synthesizer::Run;
use support::*;

/// A flow model that takes a moment.
const FIT: &[&str] = &["fit", "shapes", "-m", "flow", "-o", "m.safetensors"];
const SMALL: &[&str] = &[
    "--set",
    "network.kind=mlp",
    "--set",
    "network.width=16",
    "--set",
    "network.depth=1",
    "--set",
    "training.rows=64",
    "--set",
    "training.batch_rows=8",
    "--set",
    "sampling.steps=3",
];
/// With which it learns something too.
const EAGER: &[&str] = &["--set", "training.rows=640", "--set", "training.optimizer.learning_rate=0.01"];

/// 18 images of 8 x 8 pixels in two classes: bright on the left, or on top.
fn shapes() -> Images {
    let bright = |image: usize, y: usize, x: usize| if image.is_multiple_of(3) { x < 4 } else { y < 4 };
    let pixels = (0..18 * 64).map(|i| if bright(i / 64, i / 8 % 8, i % 8) { 230 + (i / 64) as u8 } else { (i / 64) as u8 }).collect();
    let classes = (0..18).map(|image| u32::from(image % 3 != 0)).collect();
    Images::new(pixels, [18, 1, 8, 8], Some((classes, vec!["left".into(), "top".into()]))).expect("sound")
}

/// Images without classes.
fn plain(count: usize, side: usize) -> Images {
    Images::new((0..count * side * side).map(|i| (i * 37 % 251) as u8).collect(), [count, 1, side, side], None).expect("sound")
}

/// A place with `shapes/`, a folder for each of two classes.
fn with_shapes() -> Place {
    let place = Place::new();
    shapes().write_folder(place.path("shapes"), false).expect("writable");
    place
}

/// A place with `shapes/` and a model of it, `m.safetensors`.
fn with_model(more: &[&str]) -> Place {
    let place = with_shapes();
    place.good(&[FIT, SMALL, more].concat());
    place
}

fn read(place: &Place, name: &str) -> Images {
    Images::read(place.path(name), &ImageOptions::default()).unwrap_or_else(|error| panic!("{name}: {error}")).images
}

/// Height and width of one picture.
fn size(place: &Place, name: &str) -> [usize; 2] {
    let alone = Place::new();
    alone.file("picture.png", place.bytes(name));
    let picture = Images::read(alone.path(""), &ImageOptions::default()).expect("a picture").images;
    [picture.height(), picture.width()]
}

/// How far apart pixels are on average.
fn distance(a: &Images, b: &Images) -> f64 {
    let total: u64 = a.pixels().iter().zip(b.pixels()).map(|(&a, &b)| u64::from(a.abs_diff(b))).sum();
    total as f64 / a.pixels().len() as f64
}

#[test]
fn a_folder_of_images_becomes_a_model_and_images() {
    let place = with_shapes();
    let fit = place.good(&[FIT, SMALL, &["--json", "--set", "training.tick_rows=32"]].concat());
    assert_eq!((&fit.json()["model"], &fit.json()["summary"]["steps"]), (&"m.safetensors".into(), &8.into()));
    for seen in [32, 64] {
        let sheet = format!("m.safetensors.run/samples-{seen:010}.png");
        assert_eq!(size(&place, &sheet), [4 * 64 + 5 * 2, 10 * 64 + 11 * 2], "{sheet}: forty images, large enough to be seen");
    }
    assert!(place.has("m.safetensors.run/log.jsonl") && !place.has("m.safetensors.run/state.safetensors"));

    let sample = |more: &[&str]| place.good(&[&["sample", "m.safetensors"], more].concat());
    let said = sample(&["-n", "6", "-o", "sheet.png", "--json"]).json();
    assert_eq!((&said["output"], &said["images"]), (&"sheet.png".into(), &6.into()));
    assert_eq!(size(&place, "sheet.png"), [2 * 64 + 3 * 2, 3 * 64 + 4 * 2]);
    assert_eq!(sample(&["-n", "6", "-o", "made"]).out, "made\n");
    sample(&["-n", "6", "-o", "made.v2"]);
    let made = read(&place, "made");
    assert_eq!((made.count(), made.height(), made.width(), made.channels()), (6, 8, 8, 1));
    assert_eq!(made, read(&place, "made.v2"), "equal seeds, equal images");
    sample(&["-n", "6", "--seed", "1", "-o", "other"]);
    assert_ne!(made.pixels(), read(&place, "other").pixels(), "another seed");
    sample(&["-n", "6", "-o", "all.npz"]);
    sample(&["-n", "6", "-o", "again.npz", "--batch-rows", "2"]);
    assert!(place.bytes("all.npz").starts_with(b"PK") && place.bytes("all.npz") == place.bytes("again.npz"));

    // More than are computed at once, and a part of them. A folder is read class after class, so one class is asked for.
    sample(&["-n", "70", "--class", "top", "-o", "many"]);
    sample(&["--rows", "60..70", "--where", "class=top", "-o", "part"]);
    let many = read(&place, "many");
    assert_eq!((many.count(), many.class_names()), (70, ["top".to_owned()].as_slice()));
    assert_eq!(read(&place, "part"), many.select(&(60..70).collect::<Vec<_>>()));
    sample(&["-n", "10", "--balance", "class", "-o", "balanced"]);
    assert_eq!(read(&place, "balanced").class_counts(), [5, 5]);
}

#[test]
fn sampling_flags_take_effect() {
    let place = with_model(EAGER);
    let sample = |name: &str, more: &[&str]| {
        place.good(&[&["-q", "sample", "m.safetensors", "--class", "top", "-o", name], more].concat());
        read(&place, name)
    };
    let plain = sample("plain", &["-n", "6"]);
    let same = sample("same", &["-n", "6", "--steps", "3", "--solver", "heun", "--guidance", "1"]);
    assert_eq!(plain, same, "what the model was fitted with");
    for (name, more) in [
        ("steps", &["--steps", "9"][..]),
        ("solver", &["--solver", "euler"]),
        ("noise", &["--solver", "ddim", "--set", "eta=1.0"]),
        ("guidance", &["--guidance", "9"]),
    ] {
        assert_ne!(plain, sample(name, &[&["-n", "6"], more].concat()), "{more:?} changes nothing");
    }
    // Seventy images are more than are computed at once; the way has its ends where a short one has them.
    let way = sample("way", &["-n", "70", "--interpolate", "0", "5"]);
    assert_eq!((way.select(&[0]), way.select(&[69])), (plain.select(&[0]), plain.select(&[5])));
    assert!(way.pixels_of(35) != way.pixels_of(0) && way.pixels_of(35) != way.pixels_of(69));
}

#[test]
fn images_are_made_out_of_images() {
    let place = with_model(EAGER);
    let left_half = Images::new((0..64).map(|i| if i % 8 < 4 { 255 } else { 0 }).collect(), [1, 1, 8, 8], None).expect("sound");
    left_half.write_folder(place.path("mask"), false).expect("writable");
    let sample = |name: &str, more: &[&str]| {
        place.good(&[&["-q", "sample", "m.safetensors", "--steps", "20", "--from", "shapes", "-o", name], more].concat());
        read(&place, name)
    };
    let given = read(&place, "shapes");
    let [near, half, far] =
        [("near", "0.05"), ("half", "0.5"), ("far", "1")].map(|(name, strength)| sample(name, &["--strength", strength]));
    assert_eq!((half.shape(), half.class_counts()), (given.shape(), given.class_counts()), "each keeps its class");
    let distances = [&near, &half, &far].map(|made| distance(made, &given));
    assert!(distances[0] < distances[1] && distances[1] < distances[2], "{distances:?}");
    let kept = sample("kept", &["--strength", "0.5", "--mask", "mask"]);
    let same = |i: &usize| kept.pixels()[*i] == given.pixels()[*i];
    assert!((0..18 * 64).filter(|i| i % 8 < 4).all(|i| same(&i)), "what was to be kept has changed");
    assert!(!(0..18 * 64).all(|i| same(&i)), "nothing has changed");
}

#[test]
fn models_of_images_are_listed_inspected_and_exported() {
    let dit: &[&str] = &["--set", "network.kind=dit", "--set", "network.patch=4", "--set", "network.heads=2"];
    let place = with_model(dit);
    let text = place.good(&["inspect", "m.safetensors"]).out;
    assert!(text.contains("flow") && text.contains("8 x 8 pixels in 1 channels") && text.contains("left, top"), "{text}");
    let json = place.good(&["inspect", "m.safetensors", "--json"]).json();
    assert_eq!((&json["model"], &json["images"]["shape"]["height"]), (&"flow".into(), &8.into()));
    assert_eq!(json["images"]["class_counts"], serde_json::json!([6, 12]));
    assert_eq!(json["config"]["network"]["patch"], 4);
    let listed = place.good(&["models"]).out;
    assert!(
        semblant::Registry::default()
            .models::<semblant::data::image::Images>()
            .all(|entry| listed.contains(entry.name) && listed.contains(entry.summary)),
        "{listed}"
    );

    place.good(&["export", "m.safetensors", "--format", "diffusers", "-o", "exported"]);
    assert!(place.has("exported/model_index.json") && place.has("exported/transformer/config.json"));
    let one = |model: &str, name: &str| {
        place.good(&["sample", model, "-n", "6", "--class", "top", "--steps", "1", "--solver", "euler", "-o", name]);
        read(&place, name)
    };
    let (ours, theirs) = (one("m.safetensors", "ours"), one("exported", "theirs"));
    let most = ours.pixels().iter().zip(theirs.pixels()).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(theirs.count() == 6 && most <= Some(1), "the exported network says something else: {most:?}");
    place.bad(1, &["export", "m.safetensors", "-o", "exported"], &["exported", "no empty folder"]);
    place.good(&[FIT, SMALL].concat());
    place.bad(2, &["export", "m.safetensors", "-o", "never"], &["perceptron"]);
}

#[test]
fn images_that_cannot_be_read_are_named() {
    let place = with_shapes();
    let fit = [FIT, SMALL].concat();
    let broken = &place.bytes("shapes/top/000001.png")[..40];
    place.file("shapes/top/broken.png", broken);
    place.bad(1, &[&fit[..], &["--strict"]].concat(), &["shapes", "top/broken.png", "decoded"]);
    let ran = place.good(&fit);
    assert!(ran.err.lines().any(|line| line.contains("top/broken.png") && line.contains("left out")), "{}", ran.err);
    std::fs::remove_file(place.path("shapes/top/broken.png")).expect("there");
    std::fs::rename(place.path("m.safetensors"), place.path("with-broken.safetensors")).expect("there");
    place.good(&fit);
    assert!(place.bytes("m.safetensors") == place.bytes("with-broken.safetensors"), "a file that is left out changes nothing");

    std::fs::create_dir(place.path("empty")).expect("creatable");
    let of = |data: &'static str| [&["fit", data, "-m", "flow", "-o", "n.safetensors"], SMALL].concat();
    place.bad(1, &of("empty"), &["empty", "no PNG"]);
    place.bad(1, &of("absent"), &["absent"]);
    place.file("empty/notes.txt", "no image");
    place.bad(1, &of("empty"), &["empty", "notes.txt"]);
    place.file("empty/a.png", broken);
    place.bad(1, &of("empty"), &["a.png", "decoded"]);

    plain(3, 8).write_folder(place.path("mixed"), false).expect("writable");
    plain(3, 12).write_folder(place.path("large"), false).expect("writable");
    std::fs::rename(place.path("large/000000.png"), place.path("mixed/large.png")).expect("there");
    place.bad(1, &of("mixed"), &["mixed", "8 x 8", "12 x 12"]);
    place.bad(2, &[&of("mixed")[..], &["--size", "6by6"]].concat(), &["6by6", "32x48"]);
    place.bad(1, &[&of("mixed")[..], &["--size", "0"]].concat(), &["size"]);
    place.good(&[&of("mixed")[..], &["--size", "6x4"]].concat());
    assert!(place.good(&["inspect", "n.safetensors"]).out.contains("6 x 4 pixels"));
}

#[test]
fn wrong_usage_is_one_line_and_code_two() {
    let place = with_model(&[]);
    plain(4, 8).write_folder(place.path("plain"), false).expect("writable");
    place.good(&[&["fit", "plain", "-m", "flow", "-o", "bare.safetensors"], SMALL].concat());
    place.file("t.csv", "a,b\n1,x\n2,y\n");
    place.good(&["fit", "t.csv", "-m", "independent", "-o", "t.safetensors"]);

    let fit =
        |more: &[&str], words: &[&str]| place.bad(2, &[&["fit", "shapes", "-m", "flow", "-o", "n.safetensors"], more].concat(), words);
    fit(&["--target", "class"], &["--target", "table", "images"]);
    fit(&["--drop", "class"], &["--drop", "images"]);
    fit(&["--schema", "s.toml"], &["--schema", "images"]);
    fit(&["--set", "network.kind=gnu"], &["gnu", "dit"]);
    fit(&["--set", "training.imags=5"], &["imags", "batch_rows"]);
    fit(&["--set", "sampling.churn=40"], &["churn"]);
    fit(&["--set", "network.kind=dit", "--set", "network.patch=3"], &["patch = 3", "8 x 8"]);
    let table = |more: &[&str], words: &[&str]| {
        place.bad(2, &[&["fit", "t.csv", "-m", "independent", "-o", "n.safetensors"], more].concat(), words)
    };
    table(&["--size", "8"], &["--size", "images", "table"]);
    table(&["--strict"], &["--strict", "images"]);

    let sample = |model: &str, more: &[&str], words: &[&str]| {
        place.bad(2, &[&["sample", model, "-o", if model.starts_with('t') { "s.csv" } else { "s.png" }], more].concat(), words);
    };
    sample("t.safetensors", &["-n", "2", "--steps", "3"], &["--steps", "images"]);
    sample("t.safetensors", &["-n", "2", "--interpolate", "0", "1"], &["--interpolate", "images"]);
    sample("t.safetensors", &["--from", "shapes"], &["--from", "noise"]);
    sample("t.safetensors", &["-n", "2", "--class", "top"], &["class"]);
    sample("m.safetensors", &["-n", "2", "--class", "right"], &["right", "left, top"]);
    sample("m.safetensors", &["-n", "2", "--class", "left", "--where", "class=top"], &["two classes"]);
    sample("m.safetensors", &["-n", "2", "--where", "colour=red"], &["colour"]);
    sample("m.safetensors", &["-n", "2", "--solver", "rk4"], &["rk4", "heun"]);
    sample("m.safetensors", &["-n", "2", "--steps", "0"], &["steps = 0"]);
    sample("m.safetensors", &["-n", "2", "--guidance", "-1"], &["guidance"]);
    sample("m.safetensors", &["-n", "2", "--set", "churn=40"], &["churn"]);
    sample("m.safetensors", &["-n", "2", "--strength", "0.5"], &["--from"]);
    sample("m.safetensors", &["-n", "2", "--mask", "plain"], &["--from"]);
    sample("m.safetensors", &["-n", "2", "--from", "shapes"], &["--from"]);
    sample("m.safetensors", &["--from", "shapes", "--interpolate", "0", "1"], &["--interpolate"]);
    sample("m.safetensors", &["-n", "2", "--interpolate", "0"], &["--interpolate"]);
    sample("m.safetensors", &["--from", "shapes", "--strength", "1.5"], &["strength = 1.5"]);
    sample("bare.safetensors", &["-n", "2", "--class", "top"], &["without classes"]);
    sample("bare.safetensors", &["-n", "2", "--balance", "class"], &["without classes"]);
    for name in ["s.jpg", "s.csv", "s.npy"] {
        place.bad(2, &["sample", "m.safetensors", "-n", "2", "-o", name], &[name, ".png", ".npz", "folder"]);
    }
    place.bad(2, &["export", "t.safetensors", "-o", "never"], &["diffusers"]);
    place.bad(2, &["evaluate", "--real", "shapes", "--synthetic", "shapes", "--features", "inception"], &["inception", "classifier:FILE"]);
    let judged = |more: &[&str], words: &[&str]| {
        place.bad(2, &[&["evaluate", "--real", "shapes", "--synthetic", "shapes"], more].concat(), words);
    };
    let attacked =
        ["evaluate", "--real", "shapes", "--synthetic", "shapes", "--holdout", "shapes", "--features", "classifier:c.safetensors"];
    place.bad(1, &[&attacked[..], &["--shadow", "t.safetensors"]].concat(), &["t.safetensors", "independent", "images"]);
    judged(&["--features", "inception:w.pth,resize=lanczos"], &["lanczos", "pytorch-fid, tf1, clean"]);
    judged(&["--features", "lpips:w.pth"], &["weights by channel", "lin="]);
    judged(&["--utility"], &["--holdout"]);
    judged(&["--features", "classifier:c", "--utility"], &["--holdout"]);
    judged(&["--features", "classifier:c", "--shadow", "m.safetensors"], &["--holdout"]);
    place.bad(
        2,
        &["evaluate", "--real", "shapes", "--synthetic", "shapes", "--features", "classifier:c", "--target", "class"],
        &["--target", "table"],
    );
}

#[test]
fn work_that_fails_is_one_line_and_code_one() {
    let place = with_model(&[]);
    plain(4, 12).write_folder(place.path("large"), false).expect("writable");
    let sample = |more: &[&str], words: &[&str]| place.bad(1, &[&["sample", "m.safetensors"], more].concat(), words);
    sample(&["-n", "2", "-o", "shapes"], &["shapes", "something in it"]);
    sample(&["-n", "2", "-o", "m.safetensors.run"], &["m.safetensors.run", "something in it"]);
    sample(&["-n", "2", "-o", "no/such/s.png"], &["no/such/s.png"]);
    sample(&["-n", "2", "-o", "no/such/folder"], &["no/such/folder"]);
    sample(&["--from", "large", "-o", "s.png"], &["1 x 12 x 12", "1 x 8 x 8"]);
    sample(&["--from", "shapes", "--mask", "large", "-o", "s.png"], &["1 x 12 x 12"]);
    sample(&["--from", "shapes", "--mask", "shapes", "-o", "s.png"], &["one image"]);
    sample(&["--from", "absent", "-o", "s.png"], &["absent"]);
    place.file("d.safetensors", &place.bytes("m.safetensors")[..2000]);
    place.bad(1, &["sample", "d.safetensors", "-n", "2", "-o", "s.png"], &["d.safetensors", "truncated"]);
    place.bad(1, &["sample", "shapes", "-n", "2", "-o", "s.png"], &["shapes", "model_index.json"]);
    place.bad(
        1,
        &["fit", "shapes", "-m", "consistency", "-o", "c.safetensors", "--set", "from=absent.safetensors"],
        &["absent.safetensors"],
    );
    place.bad(1, &["fit", "shapes", "-m", "consistency", "-o", "c.safetensors", "--set", "from=m.safetensors"], &["m.safetensors", "edm"]);
    // An empty folder is as good as none.
    std::fs::create_dir(place.path("new")).expect("creatable");
    place.good(&["sample", "m.safetensors", "-n", "2", "-o", "new"]);
    assert_eq!(read(&place, "new").count(), 2);
}

#[test]
#[cfg_attr(not(has_data), ignore = "set SEMBLANT_DATA to run")]
fn digits_are_fitted_sampled_and_evaluated() {
    let data = std::env::var_os("SEMBLANT_DATA").expect("SEMBLANT_DATA names a folder of data sets");
    let place = Place::new();
    place.good(&[&["fit", "digits8x8", "-m", "flow", "-o", "m.safetensors"], SMALL].concat());
    assert!(place.good(&["inspect", "m.safetensors"]).out.contains("0, 1, 2, 3, 4, 5, 6, 7, 8, 9"));
    place.good(&["sample", "m.safetensors", "-n", "100", "--balance", "class", "-o", "made"]);
    // A classifier that is there is used as it is; this one has seen fewer images than one that the command trains.
    let dataset = semblant::data::catalog::Catalog::get("digits8x8").expect("known");
    let part = |name: &str| dataset.read_images(name, Some(Path::new(&data)), Path::new("no-cache")).expect("there").images;
    let device = semblant::device::select("cpu").expect("always there");
    let config = ClassifierConfig { images: 20_000, ..ClassifierConfig::default() };
    let (train, test) = (part("train"), part("test"));
    let classifier = Classifier::fit(&train, Some(&test), &config, &mut Run::new(device, 0)).expect("fits");
    classifier.save(&place.path("judge.safetensors")).expect("writable");
    let features = ["--features", "classifier:judge.safetensors"];
    let judge = |synthetic: &str| {
        let images = ["--real", "digits8x8", "--holdout", "digits8x8:test", "--synthetic", synthetic];
        place.good(&[&["-q", "evaluate", "--json", "-"], &images[..], &features].concat()).json()
    };
    let made = judge("made");
    let counts = ["real", "synthetic", "holdout"].map(|set| made["sources"][set]["count"].as_u64().map(|count| count as usize));
    assert_eq!(counts, [Some(train.count()), Some(100), Some(test.count())]);
    // The score of the images and of the holdout.
    let both = |json: &serde_json::Value, id: &str| {
        let score = json["scores"].as_array().and_then(|scores| scores.iter().find(|score| score["id"] == id)).cloned().unwrap_or_default();
        ["value", "reference"].map(|key| score[key].as_f64().unwrap_or_else(|| panic!("{id}: {json}")))
    };
    let [accuracy, real_accuracy] = both(&made, "class_accuracy");
    // Eight steps make no digits: the judge must see that.
    assert!(accuracy < 0.5 && real_accuracy > 0.9, "{made}");
    for distance in ["frechet_distance", "kid", "mind"] {
        let [score, reference] = both(&made, distance);
        assert!(score > 3.0 * reference.abs(), "{distance}: {made}");
    }
    for share in ["precision", "recall", "coverage", "density"] {
        let [score, reference] = both(&made, share);
        assert!(score < reference, "{share}: {made}");
    }
    let grades: Vec<&str> = made["verdicts"].as_array().expect("three").iter().filter_map(|verdict| verdict["grade"].as_str()).collect();
    assert_eq!(grades, ["poor", "unknown", "good"], "{made}");
    test.write_folder(place.path("real"), false).expect("writable");
    let real = judge("real");
    // The same images in another order: sums differ in their last digits only.
    for key in ["class_accuracy", "frechet_distance", "class_share_distance", "nearest", "memorised"] {
        let [score, reference] = both(&real, key);
        assert!((score - reference).abs() < 1e-4, "{key}: {real}");
    }
    // Parts are drawn by place, so that the order counts.
    let ([score, reference], [deviation, _]) = (both(&real, "classifier_score"), both(&real, "classifier_score_deviation"));
    assert!((score - reference).abs() < 3.0 * deviation && deviation > 0.0, "{real}");
    let compare = ["-q", "evaluate", "--real", "digits8x8", "--compare", "made", "real"];
    let said = place.good(&[&compare[..], &features].concat()).out;
    assert_eq!(
        said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find(|words| words.first() == Some(&"score")),
        Some(vec!["score", "made", "real", "reference"]),
        "{said}"
    );
    let both = place.good(&[&compare[..], &["--json", "-"], &features].concat()).json();
    assert_eq!(
        (&both["reports"][1]["name"], &both["reports"][1]["report"]["sources"]["synthetic"]["count"]),
        (&serde_json::json!("real"), &serde_json::json!(test.count()))
    );
    let said = place.good(&[&["-q", "evaluate", "--real", "digits8x8", "--synthetic", "made"], &features[..]].concat()).out;
    assert!(said.contains("Frechet distance") && said.contains("Coverage") && said.contains("SHA-256"), "{said}");
}

#[test]
fn a_vae_gives_likelihoods_and_rebuilds_images() {
    let place = with_shapes();
    place.good(&[
        "-q",
        "fit",
        "shapes",
        "-m",
        "vae",
        "-o",
        "v.safetensors",
        "--set",
        "network={kind=\"mlp\",width=16,depth=1}",
        "--set",
        "latent_width=2",
        "--set",
        "likelihood={kind=\"bernoulli\"}",
        "--set",
        "training.rows=640",
        "--set",
        "training.batch_rows=8",
    ]);
    let asked = ["-q", "evaluate", "--real", "shapes", "--likelihood", "v.safetensors", "--samples", "20"];
    let scores = place.good(&[&asked[..], &["--json", "-"]].concat()).json();
    let nats = scores["negative_log_likelihood_nats"].as_f64().expect("a number");
    assert!(nats > 0.0 && nats < 64.0 * 2.0 && scores["images"] == 18 && scores["samples"] == 20, "{scores}");
    assert!((scores["bits_per_dimension"].as_f64().expect("a number") - nats / 64.0 / std::f64::consts::LN_2).abs() < 1e-9);
    assert!(place.good(&asked).out.contains(&format!("{nats:.3} nats")), "the same estimate again");
    place.good(&["-q", "sample", "v.safetensors", "--from", "shapes", "-o", "rebuilt"]);
    assert_eq!(read(&place, "rebuilt").class_counts(), [6, 12]);
    place.good(&["-q", "sample", "v.safetensors", "--interpolate", "0", "1", "-n", "5", "--set", "prior=normal", "-o", "way.png"]);

    place.good(&[FIT, SMALL].concat());
    place.bad(2, &["evaluate", "--real", "shapes", "--likelihood", "m.safetensors"], &["flow", "likelihood"]);
    place.bad(2, &["evaluate", "--real", "shapes", "--likelihood", "v.safetensors", "--samples", "0"], &["--samples", "0 is not in 1"]);
    place.bad(2, &["evaluate", "--real", "shapes"], &["--synthetic"]);
    place.bad(2, &["evaluate", "--real", "shapes", "--likelihood", "v.safetensors", "--synthetic", "shapes"], &["--synthetic"]);
}

#[test]
fn shadow_models_of_images_attack_membership() {
    let place = with_model(&[]);
    shapes().write_folder(place.path("kept"), false).expect("writable");
    place.good(&["sample", "m.safetensors", "-n", "18", "-o", "made"]);
    let asked = ["evaluate", "--real", "shapes", "--synthetic", "made", "--holdout", "kept", "--features", "classifier:c.safetensors"];
    let shadows = ["--shadow", "m.safetensors", "--shadows", "4", "--json", "-", "--device", "cpu"];
    let run = || place.good(&[&asked[..], &shadows].concat());
    let (first, again) = (run(), run());
    assert_eq!(first.json(), again.json());
    for said in ["shadow model 4 of 4", "features of 18 synthetic images", "memorization of holdout images"] {
        assert!(first.err.contains(said), "{said}: {}", first.err);
    }
    let report = first.json();
    let score = |id: &str| report["scores"].as_array().expect("a list").iter().find(|score| score["id"] == id).expect("scored").clone();
    let auc = score("membership_shadow_auc");
    assert!(auc["meaning"].to_string().contains("18 training and 18 holdout images"), "{auc}");
    // The holdout equals the training images, so no attack can distinguish them.
    let interval = auc["interval"].as_array().expect("two").iter().filter_map(serde_json::Value::as_f64).collect::<Vec<f64>>();
    assert!(interval[0] < 0.5 && interval[1] > 0.5, "{auc}");
    score("membership_shadow_found_01");

    // A model that needs another file names it, and a stranger may have written that name.
    place.good(&[&["fit", "shapes", "-m", "edm", "-o", "e.safetensors"], SMALL].concat());
    place.good(&[&["fit", "shapes", "-m", "consistency", "-o", "c-model.safetensors", "--set", "from=e.safetensors"], SMALL].concat());
    let shadow = ["--shadow", "c-model.safetensors", "--shadows", "4", "--json", "-", "--device", "cpu"];
    place.bad(1, &[&asked[..], &shadow].concat(), &["c-model.safetensors", "from = \"e.safetensors\"", "not opened"]);
}

//! Inception and what feeds it and follows it, against the packages whose numbers are published (`golden/inception.py`).

#[path = "support/formula.rs"]
mod formula;

use std::collections::BTreeMap;
use std::path::PathBuf;

use burn::tensor::Device;
use formula::{bytes_of, units, weights_of};
use semblant_core::checkpoint::Checkpoint;
use semblant_data::image::Images;
use semblant_metrics::image::distances::polynomial_discrepancy;
use semblant_metrics::image::evaluate_images;
use semblant_metrics::image::extractor::FeatureExtractor;
use semblant_metrics::image::frechet::{Moments, frechet_distance, moments_of};
use semblant_metrics::image::inception::{CLASSES, Inception, WIDTH};
use semblant_metrics::image::prdc::Neighborhoods;
use semblant_metrics::image::resize::{Resize, SIDE};
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/inception.json")).expect("JSON")
}

fn list(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).expect("numbers")
}

fn images(name: &str, shape: [usize; 4]) -> Images {
    Images::new(bytes_of(name, shape.iter().product()), shape, None).expect("sound")
}

/// The greatest difference over the greatest size.
fn apart(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let size = expected.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    found.iter().zip(expected).fold(0.0, |most: f64, (a, b)| most.max((f64::from(*a) - b).abs())) / size
}

fn weights() -> Checkpoint {
    let shapes: BTreeMap<String, Vec<usize>> = serde_json::from_value(golden()["tensors"].clone()).expect("shapes");
    weights_of(shapes.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())))
}

/// Weights by the formula as a file in a folder of its own.
fn file(weights: &Checkpoint) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("temp");
    let path = folder.path().join("inception.safetensors");
    weights.write(&path).expect("written");
    (folder, path)
}

#[test]
fn features_and_classes_are_those_of_pytorch_fid() {
    let (_folder, path) = file(&weights());
    let extractor = Inception::load(&path, Resize::PytorchFid, &Device::flex()).expect("a whole file");
    let (pictures, golden) = (images("images", [2, 3, 20, 17]), golden());
    let seen = extractor.extract_all(&pictures).expect("any size");
    for image in 0..2 {
        let every =
            |values: &[f32], width: usize| values[image * width..(image + 1) * width].iter().step_by(8).copied().collect::<Vec<f32>>();
        let features = apart(&every(&seen.features, WIDTH), &list(&golden["features"][image]));
        let shares = apart(&every(&seen.log_shares, CLASSES), &list(&golden["log_shares"][image]));
        println!("image {image}: features off by {features:.1e}, logarithms of shares by {shares:.1e}");
        assert!(features < 1e-4 && shares < 1e-4, "{features} {shares}");
    }

    // The moments need no features in memory, and are the same.
    assert_eq!(moments_of(&extractor, &pictures).expect("any size"), Moments::of(&seen.features, WIDTH));

    // Everything that is computed from features runs on these, with what made them beside.
    let other = images("others", [2, 1, 9, 30]);
    let grey = extractor.extract_all(&other).expect("any size");
    assert_ne!(grey.features[..WIDTH], seen.features[..WIDTH]);
    let scores = evaluate_images(&pictures, &images("made", [2, 3, 20, 17]), None, &extractor, 0).expect("comparable");
    assert!(scores.synthetic.frechet_distance > 0.0 && scores.synthetic.classifier_score >= 1.0, "{scores:?}");
    assert_eq!((scores.synthetic.class_share_distance, scores.synthetic.prdc), (None, None));
    assert_eq!((scores.features.kind.as_str(), scores.features.resize.as_deref()), ("inception", Some("pytorch-fid")));
    assert_eq!(scores.features.sha256.len(), 64);
}

#[test]
fn images_are_resized_as_in_the_three_packages() {
    for case in golden()["resized"].as_array().expect("cases") {
        let [channels, height, width]: [usize; 3] = serde_json::from_value(case["shape"].clone()).expect("a shape");
        let picture = images(&format!("image {channels} x {height} x {width}"), [1, channels, height, width]);
        for way in Resize::ALL {
            let found = way.apply(&picture, &[0]);
            assert_eq!(found.len(), 3 * SIDE * SIDE);
            let found: Vec<f32> = found.into_iter().step_by(1009).collect();
            let off = apart(&found, &list(&case[way.name()]));
            println!("{channels} x {height} x {width}, {}: off by {off:.1e}", way.name());
            assert!(off < 1e-5, "{channels} x {height} x {width}, {}: {off}", way.name());
            assert_eq!(Resize::named(way.name()).expect("known"), way);
        }
    }
    let said = Resize::named("lanczos").expect_err("unknown").to_string();
    assert!(said.contains("lanczos") && said.contains("pytorch-fid, tf1, clean"), "{said}");
}

#[test]
fn distances_are_those_of_the_packages_on_the_same_features() {
    let golden = golden();
    let width = 8;
    let scaled = |mut values: Vec<f32>, shift: f32| {
        values.iter_mut().enumerate().for_each(|(at, value)| *value = (*value + shift).max(0.0) * (at % width + 1) as f32);
        values
    };
    let (real, synthetic) = (scaled(units("real", 240 * width), 0.0), scaled(units("synthetic", 200 * width), 0.25));
    let close = |name: &str, found: f64| {
        let expected = golden[name].as_f64().expect("a number");
        println!("{name}: {found} and {expected}");
        assert!((found - expected).abs() <= 1e-6 * expected.abs(), "{name}: {found} and not {expected}");
    };
    let distance = frechet_distance(&Moments::of(&real, width), &Moments::of(&synthetic, width)).expect("enough");
    close("frechet_pytorch_fid", distance);
    close("frechet_torch_fidelity", distance);
    close("kid", polynomial_discrepancy(&real[..200 * width], &synthetic, width).expect("enough"));
    let found = Neighborhoods::new(&real, width, &Device::flex())
        .expect("enough")
        .prdc(&Neighborhoods::new(&synthetic, width, &Device::flex()).expect("enough"));
    close("precision", found.precision);
    close("recall", found.recall);
    close("density", found.density);
    close("coverage", found.coverage);
}

#[test]
fn files_that_hold_something_else_are_named() {
    let load = |path: &PathBuf| Inception::load(path, Resize::Tf1, &Device::flex()).err().expect("refused").to_string();
    let mut whole = weights();
    let (folder, path) = file(&whole);
    let bytes = std::fs::read(&path).expect("just written");
    let cut = folder.path().join("cut.pth");
    std::fs::write(&cut, &bytes[..100_000]).expect("writable");
    let said = load(&cut);
    assert!(said.contains("cut.pth") && said.contains("truncated"), "{said}");
    for start in [&b"PK\x03\x04 and no archive"[..], b"\x80\x02 and no pickle", b""] {
        std::fs::write(&cut, start).expect("writable");
        let said = load(&cut);
        assert!(said.contains("cut.pth") && said.contains("truncated") && !said.contains('\n'), "{said}");
    }
    assert!(load(&folder.path().join("absent.pth")).contains("absent.pth"));

    let (shape, mut values) = whole.take("Mixed_7c.branch_pool.bn.running_var").expect("there");
    let in_place = |weights: &Checkpoint| {
        let (_folder, path) = file(weights);
        load(&path)
    };
    let said = in_place(&whole);
    assert!(said.contains("Mixed_7c.branch_pool.bn.running_var is missing") && said.contains("Inception"), "{said}");
    values[3] = f32::NAN;
    whole.insert("Mixed_7c.branch_pool.bn.running_var", &shape, values);
    assert!(in_place(&whole).contains("not finite"));
    whole.insert("Mixed_7c.branch_pool.bn.running_var", &[1, 192], vec![1.0; 192]);
    assert!(in_place(&whole).contains("[1, 192], expected [192]"));
    whole.insert("Mixed_7c.branch_pool.bn.running_var", &shape, vec![1.0; 192]);
    whole.insert("AuxLogits.fc.weight", &[1], [0.0]);
    assert!(in_place(&whole).contains("AuxLogits.fc.weight does not belong"));
}

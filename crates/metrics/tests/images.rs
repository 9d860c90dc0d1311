//! The scores of images on bars: upright, level, and sloping ones.

use burn::tensor::Device;
use semblant_core::seeds::Stream;
use semblant_core::synthesizer::Run;
use semblant_data::image::Images;
use semblant_metrics::image::classes::{classifier_score, classifier_score_in_order};
use semblant_metrics::image::classifier::{Classifier, ClassifierConfig};
use semblant_metrics::image::distances::{polynomial_discrepancy, sliced_along};
use semblant_metrics::image::evaluate_images;
use semblant_metrics::image::extractor::FeatureExtractor;
use semblant_metrics::image::prdc::Neighborhoods;

const SIDE: usize = 8;

/// `count` noisy bars, a kind after the other.
fn bars(count: usize, seed: u64) -> Images {
    let mut pixels = Vec::new();
    for image in 0..count {
        let place = 1 + Stream::new(seed, 0).below(image as u64, 0, 5) as usize;
        let mut noise = [0.0; SIDE * SIDE];
        Stream::new(seed, 1).uniforms(image as u64, &mut noise);
        for (index, noise) in noise.iter().enumerate() {
            let (row, column) = (index / SIDE, index % SIDE);
            let lit = match image % 3 {
                0 => column.abs_diff(place) < 2,
                1 => row.abs_diff(place) < 2,
                _ => row.abs_diff(column) < 2,
            };
            pixels.push((if lit { 200.0 } else { 20.0 } + 40.0 * noise) as u8);
        }
    }
    let names = ["upright", "level", "sloping"].map(String::from).to_vec();
    let classes = (0..count as u32).map(|image| image % 3).collect();
    Images::new(pixels, [count, 1, SIDE, SIDE], Some((classes, names))).expect("sound")
}

fn classifier(seed: u64) -> Classifier {
    let config = ClassifierConfig { channels: [4, 8], features: 16, images: 6_000, batch_images: 50, ..ClassifierConfig::default() };
    let mut run = Run::new(semblant_core::device::select("cpu").expect("always there"), seed);
    Classifier::fit(&bars(300, 1), Some(&bars(150, 2)), &config, &mut run).expect("trains")
}

#[test]
fn a_classifier_learns_and_loads_from_its_file() {
    let classifier = classifier(0);
    let about = classifier.provenance().expect("known");
    assert!(about.accuracy.expect("tested") > 0.97, "{about:?}");
    let folder = tempfile::tempdir().expect("temp");
    let path = folder.path().join("classifier.safetensors");
    classifier.save(&path).expect("written");
    let again = Classifier::load(&path, &burn::tensor::Device::flex()).expect("just written");
    assert_eq!(again.features(&bars(20, 3)).expect("of its size"), classifier.features(&bars(20, 3)).expect("of its size"));
    assert_eq!(again.provenance().expect("known"), about);
}

#[test]
fn scores_are_best_for_equal_images_and_move_with_what_is_wrong() {
    let classifier = classifier(1);
    let (real, holdout) = (bars(300, 1), bars(300, 2));
    let score = |images: &Images| evaluate_images(&real, images, Some(&holdout), &classifier, 0).expect("comparable");
    let scores = score(&real);
    let (same, floor) = (scores.synthetic, scores.reference.expect("a holdout"));
    assert_eq!((scores.compared, scores.compared_by_pixels), (300, [300, 300]));
    assert!(same.frechet_distance.abs() < 1e-6 && floor.frechet_distance > 0.0, "{same:?}");
    assert!(same.class_accuracy.expect("classes") > 0.97);
    assert_eq!((same.class_share_distance, same.mind), (Some(0.0), 0.0));
    let overlap = same.prdc.expect("enough images");
    assert_eq!((overlap.precision, overlap.recall, overlap.coverage), (1.0, 1.0, 1.0));
    let real_overlap = floor.prdc.expect("enough images");
    assert!(real_overlap.precision > 0.6 && real_overlap.recall > 0.6 && real_overlap.coverage > 0.8, "{real_overlap:?}");
    // The real images again are copies; new ones of the same kind are not.
    assert_eq!((same.memorised, same.nearest, floor.memorised), (1.0, 0.0, 0.0));
    assert!(same.classifier_score > 2.2 && floor.classifier_score > 2.2, "of three classes: {same:?} {floor:?}");

    // A class that never comes is far off; what does come is still of its class.
    let kept: Vec<usize> = (0..300).filter(|image| image % 3 != 2).collect();
    let dropped = score(&holdout.select(&kept)).synthetic;
    assert!(dropped.frechet_distance > 10.0 * floor.frechet_distance, "{dropped:?} against {floor:?}");
    assert!(dropped.kid > 10.0 * floor.kid.abs() && dropped.mind > 10.0 * floor.mind, "{dropped:?} against {floor:?}");
    assert!(dropped.classifier_score < 2.01, "of two classes: {dropped:?}");
    assert!(dropped.class_accuracy.expect("classes") > 0.97 && (dropped.class_share_distance.expect("classes") - 1.0 / 3.0).abs() < 0.02);
    let left = dropped.prdc.expect("enough images");
    assert!(left.precision > 0.6 && left.recall < 0.75 && left.coverage < 0.7, "{left:?}");

    // Classes that are mixed up do not move the distance, but a third at most is right.
    let mixed = real.classes().expect("classes").iter().map(|class| (class + 1) % 3).collect();
    let mixed = Images::new(real.pixels().to_vec(), real.shape(), Some((mixed, real.class_names().to_vec()))).expect("sound");
    let mixed = score(&mixed).synthetic;
    assert!(mixed.class_accuracy.expect("classes") < 0.03 && mixed.frechet_distance.abs() < 1e-6);

    // A tenth of leaked training images is a tenth of memorised ones.
    let leaked = Images::concat(vec![holdout.select(&(0..270).collect::<Vec<_>>()), real.select(&(0..30).collect::<Vec<_>>())]);
    assert!((score(&leaked.expect("of one size")).synthetic.memorised - 0.1).abs() < 1e-12);
}

#[test]
fn scores_agree_with_the_reference_packages() {
    let golden: serde_json::Value = serde_json::from_str(include_str!("golden/images.json")).expect("JSON");
    let list = |name: &str| -> Vec<f32> { serde_json::from_value(golden[name].clone()).expect("numbers") };
    let width = golden["width"].as_u64().expect("a width") as usize;
    let (real, synthetic) = (list("real"), list("synthetic"));
    let close = |name: &str, found: f64| {
        let expected = golden[name].as_f64().expect("a number");
        assert!((found - expected).abs() <= 1e-6 * expected.abs(), "{name}: {found} and not {expected}");
    };
    let neighborhoods = |features| Neighborhoods::new(features, width, &Device::flex()).expect("enough");
    let found = neighborhoods(&real).prdc(&neighborhoods(&synthetic));
    for (name, found) in
        [("precision", found.precision), ("recall", found.recall), ("density", found.density), ("coverage", found.coverage)]
    {
        close(name, found);
    }
    let equal = synthetic.len();
    close("kid", polynomial_discrepancy(&real[..equal], &synthetic, width).expect("enough"));
    close("mind", sliced_along(&real[..equal], &synthetic, width, &list("directions")).expect("equally many"));
    let classes = golden["classes"].as_u64().expect("a number") as usize;
    close("inception_score", classifier_score(&list("log_shares"), classes).expect("images"));
    let parts = classifier_score_in_order(&list("log_shares"), classes).expect("images");
    for (place, found) in [parts.mean, parts.deviation].into_iter().enumerate() {
        let expected = golden["inception_score_parts"][place].as_f64().expect("a number");
        // Shares are kept in single precision; a deviation is a difference of scores, so that theirs is the scale.
        assert!((found - expected).abs() <= 1e-6 * parts.mean, "{found} and not {expected}");
    }
}

#[test]
fn images_that_cannot_be_compared_are_named() {
    let classifier = classifier(2);
    let small = Images::new(vec![0; 2 * 16], [2, 1, 4, 4], None).expect("sound");
    let said = |real: &Images, made: &Images| evaluate_images(real, made, None, &classifier, 0).expect_err("refused").to_string();
    assert!(said(&bars(30, 1), &small).contains("[1, 4, 4]"));
    assert!(said(&bars(30, 1), &bars(1, 1)).contains("two images"));
    let renamed = Images::new(vec![0; 2 * 64], [2, 1, 8, 8], Some((vec![0, 0], vec!["bar".into()]))).expect("sound");
    assert!(said(&bars(30, 1), &renamed).contains("bar"));
    let mut run = Run::new(semblant_core::device::select("cpu").expect("always there"), 0);
    let error = Classifier::fit(&renamed, None, &ClassifierConfig::default(), &mut run).expect_err("one class").to_string();
    assert!(error.contains("two classes"), "{error}");
    let folder = tempfile::tempdir().expect("temp");
    let path = folder.path().join("m.safetensors");
    semblant_core::checkpoint::Checkpoint::new("flow").write(&path).expect("written");
    assert!(Classifier::load(&path, &burn::tensor::Device::flex()).expect_err("no classifier").to_string().contains("flow"));
}

//! Ways to sample: solvers and their settings, the way between two images, images out of images.

use semblant::Error;
use semblant::diffusion::solvers::solvers;
use semblant::prelude::*;
use serde_json::{Value, json};

use crate::support::fits::*;
use crate::support::images::*;

for_every!(denoisers: every_solver_makes_images, invalid_sampling_settings_are_named, rebuilt_images_differ_by_strength,
    rebuilding_keeps_masked_pixels);
for_every!(with_classes: interpolation_begins_and_ends_at_its_images);

fn every_solver_makes_images(name: &str) {
    let images = bars();
    let model = fitted_with(name, &images, eager());
    let asked = |settings| sample(&model, &with(2, settings));
    let mut seen = Vec::new();
    for (solver, ..) in solvers::<4>() {
        let made = asked(json!({ "solver": solver, "steps": 5 }));
        assert_eq!(made.shape(), [2, 1, 8, 8], "{name}, {solver}");
        assert_eq!(made, asked(json!({ "solver": solver, "steps": 5 })), "{name}, {solver}: the same images again");
        seen.push(made);
        // One step leaves no room between the first level and the clean image.
        assert_eq!(asked(json!({ "solver": solver, "steps": 1 })).count(), 2, "{name}, {solver}");
    }
    let euler = asked(json!({ "solver": "euler", "steps": 5 }));
    let different = seen.iter().filter(|made| **made != euler).count();
    assert!(different >= 5, "{name}: only {different} solvers do anything else than euler");
    assert_eq!(euler, asked(json!({ "solver": "ddim", "steps": 5, "eta": 0.0 })), "{name}: DDIM without noise");
    assert_eq!(
        asked(json!({ "solver": "euler-ancestral", "steps": 5 })),
        asked(json!({ "solver": "ddim", "steps": 5, "eta": 1.0 })),
        "{name}: DDIM with all of the noise"
    );
    assert_ne!(euler, asked(json!({ "solver": "euler", "steps": 2 })), "{name}: the number of steps is heard");
}

fn invalid_sampling_settings_are_named(name: &str) {
    let images = bars();
    let model = fitted(name, &images);
    let refused = |settings: Value, words: &[&str]| {
        let error = says(name, model.sample(&with(2, settings.clone())), words);
        assert!(matches!(error, Error::Config(_)), "{name}: {error:?}");
        says(name, model.rebuild().expect("from data").rebuild(&images, None, &with(0, settings)), words);
    };
    refused(json!({ "stepz": 3 }), &["stepz", "steps"]);
    refused(json!({ "steps": 0 }), &["steps = 0"]);
    refused(json!({ "steps": 1_000_000_000 }), &["steps = 1000000000"]);
    refused(json!({ "steps": "many" }), &["many"]);
    refused(json!({ "solver": "rk4" }), &["\"rk4\"", "heun, euler"]);
    refused(json!({ "guidance": -1.0 }), &["guidance = -1"]);
    refused(json!({ "strength": 1.5 }), &["strength = 1.5"]);
    refused(json!({ "eta": -0.1 }), &["eta = -0.1"]);
    refused(json!({ "clip": -1.0 }), &["clip = -1"]);
    refused(json!({ "churn_min": 3.0, "churn_max": 2.0 }), &["churn_max = 2"]);
    refused(json!({ "churn": 40.0, "solver": "euler" }), &["churn", "heun"]);
    let churned = model.sample(&with(2, json!({ "churn": 40.0, "solver": "heun", "steps": 5 })));
    if matches!(name, "edm" | "consistency") {
        assert_ne!(churned.expect("has levels for it").data, sample(&model, &with(2, json!({ "solver": "heun", "steps": 5 }))), "{name}");
    } else {
        says(name, churned, &["churn", "edm"]);
    }
}

#[test]
fn ddpm_refuses_more_steps_than_levels() {
    says("ddpm", fitted("ddpm", &bars()).sample(&with(2, json!({ "steps": 1001 }))), &["steps = 1001", "1000"]);
}

#[test]
fn models_offer_only_what_they_support() {
    let independent = semblant::model::<Table>("independent", json!({})).expect("known");
    assert!(independent.rebuild().is_none() && independent.likelihood().is_none() && independent.export().is_none());
    let gan = unfitted("r3gan", json!({})).expect("known settings");
    assert!(gan.rebuild().is_none() && gan.likelihood().is_none() && gan.export().is_none());
    let vae = unfitted("vae", json!({})).expect("known settings");
    assert!(vae.rebuild().is_some() && vae.likelihood().is_some() && vae.export().is_none());
    let flow = unfitted("flow", json!({})).expect("known settings");
    assert!(flow.rebuild().is_some() && flow.likelihood().is_none());
    let export = flow.export().expect("diffusers has it");
    assert_eq!(export.formats(), ["diffusers"]);
    says("unfitted", export.export("diffusers", std::path::Path::new("never-written")), &["fit"]);
    says("unknown format", export.export("onnx", std::path::Path::new("never-written")), &["onnx"]);
}

fn interpolation_begins_and_ends_at_its_images(name: &str) {
    let images = bars();
    let model = fitted(name, &images);
    let settings = if is_denoiser(name) { json!({ "solver": "euler" }) } else { json!({}) };
    // Without fresh noise an image is its first noise and its class.
    let request = |rows, between| ImageRequest { rows, between, class: ClassRequest::Is("top".into()), ..with(0, settings.clone()) };
    let one = |row: u64| sample(&model, &request(row..row + 1, None));
    let way = sample(&model, &request(0..5, Some([4, 9])));
    assert_eq!(way.count(), 5, "{name}");
    assert_eq!(way.class_counts(), [0, 0, 5], "{name}");
    assert_eq!((way.select(&[0]), way.select(&[4])), (one(4), one(9)), "{name}");
    assert!((1..4).all(|place| way.pixels_of(place) != way.pixels_of(0) && way.pixels_of(place) != way.pixels_of(4)), "{name}");
    let back = sample(&model, &request(0..5, Some([9, 4])));
    assert_eq!(back.select(&[0, 4]), way.select(&[4, 0]), "{name}: there and back");
    let still = sample(&model, &request(0..3, Some([4, 4])));
    assert_eq!(still.select(&[1]), one(4), "{name}: from an image to itself");
    assert_eq!(sample(&model, &request(0..1, Some([4, 9]))), one(4), "{name}: a way of one image is its beginning");
    // A class that is not asked for is that of the beginning, all the way.
    let free = |rows, between| sample(&model, &ImageRequest { class: ClassRequest::AsLearned, ..request(rows, between) });
    assert!(free(0..5, Some([4, 9])).classes().is_some_and(|classes| classes.iter().all(|&of| Some(of) == free(4..5, None).class_of(0))));
}

/// The mean difference of two sets' pixels.
fn distance(a: &Images, b: &Images) -> f64 {
    let total: u64 = a.pixels().iter().zip(b.pixels()).map(|(&a, &b)| u64::from(a.abs_diff(b))).sum();
    total as f64 / a.pixels().len() as f64
}

fn rebuilt_images_differ_by_strength(name: &str) {
    let images = bars();
    let model = fitted(name, &images);
    let remade = |strength: f64, seed: u64| {
        let settings = json!({ "strength": strength, "steps": 20, "solver": "euler" });
        model.rebuild().expect("from data").rebuild(&images, None, &ImageRequest { seed, ..with(0, settings) }).expect("possible").data
    };
    let [near, far] = [remade(0.05, 3), remade(1.0, 3)];
    for made in [&near, &far] {
        assert_eq!((made.shape(), made.classes()), (images.shape(), images.classes()), "{name}: each keeps its class");
    }
    assert_eq!(remade(0.0, 3), images, "{name}: without strength images stay as they are");
    assert!(distance(&near, &images) < 0.8 * distance(&far, &images), "{name}: {} {}", distance(&near, &images), distance(&far, &images));
    assert_eq!(near, remade(0.05, 3), "{name}");
    assert_ne!(far, remade(1.0, 4), "{name}: another seed");
    let turned = model.rebuild().expect("from data").rebuild(
        &images,
        None,
        &ImageRequest { class: ClassRequest::Is("left".into()), ..ImageRequest::new(0, 3) },
    );
    assert_eq!(turned.expect("possible").data.class_counts(), [0, 24, 0], "{name}: another class that is asked for");
    // Classes of other names are not the model's.
    let strange = plain([5, 1, 8, 8]);
    let made = model.rebuild().expect("from data").rebuild(&strange, None, &ImageRequest::new(0, 3)).expect("possible").data;
    assert!(made.count() == 5 && made.classes().is_none(), "{name}");
}

fn rebuilding_keeps_masked_pixels(name: &str) {
    let images = bars();
    let left = |i: usize| i % 8 < 4;
    let mask = Images::new((0..64).map(|i| if left(i) { 255 } else { 0 }).collect(), [1, 1, 8, 8], None).expect("sound");
    let model = fitted(name, &images);
    for (solver, ..) in solvers::<4>() {
        let request = with(0, json!({ "strength": 1.0, "solver": solver, "steps": 4 }));
        let made = model.rebuild().expect("from data").rebuild(&images, Some(&mask), &request).expect("possible").data;
        let kept = (0..24 * 64).filter(|i| left(*i)).all(|i| made.pixels()[i] == images.pixels()[i]);
        assert!(kept, "{name}, {solver}: a pixel that was to be kept has changed");
        let changed = (0..24 * 64).filter(|i| !left(*i) && made.pixels()[*i] != images.pixels()[*i]).count();
        assert!(changed > 24 * 16, "{name}, {solver}: {changed} of 768 open pixels are new");
    }
    let of = |shape| model.rebuild().expect("from data").rebuild(&plain(shape), None, &ImageRequest::new(0, 3));
    says(name, of([2, 1, 8, 4]), &["1 x 8 x 4", "1 x 8 x 8"]);
    says(name, of([2, 3, 8, 8]), &["3 x 8 x 8", "1 x 8 x 8"]);
    let kept = |shape| model.rebuild().expect("from data").rebuild(&images, Some(&plain(shape)), &ImageRequest::new(0, 3));
    says(name, kept([1, 1, 4, 4]), &["1 x 4 x 4", "1 x 8 x 8"]);
    says(name, kept([2, 1, 8, 8]), &["one image"]);
    assert_eq!(
        model
            .rebuild()
            .expect("from data")
            .rebuild(&images.select(&[]), None, &ImageRequest::new(0, 3))
            .expect("nothing out of nothing")
            .data
            .count(),
        0
    );
}

#[test]
fn without_strength_no_image_passes_the_autoencoder() {
    let images = bars();
    let model = fitted("latent-dit", &images);
    let request = with(0, json!({ "strength": 0.0 }));
    assert_eq!(model.rebuild().expect("from data").rebuild(&images, None, &request).expect("possible").data, images);
}

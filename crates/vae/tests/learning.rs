//! Whether the models learn, under every network, likelihood and option, and what they say of it.

use std::sync::{Arc, Mutex};

use burn::tensor::Device;
use semblant_core::progress::{Event, Observer};
use semblant_core::synthesizer::{Run, Synthesizer};
use semblant_data::image::ImageRequest;
use semblant_data::image::Images;
use serde_json::{Value, json};

type Model = Box<dyn Synthesizer<Images>>;

fn build(name: &str, settings: Value) -> semblant_core::Result<Model> {
    let entry = semblant_vae::MODELS.iter().find(|entry| entry.name == name).expect("listed");
    (entry.build)(settings)
}

/// Keeps all losses by name, and all notes.
#[derive(Default)]
struct Heard {
    losses: Vec<Vec<(String, f64)>>,
    notes: Vec<String>,
}

struct Ear(Arc<Mutex<Heard>>);

impl Observer for Ear {
    fn event(&mut self, event: Event<'_>) {
        let mut heard = self.0.lock().expect("one writer");
        match event {
            Event::Losses(losses) => heard.losses.push(losses.to_vec()),
            Event::Note(note) => heard.notes.push(note.into()),
            _ => {}
        }
    }
}

fn fit(name: &str, images: &Images, settings: Value) -> (Model, Heard) {
    let mut model = build(name, settings.clone()).unwrap_or_else(|error| panic!("{name}, {settings}: {error}"));
    let heard = Arc::new(Mutex::new(Heard::default()));
    let mut run = Run { observer: Box::new(Ear(Arc::clone(&heard))), ..Run::new(Device::flex(), 1) };
    model.fit(images, &mut run).unwrap_or_else(|error| panic!("{name}, {settings}: {error}"));
    drop(run);
    let heard = Arc::into_inner(heard).expect("the run is over").into_inner().expect("no panic");
    (model, heard)
}

/// Eight images of 8 x 8 pixels in four kinds, black and white.
fn patterns() -> Images {
    let white = |image: usize, y: usize, x: usize| [x < 4, y < 4, (x + y).is_multiple_of(2), x == y || x + y == 7][image % 4];
    let pixels = (0..8 * 64).map(|i| if white(i / 64, i / 8 % 8, i % 8) { 255 } else { 0 }).collect();
    let classes = (0..8).map(|image| image % 2).collect();
    Images::new(pixels, [8, 1, 8, 8], Some((classes, vec!["even".into(), "odd".into()]))).expect("sound")
}

fn distance(a: &Images, b: &Images) -> f64 {
    let total: u64 = a.pixels().iter().zip(b.pixels()).map(|(&a, &b)| u64::from(a.abs_diff(b))).sum();
    total as f64 / a.pixels().len() as f64
}

fn training(images: u64) -> Value {
    json!({
        "rows": images, "batch_rows": 16, "tick_rows": 160,
        "optimizer": { "learning_rate": 0.005, "warm_up": 0.02, "schedule": "cosine" }, "ema": { "half_life_rows": 200.0 },
    })
}

fn first_and_last(heard: &Heard, name: &str) -> (f64, f64) {
    let all: Vec<f64> = heard.losses.iter().flatten().filter(|(loss, _)| loss == name).map(|(_, value)| *value).collect();
    (all[0], all[all.len() - 1])
}

#[test]
fn every_network_and_likelihood_rebuilds_training_images() {
    let images = patterns();
    let networks = [json!({ "kind": "mlp", "width": 48, "depth": 2 }), json!({ "kind": "conv", "channels": [8, 8], "width": 32 })];
    let likelihoods = [json!({ "kind": "bernoulli" }), json!({ "kind": "gaussian" }), json!({ "kind": "discretised-logistic" })];
    for network in &networks {
        for likelihood in &likelihoods {
            let settings = json!({ "network": network, "likelihood": likelihood, "latent_width": 4, "training": training(8000) });
            let (model, heard) = fit("vae", &images, settings);
            let what = format!("{}, {}", network["kind"], likelihood["kind"]);
            let (first, last) = first_and_last(&heard, "reconstruction");
            assert!(last < first - 10.0, "{what}: {first} to {last} nats");
            let rebuilt = model.rebuild().expect("from data").rebuild(&images, None, &ImageRequest::new(0, 0)).expect("possible").data;
            assert!(distance(&rebuilt, &images) < 20.0, "{what}: {} from the images", distance(&rebuilt, &images));
            // Learnt images are likelier than their negatives, and more samples bring the estimate down.
            let negative = Images::new(images.pixels().iter().map(|p| 255 - p).collect(), images.shape(), None).expect("sound");
            let mean = |images: &Images, samples| {
                let each = model.likelihood().expect("a likelihood").negative_log_likelihoods(images, samples, 3).expect("a likelihood");
                each.iter().sum::<f64>() / each.len() as f64
            };
            assert!(mean(&images, 200) < mean(&negative, 200), "{what}");
            assert!(mean(&images, 200) <= mean(&images, 1) + 0.5, "{what}");
            assert_eq!(mean(&images, 5), mean(&images, 5), "{what}: the same estimate again");
        }
    }
}

#[test]
fn several_samples_ignored_classes_and_both_priors() {
    let images = patterns();
    let settings = json!({
        "network": { "kind": "mlp", "width": 32, "depth": 1 }, "likelihood": { "kind": "bernoulli" }, "latent_width": 3,
        "importance_samples": 4, "classes": "ignored", "mixture_components": 4, "training": training(8000),
    });
    let (model, _) = fit("vae", &images, settings);
    let asked = |settings: Value| {
        model
            .sample(&ImageRequest { settings: settings.as_object().expect("a table").clone(), ..ImageRequest::new(64, 5) })
            .expect("possible")
            .data
    };
    let nearest = |made: &Images| {
        let one = |i: usize| (0..8).map(|j| distance(&made.select(&[i]), &images.select(&[j]))).fold(f64::MAX, f64::min);
        (0..made.count()).map(one).sum::<f64>() / made.count() as f64
    };
    let [normal, mixture] = ["normal", "mixture"].map(|prior| asked(json!({ "prior": prior })));
    assert!(normal.class_names().is_empty(), "it was not told classes");
    assert!(nearest(&mixture) < nearest(&normal), "a fitted prior finds the images: {} against {}", nearest(&mixture), nearest(&normal));
    assert_eq!(
        asked(json!({ "prior": "normal", "temperature": 0.0 })).select(&[0]),
        asked(json!({ "prior": "normal", "temperature": 0.0 })).select(&[7])
    );
}

#[test]
fn posterior_collapse_is_reported() {
    let settings = json!({
        "network": { "kind": "mlp", "width": 16, "depth": 1 }, "likelihood": { "kind": "bernoulli" }, "beta": 1000.0, "latent_width": 4,
        "training": training(3000),
    });
    let (_, heard) = fit("vae", &patterns(), settings);
    assert!(heard.notes.iter().any(|note| note.contains("posterior collapse: 0 of 4")), "{:?}", heard.notes);
    assert_eq!(first_and_last(&heard, "active_units").1, 0.0);
}

#[test]
fn codes_are_learned_used_and_sampled() {
    let images = patterns();
    let settings = json!({
        "channels": [8, 8], "blocks": 1, "codes": 8, "code_width": 4, "prior": { "width": 32, "depth": 2, "heads": 2 }, "decay": 0.9,
        "autoencoder_share": 0.5, "training": training(16_000),
    });
    let (model, heard) = fit("vq-vae", &images, settings);
    let (first, last) = first_and_last(&heard, "reconstruction");
    assert!(last < first / 10.0, "{first} to {last}");
    let (first, last) = first_and_last(&heard, "prior");
    assert!(last < first / 2.0, "{first} to {last} nats a code");
    assert!(heard.notes.iter().any(|note| note.contains("codes are used")), "{:?}", heard.notes);
    let rebuilt = model.rebuild().expect("from data").rebuild(&images, None, &ImageRequest::new(0, 0)).expect("possible").data;
    assert!(distance(&rebuilt, &images) < 20.0, "{}", distance(&rebuilt, &images));
    // Drawn images are learnt ones, of the class that is asked for.
    let made = model.sample(&ImageRequest::new(32, 1).balanced()).expect("possible").data;
    let right = (0..32).filter(|&i| {
        let of = |j: usize| distance(&made.select(&[i]), &images.select(&[j]));
        let nearest = (0..4).min_by(|&a, &b| of(a).total_cmp(&of(b))).expect("four");
        nearest as u32 % 2 == made.class_of(i).expect("asked for") && of(nearest) < 30.0
    });
    let right = right.count();
    assert!(right >= 24, "{right} of 32 are images of their class");
}

#[test]
fn latent_images_rebuild_images_and_have_unit_variance() {
    let images = patterns();
    let settings = json!({
        "network": { "block_out_channels": [8, 8], "norm_num_groups": 2, "latent_channels": 2 }, "training": training(6000),
    });
    let (model, heard) = fit("autoencoder-kl", &images, settings);
    let (first, last) = first_and_last(&heard, "reconstruction");
    assert!(last < first / 4.0, "{first} to {last}");
    let rebuilt = model.rebuild().expect("from data").rebuild(&images, None, &ImageRequest::new(0, 0)).expect("possible").data;
    assert!(distance(&rebuilt, &images) < 20.0, "{}", distance(&rebuilt, &images));
    let place = tempfile::tempdir().expect("a folder");
    model.save(&place.path().join("m")).expect("writable");
    let (_, _, scaled) = semblant_vae::read_autoencoder(&place.path().join("m"), &Device::flex()).expect("just written");
    let units = images.units_of(&(0..8).collect::<Vec<_>>());
    let latents = scaled.latents(semblant_core::host::tensor(units, [8, 1, 8, 8], &Device::flex()));
    let values = latents.into_data().try_into_vec::<f32>().expect("f32");
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / values.len() as f32;
    // The means of posteriors, without their spread.
    assert!((0.7..1.05).contains(&variance), "{variance}");
}

#[test]
fn invalid_settings_are_named() {
    let refused = |name: &str, settings: Value, words: &[&str]| {
        let error = build(name, settings).err().expect("refused").to_string();
        words.iter().for_each(|word| assert!(error.contains(word), "no {word} in {error}"));
    };
    refused("vae", json!({ "importance_samples": 0 }), &["importance_samples = 0"]);
    refused("vae", json!({ "importance_samples": 2, "free_bits": 0.1 }), &["free_bits", "importance_samples"]);
    refused("vae", json!({ "likelihood": { "kind": "poisson" } }), &["poisson"]);
    refused("vae", json!({ "likelihood": { "kind": "gaussian", "deviation": 0.0 } }), &["likelihood.deviation = 0"]);
    refused("vae", json!({ "sampling": { "temperature": -1.0 } }), &["temperature = -1"]);
    refused("vae", json!({ "beta": f64::MAX }), &["beta"]);
    refused("vq-vae", json!({ "autoencoder_share": 1.0 }), &["autoencoder_share = 1"]);
    refused("vq-vae", json!({ "codes": 1 }), &["codes = 1"]);
    refused("vq-vae", json!({ "prior": { "width": 10, "heads": 4 } }), &["prior.width = 10", "prior.heads = 4"]);
    refused("autoencoder-kl", json!({ "kl_weight": -1.0 }), &["kl_weight = -1"]);
    let mut odd = build("autoencoder-kl", json!({ "network": { "block_out_channels": [8, 8, 8] } })).expect("known settings");
    let narrow = Images::new(vec![0; 2 * 36], [2, 1, 6, 6], None).expect("sound");
    let said = odd.fit(&narrow, &mut Run::new(Device::flex(), 0)).expect_err("6 is not twice even").to_string();
    assert!(said.contains("3 levels") && said.contains("6 x 6"), "{said}");
}

//! A small set of images in three classes, and models small enough to fit in a moment.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use semblant::Result;
use semblant::prelude::*;
use serde_json::{Value, json};

use super::fits::{Fitted, run};

pub(crate) type Model = Fitted<Images>;

/// The classes of [`bars`], as often as they come among its 24 images.
pub(crate) const CLASSES: [(&str, usize); 3] = [("dots", 4), ("left", 8), ("top", 12)];

/// Settings that make a model small enough to fit in a moment.
pub(crate) fn small(name: &str) -> Value {
    let training = json!({ "rows": 64, "batch_rows": 8 });
    match name {
        // It begins with a trained model, whose network it takes over.
        "consistency" => json!({ "from": file("edm"), "training": training, "sampling": { "steps": 3 } }),
        "latent-dit" => json!({
            "autoencoder": file("autoencoder-kl"), "network": { "kind": "mlp", "width": 16, "depth": 1 }, "training": training,
            "sampling": { "steps": 3 },
        }),
        "vae" => json!({
            "network": { "kind": "mlp", "width": 16, "depth": 1 }, "latent_width": 4, "mixture_components": 3, "training": training,
        }),
        "vq-vae" => json!({
            "channels": [4], "blocks": 0, "codes": 6, "code_width": 3, "autoencoder_share": 0.5,
            "prior": { "width": 8, "depth": 1, "heads": 2 }, "training": training,
        }),
        "autoencoder-kl" => json!({
            "network": { "block_out_channels": [4, 4], "norm_num_groups": 2, "latent_channels": 2 }, "training": training,
        }),
        "dcgan" | "r3gan" | "wgan-gp" => json!({
            "network": { "latent": 4, "class_features": 2, "channels": [6, 4], "features": 5, "group_channels": 4 }, "training": training,
        }),
        _ => json!({ "network": { "kind": "mlp", "width": 16, "depth": 1 }, "training": training, "sampling": { "steps": 3 } }),
    }
}

/// Whether a model goes from noise to image in the steps of a solver.
pub(crate) fn is_denoiser(name: &str) -> bool {
    semblant::diffusion::MODELS.iter().any(|entry| entry.name == name)
}

/// Whether a model is a generator and a critic.
pub(crate) fn is_gan(name: &str) -> bool {
    semblant::gan::MODELS.iter().any(|entry| entry.name == name)
}

/// Whether a model learns the classes of its images.
pub(crate) fn has_classes(name: &str) -> bool {
    name != "autoencoder-kl"
}

/// Settings with which a model samples quickly and without fresh noise.
pub(crate) fn quick(name: &str) -> Value {
    if is_denoiser(name) { json!({ "steps": 1, "solver": "euler" }) } else { json!({}) }
}

/// The file of a model that others begin with.
fn file(name: &'static str) -> PathBuf {
    static FILES: Mutex<BTreeMap<&str, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut files = FILES.lock().expect("no panic while fitting");
    let write = || {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("images-contract-{name}.safetensors"));
        fitted(name, &bars()).save(&path).expect("writable");
        path
    };
    files.entry(name).or_insert_with(write).clone()
}

/// Settings under which the small models learn something.
pub(crate) fn eager() -> Value {
    json!({ "training": { "rows": 640, "optimizer": { "learning_rate": 0.01 } } })
}

/// A model with its small settings, and others laid over them.
pub(crate) fn unfitted(name: &str, more: Value) -> Result<Model> {
    let mut settings = small(name);
    lay(&mut settings, more);
    semblant::model::<Images>(name, settings)
}

fn lay(settings: &mut Value, more: Value) {
    match (settings, more) {
        (Value::Object(settings), Value::Object(more)) => {
            // Networks of different kinds have different settings.
            let anew = more.contains_key("kind");
            if anew {
                settings.clear();
            }
            more.into_iter().for_each(|(key, value)| lay(settings.entry(key).or_insert(Value::Null), value));
        }
        (settings, more) => *settings = more,
    }
}

pub(crate) fn fitted(name: &str, images: &Images) -> Model {
    fitted_with(name, images, json!({}))
}

pub(crate) fn fitted_with(name: &str, images: &Images, more: Value) -> Model {
    let mut model = unfitted(name, more).expect("known settings");
    model.fit(images, &mut run(1)).unwrap_or_else(|error| panic!("{name}: {error}"));
    model
}

/// 24 grey images of 8 x 8 pixels: bright dots, a bright left half, or a bright upper half, no two the same.
pub(crate) fn bars() -> Images {
    let class = |image: usize| [2, 1, 2, 0, 2, 1][image % 6];
    let pixel = |image: usize, y: usize, x: usize| {
        let bright = [(y + x).is_multiple_of(2), x < 4, y < 4][class(image)];
        if bright { 230 + image as u8 } else { 5 + image as u8 }
    };
    let pixels = (0..24 * 64).map(|i| pixel(i / 64, i / 8 % 8, i % 8)).collect();
    let classes = (0..24).map(|image| class(image) as u32).collect();
    let names = CLASSES.map(|(name, _)| name.to_owned()).to_vec();
    Images::new(pixels, [24, 1, 8, 8], Some((classes, names))).expect("sound")
}

/// Images of this many channels, rows and columns, without classes.
pub(crate) fn plain([count, channels, height, width]: [usize; 4]) -> Images {
    let pixels = (0..count * channels * height * width).map(|i| (i * 37 % 251) as u8).collect();
    Images::new(pixels, [count, channels, height, width], None).expect("sound")
}

pub(crate) fn sample(model: &Model, request: &ImageRequest) -> Images {
    let sample = model.sample(request).unwrap_or_else(|error| panic!("{request:?}: {error}"));
    assert_eq!(sample.drawn_rows, sample.data.count() as u64, "no image is refused");
    sample.data
}

/// A request with settings of sampling.
pub(crate) fn with(count: u64, settings: Value) -> ImageRequest {
    ImageRequest { settings: settings.as_object().cloned().unwrap_or_default(), ..ImageRequest::new(count, 3) }
}

//! Settings out of range are refused when a model is built, with their names.

use semblant::Error;
use semblant::prelude::*;
use serde_json::{Value, json};

use crate::support::fits::*;
use crate::support::images::*;

for_every!(images: invalid_settings_are_named, setting_names_of_version_0_1_are_read);
for_every!(gans: invalid_settings_of_gans_are_named);
for_every!(not_gans: invalid_training_settings_are_named);
for_every!(denoisers: invalid_settings_of_denoisers_are_named);

fn refused(name: &str, more: Value, words: &[&str]) {
    let error = says(name, unfitted(name, more), words);
    assert!(matches!(error, Error::Config(_)), "{name}: {error:?}");
}

fn invalid_settings_are_named(name: &str) {
    refused(name, json!({ "no_such_setting": 1 }), &["no_such_setting"]);
    refused(name, json!({ "training": { "rows": 0, "epochs": 0 } }), &["training.epochs = 0"]);
    refused(name, json!({ "training": { "rows": u64::MAX } }), &["training.rows"]);
    refused(name, json!({ "training": { "rows": "many" } }), &["many"]);
    refused(name, json!({ "training": { "batch_rows": 0 } }), &["training.batch_rows = 0"]);
    refused(name, json!({ "training": { "ema": { "half_life_rows": -1.0 } } }), &["training.ema.half_life_rows"]);
}

fn setting_names_of_version_0_1_are_read(name: &str) {
    for old in ["images", "batch_images", "tick_images", "checkpoint_images"] {
        // An unknown name would be refused before its value.
        says(name, semblant::model::<Images>(name, json!({ "training": { old: "many" } })), &["\"many\""]);
    }
    let optimizer = if is_gan(name) { "generator" } else { "optimizer" };
    let slow = json!({ "training": { optimizer: { "learning_rate": -1.0 } } });
    says(name, semblant::model::<Images>(name, slow), &["training.optimizer.learning_rate"]);
}

fn invalid_settings_of_gans_are_named(name: &str) {
    refused(name, json!({ "training": { "augment": { "chance": 1.5 } } }), &["training.augment.chance = 1.5"]);
    refused(name, json!({ "training": { "critic_steps": 0 } }), &["training.critic_steps = 0"]);
    refused(name, json!({ "training": { "critic": { "learning_rate": -1.0 } } }), &["training.critic.learning_rate"]);
    refused(name, json!({ "network": { "channels": [] } }), &["network.channels"]);
    refused(name, json!({ "network": { "latent": 0 } }), &["network.latent = 0"]);
    refused(name, json!({ "sampling": { "truncation": 0.0 } }), &["sampling.truncation = 0"]);
}

fn invalid_training_settings_are_named(name: &str) {
    refused(name, json!({ "training": { "flip": 1.5 } }), &["training.flip = 1.5"]);
    refused(name, json!({ "training": { "class_dropout": -0.5 } }), &["training.class_dropout = -0.5"]);
    refused(name, json!({ "training": { "optimizer": { "learning_rate": -1.0 } } }), &["training.optimizer.learning_rate"]);
}

fn invalid_settings_of_denoisers_are_named(name: &str) {
    refused(name, json!({ "network": { "kind": "gnu" } }), &["gnu", "dit"]);
    refused(name, json!({ "sampling": { "steps": 0 } }), &["steps = 0"]);
    refused(name, json!({ "sampling": { "solver": "rk4" } }), &["rk4", "heun"]);
    // What the sampler would refuse is refused before hours of training, not after.
    if !matches!(name, "edm" | "consistency") {
        refused(name, json!({ "sampling": { "churn": 40.0, "solver": "heun" } }), &["churn"]);
    }
}

#[test]
fn invalid_settings_of_single_models_are_named() {
    refused("flow", json!({ "shift": 0.0 }), &["shift = 0"]);
    refused("edm", json!({ "sigma_min": 90.0 }), &["sigma_max", "90"]);
    refused("ddpm", json!({ "timesteps": 10, "sampling": { "steps": 11 } }), &["steps = 11", "10"]);
    refused("ddpm", json!({ "prediction": "velocity" }), &["prediction"]);
    refused("r3gan", json!({ "gamma": -1.0 }), &["gamma = -1"]);
    refused("wgan-gp", json!({ "penalty": -1.0 }), &["penalty = -1"]);
    let unknown = |name: &str, settings, words: &[&str]| says(name, semblant::model::<Images>(name, settings), words);
    unknown("diffusion", json!({}), &["\"diffusion\"", "flow, edm, ddpm, consistency"]);
    unknown("ctgan", json!({}), &["\"ctgan\""]);
}

#[test]
fn consistency_models_name_a_model_they_cannot_begin_with() {
    let mut lost = semblant::model::<Images>("consistency", json!({})).expect("the file is asked for when it is needed");
    says("consistency", lost.fit(&bars(), &mut run(1)), &["from", "edm"]);
    let mut lost = semblant::model::<Images>("consistency", json!({ "from": "absent.safetensors" })).expect("as above");
    says("consistency", lost.fit(&bars(), &mut run(1)), &["absent.safetensors"]);
    // The model that tuning begins with must have learnt from images such as these; a perceptron would not notice another shape.
    for other in [plain([8, 1, 4, 16]), plain([8, 1, 8, 8])] {
        let mut lost = unfitted("consistency", json!({})).expect("known settings");
        says("consistency", lost.fit(&other, &mut run(1)), &["images-contract-edm.safetensors", "another size"]);
    }
}

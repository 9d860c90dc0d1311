//! Several devices that learn one model together: workers on the CPU, which is as many devices as one likes.

use semblant::prelude::*;
use semblant::{Device, Error};
use serde_json::json;

use crate::support::fits::*;
use crate::support::images::{bars, unfitted};

for_every!(on_several_devices: several_devices_learn_what_one_does_and_repeat_their_bits);
for_every!(on_one_device: models_of_whole_batches_refuse_several_devices);
for_every!(tables: models_of_tables_refuse_several_devices);

/// A run with so many workers beside the first.
fn with(helpers: usize) -> Run {
    let cpu = || semblant::device::select("cpu").expect("always there");
    Run { extra_devices: (0..helpers).map(|_| cpu()).collect::<Vec<Device>>(), ..run(1) }
}

fn several_devices_learn_what_one_does_and_repeat_their_bits(name: &str) {
    let images = bars();
    let mut first = unfitted(name, json!({})).expect("known settings");
    let one = first.fit(&images, &mut run(1)).expect("fits");
    // Eight images a step in two halves, and in parts of two, three and three.
    for helpers in [1, 2] {
        let fit = || {
            let mut model = unfitted(name, json!({})).expect("known settings");
            let summary = model.fit(&images, &mut with(helpers)).unwrap_or_else(|error| panic!("{name}: {error}"));
            (model, summary)
        };
        let ((model, several), (again, _)) = (fit(), fit());
        assert!(bytes(&model) == bytes(&again), "{name}: {} workers do not end in the same bits", helpers + 1);
        assert_eq!((one.steps, one.rows_seen), (several.steps, several.rows_seen));
        // Which units are active is judged within each part, so that it is no mean over images.
        for ((loss, a), (_, b)) in one.losses.iter().zip(&several.losses).filter(|((loss, _), _)| loss != "active_units") {
            assert!((a - b).abs() <= 2e-4 * a.abs().max(0.1), "{name}: {loss} is {a} on one device and {b} on {}", helpers + 1);
        }
        let sample = |model: &dyn Synthesizer<Images>| model.sample(&ImageRequest::new(20, 3)).expect("samples").data;
        let (one, several) = (sample(&*first), sample(&*model));
        let furthest = one.pixels().iter().zip(several.pixels()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(furthest <= Some(2), "{name}: pixels differ by {furthest:?} of 255");
    }
}

#[test]
fn runs_on_several_devices_resume_on_any_number_of_them() {
    let images = bars();
    let unfitted = || unfitted("flow", json!({})).expect("known settings");
    let mut whole = unfitted();
    whole.fit(&images, &mut with(1)).expect("fits");
    let folder = tempfile::tempdir().expect("a folder");
    let within = |run: Run, resume| Run { folder: Some(folder.path().join("run")), resume, ..run };
    let mut first = within(with(1), false);
    first.observer = Box::new(StopAt { rows: 24, stop: first.stop.clone() });
    let error = says("flow", unfitted().fit(&images, &mut first), &["--resume"]);
    assert!(matches!(error, Error::Interrupted { step: 3, .. }), "{error}");
    let state = std::fs::read(folder.path().join("run/state.safetensors")).expect("a state");
    let mut resumed = unfitted();
    resumed.fit(&images, &mut within(with(1), true)).expect("goes on");
    assert!(bytes(&resumed) == bytes(&whole), "resumed and uninterrupted files differ");
    // The state is that of a model, not of so many devices.
    std::fs::write(folder.path().join("run/state.safetensors"), state).expect("writable");
    assert_eq!(unfitted().fit(&images, &mut within(run(1), true)).expect("goes on").steps, 8);
}

fn models_of_whole_batches_refuse_several_devices(name: &str) {
    says(name, unfitted(name, json!({})).expect("known settings").fit(&bars(), &mut with(1)), &[name, "one device", "--device"]);
}

#[test]
fn vae_with_free_bits_refuses_several_devices() {
    let mut model = unfitted("vae", json!({ "free_bits": 0.5 })).expect("known settings");
    says("vae", model.fit(&bars(), &mut with(1)), &["vae", "free_bits"]);
}

fn models_of_tables_refuse_several_devices(name: &str) {
    let mut model = semblant::model::<Table>(name, json!({})).expect("known settings");
    says(name, model.fit(&semblant::data::table::simulate_patients(50, 0), &mut with(1)), &[name, "one device"]);
}

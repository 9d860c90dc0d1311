//! Several devices that learn one model together: workers on the CPU, which is as many devices as one likes.

use semblant::prelude::*;
use semblant::{Device, Error};
use serde_json::json;

use crate::fits::{StopAt, bytes, run};
use crate::support::{bars, names, plays, says, unfitted};

/// A run with so many workers beside the first.
fn with(helpers: usize) -> Run {
    let cpu = || semblant::device::select("cpu").expect("always there");
    Run { extra_devices: (0..helpers).map(|_| cpu()).collect::<Vec<Device>>(), ..run(1) }
}

/// The models whose step is no sum over images.
fn alone(name: &str) -> bool {
    plays(name) || name == "vq-vae"
}

#[test]
fn several_devices_learn_what_one_does_and_end_in_the_same_bits_each_time() {
    let images = bars();
    for name in names().into_iter().filter(|name| !alone(name)) {
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
}

#[test]
fn a_run_on_several_devices_goes_on_after_an_interruption_on_them_or_on_one() {
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

#[test]
fn models_that_need_the_whole_batch_in_one_place_say_so() {
    for name in names().into_iter().filter(|name| alone(name)) {
        let mut model = unfitted(name, json!({})).expect("known settings");
        says(name, model.fit(&bars(), &mut with(1)), &[name, "one device", "--device"]);
    }
    let mut model = unfitted("vae", json!({ "free_bits": 0.5 })).expect("known settings");
    says("vae", model.fit(&bars(), &mut with(1)), &["vae", "free_bits"]);
    let table = semblant::data::table::simulate_patients(50, 0);
    let registry = Registry::default();
    for entry in registry.models::<Table>() {
        let mut model = semblant::model::<Table>(entry.name, json!({})).expect("known settings");
        let error = model.fit(&table, &mut with(1)).expect_err("refused").to_string();
        assert!(error.contains(entry.name) && error.contains("one device"), "{error}");
    }
}

//! What runs on a GPU, run on the CPU: the way of tensor operations instead of that of loops, for every model that trains, with every
//! value that leaves a tensor counted.

#[path = "support/agree.rs"]
mod agree;
#[allow(dead_code, reason = "shared with tests that use more of it")]
#[path = "images_contract/support.rs"]
mod images;
#[allow(dead_code, reason = "shared with tests that use more of it")]
#[path = "support/mod.rs"]
mod tables;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agree::{same_pictures, same_rows};
use semblant::prelude::*;
use semblant::progress::{Event, Observer};
use semblant_core::host;
use tables::{fits, patients, run};

/// The tests here change how the whole process sees the CPU, so they take turns; when one ends, all is as it was.
struct Turn(#[allow(dead_code)] MutexGuard<'static, ()>);

fn turn() -> Turn {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    Turn(ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Drop for Turn {
    fn drop(&mut self) {
        host::treat_as_device(false);
    }
}

/// What was read back by the time of each event of the loop.
#[derive(Default)]
struct Counts {
    /// Within each step: its batch, the step itself, the weight average. The first step is left out, since what is before it is the
    /// preparation of the data.
    steps: Vec<u64>,
    /// At each tick, with the number of losses that were told.
    ticks: Vec<(u64, usize)>,
    last: Option<u64>,
}

struct Counter(Arc<Mutex<Counts>>);

impl Observer for Counter {
    fn event(&mut self, event: Event<'_>) {
        let mut counts = self.0.lock().expect("no panic while counting");
        let now = host::read_backs();
        let since = counts.last.map(|last| now - last);
        match event {
            Event::Rows { .. } => counts.steps.extend(since),
            Event::Losses(losses) => counts.ticks.extend(since.map(|since| (since, losses.len()))),
            _ => return,
        }
        counts.last = Some(now);
    }
}

fn counted<D>(name: &str, mut model: Box<dyn Synthesizer<Data = D>>, data: &D) {
    let counts = Arc::new(Mutex::new(Counts::default()));
    let mut run = Run { observer: Box::new(Counter(counts.clone())), ..run(1) };
    let steps = model.fit(data, &mut run).unwrap_or_else(|error| panic!("{name}: {error}")).steps;
    let counts = counts.lock().expect("no panic while counting");
    assert_eq!(counts.steps.len() as u64 + 1, steps.max(1), "{name}: every step but the first is looked at");
    assert!(counts.steps.iter().all(|&read| read == 0), "{name}: read-backs within the steps: {:?}", counts.steps);
    assert_eq!(counts.ticks.is_empty(), steps == 0, "{name}");
    assert!(counts.ticks.iter().all(|&(read, losses)| read == losses as u64), "{name}: at ticks, beside the losses: {:?}", counts.ticks);
}

#[test]
fn no_value_leaves_the_device_within_a_step() {
    let _turn = turn();
    host::treat_as_device(true);
    let table = patients();
    for name in tables::names() {
        let model = table_model(name, tables::small(name)).expect("known settings");
        if name == "ctgan" || name == "tvae" {
            counted(name, model, &table);
        }
    }
    let pictures = images::bars();
    for name in images::names() {
        counted(name, images::unfitted(name, serde_json::json!({})).expect("known settings"), &pictures);
    }
}

/// The counter counts: on the CPU as it is nothing is a read-back, and as a device every look is one.
#[test]
fn a_look_at_a_tensor_is_counted() {
    let _turn = turn();
    let look = || {
        let before = host::read_backs();
        let tensor = host::tensor(vec![1.0, 2.0], [2], &semblant::device::select("cpu").expect("always there"));
        host::read(&tensor, |values| assert_eq!(values, [1.0, 2.0]));
        assert_eq!(host::scalar(host::update(tensor, |values| values[0] = 3.0).sum()), 5.0);
        host::read_backs() - before
    };
    assert_eq!(look(), 0);
    host::treat_as_device(true);
    assert_eq!(look(), 3);
}

/// Losses after a few steps, on the way of loops and on that of operations. The last bits differ, since sums are ordered differently,
/// and training magnifies that, a game of two networks most of all: so few steps leave three digits.
#[test]
fn both_ways_learn_the_same() {
    let _turn = turn();
    let table = patients();
    let pictures = images::bars();
    let close = |name: &str, loops: &Summary, operations: &Summary| {
        for ((loss, a), (_, b)) in loops.losses.iter().zip(&operations.losses) {
            assert!((a - b).abs() <= 2e-3 * a.abs().max(0.1), "{name}: {loss} is {a} by loops and {b} by operations");
        }
        assert_eq!(loops.losses.len(), operations.losses.len());
    };
    for name in ["ctgan", "tvae"] {
        let fit = |as_device| {
            host::treat_as_device(as_device);
            table_model(name, tables::small(name)).expect("known settings").fit(&table, &mut run(1)).expect("fits")
        };
        close(name, &fit(false), &fit(true));
    }
    for name in images::names() {
        let fit = |as_device| {
            host::treat_as_device(as_device);
            let three_steps = serde_json::json!({ "training": { "images": 24 } });
            images::unfitted(name, three_steps).expect("known settings").fit(&pictures, &mut run(1)).expect("fits")
        };
        close(name, &fit(false), &fit(true));
    }
}

/// The same weights and the same noise give the same rows and images on both ways.
#[test]
fn both_ways_sample_the_same() {
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a folder");
    let table = patients();
    for name in tables::names() {
        let path = folder.path().join(name);
        tables::fitted(name, &table).save(&path).expect("writable");
        let rows = |as_device| {
            host::treat_as_device(as_device);
            tables::load(&path).expect("loads").sample(&SampleRequest::new(200, 3)).expect("samples").data
        };
        same_rows(name, &rows(false), &rows(true));
        host::treat_as_device(false);
    }
    let pictures = images::bars();
    for name in images::names() {
        let path = folder.path().join(name);
        images::fitted(name, &pictures).save(&path).expect("writable");
        let made = |as_device| {
            host::treat_as_device(as_device);
            load_image_model(&path, "cpu").expect("loads").sample(&SampleRequest::new(20, 3)).expect("samples").data
        };
        same_pictures(name, &made(false), &made(true));
        host::treat_as_device(false);
    }
}

//! What runs on a GPU, run on the CPU: the way of tensor operations instead of that of loops, for every model that trains, with every
//! value that leaves a tensor counted.

#[path = "support/agree.rs"]
mod agree;
#[path = "support/counts.rs"]
mod counts;
#[allow(dead_code, reason = "shared with tests that use more of it")]
#[path = "images_contract/support.rs"]
mod images;
#[allow(dead_code, reason = "shared with tests that use more of it")]
#[path = "support/mod.rs"]
mod tables;

use std::sync::{Mutex, MutexGuard, PoisonError};

use agree::{same_losses, same_pictures, same_rows};
use counts::fit_and_count;
use semblant::precision::Precision;
use semblant::prelude::*;
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

#[test]
fn no_value_leaves_the_device_within_a_step() {
    let _turn = turn();
    host::treat_as_device(true);
    let table = patients();
    for name in ["ctgan", "tvae"] {
        let mut model = semblant::model::<Table>(name, tables::small(name)).expect("known settings");
        fit_and_count(name, model.as_mut(), &table, run(1));
    }
    let pictures = images::bars();
    for name in images::names() {
        let mut model = images::unfitted(name, serde_json::json!({})).expect("known settings");
        fit_and_count(name, model.as_mut(), &pictures, run(1));
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
    for name in ["ctgan", "tvae"] {
        let fit = |as_device| {
            host::treat_as_device(as_device);
            semblant::model::<Table>(name, tables::small(name)).expect("known settings").fit(&table, &mut run(1)).expect("fits")
        };
        same_losses(name, &fit(false), &fit(true));
    }
    for name in images::names() {
        let fit = |as_device| {
            host::treat_as_device(as_device);
            let three_steps = serde_json::json!({ "training": { "rows": 24 } });
            images::unfitted(name, three_steps).expect("known settings").fit(&pictures, &mut run(1)).expect("fits")
        };
        same_losses(name, &fit(false), &fit(true));
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
            tables::load(&path).expect("loads").sample(&TableRequest::new(200, 3)).expect("samples").data
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
            semblant::load::<Images>(&path, "cpu").expect("loads").sample(&ImageRequest::new(20, 3)).expect("samples").data
        };
        same_pictures(name, &made(false), &made(true));
        host::treat_as_device(false);
    }
}

/// bf16 changes the losses of a few steps by its rounding, about a hundredth, and by no more; what is kept stays f32.
#[test]
fn bf16_learns_what_f32_learns() {
    let _turn = turn();
    let pictures = images::bars();
    host::treat_as_device(true);
    let networks = [
        ("flow", serde_json::json!({ "kind": "mlp", "width": 16, "depth": 1 })),
        ("flow", serde_json::json!({ "kind": "dit", "patch": 4, "width": 16, "depth": 1, "heads": 2 })),
        (
            "edm",
            serde_json::json!({
                "kind": "unet", "block_out_channels": [8, 8], "norm_num_groups": 4,
                "down_block_types": ["DownBlock2D", "AttnDownBlock2D"], "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
            }),
        ),
    ];
    for (name, network) in networks {
        let fit = |precision| {
            let more = serde_json::json!({ "network": network, "training": { "rows": 24 } });
            let mut model = images::unfitted(name, more).expect("known settings");
            let summary = model.fit(&pictures, &mut Run { precision, ..run(1) }).expect("fits");
            (fits::bytes(&model).len(), summary)
        };
        let ((size, wide), (narrow_size, narrow)) = (fit(Precision::F32), fit(Precision::Bf16));
        assert_eq!(size, narrow_size, "{name}: the file holds f32");
        for ((loss, a), (_, b)) in wide.losses.iter().zip(&narrow.losses) {
            assert!(a != b, "{name} {network}: {loss} is the same, so nothing was rounded");
            assert!((a - b).abs() < 0.03 * a.abs(), "{name} {network}: {loss} is {a} in f32 and {b} in bf16");
        }
    }
    for name in ["consistency", "r3gan", "vae", "vq-vae", "latent-dit"] {
        let mut model = images::unfitted(name, serde_json::json!({})).expect("known settings");
        images::says(name, model.fit(&pictures, &mut Run { precision: Precision::Bf16, ..run(1) }), &[name, "--precision f32"]);
    }
}

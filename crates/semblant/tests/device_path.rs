//! What runs on a GPU, run on the CPU: the way of tensor operations instead of that of loops, for every model that trains, with every
//! value that leaves a tensor counted.

#[allow(dead_code, reason = "shared with tests that use more of it")]
#[macro_use]
mod support;

use std::sync::{Mutex, MutexGuard, PoisonError};

use semblant::precision::Precision;
use semblant::prelude::*;
use semblant_core::host;
use serde_json::json;
use support::agree::{same_losses, same_pictures, same_rows};
use support::counts::fit_and_count;
use support::fits::{bytes, run, says};
use support::images::{self, bars};
use support::tables::{self, patients};

for_every!(trained_tables: table_steps_read_nothing_back, table_losses_are_those_of_loops);
for_every!(tables: rows_are_those_of_loops);
for_every!(images: image_steps_read_nothing_back, image_losses_are_those_of_loops, images_are_those_of_loops);
for_every!(without_bf16: bf16_is_refused);

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

fn table_steps_read_nothing_back(name: &str) {
    let _turn = turn();
    host::treat_as_device(true);
    fit_and_count(name, tables::unfitted(name).as_mut(), &patients(), run(1));
}

fn image_steps_read_nothing_back(name: &str) {
    let _turn = turn();
    host::treat_as_device(true);
    fit_and_count(name, images::unfitted(name, json!({})).expect("known settings").as_mut(), &bars(), run(1));
}

/// Losses after a few steps, computed by loops and by tensor operations. The last bits differ, since sums are ordered differently, and
/// training magnifies that, a game of two networks most of all: so few steps leave three digits.
fn table_losses_are_those_of_loops(name: &str) {
    let _turn = turn();
    let fit = |as_device| {
        host::treat_as_device(as_device);
        tables::unfitted(name).fit(&patients(), &mut run(1)).expect("fits")
    };
    same_losses(name, &fit(false), &fit(true));
}

/// As [`table_losses_are_those_of_loops`].
fn image_losses_are_those_of_loops(name: &str) {
    let _turn = turn();
    let fit = |as_device| {
        host::treat_as_device(as_device);
        let three_steps = json!({ "training": { "rows": 24 } });
        images::unfitted(name, three_steps).expect("known settings").fit(&bars(), &mut run(1)).expect("fits")
    };
    same_losses(name, &fit(false), &fit(true));
}

/// The same weights and the same noise give the same rows.
fn rows_are_those_of_loops(name: &str) {
    same_requested_rows(name, &TableRequest::new(200, 3));
}

fn same_requested_rows(name: &str, request: &TableRequest) {
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    tables::fitted(name, &patients()).save(&path).expect("writable");
    let rows = |as_device| {
        host::treat_as_device(as_device);
        semblant::load::<Table>(&path, "cpu").expect("loads").sample(request).expect("samples").data
    };
    same_rows(name, &rows(false), &rows(true));
}

/// A device draws many blocks of rows at once, each in its own order of columns.
#[test]
fn conditional_rows_of_masked_diffusion_are_those_of_loops() {
    same_requested_rows("masked-diffusion", &TableRequest::new(500, 3).with_between("age", 30.0, 60.0));
    same_requested_rows("masked-diffusion", &TableRequest::new(300, 4).with_expression("age > 30 and smoker is not null"));
}

/// The same weights and the same noise give the same images.
fn images_are_those_of_loops(name: &str) {
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    images::fitted(name, &bars()).save(&path).expect("writable");
    let made = |as_device| {
        host::treat_as_device(as_device);
        semblant::load::<Images>(&path, "cpu").expect("loads").sample(&ImageRequest::new(20, 3)).expect("samples").data
    };
    same_pictures(name, &made(false), &made(true));
}

/// bf16 changes the losses of a few steps by its rounding, about a hundredth, and by no more; what is kept stays f32.
fn bf16_losses_are_those_of_f32(name: &str, fit: impl Fn(&mut Run) -> (usize, Summary)) {
    let _turn = turn();
    host::treat_as_device(true);
    let [(size, wide), (narrow_size, narrow)] = [Precision::F32, Precision::Bf16].map(|precision| fit(&mut Run { precision, ..run(1) }));
    assert_eq!(size, narrow_size, "{name}: the file holds f32");
    for ((loss, a), (_, b)) in wide.losses.iter().zip(&narrow.losses) {
        assert!(a != b, "{name}: {loss} is the same, so nothing was rounded");
        assert!((a - b).abs() < 0.03 * a.abs(), "{name}: {loss} is {a} in f32 and {b} in bf16");
    }
}

fn bf16_losses_of_images(name: &str, network: &serde_json::Value) {
    bf16_losses_are_those_of_f32(&format!("{name} {network}"), |run| {
        let mut model = images::unfitted(name, json!({ "network": network, "training": { "rows": 24 } })).expect("known settings");
        let summary = model.fit(&bars(), run).expect("fits");
        (bytes(&model).len(), summary)
    });
}

#[test]
fn bf16_losses_of_masked_diffusion_are_those_of_f32() {
    bf16_losses_are_those_of_f32("masked-diffusion", |run| {
        let mut model = tables::unfitted("masked-diffusion");
        let summary = model.fit(&patients(), run).expect("fits");
        (bytes(&model).len(), summary)
    });
}

#[test]
fn bf16_losses_of_flow_mlp_are_those_of_f32() {
    bf16_losses_of_images("flow", &json!({ "kind": "mlp", "width": 16, "depth": 1 }));
}

#[test]
fn bf16_losses_of_flow_dit_are_those_of_f32() {
    bf16_losses_of_images("flow", &json!({ "kind": "dit", "patch": 4, "width": 16, "depth": 1, "heads": 2 }));
}

#[test]
fn bf16_losses_of_edm_unet_are_those_of_f32() {
    let unet = json!({
        "kind": "unet", "block_out_channels": [8, 8], "norm_num_groups": 4,
        "down_block_types": ["DownBlock2D", "AttnDownBlock2D"], "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
    });
    bf16_losses_of_images("edm", &unet);
}

fn bf16_is_refused(name: &str) {
    let mut model = images::unfitted(name, json!({})).expect("known settings");
    says(name, model.fit(&bars(), &mut Run { precision: Precision::Bf16, ..run(1) }), &[name, "--precision f32"]);
}

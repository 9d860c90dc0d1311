//! Model files of version 0.1 load, and give the samples that they gave then. `fixtures/README.md` has the commands that made them.

use std::path::{Path, PathBuf};

use semblant::prelude::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The rows of `request` are those of the fixture `expected`. Numbers may be a step of their column apart: another processor may round
/// the sums of a network's products in another order.
fn same_rows(model: &str, request: &TableRequest, expected: &str) {
    let model = semblant::load::<Table>(fixture(model), "cpu").expect("an old file");
    let found = model.sample(request).expect("samples").data;
    let expected = Table::read(fixture(expected), &ReadOptions::with_schema(found.schema().clone())).expect("readable");
    assert_eq!(found.rows(), expected.rows());
    for (index, (described, column)) in found.iter().enumerate() {
        for row in 0..found.rows() {
            let close = column
                .numbers()
                .zip(expected.columns()[index].numbers())
                .is_some_and(|(found, expected)| (found[row] - expected[row]).abs() <= described.step().unwrap_or(0.0) * 1.000_001);
            let [found, expected] = [&found, &expected].map(|table| table.cell(row, index));
            assert!(close || found == expected, "row {row}, {}: {found} is not {expected}", described.name);
        }
    }
}

#[test]
fn copula() {
    same_rows("copula.safetensors", &TableRequest::new(50, 7), "copula.csv");
}

#[test]
fn ctgan() {
    same_rows("ctgan.safetensors", &TableRequest::new(50, 7), "ctgan.csv");
}

#[test]
fn ctgan_with_conditions() {
    let request = TableRequest::new(20, 7).with("smoker", "yes").with_between("age", 30.0, 60.0);
    same_rows("ctgan.safetensors", &request, "ctgan-where.csv");
}

#[test]
fn flow() {
    let model = semblant::load::<Images>(fixture("flow.safetensors"), "cpu").expect("an old file");
    let made = model.sample(&ImageRequest::new(12, 7).of_class("left").steps(4)).expect("samples").data;
    let expected = Images::read(fixture("flow.npz"), &ImageOptions::default()).expect("readable").images;
    assert!(made.pixels().iter().zip(expected.pixels()).all(|(found, expected)| found.abs_diff(*expected) <= 1));
}

#[test]
fn the_kind_of_an_old_file_is_that_of_its_model() {
    let registry = Registry::default();
    for (file, kind) in [("copula.safetensors", "table"), ("ctgan.safetensors", "table"), ("flow.safetensors", "images")] {
        assert_eq!(registry.kind_of_file(&fixture(file)).expect("an old file").kind(), kind, "{file}");
    }
}

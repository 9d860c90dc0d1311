//! The table that the benchmarks share.

use std::path::{Path, PathBuf};

use semblant::data::catalog::Catalog;
use semblant::data::table::{Table, simulate_patients};

/// Adult's 26,049 training rows where `SEMBLANT_DATA` has them, else as many simulated patients.
pub fn table() -> Table {
    let folder = std::env::var_os("SEMBLANT_DATA").map(PathBuf::from);
    let adult = Catalog::get("adult").and_then(|adult| adult.read("train", folder.as_deref(), Path::new(".")));
    adult.unwrap_or_else(|_| simulate_patients(26_049, 0))
}

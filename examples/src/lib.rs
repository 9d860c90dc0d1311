//! The examples lie in `examples/`; each is a program of its own. Here is what several of them need.

pub mod picture;

use anyhow::Context;
use semblant::prelude::Table;

/// Seconds of a day.
pub const DAY: f64 = 86_400.0;

/// The numbers of a column.
///
/// # Errors
/// A name that no column has, and a column of labels.
pub fn numbers<'t>(table: &'t Table, column: &str) -> anyhow::Result<&'t [f64]> {
    table.column(column)?.numbers().with_context(|| format!("{column} holds no numbers"))
}

/// A file of text: what `SEMBLANT_TEXT` names, or this one in the folder `SEMBLANT_DATA`.
///
/// # Errors
/// When neither is set.
pub fn text_file(name: &str) -> anyhow::Result<std::path::PathBuf> {
    let named = std::env::var_os("SEMBLANT_TEXT").map(std::path::PathBuf::from);
    let folder = std::env::var_os("SEMBLANT_DATA").map(|folder| std::path::PathBuf::from(folder).join(name));
    named.or(folder).context("set SEMBLANT_DATA or SEMBLANT_TEXT")
}

/// Days from 1970 to the first of January of a year up to 2099.
pub fn first_day(year: u32) -> f64 {
    f64::from(365 * (year - 1970) + (year - 1969) / 4)
}

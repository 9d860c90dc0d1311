//! A spec that describes given tables, to be edited: keys, numbers of rows for each other, distributions, labels and correlations.
//!
//! No row's own values are in it. Labels of fewer than [`RARE`] rows are left out, the least and greatest [`RARE`] - 1 numbers and times count as the
//! next one, quantiles are means of neighbours, and names are described by their form alone.

mod columns;
mod keys;
mod relations;
mod write;

use semblant_data::table::Table as Data;

/// Fewer rows than this are not described.
pub(crate) const RARE: usize = 5;

/// Writes a spec in TOML for tables with their names.
pub fn draft(tables: &[(String, Data)]) -> String {
    let names = keys::safe_names(tables);
    let keys = keys::find(tables);
    let mut text = String::from(
        "# Drafted from data; edit it, then: semblant rules check FILE, semblant sample FILE -o out/\n# The keys of the format: docs/rules.md\n",
    );
    for table in 0..tables.len() {
        write::table(&mut text, &tables[table].1, table, &names, &keys, tables);
    }
    text
}

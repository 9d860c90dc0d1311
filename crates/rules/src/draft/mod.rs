//! A spec that describes given tables, to be edited: keys, numbers of rows for each other, distributions, labels and correlations.
//!
//! No row's own values are in it. Labels of fewer than [`RARE`] rows are left out, the least and greatest [`RARE`] - 1 numbers and times count as the
//! next one, the largest families as their mean, quantiles are means of neighbours, and names are described by their form alone.

mod columns;
mod constraints;
mod relations;
mod write;

use semblant_data::table::Table as Data;

pub use constraints::Proposed;

use crate::error::Result;
use crate::generate::Generator;
use crate::plan::{NoModels, Plan};
use crate::spec::Spec;

/// Fewer rows than this are not described.
pub(crate) const RARE: usize = 5;

/// Drafted rows by which constraints are judged.
const JUDGED: u64 = 1_000;

/// Writes a spec in TOML for tables with their names. What is `proposed` of each table becomes constraints: in force where rows of the draft meet them
/// often enough, else in comments.
pub fn draft(tables: &[(String, Data)], proposed: &[Vec<Proposed>]) -> String {
    let names = safe_names(tables);
    let keys = semblant_data::database::guess(tables);
    let mut parts = Vec::new();
    for table in 0..tables.len() {
        let mut text = String::new();
        write::table(&mut text, &tables[table].1, table, &names, &keys, tables);
        parts.push(text);
    }
    let plain = joined(&parts, &[]);
    if proposed.iter().all(Vec::is_empty) {
        return plain;
    }
    let made = rows(&plain, &names).unwrap_or_default();
    let with = |in_force: bool| {
        let lines = |table: usize| {
            let proposed = proposed.get(table).map_or(&[][..], Vec::as_slice);
            constraints::lines(&tables[table].1, made.get(table), proposed, in_force)
        };
        joined(&parts, &(0..tables.len()).map(lines).collect::<Vec<_>>())
    };
    // A draft can be sampled, so what its rows cannot meet together is not in force.
    let all = with(true);
    if rows(&all, &names).is_ok() { all } else { with(false) }
}

/// Names of tables that are names of files.
fn safe_names(tables: &[(String, Data)]) -> Vec<String> {
    let safe = |name: &String| name.chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { '_' }).collect::<String>();
    tables.iter().map(|(name, _)| safe(name)).collect()
}

fn joined(parts: &[String], constraints: &[String]) -> String {
    let mut text = String::from(
        "# Drafted from data; edit it, then: semblant rules check FILE, semblant sample FILE -o out/\n# The keys of the format: docs/rules.md\n",
    );
    for (place, part) in parts.iter().enumerate() {
        text.push_str(part);
        text.push_str(constraints.get(place).map_or("", String::as_str));
    }
    text
}

/// The first rows of each table of a draft.
fn rows(text: &str, names: &[String]) -> Result<Vec<Data>> {
    let plan = Plan::new(&Spec::parse("draft.toml", text)?, "draft.toml", &NoModels)?;
    let generator = Generator::new(&plan, 0, 1.0)?;
    names.iter().map(|name| generator.rows(name, 0..generator.count(name)?.min(JUDGED))).collect()
}

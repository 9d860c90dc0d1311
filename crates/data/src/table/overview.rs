//! What a table holds, for people: beside the columns of a schema file, and as lines of text.

use std::collections::HashMap;

use super::raw::shorten;
use super::{Column, ColumnKind, ColumnSchema, MISSING, Table};
use crate::{Error, Result};

/// Labels that are shown.
const SHOWN: usize = 6;

/// The end of every schema file.
const FIELDS: &str = "\
# Fields of the table: target, delimiter, missing = [\"NA\"] (texts that mean a missing value), protect = { rare = 5 }.
# Fields of every column: name, kind, type (of Parquet), missing, protect = false (keeps rare labels and extreme numbers).
#   kind = \"integer\" or \"continuous\": decimals, step, origin, style = { decimal = \",\", thousands = \".\", prefix = \"$\", suffix = \"%\" }, special
#   kind = \"datetime\": format (strftime), zone, step (seconds), origin, special = [\"9999-12-31\"]
#   kind = \"categorical\" or \"boolean\": none
#   kind = \"id\" (a name of the row) or \"key\" (a name of what several rows belong to): id, references = \"table.column\" (key)
#   kind = \"constant\": value
";

/// What is said of one column.
struct Overview {
    name: String,
    kind: ColumnKind,
    distinct: usize,
    missing: f64,
    values: String,
}

impl Table {
    /// The schema as TOML with comments: for every column how many different values there are, how many are missing, their range or the most
    /// frequent labels, and what of `notes` is about it. No label of fewer rows than the schema protects is shown.
    ///
    /// # Errors
    /// When the schema cannot be written as TOML.
    pub fn annotated_schema(&self, notes: &[String]) -> Result<String> {
        let toml = self.schema().to_toml()?;
        let mut blocks = toml.split("[[columns]]");
        let mut text = blocks.next().unwrap_or_default().to_owned();
        for (overview, block) in self.overviews().into_iter().zip(blocks) {
            text.push_str(&format!("[[columns]]{}\n# {}\n", block.trim_end(), overview.line()));
            let about = format!("column \"{}\": ", overview.name);
            for note in notes.iter().filter_map(|note| note.strip_prefix(&about)) {
                text.push_str(&format!("# Guess: {note}\n"));
            }
            text.push('\n');
        }
        text.push_str(FIELDS);
        // What a person edits must read back.
        super::Schema::parse_toml(&text).map_err(|error| Error::Table(format!("the schema does not read back: {error}")))?;
        Ok(text)
    }

    /// One line for every column, under a heading: kind, name, different values, missing values, range or most frequent labels.
    pub fn overview(&self) -> Vec<String> {
        let overviews = self.overviews();
        let width = overviews.iter().map(|column| column.name.chars().count()).max().unwrap_or(0).clamp(6, 32);
        let heading = format!("{:width$}  {:11}  {:>9}  {:>7}  values", "column", "kind", "different", "missing");
        let line = |column: &Overview| {
            let name: String = column.name.chars().take(width).collect();
            format!(
                "{name:width$}  {:11}  {:>9}  {:>6.1}%  {}",
                column.kind.to_string(),
                column.distinct,
                100.0 * column.missing,
                column.values
            )
        };
        std::iter::once(heading).chain(overviews.iter().map(line)).collect()
    }

    fn overviews(&self) -> Vec<Overview> {
        let rare = self.schema().protect.rare.max(1) as usize;
        self.iter().map(|(described, column)| Overview::of(described, column, rare)).collect()
    }
}

impl Overview {
    fn of(described: &ColumnSchema, column: &Column, rare: usize) -> Self {
        let missing = column.missing() as f64 / column.len().max(1) as f64;
        let (distinct, values) = match column {
            Column::Number(values) => numbers(described, values, rare),
            Column::Category { codes, levels } => labels(described, codes, levels, rare),
        };
        Self { name: described.name.clone(), kind: described.kind, distinct, missing, values }
    }

    fn line(&self) -> String {
        let missing = if self.missing > 0.0 { format!("{:.1} % missing, ", 100.0 * self.missing) } else { String::new() };
        format!("{} different values, {missing}{}", self.distinct, self.values)
    }
}

fn numbers(described: &ColumnSchema, values: &[f64], rare: usize) -> (usize, String) {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let beyond = (rare - 1).min(sorted.len() / 20);
    let range = match (sorted.get(beyond), sorted.len().checked_sub(1 + beyond).and_then(|at| sorted.get(at))) {
        (Some(&low), Some(&high)) => format!("{} to {}", described.format_number(low), described.format_number(high)),
        _ => "no values".into(),
    };
    sorted.dedup();
    (sorted.len(), range)
}

fn labels(described: &ColumnSchema, codes: &[u32], levels: &[String], rare: usize) -> (usize, String) {
    let mut counts: HashMap<u32, usize> = HashMap::new();
    codes.iter().filter(|&&code| code != MISSING).for_each(|&code| *counts.entry(code).or_default() += 1);
    let distinct = counts.len();
    if described.kind.is_name() {
        return (distinct, "names, made anew".into());
    }
    if described.kind == ColumnKind::Text {
        return (distinct, "texts, made anew by a model of text".into());
    }
    let mut frequent: Vec<(u32, usize)> =
        counts.into_iter().filter(|&(_, count)| count >= rare || described.kind == ColumnKind::Boolean).collect();
    frequent.sort_by_key(|&(code, count)| (std::cmp::Reverse(count), code));
    let share = |count: usize| 100.0 * count as f64 / codes.len().max(1) as f64;
    let shown: Vec<String> = frequent
        .iter()
        .take(SHOWN)
        .map(|&(code, count)| format!("\"{}\" {:.1} %", shorten(&levels[code as usize]), share(count)))
        .collect();
    (distinct, if shown.is_empty() { "no frequent label".into() } else { shown.join(", ") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{ReadOptions, Schema, TableFormat};

    #[test]
    fn a_schema_file_says_what_was_seen_and_reads_back() {
        let text: String =
            (0..60).map(|i| format!("{},{},{}\n", i * i, if i == 7 { "secret" } else { "common" }, 20_240_100 + i % 28 + 1)).collect();
        let read =
            Table::from_bytes(format!("n,label,day\n{text}").into_bytes(), TableFormat::Csv, &ReadOptions::default()).expect("readable");
        let schema = read.table.annotated_schema(&read.notes).expect("writable");
        assert!(schema.contains("\"common\" 98.3 %") && !schema.contains("secret"), "{schema}");
        assert!(schema.contains("# Guess: whole numbers that are all dates"), "{schema}");
        assert_eq!(&Schema::parse_toml(&schema).expect("readable"), read.table.schema());
        assert_eq!(read.table.overview().len(), 4);
    }
}

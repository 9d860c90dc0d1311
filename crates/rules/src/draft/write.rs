//! The text of a draft.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use semblant_data::database::{GuessedForeign as Foreign, GuessedKeys as Keys};
use semblant_data::table::{Column, Table as Data};

use super::columns::{describe, quantiles, short, trimmed};
use super::relations;

/// Parts of the rows of a table that is referred to, by how often they are.
const PARTS: usize = 10;
const MOST_PARTS: usize = 40;

/// A text in quotes, which TOML and JSON write alike.
pub(super) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_else(|_| "\"\"".into())
}

/// A name as an expression has it.
pub(super) fn name_in_sql(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && name.starts_with(|c: char| c.is_ascii_alphabetic());
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

pub(super) fn table(text: &mut String, data: &Data, table: usize, names: &[String], keys: &[Keys], tables: &[(String, Data)]) {
    let own = &keys[table];
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    line(String::new());
    line("[[table]]".into());
    line(format!("name = {}", quoted(&names[table])));
    let column_name = |column: usize| data.schema().columns[column].name.as_str();
    match (own.key, own.pair) {
        (Some(key), _) => line(format!("key = {}", quoted(column_name(key)))),
        (None, Some(pair)) => line(format!("key = [{}]", pair.map(|column| quoted(column_name(column))).join(", "))),
        _ => {}
    }
    let aliases = aliases(data, table, own, names);
    match own.foreign.iter().find(|foreign| foreign.is_parent) {
        Some(parent) => {
            line(format!("per = {}", quoted(&names[parent.table])));
            line(format!("children = {}", children(data, parent, &tables[parent.table].1)));
        }
        None => line(format!("rows = {}", data.rows())),
    }
    for foreign in own.foreign.iter().filter(|foreign| !foreign.is_parent) {
        line(String::new());
        line("[[table.reference]]".into());
        line(format!("name = {}", quoted(&aliases[&foreign.column])));
        line(format!("table = {}", quoted(&names[foreign.table])));
        if foreign.table != table {
            line(format!("pick = {{ shares = [{}] }}", shares(data, foreign, &tables[foreign.table].1)));
            line("stratified = true".into());
        }
        let missing = data.columns()[foreign.column].missing();
        if own.pair.is_some_and(|pair| pair.contains(&foreign.column)) {
            line("distinct = true".into());
        } else if missing > 0 {
            line(format!("missing = {}", short(missing as f64 / data.rows() as f64)));
        }
    }
    columns(text, data, table, keys, tables, &aliases);
}

/// The names by which expressions know the rows that a row belongs to, by column.
fn aliases(data: &Data, table: usize, own: &Keys, names: &[String]) -> HashMap<usize, String> {
    let mut all: HashMap<usize, String> = HashMap::new();
    for foreign in &own.foreign {
        let mut alias = match foreign.is_parent {
            true => names[foreign.table].clone(),
            false => format!(
                "{}_row",
                data.schema().columns[foreign.column].name.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_")
            ),
        };
        while all.values().any(|known| *known == alias) || (!foreign.is_parent && alias == names[table]) {
            alias.push('_');
        }
        all.insert(foreign.column, alias);
    }
    all
}

fn counts(data: &Data, foreign: &Foreign, other: &Data) -> Vec<usize> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    let present = (0..data.rows()).filter(|&row| !data.columns()[foreign.column].is_missing(row));
    present.for_each(|row| *counts.entry(data.cell(row, foreign.column)).or_default() += 1);
    let mut all: Vec<usize> = counts.into_values().collect();
    all.resize(other.rows().max(all.len()), 0);
    all.sort_unstable();
    all
}

/// How many parents have how many rows. The largest numbers, which a few parents have, count as their mean: the table keeps its number of rows.
fn children(data: &Data, foreign: &Foreign, other: &Data) -> String {
    let mut all = counts(data, foreign, other);
    let count = all.len();
    if count > 4 * super::RARE {
        even_out(&mut all[count - super::RARE..]);
    }
    if all.first() == all.last() {
        return all.first().copied().unwrap_or(0).to_string();
    }
    let mut weights: BTreeMap<usize, usize> = BTreeMap::new();
    all.into_iter().for_each(|number| *weights.entry(number).or_default() += 1);
    let weights: Vec<String> = weights.into_iter().map(|(number, parents)| format!("{number} = {parents}")).collect();
    format!("{{ categories = {{ {} }} }}", weights.join(", "))
}

/// Numbers as equal as whole ones of their sum can be, rising.
fn even_out(numbers: &mut [usize]) {
    let (sum, count) = (numbers.iter().sum::<usize>(), numbers.len().max(1));
    let larger = sum % count;
    numbers.iter_mut().enumerate().for_each(|(place, number)| *number = sum / count + usize::from(place >= count - larger));
}

fn shares(data: &Data, foreign: &Foreign, other: &Data) -> String {
    let mut all = counts(data, foreign, other);
    all.reverse();
    // Rows of a small table one by one, else a few neighbours together.
    let parts = if all.len() <= PARTS { all.len() } else { (all.len() / super::RARE).clamp(PARTS, MOST_PARTS) };
    let part = |part: usize| {
        let rows = &all[part * all.len() / parts..(part + 1) * all.len() / parts];
        // A part of the rows that has none still may.
        short((rows.iter().sum::<usize>() as f64 / rows.len() as f64).max(0.01))
    };
    (0..parts).map(part).collect::<Vec<_>>().join(", ")
}

fn columns(text: &mut String, data: &Data, table: usize, keys: &[Keys], tables: &[(String, Data)], aliases: &HashMap<usize, String>) {
    let own = &keys[table];
    let foreign_of = |column: usize| own.foreign.iter().find(|foreign| foreign.column == column);
    let described = &data.schema().columns;
    let free: Vec<usize> = (0..described.len())
        .filter(|&column| own.key != Some(column) && foreign_of(column).is_none() && matches!(&data.columns()[column], Column::Number(_)))
        .collect();
    let computed = relations::computed(data, &free);
    let orders = relations::orders(data);
    let mut drawn = Vec::new();
    for (column, known) in described.iter().enumerate() {
        let mut lines = vec![String::new(), "[[table.column]]".into(), format!("name = {}", quoted(&known.name))];
        let sql = |column: usize| name_in_sql(&described[column].name);
        if let Some(foreign) = foreign_of(column)
            && let Some(key) = keys[foreign.table].key
        {
            let alias = name_in_sql(&aliases[&column]);
            lines.push(format!(
                "expression = {}",
                quoted(&format!("{alias}.{}", name_in_sql(&tables[foreign.table].1.schema().columns[key].name)))
            ));
        } else if let Some(&(_, a, b, operator)) = computed.iter().find(|(c, ..)| *c == column) {
            lines.push(format!("expression = {}", quoted(&format!("{} {operator} {}", sql(a), sql(b)))));
            lines.extend(known.decimals.map(|decimals| format!("decimals = {decimals}")));
            if known.kind == semblant_data::table::ColumnKind::Integer {
                lines.push("type = \"integer\"".into());
            }
        } else if let Some(&(a, _)) = orders.iter().find(|(_, b)| *b == column) {
            // The days come first, in a column of their own.
            lines.pop();
            lines.extend(later(data, a, column, &sql(a)));
        } else {
            lines.extend(describe(known, &data.columns()[column], data.rows(), own.key == Some(column)));
            let is_drawn = |line: &String| line.starts_with("draw = ") && !line.contains("sequence");
            if free.contains(&column) && lines.iter().any(is_drawn) {
                drawn.push(column);
            }
        }
        for line in lines {
            text.push_str(&line);
            text.push('\n');
        }
    }
    if let Some((columns, matrix)) = relations::correlations(data, &drawn) {
        let names: Vec<String> = columns.iter().map(|&column| quoted(&described[column].name)).collect();
        let rows: Vec<String> =
            matrix.iter().map(|row| format!("  [{}],", row.iter().map(|rank| short(*rank)).collect::<Vec<_>>().join(", "))).collect();
        // Writing to a string does not fail.
        let _ =
            write!(text, "\n[[table.correlation]]\ncolumns = [{}]\nmatrix = [\n{}\n]\nnearest = true\n", names.join(", "), rows.join("\n"));
    }
}

/// A time that is never before another one: days after it.
fn later(data: &Data, a: usize, b: usize, before: &str) -> Vec<String> {
    let known = &data.schema().columns[b];
    let gaps = trimmed(&relations::gaps(data, a, b));
    let whole = gaps.iter().all(|gap| gap.fract() == 0.0);
    let hidden = format!("{}_days", known.name);
    let mut lines = vec![format!("name = {}", quoted(&hidden)), "hidden = true".into()];
    if whole {
        lines.push("type = \"integer\"".into());
    }
    lines.push(format!("draw = {{ quantiles = [{}] }}", quantiles(&gaps)));
    let mut all = lines;
    all.extend([String::new(), "[[table.column]]".into(), format!("name = {}", quoted(&known.name))]);
    all.push(format!("type = \"{}\"", if whole && gaps.len() > 1 { "date" } else { "datetime" }));
    if let Some(format) = &known.format {
        all.push(format!("format = {}", quoted(format)));
    }
    all.push(format!("expression = {}", quoted(&format!("{before} + interval '1 day' * {}", name_in_sql(&hidden)))));
    let missing = data.columns()[b].missing();
    if missing >= super::RARE {
        all.push(format!("missing = {}", short(missing as f64 / data.rows() as f64)));
    }
    all
}

//! Constraints and the table that a model is fitted to: which rows break them, and what is completed by the table.

use std::collections::HashSet;

use semblant_core::{Error, Result};
use semblant_data::table::{Column, ColumnKind, Constraint, Schema, Table};
use semblant_expressions::{Expression, Type};

use super::{Constraints, Learned, as_number, combinations};
use crate::conditions::{Cells, truth};
use crate::preparation::Encoding;

/// Rows that a note names.
const NAMED: usize = 5;

/// What was found in a table with constraints.
pub(crate) struct Checked {
    /// The schema, its constraints completed but for combinations.
    pub(crate) schema: Schema,
    /// How a model sees the columns.
    pub(crate) learned: Learned,
    /// The rows that keep all constraints, if some do not.
    pub(crate) rows: Option<Vec<usize>>,
    /// One line for each constraint that rows break.
    pub(crate) notes: Vec<String>,
}

/// Checks the rows of a table for a model that learns it so.
///
/// # Errors
/// A constraint that does not fit the columns, or that most rows break.
pub(crate) fn check_table(table: &Table, encoding: Encoding) -> Result<Checked> {
    let (encoded, drawn_orders) = (encoding != Encoding::Plain, encoding == Encoding::ExceptOrders);
    if table.schema().constraints.is_empty() {
        return Ok(Checked { schema: table.schema().clone(), learned: Learned::default(), rows: None, notes: Vec::new() });
    }
    let booleans =
        table.iter().map(|(described, column)| (described.kind == ColumnKind::Boolean).then(|| labels_of_truth(column)).flatten());
    let mut learned = Learned { booleans: booleans.collect(), encoded, drawn_orders, origins: Vec::new() };
    let mut schema = table.schema().clone();
    with_increments(&mut schema)?;
    with_definitions(&mut schema, table, &learned)?;
    let bound = Constraints::new(&schema, &Learned { encoded: false, ..learned.clone() })?;
    let mut broken = vec![false; table.rows()];
    let mut notes = Vec::new();
    for (name, rows) in breaches(&bound, table) {
        if rows.is_empty() {
            continue;
        }
        let named: Vec<String> = rows.iter().take(NAMED).map(|row| (row + 1).to_string()).collect();
        let more = if rows.len() > NAMED { format!(" and {} more", rows.len() - NAMED) } else { String::new() };
        if rows.len() * 2 > table.rows() {
            let why =
                format!("{} of {} rows break it (rows {}{more}); correct it in the schema", rows.len(), table.rows(), named.join(", "));
            return Err(Error::Config(format!("constraint {name}: {why}")));
        }
        let (rows_word, them) = if rows.len() == 1 { ("row breaks", "it is") } else { ("rows break", "they are") };
        let which = if rows.len() == 1 { "row" } else { "rows" };
        notes.push(format!("constraint {name}: {} {rows_word} it ({which} {}{more}); {them} not learned", rows.len(), named.join(", ")));
        rows.iter().for_each(|&row| broken[row] = true);
    }
    let rows: Vec<usize> = (0..table.rows()).filter(|&row| !broken[row]).collect();
    if rows.is_empty() {
        return Err(Error::Config("no row keeps all constraints; correct them in the schema".into()));
    }
    if encoded {
        learned.origins = table.columns().iter().map(|column| column.numbers().and_then(median)).collect();
    }
    Ok(Checked { schema, learned, rows: (rows.len() < table.rows()).then_some(rows), notes })
}

/// The labels of false and true, if the column has no others.
fn labels_of_truth(column: &Column) -> Option<[String; 2]> {
    let (_, levels) = column.categories()?;
    let meanings: Vec<bool> = levels.iter().map(|label| truth(label)).collect::<Option<_>>()?;
    let label = |wanted: bool| {
        let own = levels.iter().zip(&meanings).find(|(_, meaning)| **meaning == wanted).map(|(label, _)| label.clone());
        own.unwrap_or_else(|| wanted.to_string())
    };
    Some([label(false), label(true)])
}

/// The median of numbers that are there.
fn median(values: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

/// Increments are the steps of their columns.
fn with_increments(schema: &mut Schema) -> Result<()> {
    for constraint in schema.constraints.clone() {
        let Constraint::Increment { column, by, from } = constraint else { continue };
        let refused = |why: String| Error::Config(format!("constraint increment = \"{column}\": {why}"));
        let place = schema.index_of(&column).map_err(|error| refused(error.to_string()))?;
        let described = &mut schema.columns[place];
        if !described.kind.is_number() {
            return Err(refused(format!("the column is {}, and increments are of numbers", described.kind)));
        }
        (described.step, described.origin) = (Some(by), Some(from).filter(|from| *from != 0.0));
    }
    Ok(())
}

/// A check that says what a column is, `total = price * units`, computes that column: no model would meet it by chance. One that compares two
/// columns, `start <= end`, is their order.
fn with_definitions(schema: &mut Schema, table: &Table, learned: &Learned) -> Result<()> {
    let all = std::mem::take(&mut schema.constraints);
    // Definitions that are declared come first, whatever their place.
    let (mut kept, checks): (Vec<Constraint>, Vec<Constraint>) =
        all.into_iter().partition(|constraint| !matches!(constraint, Constraint::Check(_)));
    let with = |constraints: Vec<Constraint>| Constraints::new(&Schema { constraints, ..schema.clone() }, learned);
    for constraint in checks {
        let Constraint::Check(text) = &constraint else { continue };
        let bound = with([kept.clone(), vec![constraint.clone()]].concat())?;
        let parts = Expression::condition(text, &bound.names(false)).map_or_else(|_| Vec::new(), |condition| condition.conjuncts());
        let mut rest = Vec::new();
        for part in parts {
            let derive = Constraint::Derive(part.to_string());
            let is_definition = Expression::assignment(&part.to_string(), &bound.names(false)).is_ok_and(|(column, value)| {
                matches!(bound.types[column], Type::Number | Type::Time)
                    && !value.columns().is_empty()
                    && never_only_missing(table, &bound.types, column, &value)
            });
            // A column that is computed already, or is part of another definition, is checked.
            let order = Expression::order(&part.to_string(), &bound.names(false)).unwrap_or(None).map(|(low, high, strict)| {
                let columns = [low, high].map(|place| schema.columns[place].name.clone()).to_vec();
                Constraint::Order { columns, strict }
            });
            if let Some(order) = order.filter(|order| with([kept.clone(), vec![order.clone()]].concat()).is_ok()) {
                kept.push(order);
            } else if is_definition && with([kept.clone(), vec![derive.clone()]].concat()).is_ok() {
                kept.push(derive);
            } else {
                rest.push(part.to_string());
            }
        }
        if !rest.is_empty() {
            kept.push(Constraint::Check(if rest.len() == 1 {
                rest.remove(0)
            } else {
                rest.iter().map(|part| format!("({part})")).collect::<Vec<_>>().join(" and ")
            }));
        }
    }
    schema.constraints = kept;
    Ok(())
}

/// Whether a column has a value wherever it could be computed.
fn never_only_missing(table: &Table, types: &[Type], column: usize, value: &Expression) -> bool {
    let columns = table.columns();
    (0..table.rows()).all(|row| !columns[column].is_missing(row) || value.evaluate(&Cells { columns, types, row }).is_null())
}

/// The rows that break each constraint, which is named.
fn breaches(bound: &Constraints, table: &Table) -> Vec<(String, Vec<usize>)> {
    let (columns, rows) = (table.columns(), table.rows());
    let mut all: Vec<(String, Vec<usize>)> = Vec::new();
    for &column in &bound.derived {
        if let Some(definition) = &bound.definitions[column] {
            let name = format!("{} = {definition}", bound.schema.columns[column].name);
            all.push((name, (0..rows).filter(|&row| differs(bound, columns, column, definition, row)).collect()));
        }
    }
    for check in &bound.checks {
        let breaks = |row: &usize| check.plain.holds(&Cells { columns, types: &bound.types, row: *row }) == Some(false);
        let found: Vec<usize> = (0..rows).filter(breaks).collect();
        match all.iter_mut().find(|(name, _)| *name == check.name) {
            Some((_, rows)) => {
                rows.extend(found);
                rows.sort_unstable();
                rows.dedup();
            }
            None => all.push((check.name.clone(), found)),
        }
    }
    for (constraint, combination) in
        bound.schema.constraints.iter().filter(|one| matches!(one, Constraint::Combinations { .. })).zip(&bound.combinations)
    {
        if matches!(constraint, Constraint::Combinations { allowed: Some(_), .. }) {
            let allowed = combination.allowed(columns, rows);
            all.push((combination.name.clone(), (0..rows).filter(|&row| !allowed[row]).collect()));
        }
    }
    for constraint in &bound.schema.constraints {
        match constraint {
            Constraint::Increment { column, .. } => {
                let Ok(place) = bound.schema.index_of(column) else { continue };
                let described = &bound.schema.columns[place];
                let is_off = |value: f64| !value.is_nan() && (described.round_number(value) - value).abs() > 1e-9 * value.abs().max(1e-9);
                let off = columns[place].numbers().unwrap_or_default().iter().enumerate().filter(|(_, value)| is_off(**value));
                all.push((format!("increment = \"{column}\""), off.map(|(row, _)| row).collect()));
            }
            Constraint::Unique(names) => {
                let places: Vec<usize> = names.iter().filter_map(|name| bound.schema.index_of(name).ok()).collect();
                let mut seen = HashSet::new();
                let repeats =
                    |row: &usize| !places.iter().any(|&place| columns[place].is_missing(*row)) && !seen.insert(key(columns, &places, *row));
                all.push((format!("unique = {names:?}"), (0..rows).filter(repeats).collect()));
            }
            _ => {}
        }
    }
    all
}

/// What tells the values of some columns of a row apart.
pub(crate) fn key(columns: &[Column], places: &[usize], row: usize) -> Vec<Value> {
    let value = |&place: &usize| match &columns[place] {
        // -0 is 0.
        Column::Number(values) => Value::Number((values[row] + 0.0).to_bits()),
        labels => Value::Label(labels.label(row).unwrap_or_default().to_owned()),
    };
    places.iter().map(value).collect()
}

/// A value that can be compared with others of its column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Value {
    /// The bits of a number.
    Number(u64),
    /// A label.
    Label(String),
}

/// Whether a value is another one than the definition gives, beyond the rounding of the column.
fn differs(bound: &Constraints, columns: &[Column], column: usize, definition: &Expression, row: usize) -> bool {
    let described = &bound.schema.columns[column];
    let cells = Cells { columns, types: &bound.types, row };
    let computed = definition.evaluate(&cells);
    match &columns[column] {
        Column::Number(values) => {
            let (given, computed) = (values[row], as_number(&computed));
            let slack = 0.5 * described.step().unwrap_or(0.0) + 1e-6 * computed.abs();
            (given - computed).abs() > slack * (1.0 + 1e-9) + 1e-9
        }
        labels => match (labels.label(row), computed) {
            (Some(given), semblant_expressions::Value::Text(text)) => given != text,
            (Some(given), semblant_expressions::Value::Boolean(computed)) => crate::conditions::truth(given) != Some(computed),
            _ => false,
        },
    }
}

impl Checked {
    /// The columns of each constraint on combinations.
    pub(crate) fn combinations(&self) -> Vec<Vec<usize>> {
        let of = |constraint: &Constraint| match constraint {
            Constraint::Combinations { columns, .. } => Some(columns.iter().filter_map(|name| self.schema.index_of(name).ok()).collect()),
            _ => None,
        };
        self.schema.constraints.iter().filter_map(of).collect()
    }

    /// Completes combinations by those of the columns that are learned.
    pub(crate) fn complete(&mut self, columns: &[Column], rows: usize) -> Result<()> {
        for place in 0..self.schema.constraints.len() {
            let of = match &self.schema.constraints[place] {
                Constraint::Combinations { columns: names, allowed: None, .. } => {
                    names.iter().map(|name| self.schema.index_of(name)).collect::<std::result::Result<Vec<_>, _>>()?
                }
                _ => continue,
            };
            if let Constraint::Combinations { allowed, .. } = &mut self.schema.constraints[place] {
                *allowed = Some(combinations::distinct(columns, &of, rows));
            }
        }
        Ok(())
    }
}

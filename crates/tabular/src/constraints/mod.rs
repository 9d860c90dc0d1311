//! Constraints of a schema: what holds in every row.
//!
//! [`Constraints`] is one object for all that a constraint takes: the check of training rows, what a model learns instead of the columns
//! ([`Constraints::learned`], undone by [`Constraints::restore`]), what a model that draws column by column excludes ([`Constraints::checks`] and
//! [`Constraints::combinations`]), and the check of sampled rows ([`Constraints::kept`]).

pub(crate) mod combinations;
mod fit;
mod gaps;
pub(crate) mod unique;

use std::sync::Arc;

use semblant_core::{Error, Result};
use semblant_data::table::{Column, ColumnKind, ColumnSchema, Constraint, MISSING, Schema, Table};
use semblant_expressions::{Expression, Type, Value};
use serde::{Deserialize, Serialize};

pub use self::combinations::Combinations;
pub(crate) use self::fit::check_table;
use self::gaps::Gaps;
use crate::conditions::{Cells, Names, types};

/// How the columns of a table are seen by a model that knows its constraints.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Learned {
    /// By column: the labels of false and true, for columns of truth values.
    pub booleans: Vec<Option<[String; 2]>>,
    /// Whether columns are encoded so that any row of them keeps the constraints: combinations as one column, differences for an order. Else the
    /// model excludes what breaks them while it draws.
    pub encoded: bool,
    /// Whether orders are nevertheless met by drawing again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub drawn_orders: bool,
    /// By column: what its differences count from where no other column is known, for columns that are learned as a difference.
    pub origins: Vec<Option<f64>>,
}

/// The constraints of a schema, bound to its columns.
#[derive(Debug, Clone, Default)]
pub struct Constraints {
    schema: Schema,
    types: Vec<Type>,
    booleans: Vec<Option<[String; 2]>>,
    /// By column: what it is computed from, in terms of columns that are not computed.
    definitions: Vec<Option<Expression>>,
    /// The computed columns, in the order in which they can be computed.
    derived: Vec<usize>,
    /// Conditions as they stand, and with definitions in the place of computed columns.
    checks: Vec<Check>,
    combinations: Vec<Combinations>,
    /// Numbers of which one is 1; they are excluded by checks, or encoded as combinations.
    one_hot: Vec<Combinations>,
    unique: Vec<Vec<usize>>,
    /// What is learned as one column, by the place in [`Constraints::combinations`].
    joint: Vec<usize>,
    gaps: Vec<Gaps>,
}

/// A condition that is never false.
#[derive(Debug, Clone)]
struct Check {
    /// The constraint as it stands in the schema.
    name: String,
    plain: Expression,
    masked: Expression,
}

impl Constraints {
    /// Binds the constraints of a schema, whose combinations are known.
    ///
    /// # Errors
    /// A constraint that names no column, does not fit the columns' kinds, or contradicts another one.
    pub fn new(schema: &Schema, learned: &Learned) -> Result<Self> {
        let count = schema.columns.len();
        if schema.constraints.is_empty() {
            return Ok(Self::default());
        }
        let schemas: Vec<&ColumnSchema> = schema.columns.iter().collect();
        let types = types(&schemas, |column| learned.booleans.get(column).is_some_and(Option::is_some));
        let booleans = learned.booleans.clone();
        let mut bound = Self { schema: schema.clone(), types, booleans, definitions: vec![None; count], ..Self::default() };
        // Definitions first: other constraints may name what they compute.
        for constraint in &schema.constraints {
            if let Constraint::Derive(text) = constraint {
                bound.derive(text)?;
            }
        }
        for constraint in &schema.constraints {
            bound.add(constraint)?;
        }
        if !learned.encoded || learned.drawn_orders {
            bound.gaps.clear();
        }
        if learned.encoded {
            bound.encode(&learned.origins);
        }
        Ok(bound)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.schema.constraints.is_empty()
    }

    /// The columns with their own kinds.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The types of the columns, as expressions see them.
    pub fn types(&self) -> &[Type] {
        &self.types
    }

    /// By column: what it is computed from.
    pub fn definitions(&self) -> &[Option<Expression>] {
        &self.definitions
    }

    /// Conditions that no row may make false, over columns that are learned.
    pub fn checks(&self) -> impl Iterator<Item = &Expression> {
        self.checks.iter().map(|check| &check.masked)
    }

    /// Columns of labels of which only some combinations are allowed.
    pub fn combinations(&self) -> &[Combinations] {
        &self.combinations
    }

    /// Columns whose values, together, no two rows share.
    pub fn unique(&self) -> &[Vec<usize>] {
        &self.unique
    }

    /// The combinations that the model learns as one column, with that column.
    pub fn joint(&self) -> impl Iterator<Item = (usize, &Combinations)> {
        self.joint.iter().map(|&place| (self.combinations[place].columns[0], &self.combinations[place]))
    }

    /// Whether a column is computed from what a model learns in the place of it and of others; parts of combinations are not.
    pub fn computes(&self, column: usize) -> bool {
        self.definitions.get(column).is_some_and(Option::is_some) || self.gaps.iter().any(|gaps| gaps.columns[1..].contains(&column))
    }

    fn names(&self, with_definitions: bool) -> Names<'_> {
        let schemas = self.schema.columns.iter().collect();
        Names::of(schemas, self.types.clone(), if with_definitions { &self.definitions } else { &[] })
    }

    /// The place of a column that a constraint is about.
    fn learned_column(&self, name: &str, what: &str) -> Result<usize> {
        let index = self.schema.index_of(name).map_err(|error| Error::Config(format!("constraint {what}: {error}")))?;
        self.refuse_names(&[index], what)?;
        Ok(index)
    }

    fn refuse_names(&self, columns: &[usize], what: &str) -> Result<()> {
        match columns.iter().find(|&&column| self.schema.columns[column].kind.is_name()) {
            Some(&column) => {
                let ColumnSchema { name, kind, .. } = &self.schema.columns[column];
                let why = format!(
                    "constraint {what}: column \"{name}\" is {kind} and made anew in every row; give it another kind in the schema"
                );
                Err(Error::Config(why))
            }
            None => Ok(()),
        }
    }

    fn derive(&mut self, text: &str) -> Result<()> {
        let what = format!("derive = \"{text}\"");
        let refused = |why: String| Error::Config(format!("constraint {what}: {why}"));
        let (column, definition) = Expression::assignment(text, &self.names(true)).map_err(|error| refused(error.to_string()))?;
        let name = &self.schema.columns[column].name;
        if self.definitions[column].is_some() {
            return Err(refused(format!("column \"{name}\" is computed by two constraints; remove one of them")));
        }
        if definition.columns().contains(&column) {
            return Err(refused(format!("column \"{name}\" is computed from itself; compute it from other columns")));
        }
        self.refuse_names(definition.columns(), &what)?;
        self.refuse_names(&[column], &what)?;
        // What was defined before in terms of this column would be out of date.
        if self.derived.iter().any(|&earlier| self.definitions[earlier].as_ref().is_some_and(|known| known.columns().contains(&column))) {
            return Err(refused(format!("column \"{name}\" is used by an earlier derive; put the constraint that computes it first")));
        }
        self.definitions[column] = Some(definition);
        self.derived.push(column);
        Ok(())
    }

    fn add(&mut self, constraint: &Constraint) -> Result<()> {
        match constraint {
            Constraint::Check(text) => self.check(text, &format!("check = \"{text}\"")),
            Constraint::Order { columns, strict } => {
                let what = format!("order = {columns:?}");
                let places = columns.iter().map(|name| self.learned_column(name, &what)).collect::<Result<Vec<_>>>()?;
                let kinds = places.iter().map(|&place| self.types[place]);
                if !(kinds.clone().all(|kind| kind == Type::Number) || kinds.clone().all(|kind| kind == Type::Time)) {
                    return Err(Error::Config(format!("constraint {what}: the columns must all be numbers or all be times")));
                }
                let sign = if *strict { "<" } else { "<=" };
                for pair in columns.windows(2) {
                    self.check(&format!("{} {sign} {}", quoted(&pair[0]), quoted(&pair[1])), &what)?;
                }
                self.gaps.push(Gaps { columns: places, strict: *strict, origins: Vec::new() });
                Ok(())
            }
            Constraint::OneHot(columns) => self.add_one_hot(columns),
            Constraint::Combinations { columns, allowed, .. } => {
                let what = format!("combinations = {columns:?}");
                let places = columns.iter().map(|name| self.learned_column(name, &what)).collect::<Result<Vec<_>>>()?;
                if let Some(&place) = places.iter().find(|&&place| self.schema.columns[place].kind.is_number()) {
                    let ColumnSchema { name, kind, .. } = &self.schema.columns[place];
                    let why =
                        format!("column \"{name}\" is {kind}, and combinations are of labels; set kind = \"categorical\" in the schema");
                    return Err(Error::Config(format!("constraint {what}: {why}")));
                }
                self.combinations.push(Combinations::new(what, places, allowed.as_deref().unwrap_or_default()));
                Ok(())
            }
            Constraint::Unique(columns) => {
                let place = |name: &String| {
                    self.schema.index_of(name).map_err(|error| Error::Config(format!("constraint unique = {columns:?}: {error}")))
                };
                let places = columns.iter().map(place).collect::<Result<Vec<_>>>()?;
                // Ids are unique as they are made.
                if !places.iter().any(|&place| self.schema.columns[place].kind == ColumnKind::Id) {
                    self.unique.push(places);
                }
                Ok(())
            }
            // The column's own step, see `fit`.
            Constraint::Increment { column, .. } => self.learned_column(column, &format!("increment = \"{column}\"")).map(drop),
            // Before all others.
            _ => Ok(()),
        }
    }

    fn check(&mut self, text: &str, what: &str) -> Result<()> {
        let condition =
            |names: &Names<'_>| Expression::condition(text, names).map_err(|error| Error::Config(format!("constraint {what}: {error}")));
        let (plain, masked) = (condition(&self.names(false))?, condition(&self.names(true))?);
        self.refuse_names(plain.columns(), what)?;
        let parts = plain.conjuncts().into_iter().zip(masked.conjuncts());
        self.checks.extend(parts.map(|(plain, masked)| Check { name: what.to_owned(), plain, masked }));
        Ok(())
    }

    fn add_one_hot(&mut self, columns: &[String]) -> Result<()> {
        let what = format!("one_hot = {columns:?}");
        let places = columns.iter().map(|name| self.learned_column(name, &what)).collect::<Result<Vec<_>>>()?;
        let mut terms = Vec::new();
        for (&place, name) in places.iter().zip(columns) {
            let name = quoted(name);
            terms.push(match self.types[place] {
                Type::Number => {
                    self.check(&format!("{name} in (0, 1)"), &what)?;
                    name
                }
                Type::Boolean => format!("(case when {name} then 1 when not {name} then 0 end)"),
                other => {
                    let why = format!("column {name} is {other}; the columns hold 0 and 1, or true and false");
                    return Err(Error::Config(format!("constraint {what}: {why}")));
                }
            });
        }
        if places.iter().all(|&place| self.types[place] == Type::Number) {
            self.one_hot.push(Combinations::one_hot(what.clone(), places));
        }
        self.check(&format!("{} = 1", terms.join(" + ")), &what)
    }

    /// Chooses what is learned as one column, and what as differences; a column takes part in one of these.
    fn encode(&mut self, origins: &[Option<f64>]) {
        let mut taken: Vec<bool> = self.definitions.iter().map(Option::is_some).collect();
        let mut take = |columns: &[usize]| {
            let free = columns.iter().all(|&column| !taken[column]);
            if free {
                columns.iter().for_each(|&column| taken[column] = true);
            }
            free
        };
        self.combinations.append(&mut self.one_hot);
        self.joint = (0..self.combinations.len()).filter(|&place| take(&self.combinations[place].columns)).collect();
        self.gaps.retain(|gaps| take(&gaps.columns));
        for gaps in &mut self.gaps {
            gaps.origins = gaps.columns.iter().map(|&column| origins.get(column).copied().flatten().unwrap_or(0.0)).collect();
        }
    }

    /// The table that a model learns: without computed columns, and encoded if it is to be.
    ///
    /// # Errors
    /// A table with other columns.
    pub fn learned(&self, table: &Table) -> Result<Table> {
        if self.is_empty() {
            return Ok(table.clone());
        }
        let (mut schema, mut columns) = (table.schema().clone(), table.columns().to_vec());
        schema.constraints = Vec::new();
        let rows = table.rows();
        let absent = |schema: &mut Schema, columns: &mut Vec<Column>, column: usize| {
            schema.columns[column] = ColumnSchema::new(schema.columns[column].name.clone(), ColumnKind::Constant);
            columns[column] = Column::Category { codes: vec![MISSING; rows], levels: Arc::new(Vec::new()) };
        };
        for gaps in &self.gaps {
            gaps.encode(&mut schema, &mut columns);
        }
        for &place in &self.joint {
            let combinations = &self.combinations[place];
            let carrier = combinations.columns[0];
            let encoded = combinations.encode(&columns);
            combinations.columns.iter().for_each(|&column| absent(&mut schema, &mut columns, column));
            schema.columns[carrier].kind = ColumnKind::Categorical;
            columns[carrier] = encoded;
        }
        self.derived.iter().for_each(|&column| absent(&mut schema, &mut columns, column));
        Ok(Table::new(schema, columns)?)
    }

    /// The table of the user's columns, from what a model made.
    ///
    /// # Errors
    /// A table with other columns.
    pub fn restore(&self, table: Table) -> Result<Table> {
        if self.is_empty() {
            return Ok(table);
        }
        let mut columns = table.columns().to_vec();
        for &place in &self.joint {
            self.combinations[place].decode(&mut columns);
        }
        for gaps in &self.gaps {
            gaps.decode(&self.schema, &mut columns);
        }
        self.compute(&mut columns, table.rows());
        Ok(Table::new(Schema { constraints: Vec::new(), ..self.schema.clone() }, columns)?)
    }

    /// Computes the columns that are derived from others.
    fn compute(&self, columns: &mut [Column], rows: usize) {
        for &column in &self.derived {
            let Some(definition) = &self.definitions[column] else { continue };
            let described = &self.schema.columns[column];
            let value = |row: usize| definition.evaluate(&Cells { columns, types: &self.types, row }).into_owned();
            columns[column] = if described.kind.is_number() {
                Column::Number((0..rows).map(|row| described.round_number(as_number(&value(row)))).collect())
            } else {
                Column::from_labels((0..rows).map(|row| match value(row) {
                    Value::Text(text) => Some(text.into_owned()),
                    Value::Boolean(truth) => {
                        let labels = self.booleans.get(column).and_then(Option::as_ref);
                        Some(labels.map_or_else(|| truth.to_string(), |labels| labels[usize::from(truth)].clone()))
                    }
                    _ => None,
                }))
            };
        }
    }

    /// Whether each row of the user's columns keeps the constraints on single rows.
    pub fn kept(&self, columns: &[Column], rows: usize) -> Vec<bool> {
        let mut kept = vec![true; rows];
        for check in &self.checks {
            for (row, kept) in kept.iter_mut().enumerate().filter(|(_, kept)| **kept) {
                *kept = check.plain.holds(&Cells { columns, types: &self.types, row }) != Some(false);
            }
        }
        for combinations in &self.combinations {
            let allowed = combinations.allowed(columns, rows);
            kept.iter_mut().zip(allowed).for_each(|(kept, allowed)| *kept &= allowed);
        }
        kept
    }
}

/// The number of a value; NaN for null.
fn as_number(value: &Value<'_>) -> f64 {
    match value {
        Value::Number(number) | Value::Time(number) => *number,
        _ => f64::NAN,
    }
}

/// A column's name as it stands in an expression.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests;

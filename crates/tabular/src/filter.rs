//! Conditions on columns, interpreted once for every table model.
//!
//! A model says which conditions each of its columns accepts ([`Columns`]); [`RowFilter::new`] turns the conditions of a request into
//! predicates in the model's own codes, or into one error that names the column and what there is.

use std::borrow::Cow;

use semblant_core::{Error, Result};
use semblant_data::table::{Column, ColumnSchema, Condition, MISSING, Table, TableRequest, Wanted};
use semblant_expressions::{Expression, Type};

use crate::conditions::{self, Names, TableRow};

/// What a fitted model knows of its columns.
pub trait Columns {
    /// The descriptions of the columns, in order.
    fn schemas(&self) -> Vec<&ColumnSchema>;

    /// The conditions that column `index` accepts.
    fn domain(&self, index: usize) -> Domain<'_>;
}

/// The conditions that a column accepts.
#[derive(Debug, Clone, PartialEq)]
pub enum Domain<'a> {
    /// Nothing: its values are made anew for every row.
    Unlearned,
    /// This value, which every row has.
    Constant(&'a str),
    /// One of these labels, by the model's codes, and a missing value where `missing`.
    Labels {
        /// Code and label, in the order in which they are listed.
        labels: Vec<(u32, &'a str)>,
        /// Whether values were missing in the training data.
        missing: bool,
    },
    /// A number in the range of the training data, and a missing value where `missing`. No range where all values were missing.
    Numbers {
        /// The least and the greatest value.
        range: Option<(f64, f64)>,
        /// Whether values were missing in the training data.
        missing: bool,
    },
}

/// A condition in terms of a column's [`Domain`].
#[derive(Debug, Clone, PartialEq)]
pub enum Predicate {
    /// The label of this code.
    Label(u32),
    /// No value.
    Missing,
    /// A number in this range, whose ends are values that the column can hold.
    Range {
        /// The least value.
        low: f64,
        /// The greatest value.
        high: f64,
    },
    /// One of these labels, by their codes.
    OneOf {
        /// The codes, sorted.
        labels: Vec<u32>,
        /// Whether a missing value is allowed too.
        missing: bool,
    },
    /// A number in one of these ranges.
    Ranges {
        /// The least and the greatest value of each, in order.
        ranges: Vec<(f64, f64)>,
        /// Whether a missing value is allowed too.
        missing: bool,
    },
}

impl Predicate {
    /// The same in the simplest form; `None` where nothing is allowed.
    fn simplest(self) -> Option<Self> {
        match self {
            Self::OneOf { labels, missing: false } if labels.len() == 1 => Some(Self::Label(labels[0])),
            Self::Ranges { ranges, missing: false } if ranges.len() == 1 => Some(Self::Range { low: ranges[0].0, high: ranges[0].1 }),
            Self::OneOf { ref labels, missing } if labels.is_empty() => missing.then_some(Self::Missing),
            Self::Ranges { ref ranges, missing } if ranges.is_empty() => missing.then_some(Self::Missing),
            other => Some(other),
        }
    }

    /// What both allow.
    fn and(self, other: Self) -> Option<Self> {
        let labels = |predicate: &Self| match predicate {
            Self::Label(code) => Some((vec![*code], false)),
            Self::OneOf { labels, missing } => Some((labels.clone(), *missing)),
            Self::Missing => Some((Vec::new(), true)),
            _ => None,
        };
        let ranges = |predicate: &Self| match predicate {
            Self::Range { low, high } => Some((vec![(*low, *high)], false)),
            Self::Ranges { ranges, missing } => Some((ranges.clone(), *missing)),
            Self::Missing => Some((Vec::new(), true)),
            _ => None,
        };
        if self == other {
            return Some(self);
        }
        if let (Some((mine, missing)), Some((theirs, also))) = (labels(&self), labels(&other)) {
            let both = mine.into_iter().filter(|code| theirs.contains(code)).collect();
            return Self::OneOf { labels: both, missing: missing && also }.simplest();
        }
        let ((mine, missing), (theirs, also)) = ranges(&self).zip(ranges(&other))?;
        let pairs = mine.iter().flat_map(|&(low, high)| theirs.iter().map(move |&(from, to)| (low.max(from), high.min(to))));
        Self::Ranges { ranges: pairs.filter(|(low, high)| low <= high).collect(), missing: missing && also }.simplest()
    }
}

/// All conditions of a request.
#[derive(Debug, Clone)]
pub struct RowFilter {
    /// By column.
    predicates: Vec<Option<Predicate>>,
    /// The rounding step of each column, for comparisons of numbers.
    steps: Vec<f64>,
    /// The balanced column and its codes.
    balance: Option<(usize, Vec<u32>)>,
    /// Conditions on several columns at once, or that no predicate can say.
    expressions: Vec<Expression>,
    /// The columns' types, as expressions see them.
    types: Vec<Type>,
}

impl RowFilter {
    /// Reads the conditions of a request.
    ///
    /// # Errors
    /// [`Error::Condition`] with a column that is not known or not learned, a value that the training data did not have, a range outside
    /// of it, or conditions that contradict one another.
    pub fn new(columns: &impl Columns, request: &TableRequest) -> Result<Self> {
        let schemas = columns.schemas();
        let steps = schemas.iter().map(|schema| schema.step().unwrap_or(0.0)).collect();
        let domains: Vec<Domain<'_>> = (0..schemas.len()).map(|index| columns.domain(index)).collect();
        let names = Names::new(&schemas, &domains);
        let mut predicates: Vec<Option<Predicate>> = vec![None; schemas.len()];
        let mut meet = |index: usize, new: Predicate| -> Result<()> {
            let known = predicates[index].take();
            let both = known.map_or(Some(new.clone()), |known| known.and(new));
            let contradiction =
                || Error::Condition(format!("two conditions on \"{}\" contradict each other; remove one of them", schemas[index].name));
            predicates[index] = Some(both.ok_or_else(contradiction)?);
            Ok(())
        };
        let mut expressions = Vec::new();
        for condition in &request.conditions {
            let index = position(&schemas, &condition.column)?;
            match read(schemas[index], &domains[index], condition) {
                Ok(Some(new)) => meet(index, new)?,
                Ok(None) => {}
                Err(refused) => expressions.push(comparison(condition, &names).ok_or(refused)?),
            }
        }
        for text in &request.expressions {
            let whole = Expression::condition(text, &names).map_err(|error| {
                let bare = !text.contains(['=', '<', '>', ' ']);
                let forms = if bare { "; write column=value, column=low..high, or an SQL condition" } else { "" };
                Error::Condition(format!("--where {error}{forms}"))
            })?;
            for part in whole.conjuncts() {
                let [index] = *part.columns() else {
                    refuse_unlearned(&schemas, &domains, &part)?;
                    expressions.push(part);
                    continue;
                };
                match conditions::of_one_column(&part, index, schemas[index], names.types()[index], &domains[index]) {
                    Some(predicate) => {
                        let none = || {
                            Error::Condition(format!(
                                "--where {part}: no value of column \"{}\" in the training data meets it",
                                schemas[index].name
                            ))
                        };
                        meet(index, predicate.simplest().ok_or_else(none)?)?;
                        // The predicate's ends may be a hair too wide.
                        expressions.push(part);
                    }
                    None => {
                        refuse_unlearned(&schemas, &domains, &part)?;
                        expressions.push(part);
                    }
                }
            }
        }
        let types = names.types().to_vec();
        let balance = request.balance.as_deref().map(|name| -> Result<_> {
            let index = position(&schemas, name)?;
            let Domain::Labels { labels, .. } = columns.domain(index) else {
                let kind = schemas[index].kind;
                return Err(Error::Condition(format!("column \"{name}\" is {kind}; only a categorical column can be balanced")));
            };
            if predicates[index].is_some() {
                let what = format!("column \"{name}\" cannot be both balanced and fixed by a condition; remove one of the two");
                return Err(Error::Condition(what));
            }
            let mut codes: Vec<u32> = labels.iter().map(|(code, _)| *code).collect();
            codes.sort_unstable();
            Ok((index, codes))
        });
        Ok(Self { balance: balance.transpose()?, predicates, steps, expressions, types })
    }

    /// Whether every row meets it.
    pub fn is_empty(&self) -> bool {
        self.balance.is_none() && self.expressions.is_empty() && self.predicates.iter().all(Option::is_none)
    }

    /// The different cases, as predicates by column: row `i` has to meet case `i` modulo their number. There are several where a column is
    /// balanced, each of its values in turn.
    pub fn cases(&self) -> Vec<Vec<Option<Predicate>>> {
        let Some((column, codes)) = &self.balance else { return vec![self.predicates.clone()] };
        let case = |&code: &u32| {
            let mut predicates = self.predicates.clone();
            predicates[*column] = Some(Predicate::Label(code));
            predicates
        };
        codes.iter().map(case).collect()
    }

    /// What `row` has to meet in `column`.
    pub fn predicate(&self, column: usize, row: u64) -> Option<Cow<'_, Predicate>> {
        match &self.balance {
            Some((balanced, codes)) if *balanced == column => {
                Some(Cow::Owned(Predicate::Label(codes[(row % codes.len() as u64) as usize])))
            }
            _ => self.predicates[column].as_ref().map(Cow::Borrowed),
        }
    }

    /// Conditions that predicates do not say in full.
    pub fn expressions(&self) -> &[Expression] {
        &self.expressions
    }

    /// The columns' types, as expressions see them.
    pub fn types(&self) -> &[Type] {
        &self.types
    }

    /// Whether row `index` of `table`, whose labels have the model's codes, is what `row` has to be.
    pub fn meets(&self, table: &Table, index: usize, row: u64) -> bool {
        let of_column = |column: usize| {
            self.predicate(column, row).is_none_or(|predicate| self.has(&table.columns()[column], column, index, &predicate))
        };
        let table_row = TableRow { table, types: &self.types, row: index };
        (0..self.predicates.len()).all(of_column) && self.expressions.iter().all(|condition| condition.holds(&table_row) == Some(true))
    }

    fn has(&self, values: &Column, column: usize, index: usize, predicate: &Predicate) -> bool {
        // Decoded values lie on the column's steps but for the last bits.
        let slack = self.steps[column] * 1e-6;
        match (predicate, values) {
            (Predicate::Label(code), Column::Category { codes, .. }) => codes[index] == *code,
            (Predicate::Missing, values) => values.is_missing(index),
            (Predicate::OneOf { labels, missing }, Column::Category { codes, .. }) => {
                if codes[index] == MISSING {
                    *missing
                } else {
                    labels.contains(&codes[index])
                }
            }
            (Predicate::Range { low, high }, Column::Number(values)) => (low - slack..=high + slack).contains(&values[index]),
            (Predicate::Ranges { ranges, missing }, Column::Number(values)) => {
                if values[index].is_nan() {
                    return *missing;
                }
                ranges.iter().any(|(low, high)| (low - slack..=high + slack).contains(&values[index]))
            }
            _ => false,
        }
    }
}

/// A condition whose value is no value of its column but an expression of other columns: `total=price * amount`.
fn comparison(condition: &Condition, names: &Names<'_>) -> Option<Expression> {
    let Wanted::Is(text) = &condition.wanted else { return None };
    let column = condition.column.replace('"', "\"\"");
    Expression::condition(&format!("\"{column}\" = {text}"), names).ok().filter(|expression| expression.columns().len() > 1)
}

/// Refuses a condition on a column whose values are made anew for every row.
fn refuse_unlearned(schemas: &[&ColumnSchema], domains: &[Domain<'_>], condition: &Expression) -> Result<()> {
    match condition.columns().iter().find(|&&column| domains[column] == Domain::Unlearned) {
        Some(&column) => {
            let ColumnSchema { name, kind, .. } = schemas[column];
            Err(Error::Condition(format!("--where {condition}: column \"{name}\" is {kind} and not learned, so it cannot be asked for")))
        }
        None => Ok(()),
    }
}

fn position(schemas: &[&ColumnSchema], name: &str) -> Result<usize> {
    schemas.iter().position(|schema| schema.name == name).ok_or_else(|| {
        let known = schemas.iter().map(|schema| schema.name.as_str()).collect::<Vec<_>>().join(", ");
        Error::Condition(format!("no column \"{name}\"; the columns are: {known}"))
    })
}

/// One condition; none for a constant that has the value anyway.
fn read(schema: &ColumnSchema, domain: &Domain<'_>, condition: &Condition) -> Result<Option<Predicate>> {
    let name = &condition.column;
    let refuse = |what: String| Err(Error::Condition(format!("condition on \"{name}\": {what}")));
    match (domain, &condition.wanted) {
        (Domain::Unlearned, _) => refuse(format!("the column is {} and not learned, so it cannot be fixed to a value", schema.kind)),
        (Domain::Constant(value), Wanted::Is(text)) if value == text => Ok(None),
        (Domain::Constant(value), _) => refuse(format!("the column is always \"{value}\"")),
        (Domain::Labels { missing, .. } | Domain::Numbers { missing, .. }, Wanted::Is(text)) if text.is_empty() => {
            if *missing {
                Ok(Some(Predicate::Missing))
            } else {
                refuse("no value was missing in the training data".into())
            }
        }
        (Domain::Labels { labels, .. }, Wanted::Is(text)) => match labels.iter().find(|(_, label)| label == text) {
            Some((code, _)) => Ok(Some(Predicate::Label(*code))),
            None => refuse(format!("\"{text}\" was not in the training data; there were {}", listed(labels))),
        },
        (Domain::Labels { .. }, Wanted::Between { low, high }) => {
            refuse(format!("a range {low}..{high} needs a numeric column, this one is {}", schema.kind))
        }
        (Domain::Numbers { range, .. }, Wanted::Is(text)) => match schema.parse_number(text) {
            Some(value) if value.is_nan() => refuse(format!("\"{text}\" is a special value, which is drawn and cannot be asked for")),
            Some(value) => in_range(schema, *range, value, value, name).map(Some),
            None => refuse(format!("\"{text}\" is not a value of this {} column", schema.kind)),
        },
        (Domain::Numbers { range, .. }, Wanted::Between { low, high }) => in_range(schema, *range, *low, *high, name).map(Some),
        (_, wanted) => refuse(format!("{wanted:?} is not supported by this model")),
    }
}

fn listed(labels: &[(u32, &str)]) -> String {
    const SHOWN: usize = 8;
    let known: Vec<String> = labels.iter().take(SHOWN).map(|(_, label)| format!("\"{label}\"")).collect();
    let more = if labels.len() > SHOWN { format!(" and {} more", labels.len() - SHOWN) } else { String::new() };
    known.join(", ") + &more
}

/// The values from `low` to `high` that the column can hold, as far as the training data went.
fn in_range(schema: &ColumnSchema, seen: Option<(f64, f64)>, low: f64, high: f64, name: &str) -> Result<Predicate> {
    let refuse = |what: String| Err(Error::Condition(format!("condition on \"{name}\": {what}")));
    if !(low <= high) {
        return refuse(format!("the range {low}..{high} is empty; write the smaller number first"));
    }
    let Some((least, greatest)) = seen else { return refuse("all values were missing in the training data".into()) };
    if low > greatest || high < least {
        let [least, greatest] = [least, greatest].map(|value| schema.format_number(value));
        return refuse(format!("{low}..{high} is outside the range {least}..{greatest} of the training data"));
    }
    let (mut low, mut high) = (low.max(least), high.min(greatest));
    if let Some(step) = schema.step() {
        let origin = schema.origin.unwrap_or(0.0);
        if schema.zone.is_none() {
            low = schema.round_number(((low - origin) / step - 1e-9).ceil() * step + origin);
            high = schema.round_number(((high - origin) / step + 1e-9).floor() * step + origin);
        }
    }
    if low > high {
        return refuse(format!("no {} value that the column can hold lies in the range; widen it", schema.kind));
    }
    Ok(Predicate::Range { low, high })
}

#[cfg(test)]
mod tests {
    use super::*;
    use semblant_data::table::ColumnKind;

    struct Two([ColumnSchema; 2]);

    impl Columns for Two {
        fn schemas(&self) -> Vec<&ColumnSchema> {
            self.0.iter().collect()
        }

        fn domain(&self, index: usize) -> Domain<'_> {
            match index {
                0 => Domain::Labels { labels: vec![(3, "a"), (1, "b")], missing: true },
                _ => Domain::Numbers { range: Some((0.0, 10.0)), missing: false },
            }
        }
    }

    fn columns() -> Two {
        Two([ColumnSchema::new("letter", ColumnKind::Categorical), ColumnSchema::new("count", ColumnKind::Integer)])
    }

    #[test]
    fn predicates_have_the_models_codes_and_values_on_the_grid() {
        let filter =
            RowFilter::new(&columns(), &TableRequest::new(4, 0).with("letter", "b").with_between("count", 2.5, 20.0)).expect("possible");
        assert_eq!(filter.cases(), [[Some(Predicate::Label(1)), Some(Predicate::Range { low: 3.0, high: 10.0 })]]);
        let balanced = RowFilter::new(&columns(), &TableRequest::new(4, 0).balanced("letter")).expect("possible");
        assert_eq!(
            [0, 1, 2].map(|row| balanced.predicate(0, row).map(Cow::into_owned)),
            [1, 3, 1].map(|code| Some(Predicate::Label(code)))
        );
        let free = RowFilter::new(&columns(), &TableRequest::new(4, 0)).expect("possible");
        assert!(free.is_empty() && !filter.is_empty() && !balanced.is_empty());
    }

    #[test]
    fn rows_are_compared_by_code_and_within_a_step() {
        let filter = RowFilter::new(&columns(), &TableRequest::new(4, 0).with("letter", "").with("count", "3")).expect("possible");
        let letters = Column::from_labels([Some("x"), None, None]);
        let table = Table::from_columns(vec![
            ("letter", ColumnKind::Categorical, letters),
            ("count", ColumnKind::Integer, Column::Number(vec![3.0, 3.000_000_1, 4.0])),
        ])
        .expect("a table");
        assert_eq!([0, 1, 2].map(|row| filter.meets(&table, row, 0)), [false, true, false]);
    }

    #[test]
    fn expressions_become_predicates_where_they_concern_one_column() {
        let filter = |text: &str| RowFilter::new(&columns(), &TableRequest::new(4, 0).with_expression(text));
        let cases = |text: &str| filter(text).expect("possible").cases();
        assert_eq!(cases("count > 2 and letter = 'b'"), [[Some(Predicate::Label(1)), Some(Predicate::Range { low: 3.0, high: 10.0 })]]);
        let ranges = vec![(0.0, 2.0), (9.0, 10.0)];
        assert_eq!(cases("count < 3 or count >= 9"), [[None, Some(Predicate::Ranges { ranges, missing: false })]]);
        assert_eq!(cases("letter in ('a', 'b') or letter is null"), [[Some(Predicate::OneOf { labels: vec![1, 3], missing: true }), None]]);
        assert_eq!(cases("letter is null"), [[Some(Predicate::Missing), None]]);
        assert_eq!(cases("count > 5 and count < 7"), [[None, Some(Predicate::Range { low: 6.0, high: 6.0 })]]);
        let both = filter("letter = 'a' or count > 5").expect("possible");
        assert_eq!((both.cases(), both.expressions().len()), (vec![vec![None, None]], 1));
        let table = Table::from_columns(vec![
            ("letter", ColumnKind::Categorical, Column::from_labels([Some("a"), Some("b"), Some("b")])),
            ("count", ColumnKind::Integer, Column::Number(vec![1.0, 9.0, 2.0])),
        ]);
        let table = table.expect("a table");
        assert_eq!([0, 1, 2].map(|row| both.meets(&table, row, 0)), [true, true, false]);
        let said = |text: &str| filter(text).expect_err("refused").to_string();
        assert!(said("count > 10").contains("no value of column \"count\""));
        assert!(said("letter = 'a' and letter = 'b'").contains("contradict"));
        assert!(said("ltter = 'a'").contains("did you mean \"letter\""));
        assert!(said("count + 1").contains("count + 1"));
    }

    #[test]
    fn what_cannot_be_met_is_named() {
        let said = |request: TableRequest| RowFilter::new(&columns(), &request).expect_err("refused").to_string();
        let request = || TableRequest::new(1, 0);
        assert!(said(request().with("ltter", "a")).contains("letter, count"));
        assert!(said(request().with("letter", "c")).contains("\"a\", \"b\""));
        assert!(said(request().with("count", "")).contains("missing"));
        assert!(said(request().with("count", "many")).contains("many"));
        assert!(said(request().with_between("count", 2.2, 2.8)).contains("widen"));
        assert!(said(request().with_between("count", 11.0, 12.0)).contains("0..10"));
        assert!(said(request().with("letter", "a").with("letter", "b")).contains("contradict"));
        assert!(said(request().with("letter", "a").balanced("letter")).contains("balanced"));
        assert!(said(request().balanced("count")).contains("categorical"));
    }
}

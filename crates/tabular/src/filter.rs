//! Conditions on columns, interpreted once for every table model.
//!
//! A model says which conditions each of its columns accepts ([`Columns`]); [`RowFilter::new`] turns the conditions of a request into
//! predicates in the model's own codes, or into one error that names the column and what there is.

use semblant_core::{Error, Result};
use semblant_data::table::{Column, ColumnSchema, Condition, MISSING, Table, TableRequest, Wanted};

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
#[derive(Debug, Clone, Copy, PartialEq)]
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
}

/// All conditions of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct RowFilter {
    /// By column.
    predicates: Vec<Option<Predicate>>,
    /// The rounding step of each column, for comparisons of numbers.
    steps: Vec<f64>,
    /// The balanced column and its codes.
    balance: Option<(usize, Vec<u32>)>,
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
        let mut predicates = vec![None; schemas.len()];
        for condition in &request.conditions {
            let index = position(&schemas, &condition.column)?;
            if let Some(new) = read(schemas[index], &columns.domain(index), condition)? {
                predicates[index] = Some(match predicates[index] {
                    None => new,
                    Some(known) => both(known, new, &condition.column)?,
                });
            }
        }
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
        Ok(Self { predicates, steps, balance: balance.transpose()? })
    }

    /// Whether every row meets it.
    pub fn is_empty(&self) -> bool {
        self.balance.is_none() && self.predicates.iter().all(Option::is_none)
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
    pub fn predicate(&self, column: usize, row: u64) -> Option<Predicate> {
        match &self.balance {
            Some((balanced, codes)) if *balanced == column => Some(Predicate::Label(codes[(row % codes.len() as u64) as usize])),
            _ => self.predicates[column],
        }
    }

    /// Whether row `index` of `table`, whose labels have the model's codes, is what `row` has to be.
    pub fn meets(&self, table: &Table, index: usize, row: u64) -> bool {
        (0..self.predicates.len()).all(|column| match (self.predicate(column, row), &table.columns()[column]) {
            (None, _) => true,
            (Some(Predicate::Label(code)), Column::Category { codes, .. }) => codes[index] == code,
            (Some(Predicate::Missing), Column::Category { codes, .. }) => codes[index] == MISSING,
            (Some(Predicate::Missing), Column::Number(values)) => values[index].is_nan(),
            (Some(Predicate::Range { low, high }), Column::Number(values)) => {
                // Decoded values lie on the column's steps but for the last bits.
                let slack = self.steps[column] * 1e-6;
                (low - slack..=high + slack).contains(&values[index])
            }
            _ => false,
        })
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

/// Two conditions on one column: ranges are intersected, anything else must agree.
fn both(known: Predicate, new: Predicate, name: &str) -> Result<Predicate> {
    match (known, new) {
        (Predicate::Range { low, high }, Predicate::Range { low: from, high: to }) if low.max(from) <= high.min(to) => {
            Ok(Predicate::Range { low: low.max(from), high: high.min(to) })
        }
        (known, new) if known == new => Ok(known),
        _ => Err(Error::Condition(format!("two conditions on \"{name}\" contradict each other; remove one of them"))),
    }
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
        assert_eq!([0, 1, 2].map(|row| balanced.predicate(0, row)), [1, 3, 1].map(|code| Some(Predicate::Label(code))));
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

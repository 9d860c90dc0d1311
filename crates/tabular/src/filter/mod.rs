//! Conditions on columns, interpreted once for every table model.
//!
//! A model says which conditions each of its columns accepts ([`Columns`]); [`RowFilter::new`] turns the conditions of a request into
//! predicates in the model's own codes, or into one error that names the column and what there is.

mod cases;
mod predicate;
mod read;
mod reading;

use std::borrow::Cow;

use semblant_core::Result;
use semblant_data::table::{ColumnSchema, Table, TableRequest};
use semblant_expressions::{Expression, Type};

use self::cases::Cases;
pub use self::predicate::Predicate;
use self::reading::Reading;
use crate::conditions::Cells;
use crate::constraints::Constraints;

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
    /// Any value of the column's type: whether a row meets a condition shows when it is drawn.
    Open {
        /// Whether values can be missing.
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

/// A condition on several columns at once, or one that no predicate can say in full.
#[derive(Debug, Clone)]
pub(super) struct Joint {
    /// As it stands: for the user's columns.
    plain: Expression,
    /// With definitions in the place of computed columns: for those that a model learns.
    masked: Expression,
}

/// All conditions of a request, and the constraints.
#[derive(Debug, Clone)]
pub struct RowFilter<'a> {
    /// By column.
    predicates: Vec<Option<Predicate>>,
    /// The rounding step of each column, for comparisons of numbers.
    steps: Vec<f64>,
    /// What is asked of some rows and not of others.
    cases: Cases,
    joint: Vec<Joint>,
    /// The columns' types, as expressions see them.
    types: Vec<Type>,
    constraints: &'a Constraints,
}

impl<'a> RowFilter<'a> {
    /// Reads the conditions of a request.
    ///
    /// # Errors
    /// [`Error::Condition`](semblant_core::Error::Condition) with a column that is not known or not learned, a value that the training data did
    /// not have, a range outside of it, or conditions that contradict one another.
    pub fn new(columns: &impl Columns, request: &TableRequest, constraints: &'a Constraints) -> Result<Self> {
        let steps = columns.schemas().iter().map(|schema| schema.step().unwrap_or(0.0)).collect();
        let mut reading = Reading::new(columns, constraints);
        request.conditions.iter().try_for_each(|condition| reading.short(condition))?;
        request.expressions.iter().try_for_each(|text| reading.sql(text))?;
        let cases = reading.cases(request)?;
        let Reading { predicates, joint, names, .. } = reading;
        Ok(Self { predicates, steps, cases, joint, types: names.types().to_vec(), constraints })
    }

    /// Whether every row meets it.
    pub fn is_empty(&self) -> bool {
        let asks = self.cases.ask() || !self.joint.is_empty() || self.predicates.iter().any(Option::is_some);
        !asks && self.constraints.checks().next().is_none() && self.constraints.combinations().is_empty()
    }

    /// The number of different cases.
    pub fn case_count(&self) -> usize {
        self.cases.count()
    }

    /// The case that `row` has to meet.
    pub fn case_of(&self, row: u64) -> usize {
        self.cases.of(row)
    }

    /// A case, as predicates by column. There are several where a column has target shares, or rows are given in part.
    pub fn case(&self, case: usize) -> Vec<Option<Predicate>> {
        let mut predicates = self.predicates.clone();
        for (column, predicate) in self.cases.asked(case) {
            predicates[*column] = Some(predicate.clone());
        }
        predicates
    }

    /// What `row` has to meet in `column`.
    pub fn predicate(&self, column: usize, row: u64) -> Option<Cow<'_, Predicate>> {
        let of_case = self.cases.asked(self.case_of(row)).iter().find(|(asked, _)| *asked == column);
        of_case.map(|(_, predicate)| predicate).or(self.predicates[column].as_ref()).map(Cow::Borrowed)
    }

    /// Conditions that predicates do not say in full, over columns that a model learns.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.joint.iter().map(|condition| &condition.masked)
    }

    /// The constraints of the model.
    pub fn constraints(&self) -> &'a Constraints {
        self.constraints
    }

    /// The columns' types, as expressions see them.
    pub fn types(&self) -> &[Type] {
        &self.types
    }

    /// Turns what a model made into the user's columns, and says for each row whether it is what row `rows[i]` has to be. Labels of `table` have
    /// the model's codes.
    ///
    /// # Errors
    /// A table with other columns.
    pub fn met(&self, table: Table, rows: &[u64]) -> Result<(Table, Vec<bool>)> {
        if self.is_empty() {
            return Ok((self.constraints.restore(table)?, vec![true; rows.len()]));
        }
        let has = |index: usize, row: u64| {
            let asked = self.cases.asked(self.case_of(row));
            let general = self.predicates.iter().enumerate().filter_map(|(column, asked)| asked.as_ref().map(|asked| (column, asked)));
            let of_case = asked.iter().map(|(column, predicate)| (*column, predicate));
            let is_general = |(column, _): &(usize, &Predicate)| !asked.iter().any(|(of_case, _)| of_case == column);
            // Decoded values lie on the column's steps but for the last bits.
            let holds =
                |(column, predicate): (usize, &Predicate)| predicate.holds(&table.columns()[column], index, self.steps[column] * 1e-6);
            general.filter(is_general).chain(of_case).all(holds)
        };
        let has: Vec<bool> = rows.iter().enumerate().map(|(index, &row)| has(index, row)).collect();
        let table = self.constraints.restore(table)?;
        let mut met = self.constraints.kept(table.columns(), rows.len());
        for (row, met) in met.iter_mut().enumerate() {
            let cells = Cells { columns: table.columns(), types: &self.types, row };
            *met &= has[row] && self.joint.iter().all(|condition| condition.plain.holds(&cells) == Some(true));
        }
        Ok((table, met))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use semblant_data::table::{Column, ColumnKind};

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

    fn none() -> &'static Constraints {
        static NONE: std::sync::LazyLock<Constraints> = std::sync::LazyLock::new(Constraints::default);
        &NONE
    }

    fn all_cases(filter: &RowFilter<'_>) -> Vec<Vec<Option<Predicate>>> {
        (0..filter.case_count()).map(|case| filter.case(case)).collect()
    }

    #[test]
    fn predicates_have_the_models_codes_and_values_on_the_grid() {
        let filter = RowFilter::new(&columns(), &TableRequest::new(4, 0).with("letter", "b").with_between("count", 2.5, 20.0), none())
            .expect("possible");
        assert_eq!(all_cases(&filter), [[Some(Predicate::Label(1)), Some(Predicate::Range { low: 3.0, high: 10.0 })]]);
        let balanced = RowFilter::new(&columns(), &TableRequest::new(4, 0).balanced("letter"), none()).expect("possible");
        assert_eq!(
            [0, 1, 2].map(|row| balanced.predicate(0, row).map(Cow::into_owned)),
            [1, 3, 1].map(|code| Some(Predicate::Label(code)))
        );
        let free = RowFilter::new(&columns(), &TableRequest::new(4, 0), none()).expect("possible");
        assert!(free.is_empty() && !filter.is_empty() && !balanced.is_empty());
    }

    #[test]
    fn rows_are_compared_by_code_and_within_a_step() {
        let filter = RowFilter::new(&columns(), &TableRequest::new(4, 0).with("letter", "").with("count", "3"), none()).expect("possible");
        let letters = Column::from_labels([Some("x"), None, None]);
        let table = Table::from_columns(vec![
            ("letter", ColumnKind::Categorical, letters),
            ("count", ColumnKind::Integer, Column::Number(vec![3.0, 3.000_000_1, 4.0])),
        ])
        .expect("a table");
        assert_eq!(filter.met(table, &[0, 0, 0]).expect("the columns").1, [false, true, false]);
    }

    #[test]
    fn expressions_become_predicates_where_they_concern_one_column() {
        let filter = |text: &str| RowFilter::new(&columns(), &TableRequest::new(4, 0).with_expression(text), none());
        let cases = |text: &str| all_cases(&filter(text).expect("possible"));
        assert_eq!(cases("count > 2 and letter = 'b'"), [[Some(Predicate::Label(1)), Some(Predicate::Range { low: 3.0, high: 10.0 })]]);
        let ranges = vec![(0.0, 2.0), (9.0, 10.0)];
        assert_eq!(cases("count < 3 or count >= 9"), [[None, Some(Predicate::Ranges { ranges, missing: false })]]);
        assert_eq!(cases("letter in ('a', 'b') or letter is null"), [[Some(Predicate::OneOf { labels: vec![1, 3], missing: true }), None]]);
        assert_eq!(cases("letter is null"), [[Some(Predicate::Missing), None]]);
        assert_eq!(cases("count > 5 and count < 7"), [[None, Some(Predicate::Range { low: 6.0, high: 6.0 })]]);
        let both = filter("letter = 'a' or count > 5").expect("possible");
        assert_eq!((all_cases(&both), both.expressions().count()), (vec![vec![None, None]], 1));
        let table = Table::from_columns(vec![
            ("letter", ColumnKind::Categorical, Column::from_labels([Some("a"), Some("b"), Some("b")])),
            ("count", ColumnKind::Integer, Column::Number(vec![1.0, 9.0, 2.0])),
        ]);
        let table = table.expect("a table");
        assert_eq!(both.met(table, &[0, 0, 0]).expect("the columns").1, [true, true, false]);
        let said = |text: &str| filter(text).expect_err("refused").to_string();
        assert!(said("count > 10").contains("no value of column \"count\""));
        assert!(said("letter = 'a' and letter = 'b'").contains("contradict"));
        assert!(said("ltter = 'a'").contains("did you mean \"letter\""));
        assert!(said("count + 1").contains("count + 1"));
    }

    #[test]
    fn what_cannot_be_met_is_named() {
        let said = |request: TableRequest| RowFilter::new(&columns(), &request, none()).expect_err("refused").to_string();
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

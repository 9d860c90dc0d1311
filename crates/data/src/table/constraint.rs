//! Constraints: what holds in every row of a table, declared in its schema.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{ReadOptions, Schema, Table};
use crate::{Error, Result};

/// What holds in every row, as one `[[constraint]]` of a schema file. Expressions are SQL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
#[non_exhaustive]
pub enum Constraint {
    /// `check = "renovated = 0 or renovated >= built"`: a condition that is never false; it may be null.
    Check(String),
    /// `derive = "total = price * units"`: a column that is computed from others, and not learned.
    Derive(String),
    /// `combinations = ["city", "state"]`: only combinations of labels that the table has, or those of `file` (a table with these columns).
    Combinations {
        /// The columns.
        columns: Vec<String>,
        /// The combinations that are allowed, by column; an empty text is a missing value. Without them those of the table are.
        allowed: Option<Vec<Vec<String>>>,
        /// A table that holds them, relative to the schema file; [`Schema::from_toml`] reads it into `allowed`.
        file: Option<String>,
    },
    /// `order = ["start", "end"]`: numbers or times that do not fall from one column to the next; with `strict = true` they rise.
    Order {
        /// The columns, the least one first.
        columns: Vec<String>,
        /// Whether equal values are excluded.
        strict: bool,
    },
    /// `one_hot = ["red", "green", "blue"]`: exactly one of these columns is 1 or true, the others are 0 or false.
    OneHot(Vec<String>),
    /// `unique = ["email"]`: no two rows have the same values in these columns. Rows with a missing value there do not count.
    Unique(Vec<String>),
    /// `increment = "price"` with `by = 500`: the number is a multiple of `by`, counted from `from`.
    Increment {
        /// The column.
        column: String,
        /// The distance of neighbouring values; for times in seconds.
        by: f64,
        /// A value that the multiples start from.
        from: f64,
    },
}

impl Constraint {
    /// The fields of a constraint in a schema file, for messages.
    pub const FIELDS: &'static str =
        "check, derive, combinations (with allowed or file), order (with strict), one_hot, unique, or increment (with by and from)";
}

/// A constraint as it stands in a file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Fields {
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    derive: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    combinations: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<Vec<Vec<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<Vec<String>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    strict: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    one_hot: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unique: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    increment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<f64>,
}

impl TryFrom<Fields> for Constraint {
    type Error = String;

    fn try_from(fields: Fields) -> Result<Self, String> {
        let Fields { check, derive, combinations, allowed, file, order, strict, one_hot, unique, increment, by, from } = fields;
        let of_others = [
            (allowed.is_some() || file.is_some(), combinations.is_some(), "allowed and file are for combinations"),
            (strict, order.is_some(), "strict is for order"),
            (by.is_some() || from.is_some(), increment.is_some(), "by and from are for increment"),
        ];
        if let Some((.., why)) = of_others.into_iter().find(|(given, belongs, _)| *given && !belongs) {
            return Err(format!("a constraint has fields of another one: {why}"));
        }
        let at_least = |columns: Vec<String>, least: usize, what: &str| {
            let several = if least == 1 { "one column" } else { "two columns" };
            if columns.len() >= least { Ok(columns) } else { Err(format!("the constraint {what} needs at least {several}")) }
        };
        match (check, derive, combinations, order, one_hot, unique, increment) {
            (Some(text), None, None, None, None, None, None) => Ok(Self::Check(text)),
            (None, Some(text), None, None, None, None, None) => Ok(Self::Derive(text)),
            (None, None, Some(columns), None, None, None, None) => {
                let columns = at_least(columns, 2, "combinations")?;
                if let Some(odd) = allowed.iter().flatten().find(|values| values.len() != columns.len()) {
                    return Err(format!("combinations of {} columns allow {odd:?}, which has {} values", columns.len(), odd.len()));
                }
                Ok(Self::Combinations { columns, allowed, file })
            }
            (None, None, None, Some(columns), None, None, None) => Ok(Self::Order { columns: at_least(columns, 2, "order")?, strict }),
            (None, None, None, None, Some(columns), None, None) => at_least(columns, 2, "one_hot").map(Self::OneHot),
            (None, None, None, None, None, Some(columns), None) => at_least(columns, 1, "unique").map(Self::Unique),
            (None, None, None, None, None, None, Some(column)) => match by {
                Some(by) if by.is_finite() && by > 0.0 => Ok(Self::Increment { column, by, from: from.unwrap_or(0.0) }),
                _ => Err(format!("the increment of \"{column}\" needs by, a number above 0")),
            },
            _ => Err(format!("a constraint is one of: {}", Self::FIELDS)),
        }
    }
}

impl From<Constraint> for Fields {
    fn from(constraint: Constraint) -> Self {
        match constraint {
            Constraint::Check(text) => Self { check: Some(text), ..Self::default() },
            Constraint::Derive(text) => Self { derive: Some(text), ..Self::default() },
            Constraint::Combinations { columns, allowed, file } => Self { combinations: Some(columns), allowed, file, ..Self::default() },
            Constraint::Order { columns, strict } => Self { order: Some(columns), strict, ..Self::default() },
            Constraint::OneHot(columns) => Self { one_hot: Some(columns), ..Self::default() },
            Constraint::Unique(columns) => Self { unique: Some(columns), ..Self::default() },
            Constraint::Increment { column, by, from } => {
                Self { increment: Some(column), by: Some(by), from: Some(from).filter(|from| *from != 0.0), ..Self::default() }
            }
        }
    }
}

/// Reads the files of combinations; their paths are relative to `folder`.
pub(super) fn read_files(schema: &mut Schema, folder: &Path) -> Result<()> {
    for constraint in &mut schema.constraints {
        let Constraint::Combinations { columns, allowed, file: named @ Some(_) } = constraint else { continue };
        let path = folder.join(named.take().unwrap_or_default());
        let kinds = columns.iter().map(|name| (name.clone(), super::ColumnKind::Categorical)).collect();
        let table = Table::read(&path, &ReadOptions { kinds, ..ReadOptions::default() })?;
        let places: Vec<usize> = columns
            .iter()
            .map(|name| table.schema().index_of(name).map_err(|error| Error::format(&path, error.to_string())))
            .collect::<Result<_>>()?;
        let mut seen = std::collections::HashSet::new();
        let rows = (0..table.rows()).map(|row| places.iter().map(|&place| table.cell(row, place)).collect::<Vec<String>>());
        *allowed = Some(rows.filter(|values| seen.insert(values.clone())).collect());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_survive_toml_and_json() {
        let text = r#"
[[constraint]]
check = "renovated = 0 or renovated >= built"
[[constraint]]
derive = "total = price * units"
[[constraint]]
combinations = ["city", "state"]
allowed = [["Bonn", "NW"], ["Ulm", ""]]
[[constraint]]
order = ["start", "end"]
strict = true
[[constraint]]
one_hot = ["red", "green"]
[[constraint]]
unique = ["email"]
[[constraint]]
increment = "price"
by = 500.0
"#;
        let schema = Schema::parse_toml(text).expect("readable");
        assert_eq!(schema.constraints.len(), 7);
        assert_eq!(schema.constraints[6], Constraint::Increment { column: "price".into(), by: 500.0, from: 0.0 });
        assert_eq!(Schema::parse_toml(&schema.to_toml().expect("writable")).expect("readable"), schema);
        let json = serde_json::to_string(&schema).expect("writable");
        assert_eq!(serde_json::from_str::<Schema>(&json).expect("readable"), schema);
    }

    #[test]
    fn mistakes_are_named() {
        let said = |text: &str| Schema::parse_toml(&format!("[[constraint]]\n{text}\n")).expect_err("a mistake").to_string();
        assert!(said("condition = \"a\"").contains("condition"));
        assert!(said("check = \"a\"\nderive = \"b\"").contains("one of: check, derive"));
        assert!(said("check = \"a\"\nstrict = true").contains("strict is for order"));
        assert!(said("combinations = [\"a\"]").contains("two columns"));
        assert!(said("combinations = [\"a\", \"b\"]\nallowed = [[\"x\"]]").contains("1 values"));
        assert!(said("increment = \"a\"\nby = -1.0").contains("above 0"));
        assert!(said("increment = \"a\"").contains("needs by"));
    }

    #[test]
    fn combinations_of_a_file_are_read_with_the_schema() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("cities.csv"), "zip,city,state\n1,Bonn,NW\n2,Bonn,NW\n3,Ulm,\n").expect("written");
        let schema = folder.path().join("s.toml");
        std::fs::write(&schema, "[[constraint]]\ncombinations = [\"state\", \"city\"]\nfile = \"cities.csv\"\n").expect("written");
        let Constraint::Combinations { allowed, file, .. } = &Schema::from_toml(&schema).expect("readable").constraints[0] else {
            panic!()
        };
        assert_eq!(*file, None);
        assert_eq!(allowed.as_deref(), Some(&[vec!["NW".to_owned(), "Bonn".into()], vec![String::new(), "Ulm".into()]][..]));
        std::fs::write(&schema, "[[constraint]]\ncombinations = [\"state\", \"town\"]\nfile = \"cities.csv\"\n").expect("written");
        assert!(Schema::from_toml(&schema).expect_err("no such column").to_string().contains("town"));
    }
}

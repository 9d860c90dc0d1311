//! How tables refer to each other, as a file says it or as it is guessed.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::guess::{GuessedKeys, guess};
use crate::table::Table;
use crate::{Error, Result};

/// The keys of every table, by its name.
///
/// ```
/// use semblant_data::database::Keys;
///
/// # fn main() -> Result<(), semblant_data::Error> {
/// let keys = Keys::parse_toml(
///     r#"
///     [customers]
///     key = "id"
///     [orders]
///     key = "id"
///     foreign = [{ columns = "customer", table = "customers" }]
///     "#,
/// )?;
/// assert_eq!(keys.of("orders").foreign[0].table, "customers");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Keys(BTreeMap<String, TableKeys>);

/// The keys of one table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TableKeys {
    /// The columns that name its rows; none where nothing refers to them.
    #[serde(with = "one_or_several", skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<String>,
    /// The columns that hold keys of other tables, or of this one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub foreign: Vec<ForeignKey>,
    /// Whether its rows are published as they are: a list of countries, of products, of anything that tells of no one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reference: bool,
    /// SQL conditions that every row meets, over its columns and, as `table.column`, those of the rows it comes by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
}

/// Columns that hold the key of a row of another table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ForeignKey {
    /// The columns, in the order of the other table's key.
    #[serde(with = "one_or_several")]
    pub columns: Vec<String>,
    /// The other table.
    pub table: String,
    /// Whether rows come by the rows that they refer to, so that each of those has its number of rows, which follow each other; one such key a table. Where
    /// a file does not say, the key with the most different values has it, of those that no row lacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<bool>,
}

impl ForeignKey {
    /// Whether rows come by the rows that they refer to.
    pub fn is_parent(&self) -> bool {
        self.parent == Some(true)
    }

    /// Its name in messages: `orders.customer`.
    pub fn name(&self, table: &str) -> String {
        format!("{table}.{}", self.columns.join(", "))
    }
}

impl Keys {
    /// The keys of the named tables.
    pub fn new(tables: impl IntoIterator<Item = (String, TableKeys)>) -> Self {
        Self(tables.into_iter().collect())
    }

    /// The keys of a table; none for one that is not named.
    pub fn of(&self, table: &str) -> &TableKeys {
        static NONE: TableKeys = TableKeys { key: Vec::new(), foreign: Vec::new(), reference: false, checks: Vec::new() };
        self.0.get(table).unwrap_or(&NONE)
    }

    pub(super) fn of_mut(&mut self, table: &str) -> &mut TableKeys {
        self.0.entry(table.to_owned()).or_default()
    }

    /// The tables with their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &TableKeys)> {
        self.0.iter().map(|(name, keys)| (name.as_str(), keys))
    }

    /// Reads a keys file.
    ///
    /// # Errors
    /// A file that cannot be read, or says something else.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = semblant_core::memory::Memory::of_process().read(path)?;
        let text = String::from_utf8(bytes).map_err(|_| Error::format(path, "is no text; keys are written in TOML"))?;
        Self::parse_toml(&text).map_err(|error| Error::format(path, error.to_string()))
    }

    /// Keys from the text of a file.
    ///
    /// # Errors
    /// A text that says something else; the message says where.
    pub fn parse_toml(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
            let what = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
            Error::Table(format!("line {line}: {what}; docs/databases.md shows what a keys file says"))
        })
    }

    /// The text of a file.
    ///
    /// # Errors
    /// None for keys of this crate.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| Error::Table(error.to_string()))
    }

    /// Keys by the names and the values of columns, and one line for each that was found.
    pub fn guess(tables: &[(String, Table)]) -> (Self, Vec<String>) {
        let guessed = guess(tables);
        let mut notes = Vec::new();
        let of = |((name, table), own): (&(String, Table), &GuessedKeys)| {
            let column = |column: usize| table.schema().columns[column].name.clone();
            let key: Vec<String> = match (own.key, own.pair) {
                (Some(key), _) => vec![column(key)],
                (None, Some(pair)) => pair.map(column).to_vec(),
                _ => Vec::new(),
            };
            let foreign = own.foreign.iter().map(|found| ForeignKey {
                columns: vec![column(found.column)],
                table: tables[found.table].0.clone(),
                parent: Some(found.is_parent),
            });
            let keys = TableKeys { key, foreign: foreign.collect(), ..TableKeys::default() };
            if !keys.key.is_empty() {
                notes.push(format!("{name}: {} names its rows", keys.key.join(" with ")));
            }
            for foreign in &keys.foreign {
                let role = if foreign.is_parent() { ", by which its rows come" } else { "" };
                notes.push(format!("{} refers to {}{role}", foreign.name(name), foreign.table));
            }
            (name.clone(), keys)
        };
        let keys = Self(tables.iter().zip(&guessed).map(of).collect());
        if !notes.is_empty() {
            notes.push("keys were guessed; `semblant fit --write-keys FILE` writes them, --keys FILE takes them".into());
        }
        (keys, notes)
    }

    /// Checks that tables and columns are there, and that no rows come by themselves.
    ///
    /// # Errors
    /// Names the table and the column.
    pub fn check(&self, tables: &[(String, Table)]) -> Result<()> {
        let known = |wanted: &str| tables.iter().find(|(name, _)| name == wanted).map(|(_, table)| table);
        let listed = || tables.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        for (name, keys) in self.iter() {
            let Some(table) = known(name) else {
                return Err(Error::Table(format!("the keys name a table \"{name}\"; the tables are: {}", listed())));
            };
            for column in keys.key.iter().chain(keys.foreign.iter().flat_map(|foreign| &foreign.columns)) {
                table.schema().index_of(column).map_err(|error| Error::Table(format!("the keys of {name}: {error}")))?;
            }
            for foreign in &keys.foreign {
                let what = |what: String| Err(Error::Table(format!("{}: {what}", foreign.name(name))));
                if known(&foreign.table).is_none() {
                    return what(format!("refers to a table \"{}\"; the tables are: {}", foreign.table, listed()));
                }
                let key = &self.of(&foreign.table).key;
                if key.is_empty() {
                    return what(format!("{} has no key; name it in the keys file: [{0}] key = \"...\"", foreign.table));
                }
                if key.len() != foreign.columns.len() {
                    return what(format!("the key of {} has {} columns; name as many", foreign.table, key.len()));
                }
                if foreign.columns.is_empty() {
                    return what("names no columns; add them".into());
                }
            }
            if keys.foreign.iter().filter(|foreign| foreign.is_parent()).count() > 1 {
                return Err(Error::Table(format!("{name}: rows come by one table alone; say parent = true at one of its foreign keys")));
            }
        }
        self.check_circles()
    }

    fn check_circles(&self) -> Result<()> {
        for (name, _) in self.iter() {
            let mut path = vec![name];
            while let Some(parent) = self.parent(path[path.len() - 1]) {
                if path.contains(&parent.table.as_str()) {
                    path.push(&parent.table);
                    let what =
                        format!("rows come by each other in a circle: {}; say parent = false at one of these keys", path.join(" by "));
                    return Err(Error::Table(what));
                }
                path.push(&parent.table);
            }
        }
        Ok(())
    }

    /// The key by which the rows of a table come, if they do.
    pub fn parent(&self, table: &str) -> Option<&ForeignKey> {
        self.of(table).foreign.iter().find(|foreign| foreign.is_parent())
    }
}

/// One text, or a list of several.
mod one_or_several {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        One(String),
        Several(Vec<String>),
    }

    pub(super) fn serialize<S: Serializer>(names: &[String], serializer: S) -> Result<S::Ok, S::Error> {
        match names {
            [one] => one.serialize(serializer),
            several => several.serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::One(one) => vec![one],
            Written::Several(several) => several,
        })
    }
}

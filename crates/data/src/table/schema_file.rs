//! Schemas as TOML files, to be edited by hand.

use std::path::Path;

use super::schema::{ColumnKind, ColumnSchema, Schema};
use super::{constraint, data_type, datetime};
use crate::{Error, Result};

impl Schema {
    /// The schema as TOML; [`Schema::parse_toml`] gives it back.
    ///
    /// # Errors
    /// When the schema cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| Error::Table(format!("the schema cannot be written as TOML: {error}")))
    }

    /// Reads a schema from a TOML file.
    ///
    /// # Errors
    /// When the file, or one that it names, cannot be read, is not TOML, has an unknown key (which is named), or fails [`Schema::check`].
    pub fn from_toml(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = semblant_core::memory::read_text(path)?;
        let mut schema = Self::parse_toml(&text).map_err(|error| Error::format(path, error.to_string()))?;
        constraint::read_files(&mut schema, path.parent().unwrap_or(Path::new("")))?;
        Ok(schema)
    }

    /// Reads a schema from TOML text.
    ///
    /// # Errors
    /// As [`Schema::from_toml`].
    pub fn parse_toml(text: &str) -> Result<Self> {
        let schema: Self = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            Error::Table(format!("line {line}: {}", error.message().replace('\n', " ")))
        })?;
        schema.check()?;
        schema.columns.iter().try_for_each(check_column)?;
        Ok(schema)
    }
}

fn check_column(column: &ColumnSchema) -> Result<()> {
    use ColumnKind::{Constant, Continuous, Datetime, Id, Integer, Key};
    let only = |field: &str, set: bool, kinds: &[ColumnKind]| match set && !kinds.contains(&column.kind) {
        true => {
            let kinds = kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
            Err(Error::Table(format!("column \"{}\" is {} but has \"{field}\", which is for {kinds} columns", column.name, column.kind)))
        }
        false => Ok(()),
    };
    only("decimals", column.decimals.is_some(), &[Continuous, Integer])?;
    only("style", column.style.is_some(), &[Continuous, Integer])?;
    only("step", column.step.is_some(), &[Continuous, Integer, Datetime])?;
    only("origin", column.origin.is_some(), &[Continuous, Integer, Datetime])?;
    only("special", !column.special.is_empty(), &[Continuous, Integer, Datetime])?;
    only("format", column.format.is_some(), &[Datetime])?;
    only("zone", column.zone.is_some(), &[Datetime])?;
    only("id", column.id.is_some(), &[Id, Key])?;
    only("references", column.references.is_some(), &[Key])?;
    only("value", column.value.is_some(), &[Constant])?;
    let named = |why: String| Error::Table(format!("column \"{}\": {why}", column.name));
    if let Some(format) = &column.format {
        datetime::check_format(format).map_err(named)?;
    }
    if let Some(zone) = &column.zone {
        datetime::check_zone(zone).map_err(named)?;
    }
    if let Some(text) = &column.data_type {
        data_type::parse(text).map_err(named)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::IdFormat;

    #[test]
    fn a_schema_survives_toml() {
        let mut schema = Schema { target: Some("income".into()), ..Schema::default() };
        for kind in [ColumnKind::Categorical, ColumnKind::Boolean, ColumnKind::Integer] {
            schema.columns.push(ColumnSchema::new(kind.to_string(), kind));
        }
        schema.columns.push(ColumnSchema { decimals: Some(2), ..ColumnSchema::new("income", ColumnKind::Continuous) });
        schema.columns.push(ColumnSchema { format: Some("%Y-%m-%d".into()), ..ColumnSchema::new("day", ColumnKind::Datetime) });
        schema.columns.push(ColumnSchema { id: Some(IdFormat::Uuid), ..ColumnSchema::new("key", ColumnKind::Id) });
        schema.columns.push(ColumnSchema { value: Some("x \"y\"".into()), ..ColumnSchema::new("c", ColumnKind::Constant) });
        let text = schema.to_toml().expect("writable");
        assert_eq!(Schema::parse_toml(&text).expect("readable"), schema);
    }

    #[test]
    fn mistakes_are_named() {
        let said = |text: &str| Schema::parse_toml(text).expect_err("a mistake").to_string();
        let unknown = said("[[columns]]\nname = \"a\"\nkind = \"integer\"\ncolour = 1\n");
        assert!(unknown.contains("colour") && unknown.contains("line 4"), "{unknown}");
        assert!(said("[[columns]]\nname = \"a\"\nkind = \"number\"\n").contains("number"));
        assert!(said("target = \"b\"\n[[columns]]\nname = \"a\"\nkind = \"integer\"\n").contains("\"b\""));
        assert!(said("[[columns]]\nname = \"a\"\nkind = \"categorical\"\ndecimals = 1\n").contains("decimals"));
        assert!(said("[[columns]]\nname = \"a\"\nkind = \"datetime\"\nformat = \"%d\"\n").contains("%d"));
    }
}

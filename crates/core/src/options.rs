//! Options that a kind of data declares for the command line: plain descriptions and plain values, so that a kind of your own gets its
//! flags, their help and their errors without knowing a parser.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use crate::{Error, Result};

/// The option without a flag by which `impute` says that what is given is complete but for its gaps, so that nothing may follow it.
pub const GAPS_ONLY: &str = "gaps-only";

/// One option, written `--name VALUE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionSpec {
    /// Its name, without dashes.
    pub name: &'static str,
    /// What its value is called in help; none for a flag without a value.
    pub value_name: Option<&'static str>,
    /// Whether it may be given several times.
    pub repeated: bool,
    /// How many values belong to it; 0 allows none or one.
    pub values: usize,
    /// One sentence of help.
    pub help: &'static str,
    /// What the value names.
    pub names: Names,
}

/// What an option's value names, so that no command writes over what it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// No file.
    Nothing,
    /// A file that is read, alone or after a colon or an equals sign, as in `kind:FILE,other=FILE`.
    Input,
    /// A file that is written.
    Output,
}

impl OptionSpec {
    /// An option with one value.
    pub const fn value(name: &'static str, value_name: &'static str, help: &'static str) -> Self {
        Self { name, value_name: Some(value_name), repeated: false, values: 1, help, names: Names::Nothing }
    }

    /// An option with one value that may be given several times.
    pub const fn list(name: &'static str, value_name: &'static str, help: &'static str) -> Self {
        Self { repeated: true, ..Self::value(name, value_name, help) }
    }

    /// An option without a value.
    pub const fn flag(name: &'static str, help: &'static str) -> Self {
        Self { name, value_name: None, repeated: false, values: 0, help, names: Names::Nothing }
    }

    /// An option whose value may be left out.
    pub const fn optional_value(name: &'static str, value_name: &'static str, help: &'static str) -> Self {
        Self { values: 0, ..Self::value(name, value_name, help) }
    }

    /// An option with two values.
    pub const fn pair(name: &'static str, value_name: &'static str, help: &'static str) -> Self {
        Self { values: 2, ..Self::value(name, value_name, help) }
    }

    /// The same option, whose value names files as said.
    pub const fn naming(self, names: Names) -> Self {
        Self { names, ..self }
    }
}

/// The values of options as they were typed, by name. An option that was not given has no entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OptionValues(BTreeMap<String, Vec<String>>);

impl OptionValues {
    /// Adds values of an option.
    pub fn insert(&mut self, name: &str, values: impl IntoIterator<Item = String>) {
        self.0.entry(name.to_owned()).or_default().extend(values);
    }

    /// All options that were given, with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// Whether an option was given.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// All values of an option, in the order in which they were given.
    pub fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// The last value of an option, if it has one.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.all(name).last().map(String::as_str)
    }

    /// The last value of an option as a number.
    ///
    /// # Errors
    /// [`Error::Config`] with the option and what was typed.
    pub fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>> {
        self.text(name).map(|text| number(name, text)).transpose()
    }

    /// The last value of an option as a length of time.
    ///
    /// # Errors
    /// [`Error::Config`] with the option and what was typed.
    pub fn duration(&self, name: &str) -> Result<Option<Duration>> {
        let parse = |text| duration(text).map_err(|what| Error::Config(format!("--{name} {text}: {what}")));
        self.text(name).map(parse).transpose()
    }

    /// The last value of an option among a few words.
    ///
    /// # Errors
    /// [`Error::Config`] with the option, what was typed and the words.
    pub fn choice<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        let known = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" or ");
        found.map(Some).ok_or_else(|| Error::Config(format!("--{name} {text}: write {}", known())))
    }
}

/// A length of time that was typed, as 90s, 10m or 2h.
///
/// # Errors
/// What to write instead.
pub fn duration(text: &str) -> std::result::Result<Duration, &'static str> {
    const WRITE: &str = "write a time such as 90s, 10m or 2h";
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(WRITE),
    };
    let number = digits.parse::<f64>().ok().filter(|number| *number > 0.0 && *number < 1e7);
    number.map(|number| Duration::from_secs_f64(number * unit)).ok_or(WRITE)
}

/// A number that was typed as the value of option `name`.
///
/// # Errors
/// [`Error::Config`] with the option and what was typed.
pub fn number<T: FromStr>(name: &str, text: &str) -> Result<T> {
    text.trim().parse().map_err(|_| Error::Config(format!("--{name} {text}: write a number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(["90", "90s", "1.5m"].map(|text| duration(text).unwrap().as_secs()), [90; 3]);
        assert_eq!(duration("2h").unwrap().as_secs(), 7200);
        assert!(["", "m", "-1m", "0", "10d", "1e99"].iter().all(|text| duration(text).is_err()));
    }

    #[test]
    fn values_are_read_as_they_were_typed() {
        let mut values = OptionValues::default();
        values.insert("steps", ["18".to_owned()]);
        values.insert("drop", ["a".to_owned()]);
        values.insert("drop", ["b".to_owned()]);
        values.insert("strict", []);
        assert_eq!(values.number::<usize>("steps").expect("a number"), Some(18));
        assert_eq!(values.all("drop"), ["a", "b"]);
        assert!(values.has("strict") && values.text("strict").is_none() && !values.has("size"));
        assert_eq!(values.number::<f64>("size").expect("not given"), None);
        let said = values.number::<usize>("drop").expect_err("no number").to_string();
        assert!(said.contains("--drop b"), "{said}");
        let said = values.choice("drop", &[("x", 1), ("y", 2)]).expect_err("no choice").to_string();
        assert!(said.contains("x or y"), "{said}");
    }
}

//! One column of a table: numbers with NaN for missing, or codes into a list of labels.

use std::collections::HashMap;
use std::sync::Arc;

use crate::{Error, Result};

/// The code of a missing category.
pub const MISSING: u32 = u32::MAX;

/// The values of one column.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Integers, continuous values, and datetimes as seconds since 1970-01-01 UTC. NaN is a missing value.
    Number(Vec<f64>),
    /// Labels by code. A code is an index into `levels`, or [`MISSING`].
    Category {
        /// One code per row.
        codes: Vec<u32>,
        /// The labels, each once. [`crate::table::Table::read`] puts labels that are numbers in their order, others by first appearance.
        levels: Arc<Vec<String>>,
    },
}

impl Column {
    /// A category column from labels, `None` for missing; levels in order of first appearance.
    pub fn from_labels<S: AsRef<str>>(labels: impl IntoIterator<Item = Option<S>>) -> Self {
        let mut seen: HashMap<String, u32> = HashMap::new();
        let mut levels = Vec::new();
        let codes = labels
            .into_iter()
            .map(|label| match label {
                None => MISSING,
                Some(label) => match seen.get(label.as_ref()) {
                    Some(&code) => code,
                    None => {
                        let code = levels.len() as u32;
                        levels.push(label.as_ref().to_owned());
                        seen.insert(label.as_ref().to_owned(), code);
                        code
                    }
                },
            })
            .collect();
        Self::Category { codes, levels: Arc::new(levels) }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Number(values) => values.len(),
            Self::Category { codes, .. } => codes.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the value at `row` is missing.
    pub fn is_missing(&self, row: usize) -> bool {
        match self {
            Self::Number(values) => values[row].is_nan(),
            Self::Category { codes, .. } => codes[row] == MISSING,
        }
    }

    /// How many values are missing.
    pub fn missing(&self) -> usize {
        (0..self.len()).filter(|&row| self.is_missing(row)).count()
    }

    /// The numbers, if this is a number column.
    pub fn numbers(&self) -> Option<&[f64]> {
        match self {
            Self::Number(values) => Some(values),
            Self::Category { .. } => None,
        }
    }

    /// Codes and labels, if this is a category column.
    pub fn categories(&self) -> Option<(&[u32], &[String])> {
        match self {
            Self::Number(_) => None,
            Self::Category { codes, levels } => Some((codes, levels)),
        }
    }

    /// The label at `row`; `None` when missing or when this is a number column.
    pub fn label(&self, row: usize) -> Option<&str> {
        let (codes, levels) = self.categories()?;
        levels.get(codes[row] as usize).map(String::as_str)
    }

    /// The values at `indices`.
    ///
    /// # Panics
    /// When an index is out of range.
    pub fn take(&self, indices: &[usize]) -> Self {
        match self {
            Self::Number(values) => Self::Number(indices.iter().map(|&i| values[i]).collect()),
            Self::Category { codes, levels } => {
                Self::Category { codes: indices.iter().map(|&i| codes[i]).collect(), levels: levels.clone() }
            }
        }
    }

    /// The values of `self`, then those of `other`; labels new to `self` are added to its levels.
    ///
    /// # Errors
    /// When one holds numbers and the other categories.
    pub fn append(&mut self, other: &Self) -> Result<()> {
        match (self, other) {
            (Self::Number(mine), Self::Number(theirs)) => mine.extend_from_slice(theirs),
            (Self::Category { codes: mine, levels }, Self::Category { codes: theirs, levels: their_levels }) => {
                if levels == their_levels {
                    mine.extend_from_slice(theirs);
                    return Ok(());
                }
                let mut index: HashMap<String, u32> = levels.iter().cloned().zip(0..).collect();
                let levels = Arc::make_mut(levels);
                let translation: Vec<u32> = their_levels
                    .iter()
                    .map(|label| {
                        *index.entry(label.clone()).or_insert_with(|| {
                            levels.push(label.clone());
                            levels.len() as u32 - 1
                        })
                    })
                    .collect();
                mine.extend(theirs.iter().map(|&code| if code == MISSING { MISSING } else { translation[code as usize] }));
            }
            _ => return Err(Error::Table("a number column and a category column cannot be joined".into())),
        }
        Ok(())
    }

    pub(crate) fn storage(&self) -> &'static str {
        match self {
            Self::Number(_) => "numbers",
            Self::Category { .. } => "categories",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn append_joins_levels_by_label() {
        let mut left = Column::from_labels([Some("a"), None, Some("b")]);
        left.append(&Column::from_labels([Some("b"), Some("c"), None])).expect("both are categories");
        let labels: Vec<_> = (0..6).map(|row| left.label(row)).collect();
        assert_eq!(labels, [Some("a"), None, Some("b"), Some("b"), Some("c"), None]);
        assert!(left.append(&Column::Number(vec![1.0])).is_err());
    }
}

//! The values of a column in some rows.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use semblant_data::table::{Column, MISSING};
use semblant_expressions::{Type, Value};

/// What is appended where a value is missing from a [`Texts`].
const NONE: u8 = 1;

/// The levels of a column of booleans, by code.
pub(crate) static BOOLEANS: LazyLock<Arc<Vec<String>>> = LazyLock::new(|| Arc::new(vec!["false".to_owned(), "true".to_owned()]));

/// The values of a column in some rows.
#[derive(Debug, Clone)]
pub(crate) enum Values {
    /// Numbers and times; NaN where one is missing.
    Numbers(Vec<f64>),
    /// Texts of a few levels, or booleans; [`MISSING`] where one is missing.
    Codes { codes: Vec<u32>, levels: Arc<Vec<String>> },
    /// Any texts.
    Texts(Texts),
}

/// Texts one after the other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Texts {
    bytes: String,
    /// Where each ends.
    ends: Vec<usize>,
    /// Which are missing, by place; empty while none is.
    missing: Vec<u8>,
}

impl Texts {
    pub(crate) fn with_capacity(rows: usize, bytes: usize) -> Self {
        Self { bytes: String::with_capacity(bytes), ends: Vec::with_capacity(rows), missing: Vec::new() }
    }

    pub(crate) fn push(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.push_with(|bytes| bytes.push_str(text)),
            None => {
                self.ends.push(self.bytes.len());
                self.missing.resize(self.ends.len() - 1, 0);
                self.missing.push(NONE);
            }
        }
    }

    /// Appends what `write` writes.
    pub(crate) fn push_with(&mut self, write: impl FnOnce(&mut String)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    pub(crate) fn get(&self, row: usize) -> Option<&str> {
        if self.missing.get(row) == Some(&NONE) {
            return None;
        }
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        self.bytes.get(start..self.ends[row])
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    fn take(&self, indices: &[usize]) -> Self {
        let mut taken = Self::with_capacity(indices.len(), indices.len() * 16);
        indices.iter().for_each(|&index| taken.push(self.get(index)));
        taken
    }

    /// As labels; each occurs once, which is known without a look where the texts are `distinct`.
    fn into_column(self, distinct: bool) -> Column {
        if distinct && self.missing.is_empty() {
            let levels = (0..self.len()).map(|row| self.get(row).unwrap_or_default().to_owned()).collect();
            return Column::Category { codes: (0..self.len() as u32).collect(), levels: Arc::new(levels) };
        }
        let mut seen: HashMap<&str, u32> = HashMap::with_capacity(self.len());
        let mut levels = Vec::new();
        let codes = (0..self.len()).map(|row| match self.get(row) {
            None => MISSING,
            Some(text) => *seen.entry(text).or_insert_with(|| {
                levels.push(text.to_owned());
                levels.len() as u32 - 1
            }),
        });
        let codes = codes.collect();
        Column::Category { codes, levels: Arc::new(levels) }
    }
}

impl Values {
    pub(crate) fn booleans(truths: impl IntoIterator<Item = Option<bool>>) -> Self {
        let codes = truths.into_iter().map(|truth| truth.map_or(MISSING, u32::from)).collect();
        Self::Codes { codes, levels: BOOLEANS.clone() }
    }

    /// What expressions gave, all of one type.
    pub(crate) fn collect<'a>(data_type: Type, values: impl Iterator<Item = Value<'a>>) -> Self {
        match data_type {
            Type::Boolean => Self::booleans(values.map(|value| match value {
                Value::Boolean(truth) => Some(truth),
                _ => None,
            })),
            Type::Text => {
                let mut texts = Texts::default();
                values.for_each(|value| match value {
                    Value::Text(text) => texts.push(Some(&text)),
                    _ => texts.push(None),
                });
                Self::Texts(texts)
            }
            _ => Self::Numbers(
                values
                    .map(|value| match value {
                        Value::Number(number) | Value::Time(number) => number,
                        _ => f64::NAN,
                    })
                    .collect(),
            ),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Codes { codes, .. } => codes.len(),
            Self::Texts(texts) => texts.len(),
        }
    }

    pub(crate) fn numbers(&self) -> Option<&[f64]> {
        match self {
            Self::Numbers(numbers) => Some(numbers),
            _ => None,
        }
    }

    /// The text of a row, for columns of texts and booleans.
    pub(crate) fn text(&self, row: usize) -> Option<&str> {
        match self {
            Self::Numbers(_) => None,
            Self::Codes { codes, levels } => levels.get(codes[row] as usize).map(String::as_str),
            Self::Texts(texts) => texts.get(row),
        }
    }

    /// The value of a row as expressions see it.
    pub(crate) fn value(&self, row: usize, data_type: Type) -> Value<'_> {
        match (self, data_type) {
            (Self::Numbers(numbers), Type::Time) => Value::Time(numbers[row]),
            (Self::Numbers(numbers), _) => Value::Number(numbers[row]),
            (Self::Codes { codes, .. }, Type::Boolean) => match codes[row] {
                MISSING => Value::Null,
                code => Value::Boolean(code == 1),
            },
            _ => self.text(row).map_or(Value::Null, Value::from),
        }
    }

    /// The values at `indices`.
    pub(crate) fn take(&self, indices: &[usize]) -> Self {
        match self {
            Self::Numbers(numbers) => Self::Numbers(indices.iter().map(|&index| numbers[index]).collect()),
            Self::Codes { codes, levels } => {
                Self::Codes { codes: indices.iter().map(|&index| codes[index]).collect(), levels: levels.clone() }
            }
            Self::Texts(texts) => Self::Texts(texts.take(indices)),
        }
    }

    /// The values of several columns, each at its own rows: `parts` have rows and values.
    pub(crate) fn join(rows: usize, parts: Vec<(Vec<usize>, Values)>) -> Self {
        let mut from: Vec<Option<(usize, usize)>> = vec![None; rows];
        for (part, (places, _)) in parts.iter().enumerate() {
            places.iter().enumerate().for_each(|(index, &row)| from[row] = Some((part, index)));
        }
        let values = |part: usize| &parts[part].1;
        let same_levels = || {
            let mut all = parts.iter().map(|(_, values)| match values {
                Values::Codes { levels, .. } => Some(levels),
                _ => None,
            });
            let first = all.next().flatten()?;
            all.all(|levels| levels.is_some_and(|levels| Arc::ptr_eq(levels, first) || levels == first)).then(|| first.clone())
        };
        if parts.iter().all(|(_, values)| values.numbers().is_some()) {
            let number = |place: &Option<(usize, usize)>| {
                place.map_or(f64::NAN, |(part, index)| values(part).numbers().map_or(f64::NAN, |n| n[index]))
            };
            return Self::Numbers(from.iter().map(number).collect());
        }
        if let Some(levels) = same_levels() {
            let code = |place: &Option<(usize, usize)>| match place.map(|(part, index)| (values(part), index)) {
                Some((Values::Codes { codes, .. }, index)) => codes[index],
                _ => MISSING,
            };
            return Self::Codes { codes: from.iter().map(code).collect(), levels };
        }
        let mut texts = Texts::with_capacity(rows, rows * 16);
        from.iter().for_each(|place| texts.push(place.and_then(|(part, index)| values(part).text(index))));
        Self::Texts(texts)
    }

    /// The same without the values of some rows.
    pub(crate) fn without(self, is_missing: impl Fn(usize) -> bool) -> Self {
        match self {
            Self::Numbers(mut numbers) => {
                numbers.iter_mut().enumerate().filter(|(row, _)| is_missing(*row)).for_each(|(_, number)| *number = f64::NAN);
                Self::Numbers(numbers)
            }
            Self::Codes { mut codes, levels } => {
                codes.iter_mut().enumerate().filter(|(row, _)| is_missing(*row)).for_each(|(_, code)| *code = MISSING);
                Self::Codes { codes, levels }
            }
            Self::Texts(texts) => {
                let mut kept = Texts::with_capacity(texts.len(), texts.bytes.len());
                (0..texts.len()).for_each(|row| kept.push(texts.get(row).filter(|_| !is_missing(row))));
                Self::Texts(kept)
            }
        }
    }

    /// As a column of a table. Texts that are known to be `distinct` are not compared.
    pub(crate) fn into_column(self, distinct: bool) -> Column {
        match self {
            Self::Numbers(numbers) => Column::Number(numbers),
            Self::Codes { codes, levels } => Column::Category { codes, levels },
            Self::Texts(texts) => texts.into_column(distinct),
        }
    }

    /// The same with texts as codes of levels, so that rows of them are taken without copies.
    pub(crate) fn compact(self) -> Self {
        match self {
            Self::Texts(texts) => Self::of_column(texts.into_column(false)),
            other => other,
        }
    }

    /// The values of a column of a table, numbers or labels.
    pub(crate) fn of_column(column: Column) -> Self {
        match column {
            Column::Number(numbers) => Self::Numbers(numbers),
            Column::Category { codes, levels } => Self::Codes { codes, levels },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_parts_come_to_their_rows() {
        let codes = |codes: &[u32]| Values::Codes { codes: codes.to_vec(), levels: BOOLEANS.clone() };
        let joined = Values::join(4, vec![(vec![0, 3], codes(&[1, MISSING])), (vec![1], codes(&[0]))]);
        assert_eq!((0..4).map(|row| joined.text(row)).collect::<Vec<_>>(), [Some("true"), Some("false"), None, None]);
        let mut texts = Texts::default();
        [Some("a"), None, Some("")].into_iter().for_each(|text| texts.push(text));
        let joined = Values::join(4, vec![(vec![0], codes(&[1])), (vec![3, 2, 1], Values::Texts(texts))]);
        assert_eq!((0..4).map(|row| joined.text(row)).collect::<Vec<_>>(), [Some("true"), Some(""), None, Some("a")]);
        let taken = joined.take(&[3, 3, 2]).without(|row| row == 0);
        assert_eq!((0..3).map(|row| taken.text(row)).collect::<Vec<_>>(), [None, Some("a"), None]);
        let Column::Category { codes, levels } = joined.into_column(false) else { panic!("labels") };
        assert_eq!((codes, levels.len()), (vec![0, 1, MISSING, 2], 3));
    }
}

//! A relation between columns: whether a row keeps it, and how it reads.

use std::collections::{BTreeSet, HashMap};

use semblant_data::table::{Column, ColumnKind, MISSING, Schema};

/// A value that can be looked up: a label's code or a number's bits.
pub(super) type Value = u64;

/// A relation that every real row keeps. Columns are given by their places.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Relation {
    /// `total` = the sum of factor times part + `constant`, within `tolerance`.
    Linear { total: usize, parts: Vec<(usize, f64)>, constant: f64, tolerance: f64 },
    /// `low` <= `high`, or < if `strict`.
    Order { low: usize, high: usize, strict: bool },
    /// Equal values of `key` come with equal values of `value`.
    Determines { key: usize, value: usize, map: HashMap<Value, Value> },
    /// `column` has the `property` whenever another column says so.
    Whenever { when: When, column: usize, property: Property, exactly: bool },
}

/// The condition of [`Relation::Whenever`].
#[derive(Debug, Clone, PartialEq)]
pub(super) enum When {
    /// The column is missing.
    Missing(usize),
    /// The column has one of the labels `codes`. Where the relation holds exactly, `others` are the labels with which it must not.
    Labels { column: usize, codes: BTreeSet<u32>, others: BTreeSet<u32> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Property {
    Missing,
    Zero,
}

impl Property {
    /// Whether the value has the property; none of a missing value that is asked for zero.
    pub(super) fn of(self, column: &Column, row: usize) -> Option<bool> {
        match self {
            Self::Missing => Some(column.is_missing(row)),
            Self::Zero => column.numbers().map(|values| values[row]).filter(|value| !value.is_nan()).map(|value| value == 0.0),
        }
    }
}

pub(super) fn value(column: &Column, row: usize) -> Option<Value> {
    match column {
        Column::Category { codes, .. } => (codes[row] != MISSING).then(|| u64::from(codes[row])),
        // -0 is 0.
        Column::Number(values) => (!values[row].is_nan()).then(|| (values[row] + 0.0).to_bits()),
    }
}

fn number(column: &Column, row: usize) -> Option<f64> {
    column.numbers().map(|values| values[row]).filter(|value| value.is_finite())
}

impl Relation {
    /// Whether `row` keeps the relation, with its last column read at `other`; none if the relation does not apply.
    pub(super) fn keeps(&self, columns: &[Column], row: usize, other: usize) -> Option<bool> {
        match self {
            Self::Linear { total, parts, constant, tolerance } => {
                let total = number(&columns[*total], other)?;
                let mut sum = *constant;
                for (part, factor) in parts {
                    sum += factor * number(&columns[*part], row)?;
                }
                Some((total - sum).abs() <= *tolerance)
            }
            Self::Order { low, high, strict } => {
                let (low, high) = (number(&columns[*low], row)?, number(&columns[*high], other)?);
                Some(if *strict { low < high } else { low <= high })
            }
            Self::Determines { key, value: of, map } => {
                let expected = map.get(&value(&columns[*key], row)?)?;
                Some(value(&columns[*of], other)? == *expected)
            }
            Self::Whenever { when, column, property, exactly } => {
                let holds = property.of(&columns[*column], other)?;
                match (when.holds(columns, row)?, exactly) {
                    (true, _) => Some(holds),
                    (false, true) => Some(!holds),
                    (false, false) => None,
                }
            }
        }
    }

    /// Rows that keep the relation, and rows that it applies to, where the last column has the values of the rows `shuffled`.
    pub(super) fn kept_when_shuffled(&self, columns: &[Column], shuffled: &[usize]) -> [usize; 2] {
        // A dependency is compared with the one that the shuffled table itself would suggest: keys that occur once always agree.
        if let Self::Determines { key, value: of, .. } = self {
            let mut first: HashMap<Value, Value> = HashMap::new();
            let mut counts = [0; 2];
            for (row, &other) in shuffled.iter().enumerate() {
                if let (Some(key), Some(value)) = (value(&columns[*key], row), value(&columns[*of], other)) {
                    counts[0] += usize::from(*first.entry(key).or_insert(value) == value);
                    counts[1] += 1;
                }
            }
            return counts;
        }
        let kept = shuffled.iter().enumerate().filter_map(|(row, &other)| self.keeps(columns, row, other));
        kept.fold([0; 2], |[kept, all], keeps| [kept + usize::from(keeps), all + 1])
    }

    /// The column that is a function of a single other one, so that its own relations say nothing new.
    pub(super) fn function_of_one(&self) -> Option<usize> {
        match self {
            Self::Linear { total, parts, .. } if parts.len() == 1 => Some(*total),
            _ => None,
        }
    }

    pub(super) fn columns(&self) -> Vec<usize> {
        match self {
            Self::Linear { total, parts, .. } => std::iter::once(*total).chain(parts.iter().map(|(part, _)| *part)).collect(),
            Self::Order { low, high, .. } => vec![*low, *high],
            Self::Determines { key, value, .. } => vec![*key, *value],
            Self::Whenever { when: When::Missing(when) | When::Labels { column: when, .. }, column, .. } => vec![*column, *when],
        }
    }

    /// The relation as a reader would say it.
    pub(super) fn words(&self, schema: &Schema, columns: &[Column]) -> String {
        let name = |place: usize| format!("`{}`", schema.columns[place].name);
        match self {
            Self::Linear { total, parts, constant, .. } => {
                let term = |(part, factor): &(usize, f64)| match *factor {
                    1.0 => name(*part),
                    factor => format!("{} * {}", short(factor), name(*part)),
                };
                let sum = parts.iter().map(term).collect::<Vec<_>>().join(" + ");
                let is_time = schema.columns[*total].kind == ColumnKind::Datetime;
                format!("{} = {sum}{}", name(*total), added(*constant, is_time))
            }
            Self::Order { low, high, strict } => format!("{} {} {}", name(*low), if *strict { "<" } else { "<=" }, name(*high)),
            Self::Determines { key, value, map } if same_text(map, &columns[*key], &columns[*value]) => {
                format!("{} equals {}", name(*value), name(*key))
            }
            Self::Determines { key, value, .. } => format!("{} determines {}", name(*key), name(*value)),
            Self::Whenever { when, column, property, exactly } => {
                let is = match property {
                    Property::Missing => "missing",
                    Property::Zero => "0",
                };
                let always = if *exactly { "exactly when" } else { "whenever" };
                format!("{} is {is} {always} {}", name(*column), when.words(&name, columns))
            }
        }
    }
}

impl When {
    fn holds(&self, columns: &[Column], row: usize) -> Option<bool> {
        match self {
            Self::Missing(column) => Some(columns[*column].is_missing(row)),
            Self::Labels { column, codes, others } => {
                let code = columns[*column].categories().map(|(codes, _)| codes[row])?;
                if codes.contains(&code) { Some(true) } else { others.contains(&code).then_some(false) }
            }
        }
    }

    fn words(&self, name: &dyn Fn(usize) -> String, columns: &[Column]) -> String {
        /// Labels that are spelled out.
        const SHOWN: usize = 4;
        match self {
            Self::Missing(column) => format!("{} is missing", name(*column)),
            Self::Labels { column, codes, .. } => {
                let labels = columns[*column].categories().map_or(&[][..], |(_, labels)| labels);
                let mut shown: Vec<String> =
                    codes.iter().take(SHOWN).filter_map(|&code| labels.get(code as usize)).map(|label| format!("\"{label}\"")).collect();
                if codes.len() > SHOWN {
                    shown.push(format!("{} other labels", codes.len() - SHOWN));
                }
                format!("{} is {}", name(*column), shown.join(" or "))
            }
        }
    }
}

/// Whether each key's label is also the label that it determines.
fn same_text(map: &HashMap<Value, Value>, key: &Column, value: &Column) -> bool {
    let (Some((_, keys)), Some((_, values))) = (key.categories(), value.categories()) else { return false };
    map.iter().all(|(key, value)| keys.get(*key as usize) == values.get(*value as usize))
}

/// A constant to add; a time in the largest unit that divides it.
fn added(constant: f64, is_time: bool) -> String {
    if constant == 0.0 {
        return String::new();
    }
    let sign = if constant < 0.0 { "-" } else { "+" };
    let size = constant.abs();
    let unit =
        [("days", 86_400.0), ("hours", 3_600.0), ("minutes", 60.0), ("seconds", 1.0)].into_iter().find(|(_, unit)| size % unit == 0.0);
    match unit.filter(|_| is_time) {
        Some((unit, seconds)) => format!(" {sign} {} {unit}", short(size / seconds)),
        None if is_time => format!(" {sign} {} seconds", short(size)),
        None => format!(" {sign} {}", short(size)),
    }
}

/// Six significant digits at most.
fn short(value: f64) -> String {
    let digits = (5.0 - value.abs().log10().floor()).clamp(0.0, 17.0);
    let scale = 10f64.powf(digits);
    format!("{}", (value * scale).round() / scale)
}

//! Columns of labels of which only some combinations are allowed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use semblant_core::seeds::Stream;
use semblant_data::table::{Column, MISSING};

/// The combinations that are allowed.
#[derive(Debug, Clone)]
pub struct Combinations {
    /// The constraint as it stands in the schema.
    pub name: String,
    /// The columns.
    pub columns: Vec<usize>,
    /// The labels of each column.
    pub levels: Vec<Arc<Vec<String>>>,
    /// By combination: the label of each column, as a place in its `levels`, or [`MISSING`].
    pub rows: Vec<Vec<u32>>,
    places: HashMap<Vec<u32>, u32>,
    /// Whether the columns hold numbers, whose texts are the labels.
    numbers: bool,
}

impl Combinations {
    /// Combinations by their texts; an empty text is a missing value.
    pub(super) fn new(name: String, columns: Vec<usize>, allowed: &[Vec<String>]) -> Self {
        let mut levels: Vec<Vec<String>> = vec![Vec::new(); columns.len()];
        let mut known: Vec<HashMap<&str, u32>> = vec![HashMap::new(); columns.len()];
        let mut rows = Vec::with_capacity(allowed.len());
        for texts in allowed {
            let mut row = Vec::with_capacity(columns.len());
            for (place, text) in texts.iter().enumerate() {
                row.push(if text.is_empty() {
                    MISSING
                } else {
                    *known[place].entry(text).or_insert_with(|| {
                        levels[place].push(text.clone());
                        levels[place].len() as u32 - 1
                    })
                });
            }
            rows.push(row);
        }
        let places = rows.iter().cloned().zip(0..).collect();
        Self { name, columns, levels: levels.into_iter().map(Arc::new).collect(), rows, places, numbers: false }
    }

    /// One of several columns of numbers is 1, the others are 0.
    pub(super) fn one_hot(name: String, columns: Vec<usize>) -> Self {
        let text = |place: usize, hot: usize| if place == hot { "1" } else { "0" }.to_owned();
        let allowed: Vec<Vec<String>> = (0..columns.len()).map(|hot| (0..columns.len()).map(|place| text(place, hot)).collect()).collect();
        Self { numbers: true, ..Self::new(name, columns, &allowed) }
    }

    /// The combination of every row, by its number; `None` for one that is not allowed.
    fn numbers(&self, columns: &[Column], rows: usize) -> Vec<Option<u32>> {
        let codes: Vec<Vec<Option<u32>>> =
            self.columns.iter().zip(&self.levels).map(|(&column, levels)| codes(&columns[column], levels)).collect();
        let mut key = vec![0; self.columns.len()];
        let number = |row: usize| {
            for (key, codes) in key.iter_mut().zip(&codes) {
                *key = codes[row]?;
            }
            self.places.get(&key).copied()
        };
        (0..rows).map(number).collect()
    }

    /// Whether the combination of every row is allowed.
    pub(super) fn allowed(&self, columns: &[Column], rows: usize) -> Vec<bool> {
        self.numbers(columns, rows).iter().map(Option::is_some).collect()
    }

    /// The combinations as one column of labels, which are their numbers.
    pub(super) fn encode(&self, columns: &[Column]) -> Column {
        let rows = columns[self.columns[0]].len();
        Column::from_labels(self.numbers(columns, rows).into_iter().map(|number| number.map(|number| number.to_string())))
    }

    /// The columns, from one of the combinations' numbers in the place of the first of them.
    pub(super) fn decode(&self, columns: &mut [Column]) {
        let encoded = columns[self.columns[0]].clone();
        let (codes, levels) = encoded.categories().unwrap_or_default();
        let of_level: Vec<Option<&Vec<u32>>> =
            levels.iter().map(|level| level.parse().ok().and_then(|number: usize| self.rows.get(number))).collect();
        for (place, &column) in self.columns.iter().enumerate() {
            if self.numbers {
                let values: Vec<f64> = self.levels[place].iter().map(|text| text.parse().unwrap_or(f64::NAN)).collect();
                let value = |&code: &u32| {
                    let row = of_level.get(code as usize).copied().flatten();
                    row.and_then(|row| values.get(row[place] as usize).copied()).unwrap_or(f64::NAN)
                };
                columns[column] = Column::Number(codes.iter().map(value).collect());
                continue;
            }
            let code = |&code: &u32| of_level.get(code as usize).copied().flatten().map_or(MISSING, |row| row[place]);
            columns[column] = Column::Category { codes: codes.iter().map(code).collect(), levels: self.levels[place].clone() };
        }
    }

    /// The labels of one combination.
    pub fn labels(&self, number: usize) -> Option<Vec<Option<&str>>> {
        let row = self.rows.get(number)?;
        Some(row.iter().zip(&self.levels).map(|(&code, levels)| levels.get(code as usize).map(String::as_str)).collect())
    }
}

/// The codes of a column in terms of other labels; `None` for a label that is not among them.
fn codes(column: &Column, levels: &[String]) -> Vec<Option<u32>> {
    let known: HashMap<&str, u32> = levels.iter().map(String::as_str).zip(0..).collect();
    if let Column::Number(values) = column {
        let code = |value: &f64| if value.is_nan() { Some(MISSING) } else { known.get(format!("{value}").as_str()).copied() };
        return values.iter().map(code).collect();
    }
    let (codes, own) = column.categories().unwrap_or_default();
    let translated: Vec<Option<u32>> = own.iter().map(|label| known.get(label.as_str()).copied()).collect();
    codes.iter().map(|&code| if code == MISSING { Some(MISSING) } else { translated.get(code as usize).copied().flatten() }).collect()
}

/// The texts of the columns of every row.
pub(super) fn texts(columns: &[Column], of: &[usize], row: usize) -> Vec<String> {
    of.iter().map(|&column| columns[column].label(row).unwrap_or_default().to_owned()).collect()
}

/// The different combinations of rows, in the order of their first appearance.
pub(super) fn distinct(columns: &[Column], of: &[usize], rows: usize) -> Vec<Vec<String>> {
    let mut seen = HashSet::new();
    (0..rows).map(|row| texts(columns, of, row)).filter(|texts| seen.insert(texts.clone())).collect()
}

/// Combinations of fewer than `rare` rows give way to frequent ones, drawn by their frequency; says in how many rows. `None` where no
/// combination is frequent.
pub(crate) fn without_rare(columns: &mut [Column], of: &[usize], rare: u64, stream: &Stream) -> Option<u64> {
    let rows = columns[of[0]].len();
    let mut numbers: HashMap<Vec<u32>, usize> = HashMap::new();
    let (mut counts, mut first): (Vec<u64>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut of_row = Vec::with_capacity(rows);
    let code = |column: usize, row: usize| columns[column].categories().map_or(MISSING, |(codes, _)| codes[row]);
    for row in 0..rows {
        let key = of.iter().map(|&column| code(column, row)).collect();
        let number = *numbers.entry(key).or_insert_with(|| {
            counts.push(0);
            first.push(row);
            counts.len() - 1
        });
        counts[number] += 1;
        of_row.push(number);
    }
    let frequent: Vec<usize> = (0..counts.len()).filter(|&number| counts[number] >= rare).collect();
    let total: u64 = frequent.iter().map(|&number| counts[number]).sum();
    if frequent.len() == counts.len() {
        return Some(0);
    }
    if total == 0 {
        return None;
    }
    let mut sources: Vec<usize> = (0..rows).collect();
    let mut replaced = 0;
    for (row, source) in sources.iter_mut().enumerate().filter(|(row, _)| counts[of_row[*row]] < rare) {
        let drawn = by_frequency(frequent.iter().map(|&number| counts[number]), stream.below(row as u64, 1, total));
        *source = first[frequent[drawn]];
        replaced += 1;
    }
    for &column in of {
        columns[column] = without_unused(columns[column].take(&sources));
    }
    Some(replaced)
}

/// The place at which so many counts are passed; the first one if there are fewer.
pub(crate) fn by_frequency(counts: impl Iterator<Item = u64>, mut left: u64) -> usize {
    for (place, count) in counts.enumerate() {
        if left < count {
            return place;
        }
        left -= count;
    }
    0
}

/// The column without labels that no row has.
fn without_unused(column: Column) -> Column {
    match column {
        Column::Category { codes, levels } => {
            let mut used = vec![false; levels.len()];
            codes.iter().filter(|&&code| code != MISSING).for_each(|&code| used[code as usize] = true);
            let mut next = 0;
            let place: Vec<u32> = used
                .iter()
                .map(|&used| {
                    next += u32::from(used);
                    next.wrapping_sub(1)
                })
                .collect();
            let kept = levels.iter().zip(&used).filter(|(_, used)| **used).map(|(level, _)| level.clone()).collect();
            let codes = codes.iter().map(|&code| if code == MISSING { MISSING } else { place[code as usize] }).collect();
            Column::Category { codes, levels: Arc::new(kept) }
        }
        numbers => numbers,
    }
}

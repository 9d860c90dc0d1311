//! What is done to a table before any model learns it, and undone in what the model samples.
//!
//! Rare labels are replaced, extreme numbers are cut, names are left to be made anew. The model file states it all.

mod extremes;
mod keys;

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;
use semblant_core::seeds::Stream;
use semblant_core::seeds::streams::{NAMES, PROTECTION};
use semblant_core::{Error, Result};
use semblant_data::table::{Column, ColumnKind, ColumnSchema, MISSING, Schema, Table, special_index, special_number};
use serde::{Deserialize, Serialize};

use self::extremes::without_extremes;
use self::keys::{Keys, MOST_ROWS, sizes};
use crate::constraints::{Constraints, Learned, check_table, combinations};

/// The label of all rare ones where no label is frequent.
const OTHER: &str = "other";
/// The first stream of rows with rare combinations, after those of columns.
const RARE_ROWS: u32 = 1 << 19;

/// The preparation of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preparation {
    /// The schema of the table as it was read.
    pub schema: Schema,
    /// One entry a column.
    pub columns: Vec<PreparedColumn>,
    /// How the model sees columns with constraints.
    #[serde(default, skip_serializing_if = "is_default")]
    pub learned: Learned,
}

fn is_default(learned: &Learned) -> bool {
    *learned == Learned::default()
}

/// What a model learns instead of columns with constraints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// The columns: the model excludes what breaks constraints while it draws.
    Plain,
    /// Combinations as one column, orders as differences: no row can break them.
    Encoded,
    /// Combinations as one column; rows that break an order are drawn again.
    ExceptOrders,
}

/// A table that is ready to be learned.
pub struct Prepared {
    /// What is undone in samples.
    pub preparation: Preparation,
    /// The constraints of its schema.
    pub constraints: Constraints,
    /// The table.
    pub table: Table,
    /// The rows that it has, where others break a constraint.
    pub rows: Option<Vec<usize>>,
    /// One line for each thing that a user may want to know.
    pub notes: Vec<String>,
}

/// What was found in a column, and what was replaced in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PreparedColumn {
    /// The share of rows without a value, special ones not counted.
    pub missing: f64,
    /// The share of rows with each special text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub special: Vec<f64>,
    /// How many rare labels were replaced, and in how many rows.
    #[serde(skip_serializing_if = "is_none")]
    pub replaced: [u64; 2],
    /// Numbers beyond these were replaced by others that continue the distribution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<[f64; 2]>,
    /// Rows of each name of a key column, at equal steps of probability.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sizes: Vec<u32>,
    /// Whether rows of one name lie apart: so they do in all key columns but the first, or two of them would change together.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub scattered: bool,
}

fn is_none(replaced: &[u64; 2]) -> bool {
    *replaced == [0, 0]
}

impl Preparation {
    /// Prepares a table for a model: rows that break a constraint are left out, rare labels and extreme numbers replaced. With `encoded` columns
    /// with constraints become others that cannot break them. Which frequent label takes the place of a rare one is drawn by `seed`.
    ///
    /// # Errors
    /// When the schema of the table is not sound, or its constraints do not fit the table.
    pub fn fit(table: &Table, encoded: bool, seed: u64) -> Result<Prepared> {
        Self::fit_as(table, if encoded { Encoding::Encoded } else { Encoding::Plain }, seed)
    }

    /// As [`Preparation::fit`], with a choice of what is encoded.
    ///
    /// # Errors
    /// As [`Preparation::fit`].
    pub fn fit_as(table: &Table, encoding: Encoding, seed: u64) -> Result<Prepared> {
        let mut checked = check_table(table, encoding)?;
        let kept = checked.rows.as_ref().map(|rows| table.take(rows));
        let table = kept.as_ref().unwrap_or(table);
        let (mut cells, rare) = (table.columns().to_vec(), table.schema().protect.rare);
        let of_label = |described: &ColumnSchema| if described.protect == Some(false) { 0 } else { rare };
        let mut rare_of: Vec<u64> = checked.schema.columns.iter().map(of_label).collect();
        let mut notes = std::mem::take(&mut checked.notes);
        for (number, columns) in checked.combinations().into_iter().enumerate() {
            // Labels that are replaced one by one would make combinations that no row had.
            let rare = columns.iter().map(|&column| std::mem::take(&mut rare_of[column])).min().unwrap_or(0);
            notes.extend(without_rare_combinations(
                &checked.schema,
                &mut cells,
                &columns,
                rare,
                &PROTECTION.nth(seed, RARE_ROWS + number as u32),
            )?);
        }
        let (mut columns, prepared): (Vec<PreparedColumn>, Vec<Column>) = (0..cells.len())
            .into_par_iter()
            .map(|index| prepare(&checked.schema.columns[index], &cells[index], rare_of[index], &PROTECTION.nth(seed, index as u32)))
            .unzip();
        checked.complete(&prepared, table.rows())?;
        let mut schema = checked.schema;
        let keys = schema.columns.iter().zip(&mut columns).filter(|(described, _)| described.kind == ColumnKind::Key);
        keys.skip(1).for_each(|(_, column)| column.scattered = true);
        schema.columns.iter_mut().zip(table.columns()).for_each(|(described, column)| described.complete(column));
        let constraints = Constraints::new(&schema, &checked.learned)?;
        let table = constraints.learned(&Table::new(schema.clone(), prepared).map_err(Error::from)?)?;
        let preparation = Self { schema, columns, learned: checked.learned };
        notes.extend(preparation.note());
        Ok(Prepared { preparation, constraints, table, rows: checked.rows, notes })
    }

    /// The constraints of the schema.
    ///
    /// # Errors
    /// A schema whose constraints do not fit its columns.
    pub fn constraints(&self) -> Result<Constraints> {
        Constraints::new(&self.schema, &self.learned)
    }

    /// Checks a preparation that was read from a file.
    ///
    /// # Errors
    /// Says what does not hold together.
    pub fn check(&self) -> Result<(), String> {
        self.schema.check().map_err(|error| error.to_string())?;
        if self.columns.len() != self.schema.columns.len() {
            return Err("schema and preparation have different numbers of columns; fit the model again".into());
        }
        let sized = |column: &PreparedColumn| column.sizes.iter().all(|size| (1..=MOST_ROWS).contains(size));
        let shares = |column: &PreparedColumn| column.special.iter().chain([&column.missing]).all(|share| (0.0..=1.0).contains(share));
        match self.schema.columns.iter().zip(&self.columns).find(|(_, column)| !shares(column) || !sized(column)) {
            Some((described, _)) => Err(format!("the preparation of column \"{}\" is damaged; fit the model again", described.name)),
            None => Ok(()),
        }
    }

    /// One line on what was replaced, if anything was; a warning where nothing is.
    pub fn note(&self) -> Option<String> {
        let rare = self.schema.protect.rare;
        if rare == 0 {
            return Some(
                "rare labels and extreme numbers are learned as they are and may come back in samples, because of --no-protect".into(),
            );
        }
        let [labels, rows] = [0, 1].map(|place| self.columns.iter().map(|column| column.replaced[place]).sum::<u64>());
        (labels > 0).then(|| {
            format!("{labels} labels of fewer than {rare} rows are replaced in {rows} cells, so that they cannot come back; `semblant fit --no-protect` keeps them")
        })
    }

    /// Gives sampled rows `first_row..` what the model did not learn: names, constants, special values, and steps of a zone's own time.
    ///
    /// # Errors
    /// When the sample has other columns.
    pub fn restore(&self, sample: Table, first_row: u64, seed: u64) -> Result<Table> {
        if sample.schema().names().ne(self.schema.names()) {
            return Err(Error::Data("the model's columns are not those of its preparation; fit the model again".into()));
        }
        let rows = first_row..first_row + sample.rows() as u64;
        let columns = (0..self.columns.len())
            .into_par_iter()
            .map(|index| {
                let stream = NAMES.nth(seed, index as u32);
                self.columns[index].restore(&self.schema.columns[index], &sample.columns()[index], rows.clone(), &stream, seed)
            })
            .collect();
        Ok(Table::new(self.schema.clone(), columns)?)
    }
}

/// Combinations of fewer than `rare` rows give way to frequent ones; says so.
fn without_rare_combinations(
    schema: &Schema,
    cells: &mut [Column],
    columns: &[usize],
    rare: u64,
    stream: &Stream,
) -> Result<Option<String>> {
    let names = columns.iter().map(|&column| schema.columns[column].name.as_str()).collect::<Vec<_>>().join(", ");
    match combinations::without_rare(cells, columns, rare, stream) {
        Some(0) => Ok(None),
        Some(rows) => Ok(Some(format!(
            "combinations of {names} that fewer than {rare} rows have are replaced in {rows} rows, so that they cannot come back; `semblant fit --no-protect` keeps them"
        ))),
        None => Err(Error::Config(format!(
            "no combination of {names} has {rare} rows, so each would come back as it is; name fewer columns, or `semblant fit --no-protect` keeps them"
        ))),
    }
}

fn prepare(described: &ColumnSchema, column: &Column, rare: u64, stream: &Stream) -> (PreparedColumn, Column) {
    let rows = column.len().max(1) as f64;
    let mut found = PreparedColumn { missing: column.missing() as f64 / rows, ..PreparedColumn::default() };
    match column {
        Column::Number(values) => {
            let mut special = vec![0usize; described.special.len()];
            values.iter().filter_map(|&value| special_index(value)).for_each(|index| {
                if let Some(count) = special.get_mut(index) {
                    *count += 1;
                }
            });
            found.special = special.iter().map(|&count| count as f64 / rows).collect();
            found.missing = (found.missing - found.special.iter().sum::<f64>()).max(0.0);
            let (values, range) = without_extremes(described, values, rare);
            found.range = range;
            (found, Column::Number(values))
        }
        Column::Category { codes, .. } if described.kind == ColumnKind::Key => {
            found.sizes = sizes(codes);
            (found, column.clone())
        }
        Column::Category { codes, levels } if described.kind == ColumnKind::Categorical && rare > 0 => {
            let (codes, levels, replaced) = without_rare(described, codes, levels, rare, stream);
            found.replaced = replaced;
            let column = Column::Category { codes, levels };
            found.missing = column.missing() as f64 / rows;
            (found, column)
        }
        Column::Category { .. } => (found, column.clone()),
    }
}

type Labels = (Vec<u32>, Arc<Vec<String>>, [u64; 2]);

/// Rare labels give way to frequent ones, drawn by their frequency; to one label for all of them where none is frequent.
fn without_rare(described: &ColumnSchema, codes: &[u32], levels: &Arc<Vec<String>>, rare: u64, stream: &Stream) -> Labels {
    let mut counts = vec![0u64; levels.len()];
    codes.iter().filter(|&&code| code != MISSING).for_each(|&code| counts[code as usize] += 1);
    let is_rare = |code: u32| code != MISSING && counts[code as usize] < rare;
    let labels = counts.iter().filter(|&&count| (1..rare).contains(&count)).count() as u64;
    if labels == 0 {
        return (codes.to_vec(), levels.clone(), [0, 0]);
    }
    let rows = codes.iter().filter(|&&code| is_rare(code)).count() as u64;
    let kept: Vec<usize> = (0..levels.len()).filter(|&code| counts[code] >= rare).collect();
    let place: HashMap<u32, u32> = kept.iter().map(|&code| code as u32).zip(0..).collect();
    let mut names: Vec<String> = kept.iter().map(|&code| levels[code].clone()).collect();
    let is_text = described.data_type.as_deref().is_none_or(|data_type| data_type.contains("Utf8"));
    let total: u64 = kept.iter().map(|&code| counts[code]).sum();
    let replacement = |row: usize| -> u32 {
        combinations::by_frequency(kept.iter().map(|&code| counts[code]), stream.below(row as u64, 0, total)) as u32
    };
    if kept.is_empty() && is_text {
        names.push(OTHER.to_owned());
    }
    let codes = codes
        .iter()
        .enumerate()
        .map(|(row, &code)| match code {
            MISSING => MISSING,
            code if !is_rare(code) => place[&code],
            _ if total > 0 => replacement(row),
            _ => {
                if is_text {
                    0
                } else {
                    MISSING
                }
            }
        })
        .collect();
    (codes, Arc::new(names), [labels, rows])
}

impl PreparedColumn {
    fn restore(&self, described: &ColumnSchema, column: &Column, rows: std::ops::Range<u64>, stream: &Stream, seed: u64) -> Column {
        match (described.kind, column) {
            (ColumnKind::Id, _) => self.names(described, rows, stream, |row| row, seed),
            (ColumnKind::Key, _) => {
                let keys = Keys::new(&self.sizes, self.scattered, *stream);
                let mut block = (u64::MAX, Vec::new());
                let of_row = |row: u64| {
                    let (number, place) = (row / keys.block, row % keys.block);
                    if block.0 != number {
                        block = (number, keys.of_block(number));
                    }
                    number * keys.block + u64::from(block.1[place as usize])
                };
                self.names(described, rows, stream, of_row, seed)
            }
            (ColumnKind::Constant, _) => match &described.value {
                Some(value) => Column::Category { codes: vec![0; column.len()], levels: Arc::new(vec![value.clone()]) },
                None => Column::Category { codes: vec![MISSING; column.len()], levels: Arc::new(Vec::new()) },
            },
            (_, Column::Number(values)) => {
                let absent = self.missing + self.special.iter().sum::<f64>();
                let restored = values.iter().zip(rows).map(|(&value, row)| {
                    if !value.is_nan() {
                        return if described.zone.is_some() { described.round_number(value) } else { value };
                    }
                    let mut left = stream.uniform_f64(row, 0) * absent - self.missing;
                    if left < 0.0 || self.special.is_empty() {
                        return f64::NAN;
                    }
                    for (index, share) in self.special.iter().enumerate() {
                        left -= share;
                        if left < 0.0 {
                            return special_number(index);
                        }
                    }
                    f64::NAN
                });
                Column::Number(restored.collect())
            }
            (_, column) => column.clone(),
        }
    }

    /// Names for rows, some of them missing as often as they were.
    fn names(
        &self,
        described: &ColumnSchema,
        rows: std::ops::Range<u64>,
        stream: &Stream,
        mut index: impl FnMut(u64) -> u64,
        seed: u64,
    ) -> Column {
        let Some(format) = &described.id else {
            return Column::Category { codes: vec![MISSING; (rows.end - rows.start) as usize], levels: Arc::new(Vec::new()) };
        };
        let indices: Vec<Option<u64>> =
            rows.map(|row| Some(index(row)).filter(|_| self.missing == 0.0 || stream.uniform_f64(row, 0) >= self.missing)).collect();
        let mut codes = Vec::with_capacity(indices.len());
        let mut known: HashMap<u64, u32> = HashMap::new();
        let mut levels: Vec<u64> = Vec::new();
        for index in indices {
            codes.push(index.map_or(MISSING, |index| {
                *known.entry(index).or_insert_with(|| {
                    levels.push(index);
                    levels.len() as u32 - 1
                })
            }));
        }
        let levels: Vec<String> = levels.par_iter().map(|&index| format.generate(index, seed)).collect();
        Column::Category { codes, levels: Arc::new(levels) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use super::*;
    use semblant_data::table::{IdFormat, Protect};

    fn table(described: ColumnSchema, column: Column, rare: u64) -> Table {
        Table::new(Schema { columns: vec![described], protect: Protect { rare }, ..Schema::default() }, vec![column]).expect("a table")
    }

    #[test]
    fn rare_labels_give_way_to_frequent_ones() {
        let labels = (0..100).map(|row| {
            Some(match row {
                0..2 => "rare",
                2..40 => "a",
                _ => "b",
            })
        });
        let column = Column::from_labels(labels);
        let Prepared { preparation: found, table: prepared, .. } =
            Preparation::fit(&table(ColumnSchema::new("c", ColumnKind::Categorical), column.clone(), 5), true, 1).expect("prepared");
        assert_eq!(found.columns[0].replaced, [1, 2]);
        assert_eq!(prepared.columns()[0].categories().expect("labels").1, ["a", "b"]);
        assert!((2..100).all(|row| prepared.cell(row, 0) == column.label(row).expect("a label")));
        let Prepared { table: kept, .. } =
            Preparation::fit(&table(ColumnSchema::new("c", ColumnKind::Categorical), column, 0), true, 1).expect("prepared");
        assert_eq!(kept.cell(0, 0), "rare");
        let all_rare = Column::from_labels((0..20).map(|row| Some(format!("city {row}"))));
        let Prepared { table: other, .. } =
            Preparation::fit(&table(ColumnSchema::new("c", ColumnKind::Categorical), all_rare, 5), true, 1).expect("prepared");
        assert!((0..20).all(|row| other.cell(row, 0) == "other"));
    }

    #[test]
    fn extremes_are_cut_where_five_rows_reach() {
        let values: Vec<f64> = (0..1000).map(f64::from).chain([1e9]).collect();
        let Prepared { preparation: found, table: prepared, .. } =
            Preparation::fit(&table(ColumnSchema::new("n", ColumnKind::Integer), Column::Number(values), 5), true, 1).expect("prepared");
        assert_eq!(found.columns[0].range, Some([4.0, 996.0]));
        let replaced = prepared.columns()[0].numbers().expect("numbers");
        // Of evenly spread numbers the end is where it was: nothing is known of the outlier, and none of them changes sign.
        assert!([997, 998, 999, 1000].iter().all(|&row| (996.0..=1001.0).contains(&replaced[row])), "{:?}", &replaced[996..]);
        assert!(replaced[..4].iter().all(|value| (0.0..=4.0).contains(value)), "{:?}", &replaced[..5]);
        assert_eq!(replaced[4..997], (4..997).map(f64::from).collect::<Vec<_>>());
    }

    #[test]
    fn names_are_made_anew_with_gaps_and_groups() {
        let id = Some(IdFormat::Integer { start: 1000, step: 1 });
        let ids = Column::from_labels((0..200).map(|row| (row % 10 != 0).then(|| row.to_string())));
        let Prepared { preparation: found, table: prepared, .. } =
            Preparation::fit(&table(ColumnSchema { id: id.clone(), ..ColumnSchema::new("id", ColumnKind::Id) }, ids, 5), true, 1)
                .expect("prepared");
        let made = found.restore(prepared.clone(), 0, 7).expect("restored");
        let missing = made.columns()[0].missing();
        assert!((8..35).contains(&missing), "{missing}");
        let seen: HashSet<String> = (0..200).map(|row| made.cell(row, 0)).filter(|cell| !cell.is_empty()).collect();
        assert_eq!(seen.len(), 200 - missing);
        let later = found.restore(prepared.take(&(50..80).collect::<Vec<_>>()), 50, 7).expect("restored");
        assert!((0..30).all(|row| later.cell(row, 0) == made.cell(50 + row, 0)), "rows are addressed");

        let keys = Column::from_labels((0..6000).map(|row| Some((row / 6).to_string())));
        let Prepared { preparation: found, table: prepared, .. } =
            Preparation::fit(&table(ColumnSchema { id, ..ColumnSchema::new("key", ColumnKind::Key) }, keys, 5), true, 1).expect("prepared");
        let made = found.restore(prepared, 0, 7).expect("restored");
        let mut groups: BTreeMap<String, usize> = BTreeMap::new();
        (0..6000).for_each(|row| *groups.entry(made.cell(row, 0)).or_default() += 1);
        let of_six = groups.values().filter(|&&size| size == 6).count();
        assert!((1000..=1130).contains(&groups.len()) && of_six > 870, "{} groups, {of_six} of six", groups.len());
    }

    #[test]
    fn special_values_come_back_as_often() {
        let described = ColumnSchema { special: vec!["never".into()], ..ColumnSchema::new("n", ColumnKind::Integer) };
        let values = (0..1000)
            .map(|row| match row % 10 {
                0 => f64::NAN,
                1..4 => special_number(0),
                n => f64::from(n),
            })
            .collect();
        let Prepared { preparation: found, table: prepared, .. } =
            Preparation::fit(&table(described, Column::Number(values), 5), true, 1).expect("prepared");
        assert!((found.columns[0].missing - 0.1).abs() < 1e-9 && (found.columns[0].special[0] - 0.3).abs() < 1e-9);
        assert_eq!(prepared.cell(1, 0), "", "a model sees no special value");
        let made = found.restore(prepared, 0, 3).expect("restored");
        let never = (0..1000).filter(|&row| made.cell(row, 0) == "never").count();
        assert!((250..350).contains(&never), "{never}");
    }
}

//! Columns of free text in a table: each text is drawn after the other columns of its row, which it is told of, a token for each.
//!
//! A model of tables sees a placeholder where there is a text, so that it learns where texts are missing. The rows that it makes are then filled:
//! `p(row, text) = p(row) p(text | row)`. A text that is given is a condition on the rest of its row by the same law: of several rows one is drawn by how
//! probable each makes the text (sampling importance resampling, Rubin 1987).

use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::config::{self, Config, Setting};
use semblant_core::data::Data;
use semblant_core::progress::Event;
use semblant_core::seeds::Stream;
use semblant_core::synthesizer::Run;
use semblant_core::trainer::{STATE_FILE, fingerprint};
use semblant_core::{Error, Result, math};
use semblant_data::table::{Column, ColumnKind, ColumnSchema, Schema, Table};
use semblant_data::text::{Text, TextRequest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::TextAr;
use crate::autoregressive::TextArConfig;
use crate::purpose::CHOSEN;
use crate::told::ToldColumns;

/// What stands for a text while the rest of its row is made.
pub const PLACEHOLDER: &str = "(text)";
/// The part of a file with the models of texts, and the folder of their training.
const PART: &str = "texts";
/// Characters that the model of a column sees in all while it is trained: less than an hour on two cores.
const MOST_CHARACTERS: usize = 1 << 24;

/// Columns of texts, with a model for each.
#[derive(Default)]
pub struct TextColumns {
    columns: Vec<TextColumn>,
}

impl std::fmt::Debug for TextColumns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.columns.iter().map(|column| &column.form)).finish()
    }
}

/// What a file says of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Form {
    described: ColumnSchema,
    told: ToldColumns,
}

struct TextColumn {
    form: Form,
    model: TextAr,
}

impl TextColumns {
    /// Learns the columns of free text of a table, if it has any. The table with placeholders for them ([`TextColumns::plain_of`]) was learned before.
    ///
    /// # Errors
    /// A column with too little text to learn from, and those of a fit.
    pub fn fit(table: &Table, config: &TextArConfig, run: &mut Run) -> Result<Self> {
        let mut columns = Vec::new();
        for (described, column) in table.iter().filter(|(described, _)| is_text(described)) {
            run.observer.event(Event::Stage(&format!("texts of \"{}\"", described.name)));
            let named = |error: Error| match error {
                Error::Data(what) | Error::Config(what) => Error::Data(format!(
                    "column \"{}\": {what}; or set kind = \"id\" in a schema (`semblant fit --write-schema`), so that names are made anew in its place",
                    described.name
                )),
                error => error,
            };
            columns.push(run.part(&part(columns.len()), |run| fitted(table, (described, column), config, run)).map_err(named)?);
        }
        Ok(Self { columns })
    }

    /// Fits the model of the other columns, which has half of the time that there is where there are texts to learn too.
    ///
    /// # Errors
    /// Those of `fit`.
    pub fn before<T>(table: &Table, run: &mut Run, fit: impl FnOnce(&mut Run) -> Result<T>) -> Result<T> {
        let deadline = run.deadline;
        if table.schema().columns.iter().any(is_text) {
            run.deadline = deadline.map(|deadline| deadline - deadline.saturating_duration_since(Instant::now()) / 2);
        }
        let result = fit(run);
        run.deadline = deadline;
        result
    }

    /// A table with placeholders for the texts of its columns of free text.
    ///
    /// # Errors
    /// None that are known.
    pub fn plain_of(table: &Table) -> Result<Table> {
        with_placeholders(table, is_text)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// A table of these columns with placeholders for their texts.
    ///
    /// # Errors
    /// None that are known.
    pub fn plain(&self, table: &Table) -> Result<Table> {
        with_placeholders(table, |described| self.find(&described.name).is_some())
    }

    /// A table of placeholders with the texts that the same rows of another table have; `filled` joins two columns.
    ///
    /// # Errors
    /// Tables of other rows.
    pub fn returned(&self, plain: &Table, given: &Table, filled: impl Fn(&Column, &Column) -> Column) -> Result<Table> {
        let column = |(described, column): (&ColumnSchema, &Column)| match given.column(&described.name) {
            Ok(given) if self.find(&described.name).is_some() => filled(given, column),
            _ => column.clone(),
        };
        Ok(Table::new(self.schema(plain.schema()), plain.iter().map(column).collect())?)
    }

    /// A schema with placeholders as one with texts.
    pub fn schema(&self, plain: &Schema) -> Schema {
        let column = |described: &ColumnSchema| self.find(&described.name).map_or(described, |column| &column.form.described).clone();
        Schema { columns: plain.columns.iter().map(column).collect(), ..plain.clone() }
    }

    /// Whether a table holds a text of these columns.
    pub fn are_in(&self, table: &Table) -> bool {
        self.columns.iter().any(|column| table.column(&column.form.described.name).is_ok_and(|texts| texts.missing() < texts.len()))
    }

    /// Draws a text for every placeholder of a table. Text `row` has the address `address(row)`, which must differ from row to row.
    ///
    /// # Errors
    /// More text than there may be memory for.
    pub fn fill(&self, table: Table, address: impl Fn(usize) -> u64, seed: u64) -> Result<Table> {
        if self.is_empty() {
            return Ok(table);
        }
        let mut columns = table.columns().to_vec();
        for (place, own) in self.columns.iter().enumerate() {
            let Ok(index) = table.schema().index_of(&own.form.described.name) else { continue };
            let column = &table.columns()[index];
            let open: Vec<usize> = (0..column.len()).filter(|&row| column.label(row) == Some(PLACEHOLDER)).collect();
            let told = own.form.told.rows(&table);
            let rows = open.iter().map(|&row| (address(row), told.of(row))).collect();
            let texts = own.model.draw_told(rows, &TextRequest::new(0, seed.wrapping_add(place as u64)))?;
            let mut drawn = open.into_iter().zip(&texts).peekable();
            let cell = |row: usize| match drawn.next_if(|(open, _)| *open == row) {
                Some((_, text)) => Some(text.as_str()),
                None => column.label(row),
            };
            columns[index] = Column::from_labels((0..column.len()).map(cell).collect::<Vec<_>>());
        }
        Ok(Table::new(self.schema(table.schema()), columns)?)
    }

    /// The negative log-likelihood of the texts of a table in nats, `[columns][rows]`, given the rest of each row; 0 where there is none.
    ///
    /// # Errors
    /// None that are known.
    pub fn negative_log_likelihoods(&self, table: &Table) -> Result<Vec<(String, Vec<f64>)>> {
        let of = |own: &TextColumn| {
            let name = &own.form.described.name;
            let mut nats = vec![0.0; table.rows()];
            let Ok(column) = table.column(name) else { return Ok((name.clone(), nats)) };
            let there: Vec<usize> = (0..column.len()).filter(|&row| column.label(row).is_some_and(|text| text != PLACEHOLDER)).collect();
            let texts = Text::of_lines(there.iter().filter_map(|&row| column.label(row)));
            let all = own.form.told.rows(table);
            let told = crate::told::Told { counts: all.counts.clone(), rows: there.iter().map(|&row| all.of(row)).collect() };
            for (row, value) in there.into_iter().zip(own.model.nats_told(&texts, &told, 1, 0)?) {
                nats[row] = value;
            }
            Ok((name.clone(), nats))
        };
        self.columns.iter().map(of).collect()
    }

    /// Of several tables of the same rows and columns one that has each row from one of them, drawn by how probable each makes the texts that it holds;
    /// what cannot be told is from the first. `is_made(table, row)` says whether the row could be made.
    ///
    /// # Errors
    /// None for tables of the same columns.
    pub fn choose(&self, candidates: &[Table], is_made: impl Fn(usize, usize) -> bool, seed: u64) -> Result<Table> {
        let stream: Stream = CHOSEN.of(seed);
        let rows = candidates.first().map_or(0, Table::rows);
        let all = Table::concat(candidates.to_vec())?;
        let mut nats = vec![0.0; all.rows()];
        for (_, own) in self.negative_log_likelihoods(&all)? {
            nats.iter_mut().zip(own).for_each(|(nats, own)| *nats += own);
        }
        let chosen = |row: usize| {
            let of = |candidate: usize| if is_made(candidate, row) { nats[candidate * rows + row] } else { f64::INFINITY };
            let least = (0..candidates.len()).map(of).fold(f64::INFINITY, f64::min);
            if least == f64::INFINITY {
                return row;
            }
            let weights: Vec<f64> = (0..candidates.len()).map(|candidate| (least - of(candidate)).exp()).collect();
            math::chosen(&weights, stream.uniform_f64(row as u64, 0)) * rows + row
        };
        Ok(all.take(&(0..rows).map(chosen).collect::<Vec<_>>()))
    }

    /// Puts the models into a file.
    ///
    /// # Errors
    /// A tensor that cannot be read back; `path` is named.
    pub fn write(&self, file: &mut Checkpoint, path: &Path) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let forms: Vec<&Form> = self.columns.iter().map(|column| &column.form).collect();
        file.set_metadata(PART, &forms, path)?;
        for (place, column) in self.columns.iter().enumerate() {
            file.add_part(&part(place), column.model.to_checkpoint(path)?);
        }
        Ok(())
    }

    /// The models in a file.
    ///
    /// # Errors
    /// A damaged file; `path` is named.
    pub fn read(file: &Checkpoint, path: &Path, device: &Device) -> Result<Self> {
        if !file.metadata.contains_key(PART) {
            return Ok(Self::default());
        }
        let forms: Vec<Form> = file.metadata_as(PART, path)?;
        let column = |(place, form): (usize, Form)| {
            form.told.check().map_err(|what| Error::checkpoint(path, what))?;
            let model = TextAr::from_checkpoint(&file.part(&part(place)), path, device)?;
            if !model.is_told(&form.told) {
                return Err(Error::checkpoint(path, "a model of texts is told of other columns than the file says; fit the model again"));
            }
            Ok(TextColumn { form, model })
        };
        Ok(Self { columns: forms.into_iter().enumerate().map(column).collect::<Result<_>>()? })
    }

    fn find(&self, name: &str) -> Option<&TextColumn> {
        self.columns.iter().find(|column| column.form.described.name == name)
    }
}

/// The settings of models of columns of text, taken out of those of the model of a table, where they are the group `texts`.
///
/// # Errors
/// A setting that is unknown or out of range.
pub fn settings(values: &mut Value) -> Result<TextArConfig> {
    let own = values.as_object_mut().and_then(|values| values.remove(PART));
    own.map_or_else(|| Ok(TextArConfig::default()), |own| config::from_value(PART, own))
}

/// The settings of a model of tables, and those of models of columns of text.
pub fn settings_of<C: Config>() -> Vec<Setting> {
    let of_texts = config::settings::<TextArConfig>().into_iter().map(|setting| Setting {
        name: format!("{PART}.{}", setting.name),
        about: format!("Columns of free text: {}", setting.about),
        ..setting
    });
    config::settings::<C>().into_iter().chain(of_texts).collect()
}

fn part(place: usize) -> String {
    format!("{PART}-{place}")
}

fn is_text(described: &ColumnSchema) -> bool {
    described.kind == ColumnKind::Text
}

fn with_placeholders(table: &Table, is_text: impl Fn(&ColumnSchema) -> bool) -> Result<Table> {
    if !table.schema().columns.iter().any(&is_text) {
        return Ok(table.clone());
    }
    let (mut schema, mut columns) = (table.schema().clone(), table.columns().to_vec());
    for (described, column) in schema.columns.iter_mut().zip(&mut columns).filter(|(described, _)| is_text(described)) {
        *described = placeholder(described, column.missing() > 0);
        *column = Column::from_labels((0..column.len()).map(|row| (!column.is_missing(row)).then_some(PLACEHOLDER)));
    }
    Ok(Table::new(schema, columns)?)
}

/// The column of placeholders: labels where some are missing.
fn placeholder(described: &ColumnSchema, is_missing: bool) -> ColumnSchema {
    let kind = if is_missing { ColumnKind::Categorical } else { ColumnKind::Constant };
    let value = (!is_missing).then(|| PLACEHOLDER.to_owned());
    // As few missing values as there may be are learned: that there is a text is no label that names someone.
    ColumnSchema { value, missing: described.missing.clone(), protect: Some(false), ..ColumnSchema::new(described.name.clone(), kind) }
}

/// The model of one column, from the file of an earlier run where it was finished.
fn fitted(table: &Table, (described, column): (&ColumnSchema, &Column), config: &TextArConfig, run: &mut Run) -> Result<TextColumn> {
    let told = ToldColumns::of(table);
    let there: Vec<usize> = (0..column.len()).filter(|&row| !column.is_missing(row)).collect();
    let texts = Text::of_lines(there.iter().filter_map(|&row| column.label(row)));
    let rows = told.rows(&table.take(&there));
    let mut config = config.clone();
    config.train.epochs = config.train.epochs.min(((MOST_CHARACTERS / texts.characters().max(1)) as u64).max(1));
    config.text.protect &= described.protect != Some(false) && table.schema().protect.rare > 0;
    let form = Form { described: described.clone(), told };
    let own: Vec<&str> = texts.iter().collect();
    let name = fingerprint((run.seed, serde_json::to_string(&config).ok(), serde_json::to_string(&form).ok(), own, &rows.rows));
    let finished = run.folder.as_ref().map(|folder| folder.join(STATE_FILE));
    if let Some(path) = finished.as_ref().filter(|_| run.resume) {
        let file = Checkpoint::read(path)?;
        if file.metadata.get("fingerprint") == Some(&name) {
            return Ok(TextColumn { form, model: TextAr::from_checkpoint(&file, path, &run.device)? });
        }
    }
    let mut model = TextAr::new(config)?;
    model.fit_told(&texts, &rows, run)?;
    // In place of the state of its training, so that a fit that is interrupted later goes on from here.
    if let Some(path) = finished {
        let mut file = model.to_checkpoint(&path)?;
        file.metadata.insert("fingerprint".into(), name);
        file.write(&path)?;
    }
    Ok(TextColumn { form, model })
}

#[cfg(test)]
mod tests {
    use super::*;
    use semblant_data::table::Schema;

    /// Forty kinds of notes of two sorts that say of what sort they are.
    fn notes(rows: usize) -> Table {
        let sorts = (0..rows).map(|row| ["good", "bad"][row % 2]);
        let note = |row: usize| {
            let thing = ["the tea", "a cake", "the soup", "our bread"][row / 2 % 4];
            let said = if row.is_multiple_of(2) { "was lovely and warm" } else { "came late and cold" };
            (!row.is_multiple_of(9)).then(|| format!("{thing} {said}"))
        };
        Table::from_columns(vec![
            ("sort", ColumnKind::Categorical, Column::from_labels(sorts.map(Some))),
            ("size", ColumnKind::Integer, Column::Number((0..rows).map(|row| (row % 50) as f64).collect())),
            ("note", ColumnKind::Text, Column::from_labels((0..rows).map(note).collect::<Vec<_>>())),
        ])
        .expect("a table")
    }

    fn small() -> TextArConfig {
        settings(&mut serde_json::json!({ "width": 4, "texts": { "depth": 2, "epochs": 12, "batch_rows": 8 } })).expect("known")
    }

    fn run(seed: u64) -> Run {
        Run::new(Device::flex(), seed)
    }

    #[test]
    fn placeholders_stand_for_texts_and_texts_come_back() {
        let table = notes(90);
        let plain = TextColumns::plain_of(&table).expect("a table");
        let described = &plain.schema().columns[2];
        assert_eq!((described.kind, plain.cell(1, 2).as_str(), plain.cell(0, 2).as_str()), (ColumnKind::Categorical, PLACEHOLDER, ""));
        let full = table.take(&(0..90).filter(|row| row % 9 > 0).collect::<Vec<_>>());
        assert_eq!(TextColumns::plain_of(&full).expect("a table").schema().columns[2].kind, ColumnKind::Constant);
    }

    #[test]
    fn texts_follow_their_rows_by_address_and_are_conditions() {
        let table = notes(600);
        let texts = TextColumns::fit(&table, &small(), &mut run(1)).expect("fits");
        let plain = TextColumns::plain_of(&table).expect("a table");
        let made = texts.fill(plain.clone(), |row| row as u64, 7).expect("possible");
        assert_eq!(made.schema(), table.schema());
        let fits = |row: usize| match (made.cell(row, 0).as_str(), made.cell(row, 2).as_str()) {
            (_, "") => row.is_multiple_of(9),
            ("good", text) => text.contains("lovely"),
            (_, text) => text.contains("late"),
        };
        let share = (0..600).filter(|&row| fits(row)).count() as f64 / 600.0;
        assert!(share > 0.97, "{share}");
        let slice = texts.fill(plain.take(&[31, 32, 33]), |row| 31 + row as u64, 7).expect("possible");
        assert!((0..3).all(|row| slice.cell(row, 2) == made.cell(31 + row, 2)), "a text depends on its address alone");

        // The same file, and the law of rows given their texts: of both sorts the one that the text is of.
        let mut file = Checkpoint::default();
        let path = Path::new("memory");
        texts.write(&mut file, path).expect("written");
        let read = TextColumns::read(&file, path, &Device::flex()).expect("read");
        assert_eq!(read.fill(plain, |row| row as u64, 7).expect("possible"), made);
        let with_sort = |sort: &str| {
            let mut columns = table.columns().to_vec();
            columns[0] = Column::from_labels((0..table.rows()).map(|_| Some(sort)));
            Table::new(Schema::clone(table.schema()), columns).expect("a table")
        };
        let chosen = read.choose(&[with_sort("good"), with_sort("bad")], |_, _| true, 3).expect("possible");
        let right = (0..600).filter(|row| row % 9 > 0 && chosen.cell(*row, 0) == table.cell(*row, 0)).count();
        assert!(right > 510, "{right} of 533");
        let none = read.choose(&[with_sort("good"), with_sort("bad")], |candidate, _| candidate == 1, 3).expect("possible");
        assert!((0..600).all(|row| none.cell(row, 0) == "bad"), "a row that could not be made is not chosen");
    }

    #[test]
    fn too_few_texts_are_an_error_that_names_the_column() {
        let table = notes(3).take(&[1]);
        let said = TextColumns::fit(&table, &small(), &mut run(1)).expect_err("one text").to_string();
        assert!(said.contains("column \"note\"") && said.contains("kind = \"id\""), "{said}");
    }
}

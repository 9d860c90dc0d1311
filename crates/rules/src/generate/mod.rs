//! Rows from a plan. Each value is a function of (seed, table, column, row): rows come in any order, on any number of threads, and slices are
//! equal to those of the whole.

mod chaos;
mod chunk;
mod draw;
mod histories;
mod learned;
mod links;
mod parents;
mod series;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use semblant_data::table::Table as Data;

pub use chaos::Spoiled;
pub(crate) use chunk::Chunk;

use crate::children::Families;
use crate::error::{Error, Place, Result};
use crate::plan::{Plan, Rows, stream};
use crate::values::Values;

/// Rows that are made at once.
pub const CHUNK: u64 = 8_192;
/// Tables of up to so many rows that others refer to are kept, column by column.
const SMALL: u64 = 100_000;
/// The most rows of a table.
const MOST_ROWS: u64 = 1 << 50;

/// Constraints draw a row up to so often at most before the next attempt at it begins: positions of random numbers by attempt and draw.
const DRAWS: u32 = 512;

/// Makes the rows of a plan for one seed.
#[derive(Debug)]
pub struct Generator<'p> {
    pub(crate) plan: &'p Plan,
    pub(crate) seed: u64,
    pub(crate) counts: Vec<u64>,
    /// The counts without what [`Generator::extended`] adds.
    pub(crate) declared: Vec<u64>,
    pub(crate) families: Arc<Vec<Families>>,
    /// Columns of small tables.
    small: Arc<Mutex<SmallColumns>>,
}

/// By table and column.
type SmallColumns = HashMap<(usize, usize), Arc<Values>>;

/// What a [`Generator`] has found out of its plan, without the plan: what another one of the same plan begins with.
#[derive(Debug)]
pub(crate) struct Counted {
    seed: u64,
    counts: Vec<u64>,
    families: Arc<Vec<Families>>,
    small: Arc<Mutex<SmallColumns>>,
}

impl<'p> Generator<'p> {
    /// Rows of `seed`, `scale` times as many as the spec declares for tables without a parent. Tables whose numbers of children are computed are
    /// counted now, by one pass over their parents.
    ///
    /// # Errors
    /// A scale that is not above 0, more unique values than there are, and what is wrong in a row that is counted.
    pub fn new(plan: &'p Plan, seed: u64, scale: f64) -> Result<Self> {
        if !(scale > 0.0 && scale.is_finite()) {
            return plan.fail(Place::default(), format!("a scale of {scale} is not above 0; ask for one that is"));
        }
        let count = plan.tables.len();
        let families = Arc::new((0..count).map(|_| Families::default()).collect());
        let mut generator = Self { plan, seed, counts: vec![0; count], declared: vec![0; count], families, small: Arc::default() };
        let mut known = vec![false; count];
        for table in 0..count {
            generator.count_rows(table, scale, &mut known)?;
        }
        generator.check_unique()?;
        Ok(generator)
    }

    fn count_rows(&mut self, table: usize, scale: f64, known: &mut [bool]) -> Result<()> {
        if std::mem::replace(&mut known[table], true) {
            return Ok(());
        }
        let plan = self.plan;
        match &plan.tables[table].rows {
            Rows::Count(rows) => self.counts[table] = (*rows as f64 * scale).round() as u64,
            Rows::Children { parent, .. } => {
                self.count_rows(*parent, scale, known)?;
                // What the number of children is computed from may refer to any other table.
                for other in plan.tables[*parent].links.iter().map(|link| link.table).collect::<Vec<_>>() {
                    self.count_rows(other, scale, known)?;
                }
                let (rows, families) = self.families(table)?;
                self.counts[table] = rows;
                // Nobody else has them while rows are counted.
                if let Some(all) = Arc::get_mut(&mut self.families) {
                    all[table] = families;
                }
            }
        }
        self.declared[table] = self.counts[table];
        if self.counts[table] > MOST_ROWS {
            return plan
                .fail(plan.tables[table].place, format!("table \"{}\" has more than 2^50 rows; ask for fewer", plan.tables[table].name));
        }
        Ok(())
    }

    fn check_unique(&self) -> Result<()> {
        for (table, rows) in self.plan.tables.iter().zip(&self.counts) {
            for column in table.columns.iter().filter(|column| column.unique) {
                if let crate::plan::Maker::Draw(draw) = &column.maker
                    && let Some(most) = draw.count()
                    && u128::from(*rows) > most
                {
                    let what =
                        format!("column \"{}\" has {most} different values for {rows} rows; widen it, or ask for fewer rows", column.name);
                    return self.plan.fail(column.place, what);
                }
            }
        }
        Ok(())
    }

    /// What this one has counted.
    pub(crate) fn counted(&self) -> Counted {
        Counted { seed: self.seed, counts: self.declared.clone(), families: self.families.clone(), small: self.small.clone() }
    }

    /// One of the same plan and seed that counts nothing again; `None` for another seed.
    pub(crate) fn resumed(plan: &'p Plan, seed: u64, known: &Counted) -> Option<Self> {
        let Counted { seed: same, counts, families, small } = known;
        (*same == seed).then(|| Self {
            plan,
            seed,
            counts: counts.clone(),
            declared: counts.clone(),
            families: families.clone(),
            small: small.clone(),
        })
    }

    /// The same, where a table without a parent has at least this many rows. Other tables do not see the additional ones.
    ///
    /// # Errors
    /// More unique values than there are.
    pub(crate) fn extended(&self, table: usize, rows: u64) -> Result<Self> {
        let Counted { seed, counts: declared, families, small } = self.counted();
        let mut counts = declared.clone();
        if matches!(self.plan.tables[table].rows, Rows::Count(_)) {
            counts[table] = counts[table].max(rows);
        }
        let extended = Self { plan: self.plan, seed, counts, declared, families, small };
        extended.check_unique()?;
        Ok(extended)
    }

    /// The plan.
    pub fn plan(&self) -> &'p Plan {
        self.plan
    }

    /// How many rows a table has.
    ///
    /// # Errors
    /// A name that no table has.
    pub fn count(&self, table: &str) -> Result<u64> {
        Ok(self.counts[self.plan.index_of(table)?])
    }

    /// Rows of a table, without chaos.
    ///
    /// # Errors
    /// A name that no table has, rows beyond its last one, and what is wrong in a row: a parameter out of its range, a constraint that is not met.
    pub fn rows(&self, table: &str, rows: Range<u64>) -> Result<Data> {
        let table = self.plan.index_of(table)?;
        self.check_rows(table, &rows)?;
        let starts: Vec<u64> = (rows.start..rows.end).step_by(CHUNK as usize).collect();
        let parts = self.each(&starts, |start| self.part(table, start..rows.end.min(start.saturating_add(CHUNK))));
        self.joined(table, parts.into_iter().collect::<Result<_>>()?)
    }

    /// Rows of a table, each in its draw `attempt`, which depends on nothing else: draw 0 is the row that [`Generator::rows`] has, in others everything
    /// but keys and unique columns is drawn again, the parent among it.
    pub(crate) fn attempt(&self, table: usize, rows: &[u64], attempt: u32) -> Result<Data> {
        let chunks: Vec<&[u64]> = rows.chunks(CHUNK as usize).collect();
        let places: Vec<u64> = (0..chunks.len() as u64).collect();
        let parts = self.each(&places, |place| self.table_of(table, chunks[place as usize], attempt));
        self.joined(table, parts.into_iter().collect::<Result<_>>()?)
    }

    fn joined(&self, table: usize, parts: Vec<Data>) -> Result<Data> {
        let mut parts = parts.into_iter();
        let Some(mut all) = parts.next() else { return self.table_of(table, &[], 0) };
        for part in parts {
            all.append(&part).map_err(|error| Error::new(&self.plan.path, Place::default(), error.to_string()))?;
        }
        Ok(all)
    }

    /// Calls `make` for each start, in parallel. Fitted models use all threads themselves, and one call at a time.
    pub(crate) fn each<T: Send>(&self, starts: &[u64], make: impl Fn(u64) -> T + Sync) -> Vec<T> {
        match self.plan.tables.iter().any(|table| !table.learned.is_empty()) {
            true => starts.iter().map(|&start| make(start)).collect(),
            false => starts.par_iter().map(|&start| make(start)).collect(),
        }
    }

    fn check_rows(&self, table: usize, rows: &Range<u64>) -> Result<()> {
        let count = self.counts[table];
        if rows.start <= rows.end && rows.end <= count {
            return Ok(());
        }
        let name = &self.plan.tables[table].name;
        self.plan.fail(
            Place::default(),
            format!("table \"{name}\" has {count} rows, not {}..{}; ask for rows up to {count}", rows.start, rows.end),
        )
    }

    /// Rows of a table in pieces, in order, each with its chaos if there is any: `write` is called with one after the other while the next are made.
    ///
    /// # Errors
    /// As [`Generator::rows`], and what `write` returns.
    pub fn stream<E: From<Error>>(&self, table: &str, rows: Range<u64>, mut write: impl FnMut(Spoiled) -> Result<(), E>) -> Result<(), E> {
        let table = self.plan.index_of(table)?;
        self.check_rows(table, &rows)?;
        let ahead = 2 * rayon::current_num_threads() as u64;
        std::thread::scope(|scope| {
            let (sender, receiver) = sync_channel(1);
            let made = scope.spawn(move || {
                // Chunks begin at multiples of their size, whatever the slice, so that chaos sees the same neighbours.
                let mut start = rows.start / CHUNK * CHUNK;
                while start < rows.end {
                    let end = (start + ahead * CHUNK).min(rows.end);
                    let starts: Vec<u64> = (start..end).step_by(CHUNK as usize).collect();
                    let parts = self.each(&starts, |start| self.spoiled(table, start, &rows));
                    // Who writes has stopped.
                    if sender.send(parts).is_err() {
                        return;
                    }
                    start = end;
                }
            });
            let mut written = Ok(());
            'all: for parts in receiver {
                for part in parts {
                    written = part.map_err(E::from).and_then(&mut write);
                    if written.is_err() {
                        break 'all;
                    }
                }
            }
            let _ = made.join();
            written
        })
    }

    /// The visible columns of some rows as a table.
    pub(crate) fn part(&self, table: usize, rows: Range<u64>) -> Result<Data> {
        self.table_of(table, &rows.collect::<Vec<_>>(), 0)
    }

    fn table_of(&self, table: usize, rows: &[u64], attempt: u32) -> Result<Data> {
        let plan = &self.plan.tables[table];
        let values = self.evaluate_attempt(table, rows, &plan.visible, attempt)?;
        let columns = values.into_iter().zip(&plan.visible).map(|(values, &column)| {
            let column = &plan.columns[column];
            // Texts of unique columns are known to differ.
            values.into_column(column.unique && column.missing.is_none())
        });
        Data::new(plan.schema.clone(), columns.collect()).map_err(|error| Error::new(&self.plan.path, plan.place, error.to_string()))
    }

    /// Columns of some rows, as the constraints of the table have them.
    pub(crate) fn evaluate(&self, table: usize, rows: &[u64], columns: &[usize]) -> Result<Vec<Values>> {
        self.evaluate_attempt(table, rows, columns, 0)
    }

    fn evaluate_attempt(&self, table: usize, rows: &[u64], columns: &[usize], attempt: u32) -> Result<Vec<Values>> {
        let plan = &self.plan.tables[table];
        let checked = !plan.checks.is_empty() && columns.iter().any(|&column| attempt > 0 || !plan.columns[column].fixed);
        let mut chunk = Chunk::new(self, table, rows.to_vec(), attempt.wrapping_mul(DRAWS));
        if attempt > 0 && matches!(plan.rows, Rows::Children { .. }) {
            chunk.seats = Some(self.seats(table, rows, attempt));
        }
        chunk.compute(columns, checked)?;
        if checked {
            self.repair(&mut chunk, columns)?;
        }
        Ok(columns.iter().map(|&column| chunk.take_own(column)).collect())
    }

    /// For each row one of the table's rows at random, whose parent it has in this attempt.
    fn seats(&self, table: usize, rows: &[u64], attempt: u32) -> Vec<u64> {
        let numbers = stream(self.seed, self.plan.tables[table].seats);
        rows.iter().map(|&row| numbers.below(row, attempt, self.counts[table].max(1))).collect()
    }

    /// Draws rows again that a constraint does not allow.
    fn repair(&self, chunk: &mut Chunk<'_>, columns: &[usize]) -> Result<()> {
        let plan = &self.plan.tables[chunk.table];
        let mut open = chunk.failing();
        let (first, mut attempt) = (chunk.attempt, 0);
        while let Some(&(row, check)) = open.first() {
            let check_plan = &plan.checks[check];
            attempt += 1;
            if attempt >= check_plan.attempts {
                let what = format!(
                    "row {} of table \"{}\" does not meet \"{}\" in {attempt} attempts; change the columns that it names, or raise attempts",
                    chunk.rows[row] + 1,
                    plan.name,
                    check_plan.condition
                );
                return self.plan.fail(check_plan.place, what);
            }
            let places: Vec<usize> = open.iter().map(|(row, _)| *row).collect();
            let rows = places.iter().map(|&place| chunk.rows[place]).collect();
            let mut again = Chunk::new(self, chunk.table, rows, first.wrapping_add(attempt));
            again.seats = chunk.seats.as_ref().map(|seats| places.iter().map(|&place| seats[place]).collect());
            again.compute(columns, true)?;
            let failing = again.failing();
            let is_open = |index: usize| failing.binary_search_by_key(&index, |(row, _)| *row).is_ok();
            let mended: Vec<usize> = (0..places.len()).filter(|&index| !is_open(index)).collect();
            chunk.replace(columns, &again, &mended, &places);
            open = failing.into_iter().map(|(row, check)| (places[row], check)).collect();
        }
        Ok(())
    }

    /// A column of a small table, which is kept; `None` for a large one.
    pub(crate) fn kept(&self, table: usize, column: usize) -> Result<Option<Arc<Values>>> {
        if self.counts[table] > SMALL {
            return Ok(None);
        }
        let kept = || self.small.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(values) = kept().get(&(table, column)) {
            return Ok(Some(values.clone()));
        }
        let rows: Vec<u64> = (0..self.counts[table]).collect();
        let mut values = self.evaluate(table, &rows, &[column])?;
        let Some(values) = values.pop().map(Values::compact).map(Arc::new) else { return Ok(None) };
        kept().insert((table, column), values.clone());
        Ok(Some(values))
    }
}

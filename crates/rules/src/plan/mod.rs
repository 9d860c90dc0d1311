//! A spec that was checked: names bound, types known, no cycles, distributions prepared.

mod calendars;
mod checks;
mod child_law;
mod columns;
mod draws;
mod files;
mod histories;
mod history_model;
mod links;
mod model;
mod names;
mod schema;
mod scope;
mod texts;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use semblant_data::table::{Schema, Table as Data};

pub(crate) use child_law::*;
pub(crate) use draws::BETWEEN;
pub(crate) use files::{Files, Named, check_held};
pub(crate) use histories::LONGEST_ANOMALY;
pub(crate) use history_model::*;
pub(crate) use links::uniform_of_score;
pub(crate) use model::*;
pub(crate) use names::stream;

use crate::error::{Error, Place, Result, place_of};
use crate::spec::Spec;
use names::Resolver;

/// A fitted table model that columns may be drawn from.
pub trait Model: Send + Sync {
    /// The columns that it draws.
    fn schema(&self) -> &Schema;

    /// Rows `first..first + given.rows()` of `seed`, whose cells are those of `given` where that has them; its columns are those of the model.
    ///
    /// # Errors
    /// What the model says of rows that it cannot draw.
    fn draw(&self, given: &Data, first: u64, seed: u64) -> Result<Data, String>;
}

/// Where fitted models come from, so that this crate depends on no family of them.
pub trait Models {
    /// The model in the bytes of a file; `path` only names it in errors.
    ///
    /// # Errors
    /// Why the file cannot be used.
    fn load(&self, bytes: Vec<u8>, path: &Path) -> Result<Arc<dyn Model>, String>;
}

/// No models: a spec that asks for one is refused.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoModels;

impl Models for NoModels {
    fn load(&self, _: Vec<u8>, _: &Path) -> Result<Arc<dyn Model>, String> {
        Err("fitted models cannot be read here; remove learned columns".into())
    }
}

/// A spec that was checked and can make rows.
#[derive(Debug)]
pub struct Plan {
    pub(crate) path: PathBuf,
    pub(crate) tables: Vec<Table>,
    files: Vec<Named>,
}

impl Plan {
    /// Checks a spec. `path` names it in errors, and the files that it names lie in its folder.
    ///
    /// # Errors
    /// What is wrong first: file, line, column and the remedy.
    pub fn new(spec: &Spec, path: impl AsRef<Path>, models: &dyn Models) -> Result<Self> {
        Self::with_files(spec, path.as_ref(), models, Files::Beside)
    }

    /// The same with the files that the spec names.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub(crate) fn with_files(spec: &Spec, path: &Path, models: &dyn Models, files: Files<'_>) -> Result<Self> {
        if spec.tables.is_empty() {
            return Err(Error::new(path, Place { line: 1, column: 1 }, "declares no table; add [[table]] with a name and rows"));
        }
        let mut names = BTreeSet::new();
        if let Some(twice) = spec.tables.iter().find(|table| !names.insert(table.name.value.as_str())) {
            return Err(Error::new(path, twice.name.place, format!("two tables are called \"{}\"; rename one", *twice.name)));
        }
        let resolver = Resolver::new(spec, path, models, files)?;
        let tables = (0..spec.tables.len()).map(|table| resolver.table(table)).collect::<Result<Vec<_>>>()?;
        let plan = Self { path: path.to_owned(), tables, files: resolver.into_files() };
        checks::acyclic(&plan)?;
        plan.fixed()
    }

    /// Reads and checks a spec.
    ///
    /// # Errors
    /// As [`Spec::read`] and [`Plan::new`].
    pub fn read(path: impl AsRef<Path>, models: &dyn Models) -> Result<Self> {
        Self::new(&Spec::read(path.as_ref())?, path, models)
    }

    /// The files that the spec names, which were read: tables and fitted models.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }

    pub(crate) fn named_files(&self) -> &[Named] {
        &self.files
    }

    /// The names of the tables, in the order of the spec.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().map(|table| table.name.as_str())
    }

    /// The table of this name.
    ///
    /// # Errors
    /// A name that no table has.
    pub(crate) fn index_of(&self, name: &str) -> Result<usize> {
        let known = self.tables.iter().map(|table| table.name.as_str());
        place_of(name, known, |meant, all| format!("has no table \"{name}\"{meant}; the tables are {all}"))
            .map_err(|what| Error::new(&self.path, Place::default(), what))
    }

    /// The columns of a table as they are written.
    ///
    /// # Errors
    /// A name that no table has.
    pub fn schema(&self, table: &str) -> Result<&Schema> {
        Ok(&self.tables[self.index_of(table)?].schema)
    }

    pub(crate) fn fail<T>(&self, place: Place, what: impl Into<String>) -> Result<T> {
        Err(Error::new(&self.path, place, what))
    }

    /// Notes which columns are the same in every attempt at a row, and which references no constraint depends on.
    fn fixed(mut self) -> Result<Self> {
        for table in &mut self.tables {
            let mut known: Vec<bool> = vec![false; table.columns.len()];
            // Columns may be declared in any order; the graph has no cycles, so this ends.
            loop {
                let before = known.clone();
                for (index, column) in table.columns.iter().enumerate() {
                    known[index] = column.maker.is_fixed(column)
                        && column.missing.is_none()
                        && column.needs.iter().all(|&slot| match table.slots[slot].slot {
                            Slot::Own(other) => known[other],
                            Slot::Link { link, .. } => table.links[link].is_fixed(),
                            _ => true,
                        });
                }
                if known == before {
                    break;
                }
            }
            for (column, fixed) in table.columns.iter_mut().zip(known) {
                column.fixed = fixed;
            }
            let constrained = table.slots_needed(table.checks.iter().flat_map(|check| check.condition.columns().iter().copied()));
            let of_link = |slot: usize| if let Slot::Link { link, .. } = table.slots[slot].slot { Some(link) } else { None };
            let named: BTreeSet<usize> = constrained.into_iter().filter_map(of_link).collect();
            for (index, link) in table.links.iter_mut().enumerate() {
                link.unconstrained = !named.contains(&index);
            }
        }
        Ok(self)
    }
}

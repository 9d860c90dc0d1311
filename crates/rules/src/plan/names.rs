//! What expressions may name, and of which types it is.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use semblant_core::seeds::streams::RULES;
use semblant_data::table::Table as Data;
use semblant_expressions::{Expression, Type};

use super::files::{Files, Named};
use super::scope::{Nothing, Scope, literal_time};
use super::{Model, Models, Param, Slot};
use crate::error::{Error, Place, Result, place_of};
use crate::permutation::mixed;
use crate::spec::{At, ColumnSpec, Scalar, Spec, TableSpec, Term};

/// How many columns may need one another in a row: reading and computing them goes as deep.
pub(super) const DEEPEST: usize = 200;
/// The most columns of a table: every expression looks for its names among them.
const MOST_COLUMNS: usize = 5_000;
/// Streams of the range of rules.
const STREAMS: u64 = 0x0c00_0000;

/// Binds the names of a spec.
pub(super) struct Resolver<'a> {
    pub(super) spec: &'a Spec,
    pub(super) path: &'a Path,
    /// The fitted models, by table and entry.
    pub(super) models: Vec<Vec<Arc<dyn Model>>>,
    /// The columns of each table: declared ones, then those of models.
    pub(super) columns: Vec<Vec<ColumnSpec>>,
    /// For the columns of models: entry and column there.
    pub(super) learned: Vec<BTreeMap<usize, (usize, usize)>>,
    /// The files that it reads.
    files: RefCell<Vec<Named>>,
    source: Files<'a>,
    types: RefCell<HashMap<(usize, usize), Option<Type>>>,
    /// How many types are looked for, each for the one before.
    depth: Cell<usize>,
    streams: RefCell<HashMap<u64, String>>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(spec: &'a Spec, path: &'a Path, models: &dyn Models, source: Files<'a>) -> Result<Self> {
        let mut resolver = Self {
            spec,
            path,
            models: Vec::new(),
            columns: spec.tables.iter().map(|table| table.columns.clone()).collect(),
            learned: vec![BTreeMap::new(); spec.tables.len()],
            files: RefCell::default(),
            source,
            types: RefCell::default(),
            depth: Cell::default(),
            streams: RefCell::default(),
        };
        for table in 0..spec.tables.len() {
            resolver.load(table, models)?;
            resolver.check_names(table)?;
        }
        Ok(resolver)
    }

    pub(super) fn fail<T>(&self, place: Place, what: impl Into<String>) -> Result<T> {
        Err(Error::new(self.path, place, what))
    }

    /// A file that the spec names.
    fn file(&self, name: &At<String>) -> Result<Named> {
        let path = self.path.parent().unwrap_or(Path::new("")).join(&name.value);
        let file = Named { name: name.value.clone(), path };
        if !self.source.has(&file) {
            return self.fail(name.place, format!("there is no file {}; files lie relative to the spec", file.path.display()));
        }
        let mut files = self.files.borrow_mut();
        if !files.contains(&file) {
            files.push(file.clone());
        }
        Ok(file)
    }

    /// A table that the spec names.
    pub(super) fn data(&self, name: &At<String>) -> Result<Data> {
        self.source.table(&self.file(name)?).map_err(|what| Error::new(self.path, name.place, what))
    }

    /// The files that were read, in the order of the spec.
    pub(super) fn into_files(self) -> Vec<Named> {
        self.files.into_inner()
    }

    pub(super) fn table_of(&self, name: &At<String>) -> Result<usize> {
        let known = self.spec.tables.iter().map(|table| table.name.value.as_str());
        place_of(name, known, |meant, all| format!("there is no table \"{}\"{meant}; the tables are {all}", **name))
            .map_err(|what| Error::new(self.path, name.place, what))
    }

    pub(super) fn column_of(&self, table: usize, name: &At<String>) -> Result<usize> {
        let known = self.columns[table].iter().map(|column| column.name.value.as_str());
        let own = &*self.spec.tables[table].name;
        place_of(name, known, |meant, all| format!("table \"{own}\" has no column \"{}\"{meant}; its columns are {all}", **name))
            .map_err(|what| Error::new(self.path, name.place, what))
    }

    /// Loads the models of a table and adds the columns that they draw.
    fn load(&mut self, table: usize, models: &dyn Models) -> Result<()> {
        let mut loaded = Vec::new();
        for (entry, learned) in self.spec.tables[table].learned.iter().enumerate() {
            let file = self.file(&learned.model)?;
            let model = self.source.bytes(&file).and_then(|bytes| models.load(bytes, &file.path));
            let model = model.map_err(|what| Error::new(self.path, learned.model.place, what))?;
            let names: Vec<&str> = model.schema().names().collect();
            let is_declared = |name: &str| self.columns[table].iter().any(|column| *column.name == name);
            let wanted: Vec<At<String>> = match &learned.columns {
                Some(names) => names.0.clone(),
                None => names
                    .iter()
                    .filter(|name| !is_declared(name))
                    .map(|&name| At { value: name.to_owned(), place: learned.model.place })
                    .collect(),
            };
            for name in wanted {
                let Some(column) = names.iter().position(|known| *known == *name) else {
                    let what = format!("the model has no column \"{}\"; it has {}", *name, names.join(", "));
                    return self.fail(name.place, what);
                };
                // Rules of a declared column override what is learned.
                let place = match self.columns[table].iter().position(|known| *known.name == *name) {
                    Some(place) => place,
                    None => {
                        self.columns[table].push(ColumnSpec { name: name.clone(), ..ColumnSpec::default() });
                        self.columns[table].len() - 1
                    }
                };
                self.learned[table].insert(place, (entry, column));
            }
            loaded.push(model);
        }
        self.models.push(loaded);
        Ok(())
    }

    fn check_names(&self, table: usize) -> Result<()> {
        let spec = &self.spec.tables[table];
        if spec.name.is_empty() || spec.name.contains(['/', '\\', ':', '.']) || spec.name.starts_with('-') {
            return self.fail(spec.name.place, format!("\"{}\" is no name of a file; use letters, digits and _", *spec.name));
        }
        if self.columns[table].is_empty() {
            return self.fail(spec.name.place, format!("table \"{}\" has no columns; add [[table.column]]", *spec.name));
        }
        if let Some(beyond) = self.columns[table].get(MOST_COLUMNS) {
            return self.fail(beyond.name.place, format!("table \"{}\" has more than {MOST_COLUMNS} columns; divide it", *spec.name));
        }
        for (index, column) in self.columns[table].iter().enumerate() {
            if column.name.is_empty() {
                return self.fail(column.name.place, "a column has no name; give it one");
            }
            if self.columns[table][..index].iter().any(|before| *before.name == *column.name) {
                return self.fail(column.name.place, format!("two columns are called \"{}\"; rename one", *column.name));
            }
        }
        Ok(())
    }

    /// The tables that rows of a table belong to, with their names there; the parent has two.
    pub(super) fn links(&self, table: usize) -> Result<Vec<(Vec<String>, usize)>> {
        let spec: &TableSpec = &self.spec.tables[table];
        let mut links = Vec::new();
        if let Some(per) = &spec.per {
            links.push((vec![per.value.clone(), "parent".to_owned()], self.table_of(per)?));
        }
        for reference in &spec.references {
            links.push((vec![reference.name.value.clone()], self.table_of(&reference.table)?));
        }
        Ok(links)
    }

    /// What the expressions of a table may name.
    pub(super) fn slots(&self, table: usize) -> Result<Vec<(String, Slot)>> {
        let own = self.columns[table].iter().enumerate().map(|(index, column)| (column.name.value.clone(), Slot::Own(index)));
        let mut slots: Vec<(String, Slot)> = own.collect();
        let mut counters = vec![("row_number", Slot::RowNumber)];
        if self.spec.tables[table].per.is_some() {
            counters.extend([("child_number", Slot::ChildNumber), ("children", Slot::Children)]);
        }
        for (name, slot) in counters {
            if !slots.iter().any(|(known, _)| known == name) {
                slots.push((name.to_owned(), slot));
            }
        }
        for (link, (names, other)) in self.links(table)?.into_iter().enumerate() {
            for name in names {
                let of = |(column, spec): (usize, &ColumnSpec)| (format!("{name}.{}", *spec.name), Slot::Link { link, column });
                slots.extend(self.columns[other].iter().enumerate().map(of));
            }
        }
        if let Some(machine) = &self.spec.tables[table].machine {
            let outputs = ["time", "state", "event"].into_iter().chain(machine.attributes.keys().map(String::as_str));
            slots.extend(outputs.enumerate().map(|(index, name)| (format!("machine.{name}"), Slot::Machine(index))));
        }
        if let Some(series) = &self.spec.tables[table].series {
            let signals = series.signals.iter().flat_map(|signal| [signal.name.value.clone(), format!("{}_anomaly", *signal.name)]);
            let outputs = ["time".to_owned(), "step".to_owned()].into_iter().chain(signals);
            slots.extend(outputs.enumerate().map(|(index, name)| (format!("series.{name}"), Slot::Series(index))));
        }
        Ok(slots)
    }

    pub(super) fn type_of_slot(&self, table: usize, slot: Slot) -> Result<Type> {
        match slot {
            Slot::Own(column) => self.type_of(table, column),
            Slot::RowNumber | Slot::ChildNumber | Slot::Children => Ok(Type::Number),
            Slot::Link { link, column } => self.type_of(self.links(table)?[link].1, column),
            Slot::Machine(0) | Slot::Series(0) => Ok(Type::Time),
            Slot::Machine(1 | 2) => Ok(Type::Text),
            Slot::Series(output) if output > 1 && output % 2 == 1 => Ok(Type::Text),
            Slot::Machine(_) | Slot::Series(_) => Ok(Type::Number),
        }
    }

    /// The type of a column. Columns of expressions are read for it, which ends in an error where one needs itself.
    pub(super) fn type_of(&self, table: usize, column: usize) -> Result<Type> {
        let spec = &self.columns[table][column];
        match self.types.borrow().get(&(table, column)) {
            Some(Some(known)) => return Ok(*known),
            Some(None) => {
                let what = format!(
                    "column \"{}\" of table \"{}\" is computed from itself; break the circle",
                    *spec.name, *self.spec.tables[table].name
                );
                return self.fail(spec.name.place, what);
            }
            None => {}
        }
        self.types.borrow_mut().insert((table, column), None);
        self.depth.set(self.depth.get() + 1);
        if self.depth.get() > DEEPEST {
            return self.fail(spec.name.place, too_deep());
        }
        let found = self.declared_type(table, column)?;
        self.depth.set(self.depth.get() - 1);
        self.types.borrow_mut().insert((table, column), Some(found));
        Ok(found)
    }

    /// Reads an expression of a table.
    pub(super) fn expression(&self, table: usize, text: &At<String>) -> Result<Expression> {
        let scope = Scope {
            resolver: self,
            slots: self.slots(table)?,
            type_of: &|slot| self.type_of_slot(table, slot),
            failed: RefCell::default(),
        };
        scope.parse(text)
    }

    /// Reads a condition of a table.
    pub(super) fn condition(&self, table: usize, text: &At<String>) -> Result<Expression> {
        self.as_condition(text, self.expression(table, text)?)
    }

    pub(super) fn as_condition(&self, text: &At<String>, read: Expression) -> Result<Expression> {
        match read.data_type() {
            Type::Boolean => Ok(read),
            found => self.fail(text.place, format!("a condition is true or false, and this is {found}; compare it with something")),
        }
    }

    /// A parameter of a table that is a number, or with `wanted` a time.
    pub(super) fn param(&self, table: usize, term: &Term, wanted: Type) -> Result<Param> {
        self.param_by(term, wanted, &|text| self.expression(table, text))
    }

    pub(super) fn param_by(&self, term: &Term, wanted: Type, read: &dyn Fn(&At<String>) -> Result<Expression>) -> Result<Param> {
        let place = term.place;
        let text = match &term.value {
            Scalar::Number(number) if wanted != Type::Time => return Ok(Param::Constant(*number)),
            Scalar::Boolean(truth) if wanted != Type::Time => return Ok(Param::Constant(f64::from(u8::from(*truth)))),
            Scalar::Text(text) => text.clone(),
            _ => return self.fail(place, "this is no time; write one such as \"2024-01-31\", or an expression in quotes"),
        };
        if wanted == Type::Time
            && let Some(time) = literal_time(&text)
        {
            return Ok(Param::Constant(time));
        }
        let expression = read(&At { value: text, place })?;
        match expression.data_type() {
            found if found == wanted => {}
            Type::Boolean if wanted == Type::Number => {}
            found => return self.fail(place, format!("this is {found}, where {wanted} is needed; change the expression")),
        }
        if expression.columns().is_empty() {
            return match Param::Expression(expression).number(&Nothing) {
                Some(number) => Ok(Param::Constant(number)),
                None => self.fail(place, "this has no value; mend a division by zero"),
            };
        }
        Ok(Param::Expression(expression))
    }

    /// A stream for a purpose of a table. It depends on the names alone, so that a new column leaves the others as they were.
    pub(super) fn stream(&self, table: usize, purpose: &str) -> u32 {
        let name = format!("{}\u{1f}{purpose}", *self.spec.tables[table].name);
        let hash = name.bytes().fold(0u64, |hash, byte| mixed(hash ^ u64::from(byte)).wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut place = hash % STREAMS;
        let mut taken = self.streams.borrow_mut();
        while taken.get(&place).is_some_and(|other| *other != name) {
            place = (place + 1) % STREAMS;
        }
        taken.insert(place, name);
        place as u32
    }
}

/// What is wrong with columns that need more than [`DEEPEST`] others in a row.
pub(super) fn too_deep() -> String {
    format!("more than {DEEPEST} columns need one another in a row; compute some of them from the first ones")
}

/// Stream `index` of the range of rules.
pub(crate) fn stream(seed: u64, index: u32) -> semblant_core::seeds::Stream {
    RULES.nth(seed, index)
}

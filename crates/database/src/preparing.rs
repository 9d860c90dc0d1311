//! A database made ready: the role of every table, the columns that its model learns, and children as sequences.

use std::collections::HashSet;

use semblant_core::data::Data;
use semblant_core::progress::Event;
use semblant_core::synthesizer::Run;
use semblant_core::{Error, Result};
use semblant_data::database::{Database, NO_ROW};
use semblant_data::series::{Layout, Series, numbered};
use semblant_data::table::{ColumnKind, Constraint, Schema, Table, TableFormat};
use semblant_tabular::preparation::{Encoding, Preparation, Prepared};
use semblant_text::columns::TextColumns;

use crate::form::{Form, Role, refers_to_new};
use crate::relative;
use crate::rows::{Rows, beside, only};

/// The form of a database with the role of every table, its rows, and by table the columns that its model learns.
pub(crate) fn prepared(data: &Database, run: &mut Run) -> Result<(Form, Rows, Vec<Table>)> {
    if data.keys_of(data.root()).reference {
        return Err(Error::Config("all tables are published as they are; say reference = true of fewer in the keys file".into()));
    }
    let mut data = data.clone();
    'rows: loop {
        let mut form = Form::of(&data)?;
        let rows = Rows::of(&data, &form)?;
        let mut learned = Vec::new();
        for table in 0..form.tables.len() {
            let own = &TextColumns::plain_of(&rows.own[table])?;
            let name = form.tables[table].name.clone();
            let is_learned = own.schema().columns.iter().any(|described| described.kind.is_modelled());
            let (role, columns) = if form.is_reference(table) {
                (reference(&form, &data, &rows, table)?, rows.own[table].clone())
            } else if !is_learned {
                let preparation = (!own.columns().is_empty()).then(|| Preparation::fit(&plain(own)?, false, run.seed)).transpose()?;
                (Role::Bare { preparation: preparation.map(|found| found.preparation) }, own.clone())
            } else if let Some(parent) = form.parent(table) {
                let above = rows.above(&form, table, parent, true)?;
                let (role, columns) = match constrained(&name, own, &above, &data.keys_of(table).checks, run)? {
                    None => (Role::Learned { constrained: None }, plain(own)?),
                    Some(Prepared { rows: Some(kept), .. }) => {
                        data = with_rows(&data, table, &kept)?;
                        continue 'rows;
                    }
                    Some(Prepared { preparation, table: joint, .. }) => {
                        let names: HashSet<&str> = own.schema().names().collect();
                        let columns = only(&joint, |name| names.contains(name))?;
                        (Role::Learned { constrained: Some(preparation) }, columns)
                    }
                };
                let (columns, relatives) = relative::learned(&columns, &above)?;
                form.tables[table].relative = relatives;
                (role, columns)
            } else {
                let mut schema = own.schema().clone();
                schema.constraints.extend(data.keys_of(table).checks.iter().cloned().map(Constraint::Check));
                (Role::Learned { constrained: None }, own.clone().with_schema(schema)?)
            };
            if matches!(role, Role::Learned { .. }) && !columns.schema().columns.iter().any(|described| described.kind.is_modelled()) {
                return Err(Error::Data(format!("{name}: constraints leave no column to learn; drop one of them")));
            }
            form.tables[table].role = role;
            learned.push(columns);
        }
        return Ok((form, rows, learned));
    }
}

/// A table without constraints, which were made a part of its form or concern names.
fn plain(table: &Table) -> Result<Table> {
    Ok(table.clone().with_schema(Schema { constraints: Vec::new(), ..table.schema().clone() })?)
}

/// The columns of a child and of the rows above it, in the form that keeps the constraints; none where there are no constraints.
fn constrained(name: &str, own: &Table, above: &Table, checks: &[String], run: &mut Run) -> Result<Option<Prepared>> {
    let mut constraints = own.schema().constraints.clone();
    constraints.extend(checks.iter().cloned().map(Constraint::Check));
    if constraints.is_empty() {
        return Ok(None);
    }
    let joint = beside(own, above)?;
    let schema = Schema { constraints, ..joint.schema().clone() };
    let prepared = Preparation::fit_as(&joint.with_schema(schema)?, Encoding::ExceptOrders, run.seed);
    let prepared = prepared.map_err(|error| Error::Config(format!("{name}: {error}")))?;
    prepared.notes.iter().for_each(|note| run.observer.event(Event::Note(&format!("{name}: {note}"))));
    Ok(Some(prepared))
}

/// The database with some of a table's rows.
fn with_rows(data: &Database, table: usize, kept: &[usize]) -> Result<Database> {
    let of = |(index, (name, rows)): (usize, &(String, Table))| (name.clone(), if index == table { rows.take(kept) } else { rows.clone() });
    Ok(Database::new(data.tables().iter().enumerate().map(of).collect(), data.keys().clone())?.data)
}

/// The role of a table that is published as it is.
fn reference(form: &Form, data: &Database, rows: &Rows, table: usize) -> Result<Role> {
    let name = &form.tables[table].name;
    for (place, foreign) in form.foreign(table).iter().enumerate() {
        if !form.is_reference(form.target(table, place)) {
            return Err(refers_to_new(name, &foreign.columns.join(", "), &foreign.table));
        }
    }
    let keys: HashSet<&str> = data.keys_of(table).names();
    let names = only(&data.tables()[table].1, |column| keys.contains(column))?;
    let whole = beside(&names, &only(&rows.own[table], |_| true)?)?;
    let csv = String::from_utf8(whole.to_bytes(TableFormat::Csv)?).map_err(|error| Error::Data(format!("{name}: {error}")))?;
    Ok(Role::Reference { schema: whole.schema().clone(), csv, links: rows.links[table].clone() })
}

/// Whether nearly all rows of a parent lie in the order of their times.
fn is_mostly_sorted(order: &[usize], links: &[u32], times: &[f64]) -> bool {
    const NEARLY_ALL: f64 = 0.9;
    let pairs = order.windows(2).filter(|pair| links[pair[0]] == links[pair[1]]);
    let (sorted, all) = pairs.fold((0, 0), |(sorted, all), pair| (sorted + usize::from(times[pair[0]] <= times[pair[1]]), all + 1));
    sorted as f64 >= NEARLY_ALL * f64::from(all)
}

/// The rows of a table as sequences, one for each row of the parent that has any; its columns are the attributes. They follow each other as they lie in the
/// table.
pub(crate) fn children(learned: &Table, own: &Table, context: &Table, links: &[u32]) -> Result<Series> {
    let time = own.iter().find(|(described, column)| described.kind == ColumnKind::Datetime && column.missing() == 0);
    let times = time.and_then(|(_, column)| column.numbers());
    let mut order: Vec<usize> = (0..own.rows()).filter(|&row| links[row] != NO_ROW).collect();
    order.sort_by_key(|&row| links[row]);
    // Of rows that lie as they happened, the few that do not are put in their place.
    if let Some(times) = times.filter(|times| is_mostly_sorted(&order, links, times)) {
        order.sort_by(|&a, &b| links[a].cmp(&links[b]).then(times[a].total_cmp(&times[b])));
    }
    let mut spans: Vec<std::ops::Range<usize>> = Vec::new();
    let mut parents: Vec<usize> = Vec::new();
    for (place, &row) in order.iter().enumerate() {
        let parent = links[row] as usize;
        match spans.last_mut().filter(|_| parents.last() == Some(&parent)) {
            Some(span) => span.end = place + 1,
            None => {
                spans.push(place..place + 1);
                parents.push(parent);
            }
        }
    }
    let rows = learned.take(&order);
    let mut name = "parent".to_owned();
    while context.schema().index_of(&name).is_ok() || rows.schema().index_of(&name).is_ok() {
        name.push('_');
    }
    let entities = beside(&numbered(&name, 0..parents.len() as u64)?, &context.take(&parents))?;
    let order = entities.schema().names().chain(rows.schema().names()).map(str::to_owned).collect();
    let layout = Layout { entity: Some(name), order, ..Layout::default() };
    let kind = Database::KIND;
    Series::new(rows, None, spans, Some(entities), layout).map_err(|error| Error::Data(format!("{kind}: {error}")))
}

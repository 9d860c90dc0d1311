//! A new database from fitted models: tables in the order in which rows come by each other, then what else they refer to, then names.

use std::collections::HashSet;

use semblant_core::memory::Memory;
use semblant_core::synthesizer::{Sample, Synthesizer};
use semblant_core::{Error, Result};
use semblant_data::database::{Database, DatabaseRequest, NO_ROW};
use semblant_data::table::{Column, IdFormat, MISSING, Schema, Table, TableRequest};
use semblant_tabular::constraints::Constraints;
use semblant_tabular::preparation::Preparation;

use crate::form::{Form, Role, reference};
use crate::matching::Matching;
use crate::relational::{Fitted, RelationalConfig, TableModel};
use crate::rows::{Rows, only};
use crate::{purpose, relative};

/// How often rows of a parent are drawn again until they meet the constraints.
const ATTEMPTS: u64 = 100;

/// A new database.
pub(crate) fn sample(config: &RelationalConfig, fitted: &Fitted, request: &DatabaseRequest) -> Result<Sample<Database>> {
    let form = &fitted.form;
    let sizes = sizes(form, request)?;
    let mut made = Rows::empty(form.tables.len())?;
    for &table in &form.order {
        made.links[table] = vec![Vec::new(); form.foreign(table).len()];
        match (&form.tables[table].role, form.parent(table)) {
            (Role::Reference { schema, csv, links }, _) => {
                // With their names, which no model sees.
                made.own[table] = reference(schema, csv)?;
                (made.count[table], made.links[table]) = (made.own[table].rows(), links.clone());
            }
            (_, None) => root(form, fitted, table, sizes[table], request, &mut made)?,
            (_, Some((foreign, parent))) => children(form, fitted, (table, foreign, parent), request.seed, &mut made)?,
        }
        if request.expressions.is_empty() && !form.is_reference(table) {
            made.own[table] = with_usual_counts(form, table, &made.own[table], request.seed)?;
        }
        if !fitted.texts[table].is_empty() {
            let whole = fitted.texts[table].fill(made.told(form, table)?, |row| row as u64, seed_of(request.seed, table, 0))?;
            let own: HashSet<&str> = made.own[table].schema().names().collect();
            made.own[table] = only(&whole, |name| own.contains(name))?;
        }
    }
    for &table in &form.order {
        let parent = form.parent(table).map(|(foreign, _)| foreign);
        for foreign in (0..form.foreign(table).len()).filter(|&foreign| Some(foreign) != parent && !form.is_reference(table)) {
            made.links[table][foreign] = referred(config, fitted, (table, foreign), request.seed, &made)?;
        }
    }
    let data = named(form, &made, request.seed)?;
    Ok(Sample { data, drawn_rows: request.rows.end })
}

/// The seed of a table, or of one of its keys.
fn seed_of(seed: u64, table: usize, part: usize) -> u64 {
    purpose::TABLES.of(seed).below(table as u64, part as u32, u64::MAX)
}

/// Numbers of children as they were in the training rows: the order of the rows by their drawn numbers stays, the numbers become quantiles. Without it a few
/// dozen rows would have numbers that differ from those of the training rows by chance.
fn with_usual_counts(form: &Form, table: usize, own: &Table, seed: u64) -> Result<Table> {
    let stream = purpose::TIES.of(seed_of(seed, table, 0));
    let mut columns = own.columns().to_vec();
    for (place, count) in form.tables[table].counts.iter().enumerate() {
        let index = own.schema().index_of(&count.column)?;
        let Column::Number(values) = &mut columns[index] else { continue };
        let mut order: Vec<usize> = (0..values.len()).collect();
        let tie = |row: usize| stream.uniform_f64(row as u64, place as u32);
        order.sort_by(|&a, &b| values[a].total_cmp(&values[b]).then(tie(a).total_cmp(&tie(b))));
        let rows = values.len();
        for (rank, row) in order.into_iter().enumerate() {
            let quantile = (2 * rank + 1) * count.quantiles.len() / (2 * rows);
            values[row] = f64::from(count.quantiles[quantile.min(count.quantiles.len() - 1)]);
        }
    }
    Ok(Table::new(own.schema().clone(), columns)?)
}

/// The rows of tables that come by no others.
fn sizes(form: &Form, request: &DatabaseRequest) -> Result<Vec<u64>> {
    if request.rows.start != 0 {
        return Err(Error::Config("rows of a database depend on each other, so they are made from the first on; ask for -n ROWS".into()));
    }
    let asked = request.rows.end as f64 / form.tables[form.root].rows as f64;
    let mut sizes: Vec<u64> = form.tables.iter().map(|table| ((table.rows as f64 * asked).round() as u64).max(1)).collect();
    sizes[form.root] = request.rows.end;
    let names = || form.tables.iter().enumerate().filter(|(table, _)| form.parent(*table).is_none() && !form.is_reference(*table));
    let place = |wanted: &str, option: &str| {
        let found = names().find(|(_, table)| table.name == wanted).map(|(place, _)| place);
        let listed = || names().map(|(_, table)| table.name.as_str()).collect::<Vec<_>>().join(", ");
        found.ok_or_else(|| Error::Config(format!("{option} {wanted}: the tables whose rows come by no others are {}", listed())))
    };
    for (table, rows) in &request.sizes {
        sizes[place(table, "--rows-of")?] = *rows;
    }
    for (table, _) in &request.expressions {
        place(table, "--where-table")?;
    }
    Ok(sizes)
}

fn root(form: &Form, fitted: &Fitted, table: usize, rows: u64, request: &DatabaseRequest, made: &mut Rows) -> Result<()> {
    let described = &form.tables[table];
    let seed = seed_of(request.seed, table, 0);
    let conditions = request.expressions.iter().filter(|(name, _)| *name == described.name).map(|(_, condition)| condition.clone());
    let conditions: Vec<String> = conditions.collect();
    made.count[table] = rows as usize;
    made.own[table] = match (&fitted.models[table], &described.role) {
        (Some(TableModel::Rows(model)), _) => {
            model.sample(&TableRequest { expressions: conditions, ..TableRequest::new(rows, seed) })?.data
        }
        (_, Role::Bare { preparation }) if conditions.is_empty() => bare(preparation.as_ref(), rows as usize, seed)?,
        _ => return Err(Error::Config(format!("{} says nothing that a condition can be about", described.name))),
    };
    Ok(())
}

/// Names and constants, which no model learns.
fn bare(preparation: Option<&Preparation>, rows: usize, seed: u64) -> Result<Table> {
    let Some(preparation) = preparation else { return Ok(Table::new(Schema::default(), Vec::new())?) };
    let nothing = preparation.schema.columns.iter().map(|described| match described.kind.is_number() {
        true => Column::Number(vec![f64::NAN; rows]),
        false => Column::Category { codes: vec![MISSING; rows], levels: Default::default() },
    });
    preparation.restore(Table::new(preparation.schema.clone(), nothing.collect())?, 0, seed)
}

/// The rows that come by each row of another table: as many as that one says.
fn children(form: &Form, fitted: &Fitted, (table, foreign, parent): (usize, usize, usize), seed: u64, made: &mut Rows) -> Result<()> {
    let described = &form.tables[table];
    let counts = form.count_column(parent, table, foreign).and_then(|name| made.own[parent].column(name).ok());
    let counts =
        counts.and_then(Column::numbers).ok_or_else(|| Error::Data(format!("{}: the numbers of rows are lost", described.name)))?;
    let lengths: Vec<usize> = counts.iter().map(|&count| if count >= 0.5 { count.round() as usize } else { 0 }).collect();
    let rows: usize = lengths.iter().sum();
    Memory::of_process().check(
        format!("{rows} rows of {}", described.name),
        rows as u64,
        16 * (described.schema.columns.len() as u64 + 1),
    )?;
    let owners: Vec<u32> = lengths.iter().enumerate().flat_map(|(parent, &length)| std::iter::repeat_n(parent as u32, length)).collect();
    made.count[table] = rows;
    made.links[table][foreign] = owners;
    let seed = seed_of(seed, table, 0);
    made.own[table] = match (&fitted.models[table], &described.role) {
        (Some(TableModel::Sequences(model)), Role::Learned { constrained }) => {
            let context = made.context(form, parent, true)?;
            match constrained {
                None => {
                    let addresses: Vec<u64> = (0..lengths.len() as u64).collect();
                    let learned = model.sample_children(&context, &lengths, &addresses, seed, None)?;
                    relative::restored(learned, &made.above(form, table, (foreign, parent), true)?, &described.relative)?
                }
                Some(preparation) => {
                    let constraints = preparation.constraints()?;
                    // An error shows when all rows are there.
                    let accept = |rows: &Table, parents: &[u64]| {
                        let context = context.take(&parents.iter().map(|&parent| parent as usize).collect::<Vec<_>>());
                        let found = relative::restored(rows.clone(), &context, &described.relative);
                        found
                            .and_then(|rows| restored((preparation, &constraints), &rows, &context, seed))
                            .map_or_else(|_| vec![true; parents.len()], |(_, kept)| kept)
                    };
                    let draw = |parents: &[usize], attempt: u64| {
                        let (some, lengths): (Table, Vec<usize>) =
                            (context.take(parents), parents.iter().map(|&parent| lengths[parent]).collect());
                        let addresses: Vec<u64> = parents.iter().map(|&parent| parent as u64).collect();
                        let learned = model.sample_children(&some, &lengths, &addresses, seed.wrapping_add(attempt), Some(&accept))?;
                        let owners: Vec<usize> =
                            lengths.iter().enumerate().flat_map(|(at, &length)| std::iter::repeat_n(at, length)).collect();
                        let some = some.take(&owners);
                        let learned = relative::restored(learned, &some, &described.relative)?;
                        restored((preparation, &constraints), &learned, &some, seed.wrapping_add(attempt))
                    };
                    constrained_rows(&described.name, &lengths, &draw)?
                }
            }
        }
        (_, Role::Bare { preparation }) => bare(preparation.as_ref(), rows, seed)?,
        _ => return Err(Error::Data(format!("the model of {} is lost; fit it again", described.name))),
    };
    Ok(())
}

/// The user's columns of learned ones, and whether each row keeps the constraints. `context` are the rows that they come by.
fn restored(
    (preparation, constraints): (&Preparation, &Constraints),
    learned: &Table,
    context: &Table,
    seed: u64,
) -> Result<(Table, Vec<bool>)> {
    let own: HashSet<&str> = learned.schema().names().collect();
    let columns = preparation.schema.names().map(|name| if own.contains(name) { learned.column(name) } else { context.column(name) });
    let columns: Vec<Column> = columns.map(|column| Ok(column?.clone())).collect::<Result<_>>()?;
    let mut schema = preparation.schema.clone();
    schema.constraints.clear();
    for described in &mut schema.columns {
        if let Ok(place) = learned.schema().index_of(&described.name) {
            *described = learned.schema().columns[place].clone();
        }
    }
    let whole = preparation.restore(constraints.restore(Table::new(schema, columns)?)?, 0, seed)?;
    // What the rows come by stays as it is.
    let columns: Vec<Column> = whole.iter().map(|(described, column)| context.column(&described.name).unwrap_or(column).clone()).collect();
    let kept = constraints.kept(&columns, whole.rows());
    Ok((only(&Table::new(whole.schema().clone(), columns)?, |name| own.contains(name))?, kept))
}

type Drawn = (Table, Vec<bool>);

/// Rows that keep the constraints: those of a parent are drawn again until all of them do.
fn constrained_rows(name: &str, lengths: &[usize], draw: &dyn Fn(&[usize], u64) -> Result<Drawn>) -> Result<Table> {
    let mut wanted: Vec<usize> = (0..lengths.len()).filter(|&parent| lengths[parent] > 0).collect();
    let mut parts: Vec<(usize, usize, usize)> = Vec::new();
    let mut tables: Vec<Table> = Vec::new();
    let mut attempt = 0;
    // The first one also where nothing is wanted, for the columns.
    while !wanted.is_empty() || tables.is_empty() {
        if attempt == ATTEMPTS {
            let what = format!(
                "{name}: rows of {} parents met the constraints in none of {ATTEMPTS} draws; the constraints are too rare",
                wanted.len()
            );
            return Err(Error::Condition(what));
        }
        let (rows, kept) = draw(&wanted, attempt)?;
        let mut first = 0;
        let mut left = Vec::new();
        for &parent in &wanted {
            let range = first..first + lengths[parent];
            first = range.end;
            if kept[range.clone()].iter().all(|kept| *kept) {
                parts.push((parent, tables.len(), range.start));
            } else {
                left.push(parent);
            }
        }
        tables.push(rows);
        (wanted, attempt) = (left, attempt + 1);
    }
    parts.sort_unstable();
    let mut whole = tables[0].take(&[]);
    let starts: Vec<usize> = tables
        .iter()
        .scan(0, |sum, table| {
            let start = *sum;
            *sum += table.rows();
            Some(start)
        })
        .collect();
    tables.iter().try_for_each(|table| whole.append(table))?;
    let order: Vec<usize> = parts
        .iter()
        .flat_map(|&(parent, table, start)| (0..lengths[parent]).map(move |row| (table, start + row)))
        .map(|(table, row)| starts[table] + row)
        .collect();
    Ok(whole.take(&order))
}

/// The rows of another table that the rows of a table refer to.
fn referred(config: &RelationalConfig, fitted: &Fitted, (table, foreign): (usize, usize), seed: u64, made: &Rows) -> Result<Vec<u32>> {
    let form = &fitted.form;
    let (described, target) = (&form.tables[table], form.target(table, foreign));
    let refers = match &described.flags[foreign] {
        None => vec![true; made.count[table]],
        Some(flag) => {
            let column = made.own[table].column(flag)?;
            (0..column.len()).map(|row| column.label(row) == Some("yes")).collect()
        }
    };
    let rows: Vec<usize> = (0..made.count[table]).filter(|&row| refers[row]).collect();
    let counts = form.count_column(target, table, foreign).and_then(|name| made.own[target].column(name).ok());
    let counts =
        counts.and_then(Column::numbers).ok_or_else(|| Error::Data(format!("{}: the numbers of rows are lost", described.name)))?;
    let capacities: Vec<f64> = counts.iter().map(|&count| if count > 0.0 { count } else { 0.0 }).collect();
    let points = match fitted.matchers[table].get(foreign).and_then(Option::as_ref) {
        Some(matcher) => Some(matcher.points(&made.seen(form, table)?, &made.seen(form, target)?)?),
        None => None,
    };
    let product = points.as_ref().map(|(own, other)| move |row: usize, candidate: usize| own.product(row, other, candidate));
    // Of a key that consists of this one and of the parent's, no two rows of a parent may have the same.
    let keys = form.keys.of(&described.name);
    let is_part = |place: usize| form.foreign(table)[place].columns.iter().all(|column| keys.key.contains(column));
    let counted: usize = described.counters.len();
    let group = form.parent(table).filter(|&(place, _)| is_part(place) && is_part(foreign) && counted == 0 && place != foreign);
    let matching = Matching {
        rows: &rows,
        capacities: &capacities,
        product: product.as_ref().map(|product| product as &dyn Fn(usize, usize) -> f32),
        group: group.map(|(place, _)| made.links[table][place].as_slice()),
        earlier: described.acyclic[foreign],
        candidates: config.matcher.candidates,
    };
    let mut links = vec![NO_ROW; made.count[table]];
    matching.choose(seed_of(seed, table, 1 + foreign)).into_iter().zip(&rows).for_each(|(chosen, &row)| links[row] = chosen);
    Ok(links)
}

/// The database with names for rows.
fn named(form: &Form, made: &Rows, seed: u64) -> Result<Database> {
    let mut tables = Vec::new();
    for (index, table) in form.tables.iter().enumerate() {
        let mut columns = Vec::new();
        for described in &table.schema.columns {
            columns.push(column_of(form, made, index, &described.name, seed, 0)?);
        }
        let schema = Schema { constraints: Vec::new(), ..table.schema.clone() };
        tables.push((table.name.clone(), Table::new(schema, columns)?));
    }
    // Rows whose key another one has by chance are left out.
    Ok(Database::new(tables, form.keys.clone())?.data)
}

/// A column of the user's: one of the table's own, a key of another table's row, or a new name.
fn column_of(form: &Form, made: &Rows, table: usize, name: &str, seed: u64, depth: usize) -> Result<Column> {
    let described = &form.tables[table];
    if depth > form.tables.len() {
        return Err(Error::Data(format!("{}.{name}: keys refer to each other in a circle; declare other keys", described.name)));
    }
    let rows = made.count[table];
    let schema = &described.schema.columns[described.schema.index_of(name)?];
    for (place, foreign) in form.foreign(table).iter().enumerate() {
        let Some(part) = foreign.columns.iter().position(|column| column == name) else { continue };
        let target = form.target(table, place);
        let key = &form.keys.of(&form.tables[target].name).key[part];
        let theirs =
            if target == table { own_name(form, made, target, key, seed)? } else { column_of(form, made, target, key, seed, depth + 1)? };
        return Ok(linked(&form.tables[target].schema, key, &theirs, &made.links[table][place]));
    }
    if let Some((_, first)) = described.counters.iter().find(|(counter, _)| counter == name) {
        let Some((foreign, parent)) = form.parent(table) else { return Ok(Column::Number(vec![f64::NAN; rows])) };
        let mut next = vec![*first; made.count[parent]];
        let numbers = made.links[table][foreign].iter().map(|&link| {
            let number = next[link as usize];
            next[link as usize] += 1;
            number
        });
        // A few numbers are read as labels.
        return Ok(match schema.kind.is_number() {
            true => Column::Number(numbers.map(|number| number as f64).collect()),
            false => Column::from_labels(numbers.map(|number| Some(number.to_string()))),
        });
    }
    if let Ok(own) = made.own[table].column(name) {
        return Ok(own.clone());
    }
    if schema.kind.is_name() {
        return own_name(form, made, table, name, seed);
    }
    Err(Error::Data(format!("{}.{name} is lost; fit the model again", described.name)))
}

/// New names of rows.
fn own_name(form: &Form, made: &Rows, table: usize, name: &str, seed: u64) -> Result<Column> {
    let described = &form.tables[table];
    if let Ok(own) = made.own[table].column(name) {
        return Ok(own.clone());
    }
    let format = described.schema.columns[described.schema.index_of(name)?].id.clone().unwrap_or(IdFormat::Uuid);
    let seed = seed_of(seed, table, 0);
    Ok(Column::from_labels((0..made.count[table] as u64).map(|row| Some(format.generate(row, seed)))))
}

/// The texts of a key, for rows that refer to it.
fn linked(schema: &Schema, key: &str, theirs: &Column, links: &[u32]) -> Column {
    let described = schema.index_of(key).ok().map(|place| &schema.columns[place]);
    let text = |row: usize| match theirs {
        Column::Category { .. } => theirs.label(row).map(str::to_owned),
        Column::Number(values) => described.filter(|_| !values[row].is_nan()).map(|described| described.format_number(values[row])),
    };
    Column::from_labels(links.iter().map(|&link| if link == NO_ROW { None } else { text(link as usize) }))
}

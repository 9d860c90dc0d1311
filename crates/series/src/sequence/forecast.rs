//! The continuation of given sequences.

use semblant_core::synthesizer::Sample;
use semblant_core::{Error, Result};
use semblant_data::series::{Clock, Series, SeriesOptions, SeriesRequest};
use semblant_data::table::{Column, ColumnKind, ColumnSchema, Schema, Table};
use semblant_masked_diffusion::Cell;

use super::form::{Form, free_name, with_gaps};
use super::sampling::{Plan, SEQUENCE, draw, series, with_names};
use super::times::time;
use super::{Fitted, SequenceConfig};

/// Further rows of given sequences: `request.horizon` of them, `request.draws` times each.
pub(super) fn continued(config: &SequenceConfig, fitted: &Fitted, init: &Series, request: &SeriesRequest) -> Result<Sample<Series>> {
    let form = &fitted.form;
    let Some(horizon) = request.horizon.filter(|&horizon| horizon > 0) else {
        return Err(Error::Config("--from gives the rows before; say with --horizon how many are to follow".into()));
    };
    // The model knows which columns name sequences and tell the time; a command that opens the rows can only guess.
    let names = SeriesOptions {
        entity: form.layout.entity.clone(),
        time: form.layout.clock.column().map(|column| column.name.clone()),
        if_there: true,
        ..SeriesOptions::default()
    };
    let init = &Series::grouped(init.to_table()?, None, &names)?.data;
    let gap = form.gap.as_deref().filter(|_| init.layout().clock.column().is_some());
    let rows = with_gaps(init, gap)?.conform(&form.tokens.decode(&[], &[], 0)?)?.table;
    if rows.schema().names().ne(form.tokens.schema.names()) {
        let names = form.tokens.schema.names().collect::<Vec<_>>().join(", ");
        return Err(Error::Data(format!("the given rows lack columns that the model learned: {names}, with their times")));
    }
    let cells = form.tokens.encode(&rows)?;
    let tokens = match (&fitted.attributes, &form.attributes) {
        (Some(model), Some(preparation)) => given_attributes(init, model.tokens(), preparation)?,
        _ => Vec::new(),
    };
    let (draws, kept) = (request.draws.max(1), config.cut(form).length);
    let plan = |item: usize| {
        let (sequence, draw) = (item / draws, item % draws);
        let length = init.length(sequence);
        let span = &init.spans()[sequence];
        let first = length.saturating_sub(4 * kept);
        let history = (first..length)
            .map(|index| {
                (cells.iter().map(|cells| cells[span.start + index]).collect(), index, time(init, sequence, known_place(form, index)))
            })
            .collect();
        let last = time(init, sequence, length - 1);
        let begin = match &form.layout.clock {
            Clock::Regular { step, .. } => last + step,
            _ => last,
        };
        let attributes = tokens.iter().map(|cells| cells[sequence]).collect();
        let address = (sequence as u64) << 24 | draw as u64;
        Plan { address, attributes, rows: horizon, warm_up: 0, place: length, length: length + horizon, begin, history }
    };
    let plans: Vec<Plan> = (0..init.count() * draws).map(plan).collect();
    let drawn = draw(fitted, &plans, request.seed, None)?;
    let name = |item: usize| {
        let own = init.entities().map_or_else(|| (item / draws).to_string(), |entities| entities.cell(item / draws, 0));
        if draws > 1 { format!("{own}-{}", item % draws + 1) } else { own }
    };
    let names = Column::from_labels((0..plans.len()).map(|item| Some(name(item))));
    let entities = match (&form.entity, init.entities()) {
        (Some(described), Some(entities)) => {
            let owners = entities.take(&(0..plans.len()).map(|item| item / draws).collect::<Vec<_>>());
            let (mut schema, columns) = (owners.schema().clone(), owners.columns()[1..].to_vec());
            schema.columns.remove(0);
            let own = if columns.is_empty() { None } else { Some(Table::new(schema, columns)?) };
            Some(with_names(described, names, own)?)
        }
        _ if plans.len() > 1 => Some(with_names(&ColumnSchema::new(free_name(&form.layout, SEQUENCE), ColumnKind::Id), names, None)?),
        _ => None,
    };
    let count = plans.len() as u64;
    Ok(Sample { data: series(fitted, drawn, entities, request)?, drawn_rows: count })
}

/// Of which place the time is known when the row at `index` is drawn.
fn known_place(form: &Form, index: usize) -> usize {
    if form.gap.is_some() { index.saturating_sub(1) } else { index }
}

/// The attributes of given sequences as cells, `[positions][sequences]`; the number of rows and what is not given are what the model thinks usual.
fn given_attributes(
    init: &Series,
    tokens: &semblant_tabular_masked::tokens::TableTokens,
    preparation: &semblant_tabular::preparation::Preparation,
) -> Result<Vec<Vec<Cell>>> {
    let columns = preparation.schema.columns.iter().map(|described| {
        let own = init.entities().and_then(|entities| entities.column(&described.name).ok());
        own.cloned().unwrap_or_else(|| match described.kind.is_number() {
            true => Column::Number(vec![f64::NAN; init.count()]),
            false => Column::from_labels(vec![None::<&str>; init.count()]),
        })
    });
    let schema = Schema { columns: preparation.schema.columns.clone(), ..Schema::default() };
    super::cells_of(tokens, &Table::new(schema, columns.collect())?)
}

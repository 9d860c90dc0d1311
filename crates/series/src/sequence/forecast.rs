//! The continuation of given sequences.

use semblant_core::Result;
use semblant_core::synthesizer::Sample;
use semblant_data::series::{Clock, Series, SeriesRequest};
use semblant_data::table::{Column, Schema, Table};
use semblant_masked_diffusion::Cell;
use semblant_tabular_masked::tokens::TableTokens;

use super::form::{Form, with_gaps};
use super::sampling::{Plan, decoded, draw};
use super::times::{known_place, time};
use super::{Fitted, SequenceConfig};
use crate::given::{Continuation, emptied, regrouped};

/// Given sequences as the model sees them.
pub(super) struct Shown {
    /// With the names and times that the model knows.
    pub(super) init: Series,
    /// `[positions][rows]`; what is missing in the file, and labels that the model does not know, are none.
    pub(super) cells: Vec<Vec<Option<Cell>>>,
    /// Their attributes, `[positions][sequences]`.
    pub(super) attributes: Vec<Vec<Cell>>,
    /// Their rows, with the columns that the model learned.
    pub(super) rows: Table,
}

impl Shown {
    /// The given sequences, without the cells of some columns.
    pub(super) fn of(fitted: &Fitted, init: &Series, redraw: &[String]) -> Result<Self> {
        let form = &fitted.form;
        let init = emptied(&regrouped(init, &form.layout, form.tokens.schema.names())?, redraw)?;
        let gap = form.gap.as_deref().filter(|_| init.layout().clock.column().is_some());
        let rows = with_gaps(&init, gap)?.conform(&form.tokens.decode(&[], &[], 0)?)?.table;
        if rows.schema().names().ne(form.tokens.schema.names()) {
            let absent = form.tokens.schema.names().filter(|name| rows.schema().index_of(name).is_err());
            let what = format!("the given rows lack columns that the model learned: {}", absent.collect::<Vec<_>>().join(", "));
            return Err(semblant_core::Error::Data(what));
        }
        let cells = form.tokens.encode(&rows)?;
        let attributes = match (&fitted.attributes, &form.attributes) {
            (Some(model), Some(preparation)) => given_attributes(&init, model.tokens(), preparation)?,
            _ => Vec::new(),
        };
        Ok(Self { init, cells, attributes, rows })
    }

    /// The same with nothing in the place of missing values, which else are a token like others where some were missing in training. The time since a
    /// row before that is not there is not missing.
    pub(super) fn without_missing(mut self, form: &Form) -> Self {
        let of_gap = form.gap.as_deref().and_then(|gap| form.tokens.schema.index_of(gap).ok());
        for (position, cells) in form.tokens.positions().iter().zip(&mut self.cells).filter(|(position, _)| Some(position.column) != of_gap)
        {
            let column = &self.rows.columns()[position.column];
            cells.iter_mut().enumerate().filter(|(row, _)| column.is_missing(*row)).for_each(|(_, cell)| *cell = None);
        }
        self
    }

    /// A row of a sequence, with its place and the time that is known when it is drawn.
    pub(super) fn row(&self, form: &Form, sequence: usize, index: usize) -> (Vec<Option<Cell>>, usize, f64) {
        let row = self.init.spans()[sequence].start + index;
        (self.cells.iter().map(|cells| cells[row]).collect(), index, time(&self.init, sequence, known_place(form.gap.is_some(), index)))
    }

    /// The attributes of a sequence.
    pub(super) fn attributes(&self, sequence: usize) -> Vec<Cell> {
        self.attributes.iter().map(|cells| cells[sequence]).collect()
    }
}

/// Further rows of given sequences: `horizon` of them, `request.draws` times each.
pub(super) fn continued(
    config: &SequenceConfig,
    fitted: &Fitted,
    init: &Series,
    horizon: usize,
    request: &SeriesRequest,
) -> Result<Sample<Series>> {
    let form = &fitted.form;
    let shown = Shown::of(fitted, init, &[])?;
    let init = &shown.init;
    let (draws, kept) = (request.draws.max(1), config.cut(form).length);
    let plan = |item: usize| {
        let (sequence, draw) = (item / draws, item % draws);
        let length = init.length(sequence);
        let first = length.saturating_sub(4 * kept);
        let history = (first..length).map(|index| shown.row(form, sequence, index)).collect();
        let last = time(init, sequence, length - 1);
        let begin = match &form.layout.clock {
            Clock::Regular { step, .. } => last + step,
            _ => last,
        };
        let attributes = shown.attributes(sequence);
        let address = (sequence as u64) << 24 | draw as u64;
        Plan { address, attributes, rows: horizon, warm_up: 0, place: length, length: length + horizon, begin, history }
    };
    let plans: Vec<Plan> = (0..init.count() * draws).map(plan).collect();
    let drawn = draw(fitted, &plans, request.seed, None)?;
    let times: Vec<f64> = drawn.iter().flat_map(|drawn| drawn.times.iter().copied()).collect();
    let rows: Vec<Vec<Cell>> = drawn.into_iter().flat_map(|drawn| drawn.rows).collect();
    let further = Continuation { init, horizon, draws };
    let data = further.series(decoded(fitted, &rows, request.seed)?, &form.layout, Some(times))?;
    Ok(Sample { data, drawn_rows: plans.len() as u64 })
}

/// The attributes of given sequences as cells, `[positions][sequences]`; the number of rows and what is not given are what the model thinks usual.
fn given_attributes(
    init: &Series,
    tokens: &TableTokens,
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

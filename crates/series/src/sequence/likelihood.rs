//! How probable given sequences are: exact, since rows are drawn one after the other and their columns in the order of the schema.
//!
//! `-log p(x) = -log p(attributes) - sum over rows and columns of log p(x_tc | rows before t, columns before c)`. Numbers have the density of their
//! bins, within which places count as uniform, or the share of a bin that rounds to them.

use std::ops::Range;

use rayon::prelude::*;
use semblant_core::Result;
use semblant_core::memory::Memory;
use semblant_core::synthesizer::Likelihood;
use semblant_data::series::Series;
use semblant_data::table::{Column, Schema, Table};
use semblant_masked_diffusion::{Cell, log_likelihoods};
use semblant_tabular::completion::{Completion, mixture};
use semblant_tabular_masked::net::Prepared;

use super::block::{BLOCK, Block};
use super::forecast::Shown;
use super::sampling::Plan;
use super::{Fitted, Sequence, form};
use crate::given::regrouped;

/// Successive rows that are judged one after the other; others at the same time.
const SEGMENT: usize = 512;
/// The most orders of attributes, of whose mixture further ones tell next to nothing.
const MOST_ORDERS: usize = 32;

/// Some successive rows of a sequence.
struct Segment {
    sequence: usize,
    rows: Range<usize>,
}

/// Names of columns, and the nats of each in every sequence.
type Parts = Vec<(String, Vec<f64>)>;

impl Sequence {
    /// The nats of the columns of rows, free texts included.
    fn nats_of_rows(&self, fitted: &Fitted, data: &Series) -> Result<Parts> {
        let Fitted { form, layouts, net, texts, .. } = fitted;
        let shown = Shown::of(fitted, &texts.plain(data)?, &[])?;
        let init = &shown.init;
        let (rows, width) = (init.rows().rows() as u64, layouts.rows.spans.len() as u64);
        Memory::of_process().check(format!("{} sequences of {rows} rows in all", init.count()), rows, 64 * width)?;
        let of_sequence = |sequence: usize| {
            let length = init.length(sequence);
            (0..length).step_by(SEGMENT).map(move |start| Segment { sequence, rows: start..length.min(start + SEGMENT) })
        };
        let segments: Vec<Segment> = (0..init.count()).flat_map(of_sequence).collect();
        let prepared = Prepared::new(&net.decoder, &layouts.rows);
        let kept = 2 * self.config.cut(form).length;
        let of_blocks: Vec<Vec<Vec<f64>>> =
            segments.par_chunks(BLOCK).map(|segments| judged(fitted, &prepared, &shown, segments, kept)).collect();
        let mut parts: Parts = form.tokens.schema.names().map(|name| (name.to_owned(), vec![0.0; init.count()])).collect();
        for (segment, nats) in segments.iter().zip(of_blocks.into_iter().flatten()) {
            let start = init.spans()[segment.sequence].start;
            for (column, (_, sums)) in parts.iter_mut().enumerate() {
                let own = &shown.rows.columns()[column];
                let within: f64 = segment.rows.clone().map(|index| form.tokens.within(column, own, start + index)).sum();
                sums[segment.sequence] += nats[column] + within;
            }
        }
        parts.retain(|(name, _)| form.tokens.schema.columns.iter().any(|column| column.name == *name && column.kind.is_modelled()));
        parts.extend(texts.nats_of_rows(data)?);
        Ok(parts)
    }

    /// The nats of the attributes, of the number of rows and of the first time, `[orders][sequences][columns]`, and their names.
    fn nats_of_attributes(&self, fitted: &Fitted, data: &Series, orders: usize, seed: u64) -> Result<(Vec<String>, Vec<Vec<Vec<f64>>>)> {
        let (Some(model), Some(preparation)) = (&fitted.attributes, &fitted.form.attributes) else { return Ok(Default::default()) };
        let own = form::attributes(&fitted.texts.plain(data)?, &mut None)?;
        let columns = preparation.schema.columns.iter().map(|described| match own.column(&described.name) {
            Ok(column) => column.clone(),
            Err(_) if described.kind.is_number() => Column::Number(vec![f64::NAN; own.rows()]),
            Err(_) => Column::from_labels(vec![None::<&str>; own.rows()]),
        });
        let table = Table::new(Schema { columns: preparation.schema.columns.clone(), ..Schema::default() }, columns.collect())?;
        let nats = self.config.attributes.negative_log_likelihoods(model, &table, orders.clamp(1, MOST_ORDERS), seed)?;
        Ok((table.schema().names().map(str::to_owned).collect(), nats))
    }
}

impl Likelihood<Series> for Sequence {
    /// `samples` is the number of orders of the attributes, of which the model is a mixture, up to 32; rows have one order.
    fn negative_log_likelihoods(&self, data: &Series, samples: usize, seed: u64) -> Result<Vec<f64>> {
        let fitted = self.fitted()?;
        let data = &regrouped(data, &fitted.form.layout, fitted.form.tokens.schema.names())?;
        let rows = self.nats_of_rows(fitted, data)?;
        let (_, attributes) = self.nats_of_attributes(fitted, data, samples, seed)?;
        let texts = fitted.texts.nats_of_attributes(data)?;
        let of = |sequence: usize| {
            let orders: Vec<f64> = attributes.iter().map(|order| order[sequence].iter().sum()).collect();
            let own = if orders.is_empty() { 0.0 } else { mixture(&orders) };
            own + rows.iter().chain(&texts).map(|(_, nats)| nats[sequence]).sum::<f64>()
        };
        Ok((0..data.count()).map(of).collect())
    }

    fn parts(&self, data: &Series, samples: usize, seed: u64) -> Result<Parts> {
        let fitted = self.fitted()?;
        let data = &regrouped(data, &fitted.form.layout, fitted.form.tokens.schema.names())?;
        let mut parts = self.nats_of_rows(fitted, data)?;
        let (names, attributes) = self.nats_of_attributes(fitted, data, samples, seed)?;
        parts.extend(names.into_iter().enumerate().map(|(column, name)| {
            let mean = |sequence: usize| attributes.iter().map(|order| order[sequence][column]).sum::<f64>() / attributes.len() as f64;
            (name, (0..data.count()).map(mean).collect())
        }));
        parts.extend(fitted.texts.nats_of_attributes(data)?);
        Ok(parts)
    }
}

/// The nats of the tokens of every column of some segments, `[segments][columns]`; each is given up to `kept` rows before it.
fn judged(fitted: &Fitted, prepared: &Prepared<'_>, shown: &Shown, segments: &[Segment], kept: usize) -> Vec<Vec<f64>> {
    let Fitted { form, layouts, .. } = fitted;
    let (positions, width) = (form.tokens.positions(), layouts.rows.spans.len());
    let plan = |Segment { sequence, rows }: &Segment| Plan {
        address: 0,
        attributes: shown.attributes(*sequence),
        rows: rows.len(),
        warm_up: 0,
        place: rows.start,
        length: shown.init.length(*sequence),
        begin: shown.row(form, *sequence, rows.start).2,
        history: (rows.start.saturating_sub(kept)..rows.start).map(|index| shown.row(form, *sequence, index)).collect(),
    };
    let plans: Vec<Plan> = segments.iter().map(plan).collect();
    let mut block = Block::new(fitted, prepared, &plans);
    block.remember();
    let mut nats = vec![vec![0.0; form.tokens.columns.len()]; segments.len()];
    for step in 0..plans.iter().map(|plan| plan.rows).max().unwrap_or(0) {
        let row = |row: usize| {
            let segment = segments.get(row).filter(|segment| step < segment.rows.len())?;
            Some(shown.row(form, segment.sequence, segment.rows.start + step))
        };
        let rows: Vec<Option<(Vec<Option<Cell>>, usize, f64)>> = (0..BLOCK).map(row).collect();
        let known = block.known(&|plan, row| rows[row].as_ref().map_or((plan.begin, plan.place), |row| (row.2, row.1)));
        let cells: Vec<Vec<Option<Cell>>> =
            rows.into_iter().map(|row| row.map_or_else(|| vec![None; width], |(cells, _, _)| cells)).collect();
        let orders: Vec<Vec<usize>> =
            cells.iter().map(|cells| (0..width).filter(|&position| cells[position].is_some()).collect()).collect();
        let found = log_likelihoods(&block.row(known.clone()), &cells, &orders);
        for (nats, (order, found)) in nats.iter_mut().zip(orders.iter().zip(found)) {
            order.iter().zip(found).for_each(|(&position, found)| nats[positions[position].column] -= found);
        }
        block.advance(cells.into_iter().flatten().collect(), known);
    }
    nats
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use semblant_core::synthesizer::{Run, Synthesizer};
    use semblant_data::series::{Clock, Layout, SeriesRequest};
    use semblant_data::table::{ColumnKind, ColumnSchema};
    use semblant_masked_diffusion::{CrossEntropy, Orders};
    use serde_json::json;

    use super::super::cells_of;
    use super::super::chunks::{Chunk, Cut, Data, Randomness, purpose};
    use super::*;

    fn series(sequences: &[Vec<&str>]) -> Series {
        let of = |name: &str, kind: ColumnKind, labels: Vec<Option<String>>| {
            Table::from_columns(vec![(name, kind, Column::from_labels(labels))]).expect("sound")
        };
        let rows = of("l", ColumnKind::Categorical, sequences.iter().flatten().map(|label| Some((*label).to_owned())).collect());
        let entities = of("id", ColumnKind::Id, (0..sequences.len()).map(|index| Some(index.to_string())).collect());
        let spans = sequences.iter().scan(0, |end, labels| {
            *end += labels.len();
            Some(*end - labels.len()..*end)
        });
        let layout = Layout { entity: Some("id".into()), order: vec!["id".into(), "l".into()], ..Layout::default() };
        Series::new(rows, None, spans.collect(), Some(entities), layout).expect("sound")
    }

    /// Training, which sees a chunk at once, and sampling, which goes row by row, have one law: the row before, that of the day before, and all that
    /// moves as a day ago.
    #[test]
    fn likelihoods_row_by_row_are_those_of_chunks() {
        let wave = |hour: usize| (std::f64::consts::TAU * hour as f64 / 24.0).sin() * 8.0 + ((hour * 7919) % 13) as f64 * 0.4;
        let values = (0..200).map(|hour| if hour % 37 == 5 { f64::NAN } else { wave(hour).round() });
        let rows = Table::from_columns(vec![("x", ColumnKind::Integer, Column::Number(values.collect()))]).expect("sound");
        let column = ColumnSchema::new("t", ColumnKind::Datetime);
        let clock = Clock::Regular { column, first: 1.0e9, step: 3600.0 };
        let layout = Layout { clock, order: vec!["t".into(), "x".into()], ..Layout::default() };
        let data = Series::new(rows, None, vec![0..200], None, layout).expect("sound");
        let settings = json!({ "rows": 960, "chunk_rows": 48, "width": 16 });
        let mut model = Sequence::new(serde_json::from_value(settings).expect("settings")).expect("in range");
        model.fit(&data, &mut Run::new(Device::flex(), 1)).expect("fits");
        let fitted = model.fitted().expect("fitted");
        assert_eq!(fitted.form.rows_of_a_day, 24);
        let cells = cells_of(&fitted.form.tokens, data.rows()).expect("the same columns");
        let (layout, form) = (&fitted.layouts.rows, &fitted.form);
        let standings = form.standings(&data, layout, &cells);
        let of_data = Data {
            series: &data,
            cells: &cells,
            layout,
            attributes: &[],
            known: form.known,
            irregular: false,
            rows_of_a_day: 24,
            standings: &standings,
        };
        let cut = Cut { length: 200, warm_up: 0, begins: true };
        let random = Randomness { shown: purpose::SHOWN.of(0), learning: None, past_dropout: 0.0, alone: None };
        let batch = of_data.batch(&[Chunk { sequence: 0, start: 0 }], cut, 0..1, &Orders::random(1), 0.0, &random);
        let logits = fitted.net.forward(&batch, &fitted.layouts, 24, form.chosen.hidden, &[], &Device::flex());
        let (loss, _) = CrossEntropy::plain(layout.spans.clone(), &Device::flex()).with_gradient(&logits, &batch.rows.targets);
        let whole = f64::from(semblant_core::host::scalar(loss)) * 200.0;
        let within: f64 = (0..200).map(|row| form.tokens.within(0, &data.rows().columns()[0], row)).sum();
        let found = model.negative_log_likelihoods(&data, 1, 0).expect("series")[0] - within;
        assert!((whole - found).abs() < 1e-4 * whole, "{whole} at once, {found} row by row");
        assert!(found / 200.0 > 0.1);
    }

    /// Two labels in sequences of up to two rows: all that can be.
    #[test]
    fn likelihoods_of_all_sequences_sum_to_one_and_are_those_of_samples() {
        let known = [vec!["a"], vec!["b"], vec!["a", "b"], vec!["b", "a"], vec!["a", "a"], vec!["b", "b"]];
        let learned: Vec<Vec<&str>> = (0..240).map(|index| known[[0, 2, 2, 3, 1, 2, 4, 5][index % 8]].clone()).collect();
        let settings = json!({ "rows": 4800, "chunk_rows": 4, "width": 16, "attributes": { "rows": 8000, "width": 16 } });
        let mut model = Sequence::new(serde_json::from_value(settings).expect("settings")).expect("in range");
        model.fit(&series(&learned), &mut Run::new(Device::flex(), 1)).expect("fits");
        let nats = model.negative_log_likelihoods(&series(&known), 4, 0).expect("sequences");
        let shares: Vec<f64> = nats.iter().map(|nats| (-nats).exp()).collect();
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 0.01, "{shares:?}");
        let sample = model.sample(&SeriesRequest::new(4000, 3)).expect("possible").data;
        for (known, share) in known.iter().zip(&shares) {
            let labels = |sequence: usize| -> Vec<String> {
                let column = &sample.rows().columns()[0];
                sample.spans()[sequence].clone().filter_map(|row| column.label(row).map(str::to_owned)).collect()
            };
            let seen = (0..4000).filter(|&sequence| labels(sequence) == *known).count() as f64 / 4000.0;
            assert!((seen - share).abs() < 0.03, "{known:?}: {seen}, {share}");
        }
        let parts = model.parts(&series(&known), 1, 0).expect("sequences");
        let one = model.negative_log_likelihoods(&series(&known), 1, 0).expect("sequences");
        for (sequence, nats) in one.iter().enumerate() {
            let sum: f64 = parts.iter().map(|(_, nats)| nats[sequence]).sum();
            assert!((sum - nats).abs() < 1e-9);
        }
    }
}

//! Which row of another table a row refers to: how much more often two rows belong together than by chance.
//!
//! Two networks map a row, and a row that it may refer to, to points whose product is the logarithm of p(row, other) / (p(row) p(other)): noise contrastive
//! estimation against the other rows of a batch (van den Oord et al. 2018, "Representation learning with contrastive predictive coding", eq. 4 and 5).
//! How often a row is referred to at all is no matter of this network but of the number that its own model draws for it.

use std::collections::HashSet;

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};
use semblant_core::config::check_range;
use semblant_core::model::{Part, Step};
use semblant_core::nn::{Init, Linear, LinearConfig, drawn, init_streams, silu};
use semblant_core::optim::{Adam, LrSchedule, Optimizers};
use semblant_core::{Result, host};
use semblant_data::table::Table;
use semblant_masked_diffusion::Cell;
use semblant_tabular_masked::bins::BinsConfig;
use semblant_tabular_masked::features::{Shown, constant, features};
use semblant_tabular_masked::net::{Layout, MOST_FREQUENCIES};
use semblant_tabular_masked::tokens::TableTokens;
use serde::{Deserialize, Serialize};

use crate::purpose;

/// Settings of a matcher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MatcherConfig {
    /// The most steps of training; it ends when the held-out loss no longer improves.
    pub steps: u64,
    /// Rows of a step, each of which is told from the others.
    pub batch_rows: usize,
    /// Width of the hidden layer of both networks.
    pub width: usize,
    /// Values of a point.
    pub dimensions: usize,
    /// Values of a token's embedding.
    pub embedding: usize,
    /// Sines and cosines, each, that tell the place of a number.
    pub frequencies: usize,
    /// The most bins of a number.
    pub bins: usize,
    /// The share of the rows referred to that is held out.
    pub validation: f64,
    /// The learning rate.
    pub learning_rate: f64,
    /// Rows that a row chooses from while it is drawn.
    pub candidates: usize,
}

impl Default for MatcherConfig {
    fn default() -> Self {
        Self {
            steps: 2_000,
            batch_rows: 256,
            width: 64,
            dimensions: 32,
            embedding: 8,
            frequencies: 6,
            bins: 50,
            validation: 0.15,
            learning_rate: 2e-3,
            candidates: 64,
        }
    }
}

impl MatcherConfig {
    /// Whether the settings can be used.
    ///
    /// # Errors
    /// A setting out of its range.
    pub fn check(&self) -> Result<()> {
        check_range("matcher.steps", self.steps as usize, 0, 1 << 24)?;
        check_range("matcher.batch_rows", self.batch_rows, 2, 1 << 14)?;
        check_range("matcher.width", self.width, 1, 1 << 12)?;
        check_range("matcher.dimensions", self.dimensions, 1, 1 << 10)?;
        check_range("matcher.embedding", self.embedding, 1, 1 << 10)?;
        check_range("matcher.frequencies", self.frequencies, 0, MOST_FREQUENCIES)?;
        check_range("matcher.bins", self.bins, 2, 1 << 12)?;
        check_range("matcher.validation", self.validation, 0.01, 0.5)?;
        check_range("matcher.learning_rate", self.learning_rate, 0.0, 1.0)?;
        check_range("matcher.candidates", self.candidates, 1, 1 << 16)
    }
}

/// How the rows of a table are told.
#[derive(Debug, Clone)]
pub(crate) struct Side {
    pub(crate) tokens: TableTokens,
    layout: Layout,
}

impl Side {
    pub(crate) fn new(tokens: TableTokens, config: &MatcherConfig) -> Self {
        Self { layout: Layout::new(&tokens, config.frequencies), tokens }
    }

    /// The cells of a table, `[positions][rows]`; a label that is not known is not shown.
    fn cells(&self, table: &Table) -> Result<Vec<Vec<Option<Cell>>>> {
        self.tokens.encode(table)
    }
}

/// From a row to a point.
#[derive(Module, Debug)]
struct Tower {
    /// `[tokens and masks, embedding]`.
    embedding: Param<Tensor<2>>,
    inner: Linear,
    outer: Linear,
}

impl Tower {
    fn new(layout: &Layout, config: &MatcherConfig, stream: &mut impl FnMut() -> semblant_core::seeds::Stream, device: &Device) -> Self {
        let entries = layout.spans.width() + layout.spans.len();
        let shape = [entries, config.embedding];
        let spread = 1.0 / (config.embedding as f32).sqrt();
        let width = layout.spans.len() * config.embedding + layout.places_width();
        Self {
            embedding: drawn(Init::Normal(spread), (0, 0), shape, (stream(), 0), device),
            inner: LinearConfig::new(width, config.width).init(stream(), device),
            outer: LinearConfig::new(config.width, config.dimensions).init(stream(), device),
        }
    }

    /// Points of rows, `[count, dimensions]`.
    fn points(&self, layout: &Layout, count: usize, cells: Shown<'_>) -> Tensor<2> {
        self.outer.forward(silu(self.inner.forward(features(self.embedding.val(), layout, count, cells))))
    }
}

/// Both networks.
#[derive(Module, Debug)]
pub(crate) struct Pair {
    own: Tower,
    other: Tower,
}

impl Pair {
    fn new(own: &Side, other: &Side, config: &MatcherConfig, seed: u64, device: &Device) -> Self {
        let mut stream = init_streams(seed);
        Self { own: Tower::new(&own.layout, config, &mut stream, device), other: Tower::new(&other.layout, config, &mut stream, device) }
    }
}

/// How rows and those that they refer to belong together.
#[derive(Debug)]
pub struct Matcher {
    pub(crate) own: Side,
    pub(crate) other: Side,
    pub(crate) net: Pair,
}

/// Points of many rows, `[rows, dimensions]` row-major.
#[derive(Debug, Clone)]
pub struct Points {
    values: Vec<f32>,
    dimensions: usize,
}

impl Points {
    /// The product of the points of two rows: the logarithm of how much more often they belong together than by chance.
    pub fn product(&self, row: usize, others: &Self, other: usize) -> f32 {
        let (width, at) = (self.dimensions, |points: &Self, row: usize| row * points.dimensions);
        let (own, their) = (&self.values[at(self, row)..][..width], &others.values[at(others, other)..][..width]);
        own.iter().zip(their).map(|(a, b)| a * b).sum()
    }
}

/// Fewer rows than this are referred to: what they have in common with those that refer to them is not learned, unless they are always the same rows.
const FEW: usize = 10;
/// Steps between two judgements.
const EVERY: u64 = 50;
/// Judgements without progress that end the training.
const PATIENCE: u32 = 6;
/// Rows that are judged at once, and how many in all.
const JUDGED: usize = 256;
const MOST_JUDGED: usize = 16 * JUDGED;
/// The logit of a row that is no alternative, since it is the same.
const NEVER: f32 = -1e9;
/// What it has to gain over chance, in nats, to be used.
const WORTH: f64 = 0.01;

impl Matcher {
    /// Learns which rows of `other` rows of `own` refer to; `links` has pairs of them. None where nothing is to be learned, or what is learned does not hold
    /// for rows that were held out: of those referred to, or, where these are `always` the same, of those that refer.
    ///
    /// # Errors
    /// Tables that a model cannot learn.
    pub fn fit(
        own: &Table,
        other: &Table,
        links: &[(usize, usize)],
        always: bool,
        config: &MatcherConfig,
        (seed, device): (u64, &Device),
    ) -> Result<Option<(Self, f64)>> {
        let is_modelled = |table: &Table| table.schema().columns.iter().any(|described| described.kind.is_modelled());
        let referred: HashSet<usize> = links.iter().map(|&(_, other)| other).collect();
        if !is_modelled(own) || !is_modelled(other) || referred.len() < if always { 2 } else { FEW } || config.steps == 0 {
            return Ok(None);
        }
        let bins = BinsConfig { bins: config.bins, most_single: 8 * config.bins };
        let side = |table: &Table| Ok::<_, semblant_core::Error>(Side::new(TableTokens::fit(table, &bins)?, config));
        let (own_side, other_side) = (side(own)?, side(other)?);
        let (learned, held) = split(links, other.rows(), always, config.validation, seed);
        if learned.len() < 2 || held.len() < 2 {
            return Ok(None);
        }
        let (own_cells, other_cells) = (own_side.cells(own)?, other_side.cells(other)?);
        let loss = |net: &Pair, pairs: &[(usize, usize)]| {
            let device = net.own.inner.weight.val().device();
            let points = |tower: &Tower, side: &Side, cells: &[Vec<Option<Cell>>], of: &dyn Fn(usize) -> usize| {
                tower.points(&side.layout, pairs.len(), &|row, position| cells[position][of(row)])
            };
            let own = points(&net.own, &own_side, &own_cells, &|row| pairs[row].0);
            let other = points(&net.other, &other_side, &other_cells, &|row| pairs[row].1);
            contrastive(own, other, pairs, &device)
        };
        let device_of_training = device.clone().autodiff();
        let mut net = Pair::new(&own_side, &other_side, config, seed, &device_of_training);
        let settings = Adam { learning_rate: config.learning_rate, schedule: LrSchedule::Cosine, clip_norm: 10.0, ..Adam::default() };
        let mut optimizers = Optimizers::default().with("net", settings);
        let judge = |net: &Pair| {
            let judged: Vec<(f64, f64, usize)> = held
                .chunks(JUDGED)
                .filter(|pairs| pairs.len() > 1)
                .map(|pairs| (f64::from(host::scalar(loss(net, pairs))), chance(pairs), pairs.len()))
                .collect();
            let rows: usize = judged.iter().map(|part| part.2).sum();
            judged.iter().map(|(loss, chance, count)| (chance - loss) * *count as f64).sum::<f64>() / rows.max(1) as f64
        };
        let (mut best, mut best_gain, mut since) = (net.valid(), 0.0, 0);
        for index in 0..config.steps {
            let batch_rows = config.batch_rows as u64;
            let step = Step {
                index,
                rows_seen: index * batch_rows,
                total_rows: config.steps * batch_rows,
                batch_rows,
                seed,
                part: Part::WHOLE,
                rate: 1.0,
            };
            let stream = step.stream(purpose::ROWS);
            let pairs: Vec<(usize, usize)> =
                step.rows().map(|address| learned[stream.below(address, 0, learned.len() as u64) as usize]).collect();
            let gradients = GradientsParams::from_grads(loss(&net, &pairs).backward(), &net);
            net = optimizers.step("net", net, gradients, &step);
            if (index + 1) % EVERY == 0 {
                let now = net.valid();
                let gain = judge(&now);
                if gain > best_gain {
                    (best, best_gain, since) = (now, gain, 0);
                } else {
                    since += 1;
                    if since >= PATIENCE {
                        break;
                    }
                }
            }
        }
        Ok((best_gain > WORTH).then_some((Self { own: own_side, other: other_side, net: best }, best_gain)))
    }

    /// A network of these sides whose weights are to be loaded.
    pub(crate) fn unloaded(own: TableTokens, other: TableTokens, config: &MatcherConfig, device: &Device) -> Self {
        let (own, other) = (Side::new(own, config), Side::new(other, config));
        let net = Pair::new(&own, &other, config, 0, device);
        Self { own, other, net }
    }

    /// The points of rows that refer, and of rows that may be referred to.
    ///
    /// # Errors
    /// Tables of other columns.
    pub fn points(&self, own: &Table, other: &Table) -> Result<(Points, Points)> {
        Ok((of_table(&self.net.own, &self.own, own)?, of_table(&self.net.other, &self.other, other)?))
    }
}

fn of_table(tower: &Tower, side: &Side, table: &Table) -> Result<Points> {
    // Always so many, since a product may order its sums by its shape.
    const BLOCK: usize = 256;
    let cells = side.cells(table)?;
    let mut values = Vec::new();
    let mut dimensions = 1;
    for first in (0..table.rows()).step_by(BLOCK) {
        let kept = BLOCK.min(table.rows() - first);
        let points = tower.points(&side.layout, BLOCK, &|row, position| cells[position].get(first + row).copied().flatten());
        dimensions = points.dims()[1];
        host::read(&points, |points| values.extend_from_slice(&points[..kept * dimensions]));
    }
    Ok(Points { values, dimensions })
}

/// Pairs to learn from, and pairs to judge by.
fn split(links: &[(usize, usize)], others: usize, always: bool, share: f64, seed: u64) -> (Vec<(usize, usize)>, Vec<(usize, usize)>) {
    let stream = purpose::HELD_OUT.of(seed);
    let count = if always { links.len() } else { others };
    let order = stream.permutation(0, count);
    let mut is_held = vec![false; count];
    order.iter().take(((count as f64 * share) as usize).max(2)).for_each(|&place| is_held[place] = true);
    let held = |index: usize, other: usize| is_held[if always { index } else { other }];
    let (held, learned): (Vec<_>, Vec<_>) = links.iter().enumerate().partition(|(index, (_, other))| held(*index, *other));
    let plain = |pairs: Vec<(usize, &(usize, usize))>| pairs.into_iter().map(|(_, &pair)| pair).collect::<Vec<_>>();
    let held = plain(held);
    // In an order of their own: rows of one parent lie together in a file.
    let order = stream.permutation(1, held.len());
    (plain(learned), order.into_iter().take(MOST_JUDGED).map(|place| held[place]).collect())
}

/// The mean of -log p of each row's own other among those of the batch; rows with the same one are no alternatives.
fn contrastive(own: Tensor<2>, other: Tensor<2>, pairs: &[(usize, usize)], device: &Device) -> Tensor<1> {
    let count = pairs.len();
    let (mut never, mut right) = (vec![0.0; count * count], vec![0.0; count * count]);
    for (row, (_, a)) in pairs.iter().enumerate() {
        for (column, (_, b)) in pairs.iter().enumerate() {
            if row == column {
                right[row * count + column] = -1.0 / count as f32;
            } else if a == b {
                never[row * count + column] = NEVER;
            }
        }
    }
    let logits = own.matmul(other.transpose()) + constant(never, [count, count], device); // [count, count]
    (log_softmax(logits, 1) * constant(right, [count, count], device)).sum()
}

/// What the same is by chance.
fn chance(pairs: &[(usize, usize)]) -> f64 {
    let alternatives = |other: usize| 1 + pairs.iter().filter(|pair| pair.1 != other).count();
    pairs.iter().map(|&(_, other)| (alternatives(other) as f64).ln()).sum::<f64>() / pairs.len() as f64
}

#[cfg(test)]
mod tests {
    use semblant_core::seeds::Stream;
    use semblant_data::table::{Column, ColumnKind};

    use super::*;

    fn numbers(name: &str, values: Vec<f64>) -> Table {
        Table::from_columns(vec![(name, ColumnKind::Continuous, Column::Number(values))]).expect("sound")
    }

    /// Orders of a product cost what the product costs, nearly: the matcher says which products fit, also for products it has not seen.
    #[test]
    fn what_belongs_together_is_learned_and_chance_is_not() {
        let stream = Stream::new(3, 0);
        let price = |product: u64| 1.0 + 99.0 * stream.uniform_f64(product, 0);
        let products = numbers("price", (0..200).map(price).collect());
        let links: Vec<(usize, usize)> = (0..3000).map(|row| (row, stream.below(row as u64, 1, 200) as usize)).collect();
        let paid = links.iter().map(|&(row, product)| price(product as u64) * (0.95 + 0.1 * stream.uniform_f64(row as u64, 2))).collect();
        let config = MatcherConfig { steps: 600, ..MatcherConfig::default() };
        let fit = |own: &Table| Matcher::fit(own, &products, &links, false, &config, (1, &Device::flex())).expect("sound");
        let own = numbers("paid", paid);
        let (matcher, gain) = fit(&own).expect("something to learn");
        assert!(gain > 0.8, "{gain}");
        let (points, others) = matcher.points(&own, &products).expect("the same columns");
        let paid = own.columns()[0].numbers().expect("numbers");
        let right = (0..300).filter(|&row| {
            let best = (0..200).max_by(|&a, &b| points.product(row, &others, a).total_cmp(&points.product(row, &others, b))).expect("some");
            (price(best as u64) / paid[row] - 1.0).abs() < 0.25
        });
        assert!(right.count() > 240);
        let unrelated = numbers("paid", (0..3000).map(|row| stream.uniform_f64(row, 7)).collect());
        assert!(fit(&unrelated).is_none_or(|(_, gain)| gain < 0.05));
    }
}

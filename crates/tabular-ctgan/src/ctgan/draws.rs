//! What a step of CTGAN draws: conditions of fake rows, and real rows that meet them. A device with kernels draws by itself; else the host
//! does, and hands over where things stand. Both give the same.

use burn::tensor::{Device, Int, Tensor};
use rayon::prelude::*;
use semblant_core::host;
use semblant_core::model::Step;
use semblant_data::table::encode::EncodedTable;
use semblant_tabular::rejection::ConditionValue;

use super::{CtganConfig, Purpose, Shape, SubStep};
use crate::condition_sampler::{ConditionSampler, SamplerStreams};
use crate::conditions::{ConditionVector, TrainingSampler, write_row};
use crate::row_layout::DeviceTable;

/// The table to learn from; the same for every step.
#[derive(Debug)]
pub struct CtganBatch {
    /// The encoded table.
    encoded: EncodedTable,
    /// Draws conditions and rows from it.
    sampler: TrainingSampler,
    /// The table where the networks are, unless that is the CPU.
    on_device: Option<DeviceTable>,
    /// The sampler where the networks are.
    condition_sampler: Option<ConditionSampler>,
    /// What each row of a step adds to its place in the critic's input, `[rows]`, where the critic judges packs of them.
    offsets: Option<Tensor<1, Int>>,
    device: Device,
}

/// What one sub-step draws.
#[derive(Debug)]
pub(super) struct Draws {
    /// The conditions of the fake rows, as indices into the condition vector.
    pub(super) places: ConditionVector,
    /// The same by a row's outputs.
    pub(super) outputs: ConditionVector,
    /// Its index in the critic's input after the rows of a pack, `[rows]`; `[0]` without conditions.
    pub(super) fake_places: Tensor<1, Int>,
    /// The same of the real rows.
    pub(super) real_places: Tensor<1, Int>,
    /// Real rows that meet the conditions, in another order, `[packs, pac * layout.width]`.
    pub(super) real: Tensor<2>,
}

/// What each row of a step adds to the place of its condition: it has its own part behind the rows of its pack.
fn offset(row: usize, config: &CtganConfig, condition_width: usize) -> i32 {
    (row % config.pac * condition_width) as i32
}

impl CtganBatch {
    /// The table `encoded`, which `sampler` draws from, for networks on `device`.
    pub fn new(
        config: &CtganConfig,
        encoded: EncodedTable,
        sampler: TrainingSampler,
        on_device: Option<DeviceTable>,
        device: &Device,
    ) -> Self {
        let (rows, width) = (config.train.batch_rows as usize, sampler.conditions().width);
        let condition_sampler = on_device.as_ref().and_then(|_| sampler.on_device(rows, device));
        let in_packs = |_: &ConditionSampler| host::indices((0..rows).map(|row| offset(row, config, width)).collect(), device);
        let offsets = condition_sampler.as_ref().filter(|_| config.pac > 1).map(in_packs);
        Self { encoded, sampler, on_device, condition_sampler, offsets, device: device.clone() }
    }

    /// Draws for the fake rows of the streams of `sub` and for the critic that sees them.
    pub(super) fn draw(&self, shape: &Shape, step: &Step, sub: SubStep) -> Draws {
        let streams = SamplerStreams {
            asked: sub.stream(step, Purpose::Conditions),
            order: sub.critic().stream(step, Purpose::Order),
            rows: sub.critic().stream(step, Purpose::Rows),
        };
        let config = &shape.config;
        let packed = [(step.batch_rows as usize) / config.pac, config.pac * shape.row_layout.layout.width];
        if let (Some(condition_sampler), Some(table)) = (&self.condition_sampler, &self.on_device) {
            let drawn = condition_sampler.draw(streams, step.index);
            let in_packs = |places: Tensor<1, Int>| self.offsets.iter().fold(places, |places, offsets| places + offsets.clone());
            return Draws {
                fake_places: in_packs(drawn.asked.clone()),
                real_places: in_packs(drawn.reordered),
                places: ConditionVector::Device(Box::new(drawn.asked)),
                outputs: ConditionVector::Device(Box::new(drawn.outputs)),
                real: table.rows(drawn.rows).reshape(packed),
            };
        }
        let rows = step.batch_rows as usize;
        let conditions = self.sampler.conditions();
        let asked = self.sampler.asked(streams.asked, step.index, rows);
        let order = streams.order.permutation(step.index, asked.len());
        let reordered: Vec<ConditionValue> = order.into_iter().map(|index| asked[index]).collect();
        let chosen = self.sampler.rows(&reordered, streams.rows, step.index, rows);
        let place = |(row, &asked): (usize, &ConditionValue)| offset(row, config, conditions.width) + conditions.place(asked) as i32;
        let in_packs = |asked: &[ConditionValue]| host::indices(asked.iter().enumerate().map(place).collect(), &self.device);
        Draws {
            places: ConditionVector::Host(asked.iter().map(|&asked| conditions.place(asked) as u32).collect()),
            outputs: ConditionVector::Host(asked.iter().map(|&asked| conditions.output(asked) as u32).collect()),
            fake_places: in_packs(&asked),
            real_places: in_packs(&reordered),
            real: self.real(&chosen, shape).reshape(packed),
        }
    }

    /// The rows `chosen` as a network sees them, `[rows, layout.width]`.
    fn real(&self, chosen: &[u32], shape: &Shape) -> Tensor<2> {
        let layout = &shape.row_layout.layout;
        if let Some(table) = &self.on_device {
            return table.rows(host::indices(chosen.iter().map(|&row| row as i32).collect(), &self.device));
        }
        let mut values = vec![0.0; chosen.len() * layout.width];
        values.par_chunks_mut(layout.width).with_min_len(64).zip(chosen).for_each(|(out, &row)| {
            write_row(&self.encoded, &layout.spans, row as usize, out);
        });
        host::tensor(values, [chosen.len(), layout.width], &self.device)
    }
}

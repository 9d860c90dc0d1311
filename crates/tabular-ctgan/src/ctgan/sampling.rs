//! CTGAN behind the [`Synthesizer`](semblant_core::synthesizer::Synthesizer) trait: its training run, and rows from its generator.

use std::sync::Arc;

use burn::tensor::Device;
use semblant_core::model::Sampler;
use semblant_core::seeds::Stream;
use semblant_core::seeds::streams::{ATTEMPTS, CALIBRATION, FIRST_ATTEMPTS};
use semblant_core::synthesizer::{Run, Summary};
use semblant_core::trainer::{self, Trained, Trainer};
use semblant_core::{Result, host, math};
use semblant_data::table::encode::{EncodedTable, Layout, NumberOptions};

use super::{Ctgan, CtganBatch, CtganConfig, new_generator};
use crate::condition_sampler::Alias;
use crate::conditions::{Conditions, TrainingSampler};
use crate::generator::Generator;
use crate::pipeline::Family;
use crate::row_layout::DeviceTable;
use crate::sample::{CHUNK, Draw, RowMaker, Rows, draw_rows};
use crate::stopping::Judge;

/// Batches whose statistics the averaged generator is given.
const CALIBRATION_BATCHES: u64 = 40;
/// Rows of each.
const CALIBRATION_ROWS: u64 = 500;

impl Family for Ctgan {
    const NAME: &'static str = "ctgan";
    const SUMMARY: &'static str = "conditional GAN for mixed tables, with exact gradient penalty (Xu et al. 2019)";
    type Config = CtganConfig;
    type Net = Generator;

    fn check(config: &CtganConfig) -> Result<()> {
        config.check()
    }

    fn numbers(config: &CtganConfig) -> NumberOptions {
        config.numbers
    }

    fn conditions(config: &CtganConfig, layout: &Layout, encoded: &EncodedTable) -> Conditions {
        Conditions::new(layout, encoded, config.condition_on_numbers)
    }

    fn empty(config: &CtganConfig, layout: &Layout, conditions: &Conditions, device: &Device) -> Generator {
        new_generator(config, layout, conditions.width, 0, device)
    }

    fn train(
        config: &CtganConfig,
        layout: &Layout,
        conditions: &Conditions,
        encoded: EncodedTable,
        fingerprint: String,
        run: &mut Run,
    ) -> Result<(Generator, Summary)> {
        let steps_per_epoch = (encoded.rows as u64 / config.batch_rows).max(1);
        let schedule = trainer::TrainSchedule {
            steps: config.epochs * steps_per_epoch,
            batch_rows: config.batch_rows,
            tick_rows: steps_per_epoch * config.batch_rows,
            checkpoint_rows: 10 * steps_per_epoch * config.batch_rows,
            patience_ticks: config.patience_epochs,
        };
        let sampler = TrainingSampler::new(conditions.clone(), &encoded, config.log_frequency);
        let judge = Judge::new(&encoded, run.seed);
        let (device, seed) = (run.device.clone(), run.seed);
        let mut score = |generator: &Generator| {
            let mut generator = generator.clone();
            calibrate(&mut generator, config, conditions, seed, &device);
            judge.distance(&Self::maker(config, &generator, layout, conditions))
        };
        let score: Option<trainer::Score<'_, Generator>> = if config.patience_epochs > 0 { Some(&mut score) } else { None };
        let on_device = DeviceTable::new(&encoded, layout, &run.device);
        let batch = Arc::new(CtganBatch::new(config, encoded, sampler, on_device, &run.device));
        let model = Self::new(config, layout, conditions.width, run.seed, &run.device.clone().autodiff());
        let trainer = Trainer { schedule, ema: config.ema, batch: &mut |_| batch.clone(), score, watch: None, fingerprint, rank: None };
        let Trained { sampled: mut generator, summary } = trainer.fit(model, config.optimizers(), run)?;
        calibrate(&mut generator, config, conditions, run.seed, &run.device);
        Ok((generator, summary))
    }

    fn maker<'a>(config: &'a CtganConfig, net: &'a Generator, layout: &'a Layout, conditions: &'a Conditions) -> impl RowMaker + 'a {
        Maker { config, net, layout, conditions, tables: conditions.true_frequencies() }
    }
}

/// Gives an averaged generator the batch statistics that go with its weights, under the true frequencies of the conditions.
fn calibrate(generator: &mut Generator, config: &CtganConfig, conditions: &Conditions, seed: u64, device: &Device) {
    let tables = conditions.true_frequencies();
    generator.recalibrate((0..CALIBRATION_BATCHES).map(|index| {
        let rows = index * CALIBRATION_ROWS..(index + 1) * CALIBRATION_ROWS;
        let draws: Vec<Draw> = rows.map(|row| Draw { row, attempt: 0, asked: None }).collect();
        let (noise, asked) = noise_and_conditions(config, conditions, &tables, &draws, |_, purpose| CALIBRATION.nth(seed, purpose));
        (host::tensor(noise, [draws.len(), config.noise_width], device), asked)
    }));
}

/// What a row is drawn by: noise, condition, labels.
fn sampling_stream(seed: u64, attempt: u32, purpose: u32) -> Stream {
    let streams = if attempt < 32 { FIRST_ATTEMPTS } else { ATTEMPTS };
    streams.nth(seed, 8 * attempt + purpose)
}

/// Noise `[draws, noise_width]` and place in the condition vector of every draw; no places without conditions.
fn noise_and_conditions(
    config: &CtganConfig,
    conditions: &Conditions,
    tables: &[Alias],
    draws: &[Draw],
    stream: impl Fn(u32, u32) -> Stream,
) -> (Vec<f32>, Vec<u32>) {
    let mut noise = vec![0.0; draws.len() * config.noise_width];
    let mut places = Vec::with_capacity(draws.len());
    for (draw, out) in draws.iter().zip(noise.chunks_exact_mut(config.noise_width)) {
        stream(draw.attempt, 0).normals(draw.row, out);
        let which = stream(draw.attempt, 1);
        let asked = draw.asked.or_else(|| conditions.draw(tables, &which, draw.row, 0));
        places.extend(asked.map(|asked| conditions.place(asked) as u32));
    }
    (noise, places)
}

/// A trained generator with what it takes to draw rows from it.
struct Maker<'a> {
    config: &'a CtganConfig,
    net: &'a Generator,
    layout: &'a Layout,
    conditions: &'a Conditions,
    tables: Vec<Alias>,
}

impl Sampler for Maker<'_> {
    type Draw = Draw;
    type Output = Rows;

    fn make(&self, draws: &[Draw], seed: u64) -> Rows {
        let width = self.config.noise_width;
        let (mut noise, asked) = noise_and_conditions(self.config, self.conditions, &self.tables, draws, |attempt, purpose| {
            sampling_stream(seed, attempt, purpose)
        });
        noise.resize(CHUNK * width, 0.0);
        let device = self.net.head.weight.val().device();
        let logits = self.net.forward(host::tensor(noise, [CHUNK, width], &device), &asked); // [CHUNK, layout.width]
        host::read(&logits, |logits| {
            draw_rows(logits, self.layout, draws, |draw| sampling_stream(seed, draw.attempt, 2), |_, _, _, raw| math::tanh(raw))
        })
    }
}

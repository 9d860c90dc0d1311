//! TVAE behind the [`Synthesizer`](semblant_core::synthesizer::Synthesizer) trait: its training run, and rows from its decoder.

use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use semblant_core::model::{Sampler, Step};
use semblant_core::optim::Optimizers;
use semblant_core::passes::Passes;
use semblant_core::progress::Event;
use semblant_core::seeds::streams::ATTEMPTS;
use semblant_core::synthesizer::{Run, Summary};
use semblant_core::train_config::LastBatch;
use semblant_core::trainer::{Trained, Trainer};
use semblant_core::{Result, host, math};
use semblant_data::table::encode::{EncodedTable, Layout, NumberOptions};
use semblant_tabular::early_stopping::PairDistance;
use semblant_tabular::rejection::{CHUNK, Draw, RowMaker, Rows, draw_rows};
use semblant_tabular::small_tables::Length;
use semblant_tabular::{EncodedModel, TrainingData};

use super::{Decoder, TvaeConfig, TvaeModel, purpose};
use crate::conditions::{Conditions, write_row};
use crate::row_layout::DeviceTable;
use crate::sizes::USUAL_EPOCHS;

/// The rows of a step, each as a network sees it.
struct Batches {
    encoded: EncodedTable,
    layout: Layout,
    device: Device,
    passes: Passes,
    /// The table where the networks are, unless that is the CPU.
    on_device: Option<DeviceTable>,
}

impl Batches {
    fn batch(&mut self, step: &Step) -> Tensor<2> {
        let (chosen, width) = (self.passes.batch(step), self.layout.width);
        if let Some(table) = &self.on_device {
            return table.rows(host::indices(chosen.into_iter().map(|row| row as i32).collect(), &self.device));
        }
        let mut values = vec![0.0; chosen.len() * width];
        for (&row, out) in chosen.iter().zip(values.chunks_exact_mut(width)) {
            write_row(&self.encoded, &self.layout.spans, row, out);
        }
        host::tensor(values, [chosen.len(), width], &self.device)
    }
}

impl EncodedModel for TvaeConfig {
    const NAME: &'static str = "tvae";
    const SUMMARY: &'static str = "variational autoencoder for mixed tables (Xu et al. 2019)";
    type Net = Decoder;
    type Conditioning = Conditions;

    fn numbers(&self) -> NumberOptions {
        self.numbers
    }

    /// The decoder is conditioned on nothing.
    fn conditioning(&self, _: &Layout, _: &EncodedTable) -> Conditions {
        Conditions::default()
    }

    fn check_conditioning(conditions: &Conditions, layout: &Layout) -> Result<(), String> {
        conditions.check(layout)
    }

    fn condition_block(_: &Conditions, _: usize) -> Option<usize> {
        None
    }

    fn init_sampled(&self, layout: &Layout, _: &Conditions, device: &Device) -> Decoder {
        Decoder::new(self, layout.width, 0, device)
    }

    fn train(&self, data: TrainingData<'_, Conditions>, run: &mut Run) -> Result<(Decoder, Summary)> {
        let TrainingData { layout, encoded, fingerprint, .. } = data;
        let config = self;
        let length = Length::new(&config.train, USUAL_EPOCHS, config.min_steps, encoded.rows, LastBatch::Filled);
        if let Some(note) = length.note(Self::NAME, config.train.epochs, encoded.rows) {
            run.observer.event(Event::Note(&note));
        }
        let pairs = PairDistance::new(&encoded, run.seed);
        let mut score = |decoder: &Decoder| pairs.distance(&Maker::new(config, decoder, layout));
        let on_device = DeviceTable::new(&encoded, layout, &run.device);
        let passes = Passes::new(encoded.rows, purpose::ORDER);
        let mut batches = Batches { encoded, layout: layout.clone(), device: run.device.clone(), passes, on_device };
        let model = TvaeModel::new(config, layout, run.seed, &run.device.clone().autodiff());
        let mut make_batch = |step: &Step| batches.batch(step);
        let trainer = Trainer::new(length.schedule, config.train.ema, fingerprint, &mut make_batch);
        let trainer = match length.scored_from() {
            Some(step) => trainer.with_score_from(step, &mut score),
            None => trainer,
        };
        let Trained { sampled, summary } = trainer.fit(model, Optimizers::default().with("both", config.train.optimizer), run)?;
        Ok((sampled, summary))
    }

    fn maker<'a>(&'a self, net: &'a Decoder, layout: &'a Layout, _: &'a Conditions) -> impl RowMaker + 'a {
        Maker::new(self, net, layout)
    }
}

/// A trained decoder with what it takes to draw rows from it.
struct Maker<'a> {
    config: &'a TvaeConfig,
    net: &'a Decoder,
    layout: &'a Layout,
    sigma: Arc<Vec<f32>>,
}

impl<'a> Maker<'a> {
    fn new(config: &'a TvaeConfig, net: &'a Decoder, layout: &'a Layout) -> Self {
        Self { config, net, layout, sigma: Arc::new(host::read(&net.sigma.val(), <[f32]>::to_vec)) }
    }
}

impl Sampler for Maker<'_> {
    type Draw = Draw;
    type Output = Rows;

    fn make(&self, draws: &[Draw], seed: u64) -> Rows {
        let width = self.config.latent_width;
        let stream = |draw: &Draw, purpose: u32| ATTEMPTS.nth(seed, 4 * draw.attempt + purpose);
        let mut latent = vec![0.0; CHUNK * width];
        for (draw, out) in draws.iter().zip(latent.chunks_exact_mut(width)) {
            stream(draw, 0).normals(draw.row, out);
        }
        let raw = self.net.forward(host::tensor(latent, [CHUNK, width], &self.net.head.weight.val().device())); // [CHUNK, layout.width]
        host::read(&raw, |raw| {
            let mut noise = vec![0.0; self.layout.scalars().count()];
            draw_rows(
                raw,
                self.layout,
                draws,
                |draw| stream(draw, 1),
                |draw, position, index, raw| {
                    if index == 0 {
                        stream(draw, 2).normals(draw.row, &mut noise);
                    }
                    math::tanh(raw) + self.sigma[position] * noise[index]
                },
            )
        })
    }
}

//! CTGAN behind the [`Synthesizer`](semblant_core::synthesizer::Synthesizer) trait: its training run, and rows from its generator.

use std::sync::Arc;

use burn::tensor::Device;
use semblant_core::model::{Sampler, Step};
use semblant_core::progress::Event;
use semblant_core::seeds::Stream;
use semblant_core::seeds::streams::{ATTEMPTS, CALIBRATION, FIRST_ATTEMPTS};
use semblant_core::synthesizer::{Run, Summary};
use semblant_core::train_config::LastBatch;
use semblant_core::trainer::{Trained, Trainer};
use semblant_core::{Result, host, math};
use semblant_data::table::encode::{EncodedTable, Layout, NumberOptions};
use semblant_tabular::early_stopping::PairDistance;
use semblant_tabular::rejection::{CHUNK, Draw, RowMaker, Rows, draw_rows};
use semblant_tabular::small_tables::Length;
use semblant_tabular::{EncodedModel, TrainingData};

use super::{CtganBatch, CtganConfig, CtganModel, new_generator};
use crate::condition_sampler::Alias;
use crate::conditions::{Conditions, TrainingSampler};
use crate::generator::Generator;
use crate::row_layout::DeviceTable;
use crate::sizes::USUAL_EPOCHS;

/// Batches whose statistics the averaged generator is given.
const CALIBRATION_BATCHES: u64 = 40;
/// Rows of each.
const CALIBRATION_ROWS: u64 = 500;

impl EncodedModel for CtganConfig {
    const NAME: &'static str = "ctgan";
    const SUMMARY: &'static str = "conditional GAN for mixed tables, with exact gradient penalty (Xu et al. 2019)";
    type Net = Generator;
    type Conditioning = Conditions;

    fn numbers(&self) -> NumberOptions {
        self.numbers
    }

    fn conditioning(&self, layout: &Layout, encoded: &EncodedTable) -> Conditions {
        let most = self.condition_weights / layout.width.max(1) as u64;
        Conditions::new(layout, encoded, self.condition_on_numbers).within(most as usize, layout)
    }

    fn check_conditioning(conditions: &Conditions, layout: &Layout) -> Result<(), String> {
        conditions.check(layout)
    }

    fn condition_block(conditions: &Conditions, block: usize) -> Option<usize> {
        conditions.blocks.iter().position(|known| known.block == block)
    }

    fn init_sampled(&self, layout: &Layout, conditions: &Conditions, device: &Device) -> Generator {
        new_generator(self, layout, conditions.width, 0, device)
    }

    fn train(&self, data: TrainingData<'_, Conditions>, run: &mut Run) -> Result<(Generator, Summary)> {
        let TrainingData { layout, conditioning: conditions, encoded, fingerprint } = data;
        let config = self;
        if let Some(note) = config.note_on_conditions(layout, &encoded, conditions) {
            run.observer.event(Event::Note(&note));
        }
        let length = Length::new(&config.train, USUAL_EPOCHS, config.min_steps, encoded.rows, LastBatch::Dropped);
        if let Some(note) = length.note(Self::NAME, config.train.epochs, encoded.rows) {
            run.observer.event(Event::Note(&note));
        }
        let sampler = TrainingSampler::new(conditions.clone(), &encoded, config.log_frequency);
        let pairs = PairDistance::new(&encoded, run.seed);
        let (device, seed) = (run.device.clone(), run.seed);
        let mut score = |generator: &Generator| {
            let mut generator = generator.clone();
            calibrate(&mut generator, config, conditions, seed, &device);
            pairs.distance(&config.maker(&generator, layout, conditions))
        };
        let on_device = DeviceTable::new(&encoded, layout, &run.device);
        let batch = Arc::new(CtganBatch::new(config, encoded, sampler, on_device, &run.device));
        let model = CtganModel::new(config, layout, conditions.width, run.seed, &run.device.clone().autodiff());
        let mut make_batch = |_: &Step| batch.clone();
        let trainer = Trainer::new(length.schedule, config.train.ema, fingerprint, &mut make_batch);
        let trainer = match length.scored_from() {
            Some(step) => trainer.with_score_from(step, &mut score),
            None => trainer,
        };
        let Trained { sampled: mut generator, summary } = trainer.fit(model, config.optimizers(), run)?;
        calibrate(&mut generator, config, conditions, run.seed, &run.device);
        Ok((generator, summary))
    }

    fn maker<'a>(&'a self, net: &'a Generator, layout: &'a Layout, conditions: &'a Conditions) -> impl RowMaker + 'a {
        Maker { config: self, net, layout, conditions, tables: conditions.true_frequencies() }
    }
}

impl CtganConfig {
    /// What was left out of the conditions, if anything was.
    fn note_on_conditions(&self, layout: &Layout, encoded: &EncodedTable, conditions: &Conditions) -> Option<String> {
        let all = Conditions::new(layout, encoded, self.condition_on_numbers);
        let left_out = all.columns(layout) - conditions.columns(layout);
        (all.blocks.len() > conditions.blocks.len()).then(|| {
            format!(
                "the table is wide: {left_out} of {} columns are no conditions of the generator, which bounds its memory \
                 (condition_weights = {}); rows with given values of them are found by rejection",
                all.columns(layout),
                self.condition_weights
            )
        })
    }
}

/// Gives an averaged generator the batch statistics that go with its weights, under the true frequencies of the conditions.
fn calibrate(generator: &mut Generator, config: &CtganConfig, conditions: &Conditions, seed: u64, device: &Device) {
    let tables = conditions.true_frequencies();
    generator.recalibrate((0..CALIBRATION_BATCHES).map(|index| {
        let rows = index * CALIBRATION_ROWS..(index + 1) * CALIBRATION_ROWS;
        let draws: Vec<Draw> = rows.map(|row| Draw { row, attempt: 0, condition: None }).collect();
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
        let asked = draw.condition.or_else(|| conditions.draw(tables, &which, draw.row, 0));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ctgan;
    use burn::module::Module;
    use semblant_core::progress::Observer;
    use semblant_core::synthesizer::Synthesizer;
    use semblant_core::train_config::TrainConfig;
    use semblant_data::table::encode::{Span, SpanKind};
    use semblant_data::table::{TableRequest, simulate_patients};
    use std::sync::Mutex;

    /// Columns of numbers with 8 modes each, of 200 rows.
    fn wide(columns: usize) -> (Layout, EncodedTable) {
        let span = |column, kind, start, width| Span { column, kind, start, width };
        let spans = (0..columns)
            .flat_map(|column| [span(column, SpanKind::Scalar, 9 * column, 1), span(column, SpanKind::Modes, 9 * column + 1, 8)])
            .collect();
        let codes = (0..columns).map(|column| (0..200).map(|row| ((row * (column + 1)) % 8) as u32).collect()).collect();
        (Layout { spans, width: 9 * columns }, EncodedTable { rows: 200, codes, scalars: vec![vec![0.0; 200]; columns] })
    }

    #[test]
    fn networks_grow_with_the_columns_and_not_with_their_square() {
        let config = CtganConfig::default();
        let device = Device::flex();
        let parameters = |columns: usize| {
            let (layout, encoded) = wide(columns);
            let conditions = config.conditioning(&layout, &encoded);
            let noted = config.note_on_conditions(&layout, &encoded, &conditions);
            // Bound or not, the note and the conditions agree.
            assert_eq!(noted.is_some(), conditions.blocks.len() < columns, "{columns} columns: {noted:?}");
            CtganModel::new(&config, &layout, conditions.width, 0, &device.clone().autodiff()).num_params()
        };
        let found = [250, 500, 1000, 2000].map(parameters);
        for pair in found.windows(2) {
            assert!(pair[1] < pair[0] * 5 / 2, "{found:?}");
        }
        // 100 MB of weights; a fit holds about six times as much.
        assert!(found[3] < 27_000_000, "{found:?}");
    }

    #[test]
    fn tables_of_ordinary_width_keep_all_their_conditions() {
        let config = CtganConfig::default();
        for columns in [1, 50, 300] {
            let (layout, encoded) = wide(columns);
            assert_eq!(config.conditioning(&layout, &encoded), Conditions::new(&layout, &encoded, true), "{columns} columns");
        }
    }

    /// Keeps notes.
    struct Notes(Arc<Mutex<Vec<String>>>);

    impl Observer for Notes {
        fn event(&mut self, event: Event<'_>) {
            if let Event::Note(note) = event {
                self.0.lock().expect("no panic").push(note.to_owned());
            }
        }
    }

    /// A small model of 200 patients with these settings, and what was noted.
    fn fitted(config: CtganConfig, epochs: u64) -> (Ctgan, Vec<String>) {
        let train = TrainConfig { epochs, batch_rows: 100, ..config.train };
        let mut model = Ctgan::new(CtganConfig { train, noise_width: 8, generator_widths: vec![16], critic_widths: vec![16], ..config })
            .expect("sound");
        let notes = Arc::new(Mutex::new(Vec::new()));
        let mut run = Run { observer: Box::new(Notes(notes.clone())), ..Run::new(Device::flex(), 0) };
        let steps = model.fit(&simulate_patients(200, 0), &mut run).expect("trainable").steps;
        let mut noted = notes.lock().expect("no panic").clone();
        noted.push(format!("{steps} steps"));
        (model, noted)
    }

    #[test]
    fn columns_that_are_no_conditions_are_met_by_rejection() {
        let (model, noted) = fitted(CtganConfig { condition_weights: 0, ..CtganConfig::default() }, 2);
        assert!(noted.iter().any(|note| note.contains("condition_weights = 0") && note.contains("rejection")), "{noted:?}");
        let made = model.sample(&TableRequest::new(30, 0).with("smoker", "yes")).expect("possible");
        let smokers = made.data.column("smoker").expect("there");
        assert!((0..30).all(|row| smokers.label(row) == Some("yes")) && made.drawn_rows > 30);
        let (_, noted) = fitted(CtganConfig::default(), 2);
        assert!(!noted.iter().any(|note| note.contains("condition_weights")), "{noted:?}");
    }

    #[test]
    fn few_rows_train_for_a_number_of_steps() {
        let (_, noted) = fitted(CtganConfig { min_steps: 700, ..CtganConfig::default() }, USUAL_EPOCHS);
        assert!(noted.iter().any(|note| note.contains("200 rows are few") && note.contains("copula")), "{noted:?}");
        assert_eq!(noted.last().expect("a number of steps"), "700 steps");
        // Another number of epochs is taken as it is.
        let (_, noted) = fitted(CtganConfig { min_steps: 700, ..CtganConfig::default() }, 3);
        assert_eq!(noted, ["6 steps"]);
    }
}

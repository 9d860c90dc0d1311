//! A table model of your own: the latent class model (Lazarsfeld 1950), a mixture whose classes have independent columns. The library
//! registers, trains, saves, loads and samples it as one of its own. docs/ADD_A_MODEL.md explains the steps.
//! Run: cargo run --release --example own_model -p semblant-examples

#![allow(clippy::print_stdout, reason = "an example says what it found")]

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};
use semblant::config::{Config, check_range};
use semblant::data::table::encode::{EncodedTable, Layout, NumberOptions};
use semblant::data::table::{TableFormat, simulate_patients};
use semblant::host;
use semblant::model::{Losses, Model, Sampler, Step};
use semblant::nn;
use semblant::optim::{Adam, Optimizers};
use semblant::passes::Passes;
use semblant::prelude::*;
use semblant::seeds::Stream;
use semblant::seeds::streams::{ATTEMPTS, TRAINING, WEIGHTS};
use semblant::streams;
use semblant::tabular::rejection::{Draw, RowMaker, Rows, draw_rows};
use semblant::tabular::{EncodedModel, TrainingData, entry};
use semblant::train_config::{LastBatch, TrainConfig};
use semblant::trainer::{Trained, Trainer};
use serde::{Deserialize, Serialize};

/// Settings.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
struct LatentClassConfig {
    /// The number of classes.
    classes: usize,
    /// How long, in what batches, and by which optimizer.
    #[serde(flatten)]
    train: TrainConfig,
}

impl Default for LatentClassConfig {
    fn default() -> Self {
        let optimizer = Adam { learning_rate: 0.02, ..Adam::default() };
        Self { classes: 24, train: TrainConfig { epochs: 40, batch_rows: 200, optimizer, ..TrainConfig::default() } }
    }
}

impl Config for LatentClassConfig {
    fn check(&self) -> semblant::Result<()> {
        check_range("classes", self.classes, 1, 10_000)?;
        self.train.check("")
    }
}

/// Classes of rows; within a class the columns are independent.
#[derive(Module, Debug)]
struct LatentClasses {
    /// Unnormalised log-probability of each class, `[1, classes]`.
    weights: Param<Tensor<2>>,
    /// Logits of one-hot blocks and means of scalars, by class, `[classes, layout.width]`.
    outputs: Param<Tensor<2>>,
    /// Log-deviation of scalars, by class, `[classes, layout.width]`; at one-hot blocks without effect.
    log_deviations: Param<Tensor<2>>,
    #[module(skip)]
    layout: Layout,
}

impl LatentClasses {
    fn new(classes: usize, layout: &Layout, seed: u64, device: &Device) -> Self {
        // Made when they are first needed: a file that claims more classes than it holds costs nothing.
        let (stream, width) = (WEIGHTS.of(seed), layout.width);
        let outputs = move || {
            let normals = stream.matrix(0..classes as u64, width, Stream::normals);
            normals.into_iter().map(|value| 0.3 * value).collect()
        };
        Self {
            weights: nn::filled([1, classes], device, 0.0),
            outputs: nn::parameter([classes, width], device, outputs),
            log_deviations: nn::filled([classes, width], device, -1.0),
            layout: layout.clone(),
        }
    }

    /// The log-likelihood of encoded rows `[batch, layout.width]`, in nats: `[batch, 1]`.
    fn log_likelihood(&self, rows: Tensor<2>) -> Tensor<2> {
        let mut joint = log_softmax(self.weights.val(), 1); // [1, classes]
        for span in &self.layout.spans {
            let range = span.start..span.start + span.width;
            let x = rows.clone().slice([0..rows.dims()[0], range.clone()]); // [batch, span.width]
            let outputs = self.outputs.val().slice([0..self.outputs.dims()[0], range.clone()]); // [classes, span.width]
            let term = if span.is_block() {
                x.matmul(log_softmax(outputs, 1).transpose()) // [batch, classes]
            } else {
                let log_deviation = self.log_deviations.val().slice([0..self.outputs.dims()[0], range]).transpose(); // [1, classes]
                let z = (x - outputs.transpose()) / log_deviation.clone().exp(); // [batch, classes]
                z.square() * -0.5 - log_deviation - 0.5 * std::f32::consts::TAU.ln()
            };
            joint = joint + term;
        }
        let greatest = joint.clone().max_dim(1); // [batch, 1]
        (joint - greatest.clone()).exp().sum_dim(1).log() + greatest
    }
}

impl Model for LatentClasses {
    type Batch = Tensor<2>;
    type Sampled = Self;

    fn sampled(&self) -> Self {
        self.valid()
    }

    fn train_step(mut self, batch: Tensor<2>, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let loss = self.log_likelihood(Tensor::from_inner(batch)).mean().neg();
        let losses = Losses::default().with("nats", loss.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &self);
        self = optimizers.step("classes", self, gradients, step);
        (self, losses)
    }
}

streams! {
    in TRAINING;
    /// The order of the rows.
    const ORDER = 0..1;
}

/// Encoded rows as a network sees them, `[rows.len(), layout.width]` row-major.
fn written(encoded: &EncodedTable, layout: &Layout, rows: &[usize]) -> Vec<f32> {
    let mut values = vec![0.0; rows.len() * layout.width];
    for (&row, out) in rows.iter().zip(values.chunks_exact_mut(layout.width)) {
        for (span, codes) in layout.blocks().zip(&encoded.codes) {
            out[span.start + codes[row] as usize] = 1.0;
        }
        for (span, scalars) in layout.scalars().zip(&encoded.scalars) {
            out[span.start] = scalars[row];
        }
    }
    values
}

impl EncodedModel for LatentClassConfig {
    const NAME: &'static str = "latent-class";
    const SUMMARY: &'static str = "mixture of independent columns (Lazarsfeld 1950)";
    type Net = LatentClasses;
    type Conditioning = ();

    fn numbers(&self) -> NumberOptions {
        NumberOptions::default()
    }

    fn conditioning(&self, _: &Layout, _: &EncodedTable) {}

    fn check_conditioning(_: &(), _: &Layout) -> Result<(), String> {
        Ok(())
    }

    fn condition_block(_: &(), _: usize) -> Option<usize> {
        None
    }

    fn init_sampled(&self, layout: &Layout, _: &(), device: &Device) -> LatentClasses {
        LatentClasses::new(self.classes, layout, 0, device)
    }

    fn train(&self, data: TrainingData<'_, ()>, run: &mut Run) -> semblant::Result<(LatentClasses, Summary)> {
        let TrainingData { layout, encoded, fingerprint, .. } = data;
        let (device, mut passes) = (run.device.clone(), Passes::new(encoded.rows, ORDER));
        let mut batch = |step: &Step| {
            let rows = passes.batch(step);
            host::tensor(written(&encoded, layout, &rows), [rows.len(), layout.width], &device)
        };
        let schedule = self.train.schedule(encoded.rows, LastBatch::Filled);
        let model = LatentClasses::new(self.classes, layout, run.seed, &run.device.clone().autodiff());
        let optimizers = Optimizers::default().with("classes", self.train.optimizer);
        let Trained { sampled, summary } = Trainer::new(schedule, self.train.ema, fingerprint, &mut batch).fit(model, optimizers, run)?;
        Ok((sampled, summary))
    }

    fn maker<'a>(&'a self, net: &'a LatentClasses, layout: &'a Layout, _: &'a ()) -> impl RowMaker + 'a {
        let values = |tensor: Tensor<2>| host::read(&tensor, <[f32]>::to_vec);
        let chances = values(log_softmax(net.weights.val(), 1).exp());
        Maker { layout, chances, outputs: values(net.outputs.val()), log_deviations: values(net.log_deviations.val()) }
    }
}

/// Draws rows from the classes.
struct Maker<'a> {
    layout: &'a Layout,
    /// `[classes]`.
    chances: Vec<f32>,
    /// `[classes, layout.width]`.
    outputs: Vec<f32>,
    /// `[classes, layout.width]`.
    log_deviations: Vec<f32>,
}

impl Sampler for Maker<'_> {
    type Draw = Draw;
    type Output = Rows;

    fn make(&self, draws: &[Draw], seed: u64) -> Rows {
        // Three streams for each attempt: a row depends on its address alone.
        let stream = |draw: &Draw, purpose: u32| -> Stream { ATTEMPTS.nth(seed, 3 * draw.attempt + purpose) };
        let width = self.layout.width;
        let class = |draw: &Draw| {
            let mut left = stream(draw, 0).uniform_f64(draw.row, 0) as f32;
            let drawn = self.chances.iter().position(|chance| {
                left -= chance;
                left < 0.0
            });
            drawn.unwrap_or(0)
        };
        let logits: Vec<f32> = draws.iter().flat_map(|draw| self.outputs[class(draw) * width..][..width].iter().copied()).collect();
        let mut noise = vec![0.0; self.layout.scalars().count()];
        draw_rows(
            &logits,
            self.layout,
            draws,
            |draw| stream(draw, 1),
            |draw, position, scalar, mean| {
                stream(draw, 2).normals(draw.row, &mut noise);
                mean + self.log_deviations[class(draw) * width + position].exp() * noise[scalar]
            },
        )
    }
}

fn main() -> anyhow::Result<()> {
    let registry = Registry::default().with(entry::<LatentClassConfig>());
    let patients = simulate_patients(2000, 0);
    let device = semblant::device::select("cpu")?;

    let mut model = registry.model::<Table>("latent-class", serde_json::json!({ "classes": 16 }))?;
    let summary = model.fit(&patients, &mut Run::new(device.clone(), 0))?;
    println!("{} steps, {:.3} nats a row", summary.steps, summary.losses[0].1);

    let folder = std::env::temp_dir().join(format!("semblant-own-model-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("patients.safetensors");
    model.save(&path)?;
    let loaded = registry.load::<Table>(&path, &device)?;
    std::fs::remove_dir_all(&folder)?;

    let request = TableRequest::new(200, 7).with("smoker", "yes").with_between("age", 40.0, 60.0);
    let rows = loaded.sample(&request)?.data;
    let csv = |table: &Table| table.to_bytes(TableFormat::Csv); // a missing number is NaN, which equals nothing
    anyhow::ensure!(csv(&rows)? == csv(&model.sample(&request)?.data)?, "the loaded model makes the same rows");
    anyhow::ensure!((0..rows.rows()).all(|row| rows.column("smoker").is_ok_and(|smoker| smoker.label(row) == Some("yes"))));
    for row in 0..5 {
        println!("{}", (0..rows.columns().len()).map(|column| rows.cell(row, column)).collect::<Vec<_>>().join("  "));
    }
    Ok(())
}

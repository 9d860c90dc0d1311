//! A small neural network on rows: one hidden layer of 100, as scikit-learn's MLPClassifier and MLPRegressor have it.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::activation::{log_softmax, relu, softmax};
use burn::tensor::{Device, Tensor};
use semblant_core::ema::Ema;
use semblant_core::host;
use semblant_core::model::{Losses, Model, Step};
use semblant_core::nn::{Init, Linear, LinearConfig};
use semblant_core::optim::{Adam, LrSchedule, Optimizers};
use semblant_core::passes::Passes;
use semblant_core::seeds::streams::{LEARNER_WEIGHTS, TRAINING};
use semblant_core::synthesizer::Run;
use semblant_core::trainer::{TrainSchedule, Trained, Trainer};
use semblant_data::table::Table;

use super::Target;
use super::points::Points;
use crate::nearest::rows_at;
use crate::{Error, Result};

const HIDDEN: usize = 100;
const BATCH_ROWS: u64 = 200;
/// Passes over the rows, as far as that makes no fewer and no more steps than [`STEPS`].
const EPOCHS: u64 = 20;
const STEPS: [u64; 2] = [1000, 4000];
const LEARNING_RATE: f64 = 1e-3;

#[derive(Module, Debug)]
struct Net {
    hidden: Linear,
    output: Linear,
    #[module(skip)]
    classes: bool,
}

impl Net {
    fn new(width: usize, outputs: usize, classes: bool, seed: u64, device: &Device) -> Self {
        let layer = |inputs, outputs, number| {
            LinearConfig::new(inputs, outputs).with_init(Init::Xavier).init(LEARNER_WEIGHTS.nth(seed, number), device)
        };
        Self { hidden: layer(width, HIDDEN, 0), output: layer(HIDDEN, outputs, 1), classes }
    }

    /// `[batch, width]` gives scores of classes, or the number: `[batch, outputs]`.
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.output.forward(relu(self.hidden.forward(x)))
    }
}

#[derive(Module, Debug)]
struct Learning {
    net: Net,
}

impl Model for Learning {
    /// Points `[batch, width]`; the class one-hot or the number, `[batch, outputs]`.
    type Batch = (Tensor<2>, Tensor<2>);
    type Sampled = Net;

    fn sampled(&self) -> Net {
        self.net.valid()
    }

    fn train_step(mut self, (points, wanted): Self::Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let found = self.net.forward(points);
        let loss = if self.net.classes {
            (log_softmax(found, 1) * wanted).sum_dim(1).mean().neg() // cross-entropy
        } else {
            (found - wanted).square().mean()
        };
        let losses = Losses::default().with("loss", loss.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &self.net);
        self.net = optimizers.step("network", self.net, gradients, step);
        (self, losses)
    }
}

/// Trains on `train` and predicts `test`: one list of probabilities per class, or one list of numbers.
///
/// # Errors
/// [`Error::Undefined`] when training reaches no finite loss.
pub(super) fn fit_and_predict(
    train: &Table,
    test: &Table,
    exclude: &str,
    target: &Target,
    seed: u64,
    device: &Device,
) -> Result<Vec<Vec<f64>>> {
    let (points, values, target) = Points::fit(train, exclude, target, seed);
    let width = points.width();
    let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
    let (wanted, outputs, [mean, deviation]) = outputs(&target);
    let net = learn(&values, &wanted, Net::new(width, outputs, mean.is_nan(), seed, &device.clone().autodiff()), seed, device)?;
    let mut predicted = vec![Vec::with_capacity(test.rows()); outputs];
    points.of(test, |values, rows| {
        let x = host::tensor(values.iter().map(|&value| value as f32).collect(), [rows, width], device);
        let found = net.forward(x);
        let found = if net.classes { softmax(found, 1) } else { found * deviation + mean };
        host::read(&found, |found| {
            found
                .chunks_exact(outputs)
                .for_each(|row| predicted.iter_mut().zip(row).for_each(|(list, &value)| list.push(f64::from(value))));
        });
    });
    Ok(predicted)
}

/// The desired output for each row, `[rows, outputs]`: the class one-hot, or the number with mean 0 and deviation 1; and that mean
/// and deviation, which classes have none of.
fn outputs(target: &Target) -> (Vec<f32>, usize, [f64; 2]) {
    match target {
        Target::Classes { codes, count } => {
            let one_hot = codes.iter().flat_map(|&code| (0..*count).map(move |class| f32::from(u8::from(class == code as usize))));
            (one_hot.collect(), *count, [f64::NAN; 2])
        }
        Target::Values(values) => {
            let count = values.len() as f64;
            let mean = values.iter().sum::<f64>() / count;
            let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt().max(f64::MIN_POSITIVE);
            (values.iter().map(|value| ((value - mean) / deviation) as f32).collect(), 1, [mean, deviation])
        }
    }
}

fn learn(points: &[f32], wanted: &[f32], net: Net, seed: u64, device: &Device) -> Result<Net> {
    let (width, outputs) = (net.hidden.weight.dims()[0], net.output.weight.dims()[1]);
    let rows = points.len() / width;
    let mut passes = Passes::new(rows, TRAINING);
    let mut batch = |step: &Step| {
        let rows = passes.batch(step);
        let gather = |values: &[f32], width: usize| -> Tensor<2> {
            Tensor::from_inner(host::tensor(rows_at(values, width, &rows), [rows.len(), width], device))
        };
        (gather(points, width), gather(wanted, outputs))
    };
    let batch_rows = BATCH_ROWS.min(rows as u64);
    let steps = (EPOCHS * rows as u64).div_ceil(batch_rows).clamp(STEPS[0], STEPS[1]);
    let schedule = TrainSchedule { steps, batch_rows, ..TrainSchedule::default() };
    let trainer = Trainer::new(schedule, Ema { half_life_rows: 2_000.0, ..Ema::default() }, "", &mut batch);
    let adam = Adam { learning_rate: LEARNING_RATE, schedule: LrSchedule::Cosine, ..Adam::default() };
    let mut run = Run::new(device.clone(), seed);
    let Trained { sampled, .. } = trainer
        .fit(Learning { net }, Optimizers::default().with("network", adam), &mut run)
        .map_err(|error| Error::Undefined(format!("training the neural network failed: {error}")))?;
    Ok(sampled)
}

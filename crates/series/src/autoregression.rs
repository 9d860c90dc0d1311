//! `ar-gaussian`: a linear autoregression of all channels with normal noise (Luetkepohl 2005, chapter 3), a control for every score.
//!
//! The first `order` rows of a window are normal; each later row is `b + sum_k A_k x_(t-k) + e`, `e` normal. All coefficients are least squares over
//! all windows.

use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use faer::linalg::solvers::Solve;
use faer::{Mat, Side};
use semblant_core::checkpoint::Checkpoint;
use semblant_core::config::{Config, check_range};
use semblant_core::progress::Event;
use semblant_core::synthesizer::{Run, Summary};
use semblant_core::{Error, Result};
use semblant_data::series::SeriesRequest;
use serde::{Deserialize, Serialize};

use crate::attributes::Features;
use crate::batches::Training;
use crate::covariance::{Covariance, rows_of, unbounded};
use crate::model::{Form, Made, SeriesModel};
use crate::purpose::FIRST_NOISE;

/// Added to the diagonal of the normal equations, as a share of its mean.
const RIDGE: f64 = 1e-8;

/// Settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct AutoregressionConfig {
    /// How many rows before a row it depends on.
    pub order: usize,
}

impl Default for AutoregressionConfig {
    fn default() -> Self {
        Self { order: 1 }
    }
}

impl Config for AutoregressionConfig {
    fn check(&self) -> Result<()> {
        check_range("order", self.order, 1, 64)
    }
}

/// What was learned, for rows of `channels` numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    order: usize,
    /// The mean of the first `order` rows, `[order * channels]`.
    first_mean: Vec<f64>,
    /// A root of their covariance, `[order * channels, order * channels]`.
    first_root: Vec<f64>,
    /// A row of 1 and the `order` rows before to the next row, `[1 + order * channels, channels]`.
    coefficients: Vec<f64>,
    /// A root of the covariance of the noise, `[channels, channels]`.
    noise_root: Vec<f64>,
}

impl SeriesModel for AutoregressionConfig {
    const NAME: &'static str = "ar-gaussian";
    const SUMMARY: &'static str = "linear autoregression with normal noise, no training: a control for scores";
    type Fitted = Fitted;

    fn fit(&self, Training { windows, .. }: &Training, run: &mut Run) -> Result<(Fitted, Summary)> {
        let start = Instant::now();
        run.observer.event(Event::Stage("least squares"));
        let order = self.order.min(windows.length);
        let (channels, length) = (windows.channels, windows.length);
        let first = Mat::from_fn(windows.count, order * channels, |row, at| windows.of(row)[at]);
        let first = Covariance::of(&first)?;
        let root = |of: &Covariance| rows_of(&of.mapped(|deviation| deviation)).collect::<Vec<f64>>();
        let later = length - order;
        let places: Vec<(usize, usize)> = (0..windows.count).flat_map(|window| (0..later).map(move |row| (window, row))).collect();
        let inputs = Mat::from_fn(places.len(), 1 + order * channels, |at, column| match column.checked_sub(1) {
            None => 1.0,
            Some(column) => windows.of(places[at].0)[places[at].1 * channels + column],
        });
        let targets =
            Mat::from_fn(places.len(), channels, |at, channel| windows.of(places[at].0)[(places[at].1 + order) * channels + channel]);
        let coefficients = least_squares(&inputs, &targets)?;
        let noise_root = match places.is_empty() {
            true => vec![0.0; channels * channels],
            false => root(&Covariance::of(&(&targets - &inputs * &coefficients))?),
        };
        let first_root = root(&first);
        let fitted = Fitted { order, first_mean: first.mean, first_root, coefficients: rows_of(&coefficients).collect(), noise_root };
        Ok((fitted, Summary::without_steps(windows.count as u64, start.elapsed().as_secs_f64())))
    }

    fn sample(&self, fitted: &Fitted, form: &Form, _: &Features, request: &SeriesRequest) -> Result<Made> {
        let (channels, stream) = (form.channels(), FIRST_NOISE.of(request.seed));
        let (size, first) = (form.length * channels, fitted.first_mean.len());
        let mut values = Vec::with_capacity((request.rows.end - request.rows.start) as usize * size);
        let mut noise = vec![0.0; size];
        for row in request.rows.clone() {
            stream.normals(row, &mut noise);
            let start = values.len();
            values.extend(fitted.first_mean.iter().zip(mixed(&fitted.first_root, &noise[..first])).map(|(mean, more)| mean + more));
            for place in fitted.order..form.length {
                let before = &values[start + (place - fitted.order) * channels..];
                let mut next = mixed(&fitted.noise_root, &noise[place * channels..(place + 1) * channels]);
                for (line, &value) in fitted.coefficients.chunks_exact(channels).zip(std::iter::once(&1.0).chain(before)) {
                    next.iter_mut().zip(line).for_each(|(next, coefficient)| *next += value * coefficient);
                }
                values.extend(next);
            }
        }
        Ok(values.into())
    }

    fn write(&self, fitted: &Fitted, file: &mut Checkpoint, path: &Path) -> Result<()> {
        file.set_metadata("fitted", fitted, path)
    }

    fn read(&self, file: &Checkpoint, form: &Form, _: usize, path: &Path, _: &Device) -> Result<Fitted> {
        let fitted: Fitted = file.metadata_as("fitted", path)?;
        let Fitted { order, first_mean, first_root, coefficients, noise_root } = &fitted;
        // Bounded by the length, which was checked with the form.
        let (channels, first) = (form.channels(), (*order).min(form.length) * form.channels());
        let sizes =
            [(first_mean, first), (first_root, first * first), (coefficients, (1 + first) * channels), (noise_root, channels * channels)];
        let fits = (1..=form.length).contains(order)
            && sizes.iter().all(|(values, size)| values.len() == *size && values.iter().all(|value| value.is_finite()));
        if fits { Ok(fitted) } else { Err(Error::checkpoint(path, "its coefficients are not those of such series; fit the model again")) }
    }
}

/// `root * noise`, `root` square and row-major.
fn mixed(root: &[f64], noise: &[f32]) -> Vec<f64> {
    root.chunks_exact(noise.len().max(1))
        .map(|line| line.iter().zip(noise).map(|(weight, &noise)| weight * f64::from(noise)).sum())
        .collect()
}

/// The coefficients `B` that make `inputs * B` closest to `targets`.
fn least_squares(inputs: &Mat<f64>, targets: &Mat<f64>) -> Result<Mat<f64>> {
    let size = inputs.ncols();
    if inputs.nrows() == 0 {
        return Ok(Mat::zeros(size, targets.ncols()));
    }
    let mut normal = inputs.transpose() * inputs;
    let ridge = RIDGE * (0..size).map(|at| normal[(at, at)]).sum::<f64>() / size as f64;
    (0..size).for_each(|at| normal[(at, at)] += ridge);
    let solver = normal.llt(Side::Lower).map_err(|_| unbounded())?;
    Ok(solver.solve(inputs.transpose() * targets))
}

#[cfg(test)]
mod tests {
    use semblant_core::seeds::Stream;
    use semblant_data::series::Windows;

    use super::*;

    /// x_t = 0.3 + 0.8 x_(t-1) + 0.1 e: the law is found again.
    #[test]
    fn the_coefficients_of_an_autoregression_are_found() {
        let (count, length) = (2_000, 12);
        let mut noise = vec![0.0; count * length];
        Stream::new(5, 0).normals(0, &mut noise);
        let mut values = Vec::new();
        for line in noise.chunks_exact(length) {
            let mut x = 1.5 + f64::from(line[0]) / 6.0;
            values.push(x);
            for &e in &line[1..] {
                x = 0.3 + 0.8 * x + 0.1 * f64::from(e);
                values.push(x);
            }
        }
        let windows = Windows { values, count, length, channels: 1 };
        let training = Training { windows, lengths: vec![length; count], attributes: Features::default() };
        let run = &mut Run::new(Device::flex(), 0);
        let (fitted, _) = AutoregressionConfig::default().fit(&training, run).expect("fits");
        for (found, truth) in fitted.coefficients.iter().chain(&fitted.noise_root).zip([0.3, 0.8, 0.1]) {
            assert!((found - truth).abs() < 0.01, "{fitted:?}");
        }
    }
}

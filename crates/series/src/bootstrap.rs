//! `block-bootstrap`: windows of the training series themselves, the control for every score (Kuensch 1989).
//!
//! It invents nothing: every row of a sample is a row of the training series, and the model file holds them. A score that it reaches too says nothing
//! of a model; what a model gains over it on later data does.

use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::config::{Config, check_range};
use semblant_core::progress::Event;
use semblant_core::synthesizer::{Run, Summary};
use semblant_core::{Error, Result, host};
use semblant_data::series::SeriesRequest;
use serde::{Deserialize, Serialize};

use crate::attributes::Features;
use crate::batches::Training;
use crate::model::{Form, Made, SeriesModel};
use crate::purpose::BLOCKS;

/// Settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct BootstrapConfig {
    /// Successive rows that are taken together; 0 takes whole windows.
    pub block_rows: usize,
}

impl Config for BootstrapConfig {
    fn check(&self) -> Result<()> {
        check_range("block_rows", self.block_rows, 0, 1 << 24)
    }
}

/// The windows of the training series, `[count, length * channels]`.
pub struct Fitted {
    values: Vec<f32>,
}

impl SeriesModel for BootstrapConfig {
    const NAME: &'static str = "block-bootstrap";
    const SUMMARY: &'static str = "training windows drawn anew, no training: a control for scores that gives the training data away";
    type Fitted = Fitted;

    fn fit(&self, Training { windows, .. }: &Training, run: &mut Run) -> Result<(Fitted, Summary)> {
        let start = Instant::now();
        run.observer.event(Event::Note(
            "block-bootstrap keeps the training series in its file and copies them into samples: a control for scores only",
        ));
        let values = windows.values.iter().map(|&value| value as f32).collect();
        Ok((Fitted { values }, Summary::without_steps(windows.count as u64, start.elapsed().as_secs_f64())))
    }

    fn sample(&self, fitted: &Fitted, form: &Form, _: &Features, request: &SeriesRequest) -> Result<Made> {
        let (channels, length) = (form.channels(), form.length);
        let (size, stream) = (length * channels, BLOCKS.of(request.seed));
        let count = (fitted.values.len() / size) as u64;
        let block = if self.block_rows == 0 { length } else { self.block_rows.min(length) };
        let mut values = Vec::with_capacity((request.rows.end - request.rows.start) as usize * size);
        for row in request.rows.clone() {
            for (number, start) in (0..length).step_by(block).enumerate() {
                let rows = block.min(length - start);
                let window = stream.below(row, 2 * number as u32, count) as usize;
                // A block may begin anywhere in its window.
                let first = stream.below(row, 2 * number as u32 + 1, (length - rows + 1) as u64) as usize;
                let first = if block == length { 0 } else { first };
                let from = window * size + first * channels;
                values.extend(fitted.values[from..from + rows * channels].iter().map(|&value| f64::from(value)));
            }
        }
        Ok(values.into())
    }

    fn write(&self, fitted: &Fitted, file: &mut Checkpoint, _: &Path) -> Result<()> {
        let device = semblant_core::device::select("cpu")?;
        file.add_tensor("training.windows", &host::tensor(fitted.values.clone(), [fitted.values.len()], &device));
        Ok(())
    }

    fn read(&self, file: &Checkpoint, form: &Form, _: usize, path: &Path, _: &Device) -> Result<Fitted> {
        let size = form.length * form.channels();
        let found =
            file.tensor("training.windows", &semblant_core::device::select("cpu")?).map(|tensor| host::read(&tensor, <[f32]>::to_vec));
        let values = found.filter(|values| !values.is_empty() && values.len().is_multiple_of(size));
        let wrong = || Error::checkpoint(path, "the tensor training.windows is missing or has another size; fit the model again");
        Ok(Fitted { values: values.ok_or_else(wrong)? })
    }
}

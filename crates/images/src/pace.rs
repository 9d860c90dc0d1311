//! How long a model of images is trained.

use semblant_core::ema::Ema;
use semblant_core::trainer::TrainSchedule;
use semblant_core::{Error, Result};

/// The part of every training that the loop needs to know.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Images seen in all, the same one as often as it comes.
    pub images: u64,
    /// Images of one step.
    pub batch_images: u64,
    /// The average of the weights that is sampled from.
    pub ema: Ema,
    /// Images between two ticks: log line, check for NaN, and a sheet of samples in the run's folder.
    pub tick_images: u64,
    /// Images between two saved states.
    pub checkpoint_images: u64,
}

impl Pace {
    /// Checks every field's range; they are called `training.NAME` in the settings.
    ///
    /// # Errors
    /// Names the field, its value and the range.
    pub fn check(&self) -> Result<()> {
        const MOST_IMAGES: u64 = 1 << 40;
        const MOST_AT_ONCE: u64 = 1 << 16;
        for (field, value, most) in [("images", self.images, MOST_IMAGES), ("batch_images", self.batch_images, MOST_AT_ONCE)] {
            if value == 0 || value > most {
                return Err(Error::Config(format!("training.{field} = {value} is out of range; choose a number from 1 to {most}")));
            }
        }
        self.ema.check("training.ema")
    }

    /// The trainer's schedule: the last step may see images beyond the number asked for.
    pub fn schedule(&self) -> TrainSchedule {
        TrainSchedule {
            steps: self.images.div_ceil(self.batch_images),
            batch_rows: self.batch_images,
            tick_rows: self.tick_images,
            checkpoint_rows: self.checkpoint_images,
            patience_ticks: 0,
        }
    }
}

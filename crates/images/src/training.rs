//! How an image model is trained.

use semblant_core::Result;
use semblant_core::config::check_range;
use semblant_core::ema::Ema;
use semblant_core::optim::{Adam, LrSchedule};
use semblant_core::train_config::TrainConfig;
use serde::{Deserialize, Serialize};

/// Former names of the settings in [`Training`], for [`Config::renamed`](semblant_core::config::Config::renamed).
pub const RENAMED: &[(&str, &str)] = &[
    ("training.images", "training.rows"),
    ("training.batch_images", "training.batch_rows"),
    ("training.tick_images", "training.tick_rows"),
    ("training.checkpoint_images", "training.checkpoint_rows"),
];

/// Settings of training that image models share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Training {
    /// How long, in what batches, and by which optimizer.
    #[serde(flatten)]
    pub train: TrainConfig,
    /// The probability that an image's class is dropped: for classifier-free guidance, and so that images of unknown class can be
    /// encoded.
    pub class_dropout: f64,
    /// The probability that an image is mirrored.
    pub flip: f64,
    /// The probability of each step of the augmentation of Karras et al. 2022, appendix F.2, on which the network is conditioned; 0 leaves it
    /// out. For diffusion and flow.
    pub augmentation: f64,
}

impl Training {
    /// The defaults of a run over 1,000,000 images with this optimizer and half-life of the weight average.
    pub fn with(optimizer: Adam, ema_half_life_rows: f64, class_dropout: f64) -> Self {
        let train = TrainConfig {
            rows: 1_000_000,
            epochs: 0,
            batch_rows: 64,
            tick_rows: 50_000,
            checkpoint_rows: 100_000,
            patience_ticks: 0,
            optimizer,
            ema: Ema { half_life_rows: ema_half_life_rows, ..Ema::default() },
        };
        Self { train, class_dropout, flip: 0.0, augmentation: 0.0 }
    }

    /// Checks every field's range.
    ///
    /// # Errors
    /// Names the field, its value and the range.
    pub fn check(&self) -> Result<()> {
        self.train.check("training.")?;
        for (field, value) in [("class_dropout", self.class_dropout), ("flip", self.flip), ("augmentation", self.augmentation)] {
            check_range(&format!("training.{field}"), value, 0.0, 1.0)?;
        }
        Ok(())
    }
}

impl Default for Training {
    /// The defaults of diffusion and flow.
    fn default() -> Self {
        let optimizer = Adam { learning_rate: 1e-3, warm_up: 0.02, clip_norm: 1.0, schedule: LrSchedule::Cosine, ..Adam::default() };
        Self::with(optimizer, 50_000.0, 0.1)
    }
}

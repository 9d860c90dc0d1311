//! How long and how a model is trained: one group of settings, which is part of every model's configuration.

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::config::check_range;
use crate::ema::Ema;
use crate::optim::Adam;
use crate::trainer::TrainSchedule;

/// Settings of a training run. Rows are the items of any kind of data: rows of a table, images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct TrainConfig {
    /// Rows seen in all, the same one as often as it comes; 0 trains for `epochs`.
    pub rows: u64,
    /// Passes over the data, where `rows` is 0.
    pub epochs: u64,
    /// Rows of a step.
    pub batch_rows: u64,
    /// Rows between two ticks: log line, check for NaN, score for early stopping, and a sheet of samples for images; 0 ticks once an epoch.
    pub tick_rows: u64,
    /// Rows between two saved states; 0 saves every ten ticks.
    pub checkpoint_rows: u64,
    /// Early stopping: end after this many ticks without a better score, and keep the best; 0 never stops early.
    pub patience_ticks: u64,
    /// The optimizer; for a GAN that of the generator.
    pub optimizer: Adam,
    /// The average of the weights that is sampled from.
    pub ema: Ema,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            rows: 0,
            epochs: 100,
            batch_rows: 64,
            tick_rows: 0,
            checkpoint_rows: 0,
            patience_ticks: 0,
            optimizer: Adam::default(),
            ema: Ema::default(),
        }
    }
}

/// What becomes of the rows that do not fill a batch at the end of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastBatch {
    /// The next epoch's rows fill it.
    Filled,
    /// They are left out: an epoch has as many steps as it fills batches, at least one.
    Dropped,
}

impl TrainConfig {
    /// Checks every field's range; `group` is the name of the settings' group with a dot behind it, or empty.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) with the field, its value and the range.
    pub fn check(&self, group: &str) -> Result<()> {
        const MOST_ROWS: u64 = 1 << 40;
        const MOST_EPOCHS: u64 = 1_000_000;
        const MOST_AT_ONCE: u64 = 1 << 20;
        check_range(&format!("{group}rows"), self.rows, 0, MOST_ROWS)?;
        check_range(&format!("{group}epochs"), self.epochs, u64::from(self.rows == 0), MOST_EPOCHS)?;
        check_range(&format!("{group}batch_rows"), self.batch_rows, 1, MOST_AT_ONCE)?;
        self.optimizer.check(&format!("{group}optimizer"))?;
        self.ema.check(&format!("{group}ema"))
    }

    /// The steps of a run over `items` rows of data.
    pub fn schedule(&self, items: usize, last_batch: LastBatch) -> TrainSchedule {
        let (items, batch) = (items as u64, self.batch_rows);
        let epoch_steps = match last_batch {
            LastBatch::Filled => items.div_ceil(batch),
            LastBatch::Dropped => (items / batch).max(1),
        };
        let steps = match (self.rows, last_batch) {
            (0, LastBatch::Filled) => (self.epochs * items).div_ceil(batch),
            (0, LastBatch::Dropped) => self.epochs * epoch_steps,
            (rows, _) => rows.div_ceil(batch),
        };
        let or = |value: u64, otherwise: u64| if value == 0 { otherwise } else { value };
        let tick_rows = or(self.tick_rows, epoch_steps * batch);
        TrainSchedule {
            steps,
            batch_rows: batch,
            tick_rows,
            checkpoint_rows: or(self.checkpoint_rows, 10 * tick_rows),
            patience_ticks: self.patience_ticks,
            anneal: 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_and_rows_become_steps() {
        let config = TrainConfig { epochs: 3, batch_rows: 60, ..TrainConfig::default() };
        let filled = config.schedule(100, LastBatch::Filled);
        assert_eq!((filled.steps, filled.tick_rows, filled.checkpoint_rows), (5, 120, 1200));
        let dropped = config.schedule(100, LastBatch::Dropped);
        assert_eq!((dropped.steps, dropped.tick_rows), (3, 60));
        assert_eq!(config.schedule(10, LastBatch::Dropped).steps, 3, "at least one step an epoch");
        let rows = TrainConfig { rows: 601, tick_rows: 7, checkpoint_rows: 9, ..config }.schedule(100, LastBatch::Filled);
        assert_eq!((rows.steps, rows.tick_rows, rows.checkpoint_rows), (11, 7, 9));
    }

    #[test]
    fn fields_out_of_range_are_named() {
        let said = |config: TrainConfig| config.check("training.").expect_err("refused").to_string();
        assert!(said(TrainConfig { epochs: 0, ..TrainConfig::default() }).contains("training.epochs = 0"));
        assert!(said(TrainConfig { batch_rows: 0, ..TrainConfig::default() }).contains("training.batch_rows = 0"));
        assert!(said(TrainConfig { rows: u64::MAX, ..TrainConfig::default() }).contains("training.rows"));
        assert!(TrainConfig { epochs: 0, rows: 1, ..TrainConfig::default() }.check("").is_ok());
    }
}

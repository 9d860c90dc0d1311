//! Runs over tables of few rows. There an epoch is a step or two, so that the usual number of epochs ends before a network has learned
//! anything; a run is measured in steps instead, and the best of its states is kept.

use semblant_core::train_config::{LastBatch, TrainConfig};
use semblant_core::trainer::TrainSchedule;

/// The ticks of an extended run.
const TICKS: u64 = 25;
/// Tables of fewer rows are often described better by a model that estimates a few numbers than by a network.
const FEW_ROWS: usize = 1000;

/// The length of a run over a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Length {
    /// Steps, ticks and patience.
    pub schedule: TrainSchedule,
    /// The steps that the epochs would have been, where the run is longer.
    pub extended_from: Option<u64>,
}

impl Length {
    /// The run that `train` asks for over `rows` rows, but at least `min_steps` steps long where `train` has the usual number of epochs: who
    /// asks for rows or another number of epochs gets those. An extended run has 25 ticks, unless `tick_rows` says otherwise.
    pub fn new(train: &TrainConfig, usual_epochs: u64, min_steps: u64, rows: usize, last_batch: LastBatch) -> Self {
        let schedule = train.schedule(rows, last_batch);
        if train.rows > 0 || train.epochs != usual_epochs || schedule.steps >= min_steps {
            return Self { schedule, extended_from: None };
        }
        let or = |value: u64, otherwise: u64| if value == 0 { otherwise } else { value };
        let tick_rows = or(train.tick_rows, (min_steps / TICKS).max(1) * train.batch_rows);
        let checkpoint_rows = or(train.checkpoint_rows, 10 * tick_rows);
        Self { schedule: TrainSchedule { steps: min_steps, tick_rows, checkpoint_rows, ..schedule }, extended_from: Some(schedule.steps) }
    }

    /// The step from which ticks are scored and the best state is kept, if at all: from the first with patience, else in the second half
    /// of an extended run.
    ///
    /// Before, the score misleads: while columns are still independent of one another it is better than when their dependence is half
    /// learned, so that patience would end most runs of small tables there.
    pub fn scored_from(&self) -> Option<u64> {
        if self.schedule.patience_ticks > 0 {
            return Some(0);
        }
        self.extended_from.map(|_| self.schedule.steps / 2)
    }

    /// What a user should know of a run of `model` over `rows` rows, if anything.
    pub fn note(&self, model: &str, epochs: u64, rows: usize) -> Option<String> {
        let steps = self.extended_from?;
        let instead = format!(
            "{rows} rows are few: {epochs} epochs would be {steps} steps, so {model} trains for {} (min_steps)",
            self.schedule.steps
        );
        Some(if rows < FEW_ROWS {
            format!("{instead}; on so few rows --model copula is often closer to the table, copies less of it and takes no training")
        } else {
            instead
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(train: TrainConfig, rows: usize) -> Length {
        Length::new(&train, 300, 1500, rows, LastBatch::Dropped)
    }

    #[test]
    fn only_short_runs_of_the_usual_epochs_are_extended() {
        let usual = TrainConfig { epochs: 300, batch_rows: 500, ..TrainConfig::default() };
        for (train, rows) in
            [(usual, 2500), (usual, 1_000_000), (TrainConfig { epochs: 299, ..usual }, 546), (TrainConfig { rows: 1000, ..usual }, 546)]
        {
            let found = length(train, rows);
            assert_eq!(found, Length { schedule: train.schedule(rows, LastBatch::Dropped), extended_from: None });
            assert!(found.note("ctgan", train.epochs, rows).is_none() && found.scored_from().is_none());
        }
    }

    #[test]
    fn extended_runs_are_scored_and_noted() {
        let usual = TrainConfig { epochs: 300, batch_rows: 500, ..TrainConfig::default() };
        let found = length(usual, 546);
        let schedule =
            TrainSchedule { steps: 1500, batch_rows: 500, tick_rows: 30_000, checkpoint_rows: 300_000, patience_ticks: 0, anneal: 0.0 };
        assert_eq!(found, Length { schedule, extended_from: Some(300) });
        assert_eq!(found.scored_from(), Some(750));
        let note = found.note("ctgan", 300, 546).expect("extended");
        assert!(["546 rows", "300 steps", "1500 (min_steps)", "--model copula"].iter().all(|word| note.contains(word)), "{note}");
        let more = length(usual, 2000).note("ctgan", 300, 2000).expect("extended");
        assert!(!more.contains("copula"), "{more}");
        let own = length(TrainConfig { tick_rows: 500, checkpoint_rows: 9, patience_ticks: 7, ..usual }, 546);
        assert_eq!((own.schedule.tick_rows, own.schedule.checkpoint_rows, own.scored_from()), (500, 9, Some(0)));
    }
}

//! How long the stages of an evaluation take: for its progress, and for the number of rows that a time allows.

use std::time::Duration;

use semblant_data::table::Table;

use super::{Compared, Options};

/// What the time of an evaluation depends on.
#[derive(Clone, Copy)]
pub(super) struct Effort {
    /// Of the longest table.
    pub(super) rows: usize,
    /// The same for distances, detection and attacks.
    pub(super) cut: usize,
    columns: usize,
    holdout: bool,
    target: bool,
}

/// Fewest rows that a budget leaves: with fewer the tests find next to nothing.
const LEAST_ROWS: usize = 1_000;

impl Effort {
    pub(super) fn new(tables: &Compared, columns: usize, target: Option<&str>, options: &Options) -> Self {
        let rows = tables.real.rows().max(tables.synthetic.rows()).max(tables.holdout.map_or(0, Table::rows));
        Self {
            rows,
            cut: options.max_rows.map_or(rows, |most| most.min(rows)),
            columns,
            holdout: tables.holdout.is_some(),
            target: target.is_some(),
        }
    }

    /// The stages with their seconds of one core, to within a factor of two for most tables. Measured with 50 columns of both kinds and 6,000 to
    /// 81,000 rows on a server of 2024; searches for the closest row are faster in tables of few columns.
    fn stages(&self) -> [(&'static str, f64); 11] {
        let (rows, cut, columns) = (self.rows as f64, self.cut as f64, self.columns as f64);
        let pairs = columns * (columns - 1.0) / 2.0;
        let sides = if self.holdout { 1.0 } else { 0.4 };
        let search = columns * cut * (5.5e-10 * cut + 8.2e-6);
        [
            ("column shapes", 1e-7 * rows * columns),
            ("column pair trends", 4.5e-8 * rows * pairs),
            ("intervals", 1.1e-6 * rows.min(20_000.0) * pairs),
            ("detection", sides * columns * (0.06 + 2e-5 * cut)),
            ("relations and groups", 3e-8 * rows * pairs),
            ("coverage and distances between distributions", 4.4e-7 * rows * pairs),
            ("support", columns * (0.025 + 9e-6 * cut)),
            ("utility", if self.target { columns * (0.23 + 1e-5 * rows) } else { 0.0 }),
            ("privacy", 0.65 * sides * search),
            ("disclosure", 0.35 * sides * search),
            ("attacks", if self.holdout { columns * (0.02 + 1.3e-5 * cut) } else { 0.0 }),
        ]
    }

    /// Seconds of one core for everything.
    pub(super) fn seconds(&self) -> f64 {
        self.stages().iter().map(|(_, seconds)| seconds).sum()
    }

    /// The share of the work that is done when a stage begins; `None` for stages that take no time worth naming.
    pub(super) fn done(&self, stage: &str) -> Option<f64> {
        let stages = self.stages();
        let place = stages.iter().position(|(name, _)| *name == stage)?;
        let before: f64 = stages[..place].iter().map(|(_, seconds)| seconds).sum();
        Some(before / self.seconds())
    }

    /// The same with the most rows whose evaluation takes no longer than the budget on so many cores, or with 1,000.
    pub(super) fn within(&self, budget: Duration, cores: usize) -> Self {
        let with = |rows: usize| Self { rows, cut: self.cut.min(rows), ..*self };
        let fits = |rows: usize| with(rows).seconds() <= budget.as_secs_f64() * cores as f64;
        if fits(self.rows) {
            return *self;
        }
        let (mut low, mut high) = (LEAST_ROWS.min(self.rows), self.rows);
        while low + 1 < high {
            let middle = low.midpoint(high);
            if fits(middle) { low = middle } else { high = middle }
        }
        with(low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_gives_the_rows_that_fit() {
        let all = Effort { rows: 81_000, cut: 81_000, columns: 50, holdout: true, target: true };
        let within = |secs: u64, cores| all.within(Duration::from_secs(secs), cores);
        assert_eq!(within(100_000, 1).rows, 81_000);
        let (two, one) = (within(120, 2), within(120, 1));
        assert!(two.rows < 81_000 && one.rows < two.rows && one.rows > LEAST_ROWS, "{} {}", one.rows, two.rows);
        assert!(one.seconds() <= 120.0 && Effort { rows: one.rows + 1, cut: one.rows + 1, ..all }.seconds() > 120.0);
        // A budget that nothing fits leaves what tests need; a table that is shorter stays whole.
        assert_eq!(within(1, 1).rows, LEAST_ROWS);
        assert_eq!(Effort { rows: 300, cut: 300, ..all }.within(Duration::from_millis(1), 1).rows, 300);
    }

    #[test]
    fn progress_grows_from_stage_to_stage() {
        let all = Effort { rows: 6_000, cut: 2_000, columns: 12, holdout: true, target: true };
        let shares: Vec<f64> = all.stages().iter().map(|(name, _)| all.done(name).unwrap()).collect();
        assert!(shares[0] == 0.0 && shares.windows(2).all(|pair| pair[0] <= pair[1]) && shares[10] < 1.0, "{shares:?}");
        assert_eq!(all.done("figures"), None);
    }
}

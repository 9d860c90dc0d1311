//! What is asked of some rows and not of others: target shares of a column, rows that are given in part.

use semblant_core::seeds::Stream;

use super::Predicate;

/// The cases of a request, each what it asks beside the conditions of all rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Cases {
    asked: Vec<Vec<(usize, Predicate)>>,
    order: Order,
}

/// Which case a row is.
#[derive(Debug, Clone, Default)]
enum Order {
    /// One after another, from the first again.
    #[default]
    Cycle,
    /// By shares: where the cases end, and where the first row starts, between 0 and 1.
    Shares { ends: Vec<f64>, start: f64 },
}

impl Cases {
    /// Cases that come in turn.
    pub(super) fn in_turn(asked: Vec<Vec<(usize, Predicate)>>) -> Self {
        Self { asked, order: Order::Cycle }
    }

    /// Cases that have these shares of any sufficiently long run of rows: row `i` is at the fraction of `i` times the golden ratio, so that counts
    /// are nearer to the shares than those of independent draws.
    pub(super) fn with_shares(asked: Vec<Vec<(usize, Predicate)>>, shares: &[f64], stream: &Stream) -> Self {
        let total: f64 = shares.iter().sum();
        let ends = shares.iter().scan(0.0, |end, share| {
            *end += share / total;
            Some(*end)
        });
        Self { asked, order: Order::Shares { ends: ends.collect(), start: stream.uniform_f64(0, 0) } }
    }

    /// Whether anything is asked.
    pub(super) fn ask(&self) -> bool {
        self.asked.iter().any(|asked| !asked.is_empty())
    }

    pub(super) fn count(&self) -> usize {
        self.asked.len().max(1)
    }

    pub(super) fn of(&self, row: u64) -> usize {
        match &self.order {
            Order::Cycle => (row % self.count() as u64) as usize,
            Order::Shares { ends, start } => {
                // 2^64 divided by the golden ratio.
                let turned = row.wrapping_mul(0x9e37_79b9_7f4a_7c15) as f64 / 2f64.powi(64);
                let place = (turned + start).fract();
                ends.iter().position(|end| place < *end).unwrap_or(ends.len().saturating_sub(1))
            }
        }
    }

    pub(super) fn asked(&self, case: usize) -> &[(usize, Predicate)] {
        self.asked.get(case).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use semblant_core::seeds::streams::ROWS;

    use super::*;

    #[test]
    fn shares_are_met_in_any_run_of_rows() {
        let asked: Vec<Vec<(usize, Predicate)>> = (0..3).map(|code| vec![(0, Predicate::Label(code))]).collect();
        let cases = Cases::with_shares(asked, &[2.0, 5.0, 3.0], &ROWS.of(7));
        for first in [0u64, 12_345, 1 << 40] {
            let mut counts = [0usize; 3];
            (first..first + 1000).for_each(|row| counts[cases.of(row)] += 1);
            for (count, expected) in counts.into_iter().zip([200usize, 500, 300]) {
                assert!(count.abs_diff(expected) <= 4, "{counts:?}");
            }
        }
    }
}

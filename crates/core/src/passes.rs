//! The order in which training sees its rows.

use crate::model::Step;
use crate::seeds::streams::StreamRange;

/// Passes over a number of rows: each row once before any comes again, every pass in an order of its own that is a function of the
/// seed. Any place can be asked for; those near the last one are found without drawing an order anew.
#[derive(Debug, Clone)]
pub struct Passes {
    rows: usize,
    purpose: StreamRange,
    /// The orders of two passes, since one batch may reach from one into the next.
    orders: [(u64, Vec<usize>); 2],
}

impl Passes {
    /// Passes over `rows` rows; `purpose` is that of [`Step::stream`].
    ///
    /// # Panics
    /// When there are no rows.
    pub fn new(rows: usize, purpose: StreamRange) -> Self {
        assert!(rows > 0, "a pass needs a row");
        let none = (u64::MAX, Vec::new());
        Self { rows, purpose, orders: [none.clone(), none] }
    }

    /// The rows of a step's batch.
    pub fn batch(&mut self, step: &Step) -> Vec<usize> {
        step.rows().map(|position| self.row_at(position, step)).collect()
    }

    fn row_at(&mut self, position: u64, step: &Step) -> usize {
        let count = self.rows as u64;
        let (pass, place) = (position / count, (position % count) as usize);
        let slot = &mut self.orders[(pass % 2) as usize];
        if slot.0 != pass {
            *slot = (pass, step.stream(self.purpose).permutation(pass, self.rows));
        }
        slot.1[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Part;
    use crate::seeds::streams::TRAINING;

    #[test]
    fn every_row_comes_once_a_pass_and_places_do_not_depend_on_what_was_asked_before() {
        let step = |index: u64| Step { index, rows_seen: 4 * index, total_rows: 100, batch_rows: 4, seed: 3, part: Part::WHOLE, rate: 1.0 };
        let mut passes = Passes::new(6, TRAINING);
        let all: Vec<usize> = (0..6).flat_map(|index| passes.batch(&step(index))).collect();
        for pass in all.chunks(6) {
            let mut sorted = pass.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3, 4, 5]);
        }
        assert!(all[..6] != all[6..12] || all[6..12] != all[12..18], "passes have orders of their own");
        assert_eq!(Passes::new(6, TRAINING).batch(&step(4)), all[16..20]);
    }
}

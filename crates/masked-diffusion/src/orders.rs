//! The orders in which positions are shown.

use semblant_core::seeds::Stream;

/// A distribution of orders of positions: a given order with some probability, else a random one.
#[derive(Debug, Clone, PartialEq)]
pub struct Orders {
    positions: usize,
    given: Vec<usize>,
    given_share: f64,
    last: Vec<usize>,
}

impl Orders {
    /// All orders of `positions` positions, equally probable.
    pub fn random(positions: usize) -> Self {
        Self { positions, given: Vec::new(), given_share: 0.0, last: Vec::new() }
    }

    /// The same with a share of rows that have the order `given`.
    ///
    /// # Panics
    /// When `given` is no permutation of the positions.
    pub fn with_given(self, given: Vec<usize>, share: f64) -> Self {
        let mut sorted = given.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..self.positions), "an order holds every position once");
        Self { given, given_share: share, ..self }
    }

    /// The same with positions that come last, in this order, in every random order.
    pub fn with_last(self, last: Vec<usize>) -> Self {
        Self { last, ..self }
    }

    /// The number of positions.
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// The order of `row`.
    pub fn order(&self, stream: &Stream, row: u64) -> Vec<usize> {
        // Position `positions` of the row's numbers: a permutation takes those below.
        if self.given_share > 0.0 && stream.uniform_f64(row, self.positions as u32) < self.given_share {
            return self.given.clone();
        }
        let mut order = stream.permutation(row, self.positions);
        if !self.last.is_empty() {
            order.retain(|position| !self.last.contains(position));
            order.extend(&self.last);
        }
        order
    }

    /// What a training step shows of `row`: the first `k` positions of its order, `k` from 0 to all but one, each as probable as the others.
    /// Gives `k`, and fills `shown`.
    ///
    /// The loss over the hidden positions times `positions / (positions - k)` is on average the negative log-likelihood of the row
    /// (Hoogeboom et al. 2022, equation 6). `place` from 0 to 1 takes the place of a random number for `k`: evenly spread over the rows of a
    /// batch it makes the gradient less noisy.
    pub fn show(&self, stream: &Stream, row: u64, place: f64, shown: &mut [bool]) -> usize {
        let k = ((place * self.positions as f64) as usize).min(self.positions.saturating_sub(1));
        shown.fill(false);
        self.order(stream, row)[..k].iter().for_each(|&position| shown[position] = true);
        k
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_mixed_as_asked() {
        let stream = Stream::new(1, 2);
        let orders = Orders::random(4).with_given(vec![3, 1, 0, 2], 0.25).with_last(vec![0]);
        let all: Vec<Vec<usize>> = (0..4000).map(|row| orders.order(&stream, row)).collect();
        let given = all.iter().filter(|order| **order == [3, 1, 0, 2]).count() as f64 / 4000.0;
        assert!((given - 0.25).abs() < 0.03, "{given}");
        let others: Vec<_> = all.iter().filter(|order| **order != [3, 1, 0, 2]).collect();
        assert!(others.iter().all(|order| order[3] == 0));
        let first = others.iter().filter(|order| order[0] == 1).count() as f64 / others.len() as f64;
        assert!((first - 1.0 / 3.0).abs() < 0.04, "{first}");
        assert_eq!(orders.order(&stream, 17), all[17]);
    }

    #[test]
    fn every_number_of_shown_positions_is_as_probable() {
        let (orders, stream) = (Orders::random(5), Stream::new(0, 0));
        let mut counts = [0; 5];
        let mut shown = [false; 5];
        for row in 0..1000 {
            let k = orders.show(&stream, row, (row as f64 + 0.5) / 1000.0, &mut shown);
            assert_eq!(shown.iter().filter(|&&shown| shown).count(), k);
            counts[k] += 1;
        }
        assert_eq!(counts, [200; 5]);
        assert_eq!(orders.show(&stream, 0, 1.0, &mut shown), 4, "one is always hidden");
    }
}

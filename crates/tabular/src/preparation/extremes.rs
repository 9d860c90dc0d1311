//! Numbers in the place of extreme ones.

use semblant_data::table::ColumnSchema;

/// The upper end of numbers, or the lower one of their negatives.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Tail {
    /// The greatest number that enough rows reach.
    end: f64,
    /// How far the number that twice as many rows reach lies below it.
    scale: f64,
    /// The shape of a generalised Pareto distribution.
    shape: f64,
}

impl Tail {
    /// Of sorted numbers, of which the last `beyond` are not learned. Pickands (1975), equation 4, of the numbers that 1, 2 and 4 times as many rows
    /// reach.
    fn of(sorted: &[f64], beyond: usize) -> Self {
        let at = |times: usize| sorted[sorted.len().saturating_sub(times * (beyond + 1))];
        let (near, far) = (at(1) - at(2), at(2) - at(4));
        let shape = if near > 0.0 && far > 0.0 { (near / far).log2().clamp(-1.0, 0.5) } else { 0.0 };
        // A number that so many rows share is a limit of its own.
        let heap = sorted.iter().rev().filter(|&&value| value == at(1)).count();
        let scale = if heap > beyond { 0.0 } else { near };
        Self { end: at(1), scale, shape }
    }

    /// The number that `place` of the `beyond` rows reach, counted from the farthest, 1. It depends on no number beyond the end.
    fn beyond(&self, place: usize, beyond: usize) -> f64 {
        let share = place as f64 / (beyond + 1) as f64;
        let grown = if self.shape.abs() < 1e-6 { -share.log2() } else { (share.powf(-self.shape) - 1.0) / (1.0 - 2f64.powf(-self.shape)) };
        self.end + self.scale * grown
    }
}

/// The numbers with others in the place of those beyond what `rare` rows reach on either side, one in twenty of a small table; and what they reach.
/// The farthest one stays the farthest, at where the distribution before it leads.
pub(super) fn without_extremes(described: &ColumnSchema, values: &[f64], rare: u64) -> (Vec<f64>, Option<[f64; 2]>) {
    let mut changed: Vec<f64> = values.iter().map(|&value| if value.is_nan() { f64::NAN } else { value }).collect();
    let mut order: Vec<usize> = (0..values.len()).filter(|&row| !values[row].is_nan()).collect();
    if rare == 0 || order.is_empty() {
        return (changed, None);
    }
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]).then(a.cmp(&b)));
    let beyond = (rare as usize - 1).min(order.len() / 20);
    let mut replace = |order: &[usize], sign: f64| {
        let sorted: Vec<f64> = order.iter().map(|&row| sign * values[row]).collect();
        let tail = Tail::of(&sorted, beyond);
        for (place, &row) in order.iter().rev().take(beyond).enumerate().filter(|(_, row)| sign * values[**row] > tail.end) {
            let value = described.round_number(sign * tail.beyond(place + 1, beyond));
            // Nothing lies where no number lay, so that types, digits and signs stay possible; nor does the farthest number come back.
            let is_within = sign * value >= tail.end && sign * value < sorted[sorted.len() - 1];
            changed[row] = if is_within { value } else { sign * tail.end };
        }
        sign * tail.end
    };
    let high = replace(&order, 1.0);
    order.reverse();
    let low = replace(&order, -1.0);
    (changed, Some([low, high]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_continue_as_they_came() {
        let far = |inverse: &dyn Fn(f64) -> f64| {
            let sorted: Vec<f64> = (0..5000).map(|i| inverse((f64::from(i) + 0.5) / 5000.0)).collect();
            let tail = Tail::of(&sorted, 4);
            ((tail.beyond(1, 4) - tail.end) / (sorted[4999] - tail.end), (tail.beyond(5, 4) - tail.end).abs())
        };
        // Uniform, exponential and Pareto: the farthest draw is about as far as the greatest number was.
        for (inverse, low, high) in [
            (&(|u: f64| u) as &dyn Fn(f64) -> f64, 0.9, 1.1),
            (&|u: f64| -(1.0 - u).ln(), 0.75, 1.1),
            (&|u: f64| (1.0 - u).powf(-0.5), 0.5, 1.0),
        ] {
            let (share, none) = far(inverse);
            assert!((low..high).contains(&share) && none < 1e-9, "{share} {none}");
        }
        assert_eq!(Tail::of(&[3.0; 40], 2).beyond(1, 2), 3.0);
    }
}

//! Whether windows were copied from the training windows.

use semblant_data::series::Windows;

use crate::nearest::Rows;

/// The most windows of each set that neighbours are sought for.
const MOST: usize = 2_000;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Copies {
    /// The share of synthetic windows that are nearer to a training window than half of what the reference windows typically are.
    pub share: f64,
    /// The same share among the reference windows themselves.
    pub reference: f64,
    /// The median distance of a reference window to its nearest training window.
    pub typical: f64,
}

/// Counts synthetic windows whose nearest training window is nearer than half the median distance of the `reference` windows (such as later ones of
/// the same series) to theirs. Up to 2,000 windows of each set, spread evenly, are looked at; all training windows are.
pub fn copies(train: &Windows, synthetic: &Windows, reference: &Windows) -> Copies {
    let rows = |windows: &Windows| windows.length * windows.channels;
    let nearest_of = |windows: &Windows| -> Vec<f64> {
        let every = windows.count.div_ceil(MOST).max(1);
        let some = windows.select((0..windows.count).step_by(every));
        let train = Rows::new(&train.values, rows(train));
        let nearest = |least: &mut f64, _: usize, squares: &[f64]| *least = squares.iter().copied().fold(*least, f64::min);
        let squares = Rows::new(&some.values, rows(&some)).fold(&train, |_| f64::INFINITY, nearest);
        squares.into_iter().map(f64::sqrt).collect()
    };
    let references = nearest_of(reference);
    let mut sorted = references.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let typical = sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN);
    let share =
        |distances: &[f64]| distances.iter().filter(|&&distance| distance < 0.5 * typical).count() as f64 / distances.len().max(1) as f64;
    Copies { share: share(&nearest_of(synthetic)), reference: share(&references), typical }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_found_and_new_windows_are_not() {
        let windows = |offset: usize| Windows {
            values: (0..400 * 12).map(|i| ((i + offset) * 7919 % 10_007) as f64 / 10_007.0).collect(),
            count: 400,
            length: 6,
            channels: 2,
        };
        let (train, new, reference) = (windows(0), windows(3_333), windows(7_777));
        let found = copies(&train, &new, &reference);
        assert!(found.share < 0.02 && found.reference < 0.02, "{found:?}");
        let mut half = new.clone();
        half.values[..200 * 12].copy_from_slice(&train.values[..200 * 12]);
        assert!((copies(&train, &half, &reference).share - 0.5).abs() < 0.02);
    }
}

//! Marginals as they are in the table.
//!
//! A network that is stopped early, and averaged, is a little off in how often it draws each token, and errors of the columns before add to it. Rows
//! are drawn without conditions, and the biases of the heads are moved by the logarithm of how much too rare a token is. What may be chance is
//! left alone: a difference shrinks by its variance (James and Stein 1961).

use semblant_core::host;
use semblant_core::seeds::streams::CALIBRATION;
use semblant_masked_diffusion::Cell;

use crate::masked_diffusion::{Fitted, MaskedDiffusionConfig};
use crate::sampling;

/// Rows that are drawn in a round, at least and at most; four for each row of the table between.
const ROWS: [u64; 2] = [1_024, 16_384];
/// The most that a bias moves in a round.
const FARTHEST: f64 = 0.5;
/// Tokens of a number, as a share of all, over which counts are averaged on either side.
const WINDOW: f64 = 0.02;

/// Moves the biases of the heads, `rounds` times. `cells` are those of the table, `[positions][rows]`.
pub(crate) fn calibrate(config: &MaskedDiffusionConfig, fitted: &mut Fitted, cells: &[Vec<Cell>], rounds: u32, seed: u64) {
    let spans = fitted.layout.spans.clone();
    let count = |rows: &mut dyn Iterator<Item = (usize, u32)>| {
        let mut counts = vec![0.0; spans.width()];
        rows.for_each(|(position, token)| counts[spans.range(position).start + token as usize] += 1.0);
        counts
    };
    let of_table = cells.iter().enumerate().flat_map(|(position, cells)| cells.iter().map(move |cell| (position, cell.token)));
    let wanted: Vec<f64> = count(&mut of_table.into_iter());
    let alone: Vec<Option<Vec<bool>>> =
        fitted.tokens.positions().into_iter().map(|position| fitted.tokens.bins(position).map(|bins| bins.alone())).collect();
    let rows = (4 * cells.first().map_or(0, Vec::len) as u64).clamp(ROWS[0], ROWS[1]);
    for round in 0..rounds {
        let drawn = sampling::unconditional(config, fitted, 0..rows, CALIBRATION.nth(seed, round).below(0, 0, u64::MAX));
        let of_rows = drawn.iter().flat_map(|row| row.iter().enumerate().map(|(position, cell)| (position, cell.token)));
        let found = count(&mut of_rows.into_iter());
        let mut moves = vec![0.0f32; spans.width()];
        for (position, alone) in alone.iter().enumerate() {
            let range = spans.range(position);
            let smooth = |counts: &[f64]| smoothed(&counts[range.clone()], alone.as_deref());
            let moved = differences(&smooth(&wanted), &smooth(&found));
            moves[range].copy_from_slice(&moved);
        }
        if let Some(bias) = fitted.net.head_bias() {
            let [width] = bias.dims();
            let moves = host::tensor(moves, [width], &bias.device());
            fitted.net.set_head_bias(bias + moves);
        }
    }
}

/// A sum of the counts of tokens, and of how many tokens.
type Sum = (f64, f64);

/// Sums over neighbours, but for tokens that stand for single values.
fn smoothed(counts: &[f64], alone: Option<&[bool]>) -> Vec<Sum> {
    let Some(alone) = alone else { return counts.iter().map(|&count| (count, 1.0)).collect() };
    let reach = (WINDOW * counts.len() as f64).ceil() as usize;
    let of = |token: usize| {
        if alone[token] {
            return (counts[token], 1.0);
        }
        let near = (token.saturating_sub(reach)..(token + reach + 1).min(counts.len())).filter(|&other| !alone[other]);
        let (sum, number) = near.fold((0.0, 0.0), |(sum, number), other| (sum + counts[other], number + 1.0));
        (sum, number)
    };
    (0..counts.len()).map(of).collect()
}

/// How far each bias moves.
fn differences(wanted: &[Sum], found: &[Sum]) -> Vec<f32> {
    let total = |counts: &[Sum]| counts.iter().map(|(sum, number)| sum / number).sum::<f64>().max(1.0);
    let (of_wanted, of_found) = (total(wanted), total(found));
    let one = |(&(wanted, number), &(found, _)): (&Sum, &Sum)| {
        let (wanted, found) = (wanted + 1.0, found + 1.0);
        let difference = (wanted / (number * of_wanted)).ln() - (found / (number * of_found)).ln();
        let variance = 1.0 / wanted + 1.0 / found;
        let kept = (1.0 - variance / (difference * difference).max(1e-12)).max(0.0);
        (kept * difference).clamp(-FARTHEST, FARTHEST) as f32
    };
    wanted.iter().zip(found).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_beyond_chance_are_moved() {
        let counts = |values: &[f64]| values.iter().map(|&value| (value, 1.0)).collect::<Vec<Sum>>();
        let moved = differences(&counts(&[5000.0, 4000.0, 1000.0]), &counts(&[4000.0, 5000.0, 1000.0]));
        assert!((moved[0] - (5.0f32 / 4.0).ln()).abs() < 0.01 && (moved[1] - (4.0f32 / 5.0).ln()).abs() < 0.01, "{moved:?}");
        assert_eq!(moved[2], 0.0, "no difference");
        assert_eq!(differences(&counts(&[104.0, 96.0]), &counts(&[100.0, 100.0])), [0.0, 0.0], "a difference by chance");
        assert_eq!(differences(&counts(&[9000.0, 10.0]), &counts(&[10.0, 9000.0])), [0.5, -0.5], "bounded");
    }

    #[test]
    fn ranges_are_averaged_and_single_values_are_not() {
        let alone = [false, false, true, false];
        let found = smoothed(&[2.0, 4.0, 100.0, 6.0], Some(&alone));
        assert_eq!(found, [(6.0, 2.0), (6.0, 2.0), (100.0, 1.0), (6.0, 1.0)]);
        assert_eq!(smoothed(&[2.0, 4.0], None), [(2.0, 1.0), (4.0, 1.0)]);
    }
}

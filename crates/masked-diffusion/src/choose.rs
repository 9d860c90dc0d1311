//! The draw of one token.

use pulp::Arch;
use semblant_core::math::softmax;

/// How a token is drawn from its distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// Logits are divided by it: 1 draws from the model's own distribution, less prefers probable tokens.
    pub temperature: f32,
    /// Only the most probable tokens that together have this share are drawn (nucleus sampling, Holtzman et al. 2020); 1 draws all.
    pub top_p: f32,
    /// Only so many of the most probable tokens are drawn; 0 draws all.
    pub top_k: usize,
}

impl Default for Choice {
    fn default() -> Self {
        Self { temperature: 1.0, top_p: 1.0, top_k: 0 }
    }
}

/// Draws a token by inverting the distribution function at `uniform`, which lies in [0, 1). `factors` multiply the probabilities: 0 excludes a
/// token. Gives the token and the share that the factors left, which is the probability that the restriction holds.
///
/// `logits` are overwritten. Where the factors leave nothing that can be told from 0, the token with the greatest factor is given.
pub fn choose(logits: &mut [f32], factors: Option<&[f32]>, choice: Choice, uniform: f64) -> (u32, f64) {
    if choice.temperature != 1.0 {
        logits.iter_mut().for_each(|logit| *logit /= choice.temperature);
    }
    Arch::new().dispatch(
        #[inline(always)]
        || softmax(logits),
    );
    let mut left = 1.0;
    if let Some(factors) = factors {
        logits.iter_mut().zip(factors).for_each(|(probability, factor)| *probability *= factor);
        left = total(logits);
        if left < 1e-30 {
            let greatest = (0..factors.len()).max_by(|&a, &b| factors[a].total_cmp(&factors[b]).then(b.cmp(&a)));
            return (greatest.unwrap_or(0) as u32, left);
        }
    }
    if choice.top_p < 1.0 || choice.top_k > 0 {
        let most = if choice.top_k > 0 { choice.top_k } else { logits.len() };
        cut(logits, f64::from(choice.top_p) * total(logits), most);
    }
    (invert(logits, uniform), left)
}

fn total(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value)).sum()
}

/// Keeps the greatest values that together reach `share`, at most so many.
fn cut(values: &mut [f32], share: f64, most: usize) {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
    let mut sum = 0.0;
    let kept = order.iter().take_while(|&&index| {
        let before = sum;
        sum += f64::from(values[index]);
        before < share
    });
    let kept = kept.count().min(most).max(1);
    order[kept..].iter().for_each(|&index| values[index] = 0.0);
}

fn invert(weights: &[f32], uniform: f64) -> u32 {
    let mut left = uniform * total(weights);
    for (token, &weight) in weights.iter().enumerate() {
        left -= f64::from(weight);
        if left < 0.0 {
            return token as u32;
        }
    }
    // Rounding left a little over: the greatest weight takes it.
    (0..weights.len()).max_by(|&a, &b| weights[a].total_cmp(&weights[b])).unwrap_or(0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(logits: &[f32], factors: Option<&[f32]>, choice: Choice) -> Vec<f64> {
        let mut counts = vec![0.0; logits.len()];
        let draws = 100_000;
        for draw in 0..draws {
            let (token, _) = choose(&mut logits.to_vec(), factors, choice, (draw as f64 + 0.5) / draws as f64);
            counts[token as usize] += 1.0 / draws as f64;
        }
        counts
    }

    fn close(a: &[f64], b: &[f64]) {
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4), "{a:?} against {b:?}");
    }

    #[test]
    fn tokens_come_with_their_probabilities() {
        let logits = [0.1f32, 0.2, 0.3, 0.4].map(f32::ln);
        close(&shares(&logits, None, Choice::default()), &[0.1, 0.2, 0.3, 0.4]);
        // Squares: 1, 4, 9, 16 of 30.
        let cold = Choice { temperature: 0.5, ..Choice::default() };
        close(&shares(&logits, None, cold), &[1.0 / 30.0, 4.0 / 30.0, 0.3, 16.0 / 30.0]);
        // 0.4 alone does not reach 0.6, with 0.3 it does.
        close(&shares(&logits, None, Choice { top_p: 0.6, ..Choice::default() }), &[0.0, 0.0, 3.0 / 7.0, 4.0 / 7.0]);
        close(&shares(&logits, None, Choice { top_k: 2, ..Choice::default() }), &[0.0, 0.0, 3.0 / 7.0, 4.0 / 7.0]);
        close(&shares(&logits, None, Choice { top_k: 3, top_p: 0.6, ..Choice::default() }), &[0.0, 0.0, 3.0 / 7.0, 4.0 / 7.0]);
        close(&shares(&logits, Some(&[1.0, 0.5, 0.0, 0.0]), Choice::default()), &[0.5, 0.5, 0.0, 0.0]);
    }

    #[test]
    fn the_share_that_is_left_is_told_and_nothing_impossible_is_drawn() {
        let logits = [0.1f32, 0.2, 0.3, 0.4].map(f32::ln);
        let (_, left) = choose(&mut logits.to_vec(), Some(&[1.0, 0.5, 0.0, 0.0]), Choice::default(), 0.3);
        assert!((left - 0.2).abs() < 1e-6);
        let far = [0.0, -300.0];
        assert_eq!(choose(&mut far.to_vec(), Some(&[0.0, 1.0]), Choice::default(), 0.99).0, 1, "the only one that is allowed");
    }
}

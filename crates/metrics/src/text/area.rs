//! The area under a divergence curve between two sets of texts.
//!
//! The curve and its area are those of "MAUVE: measuring the gap between neural text and human text", Pillutla et al. 2021. There texts are embedded by a
//! large language model; here by the n-grams of their characters, hashed. Values are therefore not comparable with published ones.

use rayon::prelude::*;
use semblant_core::math;
use semblant_core::seeds::Sequence;
use semblant_data::text::Text;

use crate::random::{random, subsample};

/// Values of an embedding.
const WIDTH: usize = 256;
/// Texts of each set.
const MOST: usize = 2000;
/// Rounds of k-means.
const ROUNDS: usize = 20;
/// The scale of divergences, and the number of mixtures, of the paper.
const SCALE: f64 = 5.0;
const MIXTURES: usize = 25;

/// The area for two sets of texts, 0 to 1: clusters of their embeddings, one for every ten texts, and the divergences between the shares of the
/// clusters. Draws texts and first clusters by `seed`; none for fewer than 20 texts of a set.
pub fn area(a: &Text, b: &Text, seed: u64) -> Option<f64> {
    if a.count() < 20 || b.count() < 20 {
        return None;
    }
    let some = |texts: &Text, purpose: u64| -> Vec<Vec<f32>> {
        let chosen = subsample(texts.count(), MOST, seed, 0x8010 + purpose);
        chosen.par_iter().map(|&index| embedded(texts.get(index))).collect()
    };
    let (a, b) = (some(a, 0), some(b, 1));
    let points: Vec<&[f32]> = a.iter().chain(&b).map(Vec::as_slice).collect();
    let count = (points.len() / 10).clamp(2, 100);
    let clusters = clusters(&points, count, &mut random(seed, 0x8012));
    let shares = |clusters: &[usize]| -> Vec<f64> {
        let mut counts = vec![0.5; count];
        clusters.iter().for_each(|&cluster| counts[cluster] += 1.0);
        // Half a text more in each cluster (Krichevsky and Trofimov 1981), as in the authors' program.
        counts.iter().map(|value| value / (clusters.len() as f64 + 0.5 * count as f64)).collect()
    };
    Some(divergence_area(&shares(&clusters[..a.len()]), &shares(&clusters[a.len()..])))
}

/// The area under the curve of two distributions: points `(exp(-5 KL(q | r)), exp(-5 KL(p | r)))` for mixtures `r` of the two.
pub fn divergence_area(p: &[f64], q: &[f64]) -> f64 {
    let divergence = |x: &[f64], r: &[f64]| x.iter().zip(r).filter(|(x, _)| **x > 0.0).map(|(x, r)| x * (x / r).ln()).sum::<f64>();
    let point = |index: usize| {
        let weight = 1e-6 + (1.0 - 2e-6) * index as f64 / (MIXTURES - 1) as f64;
        let r: Vec<f64> = p.iter().zip(q).map(|(p, q)| weight * p + (1.0 - weight) * q).collect();
        ((-SCALE * divergence(q, &r)).exp(), (-SCALE * divergence(p, &r)).exp())
    };
    let mut points: Vec<(f64, f64)> = (0..MIXTURES).map(point).collect();
    points.push((1.0, 0.0));
    points.push((0.0, 1.0));
    let under = |mut points: Vec<(f64, f64)>| {
        points.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
        points.windows(2).map(|pair| (pair[1].0 - pair[0].0) * (pair[0].1 + pair[1].1) / 2.0).sum::<f64>()
    };
    let turned = points.iter().map(|&(x, y)| (y, x)).collect();
    (under(points) + under(turned)) / 2.0
}

/// The roots of the counts of a text's n-grams of one to four characters, hashed, of length 1.
fn embedded(text: &str) -> Vec<f32> {
    let mut counts = vec![0f32; WIDTH];
    for bucket in super::labels::hashed(text, 1..=4) {
        counts[(bucket % WIDTH as u64) as usize] += 1.0;
    }
    counts.iter_mut().for_each(|count| *count = count.sqrt());
    let length = counts.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    counts.iter_mut().for_each(|value| *value /= length);
    counts
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// The cluster of each point: k-means (Lloyd 1982) from centres drawn by k-means++ (Arthur and Vassilvitskii 2007).
fn clusters(points: &[&[f32]], count: usize, random: &mut Sequence) -> Vec<usize> {
    let mut centres: Vec<Vec<f32>> = vec![points[random.below(points.len())].to_vec()];
    let mut nearest: Vec<f32> = vec![f32::INFINITY; points.len()];
    while centres.len() < count {
        let last = &centres[centres.len() - 1];
        nearest.par_iter_mut().zip(points).for_each(|(nearest, point)| *nearest = nearest.min(distance(point, last)));
        let weights: Vec<f64> = nearest.iter().map(|&distance| f64::from(distance)).collect();
        let chance = random.below(1 << 30) as f64 / f64::from(1 << 30);
        centres.push(points[math::chosen(&weights, chance)].to_vec());
    }
    let mut found = vec![0; points.len()];
    for _ in 0..ROUNDS {
        let next: Vec<usize> = points
            .par_iter()
            .map(|point| {
                let distances = centres.iter().map(|centre| distance(point, centre));
                distances.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(cluster, _)| cluster)
            })
            .collect();
        let same = next == found;
        found = next;
        if same {
            break;
        }
        for (cluster, centre) in centres.iter_mut().enumerate() {
            let own: Vec<usize> = (0..points.len()).filter(|&point| found[point] == cluster).collect();
            if own.is_empty() {
                continue;
            }
            for (place, value) in centre.iter_mut().enumerate() {
                *value = own.iter().map(|&point| points[point][place]).sum::<f32>() / own.len() as f32;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of tests/golden/texts.py.
    #[test]
    fn the_area_is_that_of_the_formula() {
        assert!((divergence_area(&[0.2, 0.3, 0.5], &[0.2, 0.3, 0.5]) - 1.0).abs() < 1e-9);
        let (p, q) = ([0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]);
        assert!((divergence_area(&p, &q) - GOLDEN).abs() < 1e-9, "{}", divergence_area(&p, &q));
        assert!((divergence_area(&p, &q) - divergence_area(&q, &p)).abs() < 1e-9, "symmetric");
        assert!(divergence_area(&[1.0, 0.0], &[0.0, 1.0]) < 0.01);
    }

    const GOLDEN: f64 = 0.653_853_663_353_325_4;

    #[test]
    fn alike_sets_have_nearly_all_of_the_area() {
        let lines = |words: [&str; 4], from: usize| {
            Text::of_lines((from..from + 300).map(|row| format!("{} {} {}", words[row * 7 % 4], words[row * row % 4], words[row / 3 % 4])))
        };
        let (a, b) = (lines(["red", "green", "blue", "white"], 0), lines(["red", "green", "blue", "white"], 1000));
        let c = lines(["rot", "gelb", "blau", "schwarz"], 0);
        let [alike, other] = [&b, &c].map(|set| area(&a, set, 0).expect("enough"));
        assert!(alike > 0.8 && other < 0.1, "{alike}, {other}");
        assert_eq!(area(&a, &Text::of_lines(["x"]), 0), None);
    }
}

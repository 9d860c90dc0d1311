//! Rows choose the rows that they refer to, so that each of these is chosen as often as its own model says.

use std::collections::HashSet;

use semblant_core::math;
use semblant_core::seeds::Stream;
use semblant_data::database::NO_ROW;

use crate::purpose;

/// Who chooses among whom.
pub struct Matching<'a> {
    /// The rows that choose.
    pub rows: &'a [usize],
    /// How often each of the others is to be chosen, relative to each other.
    pub capacities: &'a [f64],
    /// The logarithm of how much more often a row and another belong together than by chance.
    pub product: Option<&'a dyn Fn(usize, usize) -> f32>,
    /// By row: rows of one group choose different others.
    pub group: Option<&'a [u32]>,
    /// Whether the others are the same rows, and only earlier ones may be chosen, so that nothing leads back.
    pub earlier: bool,
    /// The others that a row chooses from.
    pub candidates: usize,
}

impl Matching<'_> {
    /// The choice of every row of [`Matching::rows`]; [`NO_ROW`] where nothing is left to choose.
    ///
    /// Rows choose one after the other, in random order. Every row is shown some of the places that are left, so many for each of the others as it may still be
    /// chosen, and takes one by its product: together p(other given row), since places are as frequent as others are chosen, and the product is the rest.
    pub fn choose(&self, seed: u64) -> Vec<u32> {
        let stream = purpose::MATCHING.of(seed);
        let mut places = self.places(seed);
        let mut chosen = vec![NO_ROW; self.rows.len()];
        let mut taken: HashSet<(u32, u32)> = HashSet::new();
        let mut uniforms = vec![0.0; self.candidates + 1];
        for place in stream.permutation(0, self.rows.len()) {
            let row = self.rows[place];
            stream.uniforms(1 + place as u64, &mut uniforms);
            let allowed = |other: u32, taken: &HashSet<(u32, u32)>| {
                (!self.earlier || (other as usize) < row) && self.group.is_none_or(|group| !taken.contains(&(group[row], other)))
            };
            let shown: Vec<usize> = match places.len() {
                0 => Vec::new(),
                count => uniforms[1..].iter().map(|&uniform| ((f64::from(uniform) * count as f64) as usize).min(count - 1)).collect(),
            };
            let shown: Vec<usize> = shown.into_iter().filter(|&at| allowed(places[at], &taken)).collect();
            let other = match self.pick(row, &shown, &places, uniforms[0]) {
                Some(at) => places.swap_remove(at),
                None => self.any(row, &|other| allowed(other, &taken), &stream, place, &mut places),
            };
            if let Some(group) = self.group.filter(|_| other != NO_ROW) {
                taken.insert((group[row], other));
            }
            chosen[place] = other;
        }
        chosen
    }

    /// Every other as often as it is to be chosen, in all as often as there are rows.
    fn places(&self, seed: u64) -> Vec<u32> {
        let stream = purpose::ROUNDING.of(seed);
        let total: f64 = self.capacities.iter().sum();
        let weight = |capacity: f64| if total > 0.0 { capacity / total } else { 1.0 / self.capacities.len().max(1) as f64 };
        // Systematic sampling of what is over: the sum is exact, and no other gets more than one row beyond its share.
        let (mut places, mut sum, shift) = (Vec::with_capacity(self.rows.len()), 0.0, stream.uniform_f64(0, 0));
        for other in stream.permutation(1, self.capacities.len()) {
            let before = (sum + shift) as usize;
            sum += weight(self.capacities[other]) * self.rows.len() as f64;
            places.extend(std::iter::repeat_n(other as u32, (sum + shift) as usize - before));
        }
        places
    }

    fn pick(&self, row: usize, shown: &[usize], places: &[u32], uniform: f32) -> Option<usize> {
        let logits: Vec<f32> = shown.iter().map(|&at| self.product.map_or(0.0, |product| product(row, places[at] as usize))).collect();
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weights: Vec<f64> = logits.iter().map(|logit| f64::from(logit - most).exp()).collect();
        (!weights.is_empty()).then(|| shown[math::chosen(&weights, f64::from(uniform))])
    }

    /// An allowed other where none was shown: one that is left, else any that is referred to at all, from a random one on.
    fn any(&self, row: usize, allowed: &dyn Fn(u32) -> bool, stream: &Stream, place: usize, places: &mut Vec<u32>) -> u32 {
        let best = (0..places.len()).filter(|&at| allowed(places[at])).max_by(|&a, &b| {
            let of = |at: usize| self.product.map_or(0.0, |product| product(row, places[at] as usize));
            of(a).total_cmp(&of(b))
        });
        if let Some(at) = best {
            return places.swap_remove(at);
        }
        let count = self.capacities.len();
        let first = stream.below(place as u64, 1 << 20, count.max(1) as u64) as usize;
        let others = || (0..count).map(|step| ((first + step) % count) as u32).filter(|&other| allowed(other));
        others().find(|&other| self.capacities[other as usize] > 0.0).or_else(|| others().next()).unwrap_or(NO_ROW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(chosen: &[u32], others: usize) -> Vec<u32> {
        let mut counts = vec![0; others];
        chosen.iter().filter(|&&other| other != NO_ROW).for_each(|&other| counts[other as usize] += 1);
        counts
    }

    #[test]
    fn capacities_are_kept_exactly_and_in_proportion() {
        let rows: Vec<usize> = (0..12).collect();
        let asked = |capacities| Matching { rows: &rows, capacities, product: None, group: None, earlier: false, candidates: 8 };
        assert_eq!(counts(&asked(&[5.0, 0.0, 6.0, 1.0]).choose(1), 4), [5, 0, 6, 1]);
        let halves = counts(&asked(&[10.0, 0.0, 12.0, 2.0]).choose(1), 4);
        assert_eq!(halves, [5, 0, 6, 1]);
        // What does not come out even is rounded up or down.
        let thirds = counts(&asked(&[1.0; 5]).choose(2), 5);
        assert!(thirds.iter().sum::<u32>() == 12 && thirds.iter().all(|count| (2..=3).contains(count)), "{thirds:?}");
        assert_eq!(counts(&asked(&[0.0; 3]).choose(3), 3), [4, 4, 4]);
    }

    #[test]
    fn rows_of_a_group_choose_differently_and_nothing_leads_back() {
        let rows: Vec<usize> = (0..200).collect();
        let group: Vec<u32> = (0..200).map(|row| row / 8).collect();
        let capacities: Vec<f64> = (0..10).map(|other| f64::from(u8::from(other < 9)) * (1.0 + f64::from(other))).collect();
        let asked = Matching { rows: &rows, capacities: &capacities, product: None, group: Some(&group), earlier: false, candidates: 4 };
        let chosen = asked.choose(4);
        for group in chosen.chunks(8) {
            let different: HashSet<&u32> = group.iter().collect();
            assert_eq!(different.len(), 8);
        }
        let capacities = vec![1.0; 200];
        let chosen = Matching { capacities: &capacities, group: None, earlier: true, ..asked }.choose(5);
        assert!(chosen.iter().enumerate().all(|(row, &other)| if row == 0 { other == NO_ROW } else { (other as usize) < row }));
    }

    #[test]
    fn rows_choose_by_the_product() {
        let rows: Vec<usize> = (0..2000).collect();
        let capacities = [1000.0, 1000.0];
        // Even rows belong to the first, three times as often as to the second.
        let product = |row: usize, other: usize| if row % 2 == other { 3f32.ln() / 2.0 } else { -(3f32.ln()) / 2.0 };
        let chosen =
            Matching { rows: &rows, capacities: &capacities, product: Some(&product), group: None, earlier: false, candidates: 16 }
                .choose(6);
        assert_eq!(counts(&chosen, 2), [1000, 1000]);
        let right = chosen.iter().enumerate().filter(|(row, other)| row % 2 == **other as usize).count();
        assert!((1440..1560).contains(&right), "{right}");
    }
}

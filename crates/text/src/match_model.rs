//! What followed where the window last went as it goes now: an input of a causal network besides the tokens.
//!
//! The match model of data compressors ("Adaptive weighing of context models for lossless data compression", Mahoney 2005): the longest earlier part of
//! the window that is equal to its end, the latest one of several, and the token that followed it. Attention can find it by itself (induction heads:
//! "In-context learning and induction heads", Olsson et al. 2022), but a small network hardly learns to where nearly all words of the training text are
//! known by heart, and then writes no name twice that it has not seen before.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use semblant_core::host;
use semblant_core::nn::{self, embedding, times};

/// The least lengths of the matches that have a vector each.
const LENGTHS: [u32; 8] = [1, 2, 3, 4, 5, 7, 10, 16];

/// The longest match of the tokens of a window, one after the other.
#[derive(Debug, Clone, Default)]
pub struct Matches {
    tokens: Vec<u32>,
    /// How many tokens up to each are equal to as many up to the last one.
    lengths: Vec<u32>,
}

impl Matches {
    /// Adds a token. Gives the token that followed the longest match, and the length of the match; none for a token that was not there before.
    pub fn push(&mut self, token: u32) -> Option<(u32, u32)> {
        // From the end: each length comes from the one before.
        for place in (0..self.tokens.len()).rev() {
            let before = place.checked_sub(1).map_or(0, |before| self.lengths[before]);
            self.lengths[place] = if self.tokens[place] == token { before + 1 } else { 0 };
        }
        let longest = (0..self.tokens.len()).max_by_key(|&place| self.lengths[place]);
        self.tokens.push(token);
        let found = longest.filter(|&place| self.lengths[place] > 0).map(|place| (self.tokens[place + 1], self.lengths[place]));
        self.lengths.push(0);
        found
    }

    /// Forgets all tokens.
    pub fn clear(&mut self) {
        self.tokens.clear();
        self.lengths.clear();
    }
}

/// Vectors of matches.
#[derive(Module, Debug)]
pub struct MatchModel {
    /// One for each token that may follow, and one for each of [`LENGTHS`], `[outputs + 8, width]`.
    pub(crate) followers: Param<Tensor<2>>,
    #[module(skip)]
    outputs: usize,
    #[module(skip)]
    least: u32,
}

impl MatchModel {
    /// Vectors that say nothing yet. Matches of fewer than `least` tokens are none: in few short texts they are chance.
    pub fn new(outputs: usize, width: usize, least: u32, device: &Device) -> Self {
        Self { followers: nn::filled([outputs + LENGTHS.len(), width], device, 0.0), outputs, least }
    }

    /// What is added to each of `ids`, `[ids, width]`. The windows are those of `rows`, to which their tokens are added side by side; marks are no tokens.
    ///
    /// Where there is no match it is zero: a vector of its own for that, which most tokens of short texts would share, grows until the tokens drown in it
    /// (3.44 bits a character of first names in place of 3.40).
    pub fn vectors(&self, ids: &[u32], rows: &mut [Matches]) -> Tensor<2> {
        let (table, outputs) = (self.followers.val(), self.outputs as u32);
        let width = table.dims()[1];
        let (mut tokens, mut lengths, mut are_there) = (Vec::new(), Vec::new(), Vec::new());
        let length = ids.len() / rows.len().max(1);
        for (row, ids) in rows.iter_mut().zip(ids.chunks_exact(length.max(1))) {
            for &id in ids {
                let found = if id < outputs { row.push(id).filter(|&(_, length)| length >= self.least) } else { None };
                let (token, length) = found.unwrap_or((0, 1));
                tokens.push(token);
                lengths.push(outputs + LENGTHS.partition_point(|&least| least <= length) as u32 - 1);
                are_there.extend(std::iter::repeat_n(f32::from(u8::from(found.is_some())), width));
            }
        }
        let are_there = host::tensor(are_there, [ids.len(), width], &table.device().inner());
        times(embedding(table.clone(), &tokens) + embedding(table, &lengths), are_there) // [ids, width]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_match_is_that_of_a_search() {
        let mut state = 7u64;
        let tokens: Vec<u32> = (0..300)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 40) as u32 % 3
            })
            .collect();
        let mut matches = Matches::default();
        for end in 1..=tokens.len() {
            let length = |place: usize| (0..place).take_while(|&back| tokens[place - 1 - back] == tokens[end - 1 - back]).count();
            let expected = (1..end).max_by_key(|&place| length(place)).filter(|&place| length(place) > 0);
            let expected = expected.map(|place| (tokens[place], length(place) as u32));
            assert_eq!(matches.push(tokens[end - 1]), expected, "{end}");
        }
        matches.clear();
        assert_eq!(matches.push(1), None);
    }

    #[test]
    fn a_vector_is_that_of_the_token_that_followed_and_of_the_length() {
        let device = Device::flex();
        let table = host::tensor((0..24).map(|value| value as f32 * 0.3 - 1.0).collect(), [12, 2], &device);
        let model = MatchModel { followers: Param::from_tensor(table), ..MatchModel::new(4, 2, 1, &device) };
        let read = |tensor: Tensor<2>| host::read(&tensor, <[f32]>::to_vec);
        let row = |place: usize| read(model.followers.val().slice([place..place + 1, 0..2]));
        // 0 1 2 and then 0 1: after the second 1 a match of two tokens says 2. Number 4 is a mark.
        let made = read(model.vectors(&[4, 0, 1, 2, 0, 1, 4, 3, 3, 3, 4, 4], &mut [Matches::default(), Matches::default()]));
        let sum = |a: usize, b: usize| row(a).iter().zip(row(b)).map(|(a, b)| a + b).collect::<Vec<f32>>();
        let none = || vec![0.0; 2];
        for (place, expected) in [(0, none()), (3, none()), (4, sum(1, 4)), (5, sum(2, 5)), (6, none()), (8, sum(3, 4)), (9, sum(3, 5))] {
            assert_eq!(made[2 * place..2 * place + 2], expected, "{place}");
        }
        let longer = MatchModel { least: 2, ..model.clone() };
        let made = read(longer.vectors(&[0, 1, 2, 0, 1], &mut [Matches::default()]));
        assert_eq!((&made[6..8], &made[8..10]), (&none()[..], &sum(2, 5)[..]), "a match of one token is none");
    }
}

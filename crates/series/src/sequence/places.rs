//! Where in a bin a number lies, given the last row's number in the same or a neighbouring bin.
//!
//! Bins hold equal shares of rows, so that those at the ends are wide: a place drawn at random there would make a slow series rough. Which places follow
//! which is counted, for bins of similar width together.

use semblant_masked_diffusion::{Cell, Rules};
use semblant_tabular_masked::net::Layout;
use semblant_tabular_masked::tokens::TableTokens;
use serde::{Deserialize, Serialize};

/// Parts of a bin that are told apart.
const PARTS: usize = 12;
/// Steps that are counted: one bin down, none, one up.
const STEPS: usize = 3;
/// Bins are sorted into classes by their width; each begins at this share of the bins, from the narrowest on.
const CLASSES: [f64; 5] = [0.0, 0.5, 0.8, 0.93, 0.98];
/// Rows that each part is taken to have before any is counted.
const PRIOR: f64 = 0.25;

/// Counts of places that follow places, for one position of numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Following {
    /// The class of every bin; none for single values.
    classes: Vec<Option<u8>>,
    /// `[classes][steps][parts of the last place][parts of the next]`.
    counts: Vec<u32>,
}

impl Following {
    fn first(class: usize, step: usize, from: usize) -> usize {
        ((class * STEPS + step) * PARTS + from) * PARTS
    }

    fn is_sound(&self, bins: usize) -> bool {
        let size = Self::first(CLASSES.len(), 0, 0);
        self.counts.len() == size
            && self.classes.len() == bins
            && self.classes.iter().flatten().all(|&class| usize::from(class) < CLASSES.len())
    }

    /// Which counts hold for a token after the last row's, if any do.
    fn counts(&self, before: Cell, token: u32) -> Option<&[u32]> {
        let class = (*self.classes.get(token as usize)?)?;
        (*self.classes.get(before.token as usize)?)?;
        let step = (i64::from(token) - i64::from(before.token) + 1).try_into().ok().filter(|&step: &usize| step < STEPS)?;
        Some(&self.counts[Self::first(usize::from(class), step, part(before.place))..][..PARTS])
    }

    /// A place within a token's bin, from a uniform number.
    fn place(&self, before: Cell, token: u32, uniform: f32) -> Option<f32> {
        let counts = self.counts(before, token)?;
        let weight = |&count: &u32| f64::from(count) + PRIOR;
        let mut rest = f64::from(uniform) * counts.iter().map(weight).sum::<f64>();
        for (part, count) in counts.iter().enumerate() {
            if rest < weight(count) {
                return Some(((part as f64 + rest / weight(count)) / PARTS as f64) as f32);
            }
            rest -= weight(count);
        }
        Some(1.0)
    }
}

fn part(place: f32) -> usize {
    ((place * PARTS as f32) as usize).min(PARTS - 1)
}

/// Counts for every position; `pairs` are the places of successive rows in `cells`, `[positions][rows]`.
pub(super) fn following(tokens: &TableTokens, cells: &[Vec<Cell>], pairs: &[(usize, usize)]) -> Vec<Option<Following>> {
    let of = |(position, cells): (_, &Vec<Cell>)| {
        let bins = tokens.bins(position)?;
        let mut widths: Vec<(usize, f64)> =
            bins.bins.iter().enumerate().filter(|(_, bin)| !bin.is_single()).map(|(index, bin)| (index, bin.high - bin.low)).collect();
        if widths.is_empty() {
            return None;
        }
        widths.sort_by(|a, b| a.1.total_cmp(&b.1));
        let mut classes = vec![None; bins.bins.len()];
        for (rank, &(bin, _)) in widths.iter().enumerate() {
            let share = rank as f64 / widths.len() as f64;
            classes[bin] = CLASSES.iter().rposition(|&begin| begin <= share).map(|class| class as u8);
        }
        let mut found = Following { classes, counts: vec![0; Following::first(CLASSES.len(), 0, 0)] };
        for &(before, row) in pairs {
            let (before, next) = (cells[before], cells[row]);
            let Some(class) = found.classes.get(next.token as usize).copied().flatten() else { continue };
            let step = i64::from(next.token) - i64::from(before.token) + 1;
            if found.classes.get(before.token as usize).copied().flatten().is_some() && (0..STEPS as i64).contains(&step) {
                found.counts[Following::first(usize::from(class), step as usize, part(before.place)) + part(next.place)] += 1;
            }
        }
        Some(found)
    };
    tokens.positions().into_iter().zip(cells).map(of).collect()
}

/// Whether counts that were read from a file fit the positions.
pub(super) fn are_sound(following: &[Option<Following>], tokens: &TableTokens) -> bool {
    let positions = tokens.positions();
    let fits = |(found, position): (&Option<Following>, _)| {
        found.as_ref().is_none_or(|found| tokens.bins(position).is_some_and(|bins| found.is_sound(bins.bins.len())))
    };
    following.len() == positions.len() && following.iter().zip(positions).all(fits)
}

/// Places of drawn numbers by those of the last rows.
pub(super) struct AfterLast<'a> {
    pub(super) following: &'a [Option<Following>],
    pub(super) layout: &'a Layout,
    /// The last rows, `[rows][positions]`.
    pub(super) last: &'a [Option<Cell>],
}

impl Rules for AfterLast<'_> {
    fn factors(&self, _: usize, _: usize, _: &[Option<Cell>], _: &mut [f32]) -> bool {
        false
    }

    fn place(&self, row: usize, position: usize, _: &[Option<Cell>], token: u32, uniform: f32) -> f32 {
        let before = self.last[row * self.layout.spans.len() + position];
        let found = self.following[position].as_ref().zip(before).and_then(|(found, before)| found.place(before, token, uniform));
        found.unwrap_or(uniform)
    }
}

#[cfg(test)]
mod tests {
    use semblant_data::table::{Column, ColumnKind, Table};
    use semblant_tabular_masked::bins::BinsConfig;

    use super::*;

    #[test]
    fn slow_series_stay_near_the_last_place_and_fast_ones_do_not() {
        let slow = (0..4000).map(|row| (f64::from(row) / 900.0).sin() * 100.0 + f64::from(row * 7919 % 101) / 1e4).collect();
        let fast = (0..4000u64).map(|row| (row * row * 7919 % 4001) as f64).collect();
        let columns = vec![("slow", ColumnKind::Continuous, Column::Number(slow)), ("fast", ColumnKind::Continuous, Column::Number(fast))];
        let table = Table::from_columns(columns).expect("sound");
        let tokens = TableTokens::fit(&table, &BinsConfig { bins: 20, most_single: 10 }).expect("columns");
        let cells: Vec<Vec<Cell>> =
            tokens.encode(&table).expect("the same").into_iter().map(|cells| cells.into_iter().flatten().collect()).collect();
        let pairs: Vec<(usize, usize)> = (1..4000).map(|row| (row - 1, row)).collect();
        let found = following(&tokens, &cells, &pairs);
        assert!(are_sound(&found, &tokens));
        let spread = |position: usize| {
            let found = found[position].as_ref().expect("ranges");
            let before = Cell { token: 10, place: 0.5 };
            let places: Vec<f32> = (0..100).map(|i| found.place(before, 10, i as f32 / 100.0).expect("the same bin")).collect();
            assert!(places.is_sorted() && places.iter().all(|place| (0.0..=1.0).contains(place)));
            places[89] - places[10]
        };
        assert!(spread(0) < 0.25 && spread(1) > 0.6, "{} {}", spread(0), spread(1));
        assert_eq!(found[0].as_ref().expect("ranges").place(Cell { token: 3, place: 0.5 }, 10, 0.5), None, "too far");
    }
}

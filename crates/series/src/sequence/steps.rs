//! How a row follows the last one: which steps have a logit of their own, and what these begin with.

use std::ops::Range;

use semblant_masked_diffusion::Cell;
use semblant_tabular_masked::net::Layout;

use super::standing::{CLASSES, Standing};

/// Bins up and down from the last row's that have a logit each; further ones share one in ranges, two to every doubling of the distance.
const NEAR: usize = 8;
/// Logits of each direction; the last one has all distances beyond.
const FAR: usize = NEAR + 20;
/// What a position of numbers has a logit for: steps down, none, and up; a value after a missing one, the reverse, and two missing ones.
const OF_NUMBERS: usize = 2 * FAR + 4;
/// What a position of labels has a logit for: the last row's label, and another.
const OF_LABELS: usize = 2;

/// The logits of how a row follows the last one: where those of each position begin, and how many there are.
#[derive(Debug, Clone)]
pub(super) struct Steps {
    first: Vec<usize>,
    pub(super) count: usize,
}

impl Steps {
    pub(super) fn new(layout: &Layout) -> Self {
        let mut count = 0;
        let first = layout.numbers.iter().map(|number| {
            let first = count;
            count += if number.is_some() { OF_NUMBERS } else { OF_LABELS };
            first
        });
        Self { first: first.collect(), count }
    }

    /// The logits of a position.
    pub(super) fn range(&self, position: usize) -> Range<usize> {
        self.first[position]..self.first.get(position + 1).copied().unwrap_or(self.count)
    }

    /// Which logit is that of a token after the last row's.
    pub(super) fn of(&self, layout: &Layout, position: usize, before: u32, token: usize) -> usize {
        let before = before as usize;
        let offset = match layout.numbers[position].map(|number| layout.bins[number]) {
            None => usize::from(token != before),
            Some(bins) => match (before < bins, token < bins) {
                (true, true) if token < before => FAR - distance(before - token),
                (true, true) => FAR + distance(token - before),
                (false, true) => 2 * FAR + 1,
                (true, false) => 2 * FAR + 2,
                (false, false) => 2 * FAR + 3,
            },
        };
        self.first[position] + offset
    }
}

/// The class of a distance in bins: itself up to [`NEAR`], then two classes to every doubling.
fn distance(bins: usize) -> usize {
    if bins <= NEAR {
        return bins;
    }
    // The number of halves of a doubling that it takes from NEAR on, in whole numbers: bins^2 against NEAR^2 * 2^class.
    let beyond = (1..=FAR - NEAR).find(|&class| (bins * bins) <= (NEAR * NEAR) << class);
    NEAR + beyond.unwrap_or(FAR - NEAR)
}

/// The token of a row that moves as it did a day ago, from those of the last row, the row one day before, and the last row one day before: for numbers
/// the same number of bins up or down, for labels that of the day before. None where a value is missing.
pub(super) fn as_a_day_ago(layout: &Layout, position: usize, [last, then, last_then]: [u32; 3]) -> Option<u32> {
    let Some(bins) = layout.numbers[position].map(|number| layout.bins[number] as i64) else { return Some(then) };
    let [last, then, last_then] = [last, then, last_then].map(i64::from);
    [last, then, last_then].iter().all(|&token| token < bins).then(|| (last + then - last_then).clamp(0, bins - 1) as u32)
}

/// Steps of each kind that are thought seen, as often as expected, before any is: what follows a class is taken from several of them only.
const THOUGHT_SEEN: f64 = 4.0;

/// What the logits of steps begin with.
#[derive(Debug, Clone)]
pub(super) struct FirstSteps {
    /// The logarithm of how much more often each step is than if rows did not depend on the last one.
    pub(super) steps: Vec<f32>,
    /// For each class of how the last row's token stands, the logarithm of how much more often each step is than by `steps`, `[classes, steps]`: tokens that
    /// do not forget how long they have stayed (a semi-Markov process), and numbers that return to what is usual.
    pub(super) by_class: Vec<f32>,
}

impl FirstSteps {
    /// Of the places of successive rows, `pairs`, in `cells` and `standings`, `[positions][rows]`.
    pub(super) fn of(layout: &Layout, cells: &[Vec<Cell>], pairs: &[(usize, usize)], standings: &[Vec<Standing>]) -> Self {
        let places = Steps::new(layout);
        let count = places.count;
        let (mut seen, mut expected) = (vec![0.0f64; count], vec![0.0f64; count]);
        let mut by_class = vec![0.0f32; CLASSES * count];
        for (position, cells) in cells.iter().enumerate() {
            let tokens = layout.spans.widths()[position];
            let token = |row: usize| cells[row].token;
            let mut shares = vec![0.0f64; tokens];
            // How often each token is the last one, in all and by how it stands.
            let mut rows_of = vec![0.0f64; tokens];
            let mut last = vec![[0.0f64; CLASSES]; tokens];
            let mut seen_by_class = vec![0.0f64; CLASSES * count];
            for &(before, row) in pairs {
                let step = places.of(layout, position, token(before), token(row) as usize);
                shares[token(row) as usize] += 1.0 / pairs.len() as f64;
                seen[step] += 1.0;
                rows_of[token(before) as usize] += 1.0;
                for class in standings[position][before].classes() {
                    last[token(before) as usize][class] += 1.0;
                    seen_by_class[class * count + step] += 1.0;
                }
            }
            let known = || rows_of.iter().zip(&last).enumerate().filter(|(_, (rows, _))| **rows > 0.0);
            for (before, (rows, _)) in known() {
                for (token, share) in shares.iter().enumerate() {
                    expected[places.of(layout, position, before as u32, token)] += rows * share;
                }
            }
            let more = |step: usize| (seen[step] + 1.0) / (expected[step] + 1.0);
            let mut expected_by_class = vec![0.0f64; CLASSES * count];
            for (before, (_, counts)) in known() {
                let chance = |(token, share): (usize, &f64)| {
                    let step = places.of(layout, position, before as u32, token);
                    (step, share * more(step))
                };
                let chances: Vec<(usize, f64)> = shares.iter().enumerate().map(chance).collect();
                let sum: f64 = chances.iter().map(|(_, chance)| chance).sum();
                for (class, &rows) in counts.iter().enumerate().filter(|(_, rows)| **rows > 0.0) {
                    chances.iter().for_each(|&(step, chance)| expected_by_class[class * count + step] += rows * chance / sum);
                }
            }
            for class in 0..CLASSES {
                for step in places.range(position) {
                    let [seen, expected] = [&seen_by_class, &expected_by_class].map(|counts| counts[class * count + step] + THOUGHT_SEEN);
                    by_class[class * count + step] = (seen / expected).ln() as f32;
                }
            }
        }
        let steps = seen.iter().zip(&expected).map(|(seen, expected)| ((seen + 1.0) / (expected + 1.0)).ln() as f32).collect();
        Self { steps, by_class }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use semblant_data::table::{Column, ColumnKind, Table};
    use semblant_tabular_masked::bins::BinsConfig;
    use semblant_tabular_masked::tokens::TableTokens;

    use super::*;

    /// Steps of [`layout`].
    pub(in super::super) const OF_ALL: usize = OF_NUMBERS + OF_LABELS;

    /// A column of numbers, some missing, and one of labels in turn.
    pub(in super::super) fn layout() -> (Layout, Vec<Vec<Cell>>) {
        let numbers = Column::Number((0..300).map(|row| if row % 19 == 0 { f64::NAN } else { f64::from(row * 7919 % 251) }).collect());
        let labels = Column::from_labels((0..300).map(|row| Some(["a", "b", "c"][row % 3])));
        let table =
            Table::from_columns(vec![("x", ColumnKind::Continuous, numbers), ("l", ColumnKind::Categorical, labels)]).expect("sound");
        let tokens = TableTokens::fit(&table, &BinsConfig { bins: 40, most_single: 10 }).expect("columns");
        let cells = tokens.encode(&table).expect("the same columns");
        let cells = cells.into_iter().map(|cells| cells.into_iter().map(|cell| cell.expect("known")).collect()).collect();
        (Layout::new(&tokens, 3), cells)
    }

    /// How rows stand by how long their tokens have stayed.
    pub(in super::super) fn standings_of(cells: &[Vec<Cell>]) -> Vec<Vec<Standing>> {
        let of = |cells: &Vec<Cell>| {
            let mut standing = Standing::default();
            let next = |row: usize| {
                standing = standing.next(row.checked_sub(1).map(|before| cells[before].token), Some(cells[row].token), None);
                standing
            };
            (0..cells.len()).map(next).collect()
        };
        cells.iter().map(of).collect()
    }

    #[test]
    fn a_row_may_move_as_it_did_a_day_ago() {
        let (layout, _) = layout();
        let missing = layout.bins[0] as u32;
        assert_eq!(as_a_day_ago(&layout, 0, [20, 13, 10]), Some(23), "three up");
        assert_eq!(as_a_day_ago(&layout, 0, [1, 5, 9]), Some(0), "not below the least");
        assert_eq!(as_a_day_ago(&layout, 0, [missing - 2, 9, 5]), Some(missing - 1), "nor above the greatest");
        assert!([[missing, 1, 1], [1, missing, 1], [1, 1, missing]].iter().all(|tokens| as_a_day_ago(&layout, 0, *tokens).is_none()));
        assert_eq!(as_a_day_ago(&layout, 1, [0, 2, 1]), Some(2), "a label of the day before");
    }

    #[test]
    fn steps_are_counted_from_the_last_bin() {
        let (layout, cells) = layout();
        let (steps, bins) = (Steps::new(&layout), layout.bins[0]);
        let of = |before: usize, token: usize| steps.of(&layout, 0, before as u32, token);
        assert_eq!(
            (of(20, 20), of(20, 17), of(20, 28), of(20, 29), of(20, 31), of(20, 32)),
            (FAR, FAR - 3, FAR + 8, FAR + 9, FAR + 9, FAR + 10)
        );
        assert_eq!((distance(16), distance(17), distance(22), distance(23), distance(1 << 14)), (10, 11, 11, 12, FAR));
        assert_eq!((of(bins, 3), of(3, bins), of(bins, bins)), (2 * FAR + 1, 2 * FAR + 2, 2 * FAR + 3));
        assert_eq!(
            (steps.of(&layout, 1, 2, 2), steps.of(&layout, 1, 2, 0), steps.count),
            (OF_NUMBERS, OF_NUMBERS + 1, OF_NUMBERS + OF_LABELS)
        );
        // Labels a, b, c in turn: the same never follows, another one and a half times as often as by chance.
        let pairs: Vec<(usize, usize)> = (1..300).map(|row| (row - 1, row)).collect();
        let first = FirstSteps::of(&layout, &cells, &pairs, &standings_of(&cells)).steps;
        assert!(
            (first[OF_NUMBERS] + (299.0f32 / 3.0 + 1.0).ln()).abs() < 0.05 && (first[OF_NUMBERS + 1] - 1.5f32.ln()).abs() < 0.01,
            "{first:?}"
        );
    }

    /// Labels that stay for two rows or for five, as often: after the second row a half goes on, and whoever has stayed for longer stays until the fifth.
    #[test]
    fn steps_begin_with_how_long_labels_stay() {
        let lengths = (0..400).map(|run| if (run * run + run / 7) % 2 == 0 { 2 } else { 5 });
        let labels: Vec<Option<&str>> = lengths.enumerate().flat_map(|(run, length)| vec![Some(["a", "b"][run % 2]); length]).collect();
        let rows = labels.len();
        let table = Table::from_columns(vec![("l", ColumnKind::Categorical, Column::from_labels(labels))]).expect("sound");
        let tokens = TableTokens::fit(&table, &BinsConfig { bins: 40, most_single: 10 }).expect("columns");
        let cells: Vec<Vec<Cell>> = tokens
            .encode(&table)
            .expect("columns")
            .into_iter()
            .map(|cells| cells.into_iter().map(|cell| cell.expect("known")).collect())
            .collect();
        let layout = Layout::new(&tokens, 3);
        let (standings, pairs): (_, Vec<_>) = (standings_of(&cells), (1..rows).map(|row| (row - 1, row)).collect());
        let FirstSteps { steps, by_class } = FirstSteps::of(&layout, &cells, &pairs, &standings);
        let share = |label: u32| cells[0][1..].iter().filter(|cell| cell.token == label).count() as f64 / (rows - 1) as f64;
        for (rows, wanted) in [(1, 1.0), (2, 0.5), (3, 1.0), (4, 1.0), (5, 0.0)] {
            let class = Standing { stay: rows, level: None }.classes().next().expect("a row");
            let chance =
                |token: u32| share(token) * f64::from(steps[usize::from(token != 0)] + by_class[class * 2 + usize::from(token != 0)]).exp();
            let stays = chance(0) / (chance(0) + chance(1));
            // The class of four rows has those of five too.
            let wanted = if rows >= 4 { 0.5 } else { wanted };
            assert!((stays - wanted).abs() < 0.08, "{rows}: {stays}");
        }
    }
}

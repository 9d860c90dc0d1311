//! How the last row stands, besides what it is: for how long each token has stayed the same, and how far each number is from what is usual at its time.

use faer::linalg::solvers::Solve;
use faer::{Mat, Side};
use semblant_data::series::Series;
use semblant_masked_diffusion::Cell;
use semblant_tabular_masked::net::Layout;
use serde::{Deserialize, Serialize};

use super::times::{Known, known_place, time};

/// The classes of how long a token has stayed: the least number of rows of each.
const STAYS: [u32; 8] = [1, 2, 3, 4, 6, 9, 14, 25];
/// The classes of how far a number is from the usual one: the share of rows below each but the first.
const LEVELS: [f64; 7] = [0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98];
/// Classes of both.
pub(super) const CLASSES: usize = STAYS.len() + LEVELS.len() + 1;
/// The most rows that a season is fitted to.
const MOST_ROWS: usize = 200_000;

/// How a token of a row stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// For how many rows it has been the same, itself included; 0 where there is none.
    pub(super) stay: u32,
    /// The class of how far a number is from the usual one.
    pub(super) level: Option<u8>,
}

impl Standing {
    /// Its classes, of [`CLASSES`]: of how long it has stayed, and of its level.
    pub(super) fn classes(self) -> impl Iterator<Item = usize> {
        let of_stay = STAYS.partition_point(|&least| least <= self.stay).checked_sub(1);
        of_stay.into_iter().chain(self.level.map(|level| STAYS.len() + usize::from(level)))
    }

    /// That of the token that follows in the next row.
    pub(super) fn next(self, before: Option<u32>, token: Option<u32>, level: Option<u8>) -> Self {
        let stay = match token {
            None => 0,
            token if token == before => self.stay + 1,
            _ => 1,
        };
        Self { stay, level }
    }

    /// What the network is told of how long the token has stayed.
    pub(super) fn told(self) -> f32 {
        (self.stay as f32).ln_1p() / 4.0
    }
}

/// What is usual at a time, for one position of numbers: a sum of waves, fitted to the numbers of bins by least squares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Season {
    weights: Vec<f64>,
    /// The bounds of the classes of [`LEVELS`], in bins from the usual one.
    bounds: Vec<f64>,
}

impl Season {
    fn fit(tokens: &[(usize, f64)], waves: &[Vec<f64>]) -> Option<Self> {
        let width = waves.first()?.len();
        let (mut squares, mut products) = (Mat::<f64>::zeros(width, width), Mat::<f64>::zeros(width, 1));
        for &(row, bin) in tokens {
            for (i, a) in waves[row].iter().enumerate() {
                products[(i, 0)] += a * bin;
                waves[row].iter().enumerate().for_each(|(j, b)| squares[(i, j)] += a * b);
            }
        }
        // Waves that the rows cannot tell apart stay small.
        (0..width).for_each(|i| squares[(i, i)] += 1e-3 * (1.0 + tokens.len() as f64));
        let weights = squares.llt(Side::Lower).ok()?.solve(&products).col_as_slice(0).to_vec();
        let mut season = Self { weights, bounds: Vec::new() };
        let mut off: Vec<f64> = tokens.iter().map(|&(row, bin)| bin - season.usual(&waves[row])).collect();
        off.sort_unstable_by(f64::total_cmp);
        season.bounds = LEVELS.iter().map(|share| off[((share * off.len() as f64) as usize).min(off.len() - 1)]).collect();
        Some(season)
    }

    fn usual(&self, waves: &[f64]) -> f64 {
        self.weights.iter().zip(waves).map(|(weight, wave)| weight * wave).sum()
    }

    fn is_sound(&self, known: &Known) -> bool {
        let finite = self.weights.iter().chain(&self.bounds).all(|value| value.is_finite());
        finite && self.weights.len() == known.season(0.0).len() && self.bounds.len() == LEVELS.len()
    }
}

/// The seasons of every position; none for labels.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Seasons(Vec<Option<Season>>);

impl Seasons {
    /// Of rows as cells, `[positions][rows]`, whose numbers of bins are those of `layout`.
    pub(super) fn fit(layout: &Layout, known: &Known, cells: &[Vec<Cell>], times: &[f64]) -> Self {
        let every = times.len().div_ceil(MOST_ROWS).max(1);
        let waves: Vec<Vec<f64>> = times.iter().step_by(every).map(|&time| known.season(time)).collect();
        let of = |(position, cells): (usize, &Vec<Cell>)| {
            let bins = layout.bins[layout.numbers[position]?] as u32;
            let numbers = cells.iter().step_by(every).enumerate().filter(|(_, cell)| cell.token < bins);
            let tokens: Vec<(usize, f64)> = numbers.map(|(row, cell)| (row, f64::from(cell.token))).collect();
            if tokens.is_empty() { None } else { Season::fit(&tokens, &waves) }
        };
        Self(cells.iter().enumerate().map(of).collect())
    }

    /// Whether there are none, as in models of earlier versions.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether seasons that were read from a file fit the positions.
    pub(super) fn are_sound(&self, positions: usize, known: &Known) -> bool {
        (self.is_empty() || self.0.len() == positions) && self.0.iter().flatten().all(|season| season.is_sound(known))
    }

    /// The levels of the tokens of a row at a time; none where a token is not there, or no number.
    pub(super) fn levels(&self, layout: &Layout, known: &Known, time: f64, token: impl Fn(usize) -> Option<u32>) -> Vec<Option<u8>> {
        let waves = if self.0.iter().any(Option::is_some) { known.season(time) } else { Vec::new() };
        let of = |(position, season): (usize, &Option<Season>)| {
            let (season, token) = (season.as_ref()?, token(position)?);
            let off = f64::from(token) - season.usual(&waves);
            let is_number = (token as usize) < layout.bins[layout.numbers[position]?];
            is_number.then(|| season.bounds.partition_point(|&bound| bound <= off) as u8)
        };
        if self.is_empty() { vec![None; layout.spans.len()] } else { self.0.iter().enumerate().map(of).collect() }
    }
}

/// How each row of its sequence stands, `[positions][rows]`. Where times are irregular, what is known of a row is the time of the one before it.
pub(super) fn standings(
    series: &Series,
    layout: &Layout,
    cells: &[Vec<Cell>],
    (seasons, known, is_irregular): (&Seasons, &Known, bool),
) -> Vec<Vec<Standing>> {
    let rows = cells.first().map_or(0, Vec::len);
    let mut all = vec![vec![Standing::default(); rows]; cells.len()];
    for (sequence, span) in series.spans().iter().enumerate() {
        for row in span.clone() {
            let at = time(series, sequence, known_place(is_irregular, row - span.start));
            let levels = seasons.levels(layout, known, at, |position| Some(cells[position][row].token));
            for (position, (cells, all)) in cells.iter().zip(&mut all).enumerate() {
                let before = row.checked_sub(1).filter(|&before| before >= span.start);
                let last = before.map_or(Standing::default(), |before| all[before]);
                all[row] = last.next(before.map(|before| cells[before].token), Some(cells[row].token), levels[position]);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use semblant_data::table::{Column, ColumnKind, Table};
    use semblant_tabular_masked::bins::BinsConfig;
    use semblant_tabular_masked::tokens::TableTokens;

    use super::*;

    #[test]
    fn stays_are_counted_and_have_classes() {
        let tokens = [Some(3), Some(3), Some(3), Some(1), None, None, Some(1)];
        let mut standing = Standing::default();
        let mut stays = Vec::new();
        for (place, &token) in tokens.iter().enumerate() {
            standing = standing.next(place.checked_sub(1).and_then(|before| tokens[before]), token, None);
            stays.push(standing.stay);
        }
        assert_eq!(stays, [1, 2, 3, 1, 0, 0, 1]);
        let classes = |stay: u32, level: Option<u8>| Standing { stay, level }.classes().collect::<Vec<usize>>();
        assert_eq!(
            [0, 1, 2, 5, 6, 24, 25, 9999].map(|stay| classes(stay, None)),
            [vec![], vec![0], vec![1], vec![3], vec![4], vec![6], vec![7], vec![7]]
        );
        assert_eq!((classes(1, Some(0)), classes(0, Some(7))), (vec![0, 8], vec![15]));
    }

    /// Numbers that follow the hour are all usual; one that is far from its hour's is not, though others of its size are.
    #[test]
    fn levels_are_those_of_the_hour() {
        let hourly = |hour: usize| {
            let wave = (80.0 * (std::f64::consts::TAU * (hour % 24) as f64 / 24.0).sin()).round();
            175.0 + wave + (hour * 7919 % 101 / 2) as f64
        };
        let values: Vec<f64> = (0..24 * 60).map(|hour| if hour == 24 * 30 + 6 { 120.0 } else { hourly(hour) }).collect();
        let table = Table::from_columns(vec![("x", ColumnKind::Integer, Column::Number(values))]).expect("sound");
        let tokens = TableTokens::fit(&table, &BinsConfig { bins: 400, most_single: 400 }).expect("columns");
        let cells = tokens.encode(&table).expect("the same columns");
        let cells: Vec<Vec<Cell>> = cells.into_iter().map(|cells| cells.into_iter().map(|cell| cell.expect("known")).collect()).collect();
        let known: Known =
            serde_json::from_value(serde_json::json!({ "day": true, "week": false, "year": false, "place": false })).expect("known");
        let times: Vec<f64> = (0..24 * 60).map(|hour| hour as f64 * 3600.0).collect();
        let layout = Layout::new(&tokens, 3);
        let seasons = Seasons::fit(&layout, &known, &cells, &times);
        let level = |row: usize| seasons.levels(&layout, &known, times[row], |_| Some(cells[0][row].token))[0].expect("a number");
        assert_eq!(level(24 * 30 + 6), 0, "the least at its hour");
        let levels: Vec<u8> = (0..24 * 60).map(level).collect();
        let high = (0..24 * 60).filter(|&row| levels[row] >= 4).count() as f64 / (24.0 * 60.0);
        assert!((high - 0.5).abs() < 0.02, "{high}");
        let mean = |at: usize| (0..60).map(|day| f64::from(levels[24 * day + at])).sum::<f64>() / 60.0;
        assert!((mean(6) - mean(18)).abs() < 0.5, "the hour itself is no level: {} and {}", mean(6), mean(18));
        let missing = layout.bins[0] as u32;
        assert_eq!(seasons.levels(&layout, &known, 0.0, |_| None), [None]);
        assert_eq!(seasons.levels(&layout, &known, 0.0, |_| Some(missing)), [None]);
        assert!(seasons.are_sound(1, &known) && !seasons.are_sound(2, &known));
    }
}

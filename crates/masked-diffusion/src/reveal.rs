//! Drawing hidden positions, and judging given ones, pass by pass.

use semblant_core::math::softmax;
use semblant_core::seeds::Stream;

use crate::choose::{Choice, choose};
use crate::spans::Spans;

/// What a position holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// The token.
    pub token: u32,
    /// The place within the token, from 0 to 1, where a token stands for a range of numbers.
    pub place: f32,
}

/// Anything that maps shown tokens to logits of the hidden ones.
pub trait Network: Sync {
    /// What the network keeps of a batch between passes.
    type State;

    /// The tokens of every position.
    fn spans(&self) -> &Spans;

    /// A batch of `rows` rows in which nothing is shown.
    fn begin(&self, rows: usize) -> Self::State;

    /// Shows a position of a row.
    fn show(&self, state: &mut Self::State, row: usize, position: usize, cell: Cell);

    /// The logits of one position for all rows, `[rows, width of the position]`, or those of all positions, `[rows, spans.width]`.
    fn logits(&self, state: &Self::State, position: Option<usize>) -> Vec<f32>;
}

/// What restricts the draws.
pub trait Rules: Sync {
    /// Sets the factors of the tokens of a position, given what the row already holds; `false` where all are allowed.
    fn factors(&self, row: usize, position: usize, cells: &[Option<Cell>], factors: &mut [f32]) -> bool;

    /// The place within the drawn token, from a uniform number.
    fn place(&self, row: usize, position: usize, cells: &[Option<Cell>], token: u32, uniform: f32) -> f32;
}

/// No restriction.
pub struct NoRules;

impl Rules for NoRules {
    fn factors(&self, _: usize, _: usize, _: &[Option<Cell>], _: &mut [f32]) -> bool {
        false
    }

    fn place(&self, _: usize, _: usize, _: &[Option<Cell>], _: u32, uniform: f32) -> f32 {
        uniform
    }
}

/// A batch of rows to be completed.
pub struct Reveal<'a> {
    /// Each row's address, which alone decides its random numbers.
    pub addresses: &'a [u64],
    /// Each row's hidden positions, in the order in which they are drawn.
    pub orders: &'a [Vec<usize>],
    /// What is given of each row, `[rows][positions]`.
    pub cells: Vec<Vec<Option<Cell>>>,
    /// The random numbers: two for each position.
    pub stream: Stream,
    /// How tokens are drawn.
    pub choice: Choice,
    /// Positions drawn from the same logits, independently of one another: 1 is exact, more take fewer passes.
    pub positions_a_pass: usize,
}

/// Draws the hidden positions of a batch. Gives all rows' cells, and for each row the logarithm of the probability that the rules left, summed
/// over its draws.
pub fn reveal<N: Network>(network: &N, batch: Reveal<'_>, rules: &impl Rules) -> (Vec<Vec<Option<Cell>>>, Vec<f64>) {
    let Reveal { addresses, orders, mut cells, stream, choice, positions_a_pass } = batch;
    let rows = cells.len();
    let mut state = shown(network, &cells);
    let mut left = vec![0.0; rows];
    let passes = orders.iter().map(Vec::len).max().unwrap_or(0).div_ceil(positions_a_pass.max(1));
    let mut factors = Vec::new();
    for pass in 0..passes {
        let places = pass * positions_a_pass..(pass + 1) * positions_a_pass;
        let logits = Logits::of(network, &state, orders, places.clone());
        for row in 0..rows {
            for &position in orders[row].iter().take(places.end).skip(places.start) {
                let mut values = logits.values(row, position).to_vec();
                factors.clear();
                factors.resize(values.len(), 1.0);
                let restricted = rules.factors(row, position, &cells[row], &mut factors);
                let uniform = stream.uniform_f64(addresses[row], 2 * position as u32);
                let (token, share) = choose(&mut values, restricted.then_some(&factors[..]), choice, uniform);
                let uniform = stream.uniform_f64(addresses[row], 2 * position as u32 + 1) as f32;
                let place = rules.place(row, position, &cells[row], token, uniform);
                let cell = Cell { token, place };
                cells[row][position] = Some(cell);
                left[row] += share.max(1e-300).ln();
                network.show(&mut state, row, position, cell);
            }
        }
    }
    (cells, left)
}

/// The logarithm of the probability of each given token in its turn, by the chain rule over each row's order, `[rows][place in the order]`.
///
/// `cells` hold every position that is shown or judged; those that are not in the order are shown from the beginning.
pub fn log_likelihoods<N: Network>(network: &N, cells: &[Vec<Option<Cell>>], orders: &[Vec<usize>]) -> Vec<Vec<f64>> {
    let hidden = |row: usize, position: usize| orders[row].contains(&position);
    let first: Vec<Vec<Option<Cell>>> = cells
        .iter()
        .enumerate()
        .map(|(row, cells)| cells.iter().enumerate().map(|(position, cell)| cell.filter(|_| !hidden(row, position))).collect())
        .collect();
    let mut state = shown(network, &first);
    let mut found: Vec<Vec<f64>> = orders.iter().map(|order| Vec::with_capacity(order.len())).collect();
    for pass in 0..orders.iter().map(Vec::len).max().unwrap_or(0) {
        let logits = Logits::of(network, &state, orders, pass..pass + 1);
        for row in 0..cells.len() {
            let Some(&position) = orders[row].get(pass) else { continue };
            let Some(cell) = cells[row][position] else { continue };
            let mut values = logits.values(row, position).to_vec();
            softmax(&mut values);
            found[row].push(f64::from(values[cell.token as usize].max(1e-30)).ln());
            network.show(&mut state, row, position, cell);
        }
    }
    found
}

fn shown<N: Network>(network: &N, cells: &[Vec<Option<Cell>>]) -> N::State {
    let mut state = network.begin(cells.len());
    for (row, cells) in cells.iter().enumerate() {
        for (position, cell) in cells.iter().enumerate() {
            if let Some(cell) = *cell {
                network.show(&mut state, row, position, cell);
            }
        }
    }
    state
}

/// The logits of a pass: of one position where all rows have it in turn, else of all.
struct Logits<'a> {
    values: Vec<f32>,
    spans: &'a Spans,
    only: Option<usize>,
}

impl<'a> Logits<'a> {
    fn of<N: Network>(network: &'a N, state: &N::State, orders: &[Vec<usize>], places: std::ops::Range<usize>) -> Self {
        let mut wanted = orders.iter().flat_map(|order| order.iter().take(places.end).skip(places.start));
        let first = wanted.next().copied();
        let only = first.filter(|first| wanted.all(|position| position == first));
        Self { values: network.logits(state, only), spans: network.spans(), only }
    }

    fn values(&self, row: usize, position: usize) -> &[f32] {
        let range = self.spans.range(position);
        match self.only {
            Some(_) => &self.values[row * range.len()..(row + 1) * range.len()],
            None => &self.values[row * self.spans.width() + range.start..][..range.len()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The law of two positions: p(a, b) of `LAW[a][b]`, as a network that knows it.
    struct Known(Spans);

    const LAW: [[f64; 3]; 2] = [[0.1, 0.2, 0.1], [0.3, 0.05, 0.25]];

    impl Network for Known {
        type State = Vec<[Option<u32>; 2]>;

        fn spans(&self) -> &Spans {
            &self.0
        }

        fn begin(&self, rows: usize) -> Self::State {
            vec![[None; 2]; rows]
        }

        fn show(&self, state: &mut Self::State, row: usize, position: usize, cell: Cell) {
            state[row][position] = Some(cell.token);
        }

        fn logits(&self, state: &Self::State, position: Option<usize>) -> Vec<f32> {
            let of = |shown: &[Option<u32>; 2], position: usize, token: usize| -> f64 {
                let fits = |a: usize, b: usize| {
                    let place = [a, b];
                    place[position] == token && shown.iter().zip(place).all(|(shown, at)| shown.is_none_or(|shown| shown as usize == at))
                };
                (0..2).flat_map(|a| (0..3).map(move |b| (a, b))).filter(|&(a, b)| fits(a, b)).map(|(a, b)| LAW[a][b]).sum()
            };
            let positions = position.map_or(vec![0, 1], |position| vec![position]);
            let row = |shown: &[Option<u32>; 2]| {
                positions
                    .iter()
                    .flat_map(|&position| {
                        let mut open = *shown;
                        open[position] = None;
                        (0..self.0.widths()[position]).map(move |token| (of(&open, position, token) as f32).ln()).collect::<Vec<_>>()
                    })
                    .collect::<Vec<_>>()
            };
            state.iter().flat_map(row).collect()
        }
    }

    fn draw(given: [Option<u32>; 2], orders: &[Vec<usize>], rules: &impl Rules) -> Vec<[u32; 2]> {
        let addresses: Vec<u64> = (0..orders.len() as u64).collect();
        let cells = vec![given.map(|token| token.map(|token| Cell { token, place: 0.5 })).to_vec(); orders.len()];
        let batch =
            Reveal { addresses: &addresses, orders, cells, stream: Stream::new(3, 1), choice: Choice::default(), positions_a_pass: 1 };
        let (cells, _) = reveal(&Known(Spans::new(vec![2, 3])), batch, rules);
        cells.iter().map(|cells| [0, 1].map(|position| cells[position].expect("drawn").token)).collect()
    }

    #[test]
    fn a_known_law_is_drawn_in_any_order() {
        let rows = 200_000;
        for orders in [
            vec![vec![0, 1]; rows],
            vec![vec![1, 0]; rows],
            (0..rows).map(|row| if row % 2 == 0 { vec![0, 1] } else { vec![1, 0] }).collect(),
        ] {
            let made = draw([None; 2], &orders, &NoRules);
            for a in 0..2 {
                for b in 0..3 {
                    let share = made.iter().filter(|made| **made == [a as u32, b as u32]).count() as f64 / rows as f64;
                    assert!((share - LAW[a][b]).abs() < 0.003, "{a}, {b}: {share}");
                }
            }
        }
    }

    #[test]
    fn what_is_given_stays_and_decides() {
        let made = draw([None, Some(1)], &vec![vec![0]; 100_000], &NoRules);
        assert!(made.iter().all(|made| made[1] == 1));
        let share = made.iter().filter(|made| made[0] == 1).count() as f64 / 100_000.0;
        assert!((share - 0.05 / 0.25).abs() < 0.005, "{share}");
    }

    #[test]
    fn likelihoods_are_those_of_the_law_in_every_order() {
        let network = Known(Spans::new(vec![2, 3]));
        let cell = |token| Some(Cell { token, place: 0.5 });
        let cells = vec![vec![cell(1), cell(2)], vec![cell(0), cell(1)]];
        for orders in [[vec![0, 1], vec![0, 1]], [vec![1, 0], vec![0, 1]]] {
            let found = log_likelihoods(&network, &cells, &orders);
            for (found, expected) in found.iter().zip([LAW[1][2], LAW[0][1]]) {
                assert!((found.iter().sum::<f64>() - expected.ln()).abs() < 1e-5);
            }
        }
        let one = log_likelihoods(&network, &cells, &[vec![1], vec![]]);
        assert!((one[0][0] - (0.25f64 / 0.6).ln()).abs() < 1e-5 && one[1].is_empty());
    }
}

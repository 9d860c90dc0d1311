//! Numbers as bins of about equally many rows. A value that fills most of a bin is a bin of its own; missing is the last one. Within a bin the
//! empirical distribution is kept by means of at least five rows, so that no bin holds a value of a single row.

use semblant_data::table::ColumnSchema;
use semblant_masked_diffusion::Cell;
use serde::{Deserialize, Serialize};

/// Rows that a knot is the mean of, and that a value of its own has, at least.
const KNOT_ROWS: usize = 5;
/// The most knots within a bin.
const MOST_KNOTS: usize = 16;
/// A value with at least this share of a bin's rows is a bin of its own.
const SPIKE_SHARE: f64 = 0.7;

/// How numbers are divided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BinsConfig {
    /// The most bins of a column, those of single values not counted.
    pub bins: usize,
    /// A column of at most this many different values has a bin for each that comes often enough.
    pub most_single: usize,
}

/// One bin: a single value, or a range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bin {
    /// The least value.
    pub low: f64,
    /// The greatest value; that of a single value is its least.
    pub high: f64,
    /// The values at equal steps of probability within the bin, its ends included; empty for a single value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub knots: Vec<f64>,
    /// The number of rows.
    pub rows: u64,
}

impl Bin {
    /// Whether it stands for one value.
    pub fn is_single(&self) -> bool {
        self.low == self.high
    }

    fn value(&self, place: f64) -> f64 {
        if self.knots.len() < 2 {
            return self.low + place * (self.high - self.low);
        }
        let steps = (self.knots.len() - 1) as f64;
        let at = (place.clamp(0.0, 1.0) * steps).min(steps);
        let knot = (at as usize).min(self.knots.len() - 2);
        let (before, after) = (self.knots[knot], self.knots[knot + 1]);
        before + (at - knot as f64) * (after - before)
    }

    /// The share of the bin below `value`: the inverse of [`Bin::value`].
    fn share_below(&self, value: f64) -> f64 {
        if self.is_single() {
            return 0.5;
        }
        if self.knots.len() < 2 {
            return ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        }
        let steps = (self.knots.len() - 1) as f64;
        let after = self.knots.partition_point(|&knot| knot <= value);
        match after {
            0 => 0.0,
            after if after == self.knots.len() => 1.0,
            after => {
                let (low, high) = (self.knots[after - 1], self.knots[after]);
                ((after - 1) as f64 + (value - low) / (high - low)) / steps
            }
        }
    }
}

/// The bins of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bins {
    /// The bins, by their middle.
    pub bins: Vec<Bin>,
    /// Whether values were missing.
    pub missing: bool,
    /// Rows without a value.
    #[serde(default)]
    pub missing_rows: u64,
    /// The step between values, 0 for none.
    pub step: f64,
    /// A value that the steps start from.
    #[serde(default)]
    pub origin: f64,
}

impl Bins {
    /// Fits bins to the values of a column; NaN is missing.
    pub fn fit(described: &ColumnSchema, values: &[f64], config: &BinsConfig) -> Self {
        // The steps of a zone's own time are no steps of UTC.
        let step = described.step().filter(|_| described.zone.is_none()).unwrap_or(0.0);
        let origin = described.origin.filter(|_| step > 0.0).unwrap_or(0.0);
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let missing_rows = (values.len() - sorted.len()) as u64;
        let mut bins = divide(&sorted, config);
        bins.sort_by(|a, b| (a.low + a.high).total_cmp(&(b.low + b.high)).then(b.is_single().cmp(&a.is_single())));
        Self { bins, missing: missing_rows > 0 || sorted.is_empty(), missing_rows, step, origin }
    }

    /// The number of tokens.
    pub fn width(&self) -> usize {
        self.bins.len() + usize::from(self.missing)
    }

    /// The rows of every token.
    pub fn rows(&self) -> Vec<u64> {
        self.bins.iter().map(|bin| bin.rows).chain(self.missing.then_some(self.missing_rows)).collect()
    }

    /// Whether each token stands for no range, so that it has no neighbours.
    pub fn alone(&self) -> Vec<bool> {
        self.bins.iter().map(Bin::is_single).chain(self.missing.then_some(true)).collect()
    }

    /// The least and the greatest value.
    pub fn range(&self) -> Option<(f64, f64)> {
        let low = self.bins.iter().map(|bin| bin.low).min_by(f64::total_cmp)?;
        let high = self.bins.iter().map(|bin| bin.high).max_by(f64::total_cmp)?;
        Some((self.round(low), self.round(high)))
    }

    /// Whether bins from a file can be used.
    pub fn is_sound(&self) -> bool {
        let rising = |values: &[f64]| values.windows(2).all(|pair| pair[0] <= pair[1]);
        let sound = |bin: &Bin| bin.low.is_finite() && bin.high.is_finite() && bin.low <= bin.high && rising(&bin.knots);
        self.bins.iter().all(sound) && self.step >= 0.0 && self.step.is_finite() && self.origin.is_finite() && self.width() > 0
    }

    fn round(&self, value: f64) -> f64 {
        if self.step <= 0.0 {
            return value;
        }
        let inverse = (1.0 / self.step).round();
        if inverse > 1.0 && (inverse * self.step - 1.0).abs() < 1e-9 {
            // Divided by 100 instead of multiplied by 0.01, which is the nearest number to the decimal fraction.
            return ((value - self.origin) * inverse).round() / inverse + self.origin;
        }
        ((value - self.origin) / self.step).round() * self.step + self.origin
    }

    /// The token of a value, and the place within it; `None` for a missing value where none was missing.
    pub fn encode(&self, value: f64) -> Option<Cell> {
        if value.is_nan() || self.bins.is_empty() {
            return self.missing.then_some(Cell { token: self.bins.len() as u32, place: 0.5 });
        }
        // Bins are sorted by their middle, single values among the ranges that they lie in.
        let single = |bin: &&Bin| bin.is_single() && bin.low == value;
        let at = self.bins.partition_point(|bin| bin.low + bin.high < 2.0 * value);
        let near = at.saturating_sub(2)..(at + 3).min(self.bins.len());
        if let Some(index) = near.clone().find(|&index| single(&&self.bins[index])) {
            return Some(Cell { token: index as u32, place: 0.5 });
        }
        let distance = |index: usize| {
            let bin = &self.bins[index];
            // Of two that are equally far the range is taken.
            ((bin.low - value).max(value - bin.high).max(0.0), bin.is_single())
        };
        let less = |a: &usize, b: &usize| distance(*a).0.total_cmp(&distance(*b).0).then(distance(*a).1.cmp(&distance(*b).1));
        let mut best = near.min_by(less).unwrap_or(0);
        if distance(best).0 > 0.0 {
            best = (0..self.bins.len()).min_by(less).unwrap_or(best);
        }
        Some(Cell { token: best as u32, place: self.bins[best].share_below(value) as f32 })
    }

    /// The value of a cell, on the column's steps; NaN when missing.
    pub fn decode(&self, cell: Cell) -> f64 {
        match self.bins.get(cell.token as usize) {
            Some(bin) if bin.is_single() => bin.low,
            Some(bin) => self.round(bin.value(f64::from(cell.place))),
            None => f64::NAN,
        }
    }

    /// Minus the logarithm of the density within a value's bin, or, on steps, of the share of the bin that rounds to it. A value beyond all
    /// bins counts as half a row of the column; so does a missing one where none was missing.
    pub fn within(&self, value: f64) -> f64 {
        let unseen = || crate::tokens::unseen(self.rows().iter().sum());
        let Some(cell) = self.encode(value) else { return unseen() };
        let Some(bin) = self.bins.get(cell.token as usize) else { return 0.0 };
        let slack = 0.5 * self.step + 1e-9 * bin.high.abs().max(bin.low.abs());
        if !(bin.low - slack..=bin.high + slack).contains(&value) {
            return unseen();
        }
        if bin.is_single() {
            return 0.0;
        }
        let share = |from: f64, to: f64| bin.share_below(to) - bin.share_below(from);
        let density = if self.step > 0.0 {
            share(value - 0.5 * self.step, value + 0.5 * self.step)
        } else {
            let width = 1e-3 * (bin.high - bin.low);
            let (from, to) = ((value - width).max(bin.low), (value + width).min(bin.high));
            share(from, to) / (to - from).max(width)
        };
        -density.max(1e-12).ln()
    }

    /// The places within a token whose values lie from `low` to `high` once they are rounded; `None` where there are none.
    pub fn places(&self, token: usize, low: f64, high: f64) -> Option<(f32, f32)> {
        let bin = self.bins.get(token)?;
        let slack = 1e-6 * self.step;
        if bin.is_single() {
            return (low - slack..=high + slack).contains(&bin.low).then_some((0.0, 1.0));
        }
        let half = 0.5 * self.step;
        let (from, to) = (bin.share_below(low - half) as f32, bin.share_below(high + half) as f32);
        if to > from {
            return Some((from, to));
        }
        // One number of a column that has no steps has no width.
        let is_within = low <= high && bin.low <= high && low <= bin.high;
        is_within.then(|| (from.min(1.0 - POINT), to.min(1.0 - POINT) + POINT))
    }
}

/// The share of a bin that stands for a single number.
const POINT: f32 = 1e-6;

/// Single values, and ranges of the rest.
fn divide(sorted: &[f64], config: &BinsConfig) -> Vec<Bin> {
    let mut runs: Vec<(f64, usize)> = Vec::new();
    for &value in sorted {
        match runs.last_mut() {
            Some((last, count)) if *last == value => *count += 1,
            _ => runs.push((value, 1)),
        }
    }
    let most = config.bins.max(1);
    let enough = if runs.len() <= config.most_single { 0.0 } else { SPIKE_SHARE * sorted.len() as f64 / most as f64 };
    // A column of two values is told by them, however rare one is.
    let least = if runs.len() <= 2 { 1.0 } else { enough.max(KNOT_ROWS as f64) };
    let single = |count: usize| count as f64 >= least;
    let mut bins: Vec<Bin> = (runs.iter().filter(|(_, count)| single(*count)))
        .map(|&(value, count)| Bin { low: value, high: value, knots: Vec::new(), rows: count as u64 })
        .collect();
    let rest: Vec<f64> =
        runs.iter().filter(|(_, count)| !single(*count)).flat_map(|&(value, count)| std::iter::repeat_n(value, count)).collect();
    bins.extend(ranges(&rest, ((most * rest.len()).div_ceil(sorted.len().max(1))).max(1)));
    bins
}

/// At most `count` ranges of about equally many of the sorted values, at least [`KNOT_ROWS`] each where there are so many.
fn ranges(sorted: &[f64], count: usize) -> Vec<Bin> {
    if sorted.is_empty() {
        return Vec::new();
    }
    let count = count.min(sorted.len() / KNOT_ROWS).max(1);
    let mut cuts: Vec<usize> = (0..=count).map(|cut| cut * sorted.len() / count).collect();
    // Equal values stay together.
    for cut in &mut cuts[1..count] {
        while *cut < sorted.len() && sorted[*cut - 1] == sorted[*cut] {
            *cut += 1;
        }
    }
    cuts.dedup();
    // What is left of a bin after that joins its neighbour if it is too small.
    let mut kept = vec![0];
    for &cut in &cuts[1..] {
        if cut - kept[kept.len() - 1] >= KNOT_ROWS || cut == sorted.len() {
            kept.push(cut);
        }
    }
    if kept.len() > 2 && sorted.len() - kept[kept.len() - 2] < KNOT_ROWS {
        kept.remove(kept.len() - 2);
    }
    let mean = |values: &[f64]| values.iter().map(|value| value / values.len() as f64).sum::<f64>();
    let end = |first: usize, last: usize| mean(&sorted[first..last.min(sorted.len())]);
    // A mean of the last rows lies short of them: by 0.4 of its distance from the mean of those before where rows are evenly spread, by twice that
    // where they thin out exponentially, which the distance before tells.
    let outward = |last: f64, before: f64, first: f64| {
        let thinning = ((last - before) / (before - first)).clamp(1.0, 2.5);
        let end = last + if thinning.is_finite() { 0.13 + 0.27 * thinning } else { 0.4 } * (last - before);
        // Nothing lies where no number lay, and no number itself is kept.
        let farthest = if last > before { sorted[sorted.len() - 1] } else { sorted[0] };
        if (end - last).abs() < (farthest - last).abs() { end } else { last + 0.75 * (farthest - last) }
    };
    let group = |from_end: usize| {
        let last = sorted.len().saturating_sub(from_end * KNOT_ROWS).max(1);
        end(last.saturating_sub(KNOT_ROWS), last)
    };
    let edge = |cut: usize| match cut {
        0 => outward(
            end(0, KNOT_ROWS),
            end(KNOT_ROWS.min(sorted.len() - 1), 2 * KNOT_ROWS),
            end((2 * KNOT_ROWS).min(sorted.len() - 1), 3 * KNOT_ROWS),
        ),
        cut if cut == sorted.len() => outward(group(0), group(1), group(2)),
        cut => end(cut.saturating_sub(KNOT_ROWS.div_ceil(2)), cut + KNOT_ROWS.div_ceil(2)),
    };
    kept.windows(2).map(|pair| range(&sorted[pair[0]..pair[1]], edge(pair[0]), edge(pair[1]))).collect()
}

/// One range of sorted values between two edges.
fn range(values: &[f64], low: f64, high: f64) -> Bin {
    let rows = values.len() as u64;
    if !(low < high) {
        // Edges are means over several rows: where they are equal, so are the values between.
        let value = values[values.len() / 2];
        return Bin { low: value, high: value, knots: Vec::new(), rows };
    }
    let groups = (values.len() / KNOT_ROWS).clamp(1, MOST_KNOTS);
    let mean = |group: usize| {
        let group = &values[group * values.len() / groups..(group + 1) * values.len() / groups];
        (group.iter().map(|value| value / group.len() as f64).sum::<f64>()).clamp(low, high)
    };
    // The mean of a group is about its median: at (group + 1/2) / groups. Knots at equal steps lie between the means.
    let means: Vec<f64> = (0..groups).map(mean).collect();
    let at = |share: f64| {
        let place = share * groups as f64 - 0.5;
        let before = place.floor();
        let of = |index: f64| {
            if index < 0.0 {
                low
            } else if index as usize >= groups {
                high
            } else {
                means[index as usize]
            }
        };
        if place < 0.0 {
            low + 2.0 * (place + 0.5) * (means[0] - low)
        } else if place >= groups as f64 - 1.0 {
            let last = means[groups - 1];
            last + 2.0 * (place - (groups as f64 - 1.0)) * (high - last)
        } else {
            of(before) + (place - before) * (of(before + 1.0) - of(before))
        }
    };
    let steps = 2 * groups;
    let mut knots: Vec<f64> = (0..=steps).map(|knot| at(knot as f64 / steps as f64)).collect();
    // Interpolation between equal means may fall by a last bit.
    for knot in 1..knots.len() {
        knots[knot] = knots[knot].max(knots[knot - 1]);
    }
    Bin { low, high, knots, rows }
}

#[cfg(test)]
mod tests {
    use super::*;
    use semblant_data::table::ColumnKind;

    fn fit(kind: ColumnKind, values: &[f64], bins: usize) -> Bins {
        Bins::fit(&ColumnSchema::new("x", kind), values, &BinsConfig { bins, most_single: 20 })
    }

    #[test]
    fn values_come_back_within_their_bin() {
        let values: Vec<f64> = (0..2000).map(|i| ((i as f64 * 0.618).fract() * 5.0).exp()).collect();
        let bins = fit(ColumnKind::Continuous, &values, 50);
        assert_eq!(bins.bins.len(), 50);
        assert!(bins.bins.windows(2).all(|pair| (pair[0].high - pair[1].low).abs() < 1e-9), "without gaps");
        let mut sorted = values.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        for &value in &sorted[5..1995] {
            let back = bins.decode(bins.encode(value).expect("a bin"));
            assert!((back - value).abs() < 1e-5 * value, "{value} became {back}");
        }
        // No value of a row is in the file.
        let all = bins.bins.iter().flat_map(|bin| bin.knots.iter().chain([&bin.low, &bin.high]));
        assert_eq!(all.filter(|kept| sorted.iter().any(|value| value == *kept)).count(), 0);
    }

    #[test]
    fn the_empirical_distribution_is_kept() {
        let values: Vec<f64> = (0..5000).map(|i| -(1.0 - (i as f64 + 0.5) / 5000.0).ln()).collect();
        let bins = fit(ColumnKind::Continuous, &values, 10);
        let total: u64 = bins.rows().iter().sum();
        assert_eq!(total, 5000);
        for threshold in [0.05, 0.3, 1.0, 2.5] {
            let below = |token: usize| {
                (0..100).filter(|&i| bins.decode(Cell { token: token as u32, place: (i as f32 + 0.5) / 100.0 }) < threshold).count() as f64
                    / 100.0
            };
            let share: f64 = (0..bins.width()).map(|token| below(token) * bins.rows()[token] as f64 / 5000.0).sum();
            let expected = 1.0 - f64::exp(-threshold);
            assert!((share - expected).abs() < 0.002, "{threshold}: {share} against {expected}");
        }
    }

    #[test]
    fn frequent_values_and_missing_ones_are_tokens_of_their_own() {
        let mut values: Vec<f64> = (0..900).map(|i| f64::from(i % 300) + 1.0).collect();
        values.extend([0.0; 500]);
        values.extend([f64::NAN; 100]);
        let bins = fit(ColumnKind::Integer, &values, 20);
        let zero = bins.encode(0.0).expect("a bin");
        assert!(bins.bins[zero.token as usize].is_single() && bins.decode(zero) == 0.0);
        let missing = bins.encode(f64::NAN).expect("a token");
        assert!(missing.token as usize == bins.width() - 1 && bins.decode(missing).is_nan());
        assert_eq!(bins.rows().iter().sum::<u64>(), 1500);
        assert!((1..300).all(|value| (bins.decode(bins.encode(f64::from(value)).expect("a bin")) - f64::from(value)).abs() < 1.5));
        assert!(fit(ColumnKind::Integer, &[1.0, 2.0], 20).encode(f64::NAN).is_none(), "none was missing");
        let empty = fit(ColumnKind::Integer, &[f64::NAN; 4], 20);
        assert!(empty.width() == 1 && empty.decode(Cell { token: 0, place: 0.5 }).is_nan() && empty.range().is_none());
    }

    #[test]
    fn places_of_a_range_give_values_within_it() {
        let values: Vec<f64> = (0..3000).map(|i| f64::from(i % 1000)).collect();
        let bins = fit(ColumnKind::Integer, &values, 12);
        for (low, high) in [(100.0, 110.0), (3.0, 3.0), (250.0, 900.0)] {
            let mut mass = 0.0;
            for token in 0..bins.width() {
                let Some((from, to)) = bins.places(token, low, high) else { continue };
                mass += f64::from(to - from) * bins.rows()[token] as f64 / 3000.0;
                for place in [from + 1e-4 * (to - from), 0.5 * (from + to), to - 1e-4 * (to - from)] {
                    let value = bins.decode(Cell { token: token as u32, place });
                    assert!((low..=high).contains(&value), "{value} for {low}..{high}");
                }
            }
            assert!((mass - (high - low + 1.0) / 1000.0).abs() < 0.004, "{mass} for {low}..{high}");
        }
    }

    #[test]
    fn heaps_and_decimals_make_sound_bins() {
        // Tenths and hundredths with heaps of rows, as of coordinates and measurements.
        let values: Vec<f64> =
            (0..16_000).map(|i| ((i * i % 997) as f64 / 3.7).round() / 100.0 - 120.0 - f64::from(u8::from(i % 7 == 0))).collect();
        let described = ColumnSchema { decimals: Some(2), ..ColumnSchema::new("x", ColumnKind::Continuous) };
        for bins in [16, 200, 1000] {
            let bins = Bins::fit(&described, &values, &BinsConfig { bins, most_single: 128 });
            assert!(bins.is_sound());
            let text = serde_json::to_string(&bins).expect("JSON");
            assert_eq!(serde_json::from_str::<Bins>(&text).expect("bins"), bins);
            for &value in &values[..2000] {
                let back = bins.decode(bins.encode(value).expect("a bin"));
                assert!(
                    (back - value).abs() < 0.2 && back == format!("{back:.2}").parse::<f64>().expect("a number"),
                    "{value} became {back}"
                );
            }
        }
    }

    #[test]
    fn few_values_have_a_bin_each_and_rare_ones_share() {
        let values: Vec<f64> = [vec![1.0; 30], vec![2.0; 20], vec![7.0; 2], vec![8.0; 2], vec![9.0; 2]].concat();
        let bins = fit(ColumnKind::Integer, &values, 4);
        let singles: Vec<f64> = bins.bins.iter().filter(|bin| bin.is_single()).map(|bin| bin.low).collect();
        assert_eq!(singles, [1.0, 2.0]);
        assert_eq!(bins.bins.len(), 3);
        assert!((7.0..=9.0).contains(&bins.decode(Cell { token: 2, place: 0.9 })));
    }
}

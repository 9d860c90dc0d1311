//! What is known of a row before it is drawn: the time of day, week and year, and its place in the sequence.

use semblant_data::series::{Clock, Series};
use semblant_data::table::ColumnKind;
use serde::{Deserialize, Serialize};

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// Which parts are known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Known {
    /// The time of day, where rows are less than half a day apart.
    day: bool,
    /// The day of the week, where rows are less than half a week apart.
    week: bool,
    /// The time of the year, where the series cover more than one.
    year: bool,
    /// The place in the sequence, where sequences have a beginning and an end.
    place: bool,
}

/// Waves of a day, a week and a year, by multiples of their frequency.
const WAVES: [(f64, usize); 3] = [(DAY, 3), (7.0 * DAY, 3), (365.25 * DAY, 2)];

impl Known {
    /// What is known of the rows of these series, whose typical distance in time is `step`.
    pub(super) fn of(series: &Series, step: f64, place: bool) -> Self {
        let is_date = series.layout().clock.column().is_some_and(|column| column.kind == ColumnKind::Datetime);
        let (mut first, mut last) = (f64::INFINITY, f64::NEG_INFINITY);
        for index in 0..series.count() {
            first = first.min(time(series, index, 0));
            last = last.max(time(series, index, series.length(index) - 1));
        }
        let is_known = |period: f64, covered: f64| is_date && step > 0.0 && step < period / 2.0 && last - first > covered;
        Self { day: is_known(DAY, 2.0 * DAY), week: is_known(7.0 * DAY, 14.0 * DAY), year: is_known(365.25 * DAY, 400.0 * DAY), place }
    }

    fn waves(&self) -> impl Iterator<Item = (f64, usize)> {
        [self.day, self.week, self.year].into_iter().zip(WAVES).filter(|(is_known, _)| *is_known).map(|(_, wave)| wave)
    }

    /// Sine and cosine of every wave at a time.
    fn sines(&self, time: f64) -> impl Iterator<Item = (f64, f64)> {
        self.waves().flat_map(move |(period, count)| {
            (1..=count).map(move |multiple| (std::f64::consts::TAU * multiple as f64 * (time / period).fract()).sin_cos())
        })
    }

    /// What a season is a sum of, at a time: 1, the waves, and products of the slowest waves of the day and the year.
    pub(super) fn season(&self, time: f64) -> Vec<f64> {
        let waves: Vec<(f64, f64)> = self.sines(time).collect();
        let mut all = vec![1.0];
        all.extend(waves.iter().flat_map(|&(sine, cosine)| [sine, cosine]));
        if self.day && self.year {
            // Those of the day are the first ones, those of the year the last.
            let (day, year) = (waves[0], waves[waves.len() - WAVES[2].1]);
            all.extend([day.0 * year.0, day.0 * year.1, day.1 * year.0, day.1 * year.1]);
        }
        all
    }

    /// How many numbers tell it.
    pub(super) fn width(&self) -> usize {
        self.waves().map(|(_, count)| 2 * count).sum::<usize>() + 3 * usize::from(self.place)
    }

    /// These numbers, for row `index` of a sequence of `length` rows.
    pub(super) fn write(&self, time: f64, index: usize, length: usize, out: &mut Vec<f32>) {
        out.extend(self.sines(time).flat_map(|(sine, cosine)| [sine as f32, cosine as f32]));
        if self.place {
            let logarithm = |rows: usize| (rows as f32).ln_1p() / 4.0;
            out.extend([f32::from(u8::from(index == 0)), logarithm(index), logarithm(length.saturating_sub(index))]);
        }
    }
}

/// The row whose time is known of row `index`: itself, or the one before where times follow no rule, since its own is drawn.
pub(super) fn known_place(is_irregular: bool, index: usize) -> usize {
    if is_irregular { index.saturating_sub(1) } else { index }
}

/// The time of row `index` of a sequence; its number where there is none.
pub(super) fn time(series: &Series, sequence: usize, index: usize) -> f64 {
    match (&series.layout().clock, series.times()) {
        (Clock::Regular { first, step, .. }, _) => first + step * index as f64,
        (_, Some(times)) => times[series.spans()[sequence].start + index],
        _ => index as f64,
    }
}

/// The median distance in time of successive rows; 1 where there are no times, 0 where no sequence has two rows.
pub(super) fn typical_step(series: &Series) -> f64 {
    if let Clock::Regular { step, .. } = &series.layout().clock {
        return *step;
    }
    let gaps =
        |sequence: usize| (1..series.length(sequence)).map(move |index| time(series, sequence, index) - time(series, sequence, index - 1));
    let mut all: Vec<f64> = (0..series.count()).flat_map(gaps).collect();
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(0.0)
}

/// How many rows a day has, where that is a whole number that a network can look back by; 0 where it is not.
pub(super) fn rows_of_a_day(series: &Series) -> usize {
    const MOST: f64 = 96.0;
    let Clock::Regular { column, step, .. } = &series.layout().clock else { return 0 };
    let rows = DAY / step;
    if column.kind == ColumnKind::Datetime && rows.fract() == 0.0 && (2.0..=MOST).contains(&rows) { rows as usize } else { 0 }
}

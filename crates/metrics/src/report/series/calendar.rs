//! Means over the calendar: what time of day, which month, which day of the week.

use jiff::civil::{Date, Weekday};
use semblant_data::series::Series;
use semblant_data::table::ColumnKind;

use super::general::numbers;
use crate::report::{Content, Heatmap, Section};

/// Seconds of an hour and of a day.
const HOUR: f64 = 3_600.0;
const DAY: f64 = 86_400.0;
/// Charts of so many columns.
const MOST_COLUMNS: usize = 6;
const WEEKDAYS: [&str; 7] = ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A part of the calendar, of which a time has one.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Part {
    Hour,
    Weekday,
    Month,
}

impl Part {
    fn names(self) -> Vec<String> {
        match self {
            Self::Hour => (0..24).map(|hour| format!("{hour} h")).collect(),
            Self::Weekday => WEEKDAYS.map(str::to_owned).to_vec(),
            Self::Month => MONTHS.map(str::to_owned).to_vec(),
        }
    }

    /// Which one a time in seconds has.
    fn of(self, time: f64) -> Option<usize> {
        let date = || Date::new(1970, 1, 1).ok()?.checked_add(jiff::Span::new().try_days((time / DAY).floor() as i64).ok()?).ok();
        Some(match self {
            Self::Hour => (time.rem_euclid(DAY) / HOUR) as usize,
            Self::Weekday => date()?.weekday().since(Weekday::Monday) as usize,
            Self::Month => date()?.month() as usize - 1,
        })
    }
}

/// Hours by months or weekdays, or weekdays by months, as far as the times of the real series tell them.
fn parts(real: &Series) -> Option<[Part; 2]> {
    real.layout().clock.column().filter(|column| column.kind == ColumnKind::Datetime)?;
    let (mut first, mut last, mut gaps) = (f64::INFINITY, f64::NEG_INFINITY, Vec::new());
    for sequence in 0..real.count() {
        let times = real.times_of(sequence);
        first = first.min(times[0]);
        last = last.max(times[times.len() - 1]);
        gaps.extend(times.windows(2).map(|pair| pair[1] - pair[0]));
    }
    gaps.sort_unstable_by(f64::total_cmp);
    let step = *gaps.get(gaps.len() / 2)?;
    match (step < DAY / 2.0, step <= DAY, last - first) {
        (true, _, covered) if covered > 200.0 * DAY => Some([Part::Hour, Part::Month]),
        (true, _, covered) if covered > 6.0 * DAY => Some([Part::Hour, Part::Weekday]),
        (_, true, covered) if covered > 200.0 * DAY => Some([Part::Weekday, Part::Month]),
        _ => None,
    }
}

/// The mean of a column in every part of the calendar.
fn means(series: &Series, column: usize, [row, across]: [Part; 2]) -> Vec<Vec<Option<f64>>> {
    let (rows, columns) = (row.names().len(), across.names().len());
    let mut sums = vec![(0.0, 0usize); rows * columns];
    let Some(values) = series.rows().columns()[column].numbers() else { return Vec::new() };
    for (sequence, span) in series.spans().iter().enumerate() {
        for (time, value) in series.times_of(sequence).into_iter().zip(&values[span.clone()]).filter(|(_, value)| value.is_finite()) {
            if let Some((row, column)) = row.of(time).zip(across.of(time)) {
                let sum = &mut sums[row * columns + column];
                *sum = (sum.0 + value, sum.1 + 1);
            }
        }
    }
    let mean = |&(sum, count): &(f64, usize)| (count > 0).then(|| sum / count as f64);
    sums.chunks_exact(columns).map(|row| row.iter().map(mean).collect()).collect()
}

/// The section, where both series have dates.
pub(super) fn section(real: &Series, synthetic: &Series) -> Option<Section> {
    let parts = parts(real)?;
    synthetic.layout().clock.column().filter(|column| column.kind == ColumnKind::Datetime)?;
    let map = |(column, name): (usize, &str)| Heatmap {
        name: name.into(),
        rows: parts[0].names(),
        columns: parts[1].names(),
        real: means(real, column, parts),
        synthetic: means(synthetic, column, parts),
    };
    let maps: Vec<Heatmap> = numbers(real).take(MOST_COLUMNS).map(map).collect();
    let text = "The mean of a column in each part of the calendar; blank where no value falls. Daily, weekly and yearly seasons should look alike.";
    (!maps.is_empty()).then(|| Section::new("calendar", "Calendar", text, Content::Heatmaps(maps)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_fall_into_their_part_of_the_calendar() {
        // 2024-02-29 23:59:59 UTC, a Thursday, and 1969-12-31 00:00, a Wednesday.
        let of = |time: f64| [Part::Hour, Part::Weekday, Part::Month].map(|part| part.of(time).expect("a date"));
        assert_eq!(of(1_709_251_199.0), [23, 3, 1]);
        assert_eq!(of(-86_400.0), [0, 2, 11]);
        assert_eq!(Part::Month.of(1e18), None, "no such year");
    }
}

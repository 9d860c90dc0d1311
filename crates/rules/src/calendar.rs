//! Days by rules: weekdays, months, holidays.

use std::collections::BTreeSet;

use semblant_expressions::civil;

/// Seconds of a day.
pub(crate) const DAY: f64 = 86_400.0;
/// Weights are whole numbers of this part, so that sums are exact whatever days they begin at.
const PARTS: f64 = 65_536.0;
/// The most days of a range, about 11,000 years.
pub(crate) const MOST_DAYS: i64 = 4_000_000;

/// Which days may be drawn, and how often.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Days {
    weekdays: [u64; 7],
    months: [u64; 12],
    skipped: BTreeSet<i64>,
}

impl Days {
    /// Days with these weights of Monday to Sunday and of January to December, without those of `skipped`, in days since 1970-01-01. `None` where
    /// every day counts the same.
    pub(crate) fn new(weekdays: Option<&[f64]>, months: Option<&[f64]>, skipped: BTreeSet<i64>) -> Option<Self> {
        if weekdays.is_none() && months.is_none() && skipped.is_empty() {
            return None;
        }
        let mut days = Self { weekdays: [PARTS as u64; 7], months: [PARTS as u64; 12], skipped };
        let largest = |weights: &[f64]| weights.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let scaled = |weight: f64, largest: f64| (weight / largest * PARTS).round() as u64;
        for (all, weights) in [(&mut days.weekdays[..], weekdays), (&mut days.months[..], months)] {
            if let Some(weights) = weights {
                all.iter_mut().zip(weights).for_each(|(part, &weight)| *part = scaled(weight, largest(weights)));
            }
        }
        Some(days)
    }

    fn weight(&self, day: i64) -> u64 {
        if self.skipped.contains(&day) {
            return 0;
        }
        // 1970-01-01 was a Thursday.
        self.weekdays[(day + 3).rem_euclid(7) as usize] * self.months[month(day) as usize - 1]
    }

    /// The sums of the weights of `first..=last`, beginning with 0.
    pub(crate) fn sums(&self, first: i64, last: i64) -> Vec<u64> {
        let mut sum = 0;
        std::iter::once(0)
            .chain((first..=last).map(|day| {
                sum += self.weight(day);
                sum
            }))
            .collect()
    }
}

/// The day of a uniform number among `from..=to`, by the sums from day `first` on; `None` where no day has a weight.
pub(crate) fn day(sums: &[u64], first: i64, from: i64, to: i64, u: f64) -> Option<i64> {
    let (start, end) = ((from - first) as usize, (to - first + 1) as usize);
    let whole = sums[end] - sums[start];
    if whole == 0 {
        return None;
    }
    let wanted = sums[start] + ((u * whole as f64) as u64).min(whole - 1);
    Some(first + sums[start..=end].partition_point(|&sum| sum <= wanted) as i64 + start as i64 - 1)
}

/// The month of a day since 1970-01-01, from 1.
fn month(day: i64) -> i64 {
    civil(day)[1]
}

/// A time as text, with its clock unless that shows midnight.
pub(crate) fn text(time: f64) -> String {
    let days = (time / DAY).floor();
    let clock = (time - days * DAY) as u32;
    let epoch = jiff::civil::date(1970, 1, 1);
    let date = epoch
        .checked_add(jiff::Span::new().try_days(days as i64).unwrap_or_default())
        .map_or_else(|_| format!("{time}"), |date| date.to_string());
    if clock == 0 { date } else { format!("{date} {:02}:{:02}:{:02}", clock / 3_600, clock / 60 % 60, clock % 60) }
}

/// Seconds since midnight of a text such as `09:30`.
pub(crate) fn clock(text: &str) -> Option<f64> {
    let mut parts = text.split(':');
    let mut next = |most: u32| parts.next().map_or(Some(0), |part| part.parse::<u32>().ok().filter(|&part| part <= most));
    let (hours, minutes, seconds) = (next(24)?, next(59)?, next(59)?);
    let clock = f64::from(hours * 3_600 + minutes * 60 + seconds);
    Some(clock).filter(|&clock| clock <= DAY && text.contains(':') && parts.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_and_weekdays_are_right() {
        // 2024-02-29, a Thursday, and 1969-12-31, a Wednesday.
        assert_eq!((month(19_782), month(19_783), month(-1), month(0)), (2, 3, 12, 1));
        let only = |place: usize| std::array::from_fn::<f64, 7, _>(|day| f64::from(u8::from(day == place)));
        let days = Days::new(Some(&only(3)), None, BTreeSet::new()).expect("weights");
        assert!(days.weight(19_782) > 0 && days.weight(0) > 0 && days.weight(-1) == 0);
    }

    #[test]
    fn days_come_by_their_weights() {
        let days = Days::new(Some(&[1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]), None, BTreeSet::from([4])).expect("weights");
        // From 1970-01-02, a Friday: the Monday after it is a holiday, so the days are that Friday, Tuesday and Wednesday.
        let sums = days.sums(1, 6);
        let drawn: Vec<_> = [0.1, 0.5, 0.9].into_iter().map(|u| day(&sums, 1, 1, 6, u)).collect();
        assert_eq!(drawn, [Some(1), Some(5), Some(6)]);
        assert_eq!(day(&sums, 1, 2, 4, 0.5), None);
    }

    #[test]
    fn clocks_are_read() {
        assert_eq!(
            [clock("09:30"), clock("24:00"), clock("24:01"), clock("9"), clock("x:1")],
            [Some(34_200.0), Some(DAY), None, None, None]
        );
    }
}

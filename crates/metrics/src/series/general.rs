//! Scores of series of any columns and lengths, missing values included.

use std::collections::BTreeMap;

use semblant_data::series::{Series, Windows};
use semblant_data::table::{Column, MISSING};

use crate::table::shapes::ks_distance;

/// Labels of a column that get a channel of their own in windows.
const MOST_LABELS: usize = 8;
/// Rows that must follow a label before the shares of what follows are compared.
const LEAST_FOLLOWED: f64 = 50.0;

/// The largest difference between the distribution functions of the sequences' lengths.
pub fn lengths(real: &Series, other: &Series) -> f64 {
    let sorted = |series: &Series| {
        let mut lengths: Vec<f64> = series.spans().iter().map(|span| span.len() as f64).collect();
        lengths.sort_unstable_by(f64::total_cmp);
        lengths
    };
    ks_distance(&sorted(real), &sorted(other))
}

/// The correlation of every column of numbers with itself `lag` rows later, around the mean of all rows; `None` for other columns, and where no two
/// rows are so far apart or nothing varies.
pub fn autocorrelations_at(series: &Series, lag: usize) -> Vec<Option<f64>> {
    let of = |column: &Column| {
        let values = column.numbers()?;
        let all = || series.spans().iter().flat_map(|span| span.clone().map(|row| values[row])).filter(|value| value.is_finite());
        let count = all().count() as f64;
        let mean = all().sum::<f64>() / count;
        let variance = all().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        let (mut sum, mut pairs) = (0.0, 0usize);
        for span in series.spans() {
            for row in span.start..span.end.saturating_sub(lag) {
                let product = (values[row] - mean) * (values[row + lag] - mean);
                if product.is_finite() {
                    sum += product;
                    pairs += 1;
                }
            }
        }
        (pairs > 0 && variance > 0.0).then(|| sum / pairs as f64 / variance)
    };
    series.rows().columns().iter().map(of).collect()
}

/// The largest difference between the shares of labels that follow a label, for every column of labels; labels that few rows follow are left out.
pub fn transitions(real: &Series, other: &Series) -> Vec<Option<f64>> {
    let shares = |series: &Series, column: &Column| -> Option<BTreeMap<String, BTreeMap<String, f64>>> {
        let (codes, levels) = column.categories()?;
        let name = |code: u32| if code == MISSING { String::new() } else { levels[code as usize].clone() };
        let mut counts: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
        for span in series.spans() {
            for row in span.start..span.end - 1 {
                *counts.entry(name(codes[row])).or_default().entry(name(codes[row + 1])).or_default() += 1.0;
            }
        }
        Some(counts)
    };
    let of = |(own, theirs): (&Column, &Column)| {
        let (own, theirs) = (shares(real, own)?, shares(other, theirs)?);
        let mut largest: Option<f64> = None;
        for (from, next) in &own {
            let Some(others) = theirs.get(from) else { continue };
            let (a, b) = (next.values().sum::<f64>(), others.values().sum::<f64>());
            if a.min(b) < LEAST_FOLLOWED {
                continue;
            }
            for to in next.keys().chain(others.keys()) {
                let share = |counts: &BTreeMap<String, f64>, sum: f64| counts.get(to).copied().unwrap_or(0.0) / sum;
                let apart = (share(next, a) - share(others, b)).abs();
                largest = Some(largest.map_or(apart, |largest| largest.max(apart)));
            }
        }
        largest
    };
    real.rows().columns().iter().zip(other.rows().columns()).map(of).collect()
}

/// The largest difference between the distribution functions of the lengths of runs of missing values, for every column that has some in both.
pub fn missing_runs(real: &Series, other: &Series) -> Vec<Option<f64>> {
    let runs = |series: &Series, column: &Column| {
        let mut lengths = Vec::new();
        for span in series.spans() {
            let mut run = 0.0;
            for row in span.clone() {
                if column.is_missing(row) {
                    run += 1.0;
                } else if run > 0.0 {
                    lengths.push(run);
                    run = 0.0;
                }
            }
            if run > 0.0 {
                lengths.push(run);
            }
        }
        lengths.sort_unstable_by(f64::total_cmp);
        lengths
    };
    let of = |(own, theirs): (&Column, &Column)| {
        let (own, theirs) = (runs(real, own), runs(other, theirs));
        (!own.is_empty() && !theirs.is_empty()).then(|| ks_distance(&own, &theirs))
    };
    real.rows().columns().iter().zip(other.rows().columns()).map(of).collect()
}

/// How far the values of two columns at some rows are apart: the largest difference of distribution functions of numbers, half the sum of the differences
/// of shares of labels; missing values are a label.
pub fn apart(real: &Column, real_rows: impl Iterator<Item = usize>, other: &Column, other_rows: impl Iterator<Item = usize>) -> f64 {
    if let (Some(a), Some(b)) = (real.numbers(), other.numbers()) {
        let sorted = |values: &[f64], rows: &mut dyn Iterator<Item = usize>| {
            let (mut known, mut all) = (Vec::new(), 0usize);
            for row in rows {
                all += 1;
                known.extend(Some(values[row]).filter(|value| value.is_finite()));
            }
            known.sort_unstable_by(f64::total_cmp);
            let missing = 1.0 - known.len() as f64 / all.max(1) as f64;
            (known, missing)
        };
        let ((a, missing_a), (b, missing_b)) = (sorted(a, &mut { real_rows }), sorted(b, &mut { other_rows }));
        return ks_distance(&a, &b).max((missing_a - missing_b).abs());
    }
    let shares = |column: &Column, rows: &mut dyn Iterator<Item = usize>| {
        let (mut counts, mut all): (BTreeMap<String, f64>, f64) = (BTreeMap::new(), 0.0);
        for row in rows {
            *counts.entry(column.label(row).unwrap_or_default().to_owned()).or_default() += 1.0;
            all += 1.0;
        }
        counts.values_mut().for_each(|count| *count /= all);
        counts
    };
    let (a, b) = (shares(real, &mut { real_rows }), shares(other, &mut { other_rows }));
    let names: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    names.into_iter().map(|name| (a.get(name).unwrap_or(&0.0) - b.get(name).unwrap_or(&0.0)).abs()).sum::<f64>() / 2.0
}

/// [`apart`] for every column of rows.
pub fn columns_apart(real: &Series, other: &Series) -> Vec<f64> {
    let rows = |series: &Series| series.spans().iter().flat_map(Clone::clone).collect::<Vec<usize>>();
    let (own, theirs) = (rows(real), rows(other));
    let columns = real.rows().columns().iter().zip(other.rows().columns());
    columns.map(|(a, b)| apart(a, own.iter().copied(), b, theirs.iter().copied())).collect()
}

/// [`apart`] for every attribute that both have, by name.
pub fn attributes_apart(real: &Series, other: &Series) -> Vec<(String, f64)> {
    let (Some(own), Some(theirs)) = (real.entities(), other.entities()) else { return Vec::new() };
    let of = |name: &str| {
        let (a, b) = (own.column(name).ok()?, theirs.column(name).ok()?);
        Some((name.to_owned(), apart(a, 0..own.rows(), b, 0..theirs.rows())))
    };
    own.schema().names().skip(1).filter_map(of).collect()
}

/// Windows of numbers for a network: numbers scaled to 0..1 by the range in `like`, a missing one taken from the row before; a channel more for columns
/// that miss values; up to eight labels a channel each. Every sequence is cut into windows of `length` rows, `stride` apart.
pub fn as_windows(series: &Series, like: &Series, length: usize, stride: usize) -> Windows {
    let mut channels: Vec<Vec<f64>> = Vec::new();
    for (column, own) in series.rows().columns().iter().zip(like.rows().columns()) {
        match (column.numbers(), own.numbers(), own.categories()) {
            (Some(values), Some(own), _) => {
                let known = own.iter().copied().filter(|value| value.is_finite());
                let (low, high) = known.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
                let scale = |value: f64| if high > low { (value - low) / (high - low) } else { 0.5 };
                let mut filled = vec![0.0; values.len()];
                for span in series.spans() {
                    let mut last = 0.5;
                    for row in span.clone() {
                        if values[row].is_finite() {
                            last = scale(values[row]);
                        }
                        filled[row] = last;
                    }
                }
                channels.push(filled);
                if own.iter().any(|value| value.is_nan()) {
                    channels.push(values.iter().map(|value| f64::from(u8::from(value.is_nan()))).collect());
                }
            }
            (None, _, Some((_, levels))) => {
                for level in levels.iter().take(MOST_LABELS) {
                    let is_level = |row| f64::from(u8::from(column.label(row) == Some(level.as_str())));
                    channels.push((0..column.len()).map(is_level).collect());
                }
            }
            _ => {}
        }
    }
    let mut values = Vec::new();
    let mut count = 0;
    for span in series.spans() {
        for start in (span.start..(span.end + 1).saturating_sub(length)).step_by(stride) {
            values.extend((start..start + length).flat_map(|row| channels.iter().map(move |channel| channel[row])));
            count += 1;
        }
    }
    Windows { values, count, length, channels: channels.len() }
}

#[cfg(test)]
mod tests {
    use semblant_data::table::{ColumnKind, Table};

    use super::*;

    fn series(shift: usize) -> Series {
        let numbers =
            (0..600).map(|row| if (row + shift) % 50 < 3 { f64::NAN } else { ((row as f64) / 5.0).sin() + shift as f64 }).collect();
        let labels = Column::from_labels((0..600).map(|row| Some(if (row / (2 + shift)).is_multiple_of(2) { "a" } else { "b" })));
        let table =
            Table::from_columns(vec![("x", ColumnKind::Continuous, Column::Number(numbers)), ("l", ColumnKind::Categorical, labels)]);
        Series::of_table(table.unwrap())
    }

    #[test]
    fn equal_series_are_not_apart_and_others_are() {
        let (real, other) = (series(0), series(1));
        assert!(columns_apart(&real, &real).iter().all(|apart| *apart == 0.0));
        assert!(columns_apart(&real, &other)[0] > 0.4);
        assert_eq!(transitions(&real, &real), [None, Some(0.0)]);
        // a follows a every second row, or two of three.
        let found = transitions(&real, &other)[1].unwrap();
        assert!((found - (2.0 / 3.0 - 0.5)).abs() < 0.01, "{found}");
        assert_eq!(missing_runs(&real, &real), [Some(0.0), None]);
        assert_eq!(lengths(&real, &series(3)), 0.0);
    }

    #[test]
    fn autocorrelations_skip_missing_values() {
        let found = autocorrelations_at(&series(0), 31);
        // 31 rows are 6.2 radians.
        assert!(found[0].unwrap() > 0.95 && found[1].is_none(), "{found:?}");
        assert!(autocorrelations_at(&series(0), 16)[0].unwrap() < -0.9);
        assert_eq!(autocorrelations_at(&series(0), 600)[0], None);
    }

    #[test]
    fn windows_have_a_channel_for_missing_values_and_for_each_label() {
        let (real, other) = (series(0), series(1));
        let windows = as_windows(&other, &real, 24, 6);
        assert_eq!((windows.channels, windows.length, windows.count), (4, 24, 97));
        assert!(windows.values.iter().all(|value| value.is_finite()));
    }
}

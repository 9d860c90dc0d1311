//! What columns have to do with each other: sums and products, orders of times, rank correlations.

use semblant_data::table::{Column, ColumnKind, Table as Data};

/// Rank correlations below this are left out.
const WEAK: f64 = 0.1;
/// The most columns of a matrix of correlations.
const MOST: usize = 12;

/// A column that is computed from two others: its place, and the expression of their names.
pub(super) fn computed(data: &Data, usable: &[usize]) -> Vec<(usize, usize, usize, char)> {
    let mut found: Vec<(usize, usize, usize, char)> = Vec::new();
    let is_used = |found: &[(usize, usize, usize, char)], column: usize| found.iter().any(|(c, a, b, _)| [*c, *a, *b].contains(&column));
    for &c in usable {
        'pairs: for (place, &a) in usable.iter().enumerate() {
            for &b in &usable[place + 1..] {
                if c == a || c == b || is_used(&found, c) {
                    continue;
                }
                for operator in ['*', '+'] {
                    if holds(data, c, a, b, operator) {
                        found.push((c, a, b, operator));
                        break 'pairs;
                    }
                }
            }
        }
    }
    found
}

fn holds(data: &Data, c: usize, a: usize, b: usize, operator: char) -> bool {
    let of = |column: usize| data.columns()[column].numbers();
    let (Some(x), Some(y), Some(z)) = (of(a), of(b), of(c)) else { return false };
    let step = data.schema().columns[c].step().unwrap_or(1e-9);
    let mut seen = 0;
    for row in 0..data.rows() {
        if x[row].is_nan() || y[row].is_nan() || z[row].is_nan() {
            continue;
        }
        let value = if operator == '*' { x[row] * y[row] } else { x[row] + y[row] };
        if (value - z[row]).abs() > 0.51 * step {
            return false;
        }
        seen += usize::from(z[row] != 0.0 && x[row] != 0.0 && y[row] != 0.0);
    }
    seen >= 20
}

/// Pairs of times of which the first is never after the second, the nearest such for each.
pub(super) fn orders(data: &Data) -> Vec<(usize, usize)> {
    let times: Vec<usize> =
        (0..data.columns().len()).filter(|&column| data.schema().columns[column].kind == ColumnKind::Datetime).collect();
    let ordered = |a: usize, b: usize| {
        let (Some(x), Some(y)) = (data.columns()[a].numbers(), data.columns()[b].numbers()) else { return false };
        let both: Vec<usize> = (0..data.rows()).filter(|&row| !x[row].is_nan() && !y[row].is_nan()).collect();
        both.len() >= 20 && both.iter().all(|&row| x[row] <= y[row]) && both.iter().any(|&row| x[row] < y[row])
    };
    let mut found: Vec<(usize, usize)> = Vec::new();
    for &b in &times {
        let before = times.iter().find(|&&a| a != b && ordered(a, b) && !found.contains(&(b, a)));
        found.extend(before.map(|&a| (a, b)));
    }
    found
}

/// Days from one column of times to another.
pub(super) fn gaps(data: &Data, a: usize, b: usize) -> Vec<f64> {
    match (data.columns()[a].numbers(), data.columns()[b].numbers()) {
        (Some(x), Some(y)) => x.iter().zip(y).map(|(x, y)| (y - x) / 86_400.0).collect(),
        _ => Vec::new(),
    }
}

/// The rank correlations of columns of numbers, of those that have one that is not weak.
pub(super) fn correlations(data: &Data, columns: &[usize]) -> Option<(Vec<usize>, Vec<Vec<f64>>)> {
    let ranks: Vec<Vec<f64>> = columns.iter().map(|&column| ranked(&data.columns()[column])).collect();
    let of = |i: usize, j: usize| if i == j { 1.0 } else { (pearson(&ranks[i], &ranks[j]) * 1e3).round() / 1e3 };
    let strong = |i: &usize| (0..columns.len()).any(|j| j != *i && of(*i, j).abs() >= WEAK);
    let kept: Vec<usize> = (0..columns.len()).filter(strong).take(MOST).collect();
    if kept.len() < 2 {
        return None;
    }
    let matrix = kept.iter().map(|&i| kept.iter().map(|&j| of(i.min(j), i.max(j))).collect()).collect();
    Some((kept.iter().map(|&i| columns[i]).collect(), matrix))
}

/// Mean ranks, NaN where a value is missing.
fn ranked(column: &Column) -> Vec<f64> {
    let Some(values) = column.numbers() else { return Vec::new() };
    let mut order: Vec<usize> = (0..values.len()).filter(|&row| !values[row].is_nan()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![f64::NAN; values.len()];
    let mut start = 0;
    while start < order.len() {
        let mut end = start;
        while end < order.len() && values[order[end]] == values[order[start]] {
            end += 1;
        }
        order[start..end].iter().for_each(|&row| ranks[row] = (start + end) as f64 / 2.0);
        start = end;
    }
    ranks
}

fn pearson(x: &[f64], y: &[f64]) -> f64 {
    let both: Vec<(f64, f64)> = x.iter().copied().zip(y.iter().copied()).filter(|(x, y)| !x.is_nan() && !y.is_nan()).collect();
    let count = both.len() as f64;
    let (mx, my) = (both.iter().map(|(x, _)| x).sum::<f64>() / count, both.iter().map(|(_, y)| y).sum::<f64>() / count);
    let sum = |of: &dyn Fn(&(f64, f64)) -> f64| both.iter().map(of).sum::<f64>();
    let (xy, xx, yy) = (sum(&|(x, y)| (x - mx) * (y - my)), sum(&|(x, _)| (x - mx).powi(2)), sum(&|(_, y)| (y - my).powi(2)));
    // A column of one value has no correlation.
    if xx > 0.0 && yy > 0.0 { xy / (xx * yy).sqrt() } else { 0.0 }
}

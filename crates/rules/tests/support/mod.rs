//! What tests of rules share.

use semblant_data::table::Table;
use semblant_rules::{Generator, NoModels, Plan, Spec};

/// The plan of a spec in TOML.
pub(crate) fn plan(text: &str) -> Plan {
    let spec = Spec::parse("spec.toml", text).unwrap_or_else(|error| panic!("{error}"));
    Plan::new(&spec, "spec.toml", &NoModels).unwrap_or_else(|error| panic!("{error}"))
}

/// All rows of a table.
pub(crate) fn rows(text: &str, table: &str, seed: u64) -> Table {
    let plan = plan(text);
    let generator = Generator::new(&plan, seed, 1.0).unwrap_or_else(|error| panic!("{error}"));
    let count = generator.count(table).expect("a table");
    generator.rows(table, 0..count).unwrap_or_else(|error| panic!("{error}"))
}

/// The numbers of a column.
pub(crate) fn numbers<'t>(table: &'t Table, column: &str) -> &'t [f64] {
    table.column(column).expect("a column").numbers().expect("numbers")
}

/// Kolmogorov and Smirnov's distance of numbers from a distribution function, exact for continuous ones and at the steps of discrete ones.
pub(crate) fn distance(values: &[f64], cdf: impl Fn(f64) -> f64, discrete: bool) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len() as f64;
    let mut largest = 0.0f64;
    let mut start = 0;
    while start < sorted.len() {
        let end = start + sorted[start..].partition_point(|&value| value <= sorted[start]);
        let at = cdf(sorted[start]);
        largest = largest.max((at - end as f64 / count).abs());
        if !discrete {
            largest = largest.max((at - start as f64 / count).abs());
        }
        start = end;
    }
    largest
}

/// The chance of a distance at least so large, by Kolmogorov's limit.
pub(crate) fn p_value(distance: f64, count: usize) -> f64 {
    let root = (count as f64).sqrt();
    let t = (root + 0.12 + 0.11 / root) * distance;
    2.0 * (1..=100).map(|k| (-1f64).powi(k - 1) * (-2.0 * f64::from(k * k) * t * t).exp()).sum::<f64>()
}

/// Mean ranks.
pub(crate) fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
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

/// Pearson's correlation.
pub(crate) fn pearson(x: &[f64], y: &[f64]) -> f64 {
    let count = x.len() as f64;
    let (mx, my) = (x.iter().sum::<f64>() / count, y.iter().sum::<f64>() / count);
    let sum = |of: &dyn Fn(f64, f64) -> f64| x.iter().zip(y).map(|(&x, &y)| of(x, y)).sum::<f64>();
    sum(&|x, y| (x - mx) * (y - my)) / (sum(&|x, _| (x - mx).powi(2)) * sum(&|_, y| (y - my).powi(2))).sqrt()
}

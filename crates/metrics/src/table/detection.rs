//! Detection: how well classifiers distinguish synthetic from real rows.

use semblant_data::table::{Column, ColumnKind, MISSING, Table};

use super::align::align;
use super::copies::first_equal_rows;
use super::distance::{BoxTree, Points, Scale};
use super::privacy::{quantile, ratio};
use super::shapes::mean;
use crate::Result;
use crate::bootstrap::Estimate;
use crate::error::undefined;
use crate::learn::logistic::{Logistic, LogisticRows};
use crate::learn::scores::{roc_auc, roc_auc_with_deviation};
use crate::learn::{Boosting, Target};
use crate::random::{random, subsample};

const FOLDS: usize = 3;

/// Classifier two-sample test: the mean ROC AUC over 3 stratified folds of boosted trees ([`Boosting::default`]) that distinguish the rows of
/// the two tables, after the larger is cut to the size of the smaller by `seed`. The interval of 95 % is that of the test rows (DeLong et al. 1988).
///
/// Range 0 to 1, lower is better: 0.5 means indistinguishable, 1 that every row is recognized. Rows that are equal (ten at most), or much closer to
/// one row of the other table than to any other, stay in one fold: were a copy's twin among the training rows, with the other answer, the model would
/// call the copy real, and a table of copies would have an AUC below 0.5. The AUC rises with the number of rows, and
/// a harmless constant difference (three decimals instead of two) is enough for 1, so read it together with the other scores. Source:
/// Lopez-Paz and Oquab 2017; SDMetrics' LogisticDetection does the same with a logistic regression, which detects less.
///
/// # Errors
/// [`crate::Error::Undefined`] with fewer than 3 rows in a table; [`crate::Error::Tables`] when the tables share no column or one has no
/// rows.
pub fn detection_auc(real: &Table, synthetic: &Table, seed: u64) -> Result<Estimate> {
    let tables = align(&[real, synthetic])?;
    let size = real.rows().min(synthetic.rows());
    if size < FOLDS {
        return undefined(format!("fewer than {FOLDS} rows in a table"));
    }
    let parts = [tables[0].take(&subsample(real.rows(), size, seed, 4)), tables[1].take(&subsample(synthetic.rows(), size, seed, 5))];
    let folds = folds_of_groups(&twins(&parts), size, seed);
    let [mut rows, synthetic] = parts;
    rows.append(&synthetic)?;
    let found = (0..FOLDS).map(|fold| fold_auc(&rows, &folds, fold, seed)).collect::<Result<Vec<_>>>()?;
    let value = found.iter().map(|(auc, _)| auc).sum::<f64>() / FOLDS as f64;
    let deviation = found.iter().map(|(_, deviation)| deviation.powi(2)).sum::<f64>().sqrt() / FOLDS as f64;
    Ok(Estimate { value, interval: [(value - 1.96 * deviation).max(0.0), (value + 1.96 * deviation).min(1.0)] })
}

/// A row is the twin of one whose distance is below this share of that to any other, and below the share that one real row in a hundred has.
const TWIN: f64 = 1.0 / 3.0;
const RARE: f64 = 0.01;
/// Real rows that decide what is rare.
const COMPARED: usize = 1_000;
/// Rows of which more are equal are no copies of each other.
const MOST_EQUAL: usize = 10;

/// The group of each row of the first table, then of the second: equal rows and twins share one.
fn twins(parts: &[Table; 2]) -> Vec<usize> {
    let [real, synthetic] = parts;
    let scale = Scale::new(real);
    let points = [scale.points(real), scale.points(synthetic)];
    let size = real.rows();
    let equal = first_equal_rows(parts);
    let mut counts = vec![0; equal.len()];
    equal.iter().for_each(|&first| counts[first] += 1);
    let mut groups: Vec<usize> = (0..equal.len()).map(|row| if counts[equal[row]] > MOST_EQUAL { row } else { equal[row] }).collect();
    let tree = BoxTree::new(&points[0]);
    // Honest rows are linked so rarely that links do not tell the classifier where rows of one table are alone.
    let limit = TWIN.min(rare_ratio(&tree, &points[0]));
    for (row, near) in tree.nearest_points(&points[1]).iter().enumerate() {
        if groups[size + row] >= size && near.distance < limit * near.second {
            groups[size + row] = groups[near.point];
        }
    }
    groups
}

/// The ratio of the distances to the closest and the second closest other row that one real row in a hundred falls below.
fn rare_ratio(tree: &BoxTree, points: &Points) -> f64 {
    let rows: Vec<usize> = (0..points.rows()).step_by(points.rows().div_ceil(COMPARED)).collect();
    // The closest is the row itself.
    let others = tree.nearest_of_all(&points.take(&rows)).into_iter();
    let mut ratios: Vec<f64> = others.map(|[_, first, second]| ratio(first, second)).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    quantile(&ratios, RARE)
}

/// A fold for each row, such that groups stay together and every fold has about as many rows of each table.
fn folds_of_groups(groups: &[usize], size: usize, seed: u64) -> Vec<usize> {
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); groups.len()];
    groups.iter().enumerate().for_each(|(row, &group)| members[group].push(row));
    members.retain(|rows| !rows.is_empty());
    random(seed, 6).shuffle(&mut members);
    // Large groups first, so that small ones even them out.
    members.sort_by_key(|rows| std::cmp::Reverse(rows.len()));
    let mut folds = vec![0; groups.len()];
    let mut filled = [[0usize; 2]; FOLDS];
    for rows in members {
        let mut of_tables = [0; 2];
        rows.iter().for_each(|&row| of_tables[usize::from(row >= size)] += 1);
        let after = |fold: &usize| {
            let [real, synthetic] = [0, 1].map(|table: usize| filled[*fold][table] + of_tables[table]);
            // The table that the group has rows of decides.
            (real * usize::from(of_tables[0] > 0)).max(synthetic * usize::from(of_tables[1] > 0))
        };
        let fold = (0..FOLDS).min_by_key(after).unwrap_or(0);
        rows.iter().for_each(|&row| folds[row] = fold);
        [0, 1].iter().for_each(|&table: &usize| filled[fold][table] += of_tables[table]);
    }
    folds
}

/// A fold for each row: the same number from each table, up to one.
fn folds(sizes: [usize; 2], seed: u64) -> Vec<usize> {
    let one_table = |size: usize, purpose| {
        let mut folds: Vec<usize> = (0..size).map(|row| row % FOLDS).collect();
        random(seed, purpose).shuffle(&mut folds);
        folds
    };
    [one_table(sizes[0], 6), one_table(sizes[1], 7)].concat()
}

fn fold_auc(rows: &Table, folds: &[usize], fold: usize, seed: u64) -> Result<(f64, f64)> {
    let (train, test): (Vec<usize>, Vec<usize>) = (0..rows.rows()).partition(|&row| folds[row] != fold);
    let is_synthetic = |row: usize| row >= rows.rows() / 2;
    let codes = train.iter().map(|&row| u32::from(is_synthetic(row))).collect();
    let model = Boosting { seed, ..Boosting::default() }.fit(&rows.take(&train), None, &Target::Classes { codes, count: 2 })?;
    let positive: Vec<bool> = test.iter().map(|&row| is_synthetic(row)).collect();
    roc_auc_with_deviation(&positive, &model.predict(&rows.take(&test))[1])
}

/// LogisticDetection: 1 - (2 AUC - 1), with the mean AUC (at least one half) of 3 stratified folds of a logistic regression that
/// distinguishes the rows of the two tables. It uses sums of single columns; [`detection_auc`] also uses combinations.
///
/// Range 0 to 1, higher is better: 1 if they cannot be distinguished. Numbers are centred by the median and scaled by the interquartile range
/// of its training rows, missing ones set to the real mean; labels are one-hot, missing one of them; booleans are left out.
/// Source: SDMetrics 0.29.0, whose folds have no seed, so that the two agree to about 0.01 only; it refuses labels that the real table lacks,
/// which have a place of their own here.
///
/// # Errors
/// As [`detection_auc`], and [`crate::Error::Undefined`] when only booleans are left.
pub fn logistic_detection(real: &Table, synthetic: &Table, seed: u64) -> Result<f64> {
    let tables = align(&[real, synthetic])?;
    let sizes = [real.rows(), synthetic.rows()];
    if sizes.into_iter().min() < Some(FOLDS) {
        return undefined(format!("fewer than {FOLDS} rows in a table"));
    }
    let used: Vec<usize> = tables[0]
        .schema()
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.kind != ColumnKind::Boolean)
        .map(|(place, _)| place)
        .collect();
    if used.is_empty() {
        return undefined("there are only booleans, which this score leaves out");
    }
    let means = tables[0]
        .columns()
        .iter()
        .map(|column| mean(column.numbers()?.iter().copied().filter(|value| value.is_finite())))
        .collect::<Vec<_>>();
    let mut all = tables[0].clone();
    all.append(&tables[1])?;
    let columns: Vec<Filled> = used.iter().map(|&place| Filled::new(&all.columns()[place], means[place])).collect();
    let folds = folds(sizes, seed);
    let one = |fold: usize| {
        let (train, test): (Vec<usize>, Vec<usize>) = (0..all.rows()).partition(|&row| folds[row] != fold);
        let scaled: Vec<Filled> = columns.iter().map(|column| column.scaled(&train)).collect();
        let is_real = |rows: &[usize]| rows.iter().map(|&row| row < sizes[0]).collect::<Vec<bool>>();
        let model = Logistic::fit(&logistic_rows(&scaled, &train), &is_real(&train));
        Ok(roc_auc(&is_real(&test), &model.scores(&logistic_rows(&scaled, &test)))?.max(0.5) * 2.0 - 1.0)
    };
    let found = (0..FOLDS).map(one).collect::<Result<Vec<f64>>>()?;
    Ok(1.0 - found.iter().sum::<f64>() / FOLDS as f64)
}

/// A column without gaps.
enum Filled {
    Numbers(Vec<f64>),
    /// Labels from 0, missing the last, and how many there are.
    Labels(Vec<u32>, usize),
}

impl Filled {
    fn new(column: &Column, real_mean: Option<f64>) -> Self {
        match column {
            // Infinite values are missing ones, as in SDMetrics.
            Column::Number(values) => {
                Self::Numbers(values.iter().map(|&value| if value.is_finite() { value } else { real_mean.unwrap_or(0.0) }).collect())
            }
            Column::Category { codes, levels } => {
                let missing = levels.len() as u32;
                Self::Labels(codes.iter().map(|&code| if code == MISSING { missing } else { code }).collect(), levels.len() + 1)
            }
        }
    }

    fn scaled(&self, train: &[usize]) -> Self {
        match self {
            Self::Numbers(values) => {
                let mut sorted: Vec<f64> = train.iter().map(|&row| values[row]).collect();
                sorted.sort_unstable_by(f64::total_cmp);
                let (middle, spread) = (quantile(&sorted, 0.5), quantile(&sorted, 0.75) - quantile(&sorted, 0.25));
                let scale = if spread > 0.0 && spread.is_finite() { spread } else { 1.0 };
                // Held within what sums of squares can be computed of.
                Self::Numbers(values.iter().map(|value| ((value - middle) / scale).clamp(-1e9, 1e9)).collect())
            }
            Self::Labels(codes, count) => Self::Labels(codes.clone(), *count),
        }
    }
}

fn logistic_rows(columns: &[Filled], rows: &[usize]) -> LogisticRows {
    let numbers: Vec<&[f64]> =
        columns.iter().filter_map(|column| if let Filled::Numbers(values) = column { Some(&values[..]) } else { None }).collect();
    let labels = columns.iter().filter_map(|column| if let Filled::Labels(codes, count) = column { Some((codes, *count)) } else { None });
    let mut weights = numbers.len();
    let mut placed = Vec::new();
    for (codes, count) in labels {
        placed.push((codes, weights as u32));
        weights += count;
    }
    LogisticRows {
        numbers: rows.iter().flat_map(|&row| numbers.iter().map(move |values| values[row])).collect(),
        labels: rows.iter().flat_map(|&row| placed.iter().map(move |(codes, first)| first + codes[row])).collect(),
        numbers_width: numbers.len(),
        labels_width: placed.len(),
        weights,
        rows: rows.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use semblant_data::table::{Column, ColumnKind};

    fn table(seed: u64, shift: f64) -> Table {
        let mut random = random(seed, 0);
        let x = (0..900).map(|_| random.below(1 << 30) as f64 + shift * f64::from(1 << 30)).collect();
        Table::from_columns(vec![("x", ColumnKind::Continuous, Column::Number(x))]).unwrap()
    }

    #[test]
    fn the_same_population_is_not_detected_and_a_shifted_one_is() {
        let auc = |real: &Table, synthetic: &Table| detection_auc(real, synthetic, 0).unwrap();
        let same = auc(&table(1, 0.0), &table(2, 0.0));
        assert!((same.value - 0.5).abs() < 0.06 && same.interval[0] < 0.5 && same.interval[1] > 0.5, "{same:?}");
        // Uniform on [0, 1] and [1/2, 3/2]: the best classifier's AUC is 1 - 1/8.
        assert!((auc(&table(1, 0.0), &table(2, 0.5)).value - 0.875).abs() < 0.04);
        assert!(auc(&table(1, 0.0), &table(2, 2.0)).value > 0.999);
        assert!(detection_auc(&table(1, 0.0), &table(2, 0.0).take(&[0]), 0).is_err());
    }

    #[test]
    fn copies_do_not_hide_what_is_not_copied() {
        let (real, other) = (table(1, 0.0), table(2, 3.0));
        // Each copy is in its original's fold.
        let itself = detection_auc(&real, &real, 0).unwrap();
        assert!((itself.value - 0.5).abs() < 1e-9, "{itself:?}");
        let mut half = real.take(&(0..450).collect::<Vec<_>>());
        half.append(&other.take(&(0..450).collect::<Vec<_>>())).unwrap();
        // One half is recognized, the other guessed.
        assert!((detection_auc(&real, &half, 0).unwrap().value - 0.75).abs() < 0.05);
    }

    #[test]
    fn a_logistic_regression_sees_a_shift_but_no_broken_relation() {
        assert!(logistic_detection(&table(1, 0.0), &table(2, 0.0), 0).unwrap() > 0.88);
        // As above, the best AUC is 0.875, and a line finds it.
        assert!((logistic_detection(&table(1, 0.0), &table(2, 0.5), 0).unwrap() - 0.25).abs() < 0.08);
        let xor = |seed: u64, broken: bool| {
            let mut random = random(seed, 0);
            let a: Vec<f64> = (0..900).map(|_| random.below(2) as f64).collect();
            let b = a.iter().map(|&a| if broken { random.below(2) as f64 } else { a }).collect();
            Table::from_columns(vec![("a", ColumnKind::Integer, Column::Number(a)), ("b", ColumnKind::Integer, Column::Number(b))]).unwrap()
        };
        assert!(logistic_detection(&xor(1, false), &xor(2, true), 0).unwrap() > 0.85);
        assert!(detection_auc(&xor(1, false), &xor(2, true), 0).unwrap().value > 0.7);
    }
}

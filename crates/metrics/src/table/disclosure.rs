//! Disclosure: what the synthetic table reveals about sensitive columns to an attacker who knows other columns.

use std::collections::{BTreeMap, HashMap, HashSet};

use rayon::prelude::*;
use semblant_data::table::{Column, Table};
use serde::{Deserialize, Serialize};

use super::align::{align, shared_codes};
use super::binning::{BINS, range};
use crate::error::undefined;
use crate::{Error, Result};

/// What the attacker does with a target whose known columns occur in no synthetic row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unmatched {
    /// No guess; the target is left out: CAP.
    #[default]
    LeftOut,
    /// He fails: 0CAP.
    Fails,
    /// Uses all synthetic rows that differ in the fewest known columns: generalized CAP.
    Nearest,
}

/// The protection of the sensitive columns.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Disclosure {
    /// `protection / baseline`, at most 1.
    pub score: f64,
    /// 1 minus the mean share of the right answer among the matched synthetic rows.
    pub protection: f64,
    /// 1 minus the probability of a right random guess among all combinations of the sensitive columns' real values.
    pub baseline: f64,
}

/// DisclosureProtection: correct attribution probability of `sensitive` columns for an attacker who knows the `known` ones. Numbers are cut
/// into ten equal bins of the real range, and missing is a value.
///
/// Range of the score 0 to 1, higher is better: 1 when the attacker does no better than a random guess. General patterns count as
/// well, so compare with the score of a holdout. Source: Taub et al. 2018; SDMetrics 0.29.0, DisclosureProtection (`cap`, `zero_cap`,
/// `generalized_cap`) with every column of numbers named as continuous.
///
/// # Errors
/// [`Error::Option`] when `known` or `sensitive` is empty, [`Error::Data`] when a column is not in both tables, [`Error::Tables`] as
/// [`align`]'s, [`Error::Undefined`] when the sensitive columns are constant or no target is matched.
pub fn disclosure_protection(
    real: &Table,
    synthetic: &Table,
    known: &[&str],
    sensitive: &[&str],
    unmatched: Unmatched,
) -> Result<Disclosure> {
    for (name, columns) in [("known", known), ("sensitive", sensitive)] {
        if columns.is_empty() {
            return Err(Error::Option { name, what: "it needs at least one column".into() });
        }
    }
    let tables = align(&[real, synthetic])?;
    let code = |names: &[&str]| -> Result<Vec<(Vec<u32>, Vec<u32>)>> {
        names.iter().map(|name| codes(tables[0].column(name)?, tables[1].column(name)?)).collect()
    };
    let (known, sensitive) = (code(known)?, code(sensitive)?);
    let combinations: f64 = sensitive.iter().map(|(real, _)| real.iter().collect::<HashSet<_>>().len() as f64).product();
    let baseline = 1.0 - 1.0 / combinations;
    if baseline == 0.0 {
        return undefined("the sensitive columns are constant, so there is nothing to disclose");
    }
    let (real_keys, synthetic_keys) = (rows(&known, true), rows(&known, false));
    let (real_values, synthetic_values) = (rows(&sensitive, true), rows(&sensitive, false));
    let attacker = Attacker::new(synthetic_keys, synthetic_values);
    let targets: Vec<(Vec<u32>, Vec<u32>)> = real_keys.into_iter().zip(real_values).collect();
    let answers: Vec<Option<f64>> = targets.par_iter().map(|(key, value)| attacker.right(key, value, unmatched)).collect();
    let Some(right) = super::shapes::mean(answers.into_iter().flatten()) else {
        return undefined("no synthetic row agrees with a real one in the known columns");
    };
    let protection = 1.0 - right;
    Ok(Disclosure { score: (protection / baseline).min(1.0), protection, baseline })
}

/// Codes of one column in both tables; numbers by pandas' `cut`, whose bins hold their upper edge.
fn codes(real: &Column, synthetic: &Column) -> Result<(Vec<u32>, Vec<u32>)> {
    let (Column::Number(real), Column::Number(synthetic)) = (real, synthetic) else {
        return shared_codes(real, synthetic).map(|(real, synthetic, _)| (real, synthetic));
    };
    let (low, high) = range(real).unwrap_or((0.0, 1.0));
    if !low.is_finite() || !high.is_finite() {
        return undefined("infinite values have no equal-width bins");
    }
    let edge = |place: usize| low + (high - low) * place as f64 / BINS as f64;
    let edges: Vec<f64> = (1..BINS).map(edge).collect();
    let bin = |value: &f64| if value.is_nan() { BINS as u32 } else { edges.partition_point(|edge| edge < value) as u32 };
    Ok((real.iter().map(bin).collect(), synthetic.iter().map(bin).collect()))
}

fn rows(columns: &[(Vec<u32>, Vec<u32>)], of_real: bool) -> Vec<Vec<u32>> {
    let columns: Vec<&[u32]> = columns.iter().map(|(real, synthetic)| if of_real { &real[..] } else { synthetic }).collect();
    (0..columns[0].len()).map(|row| columns.iter().map(|column| column[row]).collect()).collect()
}

/// How often each value occurs among the rows of one key, and how many those are.
type Values = (BTreeMap<Vec<u32>, usize>, usize);

struct Attacker {
    /// In one order, whatever the hashes.
    keys: Vec<Vec<u32>>,
    values: HashMap<Vec<u32>, Values>,
}

impl Attacker {
    fn new(keys: Vec<Vec<u32>>, values: Vec<Vec<u32>>) -> Self {
        let mut by_key: HashMap<Vec<u32>, Values> = HashMap::new();
        for (key, value) in keys.into_iter().zip(values) {
            let (counts, all) = by_key.entry(key).or_default();
            *counts.entry(value).or_default() += 1;
            *all += 1;
        }
        let mut keys: Vec<Vec<u32>> = by_key.keys().cloned().collect();
        keys.sort_unstable();
        Self { keys, values: by_key }
    }

    /// The share of the right `value` among the matched rows; none without a guess.
    fn right(&self, key: &[u32], value: &[u32], unmatched: Unmatched) -> Option<f64> {
        let count = |(counts, all): &Values| (counts.get(value).copied().unwrap_or(0), *all);
        let (right, all) = match (self.values.get(key), unmatched) {
            (Some(found), _) => count(found),
            (None, Unmatched::LeftOut) => return None,
            (None, Unmatched::Fails) => return Some(0.0),
            (None, Unmatched::Nearest) => {
                let (mut fewest, mut sum) = (usize::MAX, (0, 0));
                for other in &self.keys {
                    let differing = key.iter().zip(other).filter(|(a, b)| a != b).count();
                    if differing < fewest {
                        (fewest, sum) = (differing, (0, 0));
                    }
                    if differing == fewest {
                        let (right, all) = count(&self.values[other]);
                        sum = (sum.0 + right, sum.1 + all);
                    }
                }
                sum
            }
        };
        Some(right as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use semblant_data::table::ColumnKind;

    fn table(keys: &str, secrets: &str) -> Table {
        let labels = |text: &str| Column::from_labels(text.chars().map(|c| Some(c.to_string())));
        Table::from_columns(vec![("k", ColumnKind::Categorical, labels(keys)), ("s", ColumnKind::Categorical, labels(secrets))]).unwrap()
    }

    #[test]
    fn the_three_attackers_have_the_values_of_sdmetrics() {
        let (real, synthetic) = (table("aabbc", "xyxxz"), table("aaabb", "xxyxy"));
        let score = |unmatched| disclosure_protection(&real, &synthetic, &["k"], &["s"], unmatched).unwrap();
        let cap = score(Unmatched::LeftOut);
        assert!((cap.score - 0.75).abs() < 1e-12 && (cap.protection - 0.5).abs() < 1e-12 && (cap.baseline - 2.0 / 3.0).abs() < 1e-12);
        assert!((score(Unmatched::Fails).score - 0.9).abs() < 1e-12);
        assert!((score(Unmatched::Nearest).score - 0.9).abs() < 1e-12);
    }

    #[test]
    fn a_leaked_table_protects_nothing_and_what_cannot_be_asked_is_named() {
        let real = table("abcdef", "xyxyxx");
        let leaked = disclosure_protection(&real, &real, &["k"], &["s"], Unmatched::Nearest).unwrap();
        assert_eq!((leaked.score, leaked.protection), (0.0, 0.0));
        let ask = |known: &[&str], sensitive: &[&str]| disclosure_protection(&real, &real, known, sensitive, Unmatched::LeftOut);
        assert!(matches!(ask(&[], &["s"]), Err(Error::Option { name: "known", .. })));
        assert!(matches!(ask(&["k"], &["t"]), Err(Error::Data(_))));
        let other = table("gh", "xy");
        assert!(matches!(disclosure_protection(&real, &other, &["k"], &["s"], Unmatched::LeftOut), Err(Error::Undefined(_))));
    }
}

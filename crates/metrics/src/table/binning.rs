//! Ten equal-width bins for numbers, so that a number column can be tabulated against a category.

use crate::Result;
use crate::error::undefined;

/// How many bins.
pub const BINS: usize = 10;

/// Where the bins of a number column come from when it is paired with a category column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BinRule {
    /// Edges from the real column's range, the outer two opened to infinity: what SDMetrics' metric does when it is called by itself, and
    /// what its authors meant. A synthetic column of the wrong scale is seen.
    Real,
    /// Edges from each table's own range: what SDMetrics' QualityReport does, so what published "Trend" scores are. A pure rescale is
    /// invisible, and the maximum shares a bin with the missing values.
    #[default]
    EachTable,
}

impl BinRule {
    /// The real and the synthetic column as bin numbers, 1 to 11; missing values get 11.
    ///
    /// # Errors
    /// [`crate::Error::Undefined`] when a value that sets the range is infinite.
    pub fn bin(self, real: &[f64], synthetic: &[f64]) -> Result<(Vec<u32>, Vec<u32>)> {
        let mut edges = equal_width_edges(real)?;
        match self {
            Self::Real => {
                edges[0] = f64::NEG_INFINITY;
                edges[BINS] = f64::INFINITY;
                Ok((digitize(real, &edges), digitize(synthetic, &edges)))
            }
            Self::EachTable => Ok((digitize(real, &edges), digitize(synthetic, &equal_width_edges(synthetic)?))),
        }
    }
}

/// numpy's `histogram_bin_edges(values, 10)` without the missing values: 11 equally spaced edges from minimum to maximum; half a unit to each
/// side of a constant; 0 to 1 of nothing.
fn equal_width_edges(values: &[f64]) -> Result<[f64; BINS + 1]> {
    let (mut low, mut high) = range(values).unwrap_or((0.0, 1.0));
    if !low.is_finite() || !high.is_finite() {
        return undefined("infinite values have no equal-width bins");
    }
    if low == high {
        (low, high) = (low - 0.5, high + 0.5);
    }
    let step = (high - low) / BINS as f64;
    let mut edges = std::array::from_fn(|i| i as f64 * step + low);
    edges[BINS] = high;
    Ok(edges)
}

/// numpy's `digitize`: how many edges are not above the value. A missing value sorts behind every edge.
fn digitize(values: &[f64], edges: &[f64; BINS + 1]) -> Vec<u32> {
    values
        .iter()
        .map(|value| if value.is_nan() { edges.len() as u32 } else { edges.partition_point(|edge| edge <= value) as u32 })
        .collect()
}

/// Minimum and maximum of the values that are not missing.
pub(crate) fn range(values: &[f64]) -> Option<(f64, f64)> {
    values.iter().filter(|value| !value.is_nan()).fold(None, |range, &value| match range {
        None => Some((value, value)),
        Some((low, high)) => Some((low.min(value), high.max(value))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_maximum_and_missing_values_share_the_last_bin_of_the_report_rule() {
        let real: Vec<f64> = (0..10).map(f64::from).chain([f64::NAN]).collect();
        let (bins, _) = BinRule::EachTable.bin(&real, &real).unwrap();
        assert_eq!(bins, [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 11]);
        let (bins, outside) = BinRule::Real.bin(&real, &[-5.0, 99.0]).unwrap();
        assert_eq!(bins, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        assert_eq!(outside, [1, 10]);
        assert!(BinRule::Real.bin(&[f64::INFINITY], &real).is_err());
    }
}

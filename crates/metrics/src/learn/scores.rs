//! Scores of predictions: ROC AUC, F1, R2, RMSE.

use crate::Result;
use crate::error::undefined;
use crate::table::pairs::ranks;
use crate::table::shapes::{deviation, mean};

/// Area under the ROC curve: the chance that a positive row is scored above a negative one, ties counted half. Range 0 to 1; 0.5 is guessing.
///
/// # Errors
/// [`crate::Error::Undefined`] when one of the two classes has no row.
pub fn roc_auc(positive: &[bool], scores: &[f64]) -> Result<f64> {
    let positives = positive.iter().filter(|&&positive| positive).count() as f64;
    let negatives = positive.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return undefined("only one of the two classes occurs");
    }
    let rank_sum: f64 = ranks(scores).iter().zip(positive).filter(|(_, positive)| **positive).map(|(rank, _)| rank).sum();
    Ok((rank_sum - positives * (positives + 1.0) / 2.0) / (positives * negatives))
}

/// The area under the ROC curve and its standard deviation over draws of rows (DeLong et al. 1988).
///
/// # Errors
/// As [`roc_auc`].
pub fn roc_auc_with_deviation(positive: &[bool], scores: &[f64]) -> Result<(f64, f64)> {
    let auc = roc_auc(positive, scores)?;
    let among_all = ranks(scores);
    // The share of the other class that each row is on the right side of: its rank among all, less that among its own class.
    let placements = |class: bool| -> Vec<f64> {
        let rows: Vec<usize> = (0..scores.len()).filter(|&row| positive[row] == class).collect();
        let among_own = ranks(&rows.iter().map(|&row| scores[row]).collect::<Vec<_>>());
        let others = (scores.len() - rows.len()) as f64;
        rows.iter().zip(among_own).map(|(&row, own)| (among_all[row] - own) / others).collect()
    };
    let variance = |values: Vec<f64>| deviation(&values).map_or(0.0, |deviation| deviation.powi(2) / values.len() as f64);
    Ok((auc, (variance(placements(true)) + variance(placements(false))).sqrt()))
}

/// Mean of the one-against-rest [`roc_auc`] over the classes that occur; `probabilities` holds one list per class.
///
/// # Errors
/// [`crate::Error::Undefined`] when fewer than two classes occur.
pub fn macro_auc(classes: &[u32], probabilities: &[Vec<f64>]) -> Result<f64> {
    let one_class = |(class, scores): (usize, &Vec<f64>)| {
        let positive: Vec<bool> = classes.iter().map(|&code| code as usize == class).collect();
        roc_auc(&positive, scores).ok()
    };
    let scores = probabilities.iter().enumerate().filter_map(one_class);
    mean(scores).map_or_else(|| undefined("fewer than two classes occur in the test rows"), Ok)
}

/// 2 true positives / (2 true positives + false positives + false negatives); 0 when there is nothing to count. Range 0 to 1.
pub fn f1(truth: &[bool], predicted: &[bool]) -> f64 {
    let (mut hits, mut wrong) = (0.0, 0.0);
    for (&truth, &predicted) in truth.iter().zip(predicted) {
        hits += f64::from(u8::from(truth && predicted));
        wrong += f64::from(u8::from(truth != predicted));
    }
    if hits == 0.0 { 0.0 } else { 2.0 * hits / (2.0 * hits + wrong) }
}

/// Mean of the one-against-rest [`f1`] over the classes that occur in the truth or the prediction.
pub fn macro_f1(truth: &[u32], predicted: &[u32], classes: usize) -> f64 {
    let is = |codes: &[u32], class: u32| codes.iter().map(|&code| code == class).collect::<Vec<bool>>();
    let occurs = |class: &u32| truth.contains(class) || predicted.contains(class);
    mean((0..classes as u32).filter(occurs).map(|class| f1(&is(truth, class), &is(predicted, class)))).unwrap_or(0.0)
}

/// 1 - (squared error) / (squared error of the mean). At most 1; 0 is as good as the mean, below it worse.
///
/// # Errors
/// [`crate::Error::Undefined`] when the truth is constant.
pub fn r2(truth: &[f64], predicted: &[f64]) -> Result<f64> {
    let mean = truth.iter().sum::<f64>() / truth.len() as f64;
    let spread: f64 = truth.iter().map(|truth| (truth - mean).powi(2)).sum();
    if spread == 0.0 || truth.is_empty() {
        return undefined("the target is constant in the test rows");
    }
    Ok(1.0 - truth.iter().zip(predicted).map(|(truth, predicted)| (truth - predicted).powi(2)).sum::<f64>() / spread)
}

/// Root of the mean squared error, in the target's unit.
pub fn rmse(truth: &[f64], predicted: &[f64]) -> f64 {
    (truth.iter().zip(predicted).map(|(truth, predicted)| (truth - predicted).powi(2)).sum::<f64>() / truth.len() as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_have_their_textbook_values() {
        assert_eq!(roc_auc(&[false, false, true, true], &[0.1, 0.4, 0.35, 0.8]).unwrap(), 0.75);
        assert_eq!(roc_auc(&[false, true], &[0.5, 0.5]).unwrap(), 0.5);
        assert!(roc_auc(&[true], &[0.5]).is_err());
        // Placements 1, 1/2 of the positives and 1/2, 1 of the negatives: variances of 1/8, each over 2.
        let (auc, deviation) = roc_auc_with_deviation(&[false, false, true, true], &[0.1, 0.4, 0.35, 0.8]).unwrap();
        assert!(auc == 0.75 && (deviation - 0.125_f64.sqrt()).abs() < 1e-12);
        assert_eq!(f1(&[true, true, false, false], &[true, false, true, false]), 0.5);
        assert_eq!(macro_f1(&[0, 1, 2], &[0, 1, 2], 4), 1.0);
        assert_eq!(r2(&[1.0, 2.0, 3.0], &[2.0, 2.0, 2.0]).unwrap(), 0.0);
        assert_eq!(rmse(&[1.0, 3.0], &[2.0, 2.0]), 1.0);
    }
}

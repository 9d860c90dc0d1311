//! Scores of coverage, of distances between distributions, and of support.

use semblant_data::table::Table;

use super::{Compared, Direction, Group, Scores, reason};
use crate::Result;
use crate::error::undefined;
use crate::random::subsample;
use crate::table::accuracy::{Accuracy, Similarity, accuracy};
use crate::table::coverage::{Statistic, coverage, missing_values, statistics};
use crate::table::detection::logistic_detection;
use crate::table::divergence::{chi_square_passed, jensen_shannon_distances, mutual_information_matrices, wasserstein_distances};
use crate::table::shapes::ColumnScores;
use crate::table::support::{Support, support};

/// Most rows of each table in the search for neighbours.
const SUPPORT_ROWS: usize = 10_000;

fn mean_of(scores: Result<ColumnScores>) -> Result<f64> {
    scores?.mean.map_or_else(|| undefined("no column has a defined score"), Ok)
}

impl Scores {
    /// Coverage, statistics and distances of single columns and pairs.
    pub(in crate::report) fn distributions(&mut self, tables: &Compared, seed: u64) -> Result<()> {
        let real = tables.real;
        type Measure<'a> = Box<dyn Fn(&Table) -> Result<f64> + 'a>;
        let columns =
            |measure: fn(&Table, &Table) -> Result<ColumnScores>| -> Measure { Box::new(move |table| mean_of(measure(real, table))) };
        let statistic = |statistic: Statistic| -> Measure { Box::new(move |table| mean_of(statistics(real, table, statistic))) };
        let information: Measure = Box::new(|table| {
            mutual_information_matrices(real, table)?.similarity.map_or_else(|| undefined("no pair of columns has two values each"), Ok)
        });
        let logistic: Measure = Box::new(|table| logistic_detection(real, table, seed));
        let chi_square: Measure = Box::new(|table| chi_square_passed(real, table));
        let measures: [(&str, &str, Measure, bool, &str); 10] = [
            (
                "coverage",
                "Coverage",
                columns(coverage),
                true,
                "Share of the real labels and of the real range that occur in the synthetic table, averaged over columns; 1 is all.",
            ),
            (
                "missing_values",
                "Missing values",
                columns(missing_values),
                true,
                "Similarity of the shares of missing values, averaged over columns; 1 is equal.",
            ),
            (
                "mean_similarity",
                "Means",
                statistic(Statistic::Mean),
                true,
                "1 minus the difference of the means relative to the real range, averaged over columns of numbers.",
            ),
            ("median_similarity", "Medians", statistic(Statistic::Median), true, "The same for the medians."),
            ("deviation_similarity", "Standard deviations", statistic(Statistic::Deviation), true, "The same for the standard deviations."),
            (
                "wasserstein",
                "Wasserstein distance",
                columns(wasserstein_distances),
                false,
                "Area between the two distribution functions relative to the real range, averaged over columns of numbers; 0 is equal.",
            ),
            (
                "jensen_shannon",
                "Jensen-Shannon distance",
                columns(jensen_shannon_distances),
                false,
                "Distance between the shares of labels, or of ten bins, averaged over columns; 0 is equal, 1 is no overlap.",
            ),
            (
                "chi_square",
                "Chi-square test passed",
                chi_square,
                true,
                "Share of columns in which a chi-square test finds no difference at the 1 % level; with many rows it finds differences too small to matter.",
            ),
            (
                "mutual_information",
                "Mutual information",
                information,
                true,
                "Similarity of the mutual information of two columns, linear or not, averaged over all pairs; 1 is equal.",
            ),
            (
                "logistic_detection",
                "Logistic detection",
                logistic,
                true,
                "1 if a logistic regression cannot distinguish synthetic rows from real ones, 0 if it always can: 1 - (2 AUC - 1). The detection AUC asks the same of a stronger classifier; this one uses single columns only.",
            ),
        ];
        for (id, name, measure, higher, meaning) in measures {
            let (ideal, direction) = if higher { (1.0, Direction::Higher) } else { (0.0, Direction::Lower) };
            self.with_holdout(Group::Fidelity, (id, name), (tables, Some(ideal)), direction, meaning, measure)?;
        }
        Ok(())
    }

    /// Accuracy of single columns, pairs and triples, with the expected value for new real rows.
    pub(in crate::report) fn accuracy(&mut self, tables: &Compared, seed: u64) -> Result<()> {
        let found = reason(accuracy(tables.real, tables.synthetic, seed))?;
        let holdout = tables.holdout.and_then(|holdout| accuracy(tables.real, holdout, seed).ok());
        let parts: [(&str, &str, fn(&Accuracy) -> Option<Similarity>, &str); 4] = [
            ("accuracy", "Accuracy", |found| Some(found.overall), "The mean of the accuracies of columns, pairs and triples."),
            (
                "accuracy_columns",
                "Accuracy of columns",
                |found| Some(found.univariate),
                "Similarity of the shares of ten bins, averaged over columns; column shapes measures the same without bins.",
            ),
            (
                "accuracy_pairs",
                "Accuracy of pairs",
                |found| found.bivariate,
                "The same for the shares of a hundred bins of pairs of columns.",
            ),
            ("accuracy_triples", "Accuracy of triples", |found| found.trivariate, "The same for triples of columns."),
        ];
        for (id, name, get, meaning) in parts {
            let part =
                found.as_ref().map_err(Clone::clone).and_then(|found| get(found).ok_or_else(|| "the table has too few columns".to_owned()));
            let expected = part.as_ref().ok().map(|part| part.expected);
            let reference = holdout.as_ref().and_then(get).map(|part| part.value);
            let most =
                expected.map_or_else(String::new, |expected| format!(" The expected value for as many new real rows is {expected:.3}."));
            self.add(
                Group::Fidelity,
                (id, name),
                part.map(|part| part.value),
                reference.or(expected),
                Direction::Higher,
                &format!("{meaning}{most}"),
            );
        }
        Ok(())
    }

    /// Alpha-precision, beta-recall and authenticity, at one size for the synthetic rows and the holdout.
    pub(in crate::report) fn support(&mut self, tables: &Compared, seed: u64) -> Result<()> {
        let smallest = tables.holdout.into_iter().chain([tables.synthetic]).map(Table::rows).min().unwrap_or(0);
        let size = smallest.min(tables.real.rows()).min(SUPPORT_ROWS);
        let real = tables.real.take(&subsample(tables.real.rows(), size, seed, 17));
        let of = |table: &Table| support(&real, table, size, seed);
        let synthetic = of(tables.synthetic);
        let holdout = tables.holdout.and_then(|holdout| of(holdout).ok());
        let parts: [(&str, &str, Group, f64, fn(&Support) -> f64, &str); 4] = [
            (
                "alpha_precision",
                "Alpha-precision",
                Group::Fidelity,
                1.0,
                |found| found.alpha_precision,
                "Agreement of the shares of synthetic and real rows within each distance from the centre of the real rows; low if synthetic rows lie outside the real data or only in its middle.",
            ),
            (
                "beta_recall",
                "Beta-recall",
                Group::Fidelity,
                0.5,
                |found| found.beta_recall,
                "Share of real rows with a synthetic row closer than any other real row, from the centre outwards; new real rows reach about 0.5.",
            ),
            (
                "authenticity",
                "Authenticity",
                Group::Privacy,
                0.5,
                |found| found.authenticity,
                "Share of real rows that are closer to another real row than to any synthetic row; about 0.5 for new rows, near 0 for copies.",
            ),
            (
                "identifiability",
                "Identifiability",
                Group::Privacy,
                0.5,
                |found| found.identifiability,
                "Share of real rows with a synthetic row closer than any other real row; about 0.5 for new rows, near 1 for copies. 1 minus the authenticity, but for ties.",
            ),
        ];
        for (id, name, group, ideal, get, meaning) in parts {
            let value = reason(synthetic.as_ref().map(get).map_err(|error| crate::Error::Undefined(error.reason())))?;
            self.add(group, (id, name), value, holdout.as_ref().map(get).or(Some(ideal)), Direction::NearReference, meaning);
        }
        Ok(())
    }
}

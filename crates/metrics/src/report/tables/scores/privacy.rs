//! Scores of distance and disclosure.

use semblant_data::table::Table;

use super::{Compared, Direction, Group, Scores, reason};
use crate::Result;
use crate::error::undefined;
use crate::random::subsample;
use crate::report::Mark;
use crate::table::disclosure::{Unmatched, disclosure_protection};
use crate::table::identifying::{Finding, Identifying, What};
use crate::table::privacy::{Privacy, overfitting_protection};

/// Real rows that are attacked for the disclosure score, and synthetic rows that the attacker holds.
const DISCLOSURE_ROWS: [usize; 2] = [2_000, 10_000];

/// The finding as the mark of a score.
pub(in crate::report) fn mark(finding: Finding) -> Mark {
    match finding {
        Finding::Good => Mark::Good,
        Finding::Watch => Mark::Watch,
        Finding::Bad => Mark::Bad,
    }
}

impl Scores {
    /// The column whose identifying values come back most clearly.
    pub(in crate::report) fn identifying(&mut self, found: &[Identifying]) {
        let worst = found.iter().max_by(|a, b| {
            let excess = |of: &Identifying| of.synthetic - of.reference;
            a.finding.cmp(&b.finding).then(excess(a).total_cmp(&excess(b)))
        });
        let meaning = "Largest share of synthetic values that are an identifying value of a real row: an id, a label or whole number of a nearly unique column, or a label of fewer than five rows.";
        self.add(
            Group::Privacy,
            ("identifying_values", "Identifying values"),
            worst.map(|worst| worst.synthetic).ok_or_else(|| "no column has identifying values".to_owned()),
            worst.map(|worst| worst.reference),
            Direction::Lower,
            &worst.map_or_else(|| meaning.to_owned(), |worst| format!("{meaning} Here in the column \"{}\".", worst.column)),
        );
        if let Some(score) = self.list.last_mut() {
            score.mark = worst.map(|worst| mark(worst.finding));
        }
        if worst.is_none_or(|worst| worst.what == What::Ids) {
            self.ideal(0.0);
        } else {
            self.among_real_rows();
        }
    }

    pub(in crate::report) fn privacy(&mut self, privacy: &Privacy) {
        let new = privacy.reference();
        let add = |this: &mut Self, id, name, value, reference, direction, meaning| {
            this.add(Group::Privacy, (id, name), value, reference, direction, meaning)
        };
        let closer = privacy.closer_to_train.ok_or_else(|| "needs a holdout".to_owned());
        add(
            self,
            "closer_to_train",
            "Closer to training rows",
            closer,
            Some(0.5),
            Direction::NearReference,
            "Share of synthetic rows that are closer to a training row than to a holdout row, with as many rows of each; well above 0.5 indicates memorization.",
        );
        self.ideal(0.5);
        self.interval(privacy.closer_interval());
        add(
            self,
            "copies",
            "Exact copies",
            Ok(privacy.synthetic.copies),
            new.map(|close| close.copies),
            Direction::Lower,
            "Share of synthetic rows that equal a training row; the reference is the share of new real rows that do so by chance.",
        );
        self.among_real_rows();
        add(
            self,
            "dcr_median",
            "Distance to closest record, median",
            Ok(privacy.synthetic.median),
            new.map(|close| close.median),
            Direction::NearReference,
            "Distance of a synthetic row to the closest training row: 0 is equal, 1 differs in every column; well below the reference is too close, well above it is unlike the real data.",
        );
        self.among_real_rows();
        add(
            self,
            "dcr_percentile_5",
            "Distance to closest record, 5th percentile",
            Ok(privacy.synthetic.percentile_5),
            new.map(|close| close.percentile_5),
            Direction::NearReference,
            "The same for the closest 5 % of the rows, which include any copies.",
        );
        self.among_real_rows();
        add(
            self,
            "new_row_synthesis",
            "New rows",
            Ok(privacy.synthetic.new_rows),
            new.map(|close| close.new_rows),
            Direction::Higher,
            "Share of synthetic rows that match no training row, numbers within 1 %; 1 minus the exact copies and the near ones.",
        );
        self.among_real_rows();
    }

    /// Ratios of distances, and disclosure of the target to an attacker who knows all other columns.
    pub(in crate::report) fn protection(&mut self, privacy: &Privacy, tables: &Compared, target: Option<&str>, seed: u64) -> Result<()> {
        self.add(
            Group::Privacy,
            ("nndr_percentile_5", "Closest over second closest distance, 5th percentile"),
            Ok(privacy.synthetic.ratio_percentile_5),
            privacy.holdout.as_ref().map(|close| close.ratio_percentile_5),
            Direction::NearReference,
            "Distance to the closest over distance to the second closest training row (NNDR), for the 5 % of rows where it is smallest; near 0 if rows reproduce single outliers.",
        );
        self.add(
            Group::Privacy,
            ("dcr_baseline_protection", "Distance against random rows"),
            reason(privacy.baseline_protection(&privacy.synthetic))?,
            privacy.reference().and_then(|close| privacy.baseline_protection(close).ok()),
            Direction::NearReference,
            "Median distance to the closest training row over that of random rows; well below the reference is too close, 1 is as far as random rows.",
        );
        self.among_real_rows();
        // With as many rows of each: the larger table would be closer.
        let overfitting = tables.holdout.map_or_else(
            || undefined("needs a holdout"),
            |holdout| {
                let size = tables.real.rows().min(holdout.rows());
                let cut = |table: &Table, purpose| table.take(&subsample(table.rows(), size, seed, purpose));
                overfitting_protection(&cut(tables.real, 18), tables.synthetic, &cut(holdout, 19))
            },
        );
        self.add(
            Group::Privacy,
            ("dcr_overfitting_protection", "Overfitting protection"),
            reason(overfitting)?,
            Some(1.0),
            Direction::Higher,
            "Twice the share of synthetic rows that are not closer to a training row than to a holdout row, at most 1 (SDMetrics), with as many rows of each: closer to training rows, read the other way round.",
        );
        self.ideal(1.0);
        // The same share of rows, read the other way round.
        let half = privacy.closer_interval().map_or(f64::NAN, |[low, high]| high - low);
        let value = self.list.last().and_then(|score| score.value);
        self.interval(value.filter(|_| half.is_finite()).map(|value| [(value - half).max(0.0), (value + half).min(1.0)]));
        let meaning = "Protection of the target column from an attacker who knows every other column and looks up the closest synthetic rows; 1 is as good as a random guess. General patterns count too, so only a value below the reference indicates leakage.";
        let names = ("disclosure_protection", "Disclosure protection");
        let Some(target) = target else {
            self.add(Group::Privacy, names, Err("no target column was named".into()), None, Direction::NearReference, meaning);
            return Ok(());
        };
        let real = tables.real.take(&subsample(tables.real.rows(), DISCLOSURE_ROWS[0], seed, 15));
        self.with_holdout(Group::Privacy, names, (tables, None), Direction::NearReference, meaning, |table| {
            let shared = crate::table::align::align(&[&real, table])?;
            let known: Vec<&str> = shared[0].schema().names().filter(|name| *name != target).collect();
            if known.is_empty() || shared[0].column(target).is_err() {
                return undefined(format!("the target \"{target}\" or every other column is an id, constant, or not in both tables"));
            }
            let cut = table.take(&subsample(table.rows(), DISCLOSURE_ROWS[1], seed, 16));
            Ok(disclosure_protection(&real, &cut, &known, &[target], Unmatched::Nearest)?.score)
        })
    }
}

//! The score of rules that hold in every real row.

use super::{Compared, Direction, Group, Scores, reason};
use crate::Result;
use crate::table::rules::{Rules, rules};

impl Scores {
    /// The share of rows that break no rule; returns the rules.
    pub(in crate::report) fn rules(&mut self, tables: &Compared, seed: u64) -> Result<Option<Rules>> {
        let found = reason(rules(tables.real, tables.synthetic, tables.holdout, seed))?;
        let count = found.as_ref().map_or(0, |found| found.rules.len());
        let reference = found.as_ref().ok().and_then(|found| found.holdout);
        self.add(
            Group::Validity,
            ("rules", "Rules kept"),
            found.as_ref().map(|found| found.synthetic).map_err(Clone::clone),
            if self.holdout { reference } else { Some(1.0) },
            Direction::Higher,
            &format!(
                "Share of rows that break none of the rules found ({count}): relations between columns that hold in every real row, such as sums, order, or labels that determine others."
            ),
        );
        Ok(found.ok())
    }
}

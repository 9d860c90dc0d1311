//! Dates and times by calendar rules.

use std::collections::BTreeSet;

use semblant_expressions::Type;

use super::DrawPlan;
use super::names::Resolver;
use super::scope::literal_time;
use crate::calendar::{DAY, Days, clock};
use crate::error::{Place, Result};
use crate::spec::{At, Calendar};

impl Resolver<'_> {
    /// The spec's holidays, in days since 1970-01-01.
    pub(super) fn holidays(&self) -> Result<BTreeSet<i64>> {
        let day = |text: &At<String>| match literal_time(text) {
            Some(time) => Ok((time / DAY).floor() as i64),
            None => self.fail(text.place, format!("\"{}\" is no date; write one such as 2024-12-25", **text)),
        };
        self.spec.holidays.iter().map(day).collect()
    }

    pub(super) fn calendar(&self, table: usize, place: Place, calendar: &Calendar, times: bool) -> Result<DrawPlan> {
        let [from, to] = [&calendar.from, &calendar.to].map(|term| self.param(table, term, Type::Time));
        let (from, to) = (from?, to?);
        if let (Some(from), Some(to)) = (from.constant(), to.constant())
            && from > to
        {
            return self.fail(calendar.to.place, "the range ends before it begins; exchange from and to");
        }
        let weights = |weights: &Option<At<Vec<f64>>>, count: usize| match weights {
            Some(all) if all.len() != count || all.iter().any(|weight| !(*weight >= 0.0)) || !all.iter().any(|weight| *weight > 0.0) => {
                self.fail(all.place, format!("these are not {count} weights from 0 on, of which one is above 0; mend them"))
            }
            _ => Ok(()),
        };
        weights(&calendar.weekdays, 7)?;
        weights(&calendar.months, 12)?;
        let skipped = if calendar.business_days { self.holidays()? } else { BTreeSet::new() };
        let working = [1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0];
        let weekdays = calendar.weekdays.as_ref().map(|weights| weights.value.as_slice()).or(calendar.business_days.then_some(&working));
        let days = Days::new(weekdays, calendar.months.as_ref().map(|weights| weights.value.as_slice()), skipped);
        let hours = match &calendar.hours {
            None => None,
            Some(hours) if !times => return self.fail(hours.place, "a date has no hours; draw a datetime"),
            Some(hours) => {
                let [open, close] = [&hours.value[0], &hours.value[1]].map(|text| clock(text));
                match (open, close) {
                    (Some(open), Some(close)) if open < close => Some((open, close)),
                    _ => return self.fail(hours.place, "these are no hours of a day; write [\"09:00\", \"17:30\"]"),
                }
            }
        };
        // Days with weights are drawn first, then the time of day.
        let hours = if times && days.is_some() { hours.or(Some((0.0, DAY))) } else { hours };
        Ok(DrawPlan::Calendar { from, to, days, hours, times, place })
    }
}

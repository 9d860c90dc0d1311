//! What goes on in time: state machines, regular series, and chaos.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{At, Draw, Names, Next, Term};

/// A state machine that runs once for each row of `per`; its events are the rows of the table. Expressions of its table know `machine.time`,
/// `machine.state`, `machine.event` and `machine.ATTRIBUTE`; those of the machine know the parent's columns, `time`, `state` and the attributes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// When it starts: an expression over the parent's columns.
    pub start: Term,
    /// When it ends at the latest.
    pub until: Term,
    /// The attributes with their first values: numbers, or expressions over the parent's columns.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Term>,
    /// The most events of one run; 1,000 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<At<u32>>,
    /// The states; the first is where it starts.
    #[serde(rename = "state")]
    pub states: Vec<State>,
}

/// A state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Its name.
    pub name: At<String>,
    /// A condition that is waited for, by days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<At<String>>,
    /// Days that pass here before anything else: a distribution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<At<Draw>>,
    /// What is assigned, after the delay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<At<String>>,
    /// The event that is written, after the assignments; without it none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Where it goes on; without it the machine ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<At<Next>>,
    /// Where it goes on by a table of weights, instead of `next`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_by: Option<NextBy>,
}

/// Weights of the next states from a table: it has columns of the names of `keys` (without that of the parent), and one for each state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NextBy {
    /// The table, relative to the spec.
    pub file: At<String>,
    /// What decides: columns of the parent such as `patients.sex`, `state`, or attributes.
    pub keys: Names,
}

/// A branch of where a state leads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transition {
    /// The condition; a branch without one is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<At<String>>,
    /// The state, or states with weights.
    pub to: At<Next>,
}

/// A regular series for each row of `per`: its steps are the rows of the table. Expressions of its table know `series.time`, `series.step`,
/// `series.SIGNAL` and `series.SIGNAL_anomaly`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// The time of the first step: a text or an expression over the parent's columns.
    pub start: Term,
    /// The time between steps: `1 hour`.
    pub every: At<String>,
    /// What is measured.
    #[serde(rename = "signal")]
    pub signals: Vec<Signal>,
}

/// A signal: level + trend + seasons + holidays + shifts + noise, then anomalies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// Its name.
    pub name: At<String>,
    /// Its level: a number, or an expression over the parent's columns.
    pub level: Term,
    /// What is added a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trend: Option<Term>,
    /// Waves.
    #[serde(default, rename = "season", skip_serializing_if = "Vec::is_empty")]
    pub seasons: Vec<Season>,
    /// What is added on the spec's holidays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holidays: Option<Term>,
    /// The standard deviation of the noise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<Term>,
    /// How much of the noise of a step is that of the step before, from 0 to below 1 (autoregressive of order 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ar: Option<At<f64>>,
    /// Sudden changes of the level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shifts: Option<Shifts>,
    /// What goes wrong, with labels.
    #[serde(default, rename = "anomaly", skip_serializing_if = "Vec::is_empty")]
    pub anomalies: Vec<Anomaly>,
}

/// A wave: `amplitude` times the cosine, highest at `peak` of every period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Season {
    /// How long a period is: `1 day`, `7 days`.
    pub period: At<String>,
    /// How far it goes up and down: a number, or an expression over the parent's columns.
    pub amplitude: Term,
    /// The share of the period, counted from 1970-01-01, at which it is highest; 0 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak: Option<At<f64>>,
}

/// Sudden changes of the level: as many for each series, at any step, of normal size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shifts {
    /// How many for each series.
    pub count: At<u32>,
    /// Their standard deviation.
    pub sd: Term,
}

/// How an anomaly looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnomalyKind {
    /// One value is off by `size`, up or down.
    Spike,
    /// The value of the first step stays for `length` steps.
    Stuck,
    /// The value moves away, by `size` at the last of `length` steps.
    Drift,
    /// The values of `length` steps are missing.
    Dropout,
    /// The noise of `length` steps is `size` times as large.
    Noisy,
}

/// Something that goes wrong at times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Anomaly {
    /// How it looks.
    pub kind: AnomalyKind,
    /// The probability that one begins at a step.
    pub rate: At<f64>,
    /// How large it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<At<f64>>,
    /// How many steps it lasts, at most 256; 1 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<At<u32>>,
}

/// Something that spoils data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "rate is the probability for a row, columns are its columns")]
pub enum Chaos {
    /// The row comes twice.
    Duplicates { rate: At<f64> },
    /// A character is left out, doubled, exchanged with its neighbour or replaced.
    Typos { columns: Names, rate: At<f64> },
    /// Two columns have each other's values.
    Swaps { columns: Names, rate: At<f64> },
    /// The number is in another unit: multiplied by `factor`.
    Units { columns: Names, rate: At<f64>, factor: At<f64> },
    /// The number is multiplied by a number from `factor` / 2 to `factor`.
    Outliers { columns: Names, rate: At<f64>, factor: At<f64> },
    /// The value is missing.
    Missing { columns: Names, rate: At<f64> },
    /// Numbers grow with the row: by the share `by` from the first row to the last, from the share `after` of the rows on.
    Drift { columns: Names, by: At<f64>, after: At<f64> },
    /// The row comes up to `rows` rows late.
    Late { rate: At<f64>, rows: At<u32> },
}

//! What a plan has of state machines and series.

use std::collections::HashMap;
use std::sync::Arc;

use semblant_expressions::Expression;

use super::Param;
use crate::error::Place;
use crate::laws::{Family, Quantiles};
use crate::spec::AnomalyKind;

/// A state machine.
#[derive(Debug)]
pub(crate) struct MachinePlan {
    pub(crate) start: Param,
    pub(crate) until: Param,
    pub(crate) attributes: Vec<(String, Param)>,
    pub(crate) most: usize,
    pub(crate) states: Vec<StatePlan>,
    pub(crate) events: Arc<Vec<String>>,
    pub(crate) names: Arc<Vec<String>>,
    pub(crate) stream: u32,
    /// The columns of the parent that expressions need.
    pub(crate) parent_columns: Vec<usize>,
    /// What the slots of expressions are: places in `parent_columns`, the time, the state, or attributes.
    pub(crate) slots: Vec<MachineSlot>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum MachineSlot {
    Parent(usize),
    Time,
    State,
    Attribute(usize),
}

#[derive(Debug)]
pub(crate) struct StatePlan {
    pub(crate) guard: Option<Expression>,
    pub(crate) delay: Option<DelayPlan>,
    pub(crate) set: Vec<(usize, Expression)>,
    pub(crate) event: Option<u32>,
    pub(crate) next: Option<NextPlan>,
    pub(crate) place: Place,
}

#[derive(Debug)]
pub(crate) enum DelayPlan {
    Known(Quantiles),
    Law { family: Family, parameters: Vec<Param>, place: Place },
}

#[derive(Debug)]
pub(crate) enum NextPlan {
    Direct(usize),
    Weighted(Vec<(usize, Param)>),
    Branches(Vec<(Option<Expression>, NextPlan)>),
    /// By the texts of slots of the machine: states with weights.
    Table {
        keys: Vec<usize>,
        rows: HashMap<String, Vec<(usize, f64)>>,
        place: Place,
    },
}

/// A regular series.
#[derive(Debug)]
pub(crate) struct SeriesPlan {
    pub(crate) start: Param,
    pub(crate) every: f64,
    pub(crate) signals: Vec<SignalPlan>,
    pub(crate) holidays: Vec<i64>,
    /// The columns of the parent that expressions need, which are the slots of these.
    pub(crate) parent_columns: Vec<usize>,
    pub(crate) place: Place,
}

#[derive(Debug)]
pub(crate) struct SignalPlan {
    pub(crate) level: Param,
    pub(crate) trend: Param,
    /// Seconds, amplitude, share of the peak.
    pub(crate) seasons: Vec<(f64, Param, f64)>,
    pub(crate) holidays: Param,
    pub(crate) noise: Param,
    pub(crate) ar: f64,
    pub(crate) shifts: Option<(u32, Param)>,
    pub(crate) anomalies: Vec<AnomalyPlan>,
    pub(crate) stream: u32,
}

#[derive(Debug)]
pub(crate) struct AnomalyPlan {
    pub(crate) kind: AnomalyKind,
    pub(crate) rate: f64,
    pub(crate) size: f64,
    pub(crate) length: u32,
}

//! What a plan consists of.

use std::collections::HashMap;
use std::sync::Arc;

use semblant_data::table::{ColumnSchema, Schema};
use semblant_expressions::{Expression, Row, Type, Value};

use super::Model;
use super::child_law::ChildLaw;
use super::history_model::{MachinePlan, SeriesPlan};
use crate::calendar::Days;
use crate::error::Place;
use crate::laws::{Family, Quantiles};
use crate::spec::Chaos;
use crate::text::{Iban, Locale, Luhn, Name, Pattern};

/// A table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) rows: Rows,
    /// The first is the parent, where there is one.
    pub(crate) links: Vec<Link>,
    /// What expressions may name.
    pub(crate) slots: Vec<SlotInfo>,
    pub(crate) columns: Vec<Column>,
    pub(crate) checks: Vec<CheckPlan>,
    pub(crate) copulas: Vec<Copula>,
    pub(crate) learned: Vec<LearnedBlock>,
    pub(crate) machine: Option<MachinePlan>,
    pub(crate) series: Option<SeriesPlan>,
    /// The stream that gives a row another parent where it is drawn again.
    pub(crate) seats: u32,
    /// With the stream of each.
    pub(crate) chaos: Vec<(Chaos, u32)>,
    /// The columns that are written.
    pub(crate) visible: Vec<usize>,
    pub(crate) schema: Schema,
}

impl Table {
    /// The slots that some slots are made from, themselves among them, in order.
    pub(crate) fn slots_needed(&self, slots: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut needed = vec![false; self.slots.len()];
        let mut open: Vec<usize> = slots.collect();
        while let Some(slot) = open.pop() {
            if std::mem::replace(&mut needed[slot], true) {
                continue;
            }
            match self.slots[slot].slot {
                Slot::Own(column) => {
                    open.extend(&self.columns[column].needs);
                    if let Maker::Learned { block, .. } = self.columns[column].maker {
                        open.extend(self.learned[block].given.iter().map(|(own, _)| *own));
                    }
                }
                Slot::Link { link, .. } => open.extend(&self.links[link].needs),
                _ => {}
            }
        }
        (0..needed.len()).filter(|&slot| needed[slot]).collect()
    }
}

/// How many rows a table has.
#[derive(Debug)]
pub(crate) enum Rows {
    Count(u64),
    Children { parent: usize, law: ChildLaw },
}

/// A row of another table that a row belongs to.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) table: usize,
    pub(crate) kind: LinkKind,
    pub(crate) stratified: bool,
    /// Whether no constraint depends on the row that is picked: then a row that is drawn again keeps it.
    pub(crate) unconstrained: bool,
    pub(crate) missing: Option<Param>,
    pub(crate) stream: u32,
    /// What `missing` needs.
    pub(crate) needs: Vec<usize>,
}

#[derive(Debug)]
pub(crate) enum LinkKind {
    /// The row of `per`.
    Parent,
    /// Any row.
    Uniform {
        distinct: bool,
    },
    Zipf {
        exponent: f64,
        distinct: bool,
    },
    /// Parts of the rows by the sums of their shares.
    Shares {
        sums: Vec<f64>,
        distinct: bool,
    },
    /// A row before this one.
    Earlier,
}

impl Link {
    pub(crate) fn is_fixed(&self) -> bool {
        match self.kind {
            LinkKind::Parent => true,
            LinkKind::Uniform { distinct } | LinkKind::Zipf { distinct, .. } | LinkKind::Shares { distinct, .. } => {
                distinct && self.missing.is_none()
            }
            LinkKind::Earlier => false,
        }
    }
}

/// Something that an expression may name.
#[derive(Debug, Clone)]
pub(crate) struct SlotInfo {
    pub(crate) slot: Slot,
    pub(crate) data_type: Type,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    Own(usize),
    /// The number of the row, from 1.
    RowNumber,
    /// The number among the rows of the parent, from 1.
    ChildNumber,
    /// How many rows the parent has.
    Children,
    Link {
        link: usize,
        column: usize,
    },
    /// An output of the state machine.
    Machine(usize),
    /// An output of the series.
    Series(usize),
}

/// A column.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) data_type: Type,
    pub(crate) maker: Maker,
    pub(crate) finish: Finish,
    pub(crate) missing: Option<Param>,
    pub(crate) unique: bool,
    pub(crate) hidden: bool,
    pub(crate) stream: u32,
    /// The copula that gives its uniform numbers, and its place there.
    pub(crate) copula: Option<(usize, usize)>,
    /// The slots that it is made from.
    pub(crate) needs: Vec<usize>,
    /// Whether every attempt at a row gives the same value.
    pub(crate) fixed: bool,
    pub(crate) described: ColumnSchema,
}

/// What is done to numbers and times once they are drawn.
#[derive(Debug, Default)]
pub(crate) struct Finish {
    pub(crate) clip: Option<[Param; 2]>,
    pub(crate) step: Option<f64>,
    pub(crate) decimals: Option<u8>,
    /// Seconds that times are cut to: a day for dates, a second for times.
    pub(crate) whole: Option<f64>,
}

/// A number that is known, or an expression that gives it.
#[derive(Debug, Clone)]
pub(crate) enum Param {
    Constant(f64),
    /// A number, a time or a truth, as 0 or 1.
    Expression(Expression),
}

impl Param {
    pub(crate) fn constant(&self) -> Option<f64> {
        match self {
            Self::Constant(value) => Some(*value),
            Self::Expression(_) => None,
        }
    }

    /// Its value in a row; a truth is 0 or 1, and null is none.
    pub(crate) fn number(&self, row: &(impl Row + ?Sized)) -> Option<f64> {
        match self {
            Self::Constant(value) => Some(*value),
            Self::Expression(expression) => match expression.evaluate(row) {
                Value::Number(x) | Value::Time(x) => Some(x),
                Value::Boolean(truth) => Some(f64::from(u8::from(truth))),
                _ => None,
            },
        }
    }

    pub(crate) fn needs(&self) -> &[usize] {
        match self {
            Self::Constant(_) => &[],
            Self::Expression(expression) => expression.columns(),
        }
    }
}

/// What makes the values of a column.
#[derive(Debug)]
pub(crate) enum Maker {
    Constant(Value<'static>),
    Expression(Expression),
    Draw(Box<DrawPlan>),
    Case(Vec<(Option<Expression>, Maker)>),
    /// A column of a fitted model.
    Learned {
        block: usize,
        column: usize,
    },
}

impl Maker {
    /// Whether the values depend on the row and the slots of the column only.
    pub(crate) fn is_fixed(&self, column: &Column) -> bool {
        match self {
            Self::Constant(_) | Self::Expression(_) => true,
            Self::Draw(draw) => column.unique || matches!(**draw, DrawPlan::Sequence { .. } | DrawPlan::Template(_) | DrawPlan::Uuid),
            Self::Case(branches) => branches.iter().all(|(_, maker)| maker.is_fixed(column)),
            Self::Learned { .. } => false,
        }
    }
}

/// What a value is drawn from.
#[derive(Debug)]
pub(crate) enum DrawPlan {
    /// Of known parameters, within the uniform numbers `within`.
    Known {
        quantiles: Quantiles,
        within: Option<(f64, f64)>,
    },
    Law {
        family: Family,
        parameters: Vec<Param>,
        truncate: Option<[Param; 2]>,
        place: Place,
    },
    /// Laws with weights, some of which are expressions.
    Mixture {
        parts: Vec<(Param, Family, Vec<Param>)>,
        place: Place,
    },
    /// Every whole number of a range once.
    Distinct {
        first: f64,
        count: u64,
    },
    Boolean(Param, Place),
    /// Labels, or numbers where the column has such; known cumulative weights, or expressions.
    Categories {
        levels: Arc<Vec<String>>,
        numbers: Option<Vec<f64>>,
        weights: Vec<Param>,
        known: Option<Quantiles>,
        place: Place,
    },
    Lookup {
        groups: HashMap<String, Group>,
        keys: Vec<usize>,
        levels: Arc<Vec<String>>,
        numeric: bool,
        place: Place,
    },
    Calendar {
        from: Param,
        to: Param,
        days: Option<Days>,
        hours: Option<(f64, f64)>,
        times: bool,
        place: Place,
    },
    Regex(Pattern),
    Template(Vec<TemplatePiece>),
    Fake {
        name: Name,
        locale: Box<Locale>,
        levels: Option<Arc<Vec<String>>>,
    },
    Uuid,
    Sequence {
        start: i64,
        step: i64,
        prefix: Option<String>,
        width: usize,
    },
    Luhn(Luhn),
    Iban(Iban),
    Point {
        area: Option<[f64; 4]>,
        centres: Vec<[f64; 2]>,
        km: f64,
        longitude: bool,
        stream: u32,
    },
}

/// The values of one combination of keys of a lookup table.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// Codes of levels, or numbers.
    pub(crate) values: Vec<f64>,
    pub(crate) sums: Vec<f64>,
}

/// A piece of a template: a text, or a slot with the digits it has at least.
#[derive(Debug)]
pub(crate) enum TemplatePiece {
    Text(String),
    Slot { slot: usize, width: usize },
}

/// A condition of every row.
#[derive(Debug)]
pub(crate) struct CheckPlan {
    pub(crate) condition: Expression,
    pub(crate) attempts: u32,
    pub(crate) place: Place,
}

/// Columns whose uniform numbers depend on each other.
#[derive(Debug)]
pub(crate) struct Copula {
    pub(crate) columns: Vec<usize>,
    /// The lower triangle of the Cholesky factor of the correlations of normal scores, row by row.
    pub(crate) factor: Vec<Vec<f64>>,
}

/// Columns of a fitted model.
pub(crate) struct LearnedBlock {
    pub(crate) model: Arc<dyn Model>,
    pub(crate) place: Place,
    /// The columns of the table that the model is given, with those of the model.
    pub(crate) given: Vec<(usize, usize)>,
    pub(crate) stream: u32,
}

impl std::fmt::Debug for LearnedBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LearnedBlock").field("given", &self.given).finish_non_exhaustive()
    }
}

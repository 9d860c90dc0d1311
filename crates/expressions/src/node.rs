//! The bound expression: columns are indices, literals values, patterns compiled.

use crate::like::Pattern;
use crate::time::{Field, Unit};
use crate::value::{Type, Value};

/// A comparison of two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A function of one value; null for null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unary {
    Negate,
    Abs,
    Round,
    Floor,
    Ceil,
    Sqrt,
    Exp,
    Ln,
    Length,
    Lower,
    Upper,
    Trim,
    TrimStart,
    TrimEnd,
    ToNumber,
    ToInteger,
    ToText,
    /// A part of a time or of an interval.
    Extract(Field),
    Truncate(Unit),
    /// An interval in days.
    Days,
}

/// A function of two values; null where one is null, except for `NullIf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binary {
    /// Of numbers, or of intervals.
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
    RoundTo,
    /// A time and an interval.
    Shift,
    /// Two times.
    Difference,
    /// An interval and a number.
    Scale,
    /// An interval and a number.
    Shorten,
    Concat,
    Left,
    Right,
    NullIf,
}

/// A function of any number of values, with its own treatment of nulls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Many {
    Coalesce,
    Least,
    Greatest,
    Concat,
}

/// The right side of `IN`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Members {
    /// Sorted literals without null.
    pub(crate) literals: Vec<Value<'static>>,
    /// Whether null is among the literals.
    pub(crate) null: bool,
    pub(crate) others: Vec<Node>,
}

/// `CASE`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Case {
    /// What the branches' conditions are compared with, in a simple case.
    pub(crate) operand: Option<Node>,
    pub(crate) branches: Vec<(Node, Node)>,
    pub(crate) otherwise: Node,
}

/// A column that a part compares with values only, more than once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Steps {
    pub(crate) column: usize,
    pub(crate) is_time: bool,
    /// What the column is compared with.
    pub(crate) bounds: Vec<Node>,
}

/// A part with columns to step through; see [`crate::split`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Split {
    pub(crate) steps: Vec<Steps>,
    pub(crate) inner: Node,
}

/// A bound expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Literal(Value<'static>),
    Column {
        index: usize,
        data_type: Type,
    },
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    IsNull(Box<Node>),
    /// Whether a boolean is this, never null.
    Is(bool, Box<Node>),
    Compare(Comparison, Box<[Node; 2]>),
    /// Whether two values differ, null being a value.
    Distinct(Box<[Node; 2]>),
    Between(Box<[Node; 3]>),
    In(Box<Node>, Box<Members>),
    Like(Box<Node>, Pattern),
    Case(Box<Case>),
    Unary(Unary, Box<Node>),
    Binary(Binary, Box<[Node; 2]>),
    /// Text, start, count.
    Substring(Box<[Node; 3]>),
    Many(Many, Vec<Node>),
    Split(Box<Split>),
}

impl Node {
    pub(crate) fn null() -> Self {
        Node::Literal(Value::Null)
    }

    pub(crate) fn is_literal(&self) -> bool {
        matches!(self, Node::Literal(_))
    }

    /// Calls `visit` on each operand.
    pub(crate) fn for_each_operand<'n>(&'n self, visit: &mut dyn FnMut(&'n Node)) {
        match self {
            Node::Literal(_) | Node::Column { .. } => {}
            Node::Not(x) | Node::IsNull(x) | Node::Is(_, x) | Node::Like(x, _) | Node::Unary(_, x) => visit(x),
            Node::And(nodes) | Node::Or(nodes) | Node::Many(_, nodes) => nodes.iter().for_each(visit),
            Node::Compare(_, pair) | Node::Distinct(pair) | Node::Binary(_, pair) => pair.iter().for_each(visit),
            Node::Between(three) | Node::Substring(three) => three.iter().for_each(visit),
            Node::In(x, members) => {
                visit(x);
                members.others.iter().for_each(visit);
            }
            Node::Case(case) => {
                case.operand.iter().for_each(&mut *visit);
                for (condition, result) in &case.branches {
                    visit(condition);
                    visit(result);
                }
                visit(&case.otherwise);
            }
            Node::Split(split) => visit(&split.inner),
        }
    }

    /// [`for_each_operand`](Self::for_each_operand), to change them.
    pub(crate) fn for_each_operand_mut(&mut self, visit: &mut dyn FnMut(&mut Node)) {
        match self {
            Node::Literal(_) | Node::Column { .. } => {}
            Node::Not(x) | Node::IsNull(x) | Node::Is(_, x) | Node::Like(x, _) | Node::Unary(_, x) => visit(x),
            Node::And(nodes) | Node::Or(nodes) | Node::Many(_, nodes) => nodes.iter_mut().for_each(visit),
            Node::Compare(_, pair) | Node::Distinct(pair) | Node::Binary(_, pair) => pair.iter_mut().for_each(visit),
            Node::Between(three) | Node::Substring(three) => three.iter_mut().for_each(visit),
            Node::In(x, members) => {
                visit(x);
                members.others.iter_mut().for_each(visit);
            }
            Node::Case(case) => {
                case.operand.iter_mut().for_each(&mut *visit);
                for (condition, result) in &mut case.branches {
                    visit(condition);
                    visit(result);
                }
                visit(&mut case.otherwise);
            }
            Node::Split(split) => visit(&mut split.inner),
        }
    }

    /// Calls `visit` with each column that occurs, once for each occurrence.
    pub(crate) fn for_each_column(&self, visit: &mut dyn FnMut(usize)) {
        if let Node::Column { index, .. } = self {
            visit(*index);
        }
        self.for_each_operand(&mut |operand| operand.for_each_column(visit));
    }

    /// The number of parts.
    pub(crate) fn size(&self) -> usize {
        let mut size = 1;
        self.for_each_operand(&mut |operand| size += operand.size());
        size
    }

    pub(crate) fn contains(&self, column: usize) -> bool {
        let mut found = false;
        self.for_each_column(&mut |index| found |= index == column);
        found
    }
}

impl Comparison {
    /// Whether an order meets the comparison.
    pub(crate) fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Comparison::Equal => order.is_eq(),
            Comparison::NotEqual => order.is_ne(),
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
        }
    }
}

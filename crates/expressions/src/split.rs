//! Parts of a condition in which a column is only ever compared: such a part is a step function of the column, and
//! [`outcomes`](crate::outcomes) looks at each step instead of taking the comparisons for independent. So `x >= 1 and x <= 2` is exact.
//!
//! The steps of a column end at what it is compared with, provided that the rest is interpreted with each comparison on its own: stepped through
//! at once, another column that it is compared with would carry the values of its own comparisons over, as in `x < y and y < 5`. So columns
//! are stepped through one after the other, and no part within may step where it has one of them.

use std::collections::BTreeMap;

use crate::node::{Node, Split, Steps};
use crate::value::Type;

/// The most values that a column is compared with to be worth its steps.
const MOST_BOUNDS: usize = 24;
/// The most columns to step through in one part.
const MOST_COLUMNS: usize = 4;

/// How a column occurs in a part.
#[derive(Debug, Clone, Default)]
struct Use {
    count: usize,
    /// Whether it occurs in something other than a comparison.
    elsewhere: bool,
    is_time: bool,
    bounds: Vec<Node>,
}

type Uses = BTreeMap<usize, Use>;

/// The conjunction of conditions, those that share a column together.
pub(crate) fn and(nodes: Vec<Node>) -> Node {
    grouped(flat(nodes, |node| if let Node::And(inner) = node { Ok(inner) } else { Err(node) }), Node::And)
}

/// The disjunction of conditions, those that share a column together.
pub(crate) fn or(nodes: Vec<Node>) -> Node {
    grouped(flat(nodes, |node| if let Node::Or(inner) = node { Ok(inner) } else { Err(node) }), Node::Or)
}

/// Conditions with those in conditions of the same kind among them.
fn flat(nodes: Vec<Node>, inner: impl Fn(Node) -> Result<Vec<Node>, Node>) -> Vec<Node> {
    let mut all = Vec::new();
    for node in nodes {
        match inner(unsplit(node)) {
            Ok(nodes) => all.extend(nodes),
            Err(node) => all.push(node),
        }
    }
    all
}

fn unsplit(node: Node) -> Node {
    match node {
        Node::Split(split) => unsplit(split.inner),
        node => node,
    }
}

fn grouped(nodes: Vec<Node>, join: fn(Vec<Node>) -> Node) -> Node {
    let uses: Vec<Uses> = nodes.iter().map(uses).collect();
    let mut total = Uses::new();
    for (column, more) in uses.iter().flatten() {
        total.entry(*column).or_default().add(more);
    }
    total.retain(|_, one| one.count > 1 && !one.elsewhere && one.bounds.len() <= MOST_BOUNDS);
    let mut groups: Vec<(Uses, Vec<Node>)> = Vec::new();
    for (node, uses) in nodes.into_iter().zip(uses) {
        let shared: Uses = uses.keys().filter_map(|column| Some((*column, total.get(column)?.clone()))).collect();
        let mut group = (shared, vec![node]);
        // The groups that this one links become one.
        for other in groups.extract_if(.., |(columns, _)| columns.keys().any(|column| group.0.contains_key(column))).collect::<Vec<_>>() {
            group.0.extend(other.0);
            group.1.splice(0..0, other.1);
        }
        groups.push(group);
    }
    let mut parts: Vec<Node> = groups.into_iter().map(|(columns, nodes)| split(columns, nodes, join)).collect();
    match parts.len() {
        1 => parts.remove(0),
        _ => join(parts),
    }
}

/// The conditions of a group, with the columns to step through.
fn split(columns: Uses, mut nodes: Vec<Node>, join: fn(Vec<Node>) -> Node) -> Node {
    let mut inner = if nodes.len() == 1 { nodes.remove(0) } else { join(nodes) };
    if columns.is_empty() {
        return inner;
    }
    let mut columns: Vec<(usize, Use)> = columns.into_iter().collect();
    columns.sort_by_key(|(column, one)| (std::cmp::Reverse(one.count), *column));
    columns.truncate(MOST_COLUMNS);
    let steps: Vec<Steps> = columns.into_iter().map(|(column, one)| Steps { column, is_time: one.is_time, bounds: one.bounds }).collect();
    unsplit_of(&mut inner, &steps);
    Node::Split(Box::new(Split { steps, inner }))
}

/// Takes the steps off the parts that have one of these columns.
fn unsplit_of(node: &mut Node, steps: &[Steps]) {
    while let Node::Split(split) = node
        && steps.iter().any(|steps| split.inner.contains(steps.column))
    {
        *node = std::mem::replace(&mut split.inner, Node::null());
    }
    node.for_each_operand_mut(&mut |operand| unsplit_of(operand, steps));
}

impl Use {
    fn add(&mut self, more: &Use) {
        self.count += more.count;
        self.elsewhere |= more.elsewhere;
        self.is_time |= more.is_time;
        if self.bounds.len() <= MOST_BOUNDS {
            self.bounds.extend(more.bounds.iter().cloned());
        }
    }
}

/// What a column is compared with in a condition; not all where that is very many.
pub(crate) fn bounds_of(node: &Node, column: usize) -> Vec<Node> {
    let bounds = uses(node).remove(&column).map_or(Vec::new(), |one| one.bounds);
    bounds.into_iter().filter(|bound| !bound.contains(column)).collect()
}

/// How the columns of numbers and times occur in a condition.
fn uses(node: &Node) -> Uses {
    let mut uses = Uses::new();
    scan(node, &mut uses);
    uses
}

fn scan(node: &Node, uses: &mut Uses) {
    match node {
        Node::Column { index, data_type: Type::Number | Type::Time } => uses.entry(*index).or_default().elsewhere = true,
        Node::Compare(_, pair) => {
            for (this, other) in [(&pair[0], &pair[1]), (&pair[1], &pair[0])] {
                compared(this, std::slice::from_ref(other), uses);
            }
        }
        Node::IsNull(x) => compared(x, &[], uses),
        Node::In(x, members) if members.literals.len() + members.others.len() <= MOST_BOUNDS => {
            let bounds: Vec<Node> = members.literals.iter().cloned().map(Node::Literal).chain(members.others.iter().cloned()).collect();
            compared(x, &bounds, uses);
            members.others.iter().for_each(|other| compared(other, std::slice::from_ref(x), uses));
        }
        _ => node.for_each_operand(&mut |operand| scan(operand, uses)),
    }
}

/// A side of a comparison with bounds.
fn compared(this: &Node, bounds: &[Node], uses: &mut Uses) {
    match this {
        Node::Column { index, data_type: data_type @ (Type::Number | Type::Time) } => {
            let one = uses.entry(*index).or_default();
            one.count += 1;
            one.is_time = *data_type == Type::Time;
            one.elsewhere |= bounds.iter().any(|bound| bound.contains(*index));
            if one.bounds.len() <= MOST_BOUNDS {
                one.bounds.extend(bounds.iter().cloned());
            }
        }
        _ => scan(this, uses),
    }
}

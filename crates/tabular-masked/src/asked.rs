//! What is asked of rows while they are drawn: conditions as masks over tokens, and draws within what is left of a bin.

use semblant_expressions::{self as expressions, Domains, Expression, Type, Value};
use semblant_masked_diffusion::{Cell, Rules};
use semblant_tabular::conditions;
use semblant_tabular::filter::{Predicate, RowFilter};

use crate::bins::Bins;
use crate::tokens::{ColumnTokens, Position, TableTokens};

/// What is asked of a position.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Asked {
    /// This cell.
    Cell(Cell),
    /// A number: what places of each token are allowed.
    Bins(Vec<Vec<(f32, f32)>>),
    /// One of these labels, by their value; the position is one of the digits.
    Labels { allowed: Vec<bool>, base: usize, digits: usize, digit: usize },
}

/// What a row is asked to be, by position.
pub(crate) type Case = Vec<Option<Asked>>;

/// All places of a token.
const ALL: (f32, f32) = (0.0, 1.0);

/// What the predicates ask of every position.
pub(crate) fn case(tokens: &TableTokens, positions: &[Position], predicates: &[Option<Predicate>]) -> Case {
    let asked = |position: &Position| {
        let predicate = predicates[position.column].as_ref()?;
        match &tokens.columns[position.column] {
            ColumnTokens::Labels(labels) => {
                let value = match predicate {
                    Predicate::Label(code) => *code,
                    Predicate::OneOf { labels: codes, missing } => {
                        let is_allowed =
                            |value: usize| if value < labels.levels.len() { codes.contains(&(value as u32)) } else { *missing };
                        let allowed = (0..labels.counts.len()).map(is_allowed).collect();
                        return Some(Asked::Labels { allowed, base: labels.base, digits: labels.widths().len(), digit: position.digit });
                    }
                    _ => labels.levels.len() as u32,
                };
                Some(Asked::Cell(Cell { token: labels.digits(value)[position.digit], place: 0.5 }))
            }
            ColumnTokens::Bins(bins) => Some(match predicate {
                Predicate::Range { low, high } => Asked::Bins(places(bins, &[(*low, *high)], false)),
                Predicate::Ranges { ranges, missing } => Asked::Bins(places(bins, ranges, *missing)),
                _ => Asked::Cell(Cell { token: bins.bins.len() as u32, place: 0.5 }),
            }),
            ColumnTokens::Unlearned => None,
        }
    };
    positions.iter().map(asked).collect()
}

fn places(bins: &Bins, ranges: &[(f64, f64)], missing: bool) -> Vec<Vec<(f32, f32)>> {
    let of_token = |token: usize| {
        if token >= bins.bins.len() {
            return if missing { vec![ALL] } else { Vec::new() };
        }
        ranges.iter().filter_map(|&(low, high)| bins.places(token, low, high)).collect()
    };
    (0..bins.width()).map(of_token).collect()
}

/// Any value but a missing one; nothing to ask where none was missing, or all were.
pub(crate) fn present(tokens: &TableTokens, position: Position) -> Option<Asked> {
    match &tokens.columns[position.column] {
        ColumnTokens::Labels(labels) if labels.has_missing() && !labels.levels.is_empty() => {
            let allowed = (0..labels.counts.len()).map(|value| value < labels.levels.len()).collect();
            Some(Asked::Labels { allowed, base: labels.base, digits: labels.widths().len(), digit: position.digit })
        }
        ColumnTokens::Bins(bins) if bins.missing && !bins.bins.is_empty() => {
            Some(Asked::Bins((0..bins.width()).map(|token| if token < bins.bins.len() { vec![ALL] } else { Vec::new() }).collect()))
        }
        _ => None,
    }
}

/// Conditions on several columns: while a row is drawn, a token is excluded once it cannot be part of a row that meets them.
pub(crate) struct Joint<'a> {
    tokens: &'a TableTokens,
    expressions: Vec<&'a Expression>,
    types: &'a [Type],
    /// The position of each column that has one of its own.
    position_of: Vec<Option<usize>>,
    /// The column of each position.
    column_of: Vec<usize>,
    /// The number of tokens of each position.
    widths: Vec<usize>,
}

impl<'a> Joint<'a> {
    /// The conditions of a filter that concern several columns, if there are any.
    pub(crate) fn new(tokens: &'a TableTokens, filter: &'a RowFilter) -> Option<Self> {
        let expressions: Vec<&Expression> = filter.expressions().iter().filter(|expression| expression.columns().len() > 1).collect();
        if expressions.is_empty() {
            return None;
        }
        let positions = tokens.positions();
        let own = |column: usize| {
            let mut of_column = positions.iter().enumerate().filter(|(_, position)| position.column == column);
            of_column.next().filter(|_| of_column.next().is_none()).map(|(index, _)| index)
        };
        let position_of = (0..tokens.columns.len()).map(own).collect();
        Some(Self {
            tokens,
            expressions,
            types: filter.types(),
            position_of,
            column_of: positions.iter().map(|position| position.column).collect(),
            widths: tokens.widths(),
        })
    }

    fn concerns(&self, position: usize) -> bool {
        let column = self.column_of[position];
        self.position_of[column].is_some() && self.expressions.iter().any(|expression| expression.columns().contains(&column))
    }

    /// Narrows the places of every token of a position to those that a row can have which meets the conditions.
    fn narrow(&self, position: usize, cells: &[Option<Cell>], places: &mut [Vec<(f32, f32)>]) {
        let column = self.column_of[position];
        for expression in self.expressions.iter().filter(|expression| expression.columns().contains(&column)) {
            let is_open = |other: &&usize| **other != column && self.position_of[**other].is_none_or(|position| cells[position].is_none());
            let last = !expression.columns().iter().any(|other| is_open(&other));
            for (token, places) in places.iter_mut().enumerate().filter(|(_, places)| !places.is_empty()) {
                let row = Partial { joint: self, cells, column, token };
                let outcomes = expression.outcomes(&row);
                if !outcomes.may_be_true {
                    places.clear();
                } else if last && !outcomes.is_always_true() {
                    self.narrow_bin(expression, &row, places);
                }
            }
        }
    }

    fn narrow_bin(&self, expression: &Expression, row: &Partial<'_>, places: &mut Vec<(f32, f32)>) {
        let ColumnTokens::Bins(bins) = &self.tokens.columns[row.column] else { return };
        let Some(bin) = bins.bins.get(row.token).filter(|bin| !bin.is_single()) else { return };
        let resolution = if bins.step > 0.0 { 0.25 * bins.step } else { (bin.high - bin.low) * 1e-6 };
        let half = 0.5 * bins.step;
        let ranges = expression.true_ranges(row.column, bin.low - half, bin.high + half, resolution, row);
        let allowed: Vec<(f32, f32)> = ranges
            .iter()
            .filter_map(|&(low, high)| {
                bins.places(row.token, low + half.min(resolution), high - half.min(resolution))
                    .or_else(|| bins.places(row.token, low, high))
            })
            .collect();
        *places = places
            .iter()
            .flat_map(|&(from, to)| allowed.iter().map(move |&(low, high)| (from.max(low), to.min(high))))
            .filter(|(from, to)| from < to)
            .collect();
    }
}

/// A row in the making: some columns are known, one has a candidate token, the others are open.
struct Partial<'a> {
    joint: &'a Joint<'a>,
    cells: &'a [Option<Cell>],
    column: usize,
    token: usize,
}

impl Domains for Partial<'_> {
    fn domain(&self, column: usize) -> expressions::Domain<'_> {
        let data_type = self.joint.types[column];
        let cell = if column == self.column {
            Some(Cell { token: self.token as u32, place: 0.5 })
        } else {
            self.joint.position_of[column].and_then(|position| self.cells[position])
        };
        match &self.joint.tokens.columns[column] {
            ColumnTokens::Unlearned => {
                let value = self.joint.tokens.schema.columns[column].value.as_deref();
                value.map_or(expressions::Domain::Any { null: true }, |value| {
                    expressions::Domain::Known(conditions::label(data_type, Some(value)))
                })
            }
            ColumnTokens::Labels(labels) => match cell {
                Some(cell) => {
                    expressions::Domain::Known(conditions::label(data_type, labels.levels.get(cell.token as usize).map(String::as_str)))
                }
                None => expressions::Domain::Any { null: labels.has_missing() },
            },
            ColumnTokens::Bins(bins) => match cell {
                Some(cell) if column == self.column => match bins.bins.get(self.token) {
                    Some(bin) if !bin.is_single() => {
                        expressions::Domain::Range { low: bin.low - 0.5 * bins.step, high: bin.high + 0.5 * bins.step, null: false }
                    }
                    _ => expressions::Domain::Known(conditions::number(data_type, bins.decode(cell))),
                },
                Some(cell) => expressions::Domain::Known(conditions::number(data_type, bins.decode(cell))),
                None => match bins.range() {
                    Some((low, high)) => expressions::Domain::Range { low, high, null: bins.missing },
                    None => expressions::Domain::Known(Value::Null),
                },
            },
        }
    }
}

/// The rows of a block with what is asked of each.
pub(crate) struct Conditions<'a> {
    pub(crate) asked: &'a [&'a Case],
    pub(crate) joint: Option<&'a Joint<'a>>,
}

impl Conditions<'_> {
    /// Rows beyond the block pad it, and are asked nothing.
    pub(crate) fn of(&self, row: usize, position: usize) -> Option<&Asked> {
        self.asked.get(row).and_then(|case| case[position].as_ref())
    }

    /// Whether anything is asked of an open position.
    pub(crate) fn restricts(&self, row: usize, position: usize) -> bool {
        self.of(row, position).is_some() || self.joint.is_some_and(|joint| joint.concerns(position))
    }

    pub(crate) fn is_second_digit(&self, row: usize, position: usize) -> bool {
        matches!(self.of(row, position), Some(Asked::Labels { digit: 1.., .. }))
    }

    /// What places of each token are allowed by both kinds of conditions.
    fn places(&self, joint: &Joint<'_>, row: usize, position: usize, cells: &[Option<Cell>]) -> Vec<Vec<(f32, f32)>> {
        let mut places = match self.of(row, position) {
            Some(Asked::Bins(places)) => places.clone(),
            Some(Asked::Labels { allowed, digits: 1, .. }) => {
                allowed.iter().map(|&allowed| if allowed { vec![ALL] } else { Vec::new() }).collect()
            }
            _ => vec![vec![ALL]; joint.widths[position]],
        };
        joint.narrow(position, cells, &mut places);
        places
    }
}

impl Rules for Conditions<'_> {
    fn factors(&self, row: usize, position: usize, cells: &[Option<Cell>], out: &mut [f32]) -> bool {
        if let Some(joint) = self.joint.filter(|joint| joint.concerns(position)) {
            let places = self.places(joint, row, position, cells);
            out.iter_mut().zip(&places).for_each(|(factor, places)| *factor = share(places));
            return true;
        }
        match self.of(row, position) {
            Some(Asked::Bins(places)) => out.iter_mut().zip(places).for_each(|(factor, places)| *factor = share(places)),
            Some(Asked::Labels { allowed, base, digits, digit }) => {
                let high = if *digit > 0 { cells[position - 1].map_or(0, |cell| cell.token as usize) } else { 0 };
                for (token, factor) in out.iter_mut().enumerate() {
                    let values = match (*digits, *digit) {
                        (1, _) => token..token + 1,
                        (_, 0) => token * base..(token + 1) * base,
                        _ => high * base + token..high * base + token + 1,
                    };
                    let any = values.start < allowed.len() && allowed[values.start..values.end.min(allowed.len())].contains(&true);
                    *factor = f32::from(u8::from(any));
                }
            }
            _ => return false,
        }
        true
    }

    fn place(&self, row: usize, position: usize, cells: &[Option<Cell>], token: u32, uniform: f32) -> f32 {
        if let Some(joint) = self.joint.filter(|joint| joint.concerns(position)) {
            let places = self.places(joint, row, position, cells);
            return place_in(&places[token as usize], uniform);
        }
        match self.of(row, position) {
            Some(Asked::Bins(places)) => place_in(&places[token as usize], uniform),
            _ => uniform,
        }
    }
}

fn share(places: &[(f32, f32)]) -> f32 {
    places.iter().map(|(from, to)| to - from).sum()
}

/// The place at a share of all of them together.
fn place_in(places: &[(f32, f32)], uniform: f32) -> f32 {
    let mut left = uniform * share(places);
    for &(from, to) in places {
        if left <= to - from {
            return from + left;
        }
        left -= to - from;
    }
    places.last().map_or(uniform, |(_, to)| *to)
}

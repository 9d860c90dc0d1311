//! What is asked of rows while they are drawn: conditions as masks over tokens, and draws within what is left of a bin.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use semblant_expressions::{self as expressions, Domains, Expression, Type, Value};
use semblant_masked_diffusion::{Cell, Rules};
use semblant_tabular::conditions;
use semblant_tabular::constraints::Combinations;
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

/// Excludes missing values, where cells are drawn because they are missing.
pub struct Present(Case);

impl Present {
    /// For the positions of a table's tokens.
    pub fn new(tokens: &TableTokens) -> Self {
        Self(tokens.positions().iter().map(|position| present(tokens, *position)).collect())
    }

    /// As [`Rules::factors`] for any row.
    pub fn factors(&self, position: usize, cells: &[Option<Cell>], out: &mut [f32]) -> bool {
        Conditions { asked: &[&self.0], joint: None, conditional: true }.factors(0, position, cells, out)
    }
}

/// Conditions on several columns, and constraints: while a row is drawn, a token is excluded once it cannot be part of a row that meets them.
pub(crate) struct Joint<'a> {
    tokens: &'a TableTokens,
    /// Expressions, and whether they may be null.
    expressions: Vec<(&'a Expression, bool)>,
    combinations: Vec<Allowed>,
    types: &'a [Type],
    /// The position of each column that has one of its own.
    position_of: Vec<Option<usize>>,
    /// The column of each position.
    column_of: Vec<usize>,
    /// By position: whether a condition, or only a constraint, concerns it.
    conditioned: Vec<bool>,
    concerned: Vec<bool>,
}

/// The tokens of some positions that may stand together.
struct Allowed {
    positions: Vec<usize>,
    /// `[combinations][positions]`.
    tokens: Vec<Vec<u32>>,
    /// What a position may be, by what the others are so far.
    known: Mutex<HashMap<(usize, Vec<Option<u32>>), Arc<Vec<bool>>>>,
}

impl Allowed {
    fn new(tokens: &TableTokens, positions: &[Position], combinations: &Combinations) -> Self {
        let own = |column: usize| (0..positions.len()).filter(move |&index| positions[index].column == column);
        let known: Vec<HashMap<&str, u32>> = (combinations.columns.iter())
            .map(|&column| match &tokens.columns[column] {
                ColumnTokens::Labels(labels) => labels.levels.iter().map(String::as_str).zip(0..).collect(),
                _ => HashMap::new(),
            })
            .collect();
        let of_row = |number: usize| -> Option<Vec<u32>> {
            let texts = combinations.labels(number)?;
            let mut row = Vec::new();
            for ((&column, text), known) in combinations.columns.iter().zip(texts).zip(&known) {
                match &tokens.columns[column] {
                    ColumnTokens::Labels(labels) => {
                        let value = match text {
                            Some(text) => *known.get(text)?,
                            None => labels.value(None)?,
                        };
                        row.extend(labels.digits(value));
                    }
                    // A constant is what it is.
                    _ => continue,
                }
            }
            Some(row)
        };
        Self {
            positions: combinations.columns.iter().flat_map(|&column| own(column)).collect(),
            tokens: (0..combinations.rows.len()).filter_map(of_row).collect(),
            known: Mutex::default(),
        }
    }

    /// Which tokens a position may have beside those that are there.
    fn at(&self, position: usize, cells: &[Option<Cell>], width: usize) -> Arc<Vec<bool>> {
        let shown: Vec<Option<u32>> =
            self.positions.iter().map(|&other| cells[other].filter(|_| other != position).map(|cell| cell.token)).collect();
        let key = (position, shown);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(allowed) = known.get(&key) {
            return allowed.clone();
        }
        let mut allowed = vec![false; width];
        if let Some(place) = self.positions.iter().position(|&own| own == position) {
            let agrees = |row: &&Vec<u32>| row.iter().zip(&key.1).all(|(token, shown)| shown.is_none_or(|shown| shown == *token));
            self.tokens.iter().filter(agrees).for_each(|row| allowed[row[place] as usize] = true);
        }
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        let allowed = Arc::new(allowed);
        known.insert(key, allowed.clone());
        allowed
    }
}

/// Masks of combinations that are kept.
const MOST_KNOWN: usize = 1 << 16;

impl<'a> Joint<'a> {
    /// The conditions of a filter that concern several columns, and the constraints, if there are any.
    pub(crate) fn new(tokens: &'a TableTokens, filter: &'a RowFilter<'a>) -> Option<Self> {
        let conditions: Vec<&Expression> = filter.expressions().filter(|expression| expression.columns().len() > 1).collect();
        let constraints = filter.constraints();
        let positions = tokens.positions();
        let combinations: Vec<Allowed> = constraints.combinations().iter().map(|one| Allowed::new(tokens, &positions, one)).collect();
        let own = |column: usize| {
            let mut of_column = positions.iter().enumerate().filter(|(_, position)| position.column == column);
            of_column.next().filter(|_| of_column.next().is_none()).map(|(index, _)| index)
        };
        let position_of: Vec<Option<usize>> = (0..tokens.columns.len()).map(own).collect();
        let column_of: Vec<usize> = positions.iter().map(|position| position.column).collect();
        let names = |expression: &Expression, position: usize| {
            position_of[column_of[position]].is_some() && expression.columns().contains(&column_of[position])
        };
        let conditioned: Vec<bool> =
            (0..positions.len()).map(|position| conditions.iter().any(|expression| names(expression, position))).collect();
        let concerned: Vec<bool> = (0..positions.len())
            .map(|position| {
                conditioned[position]
                    || constraints.checks().any(|expression| names(expression, position))
                    || combinations.iter().any(|allowed| allowed.positions.contains(&position))
            })
            .collect();
        let expressions = conditions.into_iter().map(|condition| (condition, false)).chain(constraints.checks().map(|check| (check, true)));
        concerned.contains(&true).then(|| Self {
            tokens,
            expressions: expressions.collect(),
            combinations,
            types: filter.types(),
            position_of,
            column_of,
            conditioned,
            concerned,
        })
    }

    /// The places of a token of a position that a row can have which meets the conditions, of those that are left.
    fn narrow(&self, position: usize, token: usize, cells: &[Option<Cell>], places: &mut Vec<(f32, f32)>) {
        let column = self.column_of[position];
        if self.position_of[column].is_none() {
            return;
        }
        for (expression, may_be_null) in self.expressions.iter().filter(|(expression, _)| expression.columns().contains(&column)) {
            if places.is_empty() {
                return;
            }
            let is_open = |other: &&usize| **other != column && self.position_of[**other].is_none_or(|position| cells[position].is_none());
            let last = !expression.columns().iter().any(|other| is_open(&other));
            let row = Partial { joint: self, cells, column, token };
            let outcomes = expression.outcomes(&row);
            let kept_by_null = *may_be_null && outcomes.may_be_null;
            if !(outcomes.may_be_true || kept_by_null) {
                places.clear();
            } else if last && outcomes.may_be_true && !outcomes.is_always_true() && !kept_by_null {
                self.narrow_bin(expression, &row, places);
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
    /// Whether rows are asked to be something; constraints ask nothing. It is the same for all rows of a request, whatever their block.
    pub(crate) conditional: bool,
}

impl Conditions<'_> {
    /// Rows beyond the block pad it, and are asked nothing.
    pub(crate) fn of(&self, row: usize, position: usize) -> Option<&Asked> {
        self.asked.get(row).and_then(|case| case[position].as_ref())
    }

    /// Whether a condition asks something of an open position. Constraints hold in all rows that a network learned, so that what it draws first
    /// need not be weighed by what they leave.
    pub(crate) fn restricts(&self, row: usize, position: usize) -> bool {
        self.of(row, position).is_some() || self.joint.is_some_and(|joint| joint.conditioned[position])
    }

    pub(crate) fn is_second_digit(&self, row: usize, position: usize) -> bool {
        matches!(self.of(row, position), Some(Asked::Labels { digit: 1.., .. }))
    }

    /// What places of a token are allowed.
    fn places(&self, row: usize, position: usize, cells: &[Option<Cell>], token: usize) -> Vec<(f32, f32)> {
        let mut places = match self.of(row, position) {
            Some(Asked::Bins(places)) => places[token].clone(),
            Some(Asked::Labels { allowed, base, digits, digit }) => {
                let high = if *digit > 0 { cells[position - 1].map_or(0, |cell| cell.token as usize) } else { 0 };
                let values = match (*digits, *digit) {
                    (1, _) => token..token + 1,
                    (_, 0) => token * base..(token + 1) * base,
                    _ => high * base + token..high * base + token + 1,
                };
                let any = values.start < allowed.len() && allowed[values.start..values.end.min(allowed.len())].contains(&true);
                if any { vec![ALL] } else { Vec::new() }
            }
            _ => vec![ALL],
        };
        if let Some(joint) = self.joint.filter(|joint| joint.concerned[position]) {
            joint.narrow(position, token, cells, &mut places);
        }
        places
    }
}

impl Rules for Conditions<'_> {
    fn factors(&self, row: usize, position: usize, cells: &[Option<Cell>], out: &mut [f32]) -> bool {
        let joint = self.joint.filter(|joint| joint.concerned[position]);
        if row >= self.asked.len() || joint.is_none() && self.of(row, position).is_none() {
            return false;
        }
        let together = joint.map_or(&[][..], |joint| &joint.combinations);
        let together = together.iter().filter(|allowed| allowed.positions.contains(&position));
        let masks: Vec<Arc<Vec<bool>>> = together.map(|allowed| allowed.at(position, cells, out.len())).collect();
        for (token, factor) in out.iter_mut().enumerate() {
            let is_allowed = masks.iter().all(|mask| mask[token]);
            *factor = if is_allowed { share(&self.places(row, position, cells, token)) } else { 0.0 };
        }
        true
    }

    fn place(&self, row: usize, position: usize, cells: &[Option<Cell>], token: u32, uniform: f32) -> f32 {
        if row >= self.asked.len() {
            return uniform;
        }
        place_in(&self.places(row, position, cells, token as usize), uniform)
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

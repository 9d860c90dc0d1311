//! From the conditions of a request to what a model's columns must be.

use std::collections::HashMap;

use semblant_core::seeds::streams::SHARES;
use semblant_core::{Error, Result};
use semblant_data::table::{Column, ColumnSchema, Condition, Table, TableRequest, Wanted};
use semblant_expressions::{Expression, Row, Type, Value};

use super::read::{position, read};
use super::{Cases, Columns, Domain, Joint, Predicate};
use crate::conditions::{self, Names, label, types};
use crate::constraints::{Combinations, Constraints, quoted};

/// A request while it is read.
pub(super) struct Reading<'a> {
    schemas: Vec<&'a ColumnSchema>,
    /// What conditions on each of the user's columns may be.
    domains: Vec<Domain<'a>>,
    pub(super) names: Names<'a>,
    masked: Names<'a>,
    constraints: &'a Constraints,
    /// Columns that are learned as one, with the numbers that the model has for their combinations.
    carried: Vec<(usize, &'a Combinations, HashMap<usize, u32>)>,
    pub(super) predicates: Vec<Option<Predicate>>,
    pub(super) joint: Vec<Joint>,
}

/// A value that a column of labels can have, and how a model is asked for it.
type Choice = (String, (usize, Predicate));

impl<'a> Reading<'a> {
    pub(super) fn new(columns: &'a impl Columns, constraints: &'a Constraints) -> Self {
        let own = columns.schemas();
        let schemas = if constraints.is_empty() { own } else { constraints.schema().columns.iter().collect() };
        let mut domains: Vec<Domain<'a>> = (0..schemas.len()).map(|index| columns.domain(index)).collect();
        let mut carried = Vec::new();
        for (carrier, combinations) in constraints.joint() {
            let numbers = match &domains[carrier] {
                Domain::Labels { labels, .. } => labels.iter().filter_map(|(code, text)| Some((text.parse().ok()?, *code))).collect(),
                _ => HashMap::new(),
            };
            carried.push((carrier, combinations, numbers));
        }
        for (_, combinations, _) in &carried {
            for (place, &column) in combinations.columns.iter().enumerate() {
                let labels = combinations.levels[place].iter().enumerate().map(|(code, label)| (code as u32, label.as_str())).collect();
                let missing = combinations.rows.iter().any(|row| row[place] == semblant_data::table::MISSING);
                domains[column] = Domain::Labels { labels, missing };
            }
        }
        (0..domains.len()).filter(|&column| constraints.computes(column)).for_each(|column| domains[column] = Domain::Unlearned);
        let is_boolean = |column: usize| matches!(&domains[column], Domain::Labels { labels, .. } if labels.iter().all(|(_, label)| conditions::truth(label).is_some()));
        let types = if constraints.is_empty() { types(&schemas, is_boolean) } else { constraints.types().to_vec() };
        let names = Names::of(schemas.clone(), types.clone(), &[]);
        let masked = Names::of(schemas.clone(), types, constraints.definitions());
        let predicates = vec![None; schemas.len()];
        Self { schemas, domains, names, masked, constraints, carried, predicates, joint: Vec::new() }
    }

    /// A condition in the short form.
    pub(super) fn short(&mut self, condition: &Condition) -> Result<()> {
        let index = position(&self.schemas, &condition.column)?;
        let is_open_text = matches!(self.domains[index], Domain::Open { .. }) && self.names.types()[index] == Type::Text;
        if self.constraints.computes(index) || (is_open_text && condition.wanted != Wanted::Is(String::new())) {
            return self.sql(&as_sql(condition));
        }
        match read(self.schemas[index], &self.domains[index], condition) {
            Ok(Some(new)) => self.meet(index, new),
            Ok(None) => Ok(()),
            Err(refused) => {
                let text = comparison(condition)
                    .filter(|text| Expression::condition(text, &self.names).is_ok_and(|expression| expression.columns().len() > 1));
                self.sql(&text.ok_or(refused)?)
            }
        }
    }

    /// A condition in SQL.
    pub(super) fn sql(&mut self, text: &str) -> Result<()> {
        let whole = |names: &Names<'_>| {
            Expression::condition(text, names).map_err(|error| {
                let bare = !text.contains(['=', '<', '>', ' ']);
                let forms = if bare { "; write column=value, column=low..high, or an SQL condition" } else { "" };
                Error::Condition(format!("--where {error}{forms}"))
            })
        };
        let (plain, masked) = (whole(&self.names)?, whole(&self.masked)?);
        for (plain, masked) in plain.conjuncts().into_iter().zip(masked.conjuncts()) {
            self.part(Joint { plain, masked })?;
        }
        Ok(())
    }

    /// One of the parts of a condition that all have to hold.
    fn part(&mut self, part: Joint) -> Result<()> {
        let columns = part.plain.columns().to_vec();
        let none = |what: String| Error::Condition(format!("--where {}: {what} in the training data meets it", part.plain));
        if let [index] = columns[..]
            && !self.constraints.computes(index)
            && let Some(predicate) =
                conditions::of_one_column(&part.plain, index, self.schemas[index], self.names.types()[index], &self.domains[index])
        {
            let name = &self.schemas[index].name;
            self.meet(index, predicate.simplest().ok_or_else(|| none(format!("no value of column \"{name}\"")))?)?;
        } else if columns.len() > 1
            && let Some((carrier, combinations, numbers)) =
                self.carried.iter().find(|(_, one, _)| columns.iter().all(|column| one.columns.contains(column)))
        {
            let types = self.names.types();
            let holds = |number: usize| part.plain.holds(&Combination { combinations, types, number }) == Some(true);
            let labels =
                sorted((0..combinations.rows.len()).filter(|&number| holds(number)).filter_map(|number| numbers.get(&number).copied()));
            let predicate = Predicate::OneOf { labels, missing: false }.simplest().ok_or_else(|| none("no combination".into()))?;
            self.meet_learned(*carrier, predicate)?;
        } else {
            self.refuse_unlearned(&part.plain)?;
        }
        // The predicate's ends may be a hair too wide.
        self.joint.push(part);
        Ok(())
    }

    /// Asks for more in one of the user's columns.
    fn meet(&mut self, index: usize, new: Predicate) -> Result<()> {
        match self.learned(index, new) {
            Some((column, predicate)) => self.meet_learned(column, predicate),
            None => Err(self.contradiction(index)),
        }
    }

    fn meet_learned(&mut self, column: usize, new: Predicate) -> Result<()> {
        let known = self.predicates[column].take();
        let both = known.map_or(Some(new.clone()), |known| known.and(new));
        self.predicates[column] = Some(both.ok_or_else(|| self.contradiction(column))?);
        Ok(())
    }

    fn contradiction(&self, column: usize) -> Error {
        Error::Condition(format!("two conditions on \"{}\" contradict each other; remove one of them", self.schemas[column].name))
    }

    /// What a predicate on one of the user's columns is in terms of the model's.
    fn learned(&self, column: usize, predicate: Predicate) -> Option<(usize, Predicate)> {
        let Some((carrier, combinations, numbers)) = self.carried.iter().find(|(_, one, _)| one.columns.contains(&column)) else {
            return Some((column, predicate));
        };
        let place = combinations.columns.iter().position(|&own| own == column)?;
        let allows = |code: u32| match &predicate {
            Predicate::Label(wanted) => code == *wanted,
            Predicate::Missing => code == semblant_data::table::MISSING,
            Predicate::OneOf { missing, .. } if code == semblant_data::table::MISSING => *missing,
            Predicate::OneOf { labels, .. } => labels.contains(&code),
            _ => false,
        };
        let allowed = (0..combinations.rows.len()).filter(|&number| allows(combinations.rows[number][place]));
        let labels = sorted(allowed.filter_map(|number| numbers.get(&number).copied()));
        Predicate::OneOf { labels, missing: false }.simplest().map(|predicate| (*carrier, predicate))
    }

    /// Refuses a condition on a column whose values are made anew for every row.
    fn refuse_unlearned(&self, condition: &Expression) -> Result<()> {
        let unlearned = |column: &&usize| self.domains[**column] == Domain::Unlearned && !self.constraints.computes(**column);
        match condition.columns().iter().find(unlearned) {
            Some(&column) => {
                let ColumnSchema { name, kind, .. } = self.schemas[column];
                Err(Error::Condition(format!(
                    "--where {condition}: column \"{name}\" is {kind} and not learned, so it cannot be asked for"
                )))
            }
            None => Ok(()),
        }
    }

    /// The cases of a request: target shares, or rows that are given.
    pub(super) fn cases(&self, request: &TableRequest) -> Result<Cases> {
        if let Some(given) = &request.given {
            if request.balance.is_some() || request.distribution.is_some() {
                return Err(Error::Condition("rows that are given have no target shares; omit --balance and --distribution".into()));
            }
            return self.given(given);
        }
        match (&request.balance, &request.distribution) {
            (None, None) => Ok(Cases::default()),
            (Some(_), Some(_)) => Err(Error::Condition("give --balance or --distribution, not both".into())),
            (Some(column), None) => {
                let choices = self.choices(column, "balanced")?;
                Ok(Cases::in_turn(choices.into_iter().map(|(_, asked)| vec![asked]).collect()))
            }
            (None, Some((column, shares))) => {
                let choices = self.choices(column, "given target shares")?;
                let mut asked = Vec::new();
                for (wanted, share) in shares {
                    let Some((_, choice)) = choices.iter().find(|(label, _)| label == wanted) else {
                        let known: Vec<&str> = choices.iter().take(8).map(|(label, _)| label.as_str()).collect();
                        let what = format!("\"{wanted}\" was not in the training data; there were {}", known.join(", "));
                        return Err(Error::Condition(format!("--distribution {column}: {what}")));
                    };
                    asked.push((vec![choice.clone()], *share));
                }
                let (asked, shares): (Vec<_>, Vec<f64>) = asked.into_iter().filter(|(_, share)| *share > 0.0).unzip();
                if shares.is_empty() || !shares.iter().all(|share| share.is_finite()) {
                    return Err(Error::Condition(format!("--distribution {column}: give at least one share above 0")));
                }
                Ok(Cases::with_shares(asked, &shares, &SHARES.of(request.seed)))
            }
        }
    }

    /// The labels of a column that the conditions leave.
    fn choices(&self, name: &str, what: &str) -> Result<Vec<Choice>> {
        let index = position(&self.schemas, name)?;
        let Domain::Labels { labels, .. } = &self.domains[index] else {
            let kind = self.schemas[index].kind;
            return Err(Error::Condition(format!("column \"{name}\" is {kind}; only a categorical column can be {what}")));
        };
        let mut labels = labels.clone();
        labels.sort_unstable();
        let mut choices = Vec::new();
        for (code, label) in labels {
            let Some((column, predicate)) = self.learned(index, Predicate::Label(code)) else { continue };
            if column == index && self.predicates[column].is_some() {
                let what = format!("column \"{name}\" cannot be both {what} and fixed by a condition; remove one of the two");
                return Err(Error::Condition(what));
            }
            // Other conditions on a combination may leave no row with this label.
            let both = match &self.predicates[column] {
                Some(known) => known.clone().and(predicate),
                None => Some(predicate),
            };
            choices.extend(both.map(|both| (label.to_owned(), (column, both))));
        }
        if choices.is_empty() { Err(self.contradiction(index)) } else { Ok(choices) }
    }

    /// One case for each row that is given: its cells, as far as the model knows such values.
    fn given(&self, given: &Table) -> Result<Cases> {
        if given.rows() == 0 {
            return Err(Error::Condition("--given: the table has no rows; give at least one".into()));
        }
        let mut asked: Vec<Vec<(usize, Predicate)>> = vec![Vec::new(); given.rows()];
        for (described, column) in given.iter() {
            let index = position(&self.schemas, &described.name)?;
            let known = (0..given.rows()).find(|&row| !column.is_missing(row));
            if let (Some(_), true) = (known, self.constraints.computes(index)) {
                let what = format!("--given: column \"{}\" is computed from others; give those, or ask for it by --where", described.name);
                return Err(Error::Condition(what));
            }
            let codes: HashMap<&str, u32> = match &self.domains[index] {
                Domain::Labels { labels, .. } => labels.iter().map(|(code, label)| (*label, *code)).collect(),
                _ => HashMap::new(),
            };
            for (row, asked) in asked.iter_mut().enumerate() {
                let predicate = match (&self.domains[index], column) {
                    (Domain::Open { .. }, Column::Number(values)) if values[row].is_finite() => {
                        Some(Predicate::Range { low: values[row], high: values[row] })
                    }
                    (Domain::Open { .. }, labels @ Column::Category { .. }) if labels.label(row).is_some() => {
                        let name = &self.schemas[index].name;
                        return Err(Error::Condition(format!("--given: column \"{name}\" has no list of labels; ask for one by --where")));
                    }
                    (Domain::Labels { .. }, labels @ Column::Category { .. }) => {
                        labels.label(row).and_then(|label| codes.get(label)).map(|&code| Predicate::Label(code))
                    }
                    (Domain::Labels { .. }, Column::Number(values)) => {
                        codes.get(format!("{}", values[row]).as_str()).map(|&code| Predicate::Label(code))
                    }
                    (Domain::Numbers { range: Some((low, high)), .. }, Column::Number(values)) => {
                        let value = self.schemas[index].round_number(values[row]);
                        (*low..=*high).contains(&value).then_some(Predicate::Range { low: value, high: value })
                    }
                    _ => None,
                };
                let Some(predicate) = predicate else { continue };
                let contradiction = || {
                    let name = &self.schemas[index].name;
                    Error::Condition(format!(
                        "--given: row {} contradicts a condition on \"{name}\", or a combination; correct it",
                        row + 1
                    ))
                };
                let (column, predicate) = self.learned(index, predicate).ok_or_else(contradiction)?;
                match asked.iter_mut().find(|(known, _)| *known == column) {
                    Some((_, known)) => *known = known.clone().and(predicate).ok_or_else(contradiction)?,
                    None => {
                        let both = self.predicates[column].clone().map_or(Some(predicate.clone()), |known| known.and(predicate));
                        asked.push((column, both.ok_or_else(contradiction)?));
                    }
                }
            }
        }
        Ok(Cases::in_turn(asked))
    }
}

fn sorted(codes: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut codes: Vec<u32> = codes.collect();
    codes.sort_unstable();
    codes
}

/// The labels of one combination, as a row.
struct Combination<'a> {
    combinations: &'a Combinations,
    types: &'a [Type],
    number: usize,
}

impl Row for Combination<'_> {
    fn value(&self, column: usize) -> Value<'_> {
        let place = self.combinations.columns.iter().position(|&own| own == column);
        let code = place.map(|place| (place, self.combinations.rows[self.number][place]));
        let text = code.and_then(|(place, code)| self.combinations.levels[place].get(code as usize));
        label(self.types[column], text.map(String::as_str))
    }
}

/// A condition in the short form as SQL.
fn as_sql(condition: &Condition) -> String {
    let column = quoted(&condition.column);
    match &condition.wanted {
        Wanted::Is(text) if text.is_empty() => format!("{column} is null"),
        Wanted::Is(text) => comparison(condition)
            .filter(|_| text.chars().any(char::is_alphabetic) && text.contains(['+', '*', '/', '"']))
            .unwrap_or_else(|| format!("{column} = '{}'", text.replace('\'', "''"))),
        Wanted::Between { low, high } if *low == f64::NEG_INFINITY => format!("{column} <= {high}"),
        Wanted::Between { low, high } if *high == f64::INFINITY => format!("{column} >= {low}"),
        Wanted::Between { low, high } => format!("{column} between {low} and {high}"),
        _ => column,
    }
}

/// A condition whose value is no value of its column but an expression of other columns: `total=price * amount`.
fn comparison(condition: &Condition) -> Option<String> {
    let Wanted::Is(text) = &condition.wanted else { return None };
    Some(format!("{} = {text}", quoted(&condition.column)))
}

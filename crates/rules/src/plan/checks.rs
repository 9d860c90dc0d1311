//! What does not depend on single columns: circles, and what chaos may spoil.

use std::collections::HashMap;

use semblant_expressions::Type;

use super::names::{DEEPEST, Resolver, too_deep};
use super::{ChildLaw, LinkKind, Plan, Rows, Slot};
use crate::error::{Place, Result};
use crate::spec::{At, Chaos, Names};

/// A column, or the rows of a table as such.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    Column(usize, usize),
    Rows(usize),
    /// Which rows a link leads to.
    Link(usize, usize),
}

/// Refuses columns and tables that need themselves, with the names along the circle.
pub(super) fn acyclic(plan: &Plan) -> Result<()> {
    let mut states: HashMap<Part, bool> = HashMap::new();
    for table in 0..plan.tables.len() {
        let parts = (0..plan.tables[table].columns.len()).map(|column| Part::Column(table, column));
        for start in std::iter::once(Part::Rows(table)).chain(parts) {
            visit(plan, start, &mut states, &mut Vec::new())?;
        }
    }
    Ok(())
}

fn visit(plan: &Plan, part: Part, done: &mut HashMap<Part, bool>, path: &mut Vec<Part>) -> Result<()> {
    match done.get(&part) {
        Some(true) => return Ok(()),
        Some(false) => {
            let start = path.iter().position(|&other| other == part).unwrap_or(0);
            let mut circle: Vec<String> = path[start..].iter().filter_map(|&part| name(plan, part)).collect();
            circle.dedup();
            let first = circle.first().cloned().unwrap_or_default();
            let what = format!("a circle: {} -> {first}; break it, each needs the next one first", circle.join(" -> "));
            return plan.fail(place(plan, part), what);
        }
        None if path.len() >= DEEPEST => return plan.fail(place(plan, part), too_deep()),
        None => {}
    }
    done.insert(part, false);
    path.push(part);
    for next in needs(plan, part) {
        visit(plan, next, done, path)?;
    }
    path.pop();
    done.insert(part, true);
    Ok(())
}

fn name(plan: &Plan, part: Part) -> Option<String> {
    match part {
        Part::Column(table, column) => Some(format!("{}.{}", plan.tables[table].name, plan.tables[table].columns[column].name)),
        Part::Rows(table) => Some(format!("the rows of {}", plan.tables[table].name)),
        Part::Link(..) => None,
    }
}

fn place(plan: &Plan, part: Part) -> Place {
    match part {
        Part::Column(table, column) => plan.tables[table].columns[column].place,
        Part::Rows(table) => plan.tables[table].place,
        Part::Link(table, link) => plan.tables[table].links[link].place,
    }
}

fn of_slot(plan: &Plan, table: usize, slot: usize) -> Vec<Part> {
    match plan.tables[table].slots[slot].slot {
        Slot::Own(column) => vec![Part::Column(table, column)],
        Slot::RowNumber => Vec::new(),
        Slot::ChildNumber | Slot::Children => vec![Part::Rows(table)],
        Slot::Link { link, column } => {
            let other = plan.tables[table].links[link].table;
            vec![Part::Link(table, link), Part::Column(other, column)]
        }
        // What a machine or a series needs is of the parent.
        Slot::Machine(_) | Slot::Series(_) => vec![Part::Rows(table)],
    }
}

fn needs(plan: &Plan, part: Part) -> Vec<Part> {
    let slots = |table: usize, slots: &[usize]| slots.iter().flat_map(|&slot| of_slot(plan, table, slot)).collect::<Vec<_>>();
    match part {
        Part::Column(table, column) => slots(table, &plan.tables[table].columns[column].needs),
        Part::Link(table, link) => {
            let link = &plan.tables[table].links[link];
            let mut needs = slots(table, &link.needs);
            if !matches!(link.kind, LinkKind::Earlier) {
                needs.push(Part::Rows(if matches!(link.kind, LinkKind::Parent) { table } else { link.table }));
            }
            needs
        }
        Part::Rows(table) => match &plan.tables[table].rows {
            Rows::Count(_) => Vec::new(),
            Rows::Children { parent, law } => {
                let mut needs = vec![Part::Rows(*parent)];
                if let ChildLaw::Computed { expression, .. } = law {
                    needs.extend(slots(*parent, expression.columns()));
                }
                let histories = plan.tables[table].machine.iter().map(|machine| &machine.parent_columns);
                let histories = histories.chain(plan.tables[table].series.iter().map(|series| &series.parent_columns));
                needs.extend(histories.flatten().map(|&column| Part::Column(*parent, column)));
                needs
            }
        },
    }
}

impl Resolver<'_> {
    /// Whether chaos names columns that there are, of types that it can spoil.
    pub(super) fn check_chaos(&self, table: usize) -> Result<()> {
        let spec = &self.spec.tables[table];
        let rate = |rate: &At<f64>| match rate.value {
            value if (0.0..=1.0).contains(&value) => Ok(()),
            value => self.fail(rate.place, format!("the rate {value} is not from 0 to 1; write one that is")),
        };
        let columns = |names: &Names, wanted: Option<Type>| {
            for name in &names.0 {
                let column = self.column_of(table, name)?;
                let found = self.type_of(table, column)?;
                if wanted.is_some_and(|wanted| wanted != found) {
                    let needed = wanted.map(|wanted| wanted.to_string()).unwrap_or_default();
                    return self.fail(name.place, format!("column \"{}\" is {found}, where {needed} is needed; name another", **name));
                }
                if self.columns[table][column].hidden {
                    return self.fail(name.place, format!("column \"{}\" is hidden; name one that is written", **name));
                }
            }
            Ok(())
        };
        for chaos in &spec.chaos {
            match &chaos.value {
                Chaos::Duplicates { rate: all } => rate(all)?,
                Chaos::Typos { columns: names, rate: all } => rate(all).and_then(|()| columns(names, Some(Type::Text)))?,
                Chaos::Missing { columns: names, rate: all } => rate(all).and_then(|()| columns(names, None))?,
                Chaos::Units { columns: names, rate: all, .. } | Chaos::Outliers { columns: names, rate: all, .. } => {
                    rate(all).and_then(|()| columns(names, Some(Type::Number)))?;
                }
                Chaos::Drift { columns: names, after, .. } => rate(after).and_then(|()| columns(names, Some(Type::Number)))?,
                Chaos::Swaps { columns: names, rate: all } => {
                    rate(all).and_then(|()| columns(names, None))?;
                    let types = names.0.iter().map(|name| self.column_of(table, name).and_then(|column| self.type_of(table, column)));
                    let types = types.collect::<Result<Vec<_>>>()?;
                    if types.len() != 2 || types[0] != types[1] {
                        return self.fail(chaos.place, "two columns of one type are swapped; name two");
                    }
                }
                Chaos::Late { rate: all, rows } => {
                    rate(all)?;
                    if !(1..=4_096).contains(&rows.value) {
                        return self.fail(rows.place, format!("{} rows late is not from 1 to 4,096; write fewer", rows.value));
                    }
                }
            }
        }
        Ok(())
    }
}

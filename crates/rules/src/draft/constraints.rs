//! What was found to hold in every row of a table, as constraints of its draft: those that rows of the draft meet often enough are put in force, the
//! others are proposed in comments.

use std::collections::HashMap;

use semblant_data::table::{Column, ColumnSchema, Constraint, Table as Data};
use semblant_expressions::Expression;
use semblant_tabular::conditions::{Cells, Names, types};

use super::RARE;
use super::write::{name_in_sql, quoted};

/// The share of drafted rows that have to meet the constraints in force: then few are drawn again.
const OFTEN: f64 = 0.2;

/// A constraint that holds in every row of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposed {
    /// The constraint.
    pub constraint: Constraint,
    /// Why it may be one, on one line.
    pub why: String,
}

/// The lines of the constraints of a table of which `made` are drafted rows. None is put in force if `in_force` is not set.
pub(super) fn lines(real: &Data, made: Option<&Data>, proposed: &[Proposed], in_force: bool) -> String {
    let mut text = String::new();
    let mut meets = vec![true; made.map_or(0, Data::rows)];
    for Proposed { constraint, why } in proposed {
        let why = why.replace('\n', " ");
        let Some(check) = condition(constraint).filter(|check| !names_rare_labels(check, real)) else { continue };
        let held = made.and_then(|made| held(made, &check));
        let share = |rows: &[bool]| rows.iter().filter(|met| **met).count() as f64 / rows.len().max(1) as f64;
        let entry = format!("[[table.constraint]]\ncheck = {}\n", quoted(&check));
        let commented = || entry.lines().map(|line| format!("# {line}\n")).collect::<String>();
        match held {
            // By construction.
            Some(held) if held.iter().all(|met| *met) => {}
            Some(held) => {
                let both: Vec<bool> = meets.iter().zip(&held).map(|(a, b)| *a && *b).collect();
                let percent = 100.0 * share(&held);
                text.push_str(&format!("\n# {why}; {percent:.0} % of the rows drafted meet it\n"));
                if in_force && share(&both) >= OFTEN {
                    text.push_str(&entry);
                    meets = both;
                } else {
                    text.push_str("# Too few to draw the others again: change what makes the columns, then take the marks away.\n");
                    text.push_str(&commented());
                }
            }
            None => text.push_str(&format!("\n# {why}\n{}", commented())),
        }
    }
    text
}

/// A constraint as a condition; `None` where it has no such form, or would list values of rows.
fn condition(constraint: &Constraint) -> Option<String> {
    let text = match constraint {
        Constraint::Check(condition) => condition.clone(),
        Constraint::Derive(assigned) => assigned.clone(),
        Constraint::Order { columns, strict } => {
            let sign = if *strict { "<" } else { "<=" };
            let pairs = columns.windows(2).map(|pair| format!("{} {sign} {}", name_in_sql(&pair[0]), name_in_sql(&pair[1])));
            pairs.collect::<Vec<_>>().join(" and ")
        }
        _ => return None,
    };
    (!text.to_lowercase().contains("case ")).then_some(text)
}

/// Whether each row meets a condition; `None` where it cannot be read.
fn held(data: &Data, check: &str) -> Option<Vec<bool>> {
    let schemas: Vec<&ColumnSchema> = data.schema().columns.iter().collect();
    let types = types(&schemas, |_| true);
    let condition = Expression::condition(check, &Names::of(schemas, types.clone(), &[])).ok()?;
    let met = |row: usize| condition.holds(&Cells { columns: data.columns(), types: &types, row }) != Some(false);
    Some((0..data.rows()).map(met).collect())
}

/// Whether a condition names a label of fewer than [`RARE`] rows.
fn names_rare_labels(check: &str, data: &Data) -> bool {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for column in data.columns() {
        if let Column::Category { codes, levels } = column {
            codes.iter().filter_map(|&code| levels.get(code as usize)).for_each(|label| *counts.entry(label.as_str()).or_default() += 1);
        }
    }
    // Names stand between double quotes; what stands between single ones is a label, in which they are doubled.
    let mut rest = check;
    while let Some((_, inside)) = rest.split_once('\'') {
        let mut label = String::new();
        let mut after = inside;
        loop {
            let Some((part, behind)) = after.split_once('\'') else { return true };
            label.push_str(part);
            after = behind;
            match after.strip_prefix('\'') {
                Some(more) => {
                    label.push('\'');
                    after = more;
                }
                None => break,
            }
        }
        let is_interval = check[..check.len() - inside.len() - 1].trim_end().to_lowercase().ends_with("interval");
        if !is_interval && counts.get(label.as_str()).is_none_or(|count| *count < RARE) {
            return true;
        }
        rest = after;
    }
    false
}

#[cfg(test)]
mod tests {
    use semblant_data::table::ColumnKind;

    use super::*;

    #[test]
    fn labels_of_few_rows_are_found_in_conditions() {
        let labels = (0..20).map(|row| Some(if row < 4 { "o'n" } else { "many" }));
        let table = Table::from_columns(vec![("a", ColumnKind::Categorical, Column::from_labels(labels))]).expect("a table");
        let rare = |check: &str| names_rare_labels(check, &table);
        assert!(!rare("not (\"a\" in ('many')) or b is null") && !rare("x = y + interval '5 seconds'") && !rare("x <= y"));
        assert!(rare("a = 'o''n'") && rare("a in ('many', 'none')") && rare("a = 'open"));
    }

    use Data as Table;
}

//! Rules of a table as constraints that a schema can declare.

use semblant_data::table::{Column, ColumnKind, Constraint, MISSING, Schema, Table};

use super::relation::{Property, Relation, When};
use super::{LEAST_ROWS, MOST_RULES, Search};

/// A constraint that holds in every row of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Mined {
    /// The constraint.
    pub constraint: Constraint,
    /// The rule in words, column names between backticks.
    pub words: String,
    /// Share of rows that keep it after one of its columns was shuffled: the lower, the more it says.
    pub shuffled: f64,
}

/// Proposes constraints that hold in every row of `table`, those that say most first. They are as likely to be accidents of the table as laws of
/// what it is about: a person accepts them. See [`rules`](super::rules) for what is searched. Empty for a table of fewer than
/// [`LEAST_ROWS`] rows.
pub fn mine(table: &Table, seed: u64) -> Vec<Mined> {
    if table.rows() < LEAST_ROWS {
        return Vec::new();
    }
    let (schema, columns) = (table.schema(), table.columns());
    let is_learned = |relation: &Relation| relation.columns().iter().all(|&column| schema.columns[column].kind.is_modelled());
    let mut found: Vec<(Relation, f64)> = Search::new(table, seed).run();
    found.retain(|(relation, _)| is_learned(relation) && !relation.determines_by_time(schema));
    found.truncate(MOST_RULES);
    // A column is computed once; further relations of it are checked.
    let mut computed = vec![false; columns.len()];
    let mut all = Vec::new();
    for (relation, shuffled) in &found {
        let constraint = relation.constraint(schema, columns, &mut computed);
        all.push(Mined { constraint, words: relation.words(schema, columns), shuffled: *shuffled });
    }
    all
}

impl Relation {
    fn constraint(&self, schema: &Schema, columns: &[Column], computed: &mut [bool]) -> Constraint {
        let plain = |place: usize| schema.columns[place].name.clone();
        let name = |place: usize| format!("\"{}\"", plain(place).replace('"', "\"\""));
        match self {
            Self::Linear { total, parts, constant, tolerance } => {
                let is_time = schema.columns[*total].kind == ColumnKind::Datetime;
                let term = |(part, factor): &(usize, f64)| if *factor == 1.0 { name(*part) } else { format!("{factor} * {}", name(*part)) };
                let sum = parts.iter().map(term).collect::<Vec<_>>().join(" + ");
                let sum = match *constant {
                    0.0 => sum,
                    seconds if is_time => format!("{sum} + interval '{seconds} seconds'"),
                    constant if constant < 0.0 => format!("{sum} - {}", -constant),
                    constant => format!("{sum} + {constant}"),
                };
                let is_free = !computed[*total] && parts.iter().all(|(part, _)| !computed[*part]);
                if is_free && (is_time || self.is_exact(schema, columns)) {
                    computed[*total] = true;
                    return Constraint::Derive(format!("{} = {sum}", name(*total)));
                }
                if is_time {
                    return Constraint::Check(format!("{} = {sum}", name(*total)));
                }
                Constraint::Check(format!("abs({} - ({sum})) <= {tolerance}", name(*total)))
            }
            Self::Order { low, high, strict } => Constraint::Order { columns: vec![plain(*low), plain(*high)], strict: *strict },
            Self::Determines { key, value, .. } if columns[*key].numbers().is_none() && columns[*value].numbers().is_none() => {
                Constraint::Combinations { columns: vec![plain(*key), plain(*value)], allowed: None, file: None }
            }
            Self::Determines { key, value, map } => {
                let mut pairs: Vec<(String, String)> =
                    map.iter().map(|(&from, &to)| (literal(&columns[*key], from), literal(&columns[*value], to))).collect();
                pairs.sort_unstable();
                let cases: Vec<String> = pairs.iter().map(|(from, to)| format!("when {from} then {to}")).collect();
                Constraint::Check(format!("{} = case {} {} end", name(*value), name(*key), cases.join(" ")))
            }
            Self::Whenever { when, column, property, exactly } => {
                let is = match property {
                    Property::Missing => format!("{} is null", name(*column)),
                    Property::Zero => format!("{} = 0", name(*column)),
                };
                let (condition, otherwise) = when.conditions(&name, columns);
                Constraint::Check(match exactly {
                    true => format!("(not {condition} or {is}) and (not {otherwise} or not {is})"),
                    false => format!("not {condition} or {is}"),
                })
            }
        }
    }

    /// Whether a time determines something, or is determined: a list of moments, and no law.
    fn determines_by_time(&self, schema: &Schema) -> bool {
        let is_time = |column: &usize| schema.columns[*column].kind == ColumnKind::Datetime;
        matches!(self, Self::Determines { key, value, .. } if is_time(key) || is_time(value))
    }

    /// Whether the total is what its parts give, rounded as the column is.
    fn is_exact(&self, schema: &Schema, columns: &[Column]) -> bool {
        let Self::Linear { total, parts, constant, .. } = self else { return false };
        let described = &schema.columns[*total];
        let number = |column: usize, row: usize| columns[column].numbers().map_or(f64::NAN, |values| values[row]);
        let slack = 0.5 * described.step().unwrap_or(0.0);
        (0..columns[*total].len()).all(|row| {
            let sum = parts.iter().map(|(part, factor)| factor * number(*part, row)).sum::<f64>() + constant;
            let given = number(*total, row);
            !given.is_finite() || sum.is_finite() && (given - sum).abs() <= slack + 1e-6 * sum.abs()
        })
    }
}

/// A value as it stands in SQL.
fn literal(column: &Column, value: u64) -> String {
    match column {
        Column::Number(_) => format!("{}", f64::from_bits(value)),
        labels => {
            let levels = labels.categories().map_or(&[][..], |(_, levels)| levels);
            format!("'{}'", levels.get(value as usize).map_or("", String::as_str).replace('\'', "''"))
        }
    }
}

impl When {
    /// The condition, and that with which the relation must not hold.
    fn conditions(&self, name: &dyn Fn(usize) -> String, columns: &[Column]) -> (String, String) {
        match self {
            Self::Missing(column) => (format!("({} is null)", name(*column)), format!("({} is not null)", name(*column))),
            Self::Labels { column, codes, others } => {
                let one_of = |codes: &mut dyn Iterator<Item = u32>| {
                    let (mut known, mut missing) = (Vec::new(), false);
                    for code in codes {
                        if code == MISSING {
                            missing = true;
                        } else {
                            known.push(literal(&columns[*column], u64::from(code)));
                        }
                    }
                    match (known.is_empty(), missing) {
                        (true, true) => format!("({} is null)", name(*column)),
                        (true, false) => "false".to_owned(),
                        (false, false) => format!("({} in ({}))", name(*column), known.join(", ")),
                        (false, true) => format!("({0} is null or {0} in ({1}))", name(*column), known.join(", ")),
                    }
                };
                (one_of(&mut codes.iter().copied()), one_of(&mut others.iter().copied()))
            }
        }
    }
}

//! Tables as wholes: how many rows they have, and which rows of others theirs belong to.

use std::sync::Arc;

use faer::{Mat, Side};
use semblant_core::normal;
use semblant_data::table::ColumnSchema;
use semblant_expressions::Type;

use super::draws::cumulative;
use super::names::Resolver;
use super::{CheckPlan, ChildCounts, ChildLaw, ChildQuantiles, Copula, LearnedBlock, Link, LinkKind, Maker, Rows, SlotInfo, Table};
use crate::children::BLOCK;
use crate::error::{Error, Place, Result};
use crate::spec::{At, Children, Correlation, Draw, Pick, Scalar, TableSpec};

/// The most children of one parent.
const MOST_CHILDREN: f64 = 1e6;
/// The least eigenvalue of a matrix of correlations that are possible.
const LEAST_EIGENVALUE: f64 = 1e-9;

impl Resolver<'_> {
    pub(super) fn table(&self, table: usize) -> Result<Table> {
        let spec = &self.spec.tables[table];
        let links = self.link_plans(table)?;
        let slots = self.slots(table)?.into_iter().map(|(_, slot)| Ok(SlotInfo { data_type: self.type_of_slot(table, slot)?, slot }));
        let slots = slots.collect::<Result<Vec<_>>>()?;
        let copulas = spec.correlations.iter().map(|correlation| self.copula(table, correlation)).collect::<Result<Vec<_>>>()?;
        let mut columns = Vec::new();
        for index in 0..self.columns[table].len() {
            let mut places =
                copulas.iter().enumerate().filter_map(|(group, copula)| Some((group, copula.columns.iter().position(|&c| c == index)?)));
            let copula = places.next();
            if places.next().is_some() {
                let what = "this column is in two correlations; write one with a matrix of all of them";
                return self.fail(self.columns[table][index].name.place, what);
            }
            let column = self.column(table, index, copula, &links)?;
            if copula.is_some() && !matches!(&column.maker, Maker::Draw(draw) if draw.is_ordered()) {
                let what = format!(
                    "column \"{}\" is not drawn from one distribution, so it has no rank correlation to give; take it out",
                    column.name
                );
                return self.fail(self.correlated(spec, &column.name), what);
            }
            columns.push(column);
        }
        for key in spec.key.iter().flat_map(|key| &key.0) {
            self.column_of(table, key)?;
        }
        let checks = spec.constraints.iter().map(|check| {
            let attempts = check.attempts.as_ref().map_or(100, |attempts| attempts.value);
            if !(1..=100_000).contains(&attempts) {
                return self.fail(check.check.place, format!("{attempts} attempts are not from 1 to 100,000; change attempts"));
            }
            Ok(CheckPlan { condition: self.condition(table, &check.check)?, attempts, place: check.check.place })
        });
        let checks = checks.collect::<Result<Vec<_>>>()?;
        let visible: Vec<usize> = (0..columns.len()).filter(|&index| !columns[index].hidden).collect();
        if visible.is_empty() {
            return self.fail(spec.name.place, "every column is hidden; show one");
        }
        let described: Vec<ColumnSchema> = visible.iter().map(|&index| columns[index].described.clone()).collect();
        self.check_chaos(table)?;
        Ok(Table {
            name: spec.name.value.clone(),
            place: spec.name.place,
            rows: self.rows(table)?,
            links,
            slots,
            columns,
            checks,
            copulas,
            learned: self.learned_blocks(table)?,
            machine: spec.machine.as_ref().map(|machine| self.machine(table, machine)).transpose()?,
            series: spec.series.as_ref().map(|series| self.series(table, series)).transpose()?,
            seats: self.stream(table, "\u{1f}seats"),
            chaos: (spec.chaos.iter().enumerate())
                .map(|(place, chaos)| (chaos.value.clone(), self.stream(table, &format!("\u{1f}chaos {place}"))))
                .collect(),
            visible,
            schema: semblant_data::table::Schema { columns: described, ..Default::default() },
        })
    }

    fn correlated(&self, spec: &TableSpec, name: &str) -> Place {
        let all = spec.correlations.iter().flat_map(|correlation| &correlation.columns.0);
        all.clone().find(|known| ***known == *name).map_or(spec.name.place, |found| found.place)
    }

    fn link_plans(&self, table: usize) -> Result<Vec<Link>> {
        let spec = &self.spec.tables[table];
        let mut links = Vec::new();
        if let Some(per) = &spec.per {
            let other = self.table_of(per)?;
            if other == table {
                return self.fail(per.place, "a table has no rows for each of its own; write [[table.reference]] for a row before");
            }
            links.push(Link {
                name: per.value.clone(),
                place: per.place,
                table: other,
                kind: LinkKind::Parent,
                stratified: false,
                unconstrained: false,
                missing: None,
                stream: self.stream(table, "\u{1f}parent"),
                needs: Vec::new(),
            });
        }
        for reference in &spec.references {
            let other = self.table_of(&reference.table)?;
            if links.iter().any(|link| link.name == *reference.name) || *reference.name == "parent" {
                return self.fail(reference.name.place, format!("the name \"{}\" is taken here; write another", *reference.name));
            }
            let distinct = reference.distinct.as_ref().is_some_and(|distinct| distinct.value);
            if let (true, Some(distinct), None) = (distinct, &reference.distinct, &spec.per) {
                return self.fail(distinct.place, "distinct is among the rows of a parent, and the table has no per; remove it");
            }
            let kind = match &reference.pick {
                Pick::Uniform if other == table => LinkKind::Earlier,
                Pick::Uniform => LinkKind::Uniform { distinct },
                Pick::Shares(shares) if other == table => {
                    return self.fail(shares.place, "a row before this one is picked with equal chances; remove pick");
                }
                Pick::Shares(shares) if shares.is_empty() || !shares.iter().all(|share| *share > 0.0 && share.is_finite()) => {
                    return self.fail(shares.place, "these are no shares; write numbers above 0");
                }
                Pick::Shares(shares) => LinkKind::Shares { sums: cumulative(&shares.value), distinct },
                Pick::Zipf { exponent } if other == table => {
                    return self.fail(exponent.place, "a row before this one is picked with equal chances; remove pick");
                }
                Pick::Zipf { exponent } if !(exponent.value > 0.0) => {
                    return self.fail(exponent.place, format!("the exponent {} is not above 0; write one that is", exponent.value));
                }
                Pick::Zipf { exponent } => LinkKind::Zipf { exponent: exponent.value, distinct },
            };
            if reference.stratified && matches!(kind, LinkKind::Earlier) {
                return self.fail(reference.name.place, "a row before this one is picked with equal chances; remove stratified");
            }
            let missing = reference.missing.as_ref().map(|missing| self.probability(table, missing)).transpose()?;
            links.push(Link {
                name: reference.name.value.clone(),
                place: reference.name.place,
                table: other,
                kind,
                stratified: reference.stratified,
                unconstrained: false,
                needs: missing.as_ref().map(|missing| missing.needs().to_vec()).unwrap_or_default(),
                missing,
                stream: self.stream(table, &format!("\u{1f}reference {}", *reference.name)),
            });
        }
        Ok(links)
    }

    fn rows(&self, table: usize) -> Result<Rows> {
        let spec = &self.spec.tables[table];
        let Some(per) = &spec.per else {
            if let Some(children) = &spec.children {
                return self.fail(children.place, "children are those of another table's rows; add per = \"TABLE\", or write rows");
            }
            if let Some(machine) = &spec.machine {
                return self.fail(machine.start.place, "a state machine runs for the rows of another table; add per = \"TABLE\"");
            }
            if let Some(series) = &spec.series {
                return self.fail(series.start.place, "a series runs for the rows of another table; add per = \"TABLE\"");
            }
            return match &spec.rows {
                Some(rows) if rows.value > 1 << 50 => self.fail(rows.place, "a table has at most 2^50 rows; write fewer"),
                Some(rows) => Ok(Rows::Count(rows.value)),
                None => self
                    .fail(spec.name.place, format!("table \"{}\" has no number of rows; add rows = 1000, or per = \"TABLE\"", *spec.name)),
            };
        };
        if let Some(rows) = &spec.rows {
            return self.fail(rows.place, "the number of rows follows from per; remove rows or per");
        }
        let parent = self.table_of(per)?;
        let law = match (&spec.machine, &spec.children) {
            (Some(_), Some(children)) => {
                return self.fail(children.place, "the state machine says how many rows there are; remove children");
            }
            (Some(_), None) => ChildLaw::Machine,
            (None, None) => ChildLaw::Fixed(1),
            (None, Some(children)) => self.child_law(table, parent, children)?,
        };
        if spec.machine.is_some() && spec.series.is_some() {
            return self.fail(per.place, "a table has a state machine or a series; remove one");
        }
        Ok(Rows::Children { parent, law })
    }

    fn child_law(&self, table: usize, parent: usize, children: &At<Children>) -> Result<ChildLaw> {
        let place = children.place;
        let bounded = |count: f64| match count {
            count if (0.0..=MOST_CHILDREN).contains(&count) && count.fract() == 0.0 => Ok(count as u64),
            _ => self.fail(place, format!("{count} is no number of children; write a whole one from 0 to {MOST_CHILDREN}")),
        };
        match &children.value {
            Children::Term(Scalar::Number(count)) => bounded(*count).map(ChildLaw::Fixed),
            Children::Term(scalar) => {
                let Scalar::Text(text) = scalar else { return self.fail(place, "write a number, an expression or a distribution") };
                // The expression is over the parent's own columns, with or without its name before them.
                let expression = self.expression(parent, &At { value: text.clone(), place })?;
                match expression.data_type() {
                    Type::Number => Ok(ChildLaw::Computed { expression, place }),
                    found => self.fail(place, format!("this is {found}, where a number is needed; change the expression")),
                }
            }
            Children::Draw(draw) => {
                let draw = At { value: (**draw).clone(), place };
                if let Draw::Categories(_) = &draw.value {
                    return self.counted(table, &draw).map(|counted| ChildLaw::Drawn(ChildCounts::new(counted)));
                }
                let (_, _, known) = self.law(&draw, &|term| self.param(table, term, Type::Number))?;
                let Some(quantiles) = known else {
                    return self.fail(
                        place,
                        "the parameters are numbers here; write an expression of the parent's columns instead of a distribution",
                    );
                };
                for u in [0.5 / BLOCK as f64, 1.0 - 0.5 / BLOCK as f64] {
                    bounded(quantiles.quantile(u).round())?;
                }
                Ok(ChildLaw::Drawn(ChildCounts::new(ChildQuantiles::Law(quantiles))))
            }
        }
    }

    /// The numbers of children where they are labels with weights: `{ categories = { 0 = 3, 1 = 5 } }`.
    fn counted(&self, table: usize, draw: &At<Draw>) -> Result<ChildQuantiles> {
        let Draw::Categories(labels) = &draw.value else { return self.fail(draw.place, "write labels with weights") };
        let mut counts = Vec::new();
        for (label, weight) in &labels.0 {
            let Some(count) = label.parse::<u32>().ok().filter(|count| f64::from(*count) <= MOST_CHILDREN) else {
                return self.fail(weight.place, format!("\"{label}\" is no number of children; write whole numbers up to {MOST_CHILDREN}"));
            };
            match self.param(table, weight, Type::Number)?.constant().filter(|weight| *weight >= 0.0) {
                Some(weight) => counts.push((count, weight)),
                None => return self.fail(weight.place, "a weight is a number from 0 on here; write one"),
            }
        }
        counts.sort_by_key(|(count, _)| *count);
        let sums = cumulative(&counts.iter().map(|(_, weight)| *weight).collect::<Vec<_>>());
        if !sums.last().is_some_and(|whole| *whole > 0.0) {
            return self.fail(draw.place, "all weights are 0; make one of them larger");
        }
        Ok(ChildQuantiles::Counted { counts: counts.into_iter().map(|(count, _)| count).collect(), sums })
    }

    fn copula(&self, table: usize, asked: &Correlation) -> Result<Copula> {
        let names = &asked.columns.0;
        let columns = names.iter().map(|name| self.column_of(table, name)).collect::<Result<Vec<_>>>()?;
        let place =
            asked.matrix.as_ref().map(|matrix| matrix.place).or(asked.rank.as_ref().map(|rank| rank.place)).unwrap_or(names[0].place);
        let count = columns.len();
        if count < 2 || (1..count).any(|index| columns[..index].contains(&columns[index])) {
            return self.fail(place, "a correlation is of two or more different columns; write them in columns");
        }
        let ranks: Vec<Vec<f64>> = match (&asked.rank, &asked.matrix) {
            (Some(rank), None) => (0..count).map(|i| (0..count).map(|j| if i == j { 1.0 } else { rank.value }).collect()).collect(),
            (None, Some(matrix)) => matrix.value.clone(),
            _ => return self.fail(place, "a correlation has either rank or matrix; write one of them"),
        };
        let is_right = ranks.len() == count
            && ranks.iter().all(|row| row.len() == count && row.iter().all(|rank| rank.abs() <= 1.0))
            && (0..count).all(|i| ranks[i][i] == 1.0 && (0..i).all(|j| ranks[i][j] == ranks[j][i]));
        if !is_right {
            return self.fail(
                place,
                format!("these are no correlations: write {count} rows of {count} numbers from -1 to 1, symmetric, with 1 on the diagonal"),
            );
        }
        // Pearson's correlation of normal scores that has this rank correlation (Kruskal 1958).
        let pearson = |i: usize, j: usize| if i == j { 1.0 } else { 2.0 * (std::f64::consts::PI * ranks[i][j] / 6.0).sin() };
        let wanted = Mat::from_fn(count, count, pearson);
        let nearest =
            nearest(&wanted).ok_or_else(|| Error::new(self.path, place, "these correlations could not be analysed; check them"))?;
        let pairs = (0..count).flat_map(|i| (0..i).map(move |j| (i, j)));
        let off = |&(i, j): &(usize, usize)| (nearest[(i, j)] - wanted[(i, j)]).abs();
        if let Some((i, j)) = pairs.max_by(|a, b| off(a).total_cmp(&off(b))).filter(|pair| off(pair) > 1e-6 && !asked.nearest) {
            let rank = 6.0 / std::f64::consts::PI * (0.5 * nearest[(i, j)]).asin();
            return self.fail(
                place,
                format!(
                    "these correlations cannot all hold: {} and {} would have {rank:.3} in the nearest possible ones; change them, or write nearest = true",
                    *names[j], *names[i]
                ),
            );
        }
        let factor = cholesky(&nearest)
            .ok_or_else(|| Error::new(self.path, place, "these correlations leave no freedom; move them away from 1 and -1"))?;
        Ok(Copula { columns, factor })
    }

    /// Which columns a model of a table is given: those of the table, and those of the model.
    pub(super) fn given(&self, table: usize, block: usize) -> Result<Vec<(usize, usize)>> {
        let learned = &self.spec.tables[table].learned[block];
        let schema = self.models[table][block].schema();
        let mut given = Vec::new();
        for name in learned.given.iter().flat_map(|names| &names.0) {
            let own = self.column_of(table, name)?;
            let Some(column) = schema.names().position(|known| *known == **name) else {
                let what = format!("the model has no column \"{}\"; it has {}", **name, schema.names().collect::<Vec<_>>().join(", "));
                return self.fail(name.place, what);
            };
            if self.learned[table].get(&own).is_some_and(|(other, _)| *other == block) {
                return self.fail(name.place, format!("column \"{}\" is drawn by this model; take it out of given", **name));
            }
            let (is, wanted) = (self.type_of(table, own)?, schema.columns[column].kind);
            if wanted.is_number() != matches!(is, Type::Number | Type::Time) {
                return self.fail(name.place, format!("column \"{}\" is {is}, and {wanted} in the model; change its type", **name));
            }
            given.push((own, column));
        }
        Ok(given)
    }

    fn learned_blocks(&self, table: usize) -> Result<Vec<LearnedBlock>> {
        let block = |(index, model): (usize, &Arc<dyn super::Model>)| {
            Ok(LearnedBlock {
                model: model.clone(),
                place: self.spec.tables[table].learned[index].model.place,
                given: self.given(table, index)?,
                stream: self.stream(table, &format!("\u{1f}learned {index}")),
            })
        };
        self.models[table].iter().enumerate().map(block).collect()
    }
}

/// The correlations nearest to the wanted ones that are possible: negative eigenvalues become small positive ones, and the diagonal 1 again.
fn nearest(wanted: &Mat<f64>) -> Option<Mat<f64>> {
    let count = wanted.nrows();
    let parts = wanted.self_adjoint_eigen(Side::Lower).ok()?;
    let values: Vec<f64> = (0..count).map(|index| parts.S()[index].max(LEAST_EIGENVALUE)).collect();
    if (0..count).all(|index| parts.S()[index] >= LEAST_EIGENVALUE) {
        return Some(wanted.clone());
    }
    let vectors = parts.U();
    let raw = Mat::from_fn(count, count, |i, j| (0..count).map(|k| vectors[(i, k)] * values[k] * vectors[(j, k)]).sum::<f64>());
    Some(Mat::from_fn(count, count, |i, j| raw[(i, j)] / (raw[(i, i)] * raw[(j, j)]).sqrt()))
}

/// The lower triangle L with L L^T = A, row by row.
fn cholesky(matrix: &Mat<f64>) -> Option<Vec<Vec<f64>>> {
    let mut factor: Vec<Vec<f64>> = Vec::new();
    for i in 0..matrix.nrows() {
        let mut row = vec![0.0; i + 1];
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| row[k] * factor.get(j).map_or(row[k], |other: &Vec<f64>| other[k])).sum();
            if i == j {
                let left = matrix[(i, i)] - known;
                row[i] = if left > 1e-12 { left.sqrt() } else { return None };
            } else {
                row[j] = (matrix[(i, j)] - known) / factor[j][j];
            }
        }
        factor.push(row);
    }
    Some(factor)
}

/// The uniform number of the score of a copula.
pub(crate) fn uniform_of_score(score: f64) -> f64 {
    normal::cdf(score).clamp(f64::EPSILON / 4.0, 1.0 - f64::EPSILON / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_gives_the_matrix_back() {
        let wanted = Mat::from_fn(3, 3, |i, j| if i == j { 1.0 } else { [0.0, 0.5, -0.3, 0.2][i + j] });
        let factor = cholesky(&nearest(&wanted).expect("symmetric")).expect("possible");
        for i in 0..3 {
            for j in 0..=i {
                let found: f64 = (0..=j).map(|k| factor[i][k] * factor[j][k]).sum();
                assert!((found - wanted[(i, j)]).abs() < 1e-9, "{i} {j}: {found}");
            }
        }
        let impossible = Mat::from_fn(3, 3, |i, j| if i == j { 1.0 } else { -0.9 });
        let near = nearest(&impossible).expect("symmetric");
        assert!(near[(0, 1)] > -0.51 && cholesky(&near).is_some(), "{}", near[(0, 1)]);
    }
}

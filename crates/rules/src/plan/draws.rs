//! What values are drawn from, prepared as far as parameters are known.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use semblant_data::table::{Column, Table as Data};
use semblant_expressions::Type;

use super::names::Resolver;
use super::{DrawPlan, Group, Param};

use crate::error::{Error, Place, Result, place_of};
use crate::laws::{Family, Law, Quantiles};
use crate::spec::{At, Draw, Names, Part, Term, Weighted};
use crate::text::{Iban, Luhn, Pattern};

/// The least chance of a range that a distribution is cut to.
const LEAST: f64 = 1e-12;

/// A family with its parameters, for distributions with a formula.
fn law_of(draw: &Draw) -> Option<(Family, Vec<&Term>)> {
    Some(match draw {
        Draw::Uniform { min, max } => (Family::Uniform, vec![min, max]),
        Draw::Normal { mean, sd } => (Family::Normal, vec![mean, sd]),
        Draw::Lognormal { mu, sigma } => (Family::Lognormal, vec![mu, sigma]),
        Draw::Gamma { shape, scale } => (Family::Gamma, vec![shape, scale]),
        Draw::Beta { a, b } => (Family::Beta, vec![a, b]),
        Draw::Exponential { mean } => (Family::Exponential, vec![mean]),
        Draw::Pareto { scale, shape } => (Family::Pareto, vec![scale, shape]),
        Draw::Weibull { scale, shape } => (Family::Weibull, vec![scale, shape]),
        Draw::StudentT { df, mean, scale } => (Family::StudentT, vec![df, mean, scale]),
        Draw::Triangular { min, mode, max } => (Family::Triangular, vec![min, mode, max]),
        Draw::Laplace { mean, scale } => (Family::Laplace, vec![mean, scale]),
        Draw::Logistic { mean, scale } => (Family::Logistic, vec![mean, scale]),
        Draw::Integers { min, max } => (Family::Integers, vec![min, max]),
        Draw::Poisson { mean } => (Family::Poisson, vec![mean]),
        Draw::NegativeBinomial { mean, dispersion } => (Family::NegativeBinomial, vec![mean, dispersion]),
        Draw::Binomial { n, p } => (Family::Binomial, vec![n, p]),
        Draw::Geometric { p } => (Family::Geometric, vec![p]),
        Draw::Zipf { n, exponent } => (Family::Zipf, vec![n, exponent]),
        _ => return None,
    })
}

fn constants(params: &[Param]) -> Option<Vec<f64>> {
    params.iter().map(Param::constant).collect()
}

impl Resolver<'_> {
    pub(super) fn type_of_draw(&self, draw: &At<Draw>) -> Result<Type> {
        Ok(match &draw.value {
            Draw::Boolean { .. } => Type::Boolean,
            Draw::Date(_) | Draw::Datetime(_) => Type::Time,
            Draw::Sequence { prefix: None, .. }
            | Draw::Mixture(_)
            | Draw::Empirical { .. }
            | Draw::Quantiles(_)
            | Draw::Latitude { .. }
            | Draw::Longitude { .. } => Type::Number,
            Draw::Lookup { file, value, .. } => {
                let data = self.data(file)?;
                match data.columns()[self.data_column(&data, value)?] {
                    Column::Number(_) => Type::Number,
                    Column::Category { .. } => Type::Text,
                }
            }
            other if law_of(other).is_some() => Type::Number,
            _ => Type::Text,
        })
    }

    pub(super) fn data_column(&self, data: &Data, name: &At<String>) -> Result<usize> {
        let known = data.schema().columns.iter().map(|column| column.name.as_str());
        place_of(name, known, |meant, all| format!("the file has no column \"{}\"{meant}; it has {all}", **name))
            .map_err(|what| Error::new(self.path, name.place, what))
    }

    fn law_params(&self, table: usize, terms: &[&Term]) -> Result<Vec<Param>> {
        terms.iter().map(|term| self.param(table, term, Type::Number)).collect()
    }

    /// A distribution of numbers whose parameters `read` reads.
    pub(super) fn law(&self, draw: &At<Draw>, read: &dyn Fn(&Term) -> Result<Param>) -> Result<(Family, Vec<Param>, Option<Quantiles>)> {
        let Some((family, terms)) = law_of(draw) else {
            return self
                .fail(draw.place, "this is no distribution of numbers with parameters; write one such as exponential = { mean = 30 }");
        };
        let parameters = terms.iter().map(|term| read(term)).collect::<Result<Vec<_>>>()?;
        let known = match constants(&parameters) {
            Some(values) => Some(Quantiles::of_law(&Law::new(family, &values).map_err(|what| Error::new(self.path, draw.place, what))?)),
            None => None,
        };
        Ok((family, parameters, known))
    }

    pub(super) fn draw(&self, table: usize, index: usize, draw: &At<Draw>, data_type: Type, unique: bool) -> Result<DrawPlan> {
        let spec = &self.columns[table][index];
        let place = draw.place;
        let said = |what: String| Error::new(self.path, place, what);
        let truncate = spec.truncate.as_ref();
        if let (Some(truncate), true) = (truncate, unique || law_of(draw).is_none()) {
            return self.fail(truncate.place, "only distributions with a formula are truncated; write clip");
        }
        let plan = match &draw.value {
            Draw::Integers { min, max } if unique => {
                let known = constants(&self.law_params(table, &[min, max])?);
                let Some(bounds) = known else {
                    return self.fail(place, "a unique column needs a range of numbers that are known; write them");
                };
                let law = Law::new(Family::Integers, &bounds).map_err(said)?;
                return Ok(DrawPlan::Distinct { first: law.p[0], count: (law.p[1] - law.p[0]) as u64 + 1 });
            }
            Draw::Mixture(parts) => self.mixture(table, place, parts)?,
            Draw::Empirical { file, column } => {
                let data = self.data(file)?;
                let Column::Number(values) = &data.columns()[self.data_column(&data, column)?] else {
                    return self.fail(column.place, "this column holds texts; write categories or lookup");
                };
                let values: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
                if values.is_empty() {
                    return self.fail(column.place, "this column has no values; name another");
                }
                DrawPlan::Known { quantiles: Quantiles::of_values(values), within: None }
            }
            Draw::Quantiles(values) => {
                let rising = values.windows(2).all(|pair| pair[0] <= pair[1]);
                if values.len() < 2 || !rising || !values.iter().all(|value| value.is_finite()) {
                    return self.fail(values.place, "these are no quantiles: write two or more numbers that do not fall");
                }
                DrawPlan::Known { quantiles: Quantiles::Sorted { values: values.value.clone(), between: true }, within: None }
            }
            Draw::Boolean { p } => DrawPlan::Boolean(self.probability(table, p)?, p.place),
            Draw::Categories(labels) => self.categories(table, place, labels, data_type)?,
            Draw::Lookup { file, keys, value, weight } => self.lookup(table, file, keys, value, weight.as_ref())?,
            Draw::Date(calendar) => self.calendar(table, place, calendar, false)?,
            Draw::Datetime(calendar) => self.calendar(table, place, calendar, true)?,
            Draw::Regex(text) => DrawPlan::Regex(Pattern::new(text).map_err(|(at, what)| self.inside(text, at, what))?),
            Draw::Template(text) => self.template(table, text)?,
            Draw::Fake(name) => self.fake(table, index, name)?,
            Draw::Uuid => DrawPlan::Uuid,
            Draw::Sequence { start, step, prefix, width } => DrawPlan::Sequence {
                start: start.as_ref().map_or(1, |start| start.value),
                step: step.as_ref().map_or(1, |step| step.value),
                prefix: prefix.clone(),
                width: width.as_ref().map_or(0, |width| usize::from(width.value)),
            },
            Draw::Luhn { digits, prefix } => {
                DrawPlan::Luhn(Luhn::new(digits.value, prefix.as_ref().map_or("", |prefix| prefix)).map_err(said)?)
            }
            Draw::Iban { country } => DrawPlan::Iban(Iban::new(country).map_err(said)?),
            Draw::Latitude { .. } => self.point(table, index, draw, false)?,
            Draw::Longitude { of } => {
                let other = self.column_of(table, of)?;
                match &self.columns[table][other].draw {
                    Some(latitude) if matches!(latitude.value, Draw::Latitude { .. }) => self.point(table, other, latitude, true)?,
                    _ => return self.fail(of.place, format!("column \"{}\" is not drawn as a latitude; name one that is", **of)),
                }
            }
            _ => {
                let (family, parameters, known) = self.law(draw, &|term| self.param(table, term, Type::Number))?;
                self.cut(table, place, family, parameters, known, truncate)?
            }
        };
        if unique
            && plan.count().is_none()
            && !matches!(plan, DrawPlan::Uuid | DrawPlan::Sequence { .. } | DrawPlan::Template(_) | DrawPlan::Regex(_))
        {
            return self.fail(
                place,
                "this cannot be unique by construction; draw integers, regex, luhn, uuid, sequence, template, or fake email or user_name",
            );
        }
        Ok(plan)
    }

    pub(super) fn probability(&self, table: usize, term: &Term) -> Result<Param> {
        let p = self.param(table, term, Type::Number)?;
        match p.constant().filter(|p| !(0.0..=1.0).contains(p)) {
            Some(wrong) => self.fail(term.place, format!("the probability {wrong} is not from 0 to 1; write one that is")),
            None => Ok(p),
        }
    }

    fn cut(
        &self,
        table: usize,
        place: Place,
        family: Family,
        parameters: Vec<Param>,
        known: Option<Quantiles>,
        truncate: Option<&At<[Term; 2]>>,
    ) -> Result<DrawPlan> {
        let Some(truncate) = truncate else {
            return Ok(match known {
                Some(quantiles) => DrawPlan::Known { quantiles, within: None },
                None => DrawPlan::Law { family, parameters, truncate: None, place },
            });
        };
        let bounds = [self.param(table, &truncate.value[0], Type::Number)?, self.param(table, &truncate.value[1], Type::Number)?];
        let (Some(quantiles), Some(values), [Param::Constant(low), Param::Constant(high)]) = (known, constants(&parameters), &bounds)
        else {
            return Ok(DrawPlan::Law { family, parameters, truncate: Some(bounds), place });
        };
        let law = Law::new(family, &values).map_err(|what| Error::new(self.path, place, what))?;
        let within = law.between(*low, *high);
        if !(within.1 - within.0 > LEAST) {
            return self.fail(truncate.place, format!("the distribution has nothing from {low} to {high}; widen the range"));
        }
        Ok(DrawPlan::Known { quantiles, within: Some(within) })
    }

    fn mixture(&self, table: usize, place: Place, parts: &[Part]) -> Result<DrawPlan> {
        if parts.is_empty() {
            return self.fail(place, "a mixture has parts; write [{ weight = 1, draw = { ... } }]");
        }
        let mut read = Vec::new();
        for part in parts {
            let weight = self.param(table, &part.weight, Type::Number)?;
            self.check_weight(&weight, part.weight.place)?;
            let draw = At { value: (*part.draw.value).clone(), place: part.draw.place };
            let (family, parameters, _) = self.law(&draw, &|term| self.param(table, term, Type::Number))?;
            read.push((weight, family, parameters));
        }
        let known = |(weight, family, parameters): &(Param, Family, Vec<Param>)| {
            Some((weight.constant()?, Law::new(*family, &constants(parameters)?).ok()?))
        };
        let Some(laws) = read.iter().map(known).collect::<Option<Vec<_>>>() else { return Ok(DrawPlan::Mixture { parts: read, place }) };
        let sum = self.sum(laws.iter().map(|(weight, _)| *weight), place)?;
        let laws = laws.into_iter().map(|(weight, law)| (weight / sum, law)).filter(|(weight, _)| *weight > 0.0).collect();
        Ok(DrawPlan::Known { quantiles: Quantiles::of_mixture(laws), within: None })
    }

    fn check_weight(&self, weight: &Param, place: Place) -> Result<()> {
        match weight.constant().filter(|weight| *weight < 0.0) {
            Some(weight) => self.fail(place, format!("the weight {weight} is below 0; write one that is not")),
            None => Ok(()),
        }
    }

    fn sum(&self, weights: impl Iterator<Item = f64>, place: Place) -> Result<f64> {
        let sum: f64 = weights.sum();
        if sum > 0.0 { Ok(sum) } else { self.fail(place, "all weights are 0; make one of them larger") }
    }

    fn categories(&self, table: usize, place: Place, labels: &Weighted, data_type: Type) -> Result<DrawPlan> {
        if labels.0.is_empty() {
            return self.fail(place, "there are no labels; add some");
        }
        let mut weights = Vec::new();
        let mut seen = BTreeSet::new();
        for (label, weight) in &labels.0 {
            if !seen.insert(label) {
                return self.fail(weight.place, format!("the label \"{label}\" stands here twice; remove one"));
            }
            let read = self.param(table, weight, Type::Number)?;
            self.check_weight(&read, weight.place)?;
            weights.push(read);
        }
        let known = match constants(&weights) {
            None => None,
            Some(values) => {
                self.sum(values.iter().copied(), place)?;
                Some(Quantiles::sums(0.0, cumulative(&values)))
            }
        };
        let mut numbers = None;
        if data_type == Type::Number {
            let read = labels.0.iter().map(|(label, weight)| {
                let wrong =
                    || Error::new(self.path, weight.place, format!("the label \"{label}\" is no number, as the column is; change type"));
                label.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or_else(wrong)
            });
            numbers = Some(read.collect::<Result<Vec<f64>>>()?);
        }
        let levels = Arc::new(labels.0.iter().map(|(label, _)| label.clone()).collect());
        Ok(DrawPlan::Categories { levels, numbers, weights, known, place })
    }

    fn lookup(&self, table: usize, file: &At<String>, keys: &Names, value: &At<String>, weight: Option<&At<String>>) -> Result<DrawPlan> {
        let data = self.data(file)?;
        let mut slots = Vec::new();
        let mut key_columns = Vec::new();
        for key in &keys.0 {
            slots.push(self.column_of(table, key)?);
            key_columns.push(self.data_column(&data, key)?);
        }
        let value = self.data_column(&data, value)?;
        let weights = match weight {
            None => None,
            Some(weight) => match &data.columns()[self.data_column(&data, weight)?] {
                Column::Number(weights) => Some(weights),
                Column::Category { .. } => return self.fail(weight.place, "the weights are texts; write numbers in that column"),
            },
        };
        let mut groups: HashMap<String, Group> = HashMap::new();
        for row in 0..data.rows() {
            let key = row_key(&data, row, &key_columns);
            let group = groups.entry(key).or_default();
            let weight = weights.map_or(1.0, |weights| weights[row]);
            if !(weight >= 0.0) {
                return self.fail(file.place, format!("the weight in row {} is below 0 or missing; mend the file", row + 1));
            }
            group.values.push(match &data.columns()[value] {
                Column::Number(values) => values[row],
                Column::Category { codes, .. } => f64::from(codes[row]),
            });
            group.sums.push(group.sums.last().copied().unwrap_or(0.0) + weight);
        }
        let (levels, numeric) = match &data.columns()[value] {
            Column::Number(_) => (Arc::default(), true),
            Column::Category { levels, .. } => (levels.clone(), false),
        };
        Ok(DrawPlan::Lookup { groups, keys: slots, levels, numeric, place: file.place })
    }
}

/// Between the parts of a key of several columns.
pub(crate) const BETWEEN: char = '\u{1f}';

/// The texts of some columns of a row as one.
pub(super) fn row_key(data: &Data, row: usize, columns: &[usize]) -> String {
    columns.iter().map(|&column| data.cell(row, column)).collect::<Vec<_>>().join(BETWEEN.encode_utf8(&mut [0; 1]))
}

/// The sums of the first weights.
pub(super) fn cumulative(weights: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    let mut add = |weight: &f64| {
        sum += weight;
        sum
    };
    weights.iter().map(&mut add).collect()
}

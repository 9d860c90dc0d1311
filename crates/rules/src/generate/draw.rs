//! What makes the values of a column.

use std::fmt::Write;
use std::sync::Arc;

use semblant_expressions::{Type, Value};

use super::chunk::{Chunk, SLOTS};
use crate::bits::{Choices, open, weighted};
use crate::calendar::{self, DAY, MOST_DAYS};
use crate::error::Result;
use crate::laws::Law;
use crate::permutation::Permutation;
use crate::plan::{BETWEEN, Column, DrawPlan, Maker, Param, TemplatePiece, stream};
use crate::text::padded;
use crate::values::{Texts, Values};

/// Kilometres of a degree of latitude.
const DEGREE: f64 = 111.195;
/// The row by whose numbers a column's permutation is made.
const ORDER: u64 = u64::MAX;

impl Chunk<'_> {
    pub(super) fn make(&mut self, index: usize, maker: &Maker) -> Result<Values> {
        let column = &self.plan().columns[index];
        match maker {
            Maker::Constant(value) => Ok(self.constant(value)),
            Maker::Expression(expression) => Ok(self.expression(expression)),
            Maker::Draw(draw) => self.draw(column, draw),
            Maker::Learned { block, column } => self.learned_column(*block, *column),
            Maker::Case(branches) => {
                let mut rest: Vec<usize> = (0..self.rows.len()).collect();
                let mut parts = Vec::new();
                for (when, maker) in branches {
                    let (met, others) =
                        rest.into_iter().partition(|&row| when.as_ref().is_none_or(|when| when.holds(&self.row(row)) == Some(true)));
                    rest = others;
                    let met: Vec<usize> = met;
                    if !met.is_empty() {
                        // The learned columns of a block are drawn for all rows at once.
                        if let Maker::Learned { block, .. } = maker {
                            self.learn(*block)?;
                        }
                        let values = self.subset(&met).make(index, maker)?;
                        parts.push((met, values));
                    }
                }
                if parts.is_empty() {
                    parts.push((Vec::new(), self.constant(&Value::Null)));
                }
                Ok(typed(Values::join(self.rows.len(), parts), column.data_type))
            }
        }
    }

    fn constant(&self, value: &Value<'_>) -> Values {
        let rows = self.rows.len();
        match value {
            Value::Number(number) | Value::Time(number) => Values::Numbers(vec![*number; rows]),
            Value::Boolean(truth) => Values::booleans(std::iter::repeat_n(Some(*truth), rows)),
            Value::Text(text) => Values::Codes { codes: vec![0; rows], levels: Arc::new(vec![text.clone().into_owned()]) },
            _ => Values::Numbers(vec![f64::NAN; rows]),
        }
    }

    fn draw(&mut self, column: &Column, draw: &DrawPlan) -> Result<Values> {
        match draw {
            DrawPlan::Known { quantiles, within } => {
                let uniforms = self.uniforms(column);
                Ok(Values::Numbers(match within {
                    None => uniforms.into_iter().map(|u| quantiles.quantile(u)).collect(),
                    Some((low, high)) => uniforms.into_iter().map(|u| quantiles.quantile(inside(u, *low, *high))).collect(),
                }))
            }
            DrawPlan::Law { family, parameters, truncate, place } => {
                let uniforms = self.uniforms(column);
                let parameters: Vec<Vec<f64>> = parameters.iter().map(|param| self.param(param)).collect();
                let bounds = truncate.as_ref().map(|[low, high]| [self.param(low), self.param(high)]);
                let mut numbers = Vec::with_capacity(uniforms.len());
                let mut values = [0.0; 3];
                for (row, u) in uniforms.into_iter().enumerate() {
                    parameters.iter().zip(&mut values).for_each(|(all, value)| *value = all[row]);
                    let law = match Law::new(*family, &values[..parameters.len()]) {
                        Ok(law) => law,
                        Err(what) => return self.fail(*place, row, format!("column \"{}\": {what}", column.name)),
                    };
                    numbers.push(match &bounds {
                        None => law.quantile(u),
                        Some([low, high]) => {
                            let within = law.between(low[row], high[row]);
                            if !(within.1 - within.0 > 0.0) {
                                let what = format!(
                                    "column \"{}\": the distribution has nothing from {} to {}; widen the range",
                                    column.name, low[row], high[row]
                                );
                                return self.fail(*place, row, what);
                            }
                            law.quantile(inside(u, within.0, within.1)).clamp(low[row], high[row])
                        }
                    });
                }
                Ok(Values::Numbers(numbers))
            }
            DrawPlan::Mixture { parts, place } => self.mixture(column, parts, *place),
            DrawPlan::Distinct { first, count } => {
                let order = Permutation::new(*count, &self.stream_of(column), ORDER);
                Ok(Values::Numbers(self.rows.iter().map(|&row| first + order.of(row) as f64).collect()))
            }
            DrawPlan::Boolean(p, place) => {
                let (chances, uniforms) = (self.param(p), self.uniforms(column));
                if let Some(row) = chances.iter().position(|p| !(0.0..=1.0).contains(p)) {
                    let what = format!(
                        "column \"{}\": the probability is {}; keep it from 0 to 1, with coalesce where it may be null",
                        column.name, chances[row]
                    );
                    return self.fail(*place, row, what);
                }
                // Large uniform numbers are true, so that ranks agree with those of other columns.
                Ok(Values::booleans(uniforms.into_iter().zip(chances).map(|(u, p)| Some(u > 1.0 - p))))
            }
            DrawPlan::Categories { levels, numbers, weights, known, place } => {
                let uniforms = self.uniforms(column);
                let codes = match known {
                    Some(quantiles) => uniforms.into_iter().map(|u| quantiles.quantile(u) as u32).collect(),
                    None => self.weighted(column, weights, &uniforms, *place)?,
                };
                Ok(match numbers {
                    Some(numbers) => Values::Numbers(codes.into_iter().map(|code| numbers[code as usize]).collect()),
                    None => Values::Codes { codes, levels: levels.clone() },
                })
            }
            DrawPlan::Lookup { groups, keys, levels, numeric, place } => {
                let uniforms = self.uniforms(column);
                let mut numbers = Vec::with_capacity(uniforms.len());
                let mut key = String::new();
                for (row, u) in uniforms.into_iter().enumerate() {
                    key.clear();
                    for (index, &slot) in keys.iter().enumerate() {
                        if index > 0 {
                            key.push(BETWEEN);
                        }
                        self.push_text(slot, row, 0, &mut key);
                    }
                    let Some(group) = groups.get(&key) else {
                        let what = format!("column \"{}\": the file has no row for {}; add one", column.name, key.replace(BETWEEN, ", "));
                        return self.fail(*place, row, what);
                    };
                    let wanted = u * group.sums.last().copied().unwrap_or(0.0);
                    let found = group.sums.partition_point(|&sum| sum < wanted).min(group.values.len() - 1);
                    numbers.push(group.values[found]);
                }
                Ok(match numeric {
                    true => Values::Numbers(numbers),
                    false => Values::Codes { codes: numbers.into_iter().map(|code| code as u32).collect(), levels: levels.clone() },
                })
            }
            DrawPlan::Calendar { .. } => self.calendar(column, draw),
            DrawPlan::Sequence { start, step, prefix, width } => {
                let number = |row: u64| start.wrapping_add(step.wrapping_mul(row as i64));
                let Some(prefix) = prefix else { return Ok(Values::Numbers(self.rows.iter().map(|&row| number(row) as f64).collect())) };
                let mut texts = Texts::with_capacity(self.rows.len(), self.rows.len() * (prefix.len() + width.max(&8)));
                for &row in &self.rows {
                    texts.push_with(|out| {
                        out.push_str(prefix);
                        // Writing to a string does not fail.
                        let _ = write!(out, "{:0width$}", number(row));
                    });
                }
                Ok(Values::Texts(texts))
            }
            DrawPlan::Template(pieces) => {
                let mut texts = Texts::with_capacity(self.rows.len(), self.rows.len() * 24);
                for row in 0..self.rows.len() {
                    texts.push_with(|out| {
                        for piece in pieces {
                            match piece {
                                TemplatePiece::Text(text) => out.push_str(text),
                                TemplatePiece::Slot { slot, width } => self.push_text(*slot, row, *width, out),
                            }
                        }
                    });
                }
                Ok(Values::Texts(texts))
            }
            DrawPlan::Fake { levels: Some(levels), .. } => {
                let count = levels.len() as f64;
                let codes = self.uniforms(column).into_iter().map(|u| ((u * count) as u32).min(levels.len() as u32 - 1)).collect();
                Ok(Values::Codes { codes, levels: levels.clone() })
            }
            DrawPlan::Regex(_) | DrawPlan::Fake { .. } | DrawPlan::Uuid | DrawPlan::Luhn(_) | DrawPlan::Iban(_) => {
                Ok(self.texts(column, draw))
            }
            DrawPlan::Point { .. } => Ok(Values::Numbers(self.points(draw))),
        }
    }

    fn stream_of(&self, column: &Column) -> semblant_core::seeds::Stream {
        stream(self.generator.seed, column.stream)
    }

    /// The codes of labels whose weights differ by row.
    fn weighted(&self, column: &Column, weights: &[Param], uniforms: &[f64], place: crate::error::Place) -> Result<Vec<u32>> {
        let weights: Vec<Vec<f64>> = weights.iter().map(|weight| self.param(weight)).collect();
        let mut codes = Vec::with_capacity(uniforms.len());
        for (row, u) in uniforms.iter().enumerate() {
            for all in &weights {
                if !(all[row] >= 0.0 && all[row].is_finite()) {
                    let found = if all[row].is_nan() { "null".to_owned() } else { all[row].to_string() };
                    return self.fail(
                        place,
                        row,
                        format!("column \"{}\": a weight is {found}; keep it from 0 on, with greatest or coalesce", column.name),
                    );
                }
            }
            match weighted(*u, weights.iter().map(|all| all[row])) {
                Some(code) => codes.push(code as u32),
                None => return self.fail(place, row, format!("column \"{}\": all weights are 0; make one of them larger", column.name)),
            }
        }
        Ok(codes)
    }

    fn mixture(&self, column: &Column, parts: &[(Param, crate::laws::Family, Vec<Param>)], place: crate::error::Place) -> Result<Values> {
        let chosen = self.raw(column.stream, self.position(column, 1));
        let weights: Vec<Param> = parts.iter().map(|(weight, ..)| weight.clone()).collect();
        let codes = self.weighted(column, &weights, &chosen, place)?;
        let uniforms = self.raw(column.stream, self.position(column, 0));
        let params: Vec<Vec<Vec<f64>>> =
            parts.iter().map(|(_, _, params)| params.iter().map(|param| self.param(param)).collect()).collect();
        let mut numbers = Vec::with_capacity(uniforms.len());
        for (row, u) in uniforms.into_iter().enumerate() {
            let part = codes[row] as usize;
            let values: Vec<f64> = params[part].iter().map(|all| all[row]).collect();
            match Law::new(parts[part].1, &values) {
                Ok(law) => numbers.push(law.quantile(u)),
                Err(what) => return self.fail(place, row, format!("column \"{}\": {what}", column.name)),
            }
        }
        Ok(Values::Numbers(numbers))
    }

    /// Texts that take any number of choices, or are those of a number where they are unique.
    fn texts(&self, column: &Column, draw: &DrawPlan) -> Values {
        let numbers = self.stream_of(column);
        // Beyond 2^62 different values the rest of the number is drawn: two rows with the same first part do not occur.
        let most = column.unique.then(|| draw.count().unwrap_or(1 << 127));
        let domain = most.map(|most| most.min(1 << 62) as u64);
        let order = domain.map(|domain| Permutation::new(domain, &numbers, ORDER));
        let mut texts = Texts::with_capacity(self.rows.len(), self.rows.len() * 24);
        for &row in &self.rows {
            let mut choices = Choices::new(&numbers, row, self.position(column, 0));
            let number = order.as_ref().map(|order| u128::from(order.of(row)));
            let spread = most.zip(domain).map_or(1, |(most, domain)| most / u128::from(domain.max(1)));
            texts.push_with(|out| match (draw, number) {
                (DrawPlan::Regex(pattern), Some(number)) => {
                    let rest = if spread > 1 { u128::from(choices.below(1 << 32)) % spread } else { 0 };
                    pattern.nth(number * spread + rest, out);
                }
                (DrawPlan::Luhn(luhn), Some(number)) => luhn.nth(number as u64, out),
                (DrawPlan::Fake { name, .. }, Some(number)) => name.nth(number as u64, &mut choices, out),
                (DrawPlan::Regex(pattern), None) => pattern.draw(&mut choices, out),
                (DrawPlan::Luhn(luhn), None) => luhn.draw(&mut choices, out),
                (DrawPlan::Iban(iban), _) => iban.draw(&mut choices, out),
                (DrawPlan::Fake { name, locale, .. }, None) => name.draw(locale, &mut choices, out),
                _ => uuid(&mut choices, out),
            });
        }
        Values::Texts(texts)
    }

    /// Appends a slot of a row as text.
    fn push_text(&self, slot: usize, row: usize, width: usize, out: &mut String) {
        let info = &self.plan().slots[slot];
        let Some(values) = self.slot(slot) else { return };
        match (values.value(row, info.data_type), info.data_type) {
            (Value::Number(number), _) if number.is_nan() => {}
            (Value::Number(number), _) if width == 0 || number < 0.0 => {
                let _ = write!(out, "{number}");
            }
            (Value::Number(number), _) => padded(&number.to_string(), width, out),
            (Value::Time(time), _) if time.is_nan() => {}
            (Value::Time(time), _) => out.push_str(&calendar::text(time)),
            (_, Type::Boolean | Type::Text) => padded(values.text(row).unwrap_or_default(), width, out),
            _ => {}
        }
    }

    fn calendar(&self, column: &Column, draw: &DrawPlan) -> Result<Values> {
        let DrawPlan::Calendar { from, to, days, hours, times, place } = draw else { return Ok(Values::Numbers(Vec::new())) };
        let uniforms = self.uniforms(column);
        let (from, to) = (self.param(from), self.param(to));
        let wrong = |row: usize| !(from[row] <= to[row]);
        if let Some(row) = (0..self.rows.len()).find(|&row| wrong(row)) {
            let text = |time: f64| if time.is_nan() { "null".to_owned() } else { calendar::text(time) };
            let what = format!(
                "column \"{}\": the range from {} to {} is empty; use least or coalesce",
                column.name,
                text(from[row]),
                text(to[row])
            );
            return self.fail(*place, row, what);
        }
        let day = |time: f64| (time / DAY).floor() as i64;
        let seconds = hours.map(|(open, close)| (self.raw(column.stream, self.position(column, 1)), open, close));
        let of_day = |row: usize| seconds.as_ref().map_or(0.0, |(all, open, close)| (open + all[row] * (close - open)).floor());
        let rows = 0..self.rows.len();
        let Some(days) = days else {
            let plain = |row: usize| match (times, hours) {
                (true, None) => from[row] + (uniforms[row] * (to[row] - from[row] + 1.0)).floor(),
                _ => (day(from[row]) as f64 + (uniforms[row] * ((day(to[row]) - day(from[row])) as f64 + 1.0)).floor()) * DAY + of_day(row),
            };
            return Ok(Values::Numbers(rows.map(plain).collect()));
        };
        let first = from.iter().map(|&time| day(time)).min().unwrap_or(0);
        let last = to.iter().map(|&time| day(time)).max().unwrap_or(0);
        if last - first > MOST_DAYS {
            return self.fail(*place, 0, format!("column \"{}\": the range has more than {MOST_DAYS} days; shorten it", column.name));
        }
        let sums = days.sums(first, last);
        let mut found = Vec::with_capacity(uniforms.len());
        for row in rows {
            match calendar::day(&sums, first, day(from[row]), day(to[row]), uniforms[row]) {
                Some(day) => found.push(day as f64 * DAY + of_day(row)),
                None => {
                    let what = format!(
                        "column \"{}\": no day from {} to {} is allowed; widen the range",
                        column.name,
                        calendar::text(from[row]),
                        calendar::text(to[row])
                    );
                    return self.fail(*place, row, what);
                }
            }
        }
        Ok(Values::Numbers(found))
    }

    fn points(&self, draw: &DrawPlan) -> Vec<f64> {
        let DrawPlan::Point { area, centres, km, longitude, stream: index } = draw else { return Vec::new() };
        // Latitude and longitude of a point are made from the numbers of its latitude's column.
        let position = |slot: u32| self.attempt.wrapping_mul(SLOTS) + slot;
        let [north, east] = [0, 1].map(|slot| self.raw(*index, position(slot)));
        if let Some([south, west, end_north, end_east]) = area {
            let (from, to, numbers) = if *longitude { (west, end_east, east) } else { (south, end_north, north) };
            return numbers.into_iter().map(|u| from + u * (to - from)).collect();
        }
        let chosen = self.raw(*index, position(2));
        let normal = |u: f64| semblant_core::normal::quantile(u);
        let point = |row: usize| {
            let [latitude, centre_longitude] = centres[((chosen[row] * centres.len() as f64) as usize).min(centres.len() - 1)];
            let up = (latitude + normal(north[row]) * km / DEGREE).clamp(-90.0, 90.0);
            if !longitude {
                return up;
            }
            let east = centre_longitude + normal(east[row]) * km / (DEGREE * latitude.to_radians().cos().max(0.01));
            (east + 180.0).rem_euclid(360.0) - 180.0
        };
        (0..self.rows.len()).map(point).collect()
    }
}

/// A uniform number between two probabilities.
fn inside(u: f64, low: f64, high: f64) -> f64 {
    open((low + u * (high - low)).min(1.0 - f64::EPSILON / 2.0))
}

/// Values of a case none of whose branches were met have the type of the column.
fn typed(values: Values, data_type: Type) -> Values {
    match (values, data_type) {
        (Values::Numbers(numbers), Type::Text) => {
            let mut texts = Texts::default();
            numbers.iter().for_each(|_| texts.push(None));
            Values::Texts(texts)
        }
        (Values::Numbers(numbers), Type::Boolean) => Values::booleans(numbers.iter().map(|_| None)),
        (Values::Texts(texts), Type::Boolean) => Values::booleans((0..texts.len()).map(|row| texts.get(row).map(|text| text == "true"))),
        (values, _) => values,
    }
}

/// A UUID of version 4 (RFC 9562).
fn uuid(choices: &mut Choices<'_>, out: &mut String) {
    let mut number: u128 = 0;
    for _ in 0..4 {
        number = number << 32 | u128::from(choices.below(1 << 32));
    }
    let number = number & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let part = |from: u32, digits: u32| (number >> (128 - 4 * (from + digits))) & ((1 << (4 * digits)) - 1);
    // Writing to a string does not fail.
    let _ = write!(out, "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", part(0, 8), part(8, 4), part(12, 4), part(16, 4), part(20, 12));
}

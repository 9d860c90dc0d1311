//! The search for relations between numbers.

use semblant_data::table::ColumnKind;

use super::relation::Relation;
use super::{BROKEN_ROWS, LEAST_ROWS, Search};

/// Rows to which a ratio or a difference is fitted before all rows are looked at.
const FITTED_ROWS: usize = 200;
/// Columns among which sums of three are searched.
const TRIPLE_COLUMNS: usize = 20;
/// Rounding may explain a deviation from a sum only if it is small against the spread of the total: whole numbers from 0 to 3 would all be
/// within rounding of each other.
const MOST_TOLERANCE: f64 = 0.05;

/// What the search needs to know of a column.
struct Number {
    place: usize,
    step: f64,
    deviation: f64,
    largest: f64,
    /// Rows that are neither missing nor 0.
    nonzero: usize,
    is_time: bool,
}

pub(super) fn search(search: &Search) -> Vec<Relation> {
    let all: Vec<Number> = search.numbers.iter().filter_map(|&place| Number::of(search, place)).collect();
    let mut found: Vec<Relation> = Vec::new();
    let mut own: Vec<&Number> = Vec::new();
    for number in &all {
        // A column that follows from one before it is described once, and then represented by that one.
        match own.iter().find_map(|first| one(search, first, number)) {
            Some(relation) => found.push(relation),
            None => own.push(number),
        }
    }
    let plain: Vec<&Number> = own.iter().copied().filter(|number| !number.is_time).collect();
    let sums = sums(search, &plain);
    let order = order(search, &own, &sums);
    found.extend(sums);
    found.extend(order);
    found
}

impl Number {
    /// Of a column with two values at least, which no infinity spoils.
    fn of(search: &Search, place: usize) -> Option<Self> {
        let known = || search.columns[place].numbers().into_iter().flatten().copied().filter(|value| !value.is_nan());
        let count = known().count();
        let mean = known().sum::<f64>() / count.max(1) as f64;
        let deviation = (known().map(|value| (value - mean).powi(2)).sum::<f64>() / count.max(1) as f64).sqrt();
        let described = &search.schema.columns[place];
        (count >= LEAST_ROWS && deviation.is_finite() && deviation > 0.0).then(|| Self {
            place,
            step: described.step().unwrap_or(0.0),
            deviation,
            largest: known().fold(0.0, |most, value| value.abs().max(most)),
            nonzero: known().filter(|value| *value != 0.0).count(),
            is_time: described.kind == ColumnKind::Datetime,
        })
    }

    /// What arithmetic explains, and what rounding does if that is little. `steps` are those of the parts, times their factors.
    fn tolerances(&self, steps: f64) -> impl Iterator<Item = f64> {
        let arithmetic = 1e-9 * self.largest;
        let rounding = (self.step + steps) / 2.0 * (1.0 + 1e-9) + arithmetic;
        let is_little = rounding > arithmetic && rounding <= MOST_TOLERANCE * self.deviation;
        std::iter::once(arithmetic).chain(is_little.then_some(rounding))
    }
}

/// `second` = `first`, a multiple of it, or it and a constant.
fn one(search: &Search, first: &Number, second: &Number) -> Option<Relation> {
    if first.is_time != second.is_time {
        return None;
    }
    let linear = |factor: f64, constant: f64| {
        let with = move |tolerance| Relation::Linear { total: second.place, parts: vec![(first.place, factor)], constant, tolerance };
        second.tolerances(factor.abs() * first.step).map(with)
    };
    if let Some(equal) = linear(1.0, 0.0).take(1).find(|equal| search.holds(equal)) {
        return Some(equal);
    }
    let (a, b) = (search.columns[first.place].numbers()?, search.columns[second.place].numbers()?);
    let known = |rows: &[usize]| {
        rows.iter().map(|&row| [a[row], b[row]]).filter(|[a, b]| a.is_finite() && b.is_finite()).collect::<Vec<[f64; 2]>>()
    };
    // A factor and a constant.
    let difference = |pairs: &[[f64; 2]]| [1.0, tidy(pairs.iter().map(|[a, b]| b - a).sum::<f64>() / pairs.len() as f64)];
    let ratio = |pairs: &[[f64; 2]]| {
        let (products, squares) = pairs.iter().fold((0.0, 0.0), |(products, squares), [a, b]| (products + a * b, squares + a * a));
        [tidy(products / squares), 0.0]
    };
    let few = known(&search.order[..search.order.len().min(FITTED_ROWS)]);
    if few.len() < 2 {
        return None;
    }
    let fits = |[factor, constant]: [f64; 2]| {
        let tolerance = second.tolerances(factor.abs() * first.step).fold(0.0, f64::max);
        // The fit to a few rows is less exact than the one to all.
        factor.is_finite() && few.iter().all(|[a, b]| (b - factor * a - constant).abs() <= 2.0 * tolerance)
    };
    let shapes: [&dyn Fn(&[[f64; 2]]) -> [f64; 2]; 2] = [&difference, &ratio];
    // Datetimes have no zero, so no ratio either.
    let shapes = &shapes[..if first.is_time { 1 } else { 2 }];
    let promising = shapes.iter().filter(|shape| fits(shape(&few))).map(|shape| shape(&known(&search.order)));
    promising.flat_map(|[factor, constant]| linear(factor, constant)).find(|relation| search.holds(relation))
}

/// The number without the noise of the arithmetic that made it.
fn tidy(value: f64) -> f64 {
    let near = (value * 1e6).round() / 1e6;
    if (near - value).abs() <= 1e-9 * value.abs() { near } else { value }
}

/// Totals of two columns, and of three.
fn sums(search: &Search, columns: &[&Number]) -> Vec<Relation> {
    let parts: Vec<&Number> = columns.iter().copied().filter(|number| number.nonzero as f64 >= BROKEN_ROWS).collect();
    let sum = |total: &Number, parts: &[&Number]| {
        let places: Vec<(usize, f64)> = parts.iter().map(|part| (part.place, 1.0)).collect();
        let with = |tolerance| Relation::Linear { total: total.place, parts: places.clone(), constant: 0.0, tolerance };
        total.tolerances(parts.iter().map(|part| part.step).sum()).map(with).find(|relation| search.holds(relation))
    };
    let mut found = Vec::new();
    for total in columns {
        let others: Vec<&Number> = parts.iter().copied().filter(|part| part.place != total.place).collect();
        let mut used: Vec<[usize; 2]> = Vec::new();
        for (place, first) in others.iter().enumerate() {
            for second in &others[place + 1..] {
                if let Some(relation) = sum(total, &[first, second]) {
                    used.push([first.place, second.place]);
                    found.push(relation);
                }
            }
        }
        let few = &others[..others.len().min(TRIPLE_COLUMNS)];
        for (place, first) in few.iter().enumerate() {
            for (next, second) in few.iter().enumerate().skip(place + 1) {
                for third in &few[next + 1..] {
                    let places = [first.place, second.place, third.place];
                    // With a sum of two that holds, the third would be 0.
                    if !used.iter().any(|pair| pair.iter().all(|part| places.contains(part))) {
                        found.extend(sum(total, &[first, second, third]));
                    }
                }
            }
        }
    }
    found
}

/// The order of two columns, without what follows from other orders or from a sum.
fn order(search: &Search, columns: &[&Number], sums: &[Relation]) -> Vec<Relation> {
    let mut edges: Vec<(usize, usize, Relation)> = Vec::new();
    for low in columns {
        for high in columns.iter().filter(|high| high.place != low.place && high.is_time == low.is_time) {
            let relation = Relation::Order { low: low.place, high: high.place, strict: false };
            if search.holds(&relation) && search.kept_after_a_shuffle(&relation).is_some() {
                edges.push((low.place, high.place, relation));
            }
        }
    }
    let has = |low: usize, high: usize| edges.iter().any(|(a, b, _)| (*a, *b) == (low, high));
    let is_part = |low: usize, high: usize| {
        sums.iter()
            .any(|sum| matches!(sum, Relation::Linear { total, parts, .. } if *total == high && parts.iter().any(|(part, _)| *part == low)))
    };
    let follows =
        |low: usize, high: usize| is_part(low, high) || columns.iter().any(|between| has(low, between.place) && has(between.place, high));
    edges
        .iter()
        .filter(|(low, high, _)| !follows(*low, *high))
        .map(|(low, high, relation)| strictest(search, *low, *high, relation))
        .collect()
}

/// `<` where no two values are equal although a shuffle makes some so.
fn strictest(search: &Search, low: usize, high: usize, relation: &Relation) -> Relation {
    let strict = Relation::Order { low, high, strict: true };
    let kept = |relation: &Relation| relation.kept_when_shuffled(search.columns, &search.shuffled)[0];
    let equal_by_chance = kept(relation) - kept(&strict);
    if equal_by_chance as f64 >= BROKEN_ROWS && search.holds(&strict) { strict } else { relation.clone() }
}

//! Interval arithmetic. All bounds are finite; what overflows is null, as in evaluation. Where a function of floating point is monotone, so
//! are its rounded values, and the values at the ends bound it exactly; the others are widened.

use crate::functions::{number, numbers};
use crate::node::{Binary, Comparison, Unary};
use crate::outcomes::Outcomes;
use crate::time::{self, CIVIL, Field, Unit};
use crate::value::{DAY, Type};

type Range = (f64, f64);

/// The values of a function over ranges: a range or none, and whether null is among them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Image {
    pub(crate) range: Option<Range>,
    pub(crate) null: bool,
}

const NOTHING: Image = Image { range: None, null: true };
const ALL: Image = Image { range: Some((-f64::MAX, f64::MAX)), null: true };
/// The least positive number.
const TINY: f64 = f64::from_bits(1);

/// The image between two bounds; beyond the finite numbers are nulls.
fn image(low: f64, high: f64) -> Image {
    if low.is_nan() || high.is_nan() {
        return ALL;
    }
    if low == f64::INFINITY || high == f64::NEG_INFINITY {
        return NOTHING;
    }
    Image { range: Some((low.max(-f64::MAX), high.min(f64::MAX))), null: !low.is_finite() || !high.is_finite() }
}

/// A function whose last digits may be wrong.
fn widened(low: f64, high: f64) -> Image {
    let more = |x: f64| x.abs() * 8.0 * f64::EPSILON + f64::MIN_POSITIVE;
    image(low - more(low), high + more(high))
}

fn join(a: Image, b: Image) -> Image {
    let range = match (a.range, b.range) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    };
    Image { range, null: a.null | b.null }
}

/// The outcomes of a comparison of two ranges that are not both one value.
pub(crate) fn compare(comparison: Comparison, (a, b): Range, (c, d): Range) -> Outcomes {
    let may = |may_be_true, may_be_false| Outcomes { may_be_true, may_be_false, may_be_null: false };
    let meet = a <= d && c <= b;
    let one = a == b && c == d && a == c;
    match comparison {
        Comparison::Equal => may(meet, !one),
        Comparison::NotEqual => may(!one, meet),
        Comparison::Less => may(a < d, b >= c),
        Comparison::LessOrEqual => may(a <= d, b > c),
        Comparison::Greater => may(b > c, a <= d),
        Comparison::GreaterOrEqual => may(b >= c, a < d),
    }
}

/// The image of a function over a range, and its type; none where it is not known better than by the type.
pub(crate) fn unary(function: Unary, data_type: Type, low: f64, high: f64) -> Option<(Type, Image)> {
    Some(match (data_type, function) {
        (Type::Number, _) => (Type::Number, of_numbers(function, low, high)?),
        (Type::Time, Unary::Extract(field)) => (Type::Number, extract(field, low, high)),
        (Type::Time, Unary::Truncate(unit)) => (Type::Time, in_calendar(unit_needs_date(unit), low, high, |x| time::truncate(unit, x))),
        (Type::Interval, Unary::Negate) => (Type::Interval, image(-high, -low)),
        (Type::Interval, Unary::Days) => (Type::Number, image(low / DAY, high / DAY)),
        (Type::Interval, Unary::Extract(field @ (Field::Day | Field::Epoch))) => {
            (Type::Number, image(time::extract_interval(field, 0, low), time::extract_interval(field, 0, high)))
        }
        _ => return None,
    })
}

fn of_numbers(function: Unary, low: f64, high: f64) -> Option<Image> {
    let at = |x| number(function, x);
    Some(match function {
        Unary::Negate => image(-high, -low),
        Unary::Abs if low <= 0.0 && high >= 0.0 => image(0.0, high.max(-low)),
        Unary::Abs => image(low.abs().min(high.abs()), low.abs().max(high.abs())),
        Unary::Round | Unary::ToInteger | Unary::Floor | Unary::Ceil | Unary::ToNumber => image(at(low), at(high)),
        Unary::Sqrt if high < 0.0 => NOTHING,
        Unary::Sqrt => Image { null: low < 0.0, ..image(at(low.max(0.0)), at(high)) },
        Unary::Exp => {
            let image = widened(at(low), at(high));
            Image { range: image.range.map(|(low, high)| (low.max(0.0), high)), ..image }
        }
        Unary::Ln if high <= 0.0 => NOTHING,
        Unary::Ln => Image { null: low <= 0.0, ..widened(at(low.max(TINY)), at(high)) },
        _ => return None,
    })
}

fn unit_needs_date(unit: Unit) -> bool {
    matches!(unit, Unit::Year | Unit::Quarter | Unit::Month)
}

/// The image of a monotone function of times that has no values outside of the calendar, or of any time.
fn in_calendar(dated: bool, low: f64, high: f64, function: impl Fn(f64) -> Option<f64>) -> Image {
    let (inner_low, inner_high) = if dated { (low.max(CIVIL.0), high.min(CIVIL.1)) } else { (low, high) };
    // A part of the last second is still of the calendar.
    if dated && (high < CIVIL.0 || low >= CIVIL.1 + 1.0) {
        return NOTHING;
    }
    let outside = low < inner_low || high > inner_high;
    match (function(inner_low.min(inner_high)), function(inner_high)) {
        (Some(a), Some(b)) => {
            let image = image(a, b);
            Image { null: image.null | outside, ..image }
        }
        _ => ALL,
    }
}

/// The image of a part of a time: between its values at the ends if these lie in one round of it, else all of its values.
fn extract(field: Field, low: f64, high: f64) -> Image {
    let day = |x: f64| Some(time::start_of_day(x));
    let round = |unit: Unit| move |x: f64| time::truncate(unit, x);
    match field {
        Field::Epoch => image(low, high),
        Field::Year => in_calendar(true, low, high, |x| time::extract(field, x)),
        Field::Quarter => cyclic(field, low, high, round(Unit::Year), (1.0, 4.0)),
        Field::Month => cyclic(field, low, high, round(Unit::Year), (1.0, 12.0)),
        Field::DayOfYear => cyclic(field, low, high, round(Unit::Year), (1.0, 366.0)),
        Field::Day => cyclic(field, low, high, round(Unit::Month), (1.0, 31.0)),
        Field::Week => cyclic(field, low, high, round(Unit::Week), (1.0, 53.0)),
        Field::DayOfWeek => cyclic(field, low, high, day, (0.0, 6.0)),
        Field::IsoDayOfWeek => cyclic(field, low, high, round(Unit::Week), (1.0, 7.0)),
        Field::Hour => cyclic(field, low, high, day, (0.0, 23.0)),
        Field::Minute => cyclic(field, low, high, round(Unit::Hour), (0.0, 59.0)),
        Field::Second => cyclic(field, low, high, round(Unit::Minute), (0.0, 60.0)),
    }
}

fn cyclic(field: Field, low: f64, high: f64, round: impl Fn(f64) -> Option<f64>, all: Range) -> Image {
    let dated = !matches!(field, Field::Hour | Field::Minute | Field::Second);
    let outside = dated && (low < CIVIL.0 || high > CIVIL.1);
    let ends = (time::extract(field, low), time::extract(field, high));
    match (ends, round(low), round(high)) {
        ((Some(first), Some(last)), Some(a), Some(b)) if a == b && first <= last && !outside => image(first, last),
        _ => Image { range: Some(all), null: outside },
    }
}

/// The image of times moved by months and seconds.
pub(crate) fn shift((low, high): Range, months: i32, seconds: f64) -> Image {
    let day_of = |x: f64| time::date(x).map_or(31, |date| date.day());
    if low < CIVIL.0 || high > CIVIL.1 {
        return ALL;
    }
    match (time::shift(low, months, 0.0), time::shift(high, months, 0.0)) {
        (Some(first), Some(last)) => {
            // The ends of months are clipped, so that several days fall on one, where an early hour of a later day comes before a late hour
            // of an earlier one.
            let first = if day_of(low) > 27 { time::start_of_day(first) } else { first };
            let last = if day_of(high) > 28 { time::start_of_day(last) + DAY } else { last };
            image(first + seconds, last + seconds)
        }
        _ => ALL,
    }
}

/// The image of a function of two ranges.
pub(crate) fn binary(function: Binary, x: Range, y: Range) -> Image {
    match function {
        Binary::Add => image(x.0 + y.0, x.1 + y.1),
        Binary::Subtract | Binary::Difference => image(x.0 - y.1, x.1 - y.0),
        Binary::Multiply | Binary::Scale => corners(x, y, |a, b| a * b),
        Binary::Divide | Binary::Shorten => quotient(x, y),
        Binary::Remainder => remainder(x, y),
        Binary::Power => power(x, y),
        Binary::RoundTo if y.0 == y.1 => {
            let (low, high) = (numbers(function, x.0, y.0), numbers(function, x.1, y.0));
            widened(low, high)
        }
        _ => ALL,
    }
}

/// The image of a function that is monotone in each of its two values.
fn corners(x: Range, y: Range, function: impl Fn(f64, f64) -> f64) -> Image {
    let values = [function(x.0, y.0), function(x.0, y.1), function(x.1, y.0), function(x.1, y.1)];
    if values.iter().any(|value| value.is_nan()) {
        return ALL;
    }
    image(values.into_iter().fold(f64::INFINITY, f64::min), values.into_iter().fold(f64::NEG_INFINITY, f64::max))
}

/// By the positive and the negative divisors apart.
fn quotient(x: Range, y: Range) -> Image {
    let divide = |a: f64, b: f64| a / b;
    let mut all = Image { range: None, null: y.0 <= 0.0 && y.1 >= 0.0 };
    if y.1 > 0.0 {
        all = join(all, corners(x, (y.0.max(TINY), y.1), divide));
    }
    if y.0 < 0.0 {
        all = join(all, corners(x, (y.0, y.1.min(-TINY)), divide));
    }
    all
}

/// The remainder has the sign of the dividend and is less than the divisor.
fn remainder(x: Range, y: Range) -> Image {
    let null = y.0 <= 0.0 && y.1 >= 0.0;
    if y == (0.0, 0.0) {
        return NOTHING;
    }
    let (first, last) = (x.0 % y.0, x.1 % y.1);
    // In one round of a constant divisor the remainder grows with the dividend.
    if y.0 == y.1 && (x.0 >= 0.0 || x.1 <= 0.0) && x.1 - x.0 < y.0.abs() && first <= last {
        return image(first, last);
    }
    let most = y.0.abs().max(y.1.abs()).next_down();
    let low = if x.0 < 0.0 { -most.min(-x.0) } else { 0.0 };
    let high = if x.1 > 0.0 { most.min(x.1) } else { 0.0 };
    Image { range: Some((low, high)), null }
}

fn power(x: Range, y: Range) -> Image {
    let corner = |a: f64, b: f64| a.powf(b);
    let whole = y.0 == y.1 && y.0.trunc() == y.0 && y.0 >= 0.0;
    let defined = x.0 > 0.0 || (x.0 == 0.0 && y.0 >= 0.0) || whole;
    if !defined {
        return ALL;
    }
    let even = whole && y.0 % 2.0 == 0.0;
    let bounds = if even && x.0 < 0.0 && x.1 > 0.0 {
        // Down to zero and up again.
        join(corners((0.0, x.1), y, corner), corners((x.0, 0.0), y, corner))
    } else {
        corners(x, y, corner)
    };
    let widened = bounds.range.map(|(low, high)| widened(low, high));
    widened.map_or(bounds, |image| Image { null: image.null | bounds.null, ..image })
}

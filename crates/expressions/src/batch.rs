//! Expressions over many rows at once, column by column: what a row costs is then a few operations on numbers. It gives what [`evaluate`] gives
//! row by row, and leaves the rest of the language to that.
//!
//! [`evaluate`]: crate::evaluate

use std::borrow::Cow;

use crate::evaluate::{among, compare};
use crate::functions::{number, numbers};
use crate::node::{Binary, Case, Comparison, Many, Members, Node, Unary};
use crate::value::Value;

/// The columns of some rows.
pub trait Batch {
    /// How many rows there are.
    fn rows(&self) -> usize;

    /// The numbers or times of a column, NaN where one is missing; none for columns of other types.
    fn numbers(&self, column: usize) -> Option<&[f64]>;

    /// The codes of a column of texts or booleans with their levels; a code beyond them is missing. Booleans have the levels `false` and `true`.
    fn codes(&self, column: usize) -> Option<(&[u32], &[String])>;
}

/// The truth of a condition in a row.
const FALSE: u8 = 0;
const TRUE: u8 = 1;
const NULL: u8 = 2;

/// Numbers of rows, or one of all of them.
type Numbers<'b> = Cow<'b, [f64]>;

/// Numbers or times of an expression, NaN for null; none where the expression has parts that are not computed this way.
pub(crate) fn evaluate_numbers<'b, B: Batch>(node: &Node, batch: &'b B) -> Option<Numbers<'b>> {
    let rows = batch.rows();
    match node {
        Node::Literal(Value::Number(x) | Value::Time(x)) => Some(vec![*x; rows].into()),
        Node::Literal(Value::Null) => Some(vec![f64::NAN; rows].into()),
        Node::Column { index, .. } => {
            let column = batch.numbers(*index)?;
            match column.iter().all(|x| !x.is_infinite()) {
                true => Some(column.into()),
                false => Some(finite(column.to_vec()).into()),
            }
        }
        Node::Unary(function, x) if is_numeric(*function) => {
            let mut values = evaluate_numbers(x, batch)?.into_owned();
            values.iter_mut().for_each(|x| *x = number(*function, *x));
            Some(finite(values).into())
        }
        Node::Binary(function, pair) if is_arithmetic(*function) => {
            let b = evaluate_numbers(&pair[1], batch)?;
            let mut values = evaluate_numbers(&pair[0], batch)?.into_owned();
            let of = |a: &mut f64, b: &f64| *a = if a.is_nan() || b.is_nan() { f64::NAN } else { numbers(*function, *a, *b) };
            // The usual ones as loops that the compiler can make vector code of.
            match function {
                Binary::Add => values.iter_mut().zip(b.iter()).for_each(|(a, b)| *a += b),
                Binary::Subtract => values.iter_mut().zip(b.iter()).for_each(|(a, b)| *a -= b),
                Binary::Multiply => values.iter_mut().zip(b.iter()).for_each(|(a, b)| *a *= b),
                _ => values.iter_mut().zip(b.iter()).for_each(|(a, b)| of(a, b)),
            }
            Some(finite(values).into())
        }
        Node::Many(function @ (Many::Least | Many::Greatest | Many::Coalesce), nodes) => {
            let mut parts = nodes.iter().map(|node| evaluate_numbers(node, batch));
            let mut values = parts.next()??.into_owned();
            for part in parts {
                values.iter_mut().zip(part?.iter()).for_each(|(x, y)| *x = joined(*function, *x, *y));
            }
            Some(values.into())
        }
        Node::Case(case) => evaluate_case(case, batch).map(Cow::from),
        Node::Split(split) => evaluate_numbers(&split.inner, batch),
        _ => None,
    }
}

fn finite(mut values: Vec<f64>) -> Vec<f64> {
    values.iter_mut().for_each(|x| *x = if x.is_finite() { *x } else { f64::NAN });
    values
}

/// Functions of numbers alone: what else they take would not be numbers.
fn is_numeric(function: Unary) -> bool {
    matches!(function, Unary::Negate | Unary::Abs | Unary::Round | Unary::Floor | Unary::Ceil | Unary::Sqrt | Unary::Exp | Unary::Ln)
}

fn is_arithmetic(function: Binary) -> bool {
    matches!(
        function,
        Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Remainder | Binary::Power | Binary::RoundTo
    )
}

/// Nulls are left out; of equal numbers the first stays.
fn joined(function: Many, x: f64, y: f64) -> f64 {
    match function {
        _ if x.is_nan() => y,
        Many::Least if y < x => y,
        Many::Greatest if y > x => y,
        _ => x,
    }
}

fn evaluate_case<B: Batch>(case: &Case, batch: &B) -> Option<Vec<f64>> {
    let mut open: Vec<bool> = vec![true; batch.rows()];
    let mut values = vec![f64::NAN; batch.rows()];
    for (condition, result) in &case.branches {
        let met = match &case.operand {
            Some(operand) => compared(Comparison::Equal, operand, condition, batch)?,
            None => truths(condition, batch)?,
        };
        let result = evaluate_numbers(result, batch)?;
        for row in 0..values.len() {
            if open[row] && met[row] == TRUE {
                (values[row], open[row]) = (result[row], false);
            }
        }
    }
    let otherwise = evaluate_numbers(&case.otherwise, batch)?;
    (0..values.len()).filter(|&row| open[row]).for_each(|row| values[row] = otherwise[row]);
    Some(values)
}

/// The truths of a condition; none where it has parts that are not computed this way.
pub(crate) fn truths<B: Batch>(node: &Node, batch: &B) -> Option<Vec<u8>> {
    match node {
        Node::Literal(Value::Boolean(truth)) => Some(vec![u8::from(*truth); batch.rows()]),
        Node::Literal(Value::Null) => Some(vec![NULL; batch.rows()]),
        Node::Column { index, .. } => {
            let (codes, levels) = batch.codes(*index)?;
            let is_boolean = matches!(levels, [no, yes] if no == "false" && yes == "true");
            is_boolean.then(|| codes.iter().map(|&code| code.min(u32::from(NULL)) as u8).collect())
        }
        Node::Not(x) => {
            let mut values = truths(x, batch)?;
            values.iter_mut().for_each(|truth| *truth = [TRUE, FALSE, NULL][usize::from(*truth)]);
            Some(values)
        }
        Node::And(nodes) => decided(nodes, FALSE, batch),
        Node::Or(nodes) => decided(nodes, TRUE, batch),
        Node::Is(expected, x) => Some(truths(x, batch)?.into_iter().map(|truth| u8::from(truth == u8::from(*expected))).collect()),
        Node::IsNull(x) => match evaluate_numbers(x, batch) {
            Some(values) => Some(values.iter().map(|x| u8::from(x.is_nan())).collect()),
            None => Some(truths(x, batch)?.into_iter().map(|truth| u8::from(truth == NULL)).collect()),
        },
        Node::Compare(comparison, pair) => compared(*comparison, &pair[0], &pair[1], batch),
        Node::Between(three) => {
            let above = compared(Comparison::GreaterOrEqual, &three[0], &three[1], batch)?;
            let below = compared(Comparison::LessOrEqual, &three[0], &three[2], batch)?;
            Some(above.into_iter().zip(below).map(|(a, b)| both(a, b, FALSE)).collect())
        }
        Node::In(x, members) if members.others.is_empty() => among_members(x, members, batch),
        Node::Split(split) => truths(&split.inner, batch),
        _ => None,
    }
}

/// AND with `decisive` false, OR with it true.
fn both(a: u8, b: u8, decisive: u8) -> u8 {
    match (a, b) {
        _ if a == decisive || b == decisive => decisive,
        _ if a == NULL || b == NULL => NULL,
        _ => 1 - decisive,
    }
}

fn decided<B: Batch>(nodes: &[Node], decisive: u8, batch: &B) -> Option<Vec<u8>> {
    let mut all = vec![1 - decisive; batch.rows()];
    for node in nodes {
        let more = truths(node, batch)?;
        all.iter_mut().zip(more).for_each(|(a, b)| *a = both(*a, b, decisive));
    }
    Some(all)
}

/// A comparison of numbers, or of a column of labels with a text.
fn compared<B: Batch>(comparison: Comparison, a: &Node, b: &Node, batch: &B) -> Option<Vec<u8>> {
    if let (Node::Column { index, .. }, Node::Literal(value @ Value::Text(_))) = (a, b) {
        return labels(*index, batch, |label| compare(comparison, &Value::from(label), value));
    }
    let (x, y) = (evaluate_numbers(a, batch)?, evaluate_numbers(b, batch)?);
    let of = |(x, y): (&f64, &f64)| x.partial_cmp(y).map_or(NULL, |order| u8::from(comparison.holds(order)));
    Some(x.iter().zip(y.iter()).map(of).collect())
}

fn among_members<B: Batch>(x: &Node, members: &Members, batch: &B) -> Option<Vec<u8>> {
    let truth = |found: Option<bool>| found.map_or(NULL, u8::from);
    if let Node::Column { index, .. } = x
        && batch.codes(*index).is_some()
    {
        return labels(*index, batch, |label| among(members, &Value::from(label)));
    }
    let is_number = members.literals.iter().all(|literal| matches!(literal, Value::Number(_)));
    let of = |x: &f64| truth(among(members, &if x.is_nan() { Value::Null } else { Value::Number(*x) }));
    is_number.then(|| Some(evaluate_numbers(x, batch)?.iter().map(of).collect())).flatten()
}

/// A condition on a column of labels, which is asked once a level.
fn labels<B: Batch>(column: usize, batch: &B, condition: impl Fn(&str) -> Option<bool>) -> Option<Vec<u8>> {
    let (codes, levels) = batch.codes(column)?;
    // Where nearly every row has a label of its own nothing is won.
    if levels.len() > batch.rows().max(64) {
        return None;
    }
    let known: Vec<u8> = levels.iter().map(|label| condition(label).map_or(NULL, u8::from)).collect();
    Some(codes.iter().map(|&code| known.get(code as usize).copied().unwrap_or(NULL)).collect())
}

#[cfg(test)]
mod tests {
    use crate::{Batch, Columns, Expression, Row, Type, Value};

    /// Two numbers, a label, a truth and a time.
    struct Rows {
        numbers: [Vec<f64>; 2],
        codes: [Vec<u32>; 2],
        levels: [Vec<String>; 2],
        times: Vec<f64>,
    }

    impl Rows {
        fn new() -> Self {
            let cycle = |of: &[f64]| (0..36).map(|row| of[row % of.len()]).collect::<Vec<_>>();
            let texts = |all: &[&str]| all.iter().map(|&text| text.to_owned()).collect();
            Self {
                numbers: [cycle(&[0.0, -1.5, 2.0, f64::NAN, 7.0]), cycle(&[3.0, 0.0, f64::NAN, -2.0, 0.5, 1e308, 4.0])],
                codes: [(0..36).map(|row| [0, 1, 2, u32::MAX][row % 4]).collect(), (0..36).map(|row| [1, 0, u32::MAX][row % 3]).collect()],
                levels: [texts(&["u", "v", "w"]), texts(&["false", "true"])],
                times: cycle(&[0.0, 86_400.0, f64::NAN]),
            }
        }
    }

    impl Columns for Rows {
        fn names(&self) -> Vec<String> {
            ["a", "b", "t", "f", "d"].map(String::from).to_vec()
        }

        fn data_type(&self, column: usize) -> Type {
            [Type::Number, Type::Number, Type::Text, Type::Boolean, Type::Time][column]
        }
    }

    impl Batch for Rows {
        fn rows(&self) -> usize {
            36
        }

        fn numbers(&self, column: usize) -> Option<&[f64]> {
            [Some(&self.numbers[0]), Some(&self.numbers[1]), None, None, Some(&self.times)][column].map(Vec::as_slice)
        }

        fn codes(&self, column: usize) -> Option<(&[u32], &[String])> {
            (2..4).contains(&column).then(|| (self.codes[column - 2].as_slice(), self.levels[column - 2].as_slice()))
        }
    }

    struct One<'r>(&'r Rows, usize);

    impl Row for One<'_> {
        fn value(&self, column: usize) -> Value<'_> {
            let code = |of: usize| self.0.codes[of][self.1];
            match column {
                0 | 1 => Value::Number(self.0.numbers[column][self.1]),
                2 => self.0.levels[0].get(code(0) as usize).map_or(Value::Null, |label| Value::from(label.as_str())),
                3 => self.0.levels[1].get(code(1) as usize).map_or(Value::Null, |label| Value::Boolean(label == "true")),
                _ => Value::Time(self.0.times[self.1]),
            }
        }
    }

    #[test]
    fn columns_give_what_rows_give() {
        let rows = Rows::new();
        for text in [
            "a + 2 * b - 1",
            "a / b",
            "a % b",
            "power(a, b)",
            "exp(b) - ln(a)",
            "round(a / 3, 1) + abs(b) + floor(a) + ceil(b) + sqrt(a) + round(b)",
            "coalesce(a, b, 0) + least(a, b) + greatest(a, b, 1)",
            "case when a > b then 1 when f then 2 when t = 'v' then 3 else -a end",
            "case t when 'u' then a when 'w' then b end",
            "case when a is null or not (b > 0 and t <> 'u') then 1 else 0 end",
            "case when t in ('u', 'w') then 1 when a in (2, 7, null) then 2 when a between 0 and b then 3 end",
            "case when f is true then 1 when f is null then 2 else 3 end",
            "case when d >= date '1970-01-02' then a else b end",
            "b * 1e10",
        ] {
            let expression = Expression::parse(text, &rows).expect(text);
            let found = expression.evaluate_batch(&rows).unwrap_or_else(|| panic!("{text} is not computed by columns"));
            for row in 0..36 {
                let one = One(&rows, row);
                let expected = match expression.evaluate(&one) {
                    Value::Number(x) => x,
                    _ => f64::NAN,
                };
                assert!(
                    found[row] == expected || (found[row].is_nan() && expected.is_nan()),
                    "{text}, row {row}: {} not {expected}",
                    found[row]
                );
            }
        }
        for text in ["a > b", "t >= 'v' and f", "not (a = 2 or t = 'u')", "t in ('u')", "f", "a is not null"] {
            let expression = Expression::condition(text, &rows).expect(text);
            let found = expression.holds_batch(&rows).unwrap_or_else(|| panic!("{text} is not computed by columns"));
            (0..36).for_each(|row| assert_eq!(found[row], expression.holds(&One(&rows, row)), "{text}, row {row}"));
        }
    }
}

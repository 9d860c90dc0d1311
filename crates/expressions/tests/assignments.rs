//! Assignments, and columns that are computed from others.

mod support;

use semblant_expressions::{Columns, Expression, Type, Value};
use support::{TYPES, Table, Values};

/// Column "result" is computed.
struct Derived(Expression);

impl Columns for Derived {
    fn names(&self) -> Vec<String> {
        Table.names()
    }

    fn data_type(&self, column: usize) -> Type {
        TYPES[column]
    }

    fn literal(&self, column: usize, text: &str) -> Option<Value<'static>> {
        Table.literal(column, text)
    }

    fn definition(&self, column: usize) -> Option<&Expression> {
        (column == 8).then_some(&self.0)
    }
}

#[test]
fn an_assignment_is_a_column_and_a_value() {
    let (column, value) = Expression::assignment("result = a * b", &Table).expect("an assignment");
    assert_eq!((column, value.data_type(), value.columns(), value.to_string().as_str()), (8, Type::Number, &[0, 1][..], "a * b"));
    assert_eq!(Expression::assignment("a * b = result", &Table).expect("an assignment"), (8, value.clone()));
    let mut row = support::NULLS;
    (row[0], row[1]) = (Value::Number(2.0), Value::Number(3.0));
    assert_eq!(value.evaluate(&Values(&row)), Value::Number(6.0));
    for (text, said) in [
        ("a * b", "a column, an equals sign"),
        ("a + 1 = b + 1", "a column, an equals sign"),
        ("result = a and b = 1", "a column, an equals sign"),
        ("rslt = a", "did you mean \"result\""),
        ("result = s", "takes a number"),
    ] {
        let error = Expression::assignment(text, &Table).expect_err(text).to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_definition_takes_the_place_of_its_column() {
    let (_, definition) = Expression::assignment("result = a + b", &Table).expect("an assignment");
    let columns = Derived(definition);
    let condition = Expression::condition("result > 4 and result <= 6", &columns).expect("a condition");
    assert_eq!(condition.columns(), [0, 1]);
    let holds = |a: f64, b: f64| {
        let mut row = support::NULLS;
        (row[0], row[1]) = (Value::Number(a), Value::Number(b));
        condition.holds(&Values(&row))
    };
    assert_eq!([holds(1.0, 3.0), holds(2.0, 3.0), holds(3.0, 3.0), holds(3.0, 4.0)], [Some(false), Some(true), Some(true), Some(false)]);
    // Definitions of definitions are bounded.
    let mut columns = columns;
    for _ in 0..8 {
        columns = Derived(Expression::assignment("result = result + result", &columns).expect("small").1);
    }
    let error = Expression::condition("result > 0", &columns).expect_err("too large").to_string();
    assert!(error.contains("fewer derived columns"), "{error}");
}

#[test]
fn an_order_names_the_lesser_column_first() {
    let order = |text: &str| Expression::order(text, &Table).expect("readable");
    assert_eq!([order("a < b"), order("(b >= a)"), order("t <= u")], [Some((0, 1, true)), Some((0, 1, false)), Some((4, 5, false))]);
    assert_eq!([order("a < 3"), order("a = b"), order("a < b and b < 3")], [None; 3]);
}

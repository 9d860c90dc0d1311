//! Functions by name, and SQL's own forms of them.

use sqlparser::ast::{
    CeilFloorKind, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectNamePart, TrimWhereField,
};
use sqlparser::tokenizer::Location;

use super::{Binder, Bound, Result, number};
use crate::columns::nearest;
use crate::error::ErrorKind;
use crate::node::{Binary, Many, Node, Unary};
use crate::value::{Type, Value};

/// All functions, for the error of an unknown one.
const NAMES: [&str; 32] = [
    "abs",
    "round",
    "floor",
    "ceil",
    "ceiling",
    "sqrt",
    "exp",
    "ln",
    "power",
    "pow",
    "least",
    "greatest",
    "length",
    "char_length",
    "lower",
    "upper",
    "trim",
    "btrim",
    "ltrim",
    "rtrim",
    "substr",
    "substring",
    "left",
    "right",
    "concat",
    "coalesce",
    "nullif",
    "extract",
    "date_part",
    "date_trunc",
    "days",
    "cast",
];
/// What people try, and what to write instead.
const ELSEWHERE: [(&str, &str); 12] = [
    ("count", "aggregates are not supported: an expression sees one row"),
    ("sum", "aggregates are not supported: an expression sees one row; write a + b"),
    ("avg", "aggregates are not supported: an expression sees one row"),
    ("min", "aggregates are not supported: an expression sees one row; write least(a, b)"),
    ("max", "aggregates are not supported: an expression sees one row; write greatest(a, b)"),
    ("now", "there is no clock; write timestamp '2020-01-31 12:00:00'"),
    ("current_date", "there is no clock; write date '2020-01-31'"),
    ("current_timestamp", "there is no clock; write timestamp '2020-01-31 12:00:00'"),
    ("random", "an expression is the same each time; randomness comes from the model"),
    ("log", "log has several meanings; write ln(x) or ln(x) / ln(10)"),
    ("if", "write case when a then b else c end"),
    ("ifnull", "write coalesce(a, b)"),
];

impl Binder<'_> {
    /// A function, a cast, or one of SQL's own forms.
    pub(super) fn call(&self, expr: &Expr, depth: usize, at: Location) -> Result<Bound> {
        let bind = |expr: &Expr| self.bind(expr, depth + 1);
        match expr {
            Expr::Function(function) => self.function(function, depth, at),
            Expr::Ceil { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
                self.of_one(Unary::Ceil, "ceil", bind(expr)?, at)
            }
            Expr::Floor { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
                self.of_one(Unary::Floor, "floor", bind(expr)?, at)
            }
            Expr::Extract { field, expr, .. } => self.extract(&field.to_string(), bind(expr)?, at),
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let from = substring_from.as_deref().map(bind).transpose()?;
                let count = substring_for.as_deref().map(bind).transpose()?;
                self.substring(bind(expr)?, from, count, at)
            }
            Expr::Trim { expr, trim_where, trim_what: None, trim_characters: None } => {
                let function = match trim_where {
                    Some(TrimWhereField::Leading) => Unary::TrimStart,
                    Some(TrimWhereField::Trailing) => Unary::TrimEnd,
                    Some(TrimWhereField::Both) | None => Unary::Trim,
                };
                self.of_one(function, "trim", bind(expr)?, at)
            }
            Expr::Trim { .. } => self.unsupported(at, "trim takes spaces off and nothing else"),
            Expr::TypedString(typed) => self.typed_text(&typed.data_type, &typed.value, at),
            Expr::Interval(interval) => self.interval(interval, at),
            Expr::Cast { expr, data_type, format: None, .. } => self.cast(bind(expr)?, &data_type.to_string(), at),
            _ => self.unsupported(at, "this part of SQL is not supported"),
        }
    }

    fn function(&self, function: &Function, depth: usize, at: Location) -> Result<Bound> {
        let name = match function.name.0.as_slice() {
            [ObjectNamePart::Identifier(name)] => name.value.to_ascii_lowercase(),
            _ => return self.unsupported(at, "a function has one name"),
        };
        if function.over.is_some() || function.filter.is_some() || !function.within_group.is_empty() {
            return self.unsupported(at, "windows and aggregates are not supported: an expression sees one row");
        }
        if let Some((_, remedy)) = ELSEWHERE.iter().find(|(known, _)| *known == name) {
            return self.unsupported(at, *remedy);
        }
        let mut arguments = Vec::new();
        if let FunctionArguments::List(list) = &function.args {
            if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
                return self.unsupported(at, "the arguments of a function are values only");
            }
            for argument in &list.args {
                match argument {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => arguments.push(self.bind(expr, depth + 1)?),
                    _ => return self.unsupported(at, "the arguments of a function are values only"),
                }
            }
        }
        self.named(&name, arguments, at)
    }

    fn named(&self, name: &str, mut arguments: Vec<Bound>, at: Location) -> Result<Bound> {
        if let Some(function) = of_one(name) {
            let [argument] = self.exactly(name, arguments, at)?;
            return self.of_one(function, name, argument, at);
        }
        match name {
            "round" if arguments.len() != 2 => {
                let [argument] = self.exactly(name, arguments, at)?;
                self.of_one(Unary::Round, name, argument, at)
            }
            "round" => self.of_numbers(Binary::RoundTo, name, arguments, at),
            "power" | "pow" => self.of_numbers(Binary::Power, name, arguments, at),
            "left" | "right" => {
                let [text, count] = self.exactly(name, arguments, at)?;
                let pair = [self.require(text, Type::Text, name)?, self.require(count, Type::Number, name)?];
                let function = if name == "left" { Binary::Left } else { Binary::Right };
                Ok(Bound { node: Node::Binary(function, Box::new(pair)), data_type: Some(Type::Text), at })
            }
            "nullif" => {
                let [a, b] = self.exactly(name, arguments, at)?;
                let (pair, data_type) = self.unify_two(a, b, at)?;
                Ok(Bound { node: Node::Binary(Binary::NullIf, Box::new(pair)), data_type, at })
            }
            "coalesce" | "least" | "greatest" | "concat" => {
                if arguments.is_empty() {
                    return self.arguments(name, "one argument or more", 0, at);
                }
                self.of_many(name, arguments, at)
            }
            "date_trunc" | "date_part" => {
                let [part, time] = self.exactly(name, arguments, at)?;
                let Node::Literal(Value::Text(unit)) = &part.node else {
                    return self.unsupported(at, format!("the first argument of {name} is a text in single quotes: {name}('month', t)"));
                };
                if name == "date_part" { self.extract(unit, time, at) } else { self.truncate(unit, time, at) }
            }
            "days" => {
                let [interval] = self.exactly(name, arguments, at)?;
                let node = self.require(interval, Type::Interval, name)?;
                Ok(number(Node::Unary(Unary::Days, Box::new(node)), at))
            }
            "substr" | "substring" => {
                let count = if arguments.len() == 3 { arguments.pop() } else { None };
                let [text, from] = self.exactly(name, arguments, at)?;
                self.substring(text, Some(from), count, at)
            }
            _ => {
                let nearest = nearest(NAMES.iter().copied(), name).map(str::to_owned);
                self.fail(at, ErrorKind::UnknownFunction { name: name.to_owned(), nearest })
            }
        }
    }

    /// The arguments, if they are as many as that.
    fn exactly<const N: usize>(&self, name: &str, arguments: Vec<Bound>, at: Location) -> Result<[Bound; N]> {
        let expected = if N == 1 { "one argument".to_owned() } else { format!("{N} arguments") };
        arguments.try_into().or_else(|arguments: Vec<Bound>| self.arguments(name, &expected, arguments.len(), at))
    }

    fn arguments<T>(&self, name: &str, expected: &str, found: usize, at: Location) -> Result<T> {
        let found = match found {
            0 => "none is".to_owned(),
            1 => "one is".to_owned(),
            n => format!("{n} are"),
        };
        self.fail(at, ErrorKind::Arguments { name: name.to_owned(), expected: expected.to_owned(), found })
    }

    fn of_one(&self, function: Unary, name: &str, argument: Bound, at: Location) -> Result<Bound> {
        let (takes, gives) = match function {
            Unary::Length => (Type::Text, Type::Number),
            Unary::Lower | Unary::Upper | Unary::Trim | Unary::TrimStart | Unary::TrimEnd => (Type::Text, Type::Text),
            _ => (Type::Number, Type::Number),
        };
        let node = self.require(argument, takes, name)?;
        Ok(Bound { node: Node::Unary(function, Box::new(node)), data_type: Some(gives), at })
    }

    fn of_numbers(&self, function: Binary, name: &str, arguments: Vec<Bound>, at: Location) -> Result<Bound> {
        let [a, b] = self.exactly(name, arguments, at)?;
        let pair = [self.require(a, Type::Number, name)?, self.require(b, Type::Number, name)?];
        Ok(number(Node::Binary(function, Box::new(pair)), at))
    }

    fn of_many(&self, name: &str, arguments: Vec<Bound>, at: Location) -> Result<Bound> {
        let function = match name {
            "coalesce" => Many::Coalesce,
            "least" => Many::Least,
            "greatest" => Many::Greatest,
            _ => {
                let nodes = arguments.into_iter().map(|argument| self.text_of(argument)).collect::<Result<_>>()?;
                return Ok(Bound { node: Node::Many(Many::Concat, nodes), data_type: Some(Type::Text), at });
            }
        };
        let (nodes, data_type) = self.unify(arguments, at)?;
        Ok(Bound { node: Node::Many(function, nodes), data_type, at })
    }

    fn substring(&self, text: Bound, from: Option<Bound>, count: Option<Bound>, at: Location) -> Result<Bound> {
        let argument = |bound: Option<Bound>, default: f64| match bound {
            Some(bound) => self.require(bound, Type::Number, "substring"),
            None => Ok(Node::Literal(Value::Number(default))),
        };
        let parts = [self.require(text, Type::Text, "substring")?, argument(from, 1.0)?, argument(count, f64::MAX)?];
        Ok(Bound { node: Node::Substring(Box::new(parts)), data_type: Some(Type::Text), at })
    }

    fn cast(&self, operand: Bound, name: &str, at: Location) -> Result<Bound> {
        let name = name.to_ascii_lowercase();
        let (function, data_type) = match name.split('(').next().unwrap_or_default() {
            "double" | "double precision" | "float" | "real" | "numeric" | "decimal" => (Unary::ToNumber, Type::Number),
            "int" | "integer" | "bigint" => (Unary::ToInteger, Type::Number),
            "text" | "varchar" | "string" => return Ok(Bound { node: self.text_of(operand)?, data_type: Some(Type::Text), at }),
            "date" | "timestamp" => {
                return self.unsupported(at, "a cast is to double, integer or text; write date '2020-01-31' for a date");
            }
            _ => return self.unsupported(at, "a cast is to double, integer or text"),
        };
        match operand.data_type {
            Some(found @ (Type::Time | Type::Interval)) => {
                self.fail(at, ErrorKind::Type(format!("{found} has no number; write extract(epoch from ...)")))
            }
            _ => Ok(Bound { node: Node::Unary(function, Box::new(operand.node)), data_type: Some(data_type), at }),
        }
    }
}

fn of_one(name: &str) -> Option<Unary> {
    Some(match name {
        "abs" => Unary::Abs,
        "floor" => Unary::Floor,
        "ceil" | "ceiling" => Unary::Ceil,
        "sqrt" => Unary::Sqrt,
        "exp" => Unary::Exp,
        "ln" => Unary::Ln,
        "length" | "char_length" => Unary::Length,
        "lower" => Unary::Lower,
        "upper" => Unary::Upper,
        "trim" | "btrim" => Unary::Trim,
        "ltrim" => Unary::TrimStart,
        "rtrim" => Unary::TrimEnd,
        _ => return None,
    })
}

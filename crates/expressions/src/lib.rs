//! Expressions of SQL over the columns of a table: conditions, constraints and derived columns.
//!
//! An expression is parsed once, its names are bound to columns and its types checked; then it is evaluated row by row, or interpreted while a
//! row is known in part only, which tells a generator what the open columns may still be.
//!
//! ```
//! use semblant_expressions::{Columns, Domain, Domains, Expression, Row, Type, Value};
//!
//! struct Patients;
//!
//! impl Columns for Patients {
//!     fn names(&self) -> Vec<String> {
//!         ["age", "visit"].map(String::from).to_vec()
//!     }
//!
//!     fn data_type(&self, column: usize) -> Type {
//!         [Type::Number, Type::Time][column]
//!     }
//! }
//!
//! struct Patient(f64, f64);
//!
//! impl Row for Patient {
//!     fn value(&self, column: usize) -> Value<'_> {
//!         if column == 0 { Value::Number(self.0) } else { Value::Time(self.1) }
//!     }
//! }
//!
//! /// The age is known to lie in a range, the visit is open.
//! struct Open(f64, f64);
//!
//! impl Domains for Open {
//!     fn domain(&self, column: usize) -> Domain<'_> {
//!         if column == 0 { Domain::Range { low: self.0, high: self.1, null: false } } else { Domain::Any { null: false } }
//!     }
//! }
//!
//! # fn main() -> Result<(), semblant_expressions::Error> {
//! let adult = Expression::condition("age >= 18 and visit >= date '2020-01-01'", &Patients)?;
//! assert_eq!(adult.holds(&Patient(40.0, 1.6e9)), Some(true));
//! assert!(!adult.outcomes(&Open(3.0, 17.5)).may_be_true);
//! assert_eq!(adult.true_ranges(0, 0.0, 128.0, 1.0, &Open(0.0, 0.0)), [(18.0, 128.0)]);
//!
//! let error = Expression::condition("agee > 18", &Patients).unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     r#"in "agee > 18", character 1: there is no column "agee"; did you mean "age"?; the columns are: age, visit"#
//! );
//! # Ok(())
//! # }
//! ```
//!
//! # The language
//!
//! Names are written plainly, or in `"double quotes"` or `` `backticks` ``; texts in `'single quotes'`. Keywords and functions may have any
//! case. A name is that of the column with exactly this name, else of the only one that differs in case.
//!
//! - `= == <> != < <= > >=`, `between`, `in (...)`, `like`, `ilike`, `is [not] null`, `is [not] true`, `is [not] false`, `is [not] unknown`, `is [not] distinct from`, `and`, `or`, `not`.
//! - `+ - * / %`, `||`; `case`, `coalesce`, `nullif`, `least`, `greatest`; `cast(x as double)`, `integer` and `text`.
//! - Numbers: `abs`, `round(x)`, `round(x, digits)`, `floor`, `ceil`, `sqrt`, `exp`, `ln`, `power`.
//! - Texts: `length`, `lower`, `upper`, `trim`, `ltrim`, `rtrim`, `substr`, `substring`, `left`, `right`, `concat`.
//! - Times: `date '2020-01-31'`, `timestamp '2020-01-31 12:00'`, `interval '3 days'`, a time and an interval added or subtracted, the difference of two times, an interval times or by a number, `days(interval)`, `date_trunc('month', t)`, and `extract(... from ...)` of `year`, `quarter`, `month`, `week`, `day`, `dow`, `isodow`, `doy`, `hour`, `minute`, `second` and `epoch`.
//!
//! A text in single quotes beside something of another type means a value of that type: `visit >= '2020-01-01'`.
//!
//! # Meaning
//!
//! Nulls follow SQL's three-valued logic. Where engines differ the meaning is PostgreSQL's, with these exceptions: all numbers are `f64`, so
//! `7 / 2` is 3.5; what has no finite value (a division by zero, the logarithm of a negative number, an overflow, a time outside of the years
//! -9999 to 9999 whose date is needed, a text that is no number) is null instead of an error; an interval has months and seconds but no days
//! apart from these, and two times differ by an interval. `round` goes half away from zero.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod batch;
mod bind;
mod columns;
mod error;
mod evaluate;
mod expression;
mod functions;
mod intervals;
mod like;
mod node;
mod outcomes;
mod parse;
mod ranges;
mod set;
mod split;
mod time;
mod value;

pub use batch::Batch;
pub use columns::{Columns, nearest};
pub use error::{Error, ErrorKind};
pub use evaluate::Row;
pub use expression::Expression;
pub use outcomes::{Domain, Domains, Outcomes};
pub use time::civil;
pub use value::{Type, Value};

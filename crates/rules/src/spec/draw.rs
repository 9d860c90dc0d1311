//! What a value can be drawn from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{At, Names, Term, Weighted};

/// What a value is drawn from. Parameters are numbers or SQL expressions over the row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the names of parameters are those of the distributions")]
pub enum Draw {
    /// Any number from `min` to `max`.
    Uniform { min: Term, max: Term },
    /// The normal distribution.
    Normal { mean: Term, sd: Term },
    /// exp of a normal number with mean `mu` and standard deviation `sigma`.
    Lognormal { mu: Term, sigma: Term },
    /// Gamma, with mean `shape` times `scale`.
    Gamma { shape: Term, scale: Term },
    /// Beta on 0 to 1, with mean `a` / (`a` + `b`).
    Beta { a: Term, b: Term },
    /// Exponential with this mean.
    Exponential { mean: Term },
    /// Pareto: at least `scale`, P(X > x) = (`scale` / x)^`shape`.
    Pareto { scale: Term, shape: Term },
    /// Weibull: P(X > x) = exp(-(x / `scale`)^`shape`).
    Weibull { scale: Term, shape: Term },
    /// Student's t, moved to `mean` and stretched by `scale`.
    StudentT { df: Term, mean: Term, scale: Term },
    /// Triangular between `min` and `max` with its peak at `mode`.
    Triangular { min: Term, mode: Term, max: Term },
    /// Laplace: exp(-|x - `mean`| / `scale`).
    Laplace { mean: Term, scale: Term },
    /// Logistic.
    Logistic { mean: Term, scale: Term },
    /// Whole numbers from `min` to `max`, equally often.
    Integers { min: Term, max: Term },
    /// Poisson.
    Poisson { mean: Term },
    /// Negative binomial with variance `mean` + `mean`^2 / `dispersion`.
    NegativeBinomial { mean: Term, dispersion: Term },
    /// How often of `n` times something of probability `p` happens.
    Binomial { n: Term, p: Term },
    /// How often something of probability `p` does not happen before it does.
    Geometric { p: Term },
    /// 1 to `n`, k with a chance in proportion to k^-`exponent`.
    Zipf { n: Term, exponent: Term },
    /// One of several distributions of numbers.
    Mixture(Vec<Part>),
    /// Numbers as in a column of a table, with those between neighbours.
    Empirical { file: At<String>, column: At<String> },
    /// Numbers by their quantiles at equal steps from 0 to 1, those between neighbours included: `[0, 10, 15, 40]`.
    Quantiles(At<Vec<f64>>),
    /// True with probability `p`.
    Boolean { p: Term },
    /// One of these labels.
    Categories(Weighted),
    /// A value of the rows of a table whose `keys` are equal to the columns of these names here, by `weight` if there is such a column.
    Lookup {
        file: At<String>,
        keys: Names,
        value: At<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        weight: Option<At<String>>,
    },
    /// A day from `from` to `to`, texts such as `'2024-01-31'` or expressions.
    Date(Calendar),
    /// A second from `from` to `to`.
    Datetime(Calendar),
    /// A text of a regular expression, whose repetitions have an end.
    Regex(At<String>),
    /// A text with the values of columns in braces: `"{first}.{last}@{domain}"`; `{id:06}` has at least six digits.
    Template(At<String>),
    /// `first_name`, `last_name`, `name`, `title`, `job`, `city`, `country`, `country_code`, `state`, `street`, `address`, `postcode`, `company`,
    /// `industry`, `profession`, `phone`, `email`, `user_name`, `domain`, `word`, `sentence`, `currency`.
    Fake(At<String>),
    /// A random UUID (version 4).
    Uuid,
    /// Numbers of the rows, or texts of them with a prefix.
    Sequence {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        start: Option<At<i64>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<At<i64>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prefix: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        width: Option<At<u8>>,
    },
    /// A number of `digits` digits whose last one is Luhn's check digit, as of payment cards.
    Luhn {
        digits: At<u8>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prefix: Option<At<String>>,
    },
    /// An IBAN of a country with right check digits: `DE`, `FR`, `NL`, `ES`, `AT`, `CH`, `BE`, `GB`, `IT`, `PL`.
    Iban { country: At<String> },
    /// The latitude of a point within a box `[south, west, north, east]`, or around a centre `[latitude, longitude]`, normal by `km`.
    Latitude {
        #[serde(default, rename = "box", skip_serializing_if = "Option::is_none")]
        area: Option<At<[f64; 4]>>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        centres: Vec<At<[f64; 2]>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        km: Option<At<f64>>,
    },
    /// The longitude of the point whose latitude is the column `of`.
    Longitude { of: At<String> },
}

/// A part of a mixture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its weight.
    pub weight: Term,
    /// Its distribution.
    pub draw: At<Box<Draw>>,
}

/// Days, and the times of day, that a date or time may have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// The first day or time: a text such as `2024-01-31`, or an expression.
    pub from: Term,
    /// The last one.
    pub to: Term,
    /// Whether only Monday to Friday count that are no holidays.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub business_days: bool,
    /// The weights of Monday to Sunday.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekdays: Option<At<Vec<f64>>>,
    /// The weights of January to December.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub months: Option<At<Vec<f64>>>,
    /// For times: from when to when, `["09:00", "17:30"]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<At<[String; 2]>>,
}

//! What may be wrong with the text of an expression.

use std::fmt;

use sqlparser::tokenizer::Location;

use crate::value::Type;

/// How much of a long text an error repeats on each side of the place, in characters.
const SHOWN: usize = 60;

/// An expression that cannot be used: where, what, and the remedy, on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(Box<Details>);

/// Boxed, so that a result without an error is small.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Details {
    text: String,
    line: usize,
    column: usize,
    lines: usize,
    kind: ErrorKind,
}

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text is not SQL.
    #[error("{0}")]
    Syntax(String),
    /// No column has this name.
    #[error("there is no column {name:?}{}; the columns are: {columns}", did_you_mean(.nearest))]
    UnknownColumn {
        /// The name.
        name: String,
        /// The name that was likely meant.
        nearest: Option<String>,
        /// The first names that there are.
        columns: String,
    },
    /// Several columns have this name up to case.
    #[error("{name:?} may be any of the columns {candidates}; write the exact name in double quotes")]
    AmbiguousColumn {
        /// The name.
        name: String,
        /// The columns that it may be.
        candidates: String,
    },
    /// No function has this name.
    #[error("there is no function {name}{}", did_you_mean(.nearest))]
    UnknownFunction {
        /// The name.
        name: String,
        /// The name that was likely meant.
        nearest: Option<String>,
    },
    /// A function has too few or too many arguments.
    #[error("{name} takes {expected}, and {found} given")]
    Arguments {
        /// The function.
        name: String,
        /// What it takes.
        expected: String,
        /// How many there are.
        found: String,
    },
    /// A part of an expression has another type than its place demands.
    #[error("{0}")]
    Type(String),
    /// A text in quotes is no value of the column or type that it is compared with.
    #[error("{0}")]
    Literal(String),
    /// SQL that this language leaves out.
    #[error("{0}")]
    Unsupported(String),
    /// A condition was expected.
    #[error("a condition is true or false, and this is {0}; compare it with something")]
    NotCondition(Type),
    /// An assignment was expected.
    #[error("expected a column, an equals sign and what the column is computed from: total = price * units")]
    NotAssignment,
    /// The text is too long, or nested too deeply.
    #[error("{0}")]
    TooLarge(String),
}

impl Error {
    pub(crate) fn new(text: &str, at: Location, kind: ErrorKind) -> Self {
        let (line, column) = (usize::try_from(at.line).unwrap_or(0), usize::try_from(at.column).unwrap_or(0));
        Self(Box::new(Details { text: excerpt(text, line, column), line, column, lines: text.lines().count(), kind }))
    }

    /// What is wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The line of the place, from 1; 0 where no place is known.
    pub fn line(&self) -> usize {
        self.0.line
    }

    /// The character in the line, from 1; 0 where no place is known.
    pub fn column(&self) -> usize {
        self.0.column
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { text, line, column, lines, kind } = self.0.as_ref();
        write!(f, "in \"{text}\"")?;
        match (line, lines) {
            (0, _) => {}
            (_, 0 | 1) => write!(f, ", character {column}")?,
            _ => write!(f, ", line {line}, character {column}")?,
        }
        write!(f, ": {kind}")
    }
}

fn did_you_mean(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or(String::new(), |name| format!("; did you mean {name:?}?"))
}

/// The text around a place on one line, with dots where something is left out.
fn excerpt(text: &str, line: usize, column: usize) -> String {
    let before = text.split_inclusive('\n').take(line.saturating_sub(1)).map(|line| line.chars().count()).sum::<usize>();
    let place = before + column;
    let start = place.saturating_sub(SHOWN);
    let shown: String = text.chars().skip(start).take(2 * SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let more = text.chars().nth(start + 2 * SHOWN).is_some();
    format!("{}{}{}", if start > 0 { "..." } else { "" }, shown.trim(), if more { "..." } else { "" })
}

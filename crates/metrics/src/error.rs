//! Errors of the metrics.

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The score does not exist for these inputs (a constant column has no correlation, an empty one no distribution).
    /// A report shows such a score as "not defined" with this reason and continues.
    #[error("not defined: {0}")]
    Undefined(String),
    /// Two tables cannot be compared at all.
    #[error("{0}")]
    Tables(String),
    /// Images cannot be compared.
    #[error("{0}")]
    Images(String),
    /// An option is outside its range.
    #[error("option {name}: {what}")]
    Option {
        /// The field of the options.
        name: &'static str,
        /// What is wrong with it and what is allowed.
        what: String,
    },
    /// A table cannot be read or has no such column.
    #[error(transparent)]
    Data(#[from] semblant_data::Error),
}

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A score that is not defined, with the reason.
pub(crate) fn undefined<T>(why: impl Into<String>) -> Result<T> {
    Err(Error::Undefined(why.into()))
}

impl Error {
    /// The reason alone when this is an [`Error::Undefined`], otherwise the whole message.
    pub fn reason(&self) -> String {
        match self {
            Self::Undefined(why) => why.clone(),
            other => other.to_string(),
        }
    }
}

impl From<Error> for semblant_core::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Data(error) => error.into(),
            Error::Option { .. } => Self::Config(error.to_string()),
            other => Self::Data(other.to_string()),
        }
    }
}

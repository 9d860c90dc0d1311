//! Everything that can go wrong with data, in words that say what, where and what to do.

use std::path::PathBuf;

/// An error of this crate. Every message names the place and the remedy on one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened, read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The contents of a file do not match its format.
    #[error("{path}: {what}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, where, and the remedy.
        what: String,
    },
    /// A table, column or schema is not usable as given.
    #[error("{0}")]
    Table(String),
    /// Images are not usable as given.
    #[error("{0}")]
    Images(String),
    /// Something that would take more memory than it may.
    #[error(transparent)]
    Memory(semblant_core::Error),
    /// A column that the table does not have.
    #[error("no column \"{name}\"; the columns are: {known}")]
    UnknownColumn {
        /// The unknown name.
        name: String,
        /// The names there are, comma-separated.
        known: String,
    },
}

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An [`Error::Io`] for `path`.
    pub fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }

    /// An [`Error::Format`] for `path`.
    pub fn format(path: impl Into<PathBuf>, what: impl Into<String>) -> Self {
        Self::Format { path: path.into(), what: what.into() }
    }
}

/// What reading a file and reckoning with memory can end in.
impl From<semblant_core::Error> for Error {
    fn from(error: semblant_core::Error) -> Self {
        match error {
            semblant_core::Error::Io { path, source } => Self::Io { path, source },
            semblant_core::Error::Memory { .. } => Self::Memory(error),
            other => Self::Table(other.to_string()),
        }
    }
}

impl From<Error> for semblant_core::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io { path, source } => Self::Io { path, source },
            Error::UnknownColumn { .. } => Self::Config(error.to_string()),
            Error::Memory(error) => error,
            other => Self::Data(other.to_string()),
        }
    }
}

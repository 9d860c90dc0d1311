//! Errors of training, sampling and storing a model.

use std::path::PathBuf;

/// An error of this crate. Every message names the place and the remedy on one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A device name that is not understood, or that this build or machine does not offer.
    #[error("{0}")]
    Device(String),
    /// A file could not be opened, read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A model or state file that is damaged, of another version, or of another shape.
    #[error("{path}: {what}")]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong, and the remedy.
        what: String,
    },
    /// A setting out of its range or unknown.
    #[error("{0}")]
    Config(String),
    /// A condition that cannot be met, or that contradicts another.
    #[error("{0}")]
    Condition(String),
    /// Something that takes more memory than it may; see [`Memory`](crate::memory::Memory).
    #[error("{what} would take {needed} of memory or more, where {limit} are allowed; is it what it should be? raise --memory if so")]
    Memory {
        /// What it is, and where.
        what: String,
        /// The memory that it takes at least.
        needed: String,
        /// The limit.
        limit: String,
    },
    /// A loss or a value of the state (a weight, an average, a moment) became NaN or infinite.
    #[error("{what} became {value} at step {step} ({rows_seen} rows seen); {kept}; try a lower learning rate")]
    NotFinite {
        /// Which loss, or which tensor of the state.
        what: String,
        /// NaN or inf.
        value: f64,
        /// The step.
        step: u64,
        /// Rows seen so far.
        rows_seen: u64,
        /// Which state can be resumed.
        kept: String,
    },
    /// The run was interrupted; its state is saved.
    #[error("interrupted at step {step}; {kept}")]
    Interrupted {
        /// The step at which it stopped.
        step: u64,
        /// Where the state is saved, and how to continue.
        kept: String,
    },
    /// Another of the devices that train one model stopped.
    #[error("another device stopped at step {step}, so this one cannot continue; earlier saves are kept")]
    Worker {
        /// The step that could not be taken.
        step: u64,
    },
    /// Data that a model cannot be fitted to.
    #[error("{0}")]
    Data(String),
}

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An [`Error::Io`] for `path`.
    pub fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }

    /// An [`Error::Checkpoint`] for `path`.
    pub fn checkpoint(path: impl Into<PathBuf>, what: impl Into<String>) -> Self {
        Self::Checkpoint { path: path.into(), what: what.into() }
    }
}

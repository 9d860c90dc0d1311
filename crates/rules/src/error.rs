//! What can be wrong with a spec or a row of it: file, line, column, what and the remedy, on one line.

use std::fmt;
use std::path::{Path, PathBuf};

/// A place in a file; line 0 means the file as a whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
}

/// An error of a spec, or of a row that it makes.
#[derive(Debug, thiserror::Error)]
pub struct Error(Box<Details>);

#[derive(Debug)]
struct Details {
    path: PathBuf,
    place: Place,
    what: String,
}

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error at a place of a spec.
    pub fn new(path: impl Into<PathBuf>, place: Place, what: impl Into<String>) -> Self {
        Self(Box::new(Details { path: path.into(), place, what: what.into() }))
    }

    /// The spec.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The place in it.
    pub fn place(&self) -> Place {
        self.0.place
    }

    /// What is wrong, and the remedy.
    pub fn what(&self) -> &str {
        &self.0.what
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { path, place, what } = self.0.as_ref();
        match place.line {
            0 => write!(f, "{}: {what}", path.display()),
            line => write!(f, "{}:{line}:{}: {what}", path.display(), place.column),
        }
    }
}

impl From<Error> for semblant_core::Error {
    fn from(error: Error) -> Self {
        Self::Config(error.to_string())
    }
}

/// Which of the `known` names is meant, as a part of a sentence; empty if none is near enough.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    semblant_expressions::nearest(known, name).map_or(String::new(), |nearest| format!("; did you mean \"{nearest}\"?"))
}

/// The place of a name among those that are `known`. Where it is none of them, `said` makes the error of what may be meant and of all of them.
pub(crate) fn place_of<'a>(
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
    said: impl FnOnce(String, String) -> String,
) -> std::result::Result<usize, String> {
    let found = known.clone().position(|known| known == name);
    found.ok_or_else(|| said(did_you_mean(name, known.clone()), known.collect::<Vec<_>>().join(", ")))
}

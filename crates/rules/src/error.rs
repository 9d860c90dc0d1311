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

/// `name`, if it is near enough to one of `known` to be meant.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let distance = |known: &&str| edit_distance(&name.to_lowercase(), &known.to_lowercase());
    let nearest = known.into_iter().min_by_key(distance).filter(|known| distance(known) <= name.chars().count().div_ceil(3));
    nearest.map_or(String::new(), |nearest| format!("; did you mean \"{nearest}\"?"))
}

/// The Levenshtein distance of two texts.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

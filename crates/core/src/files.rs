//! Atomic files and folders: written under a random temporary name beside the target, flushed to the disk, then renamed. A crash at any moment
//! leaves what was there before.
//!
//! Temporary names are made exclusively, so that no link that lies there is followed. Where the target itself is a symbolic link it stays, and
//! the file that it leads to is replaced. What is being written is known to the process, so that one that is asked to end can remove it
//! ([`abandon`]).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::{NamedTempFile, TempDir};

use crate::{Error, Result};

/// Writes `bytes` to `path`, replacing a file that is there.
///
/// # Errors
/// When the folder cannot be written or the disk is full, then nothing is left behind; or when `path` is not a file: renaming would put
/// a file in the place of a device.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |file| file.write_all(bytes)).map_err(|source| Error::io(path, source))
}

/// As [`write()`], with the contents written by `contents`.
///
/// # Errors
/// As [`write()`], and as `contents`.
pub fn write_with(path: &Path, contents: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>) -> io::Result<()> {
    let temporary = temporary(path)?;
    let mut file = BufWriter::new(temporary.as_file());
    contents(&mut file).and_then(|()| file.flush())?;
    drop(file);
    temporary.persist()
}

/// What is being written, by its temporary name: the target as the user named it.
static UNFINISHED: Mutex<BTreeMap<PathBuf, PathBuf>> = Mutex::new(BTreeMap::new());

fn unfinished() -> MutexGuard<'static, BTreeMap<PathBuf, PathBuf>> {
    // A map of names is whole whatever a thread that panicked was doing.
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes all files and folders that are being written, for a process that ends at once; gives the targets that they were for. From then on no
/// thread begins a file or gives one its name: those that try wait for the end.
pub fn abandon() -> Vec<PathBuf> {
    let unfinished = unfinished();
    for temporary in unfinished.keys() {
        // Threads may still put files into a folder: once the folder is gone they cannot.
        for _ in 0..100 {
            let removed = if temporary.is_dir() { std::fs::remove_dir_all(temporary) } else { std::fs::remove_file(temporary) };
            if removed.is_ok() || !temporary.exists() {
                break;
            }
        }
    }
    // A file inside a folder that is being written is not what was asked for.
    let is_inside = |temporary: &Path| unfinished.keys().any(|other| other != temporary && temporary.starts_with(other));
    let targets = unfinished.iter().filter(|(temporary, _)| !is_inside(temporary)).map(|(_, target)| target.clone()).collect();
    // Whoever waits for the lock would go on otherwise.
    std::mem::forget(unfinished);
    targets
}

/// A file that is being written; it is removed when it is dropped before [`Temporary::persist`].
#[derive(Debug)]
pub struct Temporary {
    // None once it has its name.
    file: Option<NamedTempFile>,
    // Held open by itself, so that it can be borrowed while the above is not there.
    open: File,
    target: PathBuf,
}

/// A file beside `path`, to be given its name by [`Temporary::persist`].
///
/// # Errors
/// As [`write()`].
pub fn temporary(path: &Path) -> io::Result<Temporary> {
    let target = followed(path)?;
    if std::fs::metadata(&target).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "exists and is not a file; choose another name"));
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    // As any new file would have, instead of the private mode of temporary files.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut unfinished = unfinished();
    let file = builder.tempfile_in(folder_of(&target))?;
    unfinished.insert(file.path().to_owned(), path.to_owned());
    drop(unfinished);
    let open = file.as_file().try_clone()?;
    Ok(Temporary { file: Some(file), open, target })
}

impl Temporary {
    /// The file, open for writing.
    pub fn as_file(&self) -> &File {
        &self.open
    }

    /// Flushes it to the disk and gives it its name.
    ///
    /// # Errors
    /// When the disk is full or the file cannot be renamed; then the target is as it was before.
    pub fn persist(mut self) -> io::Result<()> {
        self.open.sync_all()?;
        let Some(file) = self.file.take() else { return Ok(()) };
        let mut unfinished = unfinished();
        unfinished.remove(file.path());
        file.persist(&self.target).map(drop).map_err(|failed| failed.error)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            unfinished().remove(file.path());
        }
    }
}

/// A folder that is being written; it is removed when it is dropped before [`TemporaryFolder::persist`].
#[derive(Debug)]
pub struct TemporaryFolder {
    // None once it has its name.
    folder: Option<TempDir>,
    path: PathBuf,
    target: PathBuf,
}

/// A folder beside `path`, to be given its name by [`TemporaryFolder::persist`].
///
/// # Errors
/// When something is there that is no empty folder, when the folder above cannot be written, or `path` ends without a name.
pub fn temporary_folder(path: &Path) -> io::Result<TemporaryFolder> {
    let target = followed(path)?;
    if target.exists() && !std::fs::read_dir(&target).is_ok_and(|mut files| files.next().is_none()) {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "is there and no empty folder; name another one, or remove it first"));
    }
    if target.file_name().is_none() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "has no folder name; add a name"));
    }
    folder_in(folder_of(&target), &target, path)
}

/// A folder inside the folder `path`, whose files are to be moved there.
///
/// # Errors
/// When `path` cannot be written.
pub fn temporary_folder_inside(path: &Path) -> io::Result<TemporaryFolder> {
    folder_in(path, path, path)
}

fn folder_in(parent: &Path, target: &Path, named: &Path) -> io::Result<TemporaryFolder> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    let mut unfinished = unfinished();
    let folder = builder.tempdir_in(parent)?;
    unfinished.insert(folder.path().to_owned(), named.to_owned());
    Ok(TemporaryFolder { path: folder.path().to_owned(), folder: Some(folder), target: target.to_owned() })
}

impl TemporaryFolder {
    /// Where it is now.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name, in the place of an empty folder if there is one.
    ///
    /// # Errors
    /// When something is there that is no empty folder, or it cannot be renamed; then nothing is left behind.
    pub fn persist(mut self) -> io::Result<()> {
        let mut unfinished = unfinished();
        if self.target.is_dir() {
            std::fs::remove_dir(&self.target)?;
        }
        std::fs::rename(&self.path, &self.target)?;
        unfinished.remove(&self.path);
        // What it was to tidy up has another name now.
        self.folder.take().map(TempDir::keep);
        Ok(())
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take() {
            drop(folder);
            unfinished().remove(&self.path);
        }
    }
}

/// How temporary names begin and end.
const PREFIX: &str = ".semblant-";
const SUFFIX: &str = ".partial";

/// The folder that a path lies in; the current one for a bare name.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The path that `path` leads to through symbolic links; the last may lead to a file that is not there yet.
///
/// # Errors
/// Links that lead in a circle.
pub fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    // As many as Linux follows.
    for _ in 0..40 {
        match std::fs::read_link(&path) {
            Ok(next) => path = folder_of(&path).join(next),
            // No link, or nothing at all.
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::new(ErrorKind::InvalidInput, "is a symbolic link that leads in a circle"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .expect("readable")
            .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        write(&path, b"old").expect("writable");
        let failed = write_with(&path, |file| file.write_all(b"half").and_then(|()| Err(io::Error::other("full"))));
        assert!(failed.is_err());
        assert_eq!((names(folder.path()), std::fs::read(&path).expect("there")), (vec!["a".to_owned()], b"old".to_vec()));
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_and_lead_to_the_new_file() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("far")).expect("writable");
        std::fs::write(at("far/old"), "old").expect("writable");
        // One to a link beside it, to a file elsewhere; one to what is not there yet; a circle.
        for (target, link) in [("far/old", "b"), ("b", "a"), ("far/new", "c"), ("e", "d"), ("d", "e")] {
            symlink(target, at(link)).expect("a link");
        }
        for (link, file) in [("a", "far/old"), ("c", "far/new")] {
            write(&at(link), link.as_bytes()).expect("writable");
            assert!(at(link).is_symlink(), "{link} is a link no more");
            assert_eq!(std::fs::read_to_string(at(file)).expect("there"), link);
        }
        assert!(write(&at("d"), b"").expect_err("a circle").to_string().contains("circle"));
        assert_eq!(names(folder.path()), ["a", "b", "c", "d", "e", "far"]);
        assert_eq!(names(&at("far")), ["new", "old"]);
    }

    #[test]
    fn a_folder_takes_the_place_of_an_empty_one_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("made");
        let [made, late] = ["one", "late"].map(|name| {
            let made = temporary_folder(&target).expect("writable");
            std::fs::write(made.path().join(name), "").expect("writable");
            made
        });
        made.persist().expect("nothing is there");
        late.persist().expect_err("it is not empty any more");
        temporary_folder(&target).expect_err("it is not empty");
        assert_eq!((names(folder.path()), names(&target)), (vec!["made".to_owned()], vec!["one".to_owned()]));
    }
}

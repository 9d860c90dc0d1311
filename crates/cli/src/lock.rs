//! One fit at a time in a run folder.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::Failure;

/// The lock's file in a run folder: the process that holds it and since when.
const LOCK_FILE: &str = "lock";

/// A run folder that is this process's alone.
///
/// The lock is the system's, which gives it back when a process ends, however it ends: a file that a killed process left locks nothing, and is
/// taken over. What stands in the file is for people.
#[derive(Debug)]
pub(crate) struct Lock {
    folder: PathBuf,
    // Closing it gives the lock back.
    _file: File,
}

impl Lock {
    /// Makes the folder, and locks it.
    ///
    /// # Errors
    /// When another process has it, or it cannot be written.
    pub(crate) fn of(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(LOCK_FILE);
        let failed = |error: io::Error| Failure::Work(format!("{}: {error}", path.display()));
        loop {
            std::fs::create_dir_all(folder).map_err(|error| Failure::Work(format!("{}: {error}", folder.display())))?;
            if path.is_symlink() {
                return Err(Failure::Work(format!("{}: is a symbolic link, not the lock of a fit; remove it", path.display())));
            }
            let mut file = match File::options().read(true).write(true).create(true).truncate(false).open(&path) {
                // A fit that ended removed the folder just now.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                opened => opened.map_err(failed)?,
            };
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    let _ = file.read_to_string(&mut holder);
                    let holder = if holder.trim().is_empty() { "" } else { &format!(" ({})", holder.trim()) };
                    let what = "another fit is writing here";
                    return Err(Failure::Work(format!("{}: {what}{holder}; wait for its end, or choose another -o", folder.display())));
                }
                // Some network file systems have no locks; there it is as if no one else were at work.
                Err(TryLockError::Error(error)) if error.kind() != ErrorKind::Unsupported => return Err(failed(error)),
                _ => {}
            }
            // Whoever had the lock may have removed its file between the opening and the locking.
            if !is_still(&file, &path) {
                continue;
            }
            let holder = format!("process {} since {}\n", std::process::id(), jiff::Timestamp::now());
            file.set_len(0).and_then(|()| file.write_all(holder.as_bytes())).map_err(failed)?;
            return Ok(Self { folder: folder.to_owned(), _file: file });
        }
    }
}

impl Lock {
    /// Removes the file of a lock that this process holds and is about to give back.
    pub(crate) fn remove(folder: &Path) {
        let _ = std::fs::remove_file(folder.join(LOCK_FILE));
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Before the lock is given back, so that no one locks what is about to go.
        Self::remove(&self.folder);
    }
}

/// Whether an open file still has its name.
fn is_still(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let place = |found: io::Result<std::fs::Metadata>| found.map(|found| (found.dev(), found.ino())).ok();
        place(file.metadata()) == place(std::fs::metadata(path))
    }
    // Elsewhere a file that is open cannot be removed.
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_holder_and_a_stale_lock_none() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("m.run");
        let first = Lock::of(&folder).expect("free");
        let Err(Failure::Work(said)) = Lock::of(&folder) else { panic!("it is taken") };
        let process = format!("process {} since 2", std::process::id());
        assert!(said.contains(&process) && said.contains("m.run") && said.lines().count() == 1, "{said}");
        drop(first);
        assert!(!folder.join(LOCK_FILE).exists());
        // What a killed process left.
        std::fs::write(folder.join(LOCK_FILE), "process 4194304 since 2020-01-01T00:00:00Z, and more text than the next one writes\n")
            .expect("writable");
        let second = Lock::of(&folder).expect("stale");
        assert!(std::fs::read_to_string(folder.join(LOCK_FILE)).expect("there").starts_with(&process));
        drop(second);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_the_place_of_the_lock_is_not_followed() {
        let place = tempfile::tempdir().expect("a folder");
        let precious = place.path().join("precious");
        std::fs::write(&precious, "kept").expect("writable");
        std::os::unix::fs::symlink(&precious, place.path().join(LOCK_FILE)).expect("a link");
        assert!(matches!(Lock::of(place.path()), Err(Failure::Work(said)) if said.contains("symbolic link")));
        assert_eq!(std::fs::read_to_string(precious).expect("there"), "kept");
    }
}

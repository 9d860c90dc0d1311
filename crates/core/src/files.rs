//! Atomic files: written under a temporary name in the same folder, flushed to the disk, then renamed. A crash at any
//! moment leaves the file that was there before.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;

use tempfile::NamedTempFile;

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
    persist(temporary, path)
}

/// A file in the folder of `path`, to be given its name by [`persist`]; it is removed when it is dropped before.
///
/// # Errors
/// As [`write()`].
pub fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "exists and is not a file; choose another name"));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".semblant-").suffix(".partial");
    // As any new file would have, instead of the private mode of temporary files.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Flushes a temporary file to the disk and renames it to `path`.
///
/// # Errors
/// When the disk is full or the file cannot be renamed; then `path` is as it was before.
pub fn persist(temporary: NamedTempFile, path: &Path) -> io::Result<()> {
    temporary.as_file().sync_all()?;
    temporary.persist(path).map(drop).map_err(|failed| failed.error)
}

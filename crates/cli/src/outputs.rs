//! Which files a command may write: never one that it reads, and none of the user's own without `--force`.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use semblant::checkpoint::Checkpoint;

use crate::{Failure, Outcome, datasets};

/// Refuses outputs that are inputs, two outputs in one file, and existing files that this program did not write.
pub(crate) fn check(outputs: &[&Path], inputs: &[&Path], force: bool) -> Outcome {
    for (place, output) in outputs.iter().enumerate() {
        if is_stream(output) {
            continue;
        }
        if let Some(input) = inputs.iter().find(|input| same_file(input, output)) {
            return Err(Failure::Usage(format!("{}: is the input {}; choose another name", output.display(), input.display())));
        }
        if outputs[..place].iter().any(|other| *other == *output || same_file(other, output)) {
            return Err(Failure::Usage(format!("{}: two outputs have this name; choose another for one of them", output.display())));
        }
        let is_old_file = std::fs::metadata(output).is_ok_and(|found| found.is_file() && found.len() > 0);
        if is_old_file && !force && !is_ours(output) {
            return Err(Failure::Usage(format!("{}: exists and was not written by semblant; add --force to replace it", output.display())));
        }
    }
    Ok(())
}

/// Whether a path means standard input or output.
pub(crate) fn is_stream(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path == "-" || path.starts_with("-."))
}

/// Notes that a file is of this program, so that the next run may replace it.
pub(crate) fn record(output: &Path) {
    let Some(note) = note_of(output).filter(|_| !is_stream(output)) else { return };
    if let (Some(folder), Some(state)) = (note.parent(), state(output)) {
        // Without the note the next run asks for --force, no more.
        let _ = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&note, state));
    }
}

fn is_ours(output: &Path) -> bool {
    let noted = note_of(output).and_then(|note| std::fs::read_to_string(note).ok());
    // A model file says itself what it is, wherever it was made.
    (noted.is_some() && noted == state(output)) || Checkpoint::read(output).is_ok()
}

/// Size and time of change, which another program's change does not keep.
fn state(path: &Path) -> Option<String> {
    let metadata = std::fs::metadata(path).ok()?;
    let changed = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{} {}\n{}\n", metadata.len(), changed.as_nanos(), path.canonicalize().ok()?.display()))
}

fn note_of(output: &Path) -> Option<PathBuf> {
    let mut hasher = DefaultHasher::new();
    output.canonicalize().ok()?.hash(&mut hasher);
    Some(datasets::cache_dir().join("written").join(format!("{:016x}", hasher.finish())))
}

/// Whether two paths lead to one file, through links and whatever their spelling.
fn same_file(one: &Path, other: &Path) -> bool {
    match (std::fs::metadata(one), std::fs::metadata(other)) {
        #[cfg(unix)]
        (Ok(one), Ok(other)) => {
            use std::os::unix::fs::MetadataExt;
            (one.dev(), one.ino()) == (other.dev(), other.ino())
        }
        #[cfg(not(unix))]
        (Ok(_), Ok(_)) => one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other)),
        _ => false,
    }
}

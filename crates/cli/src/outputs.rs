//! Which files a command may write: never one that it reads, no two in one place, and none of the user's own without `--force`.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use semblant::files;
use semblant::metrics::report::GENERATOR;
use serde_json::Value;

use crate::{Failure, Outcome, datasets, signals};

/// Refuses outputs that are inputs, two outputs in one place, existing files that this program did not write, and places that cannot be written.
pub(crate) fn check(outputs: &[&Path], inputs: &[&Path], force: bool) -> Outcome {
    let mut places = HashSet::with_capacity(outputs.len());
    for output in outputs {
        if !places.insert(Place::of(output)) {
            let what = match is_stream(output) {
                true => "two outputs go to standard output; give a file for one of them".to_owned(),
                false => format!("{}: two outputs have this name; choose another for one of them", output.display()),
            };
            return Err(Failure::Usage(what));
        }
        if is_stream(output) {
            continue;
        }
        check_not_read(output, inputs)?;
        if holds_something(output) && !is_ours(output) {
            if let Some(folder) = inputs.iter().find(|input| is_inside(output, input)) {
                let what = format!("{}: is a file of the input {}; choose another name", output.display(), folder.display());
                return Err(Failure::Usage(what));
            }
            if !force {
                let what = format!("{}: exists and was not written by semblant; add --force to replace it", output.display());
                return Err(Failure::Usage(what));
            }
        }
    }
    Ok(())
}

/// Refuses to write to a place that is read.
pub(crate) fn check_not_read(output: &Path, inputs: &[&Path]) -> Outcome {
    let Some(input) = inputs.iter().find(|input| !is_stream(input) && is_same(input, output)) else { return Ok(()) };
    Err(Failure::Usage(format!("{}: is the input {}; choose another name", output.display(), input.display())))
}

/// Finds out before hours of work, not after, that a file could not be written.
pub(crate) fn check_writable(output: &Path) -> Outcome {
    if is_stream(output) {
        return Ok(());
    }
    if output.is_dir() {
        return Err(Failure::Work(format!("{}: this is a folder; give the name of a file", output.display())));
    }
    // The temporary file goes at once.
    files::temporary(output).map(drop).map_err(|error| Failure::Work(format!("{}: cannot be written: {error}", output.display())))
}

/// The files that a text of settings or options may name: the text itself, and what stands between its colons, commas and equals signs.
pub(crate) fn named_in(text: &str) -> impl Iterator<Item = PathBuf> + '_ {
    let after_kind = text.split_once(':').map(|(_, rest)| rest);
    let parts = text.split([':', ',', '=']);
    std::iter::once(text).chain(after_kind).chain(parts).filter(|part| !part.is_empty()).map(PathBuf::from)
}

/// The files that settings name.
pub(crate) fn named_in_settings(settings: &Value) -> Vec<PathBuf> {
    match settings {
        Value::String(text) => Some(PathBuf::from(text)).filter(|path| path.is_file()).into_iter().collect(),
        Value::Array(values) => values.iter().flat_map(named_in_settings).collect(),
        Value::Object(values) => values.values().flat_map(named_in_settings).collect(),
        _ => Vec::new(),
    }
}

/// Whether a path means standard input or output.
pub(crate) fn is_stream(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path == "-" || path.starts_with("-."))
}

/// Notes that a file is complete and of this program, so that the next run may replace it.
pub(crate) fn record(output: &Path) {
    if is_stream(output) {
        return;
    }
    signals::completed(output);
    if let (Some(note), Some(state)) = (note_of(output), state(output)) {
        // Without the note the next run asks for --force, no more.
        let _ = note.parent().map(std::fs::create_dir_all);
        let _ = files::write(&note, state.as_bytes());
    }
}

/// Whether this program wrote a file: one that it noted and that has not changed since, or one that says so itself, wherever it was made. Tables
/// and pictures say nothing.
fn is_ours(output: &Path) -> bool {
    let noted = note_of(output).and_then(|note| std::fs::read_to_string(note).ok());
    (noted.is_some() && noted == state(output)) || is_model(output).unwrap_or(false) || is_report(output).unwrap_or(false)
}

/// Whether a file's header is that of a model; the tensors are not read.
fn is_model(path: &Path) -> std::io::Result<bool> {
    let (mut file, mut length) = (File::open(path)?, [0; 8]);
    file.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length >= file.metadata()?.len() {
        return Ok(false);
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header)?;
    let header: Value = serde_json::from_slice(&header)?;
    Ok(header["__metadata__"]["semblant_format"].is_string())
}

/// Whether a file is the page or the JSON of a report.
fn is_report(path: &Path) -> std::io::Result<bool> {
    let mut head = Vec::new();
    File::open(path)?.take(1024).read_to_end(&mut head)?;
    let head = String::from_utf8_lossy(&head);
    let json = head.split_whitespace().take(4).collect::<Vec<_>>();
    let is_json = matches!(json[..], ["{", "\"format\":", version, "\"kind\":" | "\"reports\":"] if version.trim_end_matches(',').parse::<u32>().is_ok());
    Ok(is_json || head.contains(&format!("<meta name=\"generator\" content=\"{GENERATOR} ")))
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

/// An empty file holds nothing that could be lost, as `mktemp` makes one.
fn holds_something(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() > 0)
}

fn is_inside(path: &Path, folder: &Path) -> bool {
    let whole = |path: &Path| path.canonicalize().ok();
    folder.is_dir() && whole(path).zip(whole(folder)).is_some_and(|(path, folder)| path.starts_with(folder))
}

/// Whether two paths lead to one file, or will, through links and whatever their spelling.
fn is_same(one: &Path, other: &Path) -> bool {
    Place::of(one) == Place::of(other)
}

/// Where a file is, whatever it is called.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Place {
    /// Standard input or output.
    Stream,
    #[cfg(unix)]
    File { device: u64, inode: u64 },
    #[cfg(not(unix))]
    File(PathBuf),
    /// A file that is not there yet: its folder, and its name in it.
    New(PathBuf, std::ffi::OsString),
}

impl Place {
    fn of(path: &Path) -> Self {
        if is_stream(path) {
            return Self::Stream;
        }
        match std::fs::metadata(path) {
            #[cfg(unix)]
            Ok(found) => {
                use std::os::unix::fs::MetadataExt;
                Self::File { device: found.dev(), inode: found.ino() }
            }
            #[cfg(not(unix))]
            Ok(_) => Self::File(path.canonicalize().unwrap_or_else(|_| path.to_owned())),
            // Where no folder is, the path says as much as there is.
            Err(_) => Self::of_new(path).unwrap_or_else(|| Self::New(PathBuf::new(), path.into())),
        }
    }

    fn of_new(path: &Path) -> Option<Self> {
        let path = files::followed(path).ok()?;
        let folder = files::folder_of(&path);
        Some(Self::New(folder.canonicalize().ok()?, path.file_name()?.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_options_name_files() {
        let named: Vec<PathBuf> = named_in("lpips:a,b.pth,lin=c.pth").collect();
        assert!(["a,b.pth,lin=c.pth", "c.pth"].iter().all(|name| named.contains(&PathBuf::from(name))), "{named:?}");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("vae.safetensors");
        std::fs::write(&file, "x").expect("writable");
        let settings = serde_json::json!({ "epochs": 3, "parts": [{ "autoencoder": file }], "kind": "mlp" });
        assert_eq!(named_in_settings(&settings), [file]);
    }

    #[cfg(unix)]
    #[test]
    fn places_are_the_same_through_links_and_other_spellings() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("a"), "a").expect("writable");
        std::fs::hard_link(at("a"), at("hard")).expect("a link");
        std::os::unix::fs::symlink("a", at("soft")).expect("a link");
        std::os::unix::fs::symlink("new", at("to-new")).expect("a link");
        std::os::unix::fs::symlink(folder.path(), at("here")).expect("a link");
        for (one, other) in [("a", "hard"), ("a", "soft"), ("a", "./a"), ("here/a", "hard"), ("new", "to-new"), ("here/new", "./new")] {
            assert!(is_same(&at(one), &at(other)), "{one} and {other}");
        }
        std::fs::write(at("b"), "a").expect("writable");
        assert!(!is_same(&at("a"), &at("b")) && !is_same(&at("new"), &at("newer")) && !is_same(&at("new"), &at("a")));
        assert!(is_same(Path::new("-"), Path::new("-.parquet")) && !is_same(Path::new("-"), &at("a")));
    }
}

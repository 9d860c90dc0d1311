//! Folders of image files.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::decode::{LARGEST_FILE, is_image_name};
use super::merge::{Found, class_of, is_hidden, join, note_on};
use super::{ImageOptions, ReadImages};
use crate::Result;

pub(super) fn read(path: &Path, options: &ImageOptions) -> Result<ReadImages> {
    let mut found = Vec::new();
    let (mut others, mut unreadable, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    let mut folders: Vec<PathBuf> = Vec::new();
    // The folder itself may have any name; what is hidden below it is passed over.
    let walk = WalkDir::new(path).follow_links(true).sort_by_file_name().into_iter();
    let shown = |below: &Path| below.strip_prefix(path).unwrap_or(below).to_string_lossy().into_owned();
    for entry in walk.filter_entry(|entry| entry.depth() == 0 || !is_hidden(Path::new(entry.file_name()))) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let name = error.path().map(&shown).unwrap_or_default();
                unreadable.push(if error.loop_ancestor().is_some() { format!("{name} (a link back to a folder above)") } else { name });
                continue;
            }
        };
        let below = entry.path().strip_prefix(path).unwrap_or(entry.path());
        if entry.file_type().is_dir() {
            folders.push(below.to_owned());
        } else if entry.file_type().is_file() && is_image_name(below) {
            found.push(Found { name: shown(entry.path()), class: class_of(below), source: entry.path().to_owned() });
        } else {
            others.push(shown(entry.path()));
        }
    }
    let used = |folder: &PathBuf| found.iter().any(|file| Path::new(&file.name).starts_with(folder));
    let empty: Vec<String> = folders
        .iter()
        .filter(|folder| !folder.as_os_str().is_empty() && !used(folder))
        .map(|folder| folder.to_string_lossy().into_owned())
        .collect();
    notes.extend(note_on(&others, "no image that can be read; left out"));
    notes.extend(note_on(&unreadable, "cannot be opened; left out"));
    notes.extend(note_on(&empty, "a folder without images; it is no class"));
    join(path, found, options, notes, |file| load(file))
}

fn load(file: &Path) -> Result<Vec<u8>, String> {
    let said = |error: std::io::Error| format!("cannot be read ({error})");
    let mut bytes = Vec::new();
    File::open(file).and_then(|open| open.take(LARGEST_FILE + 1).read_to_end(&mut bytes)).map_err(said)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(format!("is larger than {} MiB", LARGEST_FILE >> 20));
    }
    Ok(bytes)
}

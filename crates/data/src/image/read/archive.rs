//! Image files in a tar archive.

use std::io::Read;
use std::path::Path;

use tar::Archive;

use super::decode::{LARGEST_FILE, is_image_name};
use super::merge::{Found, class_of, is_hidden, join, note_on};
use super::{ImageOptions, ReadImages, open, unreadable};
use crate::bounded::Bounded;
use crate::{Error, Result};

/// The most bytes of image files that are held while an archive is read.
const MOST_ENCODED: u64 = 8 << 30;

pub(super) fn read(path: &Path, options: &ImageOptions) -> Result<ReadImages> {
    let most = MOST_ENCODED.min(options.memory.bytes());
    // A name or a note may be as long as its header says, and is read as a whole.
    let (bounded, part) = Bounded::new(open(path)?, most, "one file of an archive");
    let mut archive = Archive::new(bounded);
    let said = |error: std::io::Error| unreadable(path, &error);
    let (mut found, mut others, mut held) = (Vec::new(), Vec::new(), 0);
    for entry in archive.entries().map_err(said)? {
        let mut entry = entry.map_err(said)?;
        part.ended();
        let inside = entry.path().map_err(said)?.into_owned();
        let kind = entry.header().entry_type();
        // `git archive` puts a header of its own in front.
        if kind.is_dir() || kind.is_pax_global_extensions() || is_hidden(&inside) {
            continue;
        }
        let name = inside.to_string_lossy().into_owned();
        if !kind.is_file() || !is_image_name(&inside) {
            others.push(name);
            continue;
        }
        // No more is unpacked than an image may have, whatever the header says; a longer one is known by its missing end.
        let mut bytes = Vec::new();
        entry.by_ref().take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(said)?;
        held += bytes.len() as u64;
        if held > most {
            let what = format!("unpacks to more than {} MiB; unpack it into a folder and give that", most >> 20);
            return Err(Error::format(path, what));
        }
        if entry.header().size().map_err(said)? != bytes.len() as u64 {
            bytes.clear();
        }
        found.push(Found { class: class_of(&inside), name, source: bytes });
    }
    // One folder around all images is a wrapping, not a class.
    if found.windows(2).all(|pair| Path::new(&pair[0].name).parent() == Path::new(&pair[1].name).parent()) {
        found.iter_mut().for_each(|file| file.class = None);
    }
    let notes = note_on(&others, "no image that can be read; left out").into_iter().collect();
    // The bytes are copied so that folders and archives share one way; that is a small part of decoding them.
    join(path, found, options, notes, |bytes: &Vec<u8>| Ok(bytes.clone()))
}

//! IDX, the format of MNIST: two zeros, a type, the number of dimensions, the dimensions as big-endian 32-bit numbers, the values.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::merge::{check_memory, refit_all};
use super::{ImageOptions, LONGEST_SIDE, ReadImages, classes_from, open, unreadable};
use crate::image::Images;
use crate::{Error, Result};

/// The type of unsigned bytes.
const BYTES: u8 = 8;

pub(super) fn read(path: &Path, options: &ImageOptions) -> Result<ReadImages> {
    let mut notes = Vec::new();
    let (sides, all) = read_values(path, 3, options, "labels, not images; name the file of images")?;
    let [count, height, width] = [sides[0], sides[1], sides[2]];
    if count == 0 {
        return Err(Error::format(path, "holds no images; fetch it again"));
    }
    let labels = match options.labels.clone().or_else(|| labels_beside(path)) {
        Some(labels) => Some(read_labels(&labels, path, count, options)?),
        None => {
            let note = format!("{}: there are no labels under the usual name, so the images have no classes", path.display());
            notes.push(note);
            None
        }
    };
    let chosen = options.chosen(count);
    let one = height * width;
    let pixels = if chosen.len() == count { all } else { chosen.iter().flat_map(|&index| &all[index * one..][..one]).copied().collect() };
    let classes = labels.map(|labels| {
        let (ids, names) = classes_from(&labels);
        (chosen.iter().map(|&index| ids[index]).collect(), names)
    });
    let images = Images::new(pixels, [chosen.len(), 1, height, width], classes)?;
    refit_all(path, images, options, notes)
}

fn read_labels(path: &Path, images: &Path, count: usize, options: &ImageOptions) -> Result<Vec<String>> {
    let (sides, labels) = read_values(path, 1, options, "images, not labels; name the file of labels")?;
    if sides[0] != count {
        let what = format!("holds {} labels, but {} holds {count} images; use two files of one set", sides[0], images.display());
        return Err(Error::format(path, what));
    }
    Ok(labels.iter().map(u8::to_string).collect())
}

/// The dimensions and values of a file that must have `rank` dimensions; `otherwise` says what it is if it has those of its sibling.
fn read_values(path: &Path, rank: usize, options: &ImageOptions, otherwise: &str) -> Result<(Vec<usize>, Vec<u8>)> {
    let mut file = open(path)?;
    let refuse = |what: String| Err(Error::format(path, what));
    let mut header = [0; 4];
    read_header(&mut file, &mut header, path)?;
    let [0, 0, kind, dimensions] = header else {
        return refuse(format!("does not begin like an IDX file (00 00, found {:02x} {:02x}); fetch it again", header[0], header[1]));
    };
    if kind != BYTES {
        return refuse(format!("holds values of IDX type {kind:#04x} instead of unsigned bytes, {BYTES:#04x}"));
    }
    if usize::from(dimensions) != rank {
        return match (rank, dimensions) {
            (3, 1) | (1, 3) => refuse(format!("holds {otherwise}")),
            _ => refuse(format!("has {dimensions} dimensions instead of {rank}; write it as count x height x width")),
        };
    }
    let mut sides = vec![0; rank];
    for side in &mut sides {
        let mut bytes = [0; 4];
        read_header(&mut file, &mut bytes, path)?;
        *side = u32::from_be_bytes(bytes) as usize;
    }
    if let Some(side) = sides[1..].iter().find(|&&side| side == 0 || side > LONGEST_SIDE) {
        return refuse(format!(
            "says that its images have a side of {side} pixels, which lies outside 1 to {LONGEST_SIDE}; fetch it again"
        ));
    }
    let promised: u128 = sides.iter().map(|&side| side as u128).product();
    check_memory(path, promised, options)?;
    // The memory grows with what is really there, not with what the header promises.
    let mut values = Vec::new();
    file.take(promised as u64 + 1).read_to_end(&mut values).map_err(|error| unreadable(path, &error))?;
    if values.len() as u128 != promised {
        let found = if values.len() as u128 > promised { "more".to_owned() } else { format!("only {}", values.len()) };
        let shape = sides.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ");
        return refuse(format!("promises {shape} = {promised} bytes and holds {found}; it may be truncated or damaged, fetch it again"));
    }
    Ok((sides, values))
}

fn read_header(file: &mut impl Read, bytes: &mut [u8], path: &Path) -> Result<()> {
    file.read_exact(bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => Error::format(path, "ends within its header; it is truncated, fetch it again"),
        _ => unreadable(path, &error),
    })
}

/// `train-images-idx3-ubyte.gz` has its labels in `train-labels-idx1-ubyte.gz`; either may be compressed.
fn labels_beside(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    if !name.contains("images") {
        return None;
    }
    let labels = name.replace("images", "labels").replace("idx3", "idx1");
    let plain = labels.strip_suffix(".gz").unwrap_or(&labels).to_owned();
    [labels, format!("{plain}.gz"), plain].into_iter().map(|name| path.with_file_name(name)).find(|labels| labels.is_file())
}

//! The binary layout of CIFAR: records of one label (CIFAR-10) or two (CIFAR-100: coarse, fine) and 3,072 bytes, the red plane of 32 x 32
//! first, then green, then blue.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::merge::{check_memory, refit_all};
use super::{ImageOptions, ReadImages, open, unreadable};
use crate::image::Images;
use crate::{Error, Result};

const SIDE: usize = 32;
const PIXELS: usize = 3 * SIDE * SIDE;

/// The two layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Ten,
    Hundred,
}

impl Layout {
    fn labels(self) -> usize {
        if self == Self::Ten { 1 } else { 2 }
    }

    fn classes(self) -> usize {
        if self == Self::Ten { 10 } else { 100 }
    }

    /// The file of class names, next to the records.
    fn names_file(self) -> &'static str {
        if self == Self::Ten { "batches.meta.txt" } else { "fine_label_names.txt" }
    }
}

/// Whether a folder holds the files of CIFAR.
pub(super) fn is_folder(path: &Path) -> bool {
    !training_files(path).is_empty()
}

fn training_files(folder: &Path) -> Vec<PathBuf> {
    let batches: Vec<PathBuf> = (1..=5).map(|batch| folder.join(format!("data_batch_{batch}.bin"))).collect();
    let all = batches.into_iter().chain([folder.join("train.bin")]);
    all.filter(|file| file.is_file()).collect()
}

pub(super) fn read_folder(path: &Path, options: &ImageOptions) -> Result<ReadImages> {
    let files = training_files(path);
    let mut notes = Vec::new();
    if let Some(test) = ["test_batch.bin", "test.bin"].into_iter().find(|name| path.join(name).is_file()) {
        notes.push(format!("{test} is the test part and was left out; give the file itself to read it"));
    }
    if files.len() < 5 && files[0].ends_with("data_batch_1.bin") {
        notes.push(format!("only {} of the five training files are there", files.len()));
    }
    read(path, &files, options, notes)
}

pub(super) fn read_file(path: &Path, options: &ImageOptions) -> Result<ReadImages> {
    read(path, &[path.to_owned()], options, Vec::new())
}

fn read(path: &Path, files: &[PathBuf], options: &ImageOptions, notes: Vec<String>) -> Result<ReadImages> {
    let mut parts = Vec::with_capacity(files.len());
    for file in files {
        let mut bytes = Vec::new();
        open(file)?.take(options.memory.bytes().saturating_add(1)).read_to_end(&mut bytes).map_err(|error| unreadable(file, &error))?;
        check_memory(file, bytes.len() as u128, options)?;
        let layout = layout(file, bytes.len())?;
        parts.push((file, layout, bytes));
    }
    let layout = parts[0].1;
    if let Some((odd, _, _)) = parts.iter().find(|(_, other, _)| *other != layout) {
        return Err(Error::format(odd.as_path(), "has another layout than the other files; keep CIFAR-10 and CIFAR-100 apart"));
    }
    check_memory(path, parts.iter().map(|(_, _, bytes)| bytes.len() as u128).sum(), options)?;
    let record = layout.labels() + PIXELS;
    let records: Vec<(&Path, usize, &[u8])> = parts
        .iter()
        .flat_map(|(file, _, bytes)| bytes.chunks_exact(record).enumerate().map(|(row, record)| (file.as_path(), row, record)))
        .collect();
    let (mut pixels, mut ids) = (Vec::new(), Vec::new());
    for index in options.chosen(records.len()) {
        let (file, row, record) = records[index];
        let (labels, planes) = record.split_at(layout.labels());
        let class = labels[labels.len() - 1];
        if usize::from(class) >= layout.classes() {
            let what = format!("record {} has the label {class}, which is not below {}", row + 1, layout.classes());
            return Err(Error::format(file, format!("{what}; the file is damaged or not CIFAR, fetch it again")));
        }
        ids.push(u32::from(class));
        pixels.extend_from_slice(planes);
    }
    let shape = [ids.len(), 3, SIDE, SIDE];
    let images = Images::new(pixels, shape, Some((ids, class_names(&files[0], layout)?)))?;
    refit_all(path, images, options, notes)
}

/// The layout that a file's length is a multiple of; where both fit, its name decides.
fn layout(file: &Path, bytes: usize) -> Result<Layout> {
    let fits = |layout: Layout| bytes > 0 && bytes.is_multiple_of(layout.labels() + PIXELS);
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let hundred = name.starts_with("train.bin") || name.starts_with("test.bin");
    match (fits(Layout::Ten), fits(Layout::Hundred)) {
        (true, false) => Ok(Layout::Ten),
        (false, true) => Ok(Layout::Hundred),
        (true, true) => Ok(if hundred { Layout::Hundred } else { Layout::Ten }),
        (false, false) => {
            let what = format!("has {bytes} bytes, which is not a multiple of the records of CIFAR-10 (3,073) or CIFAR-100 (3,074)");
            Err(Error::format(file, format!("{what}; it may be truncated, fetch it again")))
        }
    }
}

/// The class names next to the records; without them the numbers.
fn class_names(file: &Path, layout: Layout) -> Result<Vec<String>> {
    let path = file.with_file_name(layout.names_file());
    let numbers = || (0..layout.classes()).map(|class| class.to_string()).collect();
    if !path.is_file() {
        return Ok(numbers());
    }
    let text = semblant_core::memory::read_text(&path)?;
    let names: Vec<String> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    if names.len() != layout.classes() {
        let what = format!("names {} classes instead of {}; correct or remove it", names.len(), layout.classes());
        return Err(Error::format(path, what));
    }
    Ok(names)
}

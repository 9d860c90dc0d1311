//! Images as rows of a CSV file: a column for each pixel, and maybe one for the class.

use std::path::Path;

use csv::{ReaderBuilder, StringRecord};

use super::merge::{check_memory, refit_all};
use super::{ImageOptions, ReadImages, classes_from, open};
use crate::bounded::Bounded;
use crate::image::Images;
use crate::table::{LARGEST_RECORD, shorten};
use crate::{Error, Result};

/// Default names of the class column.
const LABEL_NAMES: [&str; 3] = ["label", "class", "target"];

pub(super) fn read(path: &Path, options: &ImageOptions) -> Result<ReadImages> {
    let (bounded, part) = Bounded::new(open(path)?, LARGEST_RECORD.min(options.memory.bytes() / 4), "a row; look for an unclosed quote");
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(bounded);
    let header = reader.headers().map_err(|error| broken(path, &error))?.clone();
    let label = label_column(&header, options)?;
    let width = header.len() - usize::from(label.is_some());
    let (channels, side) = shape(path, width)?;
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| broken(path, &error))? {
        let row = labels.len() + 1;
        if record.len() != header.len() {
            let what = format!("row {row} has {} cells where the header has {}; correct or remove the row", record.len(), header.len());
            return Err(Error::format(path, what));
        }
        for (column, cell) in record.iter().enumerate().filter(|(column, _)| Some(*column) != label) {
            values.push(pixel(path, &header[column], row, cell)?);
        }
        labels.push(label.map_or("", |label| record[label].trim()).to_owned());
        part.ended();
        check_memory(path, values.len() as u128 * 4, options)?;
    }
    if labels.is_empty() {
        return Err(Error::format(path, "has a header but no rows; an image is a row"));
    }
    if label.is_some()
        && let Some(row) = labels.iter().position(String::is_empty)
    {
        return Err(Error::format(path, format!("row {} has no class; fill it in or remove the row", row + 1)));
    }
    let mut notes = Vec::new();
    let white = white(path, &values, width, options, &mut notes)?;
    let chosen = options.chosen(labels.len());
    let to_byte = |value: &f32| (f64::from(*value) / white * 255.0).round() as u8;
    let pixels = chosen.iter().flat_map(|&row| &values[row * width..][..width]).map(to_byte).collect();
    let classes = label.map(|_| {
        let (ids, names) = classes_from(&labels);
        (chosen.iter().map(|&row| ids[row]).collect(), names)
    });
    refit_all(path, Images::new(pixels, [chosen.len(), channels, side, side], classes)?, options, notes)
}

fn label_column(header: &StringRecord, options: &ImageOptions) -> Result<Option<usize>> {
    match &options.label {
        Some(asked) => match header.iter().position(|name| name == asked) {
            Some(column) => Ok(Some(column)),
            None => Err(Error::UnknownColumn { name: asked.clone(), known: header.iter().collect::<Vec<_>>().join(", ") }),
        },
        None => Ok(header.iter().position(|name| LABEL_NAMES.contains(&name.trim().to_ascii_lowercase().as_str()))),
    }
}

/// Channels and side of square images with so many values. No number is both a square and three times one.
fn shape(path: &Path, values: usize) -> Result<(usize, usize)> {
    for channels in [1, 3] {
        let side = (values / channels).isqrt();
        if side > 0 && side * side * channels == values {
            return Ok((channels, side));
        }
    }
    let what = format!("has {values} columns besides the class, which is not a square image with 1 or 3 channels");
    Err(Error::format(
        path,
        format!("{what}; keep the pixel columns only, and name the class column (label) if it is not one of {LABEL_NAMES:?}"),
    ))
}

fn pixel(path: &Path, column: &str, row: usize, cell: &str) -> Result<f32> {
    let refuse = |what: &str| Err(Error::format(path, format!("row {row}, column \"{column}\": \"{}\" {what}", shorten(cell))));
    match cell.trim().parse::<f32>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        Ok(value) if value < 0.0 => refuse("is negative; pixels range from 0 (black) to white"),
        _ => refuse("is no number; correct the cell, or name the class column (label) if this is it"),
    }
}

/// The value of white.
fn white(path: &Path, values: &[f32], width: usize, options: &ImageOptions, notes: &mut Vec<String>) -> Result<f64> {
    let largest = f64::from(values.iter().copied().fold(0.0, f32::max));
    let white = match options.pixel_max {
        Some(white) => white,
        None => {
            let white = if largest <= 1.0 {
                1.0
            } else if largest <= 16.0 {
                16.0
            } else {
                255.0
            };
            notes.push(format!("{}: {white} is taken for white, as the largest pixel is {largest} (pixel_max)", path.display()));
            white
        }
    };
    if largest > white {
        let row = values.iter().position(|&value| f64::from(value) > white).unwrap_or(0) / width + 1;
        return Err(Error::format(path, format!("row {row} has a pixel above {white}, the number for white; give pixel_max = {largest}")));
    }
    Ok(white)
}

fn broken(path: &Path, error: &csv::Error) -> Error {
    let what = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    Error::format(path, format!("cannot be read as CSV ({what}); it may be truncated or damaged, fetch it again"))
}

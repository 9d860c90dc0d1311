//! NumPy's `.npz`: a zip archive of arrays. Images are unsigned bytes, `[count, height, width]` or with channels behind; labels are whole
//! numbers, texts in `class_names` what they stand for. The names are those that [`Images::write_npz`] writes, or `arr_0` and `arr_1`, as
//! `numpy.savez` numbers them.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError;

use super::merge::{check_memory, refit_all};
use super::{ImageOptions, LONGEST_SIDE, ReadImages, classes_from, unreadable};
use crate::image::Images;
use crate::{Error, Result};

/// The longest description of an array to read.
const MOST_HEADER: usize = 1 << 16;

type Archive = ZipArchive<BufReader<File>>;

/// An array as its file describes it.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    /// NumPy's name of the type, such as `|u1`.
    kind: String,
    shape: Vec<usize>,
}

pub(super) fn read(path: &Path, options: &ImageOptions) -> Result<ReadImages> {
    let file = semblant_core::memory::open(path)?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| damaged(path, &error))?;
    let Some((name, header, bytes)) = array(&mut archive, path, options, &["images", "arr_0"])? else {
        let names: Vec<_> = archive.file_names().flatten().take(10).collect();
        let what = format!("has no array called images or arr_0, but {}; save the images under one of these names", names.join(", "));
        return Err(Error::format(path, what));
    };
    let [count, height, width, channels] = match (header.kind.as_str(), header.shape.as_slice()) {
        ("|u1", &[count, height, width]) => [count, height, width, 1],
        ("|u1", &[count, height, width, channels @ (1 | 3)]) => [count, height, width, channels],
        (kind, shape) => {
            let what =
                format!("{name} is of type {kind} and shape {shape:?}; images are unsigned bytes (|u1) of [count, height, width] or");
            return Err(Error::format(path, format!("{what} [count, height, width, 1 or 3]")));
        }
    };
    if count == 0 || height == 0 || width == 0 || height > LONGEST_SIDE || width > LONGEST_SIDE {
        return Err(Error::format(path, format!("{name} has {count} images of {height} x {width} pixels; there is nothing to read")));
    }
    let labels = match array(&mut archive, path, options, &["labels", "arr_1"])? {
        Some((name, header, bytes)) => Some(labels(path, &name, &header, &bytes, count)?),
        None => None,
    };
    let names = match array(&mut archive, path, options, &["class_names"])? {
        Some((name, header, bytes)) => Some(texts(path, &name, &header, &bytes)?),
        None => None,
    };
    let (chosen, one) = (options.chosen(count), height * width * channels);
    // Files have pixel after pixel, images plane after plane.
    let planes = |index: usize| {
        let image = &bytes[index * one..][..one];
        (0..channels).flat_map(move |channel| image.iter().skip(channel).step_by(channels).copied())
    };
    let pixels = chosen.iter().flat_map(|&index| planes(index)).collect();
    let classes = labels.map(|labels| -> Result<_> {
        let (ids, names) = named(path, &labels, names)?;
        Ok((chosen.iter().map(|&index| ids[index]).collect(), names))
    });
    let classes = classes.transpose()?;
    refit_all(path, Images::new(pixels, [chosen.len(), channels, height, width], classes)?, options, Vec::new())
}

/// Whole numbers as the names of classes.
fn labels(path: &Path, name: &str, header: &Header, bytes: &[u8], count: usize) -> Result<Vec<String>> {
    let Header { kind, shape } = header;
    // One number an image, also as a column.
    if shape.iter().try_fold(1usize, |product, &side| product.checked_mul(side)) != Some(count) || shape.first() != Some(&count) {
        return Err(Error::format(
            path,
            format!("{name} has the shape {shape:?} where there are {count} images; one label belongs to each"),
        ));
    }
    let widened = |bytes: &[u8], fill: u8| {
        let mut wide = [fill; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        wide
    };
    let signed = |bytes: &[u8]| i64::from_le_bytes(widened(bytes, if bytes[bytes.len() - 1] > 127 { 0xff } else { 0 })).to_string();
    let unsigned = |bytes: &[u8]| u64::from_le_bytes(widened(bytes, 0)).to_string();
    Ok(match kind.as_str() {
        "|i1" | "<i2" | "<i4" | "<i8" => bytes.chunks_exact(width(kind)).map(signed).collect(),
        "|u1" | "<u2" | "<u4" | "<u8" => bytes.chunks_exact(width(kind)).map(unsigned).collect(),
        _ => return Err(Error::format(path, format!("{name} is of type {kind}; labels are whole numbers (|u1, <i8 or the like)"))),
    })
}

/// The class of every image and the names of all: those given, whose places the labels are, else the labels themselves.
fn named(path: &Path, labels: &[String], names: Option<Vec<String>>) -> Result<(Vec<u32>, Vec<String>)> {
    let Some(names) = names else { return Ok(classes_from(labels)) };
    let place = |label: &String| match label.parse::<u32>() {
        Ok(class) if (class as usize) < names.len() => Ok(class),
        _ => Err(Error::format(
            path,
            format!("the label {label} has none of the {} class_names; it is an index into them, from 0", names.len()),
        )),
    };
    Ok((labels.iter().map(place).collect::<Result<_>>()?, names))
}

fn texts(path: &Path, name: &str, header: &Header, bytes: &[u8]) -> Result<Vec<String>> {
    let wrong =
        || Error::format(path, format!("{name} is of type {} and shape {:?}; names are a list of texts", header.kind, header.shape));
    if !header.kind.starts_with("<U") || header.shape.len() != 1 || width(&header.kind) == 0 {
        return Err(wrong());
    }
    let one = |bytes: &[u8]| {
        let codes = bytes.chunks_exact(4).map(|code| u32::from_le_bytes([code[0], code[1], code[2], code[3]])).take_while(|&code| code > 0);
        codes.map(char::from_u32).collect::<Option<String>>().ok_or_else(wrong)
    };
    bytes.chunks_exact(width(&header.kind)).map(one).collect()
}

/// Bytes of a value of this type; 0 for one that is not known.
fn width(kind: &str) -> usize {
    match kind {
        "|u1" | "|i1" | "|b1" => 1,
        _ => {
            let digits: usize = kind.get(2..).and_then(|digits| digits.parse().ok()).unwrap_or(0);
            // A text has four bytes a character; none is as long as a description may be.
            if kind.starts_with("<U") { 4 * digits.min(MOST_HEADER) } else { digits * usize::from(matches!(digits, 2 | 4 | 8)) }
        }
    }
}

/// The first of these arrays that the archive has: its name, what it is, and its bytes.
fn array(archive: &mut Archive, path: &Path, options: &ImageOptions, names: &[&str]) -> Result<Option<(String, Header, Vec<u8>)>> {
    for name in names {
        let mut file = match archive.by_name(&format!("{name}.npy")) {
            Ok(file) => file,
            Err(ZipError::FileNotFound) => continue,
            Err(error) => return Err(damaged(path, &error)),
        };
        let header = header(&mut file, path, name)?;
        let values = header.shape.iter().try_fold(1u128, |product, &side| product.checked_mul(side as u128));
        let length = values.and_then(|values| values.checked_mul(width(&header.kind).max(1) as u128)).unwrap_or(u128::MAX);
        check_memory(path, length, options)?;
        let mut bytes = Vec::new();
        // What an archive says of its size is not believed; no more than the array needs is unpacked.
        file.take(length as u64 + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
        if width(&header.kind) > 0 && bytes.len() as u128 != length {
            let what = format!("{name} has {} bytes where a shape of {:?} has {length}; it is damaged", bytes.len(), header.shape);
            return Err(Error::format(path, what));
        }
        return Ok(Some(((*name).to_owned(), header, bytes)));
    }
    Ok(None)
}

/// The head of a `.npy` file: a mark, a version, a length, and a Python dictionary.
fn header(file: &mut impl Read, path: &Path, name: &str) -> Result<Header> {
    let mut start = [0; 8];
    file.read_exact(&mut start).map_err(|error| unreadable(path, &error))?;
    let wrong = |what: &str| Error::format(path, format!("{name} {what}; save it again with numpy.savez"));
    if start[..6] != *b"\x93NUMPY" {
        return Err(wrong("is no NumPy array"));
    }
    let mut length = [0; 4];
    let digits = if start[6] == 1 { 2 } else { 4 };
    file.read_exact(&mut length[..digits]).map_err(|error| unreadable(path, &error))?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MOST_HEADER {
        return Err(wrong("has a description that is longer than any"));
    }
    let mut text = vec![0; length];
    file.read_exact(&mut text).map_err(|error| unreadable(path, &error))?;
    let text = String::from_utf8_lossy(&text);
    described(&text).ok_or_else(|| wrong(&format!("has a description that is not understood ({})", text.trim().escape_debug())))
}

/// What a description says; none for one that is no array in C's order.
fn described(text: &str) -> Option<Header> {
    let after = |key: &str| text.split_once(key).map(|(_, rest)| rest.trim_start_matches([' ', ':']));
    let kind = after("'descr'")?.strip_prefix('\'')?.split_once('\'')?.0.to_owned();
    if !after("'fortran_order'")?.starts_with("False") {
        return None;
    }
    let sides = after("'shape'")?.strip_prefix('(')?.split_once(')')?.0;
    let shape: Option<Vec<usize>> = sides.split(',').map(str::trim).filter(|side| !side.is_empty()).map(|side| side.parse().ok()).collect();
    Some(Header { kind, shape: shape? })
}

fn damaged(path: &Path, error: &ZipError) -> Error {
    Error::format(path, format!("is no whole .npz archive ({error}); write or fetch it again"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_those_of_numpy() {
        let of = |text| described(text).map(|header| (header.kind, header.shape));
        assert_eq!(of("{'descr': '|u1', 'fortran_order': False, 'shape': (3, 8, 8), }  \n"), Some(("|u1".into(), vec![3, 8, 8])));
        assert_eq!(of("{'descr': '<i8', 'fortran_order': False, 'shape': (7,), }"), Some(("<i8".into(), vec![7])));
        assert_eq!(of("{'descr': '|u1', 'fortran_order': False, 'shape': (), }"), Some(("|u1".into(), vec![])));
        for odd in [
            "",
            "{'descr': '|u1'}",
            "{'descr': '|u1', 'fortran_order': True, 'shape': (3, 8, 8), }",
            "{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (3,), }",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (3, -8), }",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999999,), }",
        ] {
            assert_eq!(of(odd), None, "{odd}");
        }
    }
}

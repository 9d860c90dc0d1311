//! CSV and TSV, plain or gzipped.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use csv::{ByteRecord, ErrorKind, Position};
use flate2::read::MultiGzDecoder;

use super::{Raw, ReadOptions, header};
use crate::bounded::Bounded;
use crate::table::raw::shorten;
use crate::{Error, Result};

/// How far the header is searched for its separator.
const HEADER_BYTES: usize = 1 << 16;

/// The longest row; no table has one, however many its columns.
pub(crate) const LARGEST_RECORD: u64 = 256 << 20;

/// Rows between two looks at the memory that they take.
pub(super) const CHECKED_ROWS: usize = 4096;

/// Lines on which separators are counted.
const COUNTED_LINES: usize = 50;

pub(super) fn read<'a>(path: &Path, file: impl Read + 'a, gzipped: bool, delimiter: Option<u8>, options: &ReadOptions) -> Result<Raw> {
    let plain: Box<dyn Read + 'a> = if gzipped { Box::new(MultiGzDecoder::new(BufReader::new(file))) } else { Box::new(file) };
    let (bounded, part) = Bounded::new(plain, LARGEST_RECORD.min(options.memory.bytes() / 4), "a row; look for an unclosed quote");
    let mut text = BufReader::with_capacity(HEADER_BYTES, bounded);
    let start = text.fill_buf().map_err(|source| unreadable(path, source))?;
    if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
        return Err(Error::format(path, "is UTF-16; save it as UTF-8"));
    }
    let (stated, skipped) = stated_delimiter(start);
    let delimiter = delimiter.or(stated).unwrap_or_else(|| likely_delimiter(&start[skipped..]));
    text.consume(skipped);
    let trim = if options.trim { csv::Trim::All } else { csv::Trim::Headers };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).trim(trim).from_reader(text);
    let mut record = ByteRecord::new();
    if !reader.read_byte_record(&mut record).map_err(|error| malformed(path, error))? {
        return Err(Error::format(path, "is empty; the first line must name the columns"));
    }
    let names = (0..record.len()).map(|field| Ok(utf8(path, &record, field, None)?.trim().to_owned())).collect::<Result<Vec<_>>>()?;
    let (mut columns, notes) = header(path, &names, options)?;
    let missing: Vec<Vec<&str>> =
        columns.iter().map(|column| column.as_ref().map_or_else(Vec::new, |c| options.missing_texts(&c.name))).collect();
    // A list of texts that mean a missing value takes the place of the usual ones.
    let listed = options.missing.is_some() || options.schema.as_ref().is_some_and(|schema| schema.missing.is_some());
    columns.iter_mut().flatten().for_each(|column| column.nulls = listed);
    let mut rows: usize = 0;
    while reader.read_byte_record(&mut record).map_err(|error| malformed(path, error))? {
        rows += 1;
        part.ended();
        if rows.is_multiple_of(CHECKED_ROWS) {
            super::check_memory(path, columns.iter().flatten(), rows, options)?;
        }
        for (field, column) in columns.iter_mut().enumerate() {
            let Some(column) = column else { continue };
            let text = utf8(path, &record, field, Some(&column.name))?;
            let trimmed = text.trim();
            if trimmed.is_empty() || missing[field].contains(&trimmed) {
                column.push_missing();
            } else {
                column.push_cell(text);
            }
        }
    }
    super::check_memory(path, columns.iter().flatten(), rows, options)?;
    Ok(Raw { columns: columns.into_iter().flatten().collect(), notes, rows, delimiter: Some(delimiter) })
}

/// The separator that a first line such as Excel's `sep=;` states, and the bytes of that line.
fn stated_delimiter(start: &[u8]) -> (Option<u8>, usize) {
    let mark = if start.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let line = start[mark..].split(|&byte| byte == b'\n').next().unwrap_or_default();
    let text = line.strip_suffix(b"\r").unwrap_or(line);
    match text.get(..4).map(<[u8]>::to_ascii_lowercase).as_deref() {
        Some(b"sep=") if text.len() == 5 => (Some(text[4]), (mark + line.len() + 1).min(start.len())),
        _ => (None, 0),
    }
}

/// The separator that all of the first lines have equally often; else that of the header.
fn likely_delimiter(start: &[u8]) -> u8 {
    const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];
    let mut lines: Vec<[usize; 4]> = vec![[0; 4]];
    let mut quoted = false;
    for &byte in start {
        quoted ^= byte == b'"';
        if quoted {
            continue;
        }
        if byte == b'\n' {
            if lines.len() == COUNTED_LINES {
                break;
            }
            lines.push([0; 4]);
        } else if let (Some(place), Some(line)) = (SEPARATORS.iter().position(|&known| known == byte), lines.last_mut()) {
            line[place] += 1;
        }
    }
    // The last line may be cut off, or empty.
    let whole = &lines[..(lines.len() - 1).max(1)];
    let header = whole[0];
    let steady =
        |place: &usize| header[*place] > 0 && whole.iter().all(|line| line[*place] == header[*place] || line.iter().all(|&n| n == 0));
    let most = |places: &mut dyn Iterator<Item = usize>| places.max_by_key(|&place| (header[place], std::cmp::Reverse(place)));
    let found = most(&mut (0..4).filter(steady)).or_else(|| (header[0] > 0).then_some(0));
    SEPARATORS[found.or_else(|| most(&mut (0..4).filter(|&place| header[place] > 0))).unwrap_or(0)]
}

fn utf8<'a>(path: &Path, record: &'a ByteRecord, field: usize, column: Option<&str>) -> Result<&'a str> {
    std::str::from_utf8(&record[field]).map_err(|error| {
        let text = shorten(&String::from_utf8_lossy(&record[field]));
        let named = column.map_or(String::new(), |name| format!(" \"{name}\""));
        let what = format!(
            "{}, column {}{named}: byte {} of \"{text}\" is not UTF-8; save the file as UTF-8",
            place(record.position()),
            field + 1,
            error.valid_up_to() + 1
        );
        Error::format(path, what)
    })
}

/// Line and row of a record; the header is record 0.
fn place(position: Option<&Position>) -> String {
    match position {
        Some(position) if position.record() == 0 => format!("line {} (the header)", position.line()),
        Some(position) => format!("line {} (row {})", position.line(), position.record()),
        None => "a row".into(),
    }
}

fn malformed(path: &Path, error: csv::Error) -> Error {
    let position = error.position().cloned();
    match error.into_kind() {
        ErrorKind::Io(source) => unreadable(path, source),
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let what = format!(
                "{} has {len} cells, but the header has {expected_len}; quote cells that contain the separator, and look for an unclosed quote",
                place(position.as_ref())
            );
            Error::format(path, what)
        }
        other => Error::format(path, format!("{}: {other:?}", place(position.as_ref()))),
    }
}

fn unreadable(path: &Path, source: std::io::Error) -> Error {
    match source.kind() {
        std::io::ErrorKind::UnexpectedEof => Error::format(path, "ends in the middle of its gzip stream; fetch or write the file again"),
        std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData => {
            Error::format(path, format!("is not valid gzip data: {source}"))
        }
        _ => Error::io(path, source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_found() {
        for (text, expected) in [
            ("a,b\n1,2\n", b','),
            ("a;b\n1,5;2,5\n", b';'),
            ("a|b|c\n1|2|3\n", b'|'),
            ("a\tb\n1\t2\n", b'\t'),
            ("name, first;age\n\"x, y\";3\nz;4\n", b';'),
            ("one\n1\n", b','),
            ("\"a;b\",c\n1,2\n", b','),
        ] {
            assert_eq!(likely_delimiter(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(stated_delimiter(b"sep=;\r\na;b\n"), (Some(b';'), 7));
        assert_eq!(stated_delimiter(b"separate,b\n"), (None, 0));
    }
}

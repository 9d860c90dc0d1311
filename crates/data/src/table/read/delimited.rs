//! CSV and TSV, plain or gzipped.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use csv::{ByteRecord, ErrorKind, Position};
use flate2::read::MultiGzDecoder;

use super::{ReadOptions, header};
use crate::table::raw::{RawColumn, shorten};
use crate::{Error, Result};

/// How far the header is searched for its separator.
const HEADER_BYTES: usize = 1 << 16;

pub(super) fn read<'a>(
    path: &Path,
    file: impl Read + 'a,
    gzipped: bool,
    delimiter: Option<u8>,
    options: &ReadOptions,
) -> Result<Vec<RawColumn>> {
    let plain: Box<dyn Read + 'a> = if gzipped { Box::new(MultiGzDecoder::new(BufReader::new(file))) } else { Box::new(file) };
    let mut text = BufReader::with_capacity(HEADER_BYTES, plain);
    let start = text.fill_buf().map_err(|source| unreadable(path, source))?;
    if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
        return Err(Error::format(path, "is UTF-16; save it as UTF-8"));
    }
    let delimiter = delimiter.unwrap_or_else(|| likely_delimiter(start));
    let trim = if options.trim { csv::Trim::All } else { csv::Trim::Headers };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).trim(trim).from_reader(text);
    let mut record = ByteRecord::new();
    if !reader.read_byte_record(&mut record).map_err(|error| malformed(path, error))? {
        return Err(Error::format(path, "is empty; the first line must name the columns"));
    }
    let names = (0..record.len()).map(|field| Ok(utf8(path, &record, field, None)?.trim().to_owned())).collect::<Result<Vec<_>>>()?;
    let mut columns = header(path, &names, options)?;
    while reader.read_byte_record(&mut record).map_err(|error| malformed(path, error))? {
        for (field, column) in columns.iter_mut().enumerate() {
            let Some(column) = column else { continue };
            let text = utf8(path, &record, field, Some(&column.name))?;
            if is_missing(text, &options.missing) {
                column.push_missing();
            } else {
                column.push_cell(text);
            }
        }
    }
    Ok(columns.into_iter().flatten().collect())
}

pub(super) fn is_missing(text: &str, missing: &[String]) -> bool {
    let text = text.trim();
    missing.iter().any(|known| known == text)
}

/// The separator that the header line has most of; a comma when it has none.
fn likely_delimiter(start: &[u8]) -> u8 {
    let line = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let mut quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    for &byte in line {
        quoted ^= byte == b'"';
        if !quoted && let Some(entry) = counts.iter_mut().find(|entry| entry.0 == byte) {
            entry.1 += 1;
        }
    }
    // A comma wins whenever there is one: names such as "a;b" are rarer than comma-separated files.
    match counts {
        [(_, 0), (_, 0), (_, 0)] => b',',
        [(_, 0), (_, semicolons), (_, tabs)] => {
            if semicolons >= tabs {
                b';'
            } else {
                b'\t'
            }
        }
        _ => b',',
    }
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

//! From files to texts.

use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use semblant_core::data::{Data, Opened};
use semblant_core::memory::Memory;

use super::{Layout, Text, USUAL_PART};
use crate::table::{Column, ColumnKind, ReadOptions, Table};
use crate::{Error, Result};

/// How a source of texts is opened.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TextOptions {
    /// The file is one long text, in parts of so many characters.
    pub whole: Option<usize>,
    /// The column of texts of a table; needed where it has several.
    pub text_column: Option<String>,
    /// The column of labels of a table.
    pub label: Option<String>,
    /// Whether it is no mistake when a table lacks the column of labels, or a file of lines has none.
    pub label_if_there: bool,
    /// The memory that the texts may take while they are read.
    pub memory: Memory,
}

impl Text {
    /// Reads a file of lines, one long text, or a column of a table, by the name of the file and the options.
    ///
    /// # Errors
    /// A file that cannot be read, bytes that are no UTF-8 (the line is named), a column that is not there, and a file without any text.
    pub fn read(path: impl AsRef<Path>, options: &TextOptions) -> Result<Opened<Self>> {
        let path = path.as_ref();
        let TextOptions { whole, text_column, label, .. } = options;
        if let Some(column) = text_column.as_ref().filter(|&column| label.as_ref() == Some(column)) {
            return Err(Error::format(path, format!("column \"{column}\" cannot be both text and label; name another with --label")));
        }
        if Table::recognizes(path) && path.as_os_str() != "-" {
            if whole.is_some() {
                return Err(Error::format(path, "is a table, not one long text; leave --whole out"));
            }
            return of_table(path, options);
        }
        if let Some(column) = text_column.as_ref().or(label.as_ref()).filter(|_| !options.label_if_there) {
            let what = format!("has lines and no column \"{column}\"; leave --text-column and --label out, or give a table");
            return Err(Error::format(path, what));
        }
        Self::from_bytes(bytes(path, options.memory)?, path, options)
    }

    /// As [`Text::read`], from the bytes of a file of lines or of one long text; `path` is only named in errors.
    ///
    /// # Errors
    /// As [`Text::read`].
    pub fn from_bytes(bytes: Vec<u8>, path: &Path, options: &TextOptions) -> Result<Opened<Self>> {
        let text = utf8(&bytes, path)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut notes = Vec::new();
        if text.contains('\0') {
            notes.push("the text has NUL characters, which are learned like others; is it a text file?".to_owned());
        }
        let data = match options.whole {
            Some(characters) => Self::of_whole(text, characters)?,
            None => {
                let lines = text.lines();
                let all = lines.clone().count();
                let kept = Self::of_lines(lines.filter(|line| !line.trim().is_empty()));
                if kept.count() == 1 {
                    notes.push(format!("the file has one line; one long text needs --whole {USUAL_PART}"));
                }
                if kept.count() < all {
                    notes.push(format!("{} empty lines are left out", all - kept.count()));
                }
                kept
            }
        };
        if data.count() == 0 {
            return Err(Error::format(path, "holds no text; give a file with a text a line, or one long text with --whole"));
        }
        Ok(Opened { data, notes })
    }
}

/// The bytes of a file, unpacked where it is gzipped.
fn bytes(path: &Path, memory: Memory) -> Result<Vec<u8>> {
    if path.is_dir() {
        return Err(Error::format(path, "is a folder; give a .txt file, or a table with --text-column"));
    }
    let bytes = if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        let most = memory.bytes().saturating_add(1);
        std::io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(|source| Error::io(path, source))?;
        bytes
    } else {
        memory.read(path)?
    };
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        memory.check(path.display().to_string(), bytes.len() as u64, 2)?;
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    let most = memory.bytes() / 2;
    MultiGzDecoder::new(bytes.as_slice())
        .take(most.saturating_add(1))
        .read_to_end(&mut unpacked)
        .map_err(|source| Error::io(path, source))?;
    memory.check(path.display().to_string(), unpacked.len() as u64, 2)?;
    Ok(unpacked)
}

/// Bytes as UTF-8; the error names the line and what to do.
fn utf8<'a>(bytes: &'a [u8], path: &Path) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|error| {
        let good = &bytes[..error.valid_up_to()];
        let line = 1 + good.iter().filter(|&&byte| byte == b'\n').count();
        let place = 1 + good.len() - good.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let wide = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
        let from = if wide { "UTF-16" } else { "LATIN1" };
        let byte = bytes[error.valid_up_to()];
        Error::format(
            path,
            format!("line {line}, byte {place}: 0x{byte:02X} is no UTF-8; convert the file, for example with iconv -f {from} -t UTF-8"),
        )
    })
}

/// A column of a table with another of labels. Empty texts and texts without a label are left out.
fn of_table(path: &Path, options: &TextOptions) -> Result<Opened<Text>> {
    let TextOptions { text_column, label, .. } = options;
    let labels = label.iter().map(|name| (name.clone(), ColumnKind::Categorical));
    let kinds = text_column.iter().map(|name| (name.clone(), ColumnKind::Categorical)).chain(labels);
    // No word is a missing value, but for the empty cell.
    let read = ReadOptions {
        kinds: kinds.collect(),
        // A table that is only compared may lack labels.
        kinds_if_there: options.label_if_there,
        missing: Some(Vec::new()),
        memory: options.memory,
        ..ReadOptions::default()
    };
    let table = Table::read_inferred(path, &read)?.table;
    let names: Vec<&str> = table.schema().names().collect();
    let text = match (text_column, names.as_slice()) {
        (Some(name), _) => name.clone(),
        (None, [only]) => (*only).to_owned(),
        (None, _) => {
            let what = format!("has the columns {}; name the one of texts with --text-column", names.join(", "));
            return Err(Error::format(path, what));
        }
    };
    let label = label.clone().filter(|name| !options.label_if_there || names.contains(&name.as_str()));
    let column = |name: &str| table.column(name).map_err(|error| Error::format(path, error.to_string()));
    let cell = |column: &Column, row: usize, name: &str| match column.label(row) {
        Some(label) => label.to_owned(),
        None if column.numbers().is_some() && !column.is_missing(row) => {
            table.schema().index_of(name).map(|index| table.cell(row, index)).unwrap_or_default()
        }
        None => String::new(),
    };
    let texts = column(&text)?;
    let labels = label.as_deref().map(column).transpose()?;
    let label_name = label.clone().unwrap_or_default();
    let all = (0..table.rows()).map(|row| (cell(texts, row, &text), labels.map(|labels| cell(labels, row, &label_name))));
    let (kept, left): (Vec<_>, Vec<_>) =
        all.partition(|(text, label)| !text.trim().is_empty() && label.as_ref().is_none_or(|label| !label.is_empty()));
    let mut notes = Vec::new();
    if !left.is_empty() {
        notes.push(format!("{} rows without a text or a label are left out", left.len()));
    }
    if kept.is_empty() {
        return Err(Error::format(path, format!("column \"{text}\" holds no text; name another with --text-column")));
    }
    let data = Text::of_lines(kept.iter().map(|(text, _)| text)).with_layout(Layout::Table { text, label: label.clone() });
    let data = if label.is_some() { data.with_labels(kept.iter().map(|(_, label)| label.as_deref().unwrap_or_default()))? } else { data };
    Ok(Opened { data, notes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], whole: Option<usize>) -> Result<Opened<Text>> {
        Text::from_bytes(bytes.to_vec(), Path::new("some.txt"), &TextOptions { whole, ..TextOptions::default() })
    }

    #[test]
    fn lines_are_texts_and_empty_ones_are_left_out() {
        let opened = read(b"\xef\xbb\xbfone\r\n\n  \ntwo\r\nthree", None).expect("text");
        assert_eq!(opened.data.iter().collect::<Vec<_>>(), ["one", "two", "three"]);
        assert_eq!(opened.notes, ["2 empty lines are left out"]);
        assert!(read(b"\n \n", None).expect_err("nothing").to_string().contains("holds no text"));
        assert_eq!(read(b"ab\n\ncd", Some(4)).expect("text").data.iter().collect::<Vec<_>>(), ["ab\n\n", "cd"]);
    }

    #[test]
    fn what_is_no_utf_8_is_named_with_its_line() {
        let said = |bytes: &[u8]| read(bytes, None).expect_err("refused").to_string();
        let latin = said(b"good\nna\xefve\n");
        assert!(latin.contains("some.txt: line 2, byte 3: 0xEF") && latin.contains("iconv -f LATIN1"), "{latin}");
        assert!(said(b"\xff\xfea\0b\0").contains("iconv -f UTF-16"));
    }

    #[test]
    fn odd_characters_are_characters() {
        // A combining mark, an emoji with a modifier, a text from right to left with its mark, and NUL.
        let odd = "e\u{301}tude\n👍🏽 ok\nשלום\u{200f}\na\0b\n";
        let opened = read(odd.as_bytes(), None).expect("text");
        assert_eq!(opened.data.iter().collect::<Vec<_>>(), ["e\u{301}tude", "👍🏽 ok", "שלום\u{200f}", "a\0b"]);
        assert!(opened.notes[0].contains("NUL"));
        let long = "x".repeat(10 << 20);
        let opened = read(format!("{long}\nshort\n").as_bytes(), None).expect("text");
        assert_eq!((opened.data.count(), opened.data.get(0).len()), (2, 10 << 20));
    }
}

//! Text: lines, parts of one long text, or a column of a table, with labels where there are some.
//!
//! ```
//! use semblant_data::text::{Text, TokenizerKind, Tokenizer};
//!
//! # fn main() -> Result<(), semblant_data::Error> {
//! let names = Text::of_lines(["emma", "olivia", "ava"]);
//! assert_eq!((names.count(), names.get(1)), (3, "olivia"));
//! let tokenizer = Tokenizer::fit(TokenizerKind::Char, &names, 0, 1)?;
//! assert_eq!(tokenizer.decode(&tokenizer.encode("vivo")), "vivo");
//! # Ok(())
//! # }
//! ```

mod bpe;
pub mod json_schema;
mod kind;
mod passages;
mod read;
mod request;
mod tokenizer;
mod write;

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use passages::{Passage, Passages};
pub use read::TextOptions;
pub use request::{LabelRequest, TextRequest};
pub use tokenizer::{Tokenizer, TokenizerKind};
pub use write::TextWriter;

use crate::{Error, Result};

/// Characters of a part of one long text, where it is not said.
pub const USUAL_PART: usize = 256;
/// The column of texts and the column of labels in tables that are written of texts that were not read from one.
pub(crate) const COLUMNS: [&str; 2] = ["text", "label"];

/// Texts, each a range of one buffer, so that parts of a long text take no memory of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    buffer: Arc<str>,
    spans: Vec<Range<usize>>,
    labels: Option<Labels>,
    layout: Arc<Layout>,
}

/// The label of every text.
#[derive(Debug, Clone, PartialEq)]
pub struct Labels {
    /// An index into the names for each text.
    pub codes: Vec<u32>,
    /// The names, each once.
    pub names: Arc<Vec<String>>,
}

/// What a file of texts looks like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// A text a line.
    Lines,
    /// One long text, cut into parts of so many characters.
    Whole {
        /// Characters of a part.
        characters: usize,
    },
    /// A column of a table, and perhaps one of labels.
    Table {
        /// The column of texts.
        text: String,
        /// The column of labels.
        label: Option<String>,
    },
}

impl Layout {
    /// The name of the column of labels.
    pub fn label_column(&self) -> &str {
        match self {
            Self::Table { label: Some(label), .. } => label,
            _ => COLUMNS[1],
        }
    }
}

impl Text {
    /// One text for each line.
    pub fn of_lines<S: AsRef<str>>(lines: impl IntoIterator<Item = S>) -> Self {
        let (mut buffer, mut spans) = (String::new(), Vec::new());
        for line in lines {
            let start = buffer.len();
            buffer.push_str(line.as_ref());
            spans.push(start..buffer.len());
        }
        Self { buffer: buffer.into(), spans, labels: None, layout: Arc::new(Layout::Lines) }
    }

    /// One long text in parts of so many characters, the last one perhaps shorter; an empty text has no parts.
    ///
    /// # Errors
    /// Parts of no characters.
    pub fn of_whole(text: impl Into<Arc<str>>, characters: usize) -> Result<Self> {
        if characters == 0 {
            return Err(Error::Table("--whole 0: a part has from 1 character on".into()));
        }
        let buffer: Arc<str> = text.into();
        let mut starts: Vec<usize> = buffer.char_indices().step_by(characters).map(|(start, _)| start).collect();
        starts.push(buffer.len());
        let spans = starts.windows(2).map(|ends| ends[0]..ends[1]).filter(|span| !span.is_empty()).collect();
        Ok(Self { buffer, spans, labels: None, layout: Arc::new(Layout::Whole { characters }) })
    }

    /// The same with a label for each text.
    ///
    /// # Errors
    /// Another number of labels than texts.
    pub fn with_labels<S: AsRef<str>>(self, labels: impl IntoIterator<Item = S>) -> Result<Self> {
        let column = crate::table::Column::from_labels(labels.into_iter().map(Some));
        let Some((codes, names)) = column.categories().filter(|(codes, _)| codes.len() == self.count()) else {
            return Err(Error::Table(format!("{} labels for {} texts; give one for each", column.len(), self.count())));
        };
        Ok(Self { labels: Some(Labels { codes: codes.to_vec(), names: Arc::new(names.to_vec()) }), ..self })
    }

    /// The same as texts of this layout.
    pub fn with_layout(self, layout: Layout) -> Self {
        Self { layout: Arc::new(layout), ..self }
    }

    /// The number of texts.
    pub fn count(&self) -> usize {
        self.spans.len()
    }

    /// Text `index`.
    ///
    /// # Panics
    /// When there is no such text.
    pub fn get(&self, index: usize) -> &str {
        &self.buffer[self.spans[index].clone()]
    }

    /// All texts.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.spans.iter().map(|span| &self.buffer[span.clone()])
    }

    /// The labels, if there are some.
    pub fn labels(&self) -> Option<&Labels> {
        self.labels.as_ref()
    }

    /// The label of text `index`.
    pub fn label(&self, index: usize) -> Option<&str> {
        let labels = self.labels.as_ref()?;
        Some(&labels.names[labels.codes[index] as usize])
    }

    /// What a file of these texts looks like.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The characters (code points) of all texts together.
    pub fn characters(&self) -> usize {
        self.iter().map(|text| text.chars().count()).sum()
    }

    /// Texts that follow each other in the buffer as one, where they are parts of a long text; else every text by itself.
    pub fn runs(&self) -> Vec<&str> {
        if !matches!(*self.layout, Layout::Whole { .. }) {
            return self.iter().collect();
        }
        let mut runs: Vec<Range<usize>> = Vec::new();
        for span in &self.spans {
            match runs.last_mut() {
                Some(last) if last.end == span.start => last.end = span.end,
                _ => runs.push(span.clone()),
            }
        }
        runs.into_iter().map(|run| &self.buffer[run]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use semblant_core::data::Data;

    #[test]
    fn a_long_text_is_cut_by_characters_and_joined_where_parts_follow() {
        let whole = Text::of_whole("äöü-abc-xy", 4).expect("parts");
        assert_eq!(whole.iter().collect::<Vec<_>>(), ["äöü-", "abc-", "xy"]);
        assert_eq!(whole.runs(), ["äöü-abc-xy"]);
        assert_eq!(whole.select(&[2, 0, 1]).runs(), ["xy", "äöü-abc-"]);
        assert_eq!(Text::of_whole("", 4).expect("none").count(), 0);
        assert!(Text::of_whole("a", 0).is_err());
    }

    #[test]
    fn labels_belong_to_texts() {
        let text = Text::of_lines(["a", "b", "c"]).with_labels(["x", "y", "x"]).expect("as many");
        assert_eq!([0, 1, 2].map(|index| text.label(index)), [Some("x"), Some("y"), Some("x")]);
        assert_eq!(text.select(&[1, 1]).label(1), Some("y"));
        assert!(Text::of_lines(["a"]).with_labels(["x", "y"]).is_err());
        let joined = Text::concat(vec![text.clone(), text.select(&[1])]).expect("alike");
        assert_eq!((joined.count(), joined.get(3), joined.label(3)), (4, "b", Some("y")));
        assert!(Text::concat(vec![text, Text::of_lines(["d"])]).is_err(), "with and without labels");
    }
}

//! [`Text`] as a kind of data.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use semblant_core::config::MOST_AT_ONCE;
use semblant_core::data::{Data, Opened};
use semblant_core::options::{GAPS_ONLY, Names, OptionSpec, OptionValues};
use semblant_core::{Error, Result};
use serde_json::{Value, json};

use super::write::is_plain;
use super::{LabelRequest, Labels, Layout, Text, TextOptions, TextRequest, TextWriter, USUAL_PART};
use crate::table::{BALANCE, Table, TableRequest, WHERE, Wanted};

impl Data for Text {
    const KIND: &'static str = "text";
    const ITEMS: &'static str = "texts";
    type OpenOptions = TextOptions;
    type Request = TextRequest;
    type Writer = TextWriter;

    fn open_options() -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[
            OptionSpec::value(
                "whole",
                "CHARACTERS",
                "The file is one long text, not a text a line; it is learned, made and compared in parts of so many characters",
            ),
            OptionSpec::value("text-column", "COLUMN", "The column of texts, where the file is a table of several columns"),
            OptionSpec::value("label", "COLUMN", "The column of labels, such as spam and ham, where the file is a table"),
        ];
        OPTIONS
    }

    fn parse_open_options(values: &OptionValues) -> Result<TextOptions> {
        let whole = values.number("whole")?;
        if whole == Some(0) {
            return Err(Error::Config(format!("--whole 0: a part has from 1 character on; usual are {USUAL_PART}")));
        }
        let text = |name: &str| values.text(name).map(str::to_owned);
        Ok(TextOptions { whole, text_column: text("text-column"), label: text("label"), ..TextOptions::default() })
    }

    fn options_to_compare(options: TextOptions) -> TextOptions {
        TextOptions { label_if_there: true, ..options }
    }

    fn options_of_model(options: TextOptions, metadata: &BTreeMap<String, String>) -> TextOptions {
        let form: Value = metadata.get("form").and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
        let Ok(Layout::Table { text, label }) = serde_json::from_value(form["layout"].clone()) else { return options };
        TextOptions { text_column: options.text_column.or(Some(text)), label: options.label.or(label), label_if_there: true, ..options }
    }

    fn overview(&self) -> Vec<String> {
        let lengths: Vec<usize> = self.iter().map(|text| text.chars().count()).collect();
        let (least, most) = (lengths.iter().min().unwrap_or(&0), lengths.iter().max().unwrap_or(&0));
        let mut lines = vec![format!("{} texts of {least} to {most} characters, {} in all", self.count(), lengths.iter().sum::<usize>())];
        if let Some(labels) = self.labels() {
            let count = |code: usize| labels.codes.iter().filter(|&&other| other as usize == code).count();
            let named = labels.names.iter().enumerate().map(|(code, name)| format!("{name} {}", count(code)));
            lines.push(format!("labels in {}: {}", self.layout().label_column(), named.collect::<Vec<_>>().join(", ")));
        }
        lines
    }

    fn request_options() -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[
            WHERE,
            BALANCE,
            OptionSpec::value("prompt", "TEXT", "What every text begins with"),
            OptionSpec::value("regex", "EXPRESSION", "A regular expression that every text matches from its first character to its last"),
            OptionSpec::value("json-schema", "FILE", "A JSON schema: every text is JSON that fits it").naming(Names::Input),
            OptionSpec::value("temperature", "NUMBER", "Below 1 prefers probable characters, above 1 improbable ones [default: 1]"),
            OptionSpec::value("top-k", "N", "Draw from the N most probable characters or pieces only [default: all]"),
            OptionSpec::value("top-p", "SHARE", "Draw from the most probable ones that together have this share only [default: 1]"),
            OptionSpec::value("characters", "N", "The most characters of a text; of parts of a long text their number"),
            OptionSpec::value("steps", "N", "Passes of masked diffusion for a window: more take longer and are nearer to what was learned"),
            OptionSpec::value("guidance", "WEIGHT", "The strength of guidance towards the label of masked diffusion; 1 is none"),
            OptionSpec::value("blank", "CHARACTER", "With --from: what stands for a character that is to be drawn [default: _]"),
            OptionSpec::flag(
                "no-guard",
                "Keep texts that repeat a longer passage of the training text than new texts do, instead of drawing them again",
            ),
            OptionSpec::value("batch-rows", "TEXTS", "Texts per batch: changes memory and progress, never the texts [default: 1024]"),
        ];
        OPTIONS
    }

    fn parse_request(request: TextRequest, values: &OptionValues) -> Result<TextRequest> {
        let batch_rows = values.number("batch-rows")?.unwrap_or(request.batch_rows);
        if !(1..=MOST_AT_ONCE).contains(&batch_rows) {
            return Err(Error::Config(format!("--batch-rows {batch_rows}: compute from 1 to {MOST_AT_ONCE} texts per batch")));
        }
        let (label_column, label) = label(values)?;
        let mut characters = values.text("blank").unwrap_or("_").chars();
        let (Some(blank), None) = (characters.next(), characters.next()) else {
            return Err(Error::Config("--blank: name one character, such as _".into()));
        };
        if values.has("redraw") {
            return Err(Error::Config("texts have no columns to draw anew; leave --columns out".into()));
        }
        Ok(TextRequest {
            gaps_only: values.has(GAPS_ONLY),
            label,
            label_column,
            regex: regex(values)?,
            prompt: values.text("prompt").unwrap_or_default().to_owned(),
            temperature: values.number("temperature")?.unwrap_or(request.temperature),
            top_k: values.number("top-k")?.unwrap_or(request.top_k),
            top_p: values.number("top-p")?.unwrap_or(request.top_p),
            guidance: values.number("guidance")?,
            characters: values.number("characters")?,
            steps: values.number("steps")?,
            blank,
            guard: !values.has("no-guard"),
            batch_rows,
            ..request
        })
    }

    fn describe(metadata: &BTreeMap<String, String>) -> (Vec<String>, Value) {
        let form: Value = metadata.get("form").and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
        let tokens = form.pointer("/tokenizer/kind").and_then(Value::as_str).unwrap_or("unknown");
        let size = match tokens {
            "char" => form.pointer("/tokenizer/characters").and_then(Value::as_str).map(|known| known.chars().count()),
            "bpe" => form.pointer("/tokenizer/merges").and_then(Value::as_array).map(|merges| 256 + merges.len()),
            _ => Some(256),
        };
        let mut lines = vec![format!("tokens: {tokens}, {} of them", size.unwrap_or(0))];
        lines.extend(form["context"].as_u64().map(|context| format!("context of {context} tokens")));
        let labels: Vec<&str> =
            form.pointer("/labels/names").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        if !labels.is_empty() {
            lines.push(format!("labels: {}", labels.join(", ")));
        }
        (lines, json!({ "layout": form["layout"], "tokens": tokens, "vocabulary": size, "context": form["context"], "labels": labels }))
    }

    fn open(source: &Path, options: &TextOptions) -> Result<Opened<Self>> {
        Ok(Self::read(source, options)?)
    }

    fn recognizes(source: &Path) -> bool {
        let name = source.to_string_lossy();
        !source.is_dir() && is_plain(Path::new(name.strip_suffix(".gz").unwrap_or(&name)))
    }

    fn len(&self) -> usize {
        self.count()
    }

    fn values(&self) -> Option<(usize, &'static str)> {
        Some((self.characters(), "character"))
    }

    fn select(&self, indices: &[usize]) -> Self {
        let spans = indices.iter().map(|&index| self.spans[index].clone()).collect();
        let codes = |labels: &Labels| indices.iter().map(|&index| labels.codes[index]).collect();
        let labels = self.labels.as_ref().map(|labels| Labels { codes: codes(labels), names: labels.names.clone() });
        Self { spans, labels, ..self.clone() }
    }

    fn concat(parts: Vec<Self>) -> Result<Self> {
        let first = parts.first().ok_or_else(|| Error::Data("there are no texts to join".into()))?;
        let (layout, labelled) = (first.layout.clone(), first.labels.is_some());
        if parts.iter().any(|part| part.labels.is_some() != labelled) {
            return Err(Error::Data("texts with and without labels cannot be joined".into()));
        }
        let labels: Vec<String> =
            parts.iter().flat_map(|part| (0..part.count()).filter_map(|index| part.label(index)).map(str::to_owned)).collect();
        let joined = Self { layout: Arc::clone(&layout), ..Self::of_lines(parts.iter().flat_map(Self::iter)) };
        Ok(if labelled { joined.with_labels(labels)? } else { joined })
    }

    fn create(path: &Path, like: &Self) -> Result<TextWriter> {
        Ok(TextWriter::create(path, like)?)
    }

    fn check_output(path: &Path) -> Result<()> {
        Ok(TextWriter::check(path)?)
    }
}

/// The regular expression that texts match: that of `--regex`, or of the schema in the file of `--json-schema`.
fn regex(values: &OptionValues) -> Result<Option<String>> {
    match (values.text("regex"), values.text("json-schema")) {
        (Some(_), Some(_)) => Err(Error::Config("texts match one expression; leave --regex or --json-schema out".into())),
        (regex, None) => Ok(regex.map(str::to_owned)),
        (None, Some(file)) => {
            let schema = semblant_core::memory::read_text(Path::new(file))?;
            let regex = super::json_schema::regex_of(&schema).map_err(|error| Error::Config(format!("--json-schema {file}: {error}")))?;
            Ok(Some(regex))
        }
    }
}

/// The labels that `--where` and `--balance` ask for, and the column that they name.
fn label(values: &OptionValues) -> Result<(Option<String>, LabelRequest)> {
    let mut of_labels = OptionValues::default();
    of_labels.insert("where", values.all("where").iter().cloned());
    let asked = Table::parse_request(TableRequest::new(0, 0), &of_labels)?;
    let write = || Error::Config("--where: texts have a label and no other column; write label=spam, with the name of their column".into());
    if !asked.expressions.is_empty() || asked.conditions.len() > 1 {
        return Err(write());
    }
    let condition = asked.conditions.into_iter().next();
    match (condition, values.text("balance")) {
        (None, None) => Ok((None, LabelRequest::AsLearned)),
        (None, Some(column)) => Ok((Some(column.to_owned()), LabelRequest::Balanced)),
        (Some(condition), None) => match condition.wanted {
            Wanted::Is(label) => Ok((Some(condition.column), LabelRequest::Is(label))),
            _ => Err(write()),
        },
        (Some(_), Some(_)) => Err(Error::Config("labels cannot be both balanced and fixed; leave --where or --balance out".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> OptionValues {
        let mut values = OptionValues::default();
        pairs.iter().for_each(|(name, value)| values.insert(name, [(*value).to_owned()]));
        values
    }

    #[test]
    fn requests_are_read() {
        let read = |pairs: &[(&str, &str)]| Text::parse_request(TextRequest::new(3, 0), &values(pairs));
        let request = read(&[("where", "type=spam"), ("prompt", "You"), ("top-k", "5"), ("blank", "?")]).expect("well formed");
        assert_eq!((request.label, request.label_column.as_deref()), (LabelRequest::Is("spam".into()), Some("type")));
        assert_eq!((request.prompt.as_str(), request.top_k, request.blank, request.guard), ("You", 5, '?', true));
        assert_eq!(read(&[("balance", "type")]).expect("well formed").label, LabelRequest::Balanced);
        for wrong in [&[("where", "a > 3")][..], &[("where", "a=b"), ("balance", "a")], &[("blank", "ab")], &[("batch-rows", "0")]] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn files_are_recognized_by_name() {
        assert!(["a.txt", "b.TXT.gz", "c.text"].iter().all(|name| Text::recognizes(Path::new(name))));
        assert!(!["a.csv", "txt", "a.png"].iter().any(|name| Text::recognizes(Path::new(name))));
    }

    #[test]
    fn texts_are_written_and_read_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let read = |name: &str, options: &TextOptions| Text::read(folder.path().join(name), options).expect("text").data;
        let lines = Text::of_lines(["one, \"two\"", "NA", "0012", "=3+4", "ünï"]);
        lines.save(&folder.path().join("a.txt")).expect("writable");
        assert_eq!(read("a.txt", &TextOptions::default()), lines);
        let labelled = lines.clone().with_labels(["x", "y", "x", "y", "x"]).expect("as many");
        assert!(labelled.save(&folder.path().join("b.txt")).expect_err("no place").to_string().contains("labels"));
        let options = TextOptions { text_column: Some("text".into()), label: Some("label".into()), ..TextOptions::default() };
        for name in ["b.csv", "b.jsonl", "b.parquet"] {
            labelled.save(&folder.path().join(name)).expect("writable");
            let again = read(name, &options);
            assert!(again.iter().eq(labelled.iter()), "{name}: {:?}", again.iter().collect::<Vec<_>>());
            assert_eq!(again.label(1), Some("y"), "{name}");
        }
        let broken = Text::of_lines(["a\nb"]);
        assert!(broken.save(&folder.path().join("c.txt")).expect_err("a line break").to_string().contains(".csv"));
        let whole = Text::of_whole("abc\ndefg", 3).expect("parts");
        whole.save(&folder.path().join("d.txt")).expect("writable");
        assert_eq!(read("d.txt", &TextOptions { whole: Some(3), ..TextOptions::default() }), whole);
        let said = Text::read(folder.path().join("b.csv"), &TextOptions::default()).expect_err("two columns").to_string();
        assert!(said.contains("--text-column"), "{said}");
    }
}

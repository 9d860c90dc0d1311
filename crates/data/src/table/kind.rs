//! [`Table`] as a kind of data.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use semblant_core::config::MOST_AT_ONCE;
use semblant_core::data::{Data, Opened, Writer};
use semblant_core::options::{Names, OptionSpec, OptionValues};
use semblant_core::{Error, Result, files};
use serde_json::{Value, json};

use super::{Condition, Constraint, Inferred, Protect, ReadOptions, Schema, Table, TableRequest, TableWriter, Wanted};

/// The most times that each row is completed.
const MOST_DRAWS: u64 = 1_000_000;

/// The column whose prediction measures utility.
pub const TARGET: OptionSpec = OptionSpec::value("target", "COLUMN", "The target column of predictors, for utility scores");

pub(crate) const NO_PROTECT: OptionSpec =
    OptionSpec::flag("no-protect", "Learn rare labels and extreme numbers as they are, so that they may come back in samples");

/// Options of how a table is read, whatever is made of it.
pub(crate) const SCHEMA: OptionSpec =
    OptionSpec::value("schema", "FILE", "A TOML schema instead of the inferred one; `semblant fit --write-schema` writes one")
        .naming(Names::Input);
pub(crate) const DROP: OptionSpec = OptionSpec::list("drop", "COLUMN", "Leave this column out; may be given several times");
pub(crate) const MISSING_TEXTS: OptionSpec = OptionSpec::list(
    "missing",
    "TEXT,TEXT",
    "Texts that mean a missing value in every column, beside the empty cell, instead of the usual ones (NA, NaN, null, -) in columns of numbers, dates or booleans; may be given several times",
);

pub(crate) const REDRAW: OptionSpec = OptionSpec::list(
    "redraw",
    "COLUMN",
    "With --from: a column that is drawn anew in every row, beside missing cells; may be given several times",
);

/// Options of a request.
pub(crate) const WHERE: OptionSpec = OptionSpec::list(
    "where",
    "CONDITION",
    "A condition that every row, or every sequence by its attributes, meets: column=value, column=low..high for numbers, or an SQL expression such as \"age between 30 and 40 and (income = '>50K' or city is null)\"; may be given several times",
);
pub(crate) const BALANCE: OptionSpec =
    OptionSpec::value("balance", "COLUMN", "A categorical column, or that of labels, whose values are all equally frequent");
pub(crate) const DRAWS: OptionSpec = OptionSpec::value(
    "draws",
    "N",
    "With --given: how often each row is completed; with --horizon: how often each sequence is continued [default: 1]",
);

impl Data for Table {
    const KIND: &'static str = "table";
    const ITEMS: &'static str = "rows";
    type OpenOptions = ReadOptions;
    type Request = TableRequest;
    type Writer = TableWriter;

    fn open_options() -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[TARGET, SCHEMA, DROP, MISSING_TEXTS];
        OPTIONS
    }

    fn parse_open_options(values: &OptionValues) -> Result<ReadOptions> {
        let missing = || values.all("missing").iter().flat_map(|text| text.split(',')).map(|text| text.trim().to_owned()).collect();
        Ok(ReadOptions {
            schema: values.text("schema").map(Schema::from_toml).transpose()?,
            target: values.text("target").map(str::to_owned),
            drop: values.all("drop").to_vec(),
            missing: values.has("missing").then(missing),
            protect: values.has("no-protect").then_some(Protect { rare: 0 }),
            constraints: values.all("constraint").iter().cloned().map(Constraint::Check).collect(),
            ..ReadOptions::default()
        })
    }

    fn fit_options() -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[
            OptionSpec::value("write-schema", "FILE", "Write the inferred schema to this file and exit").naming(Names::Output),
            OptionSpec::list(
                "constraint",
                "EXPRESSION",
                "What holds in every row, in SQL: \"shipped >= ordered\" or \"total = price * units\", which computes total; may be given several times. A schema declares other kinds",
            ),
            NO_PROTECT,
        ];
        OPTIONS
    }

    fn instead_of_fit(opened: &Opened<Self>, values: &OptionValues) -> Result<Option<PathBuf>> {
        let Some(path) = values.text("write-schema").map(PathBuf::from) else { return Ok(None) };
        files::write(&path, opened.data.annotated_schema(&opened.notes)?.as_bytes())?;
        Ok(Some(path))
    }

    fn overview(&self) -> Vec<String> {
        Self::overview(self)
    }

    fn request_options() -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[
            WHERE,
            BALANCE,
            OptionSpec::value(
                "distribution",
                "COLUMN=VALUE:SHARE,...",
                "Target shares of a categorical column's values, such as plan=free:0.7,paid:0.3; values without a share do not occur",
            ),
            OptionSpec::value(
                "given",
                "FILE",
                "A table of rows some of whose cells are empty; these are drawn, the others stay, and each row is completed --draws times",
            )
            .naming(Names::Input),
            DRAWS,
            REDRAW,
            OptionSpec::flag(
                "escape-formulas",
                "Write an apostrophe before labels that a spreadsheet would take for formulas (=, +, -, @), in .csv and .tsv files",
            ),
            OptionSpec::value(
                "batch-rows",
                "ROWS",
                "Rows per batch: changes memory, never the rows [default: 32768, with conditions 1024]",
            ),
        ];
        OPTIONS
    }

    fn parse_request(request: TableRequest, values: &OptionValues) -> Result<TableRequest> {
        // Rows that meet conditions take many draws: smaller batches show how it goes, and are kept if later ones find none.
        let usual = if ["where", "balance", "distribution", "given"].iter().any(|name| values.has(name)) { 1_024 } else { 32_768 };
        let batch_rows = values.number("batch-rows")?.unwrap_or(usual);
        if !(1..=MOST_AT_ONCE).contains(&batch_rows) {
            return Err(Error::Config(format!("--batch-rows {batch_rows}: compute from 1 to {MOST_AT_ONCE} rows per batch")));
        }
        let (short, sql): (Vec<&String>, Vec<&String>) = values.all("where").iter().partition(|text| is_short(text));
        let conditions = short.into_iter().map(|text| condition(text)).collect::<Result<_>>()?;
        let expressions = sql.into_iter().cloned().collect();
        let given = values.text("given").map(|path| Self::read(path, &ReadOptions::default())).transpose()?;
        let draws: Option<u64> = values.number("draws")?;
        if let Some(draws) = draws.filter(|draws| !(1..=MOST_DRAWS).contains(draws)) {
            return Err(Error::Config(format!("--draws {draws}: complete each row from 1 to {MOST_DRAWS} times")));
        }
        if given.is_none() && draws.is_some() {
            return Err(Error::Config("--draws says how often rows are completed that --given names; add --given".into()));
        }
        let asked = request.rows.clone();
        let request = TableRequest {
            conditions,
            expressions,
            balance: values.text("balance").map(str::to_owned),
            distribution: values.text("distribution").map(distribution).transpose()?,
            redraw: values.all("redraw").to_vec(),
            escape_formulas: values.has("escape-formulas"),
            batch_rows,
            ..request
        };
        let request = match given {
            Some(given) => request.with_given(given, draws.unwrap_or(1)),
            None => request,
        };
        // A part of the completed rows may be asked for.
        let whole = asked.is_empty() || request.given.is_none();
        Ok(if whole { request } else { TableRequest { rows: asked, ..request } })
    }

    fn complete_options(options: ReadOptions, manifest: &Value) -> Result<ReadOptions> {
        let schema = manifest.get("schema").filter(|schema| !schema.is_null());
        let declares = options.schema.as_ref().is_some_and(|schema| !schema.columns.is_empty());
        if declares || !options.drop.is_empty() || schema.is_none() {
            return Ok(options);
        }
        let schema = serde_json::from_value(schema.cloned().unwrap_or_default());
        let mut schema: Schema = schema.map_err(|error| Error::Data(error.to_string()))?;
        // A schema without columns says something of the whole table.
        if let Some(Schema { target, missing, protect, constraints, .. }) = options.schema {
            schema.target = target.or(schema.target);
            schema.missing = missing.or(schema.missing);
            (schema.protect, schema.constraints) = (protect, constraints);
        }
        Ok(ReadOptions { schema: Some(schema), ..options })
    }

    fn options_to_compare(options: ReadOptions) -> ReadOptions {
        let missing = options.missing.or(options.schema.and_then(|schema| schema.missing));
        ReadOptions { schema: None, target: None, missing, drop_if_there: true, ..options }
    }

    fn conform(self, like: &Self) -> Result<Opened<Self>> {
        let Inferred { table, notes } = Self::conform(self, like)?;
        Ok(Opened { data: table, notes })
    }

    fn describe(metadata: &BTreeMap<String, String>) -> (Vec<String>, Value) {
        let value = |key: &str| metadata.get(key).and_then(|text| serde_json::from_str::<Value>(text).ok()).unwrap_or(Value::Null);
        // Files of earlier versions have no preparation: networks keep the schema in their transform, the copula beside each column.
        let schemas = |fitted: Value| fitted["columns"].as_array().into_iter().flatten().map(|column| column["schema"].clone()).collect();
        let of = |key: &str| value(key).pointer("/schema/columns").cloned();
        let columns =
            of("preparation").or_else(|| of("table")).or_else(|| of("transform")).unwrap_or_else(|| Value::Array(schemas(value("fitted"))));
        let line = |column: &Value| {
            format!("  {:12} {}", column["kind"].as_str().unwrap_or_default(), column["name"].as_str().unwrap_or_default())
        };
        let lines = std::iter::once("columns".to_owned()).chain(columns.as_array().into_iter().flatten().map(line)).collect();
        (lines, json!({ "columns": columns }))
    }

    fn open(source: &Path, options: &ReadOptions) -> Result<Opened<Self>> {
        let read = Self::read_inferred(source, options)?;
        Ok(Opened { data: read.table, notes: read.notes })
    }

    fn recognizes(source: &Path) -> bool {
        let name = source.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        let plain = name.strip_suffix(".gz").unwrap_or(&name);
        name == "-" || !source.is_dir() && [".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"].iter().any(|ending| plain.ends_with(ending))
    }

    fn len(&self) -> usize {
        self.rows()
    }

    fn select(&self, indices: &[usize]) -> Self {
        self.take(indices)
    }

    fn concat(parts: Vec<Self>) -> Result<Self> {
        let mut parts = parts.into_iter();
        let none = || Error::Data("there are no tables to join".into());
        let mut all = parts.next().ok_or_else(none)?;
        parts.try_for_each(|part| all.append(&part))?;
        Ok(all)
    }

    fn create(path: &Path, like: &Self) -> Result<TableWriter> {
        Ok(TableWriter::create(path, like.schema())?)
    }

    fn create_for(request: &TableRequest, path: &Path, like: &Self) -> Result<TableWriter> {
        if request.escape_formulas { Ok(TableWriter::create_for_spreadsheets(path, like.schema())?) } else { Self::create(path, like) }
    }

    fn check_output(path: &Path) -> Result<()> {
        Ok(TableWriter::check(path)?)
    }
}

impl Writer<Table> for TableWriter {
    fn write(&mut self, part: &Table) -> Result<()> {
        Ok(Self::write(self, part)?)
    }

    fn finish(self) -> Result<()> {
        Ok(Self::finish(self)?)
    }
}

/// Whether a condition has the form `column=value` or `column=low..high`; others are SQL.
fn is_short(text: &str) -> bool {
    let Some((column, value)) = text.split_once('=') else { return false };
    let lower = text.to_ascii_lowercase();
    let is_sql = [" and ", " or ", " between ", " in (", " like ", "not "].iter().any(|word| lower.contains(word));
    !column.contains(['<', '>', '!', '(', '\'', '"', '`']) && !value.starts_with('=') && !value.trim_start().starts_with('\'') && !is_sql
}

/// `column=value:share,value:share`. A share follows the last colon, so that values may hold others.
fn distribution(text: &str) -> Result<(String, Vec<(String, f64)>)> {
    let form = || Error::Config(format!("--distribution {text}: write column=value:share,value:share, for example plan=free:0.7,paid:0.3"));
    let (column, shares) = text.split_once('=').ok_or_else(form)?;
    let mut all = Vec::new();
    let mut value = String::new();
    for part in shares.split(',') {
        value.push_str(part);
        // A comma without a share before it belongs to the value.
        match value.rsplit_once(':').and_then(|(value, share)| Some((value.to_owned(), share.trim().parse::<f64>().ok()?))) {
            Some((value, share)) if share >= 0.0 && share.is_finite() => all.push((value, share)),
            Some(_) => return Err(form()),
            None => {
                value.push(',');
                continue;
            }
        }
        value.clear();
    }
    if !value.is_empty() || all.is_empty() { Err(form()) } else { Ok((column.trim().to_owned(), all)) }
}

/// `column=value`, or `column=low..high`. A value that holds `..` but is no range of numbers is taken as it is.
fn condition(text: &str) -> Result<Condition> {
    let Some((column, wanted)) = text.split_once('=') else {
        return Err(Error::Config(format!("--where {text}: write column=value, or column=low..high")));
    };
    let range = wanted.split_once("..").and_then(|(low, high)| {
        let bound = |text: &str, open: f64| {
            if text.trim().is_empty() { Some(open) } else { text.trim().parse::<f64>().ok().filter(|value| !value.is_nan()) }
        };
        Some(Wanted::Between { low: bound(low, f64::NEG_INFINITY)?, high: bound(high, f64::INFINITY)? })
    });
    Ok(Condition { column: column.trim().to_owned(), wanted: range.unwrap_or_else(|| Wanted::Is(wanted.to_owned())) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_numbers_after_the_last_colon() {
        let read = |text: &str| distribution(text).expect("well formed");
        assert_eq!(read("plan=free:0.7,paid:3"), ("plan".into(), vec![("free".into(), 0.7), ("paid".into(), 3.0)]));
        assert_eq!(read("t=a:b:1,c,d:2"), ("t".into(), vec![("a:b".into(), 1.0), ("c,d".into(), 2.0)]));
        for text in ["plan", "plan=", "plan=free", "plan=free:many", "plan=free:-1", "plan=free:1,paid"] {
            assert!(distribution(text).is_err(), "{text}");
        }
    }

    #[test]
    fn conditions_are_values_or_ranges() {
        let wanted = |text: &str| condition(text).expect("well formed").wanted;
        assert_eq!(wanted("income=>50K"), Wanted::Is(">50K".into()));
        assert_eq!(wanted("age=30..40"), Wanted::Between { low: 30.0, high: 40.0 });
        assert_eq!(wanted("age=..-2.5"), Wanted::Between { low: f64::NEG_INFINITY, high: -2.5 });
        assert_eq!(wanted("path=a..b"), Wanted::Is("a..b".into()));
        assert_eq!(wanted("city="), Wanted::Is(String::new()));
        assert!(condition("age").is_err());
        assert!(["income=>50K", "age=30..40", "city=", "a b=c"].iter().all(|text| is_short(text)));
        let sql = ["age between 30 and 40", "income = '>50K'", "a>=3", "a==3", "a=1 or b=2", "city is null", "not smoker", "(a=1)"];
        assert!(!sql.iter().any(|text| is_short(text)));
    }
}

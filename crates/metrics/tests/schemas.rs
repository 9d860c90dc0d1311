//! The JSON of reports matches docs/schemas/report.json exactly, and the pages are complete.

use semblant_core::synthesizer::Run;
use semblant_data::database::{Database, Keys};
use semblant_data::image::Images;
use semblant_data::series::{Layout, Series};
use semblant_data::table::{Column, ColumnKind, ReadOptions, Table, TableFormat};
use semblant_data::text::Text;
use semblant_metrics::image::classifier::{Classifier, ClassifierConfig};
use semblant_metrics::image::extractor::FeatureExtractor;
use semblant_metrics::image::shadow::by_shadows;
use semblant_metrics::image::utility::image_utility;
use semblant_metrics::membership::lira::Shadows;
use semblant_metrics::report::{
    ImageEvaluation, ModelSource, SeriesEvaluation, Source, Sources, TextEvaluation, compare, report_database, report_images,
    report_series, report_text,
};
use semblant_metrics::{Options, Report, evaluate};
use serde_json::Value;

/// The part of JSON Schema that ours are written in; a word beyond it is a panic and not a pass.
fn check(value: &Value, schema: &Value, root: &Value, at: &str) -> Result<(), String> {
    let fail = |what: String| Err(format!("{at}: {what}"));
    for (word, rule) in schema.as_object().expect("a schema is an object") {
        match word.as_str() {
            "$schema" | "title" | "description" | "$defs" | "required" | "minItems" | "maxItems" | "pattern" | "minimum" => {}
            "additionalProperties" => assert_eq!(rule, false),
            "$ref" => check(value, root.pointer(&rule.as_str().expect("text")[1..]).expect("a definition"), root, at)?,
            "type" => {
                let is = |kind: &Value| match kind.as_str().expect("text") {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "number" => value.is_number(),
                    "integer" => value.is_u64(),
                    "boolean" => value.is_boolean(),
                    "null" => value.is_null(),
                    other => panic!("{other} is no type"),
                };
                if !rule.as_array().map_or_else(|| is(rule), |kinds| kinds.iter().any(is)) {
                    return fail(format!("{value} is not {rule}"));
                }
            }
            "const" if value == rule => {}
            "enum" if rule.as_array().expect("a list").contains(value) => {}
            "const" | "enum" => return fail(format!("{value} is none of {rule}")),
            "anyOf" | "oneOf" => {
                let tried: Vec<_> = rule.as_array().expect("a list").iter().map(|rule| check(value, rule, root, at)).collect();
                if tried.iter().all(Result::is_err) {
                    return fail(format!("{tried:?}"));
                }
            }
            "items" => {
                value.as_array().into_iter().flatten().enumerate().try_for_each(|(i, x)| check(x, rule, root, &format!("{at}/{i}")))?
            }
            "prefixItems" => {
                let pairs = value.as_array().into_iter().flatten().zip(rule.as_array().expect("a list"));
                pairs.enumerate().try_for_each(|(i, (x, rule))| check(x, rule, root, &format!("{at}/{i}")))?;
            }
            "properties" => {
                let Some(object) = value.as_object() else { continue };
                for (key, value) in object {
                    let rule = rule.get(key).ok_or(format!("{at}: the key {key} is not described"))?;
                    assert!(rule.get("description").is_some() || rule.get("$ref").is_some(), "{at}/{key} has no description");
                    check(value, rule, root, &format!("{at}/{key}"))?;
                }
                let required = schema["required"].as_array().expect("a list");
                if let Some(missing) = required.iter().find(|key| !object.contains_key(key.as_str().expect("text"))) {
                    return fail(format!("the key {missing} is missing"));
                }
            }
            other => panic!("the word {other} is not known here"),
        }
    }
    let length = |word: &str| schema[word].as_u64();
    match value.as_array().map(|list| list.len() as u64) {
        Some(count) if length("minItems").is_some_and(|least| count < least) || length("maxItems").is_some_and(|most| count > most) => {
            fail(format!("{count} entries"))
        }
        _ => Ok(()),
    }
}

fn schema() -> Value {
    serde_json::from_str(include_str!("../../../docs/schemas/report.json")).expect("JSON")
}

#[track_caller]
fn holds(report: &Report) {
    let json = report.to_json().expect("JSON");
    let (value, schema): (Value, Value) = (serde_json::from_str(&json).expect("JSON"), schema());
    if let Err(what) = check(&value, &schema, &schema, "") {
        panic!("{what}");
    }
    let back: Report = serde_json::from_str(&json).expect("the report reads back");
    assert_eq!(json, back.to_json().expect("JSON"));
    // The check finds mistakes.
    for key in ["format", "scores", "sections"] {
        let mut wrong = value.clone();
        wrong[key] = Value::Null;
        assert!(check(&wrong, &schema, &schema, "").is_err());
        wrong.as_object_mut().expect("an object").remove(key);
        assert!(check(&wrong, &schema, &schema, "").is_err());
        wrong = value.clone();
        wrong["more"] = 1.into();
        assert!(check(&wrong, &schema, &schema, "").is_err());
    }
}

/// Leaves a page for `.ci/page`, where a folder for it is named.
fn leave(page: &str, name: &str) {
    // An empty name would be the folder that the test runs in.
    if let Some(folder) = std::env::var_os("SEMBLANT_PAGES").filter(|folder| !folder.is_empty()) {
        std::fs::write(std::path::Path::new(&folder).join(name), page).expect("writable");
    }
}

fn table(rows: usize, seed: u64) -> Table {
    let number = |row: usize, by: u64| ((row as u64 + seed * 1000).wrapping_mul(by) >> 40) as f64;
    let class = |row: usize| Some(if row.is_multiple_of(3) { "yes" } else { "no" });
    Table::from_columns(vec![
        ("x", ColumnKind::Continuous, Column::Number((0..rows).map(|row| number(row, 0x9E37_79B9_7F4A_7C15)).collect())),
        ("y", ColumnKind::Integer, Column::Number((0..rows).map(|row| number(row, 0xD1B5_4A32_D192_ED03)).collect())),
        ("constant", ColumnKind::Continuous, Column::Number(vec![1.0; rows])),
        ("class", ColumnKind::Categorical, Column::from_labels((0..rows).map(class))),
    ])
    .expect("a table")
}

/// Names of everything that can be named.
fn sources() -> Sources {
    Sources {
        real: Source::named("train"),
        synthetic: Source::named("made <by> a model"),
        holdout: Some(Source::named("test")),
        model: Some(ModelSource { name: "model.safetensors".into(), seed: Some(7) }),
        date: Some("2026-01-02".into()),
        ..Sources::default()
    }
}

#[test]
fn the_report_of_a_table_matches_the_schema() {
    let (real, synthetic, holdout) = (table(300, 1), table(200, 2), table(100, 3));
    for (holdout, target) in [(Some(&holdout), Some("class")), (None, None)] {
        let options = Options { target: target.map(str::to_owned), sources: sources(), ..Options::default() };
        let report = evaluate(&real, &synthetic, holdout, &options, &mut |_| {}).expect("a report");
        holds(&report);
        assert_eq!((report.sources.real.count, report.sources.synthetic.count), (300, 200));
        assert_eq!(report.sources.holdout.as_ref().map(|holdout| holdout.count), holdout.map(Table::rows));
        let page = report.to_html();
        for text in
            ["train, 300 rows", "made &lt;by&gt; a model, 200 rows", "model.safetensors, seed 7", "2026-01-02", env!("CARGO_PKG_VERSION")]
        {
            assert!(page.contains(text), "{text}");
        }
        assert_eq!(page.contains("test, 100 rows"), holdout.is_some());
        leave(&page, if holdout.is_some() { "table.html" } else { "table-alone.html" });
    }
}

/// Customers with orders that have lines, some without any.
fn database(customers: usize, seed: usize) -> Database {
    let lines = |head: &str, rows: Vec<String>| {
        let text = rows.into_iter().fold(head.to_owned(), |text, row| text + "\n" + &row);
        Table::from_bytes(text.into_bytes(), TableFormat::Csv, &ReadOptions::default()).expect("a table").table
    };
    let of = |row: usize, by: usize| (row * 7919 + seed * 104_729).wrapping_mul(by) / 64 % 97;
    let rows = |count: usize, row: &dyn Fn(usize) -> String| (0..count).map(row).collect::<Vec<_>>();
    let tables = vec![
        ("customers <1>".to_owned(), lines("id,age,boss", rows(customers, &|row| format!("{row},{},{}", of(row, 31), row / 2)))),
        (
            "orders".to_owned(),
            lines("order,customer,price", rows(2 * customers, &|row| format!("{row},{},{}", of(row, 17) % customers, of(row, 5)))),
        ),
        ("lines".to_owned(), lines("order,units", rows(3 * customers, &|row| format!("{},{}", of(row, 13) % customers, of(row, 11))))),
    ];
    let keys = "[\"customers <1>\"]\nkey = 'id'\nforeign = [{ columns = 'boss', table = 'customers <1>' }]\n[orders]\nkey = 'order'\nforeign = [{ columns = 'customer', table = 'customers <1>' }]\n[lines]\nforeign = [{ columns = 'order', table = 'orders' }]";
    Database::new(tables, Keys::parse_toml(keys).expect("keys")).expect("a database").data
}

#[test]
fn the_report_of_a_database_matches_the_schema_and_its_page_is_complete() {
    let (real, synthetic, holdout) = (database(90, 1), database(80, 2), database(60, 3));
    for holdout in [Some(&holdout), None] {
        let options = Options { target: Some("age".into()), sources: sources(), ..Options::default() };
        let report = report_database(&real, &synthetic, holdout, &options, &mut |_| {}).expect("comparable");
        holds(&report);
        let page = report.to_html();
        for text in ["train, 90 rows of customers &lt;1&gt;", "Tables and keys", "customers &lt;1&gt;.boss", "orders → customers &lt;1&gt;"]
        {
            assert!(page.contains(text), "{text}");
        }
        assert!(!page.contains("<1>") && !page.contains("<script") && !page.contains("://"));
        leave(&page, if holdout.is_some() { "database.html" } else { "database-alone.html" });
        assert_eq!(report, report_database(&real, &synthetic, holdout, &options, &mut |_| {}).expect("again"));
    }
}

#[test]
fn a_comparison_has_the_scores_of_all_reports() {
    let (real, holdout) = (table(300, 1), table(100, 3));
    let report = |synthetic: &Table| {
        let options = Options { target: Some("class".into()), ..Options::default() };
        evaluate(&real, synthetic, Some(&holdout), &options, &mut |_| {}).expect("a report")
    };
    let reports = [("fresh <1>.csv".to_owned(), report(&table(200, 2))), ("copied.csv".to_owned(), report(&real))];
    let found = compare(&reports).expect("of one kind");
    let (json, schema) = (serde_json::to_value(&found).expect("JSON"), schema());
    check(&json, &schema["$defs"]["comparison"], &schema, "").expect("as described");
    let text = found.to_text();
    let copies = text.iter().find(|line| line.starts_with("Exact copies")).expect("a line");
    assert_eq!(copies.split_whitespace().collect::<Vec<_>>()[2..6], ["0.0000", "good", "1.0000", "bad"]);
    let answers: Vec<&str> = text[..8].iter().filter(|line| !line.starts_with("  ")).map(String::as_str).collect();
    assert!(answers[0] == "fresh <1>.csv:" && answers[1].starts_with("Fidelity: "), "{text:?}");
    let page = found.to_html();
    assert!(page.contains("fresh &lt;1&gt;.csv") && !page.contains("fresh <1>") && page.contains("Gives everyone away"));
    assert!(page.contains("<b>0.0000</b>") && !page.contains("<script") && !page.contains("://"));
    leave(&page, "comparison.html");
    assert!(compare(&[]).is_err());
    let mut other = reports[0].1.clone();
    other.kind = "images".into();
    assert!(compare(&[reports[0].clone(), ("other".into(), other)]).expect_err("two kinds").to_string().contains("kinds"));
}

/// Windows of two waves whose phases depend on `seed`.
fn windows(count: usize, seed: usize) -> Series {
    let value = |row: usize, speed: f64| (speed * (row + 100 * seed) as f64).sin() + (row * 37 % 11) as f64 / 30.0;
    let column = |speed: f64| Column::Number((0..count + 7).map(|row| value(row, speed)).collect());
    let columns = vec![("slow <1>", ColumnKind::Continuous, column(0.21)), ("fast", ColumnKind::Continuous, column(1.3))];
    Series::of_table(Table::from_columns(columns).expect("a table")).windows(8, 1).expect("long enough")
}

#[test]
fn the_report_of_series_matches_the_schema_and_its_page_is_complete() {
    let (real, synthetic, holdout) = (windows(120, 1), windows(100, 2), windows(40, 3));
    let with = |repeats| SeriesEvaluation { repeats, seed: 0, device: burn::tensor::Device::flex(), sources: sources() };
    let report = report_series(&real, &synthetic, Some(&holdout), &with(2), &mut |_| {}).expect("comparable");
    holds(&report);
    let page = report.to_html();
    leave(&page, "series.html");
    for text in ["train, 120 sequences", "8 rows of 2 columns", "slow &lt;1&gt;", "Power spectra", "Block bootstrap"] {
        assert!(page.contains(text), "{text}");
    }
    let score = |id: &str| report.score(id).expect("listed");
    assert!(score("discriminative").value.is_some_and(|value| (0.0..=0.5).contains(&value)) && score("discriminative").interval.is_some());
    assert!(score("near_copies").value.is_some() && score("predictive").reference.is_some());
    // The training windows themselves: nothing tells them apart.
    let copied = report_series(&real, &real, None, &with(1), &mut |_| {}).expect("comparable");
    leave(&copied.to_html(), "series-alone.html");
    let value = |id: &str| copied.score(id).and_then(|score| score.value);
    assert!(
        value("correlational") == Some(0.0)
            && value("untrained_fid").is_some_and(|distance| distance.abs() < 1e-6)
            && value("near_copies").is_none()
    );
    let other = Series::of_table(table(60, 1)).windows(5, 1).expect("long enough");
    assert!(report_series(&real, &other, None, &with(1), &mut |_| {}).is_err());
}

/// Sequences of different lengths with a reading that misses some values, a state, and a kind that belongs to the whole sequence.
fn sequences(count: usize, seed: usize) -> Series {
    let (mut reading, mut states, mut spans) = (Vec::new(), Vec::new(), Vec::new());
    for sequence in 0..count {
        let (start, length) = (reading.len(), 30 + (sequence * 13 + seed) % 40);
        for row in 0..length {
            let value = ((row + 7 * sequence + seed) as f64 / 4.0).sin();
            reading.push(if (row + sequence) % 17 < 2 { f64::NAN } else { value });
            states.push(Some(if (row / 3 + sequence) % 3 == 0 { "idle <x>" } else { "busy" }));
        }
        spans.push(start..start + length);
    }
    let rows = Table::from_columns(vec![
        ("reading", ColumnKind::Continuous, Column::Number(reading)),
        ("state", ColumnKind::Categorical, Column::from_labels(states)),
    ]);
    let entities = Table::from_columns(vec![
        ("machine", ColumnKind::Id, Column::from_labels((0..count).map(|sequence| Some(format!("m-{sequence}"))))),
        ("kind", ColumnKind::Categorical, Column::from_labels((0..count).map(|sequence| Some(if sequence % 3 == 0 { "a" } else { "b" })))),
    ]);
    let order = ["machine", "kind", "reading", "state"].map(String::from).to_vec();
    let layout = Layout { entity: Some("machine".into()), order, ..Layout::default() };
    Series::new(rows.expect("rows"), None, spans, Some(entities.expect("names")), layout).expect("series")
}

#[test]
fn the_report_of_sequences_of_any_form_matches_the_schema() {
    let (real, synthetic, holdout) = (sequences(40, 1), sequences(30, 2), sequences(20, 3));
    for holdout in [Some(&holdout), None] {
        let evaluation = SeriesEvaluation { repeats: 2, seed: 0, device: burn::tensor::Device::flex(), sources: sources() };
        let report = report_series(&real, &synthetic, holdout, &evaluation, &mut |_| {}).expect("comparable");
        holds(&report);
        let page = report.to_html();
        leave(&page, if holdout.is_some() { "sequences.html" } else { "sequences-alone.html" });
        assert!(page.contains("Attribute by attribute") && page.contains("Sample paths") && page.contains("Runs of missing values"));
        for id in ["discriminative", "marginals", "autocorrelation", "transitions", "missing_runs", "lengths", "attributes"] {
            assert!(report.score(id).is_some_and(|score| score.value.is_some()), "{id}");
        }
        assert_eq!(report.score("near_copies").expect("listed").value.is_some(), holdout.is_some());
    }
    let evaluation = SeriesEvaluation { repeats: 1, seed: 0, device: burn::tensor::Device::flex(), sources: sources() };
    let same = report_series(&real, &real, Some(&holdout), &evaluation, &mut |_| {}).expect("comparable");
    for id in ["marginals", "autocorrelation", "transitions", "missing_runs", "lengths", "attributes"] {
        assert_eq!(same.score(id).and_then(|score| score.value), Some(0.0), "{id}");
    }
    assert_eq!(same.score("near_copies").and_then(|score| score.value), Some(1.0));
    let privacy = same.verdicts.iter().find(|verdict| verdict.group == semblant_metrics::report::Group::Privacy).expect("an answer");
    assert_eq!(privacy.grade, semblant_metrics::report::Grade::Poor);
    // Every random choice has a seed.
    assert_eq!(same, report_series(&real, &real, Some(&holdout), &evaluation, &mut |_| {}).expect("again"));
    assert!(
        report_series(&real, &windows(60, 1), None, &evaluation, &mut |_| {}).expect_err("other columns").to_string().contains("reading")
    );
}

/// Orders with markup, line breaks and labels.
fn texts(count: usize, seed: usize) -> Text {
    let line =
        |row: usize| format!("{} cups of <b>{}</b>\nfor number {}", row * 7 % 9 + 1, ["tea", "milk"][row % 2], row * row % 97 + seed);
    let label = |row: usize| ["leaf & pot", "cow"][row % 2];
    Text::of_lines((seed..seed + count).map(line)).with_labels((seed..seed + count).map(label)).expect("as many")
}

#[test]
fn the_report_of_text_matches_the_schema_and_its_page_is_complete() {
    let (real, synthetic, holdout) = (texts(120, 1), texts(100, 200), texts(60, 400));
    for holdout in [Some(&holdout), None] {
        let report =
            report_text(&real, &synthetic, holdout, &TextEvaluation { seed: 0, sources: sources() }, &mut |_| {}).expect("comparable");
        holds(&report);
        let page = report.to_html();
        leave(&page, if holdout.is_some() { "text.html" } else { "text-alone.html" });
        for text in ["train, 120 texts", "Samples side by side", "&lt;b&gt;", "leaf &amp; pot", "Longest passages in common", "Frequencies"]
        {
            assert!(page.contains(text), "{text}");
        }
        for id in ["text_discriminative", "reverse_bits", "ngram_area", "distinct_2", "self_bleu", "lengths", "class_accuracy"] {
            assert!(report.score(id).is_some_and(|score| score.value.is_some() && score.reference.is_some()), "{id}");
        }
        // Texts that a model was fitted to say nothing of what others cost.
        let bits = report.score("bits_per_character").expect("listed");
        assert!(bits.value.is_some() && bits.reference.is_some() == holdout.is_some());
        assert_eq!(report.score("label_f1").is_some(), holdout.is_some());
    }
}

fn images(count: usize, seed: usize) -> Images {
    let lit = |image: usize, place: usize| if image.is_multiple_of(2) { place % 8 < 4 } else { place / 8 < 4 };
    let pixel = |i: usize| 200 * u8::from(lit(i / 64, i % 64)) + ((i * 37 + seed * 91) % 50) as u8;
    let classes = (0..count as u32).map(|image| image % 2).collect();
    Images::new((0..count * 64).map(pixel).collect(), [count, 1, 8, 8], Some((classes, vec!["<b>left</b>".into(), "top".into()])))
        .expect("sound")
}

#[test]
fn the_report_of_images_matches_the_schema_and_its_page_is_complete() {
    let (real, synthetic, holdout) = (images(60, 1), images(40, 2), images(30, 3));
    let mut run = Run::new(burn::tensor::Device::flex(), 0);
    let config = ClassifierConfig { images: 2_000, ..ClassifierConfig::default() };
    let extractor = Classifier::fit(&real, Some(&holdout), &config, &mut run).expect("trains");
    let utility = image_utility(&real, std::slice::from_ref(&synthetic), &holdout, 2_000, &mut run).expect("classes").remove(0);
    assert!(utility.real.overall > 0.9 && utility.synthetic.overall > 0.9 && utility.both.overall > 0.9, "{utility:?}");
    assert_eq!((utility.both.training_images, utility.tested, utility.images_seen), (100, 30, 2_000));
    assert_eq!(utility.real.classes.len(), 2);
    let shadows = Shadows { models: 4, targets: 20, seed: 0 };
    let mut copies = |learnt: &Images, _: u64| Ok(learnt.clone());
    let membership = by_shadows(&real, &synthetic, &holdout, &shadows, &mut copies).expect("enough");
    let plain = ImageEvaluation { sources: sources(), ..ImageEvaluation::new(&extractor) };
    let trained = ImageEvaluation { utility: Some(utility), membership: Some((4, membership)), ..plain.clone() };
    let hash = extractor.provenance().expect("known").sha256;
    for (holdout, evaluation) in [(Some(&holdout), &trained), (None, &plain)] {
        let mut stages = Vec::new();
        let mut hear = |stage: &str| stages.push(stage.to_owned());
        let report = report_images(&real, &synthetic, holdout, evaluation, &mut hear).expect("comparable");
        assert!(stages[0].contains("60 real images") && stages.len() == if holdout.is_some() { 9 } else { 5 }, "{stages:?}");
        holds(&report);
        let page = report.to_html();
        leave(&page, if holdout.is_some() { "images.html" } else { "images-alone.html" });
        assert!(page.starts_with("<!DOCTYPE html>") && page.contains("data:image/png;base64,") && page.contains(&hash));
        assert!(page.contains("8 x 8 pixels, grey") && page.contains("train, 60 images"));
        assert!(!page.contains("<script") && !page.contains("://") && !page.contains("<b>left") && page.contains("&lt;b&gt;left"));
        assert_eq!(page.matches("<img").count(), page.matches(" alt=\"").count());
        assert_eq!(report, report_images(&real, &synthetic, holdout, evaluation, &mut |_| {}).expect("again"));
        if holdout.is_none() {
            assert!(report.verdicts.iter().all(|verdict| verdict.grade == semblant_metrics::report::Grade::Unknown));
        }
        let page = compare(&[("a".into(), report.clone()), ("b".into(), report)]).expect("of one kind").to_html();
        assert_eq!(page.matches("<img").count(), 3);
        leave(&page, if holdout.is_some() { "images-compared.html" } else { "images-compared-alone.html" });
    }
    // Too few for neighbours, not for the other scores.
    let few = report_images(&real, &synthetic.select(&[0, 1, 2]), Some(&holdout), &plain, &mut |_| {}).expect("enough for the others");
    let score = few.score("precision").expect("listed");
    assert!(score.value.is_none() && score.undefined.as_deref().is_some_and(|why| why.contains("five")), "{score:?}");
    holds(&few);
    // Utility names what is missing.
    let bare = Images::new(synthetic.pixels().to_vec(), synthetic.shape(), None).expect("sound");
    let said = image_utility(&real, &[bare], &holdout, 10, &mut run).expect_err("no classes").to_string();
    assert!(said.contains("same classes") && said.contains("synthetic"), "{said}");
}

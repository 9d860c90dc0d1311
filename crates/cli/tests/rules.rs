//! Specs of rules from the command line.

#[allow(dead_code, reason = "shared with tests that use more of it")]
mod support;

use std::collections::BTreeSet;

use support::*;

const SPEC: &str = r#"
[[table]]
name = "people"
rows = 300
key = "id"
[[table.column]]
name = "id"
draw = { sequence = { prefix = "P-", width = 4 } }
[[table.column]]
name = "age"
draw = { integers = { min = 18, max = 90 } }
[[table.column]]
name = "adult"
expression = "age >= 21"
[[table]]
name = "visits"
per = "people"
children = { poisson = { mean = 2 } }
chaos = [{ missing = { columns = "cost", rate = 0.1 } }]
[[table.column]]
name = "person"
expression = "people.id"
[[table.column]]
name = "cost"
decimals = 2
draw = { gamma = { shape = 2, scale = "people.age" } }
"#;

fn lines(place: &Place, name: &str) -> Vec<String> {
    String::from_utf8(place.bytes(name)).expect("text").lines().map(str::to_owned).collect()
}

#[test]
fn a_spec_is_checked_and_sampled() {
    let place = Place::new();
    place.file("spec.toml", SPEC);
    let checked = place.good(&["rules", "check", "spec.toml"]).out;
    assert!(checked.contains("people") && checked.contains("300 rows, 3 columns"), "{checked}");
    place.good(&["sample", "spec.toml", "-o", "out", "--seed", "4"]);
    let people = lines(&place, "out/people.csv");
    assert_eq!((people.len(), people[0].as_str()), (301, "id,age,adult"));
    let ids: BTreeSet<&str> = people[1..].iter().filter_map(|line| line.split(',').next()).collect();
    let visits = lines(&place, "out/visits.csv");
    assert!(visits[1..].iter().all(|line| ids.contains(line.split(',').next().unwrap_or_default())));
    let changed = lines(&place, "out/visits_chaos.csv");
    assert!(changed[0] == "row,column,kind,before,after" && changed.len() > 20 && changed[1].contains(",cost,missing,"), "{changed:?}");
    // A slice of one table, on standard output.
    let slice = place.good(&["sample", "spec.toml", "--table", "people", "--rows", "100..110", "--seed", "4", "-o", "-"]).out;
    assert_eq!(slice.lines().skip(1).collect::<Vec<_>>(), people[101..111].iter().map(String::as_str).collect::<Vec<_>>());
    // Other formats hold the same rows.
    place.good(&["sample", "spec.toml", "-o", "parquet", "--format", "parquet", "--seed", "4"]);
    place.good(&["sample", "spec.toml", "--table", "people", "-o", "people.jsonl", "--seed", "4", "--scale", "2"]);
    let json = lines(&place, "people.jsonl");
    assert!(json.len() == 600 && json[0].contains("\"adult\":") && !json[0].contains("\"adult\":\""), "{}", json[0]);
    let sql = place.good(&["sample", "spec.toml", "--table", "people", "-o", "people.sql", "--seed", "4"]);
    assert!(
        sql.out.contains("people.sql") && lines(&place, "people.sql")[0].starts_with("INSERT INTO \"people\" (\"id\", \"age\", \"adult\")")
    );
    let shown = place.good(&["schema", "parquet/people.parquet"]).out;
    assert!(shown.contains("adult") && shown.contains("300"), "{shown}");
}

#[test]
fn what_is_wrong_is_one_line() {
    let place = Place::new();
    place.file("spec.toml", SPEC);
    place.file("wrong.toml", SPEC.replace("age >= 21", "aged >= 21"));
    place.file("late.toml", SPEC.replace("max = 90", "max = \"100 - 200 * (row_number % 2)\""));
    place.file("people.csv", "mine\n");
    std::fs::create_dir(place.path("out")).expect("a folder");
    place.file("out/visits.csv", "mine\n");
    place.bad(2, &["rules", "check", "wrong.toml"], &["wrong.toml:14:15: ", "\"aged\"", "did you mean \"age\""]);
    place.bad(2, &["sample", "wrong.toml", "-o", "new"], &["wrong.toml:14:15: "]);
    place.bad(2, &["rules", "check", "late.toml"], &["late.toml:11:8: ", "row 1 of table \"people\"", "no whole number"]);
    place.bad(2, &["sample", "spec.toml", "--table", "peple", "-o", "x.csv"], &["no table \"peple\"", "did you mean \"people\""]);
    place.bad(2, &["sample", "spec.toml", "--table", "people", "--rows", "5..900", "-o", "x.csv"], &["has 300 rows"]);
    place.bad(2, &["sample", "spec.toml", "--rows", "5..9", "-o", "x"], &["--table"]);
    place.bad(2, &["sample", "spec.toml", "--table", "people", "-o", "people.csv"], &["people.csv", "--force"]);
    place.bad(2, &["sample", "spec.toml", "-o", "out"], &["visits.csv", "--force"]);
    place.bad(2, &["sample", "spec.toml", "-o", "-"], &["--table"]);
    place.bad(2, &["sample", "spec.toml", "-n", "5", "-o", "x"], &["--scale"]);
    place.bad(2, &["sample", "spec.toml", "--scale", "0", "-o", "x.csv", "--table", "people"], &["scale of 0"]);
    place.bad(2, &["sample", "missing.toml", "-o", "x"], &["missing.toml: "]);
}

#[test]
fn files_are_whole_or_absent() {
    let place = Place::new();
    // The second table fails in its last rows.
    let late = SPEC.replace("scale = \"people.age\"", "scale = \"case when row_number < 500 then 1 else 0 end\"");
    place.file("late.toml", late);
    place.bad(2, &["sample", "late.toml", "-o", "."], &["row 500 of table \"visits\"", "scale is 0"]);
    // Nor does a folder stay that was made for them, and none is made for what is refused.
    place.bad(2, &["sample", "late.toml", "-o", "new"], &["row 500"]);
    place.bad(2, &["sample", "late.toml", "--table", "people", "--rows", "x", "-o", "new"], &["--rows"]);
    assert!(!place.has("new"));
}

#[test]
fn what_a_spec_reads_is_never_written() {
    let place = Place::new();
    let spec = "[[table]]\nname = \"prices\"\nrows = 9\n[[table.column]]\nname = \"price\"\ndraw = { empirical = { file = \"prices.csv\", column = \"price\" } }\n";
    place.file("spec.toml", spec);
    let prices: String = (0..40).map(|row| format!("{}.5\n", row % 13)).collect();
    place.file("prices.csv", format!("price\n{prices}"));
    let before = place.bytes("prices.csv");
    place.bad(2, &["sample", "spec.toml", "-o", ".", "--force"], &["is the input"]);
    assert_eq!(place.bytes("prices.csv"), before);
    place.good(&["sample", "spec.toml", "-o", "out"]);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/dev/zero", place.path("endless.toml")).expect("a link");
        // The helper for what fails reads every file of the folder.
        let ran = place.run(&["rules", "check", "endless.toml"]);
        assert!(ran.code == Some(2) && ran.err.contains("endless.toml: is a device"), "{}", ran.err);
    }
}

#[test]
fn the_schema_of_specs_is_the_documented_one() {
    let place = Place::new();
    let printed = place.good(&["rules", "schema"]).json();
    let documented: serde_json::Value = serde_json::from_str(include_str!("../../../docs/schemas/rules.schema.json")).expect("JSON");
    assert!(printed == documented, "print it anew: semblant rules schema > docs/schemas/rules.schema.json");
}

#[test]
fn shipped_specs_are_right() {
    let place = Place::new();
    for name in ["patients", "shop", "sensors", "clinic"] {
        let spec = format!("{}/../../datasets/rules/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        place.good(&["rules", "check", &spec]);
        place.good(&["sample", &spec, "-o", name, "--scale", "0.1", "--format", "parquet"]);
    }
    assert!(place.has("shop/lines.parquet") && place.has("clinic/visits.parquet"));
}

#[test]
fn a_draft_can_be_sampled() {
    let place = Place::new();
    place.file(
        "spec.toml",
        SPEC.replace("chaos = [{ missing = { columns = \"cost\", rate = 0.1 } }]\n", "").replace("rows = 300", "rows = 3000"),
    );
    place.good(&["sample", "spec.toml", "-o", "real"]);
    place.good(&["rules", "draft", "real/people.csv", "real/visits.csv", "-o", "draft.toml"]);
    let draft = String::from_utf8(place.bytes("draft.toml")).expect("text");
    for part in ["per = \"people\"", "key = \"id\"", "expression = \"people.id\"", "regex = \"P"] {
        assert!(draft.contains(part), "no {part} in {draft}");
    }
    place.good(&["rules", "check", "draft.toml"]);
    place.good(&["sample", "draft.toml", "-o", "made"]);
    assert_eq!(lines(&place, "made/people.csv").len(), 3_001);
    let visits = lines(&place, "made/visits.csv").len() as f64;
    assert!((visits / lines(&place, "real/visits.csv").len() as f64 - 1.0).abs() < 0.1, "{visits}");
    place.bad(2, &["rules", "draft", "real/people.csv", "-o", "real/people.csv"], &["is the input"]);
}

#[test]
fn rows_are_asked_to_be_something_and_a_table_becomes_a_model() {
    let place = Place::new();
    place.file("spec.toml", SPEC.replace("chaos = [{ missing = { columns = \"cost\", rate = 0.1 } }]", ""));
    place.file("chaos.toml", SPEC);
    let ages = |name: &str| {
        lines(&place, name)[1..]
            .iter()
            .map(|line| line.split(',').nth(1).and_then(|age| age.parse().ok()).expect("an age"))
            .collect::<Vec<u32>>()
    };
    let told = place.good(&["sample", "spec.toml", "--table", "people", "--where", "age >= 60 and adult", "-n", "40", "-o", "old.csv"]);
    assert!(told.err.contains("40 rows meet the conditions"), "{}", told.err);
    assert!(ages("old.csv").len() == 40 && ages("old.csv").iter().all(|age| *age >= 60));
    place.good(&["sample", "spec.toml", "--table", "people", "--where", "age=60..70", "--rows", "10..20", "-o", "some.csv"]);
    assert!(ages("some.csv").len() == 10 && lines(&place, "some.csv")[1].starts_with("P-0011,"));
    place.bad(2, &["sample", "spec.toml", "--where", "age > 60", "-o", "x.csv"], &["--table"]);
    // Formulas of a spec's labels are escaped as those of a model's.
    place.file("formula.toml", SPEC.replace("prefix = \"P-\"", "prefix = \"=P\""));
    for (more, first) in
        [(&[][..], "=P0001,"), (&["--escape-formulas"], "'=P0001,"), (&["--escape-formulas", "--where", "adult or not adult"], "'=P0001,")]
    {
        place.good(&[&["sample", "formula.toml", "--table", "people", "-o", "f.csv"], more].concat());
        assert!(lines(&place, "f.csv")[1].starts_with(first), "{more:?} {}", lines(&place, "f.csv")[1]);
    }
    place.bad(2, &["sample", "chaos.toml", "--table", "visits", "--where", "cost > 60", "-o", "x.csv"], &["chaos"]);
    place.bad(2, &["sample", "spec.toml", "--table", "people", "--where", "age > 99", "-o", "x.csv"], &["too rare"]);
    // The same by a model file.
    place.good(&["sample", "spec.toml", "--table", "people", "-o", "people.csv", "--seed", "3"]);
    let settings = ["--set", "spec=spec.toml", "--set", "table=people"];
    place.good(&[&["fit", "people.csv", "-m", "rules", "-o", "m.safetensors"], &settings[..]].concat());
    std::fs::remove_file(place.path("spec.toml")).expect("there");
    place.good(&["sample", "m.safetensors", "-n", "300", "-o", "again.csv", "--seed", "3"]);
    assert_eq!(place.bytes("again.csv"), place.bytes("people.csv"));
    let inspected = place.good(&["inspect", "m.safetensors"]).out;
    assert!(inspected.contains("rules") && inspected.contains("age"), "{inspected}");
}

#[test]
fn a_draft_proposes_constraints_with_their_reasons() {
    let place = Place::new();
    // What is paid is never more than the price; refunds happen in two shops alone; one label is rare.
    let row = |i: usize| {
        let price = 20 + i * 37 % 80;
        let paid = price * (1 + i * 53 % 11) / 11;
        let (shop, refund) = (["north", "south", "east", "west"][i % 4], if i % 4 < 2 { i * 7 % 5 } else { 0 });
        format!("{price},{paid},{},{refund}\n", if i == 7 { "secret" } else { shop })
    };
    place.file("sales.csv", "price,paid,shop,refund\n".to_owned() + &(0..400).map(row).collect::<String>());
    place.good(&["rules", "draft", "sales.csv", "-o", "draft.toml"]);
    let draft = String::from_utf8(place.bytes("draft.toml")).expect("text");
    assert!(draft.contains("[[table.constraint]]") && draft.contains("% of the rows drafted meet it"), "{draft}");
    assert!(!draft.contains("secret"), "{draft}");
    place.good(&["sample", "draft.toml", "-o", "made.csv"]);
    for line in &lines(&place, "made.csv")[1..] {
        let cells: Vec<&str> = line.split(',').collect();
        assert!(cells[0].parse::<f64>().expect("a number") >= cells[1].parse().expect("a number"), "{line}");
    }
}

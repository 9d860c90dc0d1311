//! Files as users have them: streams, formats, names.

#[allow(dead_code, reason = "shared with tests that use more of it")]
mod support;
#[allow(dead_code, reason = "shared with tests that use more of it")]
#[path = "support/tables.rs"]
mod tables;

use std::io::Write;
use std::process::Stdio;

use support::*;
use tables::*;

const VISITS: &str = "visit,when,amount,kind\n";

/// A small table of every usual kind of column.
fn visits(rows: usize) -> String {
    let line = |row: usize| {
        format!("V-{row:05},2024-{:02}-{:02},{}.{:02},{}\n", row % 12 + 1, row % 28 + 1, row * 7 % 90, row % 97, ["a", "b"][row % 2])
    };
    std::iter::once(VISITS.to_owned()).chain((0..rows).map(line)).collect()
}

fn fitted() -> Place {
    let place = Place::new();
    place.file("t.csv", visits(200));
    place.good(&["-q", "fit", "t.csv", "-m", "independent", "-o", "m.safetensors"]);
    place
}

#[test]
fn rows_go_through_standard_streams() {
    let place = fitted();
    let csv = place.good(&["sample", "m.safetensors", "-n", "1e1", "-o", "-"]);
    assert_eq!(csv.out.lines().count(), 11, "{}", csv.out);
    assert!(csv.out.starts_with(VISITS) && csv.err.is_empty(), "{}{}", csv.out, csv.err);
    let lines = place.good(&["-q", "sample", "m.safetensors", "--rows", "10", "-o", "-", "--format", "jsonl"]).out;
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().expect("a line")).expect("JSON");
    assert!(first["amount"].is_f64() && first["visit"].is_string(), "{first}");
    for text in [csv.out, lines] {
        let mut child = place.command(&["-q", "schema", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("starts");
        child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("writable");
        let said = Ran::of(child.wait_with_output().expect("ends"));
        assert!(said.out.contains("datetime") && said.out.contains("amount"), "{}", said.out);
    }
}

#[test]
fn a_reader_may_stop_early() {
    let place = fitted();
    for format in ["csv", "jsonl"] {
        let mut child = place
            .command(&["-q", "sample", "m.safetensors", "-n", "200000", "-o", "-", "--format", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        drop(child.stdout.take());
        let ran = Ran::of(child.wait_with_output().expect("ends"));
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{format}");
    }
}

#[test]
fn json_lines_are_read_and_written() {
    let place = Place::new();
    let rows = (0..60).map(|row| format!("{{\"n\": {row}, \"flag\": {}, \"place\": \"p{}\", \"tags\": [1]}}\n", row % 2 == 0, row % 3));
    place.file("t.jsonl", rows.collect::<String>());
    let ran = place.good(&["fit", "t.jsonl", "-m", "independent", "-o", "m.safetensors"]);
    assert!(ran.err.contains("\"tags\" is nested"), "{}", ran.err);
    place.good(&["-q", "sample", "m.safetensors", "-n", "5", "-o", "s.jsonl.gz"]);
    place.good(&["-q", "sample", "m.safetensors", "-n", "5", "-o", "s.jsonl"]);
    let text = String::from_utf8(place.bytes("s.jsonl")).expect("UTF-8");
    let first: serde_json::Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
    assert!(first["flag"].is_boolean() && first["n"].is_u64() && first.get("tags").is_none(), "{first}");
    place.good(&["-q", "evaluate", "--real", "t.jsonl", "--synthetic", "s.jsonl.gz"]);
}

#[test]
fn a_fit_continues_by_its_name_alone() {
    let place = fitted();
    let said = &["m.safetensors", "complete", "--epochs"];
    place.bad(2, &["fit", "--resume", "m.safetensors"], said);
    place.bad(2, &["fit", "--resume", "absent.safetensors"], &["absent.safetensors", "no fit to continue"]);
    place.bad(2, &["fit"], &["<DATA>"]);
}

#[test]
fn settings_and_completions_are_printed() {
    let place = Place::new();
    let ctgan = place.good(&["models", "ctgan"]).out;
    for part in [
        "--set epochs=300",
        "--set optimizer.learning_rate=0.0002",
        "Passes over the data",
        "Rows that the critic scores together",
        "--set texts.epochs=30",
    ] {
        assert!(ctgan.contains(part), "{part}: {ctgan}");
    }
    let names: Vec<String> = place
        .good(&["models", "--json"])
        .json()
        .as_array()
        .expect("a list")
        .iter()
        .map(|model| model["name"].as_str().expect("a name").to_owned())
        .collect();
    for name in &names {
        let settings = place.good(&["models", name, "--json"]).json();
        for setting in settings["settings"].as_array().expect("a list") {
            assert_ne!(setting["about"], "", "{name}: {setting} has no documentation");
        }
    }
    place.bad(2, &["models", "ctagn"], &["ctagn", "ctgan"]);
    for shell in ["bash", "zsh", "fish"] {
        let script = place.good(&["completions", shell]).out;
        assert!(script.contains("semblant") && script.contains("write-schema"), "{shell}");
    }
}

#[test]
fn rows_found_before_conditions_prove_too_rare_are_kept() {
    let place = Place::with_patients();
    place.good(&[&["-q", "fit", "patients.csv", "-m", "ctgan", "-o", "m.safetensors", "--epochs", "2"], SMALL_CTGAN].concat());
    let sample = |rows: &str, width: u32, output: &str| {
        let narrow = format!("systolic=120..{}", 120 + width);
        let wheres = ["age=40..45", "cholesterol=5..5.1", &narrow].map(|condition| ["--where", condition]).concat();
        place.run(&[&["sample", "m.safetensors", "--rows", rows, "-o", output], &wheres[..]].concat())
    };
    // A range in which some rows are found and others are not.
    let ran = |width| (width, sample("0..12", width, "s.csv"));
    let (width, ran) = [32, 16, 8, 4, 2, 1, 0].into_iter().map(ran).find(|(_, ran)| ran.code != Some(0)).expect("rare");
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let text = place.text("s.csv");
    let mut lines = text.lines();
    let (header, found) = (lines.next().expect("a header"), lines.collect::<Vec<_>>());
    let kept = format!("; {} of 12 rows were found in ", found.len());
    for words in ["the conditions are too rare", "of 2000 draws", &kept, "are in s.csv"] {
        assert!(ran.err.lines().last().is_some_and(|said| said.contains(words)), "{words}: {}", ran.err);
    }
    // Each row is that of its address, whatever the range; where there is none, nothing is written.
    let mut alone = Vec::new();
    for row in 0..12 {
        let output = format!("{row}.csv");
        match sample(&format!("{row}..{}", row + 1), width, &output) {
            ran if ran.code == Some(0) => alone.push(place.text(&output)),
            ran => assert!(ran.code == Some(2) && ran.err.contains("too rare") && !place.has(&output), "{}", ran.err),
        }
    }
    assert_eq!(alone, found.iter().map(|row| format!("{header}\n{row}\n")).collect::<Vec<_>>());
}

#[test]
fn names_do_not_control_the_terminal() {
    let place = Place::new();
    let name = "t\u{1b}[2J.csv";
    let rows = (0..80).map(|row| format!("{row}.{row:02},{},\u{9b}31mred\n", if row % 2 == 0 { "a\u{1b}]0;title\u{7}" } else { "b" }));
    place.file(name, std::iter::once("n\u{1b}[31m,label\u{7f},same\n".to_owned()).chain(rows).collect::<String>());
    let run = |arguments: &[&str]| {
        let ran = place.run(arguments);
        for text in [&ran.out, &ran.err] {
            assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{arguments:?}: {text:?}");
        }
        ran
    };
    let shown = run(&["schema", name]).out;
    assert!(shown.contains("n\\u{1b}[31m") && shown.contains("a\\u{1b}]0;title\\u{7}"), "{shown}");
    let fit = run(&["fit", name, "-m", "independent", "-o", "m\u{1b}c.safetensors"]);
    assert_eq!((fit.code, fit.out.as_str()), (Some(0), "m\\u{1b}c.safetensors\n"), "{}", fit.err);
    run(&["inspect", "m\u{1b}c.safetensors"]);
    let scores = run(&["evaluate", "--real", name, "--compare", name, name]);
    assert!(scores.code == Some(0) && scores.out.contains("t\\u{1b}[2J.csv"), "{}{}", scores.out, scores.err);
    for arguments in [
        &["fit", "absent\u{1b}[2J.csv", "-o", "o.safetensors"][..],
        &["fit", name, "--target", "\u{1b}[31m", "-o", "o.safetensors"],
        &["sample", "m\u{1b}c.safetensors", "-n", "1", "-o", "s.csv", "--where", "label\u{7f}=\u{1b}c"],
    ] {
        let ran = run(arguments);
        assert!(ran.code != Some(0) && ran.err.contains("\\u{1b}"), "{arguments:?}: {}", ran.err);
    }
    // A message is cut in the middle, so that it keeps the place and the remedy.
    let said = run(&["fit", name, "-m", &"x".repeat(5000), "-o", "o.safetensors"]).err;
    assert!(said.chars().count() <= 300 + "error: \n".len() && said.contains("xxx…") && said.contains("ar-gaussian"), "{said}");
}

#[test]
fn documents_do_not_control_the_terminal() {
    let place = Place::new();
    let rows = (0..80).map(|row| format!("{row},{}\n", if row % 2 == 0 { "a\u{9b}31m\u{7f}" } else { "b\u{202e}c" }));
    place.file("t.csv", std::iter::once("n,l\u{200f}\n".to_owned()).chain(rows).collect::<String>());
    let unfit = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{200f}' | '\u{202e}');
    let ran = place.good(&["-q", "evaluate", "--real", "t.csv", "--synthetic", "t.csv", "--json", "-"]);
    assert!(!ran.out.contains(unfit) && ran.out.contains("\\u200f"), "{:?}", ran.out.find(unfit));
    assert!(ran.json()["scores"].is_array());
    place.good(&["-q", "fit", "t.csv", "-m", "independent", "-o", "m.safetensors", "--no-protect"]);
    // Rows for a file or a pipe are as they are, those for a terminal are escaped.
    let piped = place.good(&["-q", "sample", "m.safetensors", "-n", "40", "-o", "-"]).out;
    assert!(piped.contains('\u{9b}') && piped.contains('\u{202e}'));
    let on_terminal = |format: &str| {
        let line = format!("{} -q sample m.safetensors -n 40 -o - --format {format}", env!("CARGO_BIN_EXE_semblant"));
        let ran = std::process::Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .current_dir(place.path("."))
            .stdin(Stdio::null())
            .output();
        ran.ok().map(|ran| String::from_utf8_lossy(&ran.stdout).replace("\r\n", "\n"))
    };
    let (Some(csv), Some(parquet)) = (on_terminal("csv"), on_terminal("parquet")) else {
        println!("skipped: there is no script(1) to make a terminal");
        return;
    };
    assert!(!csv.contains(unfit) && csv.contains("a\\u009b31m\\u007f") && csv.lines().count() == 41, "{csv:?}");
    assert!(parquet.contains("no text for a terminal"), "{parquet:?}");
}

#[test]
fn formulas_are_escaped_on_request() {
    let place = Place::new();
    let labels = ["=1+1", "@sum(a1)", "-2+3", "-5", "plain"];
    let rows = (0..200_i64).map(|row| format!("{},{}\n", -row, labels[(row % 5) as usize]));
    place.file("t.csv", std::iter::once("n,=kind\n".to_owned()).chain(rows.collect::<Vec<_>>()).collect::<String>());
    place.good(&[&["-q", "fit", "t.csv", "--epochs", "2", "-o", "m.safetensors"], SMALL].concat());
    let cells = |name: &str| {
        let text = place.text(name);
        text.lines().map(|line| line.split_once(',').expect("two cells").1.to_owned()).collect::<std::collections::BTreeSet<_>>()
    };
    let all = |sign: &str| {
        [&format!("{sign}=1+1"), &format!("{sign}@sum(a1)"), &format!("{sign}-2+3"), "-5", "plain", &format!("{sign}=kind")]
            .map(str::to_owned)
            .into()
    };
    place.good(&["-q", "sample", "m.safetensors", "-n", "300", "-o", "plain.csv"]);
    place.good(&["-q", "sample", "m.safetensors", "-n", "300", "-o", "safe.csv", "--escape-formulas"]);
    assert_eq!((cells("plain.csv"), cells("safe.csv")), (all(""), all("'")));
    assert!(place.text("safe.csv").lines().skip(1).all(|line| !line.starts_with('\'')), "numbers are no formulas");
    place.good(&["-q", "impute", "m.safetensors", "t.csv", "--columns", "=kind", "-o", "filled.csv", "--escape-formulas"]);
    assert!(cells("filled.csv").contains("'=1+1") && !cells("filled.csv").contains("=1+1"));
    place.bad(1, &["sample", "m.safetensors", "-n", "5", "-o", "s.parquet", "--escape-formulas"], &["no formulas", ".csv"]);
}

//! The program as its users run it.

mod support;
#[allow(dead_code, reason = "shared with tests that use more of it")]
#[path = "support/tables.rs"]
mod tables;

use std::path::Path;
use std::process::Command;

use semblant::data::table::{ReadOptions, Table, simulate_patients};
use serde_json::Value;
use support::*;
use tables::*;

const FIT: &[&str] = &["fit", "t.csv", "-m", "independent", "-o", "m.safetensors"];

#[test]
fn tables_that_cannot_be_read_are_named() {
    let place = Place::new();
    place.bad(1, FIT, &["t.csv", "No such file"]);
    for (contents, words) in [
        (&b""[..], &["empty"][..]),
        (b"a,b\n", &["header but no rows"]),
        (b"a,b\n1,2\n3\n", &["line 3", "1 cells"]),
        (b"a,b\n1,x\n2,caf\xe9\n", &["line 3", "UTF-8"]),
        (b"a,b\n1,2\n2,inf\n", &["\"b\"", "row 2", "infinite"]),
        (b"a,b\nx,y\nx,y\n", &["nothing to learn"]),
    ] {
        place.file("t.csv", contents);
        place.bad(1, &[&FIT[..2], &["-o", "m.safetensors"]].concat(), &[&["error: "][..], words].concat());
    }
    place.file("t.xlsx", "PK");
    place.bad(1, &["fit", "t.xlsx", "-o", "m.safetensors"], &["t.xlsx", "parquet"]);
    place.file("t.csv", "age,sex\n30,f\nold,m\n31,f\n");
    place.file("s.toml", "[[columns]]\nname = \"age\"\nkind = \"integer\"\n[[columns]]\nname = \"sex\"\nkind = \"categorical\"\n");
    place.bad(1, &[FIT, &["--schema", "s.toml"]].concat(), &["\"age\"", "row 2", "\"old\""]);
    place.file("s.toml", "[[columns]]\nname = \"age\"\nkind = \"whole\"\n");
    place.bad(1, &[FIT, &["--schema", "s.toml"]].concat(), &["s.toml", "line 3", "whole"]);
    place.bad(1, &[FIT, &["--schema", "absent.toml"]].concat(), &["absent.toml"]);
}

#[test]
fn tables_of_unusual_shapes_are_fitted() {
    let place = Place::new();
    let wide = |rows: usize| {
        let line = |row: usize| (0..2000).map(|column| format!("{}", (row * 3 + column) % 7)).collect::<Vec<_>>().join(",");
        let names = (0..2000).map(|column| format!("c{column}")).collect::<Vec<_>>().join(",");
        std::iter::once(names).chain((0..rows).map(line)).collect::<Vec<_>>().join("\n")
    };
    let many = (0..100_000).map(|row| format!("k{},{}", (row * 7919) % 100_000, row % 10)).collect::<Vec<_>>().join("\n");
    for (what, contents, columns) in [
        ("one row", "a,b\n1,x\n".to_owned(), 2),
        ("NaN cells", "a,b\n1,x\nNaN,y\n3,nan\n4,x\n".to_owned(), 2),
        ("a constant column", "a,b\n1,x\n2,x\n3,x\n".to_owned(), 2),
        ("2,000 columns", wide(4), 2000),
        ("100,000 categories", format!("key,x\n{many}\n"), 2),
    ] {
        place.file("t.csv", contents);
        for (model, settings) in
            [("masked-diffusion", [SMALL, &["--set", "epochs=1", "--set", "batch_rows=6000"]].concat()), ("independent", Vec::new())]
        {
            place.good(&[&["fit", "t.csv", "-m", model, "-o", "m.safetensors"], &settings[..]].concat());
            place.good(&["sample", "m.safetensors", "-n", "20", "-o", "s.csv"]);
            let text = place.text("s.csv");
            assert_eq!(text.lines().count(), 21, "{what}, {model}");
            assert_eq!(text.lines().next().map(|header| header.split(',').count()), Some(columns), "{what}, {model}");
        }
    }
}

#[test]
fn wrong_usage_is_one_line_and_code_two() {
    let place = Place::with_model("independent");
    let sample = |more: &[&str], words: &[&str]| place.bad(2, &[&["sample", "m.safetensors", "-o", "s.csv"], more].concat(), words);
    sample(&["-n", "0"], &["-n 0"]);
    sample(&["-n", "-1"], &["-1"]);
    sample(&["-n", "many"], &["many"]);
    sample(&[], &["-n"]);
    sample(&["-n", "1", "--rows", "0..1"], &["--rows"]);
    sample(&["--rows", "5..5"], &["5..5"]);
    sample(&["--rows", "5..5"], &["A..B"]);
    sample(&["--rows", "0"], &["at least one"]);
    sample(&["-n", "1.5"], &["1e6"]);
    sample(&["-n", "5", "--batch-rows", "0"], &["--batch-rows"]);
    sample(&["-n", "5", "--wher", "a=b"], &["--wher", "--where"]);
    sample(&["-n", "5", "--device", "gpu"], &["gpu", "cpu"]);
    sample(&["-n", "5", "--where", "sex"], &["column=value"]);
    let fit = |more: &[&str], words: &[&str]| place.bad(2, &[&["fit", "patients.csv", "-o", "n.safetensors"], more].concat(), words);
    fit(&["-m", "gan"], &["gan", "ctgan, tvae"]);
    fit(&["--set", "epoch=3"], &["epoch", "epochs"]);
    fit(&["--set", "epochs"], &["key=value"]);
    fit(&["--set", "epochs=0"], &["epochs"]);
    fit(&["--set", "optimizer.rate=3"], &["rate", "learning_rate"]);
    fit(&["--set", "epochs=1", "--set", "epochs.x=1"], &["epochs.x"]);
    fit(&["--config", "absent.toml"], &["absent.toml"]);
    fit(&["--target", "diagnoses"], &["diagnoses", "diagnosis"]);
    fit(&["--drop", "diagnoses"], &["diagnoses", "diagnosis"]);
    fit(&["--seed", "x"], &["--seed", "x"]);
    place.bad(2, &["fit", "patients.csv"], &["--output"]);
    place.bad(2, &["quickstart", "--rows", "5"], &["--rows 5"]);
    place.bad(2, &["data", "get", "adutl"], &["adutl", "adult"]);
    place.bad(2, &["evaluate", "--real", "patients.csv", "--synthetic", "patients.csv", "--target", "x"], &["\"x\"", "diagnosis"]);
    place.bad(2, &["fitt"], &["fitt"]);
}

#[test]
fn conditions_that_cannot_be_met_are_usage_errors() {
    for model in ["independent", "copula", "masked-diffusion"] {
        let place = Place::with_patients();
        let settings = if model == "masked-diffusion" { [SMALL, &["--set", "epochs=1"]].concat() } else { Vec::new() };
        place.good(&[&["fit", "patients.csv", "-m", model, "-o", "m.safetensors"], &settings[..]].concat());
        for (conditions, words) in [
            (&["diagnoses=flu"][..], &["diagnoses", "diagnosis"][..]),
            (&["diagnosis=flu"], &["flu", "asthma"]),
            (&["sex=male", "sex=female"], &["sex", "contradict"]),
            (&["age=30..40", "age=50..60"], &["age", "contradict"]),
            (&["age=60..30"], &["age"]),
            (&["age=200..300"], &["age", "18.."]),
            (&["patient_id=P-0000001"], &["patient_id"]),
        ] {
            let wheres = conditions.iter().flat_map(|condition| ["--where", condition]).collect::<Vec<_>>();
            place.bad(2, &[&["sample", "m.safetensors", "-n", "5", "-o", "s.csv"], &wheres[..]].concat(), words);
        }
        place.bad(2, &["sample", "m.safetensors", "-n", "5", "-o", "s.csv", "--balance", "age"], &["age", "categorical"]);
        place.good(&["sample", "m.safetensors", "-n", "30", "-o", "s.csv", "--where", "sex=male", "--where", "age=30..60"]);
        let made = Table::read(place.path("s.csv"), &ReadOptions::with_schema(simulate_patients(1, 0).schema().clone())).expect("a table");
        let age = made.column("age").expect("there").numbers().expect("numbers");
        assert!((0..30).all(|row| made.column("sex").expect("there").label(row) == Some("male") && (30.0..=60.0).contains(&age[row])));
    }
}

#[test]
fn model_files_that_are_damaged_are_named() {
    let place = Place::with_patients();
    place.good(&[&["fit", "patients.csv", "-o", "m.safetensors", "--set", "epochs=1"], SMALL].concat());
    let whole = place.bytes("m.safetensors");
    let length = u64::from_le_bytes(whole[..8].try_into().expect("eight")) as usize;
    let header = String::from_utf8(whole[8..8 + length].to_vec()).expect("UTF-8");
    let with = |from: &str, to: &str| {
        let changed = header.replacen(from, to, 1);
        assert_ne!(changed, header, "{from}");
        [&(changed.len() as u64).to_le_bytes(), changed.as_bytes(), &whole[8 + length..]].concat()
    };
    let shapes: Value = serde_json::from_str(&header).expect("JSON");
    let shape = shapes["model.head.weight"]["shape"].to_string();
    let turned = shapes["model.head.weight"]["shape"].as_array().map(|shape| format!("[{},{}]", shape[1], shape[0])).expect("a matrix");
    for (contents, words) in [
        (whole[..whole.len() / 2].to_vec(), &["truncated"][..]),
        (Vec::new(), &["truncated"]),
        (b"age,sex\n1,2\n".to_vec(), &["truncated"]),
        (with("\"semblant_format\":\"1\"", "\"semblant_format\":\"2\""), &["format 2"]),
        (with("\"model\":\"masked-diffusion\"", "\"model\":\"stargan\""), &["stargan"]),
        (with(&format!("\"shape\":{shape}"), &format!("\"shape\":{turned}")), &["\"model\"", "head.weight"]),
    ] {
        place.file("d.safetensors", contents);
        place.bad(1, &["sample", "d.safetensors", "-n", "5", "-o", "s.csv"], &[&["d.safetensors"], words].concat());
    }
    place.bad(1, &["sample", "absent.safetensors", "-n", "5", "-o", "s.csv"], &["absent.safetensors"]);
    place.bad(1, &["inspect", "absent.safetensors"], &["absent.safetensors"]);
    place.bad(1, &["sample", "patients.csv", "-n", "5", "-o", "s.csv"], &["patients.csv"]);
}

#[test]
fn places_that_cannot_be_written_are_named() {
    let place = Place::with_model("independent");
    std::fs::create_dir(place.path("folder")).expect("creatable");
    std::fs::create_dir(place.path("folder.csv")).expect("creatable");
    let fit = |output: &str| place.bad(1, &["fit", "patients.csv", "-m", "independent", "-o", output], &[output]);
    fit("patients.csv/m.safetensors");
    fit("no/such/folder/m.safetensors");
    fit("folder");
    let sample = |output: &str| place.bad(1, &["sample", "m.safetensors", "-n", "5", "-o", output], &[output]);
    sample("patients.csv/s.csv");
    sample("no/such/folder/s.csv");
    sample("folder.csv");
    sample("s.xlsx");
    let evaluate = |option: &str, output: &str| {
        place.bad(1, &["evaluate", "--real", "patients.csv", "--synthetic", "patients.csv", option, output], &[output]);
    };
    evaluate("-o", "patients.csv/r.html");
    evaluate("--json", "no/such/folder/r.json");
    evaluate("-o", "folder");
    place.bad(1, &["quickstart", "--rows", "100", "-m", "independent", "-o", "patients.csv/here"], &["patients.csv/here"]);
    place.bad(1, &["fit", "patients.csv", "--write-schema", "folder"], &["folder"]);
    if cfg!(unix) {
        // A device is not to be replaced by a file.
        let ran = place.run(&["fit", "patients.csv", "--write-schema", "/dev/null"]);
        assert_eq!(ran.code, Some(1), "{}", ran.err);
        assert!(!Path::new("/dev/null").is_file());
    }
}

/// A file system of a few kilobytes, gone when dropped.
struct Tiny<'a>(&'a Place);

impl Tiny<'_> {
    fn mount(place: &Place) -> Option<Tiny<'_>> {
        std::fs::create_dir(place.path("tiny")).expect("creatable");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=16k", "tmpfs"]).arg(place.path("tiny")).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Tiny(place))
    }
}

impl Drop for Tiny<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path("tiny")).status();
    }
}

#[test]
fn a_full_disk_is_an_error_that_leaves_nothing() {
    let place = Place::with_model("independent");
    let Some(_tiny) = Tiny::mount(&place) else {
        println!("skipped: a small file system cannot be mounted here");
        return;
    };
    place.bad(1, &["fit", "patients.csv", "-m", "independent", "-o", "tiny/m.safetensors"], &["tiny/m.safetensors", "space"]);
    place.bad(1, &["sample", "m.safetensors", "-n", "5000", "-o", "tiny/s.csv"], &["tiny/s.csv", "space"]);
    place.bad(1, &["sample", "m.safetensors", "-n", "5000", "-o", "tiny/s.parquet"], &["tiny/s.parquet", "space"]);
    place.bad(1, &["evaluate", "--real", "patients.csv", "--synthetic", "patients.csv", "-o", "tiny/r.html"], &["tiny/r.html", "space"]);
    place.good(&["sample", "m.safetensors", "-n", "5", "-o", "tiny/s.csv"]);
}

const LONG: &[&str] = &["fit", "patients.csv", "-q", "--set", "epochs=400", "--set", "patience_ticks=0", "-o"];
const STATE: &str = "m.safetensors.run/state.safetensors";

#[test]
fn a_killed_fit_resumes_to_the_same_bytes() {
    let place = Place::with_patients();
    place.good(&[LONG, &["whole.safetensors"], SMALL].concat());
    let mut killed = 0;
    for more in [&[][..], &["--resume"]] {
        let mut child = place.start(&[LONG, &["m.safetensors"], SMALL, more].concat());
        place.wait_for(STATE, &mut child);
        if more == ["--resume"] {
            // The state of the first run is there already; the log tells that this one is under way.
            let log = place.bytes("m.safetensors.run/log.jsonl").len();
            while child.try_wait().expect("a child").is_none() && place.bytes("m.safetensors.run/log.jsonl").len() <= log {
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
        }
        killed += usize::from(child.try_wait().expect("a child").is_none());
        child.kill().expect("SIGKILL");
        end(child);
        assert!(!place.has("m.safetensors"), "there is no model before the end");
    }
    assert_eq!(killed, 2, "both runs were killed while they trained");
    // The next fit removes it, also one that fails.
    std::fs::remove_file(place.path("m.safetensors.run/lock")).expect("a killed fit leaves its lock, which locks nothing");
    place.bad(1, &[&["fit", "patients.csv", "--set", "epochs=401", "-o", "m.safetensors", "--resume"], SMALL].concat(), &["settings"]);
    place.good(&[LONG, &["m.safetensors", "--resume"], SMALL].concat());
    assert!(place.bytes("m.safetensors") == place.bytes("whole.safetensors"), "the resumed model is another one");
    assert!(!place.has(STATE), "a finished fit needs no state");
    let steps = |run: &str| {
        let log = place.text(&format!("{run}.safetensors.run/log.jsonl"));
        log.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["step"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(steps("m"), steps("whole"), "the log has every step once");
}

#[cfg(unix)]
#[test]
fn an_interrupt_saves_and_names_resume() {
    let place = Place::with_patients();
    let mut child = place.start(&[LONG, &["m.safetensors"], SMALL].concat());
    place.wait_for("m.safetensors.run/log.jsonl", &mut child);
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill").success());
    let ran = end(child);
    assert_eq!(ran.code, Some(130), "{}", ran.err);
    assert!(
        ran.err.starts_with("error: interrupted at step") && ran.err.contains("--resume") && ran.err.lines().count() == 1,
        "{}",
        ran.err
    );
    assert!(place.has(STATE) && !place.has("m.safetensors"));
    place.good(&[LONG, &["m.safetensors", "--resume"], SMALL].concat());
    place.good(&[LONG, &["whole.safetensors"], SMALL].concat());
    assert!(place.bytes("m.safetensors") == place.bytes("whole.safetensors"));
}

#[test]
fn equal_commands_give_equal_bytes() {
    let place = Place::with_patients();
    for model in ["masked-diffusion", "tvae", "copula", "independent"] {
        let settings: &[&str] = match model {
            "masked-diffusion" => &[SMALL, &["--set", "epochs=2"]].concat(),
            "tvae" => &["--set", "epochs=2", "--set", "encoder_widths=[16]", "--set", "decoder_widths=[16]"],
            _ => &[],
        };
        let fit = |output: &str, seed: &str| {
            place.good(&[&["fit", "patients.csv", "-m", model, "--seed", seed, "-o", output], settings].concat());
            place.bytes(output)
        };
        let first = fit("a.safetensors", "3");
        assert!(first == fit("b.safetensors", "3"), "{model}: equal seeds, other bytes");
        assert_eq!(first != fit("c.safetensors", "4"), !settings.is_empty(), "{model}: another seed");

        place.good(&["sample", "a.safetensors", "-n", "300", "-o", "whole.csv"]);
        place.good(&["sample", "b.safetensors", "-n", "300", "--batch-rows", "7", "-o", "again.csv"]);
        assert_eq!(place.text("whole.csv"), place.text("again.csv"), "{model}");
        place.good(&["sample", "a.safetensors", "--rows", "137..151", "-o", "part.csv"]);
        let (whole, part) = (place.text("whole.csv"), place.text("part.csv"));
        assert_eq!(part.lines().skip(1).collect::<Vec<_>>(), whole.lines().skip(138).take(14).collect::<Vec<_>>(), "{model}");
    }
}

#[test]
fn every_kind_of_file_holds_the_same_rows() {
    let place = Place::with_model("copula");
    let schema = simulate_patients(1, 0).schema().clone();
    let read = |name: &str| Table::read(place.path(name), &ReadOptions::with_schema(schema.clone())).expect("a table");
    for name in ["s.csv", "s.csv.gz", "s.tsv", "s.parquet"] {
        place.good(&["sample", "m.safetensors", "-n", "200", "-o", name]);
    }
    let rows = |table: &Table| (0..200).map(|row| (0..11).map(|column| table.cell(row, column)).collect::<Vec<_>>()).collect::<Vec<_>>();
    for name in ["s.csv.gz", "s.tsv", "s.parquet"] {
        assert_eq!(rows(&read(name)), rows(&read("s.csv")), "{name}");
    }
}

#[test]
fn fit_sample_and_evaluate_write_a_self_contained_report() {
    let place = Place::with_patients();
    simulate_patients(600, 0).take(&(300..600).collect::<Vec<_>>()).write(place.path("test.csv")).expect("writable");
    let fit = place
        .good(&[&["fit", "patients.csv", "--target", "diagnosis", "-o", "m.safetensors", "--json", "--set", "epochs=2"], SMALL].concat());
    assert_eq!(fit.json()["model"], "m.safetensors");
    assert_eq!(fit.json()["summary"]["steps"], 9);
    let sample = place.good(&["sample", "m.safetensors", "-n", "300", "-o", "s.csv", "--where", "sex=male", "--json"]).json();
    assert_eq!(sample["rows"], 300);
    assert!(sample["acceptance"].as_f64().is_some_and(|share| share > 0.0 && share <= 1.0), "{sample}");
    let tables = ["--real", "patients.csv", "--synthetic", "s.csv", "--holdout", "test.csv", "--target", "diagnosis"];
    let said = place.good(&[&["evaluate", "-o", "report.html", "--json", "scores.json"][..], &tables].concat());
    assert!(said.out.contains("report.html"), "{}", said.out);
    let report = place.text("report.html");
    assert!(report.contains("<svg") && report.contains("diagnosis"));
    let rest = report.replace("http://www.w3.org/2000/svg", "");
    for load in ["http://", "https://", "<script src", "<link", "@import", "url("] {
        assert!(!rest.contains(load), "the report loads something: {load}");
    }
    let scores: Value = serde_json::from_str(&place.text("scores.json")).expect("JSON");
    assert!(scores["scores"].as_array().is_some_and(|scores| scores.len() > 5), "{scores}");
    let again = place.good(&[&["-q", "evaluate", "--json", "-"][..], &tables].concat());
    assert_eq!(again.json()["scores"], scores["scores"], "equal tables and seeds, equal scores");
    assert_eq!(again.err, "");
}

#[test]
fn several_tables_are_compared() {
    let place = Place::with_patients();
    let patients = simulate_patients(900, 0);
    let part = |from: usize| patients.take(&(from..from + 300).collect::<Vec<_>>());
    part(300).write(place.path("test.csv")).expect("writable");
    part(600).write(place.path("fresh.csv")).expect("writable");
    part(0).write(place.path("leaked.csv")).expect("writable");
    part(0).write(place.path("train.csv")).expect("writable");
    let compare = ["--real", "train.csv", "--holdout", "test.csv", "--target", "diagnosis", "--compare", "fresh.csv", "leaked.csv"];
    let said = place.good(&[&["-q", "evaluate"][..], &compare].concat()).out;
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0] == "fresh.csv:" && lines[1].starts_with("Fidelity: "), "{said}");
    let headings = lines.iter().find(|line| line.starts_with("score ")).expect("a line").split_whitespace().collect::<Vec<_>>();
    assert_eq!(headings, ["score", "fresh.csv", "leaked.csv", "reference"]);
    let copies: Vec<&str> = lines.iter().find(|line| line.starts_with("Exact copies")).expect("a line").split_whitespace().collect();
    assert_eq!(copies[2..6], ["0.0000", "good", "1.0000", "bad"], "{copies:?}");
    let json = place.good(&[&["-q", "evaluate", "--json", "-"][..], &compare].concat()).json();
    let verdict = |place: usize| json["reports"][place]["report"]["verdicts"][2]["grade"].clone();
    assert_eq!((&json["reports"][1]["name"], verdict(1)), (&Value::from("leaked.csv"), Value::from("poor")), "{json}");
    place.good(&[&["-q", "evaluate", "-o", "r.html"][..], &compare].concat());
    assert!(place.text("r.html").contains("leaked.csv"));
    place.bad(2, &["evaluate", "--real", "train.csv"], &["--synthetic"]);
    place.bad(2, &[&["evaluate", "--synthetic", "fresh.csv"][..], &compare].concat(), &["--compare"]);
}

#[test]
fn lists_and_inspections_can_be_read() {
    let place = Place::with_model("copula");
    let models = place.good(&["models", "--json"]).json();
    let names: Vec<&str> = models.as_array().expect("a list").iter().filter_map(|model| model["name"].as_str()).collect();
    let registry = semblant::Registry::default();
    let known: Vec<&str> = registry.kinds().flat_map(|kind| kind.models()).map(|model| model.name).collect();
    assert_eq!(names, known);
    let listed = place.good(&["models"]).out;
    assert!(names.iter().all(|name| listed.contains(name)), "{listed}");
    assert!(place.good(&["data", "list"]).out.contains("california-housing"));
    place.good(&[&["fit", "patients.csv", "-o", "gan.safetensors", "--set", "epochs=1"], SMALL].concat());
    for (file, model) in [("m.safetensors", "copula"), ("gan.safetensors", "masked-diffusion")] {
        let text = place.good(&["inspect", file]).out;
        assert!(text.contains(model) && text.contains("diagnosis") && text.contains("datetime"), "{text}");
        let json = place.good(&["inspect", file, "--json"]).json();
        assert_eq!(json["model"], model);
        assert_eq!(json["columns"].as_array().map(Vec::len), Some(11), "{file}");
    }
    assert!(place.good(&["inspect", "gan.safetensors"]).out.contains("batch_rows = 60"));
    assert!(place.good(&["--help"]).out.contains("Exit codes"));
    assert!(place.good(&["--version"]).out.contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_schema_that_was_written_can_be_read() {
    let place = Place::with_patients();
    place.good(&["fit", "patients.csv", "--write-schema", "s.toml", "--target", "diagnosis"]);
    assert!(!place.has("s.toml.run"), "writing a schema fits nothing");
    let text = place.text("s.toml");
    assert!(text.contains("target = \"diagnosis\"") && text.contains("kind = \"datetime\""), "{text}");
    place.good(&["fit", "patients.csv", "-m", "independent", "--schema", "s.toml", "-o", "a.safetensors"]);
    place.good(&["fit", "patients.csv", "-m", "independent", "--target", "diagnosis", "-o", "b.safetensors"]);
    assert!(place.bytes("a.safetensors") == place.bytes("b.safetensors"));
}

#[test]
fn settings_come_from_files_and_from_the_command_line() {
    let place = Place::with_patients();
    place.file("c.toml", "epochs = 5\nbatch_rows = 60\nwidth = 16\ndepth = 1\nembedding = 4\nbins = 8\n");
    place.good(&["fit", "patients.csv", "--config", "c.toml", "--set", "epochs=1", "-o", "a.safetensors"]);
    place.good(&[&["fit", "patients.csv", "--set", "epochs=1", "-o", "b.safetensors"], SMALL].concat());
    assert!(place.bytes("a.safetensors") == place.bytes("b.safetensors"), "--set goes before the file");
    let config: Value = toml::from_str(&place.text("a.safetensors.run/config.toml")).expect("TOML");
    assert_eq!(config["settings"]["epochs"], 1);
}

#[test]
fn quickstart_makes_its_four_files() {
    let place = Place::new();
    for model in ["masked-diffusion", "copula"] {
        place.good(&["quickstart", "--rows", "120", "-m", model, "-o", model]);
        for file in ["patients.csv", "model.safetensors", "synthetic.csv", "report.html"] {
            assert!(place.has(&format!("{model}/{file}")), "{model}: {file}");
        }
        assert_eq!(place.text(&format!("{model}/synthetic.csv")).lines().count(), 121);
    }
}

#[test]
#[cfg_attr(not(has_data), ignore = "set SEMBLANT_DATA to run")]
fn adult_is_fitted_sampled_and_evaluated() {
    let place = Place::new();
    place.good(&[&["fit", "adult", "-o", "m.safetensors", "--set", "epochs=1", "--set", "batch_rows=600"], &SMALL[2..]].concat());
    place.good(&["sample", "m.safetensors", "-n", "1000", "--where", "income=>50K", "-o", "s.csv"]);
    let text = place.text("s.csv");
    assert_eq!(text.lines().count(), 1001);
    assert!(text.lines().skip(1).all(|line| line.ends_with(">50K")));
    place.good(&["sample", "m.safetensors", "-n", "1000", "-o", "s.csv"]);
    let scores = place.good(&["-q", "evaluate", "--real", "adult:test", "--synthetic", "s.csv", "--json", "-"]).json();
    assert!(scores["scores"].as_array().is_some_and(|scores| scores.len() > 5), "{scores}");
}

#![cfg(unix)]
//! What is written where: never over an input, over a file of the user's only by force, through links, and by one process at a time.

#[allow(dead_code, reason = "shared with tests that use more of it")]
mod support;
#[allow(dead_code, reason = "shared with tests that use more of it")]
#[path = "support/tables.rs"]
mod tables;

use std::fs::hard_link;
use std::os::unix::fs::symlink;

use semblant::data::image::Images;
use support::*;
use tables::*;

/// A place with a table, a table to complete, a schema, settings, a model of the table, images and a model of them.
fn full() -> Place {
    let place = Place::new();
    let line = |row: usize| format!("{},{}.5,{}\n", row * 7 % 90, row * 13 % 97, ["a", "b"][row % 2]);
    place.file("t.csv", std::iter::once("n,amount,kind\n".to_owned()).chain((0..200).map(line)).collect::<String>());
    place.file("other.csv", place.text("t.csv"));
    place.file("given.csv", "n,kind\n3,a\n");
    place.file("settings.toml", "epochs = 1\n");
    place.good(&["-q", "fit", "t.csv", "--write-schema", "s.toml"]);
    place.good(&["-q", "fit", "t.csv", "-m", "independent", "-o", "m.safetensors"]);
    let pixels = (0..18 * 64).map(|i| (i * 37 % 251) as u8).collect();
    Images::new(pixels, [18, 1, 8, 8], None).expect("sound").write_folder(place.path("shapes"), false).expect("writable");
    let small = ["network.kind=mlp", "network.width=16", "network.depth=1", "training.rows=32", "training.batch_rows=8"];
    let small: Vec<&str> = small.iter().flat_map(|setting| ["--set", setting]).collect();
    place.good(&[&["-q", "fit", "shapes", "-m", "flow", "-o", "flow.safetensors"], &small[..]].concat());
    place
}

#[test]
fn inputs_are_never_overwritten() {
    let place = full();
    symlink("t.csv", place.path("soft.csv")).expect("a link");
    symlink(".", place.path("here")).expect("a link");
    hard_link(place.path("t.csv"), place.path("hard.csv")).expect("a link");
    place.file("run.jsonl", "{\"n\": 1}\n");
    std::fs::create_dir(place.path("new.safetensors.run")).expect("creatable");
    hard_link(place.path("run.jsonl"), place.path("new.safetensors.run/log.jsonl")).expect("a link");
    for line in [
        "fit t.csv -m independent -o t.csv",
        "fit t.csv -m independent -o ./t.csv",
        "fit t.csv -m independent -o soft.csv",
        "fit t.csv -m independent -o hard.csv",
        "fit t.csv -m independent -o here/t.csv",
        "fit soft.csv -m independent -o hard.csv",
        "fit t.csv -m independent --schema s.toml -o s.toml",
        "fit t.csv -m independent --config settings.toml -o settings.toml",
        "fit run.jsonl -m independent -o new.safetensors",
        "fit shapes -m consistency --set from=flow.safetensors -o flow.safetensors",
        "fit t.csv --write-schema ./t.csv",
        "fit t.csv --schema s.toml --write-schema here/s.toml",
        "sample m.safetensors -n 5 -o m.safetensors",
        "sample m.safetensors --given given.csv -o given.csv",
        "sample flow.safetensors --from shapes -o shapes",
        "impute m.safetensors t.csv -o t.csv",
        "score m.safetensors t.csv -o hard.csv",
        "evaluate --real t.csv --synthetic other.csv -o t.csv",
        "evaluate --real t.csv --synthetic other.csv --json soft.csv",
        "evaluate --real t.csv --synthetic other.csv -o other.csv",
        "evaluate --real t.csv --compare other.csv given.csv -o given.csv",
        "evaluate --real t.csv --synthetic t.csv --holdout other.csv --json other.csv",
        "evaluate --real t.csv --synthetic other.csv --schema s.toml --json s.toml",
        "evaluate --real t.csv --synthetic t.csv --holdout other.csv --shadow m.safetensors --json m.safetensors",
        "evaluate --real shapes --synthetic shapes --features inception:s.toml,resize=tf1 --json s.toml",
        "evaluate --real shapes --synthetic shapes --features lpips:t.csv,lin=s.toml --json s.toml",
        "evaluate --real shapes --synthetic shapes --features classifier:new -o here/new",
        "compare t.csv -o hard.csv",
        "compare t.csv --holdout other.csv -o other.csv",
    ] {
        place.bad(2, &[line.split(' ').collect(), vec!["--force"]].concat(), &["is the input"]);
    }
    place.bad(2, &["export", "flow.safetensors", "-o", "flow.safetensors"], &["is the input"]);
    let inside = ["evaluate", "--real", "shapes", "--synthetic", "shapes", "-o", "here/shapes/000003.png", "--force"];
    place.bad(2, &inside, &["is a file of the input shapes"]);
}

#[test]
fn two_outputs_have_two_places() {
    let place = full();
    symlink("r", place.path("to-r")).expect("a link");
    fn evaluate<'a>(more: &[&'a str]) -> Vec<&'a str> {
        [&["evaluate", "--real", "t.csv", "--synthetic", "other.csv"], more].concat()
    }
    for json in ["r", "./r", "to-r"] {
        place.bad(2, &evaluate(&["-o", "r", "--json", json]), &["two outputs"]);
    }
    place.bad(2, &evaluate(&["-o", "-", "--json", "-"]), &["two outputs", "standard output"]);
    place.bad(2, &["fit", "t.csv", "-o", "x", "--write-schema", "./x"], &["two outputs"]);
    place.bad(2, &["sample", "m.safetensors", "-n", "5", "-o", "-", "--json"], &["two outputs", "standard output"]);
    place.bad(2, &["compare", "t.csv", "-o", "-", "--json"], &["two outputs"]);
}

#[test]
fn files_of_others_are_replaced_only_by_force() {
    let place = full();
    for line in [
        "fit t.csv -m independent -o notes.csv",
        "fit t.csv --write-schema notes.csv",
        "sample m.safetensors -n 5 -o notes.csv",
        "impute m.safetensors t.csv -o notes.csv",
        "score m.safetensors t.csv -o notes.csv",
        "evaluate --real t.csv --synthetic other.csv -o notes.csv",
        "evaluate --real t.csv --synthetic other.csv --json notes.csv",
        "compare t.csv -o notes.csv",
    ] {
        place.file("notes.csv", "my own notes\n");
        place.bad(2, &line.split(' ').collect::<Vec<_>>(), &["notes.csv", "--force"]);
    }
    place.file("patients.csv", "my own patients\n");
    place.bad(2, &["quickstart", "--rows", "200"], &["patients.csv", "--force"]);
    let sample = |more: &[&'static str]| [&["sample", "m.safetensors", "-n", "5", "-o", "notes.csv"], more].concat();
    place.good(&sample(&["--force"]));
    place.good(&sample(&[]));
    place.file("notes.csv", "changed by hand\n");
    place.bad(2, &sample(&[]), &["--force"]);
    // An empty file holds nothing.
    place.file("notes.csv", "");
    place.good(&sample(&[]));
}

#[test]
fn models_and_reports_say_themselves_whose_they_are() {
    let place = full();
    place.good(&["-q", "evaluate", "--real", "t.csv", "--synthetic", "other.csv", "-o", "r.html", "--json", "r.json"]);
    place.good(&["-q", "evaluate", "--real", "t.csv", "--compare", "other.csv", "t.csv", "-o", "c.html", "--json", "c.json"]);
    place.good(&["-q", "sample", "m.safetensors", "-n", "5", "-o", "made.csv"]);
    // As another user, or on another machine.
    let elsewhere = |line: &str| {
        let mut command = place.command(&line.split(' ').collect::<Vec<_>>());
        Ran::of(command.env("XDG_CACHE_HOME", place.path("cache")).output().expect("starts"))
    };
    for line in [
        "fit t.csv -m independent -o m.safetensors",
        "evaluate --real t.csv --synthetic other.csv -o r.html --json r.json",
        "evaluate --real t.csv --compare other.csv t.csv -o c.html --json c.json",
    ] {
        let ran = elsewhere(line);
        assert_eq!(ran.code, Some(0), "{line}: {}", ran.err);
    }
    let ran = elsewhere("sample m.safetensors -n 6 -o made.csv");
    assert!(ran.code == Some(2) && ran.err.contains("--force"), "{}", ran.err);
    // Weights of another program, and JSON of another form.
    let foreign = br#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#;
    place.file("foreign.safetensors", [&(foreign.len() as u64).to_le_bytes(), &foreign[..], &[0]].concat());
    place.file("own.json", "{\n  \"format\": \"mine\",\n  \"kind\": 1\n}\n");
    for output in ["foreign.safetensors", "own.json"] {
        place.bad(2, &["fit", "t.csv", "-m", "independent", "-o", output], &["--force"]);
    }
}

#[test]
fn links_stay_and_what_they_lead_to_is_replaced() {
    let place = full();
    std::fs::create_dir(place.path("far")).expect("creatable");
    for (link, target) in
        [("l.safetensors", "far/m.safetensors"), ("l.csv", "far/s.csv"), ("l.parquet", "far/s.parquet"), ("l.html", "far/r.html")]
    {
        symlink(target, place.path(link)).expect("a link");
    }
    for _ in 0..2 {
        place.good(&["-q", "fit", "t.csv", "-m", "independent", "-o", "l.safetensors"]);
        place.good(&["-q", "sample", "l.safetensors", "-n", "5", "-o", "l.csv"]);
        place.good(&["-q", "sample", "l.safetensors", "-n", "5", "-o", "l.parquet"]);
        place.good(&["-q", "evaluate", "--real", "t.csv", "--synthetic", "other.csv", "-o", "l.html"]);
    }
    for name in ["l.safetensors", "l.csv", "l.parquet", "l.html"] {
        assert!(place.path(name).is_symlink(), "{name} is a link no more");
    }
    let mut far: Vec<_> =
        std::fs::read_dir(place.path("far")).expect("readable").map(|entry| entry.expect("readable").file_name()).collect();
    far.sort();
    assert_eq!(far, ["m.safetensors", "m.safetensors.run", "r.html", "s.csv", "s.parquet"]);
    assert!(!place.has("l.safetensors.run"), "one model has one run folder");
}

#[test]
fn links_that_lie_in_wait_are_not_followed() {
    let place = full();
    std::fs::create_dir(place.path("trap")).expect("creatable");
    place.file("precious", "kept");
    for output in ["s.csv", "s.parquet", "n.safetensors", "r.html", "folder"] {
        for name in [format!("{output}.tmp"), format!(".{output}.tmp"), format!("{output}.partial"), format!(".semblant-{output}.partial")]
        {
            symlink(if output == "folder" { "trap" } else { "precious" }, place.path(&name)).expect("a link");
        }
    }
    std::fs::create_dir(place.path("n.safetensors.run")).expect("creatable");
    for name in ["log.jsonl", "config.toml.tmp", "state.safetensors.tmp"] {
        symlink("../precious", place.path(&format!("n.safetensors.run/{name}"))).expect("a link");
    }
    place.good(&["-q", "sample", "m.safetensors", "-n", "5", "-o", "s.csv"]);
    place.good(&["-q", "sample", "m.safetensors", "-n", "5", "-o", "s.parquet"]);
    place.good(&["-q", "evaluate", "--real", "t.csv", "--synthetic", "other.csv", "-o", "r.html"]);
    place.good(&["-q", "sample", "flow.safetensors", "-n", "5", "-o", "folder"]);
    place.good(&[&["-q", "fit", "t.csv", "-o", "n.safetensors", "--epochs", "1"], SMALL].concat());
    assert_eq!((place.text("precious").as_str(), std::fs::read_dir(place.path("trap")).expect("readable").count()), ("kept", 0));
    // A log of another's is not taken for the run's own.
    assert!(!place.path("n.safetensors.run/log.jsonl").is_symlink() && !place.text("n.safetensors.run/log.jsonl").is_empty());
    std::fs::remove_file(place.path("n.safetensors")).expect("there");
    symlink("../precious", place.path("n.safetensors.run/lock")).expect("a link");
    let ran = place.run(&["-q", "fit", "t.csv", "-m", "independent", "-o", "n.safetensors"]);
    assert!(ran.code == Some(1) && ran.err.contains("symbolic link"), "{}", ran.err);
    assert_eq!(place.text("precious"), "kept");
}

/// A fit that takes a while.
const LONG: &[&str] = &["-q", "fit", "patients.csv", "--set", "epochs=4000", "--set", "patience_ticks=0", "-o", "m.safetensors"];
const STATE: &str = "m.safetensors.run/state.safetensors";
const LOG: &str = "m.safetensors.run/log.jsonl";

#[test]
fn a_run_folder_has_one_fit() {
    let place = Place::with_patients();
    let mut first = place.start(&[LONG, SMALL].concat());
    place.wait_for(STATE, &mut first);
    let process = format!("process {} since 2", first.id());
    for more in [&[][..], &["--force"], &["--resume"]] {
        let second = place.run(&[LONG, SMALL, more].concat());
        assert!(second.code == Some(1) && second.err.contains(&process) && second.err.lines().count() == 1, "{more:?}: {}", second.err);
    }
    let by_name = place.run(&["-q", "fit", "--resume", "m.safetensors"]);
    assert!(by_name.code == Some(1) && by_name.err.contains("another fit"), "{}", by_name.err);
    assert!(first.try_wait().expect("a child").is_none(), "the first goes on");
    first.kill().expect("SIGKILL");
    end(first);
    // What it left locks nothing; its state is not begun anew by mistake.
    assert!(place.has("m.safetensors.run/lock"));
    let before = place.bytes(STATE);
    let anew = place.run(&[LONG, SMALL].concat());
    assert!(anew.code == Some(2) && anew.err.contains("--resume m.safetensors") && anew.err.contains("--force"), "{}", anew.err);
    assert!(place.bytes(STATE) == before && !place.has("m.safetensors.run/lock"));
}

#[test]
fn a_log_that_was_cut_holds_no_zeros() {
    let place = Place::with_patients();
    let mut fit = place.start(&[LONG, SMALL].concat());
    place.wait_for(STATE, &mut fit);
    fit.kill().expect("SIGKILL");
    end(fit);
    for cut in [70, 0] {
        let log = place.bytes(LOG);
        place.file(LOG, &log[..log.len().min(cut)]);
        let mut fit = place.start(&["-q", "fit", "--resume", "m.safetensors"]);
        while place.bytes(LOG).len() < 200 && fit.try_wait().expect("a child").is_none() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        fit.kill().expect("SIGKILL");
        end(fit);
        let log = place.text(LOG);
        let whole = &log[..log.rfind('\n').expect("a line") + 1];
        assert!(!log.contains('\0') && whole.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{log:?}");
    }
}

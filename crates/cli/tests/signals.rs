#![cfg(unix)]
//! Commands that are asked to end: nothing incomplete stays, what is kept is said, and who asks again need not wait.

#[allow(dead_code, reason = "shared with tests that use more of it")]
mod support;
#[allow(dead_code, reason = "shared with tests that use more of it")]
#[path = "support/tables.rs"]
mod tables;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use semblant::data::image::Images;
use support::*;
use tables::*;

const SIGNALS: [(&str, i32); 2] = [("-INT", 130), ("-TERM", 143)];

fn send(signal: &str, child: &Child) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill").success());
}

/// Everything in a place, sorted.
fn names(place: &Place) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(place.path("."))
        .expect("readable")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Waits until a running program has begun a file or folder under a temporary name.
fn wait_for_partial(place: &Place, child: &mut Child) {
    let started = Instant::now();
    while !names(place).iter().any(|name| name.starts_with(".semblant-") && name.ends_with(".partial")) {
        assert!(child.try_wait().expect("a child").is_none(), "ended before it wrote anything");
        assert!(started.elapsed() < Duration::from_secs(120), "nothing after two minutes");
        std::thread::sleep(Duration::from_millis(2));
    }
    // Into the midst of the writing.
    std::thread::sleep(Duration::from_millis(300));
}

#[track_caller]
fn ended(child: Child, code: i32, words: &[&str]) {
    let ran = end(child);
    assert_eq!(ran.code, Some(code), "{}{}", ran.out, ran.err);
    assert!(ran.err.starts_with("error: interrupted") && ran.err.lines().count() == 1, "{}", ran.err);
    words.iter().for_each(|word| assert!(ran.err.contains(word), "no {word} in {}", ran.err));
}

#[test]
fn samples_leave_nothing_incomplete() {
    let place = Place::with_model("independent");
    place.good(&["-q", "sample", "m.safetensors", "-n", "5", "-o", "s.csv"]);
    let (before, old) = (names(&place), place.bytes("s.csv"));
    for output in ["s.csv", "s.csv.gz", "s.jsonl", "s.parquet"] {
        for (signal, code) in SIGNALS {
            let mut child = place.start(&["-q", "sample", "m.safetensors", "-n", "1e9", "-o", output]);
            wait_for_partial(&place, &mut child);
            send(signal, &child);
            ended(child, code, &[&format!("not written: {output}")]);
            assert_eq!((names(&place), place.bytes("s.csv")), (before.clone(), old.clone()), "{output} after {signal}");
        }
    }
}

#[test]
fn images_leave_nothing_incomplete() {
    let place = Place::new();
    let pixels = (0..18 * 64).map(|i| (i * 37 % 251) as u8).collect();
    Images::new(pixels, [18, 1, 8, 8], None).expect("sound").write_folder(place.path("shapes"), false).expect("writable");
    let small =
        ["network.kind=mlp", "network.width=16", "network.depth=1", "training.rows=32", "training.batch_rows=8", "sampling.steps=2"];
    let small: Vec<&str> = small.iter().flat_map(|setting| ["--set", setting]).collect();
    place.good(&[&["-q", "fit", "shapes", "-m", "flow", "-o", "m.safetensors"], &small[..]].concat());
    let before = names(&place);
    for output in ["made", "made.npz"] {
        for (signal, code) in SIGNALS {
            let mut child = place.start(&["-q", "sample", "m.safetensors", "-n", "1e7", "-o", output]);
            wait_for_partial(&place, &mut child);
            send(signal, &child);
            ended(child, code, &[&format!("not written: {output}")]);
            assert_eq!(names(&place), before, "{output} after {signal}");
        }
    }
}

#[test]
fn draws_that_are_complete_are_kept_and_told() {
    let place = Place::with_patients();
    place.good(&[&["-q", "fit", "patients.csv", "--epochs", "2", "-o", "m.safetensors"], SMALL].concat());
    let mut child = place.start(&["-q", "impute", "m.safetensors", "patients.csv", "--columns", "age", "--draws", "5000", "-o", "d.csv"]);
    place.wait_for("d-1.csv", &mut child);
    send("-TERM", &child);
    ended(child, 143, &["complete: d-1.csv"]);
    assert!(names(&place).iter().all(|name| !name.starts_with('.')), "{:?}", names(&place));
    assert_eq!(place.text("d-1.csv").lines().count(), 301);
}

#[test]
fn what_reads_or_computes_ends_at_once() {
    let place = Place::with_patients();
    let before = names(&place);
    for (signal, code) in SIGNALS {
        // A pipe that says nothing: the commands wait for it.
        for arguments in [
            &["fit", "-", "-m", "copula", "-o", "m.safetensors"][..],
            &["schema", "-"],
            &["evaluate", "--real", "patients.csv", "--synthetic", "-", "-o", "r.html", "--json", "r.json"],
            &["compare", "-", "-o", "r.html"],
        ] {
            let mut command = place.command(&[&["-q"], arguments].concat());
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
            let _open = child.stdin.take();
            std::thread::sleep(Duration::from_millis(500));
            send(signal, &child);
            ended(child, code, &["no file was written"]);
            assert_eq!(names(&place), before, "{arguments:?} after {signal}");
        }
    }
}

/// A fit that takes a while.
const LONG: &[&str] = &["-q", "fit", "patients.csv", "--set", "epochs=4000", "--set", "patience_ticks=0", "-o", "m.safetensors"];
const STATE: &str = "m.safetensors.run/state.safetensors";

#[test]
fn training_saves_its_state_and_ends() {
    let place = Place::with_patients();
    for (signal, code) in SIGNALS {
        // That of the run before would be taken for this one's.
        let _ = std::fs::remove_file(place.path("m.safetensors.run/log.jsonl"));
        let mut child = place.start(&[LONG, SMALL, &["--force"]].concat());
        place.wait_for("m.safetensors.run/log.jsonl", &mut child);
        send(signal, &child);
        ended(child, code, &["at step", "--resume"]);
        assert!(place.has(STATE) && !place.has("m.safetensors.run/lock"));
    }
    // Before a run trains there is nothing to save: the state of before is kept, and named.
    let state = place.bytes(STATE);
    let mut command = place.command(&["-q", "fit", "-", "-o", "m.safetensors", "--resume"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let _open = child.stdin.take();
    std::thread::sleep(Duration::from_millis(500));
    send("-INT", &child);
    ended(child, 130, &["the last saved state is m.safetensors.run/state", "--resume m.safetensors"]);
    assert!(place.bytes(STATE) == state);
}

#[test]
fn a_second_signal_does_not_wait() {
    let place = Place::with_patients();
    // Steps that take long: the first signal waits for the end of one.
    let slow =
        ["--set", "batch_rows=300", "--set", "width=4096", "--set", "depth=4", "--set", "patience_ticks=0", "--set", "epochs=100000"];
    let mut child = place.start(&[&["-q", "fit", "patients.csv", "-o", "m.safetensors"], &slow[..]].concat());
    place.wait_for("m.safetensors.run/log.jsonl", &mut child);
    send("-INT", &child);
    std::thread::sleep(Duration::from_millis(50));
    send("-INT", &child);
    let started = Instant::now();
    let ran = end(child);
    assert_eq!(ran.code, Some(130), "{}", ran.err);
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert!(names(&place).iter().all(|name| !name.starts_with('.')), "{:?}", names(&place));
}

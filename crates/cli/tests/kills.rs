#![cfg(unix)]
//! Kills without warning at random moments, and fits that start at once. It takes minutes, so that it is run by `.ci/kill-tests`; SEMBLANT_KILLS and
//! SEMBLANT_STARTS say how many.

#[allow(dead_code, reason = "shared with tests that use more of it")]
mod support;
#[allow(dead_code, reason = "shared with tests that use more of it")]
#[path = "support/tables.rs"]
mod tables;

use std::collections::BTreeMap;
use std::time::Instant;

use semblant::data::image::Images;
use semblant::seeds::Stream;
use support::*;
use tables::*;

fn number(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// A command that is killed, and what it leaves.
struct Case {
    name: &'static str,
    arguments: Vec<&'static str>,
    /// The files that it writes.
    outputs: &'static [&'static str],
    /// How it is started after a kill, if not as before.
    again: Option<Vec<&'static str>>,
}

fn place() -> Place {
    let place = Place::with_patients();
    let pixels = (0..18 * 64).map(|i| (i * 37 % 251) as u8).collect();
    Images::new(pixels, [18, 1, 8, 8], None).expect("sound").write_folder(place.path("shapes"), false).expect("writable");
    place.good(&[&["-q", "fit", "patients.csv", "--epochs", "2", "-o", "t.safetensors"], SMALL].concat());
    place.good(&["-q", "sample", "t.safetensors", "-n", "300", "-o", "synthetic.csv"]);
    place
}

const IMAGES: &[&str] = &[
    "--set",
    "network.kind=mlp",
    "--set",
    "network.width=16",
    "--set",
    "network.depth=1",
    "--set",
    "training.batch_rows=8",
    "--set",
    "training.rows=4000",
    "--set",
    "training.tick_rows=200",
    "--set",
    "training.checkpoint_rows=400",
];

fn cases() -> Vec<Case> {
    let fit_table =
        [&["-q", "fit", "patients.csv", "--set", "epochs=60", "--set", "patience_ticks=0", "-o", "m.safetensors"], SMALL].concat();
    let fit_images = [&["-q", "fit", "shapes", "-m", "flow", "-o", "i.safetensors"], IMAGES].concat();
    let resumed = |arguments: &[&'static str]| Some([arguments, &["--resume"]].concat());
    vec![
        Case { name: "fit, table", again: resumed(&fit_table), arguments: fit_table, outputs: &["m.safetensors"] },
        Case { name: "fit, images", again: resumed(&fit_images), arguments: fit_images, outputs: &["i.safetensors"] },
        Case {
            name: "sample, csv",
            arguments: vec!["-q", "sample", "t.safetensors", "-n", "60000", "-o", "s.csv"],
            outputs: &["s.csv"],
            again: None,
        },
        Case {
            name: "sample, parquet",
            arguments: vec!["-q", "sample", "t.safetensors", "-n", "60000", "-o", "s.parquet"],
            outputs: &["s.parquet"],
            again: None,
        },
        Case {
            name: "evaluate",
            arguments: vec!["-q", "evaluate", "--real", "patients.csv", "--synthetic", "synthetic.csv", "-o", "r.html", "--json", "r.json"],
            outputs: &["r.html", "r.json"],
            again: None,
        },
        Case {
            name: "impute",
            // A kill between a file's name and its note leaves a whole file that is not known as this program's.
            arguments: vec!["-q", "impute", "t.safetensors", "patients.csv", "--columns", "age", "--draws", "3", "-o", "d.csv", "--force"],
            outputs: &["d-1.csv", "d-2.csv", "d-3.csv"],
            again: None,
        },
    ]
}

fn found(place: &Place, outputs: &[&str]) -> BTreeMap<String, Vec<u8>> {
    outputs.iter().filter(|name| place.has(name)).map(|&name| (name.to_owned(), place.bytes(name))).collect()
}

fn clear(place: &Place, outputs: &[&str]) {
    for name in outputs {
        let _ = std::fs::remove_file(place.path(name));
        let _ = std::fs::remove_dir_all(place.path(&format!("{name}.run")));
    }
}

#[test]
#[ignore = "takes minutes; .ci/kill-tests runs it"]
fn kills_leave_whole_files_or_none() {
    let kills = number("SEMBLANT_KILLS", 40);
    let stream = Stream::new(number("SEMBLANT_SEED", 0) as u64, 0);
    let mut drawn = 0;
    let mut share = || {
        drawn += 1;
        stream.uniform_f64(drawn, 0)
    };
    for Case { name, arguments, outputs, again } in cases() {
        let place = place();
        let started = Instant::now();
        place.good(&arguments);
        let (took, whole) = (started.elapsed(), found(&place, outputs));
        assert_eq!(whole.len(), outputs.len(), "{name}");
        let (mut killed, mut absent, mut later) = (0, 0, 0);
        clear(&place, outputs);
        for _ in 0..kills {
            // A fit that was killed goes on from where it was; it is begun anew when it is complete.
            let state = format!("{}.run/state.safetensors", outputs[0]);
            let resumes = again.is_some() && place.has(&state);
            let mut child = place.start(if resumes { again.as_deref().unwrap_or_default() } else { &arguments });
            std::thread::sleep(took.mul_f64(share()));
            killed += usize::from(child.try_wait().expect("a child").is_none());
            child.kill().expect("SIGKILL");
            end(child);
            let left = found(&place, outputs);
            assert!(left.iter().all(|(file, bytes)| whole[file] == *bytes), "{name}: a file that is there is not whole");
            absent += outputs.len() - left.len();
            if left.len() == outputs.len() {
                clear(&place, outputs);
                continue;
            }
            // Every other time to the end, so that fits are killed several times.
            if share() < 0.5 {
                let resumes = again.is_some() && place.has(&state);
                place.good(if resumes { again.as_deref().unwrap_or_default() } else { &arguments });
                assert!(found(&place, outputs) == whole, "{name}: the end is another one");
                later += 1;
                clear(&place, outputs);
            }
        }
        println!(
            "{name}: {kills} starts of {:.2} s, {killed} killed, {absent} files absent, {later} times to the end with equal bytes",
            took.as_secs_f64()
        );
    }
}

#[test]
#[ignore = "takes minutes; .ci/kill-tests runs it"]
fn of_fits_that_start_at_once_one_goes_on() {
    let starts = number("SEMBLANT_STARTS", 100);
    let place = place();
    let Case { arguments, outputs, .. } = cases().remove(0);
    place.good(&arguments);
    let whole = found(&place, outputs);
    let (mut one, mut after) = (0, 0);
    for start in 0..starts {
        clear(&place, outputs);
        let children = [(); 2].map(|()| place.start(&arguments));
        let ends = children.map(end);
        let good = ends.iter().filter(|ran| ran.code == Some(0)).count();
        for ran in ends.iter().filter(|ran| ran.code != Some(0)) {
            assert!(ran.code == Some(1) && ran.err.lines().count() == 1 && ran.err.contains("another fit"), "start {start}: {}", ran.err);
        }
        // On a busy machine the second may begin when the first is done, and fits again.
        assert!(good >= 1, "start {start}: none went on");
        (one, after) = (one + usize::from(good == 1), after + usize::from(good == 2));
        assert!(found(&place, outputs) == whole, "start {start}: the model is another one");
        let log = place.text("m.safetensors.run/log.jsonl");
        assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "start {start}: {log}");
        assert!(!place.has("m.safetensors.run/lock") && !place.has("m.safetensors.run/state.safetensors"), "start {start}");
    }
    println!("{starts} times two fits at once: {one} times one went on and the other said why not, {after} times one after the other");
}

//! Devices as users of the program meet them. Whatever the build and the machine have, nothing here may end in a panic.

#[allow(dead_code, reason = "shared with tests that use more of it")]
mod support;
#[allow(dead_code, reason = "shared with tests that use more of it")]
#[path = "support/tables.rs"]
mod tables;

use support::Place;

const FIT: &[&str] = &["fit", "patients.csv", "-o", "n.safetensors"];

#[test]
fn devices_are_listed_with_what_is_missing_for_others() {
    let place = Place::new();
    let (listed, text) = (place.good(&["devices", "--json"]).json(), place.good(&["devices"]).out);
    let backends = listed.as_array().expect("a list");
    assert_eq!(backends.iter().map(|backend| backend["name"].as_str()).collect::<Vec<_>>(), [Some("cpu"), Some("cuda"), Some("wgpu")]);
    assert_eq!(backends[0]["devices"][0]["name"], "cpu");
    for backend in &backends[1..] {
        let name = backend["name"].as_str().expect("a name");
        let (there, missing) = (backend["devices"].as_array().expect("a list"), backend["missing"].as_str());
        assert_eq!(there.is_empty(), missing.is_some(), "{backend}");
        if backend["built"] == false {
            assert!(missing.expect("a reason").contains(&format!("--features {name}")), "{backend}");
        }
        assert!(text.lines().any(|line| line.starts_with(name)), "{text}");
    }
}

/// Only what a GPU's backend keeps is removed.
#[test]
fn compiled_kernels_are_removed_on_request() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("cache/kernels")).expect("writable");
    for name in ["default.db", "default.db-wal", "notes.txt"] {
        place.file(&format!("cache/kernels/{name}"), [0; 1024]);
    }
    let clear = || {
        let ran = place.command(&["devices", "--clear-cache"]).env("SEMBLANT_CACHE", "cache").output().expect("the program starts");
        assert!(ran.status.success());
        String::from_utf8(ran.stdout).expect("text")
    };
    assert!(clear().contains("2.0 KiB removed"));
    assert!(clear().contains("0 B removed"));
    assert!(place.has("cache/kernels/notes.txt") && !place.has("cache/kernels/default.db"));
}

/// Each backend that offers nothing, and a number that no machine has: one line, code 2.
#[test]
fn a_device_that_is_not_there_is_named_on_one_line() {
    let place = Place::with_patients();
    let listed = place.good(&["devices", "--json"]).json();
    for backend in &listed.as_array().expect("a list")[1..] {
        let name = backend["name"].as_str().expect("a name");
        let far = format!("{name}:99");
        place.bad(2, &[FIT, &["--device", &far]].concat(), &["device", if backend["built"] == true { "99" } else { "--features" }]);
        if backend["missing"].is_string() {
            place.bad(2, &[FIT, &["--device", name]].concat(), &[name, if backend["built"] == true { "device cpu" } else { "--features" }]);
        }
    }
}

#[test]
fn auto_notes_when_it_selects_the_cpu() {
    let place = Place::with_patients();
    let gpu = |backend: &serde_json::Value| {
        backend["name"] != "cpu" && backend["devices"].as_array().is_some_and(|all| all.iter().any(|one| one["software"] == false))
    };
    let has_gpu = place.good(&["devices", "--json"]).json().as_array().expect("a list").iter().any(gpu);
    let fit = [FIT, &["-m", "independent", "--device", "auto"]].concat();
    let said = place.good(&fit).err;
    assert_eq!(said.contains("note: device auto: running on the CPU"), !has_gpu, "{said}");
    assert_eq!(place.good(&[&["-q"], &fit[..]].concat()).err, "", "quiet");
    let said = place.good(&[FIT, &["-m", "independent", "--device", "cpu"]].concat()).err;
    assert!(!said.contains("device"), "{said}");
}

#[test]
fn bf16_is_refused_where_it_would_not_help() {
    let place = Place::with_patients();
    place.bad(2, &[FIT, &["-m", "tvae", "--precision", "bf16"]].concat(), &["bf16", "tvae"]);
    place.bad(2, &[FIT, &["--device", "cpu", "--precision", "bf16"]].concat(), &["cpu", "--precision f32"]);
    place.bad(2, &[FIT, &["--precision", "f8"]].concat(), &["f8", "bf16"]);
    let picture = semblant::prelude::Images::new(vec![200; 64], [1, 1, 8, 8], None).expect("sound");
    picture.write_folder(place.path("pictures"), false).expect("writable");
    let flow = ["fit", "pictures", "-m", "flow", "-o", "n.safetensors", "--device", "cpu", "--precision", "bf16"];
    place.bad(2, &flow, &["cpu", "--precision f32"]);
}

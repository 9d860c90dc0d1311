//! Running the built program in a folder of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use semblant::data::table::simulate_patients;

/// A CTGAN that takes a moment; more epochs make it take longer.
pub const SMALL: &[&str] = &[
    "--set",
    "batch_rows=60",
    "--set",
    "pac=3",
    "--set",
    "noise_width=8",
    "--set",
    "generator_widths=[16]",
    "--set",
    "critic_widths=[16]",
];

/// A folder in which the program runs.
pub struct Place(tempfile::TempDir);

/// What the program left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// A place with `patients.csv`, 300 rows.
    pub fn with_patients() -> Self {
        let place = Self::new();
        simulate_patients(300, 0).write(place.path("patients.csv")).expect("writable");
        place
    }

    /// A place with `patients.csv` and a model of it, `m.safetensors`.
    pub fn with_model(name: &str) -> Self {
        let place = Self::with_patients();
        place.good(&["fit", "patients.csv", "-m", name, "-o", "m.safetensors"]);
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn file(&self, name: &str, contents: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), contents).expect("writable");
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).expect("UTF-8")
    }

    pub fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_semblant"));
        command.current_dir(self.0.path()).args(arguments).stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().expect("the program starts"))
    }

    #[track_caller]
    pub fn good(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.err);
        ran
    }

    /// Runs what must fail: with this code, one line on standard error that holds `words`, and no file made or changed.
    #[track_caller]
    pub fn bad(&self, code: i32, arguments: &[&str], words: &[&str]) {
        let before = snapshot(self.0.path());
        let ran = self.run(&[&["-q"], arguments].concat());
        assert_eq!(ran.code, Some(code), "{arguments:?}: {}{}", ran.out, ran.err);
        assert_eq!(ran.out, "", "{arguments:?}");
        assert!(ran.err.starts_with("error: ") && ran.err.ends_with('\n') && ran.err.lines().count() == 1, "{arguments:?}: {}", ran.err);
        for word in words {
            assert!(ran.err.contains(word), "{arguments:?}: no \"{word}\" in: {}", ran.err);
        }
        assert_eq!(snapshot(self.0.path()), before, "{arguments:?} left something behind");
    }

    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
    }

    /// Waits until a running program has written `name`.
    #[track_caller]
    pub fn wait_for(&self, name: &str, child: &mut Child) {
        let started = Instant::now();
        while !self.has(name) {
            assert!(child.try_wait().expect("a child").is_none(), "ended before it wrote {name}");
            assert!(started.elapsed() < Duration::from_secs(120), "no {name} after two minutes");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// The end of a program that was started.
pub fn end(child: Child) -> Ran {
    Ran::of(child.wait_with_output().expect("a child"))
}

/// Every file below a folder with its contents, folders without any.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(snapshot(&path));
            found.insert(path, None);
        } else {
            let contents = std::fs::read(&path).ok();
            found.insert(path, contents);
        }
    }
    found
}

//! Places with tables, and programs that run beside the test.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use semblant::data::table::simulate_patients;

use crate::support::{Place, Ran};

/// A model that takes a moment; more epochs make it take longer.
pub(crate) const SMALL: &[&str] =
    &["--set", "batch_rows=60", "--set", "width=16", "--set", "depth=1", "--set", "embedding=4", "--set", "bins=8"];

/// A CTGAN that takes a moment.
pub(crate) const SMALL_CTGAN: &[&str] = &[
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

impl Place {
    /// A place with `patients.csv`, 300 rows.
    pub(crate) fn with_patients() -> Self {
        let place = Self::new();
        simulate_patients(300, 0).write(place.path("patients.csv")).expect("writable");
        place
    }

    /// A place with `patients.csv` and a model of it, `m.safetensors`.
    pub(crate) fn with_model(name: &str) -> Self {
        let place = Self::with_patients();
        place.good(&["fit", "patients.csv", "-m", name, "-o", "m.safetensors"]);
        place
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).expect("UTF-8")
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
    }

    /// Waits until a running program has written `name`.
    #[track_caller]
    pub(crate) fn wait_for(&self, name: &str, child: &mut Child) {
        let started = Instant::now();
        while !self.has(name) {
            assert!(child.try_wait().expect("a child").is_none(), "ended before it wrote {name}");
            assert!(started.elapsed() < Duration::from_secs(120), "no {name} after two minutes");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// The end of a program that was started.
pub(crate) fn end(child: Child) -> Ran {
    Ran::of(child.wait_with_output().expect("a child"))
}

//! `semblant devices`, and the choice of one.

use std::time::Duration;

use semblant::kernels::{self, Tuning};
use semblant::memory::shown;
use semblant::{Device, Registry, device};
use serde_json::json;

use crate::arguments::{Command, Fit, Tune};
use crate::{Failure, Outcome, fit, print, print_document, say};

/// How often it is told how many kernels a GPU's driver has compiled.
const NOTE_EVERY: Duration = Duration::from_secs(10);

/// Before a GPU is used: how thoroughly its kernels are chosen, and notes while they are compiled. A fit of images takes hours, which are worth a
/// minute of trials.
pub(crate) fn prepare(tune: Option<Tune>, command: &Command, registry: &Registry, quiet: bool) {
    let of_images = |fit: &Fit| registry.kind_of_model(&fit::model_of(fit, registry).ok()?).ok().filter(|kind| kind.kind() == "images");
    let usual = match command {
        Command::Fit(fit) if of_images(fit).is_some() => Tuning::Balanced,
        _ => Tuning::Minimal,
    };
    let tuning = tune.map_or(usual, |tune| match tune {
        Tune::Minimal => Tuning::Minimal,
        Tune::Balanced => Tuning::Balanced,
        Tune::Full => Tuning::Full,
    });
    if kernels::configure(tuning) && !quiet && kernels::count() {
        std::thread::spawn(tell_of_kernels);
    }
}

/// Notes on standard error, as long as more kernels are compiled.
fn tell_of_kernels() {
    let mut told = 0;
    loop {
        std::thread::sleep(NOTE_EVERY);
        let compiled = kernels::compiled();
        if compiled > told {
            let cache = kernels::folder().map_or_else(String::new, |folder| format!("; kernel cache: {}", folder.display()));
            say(&format!("note: compiling kernels, {compiled} so far{cache}"));
            told = compiled;
        }
    }
}

/// Removes the compiled kernels of GPUs.
pub(crate) fn clear() -> Outcome {
    let freed = kernels::clear()?;
    print(&kernels::folder().map_or_else(
        || "no cache: this user has no folder for one; name one by SEMBLANT_CACHE".to_owned(),
        |folder| format!("{}: {} removed", folder.display(), shown(freed.into())),
    ));
    Ok(())
}

pub(crate) fn list(as_json: bool) -> Outcome {
    let backends = device::list();
    if as_json {
        print_document(&json!(backends).to_string());
        return Ok(());
    }
    for backend in &backends {
        for found in &backend.devices {
            let software = if found.software { " (software: slower than cpu, never chosen by auto)" } else { "" };
            print(&format!("{:8} {}{software}", found.name, found.description));
        }
        if let Some(missing) = &backend.missing {
            print(&format!("{:8} none: {missing}", backend.name));
        }
    }
    if let (Some(folder), true) = (kernels::folder(), backends.iter().any(|backend| backend.built && backend.feature.is_some())) {
        print(&format!("kernel cache: {} in {}", shown(kernels::kept_bytes().into()), folder.display()));
    }
    Ok(())
}

/// The device called `name`; when `auto` ended at the CPU, that is said.
pub(crate) fn choose(name: &str, quiet: bool) -> Result<Device, Failure> {
    let choice = device::choose(name)?;
    if let Some(note) = choice.note.filter(|_| !quiet) {
        say(&format!("note: {note}"));
    }
    Ok(choice.device)
}

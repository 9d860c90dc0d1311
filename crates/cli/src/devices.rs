//! `semblant devices`, and the choice of one.

use semblant::{Device, device};
use serde_json::json;

use crate::{Failure, Outcome, print, print_document, say};

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

//! What the contract tests of tables and of images share: runs, and models as bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use semblant::prelude::*;
use semblant::progress::{Event, Observer};

/// A model of whatever data.
pub(crate) type Fitted<D> = Box<dyn Synthesizer<D>>;

pub(crate) fn run(seed: u64) -> Run {
    Run::new(semblant::device::select("cpu").expect("always there"), seed)
}

pub(crate) fn bytes<D: Data>(model: &Fitted<D>) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    model.save(&path).expect("writable");
    std::fs::read(path).expect("just written")
}

/// Raises a flag once some of a fit is done.
pub(crate) struct StopAt {
    pub(crate) rows: u64,
    pub(crate) stop: Arc<AtomicBool>,
}

impl Observer for StopAt {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Rows { done, .. } = event
            && done >= self.rows
        {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

//! Counting what a fit reads back from its device.

use std::sync::{Arc, Mutex};

use semblant::prelude::*;
use semblant::progress::{Event, Observer};
use semblant_core::host;

/// What was read back by the time of each event of the loop.
#[derive(Default)]
struct Counts {
    /// Within each step: its batch, the step itself, the weight average. The loop tells of its start, so that the first step is among them.
    steps: Vec<u64>,
    /// At each tick, with the number of losses that were told.
    ticks: Vec<(u64, usize)>,
    last: Option<u64>,
}

struct Counter(Arc<Mutex<Counts>>);

impl Observer for Counter {
    fn event(&mut self, event: Event<'_>) {
        let mut counts = self.0.lock().expect("no panic while counting");
        let now = host::read_backs();
        let since = counts.last.map(|last| now - last);
        match event {
            Event::Rows { .. } => counts.steps.extend(since),
            Event::Losses(losses) => counts.ticks.extend(since.map(|since| (since, losses.len()))),
            _ => return,
        }
        counts.last = Some(now);
    }
}

/// Fits, and fails when a step reads anything back, or a tick more than its losses.
pub(crate) fn fit_and_count<D: Data>(name: &str, model: &mut dyn Synthesizer<D>, data: &D, run: Run) -> Summary {
    let counts = Arc::new(Mutex::new(Counts::default()));
    let mut run = Run { observer: Box::new(Counter(counts.clone())), ..run };
    let summary = model.fit(data, &mut run).unwrap_or_else(|error| panic!("{name}: {error}"));
    let counts = counts.lock().expect("no panic while counting");
    assert!(summary.steps > 1, "{name}: there is a step to look at");
    assert_eq!(counts.steps.len() as u64, summary.steps, "{name}: every step is looked at");
    assert!(counts.steps.iter().all(|&read| read == 0), "{name}: read-backs within the steps: {:?}", counts.steps);
    assert!(!counts.ticks.is_empty(), "{name}: there is a tick to look at");
    assert!(counts.ticks.iter().all(|&(read, losses)| read == losses as u64), "{name}: at ticks, beside the losses: {:?}", counts.ticks);
    summary
}

//! Loss curves of flow matching on 8 x 8 digits with products in f32 and in bf16, as a table in Markdown.
//!
//!     precision-curves [DEVICE]        e.g. precision-curves cuda:0
//!
//! Without a device the CPU is treated as one: it rounds to bf16 as a GPU does, so that the curves show what the rounding costs. It is no
//! faster by that.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use semblant::data::catalog::Catalog;
use semblant::device;
use semblant::precision::Precision;
use semblant::prelude::*;
use semblant::progress::{Event, Observer};
use semblant_core::host;
use serde_json::json;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn std::error::Error>;

const IMAGES: u64 = 60_000;
const TICK: u64 = 6_000;

/// The loss of every tick.
struct Losses(Arc<Mutex<Vec<f64>>>);

impl Observer for Losses {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Losses(losses) = event {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(losses.first().map(|(_, value)| *value));
        }
    }
}

fn curve(digits: &Images, name: Option<&str>, precision: Precision, seed: u64) -> Result<Vec<f64>, Failure> {
    let settings = json!({
        "network": { "kind": "dit", "patch": 2, "width": 96, "depth": 4, "heads": 4 },
        "training": { "rows": IMAGES, "tick_rows": TICK, "batch_rows": 64 },
    });
    let mut model = semblant::model::<Images>("flow", settings)?;
    let losses = Arc::new(Mutex::new(Vec::new()));
    let run = Run::new(device::select(name.unwrap_or("cpu"))?, seed);
    model.fit(digits, &mut Run { observer: Box::new(Losses(losses.clone())), precision, ..run })?;
    let losses = losses.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(losses.clone())
}

#[allow(clippy::print_stdout, reason = "a program whose output is a table")]
fn main() -> Result<(), Failure> {
    let name = std::env::args().nth(1);
    host::treat_as_device(name.is_none());
    let folder = std::env::var("SEMBLANT_DATA").ok();
    let digits = Catalog::get("digits8x8")?.read_images("train", folder.as_deref().map(Path::new), Path::new("."))?.images;
    // Another seed in f32 says how far two curves lie apart for no reason.
    let curves = [(Precision::F32, 0), (Precision::Bf16, 0), (Precision::F32, 1)]
        .map(|(precision, seed)| curve(&digits, name.as_deref(), precision, seed));
    let [wide, narrow, other] = curves;
    let (wide, narrow, other) = (wide?, narrow?, other?);
    println!("| images | f32 | bf16 | f32, another seed |\n|---|---|---|---|");
    for (index, ((wide, narrow), other)) in wide.iter().zip(&narrow).zip(&other).enumerate() {
        println!("| {} | {wide:.4} | {narrow:.4} | {other:.4} |", (index as u64 + 1) * TICK);
    }
    Ok(())
}

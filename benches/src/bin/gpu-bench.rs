//! Our side of benches/gpu/run.py: measures one piece of work on one device and prints one line of JSON.
//!
//!     gpu-bench devices
//!     gpu-bench table OUT.csv ROWS
//!     gpu-bench WORK DEVICE PRECISION SIZE        e.g. gpu-bench dit cuda:0 bf16 full
//!
//! WORK is ctgan, masked, mlp, dit, unet, sampling or metrics; SIZE is full, tiny for a dry run, or deep for as many layers as in full at
//! the sizes of tiny, by which launches are counted. A step's time is that between two ticks, at
//! which the losses are read and the device has done all its work, so nothing is measured that was only queued.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use semblant::data::table::simulate_patients;
use semblant::device;
use semblant::kernels;
use semblant::launches::Launches;
use semblant::metrics::image::distances::kernel_distance;
use semblant::metrics::image::prdc::Neighborhoods;
use semblant::precision::Precision;
use semblant::prelude::*;
use semblant::progress::{Event, Observer};
use semblant::seeds::Stream;
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn std::error::Error>;

/// Ticks in which kernels are compiled and tuned; they are not counted.
const WARM_UP_TICKS: usize = 3;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    kernels::count();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["devices"] => print(&json!(device::list())),
        ["table", path, rows] => {
            simulate_patients(rows.parse()?, 0).write(path)?;
        }
        [work, device, precision, size] => {
            let precision = if precision == "bf16" { Precision::Bf16 } else { Precision::F32 };
            let place = Place { device: device::select(device)?, precision, tiny: size != "full", deep: size == "deep" };
            print(&match work {
                "ctgan" => place.ctgan()?,
                "masked" => place.masked()?,
                "sampling" => place.sampling()?,
                "metrics" => place.metrics()?,
                network => place.network(network)?,
            });
        }
        _ => return Err("usage: gpu-bench devices | table OUT.csv ROWS | WORK DEVICE PRECISION SIZE".into()),
    }
    Ok(())
}

#[allow(clippy::print_stdout, reason = "a program whose output is read by another")]
fn print(value: &Value) {
    println!("{value}");
}

/// The moment of a tick, the rows and the launches of every kernel until then.
type Tick = (Instant, u64, Vec<(&'static str, u64)>);

/// Every tick.
struct Ticks {
    started: Instant,
    batch: u64,
    rows: u64,
    launches: Launches,
    at: Arc<Mutex<Vec<Tick>>>,
}

impl Observer for Ticks {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Rows { done, .. } => self.rows = done,
            // A tick's losses have been read: all work before it is done.
            Event::Losses(_) => {
                let tick = (Instant::now(), self.rows, self.launches.by_kernel());
                let mut at = self.at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                at.push(tick);
                // A run that is ended early has this as its last line.
                if at.len() > WARM_UP_TICKS {
                    print(&measured(&at, self.started, self.batch));
                }
            }
            _ => {}
        }
    }
}

/// Where and how to measure.
struct Place {
    device: semblant::Device,
    precision: Precision,
    tiny: bool,
    /// Whether networks have as many layers as in full.
    deep: bool,
}

impl Place {
    /// Fits, and gives the median time of a step of `batch` rows in milliseconds.
    fn timed<D: Data>(&self, model: &mut dyn Synthesizer<D>, data: &D, batch: u64) -> Result<Value, Failure> {
        let (at, started) = (Arc::new(Mutex::new(Vec::new())), Instant::now());
        let observer = Box::new(Ticks { started, batch, rows: 0, launches: Launches::begin(), at: at.clone() });
        let mut run = Run { observer, precision: self.precision, ..Run::new(self.device.clone(), 0) };
        let summary = model.fit(data, &mut run)?;
        let whole = started.elapsed().as_secs_f64();
        let at = at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if at.len() <= WARM_UP_TICKS {
            return Err("too few ticks to measure".into());
        }
        let mut found = measured(&at, started, batch);
        found["whole_s"] = json!(whole);
        found["steps"] = json!(summary.steps);
        found["encode_s"] = json!(summary.encode_secs);
        Ok(found)
    }

    fn ctgan(&self) -> Result<Value, Failure> {
        let (rows, epochs) = if self.tiny { (500, 5) } else { (26_049, 20) };
        let mut model = semblant::model::<Table>("ctgan", json!({ "epochs": epochs }))?;
        self.timed(model.as_mut(), &simulate_patients(rows, 0), 500)
    }

    /// Masked diffusion of tables: a step, and rows that are sampled, with the launches of every 4,096; the first sample compiles and tunes.
    fn masked(&self) -> Result<Value, Failure> {
        let (rows, batch, sampled) = if self.tiny { (500, 64, 4096) } else { (26_049, 4096, 1 << 20) };
        let table = simulate_patients(rows, 0);
        let training = json!({
            "batch_rows": batch, "tick_rows": 10 * batch, "rows": 10 * batch * if self.tiny { 5 } else { 30 }, "patience_ticks": 0, "calibration": 0,
        });
        let mut model = semblant::model::<Table>("masked-diffusion", training)?;
        let mut found = self.timed(model.as_mut(), &table, batch)?;
        model.sample(&TableRequest::new(4096, 0))?;
        let (launches, started) = (Launches::begin(), Instant::now());
        model.sample(&TableRequest::new(sampled, 1))?;
        found["rows_per_s"] = json!(sampled as f64 / started.elapsed().as_secs_f64());
        found["launches_of_4096_rows"] = json!(launches.count() / (sampled / 4096));
        Ok(found)
    }

    /// Flow matching with one of the networks on random images of 3 x 32 x 32; the perceptron on rows of 128 numbers.
    fn network(&self, kind: &str) -> Result<Value, Failure> {
        let (mut model, batch) = (semblant::model::<Images>("flow", self.settings(kind, 20)?)?, self.batch(kind));
        self.timed(model.as_mut(), &noise(kind), batch)
    }

    fn batch(&self, kind: &str) -> u64 {
        match (self.tiny, kind) {
            (true, _) => 4,
            (false, "mlp") => 4096,
            (false, _) => 128,
        }
    }

    fn settings(&self, kind: &str, ticks: u64) -> Result<Value, Failure> {
        let network = match (kind, self.tiny) {
            ("mlp", false) => json!({ "kind": "mlp", "width": 1024, "depth": 4 }),
            ("mlp", true) => json!({ "kind": "mlp", "width": 16, "depth": if self.deep { 4 } else { 1 } }),
            // DiT-S of Peebles and Xie 2023.
            ("dit", false) => json!({ "kind": "dit", "patch": 2, "width": 384, "depth": 12, "heads": 6 }),
            ("dit", true) => json!({ "kind": "dit", "patch": 8, "width": 16, "depth": if self.deep { 12 } else { 1 }, "heads": 2 }),
            ("unet", false) => unet([128, 256, 256], 2, 32),
            ("unet", true) => unet([8, 8, 8], if self.deep { 2 } else { 1 }, 4),
            _ => return Err(format!("\"{kind}\" is no work; choose ctgan, masked, mlp, dit, unet, sampling or metrics").into()),
        };
        let (batch, steps) = (self.batch(kind), if self.tiny { 1 } else { 10 });
        let training = json!({ "batch_rows": batch, "tick_rows": batch * steps, "rows": batch * steps * ticks });
        Ok(json!({ "network": network, "training": training }))
    }

    /// 18 steps of Heun's method with DiT-S, in images a second; the first pass compiles and tunes.
    fn sampling(&self) -> Result<Value, Failure> {
        let mut model = semblant::model::<Images>("flow", self.settings("dit", 1)?)?;
        model.fit(&noise("dit"), &mut Run::new(self.device.clone(), 0))?;
        let count = if self.tiny { 2 } else { 256 };
        let mut seconds = 0.0;
        for seed in 0..2 {
            let started = Instant::now();
            model.sample(&ImageRequest::new(count, seed).steps(18).solver("heun"))?;
            seconds = started.elapsed().as_secs_f64();
        }
        Ok(json!({ "images_per_s": count as f64 / seconds, "images": count, "whole_s": seconds }))
    }

    /// Precision, recall, density, coverage and the kernel distance of as many features as are compared, of Inception's width; the first pass
    /// compiles and tunes.
    fn metrics(&self) -> Result<Value, Failure> {
        let (count, width) = if self.tiny { (200, 16) } else { (10_000, 2048) };
        let cloud = |number: u32| Stream::new(0, number).matrix(0..count, width, Stream::normals);
        let (real, synthetic) = (cloud(0), cloud(1));
        let mut seconds = 0.0;
        for _ in 0..2 {
            let started = Instant::now();
            Neighborhoods::new(&real, width, &self.device)?.prdc(&Neighborhoods::new(&synthetic, width, &self.device)?);
            kernel_distance(&real, &synthetic, width, 0, &self.device)?;
            seconds = started.elapsed().as_secs_f64();
        }
        Ok(json!({ "seconds": seconds, "features": count, "width": width }))
    }
}

/// What the ticks after the warm-up tell: the median and the least time of a step of `batch` rows in milliseconds, its launches, the seconds until the
/// first tick, and the kernels that were compiled.
fn measured(at: &[Tick], started: Instant, batch: u64) -> Value {
    let steps = |pair: &[Tick]| (pair[1].1 - pair[0].1) as f64 / batch as f64;
    let time = |pair: &[Tick]| 1e3 * pair[1].0.duration_since(pair[0].0).as_secs_f64() / steps(pair);
    let mut times: Vec<f64> = at.windows(2).skip(WARM_UP_TICKS - 1).map(time).collect();
    times.sort_by(f64::total_cmp);
    let (launches, kernels) = at.windows(2).last().map_or((0.0, Value::Null), |pair| launched(pair, steps(pair)));
    json!({
        "step_ms": times[times.len() / 2], "fastest_ms": times[0], "launches": launches, "kernels": kernels,
        "first_tick_s": at[0].0.duration_since(started).as_secs_f64(), "compiled": kernels::compiled(),
    })
}

/// How many kernels a step of the last tick launched, which has none that was launched to be measured; and those of each
/// kernel, the most frequent ones first.
fn launched(pair: &[Tick], steps: f64) -> (f64, Value) {
    let before = |kernel: &str| pair[0].2.iter().find(|(known, _)| *known == kernel).map_or(0, |(_, count)| *count);
    let mut each: BTreeMap<&str, f64> = BTreeMap::new();
    for &(kernel, count) in &pair[1].2 {
        // Without its type's arguments and modules.
        let name = kernel.split('<').next().and_then(|name| name.rsplit("::").next()).unwrap_or(kernel);
        *each.entry(name).or_default() += (count - before(kernel)) as f64 / steps;
    }
    let mut each: Vec<(&str, f64)> = each.into_iter().filter(|(_, count)| *count > 0.0).collect();
    each.sort_by(|a, b| b.1.total_cmp(&a.1));
    let all = each.iter().fold(0.0, |sum, (_, count)| sum + count);
    (all, each.iter().map(|&(kernel, count)| json!([kernel, count])).collect())
}

fn unet(widths: [usize; 3], layers: usize, groups: usize) -> Value {
    json!({
        "kind": "unet", "block_out_channels": widths, "layers_per_block": layers, "norm_num_groups": groups,
        "down_block_types": ["DownBlock2D", "DownBlock2D", "AttnDownBlock2D"],
        "up_block_types": ["AttnUpBlock2D", "UpBlock2D", "UpBlock2D"],
    })
}

/// Bytes without a pattern that matters: a step costs the same whatever it learns.
fn noise(kind: &str) -> Images {
    let shape = if kind == "mlp" { [4096, 1, 8, 16] } else { [1024, 3, 32, 32] };
    let pixels = (0..shape.iter().product::<usize>()).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    match Images::new(pixels, shape, None) {
        Ok(images) => images,
        Err(error) => unreachable!("a shape and as many bytes: {error}"),
    }
}

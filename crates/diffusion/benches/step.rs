//! One training step of a network on the CPU: forward, backward, Adam. The peers are benches/peers/dit.py and benches/peers/unet.py.
//!
//! Run: RAYON_NUM_THREADS=2 cargo bench --workspace --bench step -- dit|unet [steps]

use std::time::Instant;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use semblant_core::host;
use semblant_core::model::{Part, Step};
use semblant_core::optim::{Adam, Optimizers};
use semblant_core::seeds::Stream;
use semblant_diffusion::networks::dit::DitConfig;
use semblant_diffusion::networks::unet::UnetConfig;
use semblant_diffusion::networks::{Condition, NetConfig, Network};
use semblant_images::ImageShape;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SHAPE: ImageShape = ImageShape { channels: 3, height: 32, width: 32 };

#[allow(clippy::print_stdout)]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let steps = arguments.iter().find_map(|argument| argument.parse::<u64>().ok()).unwrap_or(10);
    let unet = arguments.iter().any(|argument| argument == "unet");
    let (name, batch, config) = if unet {
        ("UNet, widths 32 64 64", 32, NetConfig::Unet(UnetConfig::default()))
    } else {
        (
            "DiT, patch 4, width 256, depth 6, 4 heads",
            64,
            NetConfig::Dit(DitConfig { patch: 4, width: 256, depth: 6, ..DitConfig::default() }),
        )
    };
    let device = Device::flex().autodiff();
    let mut net = config.build(&SHAPE, 0, false, 0, &device);
    let weights = net.num_params();
    let mut optimizers = Optimizers::default().with("net", Adam { learning_rate: 1e-4, weight_decay: 0.01, ..Adam::default() });
    let images = |stream| {
        let values = Stream::new(0, stream).matrix(0..batch as u64, SHAPE.len(), Stream::normals);
        host::tensor(values, [batch, SHAPE.channels, SHAPE.height, SHAPE.width], &device)
    };
    let (x, target) = (images(1), images(2));
    let times: Vec<f32> = (0..batch).map(|index| (13 * index) as f32).collect();
    let time = Tensor::<1>::from_floats(times.as_slice(), &device);
    let mut found = Vec::new();
    for index in 0..steps + 2 {
        let start = Instant::now();
        let loss = (net.forward(x.clone(), time.clone(), &Condition::default()) - target.clone()).square().mean();
        let forward = start.elapsed().as_secs_f64();
        let gradients = GradientsParams::from_grads(loss.backward(), &net);
        let backward = start.elapsed().as_secs_f64();
        let step = Step { index, rows_seen: 0, total_rows: 1, batch_rows: batch as u64, seed: 0, part: Part::WHOLE, rate: 1.0 };
        net = optimizers.step("net", net, gradients, &step);
        found.push([start.elapsed().as_secs_f64(), forward, backward - forward]);
    }
    found.drain(..2);
    let of = |item: usize| {
        let mut times: Vec<f64> = found.iter().map(|times| 1e3 * times[item]).collect();
        times.sort_by(f64::total_cmp);
        (times[times.len() / 2], times[0])
    };
    let (step, forward, backward) = (of(0), of(1), of(2));
    println!(
        "{name}, batch {batch}: {weights} weights, {} threads: median {:.1} ms, fastest {:.1} ms (forward {:.1}, backward {:.1})",
        rayon::current_num_threads(),
        step.0,
        step.1,
        forward.0,
        backward.0
    );
}

//! One training step of a UNet on the CPU: forward, backward, AdamW. The peer is benches/peers/unet.py.
//!
//! Run: RAYON_NUM_THREADS=2 cargo bench -p semblant-diffusion -- [layers] [steps]

use std::time::Instant;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use semblant_core::host;
use semblant_core::model::Step;
use semblant_core::optim::{Adam, Optimizers};
use semblant_core::seeds::Stream;
use semblant_diffusion::networks::unet::{UNet2D, UnetConfig};
use semblant_diffusion::networks::{Condition, ImageShape, Network};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH: usize = 32;
const SHAPE: ImageShape = ImageShape { channels: 3, height: 32, width: 32 };

#[allow(clippy::print_stdout)]
fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let (layers, steps) = (numbers.first().copied().unwrap_or(1), numbers.get(1).copied().unwrap_or(20));
    let device = Device::flex().autodiff();
    let config = UnetConfig { layers_per_block: layers, ..UnetConfig::default() };
    let mut net = UNet2D::new(&config, &SHAPE, 0, 0, &device);
    let weights = net.num_params();
    let mut optimizers = Optimizers::default().with("net", Adam { learning_rate: 1e-4, weight_decay: 0.01, ..Adam::default() });
    let images =
        |stream| host::tensor(Stream::new(0, stream).matrix(0..BATCH as u64, SHAPE.len(), Stream::normals), [BATCH, 3, 32, 32], &device);
    let (x, target) = (images(1), images(2));
    let times: Vec<f32> = (0..BATCH).map(|index| (31 * index) as f32).collect();
    let time = Tensor::<1>::from_floats(times.as_slice(), &device);
    let mut found = Vec::new();
    for index in 0..steps as u64 + 3 {
        let start = Instant::now();
        let loss = (net.forward(x.clone(), time.clone(), &Condition::default()) - target.clone()).square().mean();
        let forward = start.elapsed().as_secs_f64();
        let gradients = GradientsParams::from_grads(loss.backward(), &net);
        let backward = start.elapsed().as_secs_f64();
        let step = Step { index, rows_seen: 0, total_rows: 1, batch_rows: BATCH as u64, seed: 0 };
        net = optimizers.step("net", net, gradients, &step);
        found.push([start.elapsed().as_secs_f64(), forward, backward - forward]);
    }
    found.drain(..3);
    let median = |item: usize| {
        let mut times: Vec<f64> = found.iter().map(|times| 1e3 * times[item]).collect();
        times.sort_by(f64::total_cmp);
        (times[times.len() / 2], times[0])
    };
    let (step, forward, backward) = (median(0), median(1), median(2));
    println!(
        "{weights} weights, {layers} layers, {} threads: median {:.1} ms, fastest {:.1} ms (forward {:.1}, backward {:.1})",
        rayon::current_num_threads(),
        step.0,
        step.1,
        forward.0,
        backward.0
    );
}

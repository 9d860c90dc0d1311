//! One step of a critic on the CPU, plain and with the penalties R1 and R2, on the same network. The peer is benches/peers/critic.py.
//!
//! Run: RAYON_NUM_THREADS=1 cargo bench --workspace --bench critic -- [steps]

use std::time::Instant;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use semblant_core::host;
use semblant_core::model::{Part, Step};
use semblant_core::optim::{Adam, Optimizers};
use semblant_core::seeds::Stream;
use semblant_gan::losses::Loss;
use semblant_gan::networks::{NetConfig, residual_critic};
use semblant_gan::piecewise::{PiecewiseCritic, zero_centred_penalty};
use semblant_images::{ImageKind, ImageShape};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PAIRS: usize = 32;

#[allow(clippy::print_stdout)]
fn main() {
    let steps = std::env::args().skip(1).find_map(|argument| argument.parse::<u64>().ok()).unwrap_or(10);
    let device = Device::flex().autodiff();
    let shape = ImageShape { channels: 1, height: 28, width: 28 };
    let kind = ImageKind { shape, class_names: (0..10).map(|class| class.to_string()).collect(), class_counts: vec![1; 10] };
    let config = NetConfig { channels: vec![64, 32, 16], ..NetConfig::default() };
    let images = Stream::new(0, 0).matrix(0..2 * PAIRS as u64, shape.len(), Stream::normals);
    let images = host::tensor(images, [2 * PAIRS, 1, 28, 28], &device);
    let classes: Vec<i32> = (0..2 * PAIRS as i32).map(|image| image % 10).collect();
    let classes = Tensor::<1, Int>::from_data(TensorData::new(classes, [2 * PAIRS]), &device);
    let mut medians = Vec::new();
    for penalised in [false, true] {
        let mut critic = residual_critic(&config, &kind, 0, &device).expect("sides that can be halved twice");
        let mut optimizers = Optimizers::default().with("critic", Adam { learning_rate: 1e-4, ..Adam::default() });
        let mut times = Vec::new();
        for index in 0..steps + 2 {
            let start = Instant::now();
            critic = one_step(critic, images.clone(), &classes, penalised, &mut optimizers, index);
            times.push(1e3 * start.elapsed().as_secs_f64());
        }
        times.drain(..2);
        times.sort_by(f64::total_cmp);
        let what = if penalised { "with R1 and R2" } else { "plain" };
        println!("critic step, {what}: median {:.1} ms, fastest {:.1} ms", times[times.len() / 2], times[0]);
        medians.push(times[times.len() / 2]);
    }
    println!("the penalised step takes {:.2} times as long", medians[1] / medians[0]);
}

fn one_step(
    critic: PiecewiseCritic,
    images: Tensor<4>,
    classes: &Tensor<1, Int>,
    penalised: bool,
    optimizers: &mut Optimizers,
    index: u64,
) -> PiecewiseCritic {
    let (scores, slopes) = critic.forward(images, Some(classes));
    let loss = Loss::Relativistic.critic(scores.clone().narrow(0, 0, PAIRS), scores.narrow(0, PAIRS, PAIRS));
    let loss = if penalised { loss + zero_centred_penalty(critic.input_gradient(slopes, Some(classes))) } else { loss };
    let gradients = GradientsParams::from_grads(loss.backward(), &critic);
    let step = Step { index, rows_seen: 0, total_rows: 1, batch_rows: PAIRS as u64, seed: 0, part: Part::WHOLE, rate: 1.0 };
    optimizers.step("critic", critic, gradients, &step)
}

//! Steps over all parameters of a module, on the GPU and on the CPU.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use semblant_core::ema::Ema;
use semblant_core::host;
use semblant_core::model::{Part, Step};
use semblant_core::nn;
use semblant_core::nn::Linear;
use semblant_core::optim::{Adam, Optimizers};
use semblant_core::seeds::Stream;

use super::gpu;

/// Parameters of many sizes.
#[derive(Module, Debug)]
struct Layers {
    layers: Vec<Linear>,
}

const SIZES: [(usize, usize); 3] = [(1, 1), (7, 33), (64, 129)];

/// Layers beyond these have no gradient.
const WITH_GRADIENT: usize = 39;

/// Layers of `tensors` weights and biases.
fn layers(tensors: usize, seed: u64, device: &Device) -> Layers {
    let layer = |number: usize| {
        let (inputs, outputs) = SIZES[number % SIZES.len()];
        let mut layer = nn::LinearConfig::new(inputs, outputs).init(Stream::new(seed, number as u32), device);
        layer.bias = layer.bias.filter(|_| 2 * number + 1 < tensors);
        layer
    };
    Layers { layers: (0..tensors.div_ceil(2)).map(layer).collect() }
}

#[derive(Default)]
struct Values(Vec<f32>);

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        host::read(&param.val().inner(), |values| self.0.extend_from_slice(values));
    }
}

fn values<M: Module>(module: &M) -> Vec<f32> {
    let mut values = Values::default();
    module.visit(&mut values);
    values.0
}

fn step(index: u64) -> Step {
    Step { index, rows_seen: 100 * index, total_rows: 1000, batch_rows: 100, seed: 0, part: Part::WHOLE, rate: 1.0 }
}

/// Three steps of an optimizer that clips and decays, each followed by one of the average.
fn trained(tensors: usize, adam: Adam, device: &Device) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let device = device.clone().autodiff();
    let mut module = layers(tensors, 1, &device);
    let mut average = layers(tensors, 1, &device.clone().inner());
    let mut optimizers = Optimizers::default().with("all", adam);
    let ema = Ema { half_life_rows: 200.0, warm_up: f64::INFINITY };
    for index in 0..3 {
        let mut gradients = GradientsParams::new();
        for (number, layer) in module.layers.iter().take(WITH_GRADIENT).enumerate() {
            let [inputs, outputs] = layer.weight.dims();
            let drawn = |stream: u32, rows: usize| {
                Stream::new(2 + index, 2 * number as u32 + stream).matrix(0..rows as u64, outputs, Stream::normals)
            };
            gradients.register(layer.weight.id, host::tensor::<2>(drawn(0, inputs), [inputs, outputs], &device.clone().inner()));
            if let Some(bias) = &layer.bias {
                gradients.register(bias.id, host::tensor::<1>(drawn(1, 1), [outputs], &device.clone().inner()));
            }
        }
        // Somebody else holds the weights too, so that a kernel must not write over them.
        let held = module.clone();
        let before = values(&held);
        module = optimizers.step("all", module, gradients, &step(index));
        assert_eq!(values(&held), before, "what others hold is left alone");
        average = ema.update(average, &module, &step(index));
    }
    let moments = optimizers.state(&module).0.iter().flat_map(|(_, values)| host::read(values, <[f32]>::to_vec)).collect();
    (values(&module), values(&average), moments)
}

fn same(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= 2e-6 * expected.abs().max(1.0), "{what}: {found} for {expected} at {place}");
    }
}

fn moves_as_on_the_cpu(tensors: usize, adam: Adam, gpu: &Device) {
    let (found, expected) = (trained(tensors, adam, gpu), trained(tensors, adam, &Device::flex()));
    same(&format!("weights of {tensors} tensors"), &found.0, &expected.0);
    same(&format!("averages of {tensors} tensors"), &found.1, &expected.1);
    same(&format!("moments of {tensors} tensors"), &found.2, &expected.2);
    let first = values(&layers(tensors, 1, &Device::flex()));
    let moved = found.0.iter().zip(&first).filter(|(now, before)| now != before).count();
    let with_gradient = values(&layers(tensors.min(2 * WITH_GRADIENT), 1, &Device::flex())).len();
    assert_eq!(moved, with_gradient, "{tensors} tensors: how many values moved");
}

fn plain() -> Adam {
    Adam { learning_rate: 0.01, epsilon: 1e-4, ..Adam::default() }
}

/// More parameters than one launch covers on any device.
#[test]
fn optimizers_and_averages_move_as_on_the_cpu() {
    let Some(gpu) = gpu() else { return };
    for adam in [plain(), Adam { clip_norm: 0.5, weight_decay: 0.1, ..plain() }] {
        moves_as_on_the_cpu(80, adam, &gpu);
    }
}

/// Launches of every number of tensors that a device may cover at once, and what is left over for the last one.
#[test]
fn every_number_of_tensors_moves_as_on_the_cpu() {
    let Some(gpu) = gpu() else { return };
    for tensors in 1..=64 {
        moves_as_on_the_cpu(tensors, Adam { clip_norm: 0.5, ..plain() }, &gpu);
    }
}

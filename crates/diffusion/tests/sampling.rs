//! Whole sampling runs with networks and schedulers of diffusers' folders; `fixtures/sampling.py` made the numbers.

use std::path::Path;

use burn::tensor::{Device, Int, Tensor};
use semblant_core::host;
use semblant_diffusion::exchange::{Tensors, read_folder};
use semblant_diffusion::networks::{Condition, Network};
use semblant_diffusion::process::Level;
use semblant_diffusion::solvers::{Sampling, solver};

#[test]
fn ten_steps_end_where_diffusers_does() {
    let device = Device::flex();
    for name in ["dit", "ddpm"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
        let path = folder.join("sampling.safetensors");
        let mut tensors = Tensors::new(&path);
        tensors.read(&path).expect("a safetensors file");
        let tensors = tensors.into_inner();
        let pipeline = read_folder(&folder, &device).expect("a whole folder");
        let scheduler = pipeline.scheduler.expect("a scheduler");
        let shape: [usize; 4] = tensors["initial"].shape.clone().try_into().expect("images");
        let size: usize = shape.iter().product();
        let images = |values: &[f32]| host::tensor(values.to_vec(), shape, &device);
        let class = tensors.get("class").map(|class| host::tensor::<1>(class.values.clone(), [shape[0]], &device).int());
        let condition = Condition { class: class.map(|class: Tensor<1, Int>| class), augmentation: None };

        let prediction = scheduler.prediction();
        let denoise = |x: Tensor<4>, level: &Level| {
            let scaling = prediction.scaling(level);
            let time = Tensor::full([shape[0]], level.time, &device);
            let output = pipeline.network.forward(x.clone() * scaling.input, time, &condition);
            x * scaling.skip + output * scaling.out
        };
        let noise = |step: usize| images(&tensors["noises"].values[step * size..(step + 1) * size]);
        let sampling = Sampling { clip: scheduler.clip().unwrap_or(0.0), ..Sampling::default() };
        let run = solver(scheduler.solver()).expect("listed");
        let plan = scheduler.plan(10).expect("ten steps");
        let found = run(&denoise, images(&tensors["initial"].values), &plan, &sampling, &noise);
        let wanted = images(&tensors["output"].values);
        let scale = wanted.clone().abs().max().into_scalar::<f32>();
        let difference = (found - wanted).abs().max().into_scalar::<f32>() / scale;
        assert!(difference < 1e-3, "{name}: {difference}");
    }
}

//! Solvers against diffusers' schedulers, step counts, noises and all; `fixtures/schedulers.py` made the numbers.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use semblant_core::host;
use semblant_diffusion::exchange::SchedulerConfig;
use semblant_diffusion::process::{Level, Prediction};
use semblant_diffusion::schedule::{Plan, straight_level};
use semblant_diffusion::solvers::{Sampling, euler, guided, heun, inpainted, resampled, solver, solvers};
use semblant_images::slerp;
use serde_json::Value;

const SHAPE: [usize; 4] = [1, 1, 2, 4];

fn images(values: &Value) -> Tensor<4> {
    let values = values.as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number") as f32).collect();
    host::tensor(values, SHAPE, &Device::flex())
}

/// The clean image that the fixtures' network sees: its output is `0.3 tanh(0.9 input + time / 1000)`.
fn denoise(prediction: &Prediction, x: Tensor<4>, level: &Level) -> Tensor<4> {
    let scaling = prediction.scaling(level);
    let output = ((x.clone() * scaling.input) * 0.9 + level.time / 1000.0).tanh() * 0.3;
    x * scaling.skip + output * scaling.out
}

fn goldens() -> serde_json::Map<String, Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/schedulers.json");
    let mut file: Value = serde_json::from_slice(&std::fs::read(path).expect("there")).expect("JSON");
    match file["cases"].take() {
        Value::Object(cases) => cases,
        _ => panic!("cases by name"),
    }
}

fn config(case: &Value) -> SchedulerConfig {
    let folder = tempfile::tempdir().expect("temp");
    let path = folder.path().join("scheduler_config.json");
    let mut config = case["config"].clone();
    config["_class_name"] = case["class"].clone();
    std::fs::write(&path, config.to_string()).expect("written");
    SchedulerConfig::read(&path).expect("a class that is known")
}

/// The greatest difference to the golden end, relative to its greatest value.
fn difference(found: Tensor<4>, wanted: Tensor<4>) -> f64 {
    let scale = wanted.clone().abs().max().into_scalar::<f32>();
    f64::from((found - wanted).abs().max().into_scalar::<f32>() / scale)
}

#[test]
fn solvers_end_where_diffusers_does() {
    // diffusers' linspace DDIM does not begin a step where the last one ended; "large" noise is no posterior's; FlowMatchHeun is below.
    const OTHERWISE: [&str; 4] = ["ddim-linspace", "ddpm-fixed-large", "flow-heun", "flow-heun-shift-3"];
    let mut compared = 0;
    for (name, case) in goldens() {
        if OTHERWISE.contains(&name.as_str()) {
            continue;
        }
        let config = config(&case);
        let steps = case["steps"].as_u64().expect("a number") as usize;
        let plan = config.plan(steps).unwrap_or_else(|error| panic!("{name}: {error}"));
        let prediction = config.prediction();
        let eta = case["eta"].as_f64().unwrap_or(0.0);
        let sampling = Sampling { steps, eta, clip: config.clip().unwrap_or(0.0), ..Sampling::default() };
        // Euler and Heun keep their samples as clean + sigma noise.
        let first = plan.levels[0];
        let unscaled = case.get("sigmas").is_some() && case["init_noise_sigma"].as_f64().is_some_and(|sigma| sigma != 1.0);
        let scale = if unscaled { first.alpha } else { 1.0 };
        let noise = |step: usize| images(&case["noises"][step]);
        let run = solver(config.solver()).expect("listed");
        let found = run(&|x, level| denoise(&prediction, x, level), images(&case["initial"]) * scale, &plan, &sampling, &noise);
        let last = plan.levels[plan.steps()];
        let ended = images(case["samples"].as_array().expect("a list").last().expect("steps")) * if unscaled { last.alpha } else { 1.0 };
        let found = difference(found, ended);
        assert!(found < 2e-5, "{name}: {found:e}");
        compared += 1;
    }
    assert!(compared >= 44, "{compared}");
}

#[test]
fn heun_on_a_flow_ends_where_diffusers_does() {
    for (name, case) in goldens() {
        if !name.starts_with("flow-heun") {
            continue;
        }
        let mut sigmas: Vec<f64> = case["sigmas"].as_array().expect("a list").iter().map(|s| s.as_f64().expect("a number")).collect();
        sigmas.dedup();
        let levels = sigmas.iter().map(|&t| straight_level(t)).collect();
        let plan = Plan { levels, path: semblant_diffusion::process::Path::Straight };
        let denoised = |x, level: &Level| denoise(&Prediction::Velocity, x, level);
        let found = heun(&denoised, images(&case["initial"]), &plan, &Sampling::default(), &|_| unreachable!("no noise"));
        let found = difference(found, images(case["samples"].as_array().expect("a list").last().expect("steps")));
        assert!(found < 2e-5, "{name}: {found:e}");
    }
}

fn constant(value: f32) -> Tensor<4> {
    Tensor::full(SHAPE, value, &Device::flex())
}

fn value(x: &Tensor<4>) -> f32 {
    host::read(x, |x| x[0])
}

/// Where the answer is known: every pixel is normal with standard deviation 0.5, so the flow from noise ends at half of the noise.
#[test]
fn every_solver_converges_to_the_exact_solution() {
    let ideal = |x: Tensor<4>, level: &Level| {
        let power = (level.alpha * 0.5).powi(2) + level.sigma * level.sigma;
        x * (level.alpha * 0.25 / power)
    };
    let noise = |step: usize| {
        let mut values = vec![0.0; 8];
        semblant_core::seeds::Stream::new(1, step as u32).normals(0, &mut values);
        host::tensor(values, SHAPE, &Device::flex())
    };
    for (name, _, run) in solvers::<4>() {
        let plan = Plan::edm(60, 0.002, 80.0).expect("steps");
        let end = run(&ideal, constant(80.0), &plan, &Sampling::default(), &noise);
        if ["ddpm", "euler-ancestral", "consistency"].contains(&name) {
            assert!(end.abs().max().into_scalar::<f32>() < 2.5, "{name}: within the distribution");
        } else {
            // Over 60 steps methods of first order are a twentieth short, those of second order end where they should.
            let bound = if ["euler", "ddim"].contains(&name) { 0.03 } else { 0.005 };
            assert!((value(&end) - 0.5).abs() < bound, "{name}: {}", value(&end));
        }
    }
}

#[test]
fn churn_keeps_the_distribution() {
    let ideal = |x: Tensor<4>, level: &Level| x * (0.25 / (0.25 + level.sigma * level.sigma));
    let plan = Plan::edm(100, 0.002, 80.0).expect("steps");
    let sampling = Sampling { churn: 20.0, ..Sampling::default() };
    let mut squares = 0.0;
    let rows = 400;
    for row in 0..rows {
        let noise = |step: usize| {
            let mut values = vec![0.0; 8];
            semblant_core::seeds::Stream::new(2, step as u32).normals(row, &mut values);
            host::tensor(values, SHAPE, &Device::flex())
        };
        let end = heun(&ideal, noise(1000) * 80.0, &plan, &sampling, &noise);
        squares += f64::from(end.square().mean().into_scalar::<f32>());
    }
    let deviation = (squares / rows as f64).sqrt();
    assert!((deviation - 0.5).abs() < 0.02, "{deviation}");
}

#[test]
fn guidance_extrapolates_towards_the_condition() {
    let (with, without) = (|_: Tensor<4>, _: &Level| constant(1.0), |_: Tensor<4>, _: &Level| constant(0.25));
    let level = Level { alpha: 1.0, sigma: 1.0, time: 0.0 };
    for (scale, expected) in [(0.0, 0.25), (1.0, 1.0), (3.0, 2.5)] {
        assert_eq!(value(&guided(&with, &without, scale)(constant(0.0), &level)), expected);
    }
}

#[test]
fn inpainting_keeps_masked_values_and_samples_the_rest() {
    let made = |_: Tensor<4>, _: &Level| constant(-0.5);
    let mask = host::tensor(vec![1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0], SHAPE, &Device::flex());
    let filled = inpainted(&made, constant(0.75), mask, constant(0.1));
    let plan = Plan::straight(6, 1.0).expect("steps");
    let end = euler(&filled, constant(1.3), &plan, &Sampling::default(), &|_| constant(0.0));
    host::read(&end, |pixels| {
        assert!(pixels[..4].iter().all(|pixel| (pixel - 0.75).abs() < 1e-6), "{pixels:?}");
        assert!(pixels[4..].iter().all(|pixel| (pixel + 0.5).abs() < 1e-6), "{pixels:?}");
    });
}

#[test]
fn slerp_keeps_length_and_ends() {
    let (a, b) = ([3.0, 0.0, 4.0], [0.0, 5.0, 0.0]);
    assert_eq!(slerp(&a, &b, 0.0), a);
    let half = slerp(&a, &b, 0.5);
    let length = half.iter().map(|x| x * x).sum::<f32>().sqrt();
    assert!((length - 5.0).abs() < 1e-5, "{length}");
    assert!(slerp(&a, &a, 0.3).iter().zip(a).all(|(x, y)| (x - y).abs() < 1e-6));
}

#[test]
fn settings_out_of_range_are_named() {
    let said = |sampling: Sampling| sampling.check().expect_err("refused").to_string();
    assert!(said(Sampling { steps: 0, ..Sampling::default() }).contains("steps = 0"));
    assert!(said(Sampling { solver: "rk4".into(), ..Sampling::default() }).contains("dpmpp-2m"));
    assert!(said(Sampling { eta: 2.0, ..Sampling::default() }).contains("eta = 2"));
    assert!(said(Sampling { guidance: f64::NAN, ..Sampling::default() }).contains("guidance"));
    assert!(said(Sampling { churn_max: -1.0, ..Sampling::default() }).contains("churn_max"));
}

/// A mixture of two points in the plane, whose posterior mean is known in closed form: the clean data that an ideal network predicts.
fn two_points(x: Tensor<2>, level: &Level) -> Tensor<2> {
    const POINTS: [[f64; 2]; 2] = [[1.0, 2.0], [-1.0, 0.5]];
    let power = level.sigma * level.sigma;
    let [batch, _] = x.dims();
    let log_weight = |point: [f64; 2]| {
        let mean = Tensor::<2>::from_floats([[point[0] as f32, point[1] as f32]], &x.device()) * level.alpha;
        (x.clone() - mean).square().sum_dim(1) * (-0.5 / power) // [batch, 1]
    };
    let share = burn::tensor::activation::sigmoid(log_weight(POINTS[0]) - log_weight(POINTS[1])); // [batch, 1]
    let at = |point: [f64; 2]| Tensor::<2>::from_floats([[point[0] as f32, point[1] as f32]], &x.device()).repeat_dim(0, batch);
    at(POINTS[0]) * share.clone() + at(POINTS[1]) * (share.neg() + 1.0)
}

#[test]
fn every_solver_finds_a_distribution_in_the_plane() {
    const ROWS: usize = 2000;
    let noise = |step: usize| semblant_core::seeds::Stream::new(3, step as u32).normals_on(0..ROWS as u64, 2, &Device::flex());
    let paths = [
        ("straight", Plan::straight(40, 1.0).expect("steps"), 1.0),
        ("variance exploding", Plan::edm(40, 0.002, 80.0).expect("steps"), 80.0),
    ];
    for (path, plan, spread) in paths {
        for (name, _, run) in solvers::<2>() {
            let end = run(&two_points, noise(100_000) * spread, &plan, &Sampling { steps: 40, ..Sampling::default() }, &noise);
            let values = host::read(&end, <[f32]>::to_vec);
            let distance = |row: &[f32], point: [f32; 2]| (row[0] - point[0]).hypot(row[1] - point[1]);
            let first = values.chunks(2).filter(|row| distance(row, [1.0, 2.0]) < 0.1).count();
            let second = values.chunks(2).filter(|row| distance(row, [-1.0, 0.5]) < 0.1).count();
            assert!(first + second >= ROWS * 98 / 100, "{path}, {name}: {first} and {second} of {ROWS} at the two points");
            // Both points are equally likely: four standard deviations, and what a step size leaves.
            assert!(first.abs_diff(second) < 250, "{path}, {name}: {first} and {second}");
        }
    }
}

/// Two coordinates that are always equal, one of which is known. Replacement alone sees too little of the known one; with repetitions the
/// other follows it (Lugmayr et al. 2022, section 4.2).
#[test]
fn repetitions_make_inpainting_agree_with_what_is_known() {
    const ROWS: usize = 500;
    // x = (a, a) with a standard normal: the posterior mean of both is that of a, from the mean of the two.
    let ideal = |x: Tensor<2>, level: &Level| {
        let gain = level.alpha / (level.alpha * level.alpha + level.sigma * level.sigma / 2.0);
        (x.mean_dim(1) * gain).repeat_dim(1, 2)
    };
    let noise = |step: usize| semblant_core::seeds::Stream::new(4, step as u32).normals_on(0..ROWS as u64, 2, &Device::flex());
    let known = semblant_core::seeds::Stream::new(5, 0).normals_on(0..ROWS as u64, 1, &Device::flex()).repeat_dim(1, 2);
    let mask = Tensor::<2>::from_floats([[1.0, 0.0]], &Device::flex());
    let filled = inpainted(&ideal, known.clone(), mask, noise(200_000));
    let plan = Plan::straight(30, 1.0).expect("steps");
    let error = |resamples: usize| {
        let sampling = Sampling { resamples, ..Sampling::default() };
        let ddim = solver::<2>("ddim").expect("known");
        let end = resampled(ddim, &filled, noise(100_000), &plan, &sampling, &noise);
        (end - known.clone()).slice([0..ROWS, 1..2]).square().mean().into_scalar::<f32>().sqrt()
    };
    let [once, often] = [error(1), error(10)];
    assert!(often < 0.5 * once && often < 0.25, "{once} once, {often} with ten repetitions");
}

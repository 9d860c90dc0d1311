use std::collections::BTreeMap;

use burn::tensor::TensorData;
use semblant_core::nn::gradient_penalty;
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Penalty {
    penalty: f32,
    gradients: BTreeMap<String, Vec<f32>>,
}

/// Made by tests/golden/piecewise.py with PyTorch's double backward.
#[derive(Deserialize)]
struct Golden {
    weights: BTreeMap<String, Vec<f32>>,
    input: Vec<f32>,
    label: Vec<i32>,
    scores: Vec<f32>,
    input_gradient: Vec<f32>,
    zero_centred: Penalty,
    one_centred: Penalty,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../tests/golden/piecewise.json")).expect("golden file")
}

fn close(actual: &[f32], expected: &[f32], what: &str) {
    let scale = expected.iter().fold(0f32, |m, v| m.max(v.abs())).max(1e-3);
    assert_eq!(actual.len(), expected.len(), "{what}");
    actual.iter().zip(expected).for_each(|(a, e)| assert!((a - e).abs() <= 3e-6 * scale, "{what}: {a} against {e}, scale {scale}"));
}

fn critic(golden: &Golden, device: &Device) -> PiecewiseCritic {
    let of = |name: &str| golden.weights[name].clone();
    let conv = |name: &str, shape: [usize; 4], stride: usize, groups: usize| SpectralConv {
        conv: Conv {
            weight: Param::from_tensor(host::tensor(of(name), shape, device)),
            bias: Param::from_tensor(host::tensor(of(&format!("{name}_bias")), [shape[0]], device)),
        },
        singular: None,
        stride,
        padding: (shape[2] - 1) / 2,
        groups,
    };
    let linear = |name: &str, shape: [usize; 2]| Linear {
        weight: Param::from_tensor(host::tensor(of(name), shape, device)),
        bias: Some(Param::from_tensor(host::tensor(of(&format!("{name}_bias")), [shape[1]], device))),
    };
    let convs = vec![conv("wide", [8, 4, 1, 1], 1, 1), conv("grouped", [8, 4, 3, 3], 1, 2), conv("narrow", [4, 8, 1, 1], 1, 1)];
    PiecewiseCritic {
        layers: vec![
            Layer::Conv(conv("stem", [4, 2, 3, 3], 2, 1)),
            Layer::leaky(0.2),
            Layer::Residual(ResidualBranch { convs, negative_slope: 0.2 }),
            Layer::Halve(Halve {}),
            Layer::Conv(conv("turn", [3, 4, 1, 1], 1, 1)),
            Layer::leaky(0.2),
        ],
        features: linear("features", [12, 5]),
        score: linear("score", [5, 1]),
        classes: Some(Param::from_tensor(host::tensor(of("classes"), [4, 5], device))),
    }
}

/// Gradients of every weight by the names of the golden file.
fn gradients(critic: &PiecewiseCritic, penalty: &Tensor<1>) -> BTreeMap<&'static str, Vec<f32>> {
    let gradients = penalty.backward();
    let mut found = BTreeMap::new();
    let mut put = |name, values: Option<Tensor<1>>| {
        if let Some(values) = values {
            found.insert(name, host::read(&values, <[f32]>::to_vec));
        }
    };
    let flat = |x: Tensor<4>| x.grad(&gradients).map(|x| x.flatten::<1>(0, 3));
    let matrix = |x: Tensor<2>| x.grad(&gradients).map(|x| x.flatten::<1>(0, 1));
    let [Layer::Conv(stem), _, Layer::Residual(branch), _, Layer::Conv(turn), _] = &critic.layers[..] else { panic!("built so above") };
    put("stem", flat(stem.conv.weight.val()));
    for (name, conv) in ["wide", "grouped", "narrow"].into_iter().zip(&branch.convs) {
        put(name, flat(conv.conv.weight.val()));
    }
    put("turn", flat(turn.conv.weight.val()));
    put("features", matrix(critic.features.weight.val()));
    put("score", matrix(critic.score.weight.val()));
    put("classes", matrix(critic.classes.as_ref().expect("has classes").val()));
    found
}

#[test]
fn penalties_and_their_gradients_are_those_of_double_backward() {
    let golden = golden();
    let device = Device::flex().autodiff();
    let critic = critic(&golden, &device);
    let input = host::tensor(golden.input.clone(), [3, 2, 8, 8], &device);
    let label = Tensor::<1, Int>::from_data(TensorData::new(golden.label.clone(), [3]), &device);
    // Each penalty has a pass of its own, because burn keeps a graph for one way back.
    for (one_centred, expected) in [(false, &golden.zero_centred), (true, &golden.one_centred)] {
        let (scores, slopes) = critic.forward(input.clone(), Some(&label));
        close(&host::read(&scores, <[f32]>::to_vec), &golden.scores, "scores");
        let gradient = critic.input_gradient(slopes, Some(&label));
        close(&host::read(&gradient, <[f32]>::to_vec), &golden.input_gradient, "input gradient");
        let penalty = if one_centred { gradient_penalty(gradient.flatten::<2>(1, 3)) } else { zero_centred_penalty(gradient) };
        close(&host::read(&penalty, <[f32]>::to_vec), &[expected.penalty], "penalty");
        let found = gradients(&critic, &penalty);
        for (name, expected) in &expected.gradients {
            close(found.get(name.as_str()).unwrap_or_else(|| panic!("{name} takes part")), expected, name);
        }
    }
}

#[test]
fn doubling_is_taken_back_by_its_adjoint() {
    // <A x, y> = <x, A* y>.
    let device = Device::flex();
    let draw = |row, shape: [usize; 4]| {
        let mut values = vec![0.0; shape.iter().product()];
        Stream::new(5, 0).normals(row, &mut values);
        host::tensor(values, shape, &device)
    };
    for (layer, there) in [(Layer::Double(Double {}), [2, 3, 8, 12]), (Layer::Halve(Halve {}), [2, 3, 2, 3])] {
        let (x, y) = (draw(0, [2, 3, 4, 6]), draw(1, there));
        let forward = (layer.forward(x.clone(), &mut Slopes::default()) * y.clone()).sum().into_scalar::<f32>();
        let back = (x * layer.adjoint(y, &mut Slopes::default())).sum().into_scalar::<f32>();
        assert!((forward - back).abs() < 1e-4 * forward.abs().max(1.0), "{forward} against {back}");
    }
}

#[test]
fn spectral_normalisation_brings_the_greatest_singular_value_to_one() {
    let device = Device::flex();
    let stream = |number| Stream::new(1, number);
    let mut conv = SpectralConv::new(Init::Uniform, [3, 6], 3, 1, stream(0), &device).normalised(stream(1));
    for _ in 0..50 {
        conv = conv.iterated();
    }
    let weight = conv.weight().0.reshape([6, 27]);
    // Power iteration anew, from another vector, on the normalised weights.
    let mut left = Tensor::<2>::ones([1, 6], &device);
    for _ in 0..100 {
        left = left.matmul(weight.clone()).matmul(weight.clone().transpose());
        left = left.clone() / left.square().sum().sqrt().reshape([1, 1]);
    }
    let sigma = left.matmul(weight).square().sum().sqrt().into_scalar::<f32>();
    assert!((sigma - 1.0).abs() < 1e-4, "{sigma}");
}

//! Layers and their gradients on the GPU, where burn's kernels compute them, and by the CPU's loops.

use burn::tensor::{Device, Tensor};
use semblant_core::host;
use semblant_core::nn;
use semblant_core::seeds::Stream;

use super::gpu;

/// What a layer makes of its inputs, all of rank 4.
type Layer = Box<dyn Fn(&[Tensor<4>]) -> Tensor<4>>;

/// The output, and the gradient of every input of a weighted sum of it.
fn values(shapes: &[[usize; 4]], layer: &Layer, device: &Device) -> Vec<Vec<f32>> {
    let device = device.clone().autodiff();
    let drawn = |number: usize, shape: [usize; 4]| {
        let values = Stream::new(6, number as u32).matrix(0..1, shape.iter().product(), Stream::normals);
        host::tensor(values, shape, &device)
    };
    let inputs: Vec<Tensor<4>> = shapes.iter().enumerate().map(|(number, shape)| drawn(number, *shape).require_grad()).collect();
    let out = layer(&inputs);
    let gradients = (out.clone() * drawn(100, out.dims())).sum().backward();
    let read = |tensor: Tensor<4>| host::read(&tensor, <[f32]>::to_vec);
    let mut found = vec![read(out.inner())];
    found.extend(inputs.iter().map(|input| read(input.grad(&gradients).expect("required"))));
    found
}

fn same(what: &str, shapes: &[[usize; 4]], layer: Layer, gpu: &Device) {
    let (found, expected) = (values(shapes, &layer, gpu), values(shapes, &layer, &Device::flex()));
    for (part, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let greatest = expected.iter().fold(1e-6f32, |greatest, value| greatest.max(value.abs()));
        let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs() / greatest).fold(0.0f32, f32::max);
        let name = if part == 0 { "output".into() } else { format!("gradient of input {}", part - 1) };
        println!("{what}, {name}: {worst:.1e}");
        assert!(found.len() == expected.len() && worst < 2e-5, "{what} {shapes:?}, {name}: {worst} of the greatest value");
    }
}

fn flat<const D: usize>(x: &Tensor<4>, shape: [usize; D]) -> Tensor<D> {
    x.clone().reshape(shape)
}

#[test]
fn convolutions() {
    let Some(gpu) = gpu() else { return };
    for (x, kernel, outputs, stride, padding) in [
        ([2, 3, 8, 8], 3, 4, 1, [1; 4]),
        ([2, 4, 8, 8], 3, 4, 2, [0, 1, 0, 1]),
        ([2, 4, 9, 7], 3, 5, 2, [1; 4]),
        ([8, 4, 4, 4], 1, 4, 1, [0; 4]),
        ([3, 16, 8, 8], 3, 32, 1, [1; 4]),
        ([2, 6, 8, 8], 4, 8, 2, [1; 4]),
    ] {
        let shapes = [x, [outputs, x[1], kernel, kernel], [1, 1, 1, outputs]];
        let layer = move |inputs: &[Tensor<4>]| {
            let bias = flat(&inputs[2], [outputs]);
            nn::conv2d(inputs[0].clone(), inputs[1].clone(), Some(bias), stride, padding)
        };
        same(&format!("convolution {kernel} x {kernel} by {stride}"), &shapes, Box::new(layer), &gpu);
    }
}

#[test]
fn normalisations() {
    let Some(gpu) = gpu() else { return };
    for (x, groups) in [([2, 4, 8, 8], 2), ([3, 8, 4, 4], 8), ([2, 6, 5, 3], 3), ([1, 4, 2, 1], 2)] {
        for silu in [false, true] {
            let layer = move |inputs: &[Tensor<4>]| {
                let (weight, bias) = (flat(&inputs[1], [1, x[1]]), flat(&inputs[2], [1, x[1]]));
                let norm = if silu { nn::group_norm_silu } else { nn::group_norm };
                norm(inputs[0].clone(), weight, bias, groups, 1e-3)
            };
            same(&format!("group norm, SiLU {silu}"), &[x, [1, 1, 1, x[1]], [1, 1, 1, x[1]]], Box::new(layer), &gpu);
        }
    }
    let layer = |inputs: &[Tensor<4>]| {
        let [shift, scale, gate] = [1, 2, 3].map(|part: usize| flat(&inputs[part], [2, 8]));
        let x = flat(&inputs[0], [2, 5, 8]);
        nn::gated_residual(x.clone(), gate, nn::modulated_norm(x, shift, scale, 1e-6)).reshape([1, 2, 5, 8])
    };
    same("modulated norm and gate", &[[1, 2, 5, 8], [1, 1, 2, 8], [1, 1, 2, 8], [1, 1, 2, 8]], Box::new(layer), &gpu);
}

#[test]
fn attentions_and_products() {
    let Some(gpu) = gpu() else { return };
    for (tokens, width, heads) in [(16, 4, 1), (5, 8, 2), (64, 96, 4)] {
        for causal in [false, true] {
            let layer = move |inputs: &[Tensor<4>]| {
                let packed = flat(&inputs[0], [2, tokens, 3 * width]);
                let attention = if causal { nn::causal_attention } else { nn::attention };
                attention(packed, heads).reshape([1, 2, tokens, width])
            };
            same(&format!("attention of {heads} heads, causal {causal}"), &[[1, 2, tokens, 3 * width]], Box::new(layer), &gpu);
        }
    }
    let layer = |inputs: &[Tensor<4>]| {
        let (x, weight, bias) = (flat(&inputs[0], [2, 5, 7]), flat(&inputs[1], [7, 3]), flat(&inputs[2], [3]));
        nn::silu(nn::gelu_tanh(nn::linear_of(x, weight, Some(bias)))).reshape([1, 2, 5, 3])
    };
    same("linear, GELU and SiLU", &[[1, 2, 5, 7], [1, 1, 7, 3], [1, 1, 1, 3]], Box::new(layer), &gpu);
}

#[test]
fn resampling() {
    let Some(gpu) = gpu() else { return };
    same("nearest neighbours", &[[2, 4, 4, 6]], Box::new(|inputs| nn::upsample_nearest(inputs[0].clone())), &gpu);
    let blur = |inputs: &[Tensor<4>]| nn::blur(inputs[0].clone());
    same("blur", &[[2, 4, 4, 6]], Box::new(blur), &gpu);
    let transposed = |inputs: &[Tensor<4>]| nn::conv_transpose2d(inputs[0].clone(), inputs[1].clone(), 2, 1, [8, 8]);
    same("transposed convolution", &[[2, 4, 4, 4], [4, 3, 4, 4]], Box::new(transposed), &gpu);
    same("average pool", &[[2, 4, 4, 6]], Box::new(|inputs| nn::average_pool(inputs[0].clone())), &gpu);
}

/// A convolution may leave its result in another order of dimensions, which what follows has to see through.
#[test]
fn what_follows_a_convolution() {
    let Some(gpu) = gpu() else { return };
    let conv = |x: &Tensor<4>, weight: &Tensor<4>| nn::conv2d(x.clone(), weight.clone(), None, 1, [1; 4]);
    let norm = |x: Tensor<4>| {
        let [_, channels, ..] = x.dims();
        nn::group_norm_silu(x.clone(), Tensor::ones([1, channels], &x.device()), Tensor::zeros([1, channels], &x.device()), 2, 1e-3)
    };
    let shapes = [[8, 2, 4, 4], [4, 2, 3, 3], [4, 4, 3, 3]];
    let check = |what: &str, layer: Layer| same(what, &shapes, layer, &gpu);
    check("convolutions", Box::new(move |x| conv(&conv(&x[0], &x[1]), &x[2])));
    check("norm between convolutions", Box::new(move |x| conv(&norm(conv(&x[0], &x[1])), &x[2])));
    check("twice the side between convolutions", Box::new(move |x| conv(&nn::upsample_nearest(conv(&x[0], &x[1])), &x[2])));
    check("half the side between convolutions", Box::new(move |x| conv(&nn::average_pool(conv(&x[0], &x[1])), &x[2])));
    check(
        "sum of convolutions",
        Box::new(move |x| {
            let h = conv(&x[0], &x[1]);
            conv(&h, &x[2]) + h
        }),
    );
    check(
        "residual",
        Box::new(move |x| {
            let h = conv(&x[0], &x[1]);
            conv(&norm(h.clone()), &x[2]) + h
        }),
    );
    check(
        "residual, twice the side",
        Box::new(move |x| {
            let h = conv(&x[0], &x[1]);
            nn::upsample_nearest(conv(&norm(h.clone()), &x[2]) + h)
        }),
    );
    check(
        "attention over a convolution",
        Box::new(move |x| {
            let h = conv(&x[0], &x[1]);
            let tokens = norm(h.clone()).reshape([8, 4, 16]).swap_dims(1, 2); // [batch, tokens, channels]
            let packed = Tensor::cat(vec![tokens.clone() * 2.0, tokens.clone(), tokens], 2);
            conv(&(nn::attention(packed, 1).swap_dims(1, 2).reshape([8, 4, 4, 4]) + h), &x[2])
        }),
    );
    let all = move |x: &[Tensor<4>]| {
        let h = conv(&x[0], &x[1]);
        let h = conv(&norm(h.clone()), &x[2]) + h;
        let h = conv(&nn::upsample_nearest(h), &x[2]);
        let h = conv(&norm(h.clone()), &x[2]) + h;
        norm(h)
    };
    check("two levels", Box::new(all));
}

/// Without gradients too, where burn joins a convolution with what follows it in other ways: images of few channels lie in one order or
/// another, which must not be taken for each other.
#[test]
fn a_convolution_beside_a_tensor() {
    let Some(gpu) = gpu() else { return };
    let drawn = |number: u32, shape: [usize; 4], device: &Device| {
        host::tensor::<4>(Stream::new(8, number).matrix(0..1, shape.iter().product(), Stream::normals), shape, device)
    };
    /// What stands beside a tensor of its shape.
    type Made = fn(Tensor<4>, Tensor<4>) -> Tensor<4>;
    let convolution: Made = |x, weight| nn::conv2d(x, weight, None, 1, [1; 4]);
    let transposed: Made = |x, weight| {
        let [_, _, height, width] = x.dims();
        nn::conv_transpose2d(x, weight.swap_dims(0, 1), 1, 1, [height, width])
    };
    // Of a convolution whose inputs are as many as the others' outputs.
    let gradient: Made = |x, weight| {
        let [batch, _, height, width] = x.dims();
        let [outputs, ..] = weight.dims();
        let images = Tensor::<4>::zeros([batch, outputs, height, width], &x.device().autodiff()).require_grad();
        let out = nn::conv2d(images.clone(), Tensor::from_inner(weight.swap_dims(0, 1)), None, 1, [1; 4]);
        images.grad(&(out * Tensor::from_inner(x)).sum().backward()).expect("required")
    };
    /// What burn's fusion makes one kernel of.
    type Joined = fn(Tensor<4>, Tensor<4>) -> Tensor<4>;
    let joined: [(&str, Joined); 4] = [
        ("minus", |out, y| out - y),
        ("minus and absolute", |out, y| (out - y).abs()),
        ("scaled sum", |out, y| out * 0.5 + y * 2.0),
        ("sum over rows", |out, y| (out - y).sum_dim(3)),
    ];
    let mut wrong = Vec::new();
    for (what, made) in [("convolution", convolution), ("transposed", transposed), ("gradient", gradient)] {
        for (inputs, outputs, side) in [(1, 1, 4), (2, 1, 8), (4, 1, 8), (1, 2, 8), (2, 3, 8), (4, 3, 4), (4, 4, 8), (1, 8, 8)] {
            for (name, joined) in joined {
                let run = |device: &Device| {
                    let (x, weight) = (drawn(0, [8, inputs, side, side], device), drawn(1, [outputs, inputs, 3, 3], device));
                    host::read(&joined(made(x, weight), drawn(2, [8, outputs, side, side], device)), <[f32]>::to_vec)
                };
                let (found, expected) = (run(&gpu), run(&Device::flex()));
                let worst = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0f32, f32::max);
                if worst > 1e-4 {
                    wrong.push(format!("{what}, {inputs} to {outputs} channels, side {side}, {name}: {worst}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

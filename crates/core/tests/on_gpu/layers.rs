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

/// How far from the CPU's a value may lie, as a share of the greatest. CUDA's products of f32 are TF32, with 10 bits for each factor: 5e-4 and up, as
/// errors of several products add up.
fn tolerance(gpu: &Device) -> f32 {
    if semblant_core::device::name(gpu).starts_with("cuda") { 3e-3 } else { 2e-5 }
}

/// The greatest value, of which NaN, a value that was not written, is greater than all others.
fn greatest_of(values: impl Iterator<Item = f32>) -> f32 {
    values.fold(0.0, |most, value| if value.is_nan() { f32::INFINITY } else { most.max(value) })
}

fn same(what: &str, shapes: &[[usize; 4]], layer: Layer, gpu: &Device) {
    let (found, expected) = (values(shapes, &layer, gpu), values(shapes, &layer, &Device::flex()));
    for (part, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let greatest = expected.iter().fold(1e-6f32, |greatest, value| greatest.max(value.abs()));
        let worst = greatest_of(found.iter().zip(expected).map(|(a, b)| (a - b).abs() / greatest));
        let name = if part == 0 { "output".into() } else { format!("gradient of input {}", part - 1) };
        println!("{what}, {name}: {worst:.1e}");
        assert!(found.len() == expected.len() && worst < tolerance(gpu), "{what} {shapes:?}, {name}: {worst} of the greatest value");
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
    for [batch, tokens, width] in [[2, 5, 8], [3, 1, 130], [1, 300, 257], [70, 2, 3]] {
        let layer = move |inputs: &[Tensor<4>]| {
            let modulation = flat(&inputs[1], [batch, 4 * width]);
            let x = flat(&inputs[0], [batch, tokens, width]);
            let normed = nn::modulated_norm(x.clone(), modulation.clone(), 1, 1e-6);
            nn::gated_residual(x, modulation, 3, normed).reshape([1, batch, tokens, width])
        };
        let shapes = [[1, batch, tokens, width], [1, 1, batch, 4 * width]];
        same(&format!("modulated norm and gate of {batch} x {tokens} x {width}"), &shapes, Box::new(layer), &gpu);
    }
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

/// Against the formula in f64: spans of 1, of a few and of more logits than a cube has units, targets that are one token or several.
#[test]
fn cross_entropy_over_spans() {
    let Some(gpu) = gpu() else { return };
    let widths = [1usize, 3, 300, 64];
    let ends: Vec<usize> = widths
        .iter()
        .scan(0, |end, width| {
            Some({
                *end += width;
                *end
            })
        })
        .collect();
    let spans: Vec<std::ops::Range<usize>> = ends.iter().zip(widths).map(|(end, width)| end - width..*end).collect();
    let (rows, width) = (5, ends[3]);
    // In the third span a target spreads to the next token.
    let target = |span: usize, token: usize| if span == 2 && token < 299 { (token, &[0.7f32, 0.3][..]) } else { (token, &[1.0f32][..]) };
    let Some(entropy) = nn::SpanEntropy::new(&spans, target, &gpu) else { panic!("a GPU has kernels") };
    let values: Vec<f32> = Stream::new(9, 0).matrix(0..rows as u64, width, Stream::normals).iter().map(|x| 5.0 * x).collect();
    let tokens: Vec<u32> = (0..rows * 4).map(|at| Stream::new(9, 1).below(at as u64, 0, widths[at % 4] as u64) as u32).collect();
    let weights: Vec<f32> = (0..rows * 4).map(|at| [0.0, 1.5, 1.0][at % 3]).collect();
    let (loss, gradient) = entropy.cross_entropy(host::tensor(values.clone(), [rows, width], &gpu), &tokens, &weights);
    let (mut expected, mut expected_loss) = (vec![0.0f64; rows * width], 0.0f64);
    for (at, (&token, &weight)) in tokens.iter().zip(&weights).enumerate() {
        let span = spans[at % 4].clone();
        let logits: Vec<f64> = span.clone().map(|place| f64::from(values[at / 4 * width + place])).collect();
        let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
        let (first, shares) = target(at % 4, token as usize);
        for (place, logit) in logits.iter().enumerate() {
            let wanted = place.checked_sub(first).and_then(|near| shares.get(near)).map_or(0.0, |&share| f64::from(share));
            expected[at / 4 * width + span.start + place] = f64::from(weight) * (logit.exp() / sum - wanted);
            expected_loss -= f64::from(weight) * wanted * (logit - sum.ln());
        }
    }
    host::read(&gradient, |found| {
        for (place, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert!((f64::from(*found) - expected).abs() < 1e-5, "{found} for {expected} at {place}");
        }
    });
    let loss = f64::from(host::scalar(loss));
    assert!((loss / expected_loss - 1.0).abs() < 1e-5, "{loss} for {expected_loss}");
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
                let worst = greatest_of(found.iter().zip(&expected).map(|(a, b)| (a - b).abs()));
                if worst > 5.0 * tolerance(&gpu) {
                    wrong.push(format!("{what}, {inputs} to {outputs} channels, side {side}, {name}: {worst}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

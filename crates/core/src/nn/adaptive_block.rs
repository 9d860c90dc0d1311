//! The block of "Scalable diffusion models with transformers", Peebles and Xie 2023: attention and a feed-forward layer, each behind an adaptive
//! normalisation and a gate that begins at zero.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::recompute::{is_recomputing, recomputed};
use super::{Init, Linear, LinearConfig, attention, drawn, filled, gated_residual, gelu_tanh, linear_of, modulated_norm};
use crate::seeds::Stream;

/// Added to the variance in the first normalisation of a block and the last of a network.
pub const ADAPTIVE_EPSILON: f32 = 1e-6;

/// Attention and a feed-forward layer, each behind an adaptive normalisation and a gate.
#[derive(Module, Debug)]
pub struct AdaptiveBlock {
    /// Six vectors from the condition: shift, scale and gate of the attention and of the feed-forward layer.
    pub modulation: Linear,
    /// Queries, keys and values side by side.
    pub packed: Linear,
    /// After the attention.
    pub mixed: Linear,
    /// The first layer of the feed-forward part, four times as wide.
    pub up: Linear,
    /// The second one.
    pub down: Linear,
}

impl AdaptiveBlock {
    /// A block of this width, which at first gives back its input.
    pub fn new(width: usize, stream: &mut dyn FnMut() -> Stream, device: &Device) -> Self {
        // Three square layers side by side, each drawn with its own fan.
        let packed = drawn(Init::Xavier, (width, width), [width, 3 * width], (stream(), 0), device);
        Self {
            modulation: LinearConfig::new(width, 6 * width).with_init(Init::Zero).init(stream(), device),
            packed: Linear { weight: packed, bias: Some(filled([3 * width], device, 0.0)) },
            mixed: LinearConfig::new(width, width).with_init(Init::Xavier).init(stream(), device),
            up: LinearConfig::new(width, 4 * width).with_init(Init::Xavier).init(stream(), device),
            down: LinearConfig::new(4 * width, width).with_init(Init::Xavier).init(stream(), device),
        }
    }

    /// `x [batch, tokens, width]`, `condition [batch, width]` after its SiLU. `branch` is applied to what each of the two parts adds,
    /// `[batch, tokens, width]`: dropout while training, nothing else; none where there is no dropout.
    ///
    /// Without dropout, [`recomputing`](super::recomputing) has autodiff keep the inputs only.
    pub fn forward(
        &self,
        x: Tensor<3>,
        condition: Tensor<2>,
        heads: usize,
        norm_epsilon: f32,
        branch: Option<&mut dyn FnMut(Tensor<3>) -> Tensor<3>>,
    ) -> Tensor<3> {
        let [batch, tokens, width] = x.dims();
        let layers = [&self.modulation, &self.packed, &self.mixed, &self.up, &self.down];
        let given = layers.map(|layer| (layer.weight.val(), layer.bias.as_ref().map(|bias| bias.val())));
        match (branch, given) {
            (Some(branch), given) => block(x, condition, given, heads, norm_epsilon, branch),
            (None, [(a, Some(b)), (c, Some(d)), (e, Some(f)), (g, Some(h)), (i, Some(j))]) if is_recomputing() => {
                let weights = [a, c, e, g, i];
                let shapes = weights.each_ref().map(|weight| weight.dims());
                let [a, c, e, g, i] = weights.map(|weight| weight.flatten::<1>(0, 1));
                let inputs = [x.flatten::<1>(0, 2), condition.flatten::<1>(0, 1), a, b, c, d, e, f, g, h, i, j];
                let forward = move |[x, condition, a, b, c, d, e, f, g, h, i, j]: [Tensor<1>; 12]| {
                    let mut shapes = shapes.into_iter();
                    let given = [(a, b), (c, d), (e, f), (g, h), (i, j)]
                        .map(|(weight, bias)| (weight.reshape(shapes.next().expect("five layers")), Some(bias)));
                    let (x, condition) = (x.reshape([batch, tokens, width]), condition.reshape([batch, width]));
                    block(x, condition, given, heads, norm_epsilon, &mut |added| added).flatten::<1>(0, 2)
                };
                recomputed(inputs, forward).reshape([batch, tokens, width])
            }
            (None, given) => block(x, condition, given, heads, norm_epsilon, &mut |added| added),
        }
    }
}

/// A block with weights and biases of modulation, packed, mixed, up and down.
fn block(
    x: Tensor<3>,
    condition: Tensor<2>,
    [modulation, packed, mixed, up, down]: [(Tensor<2>, Option<Tensor<1>>); 5],
    heads: usize,
    norm_epsilon: f32,
    branch: &mut dyn FnMut(Tensor<3>) -> Tensor<3>,
) -> Tensor<3> {
    let linear = |x: Tensor<3>, (weight, bias)| linear_of(x, weight, bias);
    let modulation = linear_of(condition, modulation.0, modulation.1); // [batch, 6 width]
    let normed = modulated_norm(x.clone(), modulation.clone(), 0, ADAPTIVE_EPSILON);
    let attended = linear(attention(linear(normed, packed), heads), mixed);
    let x = gated_residual(x, modulation.clone(), 2, branch(attended));
    let normed = modulated_norm(x.clone(), modulation.clone(), 3, norm_epsilon);
    let fed = linear(gelu_tanh(linear(normed, up)), down); // [batch, tokens, 4 width] in between
    gated_residual(x, modulation, 5, branch(fed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::ModuleVisitor;
    use burn::module::Param;

    use crate::host;
    use crate::nn::{init_streams, recomputing};

    /// The gradients of all parameters.
    struct Found<'a>(&'a burn::tensor::Gradients, Vec<f32>);

    impl ModuleVisitor for Found<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = param.val().grad(self.0).expect("every parameter has one");
            host::read(&gradient, |values| self.1.extend_from_slice(values));
        }
    }

    #[test]
    fn recomputing_gives_the_same_output_and_gradients() {
        let device = Device::flex().autodiff();
        let mut stream = init_streams(3);
        let mut made = AdaptiveBlock::new(8, &mut stream, &device);
        // Gates that are open.
        made.modulation = LinearConfig::new(8, 48).init(stream(), &device);
        let drawn = |number, shape: [usize; 3]| {
            let count = shape.iter().product();
            host::tensor::<3>(Stream::new(5, number).matrix(0..1, count, Stream::normals), shape, &device).require_grad()
        };
        let run = |recompute: bool| {
            let (x, condition) = (drawn(0, [2, 5, 8]), drawn(1, [2, 1, 8]));
            let out = recomputing(recompute, || made.forward(x.clone(), condition.clone().squeeze_dim::<2>(1), 2, 1e-6, None));
            let gradients = recomputing(recompute, || (out.clone() * drawn(2, [2, 5, 8]).detach()).sum().backward());
            let mut found = Found(&gradients, host::read(&out.inner(), <[f32]>::to_vec));
            made.visit(&mut found);
            for input in [x, condition] {
                host::read(&input.grad(&gradients).expect("required"), |values| found.1.extend_from_slice(values));
            }
            found.1
        };
        let (once, twice) = (run(false), run(true));
        assert!(once.iter().filter(|value| **value != 0.0).count() > once.len() / 2);
        assert_eq!(once, twice);
    }
}

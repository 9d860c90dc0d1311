//! Attention on a GPU: products by burn, between them one kernel each for taking heads apart, for the softmax and for putting heads together.

use burn::tensor::{FloatDType, Tensor};
use burn_cubecl::cubecl;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use crate::custom::{ROW_UNITS, Work, contiguous, cube_sum, empty, greatest_of_row, grid, queue, row_grid};
use crate::nn::device_op::DeviceOp;
use crate::precision::is_narrow;

/// See [`super::attention`]. The weights are computed anew for the gradient, which costs a product and a softmax and saves
/// `[batch, heads, tokens, tokens]` floats for every layer.
pub(super) fn attended(packed: Tensor<3>, heads: usize, causal: bool) -> Tensor<3> {
    let [batch, tokens, packed_width] = packed.dims();
    let sizes = Sizes { batch, tokens, heads, head: packed_width / 3 / heads };
    let narrow = is_narrow();
    let op = DeviceOp::new([packed.into()]);
    let [packed] = op.values();
    let (weights, [_, _, values]) = sizes.weights(&packed, causal, narrow);
    let out = sizes.together(vec![product(weights, values, narrow)]);
    op.finish(out, [batch, tokens, packed_width / 3], move |gradient, _| {
        let (weights, [queries, keys, values]) = sizes.weights(&packed, causal, narrow);
        let gradient = sizes.apart(gradient, 1).remove(0);
        let of_values = product(weights.clone().swap_dims(1, 2), gradient.clone(), narrow);
        let of_weights = product(gradient, values.swap_dims(1, 2), narrow);
        let of_scores = sizes.score_gradients(weights, of_weights); // [batch * heads, tokens, tokens]
        let of_queries = product(of_scores.clone(), keys, narrow);
        let of_keys = product(of_scores.swap_dims(1, 2), queries, narrow);
        [Some(sizes.together(vec![of_queries, of_keys, of_values]))]
    })
}

/// A product of matrices, in bf16 where that is asked for.
fn product(a: Tensor<3>, b: Tensor<3>, narrow: bool) -> Tensor<3> {
    if !narrow {
        return a.matmul(b);
    }
    a.cast(FloatDType::BF16).matmul(b.cast(FloatDType::BF16)).cast(FloatDType::F32)
}

#[derive(Debug, Clone, Copy)]
struct Sizes {
    batch: usize,
    tokens: usize,
    heads: usize,
    /// The width of a head.
    head: usize,
}

impl Sizes {
    fn values(self) -> usize {
        self.batch * self.tokens * self.heads * self.head
    }

    /// Softmax of the scaled scores, `[batch * heads, tokens, tokens]`, and queries, keys and values, `[batch * heads, tokens, head]`.
    fn weights(self, packed: &Tensor<1>, causal: bool, narrow: bool) -> (Tensor<3>, [Tensor<3>; 3]) {
        let parts = self.apart(packed.clone(), 3);
        let [queries, keys, values]: [Tensor<3>; 3] = parts.try_into().unwrap_or_else(|_| unreachable!("three parts"));
        let scores = product(queries.clone(), keys.clone().swap_dims(1, 2), narrow);
        let softmax = Softmax { tokens: self.tokens, scale: 1.0 / (self.head as f32).sqrt(), causal };
        (self.square(softmax, vec![scores]), [queries, keys, values])
    }

    /// Through softmax and scale.
    fn score_gradients(self, weights: Tensor<3>, gradient: Tensor<3>) -> Tensor<3> {
        let law = SoftmaxGradient { tokens: self.tokens, scale: 1.0 / (self.head as f32).sqrt() };
        self.square(law, vec![weights, gradient])
    }

    /// What a kernel makes of scores, `[batch * heads, tokens, tokens]`.
    fn square<W: Work>(self, work: W, inputs: Vec<Tensor<3>>) -> Tensor<3> {
        let (matrices, tokens) = (self.batch * self.heads, self.tokens);
        let inputs = inputs.into_iter().map(|input| input.reshape([matrices * tokens * tokens])).collect();
        let out = queue(work, inputs, &[matrices * tokens * tokens]).next().expect("it gives one tensor");
        out.reshape([matrices, tokens, tokens])
    }

    /// The heads of `[batch, tokens, parts * width]`, for each part `[batch * heads, tokens, head]`.
    fn apart(self, packed: Tensor<1>, parts: usize) -> Vec<Tensor<3>> {
        let lengths = vec![self.values(); parts];
        queue(Apart(self), vec![packed], &lengths).map(|part| part.reshape([self.batch * self.heads, self.tokens, self.head])).collect()
    }

    /// The reverse of [`Sizes::apart`].
    fn together(self, parts: Vec<Tensor<3>>) -> Tensor<1> {
        let length = parts.len() * self.values();
        let parts = parts.into_iter().map(|part| part.reshape([self.values()])).collect();
        queue(Together(self), parts, &[length]).next().expect("it gives one tensor")
    }
}

/// Of packed values; gives the heads of each part.
#[derive(Debug)]
struct Apart(Sizes);

impl Work for Apart {
    const NAME: &'static str = "heads_apart";

    fn run(&self, inputs: Vec<CubeTensor>) -> Vec<CubeTensor> {
        let [packed] = contiguous(inputs);
        let (client, values) = (packed.client.clone(), self.0.values());
        let count = packed.meta.shape().num_elements() / values;
        let parts: Vec<CubeTensor> = (0..count).map(|_| empty(&packed, [values])).collect();
        let (cubes, dim) = grid(&packed, values);
        apart_kernel::launch(
            &client,
            cubes,
            dim,
            packed.required_address_type(),
            packed.into_buffer_arg(),
            parts.iter().map(|part| part.clone().into_buffer_arg()).collect(),
            self.0.tokens as u32,
            self.0.heads as u32,
            self.0.head as u32,
        );
        parts
    }
}

/// One unit moves one value of every part.
#[cube(launch, address_type = "dynamic")]
fn apart_kernel(packed: &[f32], parts: &mut Sequence<Box<[f32]>>, tokens: u32, heads: u32, head: u32) {
    let width = (heads * head) as usize;
    let count = parts.len();
    if ABSOLUTE_POS >= packed.len() / count {
        terminate!();
    }
    let from = ABSOLUTE_POS / width * count * width + ABSOLUTE_POS % width;
    let to = place_of(ABSOLUTE_POS, tokens, heads, head);
    #[unroll]
    for part in 0..count {
        write(parts.index_mut(part), to, packed[from + part * width]);
    }
}

/// Of the heads of each part; gives them packed.
#[derive(Debug)]
struct Together(Sizes);

impl Work for Together {
    const NAME: &'static str = "heads_together";

    fn run(&self, inputs: Vec<CubeTensor>) -> Vec<CubeTensor> {
        let parts: Vec<CubeTensor> = inputs.into_iter().map(into_contiguous).collect();
        let (client, values) = (parts[0].client.clone(), self.0.values());
        let packed = empty(&parts[0], [parts.len() * values]);
        let (cubes, dim) = grid(&packed, values);
        together_kernel::launch(
            &client,
            cubes,
            dim,
            packed.required_address_type(),
            parts.into_iter().map(CubeTensor::into_buffer_arg).collect(),
            packed.clone().into_buffer_arg(),
            self.0.tokens as u32,
            self.0.heads as u32,
            self.0.head as u32,
        );
        vec![packed]
    }
}

/// One unit moves one value of every part.
#[cube(launch, address_type = "dynamic")]
fn together_kernel(parts: &Sequence<Box<[f32]>>, packed: &mut [f32], tokens: u32, heads: u32, head: u32) {
    let width = (heads * head) as usize;
    let count = parts.len();
    if ABSOLUTE_POS >= packed.len() / count {
        terminate!();
    }
    let to = ABSOLUTE_POS / width * count * width + ABSOLUTE_POS % width;
    let from = place_of(ABSOLUTE_POS, tokens, heads, head);
    #[unroll]
    for part in 0..count {
        packed[to + part * width] = parts[part][from];
    }
}

/// Where a value of `[batch, tokens, heads, head]` lies in `[batch, heads, tokens, head]`.
#[cube]
fn place_of(at: usize, tokens: u32, heads: u32, head: u32) -> usize {
    let (tokens, heads, head) = (tokens as usize, heads as usize, head as usize);
    let token = at / (heads * head);
    let (image, token) = (token / tokens, token % tokens);
    ((image * heads + at / head % heads) * tokens + token) * head + at % head
}

#[cube]
fn write(values: &mut [f32], at: usize, value: f32) {
    values[at] = value;
}

/// Of scores; gives the softmax of every scaled row.
#[derive(Debug)]
struct Softmax {
    tokens: usize,
    scale: f32,
    causal: bool,
}

impl Work for Softmax {
    const NAME: &'static str = "attention_softmax";

    fn run(&self, inputs: Vec<CubeTensor>) -> Vec<CubeTensor> {
        let [scores] = contiguous(inputs);
        let (client, values) = (scores.client.clone(), scores.meta.shape().num_elements());
        let (rows, out) = (values / self.tokens, empty(&scores, [values]));
        let (count, dim) = row_grid(&scores, rows);
        softmax_kernel::launch(
            &client,
            count,
            dim,
            scores.required_address_type(),
            scores.into_buffer_arg(),
            out.clone().into_buffer_arg(),
            rows as u32,
            self.tokens as u32,
            self.scale,
            self.causal,
        );
        vec![out]
    }
}

/// One cube works on one row.
#[cube(launch, address_type = "dynamic")]
fn softmax_kernel(scores: &[f32], out: &mut [f32], rows: u32, tokens: u32, scale: f32, #[comptime] causal: bool) {
    let row = CUBE_POS as usize;
    if row >= rows as usize {
        terminate!();
    }
    let tokens = tokens as usize;
    let start = row * tokens;
    let seen = if comptime!(causal) { row % tokens + 1usize } else { tokens };
    let mut shared = Shared::<[f32]>::new_slice(ROW_UNITS);
    let greatest = greatest_of_row(scores, start, seen, &mut shared);
    let mut own = 0.0f32;
    let mut at = UNIT_POS as usize;
    while at < seen {
        own += ((scores[start + at] - greatest) * scale).exp();
        at += ROW_UNITS;
    }
    let inverse = 1.0f32 / cube_sum(&mut shared, own);
    let mut at = UNIT_POS as usize;
    while at < tokens {
        let weight = ((scores[start + at] - greatest) * scale).exp() * inverse;
        out[start + at] = select(at < seen, weight, 0.0f32);
        at += ROW_UNITS;
    }
}

/// Of weights and their gradient; gives the scores' gradient, `scale * weights * (gradient - <gradient, weights>)` row by row.
#[derive(Debug)]
struct SoftmaxGradient {
    tokens: usize,
    scale: f32,
}

impl Work for SoftmaxGradient {
    const NAME: &'static str = "attention_softmax_gradient";

    fn run(&self, inputs: Vec<CubeTensor>) -> Vec<CubeTensor> {
        let [weights, gradient] = contiguous(inputs);
        let (client, values) = (weights.client.clone(), weights.meta.shape().num_elements());
        let (rows, out) = (values / self.tokens, empty(&weights, [values]));
        let (count, dim) = row_grid(&weights, rows);
        softmax_gradient_kernel::launch(
            &client,
            count,
            dim,
            weights.required_address_type(),
            weights.into_buffer_arg(),
            gradient.into_buffer_arg(),
            out.clone().into_buffer_arg(),
            rows as u32,
            self.tokens as u32,
            self.scale,
        );
        vec![out]
    }
}

/// One cube works on one row.
#[cube(launch, address_type = "dynamic")]
fn softmax_gradient_kernel(weights: &[f32], gradient: &[f32], out: &mut [f32], rows: u32, tokens: u32, scale: f32) {
    let row = CUBE_POS as usize;
    if row >= rows as usize {
        terminate!();
    }
    let tokens = tokens as usize;
    let start = row * tokens;
    let mut shared = Shared::<[f32]>::new_slice(ROW_UNITS);
    let mut own = 0.0f32;
    let mut at = UNIT_POS as usize;
    while at < tokens {
        own += gradient[start + at] * weights[start + at];
        at += ROW_UNITS;
    }
    let along = cube_sum(&mut shared, own);
    let mut at = UNIT_POS as usize;
    while at < tokens {
        out[start + at] = scale * weights[start + at] * (gradient[start + at] - along);
        at += ROW_UNITS;
    }
}

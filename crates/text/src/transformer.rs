//! The network of all models of text: a transformer with rotary positions and root mean square normalisation before each part.
//!
//! "Attention is all you need", Vaswani et al. 2017; normalisation before each part and residual weights drawn smaller with depth as in GPT-2
//! (Radford et al. 2019); the table of the tokens is also the output layer (Press and Wolf 2017).

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use semblant_core::host;
use semblant_core::nn::{
    self, AttentionCache, Init, Linear, LinearConfig, RmsNorm, attention, causal_attention, embedding, gelu_tanh, init_streams, linear_of,
    rotary,
};
use semblant_core::seeds::Stream;

use crate::match_model::{MatchModel, Matches};

/// Standard deviation of first weights.
const DEVIATION: f32 = 0.02;

/// The sizes of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Tokens that can be predicted.
    pub outputs: usize,
    /// Further entries of the table: a hidden token, beginnings and labels.
    pub marks: usize,
    /// Width of a token.
    pub width: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Attention heads.
    pub heads: usize,
    /// The least tokens of a match, of which a causal network sees what followed the longest; 0 where it sees none.
    pub least_match: u32,
}

/// Attention and a feed-forward layer, each behind a normalisation and added to its input.
#[derive(Module, Debug)]
pub struct Block {
    norm_1: RmsNorm,
    /// Queries, keys and values side by side.
    packed: Linear,
    mixed: Linear,
    norm_2: RmsNorm,
    up: Linear,
    down: Linear,
}

impl Block {
    fn new(sizes: &Sizes, stream: &mut dyn FnMut() -> Stream, device: &Device) -> Self {
        let width = sizes.width;
        // Twice as many parts as blocks add to the stream.
        let added = DEVIATION / ((2 * sizes.depth) as f32).sqrt();
        let mut layer =
            |inputs, outputs, deviation| LinearConfig::new(inputs, outputs).with_init(Init::Normal(deviation)).init(stream(), device);
        Self {
            norm_1: RmsNorm::new(width, device),
            packed: layer(width, 3 * width, DEVIATION),
            mixed: layer(width, width, added),
            norm_2: RmsNorm::new(width, device),
            up: layer(width, 4 * width, DEVIATION),
            down: layer(4 * width, width, added),
        }
    }

    /// What the attention adds is `mix` of the packed queries, keys and values.
    fn forward(&self, x: Tensor<3>, mix: impl FnOnce(Tensor<3>) -> Tensor<3>, branch: Branch<'_>) -> Tensor<3> {
        let mixed = self.mixed.forward(mix(self.packed.forward(self.norm_1.forward(x.clone())))); // [batch, tokens, width]
        let x = x + branch(mixed);
        let fed = gelu_tanh(self.up.forward(self.norm_2.forward(x.clone()))); // [batch, tokens, 4 width]
        x + branch(self.down.forward(fed))
    }
}

/// Applied to what each part of a block adds, `[batch, tokens, width]`: dropout while training, nothing else.
pub type Branch<'a> = &'a mut dyn FnMut(Tensor<3>) -> Tensor<3>;

/// Tokens to logits of tokens.
#[derive(Module, Debug)]
pub struct Transformer {
    /// A vector for each token and mark, `[outputs + marks, width]`; those of the tokens are the output layer too.
    table: Param<Tensor<2>>,
    match_model: Option<MatchModel>,
    blocks: Vec<Block>,
    norm: RmsNorm,
    /// `[outputs]`.
    bias: Param<Tensor<1>>,
    #[module(skip)]
    outputs: usize,
    #[module(skip)]
    width: usize,
    #[module(skip)]
    heads: usize,
}

impl Transformer {
    /// A fresh network.
    pub fn new(sizes: &Sizes, seed: u64, device: &Device) -> Self {
        let &Sizes { outputs, marks, width, depth, heads, least_match } = sizes;
        let mut stream = init_streams(seed);
        Self {
            table: nn::drawn(Init::Normal(DEVIATION), (0, 0), [outputs + marks, width], (stream(), 0), device),
            blocks: (0..depth).map(|_| Block::new(sizes, &mut stream, device)).collect(),
            match_model: (least_match > 0).then(|| MatchModel::new(outputs, width, least_match, device)),
            norm: RmsNorm::new(width, device),
            bias: nn::filled([outputs], device, 0.0),
            outputs,
            width,
            heads,
        }
    }

    /// The number of tokens that can be predicted; marks have the numbers from there on.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The vectors of tokens or marks, `[batch, tokens, width]`.
    pub fn embed(&self, ids: &[u32], [batch, tokens]: [usize; 2]) -> Tensor<3> {
        embedding(self.table.val(), ids).reshape([batch, tokens, self.width])
    }

    /// The input of a causal network, `[batch, tokens, width]`: the vectors of whole windows, with that of a row's mark added to all of its tokens where
    /// there are `marks`, one for each row.
    pub fn embed_causal(&self, ids: &[u32], marks: Option<&[u32]>, [batch, tokens]: [usize; 2]) -> Tensor<3> {
        self.embed_after(ids, marks, [batch, tokens], &mut vec![Matches::default(); batch])
    }

    /// As [`Transformer::embed_causal`], after the tokens of `matches`.
    fn embed_after(&self, ids: &[u32], marks: Option<&[u32]>, [batch, tokens]: [usize; 2], matches: &mut [Matches]) -> Tensor<3> {
        let mut x = self.embed(ids, [batch, tokens]);
        if let Some(model) = &self.match_model {
            x = x + model.vectors(ids, matches).reshape([batch, tokens, self.width]);
        }
        match marks {
            Some(marks) => x + self.embed(marks, [batch, 1]), // [batch, tokens, width]
            None => x,
        }
    }

    /// The blocks over `x [batch, tokens, width]`. Where it is causal, a token sees itself and those before it only.
    pub fn hidden(&self, x: Tensor<3>, is_causal: bool, branch: Branch<'_>) -> Tensor<3> {
        let places: Vec<usize> = (0..x.dims()[1]).collect();
        let mix = |packed: Tensor<3>| {
            let turned = rotary(packed, self.heads, &places); // [batch, tokens, 3 width]
            if is_causal { causal_attention(turned, self.heads) } else { attention(turned, self.heads) }
        };
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x, mix, branch));
        self.norm.forward(x)
    }

    /// The logits of `hidden [batch, tokens, width]`, `[batch, tokens, outputs]`.
    pub fn logits(&self, hidden: Tensor<3>) -> Tensor<3> {
        let [batch, tokens, width] = hidden.dims();
        let weight = self.table.val().slice([0..self.outputs, 0..width]).transpose(); // [width, outputs]
        let logits = linear_of(hidden.reshape([batch * tokens, width]), weight, Some(self.bias.val()));
        logits.reshape([batch, tokens, self.outputs])
    }

    /// An empty cache for [`Transformer::next`].
    pub fn cache(&self, rows: usize, capacity: usize, device: &Device) -> Cache {
        let attention = self.blocks.iter().map(|_| AttentionCache::new(rows, capacity, self.width, self.heads, device)).collect();
        Cache { attention, matches: vec![Matches::default(); rows] }
    }

    /// Adds one token to every row, with its mark where there are `marks`; the logits of the next ones, `[rows, outputs]` row-major.
    pub fn next(&self, ids: &[u32], marks: Option<&[u32]>, cache: &mut Cache) -> Vec<f32> {
        let rows = ids.len();
        let mut x = self.embed_after(ids, marks, [rows, 1], &mut cache.matches);
        for (block, cache) in self.blocks.iter().zip(&mut cache.attention) {
            let places = cache.lengths().to_vec();
            let width = self.width;
            let mix = |packed: Tensor<3>| {
                let turned = rotary(packed, self.heads, &places).reshape([rows, 3 * width]);
                cache.attend(turned).reshape([rows, 1, width])
            };
            x = block.forward(x, mix, &mut |added| added);
        }
        host::read(&self.logits(self.norm.forward(x)), <[f32]>::to_vec)
    }
}

/// What a causal network keeps of the tokens before, for each row.
pub struct Cache {
    attention: Vec<AttentionCache>,
    matches: Vec<Matches>,
}

impl Cache {
    /// Forgets the tokens of a row.
    pub fn clear(&mut self, row: usize) {
        self.attention.iter_mut().for_each(|cache| cache.clear(row));
        self.matches[row].clear();
    }

    /// The number of tokens and marks of a row.
    pub fn length(&self, row: usize) -> usize {
        self.attention.first().map_or(0, |cache| cache.lengths()[row])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes { outputs: 5, marks: 2, width: 8, depth: 2, heads: 2, least_match: 1 };

    #[test]
    fn token_by_token_logits_are_those_of_all_at_once() {
        let device = Device::flex();
        let mut net = Transformer::new(&SIZES, 3, &device);
        let values: Vec<f32> = (0..13 * 8).map(|value| (value * 7 % 11) as f32 * 0.1 - 0.5).collect();
        let matches = net.match_model.as_mut().expect("one");
        matches.followers = Param::from_tensor(host::tensor(values, [13, 8], &device));
        let ids = [5, 0, 3, 2, 4, 1, 6, 1, 1, 0, 2, 4];
        let marks = [5, 6];
        let whole = net.logits(net.hidden(net.embed_causal(&ids, Some(&marks), [2, 6]), true, &mut |added| added));
        let mut cache = net.cache(2, 6, &device);
        for token in 0..6 {
            let next = net.next(&[ids[token], ids[6 + token]], Some(&marks), &mut cache);
            for row in 0..2 {
                let expected = whole.clone().slice([row..row + 1, token..token + 1, 0..5]);
                host::read(&expected, |expected| {
                    let near = expected.iter().zip(&next[row * 5..]).all(|(a, b)| (a - b).abs() < 1e-5);
                    assert!(near, "row {row}, token {token}: {expected:?} {next:?}");
                });
            }
        }
    }

    #[test]
    fn a_causal_network_does_not_see_what_comes_after() {
        let device = Device::flex();
        let net = Transformer::new(&SIZES, 3, &device);
        let first = |ids: &[u32], is_causal| {
            let logits = net.logits(net.hidden(net.embed(ids, [1, 3]), is_causal, &mut |added| added));
            host::read(&logits, |logits| logits[..5].to_vec())
        };
        assert_eq!(first(&[1, 2, 3], true), first(&[1, 4, 0], true));
        assert_ne!(first(&[1, 2, 3], false), first(&[1, 4, 0], false));
    }

    #[test]
    fn every_parameter_learns() {
        use burn::optim::GradientsParams;
        let device = Device::flex().autodiff();
        let net = Transformer::new(&SIZES, 3, &device);
        let logits = net.logits(net.hidden(net.embed_causal(&[5, 0, 3, 2], None, [1, 4]), true, &mut |added| added));
        let gradients = GradientsParams::from_grads(logits.square().mean().backward(), &net);
        // Table, matches, bias, the last norm, and ten of each block.
        assert_eq!(gradients.len(), 4 + 2 * 10);
    }
}

//! The prior of codes: a transformer that goes through the codes of an image, row by row, or of a window in time, and gives the chances of each from
//! those before it (van den Oord et al. 2017, section 3.3, with a transformer in the place of the PixelCNN). A condition, such as the class, modulates
//! its normalisations, as in DiT (Peebles and Xie 2023).

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use serde::{Deserialize, Serialize};

use super::{Init, Linear, LinearConfig, causal_attention, drawn, gated_residual, gelu_tanh, modulated_norm, silu};
use crate::config::check_range;
use crate::seeds::Stream;
use crate::{Error, Result, host, math};

/// The size of the transformer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PriorConfig {
    /// Width of a token.
    pub width: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Heads of attention.
    pub heads: usize,
}

impl Default for PriorConfig {
    fn default() -> Self {
        Self { width: 128, depth: 4, heads: 4 }
    }
}

impl PriorConfig {
    /// Checks the sizes.
    ///
    /// # Errors
    /// Names the field, its value and what is allowed.
    pub fn check(&self) -> Result<()> {
        check_range("prior.width", self.width, 1, 1 << 13)?;
        check_range("prior.depth", self.depth, 1, 128)?;
        check_range("prior.heads", self.heads, 1, self.width)?;
        if !self.width.is_multiple_of(self.heads) {
            let what = format!("prior.width = {} cannot be divided by prior.heads = {}; choose another of the two", self.width, self.heads);
            return Err(Error::Config(what));
        }
        Ok(())
    }
}

/// Attention and two layers, each behind a modulated normalisation and a gate.
#[derive(Module, Debug)]
pub(super) struct Block {
    modulation: Linear,
    packed: Linear,
    mixed: Linear,
    up: Linear,
    down: Linear,
    #[module(skip)]
    heads: usize,
}

/// The whole network.
#[derive(Module, Debug)]
pub struct CodePrior {
    /// `[levels * codes + 1, width]`; the last row is the start token.
    tokens: Param<Tensor<2>>,
    /// `[places, width]`.
    places: Param<Tensor<2>>,
    /// `[classes + 1, width]`; the last row is for no class.
    classes: Param<Tensor<2>>,
    blocks: Vec<Block>,
    last_modulation: Linear,
    last: Linear,
    #[module(skip)]
    levels: usize,
}

/// How many codes there are, and where.
#[derive(Debug, Clone, Copy)]
pub struct Places {
    /// Codes to choose from at every place.
    pub codes: usize,
    /// Places of an item.
    pub places: usize,
    /// Successive places take turns in so many codebooks; 1 where all have the same.
    pub levels: usize,
}

const EPSILON: f32 = 1e-6;

impl Block {
    fn new(config: &PriorConfig, stream: &mut dyn FnMut() -> Stream, device: &Device) -> Self {
        let width = config.width;
        let mut layer = |init, inputs, outputs| LinearConfig::new(inputs, outputs).with_init(init).init(stream(), device);
        Self {
            modulation: layer(Init::Zero, width, 6 * width),
            packed: layer(Init::Xavier, width, 3 * width),
            mixed: layer(Init::Xavier, width, width),
            up: layer(Init::Xavier, width, 4 * width),
            down: layer(Init::Xavier, 4 * width, width),
            heads: config.heads,
        }
    }

    /// `x [batch, tokens, width]`, `condition [batch, width]` after its SiLU.
    fn forward(&self, x: Tensor<3>, condition: Tensor<2>) -> Tensor<3> {
        let width = x.dims()[2];
        // Gates begin at 1: with gates of zero, and so few blocks, the first thousands of images would be lost.
        let open = (0..6 * width).map(|place| if matches!(place / width, 2 | 5) { 1.0 } else { 0.0 }).collect();
        let open = host::tensor::<2>(open, [1, 6 * width], &x.device());
        let modulation = self.modulation.forward(condition) + open; // [batch, 6 width]
        let normed = modulated_norm(x.clone(), modulation.clone(), 0, EPSILON);
        let mixed = self.mixed.forward(causal_attention(self.packed.forward(normed), self.heads));
        let x = gated_residual(x, modulation.clone(), 2, mixed);
        let normed = modulated_norm(x.clone(), modulation.clone(), 3, EPSILON);
        let branch = self.down.forward(gelu_tanh(self.up.forward(normed)));
        gated_residual(x, modulation, 5, branch)
    }
}

impl CodePrior {
    /// A fresh prior, which finds all codes equally likely.
    pub fn new(config: &PriorConfig, of: Places, classes: usize, stream: &mut dyn FnMut() -> Stream, device: &Device) -> Self {
        let (width, Places { codes, places, levels }) = (config.width, of);
        let mut table = |rows: usize| drawn(Init::Normal(0.02), (0, 0), [rows, width], (stream(), 0), device);
        let (tokens, places, class_table) = (table(levels * codes + 1), table(places), table(classes + 1));
        Self {
            tokens,
            places,
            classes: class_table,
            blocks: (0..config.depth).map(|_| Block::new(config, stream, device)).collect(),
            last_modulation: LinearConfig::new(width, 2 * width).with_init(Init::Zero).init(stream(), device),
            last: LinearConfig::new(width, codes).with_init(Init::Zero).init(stream(), device),
            levels,
        }
    }

    /// The condition `[batch, width]` that is a class `[batch]`; the last row of the classes is for none.
    pub fn of_classes(&self, classes: Tensor<1, Int>) -> Tensor<2> {
        self.classes.val().select(0, classes)
    }

    /// The condition `[batch, width]` of items without a class.
    pub fn of_no_class(&self, batch: usize, device: &Device) -> Tensor<2> {
        let none = self.classes.val().dims()[0] - 1;
        self.of_classes(Tensor::full([batch], none as i64, device))
    }

    /// Log-odds of the codes at the first places: `before [batch, places - 1]` are the codes of all but the last of these places, and
    /// `condition [batch, width]`; gives `[batch, places, codes]`.
    fn forward(&self, before: Tensor<2, Int>, condition: Tensor<2>) -> Tensor<3> {
        let ([batch, given], [rows, width]) = (before.dims(), self.tokens.val().dims());
        let device = before.device();
        let start = Tensor::<2, Int>::full([batch, 1], (rows - 1) as i64, &device);
        let shown =
            if given == 0 { start } else { Tensor::cat(vec![start, before + self.offsets(given, (rows - 1) / self.levels, &device)], 1) };
        let tokens = self.tokens.val().select(0, shown.reshape([batch * (given + 1)])).reshape([batch, given + 1, width]);
        let mut x = tokens + self.places.val().narrow(0, 0, given + 1).unsqueeze::<3>(); // [batch, places, width]
        let condition = silu(condition); // [batch, width]
        for block in &self.blocks {
            x = block.forward(x, condition.clone());
        }
        self.last.forward(modulated_norm(x, self.last_modulation.forward(condition), 0, EPSILON))
    }

    /// Where the tokens of the first `places` codebooks begin, `[1, places]`.
    fn offsets(&self, places: usize, codes: usize, device: &Device) -> Tensor<2, Int> {
        let firsts: Vec<i32> = (0..places).map(|place| (place % self.levels * codes) as i32).collect();
        Tensor::from_data(TensorData::new(firsts, [1, places]), device)
    }

    /// The mean negative log-likelihood of a code, in nats: `codes [batch, places]` and `condition [batch, width]` give `[1]`.
    pub fn loss(&self, codes: Tensor<2, Int>, condition: Tensor<2>) -> Tensor<1> {
        self.loss_after(codes.clone(), codes, condition)
    }

    /// [`CodePrior::loss`] of `codes`, where the codes before each are told as `shown`, some of them perhaps wrong.
    pub fn loss_after(&self, shown: Tensor<2, Int>, codes: Tensor<2, Int>, condition: Tensor<2>) -> Tensor<1> {
        let [batch, places] = codes.dims();
        let logits = self.forward(shown.narrow(1, 0, places - 1), condition); // [batch, places, codes]
        activation::log_softmax(logits, 2).gather(2, codes.reshape([batch, places, 1])).mean().neg()
    }

    /// Codes `[rows, places]` row-major from `chances [rows, places]`, numbers from 0 to 1: at each place the code that the chance falls to
    /// when codes are laid side by side with their probabilities as lengths. Log-odds are
    /// divided by `temperature`: below 1 likelier codes come more often.
    pub fn draw(&self, chances: &[f64], condition: Tensor<2>, temperature: f64) -> Vec<i32> {
        let ([rows, _], [places, _]) = (condition.dims(), self.places.val().dims());
        let device = condition.device();
        let mut codes: Vec<i32> = vec![0; rows * places];
        for place in 0..places {
            let before: Vec<i32> = codes.chunks_exact(places).flat_map(|codes| codes[..place].iter().copied()).collect();
            let before = Tensor::<2, Int>::from_data(TensorData::new(before, [rows, place]), &device);
            let logits = self.forward(before, condition.clone()).narrow(1, place, 1); // [rows, 1, codes]
            host::read(&logits, |logits| {
                let each = logits.len() / rows;
                for (row, logits) in logits.chunks_exact(each).enumerate() {
                    codes[row * places + place] = chosen(logits, chances[row * places + place], temperature) as i32;
                }
            });
        }
        codes
    }
}

/// Where `chance` falls among choices with these log-odds.
fn chosen(logits: &[f32], chance: f64, temperature: f64) -> usize {
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sharpness = 1.0 / temperature.max(1e-6);
    let weights: Vec<f64> = logits.iter().map(|&logit| (f64::from(logit - greatest) * sharpness).exp()).collect();
    math::chosen(&weights, chance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::init_streams;

    fn prior(device: &Device) -> CodePrior {
        let of = Places { codes: 5, places: 4, levels: 1 };
        let mut prior = CodePrior::new(&PriorConfig { width: 8, depth: 2, heads: 2 }, of, 3, &mut init_streams(1), device);
        // A last layer of zeros would hide whatever comes before it.
        prior.last = LinearConfig::new(8, 5).with_init(Init::Xavier).init(Stream::new(9, 9), device);
        prior
    }

    #[test]
    fn a_code_is_told_those_before_it_only() {
        let device = Device::flex();
        let logits = |codes: [i32; 3]| {
            let before = Tensor::<2, Int>::from_ints([codes], &device);
            let prior = prior(&device);
            let out = prior.forward(before, prior.of_no_class(1, &device));
            assert_eq!(out.dims(), [1, 4, 5]);
            host::read(&out, <[f32]>::to_vec)
        };
        let (a, b) = (logits([1, 2, 3]), logits([1, 4, 3]));
        assert_eq!(a[..10], b[..10], "places 0 and 1 know nothing of the code at place 1");
        assert!(a[10..15] != b[10..15] && a[15..] != b[15..], "those after it do");
    }

    /// A prior whose last layer is zero finds all codes equally likely: ln 5 nats.
    #[test]
    fn the_loss_of_an_even_prior_is_the_logarithm_of_the_codes() {
        let device = Device::flex();
        let of = Places { codes: 5, places: 4, levels: 2 };
        let even = CodePrior::new(&PriorConfig { width: 8, depth: 1, heads: 2 }, of, 0, &mut init_streams(1), &device);
        let codes = Tensor::from_ints([[0, 1, 4, 2], [3, 3, 3, 3]], &device);
        let loss = even.loss(codes, even.of_no_class(2, &device)).into_scalar::<f32>();
        assert!((loss - 5f32.ln()).abs() < 1e-6, "{loss}");
    }

    #[test]
    fn chances_fall_to_codes_as_often_as_they_should() {
        let logits = [0.2f32.ln(), 0.5f32.ln(), 0.3f32.ln()];
        let of = |chance| chosen(&logits, chance, 1.0);
        assert_eq!([0.0, 0.19, 0.21, 0.69, 0.71, 1.0].map(of), [0, 0, 1, 1, 2, 2]);
        assert_eq!(chosen(&logits, 0.01, 0.01), 1, "a low temperature leaves the likeliest");
    }
}

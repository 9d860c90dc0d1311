//! Networks that look at a noised image and say what is image and what is noise in it.

use burn::module::Module;
use burn::tensor::{Int, Tensor};

/// A network of a diffusion or flow model.
pub trait Network: Module {
    /// `x [batch, channels, height, width]`, `time [batch]` (see [`Level::time`](crate::process::Level::time)) and classes `[batch]`,
    /// if the network knows classes; the class after the last one means none. Gives `[batch, channels, height, width]`.
    fn forward(&self, x: Tensor<4>, time: Tensor<1>, class: Option<Tensor<1, Int>>) -> Tensor<4>;
}

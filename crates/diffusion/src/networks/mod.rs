//! Networks that look at a noised image and say what is image and what is noise in it.

pub mod dit;
pub mod unet;

use burn::module::Module;
use burn::tensor::{Int, Tensor};
use serde::{Deserialize, Serialize};

/// Purposes of random numbers above this one draw a network's first weights.
pub(crate) const INIT_STREAM: u32 = 0x0200_0000;

/// The shape of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageShape {
    /// 1 or 3, or the channels of a latent image.
    pub channels: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
}

impl ImageShape {
    /// Numbers in one image.
    pub fn len(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// Whether there is no pixel.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a network is told beside the noised images and their noise levels.
#[derive(Debug, Clone, Default)]
pub struct Condition {
    /// Classes `[batch]`, if the network knows classes; the class after the last one means none, and so does `None`.
    pub class: Option<Tensor<1, Int>>,
    /// How the images were augmented, `[batch, LABELS]` (Karras et al. 2022, appendix F.2; see
    /// [`LABELS`](semblant_data::image::augment::LABELS)); `None` means not at all.
    pub augmentation: Option<Tensor<2>>,
}

/// A network of a diffusion or flow model.
pub trait Network: Module {
    /// `x [batch, channels, height, width]` and `time [batch]` (see [`Level::time`](crate::process::Level::time)) give
    /// `[batch, channels, height, width]`.
    fn forward(&self, x: Tensor<4>, time: Tensor<1>, condition: &Condition) -> Tensor<4>;
}

//! Perceptrons: for images taken as one long vector.

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor};
use semblant_core::Result;
use semblant_core::nn::{self, Init, Linear, LinearConfig, silu};
use semblant_images::ImageShape;
use serde::{Deserialize, Serialize};

use super::{Maker, told};
use semblant_core::config::check_range;

/// The size of the two perceptrons.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MlpConfig {
    /// Width of the hidden layers.
    pub width: usize,
    /// Hidden layers of each.
    pub depth: usize,
}

impl Default for MlpConfig {
    fn default() -> Self {
        Self { width: 512, depth: 2 }
    }
}

impl MlpConfig {
    pub(crate) fn check(&self) -> Result<()> {
        check_range("network.width", self.width, 1, 1 << 14)?;
        check_range("network.depth", self.depth, 1, 64)
    }
}

/// Layers with a SiLU after each; the class enters at the first.
#[derive(Module, Debug)]
struct Hidden {
    layers: Vec<Linear>,
    /// `[classes + 1, width]`.
    classes: Param<Tensor<2>>,
}

impl Hidden {
    fn new(config: &MlpConfig, inputs: usize, classes: usize, make: &mut Maker<'_>) -> Self {
        let inputs = |layer: usize| if layer == 0 { inputs } else { config.width };
        let layers = (0..config.depth)
            .map(|layer| LinearConfig::new(inputs(layer), config.width).with_init(Init::Xavier).init((make.stream)(), make.device));
        Self { layers: layers.collect(), classes: class_table(classes, config.width, make) }
    }

    fn forward(&self, x: Tensor<2>, classes: Option<Tensor<1, Int>>) -> Tensor<2> {
        let mut x = silu(told(self.layers[0].forward(x), self.classes.val(), classes)); // [batch, width]
        for layer in &self.layers[1..] {
            x = silu(layer.forward(x));
        }
        x
    }
}

/// Class vectors, small as a linear layer's on a one-hot vector would be; nothing for no class.
pub(crate) fn class_table(classes: usize, width: usize, make: &mut Maker<'_>) -> Param<Tensor<2>> {
    let stream = (make.stream)();
    nn::parameter([classes + 1, width], make.device, move || {
        let mut table = nn::draw(Init::Normal(0.02), (0, 0), classes * width, stream, 0);
        table.resize((classes + 1) * width, 0.0);
        table
    })
}

/// From images to vectors.
#[derive(Module, Debug)]
pub struct MlpEncoder {
    hidden: Hidden,
    last: Linear,
}

impl MlpEncoder {
    pub(crate) fn new(config: &MlpConfig, shape: &ImageShape, outputs: usize, classes: usize, make: &mut Maker<'_>) -> Self {
        Self {
            hidden: Hidden::new(config, shape.len(), classes, make),
            last: LinearConfig::new(config.width, outputs).with_init(Init::Xavier).init((make.stream)(), make.device),
        }
    }

    pub(crate) fn forward(&self, x: Tensor<2>, classes: Option<Tensor<1, Int>>) -> Tensor<2> {
        self.last.forward(self.hidden.forward(x, classes))
    }
}

/// From vectors to images.
#[derive(Module, Debug)]
pub struct MlpDecoder {
    hidden: Hidden,
    last: Linear,
}

impl MlpDecoder {
    pub(crate) fn new(config: &MlpConfig, shape: &ImageShape, latent: usize, classes: usize, make: &mut Maker<'_>) -> Self {
        Self {
            hidden: Hidden::new(config, latent, classes, make),
            last: LinearConfig::new(config.width, shape.len()).with_init(Init::Xavier).init((make.stream)(), make.device),
        }
    }

    pub(crate) fn forward(&self, z: Tensor<2>, classes: Option<Tensor<1, Int>>) -> Tensor<2> {
        self.last.forward(self.hidden.forward(z, classes))
    }
}

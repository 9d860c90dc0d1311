//! Time, class and augmentation to one vector.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use semblant_core::nn::{self, Constants, Init, Linear, LinearConfig, silu, sinusoid};
use semblant_core::seeds::Stream;
use semblant_data::image::augment::LABELS;

use super::Condition;

/// Numbers in the sinusoid of the time.
pub(crate) const TIME_WIDTH: usize = 256;
/// Time and class to one vector.
#[derive(Module, Debug)]
pub struct Embedder {
    pub(crate) time_1: Linear,
    pub(crate) time_2: Linear,
    /// `[classes + 1, width]`; the last row is for no class.
    pub(crate) classes: Param<Tensor<2>>,
    /// The embedding of augmentation labels, if there are any; without a bias, so that no augmentation adds zero.
    pub(crate) augmentation: Option<Linear>,
    #[module(skip)]
    pub(crate) constants: Constants,
}

impl Embedder {
    pub(crate) fn new(width: usize, classes: usize, stream: &mut dyn FnMut() -> Stream, device: &Device) -> Self {
        let table = nn::drawn(Init::Normal(0.02), (0, 0), [classes + 1, width], (stream(), 0), device);
        Self {
            time_1: LinearConfig::new(TIME_WIDTH, width).with_init(Init::Normal(0.02)).init(stream(), device),
            time_2: LinearConfig::new(width, width).with_init(Init::Normal(0.02)).init(stream(), device),
            classes: table,
            augmentation: None,
            constants: Constants::default(),
        }
    }

    /// This embedder with an input for augmentation labels. The new weights are zero.
    pub(crate) fn with_augmentation(mut self) -> Self {
        let weight = nn::filled([LABELS, self.classes.lazy_shape()[1]], &self.classes.lazy_device(), 0.0);
        self.augmentation = Some(Linear { weight, bias: None });
        self
    }

    /// `time [batch]` and a condition give `[batch, width]`.
    pub(crate) fn forward(&self, time: Tensor<1>, condition: &Condition) -> Tensor<2> {
        let sinusoid = sinusoid(time, TIME_WIDTH, true, 1.0, &self.constants); // [batch, 256]
        let embedded = self.time_2.forward(silu(self.time_1.forward(sinusoid))); // [batch, width]
        let [batch, _] = embedded.dims();
        let none = self.classes.val().dims()[0] - 1;
        let class = condition.class.clone().unwrap_or_else(|| Tensor::full([batch], none as i64, &embedded.device()));
        let embedded = embedded + self.classes.val().select(0, class);
        match (&self.augmentation, &condition.augmentation) {
            (Some(layer), Some(labels)) => embedded + layer.forward(labels.clone()),
            _ => embedded,
        }
    }
}

//! LPIPS: how far apart two images look, by the layers of a network that was trained on photographs.
//!
//! Zhang et al. 2018, "The unreasonable effectiveness of deep features as a perceptual metric", in version 0.1 of its package: five layers of
//! AlexNet or VGG16, the channels of each place brought to length 1, squared differences weighted by channel, mean over places, sum over
//! layers. Both the network and the weights by channel are files of the user's, with the names that torchvision and the package lpips give.

use std::path::Path;

use burn::tensor::activation::relu;
use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData};
use semblant_core::host;
use semblant_data::catalog::sha256;
use semblant_data::image::Images;
use serde::{Deserialize, Serialize};

use super::super::weights::Weights;
use crate::{Error, Result};

/// Pairs that go through the network together.
const AT_ONCE: usize = 8;

/// The network whose layers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backbone {
    /// AlexNet, as torchvision has it.
    Alex,
    /// VGG with 16 layers, as torchvision has it.
    Vgg,
}

/// One convolution of a backbone: its place among torchvision's `features`, channels in and out, kernel, stride, padding.
type Layer = (usize, [usize; 2], usize, usize, usize);

const ALEX: [&[Layer]; 5] = [
    &[(0, [3, 64], 11, 4, 2)],
    &[(3, [64, 192], 5, 1, 2)],
    &[(6, [192, 384], 3, 1, 1)],
    &[(8, [384, 256], 3, 1, 1)],
    &[(10, [256, 256], 3, 1, 1)],
];

const VGG: [&[Layer]; 5] = [
    &[(0, [3, 64], 3, 1, 1), (2, [64, 64], 3, 1, 1)],
    &[(5, [64, 128], 3, 1, 1), (7, [128, 128], 3, 1, 1)],
    &[(10, [128, 256], 3, 1, 1), (12, [256, 256], 3, 1, 1), (14, [256, 256], 3, 1, 1)],
    &[(17, [256, 512], 3, 1, 1), (19, [512, 512], 3, 1, 1), (21, [512, 512], 3, 1, 1)],
    &[(24, [512, 512], 3, 1, 1), (26, [512, 512], 3, 1, 1), (28, [512, 512], 3, 1, 1)],
];

impl Backbone {
    fn stages(self) -> [&'static [Layer]; 5] {
        match self {
            Self::Alex => ALEX,
            Self::Vgg => VGG,
        }
    }

    /// The window and the stride of the maximum before a stage, if there is one.
    fn pool(self, stage: usize) -> Option<[usize; 2]> {
        match self {
            Self::Alex => (1..3).contains(&stage).then_some([3, 2]),
            Self::Vgg => (stage > 0).then_some([2, 2]),
        }
    }

    /// The fewest pixels that an image must have on each side, so that the last layer has one.
    pub fn least(self) -> usize {
        match self {
            Self::Alex => 31,
            Self::Vgg => 16,
        }
    }
}

/// What distances were made with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LpipsProvenance {
    /// The network.
    pub backbone: Backbone,
    /// SHA-256 of the file of its weights.
    pub sha256: String,
    /// SHA-256 of the file of the weights by channel.
    pub sha256_of_channels: String,
}

/// The network and the weights by channel.
pub struct Lpips {
    /// Weights `[outputs, inputs, kernel, kernel]` and biases `[outputs]` of the convolutions of each stage, in their order.
    stages: Vec<Vec<(Tensor<4>, Tensor<1>)>>,
    /// `[1, channels, 1, 1]` a stage.
    channels: Vec<Tensor<4>>,
    about: LpipsProvenance,
    device: Device,
}

impl Lpips {
    /// From a file of torchvision's AlexNet or VGG16 (which of both it is, its first layer says) and one of the package's `alex.pth` or
    /// `vgg.pth`; each as `.pth` or as safetensors of the same names.
    ///
    /// # Errors
    /// A file that is missing, damaged, or holds something else; the message names the first tensor that does not fit.
    pub fn load(backbone: &Path, channels: &Path, device: &Device) -> Result<Self> {
        let failed = |error: semblant_core::Error| Error::Images(error.to_string());
        let mut weights = Weights::read(backbone, "torchvision's AlexNet or VGG16").map_err(failed)?;
        let kind = if weights.shape("features.0.weight") == Some(&[64, 3, 11, 11]) { Backbone::Alex } else { Backbone::Vgg };
        let mut layer = |&(place, [inputs, outputs], kernel, ..): &Layer| {
            let weight = weights.tensor(&format!("features.{place}.weight"), [outputs, inputs, kernel, kernel], device)?;
            Ok((weight, weights.tensor(&format!("features.{place}.bias"), [outputs], device)?))
        };
        let stages = kind.stages().map(|stage| stage.iter().map(&mut layer).collect::<semblant_core::Result<Vec<_>>>());
        let stages = stages.into_iter().collect::<semblant_core::Result<Vec<_>>>().map_err(failed)?;
        weights.nothing_else(|name| name.starts_with("classifier.")).map_err(failed)?;
        let mut weights = Weights::read(channels, "the weights by channel of LPIPS 0.1 for that network").map_err(failed)?;
        let mut by_channel = |stage: usize| {
            let width = kind.stages()[stage].last().map_or(0, |layer| layer.1[1]);
            weights.tensor(&format!("lin{stage}.model.1.weight"), [1, width, 1, 1], device)
        };
        let by_channel = (0..5).map(&mut by_channel).collect::<semblant_core::Result<Vec<_>>>().map_err(failed)?;
        weights.nothing_else(|_| false).map_err(failed)?;
        let about = LpipsProvenance { backbone: kind, sha256: sha256(backbone)?, sha256_of_channels: sha256(channels)? };
        Ok(Self { stages, channels: by_channel, about, device: device.clone() })
    }

    /// What goes with every number made with it.
    pub fn provenance(&self) -> &LpipsProvenance {
        &self.about
    }

    /// The distance of each image of `b` from that of `a` in the same place. From 0, which equal images have; lower is better, and numbers
    /// of two backbones cannot be compared. A grey image has its channel three times.
    ///
    /// # Errors
    /// [`Error::Images`] when the two differ in shape; [`Error::Undefined`] when a side has fewer pixels than the network needs.
    pub fn distances(&self, a: &Images, b: &Images) -> Result<Vec<f64>> {
        super::check(a, b)?;
        let least = self.about.backbone.least();
        if a.height() < least || a.width() < least {
            let found = format!("the images have {} x {}", a.height(), a.width());
            return crate::error::undefined(format!("LPIPS by this network needs {least} x {least} pixels, {found}"));
        }
        let every: Vec<usize> = (0..a.count()).collect();
        let of = |indices: &[usize]| {
            let [a, b] = [a, b].map(|images| self.layers(images, indices));
            let differences = a.into_iter().zip(b).zip(&self.channels).map(|((a, b), weights)| {
                let squares = (a - b).powi_scalar(2) * weights.clone(); // [batch, channels, height, width]
                squares.sum_dim(1).flatten::<2>(1, 3).mean_dim(1) // [batch, 1]
            });
            let sum = differences.reduce(|sum, stage| sum + stage);
            sum.map_or_else(Vec::new, |sum| host::read(&sum, |found| found.iter().map(|&d| f64::from(d)).collect()))
        };
        Ok(every.chunks(AT_ONCE).flat_map(of).collect())
    }

    /// Five layers `[batch, channels, height', width']`, each place's channels of length 1.
    fn layers(&self, images: &Images, indices: &[usize]) -> Vec<Tensor<4>> {
        let kind = self.about.backbone;
        let mut x = self.scaled(images, indices); // [batch, 3, height, width]
        let mut layers = Vec::new();
        for (stage, convolutions) in self.stages.iter().enumerate() {
            if let Some([window, stride]) = kind.pool(stage) {
                x = max_pool2d(x, MaxPoolOptions::new([window; 2]).with_stride([stride; 2]));
            }
            for ((weight, bias), &(.., stride, padding)) in convolutions.iter().zip(kind.stages()[stage]) {
                let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
                x = relu(conv2d(x, weight.clone(), Some(bias.clone()), options));
            }
            let length = x.clone().powi_scalar(2).sum_dim(1).sqrt(); // [batch, 1, height', width']
            layers.push(x.clone() / (length + 1e-10));
        }
        layers
    }

    /// -1 to 1, less a mean and over a deviation of photographs that the package has by channel.
    fn scaled(&self, images: &Images, indices: &[usize]) -> Tensor<4> {
        const SHIFT: [f32; 3] = [-0.030, -0.088, -0.188];
        const SCALE: [f32; 3] = [0.458, 0.448, 0.450];
        let (channels, height, width) = (images.channels(), images.height(), images.width());
        let units = images.units_of(indices);
        let mut values = Vec::with_capacity(indices.len() * 3 * height * width);
        for image in units.chunks_exact(channels * height * width) {
            let planes = image.chunks_exact(height * width).cycle().take(3);
            for ((plane, shift), scale) in planes.zip(SHIFT).zip(SCALE) {
                values.extend(plane.iter().map(|unit| (unit - shift) / scale));
            }
        }
        Tensor::from_data(TensorData::new(values, [indices.len(), 3, height, width]), &self.device)
    }
}

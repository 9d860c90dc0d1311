//! Inception v3 as FID and the Inception Score were defined with it, with weights from a file.
//!
//! The network is that of Szegedy et al. 2016, "Rethinking the Inception architecture for computer vision", as TensorFlow's graph
//! `inception-2015-12-05` has it (Heusel et al. 2017). From the one that torchvision trains it differs in its 1,008 classes, in that
//! averages over windows at an edge count only pixels that are there, and in that the very last block takes the maximum where all other
//! blocks take the average. Names of weights are those of the package pytorch-fid and of its file
//! `pt_inception-2015-12-05-6726825d.pth`.

use std::path::Path;

use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::module::{avg_pool2d, conv2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData};
use semblant_core::{Error, Result, host};
use semblant_data::catalog::sha256;
use semblant_data::image::Images;

use super::extractor::{FeatureExtractor, Provenance};
use super::resize::{Resize, SIDE};
use super::weights::Weights;

/// Numbers that the features of an image are.
pub const WIDTH: usize = 2048;
/// Classes of the last layer.
pub const CLASSES: usize = 1008;
/// What keeps a normalisation from dividing by zero.
const EPSILON: f32 = 1e-3;
/// Images that go through it together on the CPU: about 60 MB in its widest layer.
const AT_ONCE: usize = 8;
/// And on any other device, which has more to do at once.
const AT_ONCE_ON_DEVICE: usize = 64;

/// Where weights come from and where they go.
struct Source<'a> {
    weights: Weights,
    device: &'a Device,
}

/// A convolution, a normalisation with the statistics of training, and a rectifier. The first two are one linear map, kept as one.
struct Conv {
    /// `[outputs, inputs, height, width]`.
    weight: Tensor<4>,
    /// `[outputs]`.
    bias: Tensor<1>,
    stride: usize,
    padding: [usize; 2],
}

impl Conv {
    fn new(
        from: &mut Source,
        name: &str,
        [inputs, outputs]: [usize; 2],
        kernel: [usize; 2],
        stride: usize,
        padding: [usize; 2],
    ) -> Result<Self> {
        let mut part = |part: &str, shape: &[usize]| from.weights.values(&format!("{name}.{part}"), shape);
        let mut weight = part("conv.weight", &[outputs, inputs, kernel[0], kernel[1]])?;
        let [scale, shift, mean, variance] =
            ["weight", "bias", "running_mean", "running_var"].map(|of| part(&format!("bn.{of}"), &[outputs]));
        let (scale, shift, mean, variance) = (scale?, shift?, mean?, variance?);
        let scale: Vec<f32> = scale.iter().zip(&variance).map(|(scale, variance)| scale / (variance + EPSILON).sqrt()).collect();
        weight.chunks_exact_mut(inputs * kernel[0] * kernel[1]).zip(&scale).for_each(|(row, by)| row.iter_mut().for_each(|w| *w *= by));
        let bias = (0..outputs).map(|output| shift[output] - mean[output] * scale[output]).collect();
        let weight = host::tensor(weight, [outputs, inputs, kernel[0], kernel[1]], from.device);
        Ok(Self { weight, bias: host::tensor(bias, [outputs], from.device), stride, padding })
    }

    /// Keeps the size, with zeros around.
    fn same(from: &mut Source, name: &str, channels: [usize; 2], kernel: [usize; 2]) -> Result<Self> {
        Self::new(from, name, channels, kernel, 1, kernel.map(|side| side / 2))
    }

    /// 3 x 3 within the image.
    fn within(from: &mut Source, name: &str, channels: [usize; 2], stride: usize) -> Result<Self> {
        Self::new(from, name, channels, [3, 3], stride, [0, 0])
    }

    /// `[batch, inputs, height, width]` gives `[batch, outputs, height', width']`.
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let options = ConvOptions::new([self.stride; 2], self.padding, [1, 1], 1);
        relu(conv2d(x, self.weight.clone(), Some(self.bias.clone()), options))
    }
}

/// Convolutions one behind the other.
struct Chain(Vec<Conv>);

impl Chain {
    /// Convolutions that keep the size; `name` and each one's own part of it.
    fn same<const N: usize>(from: &mut Source, name: &str, inputs: usize, parts: [(&str, usize, [usize; 2]); N]) -> Result<Self> {
        let mut inputs = inputs;
        let one = |(part, outputs, kernel)| {
            Conv::same(from, &format!("{name}.{part}"), [std::mem::replace(&mut inputs, outputs), outputs], kernel)
        };
        Ok(Self(parts.into_iter().map(one).collect::<Result<_>>()?))
    }

    /// One more, 3 x 3, that halves the size.
    fn halving(mut self, from: &mut Source, name: &str, channels: [usize; 2]) -> Result<Self> {
        self.0.push(Conv::within(from, name, channels, 2)?);
        Ok(self)
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.0.iter().fold(x, |x, conv| conv.forward(x))
    }
}

/// The mean over 3 x 3 pixels, of those only that are within the image.
fn average(x: Tensor<4>) -> Tensor<4> {
    avg_pool2d(x, AvgPoolOptions::new([3, 3]).with_stride([1, 1]).with_padding([1, 1]).with_count_include_pad(false))
}

/// The maximum over 3 x 3 pixels, every second place: `[batch, channels, (height - 1) / 2, (width - 1) / 2]`.
fn halved(x: Tensor<4>) -> Tensor<4> {
    max_pool2d(x, MaxPoolOptions::new([3, 3]).with_stride([2, 2]))
}

/// A block whose branches keep the size: their channels side by side, those of the pooled branch last.
struct Same {
    branches: Vec<Chain>,
    pooled: Conv,
    pool: fn(Tensor<4>) -> Tensor<4>,
}

impl Same {
    /// 35 x 35 pixels.
    fn a(from: &mut Source, name: &str, inputs: usize, pooled: usize) -> Result<Self> {
        let branches = vec![
            Chain::same(from, name, inputs, [("branch1x1", 64, [1, 1])])?,
            Chain::same(from, name, inputs, [("branch5x5_1", 48, [1, 1]), ("branch5x5_2", 64, [5, 5])])?,
            Chain::same(
                from,
                name,
                inputs,
                [("branch3x3dbl_1", 64, [1, 1]), ("branch3x3dbl_2", 96, [3, 3]), ("branch3x3dbl_3", 96, [3, 3])],
            )?,
        ];
        Ok(Self { branches, pooled: Conv::same(from, &format!("{name}.branch_pool"), [inputs, pooled], [1, 1])?, pool: average })
    }

    /// 17 x 17 pixels, with convolutions of 1 x 7 and 7 x 1 in the place of 7 x 7.
    fn c(from: &mut Source, name: &str, between: usize) -> Result<Self> {
        let (row, column) = ([1, 7], [7, 1]);
        let branches = vec![
            Chain::same(from, name, 768, [("branch1x1", 192, [1, 1])])?,
            Chain::same(from, name, 768, [("branch7x7_1", between, [1, 1]), ("branch7x7_2", between, row), ("branch7x7_3", 192, column)])?,
            Chain::same(
                from,
                name,
                768,
                [
                    ("branch7x7dbl_1", between, [1, 1]),
                    ("branch7x7dbl_2", between, column),
                    ("branch7x7dbl_3", between, row),
                    ("branch7x7dbl_4", between, column),
                    ("branch7x7dbl_5", 192, row),
                ],
            )?,
        ];
        Ok(Self { branches, pooled: Conv::same(from, &format!("{name}.branch_pool"), [768, 192], [1, 1])?, pool: average })
    }

    /// `[batch, inputs, side, side]` gives `[batch, outputs, side, side]`.
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mut parts: Vec<Tensor<4>> = self.branches.iter().map(|branch| branch.forward(x.clone())).collect();
        parts.push(self.pooled.forward((self.pool)(x)));
        Tensor::cat(parts, 1)
    }
}

/// A block that halves the size: two branches of convolutions, and the maximum.
struct Halving([Chain; 2]);

impl Halving {
    /// 35 x 35 to 17 x 17 pixels.
    fn b(from: &mut Source, name: &str) -> Result<Self> {
        let short = Chain(Vec::new()).halving(from, &format!("{name}.branch3x3"), [288, 384])?;
        let long = Chain::same(from, name, 288, [("branch3x3dbl_1", 64, [1, 1]), ("branch3x3dbl_2", 96, [3, 3])])?;
        Ok(Self([short, long.halving(from, &format!("{name}.branch3x3dbl_3"), [96, 96])?]))
    }

    /// 17 x 17 to 8 x 8 pixels.
    fn d(from: &mut Source, name: &str) -> Result<Self> {
        let short = Chain::same(from, name, 768, [("branch3x3_1", 192, [1, 1])])?;
        let short = short.halving(from, &format!("{name}.branch3x3_2"), [192, 320])?;
        let parts = [("branch7x7x3_1", 192, [1, 1]), ("branch7x7x3_2", 192, [1, 7]), ("branch7x7x3_3", 192, [7, 1])];
        let long = Chain::same(from, name, 768, parts)?;
        Ok(Self([short, long.halving(from, &format!("{name}.branch7x7x3_4"), [192, 192])?]))
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let Self([short, long]) = self;
        Tensor::cat(vec![short.forward(x.clone()), long.forward(x.clone()), halved(x)], 1)
    }
}

/// A block of 8 x 8 pixels whose branches part a second time.
struct Parting {
    direct: Conv,
    /// Convolutions, and the two that share their result.
    branches: [(Chain, [Conv; 2]); 2],
    pooled: Conv,
    pool: fn(Tensor<4>) -> Tensor<4>,
}

impl Parting {
    fn e(from: &mut Source, name: &str, inputs: usize, pool: fn(Tensor<4>) -> Tensor<4>) -> Result<Self> {
        let mut fork = |part: &str| {
            let mut side = |end: &str, kernel| Conv::same(from, &format!("{name}.{part}{end}"), [384, 384], kernel);
            Ok::<_, Error>([side("a", [1, 3])?, side("b", [3, 1])?])
        };
        let (near, far) = (fork("branch3x3_2")?, fork("branch3x3dbl_3")?);
        let to_near = Chain::same(from, name, inputs, [("branch3x3_1", 384, [1, 1])])?;
        let to_far = Chain::same(from, name, inputs, [("branch3x3dbl_1", 448, [1, 1]), ("branch3x3dbl_2", 384, [3, 3])])?;
        Ok(Self {
            direct: Conv::same(from, &format!("{name}.branch1x1"), [inputs, 320], [1, 1])?,
            branches: [(to_near, near), (to_far, far)],
            pooled: Conv::same(from, &format!("{name}.branch_pool"), [inputs, 192], [1, 1])?,
            pool,
        })
    }

    /// `[batch, inputs, 8, 8]` gives `[batch, 2048, 8, 8]`.
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mut parts = vec![self.direct.forward(x.clone())];
        for (to, fork) in &self.branches {
            let x = to.forward(x.clone()); // [batch, 384, 8, 8]
            parts.extend(fork.iter().map(|side| side.forward(x.clone())));
        }
        parts.push(self.pooled.forward((self.pool)(x)));
        Tensor::cat(parts, 1)
    }
}

/// The network, and how images come to its size.
pub struct Inception {
    stem: [Conv; 5],
    wide: [Same; 3],
    to_middle: Halving,
    middle: [Same; 4],
    to_narrow: Halving,
    narrow: [Parting; 2],
    /// `[1008, 2048]`; its bias is left out, as the Inception Score is defined.
    scores: Tensor<2>,
    resize: Resize,
    device: Device,
    sha256: String,
}

impl Inception {
    /// The network with the weights in a file: pytorch-fid's `.pth`, or the same tensors as safetensors.
    ///
    /// # Errors
    /// A file that is missing, damaged, or holds another network; the message names the first tensor that does not fit.
    pub fn load(path: &Path, resize: Resize, device: &Device) -> Result<Self> {
        let weights = Weights::read(path, "FID's Inception v3, like pt_inception-2015-12-05-6726825d.pth")?;
        let mut source = Source { weights, device };
        let from = &mut source;
        let stem = [
            Conv::within(from, "Conv2d_1a_3x3", [3, 32], 2)?,
            Conv::within(from, "Conv2d_2a_3x3", [32, 32], 1)?,
            Conv::same(from, "Conv2d_2b_3x3", [32, 64], [3, 3])?,
            Conv::same(from, "Conv2d_3b_1x1", [64, 80], [1, 1])?,
            Conv::within(from, "Conv2d_4a_3x3", [80, 192], 1)?,
        ];
        let wide = [Same::a(from, "Mixed_5b", 192, 32)?, Same::a(from, "Mixed_5c", 256, 64)?, Same::a(from, "Mixed_5d", 288, 64)?];
        let to_middle = Halving::b(from, "Mixed_6a")?;
        let [b, c, d, e] = [("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)].map(|(n, c)| Same::c(from, n, c));
        let to_narrow = Halving::d(from, "Mixed_7a")?;
        let maximum = |x| max_pool2d(x, MaxPoolOptions::new([3, 3]).with_stride([1, 1]).with_padding([1, 1]));
        let narrow = [Parting::e(from, "Mixed_7b", 1280, average)?, Parting::e(from, "Mixed_7c", 2048, maximum)?];
        let scores = from.weights.tensor("fc.weight", [CLASSES, WIDTH], device)?;
        source.weights.nothing_else(|name| name == "fc.bias")?;
        let sha256 = sha256(path).map_err(|error| Error::Data(error.to_string()))?;
        let (middle, device) = ([b?, c?, d?, e?], device.clone());
        Ok(Self { stem, wide, to_middle, middle, to_narrow, narrow, scores, resize, device, sha256 })
    }

    /// `[batch, 3, 299, 299]`, about -1 to 1, gives `[batch, 2048]`.
    fn features(&self, x: Tensor<4>) -> Tensor<2> {
        let [one, two, three, four, five] = &self.stem;
        let x = three.forward(two.forward(one.forward(x))); // [batch, 64, 147, 147]
        let x = halved(x); // [batch, 64, 73, 73]
        let x = halved(five.forward(four.forward(x))); // [batch, 192, 35, 35]
        let x = self.wide.iter().fold(x, |x, block| block.forward(x)); // [batch, 288, 35, 35]
        let x = self.to_middle.forward(x); // [batch, 768, 17, 17]
        let x = self.middle.iter().fold(x, |x, block| block.forward(x)); // [batch, 768, 17, 17]
        let x = self.to_narrow.forward(x); // [batch, 1280, 8, 8]
        let x = self.narrow.iter().fold(x, |x, block| block.forward(x)); // [batch, 2048, 8, 8]
        x.flatten::<3>(2, 3).mean_dim(2).flatten::<2>(1, 2) // [batch, 2048]
    }

    /// `[batch, 2048]` gives each class's score without a bias, `[batch, 1008]`.
    fn logits(&self, features: Tensor<2>) -> Tensor<2> {
        features.matmul(self.scores.clone().transpose())
    }
}

impl FeatureExtractor for Inception {
    fn width(&self) -> usize {
        WIDTH
    }

    fn classes(&self) -> usize {
        CLASSES
    }

    fn class_names(&self) -> &[String] {
        &[]
    }

    fn extract(&self, images: &Images, take: &mut dyn FnMut(&[f32], &[f32])) -> Result<()> {
        let every: Vec<usize> = (0..images.count()).collect();
        for indices in every.chunks(if host::is_host(&self.device) { AT_ONCE } else { AT_ONCE_ON_DEVICE }) {
            let batch = TensorData::new(self.resize.apply(images, indices), [indices.len(), 3, SIDE, SIDE]);
            let features = self.features(Tensor::from_data(batch, &self.device)); // [batch, 2048]
            let log_shares = log_softmax(self.logits(features.clone()), 1); // [batch, 1008]
            let both = Tensor::cat(vec![features, log_shares], 1);
            host::read(&both, |found| {
                found.chunks_exact(WIDTH + CLASSES).for_each(|row| take(&row[..WIDTH], &row[WIDTH..]));
            });
        }
        Ok(())
    }

    fn device(&self) -> &Device {
        &self.device
    }

    fn provenance(&self) -> Result<Provenance> {
        Ok(Provenance {
            kind: "inception".into(),
            architecture: "Inception v3 as in FID, pool3, 2048 features, 1008 classes without bias".into(),
            resize: Some(self.resize.name().into()),
            seed: None,
            accuracy: None,
            sha256: self.sha256.clone(),
        })
    }
}

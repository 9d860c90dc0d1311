//! Convolutional critics with exact gradient penalties on first-order autodiff.
//!
//! Layers that are linear, or linear on either side of zero, make a network that is linear around almost every input. Its gradient with
//! respect to the input is then the chain of their adjoints, read backwards, with the slopes of the pass as constants: convolutions become
//! transposed convolutions with the same weights, averages become spreads. That chain is an ordinary computation, so autodiff through it
//! gives the gradient of any penalty on it, exactly, almost everywhere. What is no such layer (batch norm, attention) has no place among
//! [`Layer`]s.

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Int, Shape, Tensor};
use semblant_core::host;
use semblant_core::nn::{
    Conv, ConvConfig, Init, Linear, LinearConfig, average_pool, blur, conv_transpose2d, conv2d, draw, drawn, leaky_relu, times,
    upsample_nearest,
};
use semblant_core::seeds::Stream;

/// A convolution in such a network: its weights, in groups of channels, divided by their greatest singular value if it is normalised so.
#[derive(Module, Debug)]
pub struct SpectralConv {
    /// Weights `[outputs, inputs / groups, kernel, kernel]` and bias.
    pub conv: Conv,
    /// The left singular vector of the weights `[outputs, inputs kernel^2]`, as far as it has been found; none without normalisation.
    pub singular: Option<Param<Tensor<1>>>,
    /// Pixels from one place of the kernel to the next.
    #[module(skip)]
    pub stride: usize,
    /// Zeros on every side.
    #[module(skip)]
    pub padding: usize,
    /// Groups of channels that do not look at each other.
    #[module(skip)]
    pub groups: usize,
}

impl SpectralConv {
    /// Of `inputs` to `outputs` channels, in one group, without normalisation.
    pub fn new(init: Init, [inputs, outputs]: [usize; 2], kernel: usize, stride: usize, stream: Stream, device: &Device) -> Self {
        let padding = (kernel - 1) / 2;
        Self {
            conv: ConvConfig::new(inputs, outputs, kernel).with_init(init).init(stream, device),
            singular: None,
            stride,
            padding,
            groups: 1,
        }
    }

    /// This convolution with spectral normalisation (Miyato et al. 2018); a stream of random numbers draws the first singular vector.
    pub fn normalised(mut self, stream: Stream) -> Self {
        let (outputs, device) = (self.conv.weight.lazy_shape()[0], self.conv.weight.lazy_device());
        let first =
            move |device: &Device, _: bool| unit(host::tensor(draw(Init::Normal(1.0), (1, 1), outputs, stream, 0), [outputs], device));
        self.singular = Some(Param::uninitialized(ParamId::new(), first, device, false, Shape::from([outputs])));
        self
    }

    /// The weights as they are used, and the singular vector after one more power iteration (Miyato et al. 2018, algorithm 1).
    fn weight(&self) -> (Tensor<4>, Option<Tensor<1>>) {
        let weight = self.conv.weight.val();
        let Some(left) = &self.singular else { return (weight, None) };
        let [outputs, inputs, kernel, _] = weight.dims();
        let flat = weight.clone().reshape([outputs, inputs * kernel * kernel]);
        let plain = flat.clone().inner();
        let left = left.val().inner().reshape([1, outputs]);
        let right = unit(left.matmul(plain.clone()).squeeze_dim::<1>(0)); // [inputs * kernel^2]
        let left = unit(plain.matmul(right.clone().unsqueeze_dim::<2>(1)).squeeze_dim::<1>(1)); // [outputs]
        let tracked = |vector: Tensor<1>| if weight.device() == vector.device() { vector } else { Tensor::from_inner(vector) };
        // The vectors are constants, so the gradient of the singular value is their outer product.
        let rows = flat.matmul(tracked(right).unsqueeze_dim::<2>(1)); // [outputs, 1]
        let sigma = tracked(left.clone()).unsqueeze_dim::<2>(0).matmul(rows); // [1, 1]
        (weight / sigma.reshape([1, 1, 1, 1]), Some(left))
    }

    /// After one more power iteration.
    fn iterated(mut self) -> Self {
        if let (_, Some(left)) = self.weight() {
            let device = self.conv.weight.val().device();
            let left = if left.device() == device { left } else { Tensor::from_inner(left) };
            self.singular = self.singular.map(|before| Param::initialized(before.id, left).set_require_grad(false));
        }
        self
    }

    /// `x [batch, inputs, height, width]` gives `[batch, outputs, height', width']`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let (weight, bias) = (self.weight().0, self.conv.bias.val());
        let around = [self.padding; 4];
        let (outputs, each) = (weight.dims()[0] / self.groups, weight.dims()[1]);
        if self.groups == 1 {
            return conv2d(x, weight, Some(bias), self.stride, around);
        }
        let part = |group: usize| {
            let weight = weight.clone().narrow(0, group * outputs, outputs);
            let bias = bias.clone().narrow(0, group * outputs, outputs);
            conv2d(x.clone().narrow(1, group * each, each), weight, Some(bias), self.stride, around)
        };
        Tensor::cat((0..self.groups).map(part).collect(), 1)
    }

    /// The adjoint, to images of height and width `size`.
    fn adjoint(&self, gradient: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
        let weight = self.weight().0;
        let outputs = weight.dims()[0] / self.groups;
        if self.groups == 1 {
            return conv_transpose2d(gradient, weight, self.stride, self.padding, size);
        }
        let part = |group: usize| {
            let weight = weight.clone().narrow(0, group * outputs, outputs);
            conv_transpose2d(gradient.clone().narrow(1, group * outputs, outputs), weight, self.stride, self.padding, size)
        };
        Tensor::cat((0..self.groups).map(part).collect(), 1)
    }
}

fn unit(vector: Tensor<1>) -> Tensor<1> {
    let norm = vector.clone().square().sum().sqrt() + 1e-12;
    vector / norm
}

/// What is added to its own input: convolutions with LeakyReLU between them.
#[derive(Module, Debug)]
pub struct ResidualBranch {
    /// The convolutions, which together keep the shape.
    pub convs: Vec<SpectralConv>,
    /// The slope of LeakyReLU below zero.
    #[module(skip)]
    pub negative_slope: f32,
}

/// One layer that is linear around almost every input.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a network has a few dozen, and most are convolutions")]
pub enum Layer {
    /// A convolution.
    Conv(SpectralConv),
    /// LeakyReLU with this slope below zero.
    Leaky(LeakySlope),
    /// `x + branch(x)`.
    Residual(ResidualBranch),
    /// Half the side: a blur, then the mean of four pixels.
    Halve(Halve),
    /// Twice the side: every pixel four times, then a blur.
    Double(Double),
}

/// The slope of LeakyReLU below zero.
#[derive(Module, Debug)]
pub struct LeakySlope {
    /// The slope.
    #[module(skip)]
    pub negative: f32,
}

/// See [`Layer::Halve`].
#[derive(Module, Debug, Default)]
pub struct Halve {}

/// See [`Layer::Double`].
#[derive(Module, Debug, Default)]
pub struct Double {}

/// The slopes and sizes of one pass through layers, in the order in which they were met.
#[derive(Debug, Clone, Default)]
pub struct Slopes {
    slopes: Vec<Tensor<4>>,
    sizes: Vec<[usize; 2]>,
    batch: usize,
}

impl Slopes {
    fn size(&mut self, x: &Tensor<4>) {
        let [batch, _, height, width] = x.dims();
        self.batch = batch;
        self.sizes.push([height, width]);
    }

    fn leaky(&mut self, x: Tensor<4>, negative: f32) -> Tensor<4> {
        let (x, slopes) = leaky_relu(x, negative);
        self.slopes.push(slopes);
        x
    }
}

/// Why taking back cannot fail: the way back meets what the way there left behind.
const SAME_WAY: &str = "slopes are of a pass through these layers";

impl Layer {
    /// LeakyReLU.
    pub fn leaky(negative: f32) -> Self {
        Self::Leaky(LeakySlope { negative })
    }

    /// `x [batch, channels, height, width]` through this layer; what its adjoint needs goes to `slopes`.
    pub fn forward(&self, x: Tensor<4>, slopes: &mut Slopes) -> Tensor<4> {
        match self {
            Self::Conv(conv) => {
                slopes.size(&x);
                conv.forward(x)
            }
            Self::Leaky(LeakySlope { negative }) => slopes.leaky(x, *negative),
            Self::Residual(branch) => {
                let mut inside = x.clone();
                for (index, conv) in branch.convs.iter().enumerate() {
                    if index > 0 {
                        inside = slopes.leaky(inside, branch.negative_slope);
                    }
                    slopes.size(&inside);
                    inside = conv.forward(inside);
                }
                x + inside
            }
            Self::Halve(_) => average_pool(blur(x)),
            Self::Double(_) => blur(upsample_nearest(x)),
        }
    }

    /// The gradient before this layer from that behind it; takes back what [`Layer::forward`] left.
    fn adjoint(&self, gradient: Tensor<4>, left: &mut Slopes) -> Tensor<4> {
        match self {
            Self::Conv(conv) => conv.adjoint(gradient, left.sizes.pop().expect(SAME_WAY)),
            Self::Leaky(_) => times(gradient, left.slopes.pop().expect(SAME_WAY)),
            Self::Residual(branch) => {
                let mut inside = gradient.clone();
                for (index, conv) in branch.convs.iter().enumerate().rev() {
                    inside = conv.adjoint(inside, left.sizes.pop().expect(SAME_WAY));
                    if index > 0 {
                        inside = times(inside, left.slopes.pop().expect(SAME_WAY));
                    }
                }
                gradient + inside
            }
            Self::Halve(_) => blur(upsample_nearest(gradient) * 0.25),
            Self::Double(_) => average_pool(blur(gradient)) * 4.0,
        }
    }

    fn iterated(self) -> Self {
        match self {
            Self::Conv(conv) => Self::Conv(conv.iterated()),
            Self::Residual(branch) => Self::Residual(ResidualBranch {
                convs: branch.convs.into_iter().map(SpectralConv::iterated).collect(),
                negative_slope: branch.negative_slope,
            }),
            other => other,
        }
    }
}

/// Layers, then features by one linear layer, then a score: their product with a vector of the class's own (Miyato and Koyama 2018).
#[derive(Module, Debug)]
pub struct PiecewiseCritic {
    /// From images to a small image of many channels.
    pub layers: Vec<Layer>,
    /// From all of its values to features.
    pub features: Linear,
    /// What features count for every class, `[features, 1]`.
    pub score: Linear,
    /// What they count for each class besides, `[classes, features]`; none without classes.
    pub classes: Option<Param<Tensor<2>>>,
}

impl PiecewiseCritic {
    /// A critic on `layers`, which give `flat` values an image; a stream draws its head.
    pub fn new(layers: Vec<Layer>, flat: usize, features: usize, classes: usize, streams: [Stream; 3], device: &Device) -> Self {
        let [first, second, third] = streams;
        let deviation = 1.0 / (features as f32).sqrt();
        let by_class = || drawn(Init::Normal(deviation), (features, 1), [classes, features], (third, 0), device);
        Self {
            layers,
            features: LinearConfig::new(flat, features).with_init(Init::Xavier).init(first, device),
            score: LinearConfig::new(features, 1).with_init(Init::Normal(deviation)).init(second, device),
            classes: (classes > 0).then(by_class),
        }
    }

    /// What the features of each image are multiplied with, `[batch or 1, features]`.
    fn weights(&self, classes: Option<&Tensor<1, Int>>) -> Tensor<2> {
        let shared = self.score.weight.val().transpose(); // [1, features]
        match (&self.classes, classes) {
            (Some(own), Some(classes)) => own.val().select(0, classes.clone()) + shared,
            _ => shared,
        }
    }

    /// Scores `[batch, 1]` of `images [batch, channels, height, width]` with `classes [batch]`, and the slopes of this pass.
    pub fn forward(&self, images: Tensor<4>, classes: Option<&Tensor<1, Int>>) -> (Tensor<2>, Slopes) {
        let mut slopes = Slopes::default();
        let x = self.layers.iter().fold(images, |x, layer| layer.forward(x, &mut slopes));
        let size = x.dims();
        slopes.size(&x);
        let flat = x.reshape([size[0], size[1] * size[2] * size[3]]);
        let features = self.features.forward(flat); // [batch, features]
        let scores = (features * self.weights(classes)).sum_dim(1); // [batch, 1]
        let bias = self.score.bias.as_ref().map(|bias| bias.val().unsqueeze_dim::<2>(0));
        (bias.into_iter().fold(scores, |scores, bias| scores + bias), slopes)
    }

    /// The gradient of every score with respect to its image, `[batch, channels, height, width]`, as a computation that autodiff can
    /// differentiate. `slopes` and `classes` are those of the pass.
    pub fn input_gradient(&self, slopes: Slopes, classes: Option<&Tensor<1, Int>>) -> Tensor<4> {
        let mut left = slopes;
        let [height, width] = left.sizes.pop().expect(SAME_WAY);
        let weights = self.weights(classes);
        let [rows, _] = weights.dims();
        let flat = weights.matmul(self.features.weight.val().transpose()); // [batch or 1, flat]
        let flat = if rows < left.batch { flat.repeat(&[left.batch, 1]) } else { flat };
        let ([rows, all], pixels) = (flat.dims(), height * width);
        let gradient = flat.reshape([rows, all / pixels, height, width]);
        self.layers.iter().rev().fold(gradient, |gradient, layer| layer.adjoint(gradient, &mut left))
    }

    /// After one more power iteration of every convolution with spectral normalisation.
    pub fn iterated(mut self) -> Self {
        self.layers = self.layers.into_iter().map(Layer::iterated).collect();
        self
    }
}

/// `mean(|gradient|^2)` over the batch: R1 of Mescheder et al. 2018 on real images, R2 on made ones, without the factor gamma / 2. Shape `[1]`.
pub fn zero_centred_penalty(gradient: Tensor<4>) -> Tensor<1> {
    let batch = gradient.dims()[0];
    gradient.square().sum() / batch as f32
}

#[cfg(test)]
#[path = "piecewise_tests.rs"]
mod tests;

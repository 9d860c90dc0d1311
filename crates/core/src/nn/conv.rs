//! Convolution of images, and its gradients as three more passes of the same kind.

use burn::module::{Module, Param};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, module};
use rayon::prelude::*;

use super::correlate::{Correlate, CorrelateWeights, Grid, lanes, pack};
use super::host_op::{HostOp, on_host};
use super::sums::sum_by;
use super::{Init, drawn, filled};
use crate::precision::{is_narrow, narrow, wide};
use crate::seeds::Stream;

/// A convolution.
#[derive(Module, Debug)]
pub struct Conv {
    /// `[outputs, inputs, kernel, kernel]`, as PyTorch has them.
    pub weight: Param<Tensor<4>>,
    /// `[outputs]`.
    pub bias: Param<Tensor<1>>,
}

/// What a [`Conv`] is made from.
#[derive(Debug, Clone, Copy)]
pub struct ConvConfig {
    inputs: usize,
    outputs: usize,
    kernel: usize,
    init: Init,
}

impl ConvConfig {
    /// A convolution of this many channels with a square kernel, drawn as PyTorch does.
    pub fn new(inputs: usize, outputs: usize, kernel: usize) -> Self {
        Self { inputs, outputs, kernel, init: Init::default() }
    }

    /// The same with weights of another distribution.
    pub fn with_init(self, init: Init) -> Self {
        Self { init, ..self }
    }

    /// Draws the convolution.
    pub fn init(&self, stream: Stream, device: &Device) -> Conv {
        let &Self { inputs, outputs, kernel, init } = self;
        let (window, fan_in) = (kernel * kernel, inputs * kernel * kernel);
        Conv {
            weight: drawn(init, (fan_in, outputs * window), [outputs, inputs, kernel, kernel], (stream, 0), device),
            bias: match init {
                Init::Uniform => drawn(init, (fan_in, outputs), [outputs], (stream, 1), device),
                _ => filled([outputs], device, 0.0),
            },
        }
    }
}

impl Conv {
    /// This convolution of `x [batch, inputs, height, width]` with zeros around it, so many that a stride of 1 keeps the size.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let around = self.weight.val().dims()[2] / 2;
        self.forward_with(x, 1, [around; 4])
    }

    /// As [`conv2d`], with this stride and padding.
    pub fn forward_with(&self, x: Tensor<4>, stride: usize, padding: [usize; 4]) -> Tensor<4> {
        conv2d(x, self.weight.val(), Some(self.bias.val()), stride, padding)
    }
}

/// Convolution (as the word is used of networks: the kernel is not flipped). `x [batch, inputs, height, width]` and
/// `weight [outputs, inputs, kernel, kernel]` give `[batch, outputs, height', width']`; `padding` zeros are put on top, bottom, left and
/// right of the images.
///
/// # Panics
/// When the shapes do not fit each other, or the kernel is larger than the padded images.
pub fn conv2d(x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>, stride: usize, padding: [usize; 4]) -> Tensor<4> {
    let [outputs, ..] = weight.dims();
    let bias = bias.unwrap_or_else(|| Tensor::zeros([outputs], &x.device()));
    conv2d_biased(x, weight, bias.unsqueeze::<2>(), stride, padding)
}

/// As [`conv2d`], with a bias of each image's own: `bias [batch, outputs]`, or `[1, outputs]` for all.
///
/// # Panics
/// As [`conv2d`].
pub fn conv2d_biased(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<2>, stride: usize, padding: [usize; 4]) -> Tensor<4> {
    let sizes = Sizes::new(x.dims(), weight.dims(), stride, padding);
    assert!(bias.dims() == [1, sizes.outputs] || bias.dims() == [sizes.batch, sizes.outputs], "a bias for every output");
    if on_host(&x) { on_slices(x, weight, bias, sizes) } else { plain(x, weight, bias, stride, padding) }
}

fn plain(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<2>, stride: usize, [top, bottom, left, right]: [usize; 4]) -> Tensor<4> {
    let options = ConvOptions::new_with_padding([stride; 2], [(top, bottom), (left, right)], [1; 2], 1);
    let [images, outputs] = bias.dims();
    let x = in_usual_order(x);
    in_usual_order(if is_narrow() {
        wide(module::conv2d(narrow(x), narrow(weight), None, options)) + bias.reshape([images, outputs, 1, 1])
    } else if images == 1 {
        module::conv2d(x, weight, Some(bias.reshape([outputs])), options)
    } else {
        module::conv2d(x, weight, None, options) + bias.reshape([images, outputs, 1, 1])
    })
}

/// The same images, and on the way back the same gradients, in the order that their dimensions say.
///
/// What a GPU's convolution gives lies channels last. With one channel burn 0.22.1's fusion mistakes that order where it joins the result with
/// a tensor beside it: `(conv(x) - y).abs()` has wrong values. A reshape settles the order; with more channels there is nothing to mistake.
pub(super) fn in_usual_order(images: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = images.dims();
    if channels > 1 {
        return images;
    }
    images.reshape([batch, height * width]).reshape([batch, channels, height, width])
}

/// The sizes of one convolution.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    batch: usize,
    inputs: usize,
    pub(super) outputs: usize,
    kernel: usize,
    stride: usize,
    /// Zeros above and left of the images.
    before: [usize; 2],
    /// Height and width of the images.
    image: [usize; 2],
    /// Height and width of the result.
    result: [usize; 2],
}

/// One kind of plane in which values lie padded, and the distances between them.
#[derive(Debug, Clone, Copy)]
struct Planes {
    /// From a row to the next.
    pitch: usize,
    /// From a phase to the next: with a stride of s, the pixels that are equal modulo s lie together.
    phase: usize,
    /// From a channel to the next.
    plane: usize,
    channels: usize,
}

impl Planes {
    fn new(rows: usize, pitch: usize, phases: usize, channels: usize) -> Self {
        // An odd number of cache lines: planes a power of two apart would fight for the same lines of the cache.
        let lines = (phases * rows * pitch).div_ceil(16) | 1;
        Self { pitch, phase: rows * pitch, plane: 16 * lines, channels }
    }

    /// Zeros for `images` images, and for a last vector that reaches over the end.
    fn zeros(&self, images: usize) -> Vec<f32> {
        vec![0.0; images * self.len() + lanes()]
    }

    /// Values of one image.
    fn len(&self) -> usize {
        self.channels * self.plane
    }
}

impl Sizes {
    pub(super) fn new(x: [usize; 4], weight: [usize; 4], stride: usize, padding: [usize; 4]) -> Self {
        let [batch, inputs, height, width] = x;
        let [outputs, weight_inputs, kernel, kernel_width] = weight;
        assert!(inputs == weight_inputs && kernel == kernel_width, "a kernel of shape {weight:?} does not fit images of shape {x:?}");
        let [top, bottom, left, right] = padding;
        assert!(kernel <= height + top + bottom && kernel <= width + left + right && stride > 0, "a kernel larger than the images");
        let result = [(height + top + bottom - kernel) / stride + 1, (width + left + right - kernel) / stride + 1];
        Self { batch, inputs, outputs, kernel, stride, before: [top, left], image: [height, width], result }
    }

    fn window(&self) -> usize {
        self.kernel * self.kernel
    }

    fn image_len(&self) -> usize {
        self.inputs * self.image[0] * self.image[1]
    }

    fn result_len(&self) -> usize {
        self.outputs * self.result[0] * self.result[1]
    }

    /// Where the images lie: padded, each phase of the stride by itself.
    fn image_planes(&self) -> Planes {
        let reach = |side: usize| {
            let padded = (self.before[side] + self.image[side]).max((self.result[side] - 1) * self.stride + self.kernel);
            padded.div_ceil(self.stride)
        };
        Planes::new(reach(0), reach(1), self.stride * self.stride, self.inputs)
    }

    /// Writes one image into its planes.
    fn lay_image(&self, planes: &Planes, image: &[f32], out: &mut [f32]) {
        let ([height, width], [top, left], stride) = (self.image, self.before, self.stride);
        for (channel, image) in image.chunks_exact(height * width).enumerate() {
            let out = &mut out[channel * planes.plane..][..planes.plane];
            for (row, values) in image.chunks_exact(width).enumerate() {
                let (phase, line) = ((row + top) % stride, (row + top) / stride);
                if stride == 1 {
                    out[line * planes.pitch + left..][..width].copy_from_slice(values);
                    continue;
                }
                for (column, &value) in values.iter().enumerate() {
                    let phase = phase * stride + (column + left) % stride;
                    out[phase * planes.phase + line * planes.pitch + (column + left) / stride] = value;
                }
            }
        }
    }

    /// Where each (input, tap) lies from a result's pixel on.
    fn image_offsets(&self, planes: &Planes) -> Vec<usize> {
        let (kernel, stride) = (self.kernel, self.stride);
        let tap = |y: usize, x: usize| (y % stride * stride + x % stride) * planes.phase + y / stride * planes.pitch + x / stride;
        let taps: Vec<usize> = (0..kernel * kernel).map(|t| tap(t / kernel, t % kernel)).collect();
        (0..self.inputs).flat_map(|channel| taps.iter().map(move |tap| channel * planes.plane + tap)).collect()
    }

    fn result_grid(&self, planes: &Planes) -> Grid {
        let [height, width] = self.result;
        Grid::new((0, height), (0, width), planes.pitch, |i, j| i * width + j)
    }

    pub(super) fn forward(&self, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
        let planes = self.image_planes();
        let (grid, offsets) = (self.result_grid(&planes), self.image_offsets(&planes));
        let terms = offsets.len();
        let packed = pack(self.outputs, terms, |output, term| weight[output * terms + term]);
        let mut out = vec![0.0; self.batch * self.result_len()];
        let images = out.par_chunks_mut(self.result_len()).zip(x.par_chunks(self.image_len())).enumerate();
        images.for_each_init(
            || planes.zeros(1),
            |padded, (index, (out, x))| {
                self.lay_image(&planes, x, padded);
                let bias = if bias.len() == self.outputs { bias } else { &bias[index * self.outputs..][..self.outputs] };
                let (grid, offsets, weights, outputs) = (&grid, offsets.as_slice(), packed.as_slice(), self.outputs);
                pulp::Arch::new().dispatch(Correlate { grid, offsets, weights, bias, planes: padded, out, outputs });
            },
        );
        out
    }

    /// The images' gradient: every phase of the stride is a correlation of the result's gradient with the taps that meet there.
    pub(super) fn image_gradient(&self, gradient: &[f32], weight: &[f32]) -> Vec<f32> {
        let stride = self.stride;
        let reach = (self.kernel - 1) / stride;
        let sides = |side: usize| ((self.before[side] + self.image[side] - 1) / stride + 1).max(self.result[side]) + reach;
        let planes = Planes::new(sides(0), sides(1), 1, self.outputs);
        let passes: Vec<_> =
            (0..stride * stride).filter_map(|phase| self.phase(&planes, [phase / stride, phase % stride], weight)).collect();
        let [height, width] = self.result;
        let mut out = vec![0.0; self.batch * self.image_len()];
        let images = out.par_chunks_mut(self.image_len()).zip(gradient.par_chunks(self.result_len()));
        images.for_each_init(
            || planes.zeros(1),
            |padded, (out, gradient)| {
                for (channel, gradient) in gradient.chunks_exact(height * width).enumerate() {
                    for (row, values) in gradient.chunks_exact(width).enumerate() {
                        padded[channel * planes.plane + (row + reach) * planes.pitch + reach..][..width].copy_from_slice(values);
                    }
                }
                for (grid, offsets, weights) in &passes {
                    let (bias, planes, outputs) = (&[][..], padded.as_slice(), self.inputs);
                    pulp::Arch::new().dispatch(Correlate { grid, offsets, weights, bias, planes, out, outputs });
                }
            },
        );
        out
    }

    /// The pixels of the images' gradient that are equal modulo the stride: their grid, the offsets of their taps, the taps' weights.
    fn phase(&self, planes: &Planes, [row, column]: [usize; 2], weight: &[f32]) -> Option<(Grid, Vec<usize>, Vec<f32>)> {
        let (kernel, stride, window) = (self.kernel, self.stride, self.window());
        let ([height, width], [top, left]) = (self.image, self.before);
        let taps: Vec<usize> = (0..window).filter(|t| t / kernel % stride == row && t % kernel % stride == column).collect();
        let rows = (top.saturating_sub(row).div_ceil(stride), (top + height + stride - 1 - row) / stride);
        let columns = (left.saturating_sub(column).div_ceil(stride), (left + width + stride - 1 - column) / stride);
        if taps.is_empty() || rows.0 >= rows.1 || columns.0 >= columns.1 {
            return None;
        }
        let reach = (kernel - 1) / stride;
        let place = |t: usize| (reach - t / kernel / stride) * planes.pitch + reach - t % kernel / stride;
        let offsets: Vec<usize> = (0..self.outputs).flat_map(|o| taps.iter().map(move |&t| o * planes.plane + place(t))).collect();
        let weights = pack(self.inputs, offsets.len(), |input, term| {
            weight[(term / taps.len() * self.inputs + input) * window + taps[term % taps.len()]]
        });
        let target = |i: usize, j: usize| (stride * i + row - top) * width + stride * j + column - left;
        Some((Grid::new(rows, columns, planes.pitch, target), offsets, weights))
    }

    /// The weights' gradient, summed over parts of the batch that do not depend on the number of threads.
    pub(super) fn weight_gradient(&self, x: &[f32], gradient: &[f32]) -> Vec<f32> {
        /// Parts of a batch.
        const PARTS: usize = 16;
        /// Vectors that a sum in registers runs over, so that adding up its lanes weighs little; small images go several at once.
        const VECTORS: usize = 128;
        let planes = self.image_planes();
        let (grid, offsets) = (self.result_grid(&planes), self.image_offsets(&planes));
        let (image_len, result_len, result_plane) = (self.image_len(), self.result_len(), self.result[0] * self.result[1]);
        let part = self.batch.div_ceil(PARTS).max(1);
        let group = VECTORS.div_ceil(grid.starts.len()).min(part);
        let starts: Vec<usize> =
            (0..group).flat_map(|image| grid.starts.iter().map(move |start| (image, start))).map(|(i, s)| i * planes.len() + s).collect();
        let parts: Vec<Vec<f32>> = x
            .par_chunks(part * image_len)
            .zip(gradient.par_chunks(part * result_len))
            .map_init(
                || (planes.zeros(group), vec![0.0; group * self.outputs * grid.len()]),
                |(padded, laid), (x, gradient)| {
                    let mut out = vec![0.0; self.outputs * offsets.len()];
                    for (x, gradient) in x.chunks(group * image_len).zip(gradient.chunks(group * result_len)) {
                        let images = x.len() / image_len;
                        for (image, (x, gradient)) in x.chunks_exact(image_len).zip(gradient.chunks_exact(result_len)).enumerate() {
                            self.lay_image(&planes, x, &mut padded[image * planes.len()..][..planes.len()]);
                            for (output, gradient) in gradient.chunks_exact(result_plane).enumerate() {
                                grid.gather(gradient, &mut laid[(output * images + image) * grid.len()..][..grid.len()]);
                            }
                        }
                        pulp::Arch::new().dispatch(CorrelateWeights {
                            starts: &starts[..images * grid.starts.len()],
                            offsets: &offsets,
                            planes: padded,
                            gradient: &laid[..images * self.outputs * grid.len()],
                            out: &mut out,
                        });
                    }
                    out
                },
            )
            .collect();
        let mut parts = parts.into_iter();
        let mut total = parts.next().unwrap_or_else(|| vec![0.0; self.outputs * offsets.len()]);
        parts.for_each(|part| total.iter_mut().zip(part).for_each(|(total, value)| *total += value));
        total
    }

    /// The gradient of the bias, `[batch, outputs]` or `[1, outputs]`.
    fn bias_gradient(&self, gradient: &[f32], shared: bool) -> Vec<f32> {
        let plane = self.result[0] * self.result[1];
        let mut sums = vec![0.0; self.batch * self.outputs];
        sums.par_chunks_mut(self.outputs).zip(gradient.par_chunks(self.result_len())).for_each(|(sums, gradient)| {
            pulp::Arch::new().dispatch(
                #[inline(always)]
                || sums.iter_mut().zip(gradient.chunks_exact(plane)).for_each(|(sum, gradient)| *sum = sum_by(gradient, |g| g)),
            );
        });
        if shared { super::matrix::column_sums(&sums, self.outputs) } else { sums }
    }
}

fn on_slices(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<2>, sizes: Sizes) -> Tensor<4> {
    let op = HostOp::new([x.into(), weight.into(), bias.into()]);
    let [x, weight, bias] = op.values();
    let out = sizes.forward(x.get(), weight.get(), bias.get());
    let shared = bias.get().len() == sizes.outputs;
    let [height, width] = sizes.result;
    op.finish(out, [sizes.batch, sizes.outputs, height, width], move |gradient, wanted| {
        let gradient = gradient.get();
        [
            wanted[0].then(|| sizes.image_gradient(gradient, weight.get())),
            wanted[1].then(|| sizes.weight_gradient(x.get(), gradient)),
            wanted[2].then(|| sizes.bias_gradient(gradient, shared)),
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::host_op::tests::same_as_plain;

    /// Kernels, strides and paddings of all kinds, sizes that fill no vector, more images than parts, and shared and own biases.
    #[test]
    fn output_and_gradients_are_those_of_the_plain_operation() {
        type Case = ([usize; 4], usize, usize, usize, [usize; 4], bool);
        let cases: [Case; 11] = [
            ([2, 3, 16, 16], 5, 3, 1, [1; 4], true),
            ([3, 5, 9, 7], 6, 3, 1, [1; 4], false),
            ([40, 2, 4, 4], 3, 3, 1, [1; 4], false),
            ([2, 4, 28, 28], 1, 3, 1, [1; 4], true),
            ([2, 7, 8, 8], 9, 1, 1, [0; 4], true),
            ([2, 3, 8, 8], 4, 3, 2, [1; 4], true),
            ([2, 3, 8, 10], 4, 3, 2, [0, 1, 0, 1], true),
            ([2, 3, 9, 7], 4, 3, 2, [1; 4], false),
            ([2, 2, 11, 9], 3, 5, 3, [2, 1, 0, 2], true),
            ([2, 2, 6, 6], 3, 1, 2, [0; 4], true),
            ([1, 70, 5, 18], 2, 3, 1, [0; 4], true),
        ];
        for (x, outputs, kernel, stride, padding, shared) in cases {
            let shapes = [x, [outputs, x[1], kernel, kernel], [1, 1, if shared { 1 } else { x[0] }, outputs]];
            let flat = |bias: Tensor<4>| bias.squeeze_dims::<2>(&[0, 1]);
            same_as_plain(
                shapes,
                |[x, w, b]| conv2d_biased(x, w, flat(b), stride, padding),
                |[x, w, b]| plain(x, w, flat(b), stride, padding),
            );
        }
    }

    #[test]
    fn bits_do_not_depend_on_the_number_of_threads() {
        let sizes = Sizes::new([37, 3, 9, 9], [4, 3, 3, 3], 1, [1; 4]);
        let values = |stream, len| {
            let mut values = vec![0.0; len];
            Stream::new(0, stream).normals(0, &mut values);
            values
        };
        let (x, gradient, weight) = (values(0, 37 * sizes.image_len()), values(1, 37 * sizes.result_len()), values(2, 4 * 27));
        let with_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| {
                let found = [sizes.forward(&x, &weight, &[0.5; 4]), sizes.image_gradient(&gradient, &weight)];
                (found, sizes.weight_gradient(&x, &gradient), sizes.bias_gradient(&gradient, true))
            })
        };
        assert!(with_threads(1) == with_threads(3));
    }

    /// Images, weights and results that are whole numbers, so that every order of summation gives the same.
    #[test]
    fn a_small_convolution_by_hand() {
        let device = Device::flex();
        let x = Tensor::<1>::from_floats([1.0, 2.0, 3.0, 4.0], &device).reshape([1, 1, 2, 2]);
        let weight = Tensor::<1>::from_floats([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], &device).reshape([1, 1, 3, 3]);
        let out = conv2d(x, weight, Some(Tensor::from_floats([0.5], &device)), 1, [1; 4]);
        // torch.nn.functional.conv2d(x, w, torch.tensor([.5]), padding=1)
        assert_eq!(out.into_data().try_into_vec::<f32>().expect("f32"), [77.5, 67.5, 47.5, 37.5]);
    }
}

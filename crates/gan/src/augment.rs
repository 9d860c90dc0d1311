//! Differentiable augmentation of the real and synthetic images that the critic sees ("Differentiable
//! augmentation for data-efficient GAN training", Zhao et al. 2020), each with a chance that may follow how far the critic overfits
//! ("Training generative adversarial networks with limited data", Karras et al. 2020).

use burn::tensor::{Int, Tensor};
use semblant_core::seeds::Stream;
use serde::{Deserialize, Serialize};

/// Uniform numbers that one image takes.
const NUMBERS: usize = 12;

/// Which changes are made, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DiffAugment {
    /// The chance of each change at the beginning of the training; 0 with `target` 0 changes nothing.
    pub chance: f64,
    /// The share of real images, beyond that of others, that the critic may take for real before the chance rises (0.6 in the paper);
    /// 0 leaves the chance as it is.
    pub target: f64,
    /// Images over which an adaptive chance could move from 0 to 1.
    pub adaption_images: f64,
    /// Whether left and right may be exchanged: wrong for writing.
    pub flip: bool,
    /// The greatest shift, as a share of the side.
    pub translate: f64,
    /// The side of the square that is cut out, as a share of the side.
    pub cutout: f64,
    /// Whether brightness, contrast and, of colour images, saturation change.
    pub colour: bool,
}

impl Default for DiffAugment {
    fn default() -> Self {
        Self { chance: 0.0, target: 0.0, adaption_images: 500_000.0, flip: false, translate: 0.125, cutout: 0.5, colour: true }
    }
}

impl DiffAugment {
    /// Whether nothing is ever changed.
    pub fn is_off(&self) -> bool {
        self.chance == 0.0 && self.target == 0.0
    }

    /// The chance after a step of `batch` images, from the scores of real ones: up where more than `target` of them are taken for real.
    /// `[1]`, on the scores' device.
    pub fn adapted(&self, chance: Tensor<1>, real: Tensor<2>, batch: f64) -> Tensor<1> {
        if self.target == 0.0 {
            return chance;
        }
        let sign = real.inner().sign().mean(); // [1]
        (chance + (sign - self.target).sign() * (batch / self.adaption_images)).clamp(0.0, 1.0)
    }

    /// Images `[batch, channels, height, width]` as the critic sees them. `chance [1]` is of a device without autodiff; the numbers of the
    /// images are rows `first_row..` of `stream`.
    pub fn apply(&self, images: Tensor<4>, chance: &Tensor<1>, stream: &Stream, first_row: u64) -> Tensor<4> {
        if self.is_off() {
            return images;
        }
        let [batch, ..] = images.dims();
        let numbers = stream.uniforms_on(first_row..first_row + batch as u64, NUMBERS, &chance.device()); // [batch, NUMBERS]
        let number = |index: usize| numbers.clone().narrow(1, index, 1); // [batch, 1]
        let gate = |index: usize| number(index).lower(chance.clone().reshape([1, 1]).repeat(&[batch, 1])).float();
        let mut images = images;
        if self.flip {
            images = flipped(images, gate(0) * number(1).lower_elem(0.5).float());
        }
        if self.translate > 0.0 {
            images = translated(images, [number(3), number(4)], gate(2), self.translate);
        }
        if self.colour {
            images = coloured(images, [number(6), number(7), number(8)], gate(5));
        }
        if self.cutout > 0.0 {
            images = cut_out(images, [number(10), number(11)], gate(9), self.cutout);
        }
        images
    }
}

/// One number an image, as what multiplies all its values.
fn column(x: Tensor<2>) -> Tensor<4> {
    let batch = x.dims()[0];
    Tensor::from_inner(x.reshape([batch, 1, 1, 1]))
}

fn flipped(images: Tensor<4>, gate: Tensor<2>) -> Tensor<4> {
    let gate = column(gate);
    images.clone() + (images.clone().flip([3]) - images) * gate
}

/// `[batch, 1, side]`: the place of every pixel along a side, once for each image.
fn places(batch: usize, side: usize, like: &Tensor<2>) -> Tensor<2> {
    Tensor::<1, Int>::arange(0..side as i64, &like.device()).float().unsqueeze_dim::<2>(0).repeat(&[batch, 1])
}

/// Shifted by whole pixels; black, which is -1, comes in from outside.
fn translated(images: Tensor<4>, shifts: [Tensor<2>; 2], gate: Tensor<2>, share: f64) -> Tensor<4> {
    let [batch, channels, height, width] = images.dims();
    let along = |number: Tensor<2>, side: usize| {
        let most = (side as f64 * share + 0.5).floor();
        let shift = ((number * (2.0 * most + 1.0)).floor() - most) * gate.clone(); // [batch, 1]
        let source = places(batch, side, &gate) - shift.repeat(&[1, side]); // [batch, side]
        let inside = source.clone().clamp(0.0, side as f64 - 1.0);
        let visible = inside.clone().sub(source).abs().lower_elem(0.5).float();
        (inside, visible)
    };
    let [vertical, horizontal] = shifts;
    let ((rows, seen_rows), (columns, seen_columns)) = (along(vertical, height), along(horizontal, width));
    let spread = |rows: Tensor<2>, columns: Tensor<2>| (rows.reshape([batch, height, 1]), columns.reshape([batch, 1, width]));
    let (rows, columns) = spread(rows, columns);
    let index = (rows.repeat(&[1, 1, width]) * width as f64 + columns.repeat(&[1, height, 1])).round().int(); // [batch, height, width]
    let index: Tensor<3, Int> = index.reshape([batch, 1, height * width]).repeat(&[1, channels, 1]);
    let (seen_rows, seen_columns) = spread(seen_rows, seen_columns);
    let seen = (seen_rows.repeat(&[1, 1, width]) * seen_columns.repeat(&[1, height, 1])).reshape([batch, 1, height, width]);
    let flat = (images + 1.0).reshape([batch, channels, height * width]);
    flat.gather(2, Tensor::from_inner(index)).reshape([batch, channels, height, width]) * Tensor::from_inner(seen) - 1.0
}

/// Brightness moved by up to a half, saturation between none and double, contrast between half and one and a half.
fn coloured(images: Tensor<4>, [brightness, saturation, contrast]: [Tensor<2>; 3], gate: Tensor<2>) -> Tensor<4> {
    let channels = images.dims()[1];
    let mut images = images + column((brightness - 0.5) * gate.clone());
    if channels > 1 {
        let grey = images.clone().mean_dim(1);
        images = (images - grey.clone()) * column((saturation * 2.0 - 1.0) * gate.clone() + 1.0) + grey;
    }
    let mean = images.clone().mean_dim(3).mean_dim(2).mean_dim(1);
    (images - mean.clone()) * column((contrast - 0.5) * gate + 1.0) + mean
}

/// A square of grey, which is 0, anywhere.
fn cut_out(images: Tensor<4>, centre: [Tensor<2>; 2], gate: Tensor<2>, share: f64) -> Tensor<4> {
    let [batch, _, height, width] = images.dims();
    let along = |number: Tensor<2>, side: usize| {
        let half = 0.5 * share * side as f64;
        let middle = number * side as f64; // [batch, 1]
        (places(batch, side, &gate) + 0.5 - middle.repeat(&[1, side])).abs().lower_elem(half).float()
    };
    let [vertical, horizontal] = centre;
    let rows = along(vertical, height).reshape([batch, 1, height, 1]).repeat(&[1, 1, 1, width]);
    let columns = along(horizontal, width).reshape([batch, 1, 1, width]).repeat(&[1, 1, height, 1]);
    let hole = rows * columns * gate.reshape([batch, 1, 1, 1]);
    images * Tensor::from_inner(hole.neg() + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use semblant_core::host;

    fn ramp(device: &Device) -> Tensor<4> {
        host::tensor((0..64).map(|i| i as f32 / 32.0 - 1.0).collect(), [4, 1, 4, 4], device)
    }

    fn of(values: [f32; 4]) -> Tensor<2> {
        host::tensor(values.to_vec(), [4, 1], &Device::flex())
    }

    #[test]
    fn shifts_move_whole_pixels_and_let_black_in() {
        let images = ramp(&Device::flex().autodiff());
        // A share of a quarter: shifts of -1, 0 or 1; 0 to 1/3 is -1, the middle 0, from 2/3 on 1. The last image is not to be changed.
        let moved = translated(images.clone(), [of([0.0, 0.5, 0.9, 0.0]), of([0.5, 0.5, 0.5, 0.9])], of([1.0, 1.0, 1.0, 0.0]), 0.25);
        let (before, after) = (host::read(&images, <[f32]>::to_vec), host::read(&moved, <[f32]>::to_vec));
        let near = |a: &[f32], b: &[f32]| assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6), "{a:?} against {b:?}");
        near(&after[0..12], &before[4..16]);
        near(&after[12..16], &[-1.0; 4]);
        near(&after[16..32], &before[16..32]);
        near(&after[36..48], &before[32..44]);
        near(&after[32..36], &[-1.0; 4]);
        near(&after[48..], &before[48..]);
    }

    #[test]
    fn no_chance_changes_nothing_and_certainty_changes_everything() {
        let images = ramp(&Device::flex().autodiff());
        let all = DiffAugment { chance: 1.0, flip: true, ..DiffAugment::default() };
        let stream = Stream::new(0, 0);
        let at = |chance: f32| {
            let chance = Tensor::from_floats([chance], &Device::flex());
            host::read(&all.apply(images.clone(), &chance, &stream, 0), <[f32]>::to_vec)
        };
        let plain = host::read(&images, <[f32]>::to_vec);
        assert!(at(0.0).iter().zip(&plain).all(|(a, b)| (a - b).abs() < 1e-6));
        for (a, b) in at(1.0).chunks(16).zip(plain.chunks(16)) {
            assert!(a.iter().zip(b).any(|(a, b)| (a - b).abs() > 1e-3), "{a:?}");
        }
    }

    #[test]
    fn the_generator_learns_through_every_change() {
        let device = Device::flex().autodiff();
        let images = ramp(&device).require_grad();
        let all = DiffAugment { chance: 1.0, flip: true, cutout: 0.0, ..DiffAugment::default() };
        let chance = Tensor::from_floats([1.0], &Device::flex());
        let gradients = all.apply(images.clone(), &chance, &Stream::new(0, 0), 0).square().sum().backward();
        let gradient = host::read(&images.grad(&gradients).expect("a gradient"), <[f32]>::to_vec);
        assert!(gradient.iter().filter(|g| g.abs() > 0.0).count() > 32);
    }

    #[test]
    fn a_critic_that_is_too_sure_raises_the_chance() {
        let adaptive = DiffAugment { target: 0.6, adaption_images: 100.0, ..DiffAugment::default() };
        let chance = |scores| {
            let start = Tensor::from_floats([0.5], &Device::flex());
            adaptive.adapted(start, of(scores), 10.0).into_scalar::<f32>()
        };
        assert!((chance([1.0, 2.0, 3.0, 4.0]) - 0.6).abs() < 1e-6);
        assert!((chance([1.0, -2.0, 3.0, -4.0]) - 0.4).abs() < 1e-6);
    }
}

//! Geometric augmentation, with labels that a model is conditioned on.
//!
//! The pipeline is that of Karras et al. 2022, "Elucidating the design space of diffusion-based generative models", appendix F.2, table 6:
//! flips, scaling, rotation, anisotropic scaling and translation, each applied with some probability, and nine numbers per image from
//! which the model learns to leave the distortions out when it samples (all nine are zero then). Written from the paper.
//!
//! All transformations of an image are one affine map, so it is resampled once: each pixel of the result is looked up where it comes
//! from, bilinearly, the image mirrored at its edges. The paper resamples with longer filters; a map of flips alone is exact here too.

use burn::tensor::{Device, Tensor};
use rayon::prelude::*;
use semblant_core::host;
use semblant_core::seeds::Stream;

use super::{Images, to_unit};

/// How many labels describe what was done to an image.
pub const LABELS: usize = 9;

/// What is done to images, and how often.
///
/// The chances lie in `[0, 1]`; a chance of 0 leaves the step out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Augmentation {
    /// The chance that left and right are exchanged.
    pub x_flip: f64,
    /// The chance that top and bottom are exchanged.
    pub y_flip: f64,
    /// The chance of scaling by `2^(scale_deviation * n)`, n standard normal.
    pub scale: f64,
    /// The chance of a rotation by an angle uniform in `±turn / 2` of a full turn.
    pub rotation: f64,
    /// The chance of scaling along a random axis by `2^(stretch_deviation * n)`, and across it by the inverse.
    pub stretch: f64,
    /// The chance of moving by `shift_deviation * n` of the width and, independently, of the height.
    pub shift: f64,
    /// In octaves.
    pub scale_deviation: f64,
    /// The part of a full turn that rotations come from.
    pub turn: f64,
    /// In octaves.
    pub stretch_deviation: f64,
    /// As a part of the image's side.
    pub shift_deviation: f64,
}

impl Augmentation {
    /// Exchanges left and right with this chance and does nothing else.
    pub fn flip(chance: f64) -> Self {
        let strengths = Self::edm(0.0);
        Self { x_flip: chance, ..strengths }
    }

    /// The pipeline of the paper: half of the images are flipped, and every other step happens with `chance`, 0.12 for CIFAR-10 and 0.15
    /// for faces there (the vertical flip with half of it, as it is drawn and then tossed a coin for).
    pub fn edm(chance: f64) -> Self {
        Self {
            x_flip: 0.5,
            y_flip: chance / 2.0,
            scale: chance,
            rotation: chance,
            stretch: chance,
            shift: chance,
            scale_deviation: 0.2,
            turn: 1.0,
            stretch_deviation: 0.2,
            shift_deviation: 0.125,
        }
    }

    /// The images at `indices`, transformed. The image in place `i` draws its randomness from row `first_row + i` of `stream`, so what
    /// happens to it depends neither on the batch around it nor on threads.
    ///
    /// # Panics
    /// When an index is not below [`Images::count`].
    pub fn apply(&self, stream: &Stream, first_row: u64, images: &Images, indices: &[usize]) -> Augmented {
        let [_, channels, height, width] = images.shape();
        let one = images.bytes_of_one();
        let mut pixels = vec![0.0; indices.len() * one];
        let mut labels = vec![[0.0; LABELS]; indices.len()];
        pixels.par_chunks_mut(one).zip(&mut labels).zip(indices).enumerate().for_each(|(place, ((out, labels), &index))| {
            let draw = self.draw(stream, first_row + place as u64);
            *labels = draw.labels();
            let from = draw.source(self, width as f64, height as f64);
            for (out, plane) in out.chunks_exact_mut(height * width).zip(images.pixels_of(index).chunks_exact(height * width)) {
                resample(plane, height, width, &from, out);
            }
        });
        Augmented { pixels, shape: [indices.len(), channels, height, width], labels }
    }

    fn draw(&self, stream: &Stream, row: u64) -> Draw {
        let happens = |position: u32, chance: f64| stream.uniform_f64(row, position) < chance;
        let angle = |position: u32| std::f64::consts::PI * (2.0 * stream.uniform_f64(row, position) - 1.0);
        let mut normals = [0.0f32; 4];
        stream.normals(row, &mut normals);
        let when = |happens: bool, value: f64| if happens { value } else { 0.0 };
        let (stretched, shifted) = (happens(4, self.stretch), happens(5, self.shift));
        Draw {
            x_flip: happens(0, self.x_flip),
            y_flip: happens(1, self.y_flip),
            scale: when(happens(2, self.scale), normals[0].into()),
            angle: when(happens(3, self.rotation), angle(6) * self.turn),
            axis: when(stretched, angle(7)),
            stretch: when(stretched, normals[1].into()),
            shift: [when(shifted, normals[2].into()), when(shifted, normals[3].into())],
        }
    }
}

/// A transformed batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Augmented {
    /// Values in `[-1, 1]` of shape [`Augmented::shape`], row-major.
    pub pixels: Vec<f32>,
    /// `[batch, channels, height, width]`.
    pub shape: [usize; 4],
    /// What was done to each image: x flip and y flip (0 or 1), scaling (n), rotation (cos - 1, sin), stretch (n times the cosine and the
    /// sine of its axis), shift (n of x, n of y); all zero for an image that was left as it is.
    pub labels: Vec<[f32; LABELS]>,
}

impl Augmented {
    /// The images `[batch, channels, height, width]` and the labels `[batch, 9]` on a device.
    pub fn into_tensors(self, device: &Device) -> (Tensor<4>, Tensor<2>) {
        let rows = self.labels.len();
        let labels = self.labels.into_iter().flatten().collect();
        (host::tensor(self.pixels, self.shape, device), host::tensor(labels, [rows, LABELS], device))
    }
}

/// The parameters a_0 to a_7 of the paper for one image.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Draw {
    x_flip: bool,
    y_flip: bool,
    scale: f64,
    angle: f64,
    axis: f64,
    stretch: f64,
    shift: [f64; 2],
}

impl Draw {
    fn labels(&self) -> [f32; LABELS] {
        let flag = |set: bool| if set { 1.0 } else { 0.0 };
        let (axis_sine, axis_cosine) = self.axis.sin_cos();
        let (sine, cosine) = self.angle.sin_cos();
        let [x, y] = self.shift;
        let [along, across] = [self.stretch * axis_cosine, self.stretch * axis_sine];
        [flag(self.x_flip), flag(self.y_flip), self.scale, cosine - 1.0, sine, along, across, x, y].map(|label| label as f32)
    }

    /// The map from a pixel of the result to where it comes from, both measured from the centre of the image.
    ///
    /// Forwards the steps are flip, scale, rotate, stretch, shift; so backwards they are the inverses in the opposite order.
    fn source(&self, settings: &Augmentation, width: f64, height: f64) -> Affine {
        let mut map = Affine::IDENTITY;
        if self.shift != [0.0; 2] {
            let by = settings.shift_deviation;
            map = map.then(Affine([[1.0, 0.0, -self.shift[0] * by * width], [0.0, 1.0, -self.shift[1] * by * height]]));
        }
        if self.stretch != 0.0 {
            let factor = (settings.stretch_deviation * self.stretch).exp2();
            let squeeze = Affine::scale(1.0 / factor, factor);
            map = map.then(Affine::rotation(-self.axis)).then(squeeze).then(Affine::rotation(self.axis));
        }
        if self.angle != 0.0 {
            map = map.then(Affine::rotation(-self.angle));
        }
        if self.scale != 0.0 {
            let factor = (-settings.scale_deviation * self.scale).exp2();
            map = map.then(Affine::scale(factor, factor));
        }
        let sign = |flip: bool| if flip { -1.0 } else { 1.0 };
        map.then(Affine::scale(sign(self.x_flip), sign(self.y_flip)))
    }
}

/// The map `x' = a x + b y + c`, `y' = d x + e y + f`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Affine([[f64; 3]; 2]);

impl Affine {
    const IDENTITY: Self = Self::scale(1.0, 1.0);

    const fn scale(x: f64, y: f64) -> Self {
        Self([[x, 0.0, 0.0], [0.0, y, 0.0]])
    }

    /// By `angle`, from the x axis towards the y axis, which points down in an image.
    fn rotation(angle: f64) -> Self {
        let (sine, cosine) = angle.sin_cos();
        Self([[cosine, -sine, 0.0], [sine, cosine, 0.0]])
    }

    /// First this map, then `next`.
    fn then(self, next: Self) -> Self {
        let Self([first, second]) = self;
        Self(next.0.map(|[x, y, constant]| {
            let mut row: [f64; 3] = std::array::from_fn(|column| x * first[column] + y * second[column]);
            row[2] += constant;
            row
        }))
    }

    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let [[a, b, c], [d, e, f]] = self.0;
        (a * x + b * y + c, d * x + e * y + f)
    }
}

/// Fills `out` with one channel of an image, each pixel taken from where `from` says.
fn resample(plane: &[u8], height: usize, width: usize, from: &Affine, out: &mut [f32]) {
    if *from == Affine::IDENTITY {
        out.iter_mut().zip(plane).for_each(|(out, &byte)| *out = to_unit(byte));
        return;
    }
    let (centre_x, centre_y) = ((width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0);
    for (row, out) in out.chunks_exact_mut(width).enumerate() {
        for (column, out) in out.iter_mut().enumerate() {
            let (x, y) = from.at(column as f64 - centre_x, row as f64 - centre_y);
            *out = bilinear(plane, height, width, x + centre_x, y + centre_y);
        }
    }
}

fn bilinear(plane: &[u8], height: usize, width: usize, x: f64, y: f64) -> f32 {
    let (left, top) = (x.floor(), y.floor());
    let (part_x, part_y) = ((x - left) as f32, (y - top) as f32);
    let columns = [mirrored(left as i64, width), mirrored(left as i64 + 1, width)];
    let line = |row: usize| {
        let [left, right] = columns.map(|column| to_unit(plane[row * width + column]));
        left + part_x * (right - left)
    };
    let upper = line(mirrored(top as i64, height));
    let lower = line(mirrored(top as i64 + 1, height));
    upper + part_y * (lower - upper)
}

/// A position beyond the edge, mirrored at the outermost pixel as often as needed: `-1` becomes `1`, `side` becomes `side - 2`.
fn mirrored(position: i64, side: usize) -> usize {
    let last = side as i64 - 1;
    if last == 0 {
        return 0;
    }
    let within = position.rem_euclid(2 * last);
    within.min(2 * last - within) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(channels: usize, height: usize, width: usize) -> Images {
        let pixels = (0..channels * height * width).map(|place| (place * 37 % 251) as u8).collect();
        Images::new(pixels, [1, channels, height, width], None).expect("images")
    }

    fn transform(images: &Images, draw: Draw, settings: &Augmentation) -> Vec<f32> {
        let [_, _, height, width] = images.shape();
        let mut out = vec![0.0; images.bytes_of_one()];
        let from = draw.source(settings, width as f64, height as f64);
        for (out, plane) in out.chunks_mut(height * width).zip(images.pixels().chunks(height * width)) {
            resample(plane, height, width, &from, out);
        }
        out
    }

    fn close(left: &[f32], right: &[f32]) {
        let worst = left.iter().zip(right).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(left.len() == right.len() && worst < 1e-5, "they differ by {worst}");
    }

    #[test]
    fn flips_are_exact_and_twice_is_nothing() {
        for (height, width) in [(4, 5), (1, 1), (3, 8)] {
            let images = picture(3, height, width);
            let original = images.units_of(&[0]);
            for (x_flip, y_flip) in [(true, false), (false, true), (true, true)] {
                let draw = Draw { x_flip, y_flip, ..Draw::default() };
                let once = transform(&images, draw, &Augmentation::edm(1.0));
                let mirror = |place: usize, side: usize, flip: bool| if flip { side - 1 - place } else { place };
                for (index, value) in once.iter().enumerate() {
                    let (plane, row, column) = (index / (height * width), index / width % height, index % width);
                    let from = (plane * height + mirror(row, height, y_flip)) * width + mirror(column, width, x_flip);
                    assert_eq!(*value, original[from]);
                }
                let flipped = Images::from_unit(&once, images.shape(), None).expect("images");
                assert_eq!(transform(&flipped, draw, &Augmentation::edm(1.0)), original);
            }
        }
    }

    #[test]
    fn a_quarter_turn_and_a_whole_shift_move_pixels() {
        let images = Images::new((0..9).map(|place| place * 20).collect(), [1, 1, 3, 3], None).expect("images");
        let turned = transform(&images, Draw { angle: std::f64::consts::FRAC_PI_2, ..Draw::default() }, &Augmentation::edm(1.0));
        // A quarter turn clockwise on the screen, as y points down: the first column, read upwards, is the first row.
        close(
            &turned,
            &images.units_of(&[0]).iter().enumerate().map(|(i, _)| to_unit([6, 3, 0, 7, 4, 1, 8, 5, 2][i] * 20)).collect::<Vec<_>>(),
        );
        let settings = Augmentation { shift_deviation: 1.0 / 3.0, ..Augmentation::edm(1.0) };
        let moved = transform(&images, Draw { shift: [1.0, 0.0], ..Draw::default() }, &settings);
        // One pixel to the right; what comes in on the left is the mirror image.
        close(&moved, &[1, 0, 1, 4, 3, 4, 7, 6, 7].map(|place| to_unit(place * 20)));
    }

    #[test]
    fn scaling_up_spreads_the_centre() {
        let images = Images::new(vec![0, 100, 200], [1, 1, 1, 3], None).expect("images");
        let settings = Augmentation { scale_deviation: 1.0, ..Augmentation::edm(1.0) };
        let doubled = transform(&images, Draw { scale: 1.0, ..Draw::default() }, &settings);
        close(&doubled, &[50, 100, 150].map(to_unit));
        // Stretched along x by two, so that y, of which there is one row, does not matter.
        let settings = Augmentation { stretch_deviation: 1.0, ..Augmentation::edm(1.0) };
        let stretched = transform(&images, Draw { stretch: 1.0, ..Draw::default() }, &settings);
        close(&stretched, &[50, 100, 150].map(to_unit));
        // Along y, x shrinks to a half: the outer pixels come from two steps away, mirrored back to the centre.
        let stretched = transform(&images, Draw { stretch: 1.0, axis: std::f64::consts::FRAC_PI_2, ..Draw::default() }, &settings);
        close(&stretched, &[100, 100, 100].map(to_unit));
    }

    #[test]
    fn a_transformation_depends_on_its_row_alone() {
        let images = picture(3, 6, 6).select(&[0; 8]);
        let (stream, settings) = (Stream::new(3, 9), Augmentation::edm(0.5));
        let whole = settings.apply(&stream, 100, &images, &[0, 1, 2, 3, 4, 5, 6, 7]);
        let part = settings.apply(&stream, 103, &images, &[3, 4]);
        assert_eq!(whole.labels[3..5], part.labels);
        assert_eq!(whole.pixels[3 * 108..5 * 108], part.pixels);
        assert_ne!(whole.labels[0], whole.labels[1]);
        assert_ne!(settings.apply(&Stream::new(4, 9), 100, &images, &[0]).labels, whole.labels[..1]);
    }

    #[test]
    fn steps_come_as_often_as_asked_and_are_told() {
        let images = picture(1, 1, 1).select(&[0; 20_000]);
        let indices: Vec<usize> = (0..20_000).collect();
        let told = Augmentation::edm(0.12).apply(&Stream::new(1, 2), 0, &images, &indices).labels;
        let share = |label: usize| told.iter().filter(|labels| labels[label] != 0.0).count() as f64 / 20_000.0;
        for (label, expected) in [(0, 0.5), (1, 0.06), (2, 0.12), (3, 0.12), (4, 0.12), (5, 0.12), (6, 0.12), (7, 0.12), (8, 0.12)] {
            assert!((share(label) - expected).abs() < 0.015, "label {label}: {}", share(label));
        }
        let both = told.iter().filter(|labels| labels[2] != 0.0 && labels[7] != 0.0).count() as f64 / 20_000.0;
        assert!((both - 0.0144).abs() < 0.004, "steps are independent: {both}");
        let never = Augmentation::flip(0.0).apply(&Stream::new(1, 2), 0, &images, &indices[..50]);
        assert!(never.labels.iter().flatten().all(|&label| label == 0.0));
        let always = Augmentation::flip(1.0).apply(&Stream::new(1, 2), 0, &images, &indices[..50]);
        assert!(always.labels.iter().all(|labels| *labels == [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]));
    }

    #[test]
    fn positions_are_mirrored_as_often_as_needed() {
        assert_eq!([-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6].map(|at| mirrored(at, 3)), [1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2]);
        assert_eq!(mirrored(-7, 1), 0);
    }
}

//! From addresses to images: initial noise by address, a solver over the network, pixels.

use burn::tensor::{Device, Tensor};
use semblant_core::model::Sampler;
use semblant_core::seeds::Stream;
use semblant_core::{Result, host};
use semblant_images::purpose::{MASK_NOISE, STEP_NOISE};
use semblant_images::{CHUNK, ImageDraw, ImageShape, latents};

use crate::networks::{Condition, Net, Network};
use crate::process::{Level, Path, Prediction};
use crate::schedule::Plan;
use crate::solvers::{Sampling, Solver, guided, inpainted, resampled, solver};

/// What images are made out of, where that is not noise alone; one image a draw, in the order of their rows.
#[derive(Debug, Clone)]
pub struct Start {
    /// Pixels of every image in -1 to 1, row-major.
    pub pixels: Vec<f32>,
    /// 1 where a pixel stays as it is, 0 where it is made anew; one image's pixels for all, or none.
    pub mask: Option<Vec<f32>>,
    /// The row of the first image.
    pub first_row: u64,
}

/// A trained network with a process and a solver.
pub struct DiffusionSampler<'a> {
    net: &'a Net,
    shape: ImageShape,
    classes: usize,
    prediction: Prediction,
    plan: Plan,
    solver: Solver<4>,
    settings: Sampling,
    start: Option<Start>,
    device: Device,
}

impl<'a> DiffusionSampler<'a> {
    /// A sampler over `plan`; `classes` is how many the network knows.
    ///
    /// # Errors
    /// A setting out of range, a solver that is not known, or churn on a path that has no levels for it.
    pub fn new(
        net: &'a Net,
        shape: ImageShape,
        classes: usize,
        prediction: Prediction,
        plan: Plan,
        settings: &Sampling,
        device: &Device,
    ) -> Result<Self> {
        settings.check()?;
        settings.check_on(&plan)?;
        Ok(Self {
            net,
            shape,
            classes,
            prediction,
            plan,
            solver: solver(&settings.solver)?,
            settings: settings.clone(),
            start: None,
            device: device.clone(),
        })
    }

    /// This sampler, making images out of images: they are noised as far as `strength` of the way, and denoised from there. A strength of
    /// 0 gives them back as they are.
    pub fn from_images(mut self, start: Start) -> Self {
        self.plan = self.plan.from_strength(self.settings.strength);
        self.start = Some(start);
        self
    }

    /// How far images are noised that others are made out of, from 0 to 1.
    pub fn strength(&self) -> f64 {
        self.settings.strength
    }

    /// `[CHUNK, channels, height, width]` from one row of numbers a draw.
    fn tensor(&self, draws: &[ImageDraw], mut one: impl FnMut(&ImageDraw, &mut [f32])) -> Tensor<4> {
        let ImageShape { channels, height, width } = self.shape;
        let mut values = vec![0.0; CHUNK * self.shape.len()];
        for (draw, out) in draws.iter().zip(values.chunks_exact_mut(self.shape.len())) {
            one(draw, out);
        }
        host::tensor(values, [CHUNK, channels, height, width], &self.device)
    }

    fn noise(&self, draws: &[ImageDraw], stream: Stream) -> Tensor<4> {
        let follow_each_other = draws.windows(2).all(|pair| pair[0].row.checked_add(1) == Some(pair[1].row));
        // A GPU makes rows that follow each other itself, and gets others from the host.
        if host::is_host(&self.device) || !follow_each_other || draws.is_empty() {
            return self.tensor(draws, |draw, out| stream.normals(draw.row, out));
        }
        let (ImageShape { channels, height, width }, count) = (self.shape, draws.len());
        let first = draws[0].row;
        let mut noise = stream.normals_on(first..first + count as u64, self.shape.len(), &self.device); // [draws, pixels]
        if count < CHUNK {
            noise = Tensor::cat(vec![noise, Tensor::zeros([CHUNK - count, self.shape.len()], &self.device)], 0);
        }
        noise.reshape([CHUNK, channels, height, width])
    }

    fn first_noise(&self, draws: &[ImageDraw], seed: u64) -> Tensor<4> {
        let ImageShape { channels, height, width } = self.shape;
        host::tensor(latents(draws, CHUNK, self.shape.len(), seed), [CHUNK, channels, height, width], &self.device)
    }

    /// The pixels that the image of a draw is made out of.
    fn given<'s>(&self, start: &'s Start, draw: &ImageDraw) -> &'s [f32] {
        let place = (draw.row - start.first_row) as usize * self.shape.len();
        &start.pixels[place..place + self.shape.len()]
    }

    /// The clean images that the network sees, `x [CHUNK, channels, height, width]`.
    fn denoise(&self, x: Tensor<4>, level: &Level, condition: &Condition) -> Tensor<4> {
        let scaling = self.prediction.scaling(level);
        let [batch, ..] = x.dims();
        let time = Tensor::full([batch], level.time, &self.device);
        let out = self.net.forward(x.clone() * scaling.input, time, condition);
        // What a foreign network says of variances, in as many channels again, is not used.
        let out = out.narrow(1, 0, self.shape.channels);
        x * scaling.skip + out * scaling.out
    }

    fn condition(&self, draws: &[ImageDraw], asked: bool) -> Condition {
        let none = self.classes as i32;
        let mut classes = vec![none; CHUNK];
        if asked {
            draws.iter().zip(&mut classes).for_each(|(draw, class)| *class = draw.class.map_or(none, |class| class as i32));
        }
        Condition { class: Some(host::indices(classes, &self.device)), augmentation: None }
    }

    /// Images of at most [`CHUNK`] draws, from their first noise.
    fn solve(&self, draws: &[ImageDraw], seed: u64, first: Tensor<4>) -> Tensor<4> {
        let (with, without) = (self.condition(draws, true), self.condition(draws, false));
        let conditional = |x: Tensor<4>, level: &Level| self.denoise(x, level, &with);
        let unconditional = |x: Tensor<4>, level: &Level| self.denoise(x, level, &without);
        let guided = guided(&conditional, &unconditional, self.settings.guidance);
        let guide = self.settings.guidance != 1.0 && draws.iter().any(|draw| draw.class.is_some());
        let denoise = |x: Tensor<4>, level: &Level| if guide { guided(x, level) } else { conditional(x, level) };
        let noise = |step: usize| self.noise(draws, STEP_NOISE.nth(seed, step as u32));
        let top = self.plan.levels[0];
        let Some(start) = &self.start else {
            // On a variance-preserving path noise has unit variance whatever the first level; the trace of an image in it is left out.
            let spread = if self.plan.path == Path::VariancePreserving { 1.0 } else { top.sigma };
            return (self.solver)(&denoise, first * spread, &self.plan, &self.settings, &noise);
        };
        let given = self.tensor(draws, |draw, out| out.copy_from_slice(self.given(start, draw)));
        let x = top.noised(given.clone(), first);
        let Some(mask) = &start.mask else { return (self.solver)(&denoise, x, &self.plan, &self.settings, &noise) };
        let ImageShape { channels, height, width } = self.shape;
        let mask = host::tensor(mask.clone(), [1, channels, height, width], &self.device);
        let filled = inpainted(&denoise, given, mask, self.noise(draws, MASK_NOISE.of(seed)));
        if self.settings.resamples == 1 {
            return (self.solver)(&filled, x, &self.plan, &self.settings, &noise);
        }
        resampled(self.solver, &filled, x, &self.plan, &self.settings, &noise)
    }
}

impl Sampler for DiffusionSampler<'_> {
    type Draw = ImageDraw;
    /// Pixels in -1 to 1 and a little beyond, `[draws, channels, height, width]` row-major.
    type Output = Vec<f32>;

    fn make(&self, draws: &[ImageDraw], seed: u64) -> Vec<f32> {
        // Even the last level has noise; what is neither noised nor denoised stays as it is.
        if let Some(start) = self.start.as_ref().filter(|_| self.settings.strength == 0.0) {
            return draws.iter().flat_map(|draw| self.given(start, draw)).copied().collect();
        }
        let mut pixels = Vec::with_capacity(draws.len() * self.shape.len());
        for draws in draws.chunks(CHUNK) {
            let images = self.solve(draws, seed, self.first_noise(draws, seed));
            host::read(&images, |values| pixels.extend_from_slice(&values[..draws.len() * self.shape.len()]));
        }
        pixels
    }
}

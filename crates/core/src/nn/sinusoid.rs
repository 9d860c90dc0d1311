//! The sinusoidal embedding of a number.

use burn::tensor::Tensor;

use super::Constants;

/// The sinusoidal embedding of a time (Vaswani et al. 2017) as diffusers computes it: `time [batch]` gives `[batch, width]`, sines and
/// cosines of `time / 10000^(k / (width / 2 - shift))`, cosines first if `cosine_first`; an odd width ends in a zero.
///
/// `constants` keeps the frequencies; it belongs to one width and one shift.
pub fn sinusoid(time: Tensor<1>, width: usize, cosine_first: bool, shift: f64, constants: &Constants) -> Tensor<2> {
    let half = width / 2;
    let device = time.device();
    // Rounded where diffusers rounds: at time 999 the last bit of a frequency is 6e-5 of an angle.
    let exponent = |k: usize| -(10_000f64.ln()) as f32 * k as f32 / (half as f64 - shift) as f32;
    let frequencies = constants.get([1, half], &device, || (0..half).map(|k| exponent(k).exp()).collect());
    let angles = time.unsqueeze_dim::<2>(1) * frequencies; // [batch, half]
    let (sine, cosine) = (angles.clone().sin(), angles.cos());
    let mut parts = if cosine_first { vec![cosine, sine] } else { vec![sine, cosine] };
    if width % 2 == 1 {
        parts.push(Tensor::zeros([parts[0].dims()[0], 1], &device));
    }
    Tensor::cat(parts, 1)
}

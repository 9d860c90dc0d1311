//! Elementary functions in plain f32 arithmetic without branches, so that loops over them become vector code and give the same
//! bits on every machine (a libm's `ln` or `exp` may differ from one version to the next). Polynomials as in Moshier's Cephes.

/// Natural logarithm of a positive normal number; relative error below 2e-7, absolute below 1e-7 around 1.
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    // x = mantissa * 2^exponent with the mantissa in [sqrt(1/2), sqrt(2)).
    let bits = x.to_bits().wrapping_sub(0x3f35_04f3);
    let exponent = (bits as i32 >> 23) as f32;
    let m = f32::from_bits((bits & 0x007f_ffff) + 0x3f35_04f3) - 1.0;
    let z = m * m;
    let mut p = 7.037_683_6e-2;
    for c in
        [-1.151_461e-1, 1.167_699_9e-1, -1.242_014_1e-1, 1.424_932_3e-1, -1.666_805_8e-1, 2.000_071_5e-1, -2.499_999_4e-1, 3.333_333_1e-1]
    {
        p = p * m + c;
    }
    let tail = p * m * z + exponent * -2.121_944_4e-4 - 0.5 * z;
    m + tail + exponent * 0.693_359_4
}

/// The exponential, 0 far below and capped at the largest finite power far above; relative error below 2e-7.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    // Round to nearest by the magic constant: adding it pushes the fraction out of the mantissa.
    let shifted = x * std::f32::consts::LOG2_E + 12_582_912.0;
    let k = shifted - 12_582_912.0;
    let r = x - k * 0.693_359_4 - k * -2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5.000_000_1e-1] {
        p = p * r + c;
    }
    let value = p * r * r + r + 1.0;
    f32::from_bits(value.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// Hyperbolic tangent; absolute error below 3e-7.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x.clamp(-20.0, 20.0)) + 1.0)
}

/// Sine and cosine of `turns` whole turns (of 2 pi), for `turns` in [0, 1]; absolute error below 3e-7.
#[inline(always)]
pub fn sin_cos_turn(turns: f32) -> (f32, f32) {
    // The nearest quarter turn, and the rest as an angle in [-pi/4, pi/4].
    let shifted = turns * 4.0 + 12_582_912.0;
    let quarter = shifted.to_bits() & 3;
    let angle = (turns * 4.0 - (shifted - 12_582_912.0)) * std::f32::consts::FRAC_PI_2;
    let z = angle * angle;
    let sine = ((-1.951_529_6e-4 * z + 8.332_161e-3) * z - 1.666_665_5e-1) * z * angle + angle;
    let cosine = ((2.443_315_7e-5 * z - 1.388_731_6e-3) * z + 4.166_664_6e-2) * z * z - 0.5 * z + 1.0;
    let (s, c) = if quarter & 1 == 1 { (cosine, sine) } else { (sine, cosine) };
    let flip = |value: f32, negative: bool| f32::from_bits(value.to_bits() ^ (u32::from(negative) << 31));
    (flip(s, quarter >= 2), flip(c, quarter == 1 || quarter == 2))
}

/// Softmax in place, shifted by the greatest value so that nothing overflows.
#[inline(always)]
pub fn softmax(values: &mut [f32]) {
    let greatest = values.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
    let mut sum = 0.0;
    for value in values.iter_mut() {
        *value = exp(*value - greatest);
        sum += *value;
    }
    let scale = 1.0 / sum;
    values.iter_mut().for_each(|value| *value *= scale);
}

/// Which of some weights `chance`, from 0 to 1, falls on; the last positive one where rounding leaves none.
///
/// # Panics
/// Without weights.
pub fn chosen(weights: &[f64], chance: f64) -> usize {
    let mut left = chance * weights.iter().sum::<f64>();
    let place = weights.iter().position(|weight| {
        left -= weight;
        left < 0.0
    });
    place.or_else(|| weights.iter().rposition(|&weight| weight > 0.0)).unwrap_or(weights.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chance_falls_on_weights_by_their_share() {
        let weights = [1.0, 0.0, 2.0, 1.0, 0.0];
        let of = |chance| chosen(&weights, chance);
        assert_eq!([0.0, 0.2499, 0.25, 0.7499, 0.75, 0.9999, 1.0].map(of), [0, 0, 2, 2, 3, 3, 3]);
        assert_eq!(chosen(&[0.0, 0.0], 0.5), 1);
    }

    #[test]
    fn functions_agree_with_double_precision() {
        for i in 1..200_000 {
            let x = i as f32 * 1e-4;
            assert!((f64::from(ln(x)) - f64::from(x).ln()).abs() < 3e-7 * f64::from(x).ln().abs().max(1.0), "ln {x}");
            let y = x * 8.0 - 80.0;
            assert!((f64::from(exp(y)) / f64::from(y).exp() - 1.0).abs() < 3e-7, "exp {y}");
            let z = x - 10.0;
            assert!((f64::from(tanh(z)) - f64::from(z).tanh()).abs() < 3e-7, "tanh {z}");
            let turns = x / 20.0;
            let (s, c) = sin_cos_turn(turns);
            let (es, ec) = (f64::from(turns) * std::f64::consts::TAU).sin_cos();
            assert!((f64::from(s) - es).abs() < 3e-7 && (f64::from(c) - ec).abs() < 3e-7, "turn {turns}");
        }
        assert_eq!(exp(-1000.0).to_bits(), exp(-87.0).to_bits());
        assert!(exp(1000.0).is_finite());
    }
}

//! Numbers by a formula that `golden/formula.py` has too, so that no weights need to be kept.
#![allow(dead_code)]

use semblant_core::checkpoint::Checkpoint;

/// SplitMix64's finaliser on the FNV-1a hash of a name and a counter.
fn bits(name: &str, count: usize) -> impl Iterator<Item = u64> {
    let seed = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
    (1..=count as u64).map(move |counter| {
        let mut z = seed.wrapping_add(counter.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    })
}

/// Numbers from -1 up to 1.
pub(crate) fn units(name: &str, count: usize) -> Vec<f32> {
    bits(name, count).map(|bits| (bits >> 40) as f32 / 8_388_608.0 - 1.0).collect()
}

/// Bytes.
pub(crate) fn bytes_of(name: &str, count: usize) -> Vec<u8> {
    bits(name, count).map(|bits| (bits >> 56) as u8).collect()
}

/// A file of tensors by the formula: weights of He's spread, normalisations near 1.
pub(crate) fn weights_of<'a>(tensors: impl IntoIterator<Item = (&'a str, &'a [usize])>) -> Checkpoint {
    let mut file = Checkpoint::foreign();
    for (name, shape) in tensors {
        let mut values = units(name, shape.iter().product());
        let (shift, by) = match shape {
            _ if name.ends_with("running_var") => (1.0, 0.5),
            [outputs, _, ..] => (0.0, ((6 * outputs) as f32 / values.len() as f32).sqrt()),
            _ if name.ends_with("bn.weight") => (1.0, 0.2),
            _ => (0.0, 0.1),
        };
        values.iter_mut().for_each(|value| *value = shift + by * *value);
        file.insert(name, shape, values);
    }
    file
}

//! Scores of regular windows of series, on the protocol of TimeGAN (Yoon et al. 2019) and its successors.
//!
//! All scores see windows whose columns were brought to 0..1 by the range of the real ones ([`scaled`]).

pub mod context;
mod copies;
pub mod general;
mod gru;
mod moments;
mod recurrent;

use semblant_data::series::Windows;

pub use copies::{Copies, copies};
pub use moments::{autocorrelation, correlational, marginals, spectrum};
pub use recurrent::{discriminative, predictive};

/// Windows with every column brought to 0..1 by its range in `like`; a column that is constant there becomes its difference from that value.
pub fn scaled(windows: &Windows, like: &Windows) -> Windows {
    let channels = windows.channels;
    let range = |channel: usize| {
        let values = like.values.iter().skip(channel).step_by(channels).copied();
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
    };
    let ranges: Vec<(f64, f64)> = (0..channels).map(range).collect();
    let scale = |(at, &value): (usize, &f64)| {
        let (low, high) = ranges[at % channels];
        if high > low { (value - low) / (high - low) } else { value - low }
    };
    Windows { values: windows.values.iter().enumerate().map(scale).collect(), ..*windows }
}

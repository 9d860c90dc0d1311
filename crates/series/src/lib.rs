//! Models of series: of sequences of rows of any kind, and of regular windows of numbers.
//!
//! ```
//! use semblant_core::synthesizer::{Run, Synthesizer};
//! use semblant_data::series::{Series, SeriesRequest};
//! use semblant_data::table::{Column, ColumnKind, Table};
//! use semblant_series::Autoregression;
//!
//! # fn main() -> semblant_core::Result<()> {
//! let load = (0..500).map(|hour| (f64::from(hour) / 4.0).sin() + f64::from(hour * 7919 % 101) / 500.0).collect();
//! let rows = Table::from_columns(vec![("load", ColumnKind::Continuous, Column::Number(load))])?;
//! let windows = Series::of_table(rows).windows(24, 1)?;
//! let mut model = Autoregression::default();
//! model.fit(&windows, &mut Run::new(semblant_core::device::select("cpu")?, 0))?;
//! assert_eq!(model.sample(&SeriesRequest::new(3, 0))?.data.common_length(), Some(24));
//! # Ok(())
//! # }
//! ```
//!
//! - [`sequence`]: the general model: mixed columns, any lengths, attributes, forecasts.
//! - [`flow`]: `series-flow`, for windows of numbers; [`vq`], [`timevae`]: autoencoders of them; [`dgan`]: a GAN, for sequences of any lengths.
//! - [`bootstrap`], [`autoregression`]: controls for every score.
//! - [`model`]: what models of windows share; [`attributes`]: those of whole sequences; [`batches`]: what models learn from.
//! - [`whitening`]: windows as the flow sees them; [`inpainting`]: windows that are partly known.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod attributes;
pub mod autoregression;
pub mod batches;
pub mod bootstrap;
mod convolution;
mod covariance;
pub mod dgan;
mod filling;
pub mod flow;
mod given;
pub mod inpainting;
pub mod model;
pub mod sequence;
pub mod timevae;
pub mod vq;
pub mod whitening;

use semblant_core::synthesizer::Entry;
use semblant_data::series::Series;

pub use autoregression::AutoregressionConfig;
pub use bootstrap::BootstrapConfig;
pub use dgan::DganConfig;
pub use flow::FlowConfig;
pub use model::{Form, SeriesModel, SeriesSynthesizer};
pub use sequence::{Sequence, SequenceConfig};
pub use timevae::TimeVaeConfig;
pub use vq::VqConfig;

/// Flow matching over windows with its settings, fitted or not.
pub type SeriesFlow = SeriesSynthesizer<FlowConfig>;
/// Codes of windows with their settings, fitted or not.
pub type SeriesVq = SeriesSynthesizer<VqConfig>;
/// A variational autoencoder of windows with its settings, fitted or not.
pub type TimeVae = SeriesSynthesizer<TimeVaeConfig>;
/// DoppelGANger with its settings, fitted or not.
pub type Dgan = SeriesSynthesizer<DganConfig>;
/// Windows of the training series themselves: a control for scores.
pub type BlockBootstrap = SeriesSynthesizer<BootstrapConfig>;
/// A linear autoregression with normal noise: a control for scores.
pub type Autoregression = SeriesSynthesizer<AutoregressionConfig>;

/// The models of this family.
pub const MODELS: &[Entry<Series>] = &[
    sequence::ENTRY,
    model::entry::<FlowConfig>(),
    model::entry::<VqConfig>(),
    model::entry::<DganConfig>(),
    model::entry::<TimeVaeConfig>(),
    model::entry::<BootstrapConfig>(),
    model::entry::<AutoregressionConfig>(),
];

/// Purposes of random numbers in this family.
mod purpose {
    use semblant_core::seeds::streams::{LAYERS, SAMPLING, TRAINING};

    semblant_core::streams! {
        in LAYERS;
        /// First weights of critics, one stream a layer.
        pub(crate) const CRITIC = 0..0x100;
        pub(crate) const RANGE_CRITIC = 0x100..0x200;
    }

    semblant_core::streams! {
        in TRAINING;
        /// The order of the windows.
        pub(crate) const ORDER = 0..1;
        /// How far a window is noised.
        pub(crate) const TIME = 1..2;
        /// The noise of a window.
        pub(crate) const NOISE = 2..3;
        /// Which vectors take the place of codes that are not used.
        pub(crate) const REVIVAL = 3..4;
        /// Where between real and fake sequences a penalty is taken.
        pub(crate) const MIX = 4..5;
        /// What is left out of a network, one stream a place.
        pub(crate) const DROPOUT = 0x1000..0x10000;
    }

    semblant_core::streams! {
        in SAMPLING;
        /// The noise that a window begins with.
        pub(crate) const FIRST_NOISE = 0..1;
        /// Which training windows a window consists of.
        pub(crate) const BLOCKS = 1..2;
    }
}

//! Models of text: small language models that are trained on the data alone, for messages, names, notes and one long text.
//!
//! ```
//! use semblant_core::synthesizer::{Run, Synthesizer};
//! use semblant_data::text::{Text, TextRequest};
//! use semblant_text::{TextAr, TextArConfig, TextConfig};
//!
//! # fn main() -> semblant_core::Result<()> {
//! let orders = Text::of_lines((0..60).map(|row| format!("{} cups of {}", row % 7 + 1, ["tea", "coffee"][row % 2])));
//! let text = TextConfig { width: 16, depth: 1, heads: 2, ..TextConfig::default() };
//! let train = semblant_core::train_config::TrainConfig { epochs: 2, ..TextArConfig::default().train };
//! let mut model = TextAr::new(TextArConfig { train, text, ..TextArConfig::default() })?;
//! model.fit(&orders, &mut Run::new(semblant_core::device::select("cpu")?, 0))?;
//! assert_eq!(model.sample(&TextRequest::new(3, 0))?.data.count(), 3);
//! # Ok(())
//! # }
//! ```
//!
//! - [`autoregressive`]: `text-ar`, the default. [`masked`]: `text-mdlm`, which fills in.
//! - [`synthesizer`]: what both share: tokens, held-out texts, the file, sampling under the guard. [`model`]: what each has of its own.
//! - [`columns`]: columns of free text in tables. [`pattern`]: texts that match an expression. [`protect`]: names and numbers.
//! - [`transformer`]: the network. [`match_model`]: copies of what was before in a text. [`corpus`]: texts as windows and batches. [`guard`]: against copies of training text.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod autoregressive;
pub mod columns;
pub mod corpus;
mod drawing;
mod filling;
pub mod form;
pub mod guard;
pub mod masked;
pub mod match_model;
pub mod model;
pub mod pattern;
pub mod protect;
pub mod synthesizer;
pub mod told;
pub mod transformer;

use semblant_core::synthesizer::Entry;
use semblant_data::text::Text;

pub use autoregressive::TextArConfig;
pub use form::TextConfig;
pub use masked::TextMdlmConfig;
pub use model::TextModel;
pub use synthesizer::TextSynthesizer;

/// The causal transformer with its settings, fitted or not.
pub type TextAr = TextSynthesizer<TextArConfig>;
/// Masked diffusion with its settings, fitted or not.
pub type TextMdlm = TextSynthesizer<TextMdlmConfig>;

/// The models of this family, the default first.
pub const MODELS: &[Entry<Text>] = &[synthesizer::entry::<TextArConfig>(), synthesizer::entry::<TextMdlmConfig>()];

/// Purposes of random numbers in this family.
mod purpose {
    use semblant_core::seeds::streams::{SAMPLING, TRAINING};

    semblant_core::streams! {
        in TRAINING;
        /// The order of the texts.
        pub(crate) const ORDER = 0..1;
        /// Where a window of a long text begins.
        pub(crate) const START = 1..2;
        /// The order of the batches of texts of similar length.
        pub(crate) const GROUPS = 2..3;
        /// Which texts are held out.
        pub(crate) const HELD_OUT = 3..4;
        /// Which positions are shown.
        pub(crate) const SHOWN = 4..5;
        /// How many positions are shown.
        pub(crate) const TIMES = 5..6;
        /// Whose label is left out.
        pub(crate) const UNLABELLED = 6..7;
        /// Which positions are shown of held-out texts.
        pub(crate) const JUDGED = 7..8;
        /// What takes the place of names.
        pub(crate) const PROTECTED = 8..9;
        /// What is left out of a network, one stream a place.
        pub(crate) const DROPOUT = 0x1000..0x10000;
    }

    semblant_core::streams! {
        in SAMPLING;
        /// The tokens of an attempt at a text, one stream for each window.
        pub(crate) const TOKENS = 0..0x0040_0000;
        /// The orders in which they are drawn.
        pub(crate) const ORDERS = 0x0040_0000..0x0080_0000;
        /// The label of a text.
        pub(crate) const LABEL = 0x0080_0000..0x0080_0001;
        /// What likelihoods are estimated by.
        pub(crate) const ESTIMATED = 0x0080_0001..0x0080_0002;
        /// Which of several rows a given text belongs to.
        pub(crate) const CHOSEN = 0x0080_0002..0x0080_0003;
    }
}

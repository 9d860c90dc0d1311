//! Masked (absorbing) diffusion over tokens, for any data that is a fixed number of positions with one token each: the columns of a row, the
//! characters of a text.
//!
//! The forward process hides positions one after the other, in an order; the model predicts the hidden ones from those that are still shown.
//! That is order-agnostic autoregression (Hoogeboom et al. 2022, "Autoregressive diffusion models") and, with tokens hidden independently, the
//! absorbing diffusion of MDLM (Sahoo et al. 2024). Whatever is given stands first in the order, so that conditions on any subset are exact.
//!
//! ```
//! use semblant_core::seeds::Stream;
//! use semblant_masked_diffusion::Orders;
//!
//! // Half of the rows in the given order, half in a random one whose last position is 2.
//! let orders = Orders::random(3).with_given(vec![0, 1, 2], 0.5);
//! let order = orders.order(&Stream::new(7, 0), 0);
//! assert_eq!(order[2], 2);
//! ```
//!
//! - [`Orders`]: in which order positions are shown, and which are shown in a training step.
//! - [`CrossEntropy`]: the loss over hidden positions, with its gradient.
//! - [`Network`]: what maps shown tokens to logits; [`reveal`] draws the hidden ones, [`log_likelihoods`] judges given ones.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod choose;
mod loss;
mod orders;
mod reveal;
mod spans;

pub use choose::{Choice, choose};
pub use loss::{CrossEntropy, Smoothing, Targets};
pub use orders::{Orders, Shown};
pub use reveal::{Cell, Network, NoRules, Reveal, Rules, log_likelihoods, reveal};
pub use spans::Spans;

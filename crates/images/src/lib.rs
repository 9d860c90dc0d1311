//! What image models share: shapes and classes, sample addresses, and fitting.
//!
//! An image model is a configuration that implements [`ImageModel`]: a [`Model`](semblant_core::model::Model) to train, and a function
//! from addresses to pixels. [`ImageSynthesizer`] is the user's type: it fits, resumes, samples by address and class, interpolates, saves
//! and loads. [`entry`] is what the registry lists.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod batches;
mod draw;
mod kind;
mod model;
mod training;
mod workers;

pub use batches::{Batches, Shown, purpose, shown_classes};
pub use draw::{CHUNK, ImageDraw, latents, overlaid, slerp};
pub use kind::{ImageKind, ImageShape};
pub use model::{Fitted, ImageModel, ImageSynthesizer, MakeBatch, check_shape, entry, rebuilt, sampled};
pub use training::{RENAMED, Training};

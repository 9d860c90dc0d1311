//! What all models of images have in common: shapes and classes, addresses of samples, and the way from images to a fitted model.
//!
//! A model of images is a configuration that implements [`ImageModel`]: a [`Model`](semblant_core::model::Model) to train, and a function
//! from addresses to pixels. [`ImageSynthesizer`] is what a user holds: it fits, resumes, samples by address and class, interpolates, saves
//! and loads. [`entry`] is what the registry lists.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod batches;
mod draw;
mod kind;
mod model;
mod training;
mod workers;

pub use batches::{Batches, Shown, purpose, shown_classes};
pub use draw::{CHUNK, ImageDraw, init_streams, latents, overlaid, slerp};
pub use kind::{ImageKind, ImageShape};
pub use model::{Fitted, ImageModel, ImageSynthesizer, MakeBatch, check_shape, entry, rebuilt, sampled};
pub use training::{RENAMED, Training};

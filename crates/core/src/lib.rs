//! The core of Semblant: what models of every family use for training, sampling and storage.
//!
//! Random numbers are arguments and depend on nothing but their address, so any slice of a sample can be made alone:
//!
//! ```
//! use semblant_core::seeds::Stream;
//!
//! let stream = Stream::new(42, 0);
//! let whole = stream.matrix(0..1000, 8, Stream::normals); // [1000, 8]
//! let slice = stream.matrix(500..600, 8, Stream::normals); // [100, 8]
//! assert_eq!(whole[500 * 8..600 * 8], slice[..]);
//! ```
//!
//! - [`model`]: a [`Model`](model::Model) is networks and one training step; [`trainer`] is the loop that drives it and knows no model.
//! - [`synthesizer`]: the user's type: fit, sample, save.
//! - [`passes`]: the order in which training sees its rows.
//! - [`optim`], [`ema`], [`nn`]: optimizers with clipping and schedules, weight averages, layers with exact input gradients.
//! - [`checkpoint`]: one safetensors file that describes itself; [`files`]: files that appear complete or not at all.
//! - [`device`], [`seeds`], [`math`], [`normal`], [`host`]: where it runs, random numbers, and the arithmetic below.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod checkpoint;
pub mod config;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
#[allow(missing_docs, reason = "burn's macro makes modules without a comment")]
pub mod custom;
pub mod data;
pub mod device;
pub mod ema;
mod error;
pub mod files;
pub mod host;
pub mod kernels;
pub mod launches;
pub mod math;
pub mod memory;
pub mod model;
mod multi_tensor;
pub mod nn;
pub mod normal;
pub mod optim;
pub mod options;
pub mod parallel;
mod parameters;
pub mod passes;
pub mod precision;
pub mod progress;
pub mod seeds;
pub mod synthesizer;
pub mod train_config;
pub mod trainer;

pub use error::{Error, Result};

//! diffusers' `AutoencoderKL`: the network, its folder, and decoding in tiles.

pub mod blocks;
pub mod folder;
pub mod net;
mod tiles;

pub use net::{KlConfig, KlNet, Posterior};

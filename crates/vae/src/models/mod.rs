//! The models of this family, one file each.

pub mod autoencoder_kl;
pub mod vae;
pub mod vq_vae;

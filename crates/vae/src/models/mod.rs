//! The models of this family, one file each.

pub mod vae;
pub mod vq_vae;

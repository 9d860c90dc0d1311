//! The models of this family, one file each.

pub mod vae;

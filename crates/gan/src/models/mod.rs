//! The models of this family, one file each.

pub mod dcgan;
pub mod r3gan;
pub mod wgan_gp;

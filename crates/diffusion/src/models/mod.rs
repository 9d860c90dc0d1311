//! The models of this family, one file each.

pub mod consistency;
pub mod ddpm;
pub mod edm;
pub mod flow;

//! A discrete latent space: a codebook, and what its codes are drawn like.

pub mod codebook;
pub mod prior;

//! A discrete latent space: a codebook, and the prior of its codes.

pub mod codebook;
pub mod prior;

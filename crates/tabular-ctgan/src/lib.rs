//! CTGAN and TVAE, the two models of "Modeling tabular data using conditional GAN" (Xu et al. 2019), written from the paper.

pub mod activate;
pub mod conditions;
pub mod ctgan;
pub mod generator;

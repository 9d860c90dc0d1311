//! The learner that utility and detection scores are made with, and the scores of its predictions.

mod bins;
pub mod gbdt;
pub(crate) mod logistic;
pub mod scores;
mod tree;

pub use gbdt::{Boosting, EarlyStopping, Model, Target};

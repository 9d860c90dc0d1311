//! The learners behind utility and detection scores, and the scores of their predictions.

mod bins;
pub mod gbdt;
mod learner;
mod linear;
pub(crate) mod logistic;
mod network;
mod points;
pub mod scores;
mod tree;

pub use gbdt::{Boosting, EarlyStopping, Model, Target};
pub use learner::Learner;

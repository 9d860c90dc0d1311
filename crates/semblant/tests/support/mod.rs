//! What the tests of models share.

pub(crate) mod agree;
pub(crate) mod counts;
pub(crate) mod fits;
pub(crate) mod images;
#[macro_use]
mod models;
pub(crate) mod tables;

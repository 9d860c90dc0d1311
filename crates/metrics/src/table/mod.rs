//! Metrics of synthetic tables: fidelity ([`shapes`], [`accuracy`], [`pairs`], [`divergence`], [`coverage`], [`support`], [`diagnostic`], [`detection`]),
//! relations between columns ([`rules`]), utility ([`utility`]) and privacy ([`copies`], [`identifying`], [`distance`], [`privacy`], [`disclosure`], [`attacks`]).
//!
//! Every function takes the real table first. Tables are compared by column name and labels by text, so the two may come from different files;
//! constant columns are compared only by [`diagnostic`], ids only there and by [`identifying`]. Definitions with a reference implementation follow SDMetrics 0.29.0 and are
//! tested against it; `docs/metrics.md` has them all on one page.

pub mod accuracy;
pub mod align;
pub mod attacks;
pub mod binning;
pub mod copies;
pub mod coverage;
pub mod detection;
pub mod diagnostic;
pub mod disclosure;
pub mod distance;
pub mod divergence;
pub(crate) mod embed;
pub mod identifying;
pub mod labels;
pub mod pairs;
pub mod privacy;
pub mod rare_values;
pub mod relations;
pub mod rules;
pub mod shapes;
pub mod support;
pub mod tabsyn;
pub mod utility;

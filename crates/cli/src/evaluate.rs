//! pending
use crate::{Outcome};
pub(crate) fn run(_: &crate::arguments::Evaluate, _: bool) -> Outcome { Ok(()) }

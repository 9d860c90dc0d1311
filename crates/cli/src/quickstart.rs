//! pending
use crate::{Outcome};
pub(crate) fn run(_: &crate::arguments::Quickstart, _: bool) -> Outcome { Ok(()) }

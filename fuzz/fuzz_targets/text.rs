#![no_main]
#![allow(dead_code, reason = "every target has one of the loaders")]

#[path = "../../crates/semblant/tests/fuzz/loaders.rs"]
mod loaders;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| loaders::text(bytes));

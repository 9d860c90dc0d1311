//! Sets the cfg `has_data` when the environment variable `SEMBLANT_DATA` names a folder of real data sets; tests that need them are ignored
//! otherwise.
#![allow(clippy::print_stdout)]

fn main() {
    println!("cargo::rustc-check-cfg=cfg(has_data)");
    println!("cargo::rerun-if-env-changed=SEMBLANT_DATA");
    if std::env::var_os("SEMBLANT_DATA").is_some_and(|folder| std::path::Path::new(&folder).is_dir()) {
        println!("cargo::rustc-cfg=has_data");
    }
}

//! A bounded run of the fuzzing entry points on a stable compiler: sound files are mutated with a fixed seed, and whatever they become, a loader
//! returns. `SEMBLANT_FUZZ_SECS` says for how long each is tried; without it the run is a second, to show that it works.

#![allow(clippy::print_stdout, reason = "a run says how much it tried")]

#[allow(dead_code, reason = "shared with the targets of fuzz/")]
mod loaders;
mod mutate;
mod seeds;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use mutate::Mutator;

/// The longest that an input may take.
const LONGEST: Duration = Duration::from_secs(10);

fn seconds() -> f64 {
    std::env::var("SEMBLANT_FUZZ_SECS").ok().and_then(|text| text.parse().ok()).unwrap_or(1.0)
}

/// Where inputs are kept that a loader did not return from.
fn kept(loader: &str, name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fuzz").join(loader);
    std::fs::create_dir_all(&folder).expect("a folder for inputs");
    folder.join(name)
}

fn try_for_a_while(loader: &str) {
    let &(_, run) = loaders::LOADERS.iter().find(|(name, _)| *name == loader).expect("listed");
    let seed = std::env::var("SEMBLANT_FUZZ_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut mutator = Mutator::new(seed, seeds::of(loader));
    let started = Instant::now();
    let (mut tried, mut slowest) = (0u64, Duration::ZERO);
    let current = kept(loader, "current");
    while tried == 0 || started.elapsed().as_secs_f64() < seconds() {
        let input = mutator.next();
        // Where the process ends, this is what ended it.
        std::fs::write(&current, &input).expect("a disk with room");
        let began = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| run(&input)));
        let took = began.elapsed();
        slowest = slowest.max(took);
        tried += 1;
        if outcome.is_err() || took > LONGEST {
            let path = kept(loader, &format!("{:016x}", mutate::digest(&input)));
            std::fs::write(&path, &input).expect("a disk with room");
            let what = if outcome.is_err() { "panicked".to_owned() } else { format!("took {took:?}") };
            panic!("{loader}: input {tried} {what}; it is {}", path.display());
        }
    }
    println!("{loader}: {tried} inputs in {:.0} s, the slowest {:.2} s", started.elapsed().as_secs_f64(), slowest.as_secs_f64());
}

/// A test for each loader, by its name.
macro_rules! every {
    ($($test:ident $loader:literal),+ $(,)?) => {
        $(#[test] fn $test() { try_for_a_while($loader); })+

        #[test]
        fn every_loader_is_tried() {
            assert_eq!(loaders::LOADERS.map(|(name, _)| name), [$($loader),+]);
        }
    };
}

every! {
    csv "csv", tsv "tsv", gzip "gzip", json_lines "json-lines", parquet "parquet", idx "idx", cifar "cifar", tar "tar", npz "npz", image "image",
    pth "pth", safetensors "safetensors", model "model", diffusers "diffusers", schema "schema", settings "settings", sql "sql",
    spec "spec", series "series", keys "keys", text "text",
}

/// The seeds as files, for cargo-fuzz, in the folder that `SEMBLANT_FUZZ_CORPUS` names.
#[test]
fn corpus_is_written() {
    let Ok(corpus) = std::env::var("SEMBLANT_FUZZ_CORPUS") else { return };
    for (loader, _) in loaders::LOADERS {
        // cargo test runs in the folder of the crate, cargo fuzz in that of the workspace.
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(&corpus).join(loader);
        std::fs::create_dir_all(&folder).expect("a folder for the corpus");
        for seed in seeds::of(loader) {
            std::fs::write(folder.join(format!("{:016x}", mutate::digest(&seed))), seed).expect("a disk with room");
        }
    }
}

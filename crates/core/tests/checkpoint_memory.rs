//! How much memory writing and reading a checkpoint take. A program of its own, since the allocator that counts is that of the process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::Module;
use burn::tensor::Device;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::nn::{Linear, LinearConfig};
use semblant_core::seeds::Stream;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call is passed on to the system's allocator as it is; the counters do not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are those that the system's allocator needs.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `work` allocates at most beyond what there is before, with what it gives.
fn peak<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let done = work();
    (PEAK.load(Ordering::Relaxed) - before, done)
}

#[derive(Module, Debug)]
struct Layers {
    layers: Vec<Linear>,
}

const SIDE: usize = 256;

fn layers(seed: u64) -> Layers {
    let layer = |number: u32| LinearConfig::new(SIDE, SIDE).init(Stream::new(seed, number), &Device::flex());
    Layers { layers: (0..16).map(layer).collect() }
}

#[test]
fn a_file_is_held_at_most_once() {
    let (folder, path) = (tempfile::tempdir().expect("temp"), Path::new("m"));
    let path = folder.path().join(path);
    let (module, empty) = (layers(1), layers(2));
    // Weights are drawn when they are first asked for; those of the second module give their memory to the loaded ones.
    for layer in module.layers.iter().chain(&empty.layers) {
        let _ = (layer.weight.val(), layer.bias.as_ref().map(|bias| bias.val()));
    }
    let write = || {
        let mut file = Checkpoint::new("test");
        file.add_module("net", &module).expect("f32");
        file.write(&path).expect("writable");
    };
    let (writing, ()) = peak(write);
    let size = std::fs::metadata(&path).expect("written").len() as usize;
    let tensor = 4 * SIDE * SIDE;
    assert!(writing < 4 * tensor, "{writing} bytes to write {size}");
    let (reading, loaded) =
        peak(|| Checkpoint::read(&path).expect("readable").load_module("net", empty, &path).expect("the same structure"));
    assert!(reading < size + 4 * tensor, "{reading} bytes to read {size}");
    assert_eq!(loaded.layers[7].weight.val().to_data(), module.layers[7].weight.val().to_data());
}

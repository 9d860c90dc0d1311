//! Counting the kernels that are launched: what holds a GPU up while networks are small.

#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub use watched::Launches;

/// The launches of this process from [`Launches::begin`] on. A build without a GPU's backend launches none.
#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
#[derive(Debug)]
pub struct Launches;

#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
impl Launches {
    /// Begins to count.
    pub fn begin() -> Self {
        Self
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        0
    }

    /// Each kernel with how many there were of it, the most frequent first.
    pub fn by_kernel(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod watched {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex, PoisonError};

    use burn_cubecl::cubecl::logging::{LaunchObservation, LaunchObserver};

    #[derive(Debug, Default)]
    struct Counts(Mutex<BTreeMap<&'static str, u64>>);

    impl LaunchObserver for Counts {
        fn launched(&self, kernel: &'static str) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(kernel).or_default() += 1;
        }
    }

    /// The launches of this process from [`Launches::begin`] on. There is one counter at a time: a second one has them while it lives.
    pub struct Launches {
        counts: Arc<Counts>,
        _watching: LaunchObservation,
    }

    impl Launches {
        /// Begins to count.
        pub fn begin() -> Self {
            let counts = Arc::new(Counts::default());
            Self { counts: counts.clone(), _watching: LaunchObservation::new(counts) }
        }

        /// How many there were. What burn's fusion has queued is launched when values are read or the device is synchronised.
        pub fn count(&self) -> u64 {
            self.counts.0.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
        }

        /// Each kernel with how many there were of it, the most frequent first.
        pub fn by_kernel(&self) -> Vec<(&'static str, u64)> {
            let counts = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
            let mut all: Vec<(&'static str, u64)> = counts.iter().map(|(&name, &count)| (name, count)).collect();
            all.sort_by_key(|&(name, count)| (std::cmp::Reverse(count), name));
            all
        }
    }
}

//! The kernels that are compiled for a GPU: where they are kept, how thoroughly they are chosen, and how many were compiled.
//!
//! A GPU's backend compiles each kernel when it is first launched, and tries variants of the costly ones on the device. What was compiled and
//! chosen is kept in [`folder`], so that later runs start at once. A build without a GPU's backend compiles no kernels; all of this does
//! nothing there.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The environment variable that names another folder for what is kept.
pub const FOLDER_VARIABLE: &str = "SEMBLANT_CACHE";

/// How many variants of a kernel are tried on the device before one is chosen.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tuning {
    /// Few: the first step comes soon.
    #[default]
    Minimal,
    /// Those that are likely to be fast: a minute or more the first time, for runs of hours.
    Balanced,
    /// All.
    Full,
}

/// The folder of compiled kernels and of chosen variants: `kernels` in the folder that [`FOLDER_VARIABLE`] names, or in `semblant` in the
/// user's cache folder. None where the user has no such folder.
pub fn folder() -> Option<PathBuf> {
    let named = std::env::var_os(FOLDER_VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from);
    named.or_else(|| dirs::cache_dir().map(|cache| cache.join("semblant"))).map(|folder| folder.join("kernels"))
}

/// Removes the databases in [`folder`], and gives the bytes that this frees. Other files stay.
///
/// # Errors
/// [`Error::Io`] where one cannot be removed.
pub fn clear() -> Result<u64> {
    let mut freed = 0;
    for (path, bytes) in databases() {
        std::fs::remove_file(&path).map_err(|error| Error::io(&path, error))?;
        freed += bytes;
    }
    Ok(freed)
}

/// The bytes of the databases in [`folder`].
pub fn kept_bytes() -> u64 {
    databases().map(|(_, bytes)| bytes).sum()
}

/// The files of burn's backend in [`folder`], such as `default.db` and `default.db-wal`, with their sizes.
fn databases() -> impl Iterator<Item = (PathBuf, u64)> {
    let files = folder().and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let sized = files.filter_map(|file| Some((file.path(), file.metadata().ok().filter(std::fs::Metadata::is_file)?.len())));
    sized.filter(|(path, _)| path.extension().is_some_and(|extension| extension.to_string_lossy().starts_with("db")))
}

/// Has kernels and choices kept in [`folder`], and variants tried as `tuning` says. This counts for the whole process and only before its first
/// GPU is used; false later, or in a build without a GPU's backend. [`crate::device::select`] calls this with [`Tuning::Minimal`].
///
/// The environment variables of burn's backend, such as `CUBECL_AUTOTUNE_LEVEL`, take precedence, and a file `cubecl.toml` in the working folder
/// or above it replaces all of this.
pub fn configure(tuning: Tuning) -> bool {
    backend::configure(tuning)
}

/// Counts the kernels that are compiled from now on, for [`compiled`]. It installs a logger of the `log` crate, so it is for programs, not for
/// libraries; false where there is a logger already.
pub fn count() -> bool {
    backend::count()
}

/// How many kernels were compiled since [`count`]; those found in [`folder`] are not among them.
pub fn compiled() -> u64 {
    backend::compiled()
}

#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
mod backend {
    use super::Tuning;

    pub(super) fn configure(_: Tuning) -> bool {
        false
    }

    pub(super) fn count() -> bool {
        false
    }

    pub(super) fn compiled() -> u64 {
        0
    }
}

#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod backend {
    use std::sync::atomic::{AtomicU64, Ordering};

    use burn_cubecl::cubecl::config::autotune::AutotuneLevel;
    use burn_cubecl::cubecl::config::cache::CacheConfig;
    use burn_cubecl::cubecl::config::compilation::CompilationLogLevel;
    use burn_cubecl::cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};

    use super::{Tuning, folder};

    static COMPILED: AtomicU64 = AtomicU64::new(0);

    /// The target of the backend's messages on compiled kernels, one for each.
    const TARGET: &str = "cubecl::compilation";

    pub(super) fn configure(tuning: Tuning) -> bool {
        if has_own_file() {
            return false;
        }
        let mut config = CubeClRuntimeConfig::default();
        config.autotune.level = match tuning {
            Tuning::Minimal => AutotuneLevel::Minimal,
            Tuning::Balanced => AutotuneLevel::Balanced,
            Tuning::Full => AutotuneLevel::Full,
        };
        match folder() {
            Some(folder) => {
                config.compilation.cache = true;
                config.environment.path = CacheConfig::Directory(folder);
            }
            None => config.autotune.disable_cache = true,
        }
        config.compilation.logger.level = CompilationLogLevel::Basic;
        // At the level of information; burn does not give out the type's name.
        config.compilation.logger.log = Some(Default::default());
        CubeClRuntimeConfig::try_set(config.override_from_env())
    }

    /// Whether the user has a file of settings for burn's backend.
    fn has_own_file() -> bool {
        let is_there = |folder: &std::path::Path| CubeClRuntimeConfig::file_names().iter().any(|name| folder.join(name).exists());
        std::env::current_dir().is_ok_and(|folder| folder.ancestors().any(is_there))
    }

    /// Counts the messages on compiled kernels and drops all others.
    struct Counter;

    impl log::Log for Counter {
        fn enabled(&self, about: &log::Metadata<'_>) -> bool {
            about.target() == TARGET
        }

        fn log(&self, record: &log::Record<'_>) {
            if self.enabled(record.metadata()) {
                COMPILED.fetch_add(1, Ordering::Relaxed);
            }
        }

        fn flush(&self) {}
    }

    pub(super) fn count() -> bool {
        let installed = log::set_logger(&Counter).is_ok();
        if installed {
            log::set_max_level(log::LevelFilter::Info);
        }
        installed
    }

    pub(super) fn compiled() -> u64 {
        COMPILED.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_levels_are_those_of_the_options() {
        let read = |name: &str| serde_json::from_value::<Tuning>(name.into()).expect("a level");
        assert_eq!(["minimal", "balanced", "full"].map(read), [Tuning::Minimal, Tuning::Balanced, Tuning::Full]);
    }

    #[test]
    fn the_folder_is_the_users_or_the_one_that_is_named() {
        let folder = folder().expect("a test has a home");
        assert!(folder.ends_with("kernels"), "{}", folder.display());
        if let Some(named) = std::env::var_os(FOLDER_VARIABLE).filter(|name| !name.is_empty()) {
            assert!(folder.starts_with(named));
        }
    }
}

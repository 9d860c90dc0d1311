//! How much memory a command may take: what it is about to allocate is compared with this first, so that a small file which claims to be a
//! large one ends in an error that says so, not in a killed process.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::OnceLock;

use burn::module::Module;

use crate::{Error, Result, parameters};

/// The largest text that is read as a whole: settings, schemas, the descriptions of models.
pub const LARGEST_TEXT: u64 = 64 << 20;

/// A limit on memory. It bounds single structures (a column, an image, the weights of a network), so a process may take a few times as much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    bytes: u64,
}

/// The limit of this process. Memory is the process's and not a call's, so it is set once, before the work.
static OF_PROCESS: OnceLock<Memory> = OnceLock::new();

/// What is assumed to be free where the system does not say.
const ASSUMED_FREE: u64 = 8 << 30;

impl Default for Memory {
    /// The process's; see [`Memory::of_process`].
    fn default() -> Self {
        Self::of_process()
    }
}

impl Memory {
    /// A limit of this many bytes.
    pub fn of(bytes: u64) -> Self {
        Self { bytes }
    }

    /// The limit that was set for this process, or else half of the memory that was free when it was first asked for: by the system, the
    /// control group and the limit on address space.
    pub fn of_process() -> Self {
        *OF_PROCESS.get_or_init(|| Self::of(free().unwrap_or(ASSUMED_FREE) / 2))
    }

    /// Sets the limit of this process.
    ///
    /// # Errors
    /// When the limit has been asked for already.
    pub fn set_for_process(self) -> Result<()> {
        OF_PROCESS.set(self).map_err(|_| Error::Config("the limit on memory must be set before any data is read".into()))
    }

    /// The limit.
    pub fn bytes(self) -> u64 {
        self.bytes
    }

    /// Checks that `count` values of `size` bytes each fit. `what` begins the message: "a column of 12 rows".
    ///
    /// # Errors
    /// [`Error::Memory`] with what needs how much.
    pub fn check(self, what: impl Into<String>, count: u64, size: u64) -> Result<()> {
        let needed = u128::from(count) * u128::from(size);
        if needed <= u128::from(self.bytes) {
            return Ok(());
        }
        Err(Error::Memory { what: what.into(), needed: shown(needed), limit: shown(self.bytes.into()) })
    }
}

impl Memory {
    /// Checks that a module can be trained: its weights, their gradients, two moments of each and the average.
    ///
    /// # Errors
    /// [`Error::Memory`] with the number of weights.
    pub fn check_training<M: Module>(self, module: &M) -> Result<()> {
        const COPIES: u64 = 5;
        let weights = parameters::count(module);
        let what = weights.map_or_else(|| "more weights than can be counted".into(), |weights| format!("{weights} weights"));
        self.check(format!("training a network of {what}"), weights.unwrap_or(u64::MAX), 4 * COPIES)
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// A file that is missing, unreadable, a device without end, or larger than this limit.
    pub fn read(self, path: &Path) -> Result<Vec<u8>> {
        let file = open(path)?;
        let length = file.metadata().map_or(0, |found| found.len());
        self.check(path.display().to_string(), length, 1)?;
        let mut bytes = Vec::with_capacity(length as usize);
        // A pipe has no length, and a file may grow.
        file.take(self.bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(|source| Error::io(path, source))?;
        self.check(path.display().to_string(), bytes.len() as u64, 1)?;
        Ok(bytes)
    }
}

/// A text file of at most [`LARGEST_TEXT`] bytes.
///
/// # Errors
/// As [`Memory::read`], a larger file, and bytes that are no UTF-8.
pub fn read_text(path: &Path) -> Result<String> {
    let mut text = String::new();
    open(path)?.take(LARGEST_TEXT + 1).read_to_string(&mut text).map_err(|source| Error::io(path, source))?;
    if text.len() as u64 > LARGEST_TEXT {
        let what = format!("is larger than {}, more than such a file holds; is it the right one?", shown(LARGEST_TEXT.into()));
        return Err(Error::io(path, io::Error::new(io::ErrorKind::InvalidData, what)));
    }
    Ok(text)
}

/// Opens a file to be read: a device such as `/dev/zero`, which may never end, is refused.
///
/// # Errors
/// A file that is missing, unreadable, or a device.
pub fn open(path: &Path) -> Result<File> {
    let file = File::open(path).map_err(|source| Error::io(path, source))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = file.metadata().map_err(|source| Error::io(path, source))?.file_type();
        if kind.is_char_device() || kind.is_block_device() {
            return Err(Error::io(path, io::Error::new(io::ErrorKind::InvalidInput, "is a device, not a file; name a file")));
        }
    }
    Ok(file)
}

/// A number of bytes for people, such as `4.0 GiB`.
pub fn shown(bytes: u128) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let unit = (0..UNITS.len() - 1).find(|&unit| bytes < 1 << (10 * (unit + 1))).unwrap_or(UNITS.len() - 1);
    let value = bytes as f64 / (1u128 << (10 * unit)) as f64;
    if unit == 0 || value >= 100.0 { format!("{value:.0} {}", UNITS[unit]) } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// The bytes that this process can still take, as far as the system says.
fn free() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let number = |path: &str| read(path)?.trim().parse::<u64>().ok();
    let of_system = read("/proc/meminfo").and_then(|text| available(&text));
    let of_group = number("/sys/fs/cgroup/memory.max")
        .zip(number("/sys/fs/cgroup/memory.current"))
        .or_else(|| number("/sys/fs/cgroup/memory/memory.limit_in_bytes").zip(number("/sys/fs/cgroup/memory/memory.usage_in_bytes")))
        .map(|(most, used)| most.saturating_sub(used));
    let of_process = read("/proc/self/limits").and_then(|text| address_space(&text));
    [of_system, of_group, of_process].into_iter().flatten().min()
}

/// `MemAvailable` of `/proc/meminfo`.
fn available(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The soft limit on address space of `/proc/self/limits`, if there is one.
fn address_space(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("Max address space"))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_named_with_how_much_it_needs() {
        let memory = Memory::of(1 << 20);
        assert!(memory.check("a column", 1 << 17, 8).is_ok());
        let said = memory.check("a column of 131073 rows", (1 << 17) + 1, 8).expect_err("refused").to_string();
        assert!(said.contains("a column of 131073 rows") && said.contains("1.0 MiB") && said.contains("--memory"), "{said}");
        let said = memory.check("an image", u64::MAX, u64::MAX).expect_err("refused").to_string();
        assert!(said.contains("PiB"), "{said}");
    }

    #[test]
    fn what_is_free_is_read_as_the_system_writes_it() {
        assert_eq!(available("MemTotal:       16 kB\nMemAvailable:       12 kB\n"), Some(12 * 1024));
        let limits = "Limit                     Soft Limit           Hard Limit           Units\nMax address space         1073741824           unlimited            bytes\n";
        assert_eq!(address_space(limits), Some(1 << 30));
        assert_eq!(address_space(&limits.replace("1073741824", "unlimited ")), None);
        assert!(Memory::of_process().bytes() > 0);
    }

    #[test]
    fn files_are_read_up_to_the_limit_and_devices_not_at_all() {
        let folder = tempfile::tempdir().expect("temp");
        let path = folder.path().join("a");
        std::fs::write(&path, [7; 100]).expect("writable");
        assert_eq!(Memory::of(100).read(&path).expect("fits"), [7; 100]);
        assert!(Memory::of(99).read(&path).expect_err("refused").to_string().contains("100 B"));
        assert!(Memory::of(99).read(&folder.path().join("b")).is_err());
        if cfg!(unix) {
            assert!(read_text(Path::new("/dev/zero")).expect_err("refused").to_string().contains("device"));
        }
        let sparse = folder.path().join("sparse");
        File::create(&sparse).and_then(|file| file.set_len(LARGEST_TEXT + 1)).expect("writable");
        assert!(read_text(&sparse).expect_err("refused").to_string().contains("larger than 64"));
    }

    #[test]
    fn bytes_are_written_for_people() {
        assert_eq!([0, 1023, 1024, 1536, 150 << 20, 3 << 40].map(shown), ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "150 MiB", "3.0 TiB"]);
    }
}

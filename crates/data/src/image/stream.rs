//! Images to folders and NumPy's `.npz` part by part, so that memory does not grow with their number.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use semblant_core::files::{self, Temporary, TemporaryFolder};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::Images;
use super::write::png;
use crate::{Error, Result};

/// What all parts of a set have in common.
#[derive(Debug, Default)]
struct Form {
    /// Channels, height and width.
    shape: Option<[usize; 3]>,
    /// None without classes.
    class_names: Option<Vec<String>>,
    count: usize,
}

impl Form {
    /// Takes up a part of the same form as those before.
    fn add(&mut self, part: &Images, path: &Path) -> Result<()> {
        let [count, shape @ ..] = part.shape();
        let class_names = part.classes().map(|_| part.class_names());
        if let Some(known) = self.shape {
            if known != shape {
                return Err(Error::Images(format!("{}: images of shapes {known:?} and {shape:?} cannot be joined", path.display())));
            }
            if self.class_names.as_deref() != class_names {
                return Err(Error::Images(format!("{}: images of different classes cannot be joined", path.display())));
            }
        }
        (self.shape, self.class_names) = (Some(shape), class_names.map(<[String]>::to_vec));
        self.count += count;
        Ok(())
    }
}

/// A folder of PNG files: `000000.png` and so on, in a sub-folder for each class if there are classes.
#[derive(Debug)]
pub(super) struct PngFolder {
    path: PathBuf,
    temporary: TemporaryFolder,
    /// Whether the files are moved one by one into a folder that is there.
    into_existing: bool,
    form: Form,
    /// Which classes have a sub-folder.
    used: Vec<bool>,
}

impl PngFolder {
    /// Begins a folder, beside `path`.
    pub(super) fn create(path: &Path, into_existing: bool) -> Result<Self> {
        let said = |source| Error::io(path, source);
        // Inside the folder there is room for sure when files are to be moved into it: it may be another file system than its parent.
        let into_existing = into_existing && path.is_dir();
        let temporary = if into_existing {
            files::temporary_folder_inside(path).map_err(said)?
        } else {
            if std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()) {
                return Err(Error::format(path, "is a folder with something in it; name another one, or remove it first"));
            }
            files::temporary_folder(path).map_err(said)?
        };
        Ok(Self { path: path.to_owned(), temporary, into_existing, form: Form::default(), used: Vec::new() })
    }

    pub(super) fn write(&mut self, part: &Images) -> Result<()> {
        // A leading dot would hide the folder, from our own reader too.
        let unfit = |name: &&String| name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', ':', '\0']);
        if let Some(name) = part.class_names().iter().find(unfit) {
            return Err(Error::format(&self.path, format!("class \"{}\" cannot be the name of a folder; rename it", name.escape_debug())));
        }
        let (folder, first) = (self.temporary.path(), self.form.count);
        self.form.add(part, &self.path)?;
        let said = |source| Error::io(&self.path, source);
        self.used.resize(part.class_names().len(), false);
        for ((used, count), name) in self.used.iter_mut().zip(part.class_counts()).zip(part.class_names()) {
            if !*used && count > 0 {
                std::fs::create_dir(folder.join(name)).map_err(said)?;
                *used = true;
            }
        }
        (0..part.count()).into_par_iter().try_for_each(|index| {
            let bytes = png(&part.interleaved(index), part.width(), part.height(), part.channels())?;
            let name = format!("{:06}.png", first + index);
            let below = part.class_of(index).map_or_else(|| folder.to_owned(), |class| folder.join(&part.class_names()[class as usize]));
            std::fs::write(below.join(name), bytes).map_err(said)
        })
    }

    pub(super) fn finish(self) -> Result<()> {
        let said = |source| Error::io(&self.path, source);
        if self.form.count == 0 {
            return Err(Error::format(&self.path, "would hold no images; there are none to write"));
        }
        if !self.into_existing {
            return self.temporary.persist().map_err(said);
        }
        let move_all = |from: &Path, to: &Path| -> io::Result<()> {
            for entry in std::fs::read_dir(from)? {
                let entry = entry?;
                std::fs::rename(entry.path(), to.join(entry.file_name()))?;
            }
            Ok(())
        };
        let mut names = self.form.class_names.iter().flatten().zip(&self.used).filter(|(_, used)| **used).map(|(name, _)| name);
        let moved = |name: &String| {
            let to = self.path.join(name);
            std::fs::create_dir_all(&to).and_then(|()| move_all(&self.temporary.path().join(name), &to))
        };
        if self.form.class_names.is_none() {
            return move_all(self.temporary.path(), &self.path).map_err(said);
        }
        names.try_for_each(moved).map_err(said)
    }
}

/// A NumPy archive. Its header comes first and says how many images there are, so that they wait in a file without a name.
#[derive(Debug)]
pub(super) struct Npz {
    path: PathBuf,
    temporary: Temporary,
    pixels: BufWriter<File>,
    labels: BufWriter<File>,
    form: Form,
}

impl Npz {
    /// Begins an archive, beside `path`.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let waiting = || tempfile::tempfile_in(files::folder_of(path)).map(BufWriter::new);
        let create = || -> io::Result<_> { Ok((files::temporary(path)?, waiting()?, waiting()?)) };
        let (temporary, pixels, labels) = create().map_err(|source| Error::io(path, source))?;
        Ok(Self { path: path.to_owned(), temporary, pixels, labels, form: Form::default() })
    }

    pub(super) fn write(&mut self, part: &Images) -> Result<()> {
        self.form.add(part, &self.path)?;
        let mut write = || -> io::Result<()> {
            (0..part.count()).try_for_each(|index| self.pixels.write_all(&part.interleaved(index)))?;
            part.classes().into_iter().flatten().try_for_each(|&class| self.labels.write_all(&i64::from(class).to_le_bytes()))
        };
        write().map_err(|source| Error::io(&self.path, source))
    }

    pub(super) fn finish(self) -> Result<()> {
        let Self { path, temporary, pixels, labels, form } = self;
        let write = || -> io::Result<()> {
            let mut file = BufWriter::new(temporary.as_file());
            archive(&mut file, &form, pixels, labels)?;
            file.flush()?;
            drop(file);
            temporary.persist()
        };
        write().map_err(|source| Error::io(path, source))
    }
}

fn archive(file: &mut BufWriter<&File>, form: &Form, pixels: BufWriter<File>, labels: BufWriter<File>) -> io::Result<()> {
    let (count, [channels, height, width]) = (form.count, form.shape.unwrap_or([0; 3]));
    let one = channels * height * width;
    let mut archive = ZipWriter::new(file);
    // No clock, so that equal contents are equal files.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .large_file(one * count >= u32::MAX as usize - 1024);
    let copy = |archive: &mut ZipWriter<_>, from: BufWriter<File>, at_once: usize, number: usize| -> io::Result<()> {
        let mut from = from.into_inner().map_err(io::IntoInnerError::into_error)?;
        from.rewind()?;
        let (mut from, mut bytes) = (BufReader::new(from), vec![0; at_once]);
        (0..number).try_for_each(|_| from.read_exact(&mut bytes).and_then(|()| archive.write_all(&bytes)))
    };
    archive.start_file("images.npy", options)?;
    archive.write_all(&npy_header("|u1", &[count, height, width, channels]))?;
    copy(&mut archive, pixels, one, count)?;
    if let Some(names) = &form.class_names {
        archive.start_file("labels.npy", options)?;
        archive.write_all(&npy_header("<i8", &[count]))?;
        copy(&mut archive, labels, size_of::<i64>(), count)?;
        // NumPy's texts are all as long as the longest, four bytes a character.
        let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(1);
        archive.start_file("class_names.npy", options)?;
        archive.write_all(&npy_header(&format!("<U{longest}"), &[names.len()]))?;
        for name in names {
            let filled = name.chars().map(u32::from).chain(std::iter::repeat(0)).take(longest);
            archive.write_all(&filled.flat_map(u32::to_le_bytes).collect::<Vec<u8>>())?;
        }
    }
    archive.finish()?.flush()
}

/// The start of a `.npy` file, version 1.0: a Python dictionary, filled up with blanks to a multiple of 64 bytes.
fn npy_header(kind: &str, shape: &[usize]) -> Vec<u8> {
    let sides = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    // Python's tuple of one has a comma behind it.
    let comma = if shape.len() == 1 { "," } else { "" };
    let mut text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({sides}{comma}), }}");
    let before = 10;
    let blanks = (before + text.len() + 1).next_multiple_of(64) - (before + text.len() + 1);
    text.extend(std::iter::repeat_n(' ', blanks));
    text.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend((text.len() as u16).to_le_bytes());
    header.extend(text.into_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_the_one_numpy_writes() {
        // Python: numpy.lib.format.write_array_header_1_0(buffer, {"shape": (2, 3), "fortran_order": False, "descr": "|u1"})
        let header = npy_header("|u1", &[2, 3]);
        assert_eq!(header.len(), 128);
        let text = "\u{1}\0v\0{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }";
        assert_eq!(&header[6..6 + text.len()], text.as_bytes());
        assert!(String::from_utf8_lossy(&npy_header("<i8", &[7])).contains("'shape': (7,), }"));
    }
}

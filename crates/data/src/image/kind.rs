//! [`Images`] as a kind of data.

use std::path::{Path, PathBuf};

use semblant_core::data::{Data, Opened, Writer};
use semblant_core::files;

use super::{ImageOptions, ImageRequest, Images};
use crate::{Error, Result};

/// Formats that a name may ask for, but that images are not written in.
const OTHER_FORMATS: [&str; 14] =
    ["jpg", "jpeg", "gif", "bmp", "webp", "tif", "tiff", "npy", "tar", "zip", "gz", "csv", "parquet", "safetensors"];

impl Data for Images {
    const KIND: &'static str = "images";
    const ITEMS: &'static str = "images";
    type OpenOptions = ImageOptions;
    type Request = ImageRequest;
    type Writer = ImagesWriter;

    fn open(source: &Path, options: &ImageOptions) -> semblant_core::Result<Opened<Self>> {
        let read = Self::read(source, options)?;
        Ok(Opened { data: read.images, notes: read.notes })
    }

    fn recognizes(source: &Path) -> bool {
        let name = source.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        let plain = name.strip_suffix(".gz").unwrap_or(&name);
        source.is_dir() || [".tar", ".tgz", ".npz", ".bin", "-ubyte", ".idx", "idx3"].iter().any(|ending| plain.ends_with(ending))
    }

    fn len(&self) -> usize {
        self.count()
    }

    fn select(&self, indices: &[usize]) -> Self {
        Self::select(self, indices)
    }

    fn concat(parts: Vec<Self>) -> semblant_core::Result<Self> {
        Ok(Self::concat(parts)?)
    }

    fn create(path: &Path, _: &Self) -> semblant_core::Result<ImagesWriter> {
        Ok(ImagesWriter::create(path)?)
    }

    fn check_output(path: &Path) -> semblant_core::Result<()> {
        Ok(ImagesWriter::create(path).map(drop)?)
    }
}

/// Writes images to a `.png` sheet, an `.npz` file, or a folder of PNG files; any other name is that of a folder.
#[derive(Debug)]
pub struct ImagesWriter {
    path: PathBuf,
    format: Format,
    parts: Vec<Images>,
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Sheet,
    Npz,
    Folder,
}

impl ImagesWriter {
    /// Begins a file or folder.
    ///
    /// # Errors
    /// A format that images are not written in, a folder that exists and is not empty, or a place that cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        let extension = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        let format = match extension.as_deref() {
            Some("png") => Format::Sheet,
            Some("npz") => Format::Npz,
            Some(other) if OTHER_FORMATS.contains(&other) => {
                let what = format!("images cannot be written as .{other}; name a .png for a sheet, an .npz, or a folder for PNG files");
                return Err(Error::format(path, what));
            }
            _ => Format::Folder,
        };
        match format {
            Format::Folder => {
                if std::fs::read_dir(path).is_ok_and(|mut files| files.next().is_some()) {
                    return Err(Error::format(path, "exists and is not empty; name another folder, or remove it first"));
                }
            }
            Format::Sheet | Format::Npz => {
                if path.is_dir() {
                    return Err(Error::format(path, "is a folder; give the name of a file"));
                }
                // The temporary file goes at once: it shows that the folder can be written.
                files::temporary(path).map_err(|source| Error::io(path, source))?;
            }
        }
        Ok(Self { path: path.to_owned(), format, parts: Vec::new() })
    }
}

impl Writer<Images> for ImagesWriter {
    fn write(&mut self, part: &Images) -> semblant_core::Result<()> {
        self.parts.push(part.clone());
        Ok(())
    }

    fn finish(self) -> semblant_core::Result<()> {
        let images = Images::concat(self.parts)?;
        match self.format {
            Format::Sheet => {
                let columns = (images.count() as f64).sqrt().ceil() as usize;
                // Small images are enlarged, so that they can be seen.
                let scale = (64 / images.height().max(images.width())).max(1);
                images.write_grid(&self.path, columns.max(1), scale)?;
            }
            Format::Npz => images.write_npz(&self.path)?,
            Format::Folder => images.write_folder(&self.path, false)?,
        }
        Ok(())
    }
}

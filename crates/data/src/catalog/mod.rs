//! Public data sets by name: what they are, where their files lie, and what their columns hold.
//!
//! The manifests are compiled in, the data is not. A folder of data (an argument: this crate reads no environment variable) comes first,
//! then the cache that downloads go to.

#[cfg(feature = "fetch")]
mod fetch;
#[cfg(feature = "fetch")]
mod split;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use semblant_core::data::Data;

use crate::image::{ImageOptions, Images, ReadImages};
use crate::table::{ReadOptions, Schema, Table};
use crate::{Error, Result};

const MANIFESTS: &[(&str, &str)] = &[
    ("adult", include_str!("../../datasets/adult.toml")),
    ("california-housing", include_str!("../../datasets/california-housing.toml")),
    ("cifar10", include_str!("../../datasets/cifar10.toml")),
    ("digits8x8", include_str!("../../datasets/digits8x8.toml")),
    ("mnist", include_str!("../../datasets/mnist.toml")),
    ("online-shoppers", include_str!("../../datasets/online-shoppers.toml")),
];

/// One data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// Its name.
    pub name: String,
    /// One line on what it is.
    pub title: String,
    /// The licence of the data.
    pub licence: String,
    /// The work to cite.
    pub citation: String,
    /// Where the data was published.
    pub origin: String,
    /// What else a user should know.
    #[serde(default)]
    pub note: String,
    /// Where it can be fetched, if anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Its files, one per split.
    pub files: Vec<DatasetFile>,
    /// For images whose classes lie in files of their own: those files, one per split.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<DatasetFile>,
    /// What the columns hold; without columns when the set holds images.
    #[serde(default)]
    pub schema: Schema,
    /// How its images are read, if it holds images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<ImageOptions>,
}

/// A CSV file on the network that holds the rows of all files of a data set. The rows are dealt out as Python's
/// `random.Random(seed).shuffle` orders them, the first [`DatasetFile::rows`] to the first file and so on; within a file they keep the
/// order in which they were published. Blanks around values are dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The address.
    pub url: String,
    /// The seed of the split.
    pub seed: u32,
}

/// One file of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetFile {
    /// `train` or `test`.
    pub split: String,
    /// Where it lies below a data folder or the cache.
    pub path: String,
    /// The rows below the header, or the images.
    pub rows: u64,
    /// The size of its contents: what is in it after unpacking, where it is gzipped.
    pub bytes: u64,
    /// The SHA-256 of its contents in hexadecimal digits. A hash of the file itself would depend on who packed it.
    pub sha256: String,
}

/// The data sets that come with the library.
#[derive(Debug, Clone, Copy)]
pub struct Catalog;

impl Catalog {
    /// The names there are.
    pub fn names() -> impl Iterator<Item = &'static str> {
        MANIFESTS.iter().map(|(name, _)| *name)
    }

    /// Every data set.
    ///
    /// # Errors
    /// When a manifest is not well formed, which the tests of this crate rule out.
    pub fn list() -> Result<Vec<Dataset>> {
        Self::names().map(Self::get).collect()
    }

    /// The data set called `name`.
    ///
    /// # Errors
    /// When there is none; the message lists those there are.
    pub fn get(name: &str) -> Result<Dataset> {
        let Some((_, manifest)) = MANIFESTS.iter().find(|(known, _)| *known == name) else {
            let known = Self::names().collect::<Vec<_>>().join(", ");
            return Err(Error::Table(format!("no data set \"{name}\"; the data sets are: {known}")));
        };
        let parsed = toml::from_str(manifest).map_err(|error| error.message().replace('\n', " "));
        parsed.map_err(|what| Error::format(format!("datasets/{name}.toml"), what))
    }

    /// Where the file of a data set lies: in `data_dir` if it is there, else in `cache_dir`.
    ///
    /// # Errors
    /// When there is no such data set or split, or the file is in neither folder; the message says where it was looked for.
    pub fn locate(name: &str, split: &str, data_dir: Option<&Path>, cache_dir: &Path) -> Result<PathBuf> {
        Self::get(name)?.locate(split, data_dir, cache_dir)
    }
}

impl Dataset {
    /// The file of a split.
    ///
    /// # Errors
    /// When there is no such split.
    pub fn file(&self, split: &str) -> Result<&DatasetFile> {
        self.files.iter().find(|file| file.split == split).ok_or_else(|| {
            let known = self.files.iter().map(|file| file.split.as_str()).collect::<Vec<_>>().join(", ");
            Error::Table(format!("data set \"{}\" has no split \"{split}\"; its splits are: {known}", self.name))
        })
    }

    /// As [`Catalog::locate`].
    ///
    /// # Errors
    /// As [`Catalog::locate`].
    pub fn locate(&self, split: &str, data_dir: Option<&Path>, cache_dir: &Path) -> Result<PathBuf> {
        self.find(self.file(split)?, split, data_dir, cache_dir)
    }

    fn find(&self, file: &DatasetFile, split: &str, data_dir: Option<&Path>, cache_dir: &Path) -> Result<PathBuf> {
        let places: Vec<PathBuf> = data_dir.into_iter().chain([cache_dir]).map(|folder| folder.join(&file.path)).collect();
        if let Some(found) = places.iter().find(|place| place.is_file()) {
            return Ok(found.clone());
        }
        let looked = places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(" and ");
        let remedy = match &self.source {
            Some(_) => format!("fetch it with `semblant data get {}`", self.name),
            None => format!("it has no download, so make it from {} and put it there", self.origin),
        };
        Err(Error::Table(format!("data set \"{}\": no {split} file at {looked}; {remedy}", self.name)))
    }

    /// Whether it holds images: what reads tables cannot read it then.
    pub fn holds_images(&self) -> bool {
        self.images.is_some()
    }

    /// The kind of data that it holds, as [`Data::KIND`].
    pub fn kind(&self) -> &'static str {
        if self.images.is_some() { <Images as Data>::KIND } else { <Table as Data>::KIND }
    }

    /// What it says of how its files are read, as JSON; see [`Data::complete_options`].
    ///
    /// # Errors
    /// A file of labels that is not there.
    pub fn manifest(&self, split: &str, data_dir: Option<&Path>, cache_dir: &Path) -> Result<serde_json::Value> {
        let mut images = self.images.clone();
        if let (Some(images), Some(labels)) = (&mut images, self.labels.iter().find(|file| file.split == split)) {
            images.labels = Some(self.find(labels, split, data_dir, cache_dir)?);
        }
        Ok(serde_json::json!({ "schema": self.schema, "images": images }))
    }

    /// That it holds a table.
    ///
    /// # Errors
    /// When it holds images; the message says so.
    pub fn check_table(&self) -> Result<()> {
        if self.holds_images() {
            return Err(Error::Table(format!("data set \"{}\" holds images, not a table; use an image model", self.name)));
        }
        Ok(())
    }

    /// Reads the images of a split, with their classes.
    ///
    /// # Errors
    /// When the set holds a table, and as [`Dataset::locate`] and [`Images::read`].
    pub fn read_images(&self, split: &str, data_dir: Option<&Path>, cache_dir: &Path) -> Result<ReadImages> {
        let Some(options) = &self.images else {
            return Err(Error::Images(format!("data set \"{}\" holds a table, not images; use a table model", self.name)));
        };
        let path = self.locate(split, data_dir, cache_dir)?;
        let mut options = options.clone();
        if let Some(labels) = self.labels.iter().find(|file| file.split == split) {
            options.labels = Some(self.find(labels, split, data_dir, cache_dir)?);
        }
        Images::read(path, &options)
    }

    /// Reads a split under the data set's own schema.
    ///
    /// # Errors
    /// When the set holds images, and as [`Dataset::locate`] and [`Table::read`].
    pub fn read(&self, split: &str, data_dir: Option<&Path>, cache_dir: &Path) -> Result<Table> {
        self.check_table()?;
        Table::read(self.locate(split, data_dir, cache_dir)?, &ReadOptions::with_schema(self.schema.clone()))
    }
}

impl DatasetFile {
    /// Checks that a file on disk has the contents of this one.
    ///
    /// # Errors
    /// When it cannot be read or unpacked, or the hash of its contents differs.
    pub fn verify(&self, path: &Path) -> Result<()> {
        let file = File::open(path).map_err(|source| Error::io(path, source))?;
        let contents: Box<dyn Read> = if is_gzip(path) { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        let unread = |error| Error::format(path, format!("cannot be read: {error}; delete it and fetch it again"));
        let found = sha256_of(contents).map_err(unread)?;
        if found != self.sha256 {
            let what = format!("has SHA-256 {found}, but the manifest says {}; delete it and fetch it again", self.sha256);
            return Err(Error::format(path, what));
        }
        Ok(())
    }
}

/// The SHA-256 of a file's bytes, in hexadecimal digits.
///
/// # Errors
/// When it cannot be read.
pub fn sha256(path: &Path) -> Result<String> {
    File::open(path).and_then(sha256_of).map_err(|source| Error::io(path, source))
}

fn sha256_of(mut contents: impl Read) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match contents.read(&mut buffer)? {
            0 => return Ok(hexadecimal(&hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}

fn is_gzip(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz")
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! Kinds of data: what a table, a set of images or a kind of your own must offer to be learned, sampled, read and written.
//!
//! A kind is one type with an implementation of [`Data`]. Nothing else in the library depends on which kinds there are.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::Result;
use crate::options::{OptionSpec, OptionValues};

/// A kind of data: items (rows of a table, images) that a model learns from and makes.
pub trait Data: Clone + Send + Sync + Sized + 'static {
    /// The name of the kind in model files and on the command line, for example `table`.
    const KIND: &'static str;
    /// What several items are called in messages, for example `rows`.
    const ITEMS: &'static str;
    /// How a source is opened.
    type OpenOptions: Clone + Default + Send + Sync;
    /// What a sample should be.
    type Request: Request;
    /// Writes items to a file, part by part.
    type Writer: Writer<Self>;

    /// Command-line options of how a source is opened.
    fn open_options() -> &'static [OptionSpec] {
        &[]
    }

    /// How a source is opened under these options.
    ///
    /// # Errors
    /// A value that cannot be used; the message names the option.
    fn parse_open_options(_: &OptionValues) -> Result<Self::OpenOptions> {
        Ok(Self::OpenOptions::default())
    }

    /// Further command-line options of `fit`.
    fn fit_options() -> &'static [OptionSpec] {
        &[]
    }

    /// Handles an option of [`Data::fit_options`] that replaces the fit; returns the file that was written, or `None` to continue with the fit.
    ///
    /// # Errors
    /// A file that cannot be written.
    fn instead_of_fit(_opened: &Opened<Self>, _: &OptionValues) -> Result<Option<PathBuf>> {
        Ok(None)
    }

    /// What the data holds, for people, as lines of text.
    fn overview(&self) -> Vec<String> {
        vec![format!("{} {}", self.len(), Self::ITEMS)]
    }

    /// Command-line options of a request, apart from the number of items and the seed.
    fn request_options() -> &'static [OptionSpec] {
        &[]
    }

    /// `request` with these options.
    ///
    /// # Errors
    /// A value that cannot be used; the message names the option.
    fn parse_request(request: Self::Request, _: &OptionValues) -> Result<Self::Request> {
        Ok(request)
    }

    /// `options` completed by what the manifest of a public data set says of it: fields of the manifest, as JSON.
    ///
    /// # Errors
    /// A manifest of another kind of data.
    fn complete_options(options: Self::OpenOptions, _manifest: &Value) -> Result<Self::OpenOptions> {
        Ok(options)
    }

    /// `options` for data that is only compared with other data: what does not apply to it is passed over.
    fn options_to_compare(options: Self::OpenOptions) -> Self::OpenOptions {
        options
    }

    /// `options` for data that is given to a fitted model: what the metadata of its file say of the form of the data that it was fitted to, where the
    /// options leave it open.
    fn options_of_model(options: Self::OpenOptions, _metadata: &BTreeMap<String, String>) -> Self::OpenOptions {
        options
    }

    /// The same data made comparable with `like`: the same columns or form, values spelled the same. Notes say what was left out.
    ///
    /// # Errors
    /// Data that has nothing in common with `like`.
    fn conform(self, _like: &Self) -> Result<Opened<Self>> {
        Ok(Opened { data: self, notes: Vec::new() })
    }

    /// What a model file says of the data that the model was fitted to, for people: lines of text, and the same as JSON.
    fn describe(_metadata: &BTreeMap<String, String>) -> (Vec<String>, Value) {
        (Vec::new(), Value::Null)
    }

    /// Opens a file or folder.
    ///
    /// # Errors
    /// A source that cannot be read or is not of this kind; the message names it.
    fn open(source: &Path, options: &Self::OpenOptions) -> Result<Opened<Self>>;

    /// Whether a source looks like this kind of data, judged by its name and whether it is a folder. Contents are not read.
    fn recognizes(source: &Path) -> bool;

    /// The number of items.
    fn len(&self) -> usize;

    /// Whether there are no items.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of values per item, if all items have the same number: for likelihoods in bits per dimension.
    fn dimensions(&self) -> Option<usize> {
        None
    }

    /// The number of values of all items together and what one is called, where items have different numbers: for likelihoods a value.
    fn values(&self) -> Option<(usize, &'static str)> {
        None
    }

    /// The items at `indices`, in that order; an index may come more than once.
    ///
    /// # Panics
    /// When an index is not below [`Data::len`].
    fn select(&self, indices: &[usize]) -> Self;

    /// All items of several parts, in order.
    ///
    /// # Errors
    /// No parts, or parts of different form.
    fn concat(parts: Vec<Self>) -> Result<Self>;

    /// Begins a file for items of the form of `like`. Nothing appears at `path` before [`Writer::finish`].
    ///
    /// # Errors
    /// A name whose format is not known, or a folder that cannot be written.
    fn create(path: &Path, like: &Self) -> Result<Self::Writer>;

    /// As [`Data::create`], in the way that a request says.
    ///
    /// # Errors
    /// As [`Data::create`].
    fn create_for(_: &Self::Request, path: &Path, like: &Self) -> Result<Self::Writer> {
        Self::create(path, like)
    }

    /// Whether [`Data::create`] would accept `path`, checked before any work is done.
    ///
    /// # Errors
    /// As [`Data::create`].
    fn check_output(path: &Path) -> Result<()>;

    /// Writes all items to a file.
    ///
    /// # Errors
    /// As [`Data::create`], and a full disk; then nothing is left behind.
    fn save(&self, path: &Path) -> Result<()> {
        let mut writer = Self::create(path, self)?;
        writer.write(self)?;
        writer.finish()
    }
}

/// Data from a source, with what was guessed on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened<D> {
    /// The data.
    pub data: D,
    /// One line for each guess that a user may want to change, and for each part of the source that was left out.
    pub notes: Vec<String>,
}

/// What a sample should be. Item `i` of (model, seed, request) is the same whatever the range or batch that it is sampled in.
pub trait Request: Clone + Send + Sync {
    /// Items `0..count` of `seed`, everything else as the model learned it.
    fn new(count: u64, seed: u64) -> Self;

    /// The items to make, as positions in the endless sample of this seed.
    fn rows(&self) -> Range<u64>;

    /// The same request for other items.
    fn with_rows(self, rows: Range<u64>) -> Self;

    /// How many items to compute at once; changes memory and speed, never the result.
    fn batch_rows(&self) -> usize;

    /// Whether the items may be made in several requests: false where an item depends on the number of items, as in an interpolation from one
    /// image to another.
    fn divisible(&self) -> bool {
        true
    }
}

/// Writes items part by part. The file appears under its name when it is complete, and not at all after an error.
pub trait Writer<D> {
    /// Adds items.
    ///
    /// # Errors
    /// A full disk, or items of another form.
    fn write(&mut self, part: &D) -> Result<()>;

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    /// A full disk; then nothing is left behind.
    fn finish(self) -> Result<()>;
}

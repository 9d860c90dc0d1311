//! The files that a spec names: tables to look up and fitted models.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use semblant_core::memory::Memory;
use semblant_data::table::{ReadOptions, Table as Data, TableFormat};

/// A file that a spec names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// As the spec has it.
    pub(crate) name: String,
    /// Where it lies.
    pub(crate) path: PathBuf,
}

/// Where the files of a spec are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Files<'f> {
    /// On disk, relative to the spec.
    Beside,
    /// In memory, by the names in the spec; those on disk are not looked at.
    Held(&'f BTreeMap<String, Vec<u8>>),
}

impl Files<'_> {
    pub(super) fn has(self, file: &Named) -> bool {
        match self {
            Self::Beside => file.path.is_file(),
            Self::Held(all) => all.contains_key(&file.name),
        }
    }

    pub(super) fn bytes(self, file: &Named) -> Result<Vec<u8>, String> {
        match self {
            Self::Beside => Memory::of_process().read(&file.path).map_err(|error| error.to_string()),
            Self::Held(all) => Ok(all.get(&file.name).cloned().unwrap_or_default()),
        }
    }

    pub(super) fn table(self, file: &Named) -> Result<Data, String> {
        let options = ReadOptions::default();
        match self {
            Self::Beside => Data::read(&file.path, &options).map_err(|error| error.to_string()),
            Self::Held(_) => {
                let format = format_in_memory(&file.path).ok_or_else(|| cannot_be_held(&file.name))?;
                let read = self.bytes(file).and_then(|bytes| Data::from_bytes(bytes, format, &options).map_err(|error| error.to_string()));
                read.map(|read| read.table).map_err(|what| format!("{}: {what}", file.name))
            }
        }
    }
}

/// The format of a table that is read from memory, by the name of its file.
fn format_in_memory(path: &Path) -> Option<TableFormat> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    match plain.rsplit_once('.')?.1 {
        "csv" | "tsv" | "txt" => Some(TableFormat::Csv),
        "jsonl" | "ndjson" => Some(TableFormat::JsonLines),
        "parquet" => Some(TableFormat::Parquet),
        _ => None,
    }
}

fn cannot_be_held(name: &str) -> String {
    format!("{name} cannot be kept in a model file; name tables .csv, .tsv, .jsonl or .parquet, and models .safetensors")
}

/// Whether a file can be kept in a model file.
pub(crate) fn check_held(file: &Named) -> Result<(), String> {
    let is_model = file.path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("safetensors"));
    if is_model || format_in_memory(&file.path).is_some() { Ok(()) } else { Err(cannot_be_held(&file.name)) }
}

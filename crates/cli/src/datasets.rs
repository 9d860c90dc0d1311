//! `semblant data`, and the names of public data sets.

use std::path::PathBuf;

use semblant::data::catalog::{Catalog, Dataset, DatasetFile};
use semblant::{DataFolders, Source};

use crate::arguments::{Data, DataCommand};
use crate::{Failure, Outcome, print, say};

/// The folder that already holds data sets, if the user names one.
fn data_dir() -> Option<PathBuf> {
    std::env::var_os("SEMBLANT_DATA").filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Where fetched data sets are kept.
pub(crate) fn cache_dir() -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home).unwrap_or_else(std::env::temp_dir).join("semblant")
}

/// A path, or the name of a public data set (`adult`, or `adult:test` for another part than `part`).
pub(crate) fn source(text: &str, part: &str) -> Result<Source, Failure> {
    let source = Source::named(text, part, &DataFolders { data: data_dir(), cache: cache_dir() })?;
    if text != "-" && !source.path().exists() {
        let what = format!("{text}: No such file or folder; give a path, or one of the data sets that semblant data list shows");
        return Err(Failure::Work(what));
    }
    Ok(source)
}

fn locate(dataset: &Dataset, split: &str) -> Result<PathBuf, Failure> {
    Ok(dataset.locate(split, data_dir().as_deref(), &cache_dir())?)
}

/// `semblant data`.
pub(crate) fn run(arguments: &Data, quiet: bool) -> Outcome {
    match &arguments.command {
        DataCommand::List => {
            for dataset in Catalog::list()? {
                let here = if dataset.locate("train", data_dir().as_deref(), &cache_dir()).is_ok() { "here" } else { "not here" };
                print(&format!("{:20} {:8} {}", dataset.name, here, dataset.title));
            }
            Ok(())
        }
        DataCommand::Get { name } => {
            let dataset = Catalog::get(name).map_err(|error| Failure::Usage(error.to_string()))?;
            let place = |file: &DatasetFile| locate(&dataset, &file.split);
            if !dataset.files.iter().all(|file| place(file).is_ok()) {
                if !quiet {
                    say(&format!("fetching {}", dataset.name));
                }
                dataset.download(&cache_dir())?;
            }
            for file in &dataset.files {
                let path = place(file)?;
                file.verify(&path)?;
                print(&format!("{}\t{}", file.split, path.display()));
            }
            Ok(())
        }
    }
}

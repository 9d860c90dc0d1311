//! Where tables and images come from: a path, or the name of a known data set.

use std::path::{Path, PathBuf};

use semblant::data::catalog::{Catalog, Dataset, DatasetFile};
use semblant::data::image::{ImageOptions, Images, ReadImages};
use semblant::data::table::{Inferred, ReadOptions, Schema, Table};

use crate::arguments::{Data, DataCommand};
use crate::{Failure, Outcome, print, say};

/// The folder that already holds data sets, if the user names one.
fn data_dir() -> Option<PathBuf> {
    std::env::var_os("SEMBLANT_DATA").filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Where fetched data sets are kept.
fn cache_dir() -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home).unwrap_or_else(std::env::temp_dir).join("semblant")
}

/// A table by path, or by the name of a data set (`adult`, or `adult:test` for another part than `train`).
pub(crate) fn read(source: &str, schema: Option<&Path>, target: Option<&str>, dropped: &[String]) -> Result<Inferred, Failure> {
    let mut options = ReadOptions { target: target.map(str::to_owned), drop: dropped.to_vec(), ..ReadOptions::default() };
    if let Some(path) = schema {
        options.schema = Some(Schema::from_toml(path)?);
    }
    let (name, split) = source.split_once(':').unwrap_or((source, "train"));
    if Path::new(source).exists() || !Catalog::names().any(|known| known == name) {
        return Ok(Table::read_inferred(source, &options)?);
    }
    let dataset = Catalog::get(name)?;
    dataset.check_table()?;
    let path = locate(&dataset, split)?;
    if options.schema.is_none() && dropped.is_empty() {
        options.schema = Some(dataset.schema.clone());
    }
    Ok(Table::read_inferred(path, &options)?)
}

/// Images by path, or by the name of a data set (`mnist`, or `mnist:test` for another part than `train`).
pub(crate) fn read_images(source: &str, options: &ImageOptions) -> Result<ReadImages, Failure> {
    let (name, split) = source.split_once(':').unwrap_or((source, "train"));
    if Path::new(source).exists() || !Catalog::names().any(|known| known == name) {
        return Ok(Images::read(source, options)?);
    }
    let dataset = Catalog::get(name)?;
    let labels = dataset.images.clone().unwrap_or_default();
    let read =
        Dataset { images: dataset.images.is_some().then(|| ImageOptions { size: options.size.or(labels.size), ..labels }), ..dataset };
    Ok(read.read_images(split, data_dir().as_deref(), &cache_dir())?)
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

/// A second table, read as the first was.
pub(crate) fn read_as(source: &str, options: &ReadOptions) -> Result<Table, Failure> {
    let (name, split) = source.split_once(':').unwrap_or((source, "test"));
    if Path::new(source).exists() || !Catalog::names().any(|known| known == name) {
        return Ok(Table::read(source, options)?);
    }
    let dataset = Catalog::get(name)?;
    dataset.check_table()?;
    Ok(Table::read(locate(&dataset, split)?, options)?)
}

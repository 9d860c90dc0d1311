//! Where the parts of a pipeline lie.

use std::path::{Path, PathBuf};

use semblant_core::{Error, Result};
use serde_json::Value;

use super::json::{self, Object};
use super::scheduler::SchedulerConfig;
use super::tensors::{StoredTensor, Tensors};

/// The names of a network among a pipeline's parts.
const NETWORKS: [&str; 2] = ["transformer", "unet"];
/// The weights' file names, without the ends; those of a variant are read if there are no others.
const WEIGHTS: &str = "diffusion_pytorch_model";
const VARIANTS: [&str; 2] = ["fp16", "bf16"];

/// A folder of diffusers: a pipeline with `model_index.json`, or a network alone with `config.json`.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
    index: Option<Object>,
    /// The network's folder, and its class by the index.
    network: PathBuf,
    indexed_class: Option<String>,
}

impl Folder {
    /// Opens the folder and finds the network in it.
    ///
    /// # Errors
    /// When there is no folder, or neither a pipeline nor a network in it.
    pub fn open(root: &Path) -> Result<Self> {
        if !root.is_dir() {
            let what = "is no folder; give one written by diffusers' save_pretrained or downloaded from its hub";
            return Err(Error::checkpoint(root, what));
        }
        let index_path = root.join("model_index.json");
        if !index_path.is_file() {
            if !root.join("config.json").is_file() {
                let what = "holds neither model_index.json nor config.json; give a folder written by diffusers' save_pretrained";
                return Err(Error::checkpoint(root, what));
            }
            return Ok(Self { root: root.into(), index: None, network: root.into(), indexed_class: None });
        }
        let index = json::read(&index_path)?;
        let found = NETWORKS.iter().find_map(|name| Some((*name, index.get(*name)?.get(1)?.as_str()?.to_owned())));
        let Some((name, class)) = found else {
            let what = format!("names neither of {}; only pipelines around one such network can be read", NETWORKS.join(" and "));
            return Err(Error::checkpoint(index_path, what));
        };
        let network = part(root, name);
        Ok(Self { root: root.into(), index: Some(index), network, indexed_class: Some(class) })
    }

    /// The network's `config.json`.
    pub fn config_path(&self) -> PathBuf {
        self.network.join("config.json")
    }

    /// The network's class and configuration.
    pub(super) fn network(&self) -> Result<(String, Configuration)> {
        let path = self.config_path();
        if !path.is_file() {
            return Err(Error::checkpoint(path, "is missing; fetch or save the whole folder again"));
        }
        let object = json::read(&path)?;
        let class = object.get("_class_name").and_then(Value::as_str).map(str::to_owned).or_else(|| self.indexed_class.clone());
        let class = class.ok_or_else(|| Error::checkpoint(&path, "has no \"_class_name\"; add the network's class in diffusers"))?;
        Ok((class, Configuration { path, object }))
    }

    /// The scheduler's configuration, if there is one; a pipeline must have one.
    ///
    /// # Errors
    /// When a pipeline has none, or when it cannot be understood.
    pub fn scheduler(&self) -> Result<Option<SchedulerConfig>> {
        let path = part(&self.root, "scheduler").join("scheduler_config.json");
        let named =
            self.index.as_ref().and_then(|index| index.get("scheduler")).is_some_and(|entry| entry.get(1).is_some_and(Value::is_string));
        match path.is_file() {
            true => SchedulerConfig::read(&path).map(Some),
            false if named => {
                Err(Error::checkpoint(path, "is missing, but model_index.json names a scheduler; fetch or save the whole folder again"))
            }
            false => Ok(None),
        }
    }

    /// The names of the classes, by `id2label` of `model_index.json`.
    ///
    /// # Errors
    /// When the numbers of the classes have gaps.
    pub fn class_names(&self) -> Result<Vec<String>> {
        let Some(Value::Object(labels)) = self.index.as_ref().and_then(|index| index.get("id2label")) else {
            return Ok(Vec::new());
        };
        let name = |number: usize| labels.get(&number.to_string()).and_then(Value::as_str).map(str::to_owned);
        let names: Option<Vec<String>> = (0..labels.len()).map(name).collect();
        names.ok_or_else(|| {
            let what = format!("\"id2label\" must name the classes 0 to {}; complete or remove it", labels.len().saturating_sub(1));
            Error::checkpoint(self.root.join("model_index.json"), what)
        })
    }

    /// The network's weights under the names of today.
    ///
    /// # Errors
    /// When there are none, a part of them is missing, or they are pickles.
    pub fn weights(&self) -> Result<Tensors> {
        let mut tensors = Tensors::new(&self.network);
        for file in self.weight_files()? {
            tensors.read(&file)?;
        }
        tensors.rename(modern);
        Ok(tensors)
    }

    fn weight_files(&self) -> Result<Vec<PathBuf>> {
        let inside = |name: String| self.network.join(name);
        let mut candidates = vec![(inside(format!("{WEIGHTS}.safetensors")), inside(format!("{WEIGHTS}.safetensors.index.json")))];
        for variant in VARIANTS {
            let index = inside(format!("{WEIGHTS}.safetensors.index.{variant}.json"));
            candidates.push((inside(format!("{WEIGHTS}.{variant}.safetensors")), index));
        }
        for (whole, index) in candidates {
            if whole.is_file() {
                return Ok(vec![whole]);
            }
            if index.is_file() {
                return self.shards(&index);
            }
        }
        let has = |end: &str| {
            std::fs::read_dir(&self.network)
                .is_ok_and(|files| files.flatten().any(|file| file.file_name().to_string_lossy().ends_with(end)))
        };
        if has(".bin") || has(".ckpt") || has(".pt") || has(".pth") {
            let what = "has pickled weights, which may run code when opened and are not read";
            let remedy =
                "in Python, load it with diffusers' from_pretrained and save it with save_pretrained(folder, safe_serialization=True)";
            return Err(Error::checkpoint(&self.network, format!("{what}; {remedy}")));
        }
        Err(Error::checkpoint(inside(format!("{WEIGHTS}.safetensors")), "is missing; fetch or save the whole folder again"))
    }

    /// The files that an index names.
    fn shards(&self, index: &Path) -> Result<Vec<PathBuf>> {
        let object = json::read(index)?;
        let Some(Value::Object(map)) = object.get("weight_map") else {
            return Err(Error::checkpoint(index, "has no \"weight_map\"; fetch or save the whole folder again"));
        };
        let mut names: Vec<&str> = map.values().filter_map(Value::as_str).collect();
        names.sort_unstable();
        names.dedup();
        let file = |name: &str| {
            // An index comes from a stranger: it may name files beside it only.
            if name.contains(['/', '\\']) || name == ".." {
                return Err(Error::checkpoint(
                    index,
                    format!("names the file \"{name}\", which is not in its folder; do not use this model"),
                ));
            }
            let path = self.network.join(name);
            if path.is_symlink() {
                let what = "is a symbolic link, and may lead anywhere; copy the folder with its links followed (cp -rL)";
                return Err(Error::checkpoint(path, what));
            }
            if !path.is_file() {
                return Err(Error::checkpoint(
                    path,
                    "is missing, but the index of the weights names it; fetch or save the whole folder again",
                ));
            }
            Ok(path)
        };
        names.into_iter().map(file).collect()
    }
}

/// A network's `config.json`, and where it lies.
pub(super) struct Configuration {
    pub(super) path: PathBuf,
    pub(super) object: Object,
}

/// A part of a pipeline lies in the folder of its name, or else at the root.
fn part(root: &Path, name: &str) -> PathBuf {
    let folder = root.join(name);
    if folder.is_dir() { folder } else { root.into() }
}

/// Attention under the names of 2022, or as convolutions of width one, becomes that of today.
fn modern(name: &str, tensor: &mut StoredTensor) -> String {
    let new = [("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("proj_attn", "to_out.0")];
    let pieces: Vec<&str> = name.split('.').collect();
    let Some(place) = pieces.iter().position(|piece| *piece == "attentions") else { return name.into() };
    // attentions.{number}.{layer}.{weight or bias}
    let [_, number, rest @ .., last] = &pieces[place..] else { return name.into() };
    let layer = rest.join(".");
    let layer = new.iter().find(|(old, _)| *old == layer).map_or(layer.as_str(), |(_, new)| new);
    let projection = layer.starts_with("to_");
    if projection && let [outputs, inputs, 1, 1] = tensor.shape[..] {
        tensor.shape = vec![outputs, inputs];
    }
    [&pieces[..=place].join("."), *number, layer, *last].join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_2022_become_those_of_today() {
        let renamed = |name: &str, shape: &[usize]| {
            let mut tensor = StoredTensor { shape: shape.into(), values: Vec::new() };
            (modern(name, &mut tensor), tensor.shape)
        };
        let (name, shape) = renamed("up_blocks.1.attentions.0.proj_attn.weight", &[8, 8, 1, 1]);
        assert_eq!((name.as_str(), &shape[..]), ("up_blocks.1.attentions.0.to_out.0.weight", [8, 8].as_slice()));
        assert_eq!(renamed("mid_block.attentions.0.query.bias", &[8]).0, "mid_block.attentions.0.to_q.bias");
        for kept in ["mid_block.attentions.0.group_norm.weight", "mid_block.attentions.0.to_out.0.weight", "conv_in.weight", "attentions"] {
            assert_eq!(renamed(kept, &[8]).0, kept);
        }
    }
}

//! [`Images`] as a kind of data.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use semblant_core::config::MOST_AT_ONCE;
use semblant_core::data::{Data, Opened, Writer};
use semblant_core::options::{OptionSpec, OptionValues, number};
use semblant_core::{Error, Result, files};
use serde_json::{Map, Value, json};

use super::stream::{Npz, PngFolder};
use super::{ClassRequest, ImageOptions, ImageRequest, Images};

/// Formats that a name may ask for, but that images are not written in.
const OTHER_FORMATS: [&str; 14] =
    ["jpg", "jpeg", "gif", "bmp", "webp", "tif", "tiff", "npy", "tar", "zip", "gz", "csv", "parquet", "safetensors"];

impl Data for Images {
    const KIND: &'static str = "images";
    const ITEMS: &'static str = "images";
    type OpenOptions = ImageOptions;
    type Request = ImageRequest;
    type Writer = ImagesWriter;

    fn open_options() -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[
            OptionSpec::value("size", "PIXELS", "Crop and resample each image to this height and width, written 32 or 32x48"),
            OptionSpec::flag("strict", "Stop at the first file that cannot be read, instead of skipping it with a note"),
        ];
        OPTIONS
    }

    fn parse_open_options(values: &OptionValues) -> Result<ImageOptions> {
        let size = values.text("size").map(size).transpose()?;
        Ok(ImageOptions { size, strict: values.has("strict"), ..ImageOptions::default() })
    }

    fn request_options() -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[
            OptionSpec::value("class", "NAME", "The class of every image; short for --where class=NAME"),
            OptionSpec::list("where", "class=NAME", "The class of every image"),
            OptionSpec::value("balance", "class", "Each class in turn"),
            OptionSpec::value("batch-rows", "IMAGES", "Images per batch: changes memory and progress, never the images [default: 64]"),
            OptionSpec::value("steps", "STEPS", "Solver steps"),
            OptionSpec::value("solver", "NAME", "The solver: heun, euler, euler-ancestral, ddim, ddpm, dpmpp-2m, unipc or consistency"),
            OptionSpec::value(
                "guidance",
                "WEIGHT",
                "The weight of classifier-free guidance: 1 is none, more trades diversity for fidelity",
            ),
            OptionSpec::value("strength", "SHARE", "With --from: the strength of image-to-image, from 0 (no change) to 1 (pure noise)"),
            OptionSpec::value("size", "PIXELS", "With --from: crop and resample each image to this height and width, written 32 or 32x48"),
            OptionSpec::pair("interpolate", "ADDRESS", "Interpolate from the image at one address to that at another, in -n images"),
            OptionSpec::list("set", "KEY=VALUE", "Another sampling setting of the model (eta, churn, clip...); may be given several times"),
        ];
        OPTIONS
    }

    fn parse_request(request: ImageRequest, values: &OptionValues) -> Result<ImageRequest> {
        let mut settings = Map::new();
        for pair in values.all("set") {
            semblant_core::config::set(&mut settings, pair)?;
        }
        for (name, value) in [
            ("steps", values.number::<usize>("steps")?.map(|steps| json!(steps))),
            ("solver", values.text("solver").map(|solver| json!(solver))),
            ("guidance", values.number::<f64>("guidance")?.map(|weight| json!(weight))),
            ("strength", values.number::<f64>("strength")?.map(|share| json!(share))),
        ] {
            settings.extend(value.map(|value| (name.to_owned(), value)));
        }
        let between = match values.all("interpolate") {
            [from, to] => Some([number("interpolate", from)?, number("interpolate", to)?]),
            _ => None,
        };
        let batch_rows = values.number("batch-rows")?.unwrap_or(request.batch_rows);
        if !(1..=MOST_AT_ONCE).contains(&batch_rows) {
            return Err(Error::Config(format!("--batch-rows {batch_rows}: compute from 1 to {MOST_AT_ONCE} images per batch")));
        }
        Ok(ImageRequest { class: class(values)?, settings, between, batch_rows, ..request })
    }

    fn complete_options(options: ImageOptions, manifest: &Value) -> Result<ImageOptions> {
        let own = manifest.get("images").cloned().unwrap_or_default();
        let own: ImageOptions = serde_json::from_value(own).map_err(|error| Error::Data(error.to_string()))?;
        Ok(ImageOptions { size: options.size.or(own.size), strict: options.strict || own.strict, memory: options.memory, ..own })
    }

    fn describe(metadata: &BTreeMap<String, String>) -> (Vec<String>, Value) {
        let images = metadata.get("images").and_then(|text| serde_json::from_str::<Value>(text).ok()).unwrap_or(Value::Null);
        let mut lines = Vec::new();
        if let Some(shape) = images.get("shape") {
            lines.push(format!("images      {} x {} pixels in {} channels", shape["height"], shape["width"], shape["channels"]));
            let names: Vec<&str> = images["class_names"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            lines.push(format!("classes     {}", if names.is_empty() { "none".into() } else { names.join(", ") }));
        }
        (lines, json!({ "images": images }))
    }

    fn open(source: &Path, options: &ImageOptions) -> Result<Opened<Self>> {
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

    fn dimensions(&self) -> Option<usize> {
        Some(self.bytes_of_one())
    }

    fn select(&self, indices: &[usize]) -> Self {
        Self::select(self, indices)
    }

    fn concat(parts: Vec<Self>) -> Result<Self> {
        Ok(Self::concat(parts)?)
    }

    fn create(path: &Path, _: &Self) -> Result<ImagesWriter> {
        ImagesWriter::create(path)
    }

    fn check_output(path: &Path) -> Result<()> {
        ImagesWriter::create(path).map(drop)
    }
}

/// Writes images to a `.png` sheet, an `.npz` file, or a folder of PNG files; any other name is that of a folder. Only a sheet is held in memory:
/// it is one picture.
#[derive(Debug)]
pub struct ImagesWriter(Format);

#[derive(Debug)]
enum Format {
    Sheet(PathBuf, Vec<Images>),
    Npz(Npz),
    Folder(PngFolder),
}

impl ImagesWriter {
    /// Begins a file or folder.
    ///
    /// # Errors
    /// A format that images are not written in, a folder that exists and is not empty, or a place that cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        let extension = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        let is_file = matches!(extension.as_deref(), Some("png" | "npz"));
        if is_file && path.is_dir() {
            return Err(crate::Error::format(path, "is a folder; give the name of a file").into());
        }
        let format = match extension.as_deref() {
            Some("png") => {
                // The temporary file goes at once: it shows that the folder can be written.
                files::temporary(path).map_err(|source| Error::io(path, source))?;
                Format::Sheet(path.to_owned(), Vec::new())
            }
            Some("npz") => Format::Npz(Npz::create(path)?),
            Some(other) if OTHER_FORMATS.contains(&other) => {
                let what = format!("images cannot be written as .{other}; name a .png for a sheet, an .npz, or a folder for PNG files");
                return Err(Error::Config(format!("{}: {what}", path.display())));
            }
            _ => Format::Folder(PngFolder::create(path, false)?),
        };
        Ok(Self(format))
    }
}

impl Writer<Images> for ImagesWriter {
    fn write(&mut self, part: &Images) -> Result<()> {
        match &mut self.0 {
            Format::Sheet(_, parts) => parts.push(part.clone()),
            Format::Npz(archive) => archive.write(part)?,
            Format::Folder(folder) => folder.write(part)?,
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        match self.0 {
            Format::Sheet(path, parts) => {
                let images = Images::concat(parts)?;
                let columns = (images.count() as f64).sqrt().ceil() as usize;
                // Small images are enlarged, so that they can be seen.
                let scale = (64 / images.height().max(images.width())).max(1);
                images.write_grid(path, columns.max(1), scale)?;
            }
            Format::Npz(archive) => archive.finish()?,
            Format::Folder(folder) => folder.finish()?,
        }
        Ok(())
    }
}

/// `32` or `32x48`, height first.
fn size(text: &str) -> Result<[usize; 2]> {
    let (height, width) = text.split_once('x').unwrap_or((text, text));
    match (height.trim().parse(), width.trim().parse()) {
        (Ok(height), Ok(width)) => Ok([height, width]),
        _ => Err(Error::Config(format!("--size {text}: write 32 or 32x48, height first"))),
    }
}

/// The classes given by `--class`, `--where class=` and `--balance class`.
fn class(values: &OptionValues) -> Result<ClassRequest> {
    let refuse = |what: String| Err(Error::Condition(what));
    let mut names = values.all("class").to_vec();
    for text in values.all("where") {
        match text.split_once('=') {
            Some(("class", name)) => names.push(name.to_owned()),
            Some((other, _)) => return refuse(format!("images have no \"{other}\", only a class; write class=NAME")),
            None => return Err(Error::Config(format!("--where {text}: write class=NAME"))),
        }
    }
    names.dedup();
    match (values.text("balance"), names.as_slice()) {
        (None, []) => Ok(ClassRequest::AsLearned),
        (None, [name]) => Ok(ClassRequest::Is(name.clone())),
        (None, _) => refuse("no image is of two classes; give one".into()),
        (Some("class"), []) => Ok(ClassRequest::Balanced),
        (Some("class"), _) => refuse("classes cannot be both balanced and fixed; remove one of the two".into()),
        (Some(other), _) => refuse(format!("images have no \"{other}\", only a class; write --balance class")),
    }
}

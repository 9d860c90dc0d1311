//! `semblant sample` for models of images: a sheet, a folder of PNG files, or an .npz file.

use std::path::Path;

use semblant::prelude::*;
use semblant::progress::Event;
use serde_json::json;

use crate::arguments::Sample as Arguments;
use crate::fit::check_writable;
use crate::{Failure, Outcome, observer, print, say, source};

/// Images that are computed between two movements of the progress bar.
const AT_ONCE: u64 = 64;

/// Kinds of files that a name may ask for, but that images are not written as.
const OTHER_FILES: [&str; 14] =
    ["jpg", "jpeg", "gif", "bmp", "webp", "tif", "tiff", "npy", "tar", "zip", "gz", "csv", "parquet", "safetensors"];

/// Where images go.
enum Output<'a> {
    Sheet(&'a Path),
    Npz(&'a Path),
    Folder(&'a Path),
}

impl<'a> Output<'a> {
    fn new(path: &'a Path) -> Result<Self, Failure> {
        match path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).as_deref() {
            Some("png") => check_writable(path).map(|()| Self::Sheet(path)),
            Some("npz") => check_writable(path).map(|()| Self::Npz(path)),
            Some(other) if OTHER_FILES.contains(&other) => Err(Failure::Usage(format!(
                "{}: images cannot be written as .{other}; name a .png for a sheet, an .npz, or a folder for PNG files",
                path.display()
            ))),
            // Anything else is a folder's name, which may have a dot in it. What is refused is refused before the images are made.
            _ if std::fs::read_dir(path).is_ok_and(|mut files| files.next().is_some()) => {
                Err(Failure::Work(format!("{}: is there and has something in it; name another folder, or remove it first", path.display())))
            }
            _ => Ok(Self::Folder(path)),
        }
    }

    fn write(&self, images: &Images) -> Outcome {
        match self {
            Self::Sheet(path) => {
                let columns = (images.count() as f64).sqrt().ceil() as usize;
                // Small images are shown large enough to be seen.
                let scale = (64 / images.height().max(images.width())).max(1);
                images.write_grid(path, columns.max(1), scale)?;
            }
            Self::Npz(path) => images.write_npz(path)?,
            Self::Folder(path) => images.write_folder(path, false)?,
        }
        Ok(())
    }
}

pub(crate) fn to_file(arguments: &Arguments, model: &dyn Synthesizer<Data = Images>, request: SampleRequest, quiet: bool) -> Outcome {
    let output = Output::new(&arguments.output)?;
    let images = match &arguments.from {
        Some(source) => remade(arguments, source, model, &request, quiet)?,
        None => made(model, request, quiet)?,
    };
    output.write(&images)?;
    if arguments.json {
        print(&json!({ "output": arguments.output, "images": images.count() }).to_string());
    } else {
        print(&arguments.output.display().to_string());
    }
    Ok(())
}

fn made(model: &dyn Synthesizer<Data = Images>, mut request: SampleRequest, quiet: bool) -> Result<Images, Failure> {
    let mut observer = observer(quiet);
    let rows = request.rows.clone();
    // The way between two samples is asked for as a whole: where an image lies on it depends on how many there are.
    let at_once = if request.between.is_some() { u64::MAX } else { AT_ONCE };
    let mut parts = Vec::new();
    let mut start = rows.start;
    while start < rows.end {
        let end = rows.end.min(start.saturating_add(at_once));
        request.rows = start..end;
        parts.push(model.sample(&request)?.data);
        observer.event(Event::Rows { done: end - rows.start, total: rows.end - rows.start });
        start = end;
    }
    observer.event(Event::Done);
    Ok(Images::concat(parts)?)
}

fn remade(
    arguments: &Arguments,
    source: &str,
    model: &dyn Synthesizer<Data = Images>,
    request: &SampleRequest,
    quiet: bool,
) -> Result<Images, Failure> {
    let options = ImageOptions { size: arguments.size.as_deref().map(crate::fit::size).transpose()?, ..ImageOptions::default() };
    let read = |source: &str| -> Result<Images, Failure> {
        let read = source::read_images(source, &options)?;
        if !quiet {
            read.notes.iter().for_each(|note| say(&format!("note: {note}")));
        }
        Ok(read.images)
    };
    let keep = arguments.keep.as_deref().map(read).transpose()?;
    Ok(model.remake(&read(source)?, keep.as_ref(), request)?.data)
}

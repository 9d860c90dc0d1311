//! From image files found somewhere to one [`Images`].

use std::path::{Component, Path};

use rayon::prelude::*;

use super::decode::{Picture, decode, refit, size_of};
use super::{ImageOptions, ReadImages, classes_from};
use crate::image::Images;
use crate::{Error, Result};

/// How many images are decoded before their sizes are compared: enough for the threads, and few enough that ten thousand photographs of
/// mixed sizes are refused long before they fill the memory.
const AT_ONCE: usize = 512;
/// How many files a note or an error names.
const NAMED: usize = 5;

/// An image file, not decoded yet.
#[derive(Debug)]
pub(super) struct Found<S> {
    /// Its path as messages give it, and the order it comes in.
    pub(super) name: String,
    pub(super) class: Option<String>,
    /// What its bytes are had from.
    pub(super) source: S,
}

/// The class of a file by its path below the folder or archive that is read: the folder it lies in.
pub(super) fn class_of(relative: &Path) -> Option<String> {
    let mut folders = relative.parent()?.components().filter(|part| matches!(part, Component::Normal(_)));
    folders.next_back().map(|folder| folder.as_os_str().to_string_lossy().into_owned())
}

/// Whether a path has a part that starts with a dot, or is one of the twins that macOS puts into archives.
pub(super) fn is_hidden(relative: &Path) -> bool {
    relative.components().any(|part| match part {
        Component::Normal(name) => name.to_string_lossy().starts_with('.') || name == "__MACOSX",
        _ => false,
    })
}

/// A note on files that were passed over, if there are any.
pub(super) fn note_on(names: &[String], what: &str) -> Option<String> {
    let first = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(NAMED);
    match (names.len(), more) {
        (0, _) => None,
        (1, _) => Some(format!("{first}: {what}")),
        (count, 0) => Some(format!("{count} files: {what}: {first}")),
        (count, _) => Some(format!("{count} files: {what}: {first} and {more} more")),
    }
}

/// Decodes files and joins them; `load` gives the bytes of one.
pub(super) fn join<S: Sync>(
    path: &Path,
    found: Vec<Found<S>>,
    options: &ImageOptions,
    mut notes: Vec<String>,
    load: impl Fn(&S) -> Result<Vec<u8>, String> + Sync,
) -> Result<ReadImages> {
    let mut found = with_classes(found, &mut notes);
    if found.is_empty() {
        let seen = notes.first().map(|note| format!(" ({note})")).unwrap_or_default();
        let what = format!("holds no PNG, JPEG, GIF, BMP or WebP image{seen}; give the folder, archive or file that has them");
        return Err(Error::format(path, what));
    }
    found.sort_by(|left, right| left.name.cmp(&right.name));
    let labels: Option<Vec<String>> = found.iter().map(|file| file.class.clone()).collect();
    let classes = labels.map(|labels| classes_from(&labels));
    let chosen = options.chosen(found.len());
    let mut stack = Stack::default();
    let mut kept = Vec::with_capacity(chosen.len());
    let (mut damaged, mut animated, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
    let mut known = None;
    for part in chosen.chunks(AT_ONCE) {
        if options.size.is_none() {
            known = one_size(path, &found, part, known, &load)?;
        }
        let [height, width] = options.size.or(known.map(|(_, size)| size)).unwrap_or([1, 1]);
        check_memory(path, chosen.len() as u128 * height as u128 * width as u128, options)?;
        // Colours, and once more while they are turned into planes.
        let at_once = options.memory.bytes() / 4 / (6 * height as u64 * width as u64).max(1);
        let parts = part.chunks((at_once as usize).clamp(1, AT_ONCE));
        let picture = |&index: &usize| load(&found[index].source).and_then(|bytes| decode(&bytes, options.size, options.channels));
        let decoded = parts.flat_map(|part| part.par_iter().map(picture).collect::<Vec<Result<Picture, String>>>());
        for (&index, decoded) in part.iter().zip(decoded) {
            let name = &found[index].name;
            match decoded {
                Ok(picture) => {
                    if picture.animated {
                        animated.push(name.clone());
                    }
                    stack.push(path, name, picture, options)?;
                    kept.push(index);
                }
                Err(what) if options.strict => {
                    let what = format!("{name} {what}; correct or remove it, or omit `strict` to skip such files");
                    return Err(Error::format(path, what));
                }
                Err(what) => {
                    damaged.push(name.clone());
                    reasons.push(what);
                }
            }
        }
    }
    if kept.is_empty() {
        let what = format!("none of its {} images can be decoded; the first is {}, which {}", damaged.len(), damaged[0], reasons[0]);
        return Err(Error::format(path, format!("{what}; fetch them again")));
    }
    if let (Some(first), Some(why)) = (damaged.first(), reasons.first()) {
        let (count, of) = (damaged.len(), chosen.len());
        let is = if count == 1 { "is" } else { "are" };
        notes.push(format!("{count} of {of} files cannot be read and {is} left out, the first: {first}, which {why}"));
    }
    notes.extend(note_on(&animated, "animated; only the first frame is used"));
    notes.extend(stack.mixed.then(|| "grey and colour images are mixed; the grey ones were given three equal channels".to_owned()));
    let classes = classes.map(|(ids, names)| (kept.iter().map(|&index| ids[index]).collect(), names));
    let images = Images::new(stack.pixels, [kept.len(), stack.channels, stack.height, stack.width], classes)?;
    Ok(ReadImages { images, notes })
}

/// Either all images have a class or none has.
fn with_classes<S>(found: Vec<Found<S>>, notes: &mut Vec<String>) -> Vec<Found<S>> {
    if !found.iter().any(|file| file.class.is_some()) {
        return found;
    }
    let (classed, without): (Vec<_>, Vec<_>) = found.into_iter().partition(|file| file.class.is_some());
    let names: Vec<String> = without.into_iter().map(|file| file.name).collect();
    notes.extend(note_on(&names, "in no class folder, but others are; left out"));
    classed
}

/// Images of one size, put together as they come.
#[derive(Default)]
struct Stack {
    pixels: Vec<u8>,
    channels: usize,
    height: usize,
    width: usize,
    first: String,
    mixed: bool,
}

impl Stack {
    fn push(&mut self, path: &Path, name: &str, mut picture: Picture, options: &ImageOptions) -> Result<()> {
        if self.pixels.is_empty() {
            (self.channels, self.height, self.width) = (picture.channels, picture.height, picture.width);
            self.first = name.to_owned();
        }
        let (height, width) = (self.height, self.width);
        if (picture.height, picture.width) != (height, width) {
            return Err(differ(path, [name, &self.first], [[picture.height, picture.width], [height, width]]));
        }
        if picture.channels > self.channels {
            // All so far were grey.
            self.pixels = self.pixels.chunks_exact(height * width).flat_map(|plane| [plane; 3]).flatten().copied().collect();
            (self.channels, self.mixed) = (3, true);
        } else if picture.channels < self.channels {
            picture.pixels = picture.pixels.repeat(3);
            self.mixed = true;
        }
        self.pixels.append(&mut picture.pixels);
        check_memory(path, self.pixels.len() as u128, options)
    }
}

pub(super) fn check_memory(path: &Path, bytes: u128, options: &ImageOptions) -> Result<()> {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    Ok(options.memory.check(format!("{}: its pixels (read a part with limit, or smaller ones with size)", path.display()), bytes, 1)?)
}

/// The first file of all whose size is known, with that size, when all of `part` have it: by their headers, before any is decoded, so that a
/// folder of huge pictures of mixed sizes is refused at once. A file that cannot be decoded is none of another size.
fn one_size<S: Sync>(
    path: &Path,
    found: &[Found<S>],
    part: &[usize],
    mut known: Option<(usize, [usize; 2])>,
    load: &(impl Fn(&S) -> Result<Vec<u8>, String> + Sync),
) -> Result<Option<(usize, [usize; 2])>> {
    let of = |&index: &usize| Some((index, size_of(&load(&found[index].source).ok()?)?));
    let sizes: Vec<Option<(usize, [usize; 2])>> = part.par_iter().map(of).collect();
    let whole = |index: usize| load(&found[index].source).and_then(|bytes| decode(&bytes, None, None)).is_ok();
    for (index, size) in sizes.into_iter().flatten() {
        match known {
            Some((_, first)) if first == size => {}
            Some(_) if !whole(index) => {}
            Some((first, of_first)) if whole(first) => {
                return Err(differ(path, [&found[index].name, &found[first].name], [size, of_first]));
            }
            _ => known = Some((index, size)),
        }
    }
    Ok(known)
}

/// The error of two images whose sizes differ, height first.
fn differ(path: &Path, [name, first]: [&str; 2], [[high, wide], [height, width]]: [[usize; 2]; 2]) -> Error {
    let what = format!(
        "{name} is {high} x {wide} pixels where {first} is {height} x {width} (height x width); give a size, such as size = [{height}, {width}], \
         to bring all images to it"
    );
    Error::format(path, what)
}

/// Images that a file holds as plain bytes, brought to the requested size and channels.
pub(super) fn refit_all(path: &Path, images: Images, options: &ImageOptions, notes: Vec<String>) -> Result<ReadImages> {
    let [count, channels, height, width] = images.shape();
    let same_size = options.size.is_none_or(|size| size == [height, width]);
    if same_size && options.channels.is_none_or(|wanted| wanted == channels) {
        return Ok(ReadImages { images, notes });
    }
    let wanted = options.size.unwrap_or([height, width]);
    let new_shape = [count, options.channels.unwrap_or(channels), wanted[0], wanted[1]];
    check_memory(path, new_shape.iter().map(|&side| side as u128).product(), options)?;
    let refitted: Vec<Vec<u8>> = (0..count)
        .into_par_iter()
        .map(|index| refit(images.pixels_of(index), [channels, height, width], options.size, options.channels).0)
        .collect();
    let classes = images.classes().map(|classes| (classes.to_vec(), images.class_names().to_vec()));
    Ok(ReadImages { images: Images::new(refitted.concat(), new_shape, classes)?, notes })
}

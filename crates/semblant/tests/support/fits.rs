//! Runs, models as bytes, and errors, for tables and images.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use semblant::checkpoint::Checkpoint;
use semblant::prelude::*;
use semblant::progress::{Event, Observer};
use semblant::{Error, Result};
use serde_json::{Value, json};

/// A model of whatever data.
pub(crate) type Fitted<D> = Box<dyn Synthesizer<D>>;

pub(crate) fn run(seed: u64) -> Run {
    Run::new(semblant::device::select("cpu").expect("always there"), seed)
}

pub(crate) fn bytes<D: Data>(model: &Fitted<D>) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    model.save(&path).expect("writable");
    std::fs::read(path).expect("just written")
}

/// Raises a flag once some of a fit is done.
pub(crate) struct StopAt {
    pub(crate) rows: u64,
    pub(crate) stop: Arc<AtomicBool>,
}

impl Observer for StopAt {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Rows { done, .. } = event
            && done >= self.rows
        {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

/// The names of the models of the registry.
pub(crate) fn names<D: Data>() -> Vec<&'static str> {
    Registry::default().models::<D>().map(|entry| entry.name).collect()
}

/// The error, whose message is one line with all of these words.
#[track_caller]
pub(crate) fn says<T>(what: &str, result: Result<T>, words: &[&str]) -> Error {
    let Err(error) = result else { panic!("{what}: no error") };
    let message = error.to_string();
    assert!(!message.contains('\n'), "{what}: {message}");
    for word in words {
        assert!(message.contains(word), "{what}: no \"{word}\" in: {message}");
    }
    error
}

/// A model file with its header changed.
pub(crate) fn with_header(bytes: &[u8], change: impl Fn(&mut Value)) -> Vec<u8> {
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight")) as usize;
    let mut header: Value = serde_json::from_slice(&bytes[8..8 + length]).expect("JSON");
    change(&mut header);
    let header = header.to_string().into_bytes();
    [&(header.len() as u64).to_le_bytes(), &header[..], &bytes[8 + length..]].concat()
}

/// A model file with a key of its metadata changed.
pub(crate) fn with_metadata(bytes: &[u8], key: &str, value: &str) -> Vec<u8> {
    with_header(bytes, |header| header["__metadata__"][key] = json!(value))
}

/// Fails unless every file with damage that any kind of model detects is refused with its name: one that is cut off, too long, of another
/// format, or with another shape of a tensor.
pub(crate) fn refuses_damage<D: Data>(name: &str, whole: &[u8]) {
    loads_or_names_the_file::<D>(whole).unwrap_or_else(|error| panic!("{name}: {error}"));
    let refused = |what: &str, bytes: &[u8], word: &str| {
        says(&format!("{name}, {what}"), loads_or_names_the_file::<D>(bytes), &[word]);
    };
    for cut in [0, 1, 7, 8, 9, whole.len() / 3, whole.len() / 2, whole.len() - 1] {
        refused(&format!("{cut} bytes"), &whole[..cut], "truncated");
    }
    refused("a byte more", &[whole, b"x"].concat(), "model file");
    refused("another format", &with_metadata(whole, "semblant_format", "99"), "format 99");
    let file = Checkpoint::from_bytes(whole.to_vec(), Path::new("whole")).expect("sound");
    for (tensor, _) in file.shapes() {
        let reshaped = with_header(whole, |header| {
            let shape = header[tensor]["shape"].as_array().expect("a shape").clone();
            let values: u64 = shape.iter().filter_map(Value::as_u64).product();
            // One dimension more, or the same values in one line: never the shape that the model has.
            header[tensor]["shape"] = if shape.len() > 1 { json!([values]) } else { json!([1, values]) };
        });
        refused(tensor, &reshaped, tensor.split_once('.').expect("a prefix").1);
    }
}

/// Loads a model from its bytes; an error must name the file.
pub(crate) fn loads_or_names_the_file<D: Data>(bytes: &[u8]) -> Result<Fitted<D>> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("damaged.safetensors");
    std::fs::write(&path, bytes).expect("writable");
    let loaded = semblant::load::<D>(&path, "cpu");
    loaded.inspect_err(|error| assert!(error.to_string().contains("damaged.safetensors"), "{error}"))
}

/// Damages single bytes of a file's header, at about `positions` places: each file is loaded, and can then sample, or is refused with an
/// error that names it. None may panic.
pub(crate) fn survives_damaged_headers<D: Data>(name: &str, whole: &[u8], positions: usize) {
    let (registry, path) = (Registry::default(), Path::new("damaged.safetensors"));
    let device = semblant::device::select("cpu").expect("always there");
    let entry = registry.models::<D>().find(|entry| entry.name == name).expect("listed");
    let length = u64::from_le_bytes(whole[..8].try_into().expect("eight")) as usize;
    let (mut loaded, mut refused) = (0, 0);
    for position in (0..8 + length).step_by((length / positions).max(1)) {
        for byte in *b"9-}" {
            let mut damaged = whole.to_vec();
            damaged[position] = byte;
            let Ok(file) = Checkpoint::from_bytes(damaged, path) else { continue };
            match (entry.load)(&file, path, &device) {
                // Some changes leave a sound file; what it holds has to be usable, or say why it is not.
                Ok(model) => {
                    loaded += 1;
                    if loaded % 10 == 0
                        && let Ok(made) = model.sample(&D::Request::new(2, 1))
                    {
                        assert_eq!(made.data.len(), 2, "{name}");
                    }
                }
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().contains("damaged.safetensors"), "{name}: {error}");
                }
            }
        }
    }
    assert!(loaded > 0 && refused > 0, "{name}: {loaded} loaded, {refused} refused");
}

/// What a settings file from a stranger may say where a size belongs.
const ANY_NUMBERS: [u64; 5] = [0, 1, 1 << 31, 1 << 63, u64::MAX];

/// Puts [`ANY_NUMBERS`] into every number of what a file says of itself, one at a time: settings, shapes, counts, what was learned of columns. Each
/// file is loaded and can then sample, or is refused with an error that names it, quickly and without memory for what it claims.
pub(crate) fn survives_any_number<D: Data>(name: &str, whole: &[u8]) {
    let (registry, path) = (Registry::default(), Path::new("claims.safetensors"));
    let device = semblant::device::select("cpu").expect("always there");
    let entry = registry.models::<D>().find(|entry| entry.name == name).expect("listed");
    let file = Checkpoint::from_bytes(whole.to_vec(), path).expect("sound");
    let (mut tried, mut refused) = (0, 0);
    for (key, text) in &file.metadata {
        let Ok(said) = serde_json::from_str::<Value>(text) else { continue };
        let mut places = Vec::new();
        numbers(String::new(), &said, &mut places);
        for (place, number) in places.iter().flat_map(|place| ANY_NUMBERS.map(|number| (place, number))) {
            let mut changed = said.clone();
            match changed.pointer_mut(place) {
                Some(value) => *value = json!(number),
                None => continue,
            }
            let bytes = with_metadata(whole, key, &changed.to_string());
            let Ok(file) = Checkpoint::from_bytes(bytes, path) else { continue };
            let started = std::time::Instant::now();
            tried += 1;
            match (entry.load)(&file, path, &device) {
                Ok(model) => drop(model.sample(&D::Request::new(2, 1)).map(|made| assert_eq!(made.data.len(), 2, "{name}: {key}{place}"))),
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().contains("claims.safetensors"), "{name}: {key}{place} = {number}: {error}");
                }
            }
            let took = started.elapsed();
            assert!(took.as_secs() < 10, "{name}: {key}{place} = {number} took {took:?}");
            let [resident, reserved] = peaks();
            assert!(resident < 2 << 30 && reserved < 64 << 30, "{name}: {key}{place} = {number} took {resident} of {reserved} bytes");
        }
    }
    assert!(tried > 0 && refused > 0, "{name}: {tried} tried, {refused} refused");
}

/// The places of all numbers, as JSON pointers; of a list the first and the last.
fn numbers(place: String, value: &Value, places: &mut Vec<String>) {
    match value {
        Value::Number(_) => places.push(place),
        Value::Object(fields) => fields.iter().for_each(|(key, value)| {
            numbers(format!("{place}/{}", key.replace('~', "~0").replace('/', "~1")), value, places);
        }),
        Value::Array(entries) => {
            let ends = [0, entries.len().wrapping_sub(1)];
            let ends = if entries.len() > 1 { &ends[..] } else { &ends[..entries.len()] };
            ends.iter().for_each(|&index| numbers(format!("{place}/{index}"), &entries[index], places));
        }
        _ => {}
    }
}

/// The most memory, and the most address space, that this process has had; nothing where the system does not say.
fn peaks() -> [u64; 2] {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ["VmHWM:", "VmPeak:"].map(|key| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) * 1024
    })
}

//! The entry points that read untrusted bytes, one function for each kind of file. Whatever the bytes are, a function returns: what is wrong with
//! them is an error, and what is sound can be used. The targets of `fuzz/` and the bounded run of `.ci/run` share them.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use semblant::checkpoint::Checkpoint;
use semblant::data::image::{ImageOptions, Images};
use semblant::data::table::{ReadOptions, Schema, Table, TableFormat};
use semblant::memory::Memory;
use semblant::prelude::*;
use semblant::rules::spec::{Children, Draw, Scalar, TableSpec};
use semblant::rules::{Generator, NoModels, Plan, Spec};
use semblant_expressions::{Columns, Domain, Domains, Expression, Row, Type, Value};

/// A kind of file, by name, and what reads it.
pub(crate) type Loader = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const LOADERS: [Loader; 21] = [
    ("csv", csv),
    ("tsv", tsv),
    ("gzip", gzip),
    ("json-lines", json_lines),
    ("parquet", parquet),
    ("idx", idx),
    ("cifar", cifar),
    ("tar", tar),
    ("npz", npz),
    ("image", image),
    ("pth", pth),
    ("safetensors", safetensors),
    ("model", model),
    ("diffusers", diffusers),
    ("schema", schema),
    ("settings", settings),
    ("sql", sql),
    ("spec", spec),
    ("series", series),
    ("keys", keys),
    ("text", text),
];

/// What an input may take: little, so that one that asks for more is refused and not served.
const MEMORY: u64 = 256 << 20;

fn options() -> ReadOptions {
    ReadOptions { memory: Memory::of(MEMORY), ..ReadOptions::default() }
}

/// A table that was read can be written.
fn table(bytes: &[u8], format: TableFormat, options: &ReadOptions) {
    if let Ok(read) = Table::from_bytes(bytes.to_vec(), format, options) {
        let _ = read.table.to_bytes(TableFormat::Csv);
    }
}

/// Comma-separated values; what begins like gzip is unpacked.
pub(crate) fn csv(bytes: &[u8]) {
    table(bytes, TableFormat::Csv, &options());
}

/// The same with tabs.
pub(crate) fn tsv(bytes: &[u8]) {
    table(bytes, TableFormat::Csv, &ReadOptions { delimiter: Some(b'\t'), trim: true, ..options() });
}

/// A table in gzip: its own bytes, whatever they begin with.
pub(crate) fn gzip(bytes: &[u8]) {
    table(&[&[0x1f, 0x8b], bytes.get(2..).unwrap_or_default()].concat(), TableFormat::Csv, &options());
}

/// One object a line.
pub(crate) fn json_lines(bytes: &[u8]) {
    table(bytes, TableFormat::JsonLines, &options());
}

/// Apache Parquet.
pub(crate) fn parquet(bytes: &[u8]) {
    table(bytes, TableFormat::Parquet, &options());
}

/// A folder of this process, on a disk of memory where there is one.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let make = || {
        let memory = Path::new("/dev/shm");
        let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        made.expect("a folder for inputs")
    };
    FOLDER.get_or_init(make).path()
}

/// A file of these bytes, of this thread.
fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let own = folder().join(format!("{:?}", std::thread::current().id()));
    let path = own.join(name);
    std::fs::create_dir_all(path.parent().unwrap_or(&own)).expect("a folder for inputs");
    std::fs::write(&path, bytes).expect("a disk with room");
    path
}

fn images(path: &Path) {
    let memory = Memory::of(MEMORY);
    let _ = Images::read(path, &ImageOptions { memory, ..ImageOptions::default() });
    let _ = Images::read(path, &ImageOptions { memory, limit: Some(2), strict: true, ..ImageOptions::with_size(4, 4) });
}

/// IDX, as MNIST is published.
pub(crate) fn idx(bytes: &[u8]) {
    images(&file("idx/images-idx3-ubyte", bytes));
}

/// The binary records of CIFAR.
pub(crate) fn cifar(bytes: &[u8]) {
    images(&file("cifar/data_batch_1.bin", bytes));
}

/// An archive of image files.
pub(crate) fn tar(bytes: &[u8]) {
    images(&file("images.tar", bytes));
}

/// NumPy's archive of arrays.
pub(crate) fn npz(bytes: &[u8]) {
    images(&file("images.npz", bytes));
}

/// One image of a folder; its contents say of which format it is.
pub(crate) fn image(bytes: &[u8]) {
    images(file("folder/class/image.png", bytes).parent().and_then(Path::parent).unwrap_or(Path::new(".")));
}

/// What `torch.save` writes.
pub(crate) fn pth(bytes: &[u8]) {
    let _ = Checkpoint::read_foreign(&file("weights.pth", bytes));
}

/// Tensors of another program.
pub(crate) fn safetensors(bytes: &[u8]) {
    let _ = Checkpoint::read_foreign(&file("weights.safetensors", bytes));
}

fn cpu() -> semblant::Device {
    semblant::device::select("cpu").expect("always there")
}

/// One of our models: what loads can sample.
pub(crate) fn model(bytes: &[u8]) {
    let path = Path::new("model.safetensors");
    let Ok(file) = Checkpoint::from_bytes(bytes.to_vec(), path) else { return };
    let (registry, device) = (Registry::default(), cpu());
    if let Some(entry) = registry.models::<Table>().find(|entry| entry.name == file.model()) {
        let _ = (entry.load)(&file, path, &device).and_then(|model| model.sample(&TableRequest::new(2, 1)));
    }
    if let Some(entry) = registry.models::<Images>().find(|entry| entry.name == file.model()) {
        let _ = (entry.load)(&file, path, &device).and_then(|model| model.sample(&ImageRequest::new(2, 1)));
    }
    if let Some(entry) = registry.models::<Series>().find(|entry| entry.name == file.model()) {
        let _ = (entry.load)(&file, path, &device).and_then(|model| model.sample(&SeriesRequest::new(2, 1).with_length(3)));
    }
    if let Some(entry) = registry.models::<Database>().find(|entry| entry.name == file.model()) {
        let _ = (entry.load)(&file, path, &device).and_then(|model| model.sample(&DatabaseRequest::new(2, 1)));
    }
}

/// Rows in time, as a text: what is found by itself, and what is named.
pub(crate) fn series(bytes: &[u8]) {
    let Ok(read) = Table::from_bytes(bytes.to_vec(), TableFormat::Csv, &options()) else { return };
    let named = SeriesOptions { entity: Some("id".into()), time: Some("at".into()), ..SeriesOptions::default() };
    for options in [SeriesOptions::default(), named] {
        let Ok(opened) = Series::grouped(read.table.clone(), None, &options) else { continue };
        let _ = opened.data.to_table();
        let _ = opened.data.windows(3, 2).and_then(|windows| windows.regular());
    }
}

/// Keys of three tables that refer to each other, and what is guessed without them.
pub(crate) fn keys(bytes: &[u8]) {
    let table = |text: &str| Table::from_bytes(text.as_bytes().to_vec(), TableFormat::Csv, &options()).map(|read| read.table);
    let texts = [
        ("people", "id,boss,age\n1,,30\n2,1,41\n3,2,5\n"),
        ("orders", "id,person,day\n7,1,3\n8,1,4\n9,4,4\n"),
        ("lines", "order,n\n7,1\n7,2\n8,1\n"),
    ];
    let tables: Vec<(String, Table)> = texts.iter().filter_map(|(name, text)| Some(((*name).to_owned(), table(text).ok()?))).collect();
    let Some(keys) = std::str::from_utf8(bytes).ok().and_then(|text| Keys::parse_toml(text).ok()) else { return };
    if let Ok(opened) = Database::new(tables, keys) {
        let database = opened.data;
        let _ = (database.overview(), database.order(), database.root(), database.keys().to_toml());
        let _ = database.select(&[0]).len();
    }
}

/// A folder of diffusers. The first byte says whose file the rest is: the network's settings, the scheduler's, or its weights.
pub(crate) fn diffusers(bytes: &[u8]) {
    let Some((&which, rest)) = bytes.split_first() else { return };
    let names = ["model_index.json", "unet/config.json", "scheduler/scheduler_config.json", "unet/diffusion_pytorch_model.safetensors"];
    let place = usize::from(which) % names.len();
    let mut folder = PathBuf::new();
    for (index, (name, sound)) in names.iter().zip(sound_folder()).enumerate() {
        let path = file(&format!("diffusers/{name}"), if index == place { rest } else { sound });
        if index == 0 {
            folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        }
    }
    let _ = Registry::default().load::<Images>(&folder, &cpu()).and_then(|model| model.sample(&ImageRequest::new(1, 1)));
}

/// The files of a small pipeline, in the order of [`diffusers`].
pub(crate) fn sound_folder() -> &'static [Vec<u8>; 4] {
    static FILES: OnceLock<[Vec<u8>; 4]> = OnceLock::new();
    FILES.get_or_init(|| {
        let network = serde_json::json!({
            "kind": "unet", "block_out_channels": [4, 4], "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
            "up_block_types": ["AttnUpBlock2D", "UpBlock2D"], "norm_num_groups": 2,
        });
        let settings = serde_json::json!({ "network": network, "training": { "rows": 4, "batch_rows": 4 }, "sampling": { "steps": 2 } });
        let mut model = semblant::model::<Images>("ddpm", settings).expect("known settings");
        let images = Images::new(vec![7; 4 * 16], [4, 1, 4, 4], None).expect("sound");
        model.fit(&images, &mut Run::new(cpu(), 1)).expect("fits");
        let folder = folder().join("sound");
        model.export().expect("has a form in diffusers").export("diffusers", &folder).expect("a disk with room");
        let read = |name: &str| std::fs::read(folder.join(name)).expect("just written");
        ["model_index.json", "unet/config.json", "scheduler/scheduler_config.json", "unet/diffusion_pytorch_model.safetensors"].map(read)
    })
}

/// Lines, one long text in gzip or not, and the description of a tokenizer in JSON; what was read is tokens and back.
pub(crate) fn text(bytes: &[u8]) {
    use semblant::data::text::{Tokenizer, TokenizerKind};
    for whole in [None, Some(3)] {
        let options = TextOptions { whole, memory: Memory::of(MEMORY), ..TextOptions::default() };
        let Ok(read) = Text::read(file("text.txt", bytes), &options) else { continue };
        for kind in [TokenizerKind::Char, TokenizerKind::Byte, TokenizerKind::Bpe] {
            let Ok(tokenizer) = Tokenizer::fit(kind, &read.data, 300, 1) else { continue };
            read.data.iter().for_each(|text| assert_eq!(tokenizer.decode(&tokenizer.encode(text)), text, "{kind:?}"));
        }
    }
    let Ok(tokenizer) = serde_json::from_slice::<Tokenizer>(bytes) else { return };
    let _ = tokenizer.decode(&tokenizer.encode("The quick brown fox, 7 \u{1F44D} \0"));
}

/// A schema; a sound one reads a table, if its columns are there.
pub(crate) fn schema(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(schema) = Schema::parse_toml(text) {
        let _ = schema.to_toml();
        table(b"age,smoker,visit\n31,no,2020-01-31\n47,yes,\n", TableFormat::Csv, &ReadOptions { schema: Some(schema), ..options() });
    }
}

/// Settings in TOML, or as the lines of `--set`.
pub(crate) fn settings(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut set = serde_json::Map::new();
    let _ = text.lines().try_for_each(|pair| semblant::config::set(&mut set, pair));
    for settings in semblant::config::of_toml(text).into_iter().chain([set]) {
        let settings = serde_json::Value::Object(settings);
        let registry = Registry::default();
        registry.models::<Table>().for_each(|entry| drop((entry.build)(settings.clone())));
        registry.models::<Images>().for_each(|entry| drop((entry.build)(settings.clone())));
    }
}

/// A spec of rules, in either format; a sound one makes the first rows of each of its tables. It names no file that there is.
pub(crate) fn spec(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for name in ["spec.toml", "spec.yaml"] {
        let path = folder().join(name);
        let Ok(mut spec) = Spec::parse(&path, text) else { continue };
        // Numbers of children that are computed are counted by a pass over the parents, which takes as long as there are many.
        let is_counted =
            |table: &TableSpec| table.machine.is_some() || matches!(table.children.as_deref(), Some(Children::Term(Scalar::Text(_))));
        if spec.tables.iter().any(is_counted) {
            spec.tables.iter_mut().filter_map(|table| table.rows.as_mut()).for_each(|rows| rows.value = rows.value.min(2));
            let most = spec.tables.iter_mut().filter_map(|table| table.machine.as_mut()).filter_map(|machine| machine.most.as_mut());
            most.for_each(|most| most.value = most.value.min(100));
        }
        let Ok(plan) = Plan::new(&spec, &path, &NoModels) else { continue };
        if spec.tables.iter().any(is_counted) && spec.tables.iter().map(most_children).product::<f64>() > 1e4 {
            continue;
        }
        let Ok(generator) = Generator::new(&plan, 1, 1.0) else { continue };
        for table in plan.tables() {
            let rows = generator.count(table).map_or(0, |count| count.min(16));
            let _ = generator.stream(table, 0..rows, |_| Ok::<_, semblant::rules::Error>(()));
        }
    }
}

/// The most children of a parent, of a table whose numbers are known.
fn most_children(table: &TableSpec) -> f64 {
    match (table.children.as_deref(), &table.machine) {
        (_, Some(machine)) => machine.most.as_ref().map_or(1_000.0, |most| f64::from(most.value)),
        (Some(Children::Term(Scalar::Number(children))), _) => children.max(1.0),
        (Some(Children::Draw(draw)), _) if matches!(**draw, Draw::Categories(_)) => 100.0,
        (Some(_), _) => 10.0,
        _ => 1.0,
    }
}

struct Patients;

impl Columns for Patients {
    fn names(&self) -> Vec<String> {
        ["age", "income", "smoker", "visit"].map(String::from).to_vec()
    }

    fn data_type(&self, column: usize) -> Type {
        [Type::Number, Type::Number, Type::Text, Type::Time][column]
    }
}

/// A row with values, or without any.
struct Patient(bool);

impl Row for Patient {
    fn value(&self, column: usize) -> Value<'_> {
        match (self.0, column) {
            (false, _) => Value::Null,
            (true, 0) => Value::Number(40.0),
            (true, 1) => Value::Number(-1e308),
            (true, 2) => Value::Text("yes".into()),
            (true, _) => Value::Time(1.6e9),
        }
    }
}

impl Domains for Patient {
    fn domain(&self, column: usize) -> Domain<'_> {
        if self.0 && column == 0 { Domain::Range { low: 0.0, high: 120.0, null: true } } else { Domain::Any { null: true } }
    }
}

/// Conditions, assignments and the columns that they compute.
pub(crate) fn sql(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let assigned = Expression::assignment(text, &Patients).map(|(_, expression)| expression);
    let _ = Expression::order(text, &Patients);
    for expression in [Expression::condition(text, &Patients), Expression::parse(text, &Patients), assigned].into_iter().flatten() {
        for row in [Patient(true), Patient(false)] {
            let _ = expression.evaluate(&row);
            let _ = (expression.evaluate_number(&row), expression.holds(&row), expression.outcomes(&row));
            let _ = expression.true_ranges(0, 0.0, 120.0, 1.0, &row);
        }
    }
}

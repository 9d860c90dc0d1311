//! Sound files of every kind, small, to begin with.

use std::io::Write;

use semblant::data::table::{Column, Schema, Table, TableFormat, simulate_patients};
use semblant::prelude::*;
use semblant::rules::{NoModels, Plan, RulesConfig, Spec, table_of};
use serde_json::json;

use crate::loaders::sound_folder;

/// The seeds of a loader.
pub(crate) fn of(loader: &str) -> Vec<Vec<u8>> {
    let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    match loader {
        "csv" => {
            let odd = "sep=;\nname;amount;when\n\"a;b\";1.234,50;31.01.2020\n\"say \"\"x\"\"\";-5;\n?;NA;9999-12-31\n";
            [written(TableFormat::Csv), odd.into(), "a,b\n1e308,-1e308\n0.1,00123\n".into()].into()
        }
        "tsv" => texts(&["a\tb\tc\n1\tx\t2020-01-31\n2\ty\t\n", "id\tprice\nA-001\t€ 5,00\nA-002\t€ 1.005,99\n"]),
        "gzip" => vec![gzipped(&written(TableFormat::Csv)), gzipped(&[b'7'; 100_000])],
        "json-lines" => vec![written(TableFormat::JsonLines), b"{\"a\": 1, \"b\": [2]}\n{\"c\": null, \"a\": \"x\"}\n".to_vec()],
        "parquet" => vec![written(TableFormat::Parquet)],
        "idx" => vec![[&[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 3][..], &[9; 18]].concat()],
        "cifar" => vec![[vec![3], vec![5; 3072], vec![1], vec![6; 3072]].concat()],
        "tar" => vec![archive(&[("a/x.png", png()), ("b/y.png", png())])],
        "npz" => vec![through("images.npz", |images, path| images.write_npz(path).expect("a disk with room"))],
        "image" => {
            use image::ImageFormat::{Bmp, Gif, Jpeg, WebP};
            [vec![png()], [Jpeg, Gif, Bmp, WebP].map(encoded).to_vec()].concat()
        }
        "pth" => vec![PTH.to_vec()],
        "safetensors" => vec![sound_folder()[3].clone()],
        "model" => models(),
        "diffusers" => sound_folder().iter().zip(0u8..).map(|(file, which)| [&[which][..], file].concat()).collect(),
        "schema" => vec![patients().schema().to_toml().expect("has a form").into_bytes(), b"target = \"smoker\"\n[[columns]]\nname = \"age\"\nkind = \"integer\"\n[[columns]]\nname = \"smoker\"\nkind = \"boolean\"\n[[columns]]\nname = \"visit\"\nkind = \"datetime\"\nformat = \"%Y-%m-%d\"\n".to_vec()],
        "settings" => texts(&[
            "epochs = 3\nbatch_rows = 60\n[optimizer]\nlearning_rate = 1e-4\nschedule = \"cosine\"\n",
            "network.width=64\nnetwork.kind=mlp\ntraining.rows=100\nsampling.steps=3\n",
            "latent_width = 8\nencoder_widths = [16, 16]\n",
        ]),
        "sql" => texts(&[
            "age between 18 and 65 and smoker in ('yes', 'no') or visit >= date '2020-01-01'",
            "income = round(power(age, 2) / nullif(age - 3, 0), 2)",
            "case when smoker like 'y%' then cast(age as text) || 'x' else coalesce(smoker, 'none') end = 'x'",
            "visit + interval '3 days' < date '2021-02-28' and not (age is null)",
        ]),
        "spec" => specs(),
        "series" => texts(&[
            "id,at,kind,level\na,2024-01-01,x,1.5\na,2024-01-02,x,\na,2024-01-03,x,2\nb,2024-01-02,y,4\nb,2024-01-01,y,5\nb,2024-01-07,y,6\n",
            "at,level,state\n1,3,on\n2,4,off\n3,5,on\n4,6,on\n5,7,off\n",
            "window,step,x\n0,0,1\n0,1,2\n0,2,3\n1,0,4\n1,1,5\n1,2,6\n",
        ]),
        "keys" => texts(&[
            "[people]\nkey = \"id\"\nforeign = [{ columns = \"boss\", table = \"people\" }]\n[orders]\nkey = \"id\"\nchecks = [\"day > 2\"]\nforeign = [{ columns = \"person\", table = \"people\", parent = true }]\n[lines]\nkey = [\"order\", \"n\"]\nforeign = [{ columns = \"order\", table = \"orders\" }]\n",
            "[people]\nkey = [\"id\", \"age\"]\nreference = true\n[[orders.foreign]]\ncolumns = [\"person\", \"day\"]\ntable = \"people\"\nparent = false\n",
        ]),
        "text" => [
            texts(&[
                "emma\nolivia\r\n\n ava \n\u{1F44D}\u{1F3FD} e\u{301}\u{5e9}\0\n",
                "\u{feff}one long text. one long text.\n\nand more of it",
                r#"{"kind":"char","characters":"abc "}"#,
                r#"{"kind":"bpe","merges":[[97,98],[256,99],[257,257]]}"#,
            ]),
            vec![gzipped(b"a line\nand another\n"), b"na\xefve\n".to_vec()],
        ]
        .concat(),
        other => panic!("no seeds for {other}"),
    }
}

/// Every kind of column, in both formats.
const COLUMNS: &str = include_str!("columns.toml");
const YAML: &str = "table:\n  - name: t\n    rows: 10\n    column:\n      - {name: a, draw: {poisson: {mean: 3}}}\n      - {name: b, type: number, case: [{when: a > 2, value: 1}, {expression: a / 2}], missing: 0.1}\n";

/// The specs that are shipped, and small ones.
fn specs() -> Vec<Vec<u8>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/rules");
    let shipped =
        ["clinic", "patients", "sensors", "shop"].map(|name| std::fs::read(folder.join(format!("{name}.toml"))).expect("shipped"));
    shipped.into_iter().chain([COLUMNS.into(), YAML.into()]).collect()
}

fn patients() -> Table {
    simulate_patients(40, 0)
}

fn written(format: TableFormat) -> Vec<u8> {
    patients().to_bytes(format).expect("has a form")
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(bytes).and_then(|()| packer.finish()).expect("in memory")
}

fn archive(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes.as_slice()).expect("in memory");
    }
    builder.into_inner().expect("in memory")
}

fn bars() -> Images {
    let pixels = (0..6 * 16).map(|i| (i * 37 % 251) as u8).collect();
    Images::new(pixels, [6, 1, 4, 4], Some((vec![0, 1, 0, 1, 0, 1], vec!["a".into(), "b".into()]))).expect("sound")
}

fn through(name: &str, write: impl Fn(&Images, &std::path::Path)) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    write(&bars(), &path);
    std::fs::read(path).expect("just written")
}

fn png() -> Vec<u8> {
    through("sheet.png", |images, path| images.write_grid(path, 3, 1).expect("a disk with room"))
}

fn encoded(format: image::ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let picture = image::RgbImage::from_fn(6, 4, |x, y| image::Rgb([x as u8 * 40, y as u8 * 60, 128]));
    picture.write_to(&mut bytes, format).expect("in memory");
    bytes.into_inner()
}

/// Small models of every structure: a table's, and an image's.
fn models() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    let run = || Run::new(semblant::device::select("cpu").expect("always there"), 1);
    let mut files = Vec::new();
    for (name, settings) in [
        ("copula", json!({})),
        ("masked-diffusion", json!({ "epochs": 1, "batch_rows": 20, "width": 8, "depth": 1, "embedding": 2, "bins": 4 })),
        (
            "ctgan",
            json!({ "epochs": 1, "batch_rows": 20, "noise_width": 4, "generator_widths": [4], "critic_widths": [4], "min_steps": 0 }),
        ),
        ("tvae", json!({ "epochs": 1, "batch_rows": 20, "latent_width": 2, "encoder_widths": [4], "decoder_widths": [4], "min_steps": 0 })),
    ] {
        let mut model = semblant::model::<Table>(name, settings).expect("known settings");
        model.fit(&patients(), &mut run()).and_then(|_| model.save(&path)).expect("fits");
        files.push(std::fs::read(&path).expect("just written"));
    }
    let spec = folder.path().join("columns.toml");
    std::fs::write(&spec, COLUMNS).expect("a disk with room");
    let config = RulesConfig { spec: Some(spec), table: Some("places".into()), ..RulesConfig::default() };
    let rules = table_of(config).and_then(|model| model.open(&semblant::device::select("cpu")?));
    rules.and_then(|model| model.save(&path)).expect("a sound spec");
    files.push(std::fs::read(&path).expect("just written"));
    let training = json!({ "rows": 6, "batch_rows": 6 });
    for (name, mut settings) in [
        ("flow", json!({ "network": { "kind": "dit", "width": 8, "depth": 1, "heads": 2 }, "sampling": { "steps": 2 } })),
        ("edm", json!({ "network": { "kind": "mlp", "width": 8, "depth": 1 }, "sampling": { "steps": 2 } })),
        ("dcgan", json!({ "network": { "latent": 2, "class_features": 2, "channels": [4, 4], "features": 3, "group_channels": 4 } })),
        ("vae", json!({ "network": { "kind": "conv", "channels": [4], "width": 8 }, "latent_width": 2, "mixture_components": 2 })),
        ("vq-vae", json!({ "channels": [4], "blocks": 0, "codes": 4, "code_width": 2, "prior": { "width": 4, "depth": 1, "heads": 2 } })),
    ] {
        settings["training"] = training.clone();
        let mut model = semblant::model::<Images>(name, settings).expect("known settings");
        model.fit(&bars(), &mut run()).and_then(|_| model.save(&path)).expect("fits");
        files.push(std::fs::read(&path).expect("just written"));
    }
    files.extend(models_of_rows_that_follow(&path));
    files
}

/// Models of series and of databases.
fn models_of_rows_that_follow(path: &std::path::Path) -> Vec<Vec<u8>> {
    let run = || Run::new(semblant::device::select("cpu").expect("always there"), 1);
    let rows = json!({ "epochs": 1, "width": 8, "depth": 1, "embedding": 2, "bins": 4 });
    let sequence = json!({
        "rows": 16, "batch_rows": 8, "tick_rows": 8, "chunk_rows": 4, "width": 8, "embedding": 2, "frequencies": 1, "bins": 4, "attributes": rows,
    });
    let flow = json!({ "width": 8, "heads": 2, "depth": 1, "steps": 2, "training": { "rows": 8, "batch_rows": 8 } });
    let mut files = Vec::new();
    let levels = (0..40).map(|row| f64::from(row * 7 % 11)).collect();
    let table = Table::from_columns(vec![("level", ColumnKind::Integer, Column::Number(levels))]).expect("sound");
    let windows = Series::of_table(table).windows(4, 2).expect("long enough");
    for (name, settings) in [("sequence", sequence.clone()), ("series-flow", flow)] {
        let mut model = semblant::model::<Series>(name, settings).expect("known settings");
        model.fit(&windows, &mut run()).and_then(|_| model.save(path)).expect("fits");
        files.push(std::fs::read(path).expect("just written"));
    }
    let shop = semblant::rules::shop(100, 1).expect("a shop");
    let settings = json!({ "tables": rows, "sequences": sequence, "matcher": { "steps": 0 } });
    let mut model = semblant::model::<Database>("relational", settings).expect("known settings");
    model.fit(&shop, &mut run()).and_then(|_| model.save(path)).expect("fits");
    files.push(std::fs::read(path).expect("just written"));
    files
}

/// A schema has to be of the version that reads it.
#[test]
fn seeds_are_sound() {
    for text in of("schema") {
        Schema::parse_toml(std::str::from_utf8(&text).expect("text")).expect("a schema");
    }
    for (text, name) in of("spec").iter().zip(["a.toml", "b.toml", "c.toml", "d.toml", "e.toml", "f.yaml"]) {
        let spec = Spec::parse(name, std::str::from_utf8(text).expect("text")).expect("a spec");
        Plan::new(&spec, name, &NoModels).expect("a sound one");
    }
    for (loader, _) in crate::loaders::LOADERS {
        assert!(of(loader).iter().all(|seed| !seed.is_empty()), "{loader}");
    }
}

/// What `torch.save` writes of one tensor.
const PTH: &[u8] = include_bytes!("../../../metrics/tests/golden/lpips_alex.pth");

//! Folders that diffusers wrote, against what diffusers made of them. `fixtures/*.py` made the files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use semblant_core::host;
use semblant_core::seeds::Stream;
use semblant_diffusion::exchange::{Folder, Pipeline, SchedulerClass, SchedulerConfig, StoredTensor, Tensors, read_folder, write_folder};
use semblant_diffusion::networks::dit::{Dit, DitConfig};
use semblant_diffusion::networks::{Condition, Net, Network};
use semblant_diffusion::process::Prediction;
use semblant_diffusion::schedule::{BetaSchedule, DdpmTable};
use semblant_images::ImageShape;
use serde_json::{Value, json};

const WEIGHTS: &str = "diffusion_pytorch_model.safetensors";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn read(path: &Path) -> Pipeline {
    read_folder(path, &Device::flex()).expect("a whole folder")
}

fn dit(pipeline: &Pipeline) -> &Dit {
    match &pipeline.network {
        Net::Dit(network) => network,
        other => panic!("not a DiT: {other:?}"),
    }
}

fn refusal(path: &Path) -> String {
    read_folder(path, &Device::flex()).map(|_| ()).expect_err("refused").to_string()
}

fn weights(folder: &Path) -> BTreeMap<String, StoredTensor> {
    Folder::open(folder).and_then(|folder| folder.weights()).expect("weights").into_inner()
}

/// Copies a folder, so that a test may damage it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("temp");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

fn edit(file: &Path, change: impl FnOnce(&mut serde_json::Map<String, Value>)) {
    let mut value: Value = serde_json::from_slice(&std::fs::read(file).expect("there")).expect("JSON");
    change(value.as_object_mut().expect("an object"));
    std::fs::write(file, value.to_string()).expect("written");
}

/// The greatest difference between a network's output and the one stored beside it, relative to the greatest output.
fn difference(network: &Dit, expected: &Path) -> f32 {
    let device = Device::flex();
    let mut tensors = Tensors::new(expected);
    tensors.read(expected).expect("a safetensors file");
    let tensors = tensors.into_inner();
    let shape: [usize; 4] = tensors["x"].shape.clone().try_into().expect("images");
    let x: Tensor<4> = host::tensor(tensors["x"].values.clone(), shape, &device);
    let time: Tensor<1> = host::tensor(tensors["time"].values.clone(), [shape[0]], &device);
    let class: Tensor<1, Int> = host::tensor(tensors["class"].values.clone(), [shape[0]], &device).int();
    let output = network.forward(x, time, &Condition { class: Some(class), ..Condition::default() });
    assert_eq!(output.dims()[..], tensors["output"].shape[..]);
    let output = output.into_data().try_into_vec::<f32>().expect("f32");
    let wanted = &tensors["output"].values;
    let largest = wanted.iter().fold(0f32, |most, value| most.max(value.abs()));
    output.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max) / largest
}

#[test]
fn a_dit_gives_what_diffusers_gives() {
    for name in ["dit", "dit-sharded"] {
        let path = fixture(name);
        let found = difference(dit(&read(&path)), &path.join("expected.safetensors"));
        assert!(found < 1e-5, "{name}: {found}");
    }
    let pipeline = read(&fixture("dit"));
    assert_eq!(pipeline.class_names[7], "class 7");
    let scheduler = pipeline.scheduler.expect("DDIM");
    assert_eq!((scheduler.class, scheduler.clip()), (SchedulerClass::Ddim, None));
    assert!(read(&fixture("dit-sharded")).scheduler.is_none());
}

#[test]
fn reading_and_writing_again_changes_no_bit() {
    let temp = tempfile::tempdir().expect("temp");
    let folder = |name: &str| temp.path().join(name);
    for name in ["dit", "dit-sharded"] {
        let pipeline = read(&fixture(name));
        write_folder(&folder(name), &pipeline).expect("written");
        assert_eq!(weights(&folder(name)), weights(&fixture(name)), "{name}");
        let again = read(&folder(name));
        assert_eq!((&again.scheduler, &again.class_names), (&pipeline.scheduler, &pipeline.class_names));
    }
    let json = |path: PathBuf| std::fs::read_to_string(path).expect("written");
    // The files of the scheduler and the index are those of diffusers to the byte, but for values of null.
    let scheduler = |root: &Path| json(root.join("scheduler/scheduler_config.json"));
    assert_eq!(scheduler(&folder("dit")), scheduler(&fixture("dit")).replace(",\n  \"trained_betas\": null", ""));
    assert_eq!(json(folder("dit").join("model_index.json")), json(fixture("dit").join("model_index.json")));
    assert_eq!(std::fs::read_dir(temp.path()).expect("temp").count(), 2, "nothing else is left");
}

#[test]
fn the_class_of_older_folders_and_names_of_older_weights_are_known() {
    let temp = tempfile::tempdir().expect("temp");
    copy(&fixture("dit"), temp.path());
    let config = temp.path().join("transformer/config.json");
    edit(&config, |config| drop(config.insert("_class_name".into(), json!("Transformer2DModel"))));
    assert!(difference(dit(&read(temp.path())), &temp.path().join("expected.safetensors")) < 1e-5);
    edit(&config, |config| drop(config.remove("norm_type")));
    assert!(refusal(temp.path()).contains("norm_type"), "another default in the old class");

    // A root with all parts in it, and attention under the names of 2022.
    assert_eq!(weights(&fixture("ddpm-legacy")), weights(&fixture("ddpm")));
    let scheduler = |name: &str| Folder::open(&fixture(name)).and_then(|folder| folder.scheduler()).expect("DDPM").expect("named");
    assert_eq!(scheduler("ddpm-legacy").table().expect("linear"), scheduler("ddpm").table().expect("linear"));
    let karras = SchedulerConfig::read(&fixture("dpm/scheduler_config.json")).expect("with -Infinity");
    assert_eq!((karras.lambda_min_clipped, karras.use_karras_sigmas), (None, true));
}

#[test]
fn half_precision_is_widened() {
    let temp = tempfile::tempdir().expect("temp");
    copy(&fixture("dit"), temp.path());
    let folder = temp.path().join("transformer");
    let whole = weights(temp.path());
    std::fs::remove_file(folder.join(WEIGHTS)).expect("there");
    let save = |name: &str, kind: Dtype, narrow: &dyn Fn(f32) -> u16| {
        let bytes: Vec<Vec<u8>> =
            whole.values().map(|tensor| tensor.values.iter().flat_map(|value| narrow(*value).to_le_bytes()).collect()).collect();
        let views = whole.iter().zip(&bytes).map(|((name, tensor), bytes)| {
            (name.as_str(), TensorView::new(kind, tensor.shape.clone(), bytes).expect("sizes belong together"))
        });
        std::fs::write(folder.join(name), safetensors::serialize(views, None).expect("serialised")).expect("written");
    };
    save("diffusion_pytorch_model.bf16.safetensors", Dtype::BF16, &|value| (value.to_bits() >> 16) as u16);
    for ((_, found), (name, whole)) in weights(temp.path()).iter().zip(&whole) {
        let cut: Vec<f32> = whole.values.iter().map(|value| f32::from_bits(value.to_bits() & 0xffff_0000)).collect();
        assert_eq!(found.values, cut, "{name}");
    }
    // 16-bit floats of fp16 come before those of bf16.
    save("diffusion_pytorch_model.fp16.safetensors", Dtype::F16, &|value| burn::tensor::f16::from_f32(value).to_bits());
    for ((_, found), (name, whole)) in weights(temp.path()).iter().zip(&whole) {
        let close = found.values.iter().zip(&whole.values).all(|(a, b)| (a - b).abs() <= b.abs() / 1024.0 + 1e-6);
        assert!(close, "{name}");
    }
    assert!(difference(dit(&read(temp.path())), &temp.path().join("expected.safetensors")) < 0.05);
}

#[test]
fn hostile_folders_are_named_errors() {
    let temp = tempfile::tempdir().expect("temp");
    let fresh = |from: &str| {
        let path = temp.path().join("model");
        let _ = std::fs::remove_dir_all(&path);
        copy(&fixture(from), &path);
        path
    };
    let said = |path: &Path, parts: &[&str]| {
        let message = refusal(path);
        assert!(!message.contains('\n') && parts.iter().all(|part| message.contains(part)), "{message}");
    };
    said(Path::new("/nonexistent/model"), &["/nonexistent/model", "no folder"]);
    said(temp.path(), &["neither model_index.json nor config.json"]);

    let path = fresh("dit");
    std::fs::remove_file(path.join("transformer/config.json")).expect("there");
    said(&path, &["transformer/config.json", "missing"]);
    let path = fresh("dit");
    std::fs::remove_dir_all(path.join("scheduler")).expect("there");
    said(&path, &["scheduler_config.json", "names a scheduler"]);
    let path = fresh("dit");
    edit(&path.join("model_index.json"), |index| drop(index.remove("transformer")));
    said(&path, &["model_index.json", "transformer and unet"]);
    let path = fresh("dit");
    edit(&path.join("model_index.json"), |index| drop(index["id2label"].as_object_mut().expect("labels").remove("3")));
    said(&path, &["id2label", "0 to 8"]);

    let path = fresh("dit");
    let weights = path.join("transformer").join(WEIGHTS);
    std::fs::rename(&weights, path.join("transformer/diffusion_pytorch_model.bin")).expect("renamed");
    said(&path, &["pickle", "safe_serialization=True"]);
    std::fs::remove_file(path.join("transformer/diffusion_pytorch_model.bin")).expect("there");
    said(&path, &[WEIGHTS, "missing"]);
    std::fs::write(&weights, b"no safetensors").expect("written");
    said(&path, &[WEIGHTS, "truncated"]);
    let whole = std::fs::read(fixture("dit").join("transformer").join(WEIGHTS)).expect("there");
    for cut in [0, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&weights, &whole[..cut]).expect("written");
        said(&path, &[WEIGHTS, "truncated"]);
    }

    let config = |key: &str, value: Value, parts: &[&str]| {
        let path = fresh("dit");
        edit(&path.join("transformer/config.json"), |config| drop(config.insert(key.into(), value)));
        said(&path, parts);
    };
    config("_class_name", json!("FluxTransformer2DModel"), &["transformer/config.json", "FluxTransformer2DModel", "UNet2DModel"]);
    config("activation_fn", json!("geglu"), &["activation_fn", "gelu-approximate"]);
    config("num_layers", json!(3), &["transformer_blocks.2", "missing"]);
    config("num_layers", json!(1), &["transformer_blocks.1", "no place"]);
    config("num_layers", json!(u64::MAX), &["num_layers"]);
    config("num_layers", json!("two"), &["num_layers", "\"two\""]);
    config("num_embeds_ada_norm", json!(9), &["embedding_table", "[11, 16]", "[10, 16]"]);
    config("sample_size", json!(7), &["patch = 2"]);
    config("patch_size", json!(0), &["patch_size"]);
    config("attention_head_dim", json!(u32::MAX), &["attention_head_dim"]);

    let path = fresh("dit-sharded");
    std::fs::remove_file(path.join("diffusion_pytorch_model-00002-of-00003.safetensors")).expect("there");
    said(&path, &["00002-of-00003", "index"]);
    let path = fresh("dit-sharded");
    edit(&path.join("diffusion_pytorch_model.safetensors.index.json"), |index| {
        index["weight_map"]["proj_out_1.bias"] = json!("../../etc/passwd");
    });
    said(&path, &["../../etc/passwd", "not in its folder"]);
    #[cfg(unix)]
    {
        let path = fresh("dit-sharded");
        let shard = path.join("diffusion_pytorch_model-00002-of-00003.safetensors");
        std::fs::rename(&shard, path.join("elsewhere")).expect("renamed");
        std::os::unix::fs::symlink("elsewhere", &shard).expect("a link");
        said(&path, &["00002-of-00003", "symbolic link", "cp -rL"]);
    }

    let scheduler = |key: &str, value: Value, parts: &[&str]| {
        let path = fresh("dit");
        edit(&path.join("scheduler/scheduler_config.json"), |config| drop(config.insert(key.into(), value)));
        said(&path, parts);
    };
    scheduler("_class_name", json!("PNDMScheduler"), &["scheduler_config.json", "PNDMScheduler", "DDIMScheduler"]);
    scheduler("beta_schedule", json!("laplace"), &["beta_schedule", "laplace", "squaredcos_cap_v2"]);
    scheduler("steps_offset", json!(-1), &["steps_offset", "-1"]);
    let path = fresh("dit");
    std::fs::write(path.join("scheduler/scheduler_config.json"), "[1").expect("written");
    said(&path, &["scheduler_config.json", "no JSON"]);
    let path = fresh("ddpm");
    edit(&path.join("unet/config.json"), |config| drop(config.insert("act_fn".into(), json!("gelu"))));
    said(&path, &["act_fn", "gelu"]);
}

#[test]
fn a_target_with_files_in_it_is_left_alone() {
    let temp = tempfile::tempdir().expect("temp");
    let pipeline = read(&fixture("dit"));
    std::fs::write(temp.path().join("precious"), "data").expect("written");
    assert!(write_folder(temp.path(), &pipeline).expect_err("refused").to_string().contains("no empty folder"));
    assert!(write_folder(&temp.path().join("precious"), &pipeline).is_err());
    assert!(write_folder(Path::new("/nonexistent/folder/model"), &pipeline).is_err());
    let oblong = ImageShape { channels: 1, height: 4, width: 8 };
    let network = Dit::new(&DitConfig { width: 8, heads: 2, depth: 1, ..DitConfig::default() }, &oblong, 0, 1, &Device::flex());
    let oblong = Pipeline { network: Net::Dit(network), ..pipeline.clone() };
    assert!(write_folder(&temp.path().join("oblong"), &oblong).expect_err("refused").to_string().contains("square"));
    assert_eq!(std::fs::read_dir(temp.path()).expect("temp").count(), 1, "nothing is left of a failure");
    let empty = temp.path().join("empty");
    std::fs::create_dir(&empty).expect("made");
    write_folder(&empty, &pipeline).expect("an empty folder is taken");
}

/// A setting as diffusers has it in `scheduler_config.json`.
fn config(class: &str, settings: Value) -> semblant_core::Result<SchedulerConfig> {
    let temp = tempfile::tempdir().expect("temp");
    let file = temp.path().join("scheduler_config.json");
    let mut settings = settings;
    settings["_class_name"] = json!(class);
    std::fs::write(&file, settings.to_string()).expect("written");
    SchedulerConfig::read(&file)
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("numbers").iter().map(|value| value.as_f64().expect("a number")).collect()
}

fn goldens() -> Value {
    serde_json::from_slice(&std::fs::read(fixture("schedulers.json")).expect("there")).expect("JSON")
}

#[test]
fn tables_are_those_of_diffusers() {
    for (name, table) in goldens()["tables"].as_object().expect("tables") {
        let schedule: BetaSchedule = serde_json::from_value(json!(name)).expect("known");
        let setting = |key: &str| table["config"][key].as_f64().expect("a number");
        let found = DdpmTable::new(schedule, 1000, setting("beta_start"), setting("beta_end")).expect("within range");
        for (index, wanted) in numbers(&table["indices"]).into_iter().zip(numbers(&table["signal_power"])) {
            let (found, wanted) = (found.signal_power[index as usize], wanted as f32);
            let allowed = if name == "linear" { 0.0 } else { 2e-7 * wanted };
            assert!((found - wanted).abs() <= allowed, "{name} at {index}: {found}, expected {wanted}");
        }
    }
}

#[test]
fn levels_are_those_of_diffusers() {
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-6 * b.abs().max(1e-3);
    for (name, case) in goldens()["cases"].as_object().expect("cases") {
        let class = case["class"].as_str().expect("a name");
        if class == "FlowMatchHeunDiscreteScheduler" {
            continue;
        }
        let config = config(class, case["config"].clone()).expect("a known class");
        let plan = config.plan(case["steps"].as_u64().expect("a number") as usize).expect("a plan");
        let (mut times, mut sigmas) = (numbers(&case["timesteps"]), case.get("sigmas").map(numbers));
        if config.class == SchedulerClass::Heun {
            // Twice at every level but the first and the last.
            let once = |values: &[f64]| -> Vec<f64> {
                let first = |index: usize| index == 0 || index % 2 == 1;
                values.iter().enumerate().filter(|(index, _)| first(*index)).map(|(_, value)| *value).collect()
            };
            times = once(&times);
            sigmas = sigmas.map(|sigmas| once(&sigmas));
        }
        assert_eq!(plan.steps(), times.len(), "{name}");
        for (level, time) in plan.levels.iter().zip(&times) {
            assert!((level.time - time).abs() <= 1e-6 * time.abs().max(1.0), "{name}: time {}, expected {time}", level.time);
        }
        let Some(sigmas) = sigmas else { continue };
        assert_eq!(plan.levels.len(), sigmas.len(), "{name}");
        for (level, sigma) in plan.levels.iter().zip(&sigmas) {
            let found = if config.class == SchedulerClass::FlowEuler { level.sigma } else { level.sigma / level.alpha };
            assert!(close(found, *sigma), "{name}: sigma {found}, expected {sigma}");
        }
    }
}

#[test]
fn last_steps_of_ddpm_and_ddim_differ() {
    let last = |class: &str, settings: Value| {
        let config = config(class, settings).expect("known");
        config.plan(10).expect("ten steps").levels[10]
    };
    assert_eq!(last("DDPMScheduler", json!({})).sigma, 0.0);
    assert_eq!(last("DDIMScheduler", json!({})).sigma, 0.0);
    let least = last("DDIMScheduler", json!({ "set_alpha_to_one": false, "steps_offset": 1 }));
    assert!((least.sigma.powi(2) - 1e-4).abs() < 1e-7, "{least:?}");
}

#[test]
fn unsupported_scheduler_settings_are_named() {
    let refused = |class: &str, key: &str, value: Value| {
        let message = config(class, json!({ key: value })).and_then(|config| config.plan(10)).expect_err("refused").to_string();
        assert!(message.contains(key) && message.contains(class), "{message}");
    };
    refused("DDPMScheduler", "thresholding", json!(true));
    refused("DDPMScheduler", "variance_type", json!("learned_range"));
    refused("EulerDiscreteScheduler", "use_beta_sigmas", json!(true));
    refused("EulerDiscreteScheduler", "timestep_type", json!("continuous"));
    refused("DPMSolverMultistepScheduler", "solver_order", json!(3));
    refused("DPMSolverMultistepScheduler", "solver_type", json!("heun"));
    refused("DPMSolverMultistepScheduler", "algorithm_type", json!("sde-dpmsolver++"));
    refused("UniPCMultistepScheduler", "solver_type", json!("bh1"));
    refused("FlowMatchEulerDiscreteScheduler", "use_dynamic_shifting", json!(true));
    refused("EDMEulerScheduler", "prediction_type", json!("v_prediction"));
    let config = config("DDPMScheduler", json!({})).expect("known");
    assert!(config.plan(0).is_err() && config.plan(1001).is_err() && config.plan(1000).is_ok());
}

/// The schedulers that Semblant's processes are written as.
fn written() -> [(&'static str, SchedulerConfig); 4] {
    let ddpm = |schedule, prediction| SchedulerConfig::ddpm(schedule, 1000, 1e-4, 0.02, &prediction).expect("of DDPM");
    [
        ("ddpm", ddpm(BetaSchedule::Linear, Prediction::Epsilon)),
        ("ddpm-v", ddpm(BetaSchedule::Cosine, Prediction::V)),
        ("flow", SchedulerConfig::flow(3.0)),
        ("edm", SchedulerConfig::edm(0.4, 0.01, 50.0)),
    ]
}

#[test]
fn written_schedulers_come_back() {
    for (name, scheduler) in written() {
        let json = scheduler.to_json();
        let back = config(scheduler.class.name(), Value::Object(json)).expect("just written");
        assert_eq!(back, scheduler, "{name}");
    }
    let [_, (_, v), (_, flow), (_, edm)] = written();
    assert_eq!((v.prediction(), v.solver()), (Prediction::V, "ddpm"));
    assert_eq!((flow.prediction(), flow.solver(), flow.clip()), (Prediction::Velocity, "euler", None));
    assert_eq!(edm.prediction(), Prediction::Edm { sigma_data: 0.4 });
    assert!(SchedulerConfig::ddpm(BetaSchedule::Linear, 1000, 1e-4, 0.02, &Prediction::Velocity).is_err());
}

/// Adds normal numbers to all weights, which in a fresh network would hide most of it.
struct Stir(u32);

impl ModuleMapper for Stir {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        self.0 += 1;
        let stream = Stream::new(5, self.0);
        param.map(|tensor| {
            host::update(tensor, |values| {
                let mut noise = vec![0.0; values.len()];
                stream.normals(0, &mut noise);
                values.iter_mut().zip(noise).for_each(|(value, noise)| *value += 0.2 * noise);
            })
        })
    }
}

/// Folders for `fixtures/open_in_python.py`, with this library's output beside the network.
#[test]
#[ignore = "run by hand, before fixtures/open_in_python.py"]
fn folders_for_python() {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("for-python");
    let _ = std::fs::remove_dir_all(&root);
    std::fs::create_dir_all(&root).expect("made");
    let device = Device::flex();
    let shape = ImageShape { channels: 1, height: 12, width: 12 };
    let sizes = DitConfig { patch: 3, width: 24, depth: 3, heads: 2, ..DitConfig::default() };
    for (name, scheduler) in written() {
        let network = Dit::new(&sizes, &shape, 3, 1, &device).with_augmentation().map(&mut Stir(0));
        let x = Tensor::<1, Int>::arange(0..4 * 144, &device).float().reshape([4, 1, 12, 12]).sin();
        let time = Tensor::<1>::from_floats([0.0, -0.7, 500.5, 999.0], &device);
        let class = Tensor::<1, Int>::from_ints([0, 1, 2, 3], &device);
        let known = Condition { class: Some(class.clone()), ..Condition::default() };
        let output = network.forward(x.clone(), time.clone(), &known);
        let class_names = ["a cat", "a dog", "neither"].map(str::to_owned).to_vec();
        let folder = root.join(name);
        write_folder(&folder, &Pipeline { network: Net::Dit(network), scheduler: Some(scheduler.clone()), class_names }).expect("written");

        let mut expected = Tensors::new(&folder);
        let mut add = |name: &str, data: TensorData| {
            let shape = data.shape().to_vec();
            expected.add(name, &shape, data.try_into_vec_as::<f32>().expect("numbers"));
        };
        add("x", x.into_data());
        add("time", time.into_data());
        add("class", class.into_data());
        add("output", output.into_data());
        let plan = scheduler.plan(5).expect("five steps");
        add("timesteps", TensorData::new(plan.levels[..5].iter().map(|level| level.time as f32).collect::<Vec<_>>(), [5]));
        std::fs::write(folder.join("expected.safetensors"), expected.to_bytes().expect("small")).expect("written");
    }
}

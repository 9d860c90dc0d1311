//! The UNet against diffusers' `UNet2DModel`; the models are made by fixtures/unet.py.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use safetensors::SafeTensors;
use semblant_core::host;
use semblant_diffusion::networks::unet::names::{self, Tensors};
use semblant_diffusion::networks::unet::{UNet2D, UnetConfig};
use semblant_diffusion::networks::{Condition, Network};
use semblant_images::ImageShape;
use serde_json::{Map, Value};

/// Keys of a config.json that are no setting of the network's own.
const OTHER: [&str; 9] = [
    "sample_size",
    "in_channels",
    "out_channels",
    "act_fn",
    "class_embed_type",
    "num_class_embeds",
    "num_train_timesteps",
    "_use_default_values",
    "_class_name",
];

struct Golden {
    config: UnetConfig,
    classes: usize,
    shape: ImageShape,
    weights: Tensors,
    x: Tensor<4>,
    time: Tensor<1>,
    condition: Condition,
    expected: Vec<f32>,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/unet-{name}.safetensors"))
}

fn golden(name: &str) -> Golden {
    let bytes = std::fs::read(fixture(name)).expect("the fixture is there");
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("a header");
    let text = &header.metadata().as_ref().expect("metadata")["config"];
    let mut settings: Map<String, Value> = serde_json::from_str(text).expect("JSON");
    let classes = settings["num_class_embeds"].as_u64().map_or(0, |rows| rows as usize - 1);
    OTHER.iter().for_each(|key| drop(settings.remove(*key)));
    let mut weights: Tensors = SafeTensors::deserialize(&bytes)
        .expect("tensors")
        .iter()
        .map(|(name, view)| {
            let values = view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            (name.to_owned(), (view.shape().to_vec(), values))
        })
        .collect();
    let device = Device::flex();
    let (shape, x) = weights.remove("input.x").expect("there");
    let (_, time) = weights.remove("input.time").expect("there");
    let class = weights.remove("input.labels").map(|(_, labels)| Tensor::<1>::from_floats(labels.as_slice(), &device).int());
    Golden {
        config: serde_json::from_value(settings.into()).expect("settings under diffusers' names"),
        classes,
        shape: ImageShape { channels: shape[1], height: shape[2], width: shape[3] },
        x: host::tensor(x, [shape[0], shape[1], shape[2], shape[3]], &device),
        time: Tensor::from_floats(time.as_slice(), &device),
        condition: Condition { class, ..Condition::default() },
        expected: weights.remove("expected").expect("there").1,
        weights,
    }
}

const NAMES: [&str; 4] = ["positional", "fourier", "deep", "mixed"];

#[test]
fn outputs_are_those_of_diffusers() {
    for name in NAMES {
        let golden = golden(name);
        golden.config.check(&golden.shape).expect("allowed");
        let net = UNet2D::new(&golden.config, &golden.shape, golden.classes, 0, &Device::flex());
        let net = names::load(net, golden.weights, &fixture(name)).expect("every tensor has its place");
        let out = net.forward(golden.x, golden.time, &golden.condition);
        let scale = golden.expected.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        let worst = host::read(&out, |out| out.iter().zip(&golden.expected).fold(0.0f32, |most, (a, b)| most.max((a - b).abs())));
        println!("{name}: {:.1e} of {scale}", worst / scale);
        assert!(worst < 2e-5 * scale, "{name}: off by {worst}, values up to {scale}");
    }
}

#[test]
fn exported_weights_load_unchanged() {
    for name in NAMES {
        let golden = golden(name);
        let net = UNet2D::new(&golden.config, &golden.shape, golden.classes, 0, &Device::flex());
        let net = names::load(net, golden.weights.clone(), &fixture(name)).expect("every tensor has its place");
        assert!(names::to_tensors(&net.with_augmentation()) == golden.weights, "{name}: names, shapes and values return");
    }
}

#[test]
fn weight_names_of_old_releases_are_read() {
    let golden = golden("positional");
    let old = golden.weights.iter().map(|(name, (shape, values))| {
        let mut shape = shape.clone();
        if shape.len() == 2 && name.contains(".attentions.") {
            shape.extend([1, 1]);
        }
        let name = name.replace(".to_q.", ".query.").replace(".to_k.", ".key.").replace(".to_v.", ".value.");
        (name.replace(".to_out.0.", ".proj_attn."), (shape, values.clone()))
    });
    let net = UNet2D::new(&golden.config, &golden.shape, golden.classes, 0, &Device::flex());
    let net = names::load(net, old.collect(), &fixture("positional")).expect("understood");
    assert!(names::to_tensors(&net) == golden.weights);
}

#[test]
fn weights_of_other_shapes_are_named() {
    let golden = golden("mixed");
    let said = |change: &dyn Fn(&mut Tensors)| {
        let mut weights = golden.weights.clone();
        change(&mut weights);
        let net = UNet2D::new(&golden.config, &golden.shape, golden.classes, 0, &Device::flex());
        names::load(net, weights, &fixture("mixed")).map(|_| ()).expect_err("refused").to_string()
    };
    let missing = said(&|weights| drop(weights.remove("mid_block.resnets.1.conv2.weight")));
    assert!(missing.contains("\"mid_block.resnets.1.conv2.weight\" of shape [4, 4, 3, 3] is missing"), "{missing}");
    let unused = said(&|weights| drop(weights.insert("conv_extra.weight".into(), (vec![1], vec![0.0]))));
    assert!(unused.contains("\"conv_extra.weight\" has no place"), "{unused}");
    let misshapen = said(&|weights| drop(weights.insert("conv_in.bias".into(), (vec![2], vec![0.0; 2]))));
    assert!(misshapen.contains("\"conv_in.bias\" has the shape [2]"), "{misshapen}");
}

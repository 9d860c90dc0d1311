//! diffusers' `AutoencoderKL` and ours on the same weights; `golden/autoencoder_kl.py` makes the expected values.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use semblant_data::image::ImageRequest;
use semblant_data::image::Images;
use semblant_vae::kl::folder;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn expected() -> serde_json::Value {
    let text = std::fs::read_to_string(golden().join("autoencoder_kl.json")).expect("there");
    serde_json::from_str(&text).expect("JSON")
}

fn numbers(name: &str) -> Vec<f32> {
    expected()[name].as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number") as f32).collect()
}

fn tensor(name: &str, shape: [usize; 4]) -> Tensor<4> {
    Tensor::from_data(TensorData::new(numbers(name), shape), &Device::flex())
}

fn close(found: Tensor<4>, name: &str) {
    let (found, expected) = (found.into_data().try_into_vec::<f32>().expect("f32"), numbers(name));
    assert_eq!(found.len(), expected.len(), "{name}");
    let most = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(most < 1e-4, "{name}: {most} away from diffusers");
}

#[test]
fn moments_images_and_tiles_are_those_of_diffusers() {
    let stored = folder::read(&golden().join("autoencoder-kl"), &Device::flex()).expect("readable");
    assert_eq!(stored.scaling_factor, 0.7);
    let posterior = stored.net.encode(tensor("x", [2, 3, 16, 16]));
    let kl = posterior.divergence().sum_dim(3).sum_dim(2).sum_dim(1);
    let (kl, expected_kl) = (kl.into_data().try_into_vec::<f32>().expect("f32"), numbers("kl"));
    kl.iter().zip(expected_kl).for_each(|(a, b)| assert!((a / b - 1.0).abs() < 1e-4, "{a} against {b}"));
    close(posterior.mean, "mean");
    close(posterior.log_variance, "log_variance");
    let z = tensor("z", [1, 2, 20, 12]);
    close(stored.net.decode(z.clone()), "decoded");
    close(stored.net.decode_tiled(z.clone(), 8), "tiled");
    // One tile that holds everything is no tiling.
    close(stored.net.decode_tiled(z, 32), "decoded");
}

#[test]
fn a_folder_written_again_is_the_same_folder_and_a_model_to_save() {
    let (place, device) = (tempfile::tempdir().expect("a folder"), Device::flex());
    let original = golden().join("autoencoder-kl");
    let model = semblant_vae::open_folder(&original, &device).expect("readable");
    let again = place.path().join("again");
    model.export().expect("diffusers").export("diffusers", &again).expect("writable");
    let said = model.export().expect("diffusers").export("diffusers", &again).expect_err("there already").to_string();
    assert!(said.contains("no empty folder"), "{said}");
    let (a, b) = (folder::read(&original, &device).expect("sound"), folder::read(&again, &device).expect("sound"));
    assert_eq!((a.config, a.shape), (b.config, b.shape));
    let images = Images::new((0..2 * 768).map(|i| (i * 37 % 251) as u8).collect(), [2, 3, 16, 16], None).expect("sound");
    let request = ImageRequest::new(0, 0);
    let rebuilt = model.rebuild().expect("from data").rebuild(&images, None, &request).expect("possible").data;
    let other = semblant_vae::open_folder(&again, &device).expect("readable");
    assert_eq!(rebuilt, other.rebuild().expect("from data").rebuild(&images, None, &request).expect("possible").data);
    // One image alone is rebuilt to the same bytes.
    let one = other.rebuild().expect("from data").rebuild(&images.select(&[1]), None, &request).expect("possible").data;
    assert_eq!(one, rebuilt.select(&[1]));
    std::fs::write(again.join("diffusion_pytorch_model.safetensors"), b"short").expect("writable");
    let said = folder::read(&again, &device).expect_err("damaged").to_string();
    assert!(said.contains("diffusion_pytorch_model.safetensors"), "{said}");
}

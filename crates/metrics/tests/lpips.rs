//! LPIPS against the package of its authors, with weights by a formula (`golden/lpips_golden.py`).

#[path = "support/formula.rs"]
mod formula;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use formula::{bytes_of, units, weights_of};
use semblant_core::checkpoint::Checkpoint;
use semblant_data::image::Images;
use semblant_metrics::Error;
use semblant_metrics::image::paired::{Backbone, Lpips};

type Shapes = BTreeMap<String, Vec<usize>>;

fn golden() -> serde_json::Value {
    serde_json::from_str(include_str!("golden/lpips.json")).expect("JSON")
}

fn images(side: &str, shape: [usize; 4]) -> Images {
    let [n, c, h, w] = shape;
    Images::new(bytes_of(&format!("{side} ({n}, {c}, {h}, {w})"), n * c * h * w), shape, None).expect("sound")
}

fn backbone(net: &str) -> Checkpoint {
    let shapes: Shapes = serde_json::from_value(golden()[net]["tensors"].clone()).expect("shapes");
    weights_of(shapes.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())))
}

fn channels(net: &str) -> Checkpoint {
    let shapes: Shapes = serde_json::from_value(golden()[net]["channels"].clone()).expect("shapes");
    let mut file = Checkpoint::foreign();
    for (name, shape) in shapes {
        let values: Vec<f32> = units(&format!("{net} {name}"), shape.iter().product()).into_iter().map(f32::abs).collect();
        file.insert(&name, &shape, values);
    }
    file
}

fn written(folder: &Path, name: &str, file: &Checkpoint) -> PathBuf {
    let path = folder.join(name);
    file.write(&path).expect("writable");
    path
}

fn pth() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/lpips_alex.pth")
}

#[test]
fn distances_are_those_of_the_package() {
    let folder = tempfile::tempdir().expect("temp");
    for (net, kind) in [("alex", Backbone::Alex), ("vgg", Backbone::Vgg)] {
        let mut weights = backbone(net);
        // What follows the layers that are compared is of no use and may be there.
        weights.insert("classifier.6.bias", &[2], [0.0; 2]);
        let weights = written(folder.path(), net, &weights);
        let by_channel = if net == "alex" { pth() } else { written(folder.path(), "channels", &channels(net)) };
        let lpips = Lpips::load(&weights, &by_channel, &Device::flex()).expect("whole files");
        assert_eq!((lpips.provenance().backbone, lpips.provenance().sha256.len()), (kind, 64));
        let cases: BTreeMap<String, Vec<f64>> = serde_json::from_value(golden()[net]["distances"].clone()).expect("numbers");
        for (shape, expected) in cases {
            let shape: [usize; 4] = serde_json::from_str(&shape).expect("a shape");
            let (a, b) = (images("a", shape), images("b", shape));
            let found = lpips.distances(&a, &b).expect("pairs");
            for (found, expected) in found.iter().zip(&expected) {
                println!("{net} {shape:?}: {found} and {expected}");
                assert!((found - expected).abs() < 1e-4 * expected, "{net} {shape:?}: {found} and not {expected}");
            }
            assert_eq!((found.len(), lpips.distances(&a, &a).expect("pairs")), (expected.len(), vec![0.0; expected.len()]));
        }
        let small = kind.least() - 1;
        let small = images("a", [1, 1, small, 40]);
        assert!(matches!(lpips.distances(&small, &small), Err(Error::Undefined(_))));
        let other = lpips.distances(&images("a", [2, 1, 40, 40]), &images("a", [1, 1, 40, 40]));
        assert!(other.is_err_and(|error| error.to_string().contains("cannot be paired")));
    }
}

#[test]
fn a_file_of_torch_save_is_read_as_the_same_tensors() {
    let read = Checkpoint::read_foreign(&pth()).expect("a whole file");
    let bytes = |file: &Checkpoint| {
        let mut bytes = Vec::new();
        file.write_to(&mut bytes).expect("in memory");
        bytes
    };
    assert!(bytes(&read) == bytes(&channels("alex")));
}

#[test]
fn files_that_hold_something_else_are_named() {
    let folder = tempfile::tempdir().expect("temp");
    let place = |name: &str, file: &Checkpoint| written(folder.path(), name, file);
    let said = |weights: &Path, channels: &Path| {
        let said = Lpips::load(weights, channels, &Device::flex()).err().expect("refused").to_string();
        assert!(!said.contains('\n'), "{said}");
        said
    };
    let alex = place("alex", &backbone("alex"));
    let vgg = place("channels of vgg", &channels("vgg"));
    assert!(said(&alex, &vgg).contains("lin1.model.1.weight is [1, 128, 1, 1], expected [1, 192, 1, 1]"), "{}", said(&alex, &vgg));
    assert!(said(&pth(), &alex).contains("features.0.weight is missing"));
    let mut more = backbone("alex");
    more.insert("features.12.weight", &[1], [0.0]);
    assert!(said(&place("more", &more), &pth()).contains("features.12.weight does not belong"));
    let bytes = std::fs::read(pth()).expect("there");
    // Cut anywhere, an archive has lost its directory; with bytes changed, its checksums do not fit or a tensor is not finite.
    for cut in [3, 700, bytes.len() / 2, bytes.len() - 10] {
        let path = folder.path().join("cut.pth");
        std::fs::write(&path, &bytes[..cut]).expect("writable");
        let said = said(&alex, &path);
        assert!(said.contains("cut.pth") && said.contains("truncated"), "{cut}: {said}");
    }
    assert!(said(&folder.path().join("absent"), &pth()).contains("absent"));
}

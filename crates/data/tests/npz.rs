//! NumPy's archives: what other programs write, and what is damaged.

use std::io::{Cursor, Write};
use std::path::PathBuf;

use semblant_data::image::{ImageOptions, Images};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A `.npy` file, version 1.0.
fn npy(kind: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((text.len() as u16).to_le_bytes());
    file.extend(text.bytes());
    file.extend(values);
    file
}

struct Made {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

fn archive(files: &[(&str, Vec<u8>)]) -> Made {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, contents) in files {
        archive.start_file(*name, SimpleFileOptions::default()).expect("room");
        archive.write_all(contents).expect("room");
    }
    bytes(&archive.finish().expect("room").into_inner())
}

fn bytes(contents: &[u8]) -> Made {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("images.npz");
    std::fs::write(&path, contents).expect("writable");
    Made { path, _folder: folder }
}

#[track_caller]
fn refused(made: &Made, words: &[&str]) {
    let said = Images::read(&made.path, &ImageOptions::default()).expect_err("not readable").to_string();
    assert!(!said.contains('\n') && said.contains("images.npz"), "{said}");
    words.iter().for_each(|word| assert!(said.contains(word), "no \"{word}\" in: {said}"));
}

#[test]
fn arrays_as_numpy_numbers_them_are_read() {
    // Two images of 1 x 2 pixels, red, green, blue behind each other.
    let pixels: Vec<u8> = (0..12).collect();
    let labels: Vec<u8> = [-1i16, 10].iter().flat_map(|label| label.to_le_bytes()).collect();
    let made = archive(&[("arr_0.npy", npy("|u1", "(2, 1, 2, 3)", &pixels)), ("arr_1.npy", npy("<i2", "(2, 1)", &labels))]);
    let images = Images::read(&made.path, &ImageOptions::default()).expect("readable").images;
    assert_eq!(images.shape(), [2, 3, 1, 2]);
    assert_eq!(images.pixels_of(0), [0, 3, 1, 4, 2, 5]);
    assert_eq!((images.classes(), images.class_names()), (Some([0, 1].as_slice()), ["-1".to_owned(), "10".to_owned()].as_slice()));
    let grey = archive(&[("images.npy", npy("|u1", "(3, 2, 2)", &pixels))]);
    let options = ImageOptions { limit: Some(1), ..ImageOptions::with_size(4, 4) };
    let images = Images::read(&grey.path, &options).expect("readable").images;
    assert_eq!((images.shape(), images.classes()), ([1, 1, 4, 4], None));
}

#[test]
fn arrays_that_are_not_images_are_named() {
    let pixels = vec![7; 8];
    let good = || ("images.npy", npy("|u1", "(2, 2, 2)", &pixels));
    refused(&bytes(b"PK\x03\x04 and no more"), &["no whole .npz"]);
    refused(&bytes(b""), &["empty"]);
    refused(&archive(&[("weights.npy", npy("<f4", "(2,)", &pixels))]), &["no array called images or arr_0", "weights.npy"]);
    refused(&archive(&[("images.npy", npy("<f4", "(1, 1, 2)", &pixels))]), &["<f4", "unsigned bytes"]);
    refused(&archive(&[("images.npy", npy("|u1", "(1, 2, 2, 2)", &pixels))]), &["1 or 3"]);
    refused(&archive(&[("images.npy", npy("|u1", "(8,)", &pixels))]), &["[8]"]);
    refused(&archive(&[("images.npy", npy("|u1", "(0, 2, 2)", &[]))]), &["nothing to read"]);
    refused(&archive(&[("images.npy", npy("|u1", "(3, 2, 2)", &pixels))]), &["8 bytes", "12"]);
    refused(&archive(&[("images.npy", npy("|u1", "(1, 2, 2)", &pixels))]), &["5 bytes", "4"]);
    refused(&archive(&[("images.npy", npy("|u1", "(99999999999, 30000, 30000)", &pixels))]), &["GiB"]);
    refused(&archive(&[("images.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec())]), &["longer than any"]);
    refused(&archive(&[("images.npy", b"\x93NUMPY\x01\x00\xff\x0f{".to_vec())]), &["truncated"]);
    refused(&archive(&[("images.npy", b"not an array".to_vec())]), &["no NumPy array"]);
    let pickled = npy("|u1", "(2, 2, 2)", &pixels).iter().map(|&byte| if byte == b'F' { b'T' } else { byte }).collect();
    refused(&archive(&[("images.npy", pickled)]), &["not understood"]);
    refused(&archive(&[good(), ("labels.npy", npy("|u1", "(3,)", &[1, 2, 3]))]), &["[3]", "2 images"]);
    refused(&archive(&[good(), ("labels.npy", npy("<f8", "(2,)", &[0; 16]))]), &["<f8", "whole numbers"]);
    let labels = || ("labels.npy", npy("|u1", "(2,)", &[0, 2]));
    refused(&archive(&[good(), labels(), ("class_names.npy", npy("<U1", "(2,)", b"a\0\0\0b\0\0\0"))]), &["label 2", "2 class_names"]);
    refused(&archive(&[good(), labels(), ("class_names.npy", npy("<U1", "(1,)", &[0, 0xd8, 0, 0]))]), &["list of texts"]);
}

#![cfg(target_os = "linux")]
//! Images are written part by part: memory does not grow with their number. One test, since it looks at the whole process.

use semblant_core::data::{Data, Writer};
use semblant_data::image::{ImageOptions, Images};

/// The most memory that the process has had so far, in MiB.
fn peak_mib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("known");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") / 1024
}

#[test]
fn memory_does_not_grow_with_the_number_of_images() {
    const SIDE: usize = 256;
    // A part has 3 MiB, all 60 together 180.
    let parts = 60;
    let names = || vec!["cat".to_owned(), "dog".to_owned()];
    let part = |number: usize| {
        let pixels = (0..16 * 3 * SIDE * SIDE).map(|place| (place / 4096 + number) as u8).collect();
        Images::new(pixels, [16, 3, SIDE, SIDE], Some(((0..16).map(|image| (image + number as u32) % 2).collect(), names())))
            .expect("images")
    };
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["made", "made.npz"] {
        let path = folder.path().join(name);
        let mut writer = Images::create(&path, &part(0)).expect("writable");
        writer.write(&part(0)).expect("writable");
        let before = peak_mib();
        for number in 1..parts {
            writer.write(&part(number)).expect("writable");
        }
        writer.finish().expect("writable");
        let grown = peak_mib() - before;
        assert!(grown < 60, "{name}: {grown} MiB more");
    }
    let read = |name: &str| Images::read(folder.path().join(name), &ImageOptions::default()).expect("readable").images;
    let (from_folder, from_archive) = (read("made"), read("made.npz"));
    assert_eq!(from_archive.count(), 16 * parts);
    for (number, image) in [(0, 3), (41, 0), (59, 15)] {
        assert_eq!(from_archive.pixels_of(16 * number + image), part(number).pixels_of(image));
        assert_eq!(from_archive.class_of(16 * number + image), part(number).class_of(image));
    }
    // Half of them are cats, which come first.
    assert_eq!(from_folder.class_counts(), [8 * parts, 8 * parts]);
    assert_eq!(from_folder.pixels_of(0), part(0).pixels_of(0));
}

//! Images from files of every kind, sound and hostile, and back to files.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use image::codecs::gif::GifEncoder;
use image::{DynamicImage, Frame, GrayImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use semblant_data::image::{ImageOptions, Images, ReadImages};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("creatable");
        std::fs::write(&path, contents).expect("writable");
        path
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.path())
            .expect("readable")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).expect("encodable");
    bytes.into_inner()
}

/// A grey PNG of one value.
fn grey(value: u8, width: u32, height: u32) -> Vec<u8> {
    encoded(&DynamicImage::ImageLuma8(GrayImage::from_pixel(width, height, image::Luma([value]))), ImageFormat::Png)
}

fn red(width: u32, height: u32) -> Vec<u8> {
    encoded(&DynamicImage::ImageRgb8(RgbImage::from_pixel(width, height, Rgb([200, 0, 0]))), ImageFormat::Png)
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn tarred(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes.as_slice()).expect("memory");
    }
    builder.into_inner().expect("memory")
}

fn idx(sides: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, sides.len() as u8];
    bytes.extend(sides.iter().flat_map(|side| side.to_be_bytes()));
    bytes.extend(values);
    bytes
}

#[track_caller]
fn read(path: &Path) -> ReadImages {
    Images::read(path, &ImageOptions::default()).expect("readable")
}

/// The error of reading `path`, which must be one line and hold every one of `words`.
#[track_caller]
fn refused(path: &Path, options: &ImageOptions, words: &[&str]) {
    let said = Images::read(path, options).expect_err("not readable").to_string();
    assert!(!said.contains('\n'), "{said}");
    for word in words {
        assert!(said.contains(word), "no \"{word}\" in: {said}");
    }
}

#[track_caller]
fn noted(read: &ReadImages, words: &[&str]) {
    let notes = read.notes.join("\n");
    for word in words {
        assert!(notes.contains(word), "no \"{word}\" in: {notes}");
    }
}

fn strict() -> ImageOptions {
    ImageOptions { strict: true, ..ImageOptions::default() }
}

#[test]
fn folders_are_classes_in_the_order_of_their_names() {
    let folder = Folder::new();
    folder.file("dog/b.png", grey(3, 4, 2));
    folder.file("dog/a.PNG", grey(2, 4, 2));
    folder.file("cat/z.png", grey(1, 4, 2));
    folder.file("dog/.hidden.png", "nothing");
    folder.file("dog/readme.txt", "text");
    folder.file("top.png", grey(9, 9, 9));
    std::fs::create_dir(folder.path().join("empty")).expect("creatable");
    let read = read(folder.path());
    assert_eq!(read.images.shape(), [3, 1, 2, 4]);
    assert_eq!(read.images.class_names(), ["cat", "dog"]);
    assert_eq!(read.images.classes(), Some([0, 1, 1].as_slice()));
    assert_eq!([0, 1, 2].map(|image| read.images.pixels_of(image)[0]), [1, 2, 3]);
    noted(&read, &["dog/readme.txt: no image", "top.png: in no class folder", "empty: a folder without images"]);
    assert!(!read.notes.join("\n").contains("hidden"), "{:?}", read.notes);
}

#[test]
fn flat_folders_have_no_classes_and_mixed_images_become_colour() {
    let folder = Folder::new();
    folder.file("0.png", grey(7, 1, 1));
    folder.file("1.png", red(1, 1));
    folder.file("2.png", grey(8, 1, 1));
    let read = read(folder.path());
    assert_eq!(read.images.shape(), [3, 3, 1, 1]);
    assert_eq!(read.images.pixels(), [7, 7, 7, 200, 0, 0, 8, 8, 8]);
    assert!(read.images.classes().is_none() && read.images.class_counts().is_empty());
    noted(&read, &["mixed"]);
    let grey = Images::read(folder.path(), &ImageOptions { channels: Some(1), ..ImageOptions::default() }).expect("readable").images;
    assert_eq!(grey.pixels(), [7, 60, 8]);
    let two = Images::read(folder.path(), &ImageOptions { limit: Some(2), ..ImageOptions::default() }).expect("readable").images;
    assert_eq!(two.pixels(), [7, 7, 7, 200, 0, 0]);
}

#[test]
fn every_format_gives_its_pixels() {
    let folder = Folder::new();
    let picture = RgbImage::from_fn(3, 2, |x, y| Rgb([x as u8 * 100, y as u8 * 200, 50]));
    let expected: Vec<u8> = vec![0, 100, 200, 0, 100, 200, 0, 0, 0, 200, 200, 200, 50, 50, 50, 50, 50, 50];
    for (name, format) in
        [("a.png", ImageFormat::Png), ("b.bmp", ImageFormat::Bmp), ("c.gif", ImageFormat::Gif), ("d.webp", ImageFormat::WebP)]
    {
        folder.file(name, encoded(&DynamicImage::ImageRgb8(picture.clone()), format));
    }
    // What a file holds counts, not what its name says.
    folder.file("e.jpg", encoded(&DynamicImage::ImageRgb8(picture), ImageFormat::Bmp));
    let images = read(folder.path()).images;
    for index in 0..5 {
        assert_eq!(images.pixels_of(index), expected, "image {index}");
    }
}

#[test]
fn mixed_sizes_are_errors_that_the_size_option_resolves() {
    let folder = Folder::new();
    folder.file("a.png", grey(10, 4, 2));
    folder.file("b.png", grey(20, 4, 2));
    folder.file("c.png", grey(30, 6, 5));
    refused(folder.path(), &ImageOptions::default(), &["c.png is 5 x 6", "a.png is 2 x 4", "size = [2, 4]"]);
    let images = Images::read(folder.path(), &ImageOptions::with_size(3, 3)).expect("readable").images;
    assert_eq!(images.shape(), [3, 1, 3, 3]);
    assert_eq!([0, 1, 2].map(|image| images.pixels_of(image)), [[10; 9], [20; 9], [30; 9]]);
}

#[test]
fn damaged_files_are_left_out_or_refused() {
    let folder = Folder::new();
    folder.file("c/good.png", grey(1, 8, 8));
    let whole = red(64, 64);
    folder.file("c/half.png", &whole[..whole.len() / 2]);
    folder.file("c/text.jpg", "no image at all");
    folder.file("c/empty.gif", "");
    let photo = encoded(&DynamicImage::ImageRgb8(RgbImage::from_fn(64, 64, |x, y| Rgb([x as u8, y as u8, 9]))), ImageFormat::Jpeg);
    folder.file("c/cut.jpg", &photo[..photo.len() * 9 / 10]);
    let with_damage = read(folder.path());
    assert_eq!(with_damage.images.count(), 1);
    noted(&with_damage, &["4 of 5 files cannot be read and are left out, the first: c/cut.jpg", "truncated"]);
    refused(folder.path(), &strict(), &["c/cut.jpg", "truncated", "strict"]);
    std::fs::remove_file(folder.path().join("c/cut.jpg")).expect("removable");
    refused(folder.path(), &strict(), &["c/empty.gif is empty", "strict"]);
    let archive = folder.file("cut.tar", tarred(&[("a.jpg", photo[..photo.len() / 2].to_vec()), ("b.png", grey(1, 8, 8))]));
    noted(&read(&archive), &["1 of 2 files cannot be read and is left out, the first: a.jpg"]);
    refused(&archive, &strict(), &["a.jpg", "truncated"]);
    std::fs::remove_file(folder.path().join("c/good.png")).expect("removable");
    refused(folder.path(), &ImageOptions::default(), &["none of its 3 images", "c/empty.gif"]);
}

#[test]
fn a_flipped_byte_is_found_by_the_checksum() {
    let folder = Folder::new();
    let mut bytes = red(16, 16);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    folder.file("a.png", bytes);
    refused(folder.path(), &strict(), &["a.png cannot be decoded"]);
}

#[test]
fn folders_without_images_say_what_they_hold() {
    let folder = Folder::new();
    refused(folder.path(), &ImageOptions::default(), &["holds no PNG"]);
    folder.file("notes.txt", "text");
    refused(folder.path(), &ImageOptions::default(), &["holds no PNG", "notes.txt"]);
    refused(&folder.path().join("absent"), &ImageOptions::default(), &["absent"]);
    refused(&folder.file("x.dat", "abc"), &ImageOptions::default(), &["no known kind"]);
    refused(&folder.file("one.png", grey(1, 1, 1)), &ImageOptions::default(), &["one image", "folder"]);
    refused(&folder.file("nothing.csv", ""), &ImageOptions::default(), &["is empty"]);
}

#[cfg(unix)]
#[test]
fn links_in_a_circle_and_to_nowhere_are_noted() {
    let folder = Folder::new();
    folder.file("a/0.png", grey(1, 2, 2));
    std::os::unix::fs::symlink(folder.path(), folder.path().join("a/up")).expect("linkable");
    std::os::unix::fs::symlink("nowhere.png", folder.path().join("a/lost.png")).expect("linkable");
    let read = read(folder.path());
    assert_eq!(read.images.count(), 1);
    noted(&read, &["a/up (a link back", "a/lost.png"]);
}

#[test]
fn transparency_palettes_and_animations() {
    let folder = Folder::new();
    let clear = RgbaImage::from_fn(2, 1, |x, _| Rgba([255, 0, 0, if x == 0 { 0 } else { 255 }]));
    folder.file("a.png", encoded(&DynamicImage::ImageRgba8(clear), ImageFormat::Png));
    let mut gif = Vec::new();
    let frame = |value: u8| Frame::new(RgbaImage::from_pixel(2, 1, Rgba([value, value, value, 255])));
    GifEncoder::new(&mut gif).encode_frames([frame(40), frame(90)]).expect("encodable");
    folder.file("b.gif", gif);
    let read = read(folder.path());
    assert_eq!(read.images.pixels_of(0), [255, 255, 255, 0, 255, 0]);
    assert_eq!(read.images.pixels_of(1), [40; 6]);
    noted(&read, &["b.gif: animated; only the first frame"]);
    assert!(!read.notes.join("\n").contains("a.png"), "{:?}", read.notes);
}

#[test]
fn archives_read_as_the_folder_they_hold() {
    let folder = Folder::new();
    let files = [
        ("./set/b/1.png", grey(3, 2, 2)),
        ("./set/a/2.png", grey(2, 2, 2)),
        ("./set/a/1.png", grey(1, 2, 2)),
        ("./set/a/._1.png", vec![0; 9]),
        ("./set/list.txt", vec![b'x']),
    ];
    let archive = tarred(&files);
    for (name, bytes) in
        [("s.tar", archive.clone()), ("s.tar.gz", gzipped(&archive)), ("s.tgz", gzipped(&archive)), ("odd", archive.clone())]
    {
        let read = read(&folder.file(name, bytes));
        assert_eq!((read.images.class_names(), read.images.classes()), (["a".into(), "b".into()].as_slice(), Some([0, 0, 1].as_slice())));
        assert_eq!([0, 1, 2].map(|image| read.images.pixels_of(image)), [[1; 4], [2; 4], [3; 4]]);
        noted(&read, &["list.txt"]);
    }
    let wrapped = read(&folder.file("w.tar", tarred(&[("faces/0.png", grey(1, 1, 1)), ("faces/1.png", grey(2, 1, 1))])));
    assert!(wrapped.images.classes().is_none());
    refused(&folder.file("none.tar", tarred(&[("a.txt", vec![1])])), &ImageOptions::default(), &["none.tar", "no PNG", "a.txt"]);
    let whole = gzipped(&archive);
    refused(&folder.file("cut.tar.gz", &whole[..whole.len() / 2]), &ImageOptions::default(), &["cut.tar.gz", "truncated"]);
    refused(&folder.file("text.tar", "this is no archive"), &ImageOptions::default(), &["text.tar"]);
}

#[test]
fn idx_is_read_with_the_labels_beside_it() {
    let folder = Folder::new();
    let images = folder.file("train-images-idx3-ubyte", idx(&[3, 1, 2], &[1, 2, 3, 4, 5, 6]));
    let without = read(&images);
    assert!(without.images.classes().is_none());
    noted(&without, &["no labels"]);
    folder.file("train-labels-idx1-ubyte.gz", gzipped(&idx(&[3], &[7, 2, 7])));
    let read = read(&images);
    assert_eq!((read.images.shape(), read.images.pixels_of(2)), ([3, 1, 1, 2], [5, 6].as_slice()));
    assert_eq!((read.images.class_names(), read.images.classes()), (["2".into(), "7".into()].as_slice(), Some([1, 0, 1].as_slice())));
    assert!(read.notes.is_empty(), "{:?}", read.notes);
    let options = ImageOptions { size: Some([2, 2]), channels: Some(3), limit: Some(2), ..ImageOptions::default() };
    let some = Images::read(&images, &options).expect("readable").images;
    assert_eq!((some.shape(), some.classes()), ([2, 3, 2, 2], Some([1, 0].as_slice())));
}

#[test]
fn idx_with_a_false_header_is_refused() {
    let folder = Folder::new();
    let options = ImageOptions::default();
    let refuse = |name: &str, bytes: Vec<u8>, words: &[&str]| refused(&folder.file(name, bytes), &options, words);
    refuse("cut-idx3-ubyte", idx(&[3, 2, 2], &[0; 11]), &["3 x 2 x 2 = 12 bytes", "only 11", "truncated"]);
    refuse("long-idx3-ubyte", idx(&[3, 2, 2], &[0; 13]), &["12 bytes", "more"]);
    refuse("huge-idx3-ubyte", idx(&[u32::MAX, 30_000, 30_000], &[0; 9]), &["GiB"]);
    refuse("most-idx3-ubyte", idx(&[60_000, 100, 100], &[0; 9]), &["only 9"]);
    refuse("flat-idx3-ubyte", idx(&[3, 0, 2], &[]), &["side of 0"]);
    refuse("none-idx3-ubyte", idx(&[0, 2, 2], &[]), &["no images"]);
    refuse("magic-idx3-ubyte", vec![1, 2, 8, 3, 0, 0, 0, 0], &["00 00", "01 02"]);
    refuse("floats-idx3-ubyte", vec![0, 0, 13, 3, 0, 0, 0, 0], &["0x0d", "unsigned bytes"]);
    refuse("labels-idx1-ubyte", idx(&[3], &[0; 3]), &["labels, not images"]);
    refuse("four-idx3-ubyte", idx(&[1, 1, 1, 1], &[0]), &["4 dimensions"]);
    refuse("short-idx3-ubyte", vec![0, 0, 8, 3, 0], &["header", "truncated"]);
    let whole = gzipped(&idx(&[9, 50, 50], &(0..22_500u32).map(|place| (place * place % 251) as u8).collect::<Vec<_>>()));
    refuse("z-idx3-ubyte.gz", whole[..whole.len() / 2].to_vec(), &["z-idx3-ubyte.gz", "truncated"]);
    let mut damaged = whole;
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    refuse("d-idx3-ubyte.gz", damaged, &["d-idx3-ubyte.gz", "damaged"]);
    folder.file("t-labels-idx1-ubyte", idx(&[2], &[0; 2]));
    refuse("t-images-idx3-ubyte", idx(&[3, 1, 1], &[0; 3]), &["2 labels", "3 images", "t-labels-idx1-ubyte"]);
    let swapped = ImageOptions { labels: Some(folder.path().join("t-images-idx3-ubyte")), ..ImageOptions::default() };
    refused(&folder.path().join("t-images-idx3-ubyte"), &swapped, &["images, not labels"]);
    folder.file("p/0.png", grey(0, 1, 1));
    refused(&folder.path().join("p"), &swapped, &["only IDX"]);
}

#[test]
fn cifar_records_are_read_plane_by_plane() {
    let record = |label: &[u8], value: u8| {
        let planes = [value, value + 1, value + 2].map(|byte| [byte; 1024]).concat();
        [label, &planes].concat()
    };
    let folder = Folder::new();
    let one = folder.file("ten/data_batch_1.bin", [record(&[3], 10), record(&[0], 20)].concat());
    folder.file("ten/data_batch_2.bin", record(&[9], 30));
    folder.file("ten/test_batch.bin", record(&[1], 40));
    assert_eq!(read(&one).images.classes(), Some([3, 0].as_slice()));
    let both = read(&folder.path().join("ten"));
    assert_eq!((both.images.shape(), both.images.classes()), ([3, 3, 32, 32], Some([3, 0, 9].as_slice())));
    assert_eq!([0, 1024, 2048].map(|place| both.images.pixels_of(1)[place]), [20, 21, 22]);
    noted(&both, &["test_batch.bin", "2 of the five"]);
    folder.file("ten/batches.meta.txt", (0..10).map(|class| format!("class{class}\n")).collect::<String>());
    assert_eq!(read(&one).images.class_names()[9], "class9");
    let hundred = read(&folder.file("hundred/train.bin", [record(&[1, 99], 5), record(&[0, 42], 6)].concat()));
    assert_eq!((hundred.images.classes(), hundred.images.class_names().len()), (Some([99, 42].as_slice()), 100));
    refused(&folder.file("bad.bin", record(&[10], 1)), &ImageOptions::default(), &["record 1", "label 10", "not below 10"]);
    refused(&folder.file("cut.bin", &record(&[1], 1)[..3000]), &ImageOptions::default(), &["3000 bytes", "3,073", "truncated"]);
}

#[test]
fn tables_of_pixels_are_read() {
    let folder = Folder::new();
    let read_as = |name: &str, text: &str| read(&folder.file(name, text));
    let digits = read_as("a.csv", "p0,p1,label,p2,p3\n0,16,b,8,4\n1,2,a,3,5\n");
    assert_eq!((digits.images.shape(), digits.images.class_names()), ([2, 1, 2, 2], ["a".into(), "b".into()].as_slice()));
    // 8 / 16 * 255 = 127.5 and 4 / 16 * 255 = 63.75.
    assert_eq!(digits.images.pixels_of(0), [0, 255, 128, 64]);
    noted(&digits, &["16 is taken for white"]);
    assert_eq!(read_as("b.csv", "a\n0.5\n1\n").images.pixels(), [128, 255]);
    assert_eq!(read_as("c.csv", "a\n17\n255\n").images.pixels(), [17, 255]);
    assert_eq!(read_as("d.csv", "r,g,b\n1,20,30\n").images.shape(), [1, 3, 1, 1]);
    let options = ImageOptions { label: Some("kind".into()), pixel_max: Some(100.0), ..ImageOptions::default() };
    let named = Images::read(folder.file("e.csv.gz", gzipped(b"kind,p\nx,20\n")), &options).expect("readable");
    assert_eq!((named.images.pixels(), named.images.class_names()), ([51].as_slice(), ["x".to_owned()].as_slice()));
    assert!(named.notes.is_empty(), "{:?}", named.notes);
}

#[test]
fn tables_that_are_no_images_are_refused() {
    let folder = Folder::new();
    let plain = ImageOptions::default();
    let refuse = |text: &str, options: &ImageOptions, words: &[&str]| refused(&folder.file("t.csv", text), options, words);
    refuse("a,b,c,d\n1,2,3,4\n1,2,3\n", &plain, &["t.csv", "row 2", "3 cells", "has 4"]);
    refuse("a\n1\nx\n", &plain, &["row 2", "\"a\"", "\"x\"", "no number"]);
    refuse("a\n1\n\"\"\n", &plain, &["row 2", "no number"]);
    refuse("a\n-1\n", &plain, &["row 1", "negative"]);
    refuse("a\nNaN\n", &plain, &["row 1", "no number"]);
    refuse("a\ninf\n", &plain, &["row 1", "no number"]);
    refuse("a,b\n1,2\n", &plain, &["2 columns", "square"]);
    refuse("label\n1\n", &plain, &["0 columns"]);
    refuse("a\n300\n", &plain, &["row 1", "above 255", "pixel_max = 300"]);
    refuse("a\n", &plain, &["no rows"]);
    refuse("a,label\n1,\n", &plain, &["row 1", "no class"]);
    refuse("a\n1\n", &ImageOptions { label: Some("z".into()), ..ImageOptions::default() }, &["\"z\""]);
    refuse("a\n9\n", &ImageOptions { pixel_max: Some(8.0), ..ImageOptions::default() }, &["row 1", "above 8"]);
    let many: String = (0..3_000u32).map(|row| format!("{}\n", row * row % 251)).collect();
    let whole = gzipped(format!("a\n{many}").as_bytes());
    refused(&folder.file("z.csv.gz", &whole[..whole.len() / 2]), &plain, &["z.csv.gz", "truncated"]);
}

fn coloured(count: usize) -> Images {
    let pixels = (0..count * 3 * 4 * 5).map(|place| (place * 31 % 256) as u8).collect();
    let classes = (0..count).map(|image| (image % 2) as u32).collect();
    Images::new(pixels, [count, 3, 4, 5], Some((classes, vec!["cat".into(), "dog".into()]))).expect("images")
}

#[test]
fn a_written_folder_reads_back() {
    let folder = Folder::new();
    let to = folder.path().join("out");
    let images = coloured(5);
    images.write_folder(&to, false).expect("writable");
    assert_eq!(folder.names(), ["out"]);
    let back = read(&to);
    // Classes are together now.
    assert_eq!((&back.images, back.notes), (&images.select(&[0, 2, 4, 1, 3]), vec![]));
    let said = images.write_folder(&to, false).expect_err("full").to_string();
    assert!(said.contains("something in it") && said.contains("out"), "{said}");
    std::fs::write(to.join("mine.txt"), "kept").expect("writable");
    images.select(&[4]).write_folder(&to, true).expect("allowed");
    assert_eq!(std::fs::read_to_string(to.join("mine.txt")).expect("still there"), "kept");
    assert_eq!(read(&to).images.pixels_of(0), images.pixels_of(4));
    assert_eq!(std::fs::read_dir(&to).expect("readable").count(), 3, "no temporary folder is left");
    let plain = Images::new(vec![1, 2], [2, 1, 1, 1], None).expect("images");
    std::fs::create_dir(folder.path().join("empty")).expect("creatable");
    plain.write_folder(folder.path().join("empty"), false).expect("an empty folder will do");
    assert_eq!(read(&folder.path().join("empty")).images, plain);
    plain.write_folder(folder.file("file", "x"), false).expect_err("a file");
    for name in ["..", "a/b", ".x", ""] {
        let odd = Images::new(vec![1], [1, 1, 1, 1], Some((vec![0], vec![name.into()]))).expect("images");
        let said = odd.write_folder(folder.path().join("odd"), false).expect_err("no name for a folder").to_string();
        assert!(said.contains("rename it"), "{said}");
    }
    assert_eq!(folder.names(), ["empty", "file", "out"]);
}

#[test]
fn archives_for_numpy_are_equal_for_equal_images() {
    let folder = Folder::new();
    let images = coloured(3);
    let [first, second] = ["a.npz", "b.npz"].map(|name| {
        images.write_npz(folder.path().join(name)).expect("writable");
        std::fs::read(folder.path().join(name)).expect("readable")
    });
    assert_eq!(first, second);
    let mut archive = zip::ZipArchive::new(Cursor::new(first)).expect("an archive");
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut archive.by_name("images.npy").expect("there"), &mut bytes).expect("readable");
    assert_eq!(bytes.len(), 128 + images.pixels().len());
    // The first pixel of the first image: red, green, blue.
    let one = images.pixels_of(0);
    assert_eq!(bytes[128..131], [one[0], one[20], one[40]]);
    images.write_grid(folder.path().join("g.png"), 2, 3).expect("writable");
    assert_eq!(folder.names(), ["a.npz", "b.npz", "g.png"]);
    images.write_npz(folder.path()).expect_err("a folder");
    let read_back = read(&folder.path().join("a.npz"));
    assert_eq!(read_back.images, images, "pixels, classes and their names");
}

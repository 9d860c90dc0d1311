//! The manifests, and the data they describe where it is at hand.

use std::path::Path;

use semblant_data::catalog::Catalog;

#[test]
fn every_manifest_is_well_formed() {
    let all = Catalog::list().expect("well formed");
    assert_eq!(all.len(), Catalog::names().count());
    for set in all {
        assert!(!set.licence.is_empty() && !set.citation.is_empty());
        if set.holds_images() {
            assert!(set.schema.columns.is_empty(), "{} holds either a table or images", set.name);
        } else {
            set.schema.check().expect("a schema");
            assert!(set.schema.target.is_some() && set.labels.is_empty());
        }
        if let Some(source) = &set.source {
            assert!(source.url.starts_with("https://"));
        }
        for split in ["train", "test"] {
            assert_eq!(set.file(split).expect("both splits").sha256.len(), 64);
        }
    }
}

#[test]
fn absent_sets_splits_and_files_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = |name, split| Catalog::locate(name, split, None, folder.path()).expect_err("absent").to_string();
    assert!(said("adutl", "train").contains("california-housing"));
    assert!(said("adult", "holdout").contains("train, test"));
    assert!(said("adult", "train").contains("train.csv.gz"));
}

#[test]
fn the_data_folder_comes_before_the_cache() {
    let (data, cache) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let put = |folder: &Path| {
        std::fs::create_dir_all(folder.join("adult")).expect("creatable");
        std::fs::write(folder.join("adult/train.csv.gz"), "x").expect("writable");
    };
    put(cache.path());
    let found = || Catalog::locate("adult", "train", Some(data.path()), cache.path()).expect("there");
    assert!(found().starts_with(cache.path()));
    put(data.path());
    assert!(found().starts_with(data.path()));
}

#[test]
fn tables_are_no_images_and_images_no_tables() {
    let nowhere = Path::new("/nowhere");
    let said = Catalog::get("mnist").expect("known").read("train", None, nowhere).expect_err("images").to_string();
    assert!(said.contains("\"mnist\" holds images"), "{said}");
    let said = Catalog::get("adult").expect("known").read_images("train", None, nowhere).expect_err("a table").to_string();
    assert!(said.contains("\"adult\" holds a table"), "{said}");
    let said = Catalog::get("mnist").expect("known").read_images("test", None, nowhere).expect_err("absent").to_string();
    assert!(said.contains("t10k-images-idx3-ubyte.gz"), "{said}");
}

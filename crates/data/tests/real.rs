//! The public data sets, where `SEMBLANT_DATA` has them, are read as their publishers describe them.

use std::path::{Path, PathBuf};

use semblant_data::catalog::Catalog;
use semblant_data::image::{ImageOptions, Images, ReadImages};
use semblant_data::table::{ColumnKind, ReadOptions, Table};

/// A path below the folder of data sets.
fn real(name: &str) -> PathBuf {
    let data = std::env::var_os("SEMBLANT_DATA").expect("SEMBLANT_DATA names a folder of data sets");
    Path::new(&data).join(name)
}

fn read_images(name: &str) -> ReadImages {
    Images::read(real(name), &ImageOptions { strict: true, ..ImageOptions::default() }).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
#[cfg_attr(not(has_data), ignore = "set SEMBLANT_DATA to run")]
fn adult_has_the_census_kinds_and_missing_values() {
    let options = ReadOptions { missing: Some(vec!["?".into()]), ..ReadOptions::with_target("income") };
    let table = Table::read(real("adult/train.csv.gz"), &options).expect("readable");
    assert_eq!((table.rows(), table.columns().len()), (26_049, 15));
    for (column, values) in table.iter() {
        let expected = match column.name.as_str() {
            "age" | "fnlwgt" | "education-num" | "capital-gain" | "capital-loss" | "hours-per-week" => ColumnKind::Integer,
            _ => ColumnKind::Categorical,
        };
        assert_eq!(column.kind, expected, "{}", column.name);
        assert_eq!(values.missing() > 0, ["workclass", "occupation", "native-country"].contains(&column.name.as_str()), "{}", column.name);
    }
}

#[test]
#[cfg_attr(not(has_data), ignore = "set SEMBLANT_DATA to run")]
fn california_housing_keeps_decimals_and_missing_values() {
    let table = Table::read(real("california-housing/train.csv.gz"), &ReadOptions::default()).expect("readable");
    assert_eq!(table.rows(), 16_512);
    let decimals = |name: &str| table.schema().columns[table.schema().index_of(name).expect("there")].decimals;
    assert_eq!((decimals("longitude"), decimals("median_income")), (Some(2), Some(4)));
    assert!(table.column("total_bedrooms").expect("there").missing() > 0);
}

#[test]
#[cfg_attr(not(has_data), ignore = "set SEMBLANT_DATA to run")]
fn online_shoppers_has_three_kinds_of_columns() {
    let table = Table::read(real("online-shoppers/train.csv.gz"), &ReadOptions::default()).expect("readable");
    assert_eq!(table.rows(), 9_864);
    let kind = |name: &str| table.schema().columns[table.schema().index_of(name).expect("there")].kind;
    assert_eq!(
        (kind("Revenue"), kind("Month"), kind("PageValues")),
        (ColumnKind::Boolean, ColumnKind::Categorical, ColumnKind::Continuous)
    );
}

#[test]
#[cfg_attr(not(has_data), ignore = "set SEMBLANT_DATA to run")]
fn mnist_has_its_published_class_counts() {
    for (name, counts) in [
        ("train", [3959, 4515, 3915, 4158, 3843, 3594, 3988, 4155, 3903, 3970]),
        ("t10k", [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
    ] {
        let read = read_images(&format!("mnist/{name}-images-idx3-ubyte.gz"));
        assert_eq!(read.images.shape(), [counts.iter().sum(), 1, 28, 28]);
        assert_eq!(read.images.class_counts(), counts);
        assert_eq!(read.images.class_names()[9], "9");
        assert!(read.notes.is_empty(), "{:?}", read.notes);
    }
}

#[test]
#[cfg_attr(not(has_data), ignore = "set SEMBLANT_DATA to run")]
fn cifar10_has_equal_class_counts() {
    for (name, each) in [("train", 3_000), ("test", 200)] {
        let images = read_images(&format!("cifar10/{name}.tar.gz")).images;
        assert_eq!(images.shape(), [10 * each, 3, 32, 32]);
        assert_eq!(images.class_counts(), [each; 10]);
        assert_eq!((images.class_names()[0].as_str(), images.class_names()[9].as_str()), ("airplane", "truck"));
    }
}

#[test]
#[cfg_attr(not(has_data), ignore = "set SEMBLANT_DATA to run")]
fn digits_are_read_from_a_table() {
    let images = read_images("digits8x8/train.csv.gz").images;
    assert_eq!(images.shape(), [3_823, 1, 8, 8]);
    assert_eq!(images.class_names(), ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    // The first row: 0,1,6,15,12,1,0,0 of 16.
    assert_eq!(images.pixels_of(0)[..8], [0, 16, 96, 239, 191, 16, 0, 0]);
}

#[test]
#[cfg_attr(not(has_data), ignore = "set SEMBLANT_DATA to run")]
fn files_match_their_manifests() {
    let (data, nowhere) = (real(""), Path::new("/nowhere"));
    for set in Catalog::list().expect("well formed") {
        for file in &set.labels {
            let path = data.join(&file.path);
            if path.is_file() {
                file.verify(&path).expect("the same bytes");
            }
        }
        for file in &set.files {
            let Ok(path) = set.locate(&file.split, Some(&data), nowhere) else { continue };
            file.verify(&path).expect("the same contents");
            let rows = if set.holds_images() {
                set.read_images(&file.split, Some(&data), nowhere).expect("as declared").images.count()
            } else {
                set.read(&file.split, Some(&data), nowhere).expect("as declared").rows()
            };
            assert_eq!(rows as u64, file.rows, "{}", path.display());
        }
    }
}

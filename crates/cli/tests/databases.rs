//! Databases from the command line.

#[allow(dead_code, reason = "shared with tests that use more of it")]
mod support;

use support::*;

fn text(place: &Place, name: &str) -> String {
    String::from_utf8(place.bytes(name)).expect("UTF-8")
}

/// Customers with orders, some without; `orphan` adds an order of nobody.
fn shop(place: &Place, name: &str, orphan: bool) {
    std::fs::create_dir(place.path(name)).expect("a folder");
    let customers = (0..60).map(|row| format!("{row},{},{}\n", 20 + row * 7 % 50, if row % 3 == 0 { "gold" } else { "plain" }));
    let orders = (0..140).map(|row| format!("{},{},{}.5\n", 1000 + row, row * row % 50, 5 + row % 20));
    let nobody = if orphan { "9999,777,1.5\n" } else { "" };
    place.file(&format!("{name}/customers.csv"), format!("customer_id,age,kind\n{}", customers.collect::<String>()));
    place.file(&format!("{name}/orders.csv"), format!("order_id,customer_id,price\n{}{nobody}", orders.collect::<String>()));
}

const FEW: [&str; 8] =
    ["--set", "tables.epochs=2", "--set", "sequences.rows=64", "--set", "sequences.tick_rows=32", "--set", "matcher.steps=0"];

#[test]
fn a_folder_is_learned_sampled_and_judged() {
    let place = Place::new();
    shop(&place, "shop", true);
    let said = place.good(&[&["fit", "shop", "--model", "relational", "-o", "guessed.safetensors"][..], &FEW].concat());
    let words = said.err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("keys were guessed") && words.contains("1 rows of orders are left out"), "{}", said.err);
    place.good(&["fit", "shop", "--model", "relational", "--write-keys", "keys.toml"]);
    let keys = text(&place, "keys.toml");
    assert!(keys.contains("customer_id") && keys.contains("parent = true"), "{keys}");
    place.good(&[&["-q", "fit", "shop", "--model", "relational", "--keys", "keys.toml", "-o", "m.safetensors"][..], &FEW].concat());
    let said = place.good(&["inspect", "m.safetensors"]);
    assert!(said.out.contains("relational") && said.out.contains("orders: 140 rows"), "{}", said.out);
    place.good(&["-q", "sample", "m.safetensors", "-n", "30", "-o", "made", "--where-table", "customers: kind = 'gold'"]);
    let made = text(&place, "made/customers.csv");
    assert!(made.lines().count() == 31 && made.lines().skip(1).all(|line| line.ends_with(",gold")), "{made}");
    assert!(text(&place, "made/keys.toml").contains("customer_id"));
    place.good(&["-q", "sample", "m.safetensors", "-n", "60", "-o", "parquet", "--tables-as", "parquet"]);
    assert!(place.path("parquet/orders.parquet").is_file());
    let said = place.good(&[
        "-q",
        "evaluate",
        "--kind",
        "database",
        "--real",
        "shop",
        "--synthetic",
        "parquet",
        "--keys",
        "keys.toml",
        "-o",
        "r.html",
    ]);
    assert!(said.out.contains("Sound keys") && said.out.contains("Numbers of children"), "{}", said.out);
    assert!(text(&place, "r.html").contains("Tables and keys"));
}

#[test]
fn mistakes_are_named() {
    let place = Place::new();
    shop(&place, "shop", false);
    place.good(&[&["-q", "fit", "shop", "--model", "relational", "-o", "m.safetensors"][..], &FEW].concat());
    place.file("wrong.toml", "[clients]\nkey = \"id\"\n");
    place.file("broken.toml", "[customers\n");
    std::fs::create_dir(place.path("empty")).expect("a folder");
    let sample = ["sample", "m.safetensors", "-n", "5", "-o", "out"];
    for (arguments, code, words) in [
        (&["fit", "shop", "--model", "relational", "--keys", "wrong.toml", "-o", "x"][..], 1, &["clients", "customers, orders"][..]),
        (&["fit", "shop", "--model", "relational", "--keys", "broken.toml", "-o", "x"], 1, &["broken.toml", "line 1"]),
        (&["fit", "empty", "--model", "relational", "-o", "x"], 1, &["empty", "0 tables"]),
        (&[&sample[..], &["--rows-of", "products=3"]].concat(), 2, &["products", "customers"]),
        (&[&sample[..], &["--rows-of", "customers"]].concat(), 2, &["TABLE=ROWS"]),
        (&[&sample[..], &["--where-table", "kind = 'gold'"]].concat(), 2, &["TABLE:CONDITION"]),
        (&[&sample[..], &["--where-table", "orders: price > 3"]].concat(), 2, &["orders", "customers"]),
        (&[&sample[..], &["--tables-as", "xlsx"]].concat(), 2, &["xlsx", "parquet"]),
        (&["sample", "m.safetensors", "--rows", "3..9", "-o", "out"], 2, &["-n"]),
        (&["sample", "m.safetensors", "-n", "5", "-o", "-"], 2, &["-o -", "folder"]),
        (&["sample", "m.safetensors", "-n", "5", "-o", "shop"], 1, &["shop"]),
    ] {
        place.bad(code, arguments, words);
    }
    assert!(!place.path("out").exists());
}

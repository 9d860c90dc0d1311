//! Several tables: keys, numbers of children, slices, threads and scale.

#[allow(dead_code, reason = "shared with tests that use more of it")]
mod support;

use std::collections::{BTreeMap, HashSet};

use semblant_data::table::{Table, TableFormat};
use semblant_rules::{Generator, NoModels, Plan};
use statrs::distribution::{DiscreteCDF, Poisson};
use support::*;

const SHOP: &str = r#"
[[table]]
name = "customers"
rows = 20000
key = "id"
[[table.column]]
name = "id"
draw = { sequence = { prefix = "C-", width = 6 } }
[[table.column]]
name = "birth"
draw = { date = { from = "1940-01-01", to = "2005-12-31" } }
[[table.column]]
name = "friend"
expression = "friend_row.id"
[[table.column]]
name = "tier"
draw = { integers = { min = 0, max = 3 } }
[[table.reference]]
name = "friend_row"
table = "customers"
missing = 0.3

[[table]]
name = "products"
rows = 500
key = "sku"
[[table.column]]
name = "sku"
draw = { regex = "[A-Z]{2}[0-9]{4}" }
unique = true
[[table.column]]
name = "price"
decimals = 2
draw = { lognormal = { mu = 3, sigma = 0.5 } }

[[table]]
name = "orders"
per = "customers"
children = { poisson = { mean = 2.5 } }
key = "id"
[[table.column]]
name = "id"
draw = { sequence = { start = 1 } }
[[table.column]]
name = "customer"
expression = "customers.id"
[[table.column]]
name = "ordered"
draw = { date = { from = "parent.birth", to = "2024-12-31" } }

[[table]]
name = "lines"
per = "orders"
children = { categories = { 0 = 1, 1 = 5, 2 = 3, 7 = 1 } }
[[table.reference]]
name = "product"
table = "products"
pick = { zipf = { exponent = 1.0 } }
distinct = true
[[table.column]]
name = "order"
expression = "orders.id"
[[table.column]]
name = "number"
expression = "child_number"
[[table.column]]
name = "sku"
expression = "product.sku"
[[table.column]]
name = "units"
draw = { integers = { min = 1, max = 9 } }
[[table.column]]
name = "total"
expression = "units * product.price"
[[table.constraint]]
check = "total < 400"

[[table]]
name = "gifts"
per = "customers"
children = "tier"
[[table.column]]
name = "customer"
expression = "parent.id"
[[table.column]]
name = "of"
expression = "children"
"#;

fn labels(table: &Table, column: &str) -> Vec<Option<String>> {
    let place = table.schema().index_of(column).expect("there");
    (0..table.rows()).map(|row| Some(table.cell(row, place)).filter(|_| !table.columns()[place].is_missing(row))).collect()
}

#[test]
fn foreign_keys_are_those_of_rows() {
    let all: BTreeMap<&str, Table> = ["customers", "products", "orders", "lines", "gifts"].map(|name| (name, rows(SHOP, name, 3))).into();
    let keys = |table: &str, column: &str| labels(&all[table], column).into_iter().flatten().collect::<HashSet<String>>();
    for (table, column, other, key) in [
        ("orders", "customer", "customers", "id"),
        ("lines", "order", "orders", "id"),
        ("lines", "sku", "products", "sku"),
        ("gifts", "customer", "customers", "id"),
    ] {
        let known = keys(other, key);
        assert!(labels(&all[table], column).into_iter().all(|value| value.is_some_and(|value| known.contains(&value))), "{table}.{column}");
        assert_eq!(known.len(), all[other].rows(), "{other}.{key} is unique");
    }
    // A friend is a customer before this one, and some have none.
    let ids = labels(&all["customers"], "id");
    let friends = labels(&all["customers"], "friend");
    let place: BTreeMap<&String, usize> = ids.iter().flatten().enumerate().map(|(row, id)| (id, row)).collect();
    assert!(friends.iter().enumerate().all(|(row, friend)| friend.as_ref().is_none_or(|friend| place[friend] < row)));
    let alone = friends.iter().filter(|friend| friend.is_none()).count() as f64 / friends.len() as f64;
    assert!((alone - 0.3).abs() < 0.012, "{alone}");
    // An order is never before its customer's birth.
    let births: BTreeMap<String, f64> = ids.into_iter().flatten().zip(numbers(&all["customers"], "birth").iter().copied()).collect();
    let orders = labels(&all["orders"], "customer");
    assert!(
        orders.iter().zip(numbers(&all["orders"], "ordered")).all(|(customer, time)| births[customer.as_ref().expect("there")] <= *time)
    );
    // No order has a product twice, and the constraint holds.
    let mut seen = HashSet::new();
    assert!(labels(&all["lines"], "order").into_iter().zip(labels(&all["lines"], "sku")).all(|pair| seen.insert(pair)));
    assert!(numbers(&all["lines"], "total").iter().all(|total| *total < 400.0));
}

#[test]
fn numbers_of_children_follow_their_law() {
    let orders = rows(SHOP, "orders", 3);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    labels(&orders, "customer").into_iter().flatten().for_each(|customer| *counts.entry(customer).or_default() += 1);
    let mut all: Vec<f64> = counts.values().map(|&count| count as f64).collect();
    all.resize(20_000, 0.0);
    let law = Poisson::new(2.5).expect("right");
    let found = distance(&all, |x| law.cdf(x as u64), true);
    assert!(found <= 0.01, "{found}");
    // Rows of one parent lie together, and the parents come in order.
    let customers = labels(&orders, "customer");
    assert!(customers.windows(2).all(|pair| pair[0] <= pair[1]));
    let gifts = rows(SHOP, "gifts", 3);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    labels(&gifts, "customer").into_iter().flatten().for_each(|customer| *counts.entry(customer).or_default() += 1);
    let of = numbers(&gifts, "of");
    assert!(labels(&gifts, "customer").iter().zip(of).all(|(customer, of)| counts[customer.as_ref().expect("there")] as f64 == *of));
    assert_eq!(counts.values().collect::<HashSet<_>>().len(), 3, "one, two and three");
}

fn bytes(generator: &Generator<'_>, table: &str, rows: std::ops::Range<u64>) -> Vec<u8> {
    let made = generator.rows(table, rows).unwrap_or_else(|error| panic!("{error}"));
    made.to_bytes(TableFormat::Csv).expect("CSV")
}

/// The text without its header.
fn body(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|&byte| byte == b'\n').expect("a header");
    &bytes[end + 1..]
}

#[test]
fn slices_are_those_of_the_whole() {
    let plan = plan(SHOP);
    let generator = Generator::new(&plan, 9, 1.0).expect("right");
    for table in ["customers", "orders", "lines", "gifts"] {
        let count = generator.count(table).expect("a table");
        let whole = bytes(&generator, table, 0..count);
        let lines: Vec<&[u8]> = body(&whole).split_inclusive(|&byte| byte == b'\n').collect();
        assert_eq!(lines.len() as u64, count);
        for (start, end) in [(0, 1), (5_000, 5_003), (8_190, 8_195), (12_345, 15_000), (count - 1, count)] {
            // A generator of its own has looked at nothing before.
            let fresh = Generator::new(&plan, 9, 1.0).expect("right");
            let slice = bytes(&fresh, table, start..end);
            assert_eq!(body(&slice), lines[start as usize..end as usize].concat(), "{table} {start}..{end}");
        }
    }
}

#[test]
fn threads_do_not_change_rows() {
    let plan = plan(SHOP);
    let with = |threads: usize| {
        let pool = rayon_pool(threads);
        pool.install(|| {
            let generator = Generator::new(&plan, 9, 1.0).expect("right");
            bytes(&generator, "lines", 0..generator.count("lines").expect("a table"))
        })
    };
    assert_eq!(with(1), with(2));
}

fn rayon_pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads")
}

#[test]
fn a_larger_scale_keeps_the_first_rows() {
    let plan = plan(SHOP);
    let [one, three] = [1.0, 3.0].map(|scale| Generator::new(&plan, 9, scale).expect("right"));
    assert_eq!(three.count("customers").expect("a table"), 60_000);
    for table in ["customers", "orders", "gifts"] {
        assert_eq!(
            bytes(&one, table, 0..20_000.min(one.count(table).expect("a table"))),
            bytes(&three, table, 0..20_000.min(one.count(table).expect("a table"))),
            "{table}"
        );
    }
}

#[test]
fn another_column_leaves_the_others() {
    let more = SHOP.replace(
        "[[table.column]]\nname = \"birth\"",
        "[[table.column]]\nname = \"new\"\ndraw = { fake = \"name\" }\n[[table.column]]\nname = \"birth\"",
    );
    let (before, after) = (rows(SHOP, "customers", 3), rows(&more, "customers", 3));
    assert_eq!(numbers(&before, "birth"), numbers(&after, "birth"));
    assert_ne!(numbers(&before, "birth"), numbers(&rows(SHOP, "customers", 4), "birth"));
}

#[test]
fn a_table_of_a_billion_rows_is_addressed() {
    let text = SHOP.replace("rows = 20000", "rows = 1000000000");
    let plan = Plan::new(
        &semblant_rules::Spec::parse("spec.toml", &text.replace("children = \"tier\"", "children = 1")).expect("right"),
        "spec.toml",
        &NoModels,
    )
    .expect("right");
    let generator = Generator::new(&plan, 1, 1.0).expect("right");
    let count = generator.count("lines").expect("a table");
    assert!(count > 3_000_000_000, "{count}");
    let last = generator.rows("lines", count - 3..count).expect("rows");
    let orders = generator.count("orders").expect("a table");
    assert!(numbers(&last, "order").iter().all(|order| *order <= orders as f64 && *order > orders as f64 - 20.0));
}

#[test]
fn unique_columns_have_each_value_once() {
    let text = r#"
[[table]]
name = "t"
rows = 200000
[[table.column]]
name = "number"
draw = { integers = { min = 1000, max = 300000 } }
unique = true
[[table.column]]
name = "code"
draw = { regex = "[A-Z]{3}-[0-9]{2,3}" }
unique = true
[[table.column]]
name = "mail"
draw = { fake = "email" }
unique = true
[[table.column]]
name = "card"
draw = { luhn = { digits = 16, prefix = "4" } }
unique = true
[[table.column]]
name = "id"
draw = { uuid = {} }
"#;
    let table = rows(text, "t", 1);
    for column in ["number", "code", "mail", "card", "id"] {
        let distinct: HashSet<Option<String>> = labels(&table, column).into_iter().collect();
        assert_eq!(distinct.len(), 200_000, "{column}");
    }
    assert!(numbers(&table, "number").iter().all(|number| (1_000.0..=300_000.0).contains(number)));
}

#[test]
fn stratified_references_are_as_frequent_as_their_shares() {
    let spec = |distinct: &str| {
        format!(
            r#"
[[table]]
name = "products"
rows = 100
[[table.column]]
name = "id"
draw = {{ sequence = {{}} }}
[[table]]
name = "orders"
rows = 2000
[[table.column]]
name = "id"
draw = {{ sequence = {{}} }}
[[table]]
name = "lines"
per = "orders"
children = 5
[[table.reference]]
name = "product"
table = "products"
pick = {{ shares = [4, 3, 2, 1] }}
stratified = true
{distinct}
[[table.column]]
name = "order"
expression = "orders.id"
[[table.column]]
name = "product"
expression = "product.id"
"#
        )
    };
    let counts = |table: &Table| {
        let mut counts = vec![0usize; 100];
        numbers(table, "product").iter().for_each(|id| counts[*id as usize - 1] += 1);
        counts.sort_unstable();
        counts
    };
    // 10,000 rows in shares of 4, 3, 2 and 1 of 25 products each.
    let expected: Vec<usize> = [40, 80, 120, 160].iter().flat_map(|&count| [count; 25]).collect();
    let plain = rows(&spec(""), "lines", 3);
    let found = counts(&plain);
    assert!(found.iter().zip(&expected).all(|(a, b)| a.abs_diff(*b) <= 1), "{found:?}");
    assert_ne!(numbers(&plain, "product"), numbers(&rows(&spec(""), "lines", 4), "product"));
    // Where the rows of a parent must differ, the few that cannot have their own pick by chance.
    let table = rows(&spec("distinct = true"), "lines", 3);
    let pairs: HashSet<(u64, u64)> =
        numbers(&table, "order").iter().zip(numbers(&table, "product")).map(|(order, product)| (*order as u64, *product as u64)).collect();
    assert_eq!(pairs.len(), 10_000);
    let found = counts(&table);
    assert!(found.iter().zip(&expected).all(|(a, b)| a.abs_diff(*b) <= 12), "{found:?}");
    // A slice is that of the whole.
    let plan = plan(&spec("distinct = true"));
    let slice = Generator::new(&plan, 3, 1.0).expect("right").rows("lines", 4_003..4_100).expect("rows");
    assert_eq!(numbers(&slice, "product"), &numbers(&table, "product")[4_003..4_100]);
}

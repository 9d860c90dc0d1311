//! What every model of databases promises.

#[allow(dead_code, unused_macros, unused_imports, reason = "shared with tests that use more of it")]
#[macro_use]
#[path = "support/mod.rs"]
mod support;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use semblant::Error;
use semblant::data::database::NO_ROW;
use semblant::data::table::{ReadOptions, TableFormat};
use semblant::prelude::*;
use serde_json::{Value, json};
use support::fits::*;

type Model = Fitted<Database>;

for_every!(databases: equal_seeds_give_equal_files, resumed_fits_equal_uninterrupted_ones, files_give_the_same_database,
    damaged_files_are_refused, any_number_in_a_file_is_survived, unfitted_models_refuse_to_sample_and_save, keys_are_sound,
    requests_are_met, invalid_settings_are_named);

#[test]
fn every_model_of_the_registry_is_tested() {
    let tested = group!(databases tests (names));
    assert_eq!(tested, names::<Database>(), "add the model to the group \"databases\" of tests/support/models.rs");
}

fn table(text: &str) -> Table {
    Table::from_bytes(text.as_bytes().to_vec(), TableFormat::Csv, &ReadOptions::default()).expect("a table").table
}

/// A club: members of regions, some of whom were brought by another; orders with numbered lines of products; and products that members like.
fn club() -> Database {
    let lines = |head: &str, rows: &dyn Fn(usize) -> Option<String>, count: usize| {
        let rows: String = (0..count).filter_map(rows).map(|row| row + "\n").collect();
        table(&format!("{head}\n{rows}"))
    };
    let day = |day: usize| format!("20{:02}-{:02}-{:02}", 10 + day / 336, 1 + day / 28 % 12, 1 + day % 28);
    let joined = |member: usize| 31 * member % 900;
    let tables = vec![
        ("regions".to_owned(), table("code,size\nN,1\nS,2\nW,3\n")),
        (
            "members".to_owned(),
            lines(
                "id,region,kind,joined,brought_by",
                &|row| {
                    let by = if row % 3 == 0 { String::new() } else { format!("M{:03}", row / 2) };
                    let kind = if row % 4 == 0 { "gold" } else { "plain" };
                    Some(format!("M{row:03},{},{kind},{},{by}", ["N", "S", "W"][row % 3], day(joined(row))))
                },
                40,
            ),
        ),
        (
            "orders".to_owned(),
            lines(
                "order_id,member_id,ordered,channel",
                &|row| {
                    let member = row * 7 % 36;
                    Some(format!(
                        "{},M{member:03},{},{}",
                        1000 + row,
                        day(joined(member) + row % 50),
                        if row % 3 == 0 { "web" } else { "shop" }
                    ))
                },
                90,
            ),
        ),
        (
            "lines".to_owned(),
            lines(
                "order_id,line,sku,units",
                &|row| {
                    (row / 3 < 90 && row % 3 <= row / 3 % 3)
                        .then(|| format!("{},{},P{},{}", 1000 + row / 3, 1 + row % 3, row * 5 % 12, 1 + row % 4))
                },
                270,
            ),
        ),
        ("products".to_owned(), lines("sku,price", &|row| Some(format!("P{row},{}.5", 3 + row)), 12)),
        ("likes".to_owned(), lines("member_id,sku", &|row| Some(format!("M{:03},P{}", row / 2, (row / 2 + 5 * (row % 2)) % 12)), 60)),
    ];
    let keys = Keys::parse_toml(
        r#"
        [regions]
        key = "code"
        reference = true
        [members]
        key = "id"
        foreign = [{ columns = "region", table = "regions", parent = false }, { columns = "brought_by", table = "members" }]
        [orders]
        key = "order_id"
        foreign = [{ columns = "member_id", table = "members" }]
        checks = ["ordered >= members.joined"]
        [lines]
        key = ["order_id", "line"]
        foreign = [{ columns = "order_id", table = "orders" }, { columns = "sku", table = "products" }]
        [products]
        key = "sku"
        [likes]
        key = ["member_id", "sku"]
        foreign = [{ columns = "member_id", table = "members" }, { columns = "sku", table = "products" }]
        "#,
    )
    .expect("keys");
    let opened = Database::new(tables, keys).expect("a database");
    assert!(opened.notes.is_empty(), "{:?}", opened.notes);
    opened.data
}

/// Two tables of it.
fn pair() -> Database {
    let club = club();
    let tables = club.tables().iter().filter(|(name, _)| matches!(name.as_str(), "members" | "orders")).cloned().collect();
    let keys = Keys::parse_toml(
        r#"
        members.key = "id"
        members.foreign = [{ columns = "brought_by", table = "members" }]
        orders.key = "order_id"
        orders.foreign = [{ columns = "member_id", table = "members" }]
        "#,
    )
    .expect("keys");
    Database::new(tables, keys).expect("a database").data
}

fn small() -> Value {
    let rows = json!({ "epochs": 1, "width": 8, "depth": 1, "embedding": 2, "bins": 6 });
    json!({
        "tables": rows.clone(),
        "sequences": {
            "rows": 64, "batch_rows": 8, "tick_rows": 32, "chunk_rows": 8, "width": 8, "embedding": 2, "frequencies": 2, "bins": 6, "attributes": rows,
        },
        "matcher": { "steps": 50, "batch_rows": 8, "width": 4, "dimensions": 2, "embedding": 2, "frequencies": 1, "bins": 4 },
    })
}

fn unfitted(name: &str) -> Model {
    semblant::model::<Database>(name, small()).expect("known settings")
}

fn fitted(name: &str, data: &Database) -> Model {
    let mut model = unfitted(name);
    model.fit(data, &mut run(1)).unwrap_or_else(|error| panic!("{name}: {error}"));
    model
}

fn sample(model: &Model, request: &DatabaseRequest) -> Database {
    model.sample(request).expect("possible").data
}

fn cells(database: &Database) -> Vec<Vec<String>> {
    let of =
        |table: &Table| (0..table.rows()).flat_map(|row| (0..table.columns().len()).map(move |column| table.cell(row, column))).collect();
    database.tables().iter().map(|(_, table)| of(table)).collect()
}

fn equal_seeds_give_equal_files(name: &str) {
    let of_seed = |seed| {
        let mut model = unfitted(name);
        model.fit(&club(), &mut run(seed)).expect("fits");
        bytes(&model)
    };
    let first = of_seed(1);
    assert!(first == of_seed(1), "{name}: the same seed, another file");
    assert!(first != of_seed(2), "{name}: another seed");
}

/// Stopped in each of the tables that are learned.
fn resumed_fits_equal_uninterrupted_ones(name: &str) {
    let data = club();
    let expected = bytes(&fitted(name, &data));
    let folder = tempfile::tempdir().expect("a folder");
    let within = |resume| Run { folder: Some(folder.path().join("run")), resume, ..run(1) };
    let mut stops = 0;
    for attempt in 0..20 {
        let mut model = unfitted(name);
        let mut now = within(attempt > 0);
        now.observer = Box::new(StopAt { rows: 32, stop: now.stop.clone() });
        match model.fit(&data, &mut now) {
            Err(error) => assert!(matches!(error, Error::Interrupted { .. }), "{name}: {error}"),
            Ok(_) => {
                assert!(bytes(&model) == expected, "{name}: resumed and uninterrupted files differ");
                assert!(stops > 2, "{name}: each table can be stopped");
                return;
            }
        }
        stops += 1;
    }
    panic!("{name}: {stops} interruptions, and no end");
}

/// The same tables with another value: what was finished for the others is no part of this model.
#[test]
fn a_state_of_other_data_is_refused() {
    let (name, data) = ("relational", pair());
    let folder = tempfile::tempdir().expect("a folder");
    let within = |resume| Run { folder: Some(folder.path().join("run")), resume, ..run(1) };
    let mut first = within(false);
    first.observer = Box::new(StopAt { rows: 32, stop: first.stop.clone() });
    assert!(matches!(unfitted(name).fit(&data, &mut first), Err(Error::Interrupted { .. })));
    let mut tables = data.tables().to_vec();
    let (schema, mut columns) = (tables[1].1.schema().clone(), tables[1].1.columns().to_vec());
    let place = schema.index_of("channel").expect("there");
    columns[place] = columns[place].take(&(0..columns[place].len()).rev().collect::<Vec<_>>());
    tables[1].1 = Table::new(schema, columns).expect("sound");
    let other = Database::new(tables, data.keys().clone()).expect("a database").data;
    says(name, unfitted(name).fit(&other, &mut within(true)), &["other data"]);
}

fn files_give_the_same_database(name: &str) {
    let model = fitted(name, &club());
    let loaded = loads_or_names_the_file::<Database>(&bytes(&model)).expect("whole");
    let request = DatabaseRequest::new(20, 5);
    let made = sample(&model, &request);
    assert_eq!(cells(&made), cells(&sample(&loaded, &request)), "{name}");
    assert_eq!(cells(&made), cells(&sample(&model, &request)), "{name}: the same request, another database");
    assert!(cells(&made) != cells(&sample(&model, &DatabaseRequest::new(20, 6))), "{name}: another seed");
    assert!(bytes(&model) == bytes(&loaded), "{name}: saved again, another file");
}

fn damaged_files_are_refused(name: &str) {
    let whole = bytes(&fitted(name, &pair()));
    refuses_damage::<Database>(name, &whole);
    survives_damaged_headers::<Database>(name, &whole, 150);
}

fn any_number_in_a_file_is_survived(name: &str) {
    survives_any_number::<Database>(name, &bytes(&fitted(name, &pair())));
}

fn unfitted_models_refuse_to_sample_and_save(name: &str) {
    let model = unfitted(name);
    assert!(model.sample(&DatabaseRequest::new(1, 1)).expect_err("unfitted").to_string().contains("fit"), "{name}");
    assert!(model.save(Path::new("never-written")).is_err(), "{name}");
    assert!(!Path::new("never-written").exists());
}

fn keys_are_sound(name: &str) {
    let real = club();
    let made = sample(&fitted(name, &real), &DatabaseRequest::new(80, 3));
    assert_eq!(made.len(), 80);
    assert!(made.left_out().is_empty(), "{name}: {:?}", made.left_out());
    for ((table, rows), (_, real)) in made.tables().iter().zip(real.tables()) {
        assert_eq!(rows.schema().names().collect::<Vec<_>>(), real.schema().names().collect::<Vec<_>>(), "{name}: {table}");
        assert!(rows.rows() > 0, "{name}: {table}");
    }
    let [regions, members, orders, lines, products, likes] =
        ["regions", "members", "orders", "lines", "products", "likes"].map(|name| made.index_of(name).expect("there"));
    // What is published as it is, and names that are new.
    assert_eq!(cells(&made)[regions], cells(&real)[regions], "{name}");
    let known: HashSet<String> = (0..40).map(|row| real.tables()[members].1.cell(row, 0)).collect();
    assert!((0..80).all(|row| !known.contains(&made.tables()[members].1.cell(row, 0))), "{name}: members have new names");
    // Nobody was brought by those that they brought.
    let by = made.links(members, 1);
    assert!(by.contains(&NO_ROW) && by.iter().any(|&link| link != NO_ROW), "{name}");
    for start in 0..80 {
        let (mut row, mut steps) = (by[start], 0);
        while row != NO_ROW {
            (row, steps) = (by[row as usize], steps + 1);
            assert!(steps <= 80, "{name}: member {start} leads back");
        }
    }
    // Lines are numbered from 1 on, and nobody likes a product twice.
    let mut last: HashMap<u32, f64> = HashMap::new();
    for (row, &order) in made.links(lines, 0).iter().enumerate() {
        let number: f64 = made.tables()[lines].1.cell(row, 1).parse().expect("a number");
        let before = last.insert(order, number).unwrap_or(0.0);
        assert_eq!(number, before + 1.0, "{name}: lines of order {order}");
    }
    let pairs: HashSet<(u32, u32)> = made.links(likes, 0).iter().zip(made.links(likes, 1)).map(|(&a, &b)| (a, b)).collect();
    assert_eq!(pairs.len(), made.tables()[likes].1.rows(), "{name}");
    // A condition across tables holds in every row.
    let [ordered, joined] = [(orders, "ordered"), (members, "joined")]
        .map(|(table, column)| made.tables()[table].1.column(column).expect("there").numbers().expect("times").to_vec());
    assert!(made.links(orders, 0).iter().zip(&ordered).all(|(&member, &day)| day >= joined[member as usize]), "{name}");
    // As many children as the training rows had, for twice as many parents.
    let of = |database: &Database| {
        let mut counts = database.children(orders, 0);
        counts.sort_unstable();
        counts
    };
    let (real_counts, counts) = (of(&real), of(&made));
    assert!((0..40).all(|row| counts[2 * row].abs_diff(real_counts[row]) <= 1), "{name}: {counts:?}, not {real_counts:?}");
    assert_eq!(made.tables()[products].1.rows(), 24, "{name}: tables that come by no others grow with the main one");
}

fn requests_are_met(name: &str) {
    let model = fitted(name, &club());
    let made = sample(&model, &DatabaseRequest::new(30, 1).with("members", "kind = 'gold'").with_size("products", 7));
    let [members, products] = ["members", "products"].map(|name| made.index_of(name).expect("there"));
    let kinds = made.tables()[members].1.column("kind").expect("there");
    assert!((0..30).all(|row| kinds.label(row) == Some("gold")), "{name}");
    assert_eq!(made.tables()[products].1.rows(), 7, "{name}");
    let refused = |request: DatabaseRequest, words: &[&str]| {
        says(name, model.sample(&request), words);
    };
    refused(DatabaseRequest::new(5, 1).with("orders", "channel = 'web'"), &["orders", "members", "products"]);
    refused(DatabaseRequest::new(5, 1).with_size("regions", 9), &["--rows-of regions"]);
    refused(DatabaseRequest::new(5, 1).with("members", "no_such = 1"), &["no_such"]);
    refused(DatabaseRequest { rows: 5..9, ..DatabaseRequest::new(0, 1) }, &["-n"]);
    refused(DatabaseRequest::new(0, 1), &["at least one"]);
}

fn invalid_settings_are_named(name: &str) {
    says(name, semblant::model::<Database>(name, json!({ "no_such_setting": 1 })), &["no_such_setting"]);
    says(name, semblant::model::<Database>(name, json!({ "matcher": { "candidates": u64::MAX } })), &["candidates"]);
    says(name, semblant::model::<Database>(name, json!({ "sequences": { "width": 1 << 30 } })), &["sequences", "width"]);
}

#[test]
fn what_breaks_keys_is_left_out_and_named() {
    let broken = |orders: &str, keys: &str| {
        let tables = vec![("people".to_owned(), table("id,age\n1,20\n2,30\n2,31\n,32\n")), ("orders".to_owned(), table(orders))];
        Database::new(tables, Keys::parse_toml(keys).expect("keys"))
    };
    let keys = "people.key = 'id'\norders.foreign = [{ columns = 'person', table = 'people' }]";
    let opened = broken("person,price\n1,5\n9,6\n2,7\n,8\n1.0,9\n", keys).expect("a database");
    // A second person 2 and one without a name; an order of nobody; one that has no person is no mistake.
    assert_eq!(opened.data.tables().iter().map(|(_, table)| table.rows()).collect::<Vec<_>>(), [2, 4]);
    assert_eq!(opened.data.links(1, 0), [0, 1, NO_ROW, 0]);
    assert_eq!(opened.notes.len(), 2, "{:?}", opened.notes);
    assert!(opened.notes[1].contains("1 rows of orders") && opened.notes[1].contains("people"), "{:?}", opened.notes);
    // Not every order has a person, so that orders do not come by them.
    assert_eq!(opened.data.parent(1), None);
    let refused = |keys: &str, words: &[&str]| {
        let error = broken("person,price\n1,5\n2,7\n", keys).expect_err("wrong").to_string();
        assert!(words.iter().all(|word| error.contains(word)) && !error.contains('\n'), "{error}");
    };
    refused("people.key = 'no'", &["people", "no", "id, age"]);
    refused("persons.key = 'id'", &["persons", "people, orders"]);
    refused("orders.foreign = [{ columns = 'person', table = 'people' }]", &["people has no key"]);
    refused("people.key = 'id'\norders.foreign = [{ columns = ['person', 'price'], table = 'people' }]", &["1 columns"]);
    refused(
        "people.key = 'id'\npeople.foreign = [{ columns = 'age', table = 'orders', parent = true }]\norders.key = 'person'\norders.foreign = [{ columns = 'person', table = 'people', parent = true }]",
        &["circle", "parent = false"],
    );
    let error = Keys::parse_toml("people.key = 'id'\npeople.colour = 'red'").expect_err("unknown").to_string();
    assert!(error.contains("line 2") && error.contains("colour"), "{error}");
}

#[test]
fn a_folder_is_read_and_written_with_its_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("club");
    let real = club();
    real.save(&path).expect("writable");
    let read = Database::open(&path, &DatabaseOptions::default()).expect("readable");
    assert!(read.notes.iter().all(|note| !note.contains("guess")), "{:?}", read.notes);
    let sorted = |database: &Database| {
        let mut all: Vec<_> = database.tables().iter().map(|(name, _)| name.clone()).zip(cells(database)).collect();
        all.sort();
        all
    };
    assert_eq!(sorted(&read.data), sorted(&real));
    assert_eq!(read.data.keys(), real.keys());
    assert!(real.save(&path).is_err(), "what is there is not written over");
    // Without the file keys are guessed: members brought others, orders come by members, likes by both.
    std::fs::remove_file(path.join("keys.toml")).expect("there");
    let guessed = Database::open(&path, &DatabaseOptions::default()).expect("readable");
    assert_eq!(guessed.data.keys().parent("orders").map(|key| key.table.as_str()), Some("members"));
    assert!(guessed.notes.iter().any(|note| note.contains("guessed")), "{:?}", guessed.notes);
}

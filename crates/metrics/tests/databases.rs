//! Scores of databases whose laws are known.

use semblant_core::seeds::Stream;
use semblant_data::database::{Database, Keys};
use semblant_data::table::{ReadOptions, Table, TableFormat};
use semblant_metrics::database::{aggregated, cardinalities, hops, told_apart};
use semblant_metrics::report::{Content, Grade, Group, report_database};
use semblant_metrics::{Options, Report};

fn table(text: &str) -> Table {
    Table::from_bytes(text.as_bytes().to_vec(), TableFormat::Csv, &ReadOptions::default()).expect("a table").table
}

const KEYS: &str = "customers.key = 'id'\norders.key = 'order'\norders.foreign = [{ columns = 'customer', table = 'customers' }]\nlines.foreign = [{ columns = 'order', table = 'orders' }]";

/// Customers of two kinds; those of kind a order more and dearer things, if `related`.
fn shop(customers: u64, seed: u64, related: bool) -> Database {
    let stream = Stream::new(seed, 0);
    let (mut a, mut b, mut c) = (String::from("id,kind,age\n"), String::from("order,customer,price\n"), String::from("order,units\n"));
    let mut order = 0;
    for customer in 0..customers {
        let of = |place: u32, below: u64| stream.below(customer, place, below);
        let is_a = of(0, 2) == 0;
        let dear = if related { is_a } else { of(1, 2) == 0 };
        a += &format!("{customer},{},{}\n", if is_a { "a" } else { "b" }, 20 + of(2, 60));
        for place in 0..(if dear { 2 + of(3, 3) } else { of(3, 2) }) as u32 {
            b += &format!("{order},{customer},{}\n", if dear { 1000 } else { 100 } + of(10 + place, 400));
            for line in 0..2 {
                c += &format!("{order},{}\n", if dear { 50 } else { 10 } + of(20 + 2 * place + line, 30));
            }
            order += 1;
        }
    }
    let tables = vec![("customers".to_owned(), table(&a)), ("orders".to_owned(), table(&b)), ("lines".to_owned(), table(&c))];
    Database::new(tables, Keys::parse_toml(KEYS).expect("keys")).expect("a database").data
}

#[test]
fn children_are_counted_and_aggregated() {
    let small = || {
        let tables = vec![
            ("customers".to_owned(), table("id,age\n1,30\n2,40\n3,50\n")),
            ("orders".to_owned(), table("order,customer,price,channel\n10,1,4,web\n11,1,8,web\n12,3,5,shop\n13,1,3,shop\n")),
            ("lines".to_owned(), table("order,units\n10,1\n10,2\n12,3\n")),
        ];
        Database::new(tables, Keys::parse_toml(KEYS).unwrap()).unwrap().data
    };
    let database = small();
    assert_eq!(database.children(1, 0), [3, 0, 1]);
    let rows = aggregated(&database, 0).unwrap();
    let names: Vec<&str> = rows.schema().names().collect();
    assert_eq!(names, ["age", "number of orders.customer", "mean of orders.customer: price", "labels of orders.customer: channel"]);
    let column = |index: usize| rows.columns()[index].numbers().unwrap().to_vec();
    assert_eq!(column(1), [3.0, 0.0, 1.0]);
    assert!(column(2)[0] == 5.0 && column(2)[1].is_nan() && column(2)[2] == 5.0);
    assert_eq!(column(3), [2.0, 0.0, 1.0]);
    // One of four orders with two lines, two without, against one of four with three: F differs by 1/4.
    let scores = cardinalities(&database, &small()).unwrap();
    assert_eq!(scores.iter().map(|found| found.score).collect::<Vec<_>>(), [1.0, 1.0]);
    let mut tables = database.tables().to_vec();
    tables[2].1 = table("order,units\n10,1\n10,2\n10,3\n12,1\n11,1\n");
    let other = Database::new(tables, Keys::parse_toml(KEYS).unwrap()).unwrap().data;
    // Numbers of lines 2, 0, 1, 0 against 3, 1, 1, 0.
    assert_eq!(cardinalities(&database, &other).unwrap()[1].score, 0.75);
}

#[test]
fn relations_across_tables_are_seen() {
    let (real, again, unrelated) = (shop(600, 1, true), shop(600, 2, true), shop(600, 3, false));
    let [same, lost] = [&again, &unrelated].map(|other| hops(&real, other, 0).unwrap());
    assert_eq!(
        same.paths.iter().map(|path| path.path.as_str()).collect::<Vec<_>>(),
        ["customers", "orders → customers", "lines → orders", "lines → orders → customers"]
    );
    assert_eq!(same.longest(), 2);
    for hops in 1..=2 {
        let [same, lost] = [&same, &lost].map(|found| found.mean(hops).unwrap());
        assert!(same > 0.93 && lost < same - 0.05, "{hops}: {same} {lost}");
    }
    let apart = |other: &Database| told_apart(&aggregated(&real, 0).unwrap(), &aggregated(other, 0).unwrap(), 1).unwrap().unwrap();
    let [same, lost] = [apart(&again), apart(&unrelated)];
    assert!(same.accuracy < 0.56 && (0.44..0.56).contains(&same.floor) && lost.accuracy > 0.65, "{same:?} {lost:?}");
    // The same rows in other tables are no database to compare with.
    let fewer = Database::new(real.tables()[..2].to_vec(), Keys::parse_toml("customers.key = 'id'").unwrap()).unwrap().data;
    assert!(hops(&real, &fewer, 0).unwrap_err().to_string().contains("--keys"));
}

fn report(synthetic: &Database) -> Report {
    let options = Options { target: Some("number of orders.customer".into()), ..Options::default() };
    report_database(&shop(400, 1, true), synthetic, Some(&shop(400, 2, true)), &options, &mut |_| ()).expect("comparable")
}

#[test]
fn a_report_judges_persons_with_all_that_is_theirs() {
    let honest = report(&shop(400, 3, true));
    assert_eq!((honest.kind.as_str(), honest.sources.items.as_str()), ("database", "rows of customers"));
    let grade = |report: &Report, group| report.verdicts.iter().find(|verdict| verdict.group == group).unwrap().grade;
    assert_eq!(
        [Group::Fidelity, Group::Utility, Group::Privacy].map(|group| grade(&honest, group)),
        [Grade::Good; 3],
        "{:?}",
        honest.verdicts
    );
    for (id, least) in [("sound_keys", 1.0), ("cardinality", 0.93), ("hops_1", 0.93), ("hops_2", 0.9)] {
        assert!(honest.score(id).unwrap().value.unwrap() >= least, "{id}");
    }
    for id in ["diagram", "tables", "keys", "children", "paths"] {
        assert!(honest.section(id).is_some(), "{id}");
    }
    let Content::Diagram(diagram) = &honest.section("diagram").unwrap().content else { panic!("a diagram") };
    assert_eq!(diagram.nodes.iter().map(|node| node.layer).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(honest.to_html().contains("Tables and how they refer to each other"));
    // Children that went to the wrong parents, and customers that come back with all that is theirs.
    assert_ne!(grade(&report(&shop(400, 3, false)), Group::Fidelity), Grade::Good);
    assert_eq!(grade(&report(&shop(400, 1, true)), Group::Privacy), Grade::Poor);
    // Children of nobody.
    let mut tables = shop(400, 3, true).tables().to_vec();
    tables[0].1 = tables[0].1.take(&(0..390).collect::<Vec<_>>());
    let broken = Database::new(tables, Keys::parse_toml(KEYS).unwrap()).unwrap().data;
    let broken = report(&broken);
    assert!(broken.score("sound_keys").unwrap().value.unwrap() < 1.0);
    let fidelity = &broken.verdicts[0];
    assert!(fidelity.grade == Grade::Poor && fidelity.because.contains("broken"), "{fidelity:?}");
}

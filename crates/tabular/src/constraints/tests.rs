use semblant_data::table::{Column, ColumnKind, ColumnSchema, Constraint, Schema, Table, TableRequest};

use crate::preparation::{Preparation, Prepared};

/// Start and end are days, total is price times units, city and state go together, red and green are one-hot.
fn orders(constraints: &[&str]) -> Table {
    let text: String = constraints.iter().map(|one| format!("[[constraint]]\n{one}\n")).collect();
    let declared = Schema::parse_toml(&text).expect("constraints").constraints;
    let rows = 200u32;
    let number = |f: &dyn Fn(u32) -> f64| Column::Number((0..rows).map(f).collect());
    let labels = |f: &dyn Fn(u32) -> &'static str| Column::from_labels((0..rows).map(|row| Some(f(row)).filter(|label| !label.is_empty())));
    let named = |name: &str, kind: ColumnKind| ColumnSchema { protect: kind.is_number().then_some(false), ..ColumnSchema::new(name, kind) };
    let day = 86_400.0;
    let columns = vec![
        (
            ColumnSchema { format: Some("%Y-%m-%d".into()), ..named("start", ColumnKind::Datetime) },
            number(&|row| day * f64::from(row % 40)),
        ),
        (
            ColumnSchema { format: Some("%Y-%m-%d".into()), ..named("end", ColumnKind::Datetime) },
            number(&|row| if row % 10 == 9 { f64::NAN } else { day * f64::from(row % 40 + row % 3) }),
        ),
        (ColumnSchema { decimals: Some(2), ..named("price", ColumnKind::Continuous) }, number(&|row| f64::from(row % 37) * 0.1)),
        (named("units", ColumnKind::Integer), number(&|row| f64::from(row % 7 + 1))),
        (
            ColumnSchema { decimals: Some(2), ..named("total", ColumnKind::Continuous) },
            number(&|row| (f64::from(row % 37) * f64::from(row % 7 + 1) * 10.0).round() / 100.0),
        ),
        (named("city", ColumnKind::Categorical), labels(&|row| ["Bonn", "Ulm", "Jena", "Bonn"][row as usize % 4])),
        (named("state", ColumnKind::Categorical), labels(&|row| ["NW", "BW", "", "NW"][row as usize % 4])),
        (named("red", ColumnKind::Integer), number(&|row| f64::from(row % 2))),
        (named("green", ColumnKind::Integer), number(&|row| f64::from(1 - row % 2))),
    ];
    let (described, stored) = columns.into_iter().unzip();
    Table::new(Schema { constraints: declared, columns: described, ..Schema::default() }, stored).expect("a table")
}

fn prepared(table: &Table, encoded: bool) -> Prepared {
    Preparation::fit(table, encoded, 1).expect("prepared")
}

const ALL: [&str; 4] = [
    "order = [\"start\", \"end\"]",
    "check = \"total = price * units\"",
    "combinations = [\"city\", \"state\"]",
    "one_hot = [\"red\", \"green\"]",
];

#[test]
fn what_is_learned_gives_the_table_back() {
    let table = orders(&ALL);
    for encoded in [false, true] {
        let Prepared { preparation, constraints, table: learned, notes, .. } = prepared(&table, encoded);
        assert!(notes.is_empty(), "{notes:?}");
        // The check says what total is, so it is computed.
        assert_eq!(learned.schema().columns[4].kind, ColumnKind::Constant);
        assert_eq!([6, 8].map(|column| learned.schema().columns[column].kind == ColumnKind::Constant), [encoded; 2]);
        assert_eq!(learned.columns()[1].numbers().expect("numbers").contains(&(40.0 * 86_400.0)), !encoded);
        let restored = constraints.restore(learned.clone()).expect("restored");
        for row in 0..table.rows() {
            for column in 0..table.columns().len() {
                assert_eq!(restored.cell(row, column), table.cell(row, column), "row {row} column {column}, encoded: {encoded}");
            }
        }
        assert!(constraints.kept(restored.columns(), restored.rows()).iter().all(|kept| *kept));
        // A file has all it takes.
        let text = serde_json::to_string(&preparation).expect("JSON");
        let read: Preparation = serde_json::from_str(&text).expect("a preparation");
        let again = read.constraints().expect("sound").restore(learned).expect("restored");
        let cells =
            |table: &Table| (0..200).map(|row| (0..9).map(|column| table.cell(row, column)).collect()).collect::<Vec<Vec<String>>>();
        assert_eq!(cells(&again), cells(&restored));
    }
}

#[test]
fn gaps_are_differences_and_never_below_zero() {
    let table = orders(&["order = [\"start\", \"end\"]\nstrict = true"]);
    let Prepared { constraints, table: learned, notes, .. } = prepared(&table, true);
    // Rows with equal days break the strict order.
    assert!(notes[0].contains("rows break it (rows 1, 4, 7"), "{notes:?}");
    assert_eq!(learned.rows(), 140);
    let mut columns = learned.columns().to_vec();
    columns[1] = Column::Number(vec![-5e6; learned.rows()]);
    let restored = constraints.restore(Table::new(learned.schema().clone(), columns).expect("a table")).expect("restored");
    assert!(
        (0..restored.rows())
            .all(|row| restored.columns()[1].numbers().expect("n")[row] == restored.columns()[0].numbers().expect("n")[row] + 86_400.0)
    );
    assert!(constraints.kept(restored.columns(), restored.rows()).iter().all(|kept| *kept));
}

#[test]
fn rows_that_break_a_constraint_are_named_and_not_learned() {
    let table = orders(&["check = \"units <= 6\"", "increment = \"units\"\nby = 1.0", "unique = [\"price\", \"units\"]"]);
    let Prepared { table: learned, notes, .. } = prepared(&table, false);
    assert!(
        notes[0].contains("constraint check = \"units <= 6\": 28 rows break it (rows 7, 14, 21, 28, 35 and 23 more); they are not learned"),
        "{notes:?}"
    );
    assert!(learned.columns()[3].numbers().expect("numbers").iter().all(|units| *units <= 6.0));
    let refused = |constraint: &str| Preparation::fit(&orders(&[constraint]), true, 1).err().expect("refused").to_string();
    assert!(refused("check = \"units > 5\"").contains("144 of 200 rows break it"));
    assert!(refused("check = \"unit > 5\"").contains("did you mean \"units\""));
    assert!(refused("check = \"units + 5\"").contains("true or false"));
    assert!(refused("derive = \"total\"").contains("an equals sign"));
    assert!(refused("derive = \"total = total * 2\"").contains("from itself"));
    assert!(refused("order = [\"start\", \"units\"]").contains("all be numbers"));
    assert!(refused("combinations = [\"city\", \"units\"]").contains("kind = \"categorical\""));
    assert!(refused("one_hot = [\"city\", \"red\"]").contains("0 and 1"));
    assert!(refused("increment = \"city\"\nby = 2.0").contains("increments are of numbers"));
    assert!(refused("unique = [\"cty\"]").contains("cty"));
}

#[test]
fn rare_combinations_give_way_together() {
    let mut table = orders(&["combinations = [\"city\", \"state\"]"]);
    let mut columns = table.columns().to_vec();
    let odd =
        |row: usize, label: &'static str, usual: Option<&str>| if row == 17 { Some(label.to_owned()) } else { usual.map(str::to_owned) };
    columns[5] = Column::from_labels((0..200).map(|row| odd(row, "Ulm", table.columns()[5].label(row))));
    columns[6] = Column::from_labels((0..200).map(|row| odd(row, "NW", table.columns()[6].label(row))));
    table = Table::new(table.schema().clone(), columns).expect("a table");
    let Prepared { constraints, table: learned, notes, .. } = prepared(&table, false);
    assert!(notes[0].contains("fewer than 5 rows have are replaced in 1 rows"), "{notes:?}");
    assert_eq!(constraints.combinations()[0].rows.len(), 3);
    assert!(constraints.kept(learned.columns(), 200).iter().all(|kept| *kept));
    assert!(!constraints.kept(table.columns(), 200)[17], "a rare combination is none of them");
}

#[test]
fn conditions_on_what_is_encoded_reach_the_model() {
    use crate::filter::{Columns, Domain, Predicate, RowFilter};
    use semblant_data::table::encode::{NumberOptions, TableTransform};
    let table = orders(&ALL);
    let Prepared { constraints, table: learned, .. } = prepared(&table, true);
    let transform = TableTransform::fit(&learned, &NumberOptions::default()).expect("fitted");
    assert!(matches!(transform.domain(5), Domain::Labels { labels, .. } if labels.len() == 3));
    let filter = |request: TableRequest| RowFilter::new(&transform, &request, &constraints);
    let asked = |request: TableRequest| filter(request).expect("possible").case(0)[5].clone();
    let request = || TableRequest::new(4, 0);
    let bonn = asked(request().with("city", "Bonn"));
    assert!(matches!(bonn, Some(Predicate::Label(_))), "{bonn:?}");
    assert_eq!(asked(request().with("state", "NW")), bonn);
    assert_eq!(
        asked(request().with_expression("city = 'Bonn' or state is null")),
        asked(request().with_expression("city in ('Bonn', 'Jena')"))
    );
    assert!(filter(request().with("city", "Bonn").with("state", "BW")).is_err());
    let balanced = filter(request().balanced("city")).expect("possible");
    assert_eq!((balanced.case_count(), balanced.case(0)[5].clone()), (3, bonn));
    // Computed columns are looked at when they are computed.
    let large = filter(request().with_expression("total >= 2")).expect("possible");
    let (restored, met) = large.met(learned.clone(), &vec![0; learned.rows()]).expect("restored");
    let totals = restored.columns()[4].numbers().expect("numbers");
    assert!(met.iter().zip(totals).all(|(met, total)| *met == (*total >= 2.0)) && met.contains(&true) && met.contains(&false));
    assert_eq!(large.expressions().next().expect("one").columns(), [2, 3]);
    let short = filter(request().with_between("total", 2.0, 3.0)).expect("possible");
    assert_eq!(short.expressions().count(), 1);
    let given = filter(request().with_given(
        Table::from_columns(vec![("city", ColumnKind::Categorical, Column::from_labels([Some("Ulm"), None]))]).expect("a table"),
        2,
    ));
    let given = given.expect("possible");
    assert_eq!((given.case_count(), given.case(0)[5].is_some(), given.case(1)[5].is_some()), (2, true, false));
}

#[test]
fn booleans_and_texts_are_computed_in_their_own_labels() {
    let text = "[[constraint]]\nderive = \"adult = (age >= 18)\"\n[[constraint]]\nderive = \"code = left(name, 1)\"\n";
    let constraints = Schema::parse_toml(text).expect("constraints").constraints;
    let mut table = Table::from_columns(vec![
        ("age", ColumnKind::Integer, Column::Number((0..40).map(f64::from).collect())),
        ("adult", ColumnKind::Boolean, Column::from_labels((0..40).map(|age| Some(if age >= 18 { "Yes" } else { "No" })))),
        ("name", ColumnKind::Categorical, Column::from_labels((0..40).map(|row| Some(["ann", "bob"][row % 2])))),
        ("code", ColumnKind::Categorical, Column::from_labels((0..40).map(|row| Some(["a", "b"][row % 2])))),
    ])
    .expect("a table");
    table = Table::new(Schema { constraints, ..table.schema().clone() }, table.columns().to_vec()).expect("a table");
    let Prepared { constraints, table: learned, notes, .. } = prepared(&table, true);
    assert!(notes.is_empty(), "{notes:?}");
    let restored = constraints.restore(learned).expect("restored");
    assert!((5..35).all(|row| (0..4).all(|column| restored.cell(row, column) == table.cell(row, column))));
    assert!(matches!(table.schema().constraints[0], Constraint::Derive(_)));
}

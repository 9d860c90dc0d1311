//! Faulty specs: each gives one line with file, line, column, what is wrong and a remedy.

use std::path::Path;

use semblant_rules::{Generator, NoModels, Plan, Spec};

/// A table whose column `x` is made so, beside a number `n`, a text `t` and a date `d`.
fn with(column: &str) -> String {
    format!(
        r#"[[table]]
name = "a"
rows = 100
[[table.column]]
name = "n"
draw = {{ integers = {{ min = 0, max = 9 }} }}
[[table.column]]
name = "t"
draw = {{ categories = ["u", "v"] }}
[[table.column]]
name = "d"
draw = {{ date = {{ from = "2024-01-01", to = "2024-12-31" }} }}
[[table.column]]
name = "x"
{column}
"#
    )
}

/// What the checks, or else the rows, say of a spec.
fn said(path: &str, text: &str) -> String {
    let made = || -> Result<(), semblant_rules::Error> {
        let plan = Plan::new(&Spec::parse(path, text)?, path, &NoModels)?;
        let generator = Generator::new(&plan, 1, 1.0)?;
        for table in plan.tables() {
            generator.rows(table, 0..generator.count(table)?)?;
        }
        Ok(())
    };
    made().expect_err(text).to_string()
}

/// Line of `x`'s definition.
const X: usize = 15;

#[test]
fn every_fault_has_its_place_and_remedy() {
    // The definition of x; line, column and words of the message.
    let columns: &[(&str, usize, usize, &[&str])] = &[
        ("draw = { normal = { mean = 0, sd = 1 } }\nwidth = 3", X + 1, 1, &["no key \"width\"", "the keys are"]),
        ("draw = { normall = { mean = 0, sd = 1 } }", X, 10, &["did you mean \"normal\""]),
        ("draw = { normal = { mean = 0 } }", X, 19, &["\"sd\" is missing", "add it"]),
        ("draw = { normal = { mean = 0, sd = 1, skew = 2 } }", X, 39, &["no key \"skew\"", "mean, sd"]),
        ("draw = { normal = { mean = 0, sd = -1 } }", X, 8, &["sd is -1", "must be"]),
        ("draw = { normal = { mean = \"age * 2\", sd = 1 } }", X, 29, &["no column \"age\"", "the columns are"]),
        ("draw = { normal = { mean = \"t * 2\", sd = 1 } }", X, 29, &["a text", "number"]),
        ("draw = { normal = { mean = \"d\", sd = 1 } }", X, 28, &["this is a time", "change the expression"]),
        ("draw = { normal = { mean = \"n +\", sd = 1 } }", X, 32, &["expected", "found"]),
        ("draw = { normal = { mean = \"1 / 0\", sd = 1 } }", X, 28, &["no value", "mend a division by zero"]),
        ("draw = { normal = { mean = 0, sd = \"n - 5\" } }", X, 8, &["row", "of table \"a\"", "sd is", "must be"]),
        ("draw = { normal = { mean = \"1 / n\", sd = 1 } }", X, 8, &["row", "mean has no value", "division by zero"]),
        ("draw = { gamma = { shape = 0, scale = 1 } }", X, 8, &["shape is 0", "above 0"]),
        ("draw = { normal = { mean = 0, sd = 1 } }\ntruncate = [90, 99]", X + 1, 12, &["nothing from 90 to 99", "widen"]),
        ("draw = { normal = { mean = 0, sd = 1 } }\nclip = [9, 1]", X + 1, 8, &["above the greatest", "exchange"]),
        ("draw = { categories = { a = 1, b = -2 } }", X, 36, &["weight -2 is below 0"]),
        ("draw = { categories = { a = 0, b = 0 } }", X, 8, &["all weights are 0", "larger"]),
        ("draw = { categories = { a = \"n - 3\", b = 1 } }", X, 8, &["row", "a weight is -", "greatest"]),
        ("draw = { categories = [] }", X, 8, &["no labels", "add some"]),
        ("draw = { boolean = { p = 1.5 } }", X, 26, &["1.5 is not from 0 to 1"]),
        ("draw = { boolean = { p = \"n / 5\" } }", X, 26, &["row", "the probability is", "keep it from 0 to 1"]),
        ("draw = { regex = \"[a-z]+\" }", X, 24, &["has no end", "{1,8}"]),
        ("draw = { regex = \"[a-z\" }", X, 19, &["cannot be read", "mend it"]),
        ("draw = { regex = \"[0-9]\" }\nunique = true", X - 1, 8, &["10 different values for 100 rows", "widen"]),
        ("draw = { normal = { mean = 0, sd = 1 } }\nunique = true", X, 8, &["cannot be unique", "draw integers"]),
        ("draw = { template = \"{n}-{who}\" }", X, 26, &["no column \"who\"", "name one"]),
        ("draw = { template = \"{n\" }", X, 22, &["does not close", "{{"]),
        ("draw = { fake = \"emali\" }", X, 17, &["did you mean \"email\""]),
        ("draw = { fake = \"name\" }\nlocale = \"xx\"", X + 1, 10, &["no locale \"xx\"", "write one of"]),
        ("draw = { date = { from = \"2024-05-01\", to = \"2024-01-01\" } }", X, 45, &["ends before it begins", "exchange"]),
        ("draw = { date = { from = \"2024-05-04\", to = \"2024-05-05\", business_days = true } }", X, 8, &["row", "no day", "widen"]),
        ("draw = { date = { from = \"soon\", to = \"2024-01-01\" } }", X, 27, &["no column \"soon\""]),
        ("draw = { datetime = { from = \"2024-05-04\", to = \"2024-05-05\", hours = [\"9\", \"17:00\"] } }", X, 71, &["no hours", "09:00"]),
        ("draw = { empirical = { file = \"none.csv\", column = \"x\" } }", X, 31, &["no file", "relative to the spec"]),
        ("draw = { iban = { country = \"XX\" } }", X, 8, &["no IBAN", "write one of"]),
        ("draw = { luhn = { digits = 4, prefix = \"12345\" } }", X, 8, &["no room"]),
        ("draw = { longitude = { of = \"n\" } }", X, 29, &["not drawn as a latitude"]),
        ("expression = \"n + t\"", X, 19, &["a text", "number"]),
        ("expression = \"x + 1\"", X - 1, 8, &["computed from itself", "break the circle"]),
        ("expression = \"d - date '2024-01-01'\"", X - 1, 8, &["an interval", "days(...)"]),
        ("type = \"integer\"\nexpression = \"t\"", X + 1, 14, &["a text", "a number", "change type"]),
        ("type = \"integr\"\nvalue = 1", X, 8, &["did you mean \"integer\""]),
        ("value = 1\nexpression = \"n\"", X - 1, 8, &["made in 2 ways", "keep one"]),
        ("unique = true", X - 1, 8, &["nothing that makes it", "add draw"]),
        ("value = 1\nmissing = 2", X + 1, 11, &["2 is not from 0 to 1"]),
        ("case = [{ draw = { normal = { mean = 0, sd = 1 } } }, { when = \"n > 1\", value = 0 }]", X, 18, &["is the last", "move it"]),
        ("value = 1\ndecimals = 40", X + 1, 12, &["at most 15"]),
        ("draw = { mixture = [{ weight = 1, draw = { boolean = { p = 1 } } }] }", X, 42, &["no distribution of numbers"]),
    ];
    let of = |(column, line, at, words): &(&str, usize, usize, &[&str])| {
        wrong(&said("spec.toml", &with(column)), "spec.toml", *line, *at, words)
    };
    let faults: Vec<String> = columns.iter().filter_map(of).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(columns.len() >= 40);
}

/// What is wrong with a message, if anything is.
fn wrong(message: &str, path: &str, line: usize, at: usize, words: &[&str]) -> Option<String> {
    let place = format!("{path}:{line}:{at}: ");
    let lacking: Vec<&&str> = words.iter().filter(|word| !message.contains(**word)).collect();
    let good = !message.contains('\n') && message.starts_with(&place) && lacking.is_empty();
    (!good).then(|| format!("not at {place} or without {lacking:?}: {message}"))
}

#[test]
fn faults_of_tables_have_their_places() {
    let tables: &[(&str, usize, usize, &[&str])] = &[
        ("", 1, 1, &["no table", "[[table]]"]),
        ("[[table]]\nname = \"a\"\n", 2, 8, &["no columns", "[[table.column]]"]),
        ("[[table]]\nname = \"a\"\n[[table.column]]\nname = \"x\"\nvalue = 1\n", 2, 8, &["no number of rows", "rows = 1000"]),
        ("[[table]]\nname = \"a\"\nrows = 1\nper = \"b\"\n[[table.column]]\nname = \"x\"\nvalue = 1\n", 4, 7, &["no table \"b\""]),
        ("[[table]]\nname = \"a\"\nrows = 1\nrows = 2\n", 4, 1, &["no TOML", "duplicate"]),
        ("[[table]\nname = \"a\"\n", 1, 9, &["no TOML"]),
        ("[[table]]\nname = 3\n", 2, 8, &["the number 3", "a string"]),
        ("[[table]]\nname = \"a\"\nrows = -1\n", 3, 8, &["the number -1"]),
        ("[[table]]\nname = \"a/b\"\nrows = 1\n[[table.column]]\nname = \"x\"\nvalue = 1\n", 2, 8, &["no name of a file"]),
        (
            "[[table]]\nname = \"a\"\nrows = 5\n[[table.column]]\nname = \"x\"\nexpression = \"y + 1\"\n[[table.column]]\nname = \"y\"\ndraw = { normal = { mean = \"x\", sd = 1 } }\n",
            5,
            8,
            &["circle", "a.x -> a.y -> a.x", "break it"],
        ),
        (
            "[[table]]\nname = \"a\"\nper = \"b\"\n[[table.column]]\nname = \"x\"\nvalue = 1\n[[table]]\nname = \"b\"\nper = \"a\"\n[[table.column]]\nname = \"x\"\nvalue = 1\n",
            2,
            8,
            &["circle", "the rows of a -> the rows of b"],
        ),
        (
            "[[table]]\nname = \"a\"\nrows = 9\n[[table.column]]\nname = \"x\"\ndraw = { normal = { mean = 0, sd = 1 } }\n[[table.constraint]]\ncheck = \"x > 50\"\nattempts = 20\n",
            8,
            9,
            &["row 1 of table \"a\"", "x > 50", "20 attempts", "change the columns"],
        ),
        (
            "[[table]]\nname = \"a\"\nrows = 9\n[[table.column]]\nname = \"x\"\nvalue = 1\n[[table.correlation]]\ncolumns = [\"x\", \"y\"]\nrank = 0.5\n",
            8,
            17,
            &["no column \"y\""],
        ),
        (
            "[[table]]\nname = \"a\"\nrows = 9\n[[table.column]]\nname = \"x\"\ndraw = { normal = { mean = 0, sd = 1 } }\n[[table.column]]\nname = \"y\"\ndraw = { normal = { mean = 0, sd = 1 } }\n[[table.column]]\nname = \"z\"\ndraw = { normal = { mean = 0, sd = 1 } }\n[[table.correlation]]\ncolumns = [\"x\", \"y\", \"z\"]\nrank = -0.8\n",
            15,
            8,
            &["cannot all hold", "nearest = true"],
        ),
        (
            "[[table]]\nname = \"a\"\nrows = 9\nchaos = [{ typos = { columns = \"x\", rate = 0.1 } }]\n[[table.column]]\nname = \"x\"\nvalue = 1\n",
            4,
            32,
            &["a number, where a text is needed", "name another"],
        ),
    ];
    let of = |(text, line, at, words): &(&str, usize, usize, &[&str])| wrong(&said("spec.toml", text), "spec.toml", *line, *at, words);
    let faults: Vec<String> = tables.iter().filter_map(of).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn yaml_has_places_too() {
    let specs: &[(&str, usize, usize, &[&str])] = &[
        (
            "table:\n  - name: a\n    rows: 5\n    column:\n      - name: x\n        draw: {normal: {mean: 0, sd: -1}}\n",
            6,
            15,
            &["sd is -1"],
        ),
        ("table:\n  - name: a\n    rowz: 5\n", 3, 5, &["did you mean \"rows\""]),
        ("table: &t\n  - name: a\n", 1, 8, &["anchors"]),
        ("table:\n  - name: [a\n", 3, 1, &["no YAML"]),
        ("table:\n  - name: a\n    name: b\n", 3, 5, &["twice"]),
    ];
    let of = |(text, line, at, words): &(&str, usize, usize, &[&str])| wrong(&said("spec.yaml", text), "spec.yaml", *line, *at, words);
    let faults: Vec<String> = specs.iter().filter_map(of).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    let error = Spec::read(Path::new("missing.toml")).expect_err("no file");
    assert!(error.to_string().starts_with("missing.toml: "), "{error}");
    assert!(said("spec.json", "{}").contains("name it .toml or .yaml"));
}

#[test]
fn toml_and_yaml_say_the_same() {
    let toml = with("draw = { categories = { a = 1, b = \"n\" } }\nmissing = 0.2");
    let yaml = r#"
table:
  - name: a
    rows: 100
    column:
      - {name: n, draw: {integers: {min: 0, max: 9}}}
      - {name: t, draw: {categories: [u, v]}}
      - {name: d, draw: {date: {from: "2024-01-01", to: "2024-12-31"}}}
      - name: x
        draw:
          categories:
            a: 1
            b: n
        missing: 0.2
"#;
    let [a, b] = [("spec.toml", toml.as_str()), ("spec.yaml", yaml)].map(|(path, text)| {
        let plan = Plan::new(&Spec::parse(path, text).expect("right"), path, &NoModels).unwrap_or_else(|error| panic!("{error}"));
        Generator::new(&plan, 1, 1.0).expect("right").rows("a", 0..100).expect("rows")
    });
    assert_eq!(a, b);
}

/// Columns each of which needs the one before.
fn chain(count: usize, declared: &str) -> String {
    let column = |index: usize| {
        let made = if index == 0 { "value = 1".to_owned() } else { format!("expression = \"c{} + 1\"", index - 1) };
        format!("[[table.column]]\nname = \"c{index}\"\n{declared}{made}\n")
    };
    format!("[[table]]\nname = \"a\"\nrows = 9000\n{}", (0..count).rev().map(column).collect::<String>())
}

#[test]
fn what_takes_too_long_or_too_deep_is_refused() {
    // The longest chain is read and made within the stack of a thread; one more is refused, whether types are declared or found.
    let plan = Plan::new(&Spec::parse("spec.toml", &chain(199, "")).expect("right"), "spec.toml", &NoModels).expect("right");
    let made = Generator::new(&plan, 1, 1.0).expect("right").rows("a", 0..9_000).expect("rows");
    assert_eq!(made.cell(8_999, 0), "199");
    for declared in ["", "type = \"number\"\n"] {
        for (count, words) in [(250, "need one another"), (20_000, "more than 5000 columns")] {
            let said = said("spec.toml", &chain(count, declared));
            assert!(said.starts_with("spec.toml:") && said.contains(words) && said.lines().count() == 1, "{said}");
        }
    }
    // A machine that passes time and does nothing, and parents that nobody can count.
    let machine = "[[table]]\nname = \"p\"\nrows = 2\n[[table.column]]\nname = \"n\"\nvalue = 1\n[[table]]\nname = \"e\"\nper = \"p\"\n\
        [table.machine]\nstart = \"2000-01-01\"\nuntil = \"2900-01-01\"\n[[table.machine.state]]\nname = \"s\"\n\
        delay = { exponential = { mean = 1e-6 } }\nnext = \"s\"\n[[table.column]]\nname = \"t\"\nexpression = \"machine.time\"\n";
    let error = said("spec.toml", machine);
    assert!(error.contains("more than 100000 states") && error.contains("lengthen the delays"), "{error}");
    let counted = "[[table]]\nname = \"p\"\nrows = 1125899906842624\n[[table.column]]\nname = \"n\"\nvalue = 1\n[[table]]\nname = \"e\"\n\
        per = \"p\"\nchildren = \"n\"\n[[table.column]]\nname = \"t\"\nvalue = 1\n";
    let error = said("spec.toml", counted);
    assert!(error.contains("counting the rows of table \"e\"") && error.contains("TiB"), "{error}");
    // Distributions of extreme parameters are drawn from at once, or refused.
    for draw in [
        "gamma = { shape = 9e8, scale = 1 }",
        "poisson = { mean = 1e12 }",
        "negative_binomial = { mean = 1e9, dispersion = 1e-300 }",
        "binomial = { n = 1e12, p = 0.5 }",
        "zipf = { n = 1e12, exponent = 1.0 }",
        "beta = { a = 1e-300, b = 1e300 }",
        "student_t = { df = 1e-9, mean = 0, scale = 1 }",
    ] {
        let text = with(&format!("draw = {{ {draw} }}\nclip = [-1e300, 1e300]"));
        let plan =
            Plan::new(&Spec::parse("spec.toml", &text).expect("right"), "spec.toml", &NoModels).unwrap_or_else(|error| panic!("{error}"));
        let made = Generator::new(&plan, 1, 1.0).expect("right").rows("a", 0..100).unwrap_or_else(|error| panic!("{draw}: {error}"));
        assert_eq!(made.columns()[3].missing(), 0, "{draw}");
    }
    assert!(said("spec.toml", &with("draw = { gamma = { shape = 2e9, scale = 1 } }")).contains("must be 1000000000 or less"));
}

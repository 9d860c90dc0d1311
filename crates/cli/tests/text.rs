//! Text from the command line.

#[allow(dead_code, reason = "shared with tests that use more of it")]
mod support;

use support::*;

const FEW: [&str; 12] =
    ["--set", "epochs=2", "--set", "width=16", "--set", "depth=1", "--set", "heads=2", "--set", "rare=1", "--set", "batch_rows=16"];

fn text(place: &Place, name: &str) -> String {
    String::from_utf8(place.bytes(name)).expect("UTF-8")
}

fn lines(from: usize) -> String {
    let line = |row: usize| format!("{} cups of {} number {}\n", row * 7 % 9 + 1, ["tea", "coffee", "milk"][row % 3], row * row % 91);
    (from..from + 120).map(line).collect()
}

#[test]
fn lines_are_learned_sampled_and_judged() {
    let place = Place::new();
    place.file("lines.txt", lines(0));
    place.file("kept.txt", lines(1000));
    let said = place.good(&[&["fit", "lines.txt", "--model", "text-ar", "-o", "m.safetensors"][..], &FEW].concat());
    assert!(said.err.contains("are drawn again"), "{}", said.err);
    let said = place.good(&["inspect", "m.safetensors"]);
    assert!(said.out.contains("text-ar") && said.out.contains("tokens: char"), "{}", said.out);
    place.good(&["-q", "sample", "m.safetensors", "-n", "60", "-o", "made.txt"]);
    assert_eq!(text(&place, "made.txt").lines().count(), 60);
    place.good(&["-q", "sample", "m.safetensors", "--rows", "20..40", "--batch-rows", "7", "-o", "part.txt"]);
    let all = text(&place, "made.txt");
    assert_eq!(text(&place, "part.txt").lines().collect::<Vec<_>>(), all.lines().collect::<Vec<_>>()[20..40]);
    let said = place.good(&["-q", "sample", "m.safetensors", "-n", "5", "--prompt", "3 cups", "--temperature", "0.5", "-o", "-"]);
    assert!(said.out.lines().filter(|line| line.contains("3 cups")).count() == 5, "{}", said.out);
    let said = place.good(&["-q", "evaluate", "--real", "lines.txt", "--synthetic", "made.txt", "--holdout", "kept.txt", "-o", "r.html"]);
    assert!(said.out.contains("Told apart by n-grams") && said.out.contains("Novelty"), "{}", said.out);
    assert!(text(&place, "r.html").contains("Samples side by side"));
    let said = place.good(&["-q", "evaluate", "--likelihood", "m.safetensors", "--real", "kept.txt"]);
    assert!(said.out.contains("bits per character"), "{}", said.out);
    place.file("begun.txt", "4 cups\n");
    place.good(&["-q", "sample", "m.safetensors", "--from", "begun.txt", "-o", "next.txt"]);
    assert!(text(&place, "next.txt").starts_with("4 cups"));
}

#[test]
fn a_column_with_labels_is_learned_and_blanks_are_filled() {
    let place = Place::new();
    let rows = (0..90).map(|row| format!("{row},\"{} of {}, please\",{}\n", row % 9, ["tea", "milk"][row % 2], ["leaf", "cow"][row % 2]));
    place.file("orders.csv", format!("id,order,kind\n{}", rows.collect::<String>()));
    let fit = ["fit", "orders.csv", "--model", "text-mdlm", "--text-column", "order", "--label", "kind", "-o", "m.safetensors"];
    place.good(&[&["-q"], &fit[..], &FEW, &["--set", "steps=4"]].concat());
    place.good(&["-q", "sample", "m.safetensors", "-n", "12", "--where", "kind=cow", "--guidance", "2", "-o", "made.csv"]);
    let made = text(&place, "made.csv");
    assert!(made.starts_with("order,kind\n") && made.lines().skip(1).all(|line| line.ends_with(",cow")), "{made}");
    place.file("blanks.txt", "3 of t__, please\n");
    place.good(&["-q", "sample", "m.safetensors", "--from", "blanks.txt", "--steps", "16", "-o", "filled.csv"]);
    assert!(text(&place, "filled.csv").contains("3 of t"));
    let kinds = ["--kind", "text", "--text-column", "order", "--label", "kind"];
    let said = place.good(&[&["-q", "evaluate", "--real", "orders.csv", "--synthetic", "made.csv", "-o", "r.html"][..], &kinds].concat());
    assert!(said.out.contains("Labels kept"), "{}", said.out);
    place.bad(1, &["fit", "orders.csv", "--model", "text-ar", "-o", "n.safetensors"], &["--text-column"]);
}

#[test]
fn one_long_text_is_learned_in_windows() {
    let place = Place::new();
    place.file("long.txt", (0..300).map(|row| format!("{row} bottles on the wall. ")).collect::<String>());
    let fit = ["-q", "fit", "long.txt", "--model", "text-ar", "--whole", "60", "-o", "m.safetensors", "--set", "context=32"];
    place.good(&[&fit[..], &FEW].concat());
    place.good(&["-q", "sample", "m.safetensors", "-n", "12", "--no-guard", "-o", "made.txt"]);
    assert_eq!(text(&place, "made.txt").chars().count(), 12 * 60);
    let said = place.good(&["-q", "evaluate", "--real", "long.txt", "--synthetic", "made.txt", "--whole", "60", "-o", "r.html"]);
    assert!(said.out.contains("Reverse bits"), "{}", said.out);
    place.file("latin.txt", b"one\nna\xefve\n");
    place.bad(1, &["fit", "latin.txt", "--model", "text-ar", "-o", "n.safetensors"], &["line 2, byte 3", "iconv"]);
}

#[test]
fn texts_match_expressions_and_schemas() {
    let place = Place::new();
    place.file("lines.txt", lines(0));
    place.good(&[&["-q", "fit", "lines.txt", "--model", "text-ar", "-o", "m.safetensors"][..], &FEW].concat());
    place.good(&["-q", "sample", "m.safetensors", "-n", "30", "--regex", "[1-3] cups( of [a-z]{2,6})?", "-o", "made.txt"]);
    let is_right =
        |line: &str| line.get(..1).is_some_and(|digit| "123".contains(digit)) && line[1..].starts_with(" cups") && line.len() <= 16;
    assert!(text(&place, "made.txt").lines().all(is_right), "{}", text(&place, "made.txt"));
    place.file(
        "order.txt",
        (0..120).map(|row| format!("{{\"n\": {}, \"drink\": \"{}\"}}\n", row % 9, ["tea", "milk"][row % 2])).collect::<String>(),
    );
    place.file("s.json", r#"{"type":"object","properties":{"n":{"type":"integer","minimum":1,"maximum":4},"drink":{"type":"string","maxLength":8}},"required":["n","drink"]}"#);
    place.good(&[&["-q", "fit", "order.txt", "--model", "text-ar", "-o", "o.safetensors"][..], &FEW].concat());
    place.good(&["-q", "sample", "o.safetensors", "-n", "30", "--json-schema", "s.json", "-o", "orders.txt"]);
    for line in text(&place, "orders.txt").lines() {
        let order: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert!(order["n"].as_u64().is_some_and(|n| (1..=4).contains(&n)) && order["drink"].is_string(), "{line}");
    }
    let sample = |code: i32, options: &[&str], parts: &[&str]| {
        place.bad(code, &[&["sample", "o.safetensors", "-n", "3", "-o", "x.txt"][..], options].concat(), parts);
        assert!(!place.path("x.txt").exists());
    };
    sample(2, &["--regex", "[a-"], &["--regex [a-"]);
    sample(2, &["--regex", "a", "--json-schema", "s.json"], &["--json-schema"]);
    sample(1, &["--json-schema", "none.json"], &["none.json"]);
    place.file("bad.json", r#"{"type":"object","properties":{"n":{"type":"integer","format":"int32"}}}"#);
    sample(2, &["--json-schema", "bad.json"], &["bad.json", "format"]);
    sample(2, &["--regex", "\u{4e2d}+"], &["no text of characters that the model knows"]);
}

/// Notes that say what kind of order they are about; every seventh is missing.
fn notes() -> String {
    let note = |row: usize| {
        let said = [["was", "lovely", "and", "warm", "today"], ["came", "late", "and", "cold", "again"]][row % 2].join(" ");
        let thing = ["the tea", "a cake", "the soup", "our bread", "that pie"][row * 7 % 5];
        if row % 7 == 3 { String::new() } else { format!("{thing} of table number {} {said}", row * 31 % 211) }
    };
    std::iter::once("id,sort,size,note\n".to_owned())
        .chain((0..300).map(|row| format!("{},{},{},{}\n", 1000 + row, ["good", "bad"][row % 2], row % 17 + 20, note(row))))
        .collect()
}

#[test]
fn columns_of_free_text_follow_the_rest_of_their_rows() {
    let place = Place::new();
    place.file("notes.csv", notes());
    let small = ["--set", "texts.epochs=25"];
    let said = place.good(&[&["fit", "notes.csv", "--model", "copula", "-o", "m.safetensors"][..], &small].concat());
    assert!(said.err.contains("free texts") && said.err.contains("texts of \"note\""), "{}", said.err);
    let sample = |options: &[&str], name: &str| -> String {
        place.good(&[&["-q", "sample", "m.safetensors", "-o", name][..], options].concat());
        text(&place, name)
    };
    let made = sample(&["-n", "200"], "made.csv");
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = made.lines().skip(1).map(cells).collect();
    let missing = rows.iter().filter(|row| row[3].is_empty()).count();
    assert!(made.starts_with("id,sort,size,note\n") && (8..60).contains(&missing), "{missing} missing\n{made}");
    let fits = |row: &&Vec<String>| row[3].is_empty() || row[3].contains(if row[1] == "good" { "love" } else { "late" });
    let right = rows.iter().filter(fits).count();
    assert!(right > 180, "{right} of 200 fit\n{made}");
    // Slices, conditions, and given texts.
    assert_eq!(
        sample(&["--rows", "50..60"], "part.csv").lines().skip(1).collect::<Vec<_>>(),
        made.lines().skip(51).take(10).collect::<Vec<_>>()
    );
    let bad = sample(&["-n", "20", "--where", "sort=bad", "--where", "note is not null"], "bad.csv");
    assert!(bad.lines().skip(1).all(|line| cells(line)[1] == "bad" && !cells(line)[3].is_empty()), "{bad}");
    place.file(
        "given.csv",
        "note\nthe soup of table number 9 was lovely and warm today\na cake of table number 3 came late and cold again\n",
    );
    let given = sample(&["--given", "given.csv", "--draws", "20"], "given-made.csv");
    let fitting = given.lines().skip(1).filter(|line| line.contains("lovely") == (cells(line)[1] == "good")).count();
    assert!(given.lines().count() == 41 && fitting > 34, "{fitting}\n{given}");
    assert!(given.contains("the soup of table number 9 was lovely and warm today"));
    // The page shows them.
    let said = place.good(&["-q", "evaluate", "--real", "notes.csv", "--synthetic", "made.csv", "-o", "r.html"]);
    assert!(said.out.contains("note: Fits sort"), "{}", said.out);
    assert!(text(&place, "r.html").contains("Texts of note"));
    let few = notes().lines().take(2).map(|line| format!("{line}\n")).collect::<String>();
    place.file("few.csv", few);
    let kinds = [("id", "id"), ("sort", "categorical"), ("size", "integer"), ("note", "text")];
    place.file("few.toml", kinds.map(|(name, kind)| format!("[[columns]]\nname = \"{name}\"\nkind = \"{kind}\"\n")).concat());
    place.bad(1, &["fit", "few.csv", "--model", "copula", "--schema", "few.toml", "-o", "n.safetensors"], &["\"note\"", "kind = \"id\""]);
}

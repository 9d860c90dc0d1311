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

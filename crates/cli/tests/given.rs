//! Rows and texts that a fitted model is given: the model knows their columns, whatever a short file shows.

#[allow(dead_code, reason = "shared with tests that use more of it")]
mod support;

use support::*;

/// Values of a random kind, the same every time.
fn chance(row: usize, of: usize) -> usize {
    (row * 2_654_435_761 + row * row * 40_503) % 1_000_003 % of
}

/// Twelve days of a device: its color decides its level, and some counts are missing.
fn device(number: usize, month: usize) -> Vec<String> {
    let color = if number.is_multiple_of(2) { "red" } else { "blue" };
    let row = |day: usize| {
        let place = 12 * number + day;
        let level = if color == "red" { 10 } else { 50 } + chance(place, 7);
        let count = if chance(place, 6) == 0 { String::new() } else { (1 + chance(place, 4)).to_string() };
        format!("d{number},{color},2023-{month:02}-{:02},{level}.5,{count}", 1 + day)
    };
    (0..12).map(row).collect()
}

const HEADER: &str = "dev,color,at,x,n";

fn file(place: &Place, name: &str, rows: &[String]) {
    place.file(name, format!("{HEADER}\n{}\n", rows.join("\n")));
}

const FEW: [&str; 8] = ["--set", "rows=160", "--set", "tick_rows=80", "--set", "width=16", "--set", "attributes.epochs=2"];

/// A place with a model of forty devices.
fn devices() -> Place {
    let place = Place::new();
    file(&place, "all.csv", &(0..40).flat_map(|number| device(number, 5)).collect::<Vec<_>>());
    place.good(&[&["-q", "fit", "all.csv", "--model", "sequence", "--entity", "dev", "-o", "m.safetensors"][..], &FEW].concat());
    place
}

/// The scores of sequences, in the order of the file.
fn scores(place: &Place, name: &str) -> Vec<String> {
    place.good(&["-q", "score", "m.safetensors", name, "-o", "scores.csv"]);
    let text = String::from_utf8(place.bytes("scores.csv")).expect("UTF-8");
    std::fs::remove_file(place.path("scores.csv")).expect("there");
    text.lines().skip(1).map(|line| line.split(',').next_back().unwrap_or_default().to_owned()).collect()
}

#[test]
fn one_sequence_has_its_attributes_and_sequences_keep_their_order() {
    let place = devices();
    let [red, blue] = [device(4, 5), device(7, 5)];
    file(&place, "red.csv", &red);
    file(&place, "other.csv", &red.iter().map(|row| row.replace(",red,", ",blue,")).collect::<Vec<_>>());
    file(&place, "both.csv", &[red.clone(), blue.clone()].concat());
    // The first one is two months later.
    file(&place, "later.csv", &[device(4, 7), blue.clone()].concat());
    let [one, other, both, later] = ["red.csv", "other.csv", "both.csv", "later.csv"].map(|name| scores(&place, name));
    assert_eq!((one.len(), both.len(), later.len()), (1, 2, 2));
    assert_eq!(one[0], both[0], "alone or not");
    assert_ne!(one[0], other[0], "its color counts");
    assert_eq!(both[1], later[1], "in the order of the file");
    place.good(&["-q", "sample", "m.safetensors", "--from", "red.csv", "--horizon", "2", "-o", "next.csv"]);
    let next = String::from_utf8(place.bytes("next.csv")).expect("UTF-8");
    assert!(next.starts_with(HEADER) && next.lines().skip(1).all(|line| line.starts_with("d4,red,2023-05-1")), "{next}");
    place.bad(2, &["impute", "m.safetensors", "red.csv", "--columns", "color", "-o", "i.csv"], &["color"]);
    let mut changing = red;
    changing[3] = changing[3].replace(",red,", ",blue,");
    file(&place, "changing.csv", &changing);
    place.bad(1, &["score", "m.safetensors", "changing.csv"], &["\"color\" changes"]);
}

#[test]
fn gaps_of_short_files_are_filled() {
    let place = devices();
    let rows = [device(4, 5), device(7, 5)].concat();
    let without = |column: usize| -> Vec<String> {
        let cells = |row: &String| row.split(',').map(str::to_owned).collect::<Vec<_>>();
        rows.iter()
            .map(cells)
            .map(|mut cells| {
                cells[column].clear();
                cells.join(",")
            })
            .collect()
    };
    file(&place, "both.csv", &rows);
    file(&place, "levels.csv", &without(3));
    file(&place, "counts.csv", &without(4));
    for name in ["both.csv", "levels.csv", "counts.csv"] {
        place.good(&["-q", "impute", "m.safetensors", name, "-o", "filled.csv"]);
        let filled = String::from_utf8(place.bytes("filled.csv")).expect("UTF-8");
        assert!(filled.lines().count() == 25 && filled.lines().all(|line| line.split(',').all(|cell| !cell.is_empty())), "{filled}");
        std::fs::remove_file(place.path("filled.csv")).expect("there");
    }
    // One row each, at the same time.
    file(&place, "moment.csv", &[rows[0].clone(), rows[12].clone()]);
    place.good(&["-q", "sample", "m.safetensors", "--from", "moment.csv", "--horizon", "1", "-o", "next.csv"]);
    let next = String::from_utf8(place.bytes("next.csv")).expect("UTF-8");
    assert!(next.contains("\nd4,red,2023-05-02") && next.contains("\nd7,blue,2023-05-02"), "{next}");
    file(&place, "unnamed.csv", &rows);
    let renamed = String::from_utf8(place.bytes("unnamed.csv")).expect("UTF-8").replace("dev,", "sensor,");
    place.file("unnamed.csv", renamed);
    place.bad(1, &["score", "m.safetensors", "unnamed.csv"], &["\"dev\""]);
}

#[test]
fn a_model_of_one_series_continues_several() {
    let place = Place::new();
    let hour = |hour: usize| format!("2023-05-{:02} {:02}:00:00,{}.{}", 1 + hour / 24, hour % 24, hour % 24, chance(hour, 10));
    let hours: Vec<String> = (0..200).map(hour).collect();
    place.file("q.csv", format!("at,x\n{}\n", hours.join("\n")));
    place.good(&["-q", "fit", "q.csv", "--model", "sequence", "--set", "width=16", "--epochs", "1", "-o", "m.safetensors"]);
    let config = String::from_utf8(place.bytes("m.safetensors.run/config.toml")).unwrap_or_default();
    assert!(config.is_empty() || config.contains("rows = 0"), "{config}");
    let of = |name: &str| hours[2..40].iter().map(|row| format!("{name},{row}\n")).collect::<String>();
    place.file("unnamed.csv", format!("dev,at,x\n{}{}", of("A7"), of("B8")));
    place.bad(1, &["sample", "m.safetensors", "--from", "unnamed.csv", "--horizon", "2", "-o", "a.csv"], &["\"sequence\""]);
    place.file("two.csv", format!("sequence,at,x\n{}{}", of("A7"), of("B8")));
    place.good(&["-q", "sample", "m.safetensors", "--from", "two.csv", "--horizon", "2", "-o", "next.csv"]);
    let next = String::from_utf8(place.bytes("next.csv")).expect("UTF-8");
    assert!(next.lines().count() == 5 && next.contains("A7,") && next.contains("B8,"), "{next}");
    place.bad(2, &["sample", "m.safetensors", "-n", "1", "--horizon", "5", "-o", "a.csv"], &["--from"]);
    place.bad(2, &["sample", "m.safetensors", "-n", "1", "--redraw", "x", "-o", "a.csv"], &["--from"]);
    place.bad(2, &["sample", "m.safetensors", "-n", "1", "--steps", "5", "-o", "a.csv"], &["--steps"]);
    for option in [["--length", "4"], ["--where", "x=1"], ["--redraw", "x"], ["--steps", "3"]] {
        let asked = ["sample", "m.safetensors", "--from", "two.csv", "--horizon", "2", "-o", "a.csv"];
        place.bad(2, &[&asked[..], &option].concat(), &option[..1]);
    }
}

const SMALL: [&str; 12] =
    ["--set", "epochs=2", "--set", "width=16", "--set", "depth=1", "--set", "heads=2", "--set", "rare=1", "--set", "batch_rows=16"];

#[test]
fn texts_with_labels_are_given_as_they_were_sampled() {
    let place = Place::new();
    let rows = (0..90).map(|row| format!("\"{} of {}, please\",{}\n", row % 9, ["tea", "milk"][row % 2], ["leaf", "cow"][row % 2]));
    place.file("orders.csv", format!("order,kind\n{}", rows.collect::<String>()));
    let fit = ["-q", "fit", "orders.csv", "--model", "text-mdlm", "--text-column", "order", "--label", "kind", "-o", "m.safetensors"];
    place.good(&[&fit[..], &SMALL, &["--set", "steps=4"]].concat());
    place.good(&["-q", "sample", "m.safetensors", "-n", "12", "-o", "own.csv"]);
    place.good(&["-q", "score", "m.safetensors", "own.csv", "--orders", "2"]);
    place.good(&["-q", "impute", "m.safetensors", "own.csv", "-o", "same.csv"]);
    assert_eq!(place.bytes("own.csv"), place.bytes("same.csv"), "there is no blank");
    let text = |name: &str| String::from_utf8(place.bytes(name)).expect("UTF-8");
    place.file("blanks.txt", "3 of t__, please\n4 of ____, please\n");
    place.good(&["-q", "sample", "m.safetensors", "--from", "blanks.txt", "-o", "filled.txt"]);
    assert!(text("filled.txt").starts_with("3 of t") && text("filled.txt").lines().count() == 2);
    place.good(&["-q", "sample", "m.safetensors", "--from", "blanks.txt", "--where", "kind=cow", "-o", "cows.csv"]);
    assert!(text("cows.csv").lines().skip(1).all(|line| line.ends_with(",cow")), "{}", text("cows.csv"));
    let from = ["sample", "m.safetensors", "--from", "blanks.txt", "-o", "a.csv"];
    place.bad(2, &[&from[..], &["--where", "kind=nonsense"]].concat(), &["nonsense", "leaf"]);
    place.bad(2, &[&from[..], &["--prompt", "4"]].concat(), &["--prompt"]);
    place.bad(2, &["impute", "m.safetensors", "own.csv", "--columns", "kind", "-o", "a.csv"], &["--columns"]);
    place.good(&["-q", "evaluate", "--likelihood", "m.safetensors", "--real", "own.csv", "--samples", "2"]);
}

#[test]
fn lines_need_no_name_of_a_model_and_complete_texts_stay() {
    let place = Place::new();
    place.file(
        "names.txt",
        (0..120).map(|row| format!("{}{}\n", ["ann", "bo", "cy"][row % 3], ["a", "e", "i"][row % 7 % 3])).collect::<String>(),
    );
    place.good(&[&["-q", "fit", "names.txt", "-o", "m.safetensors"][..], &SMALL].concat());
    assert!(place.good(&["inspect", "m.safetensors"]).out.contains("text-ar"));
    place.bad(2, &["impute", "m.safetensors", "names.txt", "-o", "a.txt"], &["text-mdlm"]);
    place.file("begun.txt", "ann\n");
    place.bad(2, &["sample", "m.safetensors", "--from", "begun.txt", "--characters", "2", "-o", "a.txt"], &["text 1", "--characters"]);
    place.file("strange.txt", "ann\nb@\n");
    place.bad(2, &["sample", "m.safetensors", "--from", "strange.txt", "-o", "a.txt"], &["text 2", "'@'"]);
}

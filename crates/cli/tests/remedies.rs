//! Every remedy in a message is an option of the command that prints it, or the message names the command that has it: `semblant fit --drop`.

#[allow(dead_code, reason = "shared with tests that use more of it")]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use semblant::data::image::Images;
use support::*;

const COMMANDS: [&str; 13] =
    ["fit", "sample", "impute", "score", "export", "evaluate", "compare", "schema", "models", "devices", "inspect", "data", "quickstart"];

/// Which commands can print the messages of a source: the beginning of its path, a part of the message, and the commands. The first row that
/// holds counts. A row without commands leaves out what no command prints as a message.
const REACH: &[(&str, &str, &str)] = &[
    // Help, which has a test of its own.
    ("cli/src/arguments.rs", "", ""),
    ("cli/src/compare.rs", "", "compare"),
    ("cli/src/evaluate.rs", "--kind", "evaluate compare schema"),
    ("cli/src/evaluate.rs", "", "evaluate"),
    ("cli/src/fit.rs", "", "fit"),
    // The settings of a model, as a fit takes them.
    ("cli/src/inspect.rs", "--set", "fit"),
    ("cli/src/rows.rs", "--draws", "impute"),
    ("cli/src/main.rs", "", "fit sample impute score export evaluate compare schema models devices inspect data quickstart"),
    ("cli/src/outputs.rs", "", "fit sample impute score evaluate compare quickstart"),
    ("cli/src/quickstart.rs", "", "quickstart"),
    ("cli/src/rules.rs", "", "sample"),
    ("cli/src/sample.rs", "", "sample"),
    ("core/src/config.rs", "", "fit sample"),
    ("core/src/error.rs", "--memory", "fit sample impute score export evaluate compare schema models devices inspect data quickstart"),
    ("core/src/device.rs", "", "fit sample impute score evaluate compare"),
    ("core/src/precision.rs", "", "fit"),
    ("core/src/synthesizer.rs", "--per-column", "score"),
    ("core/src/synthesizer.rs", "", "fit"),
    ("core/src/trainer.rs", "", "fit"),
    ("data/src/image/kind.rs", "--size", "fit sample evaluate schema"),
    ("data/src/image/kind.rs", "", "sample"),
    ("data/src/database/keys.rs", "", "fit"),
    ("data/src/database/kind.rs", "--keys", "fit evaluate schema"),
    ("data/src/database/kind.rs", "", "sample"),
    ("database/src/sampling.rs", "", "sample"),
    ("database/src/", "", "fit"),
    ("metrics/src/database/mod.rs", "", "evaluate"),
    ("data/src/table/kind.rs", "A TOML schema", "fit evaluate schema"),
    ("data/src/table/kind.rs", "", "sample"),
    ("data/src/series/request.rs", "", "sample"),
    ("data/src/series/kind.rs", "--window", "fit evaluate compare schema"),
    ("data/src/series/kind.rs", "--wide", "fit evaluate compare schema"),
    ("data/src/series/kind.rs", "", "sample"),
    ("data/src/series/", "", "fit evaluate compare schema"),
    ("series/src/sequence/sampling.rs", "", "sample"),
    ("series/src/given.rs", "--horizon", "sample"),
    ("series/src/filling.rs", "--mask", "sample"),
    ("series/src/sequence/mod.rs", "--mask", "sample"),
    ("series/src/flow.rs", "--steps", "sample"),
    ("series/src/model.rs", "--where", "sample"),
    ("series/src/model.rs", "--length", "sample"),
    ("series/src/", "", "fit"),
    ("data/src/text/kind.rs", "--columns", "impute"),
    ("data/src/text/kind.rs", "--whole", "fit evaluate compare schema"),
    ("data/src/text/kind.rs", "", "sample"),
    ("data/src/text/", "", "fit evaluate compare schema"),
    ("text/src/form.rs", "--set", "fit"),
    ("text/src/columns.rs", "", "fit"),
    ("text/src/", "", "sample"),
    // Whoever reads a table.
    ("data/src/table/", "", "fit evaluate compare schema"),
    ("images/src/model.rs", "--precision", "fit"),
    ("images/src/model.rs", "", "sample"),
    ("metrics/src/report/page/", "", ""),
    ("metrics/src/report/images/", "", "evaluate"),
    ("metrics/src/report/series/", "", "evaluate"),
    ("metrics/src/report/texts/", "", "evaluate"),
    ("metrics/src/", "", "evaluate quickstart"),
    ("semblant/src/kinds/", "", "evaluate"),
    ("semblant/src/modality/kind.rs", "--output", "fit"),
    ("semblant/src/modality/kind.rs", "--shadow", "evaluate"),
    ("semblant/src/modality/kind.rs", "--from", "sample"),
    ("rules/src/synthesizer.rs", "", "fit"),
    ("tabular-masked/src/", "", "fit"),
    ("tabular/src/completion.rs", "", "sample"),
    ("tabular/src/synthesizer.rs", "--given", "sample"),
    ("tabular/src/filter/", "", "sample"),
    ("tabular/src/encoded.rs", "--precision", "fit"),
    ("tabular/src/preparation/", "because of --no-protect", "fit"),
    ("tabular/src/", "", "fit quickstart"),
];

/// The options that each command declares, from its help.
fn declared(place: &Place) -> BTreeMap<&'static str, BTreeSet<String>> {
    let of = |command: &'static str| {
        let help = place.good(&[command, "--help"]).out;
        // Help is wrapped, so that an option may begin a line further to the right.
        let declares = |line: &&str| line.find(|c| c != ' ').is_some_and(|indent| indent <= 6 && line[indent..].starts_with('-'));
        let lines = help.lines().filter(declares);
        (command, lines.filter_map(|line| named(line).into_iter().next()).map(|(_, option)| option).collect())
    };
    COMMANDS.into_iter().map(of).collect()
}

/// The options in a text, each with the command that stands before it. Options of cargo are left out.
fn named(text: &str) -> Vec<(Option<&str>, String)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("--").filter(|(at, _)| !text[..*at].ends_with(['-', '{'])) {
        let name: String = text[at + 2..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
        let name = name.trim_end_matches('-');
        // What a program is called with stands in one clause.
        let called = |program: &str| {
            let (_, arguments) = text[..at].rsplit_once(program)?;
            (!arguments.contains(['`', ';', ',', ':', '(', ')', '\n'])).then(|| arguments.split_whitespace().next()).flatten()
        };
        if name.len() > 1 && called("cargo ").is_none() {
            found.push((called("semblant ").filter(|command| COMMANDS.contains(command)), format!("--{name}")));
        }
    }
    found
}

/// What of a message is no option of the commands that print it.
fn wrong(message: &str, commands: &[&str], declared: &BTreeMap<&str, BTreeSet<String>>) -> Vec<String> {
    let wrong = |(command, option): (Option<&str>, String)| {
        let of: Vec<&str> = command.map_or_else(|| commands.to_vec(), |command| vec![command]);
        of.into_iter()
            .filter(|command| !declared[command].contains(&option))
            .map(|command| format!("{command} {option}"))
            .collect::<Vec<_>>()
    };
    named(message).into_iter().flat_map(wrong).collect()
}

#[test]
fn messages_name_options_of_the_commands_that_print_them() {
    let declared = declared(&Place::new());
    assert!(wrong("leave it out (--no-protect)", &["fit", "evaluate"], &declared) == ["evaluate --no-protect"], "the check can fail");
    assert!(wrong("`semblant fit --no-protect`; cargo build --features", &["evaluate"], &declared).is_empty());
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (mut seen, mut faults) = (0, Vec::new());
    for path in sources(&crates) {
        let source = std::fs::read_to_string(&path).expect("UTF-8");
        let name = path.strip_prefix(&crates).expect("below").to_string_lossy().replace('\\', "/");
        for message in literals(source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default()) {
            if named(&message).is_empty() {
                continue;
            }
            let row = REACH.iter().find(|(start, part, _)| name.starts_with(start) && message.contains(part));
            let Some((.., commands)) = row else {
                faults.push(format!("{name}: no row of REACH says who prints \"{message}\""));
                continue;
            };
            let commands: Vec<&str> = commands.split_whitespace().collect();
            seen += usize::from(!commands.is_empty());
            faults.extend(wrong(&message, &commands, &declared).iter().map(|what| format!("{name}: no {what}, in \"{message}\"")));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(seen > 40, "{seen} messages with options");
}

#[test]
fn help_names_options_of_its_own_command() {
    let place = Place::new();
    let declared = declared(&place);
    for command in COMMANDS {
        // Wrapped lines are one text again.
        let help = place.good(&[command, "--help"]).out.replace(&format!("\n{}", " ".repeat(8)), " ");
        assert_eq!(wrong(&help, &[command], &declared), Vec::<String>::new(), "{command}");
    }
}

/// All files of the crates that programs are made of.
fn sources(crates: &Path) -> Vec<PathBuf> {
    let below = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = below(crates).map(|one| one.join("src")).filter(|source| source.is_dir()).collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in below(&folder) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") && !path.to_string_lossy().ends_with("_tests.rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The string literals of a source, as they read; comments are passed over.
fn literals(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find(['/', '\'', '"']) {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        match rest.as_bytes()[at] {
            b'/' if after.starts_with('/') => rest = after.split_once('\n').map_or("", |(_, next)| next),
            b'\'' => {
                // A character, or the name of a lifetime.
                let escaped = after.strip_prefix('\\').and_then(|after| after.get(1..)?.split_once('\'')).map(|(_, next)| next);
                let plain = || after.chars().nth(1).filter(|&c| c == '\'').and_then(|_| after.split_once('\'')).map(|(_, next)| next);
                rest = escaped.or_else(plain).unwrap_or(after);
            }
            b'"' => {
                let hashes = before.len() - before.trim_end_matches('#').len();
                let (literal, next) = if before.trim_end_matches('#').ends_with('r') { raw(after, hashes) } else { escaped(after) };
                found.push(literal);
                rest = next;
            }
            _ => rest = after,
        }
    }
    found
}

fn raw(text: &str, hashes: usize) -> (String, &str) {
    let (literal, next) = text.split_once(&format!("\"{}", "#".repeat(hashes))).expect("closed");
    (literal.to_owned(), next)
}

fn escaped(text: &str) -> (String, &str) {
    let mut literal = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (literal, &text[at + 1..]),
            '\\' => match characters.next().map(|(_, c)| c) {
                Some('n') => literal.push('\n'),
                Some('\n') => characters = skipped(text, characters.offset()),
                other => literal.extend(other),
            },
            c => literal.push(c),
        }
    }
    (literal, "")
}

/// The characters from `at` on, without the blanks that a continued line begins with.
fn skipped(text: &str, at: usize) -> std::str::CharIndices<'_> {
    let blanks = text[at..].len() - text[at..].trim_start().len();
    let mut characters = text.char_indices();
    let end = at + blanks;
    while characters.offset() < end {
        characters.next();
    }
    characters
}

#[test]
fn literals_are_told_from_comments_and_characters() {
    let source = "// \"no\"\nlet a: &'static str = \"one \\\"1\\\"\"; let c = ['\"', '\\'', '\\u{1b}'];\nlet r = r#\"two \"2\"\"#; f(\"three \\\n    3\")";
    assert_eq!(literals(source), ["one \"1\"", "two \"2\"", "three 3"]);
}

/// A place with tables, images, and a model of each.
fn place() -> Place {
    let place = Place::new();
    let line = |row: usize| format!("V-{row:05},{},{}.5,{}\n", row * 7 % 90, row * 13 % 97, ["a", "b"][row % 2]);
    place.file("t.csv", std::iter::once("visit,n,amount,kind\n".to_owned()).chain((0..200).map(line)).collect::<String>());
    place.file("infinite.csv", "n\n1\n2\n1e999\n");
    place.file("odd.toml", "[[columns]]\nname = \"n\"\nkind = \"integer\"\n");
    place.file("text.toml", "[[columns]]\nname = \"kind\"\nkind = \"integer\"\n");
    place.file("notes.csv", "my own notes\n");
    place.file("data.unknown", "1,2\n");
    place.good(&["-q", "fit", "t.csv", "-m", "independent", "-o", "m.safetensors"]);
    let pixels = (0..18 * 64).map(|i| (i * 37 % 251) as u8).collect();
    let classes = (0..18).map(|image| image % 2).collect();
    let images = Images::new(pixels, [18, 1, 8, 8], Some((classes, vec!["left".into(), "top".into()]))).expect("sound");
    images.write_folder(place.path("shapes"), false).expect("writable");
    let small = ["network.kind=mlp", "network.width=16", "network.depth=1", "training.rows=32", "training.batch_rows=8"];
    let small: Vec<&str> = small.iter().flat_map(|setting| ["--set", setting]).collect();
    place.good(&[&["-q", "fit", "shapes", "-m", "flow", "-o", "flow.safetensors"], &small[..]].concat());
    place
}

/// Commands that fail, by their words; what a user typed is not looked for in the message.
const FAILING: &[&str] = &[
    "fit t.csv",
    "fit t.csv -o notes.csv",
    "fit t.csv -o o.safetensors --target kinds",
    "fit t.csv -o o.safetensors --drop visits",
    "fit t.csv -o o.safetensors --set epoch=3",
    "fit t.csv -o o.safetensors --set epochs",
    "fit t.csv -o o.safetensors --epoch 3",
    "fit t.csv -o o.safetensors -m ctgam",
    "fit t.csv -o o.safetensors -m ctgan --precision bf16",
    "fit t.csv -o o.safetensors -m copula --devices cpu,cpu",
    "fit t.csv -o o.safetensors --device cuda:0",
    "fit t.csv -o o.safetensors --schema odd.toml",
    "fit t.csv -o o.safetensors --schema text.toml",
    "fit t.csv -o o.safetensors --size 8",
    "fit infinite.csv -o o.safetensors",
    "fit absent.csv -o o.safetensors",
    "fit shapes -m flow -o o.safetensors --size big",
    "fit --resume m.safetensors",
    "fit --resume absent.safetensors",
    "fit --resume",
    "sample m.safetensors -o s.csv",
    "sample m.safetensors -n 0 -o s.csv",
    "sample m.safetensors --rows 9..3 -o s.csv",
    "sample m.safetensors -n 5 -o notes.csv",
    "sample m.safetensors -n 5 -o s.xlsx",
    "sample m.safetensors -n 5 -o s.csv --where kind",
    "sample m.safetensors -n 5 -o s.csv --where kind=c",
    "sample m.safetensors -n 5 -o s.csv --where n=500..900",
    "sample m.safetensors -n 5 -o s.csv --where visit=V-00001",
    "sample m.safetensors -n 5 -o s.csv --balance n",
    "sample m.safetensors -n 5 -o s.csv --batch-rows 0",
    "sample m.safetensors -n 5 -o s.csv --class a",
    "sample m.safetensors -n 5 -o s.csv --strength 0.5",
    "sample m.safetensors --from t.csv -o s.csv",
    "sample m.safetensors -n 5 -o s.csv --device wgpu:0",
    "sample flow.safetensors -n 2 -o - --format jsonl",
    "sample flow.safetensors -n 2 -o s.png --where kind=left",
    "sample flow.safetensors -n 2 -o s.png --balance kind",
    "sample flow.safetensors -n 2 -o s.png --set guidance",
    "sample flow.safetensors --from shapes -o s.png --interpolate 1 2",
    "sample flow.safetensors --from shapes -o s.png --size x",
    "sample t.csv -n 5 -o s.csv",
    "evaluate --real t.csv",
    "evaluate --real t.csv --synthetic absent.csv",
    "evaluate --real data.unknown --synthetic t.csv",
    "evaluate --real t.csv --synthetic infinite.csv --kind tables",
    "evaluate --real infinite.csv --synthetic t.csv",
    "evaluate --real t.csv --synthetic t.csv -o notes.csv",
    "evaluate --real t.csv --synthetic t.csv --target kinds",
    "evaluate --real t.csv --synthetic t.csv --drop visits",
    "evaluate --real t.csv --synthetic t.csv --schema odd.toml",
    "evaluate --real t.csv --synthetic t.csv --schema text.toml",
    "evaluate --real t.csv --synthetic t.csv --max-rows 0",
    "evaluate --real t.csv --synthetic t.csv --budget soon",
    "evaluate --real t.csv --synthetic t.csv --shadow m.safetensors",
    "evaluate --real t.csv --synthetic t.csv --features classifier:c",
    "evaluate --real t.csv --synthetic t.csv --holdout t.csv --shadow m.safetensors --shadows 1",
    "evaluate --real t.csv --likelihood m.safetensors",
    "evaluate --real shapes --synthetic shapes --features inception",
    "evaluate --real shapes --synthetic shapes --features classifier:c.safetensors --utility",
    "evaluate --real shapes --synthetic shapes --holdout shapes --features lpips:a,lin=b",
    "evaluate --real t.csv --synthetic t.csv --device cuda:0",
    "schema absent.csv",
    "schema data.unknown",
    "schema infinite.csv",
    "schema t.csv --kind tables",
    "schema t.csv --kind images",
    "schema t.csv --drop visits",
    "schema t.csv --target kinds",
    "schema t.csv --schema odd.toml",
    "schema t.csv --schema text.toml",
    "schema t.csv --schema absent.toml",
    "schema t.csv --size 8",
    "schema t.csv --force",
    "schema shapes --missing x",
    "schema shapes --size big",
    "schema m.safetensors",
    "schema",
    "export m.safetensors -o out",
    "export m.safetensors -o out --format onnx",
    "export flow.safetensors -o shapes",
    "export flow.safetensors",
    "export absent.safetensors -o out",
    "inspect absent.safetensors",
    "inspect t.csv",
    "inspect shapes",
    "inspect",
    "models ctagn",
    "models --jsn",
    "devices cuda",
    "data get nothing",
    "data",
    "data fetch adult",
    "quickstart --rows 5",
    "quickstart --rows many",
    "quickstart --model ctgam",
    "quickstart --output t.csv",
];

#[test]
fn commands_that_fail_name_their_own_options() {
    let place = place();
    let declared = declared(&place);
    let (mut told, mut faults) = (0, Vec::new());
    for line in FAILING {
        let typed: Vec<&str> = line.split_whitespace().collect();
        let ran = place.run(&typed);
        assert!(ran.code.is_some_and(|code| code > 0), "semblant {line} does not fail: {}", ran.out);
        let message = ran.err.lines().filter(|said| said.starts_with("error: ")).collect::<Vec<_>>().join("\n");
        // An option that the command does not know is named because it was typed.
        let unknown = |option: &str| typed.iter().any(|word| option.ends_with(&format!(" {word}")));
        let found = wrong(&message, &typed[..1], &declared);
        faults.extend(found.into_iter().filter(|what| !unknown(what)).map(|what| format!("semblant {line}: no {what}, in {message}")));
        told += named(&message).iter().filter(|(_, option)| option != "--help").count();
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(told > 30, "{told} options in messages");
}

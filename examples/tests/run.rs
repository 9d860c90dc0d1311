//! The examples of a model and of a kind of data of your own run. `cargo test` builds them with this test.

use std::process::Command;

fn run(example: &str) -> String {
    let test = std::env::current_exe().expect("a test has a path");
    let program = test.ancestors().nth(2).expect("a target folder").join("examples").join(example);
    let ran = Command::new(&program).output().unwrap_or_else(|error| panic!("{}: {error}; build it with cargo test", program.display()));
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("text")
}

#[test]
fn own_model() {
    let said = run("own_model");
    assert!(said.contains("nats a row") && said.lines().filter(|line| line.contains("  yes  ")).count() == 5, "{said}");
}

#[test]
fn own_data() {
    let said = run("own_data");
    assert!(said.contains("5 directions from a model of kind directions"), "{said}");
}

#[test]
fn from_memory() {
    let said = run("from_memory");
    assert_eq!(said.lines().filter(|line| line.starts_with("Visit { ward: \"surgery\", days: ")).count(), 5, "{said}");
}

//! The README shows what is compiled.

#[test]
fn the_readme_shows_the_quickstart_example() {
    let readme = include_str!("../../README.md");
    let shown = readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block of Rust");
    let example = include_str!("../examples/quickstart.rs");
    let code: String =
        example.lines().skip_while(|line| line.starts_with("//!") || line.is_empty()).flat_map(|line| [line, "\n"]).collect();
    assert_eq!(shown, code);
}

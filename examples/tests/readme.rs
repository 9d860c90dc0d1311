//! The README shows what is compiled.

#[test]
fn the_readme_shows_the_quickstart_example() {
    let readme = include_str!("../../README.md");
    let shown = readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block of Rust");
    assert_eq!(shown, include_str!("../examples/quickstart.rs"));
}

//! Limits on what is asked for, and on what files ask for.

#[allow(dead_code, reason = "shared with tests that use more of it")]
mod support;

use support::Place;

fn place() -> Place {
    let place = Place::new();
    let rows: String = (0..60).map(|row| format!("{},{}\n", row % 7, row * row)).collect();
    place.file("t.csv", format!("a,b\n{rows}"));
    place
}

#[test]
fn memory_is_an_option_of_every_command() {
    let place = place();
    let wide = format!("{}\n{}\n", vec!["c"; 20_000].join(","), vec!["1"; 20_000].join(","));
    place.file("wide.csv", wide);
    place.bad(1, &["fit", "wide.csv", "-m", "copula", "-o", "m.safetensors", "--memory", "1M"], &["20000 columns", "raise --memory"]);
    place.good(&["schema", "wide.csv", "--memory", "1G"]);
    place.bad(2, &["schema", "t.csv", "--memory", "much"], &["--memory", "4G"]);
    place.bad(2, &["schema", "t.csv", "--memory", "10"], &["at least 1 MB"]);
}

#[test]
fn networks_that_do_not_fit_are_not_made() {
    let place = place();
    let fit = |model: &str, setting: &str, code: i32, words: &[&str]| {
        place.bad(code, &["fit", "t.csv", "-m", model, "--set", setting, "-o", "m.safetensors", "--memory", "500M"], words);
    };
    fit("ctgan", "generator_widths=[65536, 65536]", 1, &["weights", "--memory"]);
    fit("tvae", "encoder_widths=[65536, 65536]", 1, &["weights", "--memory"]);
    fit("masked-diffusion", "width=16384", 1, &["weights", "--memory"]);
    fit("ctgan", "generator_widths=[2147483648]", 2, &["generator_widths = 2147483648", "65536"]);
    let layers = format!("generator_widths=[{}]", vec!["1"; 20_000].join(","));
    fit("ctgan", &layers, 2, &["20000 entries"]);
}

#[test]
fn settings_are_finite_and_not_deep() {
    let place = place();
    let set = |setting: &str, words: &[&str]| place.bad(2, &["fit", "t.csv", "--set", setting, "-o", "m.safetensors"], words);
    set("dropout=nan", &["dropout = NaN", "finite"]);
    set("optimizer.learning_rate=-inf", &["optimizer.learning_rate = -inf", "finite"]);
    set(&format!("{}x=1", "a.".repeat(5_000)), &["5001 parts"]);
    place.file("s.toml", "[optimizer]\nlearning_rate = inf\n");
    place.bad(2, &["fit", "t.csv", "--config", "s.toml", "-o", "m.safetensors"], &["s.toml", "learning_rate = inf"]);
    if cfg!(unix) {
        place.bad(2, &["fit", "t.csv", "--config", "/dev/zero", "-o", "m.safetensors"], &["device"]);
        place.bad(1, &["sample", "/dev/zero", "-n", "1", "-o", "s.csv"], &["device"]);
    }
}

#[test]
fn numbers_of_rows_and_draws_have_ends() {
    let place = place();
    place.good(&["fit", "t.csv", "-m", "copula", "-o", "m.safetensors"]);
    for count in ["0", "18446744073709551615"] {
        place.bad(2, &["sample", "m.safetensors", "-n", "5", "--batch-rows", count, "-o", "s.csv"], &["--batch-rows", count]);
        place.bad(2, &["impute", "m.safetensors", "t.csv", "--draws", count, "-o", "s.csv"], &["--draws", count]);
        place.bad(2, &["evaluate", "--real", "t.csv", "--likelihood", "m.safetensors", "--samples", count], &["--samples", count]);
    }
}

/// Numbers as far apart as numbers can be are learned and drawn.
#[test]
fn the_copula_samples_what_it_learned_of_the_widest_column() {
    let place = Place::new();
    place.file("wide.csv", "a,b\n1e308,1\n-1e308,2\n0.5,3\n1.7e308,4\n");
    place.good(&["fit", "wide.csv", "-m", "copula", "-o", "m.safetensors"]);
    place.good(&["sample", "m.safetensors", "-n", "50", "-o", "s.csv"]);
    let text = String::from_utf8(place.bytes("s.csv")).expect("text");
    let numbers = text.lines().skip(1).map(|line| line.split(',').next().unwrap_or_default().parse::<f64>());
    assert!(numbers.clone().count() == 50 && numbers.into_iter().all(|number| number.is_ok_and(f64::is_finite)), "{text}");
}

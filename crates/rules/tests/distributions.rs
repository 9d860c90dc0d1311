//! Every distribution against its law: Kolmogorov and Smirnov's test at 100,000 rows, moments, weights and rank correlations.

#[allow(dead_code, reason = "shared with tests that use more of it")]
mod support;

use semblant_data::table::Table;
use statrs::distribution::{
    Beta, Binomial, ContinuousCDF, Discrete, DiscreteCDF, Gamma, Geometric, NegativeBinomial, Normal, Poisson, StudentsT,
};
use support::*;

const ROWS: usize = 100_000;

fn drawn(draw: &str, more: &str) -> Table {
    let text = format!(
        "[[table]]\nname = \"t\"\nrows = {ROWS}\n[[table.column]]\nname = \"k\"\nexpression = \"1 + row_number % 1\"\n[[table.column]]\nname = \"x\"\ndraw = {draw}\n{more}\n"
    );
    rows(&text, "t", 11)
}

/// The same distribution with parameters that are known, and with parameters that are expressions of a row (`k` is 1).
fn check(known: &str, by_row: &str, cdf: &dyn Fn(f64) -> f64, discrete: bool, mean: f64, sd: f64) {
    for draw in [known, by_row] {
        let table = drawn(draw, "");
        let values = numbers(&table, "x");
        let distance = distance(values, cdf, discrete);
        let p = p_value(distance, ROWS);
        assert!(p > 0.001, "{draw}: distance {distance}, p = {p}");
        let found = values.iter().sum::<f64>() / ROWS as f64;
        if sd.is_finite() {
            // Four standard errors.
            assert!((found - mean).abs() < 4.0 * sd / (ROWS as f64).sqrt(), "{draw}: mean {found}, not {mean}");
            let variance = values.iter().map(|x| (x - found).powi(2)).sum::<f64>() / ROWS as f64;
            assert!((variance.sqrt() / sd - 1.0).abs() < 0.05, "{draw}: standard deviation {}, not {sd}", variance.sqrt());
        }
    }
}

#[test]
fn normal_and_lognormal() {
    let normal = Normal::new(3.0, 2.0).expect("right");
    check("{ normal = { mean = 3, sd = 2 } }", "{ normal = { mean = '3 * k', sd = '1 + k' } }", &|x| normal.cdf(x), false, 3.0, 2.0);
    let (mean, variance) = ((1.0f64 + 0.125).exp(), (0.25f64.exp() - 1.0) * 2.25f64.exp());
    let logs = Normal::new(1.0, 0.5).expect("right");
    check(
        "{ lognormal = { mu = 1, sigma = 0.5 } }",
        "{ lognormal = { mu = 'k', sigma = '0.5 * k' } }",
        &|x| logs.cdf(x.ln()),
        false,
        mean,
        variance.sqrt(),
    );
}

#[test]
fn gamma_beta_and_student() {
    for (shape, scale) in [(0.5, 2.0), (2.5, 3.0), (60.0, 0.1)] {
        let law = Gamma::new(shape, 1.0 / scale).expect("right");
        check(
            &format!("{{ gamma = {{ shape = {shape}, scale = {scale} }} }}"),
            &format!("{{ gamma = {{ shape = '{shape} * k', scale = '{scale} * k' }} }}"),
            &|x| law.cdf(x),
            false,
            shape * scale,
            shape.sqrt() * scale,
        );
    }
    for (a, b) in [(0.5, 0.5), (2.0, 5.0), (40.0, 3.0)] {
        let law = Beta::new(a, b).expect("right");
        let sd = (a * b / ((a + b) * (a + b) * (a + b + 1.0))).sqrt();
        check(
            &format!("{{ beta = {{ a = {a}, b = {b} }} }}"),
            &format!("{{ beta = {{ a = '{a} * k', b = '{b} * k' }} }}"),
            &|x| law.cdf(x),
            false,
            a / (a + b),
            sd,
        );
    }
    let law = StudentsT::new(1.0, 2.0, 8.0).expect("right");
    check(
        "{ student_t = { df = 8, mean = 1, scale = 2 } }",
        "{ student_t = { df = '8 * k', mean = 'k', scale = '2 * k' } }",
        &|x| law.cdf(x),
        false,
        1.0,
        2.0 * (8.0f64 / 6.0).sqrt(),
    );
}

#[test]
fn laws_with_formulas() {
    check(
        "{ uniform = { min = -1, max = 3 } }",
        "{ uniform = { min = '-k', max = '3 * k' } }",
        &|x| (x + 1.0) / 4.0,
        false,
        1.0,
        4.0 / 12f64.sqrt(),
    );
    check("{ exponential = { mean = 5 } }", "{ exponential = { mean = '5 * k' } }", &|x| 1.0 - (-x / 5.0).exp(), false, 5.0, 5.0);
    check(
        "{ pareto = { scale = 2, shape = 5 } }",
        "{ pareto = { scale = '2 * k', shape = '5 * k' } }",
        &|x| 1.0 - (2.0 / x).powf(5.0),
        false,
        2.5,
        (4.0f64 * 5.0 / (16.0 * 3.0)).sqrt(),
    );
    let gamma = statrs::function::gamma::gamma;
    let (mean, square) = (2.0 * gamma(1.0 + 1.0 / 1.5), 4.0 * gamma(1.0 + 2.0 / 1.5));
    check(
        "{ weibull = { scale = 2, shape = 1.5 } }",
        "{ weibull = { scale = '2 * k', shape = '1.5 * k' } }",
        &|x| 1.0 - (-(x / 2.0).powf(1.5)).exp(),
        false,
        mean,
        (square - mean * mean).sqrt(),
    );
    check(
        "{ logistic = { mean = 2, scale = 1.5 } }",
        "{ logistic = { mean = '2 * k', scale = '1.5 * k' } }",
        &|x| 1.0 / (1.0 + (-(x - 2.0) / 1.5).exp()),
        false,
        2.0,
        1.5 * std::f64::consts::PI / 3f64.sqrt(),
    );
    let laplace = |x: f64| if x < 2.0 { 0.5 * ((x - 2.0) / 1.5).exp() } else { 1.0 - 0.5 * (-(x - 2.0) / 1.5).exp() };
    check(
        "{ laplace = { mean = 2, scale = 1.5 } }",
        "{ laplace = { mean = '2 * k', scale = '1.5 * k' } }",
        &laplace,
        false,
        2.0,
        1.5 * 2f64.sqrt(),
    );
    let triangular = |x: f64| if x < 1.0 { x * x / 4.0 } else { 1.0 - (4.0 - x).powi(2) / 12.0 };
    check(
        "{ triangular = { min = 0, mode = 1, max = 4 } }",
        "{ triangular = { min = 0, mode = 'k', max = '4 * k' } }",
        &triangular,
        false,
        5.0 / 3.0,
        (13.0f64 / 18.0).sqrt(),
    );
}

#[test]
fn whole_numbers() {
    check(
        "{ integers = { min = 3, max = 12 } }",
        "{ integers = { min = '3 * k', max = '12 * k' } }",
        &|x| (x - 2.0) / 10.0,
        true,
        7.5,
        (99.0f64 / 12.0).sqrt(),
    );
    for mean in [0.4, 7.0, 300.0] {
        let law = Poisson::new(mean).expect("right");
        check(
            &format!("{{ poisson = {{ mean = {mean} }} }}"),
            &format!("{{ poisson = {{ mean = '{mean} * k' }} }}"),
            &|x| law.cdf(x as u64),
            true,
            mean,
            mean.sqrt(),
        );
    }
    for (mean, dispersion) in [(3.0, 0.8), (50.0, 4.0)] {
        let law = NegativeBinomial::new(dispersion, dispersion / (dispersion + mean)).expect("right");
        check(
            &format!("{{ negative_binomial = {{ mean = {mean}, dispersion = {dispersion} }} }}"),
            &format!("{{ negative_binomial = {{ mean = '{mean} * k', dispersion = '{dispersion} * k' }} }}"),
            &|x| law.cdf(x as u64),
            true,
            mean,
            (mean + mean * mean / dispersion).sqrt(),
        );
    }
    let law = Binomial::new(0.3, 40).expect("right");
    check(
        "{ binomial = { n = 40, p = 0.3 } }",
        "{ binomial = { n = '40 * k', p = '0.3 * k' } }",
        &|x| law.cdf(x as u64),
        true,
        12.0,
        8.4f64.sqrt(),
    );
    let law = Geometric::new(0.2).expect("right");
    check("{ geometric = { p = 0.2 } }", "{ geometric = { p = '0.2 * k' } }", &|x| law.cdf(x as u64 + 1), true, 4.0, 20f64.sqrt());
    let _ = law.pmf(1);
}

#[test]
fn zipf_of_few_and_of_many() {
    for (n, exponent) in [(50u64, 1.0), (5_000, 1.4), (2_000_000, 0.9)] {
        let whole: f64 = (1..=n).map(|k| (k as f64).powf(-exponent)).sum();
        let mut sums = vec![0.0];
        for k in 1..=n {
            sums.push(sums[k as usize - 1] + (k as f64).powf(-exponent) / whole);
        }
        check(
            &format!("{{ zipf = {{ n = {n}, exponent = {exponent} }} }}"),
            &format!("{{ zipf = {{ n = '{n} * k', exponent = '{exponent} * k' }} }}"),
            &|x| sums[x as usize],
            true,
            f64::NAN,
            f64::INFINITY,
        );
    }
}

#[test]
fn mixtures_quantiles_and_truncation() {
    let parts = [Normal::new(0.0, 1.0).expect("right"), Normal::new(6.0, 0.5).expect("right")];
    let cdf = |x: f64| 0.25 * parts[0].cdf(x) + 0.75 * parts[1].cdf(x);
    let part =
        |weight: &str, mean: &str, sd: &str| format!("{{ weight = {weight}, draw = {{ normal = {{ mean = {mean}, sd = {sd} }} }} }}");
    let sd = (0.25 + 0.75 * 0.25 + 0.25 * 0.75 * 36.0f64).sqrt();
    check(
        &format!("{{ mixture = [{}, {}] }}", part("1", "0", "1"), part("3", "6", "0.5")),
        &format!("{{ mixture = [{}, {}] }}", part("'k'", "0", "1"), part("'3 * k'", "'6 * k'", "0.5")),
        &cdf,
        false,
        4.5,
        sd,
    );
    let table = drawn("{ normal = { mean = 3, sd = 2 } }", "truncate = [2, 4.5]");
    let law = Normal::new(3.0, 2.0).expect("right");
    let (low, high) = (law.cdf(2.0), law.cdf(4.5));
    let distance = distance(numbers(&table, "x"), |x| ((law.cdf(x) - low) / (high - low)).clamp(0.0, 1.0), false);
    assert!(p_value(distance, ROWS) > 0.001, "{distance}");
    let table = drawn("{ quantiles = [0, 1, 5, 6] }", "");
    let cdf = |x: f64| {
        if x < 1.0 {
            x / 3.0
        } else if x < 5.0 {
            1.0 / 3.0 + (x - 1.0) / 12.0
        } else {
            2.0 / 3.0 + (x - 5.0) / 3.0
        }
    };
    let found = support::distance(numbers(&table, "x"), cdf, false);
    assert!(p_value(found, ROWS) > 0.001, "{found}");
}

#[test]
fn weights_are_met_within_three_standard_errors() {
    for draw in ["{ categories = { a = 5, b = 3, c = 0, d = 2 } }", "{ categories = { a = '5 * k', b = '3 * k', c = 0, d = '2 * k' } }"] {
        let table = drawn(draw, "");
        let (codes, levels) = table.column("x").expect("there").categories().expect("labels");
        for (label, share) in [("a", 0.5), ("b", 0.3), ("c", 0.0), ("d", 0.2)] {
            let code = levels.iter().position(|level| level == label).expect("a level") as u32;
            let found = codes.iter().filter(|&&c| c == code).count() as f64 / ROWS as f64;
            assert!((found - share).abs() <= 3.0 * (share * (1.0 - share) / ROWS as f64).sqrt(), "{draw}: {label} {found}");
        }
    }
}

#[test]
fn correlations_are_those_asked_for() {
    let text = format!(
        r#"
[[table]]
name = "t"
rows = {ROWS}
[[table.column]]
name = "a"
draw = {{ lognormal = {{ mu = 0, sigma = 1 }} }}
[[table.column]]
name = "b"
draw = {{ gamma = {{ shape = 2, scale = 1 }} }}
[[table.column]]
name = "c"
draw = {{ uniform = {{ min = 0, max = 1 }} }}
[[table.column]]
name = "d"
draw = {{ normal = {{ mean = 0, sd = 1 }} }}
[[table.correlation]]
columns = ["a", "c", "b"]
matrix = [[1, 0.6, -0.3], [0.6, 1, 0.2], [-0.3, 0.2, 1]]
"#
    );
    let table = rows(&text, "t", 5);
    let rank = |name: &str| ranks(numbers(&table, name));
    for (a, b, wanted) in [("a", "c", 0.6), ("a", "b", -0.3), ("b", "c", 0.2), ("a", "d", 0.0)] {
        let found = pearson(&rank(a), &rank(b));
        assert!((found - wanted).abs() < 0.01, "{a} {b}: {found}");
    }
    // The marginals are as before.
    let gamma = Gamma::new(2.0, 1.0).expect("right");
    assert!(p_value(distance(numbers(&table, "b"), |x| gamma.cdf(x), false), ROWS) > 0.001);
}

#[test]
fn days_follow_the_calendar() {
    let draw = "{ date = { from = \"2024-01-01\", to = \"2024-12-31\", business_days = true, months = [1,1,1,1,1,1,1,1,1,1,1,4] } }";
    let text =
        format!("holidays = [\"2024-12-25\"]\n[[table]]\nname = \"t\"\nrows = {ROWS}\n[[table.column]]\nname = \"x\"\ndraw = {draw}\n");
    let table = rows(&text, "t", 5);
    let days: Vec<i64> = numbers(&table, "x").iter().map(|time| (time / 86_400.0) as i64).collect();
    assert!(days.iter().all(|day| (day + 3).rem_euclid(7) < 5), "a weekend");
    // 2024-12-25 is day 20,082, and December begins at 20,058.
    assert!(days.iter().all(|&day| day != 20_082));
    let december = days.iter().filter(|&&day| day >= 20_058).count() as f64 / ROWS as f64;
    // 262 working days, of which 21 without the holiday are December's, four times as likely.
    let wanted = 84.0 / (262.0 - 22.0 + 84.0);
    assert!((december - wanted).abs() < 3.0 * (wanted * (1.0 - wanted) / ROWS as f64).sqrt(), "{december}, not {wanted}");
}

//! Scores and answers on texts whose law is known: alike, damaged, and copied.

use semblant_core::data::Data;
use semblant_core::seeds::Stream;
use semblant_data::text::Text;
use semblant_metrics::report::{Grade, Group, TextEvaluation, report_text};
use semblant_metrics::{Report, text};

const SUBJECTS: [&str; 8] = ["the cat", "my sister", "an old man", "the driver", "our teacher", "a small dog", "the queen", "nobody here"];
const VERBS: [&str; 8] = ["sees", "wants", "sold", "has painted", "forgot", "looks for", "broke", "returned"];
const OBJECTS: [&str; 10] = [
    "the bridge",
    "a red coat",
    "some apples",
    "the last letter",
    "his keys",
    "her piano",
    "a ticket",
    "the lamp",
    "two chairs",
    "that song",
];
const TIMES: [&str; 6] = ["today", "last week", "in the morning", "again", "before dinner", "on monday"];

/// Sentences of four drawn parts and a number, which no other has.
fn sentences(rows: std::ops::Range<u64>) -> Text {
    let stream = Stream::new(11, 0);
    let line = |row: u64| {
        let of = |place: u32, words: &[&'static str]| words[stream.below(row, place, words.len() as u64) as usize];
        let number = stream.below(row, 9, 100_000_000);
        format!("{} {} {} {} no {number}", of(0, &SUBJECTS), of(1, &VERBS), of(2, &OBJECTS), of(3, &TIMES))
    };
    Text::of_lines(rows.map(line))
}

fn report(real: &Text, synthetic: &Text, holdout: Option<&Text>) -> Report {
    report_text(real, synthetic, holdout, &TextEvaluation::default(), &mut |_| {}).expect("comparable")
}

fn grade(report: &Report, group: Group) -> Grade {
    report.verdicts.iter().find(|verdict| verdict.group == group).expect("an answer").grade
}

fn value(report: &Report, id: &str) -> f64 {
    report.score(id).and_then(|score| score.value).unwrap_or_else(|| panic!("{id} has a value"))
}

#[test]
fn texts_of_the_same_law_are_good_in_every_way() {
    let (real, synthetic, holdout) = (sentences(0..800), sentences(2000..2800), sentences(5000..5400));
    let found = report(&real, &synthetic, Some(&holdout));
    for group in [Group::Fidelity, Group::Utility, Group::Privacy] {
        assert_eq!(grade(&found, group), Grade::Good, "{group:?}: {:?}", found.verdicts);
    }
    assert!(value(&found, "text_discriminative") < 0.1 && value(&found, "ngram_area") > 0.8);
    assert_eq!((value(&found, "novelty"), value(&found, "copies")), (1.0, 0.0));
    assert_eq!(found, report(&real, &synthetic, Some(&holdout)), "every random choice has a seed");
    let alone = report(&real, &synthetic, None);
    assert_eq!(grade(&alone, Group::Privacy), Grade::Unknown);
    assert!(alone.score("long_passages").expect("listed").undefined.is_some() && value(&alone, "reverse_bits") > 0.0);
}

#[test]
fn copies_are_found_and_counted() {
    let (real, holdout) = (sentences(0..800), sentences(5000..5400));
    // A tenth of the texts are training texts; a second set has parts of them in new ones.
    let mixed = Text::concat(vec![sentences(2000..2720), real.select(&(0..80).collect::<Vec<_>>())]).expect("alike");
    let found = report(&real, &mixed, Some(&holdout));
    assert_eq!(grade(&found, Group::Privacy), Grade::Poor, "{:?}", found.verdicts);
    assert_eq!((value(&found, "copies"), value(&found, "novelty")), (0.1, 0.9));
    // Some copies are shorter than what new sentences have in common with old ones.
    assert!((0.04..0.14).contains(&value(&found, "long_passages")), "{}", value(&found, "long_passages"));
    let passages = found.section("passages").expect("there");
    assert!(passages.text.contains("Of the holdout"));
    let whole = report(&real, &real, Some(&holdout));
    assert_eq!((value(&whole, "copies"), value(&whole, "novelty")), (1.0, 0.0));
}

#[test]
fn damage_is_seen() {
    let (real, holdout) = (sentences(0..800), sentences(5000..5400));
    let changed = |change: &dyn Fn(&str) -> String| Text::of_lines(sentences(2000..2800).iter().map(change));
    let reversed = report(&real, &changed(&|text| text.split(' ').rev().collect::<Vec<_>>().join(" ")), Some(&holdout));
    assert!(value(&reversed, "text_discriminative") > 0.3);
    assert_eq!((grade(&reversed, Group::Fidelity), grade(&reversed, Group::Utility)), (Grade::Poor, Grade::Poor));
    // The same sentence with other numbers: no diversity is left.
    let repeated = changed(&|text| format!("the cat sees the bridge today no {}", text.rsplit(' ').next().unwrap_or_default()));
    let repeated = report(&real, &repeated, Some(&holdout));
    let of = |id: &str| {
        let score = repeated.score(id).expect("listed");
        (score.value.expect("a value"), score.reference.expect("a reference"))
    };
    for id in ["distinct_2", "entropy_2", "ngram_area"] {
        assert!(of(id).0 < 0.9 * of(id).1, "{id}: {:?}", of(id));
    }
    assert!(of("self_bleu").0 > 1.05 * of("self_bleu").1, "{:?}", of("self_bleu"));
    let cut = report(&real, &changed(&|text| text.chars().take(20).collect()), Some(&holdout));
    assert!(value(&cut, "lengths") > 0.9);
}

#[test]
fn labels_are_judged() {
    let labelled = |rows: std::ops::Range<u64>, swapped: bool| {
        let texts = sentences(rows);
        let label = |index: usize| if texts.get(index).contains("the ") != swapped { "the" } else { "other" };
        texts.clone().with_labels((0..texts.count()).map(label)).expect("as many")
    };
    let (real, holdout) = (labelled(0..800, false), labelled(5000..5400, false));
    let good = report(&real, &labelled(2000..2800, false), Some(&holdout));
    assert!(value(&good, "class_accuracy") > 0.85 && value(&good, "label_f1") > 0.85, "{}", value(&good, "class_accuracy"));
    let bad = report(&real, &labelled(2000..2800, true), Some(&holdout));
    assert!(value(&bad, "class_accuracy") < 0.15 && value(&bad, "label_f1") < 0.2);
    assert!(report(&real, &sentences(2000..2100), None).score("class_accuracy").is_none());
}

#[test]
fn too_few_texts_are_refused() {
    let few = report_text(&sentences(0..5), &sentences(0..50), None, &TextEvaluation::default(), &mut |_| {});
    assert!(few.expect_err("refused").to_string().contains("--whole"));
    assert_eq!(text::area(&sentences(0..5), &sentences(0..50), 0), None);
}

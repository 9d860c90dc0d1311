//! The scores of text, each with the holdout's and that of training texts drawn anew.

use semblant_data::text::{Passage, Text};

use super::Compared;
use crate::report::{Direction, Group, ReferenceFrom, Score};
use crate::text::diversity::count;
use crate::text::{
    COPIED_FROM, Classifier, Ngrams, ORDER, area, copied, distinct, entropy, first_characters, has_ends, lengths_apart, novelty, self_bleu,
    told_apart, zipf,
};

/// Texts that self-BLEU judges, and that it compares them with.
const BLEU_TEXTS: [usize; 2] = [200, 1000];
/// The share of holdout texts that may have longer passages in common with the training texts.
pub(super) const BEYOND: f64 = 0.01;

/// A score with those of the controls.
pub(super) struct Scored {
    pub(super) score: Score,
    /// The holdout's.
    pub(super) holdout: Option<f64>,
    /// That of training texts drawn anew.
    pub(super) bootstrap: Option<f64>,
}

/// What a score is called and means.
struct About {
    id: &'static str,
    name: &'static str,
    group: Group,
    direction: Direction,
    meaning: &'static str,
    /// What it is by definition for equal sets, without a holdout.
    ideal: Option<f64>,
    /// What it needs where it has no value.
    needs: &'static str,
}

/// What is measured of a set beside the real texts.
type Measure<'a> = &'a dyn Fn(&Text) -> Option<f64>;

pub(super) fn of(compared: &Compared, seed: u64, stage: &mut dyn FnMut(&str)) -> Vec<Scored> {
    let Compared { real, units, alphabet, .. } = compared;
    let sets = [Some(real), Some(&compared.synthetic), Some(&compared.bootstrap), compared.holdout.as_ref()];
    let budget = sets.into_iter().flatten().map(|texts| count(texts, *units)).min().unwrap_or(0);
    let ends = has_ends(real);
    stage("models of n-grams");
    let of_real = Ngrams::fit(real.iter(), ORDER, *alphabet, ends);
    let mut all = vec![
        scored(&TOLD_APART, compared, &|texts| Some(told_apart(real, texts, *alphabet))),
        scored(&SURPRISE, compared, &|texts| Some(of_real.bits_per_character(texts.iter()))),
    ];
    all.extend(reverse(compared));
    stage("diversity");
    all.push(scored(&AREA, compared, &|texts| area(real, texts, seed)));
    let measures: [(&About, Measure<'_>); 6] = [
        (&DISTINCT_2, &|texts| distinct(texts, *units, 2, budget)),
        (&DISTINCT_4, &|texts| distinct(texts, *units, 4, budget)),
        (&ENTROPY, &|texts| entropy(texts, *units, 2, budget)),
        (&SELF_BLEU, &|texts| self_bleu(texts, *units, BLEU_TEXTS[0], BLEU_TEXTS[1])),
        (&ZIPF, &|texts| zipf(texts, *units, budget)),
        (&LENGTHS, &|texts| Some(lengths_apart(real, texts))),
    ];
    for (about, measure) in measures {
        let mut found = scored(about, compared, measure);
        if about.direction == Direction::NearReference && compared.holdout.is_none() {
            (found.score.reference, found.score.reference_from) = (measure(real), ReferenceFrom::WithinReal);
        }
        all.push(found);
    }
    stage("labels");
    all.extend(labels(compared));
    all.extend(privacy(compared));
    all
}

fn scored(about: &About, compared: &Compared, measure: Measure<'_>) -> Scored {
    let holdout = compared.holdout.as_ref().and_then(measure);
    of_values(about, measure(&compared.synthetic), holdout, measure(&compared.bootstrap))
}

fn of_values(about: &About, value: Option<f64>, holdout: Option<f64>, bootstrap: Option<f64>) -> Scored {
    let score = Score {
        id: about.id.into(),
        group: about.group,
        name: about.name.into(),
        value,
        interval: None,
        reference: holdout.or(about.ideal),
        reference_from: if holdout.is_some() { ReferenceFrom::Holdout } else { ReferenceFrom::Ideal },
        direction: about.direction,
        mark: None,
        meaning: about.meaning.into(),
        undefined: value.is_none().then(|| about.needs.into()),
    };
    Scored { score, holdout, bootstrap }
}

/// A model of n-grams that is trained on synthetic texts, tested on real ones: the text's "train on synthetic, test on real".
fn reverse(compared: &Compared) -> Option<Scored> {
    use semblant_core::data::Data;
    let Compared { real, synthetic, alphabet, .. } = compared;
    let part = |odd: usize| real.select(&(0..real.count()).filter(|index| index % 2 == odd).collect::<Vec<_>>());
    // Without a holdout one half of the real texts is kept for the test.
    let (train, test) = match &compared.holdout {
        Some(holdout) => (real.clone(), holdout.clone()),
        None => (part(0), part(1)),
    };
    let budget = train.characters().min(synthetic.characters());
    let bits = |texts: &Text| {
        let model = Ngrams::fit(first_characters(texts, budget).iter(), ORDER, *alphabet, has_ends(real));
        model.bits_per_character(test.iter())
    };
    let mut found = of_values(&REVERSE, Some(bits(synthetic)), None, None);
    (found.score.reference, found.score.reference_from) = (Some(bits(&train)), ReferenceFrom::TrainedOnReal);
    Some(found)
}

fn labels(compared: &Compared) -> Vec<Scored> {
    let Compared { real, synthetic, holdout, .. } = compared;
    let Some(classifier) = Classifier::fit(real).filter(|_| synthetic.labels().is_some()) else { return Vec::new() };
    let mut all = vec![scored(&CLASS_ACCURACY, compared, &|texts| classifier.balanced_accuracy(texts))];
    if let Some(holdout) = holdout.as_ref().filter(|holdout| holdout.labels().is_some()) {
        let by_synthetic = Classifier::fit(synthetic).and_then(|classifier| classifier.macro_f1(holdout));
        let mut found = of_values(&CLASS_F1, by_synthetic, None, None);
        (found.score.reference, found.score.reference_from) = (classifier.macro_f1(holdout), ReferenceFrom::TrainedOnReal);
        all.push(found);
    }
    all
}

fn privacy(compared: &Compared) -> Vec<Scored> {
    let Compared { real, passages: [made, drawn], held, .. } = compared;
    let beyond = |passages: &[Passage], limit: usize| {
        passages.iter().filter(|passage| passage.len() > limit).count() as f64 / passages.len().max(1) as f64
    };
    let limit = held.as_deref().map(|held| quantile(held, 1.0 - BEYOND));
    let share = |passages: &[Passage]| limit.map(|limit| beyond(passages, limit));
    let most = |passages: &[Passage]| Some(quantile(passages, 0.95) as f64);
    vec![
        of_values(&LONG_PASSAGES, share(made), held.as_deref().and_then(share), share(drawn)),
        of_values(&PASSAGE, most(made), held.as_deref().and_then(most), most(drawn)),
        scored(&COPIED, compared, &|texts| compared.holdout.as_ref().map(|_| copied(texts, real))),
        scored(&NOVELTY, compared, &|texts| Some(novelty(texts, real))),
    ]
}

/// The length that a share of passages does not exceed.
pub(super) fn quantile(passages: &[Passage], share: f64) -> usize {
    let mut lengths: Vec<usize> = passages.iter().map(Passage::len).collect();
    lengths.sort_unstable();
    let place = ((lengths.len() as f64 * share).ceil() as usize).clamp(1, lengths.len().max(1)) - 1;
    lengths.get(place).copied().unwrap_or(0)
}

const TOLD_APART: About = About {
    id: "text_discriminative",
    name: "Told apart by n-grams",
    group: Group::Fidelity,
    direction: Direction::Lower,
    meaning: "How well two models of n-grams, one of real and one of synthetic texts, tell further texts apart: AUC less 0.5, 0 is best, 0.5 worst.",
    ideal: Some(0.0),
    needs: "needs texts of both sets",
};
const SURPRISE: About = About {
    id: "bits_per_character",
    name: "Bits per character",
    group: Group::Fidelity,
    direction: Direction::NearReference,
    meaning: "What a character of a text costs under a model of n-grams of the real texts. Above the holdout's texts are odd, far below it they are copied or repeat what is usual.",
    ideal: None,
    needs: "needs texts",
};
const REVERSE: About = About {
    id: "reverse_bits",
    name: "Reverse bits per character",
    group: Group::Utility,
    direction: Direction::Lower,
    meaning: "What a character of real texts that were kept out costs under a model of n-grams that was trained on synthetic texts; the reference was trained on as many real characters.",
    ideal: None,
    needs: "needs texts",
};
const AREA: About = About {
    id: "ngram_area",
    name: "Area on hashed n-grams",
    group: Group::Fidelity,
    direction: Direction::Higher,
    meaning: "The area under the divergence curve of MAUVE (Pillutla et al. 2021), of texts embedded by hashed n-grams of characters instead of a language model: 1 is equal.",
    ideal: Some(1.0),
    needs: "needs 20 texts of each set",
};
const DISTINCT_2: About = About {
    id: "distinct_2",
    name: "Distinct pairs",
    group: Group::Fidelity,
    direction: Direction::NearReference,
    meaning: "The share of different ones among all pairs of words, or of characters where texts have hardly any words; sets of one size.",
    ideal: None,
    needs: "needs texts of two words",
};
const DISTINCT_4: About = About {
    id: "distinct_4",
    name: "Distinct fours",
    group: Group::Fidelity,
    direction: Direction::NearReference,
    meaning: "The same for four words or characters in a row.",
    ideal: None,
    needs: "needs texts of four words",
};
const ENTROPY: About = About {
    id: "entropy_2",
    name: "Entropy of pairs",
    group: Group::Fidelity,
    direction: Direction::NearReference,
    meaning: "The entropy of pairs of words or characters in bits: below the reference texts repeat themselves.",
    ideal: None,
    needs: "needs texts of two words",
};
const SELF_BLEU: About = About {
    id: "self_bleu",
    name: "Self-BLEU",
    group: Group::Fidelity,
    direction: Direction::NearReference,
    meaning: "How alike texts of one set are to each other: the mean of BLEU-4 of each against the others (Zhu et al. 2018), 1 is that all repeat one another.",
    ideal: None,
    needs: "needs two texts",
};
const ZIPF: About = About {
    id: "zipf",
    name: "Zipf's exponent",
    group: Group::Fidelity,
    direction: Direction::NearReference,
    meaning: "How fast the frequencies of the 500 most frequent words or characters fall with their rank.",
    ideal: None,
    needs: "needs ten different words",
};
const LENGTHS: About = About {
    id: "lengths",
    name: "Lengths",
    group: Group::Fidelity,
    direction: Direction::Lower,
    meaning: "The largest difference between the distribution functions of the numbers of characters, 0 is equal.",
    ideal: Some(0.0),
    needs: "needs texts",
};
const CLASS_ACCURACY: About = About {
    id: "class_accuracy",
    name: "Labels kept",
    group: Group::Validity,
    direction: Direction::Higher,
    meaning: "The share of texts whose label a classifier of the real texts finds again, mean over labels.",
    ideal: Some(1.0),
    needs: "needs labels of both sets",
};
const CLASS_F1: About = About {
    id: "label_f1",
    name: "Classifier trained on synthetic",
    group: Group::Utility,
    direction: Direction::Higher,
    meaning: "F1, mean over labels, of a classifier that was trained on synthetic texts, on the holdout; the reference was trained on the real ones.",
    ideal: None,
    needs: "needs two labels among the synthetic texts",
};
const LONG_PASSAGES: About = About {
    id: "long_passages",
    name: "Long passages in common",
    group: Group::Privacy,
    direction: Direction::Lower,
    meaning: "The share of texts that have a longer passage in common with the training texts than 99 of 100 holdout texts.",
    ideal: None,
    needs: "needs a holdout",
};
const PASSAGE: About = About {
    id: "passage_95",
    name: "Longest passage, 95th percentile",
    group: Group::Privacy,
    direction: Direction::Lower,
    meaning: "Characters of the longest passage that a text has in common with the training texts; of 95 in 100 texts it is at most so long.",
    ideal: None,
    needs: "needs texts",
};
const COPIED: About = About {
    id: "copies",
    name: "Whole copies",
    group: Group::Privacy,
    direction: Direction::Lower,
    meaning: "The share of texts of at least 24 characters that are training texts, of all texts.",
    ideal: None,
    needs: "needs a holdout",
};
const NOVELTY: About = About {
    id: "novelty",
    name: "Novelty",
    group: Group::Privacy,
    direction: Direction::Higher,
    meaning: "The share of texts that are no training text, however short; without limits, since short texts such as names recur by nature unless a list holds each once.",
    ideal: None,
    needs: "needs texts",
};

const _: () = assert!(COPIED_FROM == 24, "the meaning of whole copies names it");

//! The evaluation of text.

mod columns;
mod scores;
mod sections;
mod verdict;

use semblant_core::data::Data;
use semblant_data::text::{Passage, Passages, Text};

pub(super) use self::columns::of_columns;
use self::scores::Scored;
use super::{FORMAT, Report, Sources, marks};
use crate::random::{random, subsample};
use crate::text::{Units, first_characters};
use crate::{Error, Result};

/// Purposes of random numbers: which texts are compared, and which training texts are drawn anew.
const CHOSEN: u64 = 0x8020;
const BOOTSTRAP: u64 = 0x8030;

/// The fewest texts of a set that are compared.
const LEAST_TEXTS: usize = 10;
/// The most texts and characters of a set that are compared; passages are searched in all training texts.
const MOST_TEXTS: usize = 20_000;
const MOST_CHARACTERS: usize = 2_000_000;

/// How to evaluate text.
#[derive(Debug, Clone, Default)]
pub struct TextEvaluation {
    /// Draws which texts are compared and shown.
    pub seed: u64,
    /// Names of the data sets, the model and the date, for the report; counts are filled in.
    pub sources: Sources,
}

/// The texts that are compared.
struct Compared {
    real: Text,
    synthetic: Text,
    holdout: Option<Text>,
    /// Training texts drawn with replacement: what copying scores.
    bootstrap: Text,
    units: Units,
    /// Characters of all sets.
    alphabet: usize,
    /// The longest passages that texts have in common with any training text: synthetic, bootstrap and holdout.
    passages: [Vec<Passage>; 2],
    held: Option<Vec<Passage>>,
}

/// Compares `synthetic` texts with `real` ones, the training set of their generator, and with a `holdout` of the same source; `stage` receives the name
/// of each stage as it starts.
///
/// # Errors
/// Too few texts, and more text than there may be memory for.
pub fn report_text(
    real: &Text,
    synthetic: &Text,
    holdout: Option<&Text>,
    evaluation: &TextEvaluation,
    stage: &mut dyn FnMut(&str),
) -> Result<Report> {
    let TextEvaluation { seed, sources } = evaluation;
    for (texts, which) in [(Some(real), "real"), (Some(synthetic), "synthetic"), (holdout, "holdout")] {
        if let Some(texts) = texts.filter(|texts| texts.count() < LEAST_TEXTS) {
            let what = format!(
                "{} {which} texts are too few to compare, {LEAST_TEXTS} are needed; one long text is cut into parts with --whole 256",
                texts.count()
            );
            return Err(Error::Tables(what));
        }
    }
    stage("passages in common");
    let compared = Compared::of(real, synthetic, holdout, *seed)?;
    let scored = scores::of(&compared, *seed, stage);
    stage("figures");
    let sections = [
        Some(sections::reading()),
        Some(sections::limits()),
        Some(sections::samples(&compared, *seed)),
        Some(sections::controls(&scored)),
        sections::copied(&compared),
        Some(sections::distributions(&compared)),
        sections::frequent(&compared),
        sections::labels(&compared),
    ];
    let mut scores: Vec<_> = scored.iter().map(|scored| scored.score.clone()).collect();
    let sizes = [compared.synthetic.count(), compared.holdout.as_ref().map_or(compared.real.count(), Text::count)];
    marks::set(&mut scores, sizes);
    let mean = real.characters() as f64 / real.count() as f64;
    Ok(Report {
        format: FORMAT,
        kind: "text".into(),
        sources: sources.filled(
            "texts",
            format!("{mean:.0} characters on average"),
            [real.count(), synthetic.count()],
            holdout.map(Text::count),
        ),
        seed: *seed,
        verdicts: verdict::verdicts(&scored, sizes),
        scores,
        sections: sections.into_iter().flatten().collect(),
        notes: notes(&compared, [real, synthetic]),
    })
}

impl Compared {
    fn of(real: &Text, synthetic: &Text, holdout: Option<&Text>, seed: u64) -> Result<Self> {
        let some = |texts: &Text, purpose: u64| {
            let chosen = subsample(texts.count(), MOST_TEXTS, seed, CHOSEN + purpose);
            first_characters(&texts.select(&chosen), MOST_CHARACTERS)
        };
        let (own, made, kept) = (some(real, 0), some(synthetic, 1), holdout.map(|texts| some(texts, 2)));
        let mut random = random(seed, BOOTSTRAP);
        let drawn: Vec<usize> = (0..made.count()).map(|_| random.below(own.count())).collect();
        let bootstrap = own.select(&drawn);
        // Of a long text, passages may reach from one part into the next.
        let all = Passages::new(real.runs())?;
        let passages = [&made, &bootstrap].map(|texts| all.longest_of(texts.iter()));
        let held = kept.as_ref().map(|texts| all.longest_of(texts.iter()));
        let sets: Vec<&Text> = [&own, &made].into_iter().chain(&kept).collect();
        let (units, alphabet) = (Units::of(&own), crate::text::alphabet(&sets));
        Ok(Self { real: own, synthetic: made, holdout: kept, bootstrap, units, alphabet, passages, held })
    }
}

fn notes(compared: &Compared, [real, synthetic]: [&Text; 2]) -> Vec<String> {
    let mut notes = vec![
        "Likelihoods are those of models of n-grams, which every reader can fit again; they see six characters and judge no meaning."
            .to_owned(),
        format!(
            "N-grams of this report are of {}; sets are compared at one size, since all such counts depend on it.",
            compared.units.name()
        ),
        "The area on hashed n-grams has the formula of MAUVE and not its embedding: it is not comparable with published values.".into(),
    ];
    if compared.real.count() < real.count() || compared.synthetic.count() < synthetic.count() {
        notes.push(format!(
            "{} of {} real and {} of {} synthetic texts are compared; passages are searched in all real ones.",
            compared.real.count(),
            real.count(),
            compared.synthetic.count(),
            synthetic.count()
        ));
    }
    if compared.holdout.is_none() {
        notes.push("Without a holdout no copies can be told from phrases that everyone uses: give texts that the model never saw.".into());
    }
    notes
}

fn by_id<'a>(scored: &'a [Scored], id: &str) -> Option<&'a Scored> {
    scored.iter().find(|scored| scored.score.id == id)
}

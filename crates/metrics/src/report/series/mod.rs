//! The evaluation of series.

mod calendar;
mod general;
mod scores;
mod sections;
mod verdict;

use burn::tensor::Device;
use semblant_data::series::{Series, Windows};

use self::scores::Scored;
use super::{FORMAT, Report, Sources, marks};
use crate::random::random;
use crate::series::scaled;
use crate::{Error, Result};

/// Purpose of random numbers: which windows the block bootstrap draws.
const BOOTSTRAP: u64 = 0x7020;

/// The fewest windows of a set that are compared.
const LEAST_WINDOWS: usize = 10;

/// How to evaluate series.
#[derive(Debug, Clone)]
pub struct SeriesEvaluation {
    /// How often networks are trained for a score, each time with another seed; scores are means, with intervals.
    pub repeats: usize,
    /// The first of these seeds.
    pub seed: u64,
    /// Where encoders are trained.
    pub device: Device,
    /// Names of the data sets, the model and the date, for the report; counts are filled in.
    pub sources: Sources,
}

/// The windows that are compared, with columns at 0..1.
struct Compared {
    real: Windows,
    synthetic: Windows,
    holdout: Option<Windows>,
    /// Real windows drawn with replacement: what copying scores.
    bootstrap: Windows,
}

/// Compares `synthetic` series with `real` ones, the training set of their generator, and with a `holdout`, such as a later part of the same series;
/// `stage` receives the name of each stage as it starts. Windows of numbers have the scores of the field's protocol; series of other columns, or of
/// different lengths, have scores that every form has.
///
/// # Errors
/// Sets with different columns, and too few windows.
pub fn report_series(
    real: &Series,
    synthetic: &Series,
    holdout: Option<&Series>,
    evaluation: &SeriesEvaluation,
    stage: &mut dyn FnMut(&str),
) -> Result<Report> {
    let SeriesEvaluation { repeats, seed, device, sources } = evaluation;
    if *repeats == 0 {
        return Err(Error::Option { name: "repeats", what: "0 networks score nothing; train at least one".into() });
    }
    // Windows of numbers have scores of their own.
    let regular = [Some(real), Some(synthetic), holdout].map(|series| series.map(Series::regular).transpose());
    let (own, made, kept) = match regular {
        [Ok(Some(own)), Ok(Some(made)), Ok(kept)] => (own, made, kept),
        // More numbers than there may be memory for have no other scores.
        [Err(error @ semblant_data::Error::Memory(_)), ..]
        | [_, Err(error @ semblant_data::Error::Memory(_)), _]
        | [.., Err(error @ semblant_data::Error::Memory(_))] => return Err(error.into()),
        _ => return general::report(real, synthetic, holdout, evaluation, stage),
    };
    let compared = Compared::of(&own, &made, kept.as_ref(), *seed)?;
    let scored = scores::of(&compared, *repeats, *seed, device, stage)?;
    stage("figures");
    let names: Vec<&str> = real.rows().schema().names().collect();
    let sections = [
        Some(sections::reading()),
        Some(sections::limits()),
        Some(sections::controls(&scored)),
        Some(sections::paths([&own, &made], &names, *seed)),
        Some(sections::autocorrelations(&compared, &names)),
        Some(sections::spectra(&compared, &names)),
        sections::columns(&scored, &names),
        sections::scatter(&compared, *seed),
    ];
    let mut scores: Vec<_> = scored.iter().map(|scored| scored.score.clone()).collect();
    let sizes = [compared.synthetic.count, compared.holdout.as_ref().map_or(compared.real.count, |windows| windows.count)];
    marks::set(&mut scores, sizes);
    let description = format!("{} rows of {} columns", compared.real.length, compared.real.channels);
    Ok(Report {
        format: FORMAT,
        kind: "series".into(),
        sources: sources.filled("sequences", description, [real.count(), synthetic.count()], holdout.map(Series::count)),
        seed: *seed,
        verdicts: verdict::verdicts(&scored, sizes, holdout.is_some()),
        scores,
        sections: sections.into_iter().flatten().collect(),
        notes: notes(holdout.is_some()),
    })
}

impl Compared {
    fn of(real: &Windows, synthetic: &Windows, holdout: Option<&Windows>, seed: u64) -> Result<Self> {
        for (windows, which) in [(Some(real), "real"), (Some(synthetic), "synthetic"), (holdout, "holdout")] {
            let Some(Windows { count, length, channels, .. }) = windows else { continue };
            if (*length, *channels) != (real.length, real.channels) {
                return Err(Error::Tables(format!(
                    "the {which} sequences have {length} rows of {channels} columns, the real ones {} of {}; cut the same windows of both with --window",
                    real.length, real.channels
                )));
            }
            if *length < 2 || *count < LEAST_WINDOWS {
                return Err(Error::Tables(format!(
                    "{count} {which} sequences of {length} rows are too few to compare, {LEAST_WINDOWS} are needed; cut windows with --window 24"
                )));
            }
        }
        let (synthetic, holdout) = (scaled(synthetic, real), holdout.map(|windows| scaled(windows, real)));
        let real = scaled(real, real);
        let mut random = random(seed, BOOTSTRAP);
        let drawn: Vec<usize> = (0..synthetic.count).map(|_| random.below(real.count)).collect();
        Ok(Self { bootstrap: real.select(drawn), real, synthetic, holdout })
    }
}

fn notes(holdout: bool) -> Vec<String> {
    let mut notes = vec![
        "Windows that overlap are not independent: 1,000 windows of one series say less than 1,000 series would.".to_owned(),
        "The block bootstrap draws the training windows anew. A score that it reaches can be reached by copying; later windows of the same series, given as the holdout, cannot be copied.".into(),
        "Networks are trained for these scores, so published numbers depend on seeds, numbers of windows and libraries; compare models by one program.".into(),
    ];
    if !holdout {
        notes.push(
            "Without a holdout no copies can be told from windows that are alike by nature: give later windows of the same series.".into(),
        );
    }
    notes
}

fn by_id<'a>(scored: &'a [Scored], id: &str) -> Option<&'a Scored> {
    scored.iter().find(|scored| scored.score.id == id)
}

//! The details of the report on text.

use semblant_data::text::{Passage, Text};

use super::Compared;
use super::scores::{Scored, quantile};
use super::verdict::{COPIES, REVERSE, TOLD_APART};
use crate::random::subsample;
use crate::report::{Axis, Bars, Cell, Content, Curve, Curves, Distribution, Distributions, Grid, GridRow, Histogram, Section};
use crate::text::diversity::{count, frequencies};

/// Texts that are shown side by side, and passages.
const SHOWN: usize = 12;
/// Characters of a text that are shown.
const LONGEST: usize = 400;
/// Bins of histograms.
const BINS: usize = 30;

pub(super) fn reading() -> Section {
    Section::reading(
        "How near the synthetic texts come to the real ones in what n-grams show, beside what new real texts and training texts drawn anew reach, and whether long passages come from the training texts.",
        "Nothing of sense, truth or style beyond a few words, and not that no training text can be recognised.",
    )
}

pub(super) fn limits() -> Section {
    Section::limits_by_judgement([
        (
            "Fidelity",
            format!(
                "The AUC with which n-grams tell texts apart lies above the reference by more than {}: fair, {}: poor",
                TOLD_APART[0], TOLD_APART[1]
            ),
        ),
        (
            "Utility",
            format!(
                "Real texts cost more than {} times the bits that they cost after training on real texts: fair, {} times: poor",
                REVERSE[0], REVERSE[1]
            ),
        ),
        (
            "Privacy",
            format!(
                "The share of texts with long passages, or of whole copies, lies above the holdout's by three standard errors and {:.0} %: possible leakage, {:.0} %: leakage",
                100.0 * COPIES[0],
                100.0 * COPIES[1]
            ),
        ),
    ])
}

/// A text in one line, cut where it is long.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(LONGEST).map(|c| if c == '\n' { '\u{23ce}' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('\u{2026}');
    }
    shown
}

/// Real and synthetic texts side by side.
pub(super) fn samples(compared: &Compared, seed: u64) -> Section {
    let chosen = [&compared.real, &compared.synthetic].map(|texts| (texts, subsample(texts.count(), SHOWN, seed, 0x8040)));
    let cell = |(texts, chosen): &(&Text, Vec<usize>), row: usize| {
        let index = chosen.get(row).copied();
        let label = index.and_then(|index| texts.label(index)).map_or(String::new(), |label| format!("{label}: "));
        index.map_or(Cell::Empty, |index| Cell::Text(label + &shown(texts.get(index))))
    };
    let rows = (0..SHOWN).map(|row| GridRow { name: (row + 1).to_string(), cells: chosen.iter().map(|set| cell(set, row)).collect() });
    let text = "Texts drawn by the seed. The left ones are real: show this page to those who may see them.";
    Section::new("samples", "Samples side by side", text, Content::Table(Grid::new(&["", "Real", "Synthetic"], rows.collect())))
}

/// Every score beside those of the controls.
pub(super) fn controls(scored: &[Scored]) -> Section {
    let row = |scored: &Scored| GridRow {
        name: scored.score.name.clone(),
        cells: [scored.score.value, scored.holdout, scored.bootstrap].map(Cell::from).to_vec(),
    };
    let text = "The holdout is real and cannot be copied from the training texts; training texts drawn anew are nothing but copies.";
    let grid = Grid::new(&["Score", "Synthetic", "Holdout", "Training texts drawn anew"], scored.iter().map(row).collect());
    Section::new("controls", "Beside the controls", text, Content::Table(grid))
}

/// The synthetic texts with the longest passages in common with the training texts.
pub(super) fn copied(compared: &Compared) -> Option<Section> {
    let passages = &compared.passages[0];
    let mut order: Vec<usize> = (0..passages.len()).collect();
    order.sort_by_key(|&index| (std::cmp::Reverse(passages[index].len()), index));
    let row = |&index: &usize| {
        let text = compared.synthetic.get(index);
        let passage: String = text.chars().skip(passages[index].place.start).take(passages[index].len()).collect();
        let share = passages[index].len() as f64 / text.chars().count().max(1) as f64;
        GridRow {
            name: format!("text {}", index + 1),
            cells: vec![Cell::Count(passages[index].len()), Cell::from(Some(share)), Cell::Text(shown(&passage))],
        }
    };
    let rows: Vec<GridRow> = order.iter().take(SHOWN).filter(|&&index| !passages[index].is_empty()).map(row).collect();
    let typical = |passages: &[Passage]| format!("{} in the median, {} for 99 of 100", quantile(passages, 0.5), quantile(passages, 0.99));
    let holdout = compared.held.as_deref().map_or_else(|| "no holdout was given".to_owned(), typical);
    let text = format!(
        "The longest passages that synthetic texts have in common with training texts, in characters. Of the synthetic texts: {}. Of the holdout: {holdout}.",
        typical(passages)
    );
    let grid = Grid::new(&["Synthetic", "Characters", "Share of the text", "Passage"], rows.clone());
    (!rows.is_empty()).then(|| Section::new("passages", "Longest passages in common", text, Content::Table(grid)))
}

/// Numbers of characters, and lengths of passages.
pub(super) fn distributions(compared: &Compared) -> Section {
    let lengths = |texts: &Text| texts.iter().map(|text| text.chars().count()).collect::<Vec<usize>>();
    let mut charts = vec![Distribution::plain("characters", histogram(&lengths(&compared.real), &lengths(&compared.synthetic)))];
    if let Some(held) = &compared.held {
        let lengths = |passages: &[Passage]| passages.iter().map(Passage::len).collect::<Vec<usize>>();
        let bars = histogram(&lengths(held), &lengths(&compared.passages[0]));
        charts.push(Distribution::plain("longest passage in common with the training texts (real: the holdout)", bars));
    }
    let series = ["real".to_owned(), "synthetic".to_owned()];
    Section::new("lengths", "Lengths", "Characters of the texts and of passages.", Content::Distributions(Distributions { series, charts }))
}

fn histogram(real: &[usize], synthetic: &[usize]) -> Bars {
    let mut all: Vec<usize> = real.iter().chain(synthetic).copied().collect();
    all.sort_unstable();
    let low = all.first().copied().unwrap_or(0) as f64;
    // What is rarest and longest counts in the last bin.
    let high = (all.get(all.len().saturating_sub(1) * 99 / 100).copied().unwrap_or(0) as f64).max(low + 1.0);
    let bins = BINS.min((high - low).ceil() as usize).max(1);
    let shares = |lengths: &[usize]| {
        let mut shares = vec![0.0; bins];
        for &length in lengths {
            let bin = ((length as f64 - low) / (high - low) * bins as f64) as usize;
            shares[bin.min(bins - 1)] += 1.0 / lengths.len() as f64;
        }
        shares
    };
    Bars::Histogram(Histogram { axis: Axis::Number, low, high, real: shares(real), synthetic: shares(synthetic) })
}

/// How often frequent words occur.
pub(super) fn frequent(compared: &Compared) -> Option<Section> {
    let units = compared.units;
    let mut sets = vec![("real", &compared.real), ("synthetic", &compared.synthetic)];
    sets.extend(compared.holdout.as_ref().map(|holdout| ("holdout", holdout)));
    let budget = sets.iter().map(|(_, texts)| count(texts, units)).min().unwrap_or(0);
    let curve = |(of, texts): &(&str, &Text)| Curve {
        of: (*of).into(),
        values: frequencies(texts, units, budget).into_iter().map(|count| (count as f64).log10()).collect(),
    };
    let curves: Vec<Curve> = sets.iter().map(curve).collect();
    let ranks = curves.iter().map(|curve| curve.values.len()).min().unwrap_or(0);
    let curves = curves.into_iter().map(|curve| Curve { values: curve.values[..ranks].to_vec(), ..curve }).collect();
    let chart = Curves { name: units.name().into(), axis: ["most frequent".into(), format!("rank {ranks}")], curves };
    let text = format!("The logarithm to base 10 of how often the most frequent {} occur, in order.", units.name());
    (ranks > 1).then(|| Section::new("frequencies", "Frequencies", text, Content::Curves(vec![chart])))
}

/// Shares of labels.
pub(super) fn labels(compared: &Compared) -> Option<Section> {
    let names = &compared.real.labels()?.names;
    compared.synthetic.labels()?;
    let share = |texts: &Text, name: &str| {
        (0..texts.count()).filter(|&index| texts.label(index) == Some(name)).count() as f64 / texts.count().max(1) as f64
    };
    let bars = names.iter().map(|name| (name.clone(), share(&compared.real, name), share(&compared.synthetic, name))).collect();
    let series = ["real".to_owned(), "synthetic".to_owned()];
    let charts = vec![Distribution::plain(compared.real.layout().label_column(), Bars::Labels(bars))];
    Some(Section::new("labels", "Labels", "Shares of the labels.", Content::Distributions(Distributions { series, charts })))
}

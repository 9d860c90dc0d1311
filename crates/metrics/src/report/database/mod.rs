//! The evaluation of databases: that of the main table with all that comes by its rows, and what only databases have.

mod sections;

use semblant_data::database::Database;

use super::tables::{Options, evaluate};
use super::verdict::fidelity;
use super::{Direction, Grade, Group, ReferenceFrom, Report, Score, marks};
use crate::Result;
use crate::database::{Cardinality, Hops, ToldApart, aggregated, cardinalities, hops, told_apart};
use crate::table::binning::BinRule;
use crate::table::pairs::column_pair_trends;
use crate::table::shapes::column_shapes;

/// Of the least similar number of children: below these, the answer on fidelity is at most fair, and poor.
const CARDINALITY: [f64; 2] = [0.85, 0.6];

/// What is measured of a database beside the main table.
struct Compared {
    cardinalities: Vec<Cardinality>,
    hops: Hops,
    tables: Vec<OfTable>,
    /// The share of rows with sound keys.
    sound: f64,
}

/// What is measured of one table.
struct OfTable {
    name: String,
    rows: [usize; 2],
    shapes: Option<f64>,
    trends: Option<f64>,
    /// With what comes by its rows, for tables that something comes by.
    apart: Option<ToldApart>,
}

/// Compares `synthetic` with `real`, the training set of its generator, and with a `holdout`: the main table as a table whose rows are told with all that
/// refers to them ([`aggregated`]), so that utility and privacy are counted for each of those and not for each row of a child; and keys, numbers of children and
/// relations between tables. `options.target` may be any column of the aggregated table.
///
/// # Errors
/// Databases of other tables or keys, and as [`evaluate`].
pub fn report_database(
    real: &Database,
    synthetic: &Database,
    holdout: Option<&Database>,
    options: &Options,
    stage: &mut dyn FnMut(&str),
) -> Result<Report> {
    let root = real.root();
    stage("numbers of children, relations between tables");
    let compared = Compared::of(real, synthetic, options.seed)?;
    let of_holdout = holdout.map(|holdout| Compared::of(real, holdout, options.seed)).transpose()?;
    let table = |database: &Database| aggregated(database, root);
    let holdout_rows = holdout.map(table).transpose()?;
    let mut report = evaluate(&table(real)?, &table(synthetic)?, holdout_rows.as_ref(), options, stage)?;
    let mut scores = compared.scores(of_holdout.as_ref());
    marks::set(&mut scores, [synthetic.tables()[root].1.rows(), holdout.unwrap_or(real).tables()[root].1.rows()]);
    scores.append(&mut report.scores);
    report.scores = scores;
    report.kind = "database".into();
    report.sources.items = format!("rows of {}", real.tables()[root].0);
    report.sources.description = format!("{} tables with {} foreign keys", real.tables().len(), real.foreign_keys().count());
    lower(&mut report, &compared);
    let mut sections = vec![sections::diagram(real), sections::tables(&compared), sections::keys(&compared, of_holdout.as_ref())];
    sections.extend(sections::children(&compared));
    sections.push(sections::paths(&compared, of_holdout.as_ref()));
    // What says how the answers are to be read stays first.
    let first = usize::from(report.sections.first().is_some_and(|section| section.id == super::READING));
    report.sections.splice(first..first, sections);
    report.notes.push(format!(
        "Answers, utility and privacy are about rows of {}, each with the number of rows that refer to it, means of their numbers and counts of their labels: what can be told of one of them from the whole database.",
        real.tables()[root].0
    ));
    Ok(report)
}

impl Compared {
    fn of(real: &Database, other: &Database, seed: u64) -> Result<Self> {
        let mut tables = Vec::new();
        for (table, (name, rows)) in real.tables().iter().enumerate() {
            let parts = [real.content(table)?, other.content(table)?];
            let is_referred = real.foreign_keys().any(|(child, foreign)| real.target(child, foreign) == table);
            let apart = if is_referred { told_apart(&aggregated(real, table)?, &aggregated(other, table)?, seed)? } else { None };
            tables.push(OfTable {
                name: name.clone(),
                rows: [rows.rows(), other.tables()[table].1.rows()],
                // Tables of names alone have neither.
                shapes: column_shapes(&parts[0], &parts[1]).ok().and_then(|shapes| shapes.mean),
                trends: column_pair_trends(&parts[0], &parts[1], BinRule::EachTable).ok().and_then(|pairs| pairs.mean),
                apart,
            });
        }
        let left_out: usize = other.left_out().iter().map(|left| left.rows).sum();
        let kept: usize = other.tables().iter().map(|(_, table)| table.rows()).sum();
        Ok(Self {
            cardinalities: cardinalities(real, other)?,
            hops: hops(real, other, seed)?,
            tables,
            sound: kept as f64 / (kept + left_out).max(1) as f64,
        })
    }

    fn cardinality(&self) -> Option<f64> {
        mean(self.cardinalities.iter().map(|found| found.score))
    }

    /// The mean accuracy, and the mean floor.
    fn apart(&self) -> Option<(f64, f64)> {
        let found: Vec<&ToldApart> = self.tables.iter().filter_map(|table| table.apart.as_ref()).collect();
        Some((mean(found.iter().map(|found| found.accuracy))?, mean(found.iter().map(|found| found.floor))?))
    }

    fn scores(&self, of_holdout: Option<&Self>) -> Vec<Score> {
        let score = |id: &str, group, name: &str, value: Option<f64>, reference: (Option<f64>, Option<f64>), meaning: &str| Score {
            id: id.into(),
            group,
            name: name.into(),
            value,
            interval: None,
            reference: reference.0.or(reference.1),
            reference_from: if reference.0.is_some() { ReferenceFrom::Holdout } else { ReferenceFrom::Ideal },
            direction: Direction::Higher,
            mark: None,
            meaning: meaning.into(),
            undefined: value.is_none().then(|| "the tables have no such keys or columns".into()),
        };
        let holdout = |of: &dyn Fn(&Self) -> Option<f64>| (of_holdout.and_then(of), Some(1.0));
        let mut scores = vec![
            score(
                "sound_keys",
                Group::Validity,
                "Sound keys",
                Some(self.sound),
                (None, Some(1.0)),
                "The share of rows whose own key is no other row's and whose references are all there.",
            ),
            score(
                "cardinality",
                Group::Fidelity,
                "Numbers of children",
                self.cardinality(),
                holdout(&Self::cardinality),
                "1 - the Kolmogorov-Smirnov statistic of how many rows refer to each row; mean over foreign keys, 1 is equal.",
            ),
        ];
        for hops in 0..=self.hops.longest() {
            let name = match hops {
                0 => "Pairs within tables".to_owned(),
                1 => "Pairs across a reference".to_owned(),
                more => format!("Pairs across {more} references"),
            };
            let meaning = "The similarity of correlations and joint distributions of two columns, one of rows and one of the rows that they refer to; mean over pairs, 1 is equal.";
            let of = |compared: &Self| compared.hops.mean(hops);
            scores.push(score(&format!("hops_{hops}"), Group::Fidelity, &name, of(self), holdout(&of), meaning));
        }
        let apart = self.apart();
        let floor = apart.map(|(_, floor)| floor);
        scores.push(Score {
            direction: Direction::Lower,
            ..score(
                "c2st_agg",
                Group::Fidelity,
                "Told apart with children",
                apart.map(|(accuracy, _)| accuracy),
                (of_holdout.and_then(|holdout| Some(holdout.apart()?.0)), floor),
                "The accuracy of a classifier that tells synthetic from real rows by their columns and those of all that refers to them (C2ST-Agg); mean over tables, 0.5 is guessing. Without a holdout the reference is what two halves of the real rows reach.",
            )
        });
        scores
    }
}

fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let all: Vec<f64> = values.into_iter().collect();
    (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
}

/// Broken keys and wrong numbers of children lower the answer on fidelity.
fn lower(report: &mut Report, compared: &Compared) {
    let worst = compared.cardinalities.iter().min_by(|a, b| a.score.total_cmp(&b.score));
    let Some(verdict) = report.verdicts.iter_mut().find(|verdict| verdict.group == Group::Fidelity) else { return };
    let (grade, because) = match worst {
        _ if compared.sound < 1.0 => (Grade::Poor, format!("Keys of {:.2} % of the rows are broken.", 100.0 * (1.0 - compared.sound))),
        Some(worst) if worst.score < CARDINALITY[0] => {
            let grade = if worst.score < CARDINALITY[1] { Grade::Poor } else { Grade::Fair };
            (
                grade,
                format!(
                    "How many rows refer by {} to a row of {} is not as in the real data ({:.2} of 1).",
                    worst.key, worst.table, worst.score
                ),
            )
        }
        _ => return,
    };
    let rank = |grade: Grade| match grade {
        Grade::Poor => 0,
        Grade::Fair => 1,
        Grade::Unknown => 2,
        Grade::Good => 3,
    };
    let because = format!("{because} {}", verdict.because);
    *verdict =
        if rank(grade) < rank(verdict.grade) { fidelity(grade, None, because) } else { super::Verdict { because, ..verdict.clone() } };
}

//! The evaluation of a table, stage by stage.

mod effort;
mod evidence;
mod figures;
mod limits;
mod looks;
mod protocol;
mod scores;
mod sections;
mod verdict;

use std::borrow::Cow;
use std::time::Duration;

use burn::tensor::Device;
use semblant_data::table::{ColumnKind, ColumnSchema, Table};

use self::effort::Effort;
use self::looks::Looks;
pub use self::protocol::evaluate_tabsyn;
use self::scores::{Compared, Scores, Spread};
use super::texts::of_columns;
use super::{FORMAT, Report, Sources, marks};
use crate::learn::Learner;
use crate::membership::lira::{Generate, Shadows};
use crate::random::subsample;
use crate::table::align::align;
use crate::table::binning::BinRule;
use crate::table::copies::same_rows;
use crate::table::detection::detection_auc;
use crate::table::identifying::identifying_values;
use crate::table::pairs::column_pair_trends;
use crate::table::privacy::privacy;
use crate::table::rare_values::rare_values;
use crate::table::rules::{MOST_COLUMNS, Rules};
use crate::table::shapes::column_shapes;
use crate::table::utility::{Utility, UtilityOptions, utility};
use crate::{Error, Result};

/// How to evaluate a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The column whose prediction measures utility; `None` takes the real table's schema's target.
    pub target: Option<String>,
    /// Draws every subsample and fold.
    pub seed: u64,
    /// Most rows of each table for the distances, copies and detection; `None` uses all. Fewer rows are faster but miss some copies.
    pub max_rows: Option<usize>,
    /// About how long the evaluation may take on the threads there are: of each table as many rows are compared as that allows, by the seed, 1,000
    /// at least. Identifying values, rare values and validity take all rows. `None` compares all.
    pub budget: Option<Duration>,
    /// How numbers are binned when paired with categories.
    pub bins: BinRule,
    /// The kinds of models whose utility is measured.
    pub learners: Vec<Learner>,
    /// The columns that an attacker is to infer from the others, with those that the real table's schema marks `secret`; without any, each column.
    pub secret: Vec<String>,
    /// The columns whose groups are compared one by one, with those that the real table's schema marks `protected` and a categorical target.
    pub protected: Vec<String>,
    /// The device on which neural networks are trained.
    pub device: Device,
    /// Points per table in the scatter plot, and most rows its axes are fitted to (times ten).
    pub scatter_points: usize,
    /// Names of the tables, the model and the date, for the report; counts are filled in.
    pub sources: Sources,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            target: None,
            seed: 0,
            max_rows: None,
            budget: None,
            bins: BinRule::EachTable,
            learners: Learner::ALL.to_vec(),
            secret: Vec::new(),
            protected: Vec::new(),
            device: Device::flex(),
            scatter_points: 500,
            sources: Sources::default(),
        }
    }
}

/// Compares `synthetic` with `real`, the training set of its generator, and with `holdout`, real rows that were not in the training set
/// (without them, privacy is judged by copies, near copies and identifying values only). `progress` receives the name of each stage as it starts.
///
/// A score that is not defined for these tables is reported with the reason and does not stop the others.
///
/// # Errors
/// [`Error::Tables`] when the tables share no column or one has no rows, [`Error::Data`] when the target or another named column does not exist.
pub fn evaluate(
    real: &Table,
    synthetic: &Table,
    holdout: Option<&Table>,
    options: &Options,
    progress: &mut dyn FnMut(&str),
) -> Result<Report> {
    evaluate_with_shadows(real, synthetic, holdout, options, None, progress)
}

/// As [`evaluate`], with membership inference by shadow models ([`crate::membership::lira`]) if `shadows` has a plan and a function that trains
/// a new model.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_with_shadows(
    real: &Table,
    synthetic: &Table,
    holdout: Option<&Table>,
    options: &Options,
    shadows: Option<(&Shadows, Generate<Table>)>,
    progress: &mut dyn FnMut(&str),
) -> Result<Report> {
    let target = options.target.as_deref().or(real.schema().target.as_deref());
    if let Some(target) = target {
        real.schema().index_of(target)?;
    }
    for name in options.secret.iter().chain(&options.protected) {
        real.schema().index_of(name)?;
    }
    let aligned = align(&[real, synthetic])?;
    // Most privacy scores compare all three tables at once.
    let comparable = |holdout: &Table| -> Result<bool> {
        align(&[real, holdout])?;
        Ok(align(&[real, synthetic, holdout]).is_ok())
    };
    let given = holdout;
    let holdout = match given {
        Some(holdout) if !comparable(holdout)? => None,
        other => other,
    };
    let all = Compared { real, synthetic, holdout };
    let effort_of_all = Effort::new(&all, aligned[0].columns().len(), target, options);
    let effort = options.budget.map_or(effort_of_all, |budget| effort_of_all.within(budget, rayon::current_num_threads()));
    let part = |table, purpose| most(table, effort.rows, options.seed, purpose);
    let (real, synthetic, holdout) = (part(real, 18), part(synthetic, 19), holdout.map(|holdout| part(holdout, 20)));
    let (real, synthetic, holdout) = (real.as_ref(), synthetic.as_ref(), holdout.as_deref());
    let mut progress = |stage: &str| match effort.done(stage) {
        Some(done) => progress(&format!("{stage}, {:.0} % done", 100.0 * done)),
        None => progress(stage),
    };
    let mut scores = Scores { list: Vec::new(), holdout: holdout.is_some() };

    progress("column shapes");
    let shapes = column_shapes(real, synthetic)?;
    let shapes_holdout = holdout.map(|holdout| column_shapes(real, holdout)).transpose()?;
    progress("column pair trends");
    let pairs = column_pair_trends(real, synthetic, options.bins)?;
    let pairs_holdout = holdout.map(|holdout| column_pair_trends(real, holdout, options.bins)).transpose()?;
    progress("intervals");
    let spread = Spread::of_fidelity(real, synthetic, options.bins, options.seed)?;
    scores.fidelity(&shapes, shapes_holdout.as_ref(), &pairs, pairs_holdout.as_ref(), &spread);

    progress("detection");
    let cut = |table, purpose| most(table, effort.cut, options.seed, purpose);
    let (real_cut, synthetic_cut, holdout_cut) = (cut(real, 11), cut(synthetic, 12), holdout.map(|holdout| cut(holdout, 13)));
    let detect = |other: &Table, of: &Table| detection_auc(of, other, options.seed);
    let reference = holdout_cut.as_deref().and_then(|holdout| detect(holdout, &real_cut).ok());
    let detection = detect(&synthetic_cut, &real_cut);
    let detected = detection.as_ref().ok().copied();
    let against_holdout = holdout_cut.as_deref().map(|holdout| detect(&synthetic_cut, holdout));
    scores.detection(detection, reference.map(|found| found.value), against_holdout)?;

    let whole = Compared { real, synthetic, holdout };
    let cut = Compared { real: &real_cut, synthetic: &synthetic_cut, holdout: holdout_cut.as_deref() };
    progress("relations and groups");
    let looks = Looks::new(&whole, detected, &groups(real, target, options), options.seed)?;
    scores.looks(&looks);
    progress("coverage and distances between distributions");
    scores.distributions(&whole, options.seed)?;
    scores.accuracy(&whole, options.seed)?;
    progress("support");
    scores.support(&cut, options.seed)?;

    progress("utility");
    let utility = scores.utility(target, target.map(|target| train_and_test(&whole, target, options)))?;

    progress("privacy");
    let privacy = privacy(&real_cut, &synthetic_cut, holdout_cut.as_deref(), options.seed)?;
    let identifying = identifying_values(all.real, all.synthetic, all.holdout);
    scores.identifying(&identifying);
    scores.privacy(&privacy);
    progress("disclosure");
    scores.protection(&privacy, &cut, target, options.seed)?;

    progress("attacks");
    let mut attacks = scores.attacks(&cut, &secrets(real, options), options.seed)?;
    if let Some((shadows, generate)) = shadows {
        progress("shadow models");
        attacks.membership.extend(scores.shadows(&whole, shadows, generate)?);
    }

    progress("validity");
    scores.validity(all.real, all.synthetic, all.holdout)?;
    progress("rules");
    let rules = scores.rules(&whole, options.seed)?;

    marks::set(&mut scores.list, [privacy.synthetic.distances.len(), privacy.reference().map_or(1, |new| new.distances.len())]);
    let (of_texts, texts) = of_columns([real, synthetic], holdout, options.seed, &mut progress)?;
    progress("figures");
    let rare = all.holdout.map_or_else(Vec::new, |holdout| rare_values(all.real, all.synthetic, holdout));
    let tests = holdout.map(|_| evidence::tests(&privacy, &attacks, &rare));
    let leaks = verdict::Leaks {
        attacks: &attacks,
        privacy: &privacy,
        identifying: &identifying,
        tests: tests.as_ref(),
        same_rows: same_rows(all.real, all.synthetic)?,
    };
    let verdicts = verdict::verdicts(&scores.list, &looks, utility.as_ref(), &leaks, holdout.is_some());
    let columns = sections::columns(&aligned, &shapes, shapes_holdout.as_ref());
    let names = aligned[0].schema().names().map(str::to_owned).collect();
    let sections = [
        Some(sections::reading()),
        utility.as_ref().map(|utility| sections::models(utility, holdout.is_some())),
        utility.as_ref().and_then(sections::classes),
        utility.as_ref().and_then(sections::group_utility),
        utility.as_ref().and_then(sections::fairness),
        looks.relations_section(),
        looks.labels_section(),
        looks.groups_section(),
        tests.as_ref().map(|tests| {
            tests.section("rows", "the share of rows or values beyond what the holdout has, the risk of an attack, or an AUC less 0.5")
        }),
        sections::attacks(&attacks),
        sections::identifying(&identifying),
        rules.as_ref().map(sections::rules),
        Some(columns),
        sections::pairs(names, &pairs.pairs),
        sections::rows(&aligned, options.scatter_points, options.seed),
        Some(sections::distances(&privacy)),
        Some(limits::section(holdout.is_some())),
    ];
    let description = format!("{} columns compared", aligned[0].columns().len());
    Ok(Report {
        format: FORMAT,
        kind: "table".into(),
        sources: options.sources.filled("rows", description, [all.real.rows(), all.synthetic.rows()], all.holdout.map(Table::rows)),
        seed: options.seed,
        verdicts,
        scores: scores.list.into_iter().chain(of_texts).collect(),
        sections: sections.into_iter().flatten().chain(texts).collect(),
        notes: notes(&all, given.is_some(), &aligned[0], rules.as_ref(), effort),
    })
}

/// At most `rows` rows, drawn by the seed.
fn most(table: &Table, rows: usize, seed: u64, purpose: u64) -> Cow<'_, Table> {
    if rows < table.rows() { Cow::Owned(table.take(&subsample(table.rows(), rows, seed, purpose))) } else { Cow::Borrowed(table) }
}

/// The columns named in the options or marked in the schema.
fn secrets(real: &Table, options: &Options) -> Vec<String> {
    named(real, &options.secret, |column| column.secret)
}

/// The columns whose groups are compared: the target, if it has labels, and protected ones.
fn groups(real: &Table, target: Option<&str>, options: &Options) -> Vec<String> {
    let mut names: Vec<String> = options.protected.clone();
    names.extend(target.map(str::to_owned));
    named(real, &names, |column| column.protected)
}

fn named(real: &Table, names: &[String], marked: impl Fn(&ColumnSchema) -> bool) -> Vec<String> {
    let wanted = |column: &&ColumnSchema| marked(column) || names.contains(&column.name);
    real.schema().columns.iter().filter(wanted).map(|column| column.name.clone()).collect()
}

/// Utility on the holdout; without one, on a fifth of the real rows, which the model trained on real rows is not trained on.
fn train_and_test(tables: &Compared, target: &str, options: &Options) -> Result<Utility> {
    let Compared { real, synthetic, holdout } = *tables;
    let mut protected = named(real, &options.protected, |column| column.protected);
    protected.retain(|name| name != target);
    let how = UtilityOptions { learners: options.learners.clone(), seed: options.seed, protected, device: options.device.clone() };
    if let Some(holdout) = holdout {
        return utility(real, synthetic, holdout, target, &how);
    }
    let test = subsample(real.rows(), real.rows().div_ceil(5), options.seed, 14);
    let train: Vec<usize> = (0..real.rows()).filter(|row| test.binary_search(row).is_err()).collect();
    if train.is_empty() {
        return Err(Error::Undefined("the real table has too few rows to split".into()));
    }
    utility(&real.take(&train), synthetic, &real.take(&test), target, &how)
}

fn notes(tables: &Compared, given: bool, aligned: &Table, rules: Option<&Rules>, effort: Effort) -> Vec<String> {
    let Compared { real, synthetic, holdout } = *tables;
    let mut notes = Vec::new();
    // Columns of free text have scores of their own.
    let is_left_out = |column: &&ColumnSchema| column.kind != ColumnKind::Text && aligned.schema().index_of(&column.name).is_err();
    let left_out: Vec<&str> = real.schema().columns.iter().filter(is_left_out).map(|column| column.name.as_str()).collect();
    if !left_out.is_empty() {
        notes.push(format!(
            "Columns not compared, because they are ids, constant, or not in both tables with one type: {}.",
            left_out.join(", ")
        ));
    }
    if let Some(rules) = rules.filter(|rules| !rules.unsearched.is_empty()) {
        notes.push(format!(
            "Rules were searched among the first {MOST_COLUMNS} columns of numbers and the first {MOST_COLUMNS} of labels only; {} columns were left out.",
            rules.unsearched.len()
        ));
    }
    if let Some(rules) = rules.filter(|rules| rules.left_out > 0) {
        notes.push(format!("{} more rules hold in every real row; those that say most are listed and scored.", rules.left_out));
    }
    if given && holdout.is_none() {
        notes.push("The holdout was left out, because no column is in all three tables with one type.".into());
    }
    if holdout.is_none() {
        notes.push("Without a holdout, references are ideal values or those of the real rows among themselves; privacy is judged by copies, near copies and identifying values, without attacks. A fifth of the real rows was held out to test utility: the model trained on real rows learns from the other four fifths, but the generator may have seen all of them, which flatters it.".into());
    }
    let longest = real.rows().max(synthetic.rows()).max(holdout.map_or(0, Table::rows));
    if effort.rows < longest {
        let (rows, share) = (effort.rows, (effort.rows as f64 / real.rows() as f64).min(1.0));
        notes.push(format!(
            "Within the time budget {rows} random rows of each table are compared, which takes about {:.0} s of one core; identifying values, rare values and validity take all rows. Intervals are {:.1} times as wide as with all rows, and a synthetic row close to a training row is found only where both were drawn, of the training rows {:.0} %.",
            effort.seconds(),
            (longest as f64 / rows as f64).sqrt(),
            100.0 * share
        ));
    }
    if effort.cut < effort.rows {
        notes.push(format!(
            "Distances, copies, detection, support and attacks use {} random rows of each table; copies among the other rows are not found.",
            effort.cut
        ));
    }
    notes.push(
        "Passing the privacy checks is no guarantee. Tables with a good distance to the closest record have leaked their training rows to membership inference (arXiv 2505.01524). The attacks used here are well known and cheap, on rows drawn by the seed; others may succeed. Only training with differential privacy gives a guarantee."
            .into(),
    );
    notes
}

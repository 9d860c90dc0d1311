//! What the answer on fidelity rests on: columns, relations, labels and groups, each beside new real rows of the same number.

use semblant_data::table::Table;

use super::scores::Compared;
use crate::bootstrap::Estimate;
use crate::random::subsample;
use crate::report::{Cell, Content, Grid, GridRow, Section};
use crate::significance::more_often;
use crate::table::align::align;
use crate::table::copies::repeated_rows;
use crate::table::divergence::wasserstein_distances;
use crate::table::labels::{Label, labels, rows_with};
use crate::table::relations::{Relations, relations};
use crate::table::shapes::{ColumnScores, column_shapes};
use crate::{Error, Result};

/// The chance that a test of labels or repeated rows finds something in an honest table.
pub(super) const LEVEL: f64 = 0.001;
/// A column counts whose similarity is below that of new real rows by this and the noise of both.
pub(super) const LEAST_LOSS: f64 = 0.05;
/// A group counts whose relations are kept less than this for certain.
pub(super) const GROUP_KEPT: f64 = 0.85;
/// Fewest rows of a group in the real and in the synthetic table.
const LEAST_OF_GROUP: usize = 100;
/// Most groups that are compared.
const MOST_GROUPS: usize = 40;
/// Most labels that the section lists.
const MOST_LABELS: usize = 100;

/// What was looked at.
pub(super) struct Looks {
    /// Mean over columns of the similarity of new real rows, less that of as many synthetic ones.
    pub(super) shape_loss: f64,
    /// The columns that lose more than chance explains, the worst first.
    pub(super) columns: Vec<ColumnLoss>,
    pub(super) relations: Option<Relations>,
    pub(super) detection: Option<Estimate>,
    /// Labels of one table only.
    pub(super) labels: Vec<Label>,
    pub(super) groups: Vec<GroupRelations>,
    /// Shares of synthetic rows that equal another synthetic row, and of as many real rows, and the chance of the difference.
    pub(super) repeated: [f64; 2],
    pub(super) repeated_p_value: f64,
}

/// A column whose distribution differs.
pub(super) struct ColumnLoss {
    pub(super) name: String,
    /// Similarity of new real rows, less that of the synthetic rows.
    pub(super) loss: f64,
    /// For numbers, over the real range.
    pub(super) wasserstein: Option<f64>,
}

/// The relations within the rows of one label.
pub(super) struct GroupRelations {
    pub(super) column: String,
    pub(super) label: String,
    pub(super) rows: [usize; 2],
    pub(super) kept: Estimate,
}

impl GroupRelations {
    /// Whether relations are lost for certain: three deviations below [`GROUP_KEPT`].
    pub(super) fn is_broken(&self) -> bool {
        self.kept.value + 3.0 * self.kept.deviation() < GROUP_KEPT
    }
}

impl Looks {
    pub(super) fn new(tables: &Compared, detection: Option<Estimate>, groups: &[String], seed: u64) -> Result<Self> {
        let Compared { real, synthetic, holdout } = *tables;
        let size = synthetic.rows().min(holdout.map_or(usize::MAX, Table::rows));
        let cut = |table: &Table, purpose| table.take(&subsample(table.rows(), size, seed, purpose));
        let of_synthetic = column_shapes(real, &cut(synthetic, 90))?;
        let of_new = holdout.map(|holdout| column_shapes(real, &cut(holdout, 91))).transpose()?;
        let mean = |scores: &ColumnScores| scores.mean.unwrap_or(1.0);
        let shape_loss = of_new.as_ref().map_or(1.0, mean) - mean(&of_synthetic);
        let columns = worst_columns(tables, &of_synthetic, of_new.as_ref(), size)?;
        let found = match relations(real, synthetic, holdout, seed) {
            Err(Error::Undefined(_)) => None,
            other => Some(other?),
        };
        let both = real.rows().min(synthetic.rows());
        let aligned = align(&[synthetic, real])?;
        let part = |table: &Table| table.take(&subsample(table.rows(), both, seed, 92));
        let repeated = [repeated_rows(&part(&aligned[0])), repeated_rows(&part(&aligned[1]))];
        Ok(Self {
            shape_loss,
            columns,
            relations: found,
            detection,
            labels: labels(real, synthetic)?,
            groups: compare_groups(tables, groups, seed)?,
            repeated: repeated.map(|rows| rows as f64 / both as f64),
            repeated_p_value: more_often([repeated[0], both], [repeated[1], both]),
        })
    }

    /// Labels that the synthetic table lacks, more than chance explains.
    pub(super) fn dropped(&self) -> impl Iterator<Item = &Label> {
        let level = LEVEL / self.labels.len().max(1) as f64;
        self.labels.iter().filter(move |label| label.is_dropped() && label.p_value < level)
    }

    /// Whether rows repeat each other more often than real rows do.
    pub(super) fn repeats(&self) -> bool {
        self.repeated_p_value < LEVEL && self.repeated[0] - self.repeated[1] > 0.01
    }

    pub(super) fn broken_groups(&self) -> impl Iterator<Item = &GroupRelations> {
        self.groups.iter().filter(|group| group.is_broken())
    }

    /// The related pairs and what is kept of them.
    pub(super) fn relations_section(&self) -> Option<Section> {
        let found = self.relations.as_ref()?;
        let row = |pair: &crate::table::relations::RelatedPair| GridRow {
            name: pair.columns.join(", "),
            cells: vec![Some(pair.kept()).into(), Some(pair.synthetic).into(), Some(pair.reference).into(), Some(pair.shuffled).into()],
        };
        let text = "Similarity of the joint shares in about a hundred bins. Kept is the position between shuffled columns (0) and new real rows (1). Pairs that shuffling costs at least 0.05, those that lose most first.";
        let headings = ["Columns", "Kept", "Synthetic rows", "New real rows", "Shuffled columns"];
        let rows = found.pairs.iter().take(MOST_LABELS).map(row).collect();
        Some(Section::new("relations", "Related columns", text, Content::Table(Grid::new(&headings, rows))))
    }

    /// The labels that one table lacks.
    pub(super) fn labels_section(&self) -> Option<Section> {
        let row = |label: &Label| GridRow {
            name: format!("{}: {}", label.column, label.label),
            cells: vec![
                Cell::Count(label.rows[0]),
                Cell::Count(label.rows[1]),
                Cell::Text(if label.is_dropped() { "dropped" } else { "invented" }.into()),
            ],
        };
        let rows: Vec<GridRow> = self.labels.iter().take(MOST_LABELS).map(row).collect();
        let text = "Labels that only one of the tables has, those of the most rows first. Rare labels may be replaced on purpose, to protect those who have them.";
        let headings = ["Label", "Real rows", "Synthetic rows", "What"];
        (!rows.is_empty()).then(|| Section::new("labels", "Labels of one table only", text, Content::Table(Grid::new(&headings, rows))))
    }

    /// The relations in each group.
    pub(super) fn groups_section(&self) -> Option<Section> {
        let row = |group: &GroupRelations| GridRow {
            name: format!("{}: {}", group.column, group.label),
            cells: vec![
                Cell::Count(group.rows[0]),
                Cell::Count(group.rows[1]),
                Cell::estimate(group.kept.value, group.kept.interval),
                Cell::Text(if group.is_broken() { "relations lost" } else { "" }.into()),
            ],
        };
        let text = "Relations between columns among the rows of one label of the target or of a protected column, on the scale from shuffled columns (0) to new real rows (1).";
        let headings = ["Group", "Real rows", "Synthetic rows", "Relations kept", "Finding"];
        let rows: Vec<GridRow> = self.groups.iter().map(row).collect();
        (!rows.is_empty()).then(|| Section::new("groups", "Groups", text, Content::Table(Grid::new(&headings, rows))))
    }
}

/// Columns whose similarity is below that of new real rows by [`LEAST_LOSS`] and the noise of both.
fn worst_columns(tables: &Compared, of_synthetic: &ColumnScores, of_new: Option<&ColumnScores>, size: usize) -> Result<Vec<ColumnLoss>> {
    let noise = 1.6 * (1.0 / size as f64 + 1.0 / tables.real.rows() as f64).sqrt();
    let far = wasserstein_distances(tables.real, tables.synthetic)?;
    let mut columns: Vec<ColumnLoss> = Vec::new();
    for score in &of_synthetic.columns {
        let reference = of_new.and_then(|scores| scores.columns.iter().find(|other| other.column == score.column)?.value);
        let Some(loss) = score.value.map(|value| reference.unwrap_or(1.0) - value) else { continue };
        if loss > LEAST_LOSS + noise {
            let wasserstein = far.columns.iter().find(|other| other.column == score.column).and_then(|other| other.value);
            columns.push(ColumnLoss { name: score.column.clone(), loss, wasserstein });
        }
    }
    columns.sort_by(|a, b| b.loss.total_cmp(&a.loss));
    Ok(columns)
}

fn compare_groups(tables: &Compared, columns: &[String], seed: u64) -> Result<Vec<GroupRelations>> {
    let mut groups = Vec::new();
    for name in columns {
        let column = tables.real.column(name)?;
        let Some((_, levels)) = column.categories() else { continue };
        for label in levels {
            let part = |table: &Table| -> Option<Table> {
                let rows = rows_with(table.column(name).ok()?, label);
                (rows.len() >= LEAST_OF_GROUP).then(|| table.take(&rows))
            };
            let (Some(real), Some(synthetic)) = (part(tables.real), part(tables.synthetic)) else { continue };
            let holdout = tables.holdout.and_then(part);
            if groups.len() == MOST_GROUPS {
                return Ok(groups);
            }
            if let Ok(found) = relations(&real, &synthetic, holdout.as_ref(), seed) {
                let rows = [real.rows(), synthetic.rows()];
                groups.push(GroupRelations { column: name.clone(), label: label.clone(), rows, kept: found.kept });
            }
        }
    }
    Ok(groups)
}

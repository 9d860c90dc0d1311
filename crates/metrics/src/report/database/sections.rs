//! What the page of a database shows beside that of its main table.

use semblant_data::database::Database;

use super::Compared;
use crate::report::{Axis, Bars, Cell, Content, Diagram, DiagramNode, Distribution, Distributions, Grid, GridRow, Histogram, Section};

/// Bars of a histogram of numbers of children.
const BARS: usize = 20;

pub(super) fn diagram(real: &Database) -> Section {
    let depth = |mut table: usize| {
        let mut depth = 0;
        while let Some((_, parent)) = real.parent(table) {
            (table, depth) = (parent, depth + 1);
        }
        depth
    };
    let nodes = real.tables().iter().enumerate().map(|(table, (name, rows))| DiagramNode {
        name: name.clone(),
        note: format!("{} rows", rows.rows()),
        layer: depth(table),
        refers_to: (0..real.keys_of(table).foreign.len()).map(|foreign| real.target(table, foreign)).collect(),
        main: real.parent(table).map(|(_, parent)| parent),
    });
    Section::new(
        "diagram",
        "Tables and keys",
        "A line leads from a table, on its left, to one that it refers to: blue where its rows come by those rows.",
        Content::Diagram(Diagram { nodes: nodes.collect() }),
    )
}

pub(super) fn tables(compared: &Compared) -> Section {
    let row = |table: &super::OfTable| GridRow {
        name: table.name.clone(),
        cells: vec![
            Cell::Count(table.rows[0]),
            Cell::Count(table.rows[1]),
            table.shapes.into(),
            table.trends.into(),
            table.apart.map_or(Cell::Empty, |apart| Cell::estimate(apart.accuracy, apart.interval)),
            table.apart.map(|apart| apart.floor).into(),
        ],
    };
    let headings = ["Table", "Real rows", "Synthetic rows", "Columns", "Pairs", "Told apart", "Halves of the real"];
    Section::new(
        "tables",
        "Tables",
        "Columns and pairs of columns: similarity to the real table, 1 is equal. Told apart: the accuracy of a classifier that sees a row with what refers to it, 0.5 is guessing; beside it what two halves of the real rows reach.",
        Content::Table(Grid::new(&headings, compared.tables.iter().map(row).collect())),
    )
}

pub(super) fn keys(compared: &Compared, of_holdout: Option<&Compared>) -> Section {
    let rows = compared.cardinalities.iter().enumerate().map(|(place, found)| {
        let [real, synthetic] = found.counts.each_ref().map(|counts| {
            let rows = counts.len().max(1) as f64;
            (
                counts.iter().map(|&count| f64::from(count)).sum::<f64>() / rows,
                counts.iter().filter(|&&count| count == 0).count() as f64 / rows,
            )
        });
        GridRow {
            name: format!("{} → {}", found.key, found.table),
            cells: vec![
                Cell::Number(found.score),
                of_holdout.map(|holdout| holdout.cardinalities[place].score).into(),
                Cell::Number(real.0),
                Cell::Number(synthetic.0),
                Cell::Number(real.1),
                Cell::Number(synthetic.1),
            ],
        }
    });
    let headings = ["Key", "Similarity", "Holdout", "Mean, real", "Mean, synthetic", "Without any, real", "Without any, synthetic"];
    Section::new(
        "keys",
        "Numbers of children",
        "How many rows refer to each row of a table: 1 - the largest difference of the distribution functions, the mean, and the share of rows that none refers to.",
        Content::Table(Grid::new(&headings, rows.collect())),
    )
}

/// Histograms of numbers of children.
pub(super) fn children(compared: &Compared) -> Option<Section> {
    let charts = compared.cardinalities.iter().map(|found| {
        let most = found.counts.iter().flatten().copied().max().unwrap_or(0) as usize + 1;
        let bars = most.min(BARS);
        let shares = found.counts.each_ref().map(|counts| {
            let mut shares = vec![0.0; bars];
            counts.iter().for_each(|&count| shares[count as usize * bars / most] += 1.0 / counts.len().max(1) as f64);
            shares
        });
        let [real, synthetic] = shares;
        let bars = Bars::Histogram(Histogram { axis: Axis::Number, low: 0.0, high: most as f64, real, synthetic });
        Distribution {
            metric: Some("KSComplement".into()),
            value: Some(found.score),
            ..Distribution::plain(&format!("{} → {}", found.key, found.table), bars)
        }
    });
    let charts: Vec<Distribution> = charts.collect();
    if charts.is_empty() {
        return None;
    }
    let series = ["real".into(), "synthetic".into()];
    let text = "The share of rows by how many rows refer to them.";
    Some(Section::new("children", "Rows that refer to a row", text, Content::Distributions(Distributions { series, charts })))
}

pub(super) fn paths(compared: &Compared, of_holdout: Option<&Compared>) -> Section {
    let rows = compared.hops.paths.iter().map(|path| {
        let holdout = of_holdout.and_then(|holdout| holdout.hops.paths.iter().find(|other| other.path == path.path));
        let (worst, score) = path.worst.clone().map_or((Cell::Empty, Cell::Empty), |(name, score)| (Cell::Text(name), Cell::Number(score)));
        GridRow {
            name: path.path.clone(),
            cells: vec![
                Cell::Count(path.hops),
                Cell::Count(path.pairs),
                Cell::Number(path.score),
                holdout.map(|holdout| holdout.score).into(),
                worst,
                score,
            ],
        }
    });
    let headings = ["Path", "References", "Pairs", "Similarity", "Holdout", "Least similar pair", "Its similarity"];
    Section::new(
        "paths",
        "Relations within and between tables",
        "The similarity of pairs of columns, one of the rows at the beginning of a path and one of the rows at its end; within a table both are its own.",
        Content::Table(Grid::new(&headings, rows.collect())),
    )
}

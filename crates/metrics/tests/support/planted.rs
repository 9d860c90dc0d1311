//! Known leaks and known damage, planted in honest tables.
#![allow(dead_code)]

use semblant_core::seeds::Sequence;
use semblant_core::seeds::streams::EVALUATION;
use semblant_data::table::{Column, ColumnKind, ColumnSchema, MISSING, Schema, Table};

/// Training rows, rows in place of synthetic ones, and holdout rows of one population: no row is in two of them.
pub(crate) struct Parts {
    pub(crate) train: Table,
    pub(crate) honest: Table,
    pub(crate) holdout: Table,
}

/// Numbers for this seed, of a purpose of the tests.
pub(crate) fn random(seed: u64, purpose: u64) -> Sequence {
    EVALUATION.of(seed).sequence((1 << 40) + purpose)
}

/// `rows` rows each, drawn by the seed; fewer of the last two where the table has too few.
pub(crate) fn parts(table: &Table, rows: usize, seed: u64) -> Parts {
    let mut order: Vec<usize> = (0..table.rows()).collect();
    random(seed, 0).shuffle(&mut order);
    let others = rows.min((table.rows() - rows) / 2);
    let part = |from: usize, count: usize| table.take(&order[from..from + count]);
    Parts { train: part(0, rows), honest: part(rows, others), holdout: part(rows + others, others) }
}

fn replace(table: &Table, place: usize, column: Column) -> Table {
    let mut columns = table.columns().to_vec();
    columns[place] = column;
    Table::new(table.schema().clone(), columns).expect("a table")
}

fn count(table: &Table, share: f64) -> usize {
    (table.rows() as f64 * share).round() as usize
}

fn followed_by(first: &Table, second: &Table) -> Table {
    let mut both = first.clone();
    both.append(second).expect("the same columns");
    both
}

fn first(table: &Table, rows: usize) -> Table {
    table.take(&(0..rows).collect::<Vec<_>>())
}

/// Mean and deviation of the known values.
fn moments(values: &[f64]) -> [f64; 2] {
    let known: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    let mean = known.iter().sum::<f64>() / known.len() as f64;
    [mean, (known.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / known.len() as f64).sqrt()]
}

fn normal(random: &mut Sequence) -> f64 {
    (-2.0 * (1.0 - random.unit()).ln()).sqrt() * (2.0 * std::f64::consts::PI * random.unit()).cos()
}

fn rounded(value: f64, described: &ColumnSchema) -> f64 {
    let unit = if described.kind == ColumnKind::Integer { 1.0 } else { 10f64.powi(-i32::from(described.decimals.unwrap_or(4))) };
    (value / unit).round() * unit
}

/// A share of the rows are training rows.
pub(crate) fn copies(parts: &Parts, share: f64) -> Table {
    let leaked = count(&parts.honest, share);
    followed_by(&first(&parts.honest, parts.honest.rows() - leaked), &first(&parts.train, leaked))
}

/// The same, with noise of 0.05 deviations on every number, and one label of each row changed if asked.
pub(crate) fn noisy_copies(parts: &Parts, share: f64, change_label: bool) -> Table {
    let leaked = count(&parts.honest, share);
    let source = first(&parts.train, leaked);
    let mut random = random(1, 1);
    let labels: Vec<usize> = (0..source.columns().len()).filter(|&place| source.columns()[place].categories().is_some()).collect();
    let changed: Vec<usize> = (0..leaked).map(|_| labels[random.below(labels.len().max(1))]).collect();
    let columns = source.iter().enumerate().map(|(place, (described, column))| match column {
        Column::Number(values) => {
            let [_, deviation] = moments(parts.train.columns()[place].numbers().expect("numbers"));
            let noise = |value: &f64| rounded(value + 0.05 * deviation * normal(&mut random), described);
            Column::Number(values.iter().map(noise).collect())
        }
        Column::Category { codes, levels } => {
            let other = |(row, &code): (usize, &u32)| {
                let hit = change_label && changed[row] == place && levels.len() > 1;
                if hit { random.below(levels.len()) as u32 } else { code }
            };
            Column::Category { codes: codes.iter().enumerate().map(other).collect(), levels: levels.clone() }
        }
    });
    let noisy = Table::new(source.schema().clone(), columns.collect()).expect("a table");
    followed_by(&first(&parts.honest, parts.honest.rows() - leaked), &noisy)
}

/// The twenty training rows farthest from the mean, in deviations, twice each.
pub(crate) fn outliers_twice(parts: &Parts) -> Table {
    let mut scores = vec![0.0; parts.train.rows()];
    for column in parts.train.columns() {
        if let Some(values) = column.numbers() {
            let [mean, deviation] = moments(values);
            values.iter().zip(&mut scores).filter(|(value, _)| !value.is_nan()).for_each(|(value, score)| {
                *score += ((value - mean) / deviation.max(1e-12)).powi(2);
            });
        }
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let twice: Vec<usize> = order[..20].iter().flat_map(|&row| [row, row]).collect();
    followed_by(&first(&parts.honest, parts.honest.rows() - 40), &parts.train.take(&twice))
}

/// With a column of numbers that name persons, 5 % of which are training rows' numbers.
pub(crate) fn with_numbers(parts: &Parts) -> (Parts, Table) {
    let mut random = random(2, 2);
    let mut with = |table: &Table| {
        let numbers = (0..table.rows()).map(|_| (100_000_000 + random.below(900_000_000)) as f64).collect();
        let mut schema = Schema { columns: table.schema().columns.clone(), ..table.schema().clone() };
        schema.columns.push(ColumnSchema::new("number", ColumnKind::Integer));
        let columns = table.columns().iter().cloned().chain([Column::Number(numbers)]).collect();
        Table::new(schema, columns).expect("a table")
    };
    let [train, honest, holdout] = [&parts.train, &parts.honest, &parts.holdout].map(&mut with);
    let place = train.columns().len() - 1;
    let real = train.columns()[place].numbers().expect("numbers");
    let mut numbers = honest.columns()[place].numbers().expect("numbers").to_vec();
    let leaked = count(&honest, 0.05);
    numbers[..leaked].copy_from_slice(&real[..leaked]);
    let leaking = replace(&honest, place, Column::Number(numbers));
    (Parts { train, honest, holdout }, leaking)
}

/// With a column of surnames, most of them rare, of which the rows of 2 % have one that a single training row has.
pub(crate) fn with_names(parts: &Parts) -> (Parts, Table) {
    let mut random = random(3, 3);
    let mut names =
        |rows: usize| -> Vec<String> { (0..rows).map(|_| format!("name {}", (20.0 / (random.unit() + 2e-4)) as usize)).collect() };
    let [of_train, of_honest, of_holdout] = [&parts.train, &parts.honest, &parts.holdout].map(|table| names(table.rows()));
    let with = |table: &Table, names: &[String]| {
        let mut schema = table.schema().clone();
        schema.columns.push(ColumnSchema::new("name", ColumnKind::Categorical));
        let columns = table.columns().iter().cloned().chain([Column::from_labels(names.iter().map(Some))]).collect();
        Table::new(schema, columns).expect("a table")
    };
    let alone: Vec<&String> = of_train.iter().filter(|name| of_train.iter().filter(|other| other == name).count() == 1).collect();
    let mut leaked = of_honest.clone();
    let rows = count(&parts.honest, 0.02).min(alone.len());
    leaked.iter_mut().zip(&alone).take(rows).for_each(|(name, lone)| name.clone_from(lone));
    let parts_with =
        Parts { train: with(&parts.train, &of_train), honest: with(&parts.honest, &of_honest), holdout: with(&parts.holdout, &of_holdout) };
    (parts_with, with(&parts.honest, &leaked))
}

/// Every column shuffled on its own, among rows of one group where groups are given.
pub(crate) fn permuted(table: &Table, groups: &[u32]) -> Table {
    let mut random = random(4, 4);
    let columns = table.columns().iter().map(|column| {
        let mut order: Vec<usize> = (0..table.rows()).collect();
        let most = groups.iter().copied().max().unwrap_or(0);
        for group in 0..=most {
            let rows: Vec<usize> = (0..table.rows()).filter(|&row| groups[row] == group).collect();
            let mut to = rows.clone();
            random.shuffle(&mut to);
            rows.into_iter().zip(to).for_each(|(row, from)| order[row] = from);
        }
        column.take(&order)
    });
    Table::new(table.schema().clone(), columns.collect()).expect("a table")
}

/// Rows by the label of the column, or by the quarter of its range of ranks.
pub(crate) fn groups(table: &Table, name: &str) -> Vec<u32> {
    match table.column(name).expect("there") {
        Column::Category { codes, .. } => codes.iter().map(|&code| if code == MISSING { 0 } else { code }).collect(),
        Column::Number(values) => {
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let ends = [1, 2, 3].map(|quarter| sorted[sorted.len() * quarter / 4]);
            values.iter().map(|value| ends.iter().filter(|end| value > end).count() as u32).collect()
        }
    }
}

/// Columns shuffled among the rows of one label only; the others stay.
pub(crate) fn broken_group(table: &Table, name: &str, label: &str) -> Table {
    let column = table.column(name).expect("there");
    let inside: Vec<usize> = (0..table.rows()).filter(|&row| column.label(row) == Some(label)).collect();
    let outside: Vec<usize> = (0..table.rows()).filter(|&row| column.label(row) != Some(label)).collect();
    let group = table.take(&inside);
    followed_by(&table.take(&outside), &permuted(&group, &vec![0; group.rows()]))
}

/// One column of numbers moved by half a deviation.
pub(crate) fn shifted(table: &Table, name: &str) -> Table {
    let place = table.schema().index_of(name).expect("there");
    let values = table.columns()[place].numbers().expect("numbers");
    let [_, deviation] = moments(values);
    let moved = values.iter().map(|value| rounded(value + 0.5 * deviation, &table.schema().columns[place])).collect();
    replace(table, place, Column::Number(moved))
}

/// Without the rows of one label.
pub(crate) fn dropped_label(table: &Table, name: &str, label: &str) -> Table {
    let column = table.column(name).expect("there");
    table.take(&(0..table.rows()).filter(|&row| column.label(row) != Some(label)).collect::<Vec<_>>())
}

/// Every label of a target of two exchanged, or a number reflected in its range.
pub(crate) fn inverted(table: &Table, target: &str) -> Table {
    let place = table.schema().index_of(target).expect("there");
    let column = match &table.columns()[place] {
        Column::Category { codes, levels } => {
            let used: std::collections::BTreeSet<u32> = codes.iter().copied().collect();
            let used: Vec<u32> = used.into_iter().collect();
            let other = |code: &u32| if *code == used[0] { used[1] } else { used[0] };
            Column::Category { codes: codes.iter().map(other).collect(), levels: levels.clone() }
        }
        Column::Number(values) => {
            let [low, high] = [f64::min, f64::max].map(|pick: fn(f64, f64) -> f64| values.iter().copied().reduce(pick).expect("rows"));
            Column::Number(values.iter().map(|value| low + high - value).collect())
        }
    };
    replace(table, place, column)
}

/// The first half of the rows, twice.
pub(crate) fn doubled(table: &Table) -> Table {
    let half = first(table, table.rows() / 2);
    followed_by(&half, &half)
}

/// Half copies of training rows, half shuffled columns.
pub(crate) fn half_copies_half_rubbish(parts: &Parts) -> Table {
    let half = parts.honest.rows() / 2;
    followed_by(&first(&parts.train, half), &first(&permuted(&parts.honest, &vec![0; parts.honest.rows()]), half))
}

//! The search for labels that determine others, and for values that are missing or zero under a condition.

use std::collections::{BTreeSet, HashMap, HashSet};

use semblant_data::table::Column;

use super::relation::{Property, Relation, Value, When, value};
use super::{BROKEN_ROWS, LEAST_ROWS, Search};

/// Numbers of at most so many different values take part in dependencies, as labels do.
const MOST_VALUES: usize = 100;
/// Rows in which a condition is looked for before all rows are.
const FIRST_ROWS: usize = 20_000;
/// Labels of a column that serves as a condition.
const MOST_LABELS: usize = 100;

/// `copies` are columns of numbers that follow from another one, whose rules say it all.
pub(super) fn search(search: &Search, copies: &HashSet<usize>) -> Vec<Relation> {
    let mut found = dependencies(search, copies);
    let missing = gaps(search, &mut found);
    let conditions: Vec<usize> =
        search.labels.iter().copied().filter(|&place| distinct(&search.columns[place], MOST_LABELS).is_some()).collect();
    let known: HashSet<(usize, usize)> = found
        .iter()
        .filter_map(|relation| match relation {
            Relation::Determines { key, value, .. } => Some((*key, *value)),
            _ => None,
        })
        .collect();
    let columns = || search.numbers.iter().chain(&search.labels).copied().filter(|place| !copies.contains(place));
    for &when in &conditions {
        for column in columns().filter(|&column| column != when) {
            let first_of_its_gaps = !missing.contains(&column);
            found.extend(first_of_its_gaps.then(|| whenever(search, when, column, Property::Missing)).flatten());
            // A label that determines a number also says when it is 0.
            let is_number = search.columns[column].numbers().is_some() && !known.contains(&(when, column));
            found.extend(is_number.then(|| whenever(search, when, column, Property::Zero)).flatten());
        }
    }
    found
}

/// The different values, if there are at most so many and two at least.
fn distinct(column: &Column, most: usize) -> Option<usize> {
    let mut seen = HashSet::new();
    for row in 0..column.len() {
        seen.extend(value(column, row));
        if seen.len() > most {
            return None;
        }
    }
    (seen.len() > 1).then_some(seen.len())
}

/// Columns whose values determine those of another one, without what follows from two such steps.
fn dependencies(search: &Search, copies: &HashSet<usize>) -> Vec<Relation> {
    let rows = search.order.len();
    let labels = search.labels.iter().filter_map(|&place| Some((place, distinct(&search.columns[place], rows)?)));
    let numbers = search.numbers.iter().filter(|place| !copies.contains(place));
    let numbers = numbers.filter_map(|&place| Some((place, distinct(&search.columns[place], MOST_VALUES)?)));
    let mut coded: Vec<(usize, usize)> = labels.chain(numbers).collect();
    coded.sort_unstable();
    let mut edges: HashMap<(usize, usize), HashMap<Value, Value>> = HashMap::new();
    let mut represented: HashSet<usize> = HashSet::new();
    let mut both_ways: Vec<Relation> = Vec::new();
    for (at, &(first, first_count)) in coded.iter().enumerate() {
        for &(second, second_count) in &coded[at + 1..] {
            if represented.contains(&first) || represented.contains(&second) {
                continue;
            }
            // More values than the key has cannot be determined by it.
            let forward = (second_count <= first_count).then(|| map(search, first, second)).flatten();
            let back = (first_count <= second_count).then(|| map(search, second, first)).flatten();
            match (forward, back) {
                (Some(forward), Some(back)) => {
                    both_ways.push(Relation::Determines { key: first, value: second, map: forward });
                    both_ways.push(Relation::Determines { key: second, value: first, map: back });
                    represented.insert(second);
                }
                (Some(map), None) => drop(edges.insert((first, second), map)),
                (None, Some(map)) => drop(edges.insert((second, first), map)),
                (None, None) => {}
            }
        }
    }
    edges.retain(|(key, value), _| !represented.contains(key) && !represented.contains(value));
    let follows =
        |key: usize, value: usize| coded.iter().any(|&(step, _)| edges.contains_key(&(key, step)) && edges.contains_key(&(step, value)));
    let mut kept: Vec<(usize, usize)> = edges.keys().copied().filter(|&(key, value)| !follows(key, value)).collect();
    kept.sort_unstable();
    let one_way =
        kept.into_iter().filter_map(|(key, value)| Some(Relation::Determines { key, value, map: edges.get(&(key, value))?.clone() }));
    both_ways.into_iter().chain(one_way.collect::<Vec<_>>()).collect()
}

/// The value of each key, if there is one only and enough keys repeat to tell.
fn map(search: &Search, key: usize, of: usize) -> Option<HashMap<Value, Value>> {
    let mut map: HashMap<Value, Value> = HashMap::new();
    let mut repeated = 0;
    for &row in &search.order {
        let (Some(key), Some(value)) = (value(&search.columns[key], row), value(&search.columns[of], row)) else { continue };
        match map.get(&key) {
            Some(known) if *known != value => return None,
            Some(_) => repeated += 1,
            None => drop(map.insert(key, value)),
        }
    }
    let relation = Relation::Determines { key, value: of, map };
    let tells = repeated >= LEAST_ROWS && search.kept_after_a_shuffle(&relation).is_some();
    match relation {
        Relation::Determines { map, .. } if tells => Some(map),
        _ => None,
    }
}

/// Columns that are missing when another one is; returns those that are missing exactly when an earlier one is.
fn gaps(search: &Search, found: &mut Vec<Relation>) -> HashSet<usize> {
    let rows = search.order.len();
    let with_gaps: Vec<(usize, usize)> = search
        .numbers
        .iter()
        .chain(&search.labels)
        .map(|&place| (place, search.columns[place].missing()))
        .filter(|&(_, missing)| missing > 0 && missing < rows)
        .collect();
    let mut same = HashSet::new();
    for (at, &(first, first_missing)) in with_gaps.iter().enumerate() {
        for &(second, second_missing) in &with_gaps[at + 1..] {
            if same.contains(&first) || same.contains(&second) {
                continue;
            }
            // The rarer gap is the condition.
            let [when, column] = if first_missing > second_missing { [second, first] } else { [first, second] };
            let exactly = first_missing == second_missing;
            let (condition, property) = (first_missing.min(second_missing), first_missing.max(second_missing));
            let by_chance = condition as f64 * (1.0 - property as f64 / rows as f64);
            let holds = search.order.iter().all(|&row| !search.columns[when].is_missing(row) || search.columns[column].is_missing(row));
            if by_chance >= BROKEN_ROWS && condition >= LEAST_ROWS.min(rows) && holds {
                found.push(Relation::Whenever { when: When::Missing(when), column, property: Property::Missing, exactly });
                if exactly {
                    same.insert(second);
                }
            }
        }
    }
    same
}

/// The labels of a column with which another one always has the property, each of which would be unlikely by chance.
fn whenever(search: &Search, when: usize, column: usize, property: Property) -> Option<Relation> {
    let (codes, labels) = search.columns[when].categories()?;
    // Rows of each label that have the property, and all that could.
    let counted = |rows: &[usize]| {
        let mut counts = vec![[0usize; 2]; labels.len()];
        for &row in rows {
            let (Some(count), Some(has)) = (counts.get_mut(codes[row] as usize), property.of(&search.columns[column], row)) else {
                continue;
            };
            count[0] += usize::from(has);
            count[1] += 1;
        }
        counts
    };
    if !counted(&search.order[..search.order.len().min(FIRST_ROWS)]).iter().any(|[having, all]| *having > 0 && having == all) {
        return None;
    }
    let counts = counted(&search.order);
    let [having, all] = counts.iter().fold([0; 2], |sum, count| [sum[0] + count[0], sum[1] + count[1]]);
    let without = 1.0 - having as f64 / all.max(1) as f64;
    let always = |[having, all]: [usize; 2]| having == all && all as f64 * without >= BROKEN_ROWS;
    let places = |wanted: &dyn Fn([usize; 2]) -> bool| -> BTreeSet<u32> {
        counts.iter().zip(0..).filter(|(count, _)| count[1] > 0 && wanted(**count)).map(|(_, code)| code).collect()
    };
    let (codes, others) = (places(&always), places(&|count| !always(count)));
    let concerned: usize = codes.iter().map(|&code| counts[code as usize][1]).sum();
    let exactly = others.iter().all(|&code| counts[code as usize][0] == 0);
    let relation = Relation::Whenever { when: When::Labels { column: when, codes, others }, column, property, exactly };
    (concerned >= LEAST_ROWS).then_some(relation)
}

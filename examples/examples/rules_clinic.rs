//! Visits by a state machine: how often one event follows another, and a picture of histories.
//! Run: cargo run --release --example rules_clinic -p semblant-examples
#![allow(clippy::print_stdout, reason = "an example tells what it found")]

use std::collections::BTreeMap;

use semblant::prelude::Table;
use semblant::rules::{Generator, NoModels, Plan};
use semblant_examples::picture::{Panel, Picture, grouped};
use semblant_examples::{DAY, first_day, numbers};

/// The events, what a patient is after each, and the colour of that.
const EVENTS: [(&str, &str, &str); 6] = [
    ("checkup", "well, with dots for checkups", "#b8c0c8"),
    ("diagnosis", "after the diagnosis", "#f0b400"),
    ("treatment", "after a treatment", "#2c6cb0"),
    ("relapse", "after a relapse", "#d03020"),
    ("recovery", "after the recovery", "#90d098"),
    ("death", "death", "#000000"),
];
/// How many histories are drawn.
const SHOWN: usize = 40;

fn main() -> anyhow::Result<()> {
    let plan = Plan::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../datasets/rules/clinic.toml"), &NoModels)?;
    let clinic = Generator::new(&plan, 5, 1.0)?;
    let visits = clinic.rows("visits", 0..clinic.count("visits")?)?;
    let (patients, events) = (numbers(&visits, "patient_id")?, visits.column("event")?);
    let mut follows: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for row in 1..visits.rows() {
        if let (true, Some(before), Some(after)) = (patients[row] == patients[row - 1], events.label(row - 1), events.label(row)) {
            *follows.entry((before, after)).or_default() += 1;
        }
    }
    println!("{} visits of {} patients", visits.rows(), clinic.count("patients")?);
    for ((before, after), count) in follows {
        println!("{before:10} -> {after:10} {count:6}");
    }
    let patients = clinic.rows("patients", 0..clinic.count("patients")?)?;
    println!("{}", picture(&patients, &visits)?.save("clinic.svg")?.display());
    Ok(())
}

/// What happened to a patient.
struct History<'t> {
    /// The day from which on something may happen.
    start: f64,
    /// Events with their days.
    events: Vec<(f64, &'t str)>,
}

impl History<'_> {
    /// The first day of an event, infinite without it.
    fn first(&self, event: &str) -> f64 {
        self.events.iter().find(|(_, found)| *found == event).map_or(f64::INFINITY, |(day, _)| *day)
    }
}

/// The histories of all who have visits.
fn histories<'t>(patients: &Table, visits: &'t Table) -> anyhow::Result<Vec<History<'t>>> {
    let (births, ids) = (numbers(patients, "birth")?, numbers(visits, "patient_id")?);
    let (times, events) = (numbers(visits, "time")?, visits.column("event")?);
    let mut end = 0;
    let history = |visits: &[f64]| {
        let rows = end..end + visits.len();
        end = rows.end;
        // Nothing happens before an age of forty, nor before 2010.
        let forty = births[ids[rows.start] as usize - 1] / DAY + 40.0 * 365.25;
        let events = rows.map(|row| ((times[row] / DAY).floor(), events.label(row).unwrap_or_default())).collect();
        History { start: forty.max(first_day(2010)), events }
    };
    Ok(ids.chunk_by(|a, b| a == b).map(history).collect())
}

/// A line for each of some patients.
fn picture(patients: &Table, visits: &Table) -> anyhow::Result<Picture> {
    let all = histories(patients, visits)?;
    let ill = |died: bool| all.iter().filter(move |one| one.first("diagnosis").is_finite() && one.first("death").is_finite() == died);
    let mut shown: Vec<&History> = ill(true).chain(ill(false)).take(SHOWN).collect();
    shown.sort_by(|a, b| a.first("diagnosis").total_cmp(&b.first("diagnosis")));
    let died = ill(true).count().min(shown.len());
    let mut picture = Picture::new(1080, 500, &title(&shown, died, patients.rows(), visits.rows()));
    picture.legend(10.0, 38.0, EVENTS.map(|(_, name, colour)| (name, colour)));
    let rows = [shown.len() as f64, 0.0];
    let panel = Panel { left: 20.0, right: 1060.0, top: 52.0, bottom: 476.0, x: [first_day(2010), first_day(2025)], y: rows };
    picture.ticks_across(&panel, (2010..=2025).map(|year| (first_day(year), year.to_string())));
    shown.iter().enumerate().for_each(|(place, history)| draw(&mut picture, &panel, panel.up(place as f64 + 0.5), history));
    Ok(picture)
}

/// What the picture shows.
fn title(shown: &[&History], died: usize, patients: usize, visits: usize) -> String {
    let (count, others) = (shown.len(), shown.len() - died);
    let events: usize = shown.iter().map(|history| history.events.len()).sum();
    let [events, patients, visits] = [events, patients, visits].map(grouped);
    format!(
        "{count} of {patients} patients, with {events} of {visits} visits: \
         {died} who died and the first {others} others who fell ill, a line each, by the day of the diagnosis"
    )
}

/// The line of one patient: each stretch has the colour of the event before it.
fn draw(picture: &mut Picture, panel: &Panel, y: f64, history: &History) {
    let mut stretch = |from: f64, to: f64, event: &str| {
        let colour = EVENTS.iter().find(|(name, ..)| *name == event).map_or("#000000", |(.., colour)| *colour);
        let half = match event {
            "checkup" => 1.0,
            "recovery" => 2.0,
            _ => 3.5,
        };
        picture.bar([panel.across(from), panel.across(to)], [y - half, y + half], colour);
    };
    let ends = history.events.iter().skip(1).map(|(day, _)| *day).chain([panel.x[1]]);
    let first = history.events.first().map_or(panel.x[1], |(day, _)| *day);
    stretch(history.start, first, "checkup");
    for ((day, event), end) in history.events.iter().zip(ends).filter(|((_, event), _)| *event != "death") {
        stretch(*day, end, event);
    }
    for (event, radius, colour) in [("checkup", 1.8, "#68727c"), ("death", 4.5, "#000000")] {
        let days = history.events.iter().filter(|(_, found)| *found == event);
        picture.dots(days.map(|(day, _)| (panel.across(*day), y)), radius, colour);
    }
}

//! Five tables of a shop from one spec, streamed to Parquet, with ten times as many customers, and a picture of the orders.
//! Run: cargo run --release --example rules_shop -p semblant-examples
#![allow(clippy::print_stdout, reason = "an example tells what it found")]

use semblant::prelude::*;
use semblant::rules::{Generator, NoModels, Plan};
use semblant_examples::picture::{Panel, Picture, grouped, steps};
use semblant_examples::{DAY, first_day, numbers};

/// The years of the orders: from the first to before the last.
const YEARS: [u32; 2] = [2018, 2025];
/// The months shown by day, with the days of the leap year 2024 before them.
const MONTHS: [(&str, f64); 4] = [("September 2024", 244.0), ("October", 274.0), ("November", 305.0), ("December", 335.0)];
/// Customers with as many orders or more have one bar.
const MOST: usize = 15;
const WEEK: &str = "#7f9bb5";
const WEEKEND: &str = "#e0802a";

fn main() -> anyhow::Result<()> {
    let plan = Plan::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../datasets/rules/shop.toml"), &NoModels)?;
    let shop = Generator::new(&plan, 7, 10.0)?;
    let folder = std::env::temp_dir().join("semblant-shop");
    std::fs::create_dir_all(&folder)?;
    for table in plan.tables() {
        let path = folder.join(table).with_extension("parquet");
        let mut writer = TableWriter::create(&path, plan.schema(table)?)?;
        shop.stream(table, 0..shop.count(table)?, |part| -> anyhow::Result<()> { Ok(writer.write(&part.data)?) })?;
        println!("{table}: {} rows in {}", writer.rows(), path.display());
        writer.finish()?;
    }
    // Any rows of any table come without those before them.
    let last = shop.count("lines")?;
    println!("the last line of the last order: {:?}", shop.rows("lines", last - 1..last)?.cell(0, 0));
    println!("{}", picture(&shop)?.save("shop.svg")?.display());
    Ok(())
}

/// The orders of each day, and the orders of each customer.
fn picture(shop: &Generator) -> anyhow::Result<Picture> {
    let orders = shop.rows("orders", 0..shop.count("orders")?)?;
    let customers = shop.count("customers")? as usize;
    let days = by_day(numbers(&orders, "ordered")?);
    let (orders_text, customers_text) = (grouped(orders.rows()), grouped(customers));
    let title = format!("{orders_text} orders of {customers_text} customers: orders a day from 2018 to 2024, and orders of each customer");
    let mut picture = Picture::new(1080, 470, &title);
    picture.legend(10.0, 38.0, [("Monday to Thursday", WEEK), ("Friday to Sunday", WEEKEND), ("mean of seven days", "#202020")]);
    draw_years(&mut picture, &days);
    draw_months(&mut picture, &days);
    draw_customers(&mut picture, &by_customer(numbers(&orders, "customer_id")?, customers));
    Ok(picture)
}

/// The number of orders of each day.
fn by_day(times: &[f64]) -> Vec<f64> {
    let [first, end] = YEARS.map(first_day);
    let mut days = vec![0.0; (end - first) as usize];
    times.iter().for_each(|time| days[((time / DAY).floor() - first) as usize] += 1.0);
    days
}

/// How many customers have no order, one, two and so on; the last number is that of all with more.
fn by_customer(ids: &[f64], customers: usize) -> Vec<f64> {
    let mut orders = vec![0; customers];
    ids.iter().for_each(|id| orders[*id as usize - 1] += 1);
    let mut bars = vec![0.0; MOST + 1];
    orders.into_iter().for_each(|count: usize| bars[count.min(MOST)] += 1.0);
    bars
}

/// The colour of a day since 2018, which began on a Monday.
fn colour(day: usize) -> &'static str {
    if day % 7 < 4 { WEEK } else { WEEKEND }
}

/// A dot for each day, and the mean of the seven days around it.
fn draw_years(picture: &mut Picture, days: &[f64]) {
    let most = days.iter().copied().fold(0.0, f64::max);
    let panel = Panel { left: 40.0, right: 1065.0, top: 65.0, bottom: 235.0, x: [0.0, days.len() as f64], y: [0.0, most] };
    picture.text(panel.left, 58.0, "start", "orders a day");
    let [first, end] = YEARS;
    picture.ticks_across(&panel, (first..=end).map(|year| (first_day(year) - first_day(first), year.to_string())));
    picture.ticks_up(&panel, steps(panel.y, 20.0));
    for wanted in [WEEK, WEEKEND] {
        let shown = (0..days.len()).filter(|&day| colour(day) == wanted);
        picture.dots(shown.map(|day| (panel.across(day as f64 + 0.5), panel.up(days[day]))), 1.0, wanted);
    }
    let mean = |(day, week): (usize, &[f64])| (panel.across(day as f64 + 3.5), panel.up(week.iter().sum::<f64>() / 7.0));
    picture.line(days.windows(7).enumerate().map(mean), 1.0, "#202020");
}

/// A bar for each day of the last months.
fn draw_months(picture: &mut Picture, days: &[f64]) {
    let before = first_day(2024) - first_day(YEARS[0]);
    let (start, end) = (before + MONTHS[0].1, days.len() as f64);
    let most = days[start as usize..].iter().copied().fold(0.0, f64::max);
    let panel = Panel { left: 40.0, right: 660.0, top: 290.0, bottom: 445.0, x: [start, end], y: [0.0, most] };
    picture.text(panel.left, 283.0, "start", "orders a day in the last four months");
    picture.ticks_up(&panel, steps(panel.y, 20.0));
    for (name, day) in MONTHS {
        let x = panel.across(before + day);
        picture.line([(x, panel.top), (x, panel.bottom + 16.0)], 0.5, "#a0a0a0");
        picture.text(x + 5.0, panel.bottom + 14.0, "start", name);
    }
    for day in start as usize..days.len() {
        let x = panel.across(day as f64);
        picture.bar([x + 0.5, x + 4.6], [panel.up(days[day]), panel.bottom], colour(day));
    }
}

/// A bar for each number of orders, and dots for what the law gives.
fn draw_customers(picture: &mut Picture, bars: &[f64]) {
    let most = bars.iter().copied().fold(0.0, f64::max);
    let panel = Panel { left: 730.0, right: 1065.0, top: 290.0, bottom: 445.0, x: [-0.5, MOST as f64 + 0.5], y: [0.0, most] };
    picture.text(panel.left, 283.0, "start", "customers by number of orders; dots: the law");
    picture.ticks_up(&panel, steps(panel.y, 500.0));
    let law = law(bars.iter().sum());
    for (count, &customers) in bars.iter().enumerate() {
        let x = panel.across(count as f64);
        picture.bar([x - 8.0, x + 8.0], [panel.up(customers), panel.bottom], "#7f9bb5");
        let name = if count == MOST { format!("{count}+") } else { count.to_string() };
        picture.text(x, panel.bottom + 14.0, "middle", &name);
    }
    picture.dots(law.into_iter().enumerate().map(|(count, customers)| (panel.across(count as f64), panel.up(customers))), 2.0, "#202020");
}

/// The customers with no order, one and so on that the spec says: negative binomial, of mean 3 and dispersion 0.8.
fn law(customers: f64) -> Vec<f64> {
    let (mean, dispersion): (f64, f64) = (3.0, 0.8);
    let mut next = customers * (dispersion / (dispersion + mean)).powf(dispersion);
    let mut all = Vec::with_capacity(MOST + 1);
    for count in 0..MOST {
        all.push(next);
        next *= (count as f64 + dispersion) / (count as f64 + 1.0) * mean / (dispersion + mean);
    }
    all.push(customers - all.iter().sum::<f64>());
    all
}

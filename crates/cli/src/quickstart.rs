//! `semblant quickstart`: the whole workflow on rule-made data of any kind, without a download.

use std::path::{Path, PathBuf};

use semblant::Device;
use semblant::data::table::Table as Rows;
use semblant::files;
use semblant::kind::Request;
use semblant::metrics::report::{ModelSource, Report, SeriesEvaluation, Source, Sources, report_database, report_series};
use semblant::metrics::{Options, evaluate};
use semblant::prelude::*;
use semblant::rules::{patients, sensors, shop};
use serde_json::{Value, json};

use crate::arguments::{Kind, Quickstart};
use crate::{Failure, Outcome, date, observer, outputs, print, say};

pub(crate) fn run(arguments: &Quickstart, registry: &Registry, quiet: bool) -> Outcome {
    let seed = arguments.seed;
    match arguments.kind {
        Kind::Table => {
            let rows = asked(arguments, 4_000, 100, "patients")?;
            let subject = Subject {
                what: format!("{rows} patients"),
                files: ["patients.csv", "synthetic.csv"],
                model: "masked-diffusion",
                make: &|| Ok((patients(0..rows, seed)?, patients(rows..2 * rows, seed)?)),
                judge: &|real: &Rows, made, holdout, mut options, stage| {
                    options.target.clone_from(&real.schema().target);
                    evaluate(real, made, Some(holdout), &options, stage)
                },
                next: "semblant sample model.safetensors -n 100 --where smoker=yes -o smokers.csv",
            };
            subject.walk(arguments, registry, quiet)
        }
        Kind::Database => {
            let customers = asked(arguments, 1_000, 100, "customers")?;
            let subject = Subject {
                what: format!("a shop of five tables with {customers} customers"),
                files: ["shop", "synthetic"],
                model: "relational",
                // Another shop of the same law: what refers to other tables cannot be cut in two.
                make: &|| Ok((shop(customers, seed)?, shop(customers, seed.wrapping_add(1))?)),
                judge: &|real, made, holdout, mut options, stage| {
                    options.target = Some("number of orders.customer_id".into());
                    report_database(real, made, Some(holdout), &options, stage)
                },
                next: "semblant sample model.safetensors -n 100 --where-table \"customers: country = 'DE'\" -o german",
            };
            subject.walk(arguments, registry, quiet)
        }
        Kind::Series => {
            let count = asked(arguments, 10, 2, "sensors")?;
            let subject = Subject {
                what: format!("thirty days of {count} sensors"),
                files: ["readings.csv", "synthetic.csv"],
                model: "sequence",
                make: &|| Ok((sensors(0..count, seed)?, sensors(count..2 * count, seed)?)),
                judge: &|real, made, holdout, Options { seed, device, sources, .. }, stage| {
                    let evaluation = SeriesEvaluation { repeats: 2, seed, device, sources };
                    report_series(real, made, Some(holdout), &evaluation, stage)
                },
                next: "semblant sample model.safetensors -n 5 --where hall=north -o north.csv",
            };
            subject.walk(arguments, registry, quiet)
        }
    }
}

/// The number of items that is asked for.
fn asked(arguments: &Quickstart, usual: u64, least: u64, what: &str) -> Result<u64, Failure> {
    match arguments.rows.unwrap_or(usual) {
        rows if rows < least => Err(Failure::Usage(format!("--rows {rows}: simulate at least {least} {what}"))),
        rows => Ok(rows),
    }
}

/// Real and holdout data.
type Make<'a, D> = &'a dyn Fn() -> semblant::Result<(D, D)>;
/// The report on synthetic data, given the real and the holdout data.
type Judge<'a, D> = &'a dyn Fn(&D, &D, &D, Options, &mut dyn FnMut(&str)) -> Result<Report, semblant::metrics::Error>;

/// Data of one kind, and what is done with it.
struct Subject<'a, D: Data> {
    what: String,
    /// The real and the synthetic data.
    files: [&'static str; 2],
    /// The model, unless another one is asked for.
    model: &'static str,
    make: Make<'a, D>,
    judge: Judge<'a, D>,
    /// What to try next.
    next: &'static str,
}

impl<D: Data> Subject<'_, D> {
    fn walk(&self, arguments: &Quickstart, registry: &Registry, quiet: bool) -> Outcome {
        let tell = |text: &str| {
            if !quiet {
                say(text);
            }
        };
        let folder = &arguments.output;
        std::fs::create_dir_all(folder).map_err(|error| Failure::Work(format!("{}: {error}", folder.display())))?;
        let [real_name, synthetic_name] = self.files;
        let [real_path, model_path, synthetic_path, report_path] =
            [real_name, "model.safetensors", synthetic_name, "report.html"].map(|name| folder.join(name));
        let written = [&real_path, &model_path, &synthetic_path, &report_path].map(PathBuf::as_path);
        outputs::check(&written, &[], arguments.overwrite.force)?;
        let name = arguments.model.as_deref().unwrap_or(self.model);
        let mut model = registry.model::<D>(name, settings(name))?;

        tell(&format!("simulating {}, and as much again as a holdout", self.what));
        let (real, holdout) = (self.make)()?;
        save(&real, &real_path)?;
        let device: Device = crate::devices::choose("auto", quiet)?;
        let mut run = Run { observer: observer(quiet), ..Run::new(device, arguments.seed) };
        model.fit(&real, &mut run)?;
        model.save(&model_path)?;
        outputs::record(&model_path);

        tell("sampling");
        let synthetic = model.sample(&D::Request::new(real.len() as u64, arguments.seed))?.data;
        save(&synthetic, &synthetic_path)?;
        let sources = Sources {
            real: Source::named(real_name),
            synthetic: Source::named(synthetic_name),
            holdout: Some(Source::named("simulated holdout")),
            model: Some(ModelSource { name: name.to_owned(), seed: Some(arguments.seed) }),
            date: Some(date()),
            ..Sources::default()
        };
        let options = Options { seed: arguments.seed, sources, ..Options::default() };
        let report = (self.judge)(&real, &synthetic, &holdout, options, &mut |stage| tell(stage))?;
        files::write(&report_path, report.to_html().as_bytes())?;
        outputs::record(&report_path);
        if !quiet {
            report.to_text().iter().for_each(|line| print(line));
        }
        for path in [real_path, model_path, synthetic_path, report_path] {
            print(&path.display().to_string());
        }
        tell(&format!("next: open report.html, then try: {}", self.next));
        Ok(())
    }
}

fn save<D: Data>(data: &D, path: &Path) -> Outcome {
    data.save(path)?;
    outputs::record(path);
    Ok(())
}

/// Short enough for a first look, about a minute on two cores; defaults train longer.
fn settings(model: &str) -> Value {
    match model {
        "ctgan" => json!({ "epochs": 300, "batch_rows": 200 }),
        "relational" => json!({ "sequences": { "rows": 64_000 } }),
        _ => json!({}),
    }
}

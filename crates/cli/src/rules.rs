//! `semblant sample SPEC` and `semblant rules`: tables from declared logic.

use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use semblant::data::table::{ReadOptions, Table, TableRequest, TableWriter};
use semblant::kind::Data;
use semblant::options::{Names, OptionValues};
use semblant::progress::Event;
use semblant::rules::{Generator, Plan, RegistryModels, RulesConfig, Spec, draft, proposed, table_of};
use semblant::{Registry, Verb, files};
use serde_json::json;

use crate::arguments::{Format, Rules, RulesCommand, Sample};
use crate::{Failure, Outcome, datasets, devices, groups, observer, outputs, print, print_document, sample, say};

impl From<semblant::rules::Error> for Failure {
    fn from(error: semblant::rules::Error) -> Self {
        Self::Usage(error.to_string())
    }
}

/// Whether a path names a spec.
pub(crate) fn is_spec(path: &Path) -> bool {
    path.extension().is_some_and(|extension| ["toml", "yaml", "yml"].iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

/// A file to be written: the rows of a table, and what chaos did to them.
struct Output {
    table: String,
    rows: Range<u64>,
    path: PathBuf,
    labels: Option<PathBuf>,
}

/// `semblant sample SPEC`.
pub(crate) fn sample(arguments: &Sample, matches: &ArgMatches, registry: &Registry, quiet: bool) -> Outcome {
    let options = groups::values(matches, registry, Verb::Sample, registry.kind(Table::KIND)?)?;
    if sample::is_conditional(&options) {
        return sample_conditional(arguments, &options, registry, quiet);
    }
    if arguments.n.is_some() || arguments.from.is_some() || arguments.mask.is_some() {
        return Err(Failure::Usage(
            "-n, --from and --mask are for models: a spec says how many rows it has; give --scale, or --rows A..B with --table".into(),
        ));
    }
    let spec = arguments.model.as_path();
    let device = devices::choose(&arguments.device, true)?;
    let plan = Plan::read(spec, &RegistryModels::new(registry, device))?;
    let generator = Generator::new(&plan, arguments.seed, arguments.scale.unwrap_or(1.0))?;
    let (wanted, folder) = wanted(arguments, &generator)?;
    let paths: Vec<&Path> =
        wanted.iter().flat_map(|output| std::iter::once(&output.path).chain(&output.labels)).map(PathBuf::as_path).collect();
    let stdout = arguments.json.then_some(Path::new("-"));
    let inputs: Vec<&Path> = std::iter::once(spec).chain(plan.files()).collect();
    outputs::check(&paths.iter().copied().chain(stdout).collect::<Vec<_>>(), &inputs, arguments.overwrite.force)?;
    // A folder that was made for nothing goes again; one that holds something stays.
    let is_new = folder.is_some_and(|folder| !folder.exists());
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).map_err(|error| Failure::Work(format!("{}: {error}", folder.display())))?;
    }
    write(&generator, &wanted, options.has("escape-formulas"), quiet).inspect_err(|_| {
        let _ = folder.filter(|_| is_new).map(std::fs::remove_dir);
    })?;
    for path in &paths {
        outputs::record(path);
    }
    if arguments.json {
        let tables: Vec<_> = wanted
            .iter()
            .map(|output| json!({ "table": output.table, "output": output.path, "rows": output.rows.end - output.rows.start }))
            .collect();
        print_document(&json!({ "tables": tables }).to_string());
        return Ok(());
    }
    paths.iter().filter(|path| !outputs::is_stream(path)).for_each(|path| print(&path.display().to_string()));
    Ok(())
}

/// `semblant sample SPEC --where ...`: rows of one table that are what is asked for, as of a fitted model.
fn sample_conditional(arguments: &Sample, options: &OptionValues, registry: &Registry, quiet: bool) -> Outcome {
    if arguments.from.is_some() || arguments.mask.is_some() {
        return Err(Failure::Usage("--from and --mask are for models; leave them out".into()));
    }
    let spec = arguments.model.as_path();
    let device = devices::choose(&arguments.device, true)?;
    let plan = Plan::read(spec, &RegistryModels::new(registry, device.clone()))?;
    let table = match (&arguments.table, plan.tables().collect::<Vec<_>>().as_slice()) {
        (Some(table), _) => table.clone(),
        (None, [one]) => (*one).to_owned(),
        _ => return Err(Failure::Usage("conditions are on the rows of one table; name it with --table".into())),
    };
    let scale = arguments.scale.unwrap_or(1.0);
    let generator = Generator::new(&plan, arguments.seed, scale)?;
    if generator.has_chaos(&table)? {
        let what =
            format!("table \"{table}\" has chaos, which spoils what conditions ask for; take it out of the spec, or sample without them");
        return Err(Failure::Usage(what));
    }
    let rows = match (&arguments.rows, arguments.n) {
        (None, None) => 0..generator.count(&table)?,
        _ => sample::rows(arguments)?,
    };
    let output = sample::output(arguments, Table::KIND)?;
    Table::check_output(&output)?;
    let named = groups::files(registry.kind(Table::KIND)?, Verb::Sample, options, Names::Input);
    let inputs: Vec<&Path> = std::iter::once(spec).chain(plan.files()).chain(named.iter().map(PathBuf::as_path)).collect();
    let stdout = arguments.json.then_some(Path::new("-"));
    outputs::check(&std::iter::once(output.as_path()).chain(stdout).collect::<Vec<_>>(), &inputs, arguments.overwrite.force)?;
    let asked = rows.end - rows.start;
    let request = Table::parse_request(TableRequest { rows, ..TableRequest::new(0, arguments.seed) }, options)?;
    let config = RulesConfig { spec: Some(spec.to_owned()), table: Some(table), scale };
    let model = table_of(config)?.open(&device)?;
    let outcome = match semblant::sample_to(&model, &request, &output, &|| observer(quiet)) {
        Err(semblant::Error::Io { source, .. }) if outputs::is_stream(&output) && source.kind() == ErrorKind::BrokenPipe => return Ok(()),
        sampled => sampled?,
    };
    sample::tell(arguments, &output, (Table::ITEMS, asked, true), outcome, quiet)
}

/// What is to be written where, and the folder of the files unless one file was named.
fn wanted<'a>(arguments: &'a Sample, generator: &Generator<'_>) -> Result<(Vec<Output>, Option<&'a Path>), Failure> {
    let names: Vec<String> = match &arguments.table {
        Some(name) => vec![name.clone()],
        None => generator.plan().tables().map(str::to_owned).collect(),
    };
    if arguments.rows.is_some() && names.len() > 1 {
        return Err(Failure::Usage("--rows A..B: these are the rows of one table; name it with --table".into()));
    }
    let extension = match arguments.format {
        Format::Csv => "csv",
        Format::Jsonl => "jsonl",
        Format::Parquet => "parquet",
        Format::Sql => "sql",
    };
    let output = &arguments.output;
    let is_stream = output.as_os_str() == "-";
    // A file where one table has a name with an extension, else a folder.
    let is_file = is_stream || (names.len() == 1 && TableWriter::check(output).is_ok());
    if is_stream && names.len() > 1 {
        return Err(Failure::Usage("-o -: only one table can go to standard output; name it with --table".into()));
    }
    if !is_file && output.extension().is_some() && !output.is_dir() && names.len() > 1 {
        return Err(Failure::Usage(format!(
            "-o {}: several tables need a folder; name one such as out/, or a table with --table",
            output.display()
        )));
    }
    let mut all = Vec::new();
    for table in names {
        let rows = match &arguments.rows {
            Some(_) => sample::rows(arguments)?,
            None => 0..generator.count(&table)?,
        };
        let path = match (is_stream, is_file) {
            (true, _) if extension == "csv" => PathBuf::from("-"),
            (true, _) => PathBuf::from(format!("-.{extension}")),
            (_, true) => output.clone(),
            _ => output.join(format!("{table}.{extension}")),
        };
        let labels = match generator.has_chaos(&table)? {
            false => None,
            true if is_stream => return Err(Failure::Usage("-o -: a table with chaos has a second file of labels; name a folder".into())),
            true => {
                let ending = path.extension().map_or(extension.into(), |ending| ending.to_string_lossy().into_owned());
                Some(path.with_file_name(format!("{table}_chaos.{ending}")))
            }
        };
        all.push(Output { table, rows, path, labels });
    }
    Ok((all, (!is_file).then_some(output.as_path())))
}

/// Writes all files; none has its name before all are complete.
fn write(generator: &Generator<'_>, wanted: &[Output], escape_formulas: bool, quiet: bool) -> Outcome {
    let create = if escape_formulas { TableWriter::create_for_spreadsheets } else { TableWriter::create };
    let mut complete = Vec::new();
    let total: u64 = wanted.iter().map(|output| output.rows.end - output.rows.start).sum();
    let mut observer = observer(quiet);
    let mut done = 0;
    for Output { table, rows, path, labels } in wanted {
        let schema = generator.plan().schema(table)?;
        let mut writer = create(path, schema)?;
        let mut label_writer = labels.as_ref().map(|path| create(path, &Generator::label_schema())).transpose()?;
        let written = generator.stream(table, rows.clone(), |part| -> Outcome {
            writer.write(&part.data)?;
            if let Some(writer) = &mut label_writer {
                writer.write(&part.labels)?;
            }
            done += part.data.rows() as u64;
            observer.event(Event::Rows { done: done.min(total), total });
            Ok(())
        });
        match written {
            // A reader that closed the pipe has read enough.
            Err(Failure::Work(what)) if outputs::is_stream(path) && what.contains("Broken pipe") => return Ok(()),
            other => other?,
        }
        complete.push(writer);
        complete.extend(label_writer);
    }
    observer.event(Event::Done);
    complete.into_iter().try_for_each(|writer| writer.finish().map_err(Failure::from))
}

/// `semblant rules`.
pub(crate) fn run(arguments: &Rules, registry: &Registry, quiet: bool) -> Outcome {
    match &arguments.command {
        RulesCommand::Check { spec } => {
            let plan = Plan::read(spec, &RegistryModels::new(registry, devices::choose("cpu", true)?))?;
            let generator = Generator::new(&plan, 0, 1.0)?;
            for table in plan.tables() {
                // A few rows show what only rows can: a parameter out of its range, a constraint that is never met.
                let rows = generator.count(table)?;
                generator.rows(table, 0..rows.min(1_000))?;
                print(&format!("{table:20} {rows:>14} rows, {} columns", plan.schema(table)?.columns.len()));
            }
            Ok(())
        }
        RulesCommand::Schema => {
            let text = serde_json::to_string_pretty(&Spec::json_schema()).map_err(|error| Failure::Work(error.to_string()))?;
            print_document(&text);
            Ok(())
        }
        RulesCommand::Draft { data, output, overwrite } => {
            let mut tables = Vec::new();
            let mut inputs = Vec::new();
            for text in data {
                let source = datasets::source(text, "train")?;
                let path = source.path().to_owned();
                if !quiet {
                    say(&format!("reading {}", path.display()));
                }
                let table = Table::read(&path, &ReadOptions::default())?;
                let stem = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                let name = stem.split('.').next().unwrap_or_default().to_owned();
                tables.push((name, table));
                inputs.push(path);
            }
            let inputs: Vec<&Path> = inputs.iter().map(PathBuf::as_path).collect();
            outputs::check(&[output.as_path()], &inputs, overwrite.force)?;
            let text = draft(&tables, &tables.iter().map(|(_, table)| proposed(table)).collect::<Vec<_>>());
            if outputs::is_stream(output) {
                print_document(&text);
                return Ok(());
            }
            files::write(output, text.as_bytes())?;
            outputs::record(output);
            print(&output.display().to_string());
            Ok(())
        }
    }
}

//! The `semblant` command.

mod arguments;
mod compare;
mod datasets;
mod devices;
mod evaluate;
mod fit;
mod groups;
mod inspect;
mod lock;
mod outputs;
mod quickstart;
mod rows;
mod rules;
mod sample;
mod schema;
mod signals;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgMatches, CommandFactory, FromArgMatches};
use semblant::progress::{Observer, Silent, Terminal, printable, printable_document};
use semblant::{Registry, Verb};

// Half of a small network's training time is the allocation of short-lived buffers; this allocator serves them from its own pages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What ended a command: bad usage is the caller's to mend, failed work is not.
#[derive(Debug)]
enum Failure {
    Usage(String),
    Work(String),
}

impl From<semblant::Error> for Failure {
    fn from(error: semblant::Error) -> Self {
        match error {
            semblant::Error::Device(_) | semblant::Error::Config(_) | semblant::Error::Condition(_) => Self::Usage(error.to_string()),
            other => Self::Work(other.to_string()),
        }
    }
}

impl From<semblant::data::Error> for Failure {
    fn from(error: semblant::data::Error) -> Self {
        match error {
            semblant::data::Error::UnknownColumn { .. } => Self::Usage(error.to_string()),
            other => Self::Work(other.to_string()),
        }
    }
}

impl From<semblant::metrics::Error> for Failure {
    fn from(error: semblant::metrics::Error) -> Self {
        Self::Work(error.to_string())
    }
}

type Outcome = Result<(), Failure>;

fn main() -> ExitCode {
    let registry = Registry::default();
    let parsed = command(&registry).try_get_matches().and_then(|matches| Ok((arguments::Arguments::from_arg_matches(&matches)?, matches)));
    let (arguments, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            // Help and version go to standard output with code 0, mistakes to standard error with code 2.
            let good = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            if good || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
                let _ = error.print();
            } else {
                say(&mistake(&error));
            }
            return ExitCode::from(if good { 0 } else { 2 });
        }
    };
    signals::listen();
    match run(arguments, &matches, &registry) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let (code, message) = match failure {
                Failure::Usage(message) => (2, message),
                Failure::Work(message) => (1, message),
            };
            say_error(&message);
            ExitCode::from(signals::exit_code().unwrap_or(code))
        }
    }
}

/// What ends a command, as one line on standard error.
fn say_error(message: &str) {
    say(&format!("error: {}", one_line(message)));
}

/// What clap says of a mistake, as one line like every other error.
fn mistake(error: &clap::Error) -> String {
    let text = error.to_string();
    let said = text.split("\n\nUsage:").next().and_then(|text| text.split("\n\nFor more information").next()).unwrap_or_default();
    format!("{}; see --help", one_line(said))
}

/// The longest error, in characters.
const LONGEST: usize = 300;

/// An error as one line that is not too long: the middle gives way, since a message begins with the place and ends with the remedy.
fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: Vec<char> = printable(&line).chars().collect();
    if line.len() <= LONGEST {
        return line.into_iter().collect();
    }
    let (head, tail) = (&line[..LONGEST / 2], &line[line.len() - (LONGEST - 1 - LONGEST / 2)..]);
    head.iter().chain(['…'].iter()).chain(tail).collect()
}

/// The whole command line: what is the same for every kind of data, and the options that kinds declare.
pub(crate) fn command(registry: &Registry) -> clap::Command {
    [("fit", Verb::Fit), ("sample", Verb::Sample), ("evaluate", Verb::Evaluate), ("compare", Verb::Compare), ("schema", Verb::Schema)]
        .into_iter()
        .fold(arguments::Arguments::command(), |command, (name, verb)| {
            command.mut_subcommand(name, |subcommand| groups::augment(subcommand, registry, verb))
        })
}

fn run(arguments: arguments::Arguments, matches: &ArgMatches, registry: &Registry) -> Outcome {
    use arguments::Command;
    let quiet = arguments.quiet;
    devices::prepare(arguments.tune, &arguments.command, registry, quiet);
    if let Some(bytes) = arguments.memory {
        semblant::memory::Memory::of(bytes).set_for_process()?;
    }
    let own = matches.subcommand().map_or(matches, |(_, own)| own);
    match arguments.command {
        Command::Fit(fit) => fit::run(&fit, own, registry, quiet),
        Command::Sample(sample) if rules::is_spec(&sample.model) => rules::sample(&sample, own, registry, quiet),
        Command::Sample(sample) => sample::run(&sample, own, registry, quiet),
        Command::Impute(impute) => rows::impute(&impute, registry, quiet),
        Command::Score(score) => rows::score(&score, registry, quiet),
        Command::Export(export) => inspect::export(&export, registry),
        Command::Evaluate(evaluate) => evaluate::run(&evaluate, own, registry, quiet),
        Command::Compare(compare) => compare::run(&compare, own, registry, quiet),
        Command::Schema(schema) => schema::run(&schema, own, registry, quiet),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut command(registry), "semblant", &mut std::io::stdout());
            Ok(())
        }
        Command::Rules(rules) => rules::run(&rules, registry, quiet),
        Command::Models { name, json } => inspect::models(registry, name.as_deref(), json),
        Command::Devices { clear_cache: true, .. } => devices::clear(),
        Command::Devices { json, .. } => devices::list(json),
        Command::Inspect { model, json } => inspect::file(&model, registry, json),
        Command::Data(data) => datasets::run(&data, quiet),
        Command::Quickstart(quickstart) => quickstart::run(&quickstart, registry, quiet),
    }
}

/// One line on standard error. A closed pipe is no reason to fail.
fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{}", printable(line));
}

/// Today's date (UTC), for reports.
fn date() -> String {
    jiff::Timestamp::now().to_string().chars().take(10).collect()
}

/// Who shows how far something is, on standard error.
fn observer(quiet: bool) -> Box<dyn Observer> {
    if quiet { Box::new(Silent) } else { Box::new(Terminal::default()) }
}

/// One line on standard output: a result, for people.
fn print(line: &str) {
    print_document(&printable(line));
}

/// JSON, a schema or a page on standard output, line by line as it is. A reader that closed the pipe has read enough.
fn print_document(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{}", printable_document(text));
}

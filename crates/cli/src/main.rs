//! The `semblant` command.

mod arguments;
mod devices;
mod evaluate;
mod eyes;
mod fit;
mod inspect;
mod judge;
mod pictures;
mod quickstart;
mod sample;
mod source;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use semblant::progress::{Observer, Silent, Terminal};

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
    let arguments = match arguments::Arguments::try_parse() {
        Ok(arguments) => arguments,
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
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let (code, message) = match failure {
                Failure::Usage(message) => (2, message),
                Failure::Work(message) => (1, message),
            };
            say(&format!("error: {}", one_line(&message)));
            ExitCode::from(code)
        }
    }
}

/// What clap says of a mistake, as one line like every other error.
fn mistake(error: &clap::Error) -> String {
    let text = error.to_string();
    let said = text.split("\n\nUsage:").next().and_then(|text| text.split("\n\nFor more information").next()).unwrap_or_default();
    format!("{}; see --help", one_line(said))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn run(arguments: arguments::Arguments) -> Outcome {
    use arguments::Command;
    let quiet = arguments.quiet;
    match arguments.command {
        Command::Fit(fit) => fit::run(&fit, quiet),
        Command::Sample(sample) => sample::run(&sample, quiet),
        Command::Export(export) => inspect::export(&export),
        Command::Evaluate(evaluate) => evaluate::run(&evaluate, quiet),
        Command::Models { json } => inspect::models(json),
        Command::Devices { json } => devices::list(json),
        Command::Inspect { model, json } => inspect::file(&model, json),
        Command::Data(data) => source::run(&data, quiet),
        Command::Quickstart(quickstart) => quickstart::run(&quickstart, quiet),
    }
}

/// One line on standard error. A closed pipe is no reason to fail.
fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Who shows how far something is, on standard error.
fn observer(quiet: bool) -> Box<dyn Observer> {
    if quiet { Box::new(Silent) } else { Box::new(Terminal::default()) }
}

/// One line on standard output: a result. A reader that closed the pipe has read enough.
fn print(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{line}");
}

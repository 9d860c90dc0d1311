//! `semblant schema`: what a data set holds.

use clap::ArgMatches;
use semblant::{Registry, Verb};

use crate::arguments::Schema;
use crate::evaluate::kind_of;
use crate::{Outcome, datasets, groups, print, print_document, say};

pub(crate) fn run(arguments: &Schema, matches: &ArgMatches, registry: &Registry, quiet: bool) -> Outcome {
    let source = datasets::source(&arguments.data, "train")?;
    let kind = kind_of(arguments.kind.as_deref(), &source, registry)?;
    let options = groups::values(matches, registry, Verb::Schema, kind)?;
    if arguments.mine {
        print_document(&kind.mine(&source, &options)?);
        return Ok(());
    }
    let (lines, notes) = kind.overview(&source, &options)?;
    lines.iter().for_each(|line| print(line));
    if !quiet {
        notes.iter().for_each(|note| say(&format!("note: {note}")));
    }
    Ok(())
}

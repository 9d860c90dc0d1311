//! The options that kinds of data declare, as groups of the command line: added to a command's help, read back, and refused for data of
//! another kind.

use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use semblant::options::{Names, OptionSpec, OptionValues};
use semblant::{Modality, Registry, Verb};

use crate::{Failure, outputs};

/// An option with the kinds that declare it.
struct Declared {
    spec: OptionSpec,
    kinds: Vec<&'static str>,
}

fn declared(registry: &Registry, verb: Verb) -> Vec<Declared> {
    let mut all: Vec<Declared> = Vec::new();
    for kind in registry.kinds() {
        for spec in kind.options(verb) {
            match all.iter_mut().find(|known| known.spec.name == spec.name) {
                Some(known) if known.kinds.contains(&kind.kind()) => {}
                Some(known) => known.kinds.push(kind.kind()),
                None => all.push(Declared { spec, kinds: vec![kind.kind()] }),
            }
        }
    }
    all
}

/// `command` with the options of all kinds, under a heading for each.
pub(crate) fn augment(command: Command, registry: &Registry, verb: Verb) -> Command {
    declared(registry, verb).into_iter().fold(command, |command, Declared { spec, kinds }| {
        let arg = Arg::new(spec.name).long(spec.name).help(spec.help).help_heading(format!("Options for {}", kinds.join(" and ")));
        let arg = match (spec.value_name, spec.values) {
            (None, _) => arg.action(ArgAction::SetTrue),
            (Some(name), 0) => arg.value_name(name).num_args(0..=1).action(ArgAction::Append),
            (Some(name), 1) => arg.value_name(name).allow_negative_numbers(true).action(ArgAction::Append),
            (Some(name), values) => arg.value_name(name).num_args(values).action(ArgAction::Append),
        };
        let only_once = |arg: Arg| if spec.repeated || spec.values > 1 { arg } else { arg.overrides_with(spec.name) };
        command.arg(if spec.value_name.is_some() { only_once(arg) } else { arg })
    })
}

/// The values of the options of `kind`.
pub(crate) fn values(matches: &ArgMatches, registry: &Registry, verb: Verb, kind: &dyn Modality) -> Result<OptionValues, Failure> {
    let mut values = OptionValues::default();
    for Declared { spec, kinds } in declared(registry, verb) {
        if matches.value_source(spec.name) != Some(ValueSource::CommandLine) {
            continue;
        }
        if !kinds.contains(&kind.kind()) {
            let what = format!("--{} is an option for {}, not for {}", spec.name, kinds.join(" and "), kind.kind());
            return Err(Failure::Usage(what));
        }
        if spec.value_name.is_some() {
            values.insert(spec.name, matches.get_many::<String>(spec.name).into_iter().flatten().cloned());
        } else {
            values.insert(spec.name, []);
        }
    }
    Ok(values)
}

/// The files that the options of `kind` name, as said.
pub(crate) fn files(kind: &dyn Modality, verb: Verb, values: &OptionValues, names: Names) -> Vec<PathBuf> {
    let named = kind.options(verb).into_iter().filter(|spec| spec.names == names);
    let values = named.flat_map(|spec| values.all(spec.name));
    match names {
        Names::Output => values.map(PathBuf::from).collect(),
        _ => values.flat_map(|text| outputs::named_in(text)).collect(),
    }
}

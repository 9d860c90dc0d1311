//! The arguments of the command line.

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand};

/// Synthetic data by deep generative models: fit, sample, evaluate.
#[derive(Debug, Parser)]
#[command(
    name = "semblant",
    version,
    arg_required_else_help = true,
    after_help = "Examples:\n  semblant quickstart\n  semblant fit adult.csv --target income -o adult.safetensors\n  semblant sample adult.safetensors -n 1000 -o synthetic.csv\n  semblant evaluate --real adult.csv --synthetic synthetic.csv -o report.html\n\nExit codes: 0 success, 1 failure, 2 wrong usage, 130 interrupted by Ctrl-C, 143 by SIGTERM."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print results and errors only.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// The most memory that one structure may take (data as it is read, the weights of a network, an image), as 4G or 500M; half of what is free
    /// unless given. What would take more ends in an error before it is made.
    #[arg(long, global = true, value_name = "BYTES", value_parser = bytes)]
    pub(crate) memory: Option<u64>,
    /// How many variants of its kernels a GPU tries before the first step; what it chose is kept for later runs, see `semblant devices`. balanced
    /// for fits of image models unless given, else minimal.
    #[arg(long, global = true, value_enum)]
    pub(crate) tune: Option<Tune>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fit a model to data.
    Fit(Fit),
    /// Sample new data from a model.
    Sample(Sample),
    /// Fill the missing cells of a table; the others stay as they are.
    Impute(Impute),
    /// Tell how probable the rows of a table are under a model: their log-likelihoods, least probable rows first.
    Score(Score),
    /// Write a model in the format of another program.
    Export(Export),
    /// Compare synthetic with real data and write a report.
    Evaluate(Evaluate),
    /// Fit several models to one part of a data set and compare what they make with the rest.
    Compare(Compare),
    /// Show what a data set holds: every column with its kind, missing values, range or most frequent labels.
    Schema(Schema),
    /// List all models, or every setting of one with its default and meaning.
    Models {
        /// The model.
        name: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the devices of this build and machine, what other devices need, and where compiled kernels are kept.
    Devices {
        /// Remove the compiled kernels.
        #[arg(long)]
        clear_cache: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show what a model file contains.
    Inspect {
        /// The model file.
        model: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List or download public data sets.
    Data(Data),
    /// Tables from declared logic: check a spec, or draft one from data.
    Rules(Rules),
    /// Print the completions of a shell, to be read by it.
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Simulate a table of patients, a database or series, fit, sample and evaluate: patients.csv, model.safetensors, synthetic.csv, report.html.
    Quickstart(Quickstart),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  semblant rules draft customers.csv orders.csv -o shop.toml\n  semblant rules check shop.toml\n  semblant sample shop.toml -o out/ --format parquet --scale 10\n  semblant sample shop.toml --table orders --rows 1000..2000 -o orders.csv"
)]
pub(crate) struct Rules {
    #[command(subcommand)]
    pub(crate) command: RulesCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Check a spec: names, types, circles, distributions, and the first rows of each table.
    Check {
        /// The spec, a .toml or .yaml file.
        spec: PathBuf,
    },
    /// Write a spec that describes tables: distributions, labels, keys and correlations, without rare values; to be edited.
    Draft {
        /// The tables: paths, or names of public data sets.
        #[arg(required = true)]
        data: Vec<String>,
        /// The .toml file to write, or - for standard output.
        #[arg(long, short)]
        output: PathBuf,
        #[command(flatten)]
        overwrite: Overwrite,
    },
    /// Print the JSON Schema of specs, by which editors complete them.
    Schema,
}

/// What may be written over.
#[derive(Debug, Args)]
pub(crate) struct Overwrite {
    /// Replace files that semblant did not write, and the state of an interrupted fit.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  semblant fit adult --model tvae -o adult.safetensors\n  semblant fit sales.csv.gz --target churned --set epochs=100 --set optimizer.learning_rate=1e-4 -o sales.safetensors\n  semblant fit --resume sales.safetensors                       (continue after an interruption)\n  semblant fit sales.csv --write-schema sales.toml              (write the inferred schema, to edit and pass with --schema)\n  semblant fit photos/ --model flow --size 32 -o photos.safetensors      (samples appear in photos.safetensors.run during the fit)"
)]
pub(crate) struct Fit {
    /// A CSV, TSV or JSON lines (each also .gz) or Parquet file, or - for standard input; a folder, .tar, IDX, CSV or .npz file of images; or the
    /// name of a public data set.
    #[arg(required_unless_present = "resume")]
    pub(crate) data: Option<String>,
    /// The model; see `semblant models`. Without it masked-diffusion for a table, and the first of the list for data of a kind that its name shows.
    #[arg(long, short)]
    pub(crate) model: Option<String>,
    /// A setting of the model, as key=value; may be given several times. Nested keys have dots.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
    /// A TOML file with settings; --set takes precedence.
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
    /// Where to train: auto, cpu, cuda:0 or wgpu:0.
    #[arg(long, default_value = "auto")]
    pub(crate) device: String,
    /// Several devices that train one model, each on its part of every batch: cuda:0,cuda:1. For image models whose loss is a mean over
    /// images.
    #[arg(long, value_delimiter = ',', num_args = 1, value_name = "DEVICE,DEVICE", conflicts_with = "device")]
    pub(crate) devices: Vec<String>,
    /// The precision of matrix products in training: f32, or on a GPU bf16 for masked-diffusion, flow, edm and ddpm.
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    pub(crate) precision: Precision,
    /// Keep only the inputs of a transformer's blocks and compute the rest anew for gradients: less memory, more time, the same model. For the network
    /// dit of models of images.
    #[arg(long)]
    pub(crate) recompute: bool,
    /// The seed: equal seeds give equal models.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// The model file to write.
    #[arg(long, short)]
    pub(crate) output: Option<PathBuf>,
    /// Passes over the data; short for --set epochs=N, or training.epochs=N where the model has that.
    #[arg(long, value_name = "N")]
    pub(crate) epochs: Option<u64>,
    /// Continue the interrupted fit of this model file; data, model and settings are those that its run folder names.
    #[arg(long, value_name = "MODEL", num_args = 0..=1, default_missing_value = "")]
    pub(crate) resume: Option<String>,
    #[command(flatten)]
    pub(crate) overwrite: Overwrite,
    /// Print the summary as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  semblant sample adult.safetensors -n 1000 -o synthetic.csv\n  semblant sample adult.safetensors -n 500 --where income='>50K' --where age=30..40 -o rich.csv\n  semblant sample adult.safetensors -n 1000 --balance income -o balanced.parquet\n  semblant sample adult.safetensors -n 1000 --distribution income='<=50K:0.5,>50K:0.5' -o even.csv\n  semblant sample adult.safetensors --given people.csv --draws 10 -o completed.csv\n  semblant sample adult.safetensors --rows 500000..500100 -o shard.csv\n  semblant sample digits.safetensors -n 64 --class 3 --steps 18 --solver heun -o threes.png   (one sheet; a folder or .npz: every image)\n  semblant sample digits.safetensors --from scans/ --strength 0.5 -o cleaned/                 (image-to-image)"
)]
pub(crate) struct Sample {
    /// The model file, a folder written by Python's diffusers, or a spec of rules (.toml or .yaml).
    pub(crate) model: PathBuf,
    /// The number of rows or images, also as 1e6.
    #[arg(short, value_name = "N", value_parser = count, conflicts_with = "rows")]
    pub(crate) n: Option<u64>,
    /// With a spec: the table to write; all without it.
    #[arg(long, value_name = "TABLE")]
    pub(crate) table: Option<String>,
    /// With a spec: how many times as many rows as it declares.
    #[arg(long, value_name = "FACTOR")]
    pub(crate) scale: Option<f64>,
    /// The number of rows, or the rows A..B of the endless sample of this seed.
    #[arg(long, value_name = "N or A..B")]
    pub(crate) rows: Option<String>,
    /// Start from this data instead of noise, one sample per item: image-to-image, inpainting, or reconstruction by an autoencoder.
    #[arg(long, value_name = "DATA", conflicts_with_all = ["n", "rows"])]
    pub(crate) from: Option<String>,
    /// With --from: what to keep (inpainting); for images a folder with one image whose bright pixels are kept.
    #[arg(long, value_name = "DATA")]
    pub(crate) mask: Option<String>,
    /// The seed: equal seeds give equal rows.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Where to sample: auto, cpu, cuda:0 or wgpu:0.
    #[arg(long, default_value = "auto")]
    pub(crate) device: String,
    /// A .csv, .tsv, .jsonl, .sql (each also .gz) or .parquet file, or - for standard output; for images a .png sheet, an .npz file, or a folder
    /// for PNG files; for a spec a folder for the files of its tables, or one file with --table.
    #[arg(long, short)]
    pub(crate) output: PathBuf,
    /// The format on standard output, and of the files of a spec.
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) overwrite: Overwrite,
    /// Print the summary as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  semblant evaluate --real train.csv --synthetic synthetic.csv --holdout test.csv --target income -o report.html --json scores.json\n  semblant evaluate --real train.csv --holdout test.csv --compare ctgan.csv tvae.csv copula.csv\n  semblant evaluate --real train.csv --synthetic synthetic.csv --holdout test.csv --shadow model.safetensors      (trains 16 more models for one attack)\n  semblant evaluate --real mnist --synthetic made/ --holdout mnist:test --features classifier:judge.safetensors -o report.html   (images)\n  semblant evaluate --real photos/ --synthetic made/ --holdout kept/ --features inception:pt_inception-2015-12-05-6726825d.pth,resize=clean --utility\n  semblant evaluate --real photos/ --synthetic rebuilt/ --features lpips:vgg16.pth,lin=vgg.pth   (images in pairs)\n  semblant evaluate --real mnist:test --likelihood vae.safetensors --samples 1000"
)]
pub(crate) struct Evaluate {
    /// The training data of the model: a path, or the name of a public data set.
    #[arg(long)]
    pub(crate) real: String,
    /// The synthetic data: a path, - for standard input, or the name of a public data set.
    #[arg(long, required_unless_present_any = ["compare", "likelihood"])]
    pub(crate) synthetic: Option<String>,
    /// Several synthetic data sets instead of --synthetic: their scores side by side.
    #[arg(long, num_args = 1.., value_name = "SYNTHETIC", conflicts_with = "synthetic")]
    pub(crate) compare: Vec<String>,
    /// Held-out real data that the model never saw: the reference for every score.
    #[arg(long)]
    pub(crate) holdout: Option<String>,
    /// The seed of subsamples and cross-validation.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// The kind of data, if the name of --real does not show it: table, images, series, database or text.
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// The model of the synthetic data, for membership inference: models like it are trained with and without single rows or images.
    #[arg(long, value_name = "MODEL", requires = "holdout", conflicts_with_all = ["compare", "likelihood"])]
    pub(crate) shadow: Option<PathBuf>,
    /// The device of networks and of distances between features: auto, cpu, cuda:0 or wgpu:0.
    #[arg(long, default_value = "auto")]
    pub(crate) device: String,
    /// Instead of synthetic data, a model whose negative log-likelihood of the real data is estimated, in nats per item: vae, masked-diffusion,
    /// sequence, text-ar, text-mdlm.
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["synthetic", "holdout", "output"])]
    pub(crate) likelihood: Option<PathBuf>,
    /// With --likelihood: latent samples, or orders, per item; more are closer to the exact value.
    #[arg(long, default_value_t = 1000, requires = "likelihood", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    pub(crate) samples: usize,
    /// The HTML report to write.
    #[arg(long, short)]
    pub(crate) output: Option<PathBuf>,
    /// The JSON file to write; "-" is standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) overwrite: Overwrite,
}

impl Evaluate {
    /// The synthetic data: one, or several to compare.
    pub(crate) fn synthetics(&self) -> Vec<&str> {
        self.synthetic.iter().chain(&self.compare).map(String::as_str).collect()
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  semblant impute sales.safetensors sales-with-gaps.csv -o sales-filled.csv\n  semblant impute sales.safetensors sales.csv --columns churned --draws 5 -o redrawn.csv      (redrawn-1.csv to redrawn-5.csv)"
)]
pub(crate) struct Impute {
    /// The model file, of a model that knows any columns given any others: masked-diffusion of tables, sequence and series-flow of series.
    pub(crate) model: PathBuf,
    /// The table or series, some cells of which are missing: a path, - for standard input, or the name of a public data set.
    pub(crate) data: String,
    /// The file to write.
    #[arg(long, short)]
    pub(crate) output: PathBuf,
    /// Columns that are drawn anew in every row, beside missing cells.
    #[arg(long, value_name = "COLUMN,COLUMN", value_delimiter = ',')]
    pub(crate) columns: Vec<String>,
    /// Write an apostrophe before labels that a spreadsheet would take for formulas (=, +, -, @), in .csv and .tsv files.
    #[arg(long)]
    pub(crate) escape_formulas: bool,
    /// The number of draws, each a file of its own.
    #[arg(long, default_value_t = 1, value_parser = RangedU64ValueParser::<u64>::new().range(1..=100_000))]
    pub(crate) draws: u64,
    /// The seed: equal seeds fill in equal values.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Where to compute: auto, cpu, cuda:0 or wgpu:0.
    #[arg(long, default_value = "auto")]
    pub(crate) device: String,
    #[command(flatten)]
    pub(crate) overwrite: Overwrite,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  semblant score sales.safetensors new-sales.csv\n  semblant score sales.safetensors new-sales.csv --per-column -o scores.csv"
)]
pub(crate) struct Score {
    /// The model file, of a model that has a likelihood: masked-diffusion, or sequence.
    pub(crate) model: PathBuf,
    /// The rows to judge: a path, - for standard input, or the name of a public data set.
    pub(crate) data: String,
    /// A CSV file with one line for each row.
    #[arg(long, short)]
    pub(crate) output: Option<PathBuf>,
    /// Tell the share of every column too.
    #[arg(long)]
    pub(crate) per_column: bool,
    /// Orders of the columns that the likelihood is a mixture of; more are closer to its exact value.
    #[arg(long, default_value_t = 8)]
    pub(crate) orders: usize,
    /// The seed of the orders.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Where to compute: auto, cpu, cuda:0 or wgpu:0.
    #[arg(long, default_value = "auto")]
    pub(crate) device: String,
    #[command(flatten)]
    pub(crate) overwrite: Overwrite,
    /// Print the summary as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The formats of tables on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    Csv,
    Jsonl,
    Parquet,
    /// `INSERT` statements.
    Sql,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  semblant compare sales.csv --target churned\n  semblant compare adult --holdout adult:test --models masked-diffusion,tvae --budget 10m -o models.html"
)]
pub(crate) struct Compare {
    /// The data: a path, - for standard input, or the name of a public data set.
    pub(crate) data: String,
    /// The models, with their default settings.
    #[arg(long, value_name = "MODEL,MODEL", value_delimiter = ',', default_value = "masked-diffusion,copula")]
    pub(crate) models: Vec<String>,
    /// How long each model is trained at most, as 90s, 10m or 2h; the result then depends on the machine.
    #[arg(long, value_name = "TIME", value_parser = semblant::options::duration)]
    pub(crate) budget: Option<std::time::Duration>,
    /// Held-out data that no model sees, instead of a part of the data.
    #[arg(long)]
    pub(crate) holdout: Option<String>,
    /// The share of the data that is held out.
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, conflicts_with = "holdout")]
    pub(crate) holdout_share: f64,
    /// The kind of data, if its name does not show it: table, images, series, database or text.
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// The seed of the split, of the fits and of the samples.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Where to train: auto, cpu, cuda:0 or wgpu:0.
    #[arg(long, default_value = "auto")]
    pub(crate) device: String,
    /// The HTML page to write.
    #[arg(long, short)]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) overwrite: Overwrite,
    /// Print scores and times as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  semblant schema sales.csv\n  semblant schema sales.csv --drop notes\n  semblant schema sales.csv --mine"
)]
pub(crate) struct Schema {
    /// The data: a path, - for standard input, or the name of a public data set.
    pub(crate) data: String,
    /// The kind of data, if its name does not show it: table, images, series, database or text.
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Print constraints that hold in every row, as part of a schema file, to be accepted by hand.
    #[arg(long)]
    pub(crate) mine: bool,
}

/// A number of bytes, with K, M, G or T for powers of 1,024.
fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let plain = text.trim_end_matches(['B', 'b']).trim_end_matches(['i', 'I']);
    let power = plain.chars().last().and_then(|unit| "KMGT".find(unit.to_ascii_uppercase())).map_or(0, |place| place + 1);
    let number = if power > 0 { &plain[..plain.len() - 1] } else { plain };
    let value = number.trim().parse::<f64>().ok().map(|number| number * 1024f64.powi(power as i32));
    let value = value.filter(|bytes| (1e6..1e18).contains(bytes)).map(|bytes| bytes as u64);
    value.ok_or_else(|| "give a number of bytes of at least 1 MB, such as 4G or 500M".into())
}

/// A number of items: `1000`, `1_000` or `1e3`.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    let plain = text.replace('_', "");
    let whole =
        || plain.parse::<f64>().ok().filter(|number| number.fract() == 0.0 && (0.0..=9e15).contains(number)).map(|number| number as u64);
    plain.parse().ok().or_else(whole).ok_or_else(|| "write a whole number such as 1000 or 1e6".to_owned())
}

/// See [`Arguments::tune`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Tune {
    Minimal,
    Balanced,
    Full,
}

/// See [`Fit::precision`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Precision {
    F32,
    Bf16,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  semblant export digits.safetensors --format diffusers -o digits/    (opened by DiTTransformer2DModel.from_pretrained, for example)"
)]
pub(crate) struct Export {
    /// The model file.
    pub(crate) model: PathBuf,
    /// The format: diffusers, Hugging Face's Python library.
    #[arg(long, default_value = "diffusers")]
    pub(crate) format: String,
    /// The folder to write.
    #[arg(long, short)]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Data {
    #[command(subcommand)]
    pub(crate) command: DataCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// List the public data sets, and whether their files are on this machine.
    List,
    /// Download a data set unless it is there, verify its files, and print their paths.
    ///
    /// Files are looked for in the folder that SEMBLANT_DATA names, then in the cache ($XDG_CACHE_HOME/semblant or ~/.cache/semblant),
    /// where downloads are kept.
    Get {
        /// The data set's name.
        name: String,
    },
}

/// The kinds of data of a quickstart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    Table,
    Database,
    Series,
}

#[derive(Debug, Args)]
pub(crate) struct Quickstart {
    /// The folder for the four files.
    #[arg(long, short, default_value = ".")]
    pub(crate) output: PathBuf,
    /// The kind of data: patients, a shop of five tables, or readings of sensors.
    #[arg(long, value_enum, default_value_t = Kind::Table)]
    pub(crate) kind: Kind,
    /// The model; see `semblant models` [default: masked-diffusion, relational or sequence].
    #[arg(long, short)]
    pub(crate) model: Option<String>,
    /// The number of simulated patients, customers or sensors [default: 4000, 1000 or 10].
    #[arg(long)]
    pub(crate) rows: Option<u64>,
    /// The seed.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) overwrite: Overwrite,
}

#[cfg(test)]
mod tests {
    /// Splits as a shell would, as far as the examples need: blanks separate words, quotes of either kind keep them together.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
        for c in line.chars().chain([' ']) {
            match quote {
                None if c == '\'' || c == '"' => quote = Some(c),
                Some(open) if c == open => quote = None,
                None if c.is_whitespace() => words.push(std::mem::take(&mut word)),
                _ => word.push(c),
            }
        }
        words.into_iter().filter(|word| !word.is_empty()).collect()
    }

    #[track_caller]
    fn parses(line: &str) {
        if let Err(error) = crate::command(&semblant::Registry::default()).try_get_matches_from(words(line)) {
            panic!("{line}: {error}");
        }
    }

    #[test]
    fn the_commands_of_the_readme_can_be_typed() {
        let readme = include_str!("../../../README.md");
        let commands: Vec<&str> = readme.lines().filter_map(|line| line.strip_prefix("$ semblant ")).collect();
        assert!(commands.len() >= 5, "{commands:?}");
        commands.iter().for_each(|command| parses(&format!("semblant {command}")));
        // And in running text, as far as they are whole: `semblant models`, `--set epochs=100 --set ...`.
        for code in readme.split('`').skip(1).step_by(2) {
            match code.strip_prefix("cargo run --release -- ").or_else(|| code.strip_prefix("semblant ")) {
                Some(command) if !command.contains('\n') => parses(&format!("semblant {command}")),
                _ if code.starts_with("--set ") => parses(&format!("semblant fit t.csv -o m {code}")),
                _ => {}
            }
        }
    }

    #[test]
    fn the_examples_of_the_help_can_be_typed() {
        let mut command = crate::command(&semblant::Registry::default());
        let mut seen = 0;
        let helps: Vec<String> = std::iter::once(command.clone())
            .chain(command.get_subcommands_mut().map(|subcommand| subcommand.clone()))
            .filter_map(|command| command.get_after_help().map(ToString::to_string))
            .collect();
        for line in helps.iter().flat_map(|help| help.lines()).filter(|line| line.trim_start().starts_with("semblant ")) {
            parses(line.split("   ").find(|part| !part.is_empty()).unwrap_or(line).split("      (").next().unwrap_or(line));
            seen += 1;
        }
        assert!(seen >= 10, "{seen} examples");
    }
}

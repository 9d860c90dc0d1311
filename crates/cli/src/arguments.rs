//! What can be typed.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

/// Synthetic data by deep generative models: fit, sample, evaluate.
#[derive(Debug, Parser)]
#[command(
    name = "semblant",
    version,
    arg_required_else_help = true,
    after_help = "Examples:\n  semblant quickstart\n  semblant fit adult.csv --target income -o adult.safetensors\n  semblant sample adult.safetensors -n 1000 -o synthetic.csv\n  semblant evaluate --real adult.csv --synthetic synthetic.csv -o report.html\n\nExit codes: 0 good, 1 failed work, 2 wrong usage."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Say nothing but results and errors.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Learn a model from a table or from images.
    Fit(Fit),
    /// Make new rows or images from a model.
    Sample(Sample),
    /// Write a model for another program.
    Export(Export),
    /// Judge a synthetic table against the real one and write a report, or synthetic images against real ones.
    Evaluate(Evaluate),
    /// List the models there are.
    Models {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the devices that this build and this machine offer, and what is missing for others.
    Devices {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show what a model file holds.
    Inspect {
        /// The model file.
        model: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List or fetch the data sets that are known by name.
    Data(Data),
    /// Draw a table of simulated patients, fit, sample and evaluate: patients.csv, model.safetensors, synthetic.csv, report.html.
    Quickstart(Quickstart),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  semblant fit adult --model tvae -o adult.safetensors\n  semblant fit sales.csv.gz --target churned --set epochs=100 --set optimizer.learning_rate=1e-4 -o sales.safetensors\n  semblant fit sales.csv.gz -o sales.safetensors --resume      (go on after an interruption)\n  semblant fit sales.csv --write-schema sales.toml              (write the guessed schema, to edit and pass with --schema)\n  semblant fit photos/ --model flow --size 32 -o photos.safetensors      (samples appear in photos.safetensors.run while it learns)"
)]
pub(crate) struct Fit {
    /// A CSV (also .gz), TSV or Parquet file; a folder, .tar, IDX, CSV or .npz file of images; or the name of a known data set.
    pub(crate) data: String,
    /// The model; see `semblant models`.
    #[arg(long, short, default_value = "ctgan")]
    pub(crate) model: String,
    /// A setting of the model, as key=value; may be given several times. Nested keys are written with dots.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
    /// A TOML file with settings; --set goes before it.
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
    /// Where to train: auto, cpu, cuda:0 or wgpu:0.
    #[arg(long, default_value = "auto")]
    pub(crate) device: String,
    /// Several devices that learn together, each from its part of every batch: cuda:0,cuda:1. For models of images whose loss is a mean over
    /// images.
    #[arg(long, value_delimiter = ',', num_args = 1, value_name = "DEVICE,DEVICE", conflicts_with = "device")]
    pub(crate) devices: Vec<String>,
    /// The precision of products while training: f32, or bf16 for networks of images on a GPU.
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    pub(crate) precision: Precision,
    /// The seed: equal seeds give equal models.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Where the model goes.
    #[arg(long, short)]
    pub(crate) output: Option<PathBuf>,
    /// Go on from the state that an interrupted fit left beside the output.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Print the summary as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  semblant sample adult.safetensors -n 1000 -o synthetic.csv\n  semblant sample adult.safetensors -n 500 --where income='>50K' --where age=30..40 -o rich.csv\n  semblant sample adult.safetensors -n 1000 --balance income -o balanced.parquet\n  semblant sample adult.safetensors --rows 500000..500100 -o shard.csv\n  semblant sample digits.safetensors -n 64 --class 3 --steps 18 --solver heun -o threes.png   (one sheet; a folder or .npz: every image)\n  semblant sample digits.safetensors --from scans/ --strength 0.5 -o cleaned/                 (images from images)"
)]
pub(crate) struct Sample {
    /// The model file, or a folder that Python's diffusers wrote.
    pub(crate) model: PathBuf,
    /// How many rows or images.
    #[arg(short, conflicts_with = "rows", required_unless_present_any = ["rows", "from"])]
    pub(crate) n: Option<u64>,
    /// Which rows of the endless table of this seed: A..B.
    #[arg(long, value_name = "A..B")]
    pub(crate) rows: Option<String>,
    /// Make data from this data instead of from noise, one item for each: image-to-image, or reconstructions by an autoencoder.
    #[arg(long, value_name = "DATA", conflicts_with_all = ["n", "rows"])]
    pub(crate) from: Option<String>,
    /// With --from: what stays as it is, for images a folder with one image that is bright there.
    #[arg(long, value_name = "DATA")]
    pub(crate) mask: Option<String>,
    /// The seed: equal seeds give equal rows.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Where to sample: auto, cpu, cuda:0 or wgpu:0.
    #[arg(long, default_value = "auto")]
    pub(crate) device: String,
    /// A .csv, .csv.gz, .tsv or .parquet file; for images a .png sheet, an .npz file, or a folder for PNG files.
    #[arg(long, short)]
    pub(crate) output: PathBuf,
    /// Print the summary as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  semblant evaluate --real train.csv --synthetic synthetic.csv --holdout test.csv --target income -o report.html --json scores.json\n  semblant evaluate --real train.csv --holdout test.csv --compare ctgan.csv tvae.csv copula.csv\n  semblant evaluate --real train.csv --synthetic synthetic.csv --holdout test.csv --shadow model.safetensors      (trains 16 models more for one attack)\n  semblant evaluate --real mnist --synthetic made/ --holdout mnist:test --features classifier:judge.safetensors -o report.html   (images)\n  semblant evaluate --real photos/ --synthetic made/ --holdout kept/ --features inception:pt_inception-2015-12-05-6726825d.pth,resize=clean --utility\n  semblant evaluate --real photos/ --synthetic rebuilt/ --features lpips:vgg16.pth,lin=vgg.pth   (images in pairs)\n  semblant evaluate --real mnist:test --likelihood vae.safetensors --samples 1000"
)]
pub(crate) struct Evaluate {
    /// The table or the images that the model learnt from: a path, or the name of a known data set.
    #[arg(long)]
    pub(crate) real: String,
    /// The synthetic table or images.
    #[arg(long, required_unless_present_any = ["compare", "likelihood"])]
    pub(crate) synthetic: Option<PathBuf>,
    /// Several synthetic tables or sets of images, in the place of --synthetic: their scores side by side.
    #[arg(long, num_args = 1.., value_name = "SYNTHETIC", conflicts_with = "synthetic")]
    pub(crate) compare: Vec<PathBuf>,
    /// Real rows that the model never saw: the reference for every score.
    #[arg(long)]
    pub(crate) holdout: Option<String>,
    /// The seed of subsamples and cross-validation.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// The kind of data, where --real does not show it: table or images.
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// The model that made the synthetic data; models like it are trained with and without single rows or images, to attack membership.
    #[arg(long, value_name = "MODEL", requires = "holdout", conflicts_with_all = ["compare", "likelihood"])]
    pub(crate) shadow: Option<PathBuf>,
    /// Where networks are trained and run, and features compared: auto, cpu, cuda:0 or wgpu:0.
    #[arg(long, default_value = "auto")]
    pub(crate) device: String,
    /// Instead of synthetic data, a model whose likelihood of the real data is estimated, in nats an item.
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["synthetic", "holdout", "output"])]
    pub(crate) likelihood: Option<PathBuf>,
    /// With --likelihood: random numbers for each item; the more, the closer.
    #[arg(long, default_value_t = 1000, requires = "likelihood")]
    pub(crate) samples: usize,
    /// Where the HTML report goes.
    #[arg(long, short)]
    pub(crate) output: Option<PathBuf>,
    /// Where the scores go as JSON; "-" is standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

impl Evaluate {
    /// What is evaluated: one, or several to compare.
    pub(crate) fn synthetics(&self) -> Vec<&Path> {
        self.synthetic.iter().chain(&self.compare).map(PathBuf::as_path).collect()
    }
}

/// See [`Fit::precision`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Precision {
    F32,
    Bf16,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  semblant export digits.safetensors --format diffusers -o digits/    (opened by DiTTransformer2DModel.from_pretrained and the like)"
)]
pub(crate) struct Export {
    /// The model file.
    pub(crate) model: PathBuf,
    /// For which program: diffusers, Hugging Face's library in Python.
    #[arg(long, default_value = "diffusers")]
    pub(crate) format: String,
    /// The folder to make.
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
    /// List the data sets that are known by name, and whether their files are here.
    List,
    /// Fetch a data set if it is not here, check its files, and print where they lie.
    ///
    /// Files are looked for in the folder that SEMBLANT_DATA names, then in the cache ($XDG_CACHE_HOME/semblant or ~/.cache/semblant),
    /// where downloads go.
    Get {
        /// The data set's name.
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Quickstart {
    /// The folder for the four files.
    #[arg(long, short, default_value = ".")]
    pub(crate) output: PathBuf,
    /// The model; see `semblant models`.
    #[arg(long, short, default_value = "ctgan")]
    pub(crate) model: String,
    /// How many patients to draw.
    #[arg(long, default_value_t = 4000)]
    pub(crate) rows: usize,
    /// The seed.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

#[cfg(test)]
mod tests {
    /// Splits as a shell would, as far as our examples go: blanks part words, single quotes keep them together.
    fn words(line: &str) -> Vec<String> {
        let mut quoted = false;
        let parts = line.split(|c: char| {
            quoted ^= c == '\'';
            c.is_whitespace() && !quoted
        });
        parts.filter(|part| !part.is_empty()).map(|part| part.replace('\'', "")).collect()
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

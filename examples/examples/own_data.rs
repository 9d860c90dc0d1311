//! A kind of data of your own, defined here alone: directions (angles in degrees), one a line of a text file, with a von Mises model of them.
//! The library's registry fits, saves, loads and samples it, its files say that they are of this kind, and its command-line functions open
//! and write it. docs/ADD_A_KIND.md explains the steps.
//! Run: cargo run --release --example own_data -p semblant-examples

#![allow(clippy::print_stdout, reason = "an example says what it found")]

use std::ops::Range;
use std::path::{Path, PathBuf};

use semblant::checkpoint::Checkpoint;
use semblant::kind::{Data, Opened, Request, Writer};
use semblant::options::{OptionSpec, OptionValues};
use semblant::prelude::{Registry, Run, Sample, Summary, Synthesizer};
use semblant::seeds::streams::ROWS;
use semblant::synthesizer::Entry;
use semblant::{Device, Error, FitJob, FitOutcome, Result, SampleJob, Source, files};

/// Angles in degrees, from 0 up to, not including, 360.
#[derive(Debug, Clone, PartialEq)]
struct Directions(Vec<f64>);

/// What can be asked of a sample: how many directions, and from which sector.
#[derive(Debug, Clone)]
struct DirectionRequest {
    rows: Range<u64>,
    seed: u64,
    /// The least and the greatest angle.
    sector: [f64; 2],
}

impl Request for DirectionRequest {
    fn new(count: u64, seed: u64) -> Self {
        Self { rows: 0..count, seed, sector: [0.0, 360.0] }
    }

    fn rows(&self) -> Range<u64> {
        self.rows.clone()
    }

    fn with_rows(self, rows: Range<u64>) -> Self {
        Self { rows, ..self }
    }

    fn batch_rows(&self) -> usize {
        1000
    }
}

impl Data for Directions {
    const KIND: &'static str = "directions";
    const ITEMS: &'static str = "directions";
    type OpenOptions = ();
    type Request = DirectionRequest;
    type Writer = DirectionWriter;

    fn open(source: &Path, (): &()) -> Result<Opened<Self>> {
        let text = std::fs::read_to_string(source).map_err(|error| Error::io(source, error))?;
        let angle = |(index, line): (usize, &str)| {
            let wrong = || Error::Data(format!("{}, line {}: \"{line}\" is not an angle in degrees", source.display(), index + 1));
            line.trim().parse::<f64>().ok().filter(|angle| angle.is_finite()).map(|angle| angle.rem_euclid(360.0)).ok_or_else(wrong)
        };
        let angles = text.lines().enumerate().map(angle).collect::<Result<_>>()?;
        Ok(Opened { data: Self(angles), notes: Vec::new() })
    }

    fn recognizes(source: &Path) -> bool {
        source.extension().is_some_and(|extension| extension == "angles")
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn select(&self, indices: &[usize]) -> Self {
        Self(indices.iter().map(|&index| self.0[index]).collect())
    }

    fn concat(parts: Vec<Self>) -> Result<Self> {
        Ok(Self(parts.into_iter().flat_map(|part| part.0).collect()))
    }

    fn create(path: &Path, _: &Self) -> Result<DirectionWriter> {
        Ok(DirectionWriter { path: path.to_owned(), text: String::new() })
    }

    fn check_output(path: &Path) -> Result<()> {
        if Self::recognizes(path) { Ok(()) } else { Err(Error::Config(format!("{}: directions are written as .angles", path.display()))) }
    }

    fn request_options() -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[OptionSpec::pair("sector", "DEGREES", "The least and the greatest angle")];
        OPTIONS
    }

    fn parse_request(request: DirectionRequest, values: &OptionValues) -> Result<DirectionRequest> {
        let [low, high] = values.all("sector") else { return Ok(request) };
        let sector = [semblant::options::number("sector", low)?, semblant::options::number("sector", high)?];
        Ok(DirectionRequest { sector, ..request })
    }
}

/// Writes one angle a line.
struct DirectionWriter {
    path: PathBuf,
    text: String,
}

impl Writer<Directions> for DirectionWriter {
    fn write(&mut self, part: &Directions) -> Result<()> {
        self.text.extend(part.0.iter().map(|angle| format!("{angle:.1}\n")));
        Ok(())
    }

    fn finish(self) -> Result<()> {
        files::write(&self.path, self.text.as_bytes())
    }
}

/// The von Mises distribution, fitted by its moments (Mardia and Jupp 2000, section 5.3).
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
struct VonMises {
    mean_degrees: f64,
    concentration: f64,
}

#[derive(Debug, Default)]
struct VonMisesModel {
    fitted: Option<VonMises>,
}

const ENTRY: Entry<Directions> = Entry {
    name: "von-mises",
    summary: "the normal distribution of directions",
    build: |_| Ok(Box::new(VonMisesModel::default())),
    settings: Vec::new,
    load: |file: &Checkpoint, path: &Path, _: &Device| Ok(Box::new(VonMisesModel { fitted: Some(file.metadata_as("von_mises", path)?) })),
};

impl VonMisesModel {
    fn fitted(&self) -> Result<VonMises> {
        self.fitted.ok_or_else(semblant::synthesizer::not_fitted)
    }
}

impl Synthesizer<Directions> for VonMisesModel {
    fn fit(&mut self, data: &Directions, _: &mut Run) -> Result<Summary> {
        let count = data.0.len().max(1) as f64;
        let (sine, cosine) = data.0.iter().map(|angle| angle.to_radians().sin_cos()).fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
        let length = (sine.hypot(cosine) / count).min(0.999);
        let concentration = length * (2.0 - length * length) / (1.0 - length * length);
        self.fitted = Some(VonMises { mean_degrees: sine.atan2(cosine).to_degrees().rem_euclid(360.0), concentration });
        Ok(Summary::without_steps(data.0.len() as u64, 0.0))
    }

    /// Rejection from the uniform distribution; row `i` is the first of its own draws that is accepted.
    fn sample(&self, request: &DirectionRequest) -> Result<Sample<Directions>> {
        const MOST_DRAWS: u32 = 100_000;
        let VonMises { mean_degrees, concentration } = self.fitted()?;
        let (stream, [low, high]) = (ROWS.of(request.seed), request.sector);
        let mut drawn_rows = 0;
        let one = |row: u64| {
            let accepted = (0..MOST_DRAWS).find_map(|draw| {
                drawn_rows += 1;
                let angle = low + (high - low) * stream.uniform_f64(row, 2 * draw);
                let density = (concentration * ((angle - mean_degrees).to_radians().cos() - 1.0)).exp();
                (stream.uniform_f64(row, 2 * draw + 1) < density).then_some(angle)
            });
            accepted.ok_or_else(|| Error::Condition("the sector is too rare; widen it".into()))
        };
        let data = request.rows.clone().map(one).collect::<Result<Vec<f64>>>()?;
        Ok(Sample { data: Directions(data), drawn_rows })
    }

    fn save(&self, path: &Path) -> Result<()> {
        let mut file = Checkpoint::of::<Directions>(ENTRY.name);
        file.set_metadata("von_mises", &self.fitted()?, path)?;
        file.write(path)
    }
}

fn main() -> anyhow::Result<()> {
    let registry = Registry::default().with(ENTRY);
    let device = semblant::device::select("cpu")?;
    let folder = std::env::temp_dir().join(format!("semblant-own-data-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let [wind, model_path, made] = ["wind.angles", "wind.safetensors", "made.angles"].map(|name| folder.join(name));
    let real = Directions((0..500).map(|i| (250.0 + 40.0 * (f64::from(i) * 0.7).sin()).rem_euclid(360.0)).collect());
    real.save(&wind)?;

    // As a library: typed all the way.
    let mut model = registry.model::<Directions>(ENTRY.name, serde_json::json!({}))?;
    model.fit(&real, &mut Run::new(device.clone(), 0))?;
    let west = DirectionRequest { sector: [225.0, 315.0], ..DirectionRequest::new(5, 7) };
    println!("{:.1?}", model.sample(&west)?.data.0);

    // As the command line does it: the registry finds kind and model by name, and knows no type.
    let kind = registry.kind_of_model(ENTRY.name)?;
    let (source, options) = (Source::of_path(&wind), OptionValues::default());
    let job = FitJob { model: ENTRY.name, settings: serde_json::json!({}), source: &source, options: &options, output: Some(&model_path) };
    anyhow::ensure!(matches!(kind.fit(job, &mut Run::new(device.clone(), 0))?, FitOutcome::Fitted(_)));
    let mut options = OptionValues::default();
    options.insert("sector", ["225".to_owned(), "315".to_owned()]);
    let kind = registry.kind_of_file(&model_path)?;
    let job = SampleJob { model: &model_path, device: &device, rows: 0..5, seed: 7, init: None, options: &options, output: &made };
    let outcome = kind.sample(job, &|| Box::new(semblant::progress::Silent))?;
    println!("{} {} from a model of kind {}:\n{}", outcome.items, kind.items(), kind.kind(), std::fs::read_to_string(&made)?);
    let again = Directions::open(&made, &())?.data;
    anyhow::ensure!(again.0.iter().zip(&model.sample(&west)?.data.0).all(|(a, b)| (a - b).abs() < 0.051), "the same directions both ways");
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

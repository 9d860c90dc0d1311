//! The network whose features images are compared in, as `--features` names it.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use semblant_core::progress::Event;
use semblant_core::synthesizer::Run;
use semblant_core::{Error, Result};
use semblant_data::image::Images;
use semblant_metrics::image::classifier::{Classifier, ClassifierConfig};
use semblant_metrics::image::extractor::{FeatureExtractor, Provenance};
use semblant_metrics::image::inception::Inception;
use semblant_metrics::image::paired::Lpips;
use semblant_metrics::image::resize::Resize;

use crate::modality::Observe;

/// The value of `--features`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Features {
    Classifier(PathBuf),
    Inception(PathBuf, Resize),
    /// Images in pairs: the network, and its weights by channel.
    Lpips(PathBuf, PathBuf),
}

/// The forms of `--features`.
const FORMS: &str = "classifier:FILE, inception:FILE[,resize=pytorch-fid|tf1|clean] or lpips:BACKBONE,lin=FILE";

impl Features {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let wrong = |what: &str| Error::Config(format!("--features {text}: {what}; write {FORMS}"));
        let Some((kind, rest)) = text.split_once(':').filter(|(_, rest)| !rest.is_empty()) else { return Err(wrong("names no file")) };
        // Only what looks like an option is one: a file may have a comma in its name.
        let option = |key: &str| rest.rsplit_once(&format!(",{key}=")).filter(|(_, value)| !value.contains(','));
        match kind {
            "classifier" => Ok(Self::Classifier(rest.into())),
            "inception" => {
                let (file, way) = option("resize").unwrap_or((rest, Resize::default().name()));
                let way = Resize::named(way).map_err(|error| Error::Config(format!("--features {text}: {error}")))?;
                Ok(Self::Inception(file.into(), way))
            }
            "lpips" => {
                let (file, channels) = option("lin").ok_or_else(|| wrong("has no weights by channel"))?;
                Ok(Self::Lpips(file.into(), channels.into()))
            }
            other => Err(wrong(&format!("\"{other}\" is not known"))),
        }
    }

    /// The network for images that come in no pairs.
    pub(super) fn extractor<'a>(
        &self,
        real: &Images,
        holdout: Option<&Images>,
        run: (&Device, u64),
        observe: Observe<'a>,
    ) -> Result<WithProgress<'a>> {
        let extractor: Box<dyn FeatureExtractor> = match self {
            Self::Classifier(file) => Box::new(classifier(file, real, holdout, run, observe)?),
            Self::Inception(file, way) => Box::new(Inception::load(file, *way, run.0)?),
            Self::Lpips(..) => return Err(Error::Config("--features lpips compares images in pairs".into())),
        };
        Ok(WithProgress { extractor, observe })
    }

    /// The network for images in pairs, if this is one.
    pub(super) fn paired(&self, device: &Device) -> Result<Option<Lpips>> {
        let Self::Lpips(backbone, channels) = self else { return Ok(None) };
        Ok(Some(Lpips::load(backbone, channels, device)?))
    }
}

/// A network that reports progress.
pub(super) struct WithProgress<'a> {
    extractor: Box<dyn FeatureExtractor>,
    observe: Observe<'a>,
}

impl FeatureExtractor for WithProgress<'_> {
    fn width(&self) -> usize {
        self.extractor.width()
    }

    fn classes(&self) -> usize {
        self.extractor.classes()
    }

    fn class_names(&self) -> &[String] {
        self.extractor.class_names()
    }

    fn extract(&self, images: &Images, take: &mut dyn FnMut(&[f32], &[f32])) -> Result<()> {
        let (mut observer, mut done, total) = ((self.observe)(), 0, images.count() as u64);
        self.extractor.extract(images, &mut |features, log_shares| {
            take(features, log_shares);
            done += 1;
            observer.event(Event::Rows { done, total });
        })?;
        observer.event(Event::Done);
        Ok(())
    }

    fn device(&self) -> &Device {
        self.extractor.device()
    }

    fn provenance(&self) -> Result<Provenance> {
        self.extractor.provenance()
    }
}

/// The classifier in a file, or one that is trained now and kept there.
fn classifier(
    path: &Path,
    real: &Images,
    holdout: Option<&Images>,
    (device, seed): (&Device, u64),
    observe: Observe<'_>,
) -> Result<Classifier> {
    if path.exists() {
        return Classifier::load(path, device);
    }
    let mut observer = observe();
    let what = format!("training a classifier on {} real images; it is saved in {}", real.count(), path.display());
    observer.event(Event::Stage(&what));
    let mut run = Run { observer, ..Run::new(device.clone(), seed) };
    let classifier = Classifier::fit(real, holdout, &ClassifierConfig::default(), &mut run)?;
    classifier.save(path)?;
    Ok(classifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_read_as_they_are_typed() {
        let good = |text: &str| Features::parse(text).expect("known");
        assert_eq!(good("classifier:a,b.safetensors"), Features::Classifier("a,b.safetensors".into()));
        assert_eq!(good("inception:w.pth"), Features::Inception("w.pth".into(), Resize::PytorchFid));
        assert_eq!(good("inception:a,b.pth,resize=tf1"), Features::Inception("a,b.pth".into(), Resize::Tf1));
        assert_eq!(good("lpips:vgg.pth,lin=l.pth"), Features::Lpips("vgg.pth".into(), "l.pth".into()));
        for (text, word) in [
            ("inception", "no file"),
            ("inception:", "no file"),
            ("inception:w.pth,resize=lanczos", "tf1"),
            ("lpips:vgg.pth", "weights by channel"),
            ("clip:w.pth", "\"clip\""),
        ] {
            let Err(Error::Config(said)) = Features::parse(text) else { panic!("{text} is refused") };
            assert!(said.contains(word) && said.contains(text), "{said}");
        }
    }
}

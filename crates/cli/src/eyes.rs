//! What `--features` names: the network that images are compared through.

use std::path::{Path, PathBuf};

use semblant::Device;
use semblant::metrics::image::classifier::{Classifier, ClassifierConfig};
use semblant::metrics::image::extractor::{FeatureExtractor, Provenance};
use semblant::metrics::image::inception::Inception;
use semblant::metrics::image::paired::Lpips;
use semblant::metrics::image::resize::Resize;
use semblant::prelude::*;
use semblant::progress::Event;

use crate::fit::check_writable;
use crate::{Failure, observer, say};

/// What was typed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Features {
    Classifier(PathBuf),
    Inception(PathBuf, Resize),
    /// Images in pairs: the network, and its weights by channel.
    Lpips(PathBuf, PathBuf),
}

/// What can be typed.
const FORMS: &str = "classifier:FILE, inception:FILE[,resize=pytorch-fid|tf1|clean] or lpips:BACKBONE,lin=FILE";

impl Features {
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = |what: &str| Failure::Usage(format!("--features {text}: {what}; write {FORMS}"));
        let Some((kind, rest)) = text.split_once(':').filter(|(_, rest)| !rest.is_empty()) else { return Err(wrong("names no file")) };
        // Only what looks like an option is one: a file may have a comma in its name.
        let option = |key: &str| rest.rsplit_once(&format!(",{key}=")).filter(|(_, value)| !value.contains(','));
        match kind {
            "classifier" => Ok(Self::Classifier(rest.into())),
            "inception" => {
                let (file, way) = option("resize").unwrap_or((rest, Resize::default().name()));
                let way = Resize::named(way).map_err(|error| Failure::Usage(format!("--features {text}: {error}")))?;
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
    pub(crate) fn extractor(
        &self,
        real: &Images,
        holdout: Option<&Images>,
        run: (&Device, u64),
        quiet: bool,
    ) -> Result<WithProgress, Failure> {
        let extractor: Box<dyn FeatureExtractor> = match self {
            Self::Classifier(file) => Box::new(classifier(file, real, holdout, run, quiet)?),
            Self::Inception(file, way) => Box::new(Inception::load(file, *way, run.0)?),
            Self::Lpips(..) => return Err(Failure::Usage("--features lpips compares images in pairs".into())),
        };
        Ok(WithProgress { extractor, quiet })
    }

    /// The network for images in pairs, if this is one.
    pub(crate) fn paired(&self, device: &Device) -> Result<Option<Lpips>, Failure> {
        let Self::Lpips(backbone, channels) = self else { return Ok(None) };
        Ok(Some(Lpips::load(backbone, channels, device)?))
    }
}

/// A network that says how far it is.
pub(crate) struct WithProgress {
    extractor: Box<dyn FeatureExtractor>,
    quiet: bool,
}

impl FeatureExtractor for WithProgress {
    fn width(&self) -> usize {
        self.extractor.width()
    }

    fn classes(&self) -> usize {
        self.extractor.classes()
    }

    fn class_names(&self) -> &[String] {
        self.extractor.class_names()
    }

    fn extract(&self, images: &Images, take: &mut dyn FnMut(&[f32], &[f32])) -> semblant::Result<()> {
        let (mut observer, mut done, total) = (observer(self.quiet), 0, images.count() as u64);
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

    fn provenance(&self) -> semblant::Result<Provenance> {
        self.extractor.provenance()
    }
}

/// The classifier in a file, or one that is trained now and kept there.
fn classifier(
    path: &Path,
    real: &Images,
    holdout: Option<&Images>,
    (device, seed): (&Device, u64),
    quiet: bool,
) -> Result<Classifier, Failure> {
    if path.exists() {
        return Ok(Classifier::load(path, device)?);
    }
    check_writable(path)?;
    if !quiet {
        say(&format!("training a classifier on {} real images; it is kept in {}", real.count(), path.display()));
    }
    let mut run = Run { observer: observer(quiet), ..Run::new(device.clone(), seed) };
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
            let Err(Failure::Usage(said)) = Features::parse(text) else { panic!("{text} is refused") };
            assert!(said.contains(word) && said.contains(text), "{said}");
        }
    }
}

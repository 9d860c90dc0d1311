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
    /// A classifier in a file, trained and saved there if the file does not exist; without one it is trained for this evaluation only.
    Classifier(Option<PathBuf>),
    Inception(PathBuf, Resize),
    /// Images in pairs: the network, and its weights by channel.
    Lpips(PathBuf, PathBuf),
}

/// The forms of `--features`.
const FORMS: &str = "classifier:FILE, inception:FILE[,resize=pytorch-fid|tf1|clean] or lpips:BACKBONE,lin=FILE";

impl Features {
    /// The features where none are named: those of a classifier of the real images, which needs classes.
    pub(super) fn of(real: &Images) -> Result<Self> {
        if real.class_names().len() >= 2 {
            return Ok(Self::Classifier(None));
        }
        let what = match real.class_names() {
            [] => "the real images have no classes".to_owned(),
            names => format!("the real images are all of the class \"{}\"", names.join(", ")),
        };
        Err(Error::Config(format!(
            "images are compared in the features of a network, and {what}, from which one could be trained here; give one, such as \
             --features inception:pt_inception-2015-12-05-6726825d.pth with pytorch-fid's weights, --features \
             lpips:vgg16-397923af.pth,lin=vgg.pth for images in pairs, or --features classifier:judge.safetensors with a classifier of \
             images of this size, or put the images of each class into a folder of its own"
        )))
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        let wrong = |what: &str| Error::Config(format!("--features {text}: {what}; write {FORMS}"));
        let Some((kind, rest)) = text.split_once(':').filter(|(_, rest)| !rest.is_empty()) else { return Err(wrong("names no file")) };
        // Only what looks like an option is one: a file may have a comma in its name.
        let option = |key: &str| rest.rsplit_once(&format!(",{key}=")).filter(|(_, value)| !value.contains(','));
        match kind {
            "classifier" => Ok(Self::Classifier(Some(rest.into()))),
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
            Self::Classifier(file) => Box::new(classifier(file.as_deref(), real, holdout, run, observe)?),
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

/// The classifier in a file, or one that is trained now and kept there if there is a name for it.
fn classifier(
    path: Option<&Path>,
    real: &Images,
    holdout: Option<&Images>,
    (device, seed): (&Device, u64),
    observe: Observe<'_>,
) -> Result<Classifier> {
    if let Some(path) = path.filter(|path| path.exists()) {
        return Classifier::load(path, device);
    }
    let mut observer = observe();
    let kept = path.map_or_else(
        || "it is not kept; --features classifier:judge.safetensors keeps it for the next evaluation".to_owned(),
        |path| format!("it is saved in {}", path.display()),
    );
    let what = format!("training a classifier on {} real images; {kept}", real.count());
    observer.event(Event::Stage(&what));
    let mut run = Run { observer, ..Run::new(device.clone(), seed) };
    let classifier = Classifier::fit(real, holdout, &ClassifierConfig::default(), &mut run)?;
    path.map_or(Ok(()), |path| classifier.save(path))?;
    Ok(classifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_features_images_with_classes_train_a_classifier() {
        let images = |classes| Images::new(vec![0; 8], [2, 1, 2, 2], classes).expect("images");
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(Features::of(&images(Some((vec![0, 1], names(&["a", "b"]))))).expect("classes"), Features::Classifier(None));
        for (classes, word) in [(None, "no classes"), (Some((vec![0, 0], names(&["a"]))), "\"a\"")] {
            let Err(Error::Config(said)) = Features::of(&images(classes)) else { panic!("{word}: there is nothing to learn") };
            for word in [word, "--features inception:pt_inception", "--features lpips:", "folder"] {
                assert!(said.contains(word), "no {word} in {said}");
            }
            // What is to be typed can be read.
            for typed in said.split("--features ").skip(1) {
                Features::parse(typed.split([' ', ';']).next().expect("a value")).expect("a form that is known");
            }
        }
    }

    #[test]
    fn features_are_read_as_they_are_typed() {
        let good = |text: &str| Features::parse(text).expect("known");
        assert_eq!(good("classifier:a,b.safetensors"), Features::Classifier(Some("a,b.safetensors".into())));
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

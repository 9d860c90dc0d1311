//! The evaluation of images in pairs.

use semblant_data::image::Images;

use crate::image::paired::{Lpips, psnr, ssim};
use crate::report::{Content, Direction, FORMAT, Fact, Group, ReferenceFrom, Report, Score, Section, Sources};
use crate::{Error, Result};

/// Compares each of the `synthetic` images with the real one at the same index: mean LPIPS, structural similarity and peak signal-to-noise
/// ratio. The report has no verdicts.
///
/// # Errors
/// [`Error::Images`] when the two sets differ in shape or are smaller than LPIPS needs.
pub fn report_pairs(real: &Images, synthetic: &Images, lpips: &Lpips, sources: &Sources) -> Result<Report> {
    let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let noise = mean(psnr(real, synthetic)?);
    let structure = match ssim(real, synthetic) {
        Err(Error::Undefined(why)) => Err(why),
        found => Ok(mean(found?)),
    };
    let score = |id: &str, name: &str, value: Result<f64, String>, direction, meaning: &str| Score {
        id: id.into(),
        group: Group::Fidelity,
        name: name.into(),
        value: value.as_ref().ok().copied(),
        interval: None,
        reference: None,
        reference_from: ReferenceFrom::Ideal,
        direction,
        mark: None,
        meaning: meaning.into(),
        undefined: value.err(),
    };
    let distance = Ok(mean(lpips.distances(real, synthetic)?));
    let noise = if noise.is_finite() { Ok(noise) } else { Err("there are equal images, which have no noise".into()) };
    let scores = vec![
        score(
            "lpips",
            "LPIPS, mean over pairs",
            distance,
            Direction::Lower,
            "Perceptual distance by the features of a network; 0 is equal.",
        ),
        score(
            "ssim",
            "Structural similarity (SSIM), mean",
            structure,
            Direction::Higher,
            "Similarity of means, contrast and structure in windows of 11 x 11 pixels; 1 is equal.",
        ),
        score(
            "psnr",
            "Peak signal-to-noise ratio (PSNR), mean, dB",
            noise,
            Direction::Higher,
            "The largest pixel value over the root mean squared difference, in decibels.",
        ),
    ];
    let about = lpips.provenance();
    let facts = vec![
        Fact::new("network", "Network", format!("LPIPS 0.1, {:?}", about.backbone)),
        Fact::new("sha256", "SHA-256 of its weights", &about.sha256),
        Fact::new("sha256_of_channels", "SHA-256 of the channel weights", &about.sha256_of_channels),
    ];
    Ok(Report {
        format: FORMAT,
        kind: "images".into(),
        sources: sources.filled("images", super::description(real), [real.count(), synthetic.count()], None),
        seed: 0,
        verdicts: Vec::new(),
        scores,
        sections: vec![Section::new("settings", "Settings", "", Content::Facts(facts))],
        notes: vec!["Each synthetic image is compared with the real image at the same index.".into()],
    })
}

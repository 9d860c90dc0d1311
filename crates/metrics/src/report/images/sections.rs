//! The sections of a report on images.

use semblant_data::image::Images;

use super::scores::of_share;
use super::sheets::{picture, sheet};
use crate::Result;
use crate::bootstrap::Estimate;
use crate::image::ImageScores;
use crate::image::classes::ClassCounts;
use crate::image::memorization::Nearest;
use crate::image::spectrum::{BANDS, PowerRatio};
use crate::image::utility::{Accuracy, ImageUtility};
use crate::report::{Bars, Cell, Content, Distribution, Distributions, Fact, Grid, GridRow, ImagePair, READING, Section, pca};

/// Pairs that are shown.
const PAIRS: usize = 12;
/// Points of either set in the scatter plot.
const POINTS: usize = 500;

/// How the answers are to be read.
pub(super) fn reading() -> Section {
    let facts = vec![
        Fact::new(
            "may_conclude",
            "What may be concluded",
            "A difference or a sign of leakage that an answer names was larger than chance explains, for these images, this network and this holdout.",
        ),
        Fact::new(
            "may_not_conclude",
            "What may not be concluded",
            "That nothing was found does not prove that nothing is there: rare defects, a few copies among thousands, and copies that were rotated, cropped or moved by more than a pixel can be missed, and no test guarantees privacy.",
        ),
    ];
    Section::new(READING, "Reading the answers", "", Content::Facts(facts))
}

/// Images of both sets, drawn by the seed.
pub(super) fn sheets(real: &Images, synthetic: &Images, seed: u64) -> Result<Section> {
    let sheets = vec![sheet("Real", real, seed, 50)?, sheet("Synthetic", synthetic, seed, 51)?];
    Ok(Section::new("images", "Images", "", Content::Images(sheets)))
}

/// The network, and the number of images behind each score.
pub(super) fn settings(found: &ImageScores, utility: Option<&ImageUtility>) -> Section {
    let about = &found.features;
    let [synthetic, holdout] = found.compared_by_pixels;
    let mut facts = vec![
        Fact::new("network", "Network", format!("{}: {}", about.kind, about.architecture)),
        Fact::new("sha256", "SHA-256 of its weights", &about.sha256),
        Fact::new("resize", "Resizing", about.resize.as_ref().map_or("none".into(), |resize| format!("{resize}, to 299 x 299"))),
        Fact::new("compared", "MIND, precision, recall, density, coverage", format!("{} images of each set", found.compared)),
        Fact::new(
            "compared_by_pixels",
            "Memorization",
            format!("{synthetic} synthetic and {holdout} holdout images, each compared with every real image by pixels"),
        ),
        Fact::new(
            "frechet_compared",
            "Frechet and kernel distance of the holdout",
            format!("{} images, at most as many as synthetic ones", found.images[2].min(found.images[1])),
        ),
        Fact::new("all", "Other scores", "all images"),
    ];
    if let Some(seed) = about.seed {
        facts.insert(2, Fact::new("network_seed", "Seed of its training", seed.to_string()));
    }
    if let Some(accuracy) = about.accuracy {
        facts.insert(2, Fact::new("network_accuracy", "Its accuracy on the holdout", format!("{:.2} %", 100.0 * accuracy)));
    }
    if let Some(utility) = utility {
        let text =
            format!("three classifiers, each trained on {} images; tested on {} holdout images", utility.images_seen, utility.tested);
        facts.push(Fact::new("utility", "Utility", text));
    }
    Section::new("settings", "Settings", "", Content::Facts(facts))
}

/// The shares of the classes that the network predicts; none where it does not know the images' classes.
pub(super) fn classes(names: &[String], predicted: &[Vec<u32>; 2]) -> Option<Section> {
    let share = |predicted: &[u32], class: usize| {
        predicted.iter().filter(|&&other| other as usize == class).count() as f64 / predicted.len() as f64
    };
    let bars = names.iter().enumerate().map(|(class, name)| (name.clone(), share(&predicted[0], class), share(&predicted[1], class)));
    let charts = vec![Distribution::plain("Predicted class", Bars::Labels(bars.collect()))];
    let content = Content::Distributions(Distributions { series: ["real", "synthetic"].map(String::from), charts });
    (!names.is_empty()).then(|| Section::new("classes", "Classes", "Shares of the classes that the network predicts.", content))
}

/// Every class with its test; none without a holdout, or if the network knows other classes.
pub(super) fn class_counts(names: &[String], counts: &[ClassCounts]) -> Option<Section> {
    let row = |found: &ClassCounts| {
        let estimate = |side: usize| {
            let share = found.shares()[side];
            Cell::estimate(share, of_share(share, found.of[side]))
        };
        GridRow { name: names[found.class].clone(), cells: vec![estimate(0), estimate(1), Cell::Number(found.p_value)] }
    };
    let text = "Shares of the predicted classes among synthetic and new real images, and the chance of such a difference if both are of one population, one class at a time.";
    let grid = Grid::new(&["Class", "Synthetic", "New real images", "Chance"], counts.iter().map(row).collect());
    (!counts.is_empty()).then(|| Section::new("class_shares", "Class shares", text, Content::Table(grid)))
}

/// The power in each band over that of the real images; none where it could not be computed.
pub(super) fn spectrum([synthetic, new]: &[Option<PowerRatio>; 2]) -> Option<Section> {
    let synthetic = synthetic.as_ref()?;
    let cell = |ratio: Option<Estimate>| ratio.map_or(Cell::Empty, |ratio| Cell::estimate(ratio.value, ratio.interval));
    let row = |band: usize| {
        let [low, high] = [band, band + 1].map(|edge| edge as f64 / (2 * BANDS) as f64);
        let name = if band + 1 == BANDS { format!("{low:.4} and more") } else { format!("{low:.4} to {high:.4}") };
        GridRow { name, cells: vec![cell(synthetic.bands[band]), cell(new.as_ref().and_then(|new| new.bands[band]))] }
    };
    let text = "Power by spatial frequency, in cycles per pixel, over that of the real images; 1 is equal. Smoothing lowers the last rows, noise raises them.";
    let grid = Grid::new(&["Frequency", "Synthetic", "New real images"], (0..BANDS).map(row).collect());
    Some(Section::new("spectrum", "Power spectrum", text, Content::Table(grid)))
}

/// The accuracies of the three classifiers, overall and per class.
pub(super) fn utility(found: &ImageUtility) -> Section {
    let row = |name: &str, get: &dyn Fn(&Accuracy) -> Option<f64>| GridRow {
        name: name.into(),
        cells: [&found.synthetic, &found.real, &found.both].map(|accuracy| Cell::from(get(accuracy))).to_vec(),
    };
    let mut rows = vec![row("All", &|accuracy| Some(accuracy.overall))];
    let classes = found.class_names.iter().enumerate();
    rows.extend(classes.map(|(place, class)| row(class, &|accuracy| accuracy.classes.get(place).copied().flatten())));
    let text = format!(
        "Accuracy on {} holdout images of classifiers trained on {} synthetic images, on {} real images, and on both. Each training run saw {} images, repeats included; seed {}.",
        found.tested, found.synthetic.training_images, found.real.training_images, found.images_seen, found.seed
    );
    Section::new("utility", "Classifiers", text, Content::Table(Grid::new(&["Class", "Synthetic", "Real", "Both"], rows)))
}

/// Features in the plane of the principal components.
pub(super) fn scatter(features: [&[f32]; 2], width: usize, seed: u64) -> Option<Section> {
    let scatter = pca::of_features(features, width, POINTS, seed)?;
    let text = "Each point is an image: its features projected onto the first two principal components of the real images' features. The two clouds should have the same shape.";
    Some(Section::new("features", "Features", text, Content::Scatter(scatter)))
}

/// The synthetic images that are most similar to a single training image.
pub(super) fn closest(real: &Images, synthetic: &Images, closest: &[(usize, Nearest)]) -> Result<Section> {
    let pair = |&(index, found): &(usize, Nearest)| {
        Ok(ImagePair {
            synthetic: index,
            real: found.training,
            distance: found.distance,
            second: found.second,
            pictures: [picture(&synthetic.select(&[index]), 1)?, picture(&real.select(&[found.training]), 1)?],
        })
    };
    let pairs = closest.iter().take(PAIRS).map(pair).collect::<Result<Vec<_>>>()?;
    let text = "The synthetic images (left) whose distance to one training image (right) is the smallest fraction of the distance to the second closest. Distances are by pixels: 0 is equal, 1 is black against white. A fraction below one third counts as memorized.";
    Ok(Section::new("closest", "Closest training images", text, Content::ImagePairs(pairs)))
}

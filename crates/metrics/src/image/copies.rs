//! Whether synthetic images are copies of training images: as they are, with noise or blur, in another brightness, or moved by a pixel.
//!
//! Training and holdout images are searched together. For each synthetic image the nearest of them is found, and the ratio of its distance to
//! the mean distance of the next ones; a copy has a small ratio (Carlini et al. 2023, "Extracting training data from diffusion models",
//! section 4.2, with the mean of 50). A generator that copies nothing is as likely near a holdout image as near a training image, whatever its
//! images look like, so that the smallest ratios belong to both in the proportion of their numbers ([`lower_tail`]).

use burn::tensor::Device;
use rayon::prelude::*;
use semblant_data::image::Images;
use serde::{Deserialize, Serialize};

use super::views::{Moved, moved_distance, thumbnails};
use crate::Result;
use crate::membership::{Membership, membership};
use crate::nearest::{Rows, rows_at};
use crate::random::subsample;
use crate::significance::{Balance, Tail, balance, lower_tail, more_often};

/// Nearest thumbnails of each synthetic image that are compared at all shifts.
const CANDIDATES: usize = 32;
/// Nearest real images, of which the first is compared with the mean of the others.
const NEAREST: usize = 10;
/// Most training and most holdout images that are attacked.
pub const MOST_TARGETS: usize = 4_000;

/// Signs that training images are copied, or given away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Copies {
    /// Synthetic images that count as memorized ([`super::memorization::Nearest::is_memorised`]) and all that were compared; the same of the
    /// holdout.
    pub memorised: [[usize; 2]; 2],
    /// Near copies among images that are smoothed and compared at all shifts by up to one pixel, each in its own mean and contrast; none for
    /// images of fewer than four rows or columns.
    pub moved: Option<NearCopies>,
    /// By thumbnails: images averaged to at most 8 x 8 pixels, in their own mean and contrast.
    pub thumbnails: Closeness,
    /// By features.
    pub features: Closeness,
}

/// Training images that have a synthetic image much closer to them than to the next real images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NearCopies {
    /// How many there are beyond what the holdout has in proportion, where this is clearest.
    pub images: usize,
    /// The same over the number of synthetic images.
    pub share: f64,
    /// The chance of so many ([`Tail::p_value`]).
    pub p_value: f64,
}

/// What is found in one kind of distance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Closeness {
    /// Copies by the ratio of distances.
    pub near_copies: NearCopies,
    /// How many synthetic images are nearest to a training image and how many to a holdout image, of equally many of both. Ties are left out.
    pub lean: Balance,
    /// How well training images are told from holdout images by their distance to the nearest synthetic image over the mean distance to the
    /// ten nearest other real images.
    pub membership: Membership,
}

impl Copies {
    /// The chance that so many more synthetic than holdout images are memorized if both are of one population (Fisher's exact test).
    pub fn memorised_p_value(&self) -> f64 {
        more_often(self.memorised[0], self.memorised[1])
    }

    /// What is found in each kind of distance, with its name.
    pub fn closeness(&self) -> [(&'static str, &Closeness); 2] {
        [("thumbnails", &self.thumbnails), ("features", &self.features)]
    }
}

/// Training, synthetic and holdout images.
pub struct Searched<'a> {
    /// The images.
    pub images: [&'a Images; 3],
    /// Their features, `[images, width]`, row-major.
    pub features: [&'a [f32]; 3],
    /// The width of the features.
    pub width: usize,
    /// Where products are computed.
    pub device: &'a Device,
}

impl Searched<'_> {
    /// All tests; `seed` draws the images that are cut to equal numbers, and those that are attacked.
    ///
    /// # Errors
    /// [`crate::Error::Undefined`] when a set has no images or features are not finite.
    ///
    /// # Panics
    /// When the images are of different sizes, or features are no multiple of the width.
    pub fn copies(&self, memorised: [[usize; 2]; 2], seed: u64) -> Result<Copies> {
        let [train, synthetic, holdout] = self.images;
        let thumbs = self.images.map(thumbnails);
        let width = thumbs[0].1;
        let thumbs = Space { rows: [&thumbs[0].0, &thumbs[1].0, &thumbs[2].0], width, device: self.device };
        let candidates = thumbs.neighbours(thumbs.rows[1], CANDIDATES, None);
        let moved = Moved::fits(train).then(|| {
            let found = by_shifts([train, synthetic, holdout], &candidates);
            near_copies(&found, thumbs.counts())
        });
        let features = Space { rows: self.features, width: self.width, device: self.device };
        let of_features = features.neighbours(features.rows[1], NEAREST, None);
        Ok(Copies { memorised, moved, thumbnails: thumbs.closeness(&candidates, seed)?, features: features.closeness(&of_features, seed)? })
    }
}

/// Training, synthetic and holdout images as rows of equal width, in which distances are Euclidean.
struct Space<'a> {
    rows: [&'a [f32]; 3],
    width: usize,
    device: &'a Device,
}

/// A real image near to another image.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Near {
    distance: f64,
    /// Its place among the training images, followed by the holdout images.
    place: usize,
}

impl Space<'_> {
    /// Numbers of training, synthetic and holdout images.
    fn counts(&self) -> [usize; 3] {
        self.rows.map(|rows| rows.len() / self.width)
    }

    /// The nearest real images of each query, ascending; only of those that are marked, if marks are given.
    fn neighbours(&self, queries: &[f32], most: usize, marked: Option<&[Vec<bool>; 2]>) -> Vec<Vec<Near>> {
        let queries = Rows::new(queries, self.width);
        let side = |rows: &[f32], marked: Option<&Vec<bool>>, offset: usize| {
            let add = |list: &mut Vec<Near>, first: usize, squares: &[f64]| {
                for (place, &square) in (first..).zip(squares) {
                    let far = list.len() == most && list.last().is_some_and(|last| square >= last.distance);
                    if far || marked.is_some_and(|marked| !marked[place]) {
                        continue;
                    }
                    list.truncate(most - 1);
                    let at = list.partition_point(|near| near.distance <= square);
                    list.insert(at, Near { distance: square, place: place + offset });
                }
            };
            queries.fold_on(&Rows::new(rows, self.width), self.device, |_| Vec::with_capacity(most), add)
        };
        let of_train = side(self.rows[0], marked.map(|marked| &marked[0]), 0);
        let of_holdout = side(self.rows[2], marked.map(|marked| &marked[1]), self.counts()[0]);
        let merge = |(mut list, more): (Vec<Near>, Vec<Near>)| {
            list.extend(more);
            list.sort_by(|a, b| a.distance.total_cmp(&b.distance));
            list.truncate(most);
            list.iter_mut().for_each(|near| near.distance = near.distance.sqrt());
            list
        };
        of_train.into_iter().zip(of_holdout).map(merge).collect()
    }

    fn closeness(&self, neighbours: &[Vec<Near>], seed: u64) -> Result<Closeness> {
        Ok(Closeness { near_copies: near_copies(neighbours, self.counts()), lean: self.lean(seed), membership: self.membership(seed)? })
    }

    /// On which side the nearest real image of each synthetic one is, of equally many.
    fn lean(&self, seed: u64) -> Balance {
        let [train, _, holdout] = self.counts();
        let size = train.min(holdout);
        let marks = |count: usize, purpose| {
            let mut marks = vec![false; count];
            subsample(count, size, seed, purpose).into_iter().for_each(|place| marks[place] = true);
            marks
        };
        let marked = [marks(train, 74), marks(holdout, 75)];
        let mut closest_to = vec![0; train + holdout];
        for list in self.neighbours(self.rows[1], 2, Some(&marked)) {
            if let Some(nearest) = list.first().filter(|_| !is_tied(&list)) {
                closest_to[nearest.place] += 1;
            }
        }
        balance(&closest_to[..train], &closest_to[train..])
    }

    fn membership(&self, seed: u64) -> Result<Membership> {
        let score = |rows: &[f32], purpose| -> Vec<f64> {
            let targets = rows_at(rows, self.width, &subsample(rows.len() / self.width, MOST_TARGETS, seed, purpose));
            let synthetic = Rows::new(self.rows[1], self.width);
            let least = |least: &mut f64, _: usize, squares: &[f64]| *least = squares.iter().copied().fold(*least, f64::min);
            let nearest = Rows::new(&targets, self.width).fold_on(&synthetic, self.device, |_| f64::INFINITY, least);
            // The nearest real image is the target itself, or one that equals it.
            let others = self.neighbours(&targets, NEAREST + 1, None);
            let relative = |(square, others): (f64, Vec<Near>)| {
                let mean = mean_distance(&others[1..]);
                -if mean > 0.0 { square.sqrt() / mean } else { 1.0 }
            };
            nearest.into_iter().zip(others).map(relative).collect()
        };
        membership(&score(self.rows[0], 76), &score(self.rows[2], 77), seed)
    }
}

fn mean_distance(list: &[Near]) -> f64 {
    list.iter().map(|near| near.distance).sum::<f64>() / list.len().max(1) as f64
}

/// Whether two real images are equally near. Then they are equal, and nothing says which of them was copied, if any.
fn is_tied(list: &[Near]) -> bool {
    matches!(list, [first, second, ..] if second.distance <= first.distance)
}

/// Whether the smallest ratios are those of training images. A real image has the smallest ratio of the synthetic images that are nearest to it,
/// so that a heap of them counts once.
fn near_copies(neighbours: &[Vec<Near>], [train, synthetic, holdout]: [usize; 3]) -> NearCopies {
    let mut smallest = vec![f64::INFINITY; train + holdout];
    for list in neighbours.iter().filter(|list| !is_tied(list)) {
        let [nearest, next @ ..] = &list[..list.len().min(NEAREST)] else { continue };
        let mean = mean_distance(next);
        if mean > 0.0 {
            smallest[nearest.place] = (nearest.distance / mean).min(smallest[nearest.place]);
        }
    }
    let Tail { p_value, excess, .. } = lower_tail(&smallest[..train], &smallest[train..]);
    let images = (excess * train as f64).max(0.0);
    NearCopies { images: images.round() as usize, share: images / synthetic.max(1) as f64, p_value }
}

/// The candidates of each synthetic image by their distance at the best shift.
fn by_shifts([train, synthetic, holdout]: [&Images; 3], candidates: &[Vec<Near>]) -> Vec<Vec<Near>> {
    let one = |(index, candidates): (usize, &Vec<Near>)| {
        let shifts = Moved::new(synthetic, index).shifts();
        let near = |candidate: &Near| {
            let place = candidate.place;
            let real = if place < train.count() { Moved::new(train, place) } else { Moved::new(holdout, place - train.count()) };
            Near { distance: moved_distance(&shifts, &real.centre()), place }
        };
        let mut list: Vec<Near> = candidates.iter().map(near).collect();
        list.sort_by(|a, b| a.distance.total_cmp(&b.distance));
        list
    };
    candidates.par_iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random;

    /// Smooth random images: blocks of two by two pixels.
    fn images(seed: u64, count: usize) -> Images {
        let mut random = random(seed, 0);
        let mut pixels = vec![0; count * 144];
        for image in 0..count {
            let blocks: Vec<u8> = (0..36).map(|_| random.below(200) as u8).collect();
            (0..144).for_each(|place| pixels[image * 144 + place] = blocks[place / 24 * 6 + place % 12 / 2]);
        }
        Images::new(pixels, [count, 1, 12, 12], None).unwrap()
    }

    fn searched(train: &Images, synthetic: &Images, holdout: &Images) -> Copies {
        let features = [train, synthetic, holdout].map(|images| images.pixels().iter().map(|&byte| f32::from(byte)).collect::<Vec<f32>>());
        let device = Device::flex();
        let searched = Searched {
            images: [train, synthetic, holdout],
            features: [&features[0], &features[1], &features[2]],
            width: 144,
            device: &device,
        };
        searched.copies([[0, 1], [0, 1]], 0).unwrap()
    }

    /// Moved by one pixel, darker, and noisy.
    fn changed(images: &Images) -> Images {
        let mut random = random(9, 9);
        let from = |at: usize| at / 144 * 144 + (at % 144 / 12).saturating_sub(1) * 12 + (at % 12).saturating_sub(1);
        let pixels = (0..images.pixels().len()).map(|at| images.pixels()[from(at)] / 2 + 30 + random.below(10) as u8);
        Images::new(pixels.collect(), images.shape(), None).unwrap()
    }

    #[test]
    fn a_twentieth_of_changed_copies_is_found_and_as_many_of_the_holdout_are_not() {
        let (train, holdout, fresh) = (images(1, 500), images(2, 400), images(3, 475));
        let first = |images: &Images| images.select(&(0..25).collect::<Vec<usize>>());
        let with = |leaked: Images| Images::concat(vec![fresh.clone(), leaked]).unwrap();
        let plain = searched(&train, &with(first(&train)), &holdout);
        for (by, found) in plain.closeness() {
            assert!(found.near_copies.p_value < 1e-4 && (20..30).contains(&found.near_copies.images), "{by}: {found:?}");
            assert!(found.membership.tail.p_value < 1e-4, "{by}: {found:?}");
        }
        let moved = searched(&train, &with(changed(&first(&train))), &holdout).moved.unwrap();
        assert!(moved.p_value < 1e-4 && (moved.share - 0.05).abs() < 0.02, "{moved:?}");
        for leaked in [first(&holdout), changed(&first(&holdout)), images(4, 25)] {
            let found = searched(&train, &with(leaked), &holdout);
            let tests = [found.moved.unwrap().p_value, found.thumbnails.near_copies.p_value, found.features.near_copies.p_value];
            assert!(tests.iter().all(|p_value| *p_value > 0.01) && found.features.lean.p_value > 0.01, "{found:?}");
        }
    }

    #[test]
    fn images_that_both_sets_have_say_nothing() {
        let real = images(1, 300);
        let found = searched(&real, &real, &real);
        assert_eq!([found.features.near_copies.p_value, found.features.lean.p_value, found.moved.unwrap().p_value], [1.0; 3]);
        assert!(found.features.membership.auc_p_value > 0.4, "{found:?}");
    }

    #[test]
    fn a_share_of_the_training_set_as_large_as_the_holdout_is_weighed() {
        let (train, holdout) = (images(1, 900), images(2, 100));
        let found = searched(&train, &images(3, 600), &holdout);
        assert!(found.features.near_copies.p_value > 0.01 && found.thumbnails.lean.p_value > 0.01, "{found:?}");
        assert!(searched(&train, &train.select(&(0..600).collect::<Vec<_>>()), &holdout).features.near_copies.p_value < 1e-9);
    }
}

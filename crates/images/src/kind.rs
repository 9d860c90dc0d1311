//! What images are: their shape and their classes.

use semblant_core::config::LARGEST_COUNT;
use semblant_core::memory::Memory;
use semblant_core::{Error, Result};
use semblant_data::image::{ClassRequest, ImageRequest, Images};
use serde::{Deserialize, Serialize};

use crate::batches::purpose::CLASS;
use crate::draw::CHUNK;

/// The shape of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageShape {
    /// 1 or 3, or the channels of a latent image.
    pub channels: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
}

impl ImageShape {
    /// Numbers in one image.
    pub fn len(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// Whether there is no pixel.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The shape of the images and their classes: what a model file holds of its training data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageKind {
    /// The shape of an image.
    pub shape: ImageShape,
    /// The classes in order; none when the images had none.
    pub class_names: Vec<String>,
    /// How many images each class had.
    pub class_counts: Vec<usize>,
}

impl ImageKind {
    /// The kind of these images.
    pub fn of(images: &Images) -> Self {
        let shape = ImageShape { channels: images.channels(), height: images.height(), width: images.width() };
        Self { shape, class_names: images.class_names().to_vec(), class_counts: images.class_counts() }
    }

    /// Refuses what a damaged file may say.
    ///
    /// # Errors
    /// Images without pixels or of a size beyond reason, or classes that no image has.
    pub fn check(&self) -> Result<()> {
        let ImageShape { channels, height, width } = self.shape;
        // Counts are added up when classes are drawn.
        let counted = self.class_counts.iter().try_fold(0usize, |sum, &count| sum.checked_add(count));
        let sound = self.class_counts.len() == self.class_names.len()
            && counted.is_some_and(|images| images <= LARGEST_COUNT as usize && (images > 0 || self.class_names.is_empty()));
        if !sound
            || channels == 0
            || height == 0
            || width == 0
            || height.max(width) > 1 << 15
            || channels > 1 << 12
            || self.shape.len() > 1 << 26
        {
            return Err(Error::Config("the file describes images that cannot be; fit the model again".into()));
        }
        Ok(())
    }

    /// Checks that sampling `images` of them fits into memory: the images, and what a network holds while it makes a chunk of them. That depends
    /// on the network; this is what the narrowest would need, and refuses what none could do.
    ///
    /// # Errors
    /// [`Error::Memory`] with the size of an image.
    pub fn check_memory(&self, images: usize) -> Result<()> {
        /// Numbers that a network keeps for every pixel, at least.
        const FOR_EACH_PIXEL: u64 = 32;
        let ImageShape { channels, height, width } = self.shape;
        let pixels = height as u64 * width as u64;
        // Its f32 and its bytes.
        let held = (images as u64).saturating_mul(pixels * channels as u64).saturating_mul(5);
        let at_work = CHUNK as u64 * pixels * 4 * FOR_EACH_PIXEL.max(channels as u64);
        Memory::of_process().check(format!("sampling {images} images of {height} x {width} pixels"), held.saturating_add(at_work), 1)
    }

    /// The class of each row of a request: the one named, each in turn, or drawn with the frequency that it has in the training images.
    ///
    /// # Errors
    /// A class that is not known, or any where the model was fitted without classes.
    pub fn classes(&self, request: &ImageRequest) -> Result<Box<dyn Fn(u64) -> Option<u32> + '_>> {
        let count = self.class_names.len();
        match &request.class {
            ClassRequest::AsLearned if count == 0 => Ok(Box::new(|_| None)),
            _ if count == 0 => Err(Error::Condition("the model was fitted on images without classes; omit the class".into())),
            ClassRequest::Balanced => {
                // A class without training images is never made: nothing was learned of it.
                let seen: Vec<u32> = (0..count as u32).filter(|&class| self.class_counts[class as usize] > 0).collect();
                Ok(Box::new(move |row| Some(seen[(row % seen.len() as u64) as usize])))
            }
            ClassRequest::Is(name) => {
                let known = || Error::Condition(format!("no class is called \"{name}\"; there are {}", self.class_names.join(", ")));
                let class = self.class_names.iter().position(|known| known == name).ok_or_else(known)? as u32;
                Ok(Box::new(move |_| Some(class)))
            }
            ClassRequest::AsLearned => {
                let total: usize = self.class_counts.iter().sum();
                let stream = CLASS.of(request.seed);
                Ok(Box::new(move |row| {
                    let mut left = stream.below(row, 0, total as u64) as usize;
                    let drawn = self.class_counts.iter().position(|&count| {
                        let here = left < count;
                        left = left.saturating_sub(count);
                        here
                    });
                    drawn.map(|class| class as u32)
                }))
            }
        }
    }
}

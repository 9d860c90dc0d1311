//! What images are: their shape and their classes.

use semblant_core::synthesizer::{Condition, SampleRequest, Wanted};
use semblant_core::{Error, Result};
use semblant_data::image::Images;
use serde::{Deserialize, Serialize};

use crate::batches::purpose::CLASS;

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
        let sound =
            self.class_counts.len() == self.class_names.len() && (self.class_names.is_empty() || self.class_counts.iter().any(|&n| n > 0));
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

    /// The class of each row: the one asked for, each in turn, or drawn with the frequency that it has in the training images.
    ///
    /// # Errors
    /// A class that is not known, two at once, or a wish about anything else.
    pub fn classes(&self, request: &SampleRequest) -> Result<Box<dyn Fn(u64) -> Option<u32> + '_>> {
        let count = self.class_names.len() as u64;
        if let Some(column) = &request.balance {
            is_class(column)?;
            self.has_classes()?;
            if !request.conditions.is_empty() {
                return Err(Error::Condition("the classes cannot both be balanced and be asked for; leave one of the two out".into()));
            }
            // A class without training images is never made: nothing was learnt of it.
            let seen: Vec<u32> = (0..count as u32).filter(|&class| self.class_counts[class as usize] > 0).collect();
            return Ok(Box::new(move |row| Some(seen[(row % seen.len() as u64) as usize])));
        }
        if let Some(class) = self.asked_class(&request.conditions)? {
            return Ok(Box::new(move |_| Some(class)));
        }
        if count == 0 {
            return Ok(Box::new(|_| None));
        }
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

    fn has_classes(&self) -> Result<()> {
        if self.class_names.is_empty() {
            return Err(Error::Condition("the model was fitted on images without classes; leave the class out".into()));
        }
        Ok(())
    }

    fn asked_class(&self, conditions: &[Condition]) -> Result<Option<u32>> {
        let mut found = None;
        for condition in conditions {
            is_class(&condition.column)?;
            self.has_classes()?;
            let Wanted::Is(name) = &condition.wanted else {
                return Err(Error::Condition("a class is a name, not a range; write class=NAME".into()));
            };
            let class = self
                .class_names
                .iter()
                .position(|known| known == name)
                .ok_or_else(|| Error::Condition(format!("no class is called \"{name}\"; there are {}", self.class_names.join(", "))))?;
            if found.is_some_and(|other| other != class as u32) {
                return Err(Error::Condition("no image is of two classes; ask for one".into()));
            }
            found = Some(class as u32);
        }
        Ok(found)
    }
}

fn is_class(column: &str) -> Result<()> {
    if column != "class" {
        return Err(Error::Condition(format!("images have no \"{column}\", only a class; write class=NAME")));
    }
    Ok(())
}

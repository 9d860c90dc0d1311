//! A data set on the device, in bytes.

use std::sync::Arc;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use semblant_core::host;

use super::Images;

/// Images held once where they are needed, as bytes: a quarter of what f32 takes, and no transfer for each batch.
///
/// On a GPU that knows 8-bit integers the bytes lie in its memory, and a batch is a selection, a conversion and a scale there. On the
/// CPU, and on GPUs without 8-bit integers (WGSL has none), they stay in this process. The CPU backend could hold them as well, but one
/// loop over the chosen images does the work of its four passes (256 images of CIFAR: 0.37 ms on one thread against 0.50 ms), and
/// augmentation finds them there.
///
/// Cloning shares the pixels.
#[derive(Debug, Clone)]
pub struct DeviceImages {
    store: Store,
    shape: [usize; 4],
    classes: Option<Arc<[u32]>>,
    device: Device,
}

#[derive(Debug, Clone)]
enum Store {
    Host(Arc<Images>),
    /// `[count, channels * height * width]`.
    Device(Box<Tensor<2, Int>>),
}

impl DeviceImages {
    /// Puts the images where `device` reaches them best.
    pub fn new(images: Images, device: &Device) -> Self {
        let shape = images.shape();
        let classes = images.classes().map(Arc::from);
        let on_device = !host::is_host(device) && device.supports_dtype(DType::U8);
        let store = if on_device {
            let one = images.bytes_of_one();
            let data = TensorData::new(images.pixels, [shape[0], one]);
            Store::Device(Box::new(Tensor::from_data(data, (device, DType::U8))))
        } else {
            Store::Host(Arc::new(images))
        };
        Self { store, shape, classes, device: device.clone() }
    }

    /// How many images there are.
    pub fn count(&self) -> usize {
        self.shape[0]
    }

    /// `[count, channels, height, width]`.
    pub fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// The images at `indices`, of shape `[indices.len(), channels, height, width]`, in `[-1, 1]` (`x / 127.5 - 1`).
    ///
    /// # Panics
    /// When `indices` is empty or an index is not below [`DeviceImages::count`].
    pub fn batch(&self, indices: &[usize]) -> Tensor<4> {
        self.check(indices);
        let [_, channels, height, width] = self.shape;
        let shape = [indices.len(), channels, height, width];
        match &self.store {
            Store::Host(images) => host::tensor(images.units_of(indices), shape, &self.device),
            Store::Device(pixels) => {
                let chosen: Vec<i32> = indices.iter().map(|&index| index as i32).collect();
                let chosen = Tensor::<1, Int>::from_data(TensorData::new(chosen, [indices.len()]), &self.device);
                pixels.as_ref().clone().select(0, chosen).float().div_scalar(127.5).sub_scalar(1.0).reshape(shape)
            }
        }
    }

    /// The classes of the images at `indices`, of shape `[indices.len()]`; none when the images have no classes.
    ///
    /// # Panics
    /// As [`DeviceImages::batch`].
    pub fn batch_classes(&self, indices: &[usize]) -> Option<Tensor<1, Int>> {
        self.check(indices);
        let classes = self.classes.as_ref()?;
        let chosen: Vec<i32> = indices.iter().map(|&index| classes[index] as i32).collect();
        Some(Tensor::from_data(TensorData::new(chosen, [indices.len()]), &self.device))
    }

    /// A GPU reads past the end without a word, so the indices are checked here.
    fn check(&self, indices: &[usize]) {
        assert!(!indices.is_empty(), "a batch needs at least one image");
        if let Some(beyond) = indices.iter().find(|&&index| index >= self.shape[0]) {
            panic!("image {beyond} is asked for, but there are {}", self.shape[0]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images() -> Images {
        let classes = (vec![0, 1, 1], vec!["a".to_owned(), "b".to_owned()]);
        Images::new(vec![0, 51, 102, 153, 204, 255], [3, 1, 1, 2], Some(classes)).expect("images")
    }

    #[test]
    fn a_batch_holds_the_chosen_images_in_order() {
        let device = Device::flex();
        let held = DeviceImages::new(images(), &device);
        let batch = held.batch(&[2, 0]);
        assert_eq!(batch.dims(), [2, 1, 1, 2]);
        assert_eq!(host::read(&batch, <[f32]>::to_vec), [204.0 / 127.5 - 1.0, 1.0, -1.0, 51.0 / 127.5 - 1.0]);
        let classes = held.batch_classes(&[2, 0]).expect("classes").into_data().convert::<i32>();
        assert_eq!(classes.as_slice::<i32>().expect("i32"), [1, 0]);
    }

    /// The way of the GPUs gives the same bits; the CPU backend can walk it, too.
    #[test]
    fn both_stores_give_the_same_batch() {
        let device = Device::flex();
        let every = Images::new((0..=255).collect(), [64, 1, 2, 2], None).expect("images");
        let pixels = Tensor::from_data(TensorData::new(every.pixels().to_vec(), [64, 4]), (&device, DType::U8));
        let shape = every.shape();
        let there = DeviceImages { store: Store::Device(Box::new(pixels)), shape, classes: None, device: device.clone() };
        let here = DeviceImages::new(every, &device);
        let indices: Vec<usize> = (0..64).rev().chain([5, 5]).collect();
        let read = |held: &DeviceImages| host::read(&held.batch(&indices), <[f32]>::to_vec);
        assert_eq!(read(&there), read(&here));
        assert!(here.batch_classes(&indices).is_none());
    }

    #[test]
    #[should_panic(expected = "image 3 is asked for, but there are 3")]
    fn an_index_beyond_the_end_is_refused() {
        DeviceImages::new(images(), &Device::flex()).batch(&[3]);
    }
}

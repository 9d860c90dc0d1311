//! One image: from the bytes of a file to planes of pixels.

use std::io::Cursor;
use std::path::Path;

use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::imageops::FilterType;
use image::{
    AnimationDecoder, DynamicImage, GrayImage, ImageBuffer, ImageDecoder, ImageFormat, ImageReader, ImageResult, Limits, RgbImage,
};

use super::LONGEST_SIDE;

/// The largest file of one image; encoded, no useful training image comes near.
pub(super) const LARGEST_FILE: u64 = 256 << 20;
/// What decoding one image may take: 512 MiB are 13,000 x 13,000 pixels in colour. A file that promises more is a bomb.
const LARGEST_DECODED: u64 = 512 << 20;

/// One image of bytes `[channels, height, width]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) pixels: Vec<u8>,
    /// Whether there were more frames, which are left out.
    pub(super) animated: bool,
}

/// Whether a name ends as image files do that can be decoded.
pub(super) fn is_image_name(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    ["png", "apng", "jpg", "jpeg", "jpe", "jfif", "gif", "bmp", "webp"].contains(&ending.as_str())
}

/// Decodes an image and brings it to a size and a number of channels, if given. The contents decide the format, not the name.
pub(super) fn decode(bytes: &[u8], size: Option<[usize; 2]>, channels: Option<usize>) -> Result<Picture, String> {
    if bytes.is_empty() {
        return Err("is empty".into());
    }
    let format = image::guess_format(bytes).map_err(|_| "is not an image, despite its name")?;
    let (decoded, animated) =
        first_frame(bytes, format).map_err(|error| format!("cannot be decoded ({})", one_line(&error.to_string())))?;
    let fitted = fit(plain(decoded), size, channels);
    let [channels, height, width] = [fitted.color().channel_count().into(), fitted.height() as usize, fitted.width() as usize];
    Ok(Picture { channels, height, width, pixels: planes(&fitted), animated })
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE as u32);
    limits.max_image_height = Some(LONGEST_SIDE as u32);
    limits.max_alloc = Some(LARGEST_DECODED);
    limits
}

/// The image, or the first frame of an animation, and whether it is one.
fn first_frame(bytes: &[u8], format: ImageFormat) -> ImageResult<(DynamicImage, bool)> {
    let animated = match format {
        ImageFormat::Png => PngDecoder::with_limits(Cursor::new(bytes), limits())?.is_apng()?,
        ImageFormat::WebP => WebPDecoder::new(Cursor::new(bytes))?.has_animation(),
        ImageFormat::Gif => {
            let mut decoder = GifDecoder::new(Cursor::new(bytes))?;
            decoder.set_limits(limits())?;
            // A second frame that is damaged is no concern of ours.
            matches!(decoder.into_frames().nth(1), Some(Ok(_)))
        }
        _ => false,
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits());
    Ok((reader.decode()?, animated))
}

/// Any image as 8-bit grey or colour, without transparency.
fn plain(decoded: DynamicImage) -> DynamicImage {
    let grey = !decoded.color().has_color();
    match decoded {
        DynamicImage::ImageLuma8(_) | DynamicImage::ImageRgb8(_) => decoded,
        other if other.color().has_alpha() => {
            // Over white at 16 bits, which loses nothing of an 8-bit image.
            let full = other.into_rgba16();
            let over = |value: u16, alpha: u16| {
                let (value, alpha) = (u64::from(value), u64::from(alpha));
                to_8_bits(((value * alpha + 65_535 * (65_535 - alpha) + 32_767) / 65_535) as u16)
            };
            let (width, height) = full.dimensions();
            if grey {
                DynamicImage::ImageLuma8(GrayImage::from_fn(width, height, |x, y| {
                    let [value, _, _, alpha] = full.get_pixel(x, y).0;
                    image::Luma([over(value, alpha)])
                }))
            } else {
                DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, |x, y| {
                    let [red, green, blue, alpha] = full.get_pixel(x, y).0;
                    image::Rgb([over(red, alpha), over(green, alpha), over(blue, alpha)])
                }))
            }
        }
        other if grey => {
            let full = other.into_luma16();
            let (width, height) = full.dimensions();
            DynamicImage::ImageLuma8(GrayImage::from_fn(width, height, |x, y| image::Luma(full.get_pixel(x, y).0.map(to_8_bits))))
        }
        other => {
            let full = other.into_rgb16();
            let (width, height) = full.dimensions();
            DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, |x, y| image::Rgb(full.get_pixel(x, y).0.map(to_8_bits))))
        }
    }
}

/// Rounded, where cutting off the low byte would darken.
fn to_8_bits(value: u16) -> u8 {
    ((u32::from(value) * 255 + 32_767) / 65_535) as u8
}

/// Cuts about the centre to the shape of `size`, resamples to it, and changes the channels. Nothing is touched that already fits.
fn fit(image: DynamicImage, size: Option<[usize; 2]>, channels: Option<usize>) -> DynamicImage {
    let image = match (channels, image) {
        (Some(1), DynamicImage::ImageRgb8(colour)) => DynamicImage::ImageLuma8(grey(&colour)),
        (Some(3), DynamicImage::ImageLuma8(grey)) => DynamicImage::ImageRgb8(coloured(&grey)),
        (_, image) => image,
    };
    let Some([height, width]) = size else { return image };
    if [image.height() as usize, image.width() as usize] == [height, width] {
        return image;
    }
    let [x, y, wide, high] = centre(image.width(), image.height(), width as u32, height as u32);
    let cut = image.crop_imm(x, y, wide, high);
    if (wide, high) == (width as u32, height as u32) {
        return cut;
    }
    cut.resize_exact(width as u32, height as u32, FilterType::Lanczos3)
}

/// The largest centred crop of the requested aspect ratio: left, top, width, height.
fn centre(wide: u32, high: u32, to_wide: u32, to_high: u32) -> [u32; 4] {
    let (w, h, tw, th) = (u64::from(wide), u64::from(high), u64::from(to_wide), u64::from(to_high));
    let rounded = |above: u64, below: u64| ((2 * above + below) / (2 * below)).max(1) as u32;
    let (cut_wide, cut_high) = if w * th > h * tw { (rounded(h * tw, th).min(wide), high) } else { (wide, rounded(w * th, tw).min(high)) };
    [(wide - cut_wide) / 2, (high - cut_high) / 2, cut_wide, cut_high]
}

/// ITU-R 601 luma in the fixed point of Pillow.
fn grey(colour: &RgbImage) -> GrayImage {
    let luma = |[red, green, blue]: [u8; 3]| {
        ((u32::from(red) * 19_595 + u32::from(green) * 38_470 + u32::from(blue) * 7_471 + 0x8000) >> 16) as u8
    };
    GrayImage::from_fn(colour.width(), colour.height(), |x, y| image::Luma([luma(colour.get_pixel(x, y).0)]))
}

fn coloured(grey: &GrayImage) -> RgbImage {
    RgbImage::from_fn(grey.width(), grey.height(), |x, y| image::Rgb([grey.get_pixel(x, y).0[0]; 3]))
}

/// From pixel after pixel to plane after plane.
fn planes(image: &DynamicImage) -> Vec<u8> {
    let interleaved = image.as_bytes();
    let channels = usize::from(image.color().channel_count());
    (0..channels).flat_map(|channel| interleaved.iter().skip(channel).step_by(channels).copied()).collect()
}

/// Brings planes `[channels, height, width]` to a size and a number of channels.
pub(super) fn refit(pixels: &[u8], shape: [usize; 3], size: Option<[usize; 2]>, channels: Option<usize>) -> (Vec<u8>, [usize; 3]) {
    let [planes_in, height, width] = shape;
    let (wide, high, plane) = (width as u32, height as u32, height * width);
    let at = |x: u32, y: u32, channel: usize| pixels[channel * plane + y as usize * width + x as usize];
    let image = if planes_in == 1 {
        DynamicImage::ImageLuma8(ImageBuffer::from_fn(wide, high, |x, y| image::Luma([at(x, y, 0)])))
    } else {
        DynamicImage::ImageRgb8(ImageBuffer::from_fn(wide, high, |x, y| image::Rgb([at(x, y, 0), at(x, y, 1), at(x, y, 2)])))
    };
    let fitted = fit(image, size, channels);
    (planes(&fitted), [fitted.color().channel_count().into(), fitted.height() as usize, fitted.width() as usize])
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(image: &DynamicImage) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, ImageFormat::Png).expect("encodable");
        bytes.into_inner()
    }

    #[test]
    fn sixteen_bits_are_rounded() {
        let full = ImageBuffer::from_vec(4, 1, vec![0u16, 128, 129, 65_535]).expect("an image");
        let picture = decode(&png(&DynamicImage::ImageLuma16(full)), None, None).expect("decodable");
        // 128 / 257 = 0.498, 129 / 257 = 0.502.
        assert_eq!(picture.pixels, [0, 0, 1, 255]);
        assert_eq!(picture.channels, 1);
    }

    #[test]
    fn transparent_is_white_and_every_opaque_byte_stays() {
        let opaque = RgbImage::from_fn(16, 16, |x, y| image::Rgb([(16 * y + x) as u8; 3]));
        let with_alpha = DynamicImage::ImageRgb8(opaque.clone()).into_rgba8();
        let picture = decode(&png(&DynamicImage::ImageRgba8(with_alpha)), None, None).expect("decodable");
        assert_eq!(picture.pixels[..256], (0..=255).collect::<Vec<u8>>());
        let clear = ImageBuffer::from_vec(3, 1, vec![9u8, 0, 100, 128, 0, 255]).expect("an image");
        let picture = decode(&png(&DynamicImage::ImageLumaA8(clear)), None, None).expect("decodable");
        // 100 at 128/255 over white: 100 * 0.50196 + 255 * 0.49804 = 177.196.
        assert_eq!((picture.channels, picture.pixels), (1, vec![255, 177, 0]));
    }

    #[test]
    fn the_centre_is_cut_to_the_shape() {
        assert_eq!(centre(10, 4, 2, 2), [3, 0, 4, 4]);
        assert_eq!(centre(4, 10, 2, 1), [0, 4, 4, 2]);
        assert_eq!(centre(1000, 1, 1, 1000), [499, 0, 1, 1]);
        // Three stripes; the square in the middle is the middle one.
        let stripes = RgbImage::from_fn(12, 4, |x, _| image::Rgb([(x / 4) as u8 * 100, 7, 9]));
        let picture = decode(&png(&DynamicImage::ImageRgb8(stripes)), Some([2, 2]), None).expect("decodable");
        assert_eq!(picture.pixels, [100, 100, 100, 100, 7, 7, 7, 7, 9, 9, 9, 9]);
    }

    #[test]
    fn channels_change_as_pillow_changes_them() {
        // Pillow: Image.new("RGB", (1, 1), c).convert("L").getpixel((0, 0))
        for (colour, expected) in [([255, 0, 0], 76), ([0, 255, 0], 150), ([0, 0, 255], 29), ([255, 255, 255], 255), ([12, 200, 77], 130)] {
            let image = RgbImage::from_pixel(1, 1, image::Rgb(colour));
            assert_eq!(decode(&png(&DynamicImage::ImageRgb8(image)), None, Some(1)).expect("decodable").pixels, [expected], "{colour:?}");
        }
        assert_eq!(refit(&[5, 6], [1, 1, 2], None, Some(3)), (vec![5, 6, 5, 6, 5, 6], [3, 1, 2]));
        assert_eq!(refit(&[1, 2, 3, 4, 5, 6], [3, 1, 2], None, None), (vec![1, 2, 3, 4, 5, 6], [3, 1, 2]));
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_unpacked() {
        // A sound PNG whose header is made to promise 60,000 x 60,000 pixels, its checksum mended.
        let mut bytes = png(&DynamicImage::ImageLuma8(GrayImage::new(1, 1)));
        bytes[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        let said = decode(&bytes, None, None).expect_err("too large");
        assert!(said.contains("limit"), "{said}");
    }
}

//! One image: from the bytes of a file to planes of pixels.

use std::io::Cursor;
use std::path::Path;

use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{
    AnimationDecoder, DynamicImage, GrayImage, ImageBuffer, ImageDecoder, ImageFormat, ImageReader, ImageResult, Limits, RgbImage,
};

use super::LONGEST_SIDE;
use super::jpeg::is_whole;

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

/// Decodes an image, turned as its Exif orientation says, and brings it to a size and a number of channels, if given. The contents decide
/// the format, not the name.
pub(super) fn decode(bytes: &[u8], size: Option<[usize; 2]>, channels: Option<usize>) -> Result<Picture, String> {
    if bytes.is_empty() {
        return Err("is empty".into());
    }
    let format = image::guess_format(bytes).map_err(|_| "is not an image, despite its name")?;
    // The decoder fills what is missing with grey.
    if format == ImageFormat::Jpeg && !is_whole(bytes) {
        return Err("cannot be decoded (it ends before its last line; it is truncated)".into());
    }
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

/// Height and width that decoding would give, by the header alone; nothing where that cannot be told.
pub(super) fn size_of(bytes: &[u8]) -> Option<[usize; 2]> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), image::guess_format(bytes).ok()?);
    reader.limits(limits());
    let mut decoder = reader.into_decoder().ok()?;
    let (width, height) = decoder.dimensions();
    let turned = matches!(
        decoder.orientation(),
        Ok(Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH)
    );
    Some(if turned { [width as usize, height as usize] } else { [height as usize, width as usize] })
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
    let mut decoder = reader.into_decoder()?;
    limits().reserve(decoder.total_bytes())?;
    // Damaged Exif is that of a picture that lies as it was stored; Pillow ignores it too.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok((image, animated))
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

    /// Exif with nothing but an orientation, little-endian.
    fn exif(orientation: u8) -> Vec<u8> {
        let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
        exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
        exif
    }

    /// An image of 24 columns and 32 rows as JPEG with an orientation: dark, with a bright corner at the top left as it is stored.
    fn oriented_jpeg(orientation: u8) -> Vec<u8> {
        let stored = GrayImage::from_fn(24, 32, |x, y| image::Luma([if x < 8 && y < 16 { 250 } else { 10 }]));
        let mut plain = Cursor::new(Vec::new());
        DynamicImage::ImageLuma8(stored).write_to(&mut plain, ImageFormat::Jpeg).expect("encodable");
        let (plain, exif) = (plain.into_inner(), exif(orientation));
        let length = (2 + 6 + exif.len() as u16).to_be_bytes();
        [&plain[..2], &[0xFF, 0xE1], &length, b"Exif\0\0", &exif, &plain[2..]].concat()
    }

    #[test]
    fn photographs_come_upright_as_pillow_turns_them() {
        // PIL.ImageOps.exif_transpose: the size, and the corner that the top left one comes to.
        let expected = [
            (1, [32, 24], "top left"),
            (2, [32, 24], "top right"),
            (3, [32, 24], "bottom right"),
            (4, [32, 24], "bottom left"),
            (5, [24, 32], "top left"),
            (6, [24, 32], "top right"),
            (7, [24, 32], "bottom right"),
            (8, [24, 32], "bottom left"),
            // No orientation at all.
            (0, [32, 24], "top left"),
            (9, [32, 24], "top left"),
        ];
        for (orientation, [height, width], corner) in expected {
            let picture = decode(&oriented_jpeg(orientation), None, None).expect("decodable");
            assert_eq!([picture.height, picture.width], [height, width], "orientation {orientation}");
            let bright = |y: usize, x: usize| picture.pixels[y * width + x] > 128;
            let corners = [
                ("top left", bright(0, 0)),
                ("top right", bright(0, width - 1)),
                ("bottom left", bright(height - 1, 0)),
                ("bottom right", bright(height - 1, width - 1)),
            ];
            for (name, is_bright) in corners {
                assert_eq!(is_bright, name == corner, "orientation {orientation}: {name}");
            }
            // The long side of the bright corner lies along the long side of the picture.
            let long = if height > width { (15, 7) } else { (7, 15) };
            let count = picture.pixels.iter().filter(|&&value| value > 128).count();
            assert_eq!(count, (long.0 + 1) * (long.1 + 1), "orientation {orientation}");
        }
        // A requested size is that of the upright picture.
        let picture = decode(&oriented_jpeg(6), Some([12, 16]), None).expect("decodable");
        assert!([picture.height, picture.width] == [12, 16] && picture.pixels[15] > 200 && picture.pixels[0] < 60);
    }

    #[test]
    fn png_and_webp_are_turned_too() {
        let stored = RgbImage::from_fn(2, 1, |x, _| image::Rgb([x as u8 * 200, 7, 9]));
        let plain = png(&DynamicImage::ImageRgb8(stored.clone()));
        let exif = exif(6);
        let mut crc = flate2::Crc::new();
        crc.update(b"eXIf");
        crc.update(&exif);
        // Behind the signature and the header.
        let chunk = [&(exif.len() as u32).to_be_bytes()[..], b"eXIf", &exif, &crc.sum().to_be_bytes()].concat();
        let turned = decode(&[&plain[..33], &chunk, &plain[33..]].concat(), None, None).expect("decodable");
        assert_eq!((turned.height, turned.width, &turned.pixels[..2]), (2, 1, &[0, 200][..]));
        let mut webp = Vec::new();
        let mut encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut webp);
        image::ImageEncoder::set_exif_metadata(&mut encoder, exif).expect("supported");
        encoder.encode(&stored, 2, 1, image::ExtendedColorType::Rgb8).expect("encodable");
        let turned = decode(&webp, None, None).expect("decodable");
        assert_eq!((turned.height, turned.width, &turned.pixels[..2]), (2, 1, &[0, 200][..]));
    }

    #[test]
    fn files_cut_short_are_errors_in_every_format() {
        let noise = RgbImage::from_fn(40, 40, |x, y| image::Rgb([(x * 37 + y * 101) as u8, (x * x + 3 * y) as u8, (y * 59) as u8]));
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::Bmp, ImageFormat::WebP] {
            let mut bytes = Cursor::new(Vec::new());
            DynamicImage::ImageRgb8(noise.clone()).write_to(&mut bytes, format).expect("encodable");
            let whole = bytes.into_inner();
            assert!(decode(&whole, None, None).is_ok(), "{format:?}");
            for share in [0.3, 0.6, 0.9] {
                let cut = &whole[..(whole.len() as f64 * share) as usize];
                assert!(decode(cut, None, None).is_err(), "{format:?}: {share} of the file is taken for all of it");
            }
        }
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

//! Whether a JPEG file is there to its end.

/// Start of scan: image data follows, in which a marker is found by looking at every byte.
const START_OF_SCAN: u8 = 0xDA;
const END_OF_IMAGE: u8 = 0xD9;

/// Whether the end marker of the picture is there. Pictures inside the metadata (thumbnails) have end markers of their own, and cameras
/// write more behind the end, so the file is followed marker by marker. The size and contents of segments are the decoder's concern.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let mut at = 2;
    loop {
        // Between segments and in image data, a marker is FF and a byte that is neither stuffing (00), filling (FF) nor a restart.
        let marker = loop {
            match (bytes.get(at), bytes.get(at + 1)) {
                (Some(0xFF), Some(&marker)) if !matches!(marker, 0x00 | 0x01 | 0xFF | 0xD0..=0xD8) => break marker,
                (Some(_), Some(_)) => at += 1,
                _ => return false,
            }
        };
        at += 2;
        match marker {
            END_OF_IMAGE => return true,
            START_OF_SCAN => {}
            _ => {
                let (Some(&high), Some(&low)) = (bytes.get(at), bytes.get(at + 1)) else { return false };
                at += usize::from(u16::from_be_bytes([high, low]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_the_pictures_own() {
        // A segment that holds a whole JPEG of its own, a scan with stuffing and a restart, the end, and more behind it.
        let file = [
            &[0xFF, 0xD8, 0xFF, 0xE1, 0, 6, 0xFF, 0xD8, 0xFF, 0xD9][..],
            &[0xFF, 0xFF, 0xDA, 0, 3, 1, 0x55, 0xFF, 0x00, 0xFF, 0xD3, 0x12],
            &[0xFF, 0xD9],
            b"more",
        ]
        .concat();
        assert!(is_whole(&file));
        for end in 0..file.len() - 4 {
            assert!(!is_whole(&file[..end]), "{end}");
        }
    }
}

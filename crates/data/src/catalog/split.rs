//! How a table that is published whole becomes the files of a data set: rows dealt out as Python's `random.Random(seed).shuffle` does, so
//! that anyone can make the same files with five lines of Python.

use std::io::Read;

use csv::{ByteRecord, ReaderBuilder, Terminator, Trim, WriterBuilder};
use rand_mt::Mt;

/// The parts of a CSV text, each with the header and with `rows[part]` rows in the order of the text; blanks around values are dropped.
///
/// # Errors
/// What is wrong with the text, as the end of a sentence that starts with who sent it.
pub(super) fn split(text: impl Read, seed: u32, rows: &[u64]) -> Result<Vec<Vec<u8>>, String> {
    let broken = |error: csv::Error| format!("something else than the table: {error}").replace('\n', " ");
    let part_of_row = deal(seed, rows);
    let mut reader = ReaderBuilder::new().has_headers(false).trim(Trim::All).from_reader(text);
    let new_part = |_| WriterBuilder::new().terminator(Terminator::Any(b'\n')).from_writer(Vec::new());
    let mut parts: Vec<_> = rows.iter().map(new_part).collect();
    let mut record = ByteRecord::new();
    if reader.read_byte_record(&mut record).map_err(broken)? {
        parts.iter_mut().try_for_each(|part| part.write_byte_record(&record)).map_err(broken)?;
    }
    let mut read = 0;
    while reader.read_byte_record(&mut record).map_err(broken)? {
        let Some(&part) = part_of_row.get(read) else { return Err(format!("more than the {} rows of the manifest", part_of_row.len())) };
        parts[part].write_byte_record(&record).map_err(broken)?;
        read += 1;
    }
    if read < part_of_row.len() {
        return Err(format!("{read} rows where the manifest says {}", part_of_row.len()));
    }
    parts.into_iter().map(|part| part.into_inner().map_err(|error| error.to_string())).collect()
}

/// Which part each row goes to: the first `rows[0]` of the shuffled rows to part 0, the next `rows[1]` to part 1, and so on.
pub(super) fn deal(seed: u32, rows: &[u64]) -> Vec<usize> {
    let shuffled = shuffled(seed, rows.iter().sum::<u64>() as usize);
    let parts = rows.iter().enumerate().flat_map(|(part, &rows)| std::iter::repeat_n(part, rows as usize));
    let mut part_of_row = vec![0; shuffled.len()];
    shuffled.into_iter().zip(parts).for_each(|(row, part)| part_of_row[row] = part);
    part_of_row
}

/// In Python: `rows = list(range(count)); random.Random(seed).shuffle(rows)`.
fn shuffled(seed: u32, count: usize) -> Vec<usize> {
    // Python seeds by array, also where the seed is a single word.
    let mut words = Mt::new_with_key([seed]);
    let mut rows: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        rows.swap(last, below(&mut words, last as u32 + 1));
    }
    rows
}

/// Python's `_randbelow_with_getrandbits`: as many high bits as the limit has, until they are below it.
fn below(words: &mut Mt, limit: u32) -> usize {
    loop {
        let bits = words.next_u32() >> limit.leading_zeros();
        if bits < limit {
            return bits as usize;
        }
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    /// Values from CPython 3: `rows = list(range(n)); random.Random(seed).shuffle(rows); print(rows)`.
    #[test]
    fn the_shuffle_is_that_of_python() {
        assert!(shuffled(0, 0).is_empty());
        assert_eq!(shuffled(0, 1), [0]);
        assert_eq!(shuffled(0, 3), [0, 2, 1]);
        assert_eq!(shuffled(0, 10), [7, 8, 1, 5, 3, 4, 2, 0, 9, 6]);
        assert_eq!(shuffled(1, 10), [6, 8, 9, 7, 5, 3, 0, 4, 1, 2]);
        assert_eq!(shuffled(42, 10), [7, 3, 2, 8, 5, 6, 9, 4, 0, 1]);
        assert_eq!(shuffled(u32::MAX, 10), [0, 7, 1, 5, 2, 6, 4, 8, 3, 9]);
    }

    /// As above, with `hashlib.sha256(",".join(map(str, rows)).encode()).hexdigest()`: past one refill of the generator's 624 words.
    #[test]
    fn long_shuffles_are_those_of_python() {
        let hash = |count| {
            let text = shuffled(0, count).iter().map(usize::to_string).collect::<Vec<_>>().join(",");
            crate::catalog::hexadecimal(&Sha256::digest(text))
        };
        assert_eq!(hash(625), "1e634bc5f3cfe5b4d0988005cac06cf93643e1ee4283e30e7c0134553095cbc3");
        assert_eq!(hash(1000), "fe7ef6299349e5cbe1d726ba2f0730dc26c9e906af4576acc0e0cfe726223390");
        assert_eq!(hash(32561), "2ab79806febbac4be771343b333bfdd0b822e2e393cc42fbb59083e4bb08e5f4");
    }

    #[test]
    fn parts_keep_the_order_and_lose_the_blanks() {
        // Shuffled: 0, 2, 1.
        let parts = split("a,b\r\n1, x\r\n2, y z\r\n3,\"p, q\"\r\n".as_bytes(), 0, &[2, 1]).expect("three rows");
        assert_eq!(String::from_utf8_lossy(&parts[0]), "a,b\n1,x\n3,\"p, q\"\n");
        assert_eq!(String::from_utf8_lossy(&parts[1]), "a,b\n2,y z\n");
    }

    #[test]
    fn other_texts_are_refused() {
        let said = |text: &str| split(text.as_bytes(), 0, &[2, 1]).expect_err("another text");
        assert_eq!(said(""), "0 rows where the manifest says 3");
        assert_eq!(said("a\n1\n2\n"), "2 rows where the manifest says 3");
        assert_eq!(said("a\n1\n2\n3\n4\n"), "more than the 3 rows of the manifest");
        let page = said("<html>\n<p>Sorry, no such file</p>\n</html>\n");
        assert!(page.starts_with("something else than the table") && page.lines().count() == 1, "{page}");
    }
}

//! Streams whose parts have an end.

use std::cell::Cell;
use std::io::{Error, Read, Result};
use std::rc::Rc;

/// A stream that ends in an error where one of its parts does not end: a cell of gigabytes, or a quote that is never closed in a stream without
/// end.
pub(crate) struct Bounded<R> {
    inner: R,
    part: Part,
    most: u64,
    what: &'static str,
}

/// The bytes read since the last part ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Part(Rc<Cell<u64>>);

impl Part {
    /// To be called at the end of every part.
    pub(crate) fn ended(&self) {
        self.0.set(0);
    }
}

impl<R: Read> Bounded<R> {
    /// A stream whose parts have at most `most` bytes; `what` a part is, and the remedy.
    pub(crate) fn new(inner: R, most: u64, what: &'static str) -> (Self, Part) {
        let part = Part::default();
        (Self { inner, part: part.clone(), most, what }, part)
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let count = self.inner.read(buffer)?;
        let read = self.part.0.get().saturating_add(count as u64);
        self.part.0.set(read);
        if read > self.most {
            return Err(Error::other(format!("more than {} MiB are too many for {}", self.most >> 20, self.what)));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_an_end() {
        let (mut stream, part) = Bounded::new(std::io::repeat(7), 100, "a part");
        let mut bytes = [0; 60];
        for _ in 0..5 {
            stream.read_exact(&mut bytes).expect("short");
            part.ended();
        }
        stream.read_exact(&mut bytes).expect("short");
        assert!(stream.read_exact(&mut bytes).expect_err("too long").to_string().contains("a part"));
    }
}

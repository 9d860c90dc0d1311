//! Patterns of `LIKE` and `ILIKE`, compiled once.

#[derive(Debug, Clone, Copy, PartialEq)]
enum Element {
    Char(char),
    /// `_`
    One,
    /// `%`
    Many,
}

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pattern {
    elements: Box<[Element]>,
    /// Whether case does not count.
    folded: bool,
}

fn fold(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

impl Pattern {
    /// None for a pattern that ends in the character of escape.
    pub(crate) fn new(pattern: &str, escape: Option<char>, folded: bool) -> Option<Self> {
        let mut elements = Vec::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            let plain = |c: char| Element::Char(if folded { fold(c) } else { c });
            elements.push(match c {
                _ if Some(c) == escape => plain(chars.next()?),
                '_' => Element::One,
                '%' if elements.last() == Some(&Element::Many) => continue,
                '%' => Element::Many,
                _ => plain(c),
            });
        }
        Some(Self { elements: elements.into(), folded })
    }

    /// Whether a text matches; at most the product of the two lengths in time.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let (mut element, mut at) = (0, 0);
        // Where to go on after a mismatch: behind the last `%`, with one more character eaten by it.
        let mut retry: Option<(usize, usize)> = None;
        loop {
            let rest = text[at..].chars().next();
            match (self.elements.get(element), rest) {
                (Some(Element::Many), _) => {
                    element += 1;
                    retry = Some((element, at));
                }
                (None, None) => return true,
                (Some(expected), Some(c)) if self.accepts(*expected, c) => {
                    element += 1;
                    at += c.len_utf8();
                }
                _ => match retry {
                    Some((behind, from)) if from < text.len() => {
                        let from = from + text[from..].chars().next().map_or(1, char::len_utf8);
                        retry = Some((behind, from));
                        (element, at) = (behind, from);
                    }
                    _ => return false,
                },
            }
        }
    }

    fn accepts(&self, element: Element, c: char) -> bool {
        match element {
            Element::Char(expected) => expected == if self.folded { fold(c) } else { c },
            Element::One => true,
            Element::Many => false,
        }
    }
}

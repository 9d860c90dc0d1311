//! Templates: `"{first}.{last}@example.com"`, `"{id:06}"`.

/// A text with places for columns.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template {
    pub(crate) pieces: Vec<Piece>,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece {
    Text(String),
    /// A column by name, the digits it has at least, and where it stands in the template.
    Column {
        name: String,
        width: usize,
        at: usize,
    },
}

impl Template {
    /// Reads a template, or says what is wrong and at which character, from 0. `{{` and `}}` are braces.
    pub(crate) fn new(text: &str) -> Result<Self, (usize, String)> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut chars = text.chars().enumerate().peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '{' | '}' if chars.next_if(|(_, next)| *next == c).is_some() => plain.push(c),
                '}' => return Err((at, "a brace closes that was not opened; write }} for the character".into())),
                '{' => {
                    let mut inside = String::new();
                    loop {
                        match chars.next() {
                            Some((_, '}')) => break,
                            Some((_, c)) => inside.push(c),
                            None => return Err((at, "a brace does not close; write {{ for the character".into())),
                        }
                    }
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    }
                    let (name, width) = match inside.rsplit_once(':') {
                        None => (inside.as_str(), 0),
                        Some((name, digits)) => {
                            let width = digits.parse().ok().filter(|&width: &usize| width <= 40);
                            let wrong = || format!("\"{digits}\" is no width; write the least number of digits, such as {{{name}:06}}");
                            (name, width.ok_or_else(|| (at, wrong()))?)
                        }
                    };
                    pieces.push(Piece::Column { name: name.trim().to_owned(), width, at });
                }
                c => plain.push(c),
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self { pieces })
    }
}

/// Appends a text with zeros before it up to a width.
pub(crate) fn padded(text: &str, width: usize, out: &mut String) {
    (text.chars().count()..width).for_each(|_| out.push('0'));
    out.push_str(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_read() {
        let column = |name: &str, width, at| Piece::Column { name: name.into(), width, at };
        let read = Template::new("{{{a}-{b:03}").expect("a template");
        assert_eq!(read.pieces, [Piece::Text("{".into()), column("a", 0, 2), Piece::Text("-".into()), column("b", 3, 6)]);
        for (text, at) in [("a}", 1), ("{a", 0), ("x{a:b}", 1)] {
            assert_eq!(Template::new(text).expect_err("wrong").0, at);
        }
        let mut out = String::new();
        padded("7", 3, &mut out);
        assert_eq!(out, "007");
    }
}

//! YAML 1.2's core schema, from the events of a parser that knows where each value stands. Anchors and aliases are refused: a few of them can
//! stand for more than fits into memory.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::{DEEPEST, Key, Node, Value};
use crate::error::Place;

type Result<T> = std::result::Result<T, (Place, String)>;

pub(super) fn parse(text: &str) -> Result<Node> {
    let mut events = Events { parser: Parser::new_from_str(text) };
    let mut root = None;
    loop {
        let (event, place) = events.next()?;
        match event {
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            Event::StreamEnd => return root.ok_or_else(|| (Place { line: 1, column: 1 }, "is empty; declare a [[table]]".to_owned())),
            _ if root.is_some() => return Err((place, "a second document begins here; a spec is one document".into())),
            event => root = Some(events.node(event, place, 0)?),
        }
    }
}

struct Events<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
}

impl<'a> Events<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Place)> {
        let at = |line: usize, column: usize| Place { line, column: column + 1 };
        match self.parser.next_event() {
            Some(Ok((event, Span { start, .. }))) => Ok((event, at(start.line(), start.col()))),
            Some(Err(error)) => Err((at(error.marker().line(), error.marker().col()), format!("is no YAML: {}", error.info()))),
            None => Ok((Event::StreamEnd, Place::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, place: Place, depth: usize) -> Result<Node> {
        if depth > DEEPEST {
            return Err((place, format!("is nested more than {DEEPEST} deep; take it apart")));
        }
        let value = match event {
            Event::Scalar(text, style, 0, None) => scalar(&text, style),
            Event::SequenceStart(0, None) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break Value::List(items),
                        (event, place) => items.push(self.node(event, place, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(0, None) => self.map(depth)?,
            Event::Alias(_) | Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) => {
                return Err((place, "anchors, aliases and tags are not read; write the value itself".into()));
            }
            _ => return Err((place, "ends too early; is the rest of it missing?".into())),
        };
        Ok(Node { value, place })
    }

    fn map(&mut self, depth: usize) -> Result<Value> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        loop {
            let (key, place) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Value::Map(entries)),
                (Event::Scalar(text, ..), place) => (text.into_owned(), place),
                (_, place) => return Err((place, "a key is a text; write one".into())),
            };
            if entries.iter().any(|(known, _)| known.name == key) {
                return Err((place, format!("the key \"{key}\" stands here twice; remove one")));
            }
            let (event, at) = self.next()?;
            entries.push((Key { name: key, place }, self.node(event, at, depth + 1)?));
        }
    }
}

/// A plain scalar by YAML's core schema; one in quotes is a text.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::Text(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Boolean(true),
        "false" | "False" | "FALSE" => Value::Boolean(false),
        ".inf" | "+.inf" => Value::Number(f64::INFINITY),
        "-.inf" => Value::Number(f64::NEG_INFINITY),
        _ if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => Value::Text(text.to_owned()),
        _ => match (text.parse(), text.parse()) {
            (Ok(whole), _) => Value::Whole(whole),
            (_, Ok(number)) => Value::Number(number),
            _ => Value::Text(text.to_owned()),
        },
    }
}

//! The text of an expression to sqlparser's tree, with bounds on what a hostile text costs.

use sqlparser::ast::Expr;
use sqlparser::dialect::Dialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Word};

use crate::error::{Error, ErrorKind};

/// The longest text, in bytes.
const LONGEST: usize = 64 * 1024;
/// The most tokens other than literals and commas. A chain of operators makes a tree as deep as it is long, which is dropped recursively.
const MOST_TOKENS: usize = 4_096;
/// The most parentheses in one another.
const DEEPEST: usize = 40;
/// The most recursive calls of the parser, which needs up to two for a pair of parentheses.
const RECURSION: usize = 90;

/// Plain SQL: `"a"` and `` `a` `` are names, `'a'` is a text.
#[derive(Debug)]
struct Plain;

impl Dialect for Plain {
    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '"' || ch == '`'
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_'
    }

    /// `trim(leading from a)`, too.
    fn supports_comma_separated_trim(&self) -> bool {
        true
    }
}

/// sqlparser's tree of a text.
pub(crate) fn parse(text: &str) -> Result<Expr, Error> {
    let fail = |at, kind| Error::new(text, at, kind);
    if text.len() > LONGEST {
        return Err(fail(Location::empty(), ErrorKind::TooLarge(format!("an expression has at most {} KiB", LONGEST / 1024))));
    }
    let tokens = Tokenizer::new(&Plain, text)
        .tokenize_with_location()
        .map_err(|error| fail(error.location, ErrorKind::Syntax(lower_first(&error.message))))?;
    check(&tokens).map_err(|(at, kind)| fail(at, kind))?;
    let mut parser = Parser::new(&Plain).with_recursion_limit(RECURSION).with_tokens_with_locations(tokens);
    let tree = parser.parse_expr().map_err(|error| syntax(text, error))?;
    let next = parser.peek_token();
    match next.token {
        Token::EOF => Ok(tree),
        token => Err(fail(next.span.start, ErrorKind::Syntax(format!("expected an operator or the end, found {token}")))),
    }
}

/// Refuses what the language does not have before the parser sees it, which is cheaper to bound and to explain.
fn check(tokens: &[TokenWithSpan]) -> Result<(), (Location, ErrorKind)> {
    let (mut depth, mut count, mut last) = (0_usize, 0, None);
    for token in tokens {
        let refuse = |kind| Err((token.span.start, kind));
        match &token.token {
            Token::EOF | Token::Whitespace(_) => continue,
            Token::Number(..) | Token::SingleQuotedString(_) | Token::Comma => {}
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            Token::Word(word) => {
                if let Some(kind) = forbidden(word) {
                    return refuse(kind);
                }
            }
            token if is_operator(token) => {}
            token => return refuse(ErrorKind::Syntax(no_token(token))),
        }
        if depth > DEEPEST {
            return refuse(ErrorKind::TooLarge(format!("parentheses are nested at most {DEEPEST} deep")));
        }
        count += usize::from(!matches!(token.token, Token::Number(..) | Token::SingleQuotedString(_) | Token::Comma));
        if count > MOST_TOKENS {
            return refuse(ErrorKind::TooLarge(format!("an expression has at most {MOST_TOKENS} names and operators; use IN for a list")));
        }
        last = Some(token);
    }
    match last {
        Some(_) => Ok(()),
        None => Err((Location::empty(), ErrorKind::Syntax("the expression is empty".to_owned()))),
    }
}

fn is_operator(token: &Token) -> bool {
    use Token::*;
    matches!(token, Eq | DoubleEq | Neq | Lt | Gt | LtEq | GtEq | Plus | Minus | Mul | Div | Mod | StringConcat | LParen | RParen | Period)
}

/// Words whose parsing recurses where nothing of ours can be.
fn forbidden(word: &Word) -> Option<ErrorKind> {
    let quoted = format!("{}; a column of this name is written in double quotes", word.value);
    match word.value.to_ascii_lowercase().as_str() {
        _ if word.quote_style.is_some() => None,
        "select" | "exists" => Some(ErrorKind::Unsupported(format!("subqueries are not supported: {quoted}"))),
        "array" | "struct" | "lambda" => Some(ErrorKind::Unsupported(format!("there are no values of this kind: {quoted}"))),
        _ => None,
    }
}

fn no_token(token: &Token) -> String {
    let remedy = match token {
        Token::Overlap => "; write AND",
        Token::Pipe => "; write OR",
        Token::ExclamationMark => "; write NOT",
        Token::Tilde => "; write LIKE",
        Token::Caret => "; write power(x, y)",
        Token::DoubleColon => "; write cast(x as double)",
        Token::Assignment => "; write =",
        Token::SemiColon => "; an expression is one condition or value",
        _ => "",
    };
    format!("{token} has no meaning here{remedy}")
}

fn syntax(text: &str, error: ParserError) -> Error {
    let message = match error {
        ParserError::RecursionLimitExceeded => {
            let kind = ErrorKind::TooLarge("the expression is nested too deeply; take parts of it apart".to_owned());
            return Error::new(text, Location::empty(), kind);
        }
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
    };
    // The parser's errors carry the place in their text only.
    let (message, at) = match message.rsplit_once(" at Line: ") {
        Some((message, place)) => (message.to_owned(), location(place).unwrap_or_else(Location::empty)),
        None => (message, end(text)),
    };
    Error::new(
        text,
        at,
        ErrorKind::Syntax(lower_first(
            &message.replace("Expected: ", "expected ").replace("found: EOF", "found the end").replace("found: ", "found "),
        )),
    )
}

fn location(place: &str) -> Option<Location> {
    let (line, column) = place.split_once(", Column: ")?;
    Some(Location::new(line.parse().ok()?, column.parse().ok()?))
}

/// The place behind the last character.
fn end(text: &str) -> Location {
    let line = text.split('\n').count() as u64;
    let column = text.rsplit('\n').next().map_or(0, |last| last.chars().count()) as u64 + 1;
    Location::new(line, column)
}

fn lower_first(message: &str) -> String {
    let mut chars = message.chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
}

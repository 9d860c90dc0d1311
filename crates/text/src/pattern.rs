//! Constrained decoding: texts that match a regular expression, by the tokens that may come next.
//!
//! "Efficient guided generation for large language models", Willard and Louf 2023: the automaton of the expression is walked token by token before anything
//! is drawn, so that a state knows its tokens. A token is left out as well where what follows could no longer match within the characters that are left,
//! so that every text matches, whatever its greatest length.

use std::collections::{BinaryHeap, HashMap};

use regex_automata::Anchored;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::start;
use semblant_core::{Error, Result};
use semblant_data::text::Tokenizer;

/// The most pairs of a state and a token that may follow it.
const MOST_EDGES: usize = 1 << 24;
/// Bytes that the automaton may take.
const MOST_BYTES: usize = 1 << 28;

/// A regular expression over tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    source: String,
    /// By state: tokens that may follow, and the states that they lead to.
    edges: Vec<Vec<(u32, u32)>>,
    /// By state: the least number of further characters of a text that matches; `u32::MAX` where none does.
    least: Vec<u32>,
    /// By state: whether a text that ends here matches.
    ends: Vec<bool>,
}

/// Characters that begin in the bytes of a token.
fn characters(piece: &[u8]) -> u32 {
    piece.iter().filter(|&&byte| byte & 0xc0 != 0x80).count() as u32
}

impl Pattern {
    /// The pattern of whole texts that match `source`, in the syntax of the `regex` crate.
    ///
    /// # Errors
    /// What is wrong with the expression, one that no text of these tokens matches, and one that is too large.
    pub fn new(source: &str, tokenizer: &Tokenizer) -> Result<Self> {
        let shown: String = source.chars().take(60).collect();
        let wrong = |what: String| Error::Config(format!("--regex {shown}: {what}"));
        let too_large = || wrong("its automaton is too large; allow fewer repetitions".into());
        let config = DFA::config().cache_capacity(MOST_BYTES).minimum_cache_clear_count(Some(0));
        // An expression is checked by itself, so that brackets around it mend nothing.
        regex_syntax::parse(source).map_err(|error| wrong(error.to_string().replace('\n', " ")))?;
        let thompson = thompson::Config::new().nfa_size_limit(Some(MOST_BYTES / 16));
        let dfa = DFA::builder()
            .configure(config)
            .thompson(thompson)
            .build(&format!(r"\A(?:{source})\z"))
            .map_err(|error| wrong(error.to_string()))?;
        let mut cache = dfa.create_cache();
        let first = dfa.start_state(&mut cache, &start::Config::new().anchored(Anchored::Yes)).map_err(|error| wrong(error.to_string()))?;
        let (mut places, mut states) = (HashMap::from([(first, 0u32)]), vec![first]);
        let (mut edges, mut ends, mut total) = (Vec::new(), Vec::new(), 0);
        while let Some(&state) = states.get(edges.len()) {
            let mut own = Vec::new();
            for token in 0..tokenizer.len() as u32 {
                let piece = tokenizer.piece(token);
                if piece.is_empty() {
                    continue;
                }
                let next = walk(&dfa, &mut cache, state, piece).ok_or_else(too_large)?;
                if next.is_dead() || next.is_quit() {
                    continue;
                }
                let place = *places.entry(next).or_insert_with(|| {
                    states.push(next);
                    states.len() as u32 - 1
                });
                own.push((token, place));
            }
            total += own.len();
            if total > MOST_EDGES || states.len() > MOST_EDGES / 64 {
                return Err(too_large());
            }
            edges.push(own);
            ends.push(dfa.next_eoi_state(&mut cache, state).map_err(|_| too_large())?.is_match());
        }
        let least = least(&edges, &ends, tokenizer);
        if least[0] == u32::MAX {
            return Err(wrong("no text of characters that the model knows matches".into()));
        }
        Ok(Self { source: source.to_owned(), edges, least, ends })
    }

    /// The state of an empty text.
    pub fn start(&self) -> u32 {
        0
    }

    /// The state after a token, if a text that matches may go on so.
    pub fn next(&self, state: u32, token: u32) -> Option<u32> {
        let edges = &self.edges[state as usize];
        let place = edges.binary_search_by_key(&token, |&(token, _)| token).ok()?;
        Some(edges[place].1).filter(|&next| self.least[next as usize] < u32::MAX)
    }

    /// Whether a text that ends in a state matches.
    pub fn is_end(&self, state: u32) -> bool {
        self.ends[state as usize]
    }

    /// The least number of further characters of a text that matches.
    pub fn least(&self, state: u32) -> u32 {
        self.least[state as usize]
    }

    /// The tokens that may follow, where at most so many characters are left.
    pub fn tokens<'a>(&'a self, state: u32, left: usize, tokenizer: &'a Tokenizer) -> impl Iterator<Item = u32> + 'a {
        let fits = move |&&(token, next): &&(u32, u32)| {
            let least = self.least[next as usize];
            least < u32::MAX && characters(tokenizer.piece(token)) as usize + least as usize <= left
        };
        self.edges[state as usize].iter().filter(fits).map(|&(token, _)| token)
    }

    /// The states after some tokens.
    ///
    /// # Errors
    /// Tokens that no matching text begins with; `what` names them.
    pub fn after(&self, tokens: impl IntoIterator<Item = u32>, what: &str) -> Result<u32> {
        let state = tokens.into_iter().try_fold(self.start(), |state, token| self.next(state, token));
        state.ok_or_else(|| Error::Config(format!("{what}: no text that matches {} begins so; leave one of them out", self.source)))
    }
}

/// The state after the bytes of a token; `None` where the automaton is too large.
fn walk(dfa: &DFA, cache: &mut Cache, state: LazyStateID, piece: &[u8]) -> Option<LazyStateID> {
    let mut state = state;
    for &byte in piece {
        state = dfa.next_state(cache, state, byte).ok()?;
        if state.is_dead() || state.is_quit() {
            break;
        }
    }
    Some(state)
}

/// The least number of characters from each state to an end: Dijkstra's algorithm from the ends backwards.
fn least(edges: &[Vec<(u32, u32)>], ends: &[bool], tokenizer: &Tokenizer) -> Vec<u32> {
    let mut before: Vec<Vec<(u32, u32)>> = vec![Vec::new(); edges.len()];
    for (state, own) in edges.iter().enumerate() {
        own.iter().for_each(|&(token, next)| before[next as usize].push((characters(tokenizer.piece(token)), state as u32)));
    }
    let mut least = vec![u32::MAX; edges.len()];
    let mut open: BinaryHeap<std::cmp::Reverse<(u32, u32)>> = BinaryHeap::new();
    for (state, _) in ends.iter().enumerate().filter(|(_, end)| **end) {
        least[state] = 0;
        open.push(std::cmp::Reverse((0, state as u32)));
    }
    while let Some(std::cmp::Reverse((distance, state))) = open.pop() {
        if distance > least[state as usize] {
            continue;
        }
        for &(cost, earlier) in &before[state as usize] {
            let further = distance + cost;
            if further < least[earlier as usize] {
                least[earlier as usize] = further;
                open.push(std::cmp::Reverse((further, earlier)));
            }
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;
    use semblant_data::text::{Text, TokenizerKind};

    fn tokenizer(kind: TokenizerKind) -> Tokenizer {
        Tokenizer::fit(kind, &Text::of_lines(["abc0123-é xyz"]), 300, 1).expect("a tokenizer")
    }

    #[test]
    fn states_know_which_tokens_may_follow_and_how_much_is_needed() {
        let tokenizer = tokenizer(TokenizerKind::Char);
        let pattern = Pattern::new("[a-c]{2}(-[0-9]+)?", &tokenizer).expect("sound");
        let token = |character: char| tokenizer.encode(&character.to_string())[0];
        let shown = |state: u32, left: usize| {
            let mut tokens: Vec<String> = pattern.tokens(state, left, &tokenizer).map(|token| tokenizer.decode(&[token])).collect();
            tokens.sort();
            tokens.concat()
        };
        assert_eq!((shown(0, 9).as_str(), pattern.least(0), pattern.is_end(0)), ("abc", 2, false));
        let two = pattern.after([token('a'), token('b')], "--prompt").expect("begins so");
        assert_eq!((shown(two, 9).as_str(), shown(two, 1).as_str(), pattern.is_end(two)), ("-", "", true));
        let dash = pattern.next(two, token('-')).expect("may follow");
        assert_eq!((shown(dash, 9).as_str(), pattern.least(dash), pattern.is_end(dash)), ("0123", 1, false), "other digits are unknown");
        assert!(pattern.after([token('x')], "--prompt").expect_err("no text").to_string().contains("--prompt"));
    }

    #[test]
    fn bytes_make_characters() {
        let tokenizer = tokenizer(TokenizerKind::Byte);
        let pattern = Pattern::new("é+", &tokenizer).expect("sound");
        assert_eq!(pattern.least(0), 1);
        let inside = pattern.next(0, 0xc3).expect("begins é");
        assert!(!pattern.is_end(inside) && pattern.least(inside) == 0);
        assert_eq!(pattern.tokens(inside, 0, &tokenizer).collect::<Vec<_>>(), [0xa9]);
    }

    #[test]
    fn what_cannot_match_is_an_error() {
        let tokenizer = tokenizer(TokenizerKind::Char);
        let said = |source: &str| Pattern::new(source, &tokenizer).expect_err("refused").to_string();
        assert!(said("[a-").starts_with("--regex [a-: "), "{}", said("[a-"));
        assert!(said("a)(b").contains("--regex"), "brackets of its own do not mend it");
        assert!(said("K+").contains("no text of characters that the model knows"));
        assert!(said(r"(?:\w{900}){900}").contains("--regex"), "too large");
    }
}

//! Texts as tokens: characters, bytes, or pieces learned from the data.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::{Text, bpe};
use crate::{Error, Result};

/// The code points there are: what an unknown character is one of.
const CODE_POINTS: f64 = 1_112_064.0;
/// The most characters of a vocabulary.
const MOST_CHARACTERS: usize = 1 << 16;

/// What tokens are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TokenizerKind {
    /// Characters (code points) of the training texts.
    Char,
    /// Bytes of UTF-8: any text, in 256 tokens.
    Byte,
    /// Pieces by byte-pair encoding (Sennrich et al. 2016), trained on the data, over bytes.
    Bpe,
}

/// What a model file holds of a tokenizer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Form {
    Char {
        /// All characters, in the order of their code points.
        characters: String,
    },
    Byte,
    Bpe {
        /// The pair that piece `256 + i` joins.
        merges: Vec<[u32; 2]>,
    },
}

/// Texts to tokens and back. It holds the vocabulary and nothing else of the training texts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub struct Tokenizer {
    form: Form,
    /// The bytes of each token; of an unknown character none.
    pieces: Vec<Vec<u8>>,
    characters: HashMap<char, u32>,
    ranks: HashMap<[u32; 2], u32>,
}

impl PartialEq for Tokenizer {
    fn eq(&self, other: &Self) -> bool {
        self.form == other.form
    }
}

impl From<Tokenizer> for Form {
    fn from(tokenizer: Tokenizer) -> Self {
        tokenizer.form
    }
}

impl TryFrom<Form> for Tokenizer {
    type Error = String;

    fn try_from(form: Form) -> std::result::Result<Self, String> {
        let (mut pieces, mut characters, mut ranks) = (Vec::new(), HashMap::new(), HashMap::new());
        match &form {
            Form::Char { characters: known } => {
                for character in known.chars() {
                    characters.insert(character, pieces.len() as u32);
                    pieces.push(character.to_string().into_bytes());
                }
                if pieces.is_empty() || characters.len() != pieces.len() || pieces.len() > MOST_CHARACTERS {
                    return Err(format!("a vocabulary has from 1 to {MOST_CHARACTERS} characters, each once"));
                }
                // The last token: a character that is not in the vocabulary.
                pieces.push(Vec::new());
            }
            Form::Byte => pieces = bpe::bytes(),
            Form::Bpe { merges } => {
                pieces = bpe::pieces(merges)?;
                ranks = merges.iter().zip(0..).map(|(&pair, rank)| (pair, rank)).collect();
            }
        }
        Ok(Self { form, pieces, characters, ranks })
    }
}

impl Tokenizer {
    /// The tokenizer of these texts. A character, or a word whose pieces are learned, that occurs in fewer than `rare` texts (of one long text: parts)
    /// is left out, since it may name someone. `vocabulary` bounds the pieces.
    ///
    /// # Errors
    /// Texts in which no character is frequent enough, and more characters than a vocabulary may have.
    pub fn fit(kind: TokenizerKind, texts: &Text, vocabulary: usize, rare: usize) -> Result<Self> {
        let form = match kind {
            TokenizerKind::Byte => Form::Byte,
            TokenizerKind::Bpe => Form::Bpe { merges: bpe::merges(texts, vocabulary, rare) },
            TokenizerKind::Char => {
                let mut counts: BTreeMap<char, (usize, usize)> = BTreeMap::new();
                for (index, text) in texts.iter().enumerate() {
                    for character in text.chars() {
                        let (count, last) = counts.entry(character).or_insert((0, usize::MAX));
                        if *last != index {
                            (*count, *last) = (*count + 1, index);
                        }
                    }
                }
                let characters: String = counts.iter().filter(|(_, (count, _))| *count >= rare).map(|(&character, _)| character).collect();
                Form::Char { characters }
            }
        };
        Self::try_from(form).map_err(|what| {
            Error::Table(format!("{what}; lower rare, the number of texts that a character occurs in, or set tokenizer = \"byte\""))
        })
    }

    /// What tokens are.
    pub fn kind(&self) -> TokenizerKind {
        match self.form {
            Form::Char { .. } => TokenizerKind::Char,
            Form::Byte => TokenizerKind::Byte,
            Form::Bpe { .. } => TokenizerKind::Bpe,
        }
    }

    /// The number of tokens, an unknown character among them where there is one.
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Never.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The token of characters that are not in the vocabulary.
    pub fn unknown(&self) -> Option<u32> {
        matches!(self.form, Form::Char { .. }).then(|| self.pieces.len() as u32 - 1)
    }

    /// What an unknown character costs beside its token, in nats: as if all code points that are not in the vocabulary were equally probable.
    pub fn unknown_nats(&self) -> f64 {
        (CODE_POINTS - self.characters.len() as f64).ln()
    }

    /// The bytes of a token.
    ///
    /// # Panics
    /// When there is no such token.
    pub fn piece(&self, token: u32) -> &[u8] {
        &self.pieces[token as usize]
    }

    /// The tokens of a text.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        match self.form {
            Form::Char { .. } => {
                let unknown = self.pieces.len() as u32 - 1;
                text.chars().map(|character| self.characters.get(&character).copied().unwrap_or(unknown)).collect()
            }
            Form::Byte => text.bytes().map(u32::from).collect(),
            Form::Bpe { .. } => bpe::words(text).flat_map(|word| bpe::joined(word, &self.ranks)).collect(),
        }
    }

    /// The text of tokens. Bytes that are no UTF-8, and unknown characters, become U+FFFD.
    ///
    /// # Panics
    /// When there is no such token.
    pub fn decode(&self, tokens: &[u32]) -> String {
        let unknown = self.unknown();
        let bytes: Vec<u8> = tokens
            .iter()
            .flat_map(|&token| if Some(token) == unknown { "\u{fffd}".as_bytes() } else { self.piece(token) })
            .copied()
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_gives_texts_back() {
        let texts = Text::of_lines(["low lower lowest", "newer wider né\u{301}e 👍🏽", "low low שלום"]);
        for kind in [TokenizerKind::Char, TokenizerKind::Byte, TokenizerKind::Bpe] {
            let tokenizer = Tokenizer::fit(kind, &texts, 280, 1).expect("fits");
            for text in texts.iter() {
                assert_eq!(tokenizer.decode(&tokenizer.encode(text)), text, "{kind:?}");
            }
            let written = serde_json::to_string(&tokenizer).expect("JSON");
            let read: Tokenizer = serde_json::from_str(&written).expect("sound");
            assert_eq!(read.encode("lower née"), tokenizer.encode("lower née"), "{kind:?}");
        }
    }

    #[test]
    fn rare_characters_are_unknown() {
        let texts = Text::of_lines(["abc", "ab", "abzzz"]);
        let tokenizer = Tokenizer::fit(TokenizerKind::Char, &texts, 0, 2).expect("fits");
        assert_eq!(tokenizer.len(), 3, "a, b, and what is unknown: z occurs in one text");
        assert_eq!(tokenizer.encode("bz"), [1, 2]);
        assert_eq!(tokenizer.decode(&[0, 2]), "a\u{fffd}");
        assert!(!serde_json::to_string(&tokenizer).expect("JSON").contains('z'));
        assert!(Tokenizer::fit(TokenizerKind::Char, &texts, 0, 9).expect_err("none").to_string().contains("lower rare"));
    }

    #[test]
    fn hostile_files_are_refused() {
        let read = |text: &str| serde_json::from_str::<Tokenizer>(text);
        assert!(read(r#"{"kind":"char","characters":""}"#).is_err());
        assert!(read(r#"{"kind":"char","characters":"aa"}"#).is_err());
        assert!(read(r#"{"kind":"bpe","merges":[[97,256]]}"#).is_err(), "a piece of itself");
        assert!(read(r#"{"kind":"bpe","merges":[[97,4294967295]]}"#).is_err());
        let doubled: Vec<[u32; 2]> = (0..40).map(|step| if step == 0 { [97, 97] } else { [255 + step, 255 + step] }).collect();
        assert!(read(&serde_json::json!({ "kind": "bpe", "merges": doubled }).to_string()).is_err(), "2^40 bytes");
    }
}

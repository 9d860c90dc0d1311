//! Texts from left to right, side by side: keys and values of the tokens before are kept, and a slot whose text has ended takes the next one. A text that
//! grows beyond the context continues from the last half of it.

use std::collections::VecDeque;

use semblant_masked_diffusion::choose;

use crate::corpus::half;
use crate::form::Form;
use crate::model::{Draw, Learned, Manner};
use crate::pattern::Pattern;
use crate::purpose::TOKENS;

/// Texts in the making: always so many, since a matrix product may order its sums by its shape.
const SLOTS: usize = 64;
/// Streams of an attempt, as many as masked diffusion has windows.
pub(crate) const STREAMS_OF_ATTEMPT: u32 = 1 << 15;

/// A text in the making.
struct Slot {
    draw: usize,
    tokens: Vec<u32>,
    /// What the network sees before the next token is drawn.
    forced: VecDeque<u32>,
    /// What says which label the text has, and whether its beginning is seen.
    mark: u32,
    /// Bytes at the end that begin a character.
    pending: Vec<u8>,
    characters: usize,
    /// Where the text is in the pattern that it matches, if there is one.
    state: Option<u32>,
}

/// Texts drawn side by side.
pub(crate) struct Drawing<'a> {
    learned: &'a Learned,
    draws: &'a [Draw],
    manner: &'a Manner,
    slots: Vec<Option<Slot>>,
    next: usize,
    done: Vec<Vec<u32>>,
    /// Whether a token may follow whole characters.
    begins: Vec<bool>,
}

impl<'a> Drawing<'a> {
    pub(crate) fn new(learned: &'a Learned, draws: &'a [Draw], manner: &'a Manner) -> Self {
        let tokenizer = &learned.form.tokenizer;
        let begins = (0..tokenizer.len() as u32).map(|token| Some(token) != tokenizer.unknown() && is_beginning(tokenizer.piece(token)));
        let begins = begins.collect();
        Self { learned, draws, manner, slots: (0..SLOTS).map(|_| None).collect(), next: 0, done: vec![Vec::new(); draws.len()], begins }
    }

    /// The tokens of all texts, without their ends.
    pub(crate) fn all(mut self) -> Vec<Vec<u32>> {
        let Learned { form, net, device } = self.learned;
        let mut cache = net.cache(SLOTS, form.told.len() + form.context, device);
        loop {
            for (index, slot) in self.slots.iter_mut().enumerate() {
                if slot.is_none() {
                    cache.clear(index);
                    *slot = begun(form, self.draws, self.next, self.manner.pattern.as_ref());
                    self.next += usize::from(slot.is_some());
                }
            }
            if self.slots.iter().all(Option::is_none) {
                return self.done;
            }
            let seen = |slot: &mut Option<Slot>| slot.as_mut().and_then(|slot| slot.forced.pop_front()).unwrap_or(form.mark(0, false));
            let ids: Vec<u32> = self.slots.iter_mut().map(seen).collect();
            let marks: Vec<u32> = self.slots.iter().map(|slot| slot.as_ref().map_or(form.mark(0, false), |slot| slot.mark)).collect();
            let logits = net.next(&ids, form.marked.then_some(&marks[..]), &mut cache);
            for (index, logits) in logits.chunks_exact(form.outputs()).enumerate() {
                if self.slots[index].as_ref().is_some_and(|slot| slot.forced.is_empty()) && self.extended(index, logits.to_vec()) {
                    // A full row begins anew with the last half of what it has.
                    if cache.length(index) == form.told.len() + form.context {
                        cache.clear(index);
                        self.shorten(index);
                    }
                }
            }
        }
    }

    /// Draws the next token of a slot, whose text may end by it; gives whether it goes on.
    fn extended(&mut self, index: usize, mut logits: Vec<f32>) -> bool {
        let Some(mut slot) = self.slots[index].take() else { return false };
        let form = &self.learned.form;
        let draw = &self.draws[slot.draw];
        let factors = self.allowed(&slot);
        let stream = TOKENS.nth(self.manner.seed, draw.attempt * STREAMS_OF_ATTEMPT);
        let uniform = stream.uniform_f64(draw.row, slot.tokens.len() as u32);
        let (token, _) = choose(&mut logits, Some(&factors), self.manner.choice, uniform);
        if token == form.end() {
            self.done[slot.draw] = slot.tokens;
            return false;
        }
        slot.push(form, token, self.manner.pattern.as_ref());
        slot.forced.push_back(token);
        // A text that matches an expression has room for it in its characters.
        let is_long = !form.is_whole() && slot.state.is_none() && slot.tokens.len() >= form.longest + draw.given.len();
        if slot.pending.is_empty() && (is_long || (slot.characters >= self.manner.characters && slot.state.is_none())) {
            self.done[slot.draw] = slot.tokens;
            return false;
        }
        self.slots[index] = Some(slot);
        true
    }

    /// 1 for every token that may come next: bytes make characters, a text does not end before it has begun or within a character, and it matches.
    fn allowed(&self, slot: &Slot) -> Vec<f32> {
        let form = &self.learned.form;
        let mut factors: Vec<f32> = if slot.pending.is_empty() {
            self.begins.iter().map(|&begins| f32::from(u8::from(begins))).collect()
        } else {
            let continues = |token: u32| is_beginning(&[slot.pending.as_slice(), form.tokenizer.piece(token)].concat());
            (0..form.tokenizer.len() as u32).map(|token| f32::from(u8::from(continues(token)))).collect()
        };
        let mut may_end = !form.is_whole() && !slot.tokens.is_empty() && slot.pending.is_empty();
        if let Some((pattern, state)) = self.manner.pattern.as_ref().zip(slot.state) {
            let mut matching = vec![0.0; factors.len()];
            let left = self.manner.characters - slot.characters.min(self.manner.characters);
            pattern.tokens(state, left, &form.tokenizer).for_each(|token| matching[token as usize] = factors[token as usize]);
            factors = matching;
            may_end = pattern.is_end(state);
        }
        factors.push(f32::from(u8::from(may_end)));
        factors
    }

    fn shorten(&mut self, index: usize) {
        let form = &self.learned.form;
        if let Some(slot) = &mut self.slots[index] {
            let kept = slot.tokens.len() - half(form.context).min(slot.tokens.len());
            let draw = &self.draws[slot.draw];
            slot.mark = form.mark(draw.label, true);
            let marks = form.told_marks(&draw.told).chain([slot.mark]);
            slot.forced = marks.chain(slot.tokens[kept..].iter().copied()).collect();
        }
    }
}

/// The slot of the next draw, if there is one.
fn begun(form: &Form, draws: &[Draw], next: usize, pattern: Option<&Pattern>) -> Option<Slot> {
    let draw = draws.get(next)?;
    let mut slot =
        Slot { draw: next, tokens: Vec::new(), forced: VecDeque::new(), mark: 0, pending: Vec::new(), characters: 0, state: None };
    slot.state = pattern.map(Pattern::start);
    draw.given.iter().flatten().for_each(|&token| slot.push(form, token, pattern));
    // Of a long beginning only what fits is seen, with room for what follows.
    let kept = slot.tokens.len().saturating_sub(form.context - half(form.context));
    slot.forced.extend(form.told_marks(&draw.told));
    slot.mark = form.mark(draw.label, form.is_whole() || kept > 0);
    slot.forced.push_back(slot.mark);
    slot.forced.extend(&slot.tokens[kept..]);
    Some(slot)
}

impl Slot {
    fn push(&mut self, form: &Form, token: u32, pattern: Option<&Pattern>) {
        self.state = pattern.zip(self.state).and_then(|(pattern, state)| pattern.next(state, token));
        self.tokens.push(token);
        let piece = form.tokenizer.piece(token);
        // A character begins with a byte that continues none.
        self.characters += piece.iter().filter(|&&byte| byte & 0xc0 != 0x80).count();
        self.pending.extend_from_slice(piece);
        let whole = std::str::from_utf8(&self.pending).map_or_else(|error| error.valid_up_to(), |_| self.pending.len());
        self.pending.drain(..whole);
    }
}

/// Whether bytes are characters, the last one perhaps not yet whole.
fn is_beginning(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).map_or_else(|error| error.error_len().is_none(), |_| true)
}

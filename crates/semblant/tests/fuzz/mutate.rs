//! Mutations of bytes, as fuzzers make them: bits, bytes that mean something in a format, numbers at their ends, and parts that are taken out, put
//! in twice, or brought in from another file.

/// Random numbers that are the same in every run (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        (self.next() % most.max(1) as u64) as usize
    }

    /// At least 1, small more often than large, below 2 to the power of `bits`.
    fn short(&mut self, bits: usize) -> usize {
        let bits = self.below(bits);
        1 + self.below(1 << bits)
    }
}

/// A number that tells inputs apart.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The longest input.
const LONGEST: usize = 1 << 18;

/// Texts that formats give a meaning to.
const TEXTS: [&str; 24] = [
    "0",
    "-1",
    "65536",
    "2147483648",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "1e308",
    "-1e999",
    "nan",
    "inf",
    "null",
    "true",
    "\"",
    "\"\"",
    "{",
    "}",
    "[",
    "]",
    "\n",
    "\t",
    ",",
    ";",
    "'",
];

/// Numbers at the ends of what fits, in bytes.
const NUMBERS: [u64; 10] = [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 0x7fff_ffff_ffff_ffff, u64::MAX];

/// Makes inputs from seeds.
pub(crate) struct Mutator {
    random: Random,
    seeds: Vec<Vec<u8>>,
    made: usize,
}

impl Mutator {
    /// Of these seeds, in an order that `seed` decides.
    pub(crate) fn new(seed: u64, seeds: Vec<Vec<u8>>) -> Self {
        Self { random: Random(seed), seeds, made: 0 }
    }

    /// Every seed as it is, then one of them with a few changes.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        self.made += 1;
        if let Some(seed) = self.seeds.get(self.made - 1) {
            return seed.clone();
        }
        let mut input = self.seeds[self.random.below(self.seeds.len())].clone();
        let changes = 1 << self.random.below(5);
        for _ in 0..changes {
            self.change(&mut input);
        }
        input.truncate(LONGEST);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let random = &mut self.random;
        // Headers and footers say more than what lies between.
        let at = match random.below(4) {
            0 => random.below(input.len().min(64) + 1),
            1 => input.len() - random.below(input.len().min(64) + 1),
            _ => random.below(input.len() + 1),
        };
        let length = random.short(8);
        let end = (at + length).min(input.len());
        match random.below(10) {
            0 if at < input.len() => input[at] ^= 1 << random.below(8),
            1 if at < input.len() => input[at] = random.next() as u8,
            2 => drop(input.drain(at..end)),
            3 => {
                let part = input[at..end].to_vec();
                let times = random.short(6);
                let place = random.below(input.len() + 1);
                drop(input.splice(place..place, part.repeat(times)));
            }
            4 => {
                let other = &self.seeds[random.below(self.seeds.len())];
                let from = random.below(other.len() + 1);
                let part = other[from..(from + length).min(other.len())].to_vec();
                drop(input.splice(at..end, part));
            }
            5 => {
                let number = NUMBERS[random.below(NUMBERS.len())];
                let width = 1 << random.below(4);
                let mut bytes = number.to_le_bytes()[..width].to_vec();
                if random.below(2) == 0 {
                    bytes.reverse();
                }
                let end = (at + width).min(input.len());
                drop(input.splice(at..end, bytes));
            }
            6 => drop(input.splice(at..at, TEXTS[random.below(TEXTS.len())].bytes())),
            7 => {
                // A number written in digits becomes another.
                let Some(first) = input[at..].iter().position(u8::is_ascii_digit).map(|place| at + place) else { return };
                let last = input[first..].iter().position(|byte| !byte.is_ascii_digit()).map_or(input.len(), |place| first + place);
                drop(input.splice(first..last, TEXTS[random.below(11)].bytes()));
            }
            8 => input.truncate(at),
            _ => {
                let bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
                drop(input.splice(at..at, bytes));
            }
        }
    }
}

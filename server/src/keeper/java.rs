//! Numbers as Java parses them, and the order of Java's hash sets.

use std::borrow::Cow;

/// The zeros of the scripts whose digits Java accepts, as of Java 17. Java looks at UTF-16 units (`Integer.parseInt`),
/// so zeros beyond the basic multilingual plane do not count.
const ZEROS: [u16; 36] = [
    0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66,
    0x0de6, 0x0e50, 0x0ed0, 0x0f20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90,
    0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
];

/// `Integer.parseInt`: a sign may precede the digits, and the digits may be of any script.
pub(super) fn int(text: &str, radix: u32) -> Option<i32> {
    i32::from_str_radix(&in_ascii(text), radix).ok()
}

/// `Long.parseLong`.
pub(super) fn long(text: &str) -> Option<i64> {
    in_ascii(text).parse().ok()
}

/// Replaces digits of other scripts by ASCII digits.
fn in_ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().map(|c| ascii_digit(c).unwrap_or(c)).collect())
    }
}

/// `Character.digit` for digits of other scripts.
fn ascii_digit(c: char) -> Option<char> {
    // Fullwidth letters count as ASCII letters, in either case.
    if matches!(c, '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}') {
        return char::from_u32(u32::from(c) - 0xfee0);
    }
    let unit = u16::try_from(u32::from(c)).ok()?;
    let zero = ZEROS.iter().rev().find(|zero| **zero <= unit)?;
    char::from_digit(u32::from(unit - zero), 10)
}

/// `String.hashCode`.
pub(super) fn hash(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    })
}

/// The iteration order of a `ConcurrentHashMap`. A key is identified by its insertion order.
#[derive(Clone, Debug, Default)]
pub(super) struct HashOrder {
    /// The hash and the number of each key, bin by bin.
    bins: Vec<Vec<(u32, usize)>>,
    count: usize,
}

impl HashOrder {
    /// Adds the next key.
    pub(super) fn add(&mut self, hash: i32) {
        const FIRST_BINS: usize = 16;
        if self.bins.is_empty() {
            self.bins.resize_with(FIRST_BINS, Vec::new);
        }
        let hash = hash.cast_unsigned();
        let spread = hash ^ (hash >> 16);
        let number = self.count;
        self.count += 1;
        if let Some(bin) = bin(&mut self.bins, spread) {
            bin.push((spread, number));
        }
        if self.count >= self.bins.len() / 4 * 3 {
            self.grow();
        }
    }

    /// Returns the numbers of the keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        self.bins.iter().flatten().map(|&(_, number)| number)
    }

    /// Grows like `ConcurrentHashMap.transfer`: the longest tail of a bin that goes to one bin keeps its order, and the
    /// keys before it are prepended one by one.
    fn grow(&mut self) {
        let old = std::mem::take(&mut self.bins);
        self.bins.resize_with(old.len() * 2, Vec::new);
        for keys in old {
            let goes_up = |hash: u32| {
                usize::try_from(hash).is_ok_and(|hash| hash & (self.bins.len() / 2) != 0)
            };
            let last = keys.last().is_some_and(|&(hash, _)| goes_up(hash));
            let tail = keys
                .iter()
                .rposition(|&(hash, _)| goes_up(hash) != last)
                .map_or(0, |before| before + 1);
            let (head, tail) = keys.split_at(tail);
            for &(hash, number) in head.iter().rev().chain(tail) {
                if let Some(bin) = bin(&mut self.bins, hash) {
                    bin.push((hash, number));
                }
            }
        }
    }
}

/// Returns the bin of a hash. The number of bins is a power of two.
fn bin(bins: &mut [Vec<(u32, usize)>], spread: u32) -> Option<&mut Vec<(u32, usize)>> {
    let place = usize::try_from(spread).ok()? & (bins.len() - 1);
    bins.get_mut(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_in_java() {
        for (text, expected) in [
            ("12", Some(12)),
            ("+12", Some(12)),
            ("-12", Some(-12)),
            ("\u{ff11}2", Some(12)),
            ("-\u{0661}\u{0969}", Some(-13)),
            ("\u{1d7d1}", None),
            ("\u{ff1a}", None),
            ("\u{066a}", None),
            ("\u{2212}1", None),
            ("", None),
            ("-", None),
            ("1 ", None),
            ("2147483648", None),
        ] {
            assert_eq!(int(text, 10), expected, "{text:?}");
        }
        assert_eq!(int("\u{ff26}f", 16), Some(255));
        assert_eq!(int("\u{ff46}", 10), None);
        assert_eq!(long("\u{ff19}223372036854775807"), Some(i64::MAX));
        assert_eq!(long("9223372036854775808"), None);
    }

    #[test]
    fn texts_hash_as_in_java() {
        assert_eq!(hash(""), 0);
        assert_eq!(hash("digest"), -1_331_913_276);
        assert_eq!(hash("\u{1f600}"), 1_772_899);
    }

    #[test]
    fn keys_stand_by_their_hashes_and_those_of_one_bin_as_they_came() {
        let mut order = HashOrder::default();
        for hash in [5, 21, 0, 0x1_0000, 16] {
            order.add(hash);
        }
        assert_eq!(order.iter().collect::<Vec<_>>(), [2, 4, 3, 0, 1]);
        for _ in 5..12 {
            order.add(31);
        }
        // With twice as many bins, 16 and 21 have bins of their own, and equal bins keep their order.
        let numbers: Vec<usize> = order.iter().collect();
        assert_eq!(numbers.get(..5), Some(&[2, 3, 0, 4, 1][..]));
    }
}

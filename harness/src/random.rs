//! Random numbers from a seed: the same seed draws the same numbers.

use std::ops::Range;

/// A SplitMix64 generator.
#[derive(Clone, Debug)]
pub(crate) struct SplitMix64(u64);

impl SplitMix64 {
    /// Creates a generator for one of several purposes of a seed.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        let mut generator = Self(seed ^ purpose.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        generator.next_u64();
        generator
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Draws a number of this range, which must not be empty.
    pub(crate) fn number(&mut self, range: Range<usize>) -> usize {
        let width = u64::try_from(range.len().max(1)).unwrap_or(u64::MAX);
        range.start + usize::try_from(self.next_u64() % width).unwrap_or(0)
    }

    /// Draws `true` with a probability of `share` percent.
    pub(crate) fn percent(&mut self, share: u64) -> bool {
        self.next_u64() % 100 < share
    }

    /// Draws one of these items, of which there must be at least one.
    pub(crate) fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let at = self.number(0..of.len());
        of.get(at).expect("a slice to draw from is not empty")
    }
}

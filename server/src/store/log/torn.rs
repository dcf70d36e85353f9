//! Whether what is not whole at the end of a log was never synced, and nobody was told of it; or was, and is damaged.
//!
//! A loss of power leaves of what was not synced any sectors, the others being as they were before: zeros. A real server's
//! batch is taken for torn only if nothing lies behind the first byte that is missing. Ours may have any hole of whole
//! sectors, for our entries say up to where the file was synced when they were written, and one batch is under way at a
//! time: if one that lies behind says that the hole was synced, it is damage.

use super::SECTOR;
use crate::store::txn::{ENTRY_END, ENTRY_HEAD, SYNCED_LENGTH, SYNCED_MARK};

/// What lies where an entry should begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Behind<'a> {
    /// From there up to the last byte of the file that is not zero.
    pub(super) rest: &'a [u8],
    /// Where that is in the file.
    pub(super) offset: u64,
    /// How long the entry is by what it says itself.
    pub(super) extent: usize,
    /// Whether our writer wrote the file.
    pub(super) is_ours: bool,
    /// Whether a real server would refuse the file.
    pub(super) stops_real: bool,
}

pub(super) fn is_torn(behind: &Behind<'_>) -> bool {
    // An entry whose length alone is wrong was once whole.
    if is_whole_up_to_the_end(behind.rest) {
        return false;
    }
    let ends_early = !behind.stops_real && behind.rest.len() < behind.extent;
    let has_hole = behind.is_ours && has_missing_sector(behind);
    (ends_early || has_hole) && entries_allow_it(behind)
}

/// Whether all of it is one entry, but for its length.
fn is_whole_up_to_the_end(rest: &[u8]) -> bool {
    let Some((head, [payload @ .., ENTRY_END])) = rest.split_first_chunk::<ENTRY_HEAD>() else {
        return false;
    };
    is_checksum(head, payload)
}

fn is_checksum(head: &[u8; ENTRY_HEAD], payload: &[u8]) -> bool {
    head.starts_with(&u64::from(simd_adler32::adler32(&payload)).to_be_bytes())
}

/// Whether a sector that the entry has a part in holds nothing, from the entry's beginning on. The first bytes of an entry
/// are zero anyway.
fn has_missing_sector(behind: &Behind<'_>) -> bool {
    let begin = usize::try_from(behind.offset).unwrap_or_default() % SECTOR;
    let extent = match behind.extent {
        extent if extent <= behind.rest.len().saturating_add(SECTOR) => extent,
        // It says nothing that can be right: its head must be what is missing.
        _ => ENTRY_HEAD,
    };
    let mut from = 4_usize;
    while from < extent {
        let to_boundary = SECTOR.saturating_sub(begin.saturating_add(from) % SECTOR);
        let to = from.saturating_add(to_boundary);
        let sector = behind.rest.get(from..to.min(behind.rest.len()));
        let is_empty = sector.unwrap_or_default().iter().all(|byte| *byte == 0);
        if is_empty && (to >= 8 || is_rest_of_checksum(behind.rest, to)) {
            return true;
        }
        from = to;
    }
    false
}

/// Whether the checksum is right from its byte `from` on: those before it may well be zero by themselves.
fn is_rest_of_checksum(rest: &[u8], from: usize) -> bool {
    let (Some((head, _)), Some(payload)) = (rest.split_first_chunk::<8>(), payload_of(rest)) else {
        return false;
    };
    let checksum = u64::from(simd_adler32::adler32(&payload)).to_be_bytes();
    head.get(from..) == checksum.get(from..)
}

/// Whether no entry that lies behind speaks against it.
fn entries_allow_it(behind: &Behind<'_>) -> bool {
    // Hostile bytes may look like many long entries: there is an end to trying them.
    let mut patience = behind.rest.len().saturating_mul(4).saturating_add(1 << 20);
    let mut rest = behind.rest.get(1..).unwrap_or_default();
    while let Some(skipped) = rest.windows(4).position(|head| head == [0; 4]) {
        rest = rest.get(skipped..).unwrap_or_default();
        if let Some(payload) = payload_of(rest) {
            let Some(left) = patience.checked_sub(payload.len()) else {
                return false;
            };
            patience = left;
            if let Some((head, _)) = rest.split_first_chunk()
                && is_checksum(head, payload)
                && !(behind.is_ours
                    && synced(payload).is_some_and(|synced| synced <= behind.offset))
            {
                return false;
            }
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    true
}

/// What would be the payload of an entry that begins here. The shortest has a header alone.
fn payload_of(bytes: &[u8]) -> Option<&[u8]> {
    let (head, behind) = bytes.split_first_chunk::<ENTRY_HEAD>()?;
    let [.., a, b, c, d] = *head;
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
    let (payload, [ENTRY_END, ..]) = behind.split_at_checked(length)? else {
        return None;
    };
    (length >= 32).then_some(payload)
}

fn synced(payload: &[u8]) -> Option<u64> {
    let last = u64::from_be_bytes(*payload.last_chunk::<SYNCED_LENGTH>()?);
    (last & (0xffff << 48) == SYNCED_MARK).then_some(last ^ SYNCED_MARK)
}

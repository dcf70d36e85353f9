//! Distinguishes the torn end of a log from damage. A torn end was never flushed, so no client saw its transactions.
//!
//! After a loss of power, any sectors of unflushed bytes are on the disk; the others are zeros as before. The end of a
//! real server's log counts as torn only if nothing follows the first missing byte. The end of our logs may have any
//! hole of whole sectors: each of our entries says how far the file was flushed when the entry was written, and only
//! one batch is written at a time. If a later entry says that the hole was flushed, the log is damaged.

use super::SECTOR;
use crate::store::txn::{ENTRY_END, ENTRY_HEAD, SYNCED_LENGTH, SYNCED_MARK};

/// Bytes where an entry should begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct End<'a> {
    /// Bytes up to the last one of the file that is not zero.
    pub(super) rest: &'a [u8],
    /// Offset of these bytes in the file.
    pub(super) offset: u64,
    /// Length of the entry by its own length field.
    pub(super) extent: usize,
    /// Whether our writer wrote the file.
    pub(super) is_ours: bool,
    /// Whether a real server would refuse the file.
    pub(super) stops_real: bool,
}

pub(super) fn is_torn(end: &End<'_>) -> bool {
    // An entry that is wrong only in its length was once complete.
    if is_complete_up_to_the_end(end.rest) {
        return false;
    }
    let ends_early = !end.stops_real && end.rest.len() < end.extent;
    let has_hole = end.is_ours && has_missing_sector(end);
    (ends_early || has_hole) && later_entries_allow_it(end)
}

/// Whether the bytes are one entry, except for its length.
fn is_complete_up_to_the_end(rest: &[u8]) -> bool {
    let Some((head, [payload @ .., ENTRY_END])) = rest.split_first_chunk::<ENTRY_HEAD>() else {
        return false;
    };
    is_checksum(head, payload)
}

fn is_checksum(head: &[u8; ENTRY_HEAD], payload: &[u8]) -> bool {
    head.starts_with(&u64::from(simd_adler32::adler32(&payload)).to_be_bytes())
}

/// Whether a sector of the entry is empty from the entry's beginning on. The first 4 bytes of an entry are always zero.
fn has_missing_sector(end: &End<'_>) -> bool {
    let begin = usize::try_from(end.offset).unwrap_or_default() % SECTOR;
    let extent = match end.extent {
        extent if extent <= end.rest.len().saturating_add(SECTOR) => extent,
        // An impossible length: the head must be missing.
        _ => ENTRY_HEAD,
    };
    let mut from = 4_usize;
    while from < extent {
        let to_boundary = SECTOR.saturating_sub(begin.saturating_add(from) % SECTOR);
        let to = from.saturating_add(to_boundary);
        let sector = end.rest.get(from..to.min(end.rest.len()));
        let is_empty = sector.unwrap_or_default().iter().all(|byte| *byte == 0);
        if is_empty && (to >= 8 || is_rest_of_checksum(end.rest, to)) {
            return true;
        }
        from = to;
    }
    false
}

/// Whether the checksum matches from its byte `from` on. The bytes before may be zero in a correct checksum.
fn is_rest_of_checksum(rest: &[u8], from: usize) -> bool {
    let (Some((head, _)), Some(payload)) = (rest.split_first_chunk::<8>(), payload_of(rest)) else {
        return false;
    };
    let checksum = u64::from(simd_adler32::adler32(&payload)).to_be_bytes();
    head.get(from..) == checksum.get(from..)
}

/// Whether no later entry shows that these bytes were flushed.
fn later_entries_allow_it(end: &End<'_>) -> bool {
    // Hostile bytes may look like many long entries, so the effort is limited.
    let mut budget = end.rest.len().saturating_mul(4).saturating_add(1 << 20);
    let mut rest = end.rest.get(1..).unwrap_or_default();
    while let Some(skipped) = rest.windows(4).position(|head| head == [0; 4]) {
        rest = rest.get(skipped..).unwrap_or_default();
        if let Some(payload) = payload_of(rest) {
            let Some(rest_of_budget) = budget.checked_sub(payload.len()) else {
                return false;
            };
            budget = rest_of_budget;
            if let Some((head, _)) = rest.split_first_chunk()
                && is_checksum(head, payload)
                && !(end.is_ours && synced(payload).is_some_and(|synced| synced <= end.offset))
            {
                return false;
            }
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    true
}

/// Payload of an entry that would begin here. The shortest payload is a header alone.
fn payload_of(bytes: &[u8]) -> Option<&[u8]> {
    let (head, after) = bytes.split_first_chunk::<ENTRY_HEAD>()?;
    let [.., a, b, c, d] = *head;
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
    let (payload, [ENTRY_END, ..]) = after.split_at_checked(length)? else {
        return None;
    };
    (length >= 32).then_some(payload)
}

fn synced(payload: &[u8]) -> Option<u64> {
    let last = u64::from_be_bytes(*payload.last_chunk::<SYNCED_LENGTH>()?);
    (last & (0xffff << 48) == SYNCED_MARK).then_some(last ^ SYNCED_MARK)
}

//! Splitting received bytes into frames.

/// Error for an impossible length of a frame. The connection is closed without a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    /// The length is negative.
    #[error("negative frame length {0}")]
    Negative(i32),
    /// The length exceeds the limit, `jute.maxbuffer`.
    #[error("frame of {length} bytes exceeds the limit of {limit} (jute.maxbuffer)")]
    TooLong { length: usize, limit: usize },
}

/// Content of a frame, and the bytes after it.
pub(crate) type Split<'a> = (&'a [u8], &'a [u8]);

/// Splits the first frame, of at most `max_frame` bytes, off the received bytes. Returns `None` if the frame is not
/// complete yet. An impossible length is an error as soon as the length itself was received.
///
/// # Errors
///
/// If the length is negative or exceeds the limit.
#[inline]
pub(crate) fn split_frame(
    received: &[u8],
    max_frame: usize,
) -> Result<Option<Split<'_>>, FrameError> {
    let Some((prefix, rest)) = received.split_first_chunk() else {
        return Ok(None);
    };
    let prefix = i32::from_be_bytes(*prefix);
    let length = usize::try_from(prefix).map_err(|_| FrameError::Negative(prefix))?;
    if length > max_frame {
        return Err(FrameError::TooLong {
            length,
            limit: max_frame,
        });
    }
    Ok(rest.split_at_checked(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_split_off_once_it_is_complete() {
        let bytes = [0, 0, 0, 2, 7, 8, 9];
        assert_eq!(split_frame(&bytes, 2), Ok(Some((&[7, 8][..], &[9][..]))));
        for length in 0..6 {
            assert_eq!(split_frame(bytes.split_at(length).0, 2), Ok(None));
        }
    }

    #[test]
    fn an_empty_frame_is_a_frame() {
        assert_eq!(split_frame(&[0; 4], 9), Ok(Some((&[][..], &[][..]))));
    }

    #[test]
    fn the_limit_itself_is_allowed() {
        assert_eq!(split_frame(&0xf_ffff_u32.to_be_bytes(), 0xf_ffff), Ok(None));
        let error = FrameError::TooLong {
            length: 0x10_0000,
            limit: 0xf_ffff,
        };
        assert_eq!(
            split_frame(&0x10_0000_u32.to_be_bytes(), 0xf_ffff),
            Err(error)
        );
    }

    #[test]
    fn a_negative_length_is_an_error() {
        assert_eq!(split_frame(&[0xff; 4], 9), Err(FrameError::Negative(-1)));
    }
}

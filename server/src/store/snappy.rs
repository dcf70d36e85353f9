//! Stream format of snappy-java, `SnappyInputStream` and `SnappyOutputStream`: a header, then compressed blocks, each
//! after its length.

use std::io::{self, Read, Write};

use snap::raw::{Decoder, Encoder, decompress_len};

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
/// Version of the format, and the oldest version that can read it.
const VERSIONS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];
/// Length of a block before compression, the default of snappy-java.
const BLOCK: usize = 32 << 10;
/// Upper bound on the ratio of decompressed to compressed bytes: a copy of 64 bytes takes 3.
const MOST_RATIO: usize = 32;

/// Reader that decompresses a stream.
pub(super) struct SnappyReader<R> {
    source: R,
    is_begun: bool,
    packed: Vec<u8>,
    block: Vec<u8>,
    /// Number of bytes of the block that were read.
    read: usize,
}

impl<R: Read> SnappyReader<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            is_begun: false,
            packed: Vec::new(),
            block: Vec::new(),
            read: 0,
        }
    }

    /// Decompresses the next block. Returns false at the end.
    fn next_block(&mut self) -> io::Result<bool> {
        self.read = 0;
        self.block.clear();
        let mut head = [0; 4];
        match self.source.read(&mut head)? {
            0 if self.is_begun => return Ok(false),
            read => self
                .source
                .read_exact(head.get_mut(read..).unwrap_or_default())?,
        }
        // Several streams may follow one another, each with a header.
        if MAGIC.starts_with(&head) {
            let mut rest = [0; 12];
            self.source.read_exact(&mut rest)?;
            if !rest.starts_with(&[b'P', b'P', b'Y', 0]) {
                return Err(bad("not a Snappy stream: wrong header"));
            }
            self.is_begun = true;
            return Ok(true);
        }
        if !self.is_begun {
            return Err(bad("not a Snappy stream: wrong header"));
        }
        let length = u32::from_be_bytes(head);
        self.packed.clear();
        let read = (&mut self.source)
            .take(length.into())
            .read_to_end(&mut self.packed)?;
        if u32::try_from(read) != Ok(length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let unpacked = decompress_len(&self.packed).map_err(|_| bad("invalid Snappy block"))?;
        if unpacked > self.packed.len().saturating_mul(MOST_RATIO) {
            return Err(bad("Snappy block with an impossible length"));
        }
        self.block.resize(unpacked, 0);
        let decompressed = Decoder::new().decompress(&self.packed, &mut self.block);
        match decompressed {
            Ok(length) if length == unpacked => Ok(true),
            _ => Err(bad("invalid Snappy block")),
        }
    }
}

fn bad(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

impl<R: Read> Read for SnappyReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.block.len() {
            if !self.next_block()? {
                return Ok(0);
            }
        }
        let mut rest = self.block.get(self.read..).unwrap_or_default();
        let read = rest.read(buffer)?;
        self.read = self.read.saturating_add(read);
        Ok(read)
    }
}

/// Writer that compresses a stream. [`flush`](Write::flush) writes the last block.
pub(super) struct SnappyWriter<W> {
    out: W,
    is_begun: bool,
    block: Vec<u8>,
}

impl<W: Write> SnappyWriter<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            out,
            is_begun: false,
            block: Vec::with_capacity(BLOCK),
        }
    }
}

impl<W: Write> Write for SnappyWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = BLOCK.saturating_sub(self.block.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.block.extend_from_slice(taken);
        if self.block.len() == BLOCK {
            self.flush()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.is_begun {
            self.out.write_all(&MAGIC)?;
            self.out.write_all(&VERSIONS)?;
            self.is_begun = true;
        }
        if self.block.is_empty() {
            return Ok(());
        }
        let packed = Encoder::new()
            .compress_vec(&self.block)
            .map_err(io::Error::other)?;
        let length = u32::try_from(packed.len()).unwrap_or(u32::MAX);
        self.out.write_all(&length.to_be_bytes())?;
        self.out.write_all(&packed)?;
        self.block.clear();
        Ok(())
    }
}

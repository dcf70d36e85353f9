//! Compression of snapshots.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use super::{DiskFile, StorageError};
use crate::config::Compression;

impl Compression {
    /// Returns the compression of a file by its name: `SnapStream.getStreamMode`.
    pub(super) fn of(path: &Path) -> Self {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.map_or(Self::None, |extension| {
            extension.parse().unwrap_or_default()
        })
    }

    /// Checks that this build supports the compression.
    ///
    /// # Errors
    ///
    /// [`StorageError::NoCompression`] with this file or folder.
    pub(super) fn check(self, path: &Path) -> Result<(), StorageError> {
        let method = match self {
            Self::None => return Ok(()),
            Self::Gzip => "gz",
            Self::Snappy => "snappy",
        };
        if cfg!(feature = "compression") {
            return Ok(());
        }
        Err(StorageError::NoCompression {
            file: path.to_path_buf(),
            method,
        })
    }
}

/// Reads a file from its beginning.
struct Stream {
    file: Arc<dyn DiskFile>,
    at: u64,
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(self.at, buffer)?;
        self.at = self
            .at
            .saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}

/// Returns a reader that decompresses a file.
pub(super) fn decompressed(
    file: Arc<dyn DiskFile>,
    compression: Compression,
    path: &Path,
) -> Result<Box<dyn Read>, StorageError> {
    let stream = Stream { file, at: 0 };
    match compression {
        Compression::None => Ok(Box::new(stream)),
        Compression::Gzip => gzip_reader(stream, path),
        Compression::Snappy => snappy_reader(stream, path),
    }
}

/// Writer that compresses.
pub(super) trait Compressor: Write {
    /// Writes the remaining bytes.
    fn end(self: Box<Self>) -> io::Result<()>;
}

struct Plain<W>(W);

impl<W: Write> Write for Plain<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write> Compressor for Plain<W> {
    fn end(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}

/// Returns a writer that compresses into `out`.
pub(super) fn compressor<'w>(
    out: impl Write + 'w,
    compression: Compression,
    path: &Path,
) -> Result<Box<dyn Compressor + 'w>, StorageError> {
    match compression {
        Compression::None => Ok(Box::new(Plain(out))),
        Compression::Gzip => gzip_writer(out, path),
        Compression::Snappy => snappy_writer(out, path),
    }
}

#[cfg(feature = "compression")]
use with_feature::{gzip_reader, gzip_writer, snappy_reader, snappy_writer};

#[cfg(feature = "compression")]
mod with_feature {
    use std::io::{self, Read, Write};
    use std::path::Path;

    use flate2::read::MultiGzDecoder;
    use flate2::write::GzEncoder;

    use super::Compressor;
    use crate::store::StorageError;
    use crate::store::snappy::{SnappyReader, SnappyWriter};

    pub(super) fn gzip_reader(
        stream: impl Read + 'static,
        _: &Path,
    ) -> Result<Box<dyn Read>, StorageError> {
        let buffered = io::BufReader::with_capacity(1 << 16, stream);
        Ok(Box::new(MultiGzDecoder::new(buffered)))
    }

    pub(super) fn snappy_reader(
        stream: impl Read + 'static,
        _: &Path,
    ) -> Result<Box<dyn Read>, StorageError> {
        Ok(Box::new(SnappyReader::new(io::BufReader::new(stream))))
    }

    pub(super) fn gzip_writer<'w>(
        out: impl Write + 'w,
        _: &Path,
    ) -> Result<Box<dyn Compressor + 'w>, StorageError> {
        let level = flate2::Compression::default();
        Ok(Box::new(GzEncoder::new(out, level)))
    }

    impl<W: Write> Compressor for GzEncoder<W> {
        fn end(self: Box<Self>) -> io::Result<()> {
            self.finish().map(drop)
        }
    }

    pub(super) fn snappy_writer<'w>(
        out: impl Write + 'w,
        _: &Path,
    ) -> Result<Box<dyn Compressor + 'w>, StorageError> {
        Ok(Box::new(SnappyWriter::new(out)))
    }

    impl<W: Write> Compressor for SnappyWriter<W> {
        fn end(mut self: Box<Self>) -> io::Result<()> {
            self.flush()
        }
    }
}

#[cfg(not(feature = "compression"))]
use without_feature::{gzip_reader, gzip_writer, snappy_reader, snappy_writer};

#[cfg(not(feature = "compression"))]
mod without_feature {
    use std::io::{Read, Write};
    use std::path::Path;

    use super::Compressor;
    use crate::store::StorageError;

    fn refuse(path: &Path, method: &'static str) -> StorageError {
        StorageError::NoCompression {
            file: path.to_path_buf(),
            method,
        }
    }

    pub(super) fn gzip_reader(_: impl Read, path: &Path) -> Result<Box<dyn Read>, StorageError> {
        Err(refuse(path, "gz"))
    }

    pub(super) fn snappy_reader(_: impl Read, path: &Path) -> Result<Box<dyn Read>, StorageError> {
        Err(refuse(path, "snappy"))
    }

    pub(super) fn gzip_writer<'w>(
        _: impl Write + 'w,
        path: &Path,
    ) -> Result<Box<dyn Compressor + 'w>, StorageError> {
        Err(refuse(path, "gz"))
    }

    pub(super) fn snappy_writer<'w>(
        _: impl Write + 'w,
        path: &Path,
    ) -> Result<Box<dyn Compressor + 'w>, StorageError> {
        Err(refuse(path, "snappy"))
    }
}

//! Bodies of responses: bytes at once, or a stream.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::mpsc;

use crate::listener::InRequest;

/// Body of a response.
#[derive(Debug)]
pub(crate) struct Body {
    content: Content,
    /// Ends the request of its connection when the body has been sent.
    in_request: Option<InRequest>,
}

#[derive(Debug)]
enum Content {
    /// Bytes that are sent at once; `None` when they are sent.
    Whole(Option<Bytes>),
    /// Pieces that are sent as they come, until the sender is dropped.
    Stream(mpsc::Receiver<Bytes>),
}

impl Body {
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self {
            content: Content::Whole(Some(bytes.into())),
            in_request: None,
        }
    }

    pub(crate) fn stream(pieces: mpsc::Receiver<Bytes>) -> Self {
        Self {
            content: Content::Stream(pieces),
            in_request: None,
        }
    }

    pub(crate) fn of_request(self, in_request: InRequest) -> Self {
        Self {
            in_request: Some(in_request),
            ..self
        }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match &mut self.content {
            Content::Whole(bytes) => bytes.take().filter(|bytes| !bytes.is_empty()),
            Content::Stream(pieces) => match pieces.poll_recv(context) {
                Poll::Ready(piece) => piece,
                Poll::Pending => return Poll::Pending,
            },
        };
        if piece.is_none() {
            self.in_request = None;
        }
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Content::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Content::Stream(_) => SizeHint::default(),
        }
    }
}

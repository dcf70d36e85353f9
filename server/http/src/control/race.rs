//! The first of two futures.

use std::pin::pin;
use std::task::Poll;

/// Output of the future that was first.
pub(super) enum First<A, B> {
    One(A),
    Other(B),
}

/// Awaits the first of two futures. The first argument wins if both are ready.
pub(super) async fn first<A, B>(
    one: impl Future<Output = A>,
    other: impl Future<Output = B>,
) -> First<A, B> {
    let mut one = pin!(one);
    let mut other = pin!(other);
    std::future::poll_fn(|context| {
        if let Poll::Ready(output) = one.as_mut().poll(context) {
            return Poll::Ready(First::One(output));
        }
        other.as_mut().poll(context).map(First::Other)
    })
    .await
}

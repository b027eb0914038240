//! A request's body, the unread rest of which is taken in so that the answer arrives.
//!
//! A server that answers before it has read a body, and then closes the connection, has the system reset it. The client,
//! which still sends, sees "broken pipe" or "connection reset" and never the answer that says why (RFC 9112, §9.6). nginx
//! has `lingering_close` for it; hyper has nothing. A crate of its own because the API and the router both refuse requests.

#![forbid(unsafe_code)]

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::HeaderMap;
use http::header::EXPECT;
use hyper::body::{Body, Buf, Frame, SizeHint};
use tokio::runtime::Handle;

/// Most bytes that are taken in after nobody wanted them.
const REST_MAX: u64 = 64 << 20;
/// Longest time for all of the rest. As nginx's `lingering_time`.
const REST_TIME: Duration = Duration::from_secs(30);
/// Longest time without anything coming. As nginx's `lingering_timeout`.
const REST_IDLE: Duration = Duration::from_secs(5);

/// A body that, dropped before its end, is read to its end and thrown away: at most 64 MiB, for at most 30 seconds, and
/// not if nothing comes for 5.
#[derive(Debug)]
pub struct Lingering<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Send,
{
    inner: Option<B>,
    /// The client sends nothing until it is told to, which the first look at the body does.
    is_awaiting: bool,
}

impl<B> Lingering<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Send,
{
    /// The body of a request with these headers.
    #[must_use]
    pub fn new(body: B, headers: &HeaderMap) -> Self {
        let is_awaiting =
            headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        Self { inner: Some(body), is_awaiting }
    }
}

impl<B> Body for Lingering<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Send,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.is_awaiting = false;
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        let frame = std::task::ready!(Pin::new(inner).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.inner = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B> Drop for Lingering<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Send,
{
    fn drop(&mut self) {
        let Some(rest) = self.inner.take() else { return };
        if self.is_awaiting || rest.is_end_stream() {
            return;
        }
        // Without a runtime there is no connection left either.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                if tokio::time::timeout(REST_TIME, take_in(rest, REST_IDLE)).await != Ok(true) {
                    tracing::debug!("the rest of a request's body was not waited for");
                }
            });
        }
    }
}

/// Reads and forgets; whether it came to an end.
async fn take_in<B>(mut rest: B, idle: Duration) -> bool
where
    B: Body + Unpin,
{
    let mut bytes = 0;
    while bytes <= REST_MAX {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut rest).poll_frame(cx));
        match tokio::time::timeout(idle, frame).await {
            Ok(Some(Ok(frame))) => bytes += frame.data_ref().map_or(0, |data| data.remaining() as u64),
            Ok(Some(Err(_)) | None) => return true,
            Err(_) => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests;

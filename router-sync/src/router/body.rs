//! Bodies on their way through the router: never gathered, passed on frame by frame.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use slipway_engine::route::InFlight;
use slipway_linger::Lingering;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::access::Access;
use super::activity::{Activity, IdleTimer, UploadFault};
use super::pool::Conn;
use super::stall::StreamWatch;

/// Why a body ended early. Only its being an error matters to those above: it cuts the connection or the stream.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("nothing moved for too long")]
    Idle,
    #[error("the sender failed")]
    Sender(#[source] hyper::Error),
}

/// The body of a response to a client.
pub(super) enum Body {
    /// Made here.
    Page(Option<Bytes>),
    /// From an app.
    Relay(Box<Relay>),
}

impl Body {
    pub(super) fn page(text: String) -> Self {
        Self::Page((!text.is_empty()).then(|| Bytes::from(text)))
    }

    /// The length, if it was made here.
    pub(super) fn page_len(&self) -> u64 {
        match self {
            Self::Page(Some(text)) => text.len() as u64,
            Self::Page(None) | Self::Relay(_) => 0,
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Page(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Relay(relay) => relay.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Page(text) => text.is_none(),
            Self::Relay(relay) => relay.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Page(text) => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
            Self::Relay(relay) => relay.inner.size_hint(),
        }
    }
}

/// A response body from an app, with everything that lives until its end.
pub(super) struct Relay {
    inner: Incoming,
    timer: IdleTimer,
    upload: Option<Arc<Activity>>,
    stream: Option<Arc<StreamWatch>>,
    /// Gone once the body ended, well or not.
    held: Option<Held>,
}

/// Dropped in this order: the connection goes back first, then the process has one request less, then the line.
struct Held {
    conn: Conn,
    _in_flight: InFlight,
    access: Box<Access>,
}

impl Relay {
    pub(super) fn new(inner: Incoming, conn: Conn, in_flight: InFlight, access: Box<Access>, idle: Duration) -> Self {
        let upload = access.upload.clone();
        let held = Some(Held { conn, _in_flight: in_flight, access });
        Self { inner, timer: IdleTimer::new(idle), upload, stream: StreamWatch::begin(), held }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(stream) = &self.stream {
            stream.touch();
        }
        let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) else {
            ready!(self.timer.poll_idle(cx, self.upload.as_deref()));
            self.fail("idle-timeout");
            return Poll::Ready(Some(Err(BodyError::Idle)));
        };
        match frame {
            Some(Ok(frame)) => {
                self.timer.reset();
                if let Some(upload) = &self.upload {
                    upload.touch();
                }
                if let (Some(data), Some(held)) = (frame.data_ref(), &mut self.held) {
                    held.access.bytes += data.len() as u64;
                }
                if self.inner.is_end_stream() {
                    self.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                self.fail("backend-closed");
                Poll::Ready(Some(Err(BodyError::Sender(error))))
            }
            None => {
                self.finish();
                Poll::Ready(None)
            }
        }
    }

    fn finish(&mut self) {
        let Some(mut held) = self.held.take() else { return };
        // While the request still comes in, the connection is of no use to another.
        if self.upload.as_ref().is_none_or(|upload| upload.is_upload_done()) {
            held.conn.park();
        }
    }

    fn fail(&mut self, error: &'static str) {
        if let Some(mut held) = self.held.take() {
            held.access.error = Some(error);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if self.inner.is_end_stream() {
            self.finish();
        } else {
            self.fail("client-closed");
        }
    }
}

/// The body of a request as it comes. Whoever is answered before all of it was sent gets to read the answer.
pub(super) type Received = Lingering<Incoming>;

/// The body of a request to an app.
pub(super) struct Upload(Option<Box<UploadStream>>);

struct UploadStream {
    inner: Received,
    activity: Arc<Activity>,
    timer: IdleTimer,
    /// Until it is done the app has not asked for the body yet (`Expect: 100-continue`).
    gate: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl Upload {
    pub(super) fn empty() -> Self {
        Self(None)
    }

    pub(super) fn stream(
        inner: Received,
        activity: Arc<Activity>,
        idle: Duration,
        gate: Option<WaitForCancellationFutureOwned>,
    ) -> Self {
        let timer = IdleTimer::new(idle);
        Self(Some(Box::new(UploadStream { inner, activity, timer, gate: gate.map(Box::pin) })))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(stream) = &mut self.0 else { return Poll::Ready(None) };
        if let Some(gate) = &mut stream.gate {
            ready!(gate.as_mut().poll(cx));
            stream.gate = None;
        }
        let Poll::Ready(frame) = Pin::new(&mut stream.inner).poll_frame(cx) else {
            ready!(stream.timer.poll_idle(cx, Some(&stream.activity)));
            stream.activity.upload_fail(UploadFault::Idle);
            return Poll::Ready(Some(Err(BodyError::Idle)));
        };
        match frame {
            Some(Ok(frame)) => {
                stream.timer.reset();
                stream.activity.touch();
                if let Some(data) = frame.data_ref() {
                    stream.activity.add_bytes(data.len() as u64);
                }
                if stream.inner.is_end_stream() {
                    stream.activity.upload_finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                stream.activity.upload_fail(UploadFault::Broken);
                Poll::Ready(Some(Err(BodyError::Sender(error))))
            }
            None => {
                stream.activity.touch();
                stream.activity.upload_finish();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|stream| stream.inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), |stream| stream.inner.size_hint())
    }
}

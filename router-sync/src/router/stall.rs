//! Giving up on clients that do not read: a whole connection, or one stream of an HTTP/2 connection.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::Executor;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::activity::{Activity, IdleTimer};

/// A stream whose writes fail when the peer takes nothing for a while. Reads have their limits elsewhere: whether a
/// quiet client is a fault depends on what is expected of it.
#[derive(Debug)]
pub(super) struct StallGuard {
    stream: TcpStream,
    timer: IdleTimer,
}

impl StallGuard {
    pub(super) fn new(stream: TcpStream, window: Duration) -> Self {
        Self { stream, timer: IdleTimer::new(window) }
    }

    fn watch<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.timer.reset();
            return result;
        }
        match self.timer.poll_idle(cx, None) {
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for StallGuard {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for StallGuard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watch(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

tokio::task_local! {
    static STREAM: Arc<StreamWatch>;
}

/// Whether the client takes the response of one HTTP/2 stream. The connection may well move while one stream's window
/// is shut, and then nobody asks that stream's body for more.
#[derive(Debug)]
pub(super) struct StreamWatch {
    activity: Activity,
    is_responding: AtomicBool,
}

impl StreamWatch {
    /// The watch over the stream whose task this is, if it is one; from now on it wants to see movement.
    pub(super) fn begin() -> Option<Arc<Self>> {
        let watch = STREAM.try_with(Arc::clone).ok()?;
        watch.touch();
        watch.is_responding.store(true, Ordering::Relaxed);
        Some(watch)
    }

    /// The body was asked for more.
    pub(super) fn touch(&self) {
        self.activity.touch();
    }

    async fn stalled(&self, window: Duration) {
        // The app's own silence has the same window, and is noticed first.
        let window = window + window / 4;
        loop {
            let now = tokio::time::Instant::now();
            let since = if self.is_responding.load(Ordering::Relaxed) { self.activity.last() } else { now };
            if since + window <= now {
                return;
            }
            tokio::time::sleep_until(since + window).await;
        }
    }
}

/// Runs the streams of HTTP/2 connections, each in a task that ends when its client takes nothing for a while.
#[derive(Debug, Clone)]
pub(super) struct StreamExecutor {
    pub(super) window: Duration,
}

impl<F> Executor<F> for StreamExecutor
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, stream: F) {
        let window = self.window;
        let watch = Arc::new(StreamWatch { activity: Activity::new(), is_responding: AtomicBool::new(false) });
        tokio::spawn(STREAM.scope(Arc::clone(&watch), async move {
            tokio::select! {
                _ = stream => {}
                () = watch.stalled(window) => {}
            }
        }));
    }
}

//! A fetch: who may push to an app may also have its source.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use slipway_core::Username;
use tokio::sync::mpsc;

use crate::git::packet;
use crate::git::receive;
use crate::git::stream::{Input, Output, StreamError};
use crate::git::upload::{self, Haves, Offer, WantError, Wants};
use crate::push::{PushError, Pushes};

/// How many chunks of a pack may wait for the client.
const CHUNKS: usize = 4;

/// Sets the flag when dropped, so that a pack that nobody awaits is not finished.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Pushes {
    /// Serves `git-upload-pack ARGUMENT`; tells the exit status.
    pub async fn upload_pack(
        &self,
        user: &Username,
        argument: &str,
        input: &mut Input,
        output: Arc<dyn Output>,
    ) -> u32 {
        let app = match self.find_app(user, argument).await {
            Ok(push) => push.app,
            Err(message) => {
                tracing::info!(user = %user, "fetch refused: {message}");
                let _ = output.error(Bytes::from(format!("{message}\n"))).await;
                return 1;
            }
        };
        match self.serve_fetch(self.repositories.path(app), input, &output).await {
            Ok(()) => 0,
            Err(Fault::Refused(reason)) => {
                tracing::info!(user = %user, app.id = %app, "fetch refused: {reason}");
                let _ = output.data(receive::refusal(&reason)).await;
                1
            }
            Err(Fault::Own(error)) => {
                tracing::warn!(user = %user, app.id = %app, "fetch failed: {}", slipway_cause::chain(&error));
                let message = match error {
                    PushError::Stream(error) => error.to_string(),
                    PushError::Git(_) | PushError::File(_) | PushError::Task(_) => {
                        "the builder has a problem of its own; try again, and tell the operator if it stays".to_owned()
                    }
                };
                let _ = output.error(Bytes::from(format!("error: {message}\n"))).await;
                1
            }
        }
    }

    async fn serve_fetch(
        &self,
        path: std::path::PathBuf,
        input: &mut Input,
        output: &Arc<dyn Output>,
    ) -> Result<(), Fault> {
        let place = path.clone();
        let offer = tokio::task::spawn_blocking(move || Offer::read(&place)).await.map_err(PushError::from)?;
        let offer = offer.map_err(PushError::from)?;
        output.data(offer.advertisement()).await?;
        let Some(wants) = Wants::read(input, &offer).await? else { return Ok(()) };
        let mut haves = Haves::default();
        loop {
            let (answer, is_done) = haves.read(input, &path).await?;
            if !answer.is_empty() {
                output.data(answer).await?;
            }
            if is_done {
                break;
            }
        }
        // Packs cost much, and each keeps a thread as long as its client is slow.
        let _place = self.packing.acquire().await;
        let (chunks, mut from_pack) = mpsc::channel::<Bytes>(CHUNKS);
        let canceled = Arc::new(AtomicBool::new(false));
        let _cancel = CancelOnDrop(Arc::clone(&canceled));
        let Wants { ids, has_side_band } = wants;
        let packing = tokio::task::spawn_blocking(move || upload::pack(&path, &ids, &haves.common, &chunks, &canceled));
        while let Some(chunk) = from_pack.recv().await {
            let bytes = if has_side_band {
                let mut out = BytesMut::with_capacity(chunk.len() + 64);
                packet::put_band(&mut out, 1, &chunk);
                out.freeze()
            } else {
                chunk
            };
            output.data(bytes).await?;
        }
        packing.await.map_err(PushError::from)?.map_err(PushError::from)?;
        if has_side_band {
            output.data(Bytes::from_static(packet::FLUSH)).await?;
        }
        Ok(())
    }
}

/// Why a fetch ended.
enum Fault {
    /// The client wants what it cannot have.
    Refused(String),
    /// Anything else.
    Own(PushError),
}

impl From<PushError> for Fault {
    fn from(error: PushError) -> Self {
        Self::Own(error)
    }
}

impl From<StreamError> for Fault {
    fn from(error: StreamError) -> Self {
        Self::Own(error.into())
    }
}

impl From<WantError> for Fault {
    fn from(error: WantError) -> Self {
        match error {
            WantError::Stream(error) => error.into(),
            WantError::Refused(reason) => Self::Refused(reason),
        }
    }
}

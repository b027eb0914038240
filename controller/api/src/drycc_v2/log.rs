//! Logs of apps and of builds. Source: `drycc-v2.md` §2.2; following, and the logs of builds, are Slipway's own.

use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderValue, StatusCode};
use poem::Body;
use slipway_core::Error;
use slipway_core::error::Kind;
use slipway_service::PageQuery;

use super::{from_wire, to_wire};
use crate::call::{Answer, Call, empty, ok, text};
use crate::page;

/// Most lines that are sent in one piece when many are there at once.
const BATCH_MAX: usize = 256;

/// Raw text, one line a record; 204 when there is none. With `follow=true` the answer goes on until the client leaves.
pub(super) async fn app_logs(call: Call) -> Answer {
    let since = from_wire::since(&call)?;
    if from_wire::is_following(&call) {
        return app_logs_follow(call, since).await;
    }
    let mut lines = call.state.service.app_logs(&call.cx, call.param("app"), from_wire::log_query(&call)).await?;
    lines.retain(|line| since.is_none_or(|since| line.time > since));
    if lines.is_empty() {
        return empty(StatusCode::NO_CONTENT);
    }
    Ok(text(to_wire::log(call.param("app"), &lines)))
}

async fn app_logs_follow(call: Call, since: Option<chrono::DateTime<chrono::Utc>>) -> Answer {
    let app = call.param("app").to_owned();
    let lines = call.state.service.app_logs_follow(&call.cx, &app, from_wire::log_query(&call)).await?;
    let pieces = lines
        .filter(move |line| std::future::ready(since.is_none_or(|since| line.time > since)))
        .ready_chunks(BATCH_MAX)
        .map(move |lines| Ok::<_, std::io::Error>(Bytes::from(to_wire::log(&app, &lines))))
        .take_until(call.state.shutdown.clone().cancelled_owned());
    let mut response = text(Body::from_bytes_stream(pieces));
    // Proxies must pass lines on as they come.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response.headers_mut().insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

pub(super) async fn build_logs_list(call: Call) -> Answer {
    let query = page::query(&call);
    let logs = call.state.service.build_logs_list(&call.cx, call.param("app"), query).await?;
    ok(&to_wire::page(&call, query, &logs, |log| to_wire::build_log(log, call.param("app"))))
}

/// The text of one build's log: that of `?sha=` (or of an id), else the newest.
pub(super) async fn build_log_read(call: Call) -> Answer {
    let service = &call.state.service;
    let wanted = if let Some(sha) = call.query("sha").map(str::trim).filter(|sha| !sha.is_empty()) {
        sha.to_owned()
    } else {
        let newest = service.build_logs_list(&call.cx, call.param("app"), PageQuery { limit: 1, offset: 0 }).await?;
        newest.items.first().ok_or(Error::not_found(Kind::Build))?.id.to_string()
    };
    let log = service.build_log_get(&call.cx, call.param("app"), &wanted).await?;
    Ok(text(log.log))
}

/// Ends the build that is under way (Slipway's own).
pub(super) async fn build_cancel(call: Call) -> Answer {
    let sha = from_wire::build_cancel(&call)?;
    let log = call.state.service.build_cancel(&call.cx, call.param("app"), sha.as_deref()).await?;
    ok(&to_wire::build_log(&log, call.param("app")))
}

//! Running processes. Source: `drycc-v2.md` §2.3.

use slipway_core::Error;
use slipway_service::PodTarget;

use super::to_wire;
use crate::call::{Answer, Call, ok};
use crate::session::{self, Begin, Command};

pub(super) async fn pods_list(call: Call) -> Answer {
    list(&call, None, None).await
}

pub(super) async fn pods_list_type(call: Call) -> Answer {
    list(&call, Some(call.param("type")), None).await
}

pub(super) async fn pod_read(call: Call) -> Answer {
    list(&call, Some(call.param("ptype")), Some(call.param("pod"))).await
}

async fn list(call: &Call, process_type: Option<&str>, name: Option<&str>) -> Answer {
    let pods = call.state.service.pods_list(&call.cx, call.param("app"), process_type, name).await?;
    ok(&to_wire::pods(&pods))
}

pub(super) async fn pods_restart(call: Call) -> Answer {
    restart(&call, PodTarget::All).await
}

pub(super) async fn pods_restart_segment(call: Call) -> Answer {
    restart(&call, PodTarget::Segment(call.param("type"))).await
}

pub(super) async fn pod_restart(call: Call) -> Answer {
    restart(&call, PodTarget::Pod { process_type: call.param("ptype"), name: call.param("pod") }).await
}

async fn restart(call: &Call, target: PodTarget<'_>) -> Answer {
    let pods = call.state.service.pods_restart(&call.cx, call.param("app"), target).await?;
    let pods: Vec<_> = pods.iter().map(to_wire::pod).collect();
    ok(&pods)
}

/// A command inside of a process, which the client talks to over a WebSocket.
pub(super) async fn pod_exec(mut call: Call) -> Answer {
    let (app, pod) = (call.param("app").to_owned(), call.param("pod").to_owned());
    call.state.service.app_get(&call.cx, &app).await?;
    let (service, cx) = (call.state.service.clone(), call.cx.clone());
    let begin = move |begin: Begin| async move {
        let attach = begin.attach();
        let words = match begin.command {
            Command::Words(words) => words,
            Command::Line(_) => return Err(Error::Rejected("command must be a list of words".to_owned())),
        };
        service.pod_exec_session(&cx, &app, &pod, words, attach).await
    };
    Ok(session::answer(call.websocket.take(), call.state.shutdown.clone(), begin)?)
}

//! Running containers: processes, numbered by type in the order of their start. Source: `deis-v1.md` §5.

use std::collections::BTreeMap;

use slipway_core::Error;
use slipway_core::app::App;
use slipway_core::error::Kind;
use slipway_engine::PodStatus;
use slipway_service::PodTarget;

use super::{page, to_wire};
use crate::call::{Answer, Call, Failure, ok};

/// A process with its number.
pub(super) struct Container {
    /// From 1, among those of its type.
    pub(super) num: u32,
    /// The process.
    pub(super) pod: PodStatus,
}

pub(super) async fn containers_list(call: Call) -> Answer {
    list(&call, |_| true).await
}

pub(super) async fn containers_list_type(call: Call) -> Answer {
    let process_type = call.param("type");
    list(&call, |container| container.pod.process_type.as_str() == process_type).await
}

async fn list(call: &Call, is_wanted: impl Fn(&Container) -> bool) -> Answer {
    let (app, mut containers) = load(call).await?;
    containers.retain(is_wanted);
    ok(&page::cut(call, containers, |container| to_wire::container(&app, container))?)
}

pub(super) async fn container_read(call: Call) -> Answer {
    let (app, containers) = load(&call).await?;
    ok(&to_wire::container(&app, find(&call, &containers)?))
}

pub(super) async fn containers_restart(call: Call) -> Answer {
    restart(&call, PodTarget::All).await
}

pub(super) async fn containers_restart_type(call: Call) -> Answer {
    restart(&call, PodTarget::Type(call.param("type"))).await
}

pub(super) async fn container_restart(call: Call) -> Answer {
    let (_, containers) = load(&call).await?;
    let name = find(&call, &containers)?.pod.name.clone();
    restart(&call, PodTarget::Pod { process_type: call.param("type"), name: &name }).await
}

/// Restarts and tells what runs instead.
async fn restart(call: &Call, target: PodTarget<'_>) -> Answer {
    let started = call.state.service.pods_restart(&call.cx, call.param("app"), target).await?;
    let (app, mut containers) = load(call).await?;
    containers.retain(|container| started.iter().any(|pod| pod.name == container.pod.name));
    let containers: Vec<_> = containers.iter().map(|container| to_wire::container(&app, container)).collect();
    ok(&containers)
}

/// All containers of an app, oldest first.
async fn load(call: &Call) -> Result<(App, Vec<Container>), Failure> {
    let app = call.state.service.app_get(&call.cx, call.param("app")).await?;
    let pods = call.state.service.pods_list(&call.cx, call.param("app"), None, None).await?;
    Ok((app, number(pods)))
}

fn number(mut pods: Vec<PodStatus>) -> Vec<Container> {
    pods.sort_by(|a, b| a.started.cmp(&b.started).then_with(|| a.name.cmp(&b.name)));
    let mut counts = BTreeMap::new();
    pods.into_iter()
        .map(|pod| {
            let num: &mut u32 = counts.entry(pod.process_type.clone()).or_insert(0);
            *num += 1;
            Container { num: *num, pod }
        })
        .collect()
}

/// The container that the path names.
fn find<'a>(call: &Call, containers: &'a [Container]) -> Result<&'a Container, Error> {
    let num = call.param("num").parse::<u32>().ok();
    let is_it = |container: &&Container| {
        Some(container.num) == num && container.pod.process_type.as_str() == call.param("type")
    };
    containers.iter().find(is_it).ok_or(Error::not_found(Kind::Pod))
}

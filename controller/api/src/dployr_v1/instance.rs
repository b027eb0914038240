//! Instances. Source: `dployr-v1.md` §6.

use slipway_service::InstanceFilter;

use super::{from_wire, to_wire, to_wire_instance};
use crate::call::{Answer, Call, ok};

pub(super) async fn instances_list(call: Call) -> Answer {
    let page = from_wire::page(&call);
    let text = |names: &[&str]| from_wire::query(&call, names).map(str::to_owned);
    let filter =
        InstanceFilter { kind: text(&["kind"]), role: text(&["role"]), service: text(&["service_id", "serviceId"]) };
    let found = call.state.service.instances_list(&call.cx, &filter, page).await?;
    ok(&to_wire::list("instances", page, &found, to_wire_instance::instance))
}

pub(super) async fn instance_read(call: Call) -> Answer {
    ok(&to_wire_instance::instance(&call.state.service.instance_get(&call.cx, call.param("instance")).await?))
}

pub(super) async fn instance_metrics(call: Call) -> Answer {
    let found = call.state.service.instance_metrics(&call.cx, call.param("instance")).await?;
    ok(&to_wire_instance::metrics(&found, call.cx.now))
}

//! Nodes and containers as the team API has them.

use chrono::SecondsFormat;
use slipway_core::log::LogLine;
use slipway_engine::workload::Container;
use slipway_service::{InstallView, NodeDetails, NodeView};
use slipway_team::node::{Node, NodeEvent, NodeLive};
use slipway_wire::team as wire;

use super::scope::Dialect;
use super::to_wire::time;

/// Longest line of a log that is told, in characters.
const LINE_MAX: usize = 16 * 1024;

pub(super) fn node(view: &NodeView) -> wire::Node {
    let NodeView {
        node: Node { id, team: _, name, description, icon, kind, access: _, keys: _, stamp: _ },
        live: NodeLive { status, address, version, connected_at },
    } = view;
    wire::Node {
        id: id.to_string(),
        name: name.clone(),
        r#type: kind.as_str().to_owned(),
        status: status.as_str().to_owned(),
        description: description.clone(),
        icon: icon.clone(),
        address: address.clone(),
        connected_at: connected_at.map(time),
        version: version.clone(),
        updating: false,
    }
}

pub(super) fn install(view: &InstallView) -> wire::Install {
    let InstallView { command, script, expires } = view;
    wire::Install { command: command.clone(), script: script.clone(), expire_at: time(*expires) }
}

pub(super) fn details(details: &NodeDetails, dialect: Dialect) -> wire::NodeDetails {
    let NodeDetails { view, is_in_use, install: installer, public_key } = details;
    wire::NodeDetails {
        node: node(view),
        has_token: view.node.access.is_some(),
        install: installer.as_ref().map(install),
        in_use: (dialect == Dialect::Slug).then_some(*is_in_use),
        public_key: public_key.clone(),
    }
}

pub(super) fn event(event: &NodeEvent) -> wire::NodeEvent {
    let NodeEvent { created, kind, data } = event;
    wire::NodeEvent { created_at: time(*created), event: kind.as_str().to_owned(), data: data.clone() }
}

pub(super) fn container(container: &Container, dialect: Dialect) -> wire::Container {
    let Container { prefix, name, command, created_at, state, reason, image_name, image_tag, ports } = container;
    let (reason, status) = match dialect {
        Dialect::Slug => (Some(reason.clone()), None),
        Dialect::Active => (None, Some(reason.clone())),
    };
    wire::Container {
        id: wire::ContainerId { prefix: prefix.clone(), name: name.clone() },
        command: command.clone(),
        created_at: time(*created_at),
        state: state.as_str().to_owned(),
        reason,
        status,
        image_name: image_name.clone(),
        image_tag: image_tag.clone(),
        ports: ports
            .iter()
            .map(|(internal, external)| wire::ContainerPort { internal: *internal, external: *external })
            .collect(),
    }
}

/// A line of a log, with its time before it if that is wanted, as container engines put it there.
pub(super) fn log_line(line: &LogLine, is_timed: bool) -> String {
    let LogLine { time, source: _, text } = line;
    let text = text.chars().take(LINE_MAX);
    if !is_timed {
        return text.collect();
    }
    let time = time.to_rfc3339_opts(SecondsFormat::Micros, true);
    time.chars().chain(std::iter::once(' ')).chain(text).collect()
}

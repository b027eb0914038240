//! Health checks. Source: `drycc-v2.md` §4.6.

use std::time::Duration;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use slipway_core::probe::{Check, Probe};

use crate::route::PORT_NAME;

/// A probe as the kubelet takes it.
pub(super) fn probe(probe: &Probe) -> core::Probe {
    let seconds = |time: Duration| Some(i32::try_from(time.as_secs()).unwrap_or(i32::MAX));
    let count = |number: u32| Some(i32::try_from(number).unwrap_or(i32::MAX));
    let bare = core::Probe {
        initial_delay_seconds: seconds(probe.initial_delay),
        timeout_seconds: seconds(probe.timeout),
        period_seconds: seconds(probe.period),
        success_threshold: count(probe.success_threshold),
        failure_threshold: count(probe.failure_threshold),
        ..core::Probe::default()
    };
    let number = |port: u16| IntOrString::Int(i32::from(port));
    match &probe.check {
        Check::HttpGet { port, path, host, is_https, headers } => {
            // As a header: as `host` the kubelet would connect there, wherever that is.
            let host = host.iter().map(|host| ("Host".to_owned(), host.clone()));
            let headers: Vec<core::HTTPHeader> =
                host.chain(headers.iter().cloned()).map(|(name, value)| core::HTTPHeader { name, value }).collect();
            core::Probe {
                http_get: Some(core::HTTPGetAction {
                    host: None,
                    http_headers: (!headers.is_empty()).then_some(headers),
                    path: Some(path.clone()),
                    port: number(*port),
                    scheme: Some(if *is_https { "HTTPS" } else { "HTTP" }.to_owned()),
                }),
                ..bare
            }
        }
        Check::Tcp { port } => {
            core::Probe { tcp_socket: Some(core::TCPSocketAction { host: None, port: number(*port) }), ..bare }
        }
        Check::Exec { command } => {
            core::Probe { exec: Some(core::ExecAction { command: Some(command.clone()) }), ..bare }
        }
    }
}

/// When a routed process without a check of its own is ready: its port accepts connections.
pub(super) fn port_probe() -> core::Probe {
    core::Probe {
        tcp_socket: Some(core::TCPSocketAction { host: None, port: IntOrString::String(PORT_NAME.to_owned()) }),
        initial_delay_seconds: Some(0),
        timeout_seconds: Some(5),
        period_seconds: Some(2),
        success_threshold: Some(1),
        failure_threshold: Some(2),
        ..core::Probe::default()
    }
}

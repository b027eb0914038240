//! `limits`, `tags`, `registry`, `healthchecks`. Source of calls and texts: drycc-v2.md §2.4 and §6.2.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use slipway_wire::drycc_v2::Config;

use super::setting::{is_one_pair, is_process_type, nulls, pairs_of};
use crate::args::runtime::{ProbeArgs, ProbeKind, ProbeName};
use crate::context::{Context, app_path};
use crate::error::{Error, Result};
use crate::program::Program;
use crate::{print, program};

/// Which map of the configuration, as the API calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Limits of memory.
    Memory,
    /// Limits of the processor.
    Cpu,
    /// Tags of machines.
    Tags,
    /// Credentials of a registry.
    Registry,
}

impl Part {
    const fn field(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Tags => "tags",
            Self::Registry => "registry",
        }
    }

    const fn what(self) -> &'static str {
        match self {
            Self::Memory | Self::Cpu => "limits",
            Self::Tags => "tags",
            Self::Registry => "registry information",
        }
    }

    fn show(self, app: &str, config: &Config) -> Result {
        match self {
            Self::Memory | Self::Cpu => {
                print::line(format_args!("=== {app} Limits"))?;
                for (title, limits) in [("Memory", &config.memory), ("CPU", &config.cpu)] {
                    print::line(format_args!("\n--- {title}"))?;
                    if limits.is_empty() {
                        print::line(if program::current() == Program::Drycc { "Default" } else { "Unlimited" })?;
                    }
                    table(limits)?;
                }
                Ok(())
            }
            Self::Tags => print::line(format_args!("=== {app} Tags")).and_then(|()| table(&config.tags)),
            Self::Registry => print::line(format_args!("=== {app} Registry")).and_then(|()| table(&config.registry)),
        }
    }

    /// `KEY=VALUE` words of this part as a map, checked as far as upstream's client does.
    fn pairs(self, words: &[String]) -> Result<Map<String, Value>> {
        match self {
            Self::Memory | Self::Cpu => {
                let form = "doesn't fit format type=#unit or type=# or type=#/#\n\
                            Examples: web=2G worker=500M db=1G/2G";
                pairs_of(words, |name, limit| is_process_type(name) && !limit.is_empty(), form)
            }
            Self::Tags => {
                let form = "is invalid, Must be in format key=value\nExamples: disk=ssd zone=eu-1";
                pairs_of(words, is_one_pair, form)
            }
            Self::Registry => {
                let form = "is invalid. Must be in format key=value\nExamples: username=bob password=s3cret";
                // Passwords may hold `=`.
                pairs_of(words, |key, value| !key.is_empty() && !value.is_empty(), form)
            }
        }
    }
}

fn table(map: &BTreeMap<String, String>) -> Result {
    print::table::pairs_apart(5, map.iter().map(|(key, value)| (key.as_str(), value.clone())))
}

/// Shows a part of the configuration.
pub async fn list(cx: &Context, part: Part) -> Result {
    let app = cx.app()?;
    let answer = cx.api()?.get(&app_path(&app, "config/")).await?;
    cx.show(&answer, || part.show(&app, &answer.json()?))
}

/// Sets keys of a part.
pub async fn set(cx: &Context, part: Part, words: &[String]) -> Result {
    change(cx, part, part.pairs(words)?).await
}

/// Removes keys of a part.
pub async fn unset(cx: &Context, part: Part, keys: &[String]) -> Result {
    change(cx, part, nulls(keys)).await
}

/// Upstream's client applies what it removes, too.
async fn change(cx: &Context, part: Part, map: Map<String, Value>) -> Result {
    let app = cx.app()?;
    let body = Map::from_iter([(part.field().to_owned(), Value::Object(map))]);
    config_post(cx, &app, &format!("Applying {}...", part.what()), &body, |config| part.show(&app, config)).await
}

/// Shows health checks, of one process type if said.
pub async fn healthchecks_list(cx: &Context, process_type: Option<&str>) -> Result {
    let app = cx.app()?;
    let answer = cx.api()?.get(&app_path(&app, "config/")).await?;
    cx.show(&answer, || healthchecks_show(&app, &answer.json()?, process_type))
}

/// Sets a health check.
pub async fn healthcheck_set(cx: &Context, args: &ProbeArgs) -> Result {
    let name = probe_field(args.probe);
    let probes = Map::from_iter([(name.to_owned(), probe(args)?)]);
    healthcheck_change(cx, &format!("Applying {name} healthcheck..."), &args.process_type, probes).await
}

/// Removes health checks.
pub async fn healthcheck_unset(cx: &Context, probes: &[ProbeName], process_type: &str) -> Result {
    let probes = probes.iter().map(|probe| (probe_field(*probe).to_owned(), Value::Null)).collect();
    healthcheck_change(cx, "Removing healthchecks...", process_type, probes).await
}

async fn healthcheck_change(cx: &Context, text: &str, process_type: &str, probes: Map<String, Value>) -> Result {
    let app = cx.app()?;
    let types = Map::from_iter([(process_type.to_owned(), Value::Object(probes))]);
    let body = Map::from_iter([("healthcheck".to_owned(), Value::Object(types))]);
    config_post(cx, &app, text, &body, |config| healthchecks_show(&app, config, Some(process_type))).await
}

/// Posts a part of a configuration, and shows what became of it.
async fn config_post(
    cx: &Context,
    app: &str,
    text: &str,
    body: &Map<String, Value>,
    show: impl FnOnce(&Config) -> Result,
) -> Result {
    let api = cx.api()?;
    let progress = cx.progress(text)?;
    let answer = api.post(&app_path(app, "config/"), body).await?;
    progress.done("done")?;
    cx.show(&answer, || {
        print::line("")?;
        show(&answer.json()?)
    })
}

const fn probe_field(probe: ProbeName) -> &'static str {
    match probe {
        ProbeName::Liveness => "livenessProbe",
        ProbeName::Readiness => "readinessProbe",
    }
}

fn probe(args: &ProbeArgs) -> Result<Value> {
    let mut probe = json!({
        "initialDelaySeconds": args.initial_delay_timeout,
        "timeoutSeconds": args.timeout_seconds,
        "periodSeconds": args.period_seconds,
        "successThreshold": args.success_threshold,
        "failureThreshold": args.failure_threshold,
    });
    let port = || match args.args.as_slice() {
        [port] => port.parse::<u16>().map_err(|_| Error::new(format!("'{port}' is not a port"))),
        _ => Err(Error::new("one port is needed")),
    };
    match args.kind {
        ProbeKind::HttpGet => {
            let mut get = json!({"path": args.path, "port": port()?});
            if let Some(headers) = &args.headers {
                get["httpHeaders"] = Value::Array(headers.split(',').map(header).collect::<Result<_>>()?);
            }
            probe["httpGet"] = get;
        }
        ProbeKind::Exec => probe["exec"] = json!({"command": args.args}),
        ProbeKind::TcpSocket => probe["tcpSocket"] = json!({"port": port()?}),
    }
    Ok(probe)
}

fn header(text: &str) -> Result<Value> {
    let (name, value) = text
        .split_once(':')
        .filter(|(name, _)| !name.trim().is_empty())
        .ok_or_else(|| Error::new(format!("'{text}' does not match the pattern 'Name:value'")))?;
    Ok(json!({"name": name.trim(), "value": value.trim()}))
}

fn healthchecks_show(app: &str, config: &Config, process_type: Option<&str>) -> Result {
    print::line(format_args!("=== {app} Healthchecks"))?;
    if let Some(process_type) = process_type {
        return probes_show(process_type, config.healthcheck.get(process_type).unwrap_or(&Value::Null));
    }
    if config.healthcheck.is_empty() {
        return print::line("No health checks configured.");
    }
    config.healthcheck.iter().try_for_each(|(process_type, probes)| probes_show(process_type, probes))
}

fn probes_show(process_type: &str, probes: &Value) -> Result {
    print::line(format_args!("\n{process_type}:"))?;
    probe_show("Liveness", probes["livenessProbe"].as_object())?;
    print::line("")?;
    probe_show("Readiness", probes["readinessProbe"].as_object())
}

/// Shows a probe line by line as upstream's client does, where a number that is not there is 0.
fn probe_show(title: &str, probe: Option<&Map<String, Value>>) -> Result {
    print::line(format_args!("--- {title}"))?;
    let Some(probe) = probe else {
        return print::line(format_args!("No {} probe configured.", title.to_lowercase()));
    };
    for (name, field) in [
        ("Initial Delay (seconds)", "initialDelaySeconds"),
        ("Timeout (seconds)", "timeoutSeconds"),
        ("Period (seconds)", "periodSeconds"),
        ("Success Threshold", "successThreshold"),
        ("Failure Threshold", "failureThreshold"),
    ] {
        print::line(format_args!("{name}: {}", probe.get(field).unwrap_or(&json!(0))))?;
    }
    for (name, field, said) in [
        ("Exec", "exec", exec_text as fn(&Value) -> String),
        ("HTTP GET", "httpGet", http_get_text),
        ("TCP Socket", "tcpSocket", tcp_socket_text),
    ] {
        print::line(format_args!("{name} Probe: {}", probe.get(field).map_or_else(|| "N/A".to_owned(), said)))?;
    }
    Ok(())
}

fn exec_text(exec: &Value) -> String {
    format!("Command=[{}]", joined(&exec["command"], text))
}

fn http_get_text(get: &Value) -> String {
    let headers = joined(&get["httpHeaders"], |header| format!("{}={}", text(&header["name"]), text(&header["value"])));
    format!("Path=\"{}\" Port={} HTTPHeaders=[{headers}]", text(&get["path"]), text(&get["port"]))
}

fn tcp_socket_text(socket: &Value) -> String {
    format!("Port={}", text(&socket["port"]))
}

fn joined(list: &Value, say: impl Fn(&Value) -> String) -> String {
    list.as_array().into_iter().flatten().map(say).collect::<Vec<_>>().join(" ")
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

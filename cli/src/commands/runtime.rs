//! `limits`, `tags`, `registry`, `healthchecks`. Source of calls and texts: drycc-v2.md §2.4 and §6.2.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use slipway_wire::drycc_v2::Config;

use super::setting::{nulls, pairs};
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
    /// Health checks.
    Healthcheck,
}

impl Part {
    const fn field(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Tags => "tags",
            Self::Registry => "registry",
            Self::Healthcheck => "healthcheck",
        }
    }

    const fn what(self) -> &'static str {
        match self {
            Self::Memory | Self::Cpu => "limits",
            Self::Tags => "tags",
            Self::Registry => "registry information",
            Self::Healthcheck => "healthchecks",
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
            Self::Healthcheck => healthchecks_show(app, config, None),
        }
    }
}

fn table(map: &BTreeMap<String, String>) -> Result {
    print::table::pairs(map.iter().map(|(key, value)| (key.as_str(), value.clone())))
}

/// Shows a part of the configuration.
pub async fn list(cx: &Context, part: Part) -> Result {
    let app = cx.app()?;
    let answer = cx.api()?.get(&app_path(&app, "config/")).await?;
    cx.show(&answer, || part.show(&app, &answer.json()?))
}

/// Sets keys of a part.
pub async fn set(cx: &Context, part: Part, words: &[String]) -> Result {
    change(cx, part, &format!("Applying {}...", part.what()), pairs(words)?).await
}

/// Removes keys of a part.
pub async fn unset(cx: &Context, part: Part, keys: &[String]) -> Result {
    change(cx, part, &format!("Removing {}...", part.what()), nulls(keys)).await
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
    let body = Map::from_iter([(args.process_type.clone(), Value::Object(probes))]);
    change(cx, Part::Healthcheck, &format!("Applying {name} healthcheck..."), body).await
}

/// Removes health checks.
pub async fn healthcheck_unset(cx: &Context, probes: &[ProbeName], process_type: &str) -> Result {
    let probes = probes.iter().map(|probe| (probe_field(*probe).to_owned(), Value::Null)).collect();
    let body = Map::from_iter([(process_type.to_owned(), Value::Object(probes))]);
    change(cx, Part::Healthcheck, "Removing healthchecks...", body).await
}

async fn change(cx: &Context, part: Part, text: &str, map: Map<String, Value>) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let progress = cx.progress(text)?;
    let body = Map::from_iter([(part.field().to_owned(), Value::Object(map))]);
    let answer = api.post(&app_path(&app, "config/"), &body).await?;
    progress.done("done")?;
    cx.show(&answer, || {
        print::line("")?;
        part.show(&app, &answer.json()?)
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
    let none = Value::Null;
    let mut shown: Vec<(&str, &Value)> = config
        .healthcheck
        .iter()
        .map(|(name, probes)| (name.as_str(), probes))
        .filter(|(name, _)| process_type.is_none_or(|wanted| *name == wanted))
        .collect();
    if shown.is_empty() {
        shown.push((process_type.unwrap_or("web/cmd"), &none));
    }
    for (name, probes) in shown {
        print::line(format_args!("\n{name}:"))?;
        for (title, field) in [("Liveness", "livenessProbe"), ("Readiness", "readinessProbe")] {
            print::line(format_args!("--- {title}"))?;
            match probes.get(field).and_then(Value::as_object) {
                Some(probe) => {
                    print::table::pairs(probe.iter().map(|(key, value)| (key.as_str(), value.to_string())))?;
                }
                None => print::line(format_args!("No {} probe configured.", title.to_lowercase()))?,
            }
        }
    }
    Ok(())
}

//! Health checks: reading and checking what users write. Source: `drycc-v2.md` §2.4 and §4.6.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::ProcessType;

/// A health check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What is tried.
    pub check: Check,
    /// Time before the first try.
    pub initial_delay: Duration,
    /// Time one try may take.
    pub timeout: Duration,
    /// Time between two tries.
    pub period: Duration,
    /// Good tries in a row that count as good.
    pub success_threshold: u32,
    /// Bad tries in a row that count as bad.
    pub failure_threshold: u32,
}

/// What a health check tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// `GET` answers with a status from 200 to 399.
    HttpGet {
        /// The port as configured; an engine that chooses ports itself uses its own instead.
        port: u16,
        /// The path, `/` by default.
        path: String,
        /// `Host` header, if not the process' own.
        host: Option<String>,
        /// Whether to speak TLS.
        is_https: bool,
        /// Further headers.
        headers: Vec<(String, String)>,
    },
    /// The port accepts a connection.
    Tcp {
        /// As for `HttpGet`.
        port: u16,
    },
    /// A command in the process' environment ends with 0.
    Exec {
        /// Program and arguments.
        command: Vec<String>,
    },
}

/// The key under which probes for `web` or `cmd` are, whichever there is.
pub const WEB_CMD: &str = "web/cmd";
/// The two probes of a process type.
pub const PROBE_NAMES: [&str; 2] = ["livenessProbe", "readinessProbe"];
/// The message for any other.
pub const PROBE_NAME_RULE: &str = "Healthcheck keys must be either livenessProbe or readinessProbe";
/// Longest time that a probe may name, in seconds: a day.
const SECONDS_MAX: i64 = 24 * 60 * 60;

/// Checks the probe `name` as a user gave it.
///
/// # Errors
/// The message of the contract, with the reason.
pub fn probe_check(name: &str, value: &Value) -> Result<(), String> {
    if !PROBE_NAMES.contains(&name) {
        return Err(PROBE_NAME_RULE.to_owned());
    }
    let fail = |reason: String| format!("could not validate {}: {reason}", shorten(&value.to_string()));
    let probe = value.as_object().ok_or_else(|| fail("a probe is a map".to_owned()))?;
    if let Some(exec) = probe.get("exec") {
        let command = exec.get("command").and_then(Value::as_array).filter(|command| !command.is_empty());
        let is_good = command.is_some_and(|words| words.iter().all(is_plain_text));
        if !is_good {
            return Err(fail("exec.command must be a non-empty list of strings".to_owned()));
        }
    }
    if let Some(http) = probe.get("httpGet") {
        http_check(http, true).map_err(fail)?;
    }
    if let Some(tcp) = probe.get("tcpSocket") {
        port_of(tcp).ok_or_else(|| fail("tcpSocket.port must be an integer from 1 to 65535".to_owned()))?;
    }
    if let Some((key, lowest)) = number_keys().into_iter().find(|(key, lowest)| {
        probe
            .get(*key)
            .is_some_and(|given| given.as_i64().is_none_or(|number| number < *lowest || number > SECONDS_MAX))
    }) {
        return Err(fail(format!("{key} must be an integer from {lowest} to {SECONDS_MAX}")));
    }
    if name == "livenessProbe" && probe.get("successThreshold").is_some_and(|given| given.as_i64() != Some(1)) {
        return Err("livenessProbe successThreshold can only be 1".to_owned());
    }
    Ok(())
}

/// The whole numbers of a probe with the lowest that each may be.
const fn number_keys() -> [(&'static str, i64); 5] {
    [
        ("initialDelaySeconds", 0),
        ("timeoutSeconds", 1),
        ("periodSeconds", 1),
        ("successThreshold", 1),
        ("failureThreshold", 1),
    ]
}

fn is_plain_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.contains('\0'))
}

fn http_check(http: &Value, is_port_required: bool) -> Result<(), String> {
    let map = http.as_object().ok_or("httpGet must be a map")?;
    if (is_port_required || map.contains_key("port")) && port_of(http).is_none() {
        return Err("httpGet.port must be an integer from 1 to 65535".to_owned());
    }
    for key in ["path", "host", "scheme"] {
        if let Some(value) = map.get(key) {
            let text = value.as_str().ok_or_else(|| format!("httpGet.{key} must be a string"))?;
            if text.chars().any(char::is_control) {
                return Err(format!("httpGet.{key} holds a control character"));
            }
        }
    }
    if let Some(headers) = map.get("httpHeaders") {
        let is_header = |header: &Value| {
            ["name", "value"].iter().all(|key| {
                header.get(key).and_then(Value::as_str).is_some_and(|text| !text.chars().any(char::is_control))
            })
        };
        if !headers.as_array().is_some_and(|headers| headers.iter().all(is_header)) {
            return Err("httpGet.httpHeaders must be a list of {name, value}".to_owned());
        }
    }
    Ok(())
}

fn port_of(value: &Value) -> Option<u16> {
    value.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0)
}

/// Cuts a piece of hostile input to what fits in a message.
fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(200).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Reads a probe that was checked before. `None` when it tries nothing. `port` stands in for a port that is not
/// said.
#[must_use]
pub fn probe_parse(value: &Value, port: u16) -> Option<Probe> {
    let number = |key: &str, default: u32| {
        value.get(key).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok()).unwrap_or(default)
    };
    let seconds = |key: &str, default: u32| Duration::from_secs(u64::from(number(key, default)));
    let text = |map: &Value, key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
    let check = if let Some(exec) = value.get("exec") {
        let words = exec.get("command")?.as_array()?;
        Check::Exec { command: words.iter().filter_map(Value::as_str).map(str::to_owned).collect() }
    } else if let Some(http) = value.get("httpGet") {
        let headers = http.get("httpHeaders").and_then(Value::as_array);
        Check::HttpGet {
            port: port_of(http).unwrap_or(port),
            path: text(http, "path").filter(|path| !path.is_empty()).unwrap_or_else(|| "/".to_owned()),
            host: text(http, "host"),
            is_https: text(http, "scheme").is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")),
            headers: headers
                .into_iter()
                .flatten()
                .filter_map(|header| Some((text(header, "name")?, text(header, "value")?)))
                .collect(),
        }
    } else {
        Check::Tcp { port: port_of(value.get("tcpSocket")?).unwrap_or(port) }
    };
    Some(Probe {
        check,
        initial_delay: seconds("initialDelaySeconds", 0),
        timeout: seconds("timeoutSeconds", 1).max(Duration::from_secs(1)),
        period: seconds("periodSeconds", 10).max(Duration::from_secs(1)),
        success_threshold: number("successThreshold", 1).max(1),
        failure_threshold: number("failureThreshold", 3).max(1),
    })
}

/// The probe `name` of a process type: its own entry, else that of `web/cmd` for `web` and `cmd`.
#[must_use]
pub fn probe_of(
    healthcheck: &BTreeMap<String, Value>,
    process_type: &ProcessType,
    name: &str,
    port: u16,
) -> Option<Probe> {
    let is_web_cmd = matches!(process_type.as_str(), "web" | "cmd");
    let entry = healthcheck.get(process_type.as_str()).or_else(|| healthcheck.get(WEB_CMD).filter(|_| is_web_cmd))?;
    probe_parse(entry.get(name)?, port)
}

/// The longest delay before the first try of any probe, which a deploy is given on top of its time.
#[must_use]
pub fn initial_delay_max(healthcheck: &BTreeMap<String, Value>) -> Duration {
    let delays = healthcheck
        .values()
        .filter_map(Value::as_object)
        .flat_map(Map::values)
        .filter(|probe| probe.is_object())
        .map(|probe| probe.get("initialDelaySeconds").map_or(50, |delay| delay.as_u64().unwrap_or(50)));
    Duration::from_secs(delays.max().unwrap_or(0))
}

/// The probes that the old variables `HEALTHCHECK_*` stand for, once `HEALTHCHECK_URL` is set. Their port is that
/// of the deploy. `number` tells the value of `HEALTHCHECK_<name>`.
#[must_use]
pub fn probes_from_legacy(path: &str, number: impl Fn(&str) -> Option<i64>) -> Value {
    let value = |name: &str, default: i64| number(name).unwrap_or(default);
    let probe = |success: i64| {
        json!({
            "initialDelaySeconds": value("INITIAL_DELAY", 50),
            "timeoutSeconds": value("TIMEOUT", 50).max(1),
            "periodSeconds": value("PERIOD_SECONDS", 10).max(1),
            "successThreshold": success.max(1),
            "failureThreshold": value("FAILURE_THRESHOLD", 3).max(1),
            "httpGet": {"path": path},
        })
    };
    json!({"livenessProbe": probe(1), "readinessProbe": probe(value("SUCCESS_THRESHOLD", 1))})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_probes_pass() {
        for good in [
            json!({"httpGet": {"port": 80}}),
            json!({"httpGet": {"port": 80, "path": "/x", "httpHeaders": [{"name": "A", "value": "b"}]}, "new": 1}),
            json!({"tcpSocket": {"port": 80}, "initialDelaySeconds": 0, "timeoutSeconds": 50, "successThreshold": 1}),
            json!({"exec": {"command": ["/bin/true"]}}),
            json!({}),
        ] {
            assert_eq!(probe_check("livenessProbe", &good), Ok(()), "{good}");
        }
    }

    #[test]
    fn bad_probes_say_why() {
        for (name, bad, reason) in [
            ("other", json!({}), PROBE_NAME_RULE),
            ("livenessProbe", json!([]), "could not validate []: a probe is a map"),
            (
                "livenessProbe",
                json!({"httpGet": {}}),
                "could not validate {\"httpGet\":{}}: httpGet.port must be an integer from 1 to 65535",
            ),
            (
                "readinessProbe",
                json!({"exec": {"command": []}}),
                "could not validate {\"exec\":{\"command\":[]}}: exec.command must be a non-empty list of strings",
            ),
            (
                "readinessProbe",
                json!({"tcpSocket": {"port": "80"}}),
                "could not validate {\"tcpSocket\":{\"port\":\"80\"}}: tcpSocket.port must be an integer from 1 to 65535",
            ),
            (
                "readinessProbe",
                json!({"periodSeconds": 0}),
                "could not validate {\"periodSeconds\":0}: periodSeconds must be an integer from 1 to 86400",
            ),
            ("livenessProbe", json!({"successThreshold": 2}), "livenessProbe successThreshold can only be 1"),
        ] {
            assert_eq!(probe_check(name, &bad), Err(reason.to_owned()));
        }
        let long = json!({"httpGet": "x".repeat(10_000)});
        assert!(probe_check("livenessProbe", &long).unwrap_err().len() < 400);
    }

    #[test]
    fn own_probes_win_over_those_of_web_cmd() {
        let tcp = |port: u16| json!({"readinessProbe": {"tcpSocket": {"port": port}}});
        let healthcheck = BTreeMap::from([
            ("web".to_owned(), tcp(1)),
            (WEB_CMD.to_owned(), tcp(2)),
            ("worker".to_owned(), json!({})),
        ]);
        let port = |name: &str| {
            probe_of(&healthcheck, &ProcessType::new(name).unwrap(), "readinessProbe", 5000).map(|probe| probe.check)
        };
        assert_eq!(port("web"), Some(Check::Tcp { port: 1 }));
        assert_eq!(port("cmd"), Some(Check::Tcp { port: 2 }));
        assert_eq!(port("worker"), None);
        assert_eq!(port("other"), None);
    }

    #[test]
    fn old_variables_become_probes() {
        let probes = probes_from_legacy("/up", |name| (name == "TIMEOUT").then_some(7));
        for name in PROBE_NAMES {
            let probe = probe_parse(&probes[name], 1234).unwrap();
            assert_eq!(probe.timeout, Duration::from_secs(7));
            assert_eq!(probe.initial_delay, Duration::from_secs(50));
            let Check::HttpGet { port, path, .. } = probe.check else { panic!("not http") };
            assert_eq!((port, path.as_str()), (1234, "/up"));
        }
    }
}

//! What must hold of a container's configuration before it is deployed.
//!
//! While people edit, only the form of each member is checked; what members mean together is checked here, when a
//! deployment starts. Every fault found is told, by the dotted path of the member. Source: `team-api.md` §4.4, §7.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::choice::Expose;
use super::config::Effective;
use super::part::{Amount, Key, KeyValue, Markers, SecretKeyValue};
use crate::{Error, Refusal, Refused};

/// The most ports that one range may have. Each becomes a port of a Service.
pub const RANGE_MAX: u32 = 500;
/// Names that init containers of ours have.
const INIT_RESERVED: [&str; 2] = ["config-loader", "import"];
/// Longest environment variable's value, in bytes. A `ConfigMap` holds 1 MiB in all.
const VALUE_MAX: usize = 256 * 1024;

/// The faults of a configuration: the path of a member, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Faults {
    found: BTreeMap<String, Vec<String>>,
}

impl Faults {
    /// Notes a fault.
    pub fn add(&mut self, path: impl Into<String>, reason: impl Into<String>) {
        self.found.entry(path.into()).or_default().push(reason.into());
    }

    /// Whether none was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Ends with the first member at fault and everything that is wrong with it.
    ///
    /// # Errors
    /// 400 with the member's path as property and the reasons as value, unless there is no fault.
    pub fn into_result(self) -> Result<(), Error> {
        let count = self.found.len();
        let Some((path, reasons)) = self.found.into_iter().next() else { return Ok(()) };
        let more = if count > 1 { format!(" ({} more members are at fault)", count - 1) } else { String::new() };
        let message = format!("{path}: {}{more}", reasons.join("; "));
        let value: Value = reasons.into();
        Err(Refusal::new(Refused::Invalid, path, message).value(value).into())
    }
}

/// Checks the effective configuration of one container; paths begin with `at`.
pub fn config_check(at: &str, config: &Effective, faults: &mut Faults) {
    let path = |member: &str| format!("{at}.{member}");
    name_check(&path("name"), config, faults);
    environment_check(&path("environment"), config.environment.as_deref().unwrap_or_default(), faults);
    secrets_check(&path("secrets"), &config.secrets, faults);
    let volumes = volumes_check(at, config, faults);
    init_check(at, config, &volumes, faults);
    ports_check(at, config, faults);
    routing_check(at, config, faults);
    health_check(&path("healthCheckConfig"), config, faults);
    if let Some(resources) = &config.resource_config {
        amount_check(&path("resourceConfig.limits"), resources.limits.as_ref(), faults);
        amount_check(&path("resourceConfig.requests"), resources.requests.as_ref(), faults);
    }
    words_check(&path("commands"), config.commands.as_deref(), faults);
    words_check(&path("args"), config.args.as_deref(), faults);
    labels_check(&path("labels"), &config.labels, true, faults);
    labels_check(&path("annotations"), &config.annotations, false, faults);
    pairs_check(&path("extraLBAnnotations"), config.extra_lb_annotations.as_deref(), false, faults);
    for header in config.custom_headers.iter().flatten() {
        if !is_token(&header.key) {
            faults.add(path("customHeaders"), format!("{:?} is not the name of a header", header.key));
        }
    }
}

/// Checks the environment of a deployment or of a container: names are unique, without blanks.
pub fn environment_check(path: &str, pairs: &[KeyValue], faults: &mut Faults) {
    let mut seen = BTreeSet::new();
    for pair in pairs {
        if !is_variable(&pair.key) {
            faults.add(path, format!("{:?} is not the name of a variable", pair.key));
        } else if !seen.insert(&pair.key) {
            faults.add(path, format!("{:?} is there twice", pair.key));
        }
        if pair.value.contains('\0') || pair.value.len() > VALUE_MAX {
            faults.add(path, format!("the value of {:?} has a NUL or more than 256 KiB", pair.key));
        }
    }
}

/// Whether `text` is a DNS label: 1 to 63 of `a-z`, `0-9` and inner `-`. Source: RFC 1123 §2.1.
#[must_use]
pub fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| inner(byte) || byte == b'-')
        && text.bytes().next().is_some_and(inner)
        && text.bytes().last().is_some_and(inner)
}

/// A variable's name. Source: Kubernetes, `IsEnvVarName` (letters, digits, `_`, `-`, `.`, no digit first).
fn is_variable(text: &str) -> bool {
    text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
        && text != "."
        && !text.starts_with("..")
}

/// A header's name. Source: RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// A Kubernetes quantity that is not negative. Source: Kubernetes, `resource.Quantity`.
fn is_quantity(text: &str) -> bool {
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let (number, unit) = text.split_at(digits);
    let exponent = unit.strip_prefix(['e', 'E']).is_some_and(|power| {
        let power = power.strip_prefix(['+', '-']).unwrap_or(power);
        (1..=2).contains(&power.len()) && power.bytes().all(|byte| byte.is_ascii_digit())
    });
    number.parse::<f64>().is_ok_and(f64::is_finite)
        && number.len() <= 20
        && (exponent
            || ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].contains(&unit))
}

/// An absolute path without `.`, `..`, `:` and control characters, and not the root.
fn path_fault(text: &str) -> Option<&'static str> {
    if !text.starts_with('/') {
        Some("must begin with /")
    } else if text.split('/').all(str::is_empty) {
        Some("must not be the root")
    } else if text.split('/').any(|part| part == "." || part == "..") {
        Some("must not hold . or ..")
    } else if text.contains([':', ',']) || text.chars().any(char::is_control) || text.len() > 1024 {
        Some("must not hold `:`, `,` or control characters, nor more than 1,024 bytes")
    } else {
        None
    }
}

fn name_check(path: &str, config: &Effective, faults: &mut Faults) {
    if !is_label(&config.name) {
        faults.add(path, "must be 1 to 63 of a-z, 0-9 and inner -");
    } else if config.ports.as_ref().is_some_and(|ports| !ports.is_empty())
        && config.name.starts_with(|first: char| first.is_ascii_digit())
    {
        // The name of a Service is stricter than others. Source: RFC 1035 §2.3.1.
        faults.add(path, "must begin with a letter where there are ports");
    }
}

fn secrets_check(path: &str, secrets: &[SecretKeyValue], faults: &mut Faults) {
    let mut seen = BTreeSet::new();
    for secret in secrets {
        if !is_variable(&secret.key) {
            faults.add(path, format!("{:?} is not the name of a variable", secret.key));
        } else if !seen.insert(&secret.key) {
            faults.add(path, format!("{:?} is there twice", secret.key));
        }
    }
}

/// Checks the volumes and what refers to them by name; tells their names.
fn volumes_check(at: &str, config: &Effective, faults: &mut Faults) -> BTreeSet<String> {
    let path = format!("{at}.volumes");
    let (mut names, mut paths) = (BTreeSet::new(), BTreeSet::new());
    for volume in config.volumes.iter().flatten() {
        if !is_label(&volume.name) || !is_label(&format!("{}-{}", config.name, volume.name)) {
            let reason = "is not a DNS label, or too long together with the container's name";
            faults.add(&path, format!("the name {:?} {reason}", volume.name));
        }
        if !names.insert(volume.name.clone()) {
            faults.add(&path, format!("{:?} is there twice", volume.name));
        }
        match path_fault(&volume.path) {
            Some(reason) => faults.add(&path, format!("the path {:?} {reason}", volume.path)),
            None if !paths.insert(volume.path.trim_end_matches('/')) => {
                faults.add(&path, format!("two volumes have the path {:?}", volume.path));
            }
            None => {}
        }
        if let Some(size) = volume.size.as_deref().filter(|size| !size.is_empty() && !is_quantity(size)) {
            faults.add(&path, format!("the size {size:?} is not a quantity, for example 5Gi"));
        }
        if let Some(class) =
            volume.class.as_deref().filter(|class| !class.is_empty() && !class.split('.').all(is_label))
        {
            faults.add(&path, format!("{class:?} is not the name of a storage class"));
        }
    }
    if let Some(loader) = &config.config_container {
        if !names.contains(&loader.volume) {
            faults.add(format!("{at}.configContainer.volume"), format!("there is no volume {:?}", loader.volume));
        }
        if let Some(reason) = path_fault(&loader.path) {
            faults.add(format!("{at}.configContainer.path"), reason);
        }
        image_check(&format!("{at}.configContainer.image"), &loader.image, faults);
    }
    if let Some(storage) = &config.storage {
        let filled = |text: &Option<String>| text.as_deref().filter(|text| !text.is_empty()).map(str::to_owned);
        match filled(&storage.path) {
            Some(name) if names.contains(&name) => {}
            Some(name) => faults.add(format!("{at}.storage.path"), format!("there is no volume {name:?}")),
            None => faults.add(format!("{at}.storage.path"), "must name a volume"),
        }
        match filled(&storage.bucket) {
            Some(bucket)
                if bucket.starts_with('-') || bucket.contains("..") || bucket.chars().any(char::is_control) =>
            {
                faults.add(format!("{at}.storage.bucket"), "is not the name of a bucket");
            }
            Some(_) => {}
            None => faults.add(format!("{at}.storage.bucket"), "must name a bucket"),
        }
    }
    names
}

fn init_check(at: &str, config: &Effective, volumes: &BTreeSet<String>, faults: &mut Faults) {
    let path = format!("{at}.initContainers");
    let mut names = BTreeSet::new();
    for init in config.init_containers.iter().flatten() {
        if !is_label(&init.name) || INIT_RESERVED.contains(&init.name.as_str()) || init.name == config.name {
            faults.add(&path, format!("{:?} is not a DNS label, or a name that is taken", init.name));
        }
        if !names.insert(&init.name) {
            faults.add(&path, format!("{:?} is there twice", init.name));
        }
        image_check(&format!("{path}.image"), &init.image, faults);
        environment_check(&format!("{path}.environment"), init.environment.as_deref().unwrap_or_default(), faults);
        words_check(&format!("{path}.command"), init.command.as_deref(), faults);
        words_check(&format!("{path}.args"), init.args.as_deref(), faults);
        for link in init.volumes.iter().flatten() {
            if !volumes.contains(&link.name) {
                faults.add(&path, format!("there is no volume {:?}", link.name));
            }
            if let Some(reason) = path_fault(&link.path) {
                faults.add(&path, format!("the path {:?} {reason}", link.path));
            }
        }
    }
}

fn image_check(path: &str, image: &str, faults: &mut Faults) {
    if super::reference::ImageName::parse(path, image).is_err() {
        faults.add(path, format!("{image:?} is not the name of an image"));
    }
}

fn ports_check(at: &str, config: &Effective, faults: &mut Faults) {
    let path = format!("{at}.ports");
    let range_path = format!("{at}.portRanges");
    let ranges = config.port_ranges.as_deref().unwrap_or_default();
    for (index, range) in ranges.iter().enumerate() {
        for span in [range.internal, range.external] {
            if span.from == 0 || span.to < span.from {
                faults.add(&range_path, format!("{}-{} is not a range of ports", span.from, span.to));
            } else if span.count() > RANGE_MAX {
                faults.add(&range_path, format!("{}-{} has more than {RANGE_MAX} ports", span.from, span.to));
            }
        }
        if range.internal.count() != range.external.count() {
            faults.add(&range_path, "a range must have as many ports outside as inside");
        }
        if ranges[..index]
            .iter()
            .any(|other| other.external.overlaps(range.external) || other.internal.overlaps(range.internal))
        {
            faults.add(&range_path, "two ranges have ports in common");
        }
    }
    let (mut internal, mut external) = (BTreeSet::new(), BTreeSet::new());
    for port in config.ports.iter().flatten() {
        if port.internal == 0 || port.external == Some(0) {
            faults.add(&path, "a port must be 1 to 65535");
        }
        if !internal.insert(port.internal) {
            faults.add(&path, format!("the port {} is there twice", port.internal));
        }
        if port.external.is_some_and(|port| !external.insert(port)) {
            faults.add(&path, format!("the outer port {} is there twice", port.external.unwrap_or_default()));
        }
        let taken = ranges.iter().any(|range| {
            range.internal.holds(port.internal) || port.external.is_some_and(|outer| range.external.holds(outer))
        });
        if taken {
            faults.add(&path, format!("the port {} lies in a range", port.internal));
        }
    }
}

fn routing_check(at: &str, config: &Effective, faults: &mut Faults) {
    if config.expose != Expose::None && config.ports.as_ref().is_none_or(Vec::is_empty) {
        faults.add(format!("{at}.ports"), "an exposed container needs a port");
    }
    let Some(routing) = &config.routing else { return };
    if let Some(domain) = routing.domain.as_deref().filter(|domain| !domain.is_empty()) {
        let right = domain.len() <= 253 && domain.strip_prefix("*.").unwrap_or(domain).split('.').all(is_label);
        if !right {
            faults.add(format!("{at}.routing.domain"), format!("{domain:?} is not the name of a host"));
        }
    }
    if let Some(path) = routing.path.as_deref().filter(|path| !path.is_empty()) {
        // The path ends in a proxy's own configuration: nothing but what a path needs.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%".contains(&byte);
        if !path.starts_with('/') || path.len() > 512 || !path.bytes().all(plain) {
            faults.add(format!("{at}.routing.path"), "must begin with / and hold letters, digits and -._~% alone");
        }
    }
    if let Some(limit) = routing.upload_limit.as_deref().filter(|limit| !limit.is_empty()) {
        let number = limit.strip_suffix(['k', 'K', 'm', 'M', 'g', 'G']).unwrap_or(limit);
        if number.is_empty() || number.len() > 9 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            faults.add(format!("{at}.routing.uploadLimit"), "must be a number, with k, m or g behind it if wanted");
        }
    }
}

fn health_check(path: &str, config: &Effective, faults: &mut Faults) {
    let Some(health) = &config.health_check_config else { return };
    let probes = [
        ("livenessProbe", &health.liveness_probe),
        ("readinessProbe", &health.readiness_probe),
        ("startupProbe", &health.startup_probe),
    ];
    let mut any = false;
    for (name, probe) in probes {
        let Some(probe) = probe.as_deref().filter(|probe| !probe.is_empty()) else { continue };
        any = true;
        if !probe.starts_with('/') || probe.len() > 1024 || probe.chars().any(|char| char.is_control() || char == ' ') {
            faults.add(format!("{path}.{name}"), "must be a path that begins with /");
        }
    }
    if health.port == Some(0) {
        faults.add(format!("{path}.port"), "a port must be 1 to 65535");
    } else if any && health.port.is_none() && config.ports.as_ref().is_none_or(Vec::is_empty) {
        faults.add(format!("{path}.port"), "must be given where the container has no ports");
    }
}

fn amount_check(path: &str, amount: Option<&Amount>, faults: &mut Faults) {
    let Some(amount) = amount else { return };
    for (name, text) in [("cpu", &amount.cpu), ("memory", &amount.memory)] {
        if let Some(text) = text.as_deref().filter(|text| !text.is_empty() && !is_quantity(text)) {
            faults.add(format!("{path}.{name}"), format!("{text:?} is not a quantity, for example 500m or 256Mi"));
        }
    }
}

fn words_check(path: &str, words: Option<&[Key]>, faults: &mut Faults) {
    if words.into_iter().flatten().any(|word| word.key.contains('\0')) {
        faults.add(path, "must not hold a NUL");
    }
}

fn labels_check(path: &str, markers: &Markers, labels: bool, faults: &mut Faults) {
    let groups = [("service", &markers.service), ("deployment", &markers.deployment), ("ingress", &markers.ingress)];
    for (group, pairs) in groups {
        pairs_check(&format!("{path}.{group}"), pairs.as_deref(), labels, faults);
    }
}

/// Names as Kubernetes has them; a label's value is as strict as its name, an annotation's is free.
/// Source: Kubernetes documentation, "Labels and Selectors", "Annotations".
fn pairs_check(path: &str, pairs: Option<&[KeyValue]>, labels: bool, faults: &mut Faults) {
    let word = |text: &str| {
        let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let inner = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        (1..=63).contains(&text.len()) && inner && ends(text.as_bytes().first()) && ends(text.as_bytes().last())
    };
    let mut seen = BTreeSet::new();
    for pair in pairs.into_iter().flatten() {
        let (prefix, name) =
            pair.key.split_once('/').map_or((None, pair.key.as_str()), |(prefix, name)| (Some(prefix), name));
        let prefix_right = prefix.is_none_or(|prefix| prefix.len() <= 253 && prefix.split('.').all(is_label));
        if !prefix_right || !word(name) {
            faults.add(path, format!("{:?} is not a name that Kubernetes takes", pair.key));
        } else if !seen.insert(&pair.key) {
            faults.add(path, format!("{:?} is there twice", pair.key));
        }
        if labels && !pair.value.is_empty() && !word(&pair.value) {
            faults.add(path, format!("the value of {:?} is not one that Kubernetes takes", pair.key));
        }
    }
}

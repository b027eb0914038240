//! Which engine runs apps, and how it is set up.

use slipway_cluster::ClusterSettings;

use super::{ConfigError, fetch, parsed};

/// What runs apps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineChoice {
    /// Processes of this machine.
    Local,
    /// A Kubernetes cluster: the one that the controller runs in, else that of `KUBECONFIG` or `~/.kube/config`.
    Cluster(Box<ClusterSettings>),
}

/// Reads `SLIPWAY_ENGINE` and the settings of the engine that it names.
pub(super) fn engine(var: &dyn Fn(&str) -> Option<String>) -> Result<EngineChoice, ConfigError> {
    let name = "SLIPWAY_ENGINE";
    match var(name).as_deref().map(str::trim) {
        None | Some("local") => Ok(EngineChoice::Local),
        Some("cluster") => cluster(var).map(|settings| EngineChoice::Cluster(Box::new(settings))),
        Some(_) => Err(ConfigError::Malformed { name, expected: "local or cluster" }),
    }
}

fn cluster(var: &dyn Fn(&str) -> Option<String>) -> Result<ClusterSettings, ConfigError> {
    let usual = ClusterSettings::default();
    let policy = "SLIPWAY_IMAGE_PULL_POLICY";
    let image_pull_policy = match var(policy).as_deref().map(str::trim) {
        None => usual.image_pull_policy,
        Some(one @ ("IfNotPresent" | "Always" | "Never")) => one.to_owned(),
        Some(_) => {
            return Err(ConfigError::Malformed { name: policy, expected: "IfNotPresent, Always or Never" });
        }
    };
    let mode = "SLIPWAY_VOLUME_ACCESS_MODE";
    let volume_access_mode = match var(mode).as_deref().map(str::trim) {
        None => usual.volume_access_mode,
        Some(one @ ("ReadWriteMany" | "ReadWriteOnce")) => one.to_owned(),
        Some(_) => return Err(ConfigError::Malformed { name: mode, expected: "ReadWriteMany or ReadWriteOnce" }),
    };
    let json = |name: &'static str| -> Result<Option<serde_json::Value>, ConfigError> {
        let Some(text) = var(name) else { return Ok(None) };
        let value: serde_json::Value = serde_json::from_str(&text).ok().unwrap_or_default();
        if value.is_object() {
            Ok(Some(value))
        } else {
            Err(ConfigError::Malformed { name, expected: "a JSON object, the spec of the Kubernetes object" })
        }
    };
    Ok(ClusterSettings {
        namespace: var("SLIPWAY_NAMESPACE").map_or(usual.namespace, |name| name.trim().to_owned()),
        image_pull_policy,
        revision_history: parsed(var, "SLIPWAY_REVISION_HISTORY", "a number")?.unwrap_or(usual.revision_history),
        quota: json("SLIPWAY_APP_QUOTA")?,
        limit_ranges: json("SLIPWAY_APP_LIMIT_RANGES")?,
        volume_storage_class: ["SLIPWAY_VOLUME_STORAGE_CLASS", "DRYCC_APP_STORAGE_CLASS"]
            .iter()
            .find_map(|name| var(name))
            .map(|class| class.trim().to_owned())
            .filter(|class| !class.is_empty()),
        volume_access_mode,
        fetch: fetch(var),
        holder: var("HOSTNAME").map_or(usual.holder, |name| name.trim().to_owned()),
        progress_deadline: usual.progress_deadline,
        images: usual.images,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<EngineChoice, ConfigError> {
        engine(&|name| vars.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_engine_is_this_machine_unless_said_otherwise() {
        assert_eq!(read(&[]).unwrap(), EngineChoice::Local);
        assert_eq!(read(&[("SLIPWAY_ENGINE", "local")]).unwrap(), EngineChoice::Local);
        let usual = EngineChoice::Cluster(Box::default());
        assert_eq!(read(&[("SLIPWAY_ENGINE", "cluster")]).unwrap(), usual);
    }

    #[test]
    fn every_setting_of_a_cluster_is_read() {
        let choice = read(&[
            ("SLIPWAY_ENGINE", "cluster"),
            ("SLIPWAY_NAMESPACE", "paas"),
            ("SLIPWAY_IMAGE_PULL_POLICY", "Always"),
            ("SLIPWAY_REVISION_HISTORY", "7"),
            ("SLIPWAY_APP_QUOTA", r#"{"hard":{"pods":"10"}}"#),
            ("SLIPWAY_APP_LIMIT_RANGES", r#"{"limits":[]}"#),
            ("SLIPWAY_VOLUME_STORAGE_CLASS", " nfs "),
            ("SLIPWAY_VOLUME_ACCESS_MODE", "ReadWriteOnce"),
            ("SLIPWAY_INSECURE_REGISTRIES", "127.0.0.1:5000, registry:80,"),
            ("HOSTNAME", "controller-1"),
        ]);
        let EngineChoice::Cluster(settings) = choice.unwrap() else { panic!("not the cluster") };
        assert_eq!((settings.namespace.as_str(), settings.holder.as_str()), ("paas", "controller-1"));
        assert_eq!(settings.image_pull_policy, "Always");
        assert_eq!(settings.revision_history, 7);
        assert_eq!(settings.volume_storage_class.as_deref(), Some("nfs"));
        assert_eq!(settings.volume_access_mode, "ReadWriteOnce");
        assert_eq!(settings.quota.unwrap()["hard"]["pods"], "10");
        assert!(settings.limit_ranges.unwrap()["limits"].is_array());
        assert_eq!(settings.fetch.insecure, ["127.0.0.1:5000", "registry:80"]);
    }

    #[test]
    fn bad_settings_are_named() {
        for (name, value) in [
            ("SLIPWAY_ENGINE", "docker"),
            ("SLIPWAY_IMAGE_PULL_POLICY", "always"),
            ("SLIPWAY_REVISION_HISTORY", "-1"),
            ("SLIPWAY_VOLUME_ACCESS_MODE", "ReadWriteOncePod"),
            ("SLIPWAY_APP_QUOTA", "[]"),
            ("SLIPWAY_APP_LIMIT_RANGES", "{"),
        ] {
            let error = read(&[(name, value), ("SLIPWAY_ENGINE", "cluster")]).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}

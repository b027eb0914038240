//! The configuration of a container: as an image has it, as an instance of a deployment overrides it, and as the two
//! make the one that is deployed.
//!
//! The table at the end of this file names every member once; the two structures, their merging and the effective
//! configuration are made from it, so that none can be forgotten. Source: `team-api.md` §4.4.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::choice::{DeploymentStrategy, Expose, NetworkMode, RestartPolicy};
use super::part::{
    ConfigContainer, HealthCheck, InitContainer, Key, KeyValue, LogConfig, Markers, Port, PortRange, Resources,
    Routing, SecretKey, SecretKeyValue, Storage, Volume,
};
use crate::Error;

/// The user id that stands for the image's own.
pub const USER_OF_IMAGE: i32 = -1;

/// A user id: −1 for the image's own, 0 for root, up to `i32::MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub struct User(i32);

impl User {
    /// The id, unless it is the image's own.
    #[must_use]
    pub fn uid(self) -> Option<i64> {
        (self.0 != USER_OF_IMAGE).then_some(i64::from(self.0))
    }
}

impl Default for User {
    fn default() -> Self {
        Self(USER_OF_IMAGE)
    }
}

impl TryFrom<i32> for User {
    type Error = &'static str;

    fn try_from(id: i32) -> Result<Self, Self::Error> {
        if id < USER_OF_IMAGE { Err("must be -1 or more") } else { Ok(Self(id)) }
    }
}

impl From<User> for i32 {
    fn from(user: User) -> Self {
        user.0
    }
}

/// What `null` does to a member of an image's configuration that always has a value.
enum Cleared<T> {
    /// It is refused.
    Refused,
    /// The member gets this.
    To(T),
}

/// Reads one member of a patch; `null` is no value.
fn member<T: serde::de::DeserializeOwned>(name: &str, value: &Value) -> Result<Option<T>, Error> {
    if value.is_null() {
        return Ok(None);
    }
    T::deserialize(value)
        .map(Some)
        .map_err(|reason| Error::invalid(format!("config.{name}"), format!("config.{name} is not right: {reason}")))
}

macro_rules! config {
    (
        always { $($(#[$a_doc:meta])* $a:ident $a_name:literal: $a_type:ty, null $a_null:expr;)+ }
        maybe { $($(#[$m_doc:meta])* $m:ident $m_name:literal: $m_type:ty;)+ }
        markers { $($(#[$k_doc:meta])* $k:ident $k_name:literal;)+ }
    ) => {
        /// The configuration of a container as its image has it.
        ///
        /// Every member is on the wire, an unset one as `null`.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub struct ImageConfig {
            $($(#[$a_doc])* #[serde(rename = $a_name)] pub $a: $a_type,)+
            $($(#[$m_doc])* #[serde(rename = $m_name, default)] pub $m: Option<$m_type>,)+
            $($(#[$k_doc])* #[serde(rename = $k_name, default)] pub $k: Option<Markers>,)+
            /// The names of secrets.
            #[serde(default)]
            pub secrets: Option<Vec<SecretKey>>,
            /// Import from an object store.
            #[serde(default)]
            pub storage: Option<Storage>,
            /// Reserved: taken, passed over, always `null`.
            #[serde(default, skip_deserializing)]
            pub capabilities: (),
        }

        /// What an instance of a deployment has otherwise than its image; an unset member is inherited.
        #[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
        pub struct InstanceConfig {
            $($(#[$a_doc])* #[serde(rename = $a_name, default)] pub $a: Option<$a_type>,)+
            $($(#[$m_doc])* #[serde(rename = $m_name, default)] pub $m: Option<$m_type>,)+
            $($(#[$k_doc])* #[serde(rename = $k_name, default)] pub $k: Option<Markers>,)+
            /// The secrets, with their values as they were encrypted for the node.
            #[serde(default)]
            pub secrets: Option<Vec<SecretKeyValue>>,
            /// Import from an object store.
            #[serde(default)]
            pub storage: Option<Storage>,
            /// Reserved: taken, passed over, always `null`.
            #[serde(default, skip_deserializing)]
            pub capabilities: (),
        }

        /// The configuration that a container is deployed with.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Effective {
            $($(#[$a_doc])* pub $a: $a_type,)+
            $($(#[$m_doc])* pub $m: Option<$m_type>,)+
            $($(#[$k_doc])* pub $k: Markers,)+
            /// The secrets: the instance's, and those of the image that it lacks, without values.
            pub secrets: Vec<SecretKeyValue>,
            /// Import from an object store, when one is named.
            pub storage: Option<Storage>,
        }

        impl ImageConfig {
            /// Takes over what `patch` names; what it does not name stays.
            ///
            /// # Errors
            /// A member that is not of its form, or `null` where there is always a value: 400 that names it. Then
            /// nothing is changed.
            pub fn patch(&self, patch: &Map<String, Value>) -> Result<Self, Error> {
                let mut next = self.clone();
                $(if let Some(value) = patch.get($a_name) {
                    next.$a = match member($a_name, value)? {
                        Some(value) => value,
                        None => match $a_null {
                            Cleared::To(value) => value,
                            Cleared::Refused => {
                                return Err(Error::invalid(
                                    concat!("config.", $a_name),
                                    concat!("config.", $a_name, " always has a value"),
                                ));
                            }
                        },
                    };
                })+
                $(if let Some(value) = patch.get($m_name) {
                    next.$m = member($m_name, value)?;
                })+
                $(if let Some(value) = patch.get($k_name) {
                    next.$k = markers_patch($k_name, self.$k.as_ref(), value)?;
                })+
                if let Some(value) = patch.get("secrets") {
                    next.secrets = member("secrets", value)?;
                }
                if let Some(value) = patch.get("storage") {
                    next.storage = storage_patch(value)?;
                }
                Ok(next)
            }
        }

        impl InstanceConfig {
            /// Whether it is whole, as [`Effective::freeze`] makes it, so that it needs nothing of an image.
            #[must_use]
            pub const fn is_frozen(&self) -> bool {
                true $(&& self.$a.is_some())+ $(&& self.$k.is_some())+ && self.secrets.is_some()
            }

            /// Takes over what `patch` names; what it does not name stays, `null` goes back to what `image` has.
            ///
            /// # Errors
            /// A member that is not of its form: 400 that names it. Then nothing is changed.
            pub fn patch(&self, image: &ImageConfig, patch: &Map<String, Value>) -> Result<Self, Error> {
                let mut next = self.clone();
                $(if let Some(value) = patch.get($a_name) {
                    next.$a = member($a_name, value)?;
                })+
                $(if let Some(value) = patch.get($m_name) {
                    next.$m = member($m_name, value)?;
                })+
                $(if let Some(value) = patch.get($k_name) {
                    // What is overridden for the first time begins as the image has it.
                    let base = self.$k.as_ref().or(image.$k.as_ref());
                    next.$k = markers_patch($k_name, base, value)?;
                })+
                if let Some(value) = patch.get("secrets") {
                    let given: Option<Vec<SecretKeyValue>> = member("secrets", value)?;
                    next.secrets = match (given, &self.secrets) {
                        (Some(given), None) => Some(secrets_complete(given, image)),
                        (given, _) => given,
                    };
                }
                if let Some(value) = patch.get("storage") {
                    next.storage = storage_patch(value)?;
                }
                Ok(next)
            }
        }

        impl Effective {
            /// The configuration that `instance` makes of its `image`'s.
            #[must_use]
            pub fn of(image: &ImageConfig, instance: &InstanceConfig) -> Self {
                Self {
                    $($a: instance.$a.clone().unwrap_or_else(|| image.$a.clone()),)+
                    $($m: instance.$m.clone().or_else(|| image.$m.clone()),)+
                    $($k: markers_of(image.$k.as_ref(), instance.$k.as_ref()),)+
                    secrets: secrets_complete(instance.secrets.clone().unwrap_or_default(), image),
                    storage: [&instance.storage, &image.storage]
                        .into_iter()
                        .flatten()
                        .find(|storage| storage.storage_id.is_some())
                        .cloned(),
                }
            }

            /// This configuration as an instance's own, so that it no longer follows its image.
            #[must_use]
            pub fn freeze(&self) -> InstanceConfig {
                InstanceConfig {
                    $($a: Some(self.$a.clone()),)+
                    $($m: self.$m.clone(),)+
                    $($k: Some(self.$k.clone()),)+
                    secrets: Some(self.secrets.clone()),
                    storage: self.storage.clone(),
                    capabilities: (),
                }
            }

            /// The configuration of an instance that was frozen: nothing of its image's is in it but what always has
            /// a value and was never set.
            #[must_use]
            pub fn of_frozen(frozen: &InstanceConfig, name: &str) -> Self {
                Self::of(&ImageConfig::bare(name), frozen)
            }
        }

        #[cfg(test)]
        pub(crate) const MEMBERS: &[&str] =
            &[$($a_name,)+ $($m_name,)+ $($k_name,)+ "secrets", "storage", "capabilities"];
    };
}

config! {
    always {
        /// The container's name: a DNS label, since it names what is made of it.
        name "name": String, null Cleared::Refused;
        /// Whether requests from outside lead to it.
        expose "expose": Expose, null Cleared::Refused;
        /// The user that it runs as.
        user "user": User, null Cleared::To(User::default());
        /// Whether it gets a terminal.
        tty "tty": bool, null Cleared::To(false);
        /// When a container engine starts it again.
        restart_policy "restartPolicy": RestartPolicy, null Cleared::Refused;
        /// Its network on a container engine.
        network_mode "networkMode": NetworkMode, null Cleared::Refused;
        /// How Kubernetes replaces it.
        deployment_strategy "deploymentStrategy": DeploymentStrategy, null Cleared::Refused;
        /// Whether the route adds the headers of a proxy.
        proxy_headers "proxyHeaders": bool, null Cleared::To(false);
        /// Whether its Service is a load balancer.
        use_load_balancer "useLoadBalancer": bool, null Cleared::To(false);
    }
    maybe {
        /// Its environment.
        environment "environment": Vec<KeyValue>;
        /// Where requests come in.
        routing "routing": Routing;
        /// Files copied from an image before it starts.
        config_container "configContainer": ConfigContainer;
        /// Its ports.
        ports "ports": Vec<Port>;
        /// Its rows of ports.
        port_ranges "portRanges": Vec<PortRange>;
        /// Its volumes.
        volumes "volumes": Vec<Volume>;
        /// Its entry point, instead of the image's.
        commands "commands": Vec<Key>;
        /// Its arguments, instead of the image's.
        args "args": Vec<Key>;
        /// What runs before it.
        init_containers "initContainers": Vec<InitContainer>;
        /// Where a container engine sends its output.
        log_config "logConfig": LogConfig;
        /// Networks on a container engine.
        networks "networks": Vec<Key>;
        /// Labels on a container engine.
        docker_labels "dockerLabels": Vec<KeyValue>;
        /// Headers that other origins may send.
        custom_headers "customHeaders": Vec<Key>;
        /// Annotations of a load balancer.
        extra_lb_annotations "extraLBAnnotations": Vec<KeyValue>;
        /// How its health is checked.
        health_check_config "healthCheckConfig": HealthCheck;
        /// What it may use.
        resource_config "resourceConfig": Resources;
    }
    markers {
        /// Annotations of its objects.
        annotations "annotations";
        /// Labels of its objects.
        labels "labels";
    }
}

impl ImageConfig {
    /// The configuration of an image that was just added: everything at its default.
    #[must_use]
    pub fn bare(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            expose: Expose::default(),
            user: User::default(),
            tty: false,
            restart_policy: RestartPolicy::default(),
            network_mode: NetworkMode::default(),
            deployment_strategy: DeploymentStrategy::default(),
            proxy_headers: false,
            use_load_balancer: false,
            environment: None,
            routing: None,
            config_container: None,
            ports: None,
            port_ranges: None,
            volumes: None,
            commands: None,
            args: None,
            init_containers: None,
            log_config: None,
            networks: None,
            docker_labels: None,
            custom_headers: None,
            extra_lb_annotations: None,
            health_check_config: None,
            resource_config: None,
            annotations: None,
            labels: None,
            secrets: None,
            storage: None,
            capabilities: (),
        }
    }
}

/// Labels and annotations merge by the kind of object: a kind that the patch does not name stays.
fn markers_patch(name: &str, base: Option<&Markers>, value: &Value) -> Result<Option<Markers>, Error> {
    let Some(given) = member::<Map<String, Value>>(name, value)? else { return Ok(None) };
    let mut next = base.cloned().unwrap_or_default();
    for (group, slot) in
        [("service", &mut next.service), ("deployment", &mut next.deployment), ("ingress", &mut next.ingress)]
    {
        if let Some(value) = given.get(group) {
            *slot = member(&format!("{name}.{group}"), value)?;
        }
    }
    Ok(Some(next))
}

/// A storage without an id is none.
fn storage_patch(value: &Value) -> Result<Option<Storage>, Error> {
    Ok(member::<Storage>("storage", value)?.filter(|storage| storage.storage_id.is_some()))
}

/// `given`, and the secrets of `image` that it lacks, told by their id, without values.
fn secrets_complete(given: Vec<SecretKeyValue>, image: &ImageConfig) -> Vec<SecretKeyValue> {
    let mut all: Vec<SecretKeyValue> = image
        .secrets
        .iter()
        .flatten()
        .filter(|wanted| !given.iter().any(|has| has.id == wanted.id))
        .map(SecretKeyValue::empty)
        .collect();
    all.extend(given);
    all
}

/// Each kind of object has the instance's markers if it has any, else the image's.
fn markers_of(image: Option<&Markers>, instance: Option<&Markers>) -> Markers {
    let pick = |group: fn(&Markers) -> &Option<Vec<KeyValue>>| {
        instance.and_then(|markers| group(markers).clone()).or_else(|| image.and_then(|markers| group(markers).clone()))
    };
    Markers {
        service: pick(|markers| &markers.service),
        deployment: pick(|markers| &markers.deployment),
        ingress: pick(|markers| &markers.ingress),
    }
}

//! The members of a container's configuration that have a fixed set of values, as they are written on the wire.
//!
//! Source: `team-api.md` §1.11.

use serde::{Deserialize, Serialize};

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$inner])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every value, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The value as it is written.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

choice!(
    /// Whether requests from outside lead to a container.
    Expose {
        /// Not at all. The default.
        #[default]
        None = "none",
        /// By an HTTP route.
        Http = "expose",
        /// By an HTTP route with a certificate.
        Https = "exposeWithTls",
    }
);

choice!(
    /// When a container engine starts a container again. Kubernetes always does.
    RestartPolicy {
        /// Always.
        Always = "always",
        /// Unless somebody stopped it.
        UnlessStopped = "unlessStopped",
        /// Never. The default.
        #[default]
        No = "no",
        /// When it ended with another code than 0.
        OnFailure = "onFailure",
    }
);

choice!(
    /// The network of a container on a container engine.
    NetworkMode {
        /// None at all.
        None = "none",
        /// The host's own.
        Host = "host",
        /// A bridge. The default.
        #[default]
        Bridge = "bridge",
    }
);

choice!(
    /// How Kubernetes replaces what runs.
    DeploymentStrategy {
        /// Stop the old, then start the new. The default, since a volume can often be had by one only.
        #[default]
        Recreate = "recreate",
        /// Start the new, then stop the old.
        Rolling = "rolling",
    }
);

choice!(
    /// What kind of volume it is.
    VolumeType {
        /// Kept, read by many.
        ReadOnly = "ro",
        /// Kept, written by one. What an absent type means.
        #[default]
        ReadWriteOnce = "rwo",
        /// Kept, written by many.
        ReadWriteMany = "rwx",
        /// In memory, gone with the container.
        Memory = "mem",
        /// On the node's disk, gone with the container.
        Temporary = "tmp",
    }
);

choice!(
    /// Where a container engine sends a container's output.
    LogDriver {
        /// Wherever the engine is set to. The default.
        #[default]
        NodeDefault = "nodeDefault",
        /// Nowhere.
        None = "none",
        /// Google Cloud.
        Gcp = "gcplogs",
        /// The engine's own format.
        Local = "local",
        /// One JSON object per line.
        JsonFile = "json-file",
        /// The system's log.
        Syslog = "syslog",
        /// The journal of systemd.
        Journald = "journald",
        /// Graylog.
        Gelf = "gelf",
        /// Fluentd.
        Fluentd = "fluentd",
        /// Amazon's.
        Aws = "awslogs",
        /// Splunk.
        Splunk = "splunk",
        /// Event tracing of Windows.
        Etw = "etwlogs",
        /// Logentries.
        Logentries = "logentries",
    }
);

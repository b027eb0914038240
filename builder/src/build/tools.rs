//! Where the tools of builds are, and the few settings of this machine that they get.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Variables of the platform's own environment that builds see: how to reach package indexes, and where toolchains
/// are. Everything else of it, secrets above all, stays with the platform. The operator decides what goes in here: an
/// index address with a password in it can be read by every app's build.
const PASSED_ON: &[&str] = &[
    "ALL_PROXY",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "GOFLAGS",
    "GONOPROXY",
    "GONOSUMDB",
    "GOPROXY",
    "GOROOT",
    "GOSUMDB",
    "GOTOOLCHAIN",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NODE_EXTRA_CA_CERTS",
    "NO_PROXY",
    "NPM_CONFIG_REGISTRY",
    "PIP_CERT",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_INDEX_URL",
    "PIP_TRUSTED_HOST",
    "PYENV_ROOT",
    "REQUESTS_CA_BUNDLE",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "npm_config_registry",
];

/// Search path when the platform itself has none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The part of the environment that is the same for all builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolEnv {
    vars: BTreeMap<OsString, OsString>,
}

impl ToolEnv {
    /// Picks from the environment `vars` what builds may see: `PATH`, proxies, certificates, package indexes and the
    /// places of toolchains.
    #[must_use]
    pub fn from_vars(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let all: BTreeMap<OsString, OsString> = vars.into_iter().collect();
        let mut vars: BTreeMap<OsString, OsString> = PASSED_ON
            .iter()
            .filter_map(|name| Some((OsString::from(name), all.get(OsStr::new(name))?.clone())))
            .collect();
        let path = all.get(OsStr::new("PATH")).filter(|path| !path.is_empty());
        vars.insert("PATH".into(), path.cloned().unwrap_or_else(|| DEFAULT_PATH.into()));
        // Builds get another home, but the toolchains that live in this one are still theirs to use.
        if let Some(home) = all.get(OsStr::new("HOME")).map(Path::new).filter(|home| home.is_absolute()) {
            for (name, dir) in [("RUSTUP_HOME", ".rustup"), ("PYENV_ROOT", ".pyenv")] {
                if home.join(dir).is_dir() {
                    vars.entry(name.into()).or_insert_with(|| home.join(dir).into());
                }
            }
        }
        Self { vars }
    }

    /// Sets variables, whatever the platform's own environment says of them.
    #[must_use]
    pub fn set(mut self, vars: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        self.vars.extend(vars);
        self
    }

    /// The variables.
    #[must_use]
    pub fn vars(&self) -> &BTreeMap<OsString, OsString> {
        &self.vars
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_the_platform_stay_with_it() {
        let vars = [
            ("PATH", "/x"),
            ("GOPROXY", "off"),
            ("SLIPWAY_SECRET", "s"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
            ("HOME", "/nope"),
        ];
        let env = ToolEnv::from_vars(vars.map(|(name, value)| (name.into(), value.into())));
        let names: Vec<_> = env.vars().keys().map(|name| name.to_str().unwrap()).collect();
        assert_eq!(names, ["GOPROXY", "PATH"]);
        assert_eq!(ToolEnv::from_vars([]).vars()[OsStr::new("PATH")], DEFAULT_PATH);
    }
}

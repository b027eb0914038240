//! Settings: flags, environment and profile file, combined once. The only place that reads the environment.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use crate::error::{Error, Result};
use crate::{private, program};

/// Address of the controller, instead of the profile's.
pub const SLIPWAY_CONTROLLER: &str = "SLIPWAY_CONTROLLER";
/// The user's token, instead of the profile's.
pub const SLIPWAY_TOKEN: &str = "SLIPWAY_TOKEN";
/// The team that commands are about, instead of the profile's.
pub const SLIPWAY_TEAM: &str = "SLIPWAY_TEAM";
/// How many items a list shows when neither flag nor profile says. Source: drycc-v2.md §1.5.
pub const RESPONSE_LIMIT: u32 = 100;

/// Who is logged in where. Source: drycc-v2.md §6.1.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The user's name.
    pub username: String,
    /// Whether the controller's certificate is checked.
    pub ssl_verify: bool,
    /// The controller's address.
    pub controller: String,
    /// The user's token.
    pub token: SecretString,
    /// How many items lists show.
    pub response_limit: u32,
    /// The team that commands are about.
    pub team: Option<String>,
}

/// What every command starts from.
#[derive(Debug)]
pub struct Settings {
    /// The profile file.
    pub path: PathBuf,
    profile: Option<Profile>,
    controller: Option<String>,
    token: Option<SecretString>,
    team: Option<String>,
}

impl Settings {
    /// Reads environment and profile file; `config` is the value of `--config`.
    pub fn load(config: Option<&Path>) -> Result<Self> {
        let text = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let program = program::current();
        let variable = env::var_os(program.profile_variable());
        let path = profile_path(config, variable, program.is_upstream(), config_dir)?;
        // Scripts of upstream's have variables of such names for themselves; they mean nothing to its client.
        let own = |name: &str| text(name).filter(|_| !program.is_upstream());
        Ok(Self {
            profile: Profile::read(&path)?,
            path,
            controller: own(SLIPWAY_CONTROLLER),
            token: own(SLIPWAY_TOKEN).map(SecretString::from),
            team: own(SLIPWAY_TEAM),
        })
    }

    /// The profile to use for calls that need a user.
    pub fn session(&self) -> Result<Profile> {
        let nobody = || {
            let program = program::current();
            if program.is_upstream() {
                let (path, name) = (self.path.display(), program.name());
                return Error::new(format!(
                    "Client configuration file not found at: {path}\n\
                     Are you logged in? Use '{name} login' or '{name} register' to get started."
                ));
            }
            Error::new("you are not logged in")
                .hint("log in with `slipway login URL`, or make an account with `slipway register URL`")
        };
        let mut profile = match (&self.profile, &self.controller, &self.token) {
            (Some(profile), _, _) => profile.clone(),
            (None, Some(controller), Some(token)) => Profile {
                username: String::new(),
                ssl_verify: true,
                controller: controller.clone(),
                token: token.clone(),
                response_limit: RESPONSE_LIMIT,
                team: None,
            },
            (None, _, Some(_)) => {
                return Err(Error::new(format!("{SLIPWAY_TOKEN} is set, but it is not known of which controller"))
                    .hint(format!("set {SLIPWAY_CONTROLLER} to its address")));
            }
            (None, _, None) => return Err(nobody()),
        };
        if let Some(controller) = &self.controller {
            // A profile's token belongs to that profile's controller and is shown to no other.
            if self.token.is_none() && !is_same_address(controller, &profile.controller) {
                return Err(Error::new(format!("you are not logged in at {controller}"))
                    .hint(format!("log in with `slipway login {controller}`, or set {SLIPWAY_TOKEN} too")));
            }
            profile.ssl_verify = self.is_verified(controller);
            profile.controller.clone_from(controller);
        }
        if let Some(token) = &self.token {
            profile.token = token.clone();
            profile.username.clear();
        }
        Ok(profile)
    }

    /// The address that a command without one means: that of the environment, else the profile's.
    pub fn controller(&self) -> Option<&str> {
        self.controller.as_deref().or(self.profile.as_ref().map(|profile| profile.controller.as_str()))
    }

    /// Whether the certificate of the controller at an address is checked: a profile speaks for its own only.
    pub fn is_verified(&self, controller: &str) -> bool {
        let own = self.profile.as_ref().filter(|profile| is_same_address(controller, &profile.controller));
        own.is_none_or(|profile| profile.ssl_verify)
    }

    /// The token of the environment.
    pub fn token(&self) -> Option<&SecretString> {
        self.token.as_ref()
    }

    /// The team that commands are about: that of the environment, else the profile's.
    pub fn team(&self) -> Option<String> {
        self.team.clone().or_else(|| self.profile.as_ref()?.team.clone())
    }

    /// Whether the environment says which team commands are about.
    pub fn has_team_variable(&self) -> bool {
        self.team.is_some()
    }

    /// The profile as it is in the file.
    pub fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }
}

fn is_same_address(one: &str, other: &str) -> bool {
    let bare = |text: &str| text.trim().trim_end_matches('/').to_ascii_lowercase();
    bare(one) == bare(other)
}

/// Which file holds the profile: the flag, else the environment, else `client`. A bare name is a file `NAME.json` in the
/// configuration folder; anything with a separator of paths in it or a `.json` at its end is a path. For upstream's
/// client it takes both.
fn profile_path(
    flag: Option<&Path>,
    env: Option<OsString>,
    is_upstream: bool,
    config_dir: impl FnOnce() -> Result<PathBuf>,
) -> Result<PathBuf> {
    let named = flag.map(Path::to_path_buf).or(env.filter(|value| !value.is_empty()).map(PathBuf::from));
    let named = named.unwrap_or_else(|| PathBuf::from("client"));
    let text = named.to_string_lossy();
    let (has_folder, has_suffix) = (text.contains(std::path::is_separator), text.ends_with(".json"));
    if if is_upstream { has_folder && has_suffix } else { has_folder || has_suffix } {
        return Ok(named);
    }
    Ok(config_dir()?.join(format!("{text}.json")))
}

/// The folder of profiles: `~/.deis` and `~/.drycc` under these names, else below the base directory. Source:
/// drycc-v2.md §6.1.
fn config_dir() -> Result<PathBuf> {
    let program = program::current();
    if program.is_upstream() {
        return Ok(home()?.join(format!(".{}", program.name())));
    }
    folder("XDG_CONFIG_HOME", ".config")
}

/// The folder for data: `$XDG_DATA_HOME/slipway`, else `~/.local/share/slipway`.
#[cfg(feature = "up")]
pub fn data_dir() -> Result<PathBuf> {
    folder("XDG_DATA_HOME", ".local/share")
}

fn folder(variable: &str, below_home: &str) -> Result<PathBuf> {
    // The base directory specification wants relative paths to be ignored.
    if let Some(dir) = env::var_os(variable).map(PathBuf::from).filter(|dir| dir.is_absolute()) {
        return Ok(dir.join("slipway"));
    }
    Ok(home()?.join(below_home).join("slipway"))
}

/// Which log lines `up` writes: `-v` if given, else `SLIPWAY_LOG`, else `RUST_LOG`, else warnings.
#[cfg(feature = "up")]
pub fn log_filter(verbose: u8) -> String {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.trim().is_empty());
    match verbose {
        0 => set("SLIPWAY_LOG").or_else(|| set("RUST_LOG")).unwrap_or_else(|| "warn".to_owned()),
        1 => "warn,slipway_api=info,slipway_builder=info,slipway_controller=info,slipway_local=info,slipway_router_sync=info,slipway_service=info,slipway_store=info".to_owned(),
        _ => "debug".to_owned(),
    }
}

/// Certificates of authorities that are trusted as well (the file that `SSL_CERT_FILE` names).
pub fn authorities() -> Result<Option<Vec<u8>>> {
    let Some(path) = env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()).map(PathBuf::from) else {
        return Ok(None);
    };
    let named = format!("{}, which SSL_CERT_FILE names", path.display());
    let pem = fs::read(&path).map_err(|error| Error::caused(format!("cannot read {named}"), &error))?;
    // A file without any would be as if none had been named.
    if !String::from_utf8_lossy(&pem).contains("-----BEGIN ") {
        return Err(Error::new(format!("there is no certificate in {named}")).hint("it must be in the form of PEM"));
    }
    Ok(Some(pem))
}

/// The proxy that requests may go through, without the name and password that its address may hold, and the variable that
/// names it.
pub fn proxy(is_https: bool) -> Option<(&'static str, String)> {
    let names: &[&str] = if is_https {
        &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
    } else {
        &["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
    };
    let (name, url) = names.iter().find_map(|name| Some((*name, variable(name)?)))?;
    let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    Some((name, host.split('/').next().unwrap_or_default().to_owned()))
}

/// What is drunk while processes are started. Source: drycc-v2.md §6.1.
pub fn drink() -> String {
    let drink = env::var(program::current().drink_variable()).unwrap_or_default();
    let drink: String = drink.chars().filter(|c| !c.is_control()).collect();
    if drink.trim().is_empty() { "coffee".to_owned() } else { drink }
}

/// All of the environment, for builds to be given a chosen part of.
#[cfg(feature = "up")]
pub fn all_variables() -> impl Iterator<Item = (OsString, OsString)> {
    env::vars_os()
}

/// Where this process finds programs (`PATH`), if that is set and can be told to others.
#[cfg(feature = "up")]
pub fn search_path() -> Option<String> {
    env::var("PATH").ok().filter(|path| !path.is_empty())
}

/// Whether addresses that users supply may be private ones (`SLIPWAY_ALLOW_PRIVATE_ADDRESSES=1`).
#[cfg(feature = "up")]
pub fn private_addresses_allowed() -> bool {
    env::var("SLIPWAY_ALLOW_PRIVATE_ADDRESSES").is_ok_and(|value| value.trim() == "1")
}

/// Largest pack that is taken in one push or fetched for a deployment, in bytes (`SLIPWAY_PACK_MAX_BYTES`), if it is set.
#[cfg(feature = "up")]
pub fn pack_max_bytes() -> Option<u64> {
    env::var("SLIPWAY_PACK_MAX_BYTES").ok().and_then(|value| value.trim().parse().ok())
}

/// The port that the platform gave this app.
#[cfg(feature = "up")]
pub fn port() -> Result<u16> {
    let text = env::var("PORT").map_err(|_| Error::new("the environment variable PORT is not set"))?;
    text.parse().map_err(|_| Error::new(format!("the environment variable PORT is {text:?}, which is no port")))
}

/// A variable that a person names, unless it is empty.
pub fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether the terminal knows no more than text (`TERM=dumb`).
pub fn is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// The user's editor and its arguments: `$VISUAL`, else `$EDITOR`, else what every system of the kind has.
pub fn editor() -> Vec<String> {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.trim().is_empty());
    let usual = if cfg!(windows) { "notepad" } else { "vi" };
    let line = set("VISUAL").or_else(|| set("EDITOR")).unwrap_or_else(|| usual.to_owned());
    // A path may hold spaces: `C:\Program Files\...`.
    if Path::new(&line).is_file() {
        return vec![line];
    }
    line.split_whitespace().map(str::to_owned).collect()
}

/// The user's home directory: `HOME`, on Windows `USERPROFILE` without it.
pub fn home() -> Result<PathBuf> {
    let names: &[&str] = if cfg!(windows) { &["HOME", "USERPROFILE"] } else { &["HOME"] };
    names
        .iter()
        .filter_map(|name| env::var_os(name).map(PathBuf::from))
        .find(|dir| dir.is_absolute())
        .ok_or_else(|| Error::new("the environment variable HOME is not set, so there is no place for settings"))
}

impl Profile {
    fn read(path: &Path) -> Result<Option<Self>> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::caused(format!("cannot read {}", path.display()), &error)),
        };
        let bad = |reason: &str| {
            Error::new(format!("{} is not a profile: {reason}", path.display()))
                .hint("remove the file and log in again with `slipway login URL`")
        };
        let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| bad(&error.to_string()))?;
        let field = |name: &str| value[name].as_str().map(str::to_owned);
        Ok(Some(Self {
            username: field("username").unwrap_or_default(),
            ssl_verify: value["ssl_verify"].as_bool().unwrap_or(true),
            controller: field("controller").ok_or_else(|| bad("there is no text `controller`"))?,
            token: field("token").ok_or_else(|| bad("there is no text `token`"))?.into(),
            response_limit: value["response_limit"]
                .as_u64()
                .and_then(|limit| u32::try_from(limit).ok())
                .filter(|limit| *limit > 0)
                .unwrap_or(RESPONSE_LIMIT),
            team: field("team").filter(|team| !team.is_empty()),
        }))
    }

    /// Writes the profile, whole or not at all, readable by its owner only.
    pub fn write(&self, path: &Path) -> Result {
        let mut value = json!({
            "username": self.username,
            "ssl_verify": self.ssl_verify,
            "controller": self.controller,
            "token": self.token.expose_secret(),
            "response_limit": self.response_limit,
        });
        if let Some(team) = &self.team {
            value["team"] = team.as_str().into();
        }
        private::write(path, format!("{value:#}\n").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(profile: Option<&str>, controller: Option<&str>, token: Option<&str>) -> Settings {
        Settings {
            path: PathBuf::from("client.json"),
            profile: profile.map(|controller| Profile {
                username: "bob".to_owned(),
                ssl_verify: true,
                controller: controller.to_owned(),
                token: "of-the-profile".into(),
                response_limit: 7,
                team: Some("acme".to_owned()),
            }),
            controller: controller.map(str::to_owned),
            token: token.map(Into::into),
            team: None,
        }
    }

    #[test]
    fn the_environment_goes_before_the_profile() {
        let session = settings(Some("http://a"), Some("http://b"), Some("t")).session().unwrap();
        assert_eq!((session.controller.as_str(), session.token.expose_secret()), ("http://b", "t"));
        let session = settings(Some("http://a"), None, None).session().unwrap();
        assert_eq!((session.controller.as_str(), session.token.expose_secret()), ("http://a", "of-the-profile"));
        let session = settings(None, Some("http://b"), Some("t")).session().unwrap();
        assert_eq!((session.controller.as_str(), session.response_limit), ("http://b", RESPONSE_LIMIT));
    }

    #[test]
    fn a_profiles_token_goes_to_its_controller_only() {
        assert!(settings(Some("http://a"), Some("http://b"), None).session().is_err());
        assert!(settings(Some("http://a"), Some("http://A/"), None).session().is_ok());
        assert!(settings(None, None, Some("t")).session().is_err());
        assert!(settings(None, None, None).session().is_err());
    }

    #[test]
    fn a_profile_that_checks_no_certificate_says_so_of_its_controller_only() {
        let mut settings = settings(Some("https://a"), Some("https://b"), Some("t"));
        settings.profile.as_mut().unwrap().ssl_verify = false;
        assert!(settings.session().unwrap().ssl_verify);
        assert!(settings.is_verified("https://b") && !settings.is_verified("https://A/"));
        settings.controller = Some("https://a/".to_owned());
        assert!(!settings.session().unwrap().ssl_verify);
    }

    #[test]
    fn profiles_are_named_or_pointed_at() {
        let dir = || Ok(PathBuf::from("/conf/slipway"));
        for (flag, env, want) in [
            (None, None, "/conf/slipway/client.json"),
            (Some("work"), Some("home"), "/conf/slipway/work.json"),
            (None, Some("home"), "/conf/slipway/home.json"),
            (None, Some(""), "/conf/slipway/client.json"),
            (Some("./x"), None, "./x"),
            (Some("x.json"), None, "x.json"),
            (None, Some("/a/b"), "/a/b"),
            (Some(r"conf\work"), None, if cfg!(windows) { r"conf\work" } else { r"/conf/slipway/conf\work.json" }),
        ] {
            let path = profile_path(flag.map(Path::new), env.map(OsString::from), false, dir).unwrap();
            assert_eq!(path, PathBuf::from(want), "{flag:?} {env:?}");
        }
        for (flag, want) in [
            ("work", "/conf/slipway/work.json"),
            ("work.json", "/conf/slipway/work.json.json"),
            ("teams/work", "/conf/slipway/teams/work.json"),
            ("./work.json", "./work.json"),
        ] {
            let path = profile_path(Some(Path::new(flag)), None, true, dir).unwrap();
            assert_eq!(path, PathBuf::from(want), "{flag}");
        }
    }
}

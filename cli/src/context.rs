//! What a command works with: settings, the app it is about, the controller.

use std::path::PathBuf;

use secrecy::SecretString;
use serde_json::Value;
use slipway_client::{Answer, Client, ClientBuilder, Socket, segment};
use slipway_wire::drycc_v2::{App, Page};

use crate::api::Api;
use crate::args::Global;
use crate::args::secret::SecretSource;
use crate::error::{Error, Result};
use crate::print::progress::Progress;
use crate::settings::{Profile, Settings};
use crate::spelling::nearest;
use crate::{git, print, program, settings};

/// The user agent of every call. Source: drycc-v2.md §6.1.
fn user_agent() -> String {
    format!("{} Client {}", program::current().title(), env!("CARGO_PKG_VERSION"))
}

/// Settings and global flags, as commands see them.
#[derive(Debug)]
pub struct Context {
    /// Settings from flags, environment and profile.
    pub settings: Settings,
    /// Whether data is printed as JSON.
    pub is_json: bool,
    app: Option<String>,
}

/// An app by name, and how it came to be meant.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The name.
    pub name: String,
    /// Whether it is a guess from the folder's name.
    pub is_guess: bool,
}

impl Context {
    /// Combines global flags with the settings.
    pub fn new(global: &Global) -> Result<Self> {
        let settings = Settings::load(global.config.as_deref())?;
        let app = match global.app.as_deref() {
            // Scripts of upstream's name no app so; else it may be the wrong one that is meant.
            Some("") if program::current().is_upstream() => None,
            Some("") => return Err(Error::new("--app is empty").hint("leave it out, or name an app")),
            app => app.map(str::to_owned),
        };
        Ok(Self { settings, is_json: global.json, app })
    }

    /// The controller, as the user who is logged in.
    pub fn api(&self) -> Result<Api> {
        api_as(&self.settings.session()?)
    }

    /// A WebSocket to the controller, as the user who is logged in.
    pub async fn socket(&self, path: &str) -> Result<Socket> {
        Ok(builder_as(&self.settings.session()?)?.http1_only().build()?.socket(path).await?)
    }

    /// The app that a command is about: the flag, else that of a git remote, else one named like the folder.
    pub fn app_choose(&self) -> Result<Chosen> {
        if let Some(app) = &self.app {
            return Ok(Chosen { name: app.clone(), is_guess: false });
        }
        if let Some(name) = self.app_of_remotes(git::remotes()) {
            return Ok(Chosen { name, is_guess: false });
        }
        let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        match folder.file_name().map(|name| name.to_string_lossy().to_lowercase()) {
            Some(name) => Ok(Chosen { name, is_guess: true }),
            None => Err(Error::new("it is not clear which app is meant").hint(APP_HINT)),
        }
    }

    /// The app that a repository's remotes lead to. For upstream's client that is the first by name at the builder that
    /// stands beside the controller, and no remote elsewhere; ours need not stand there.
    fn app_of_remotes(&self, mut remotes: Vec<git::Remote>) -> Option<String> {
        let named = |remotes: &[git::Remote]| {
            remotes.iter().find(|remote| remote.name == git::remote_name()).and_then(git::Remote::app)
        };
        if !program::current().is_upstream() {
            return named(&remotes).or_else(|| remotes.iter().find_map(git::Remote::app));
        }
        remotes.sort_by(|one, other| one.name.cmp(&other.name));
        let builder = self.settings.controller().and_then(git::builder_guess);
        let host = builder.as_deref().and_then(|builder| builder.rsplit_once(':')).map(|(host, _)| host);
        host.and_then(|host| remotes.iter().filter(|remote| remote.url.contains(host)).find_map(git::Remote::app))
            .or_else(|| named(&remotes))
    }

    /// The name of the app that a command is about.
    pub fn app(&self) -> Result<String> {
        self.app_choose().map(|app| app.name)
    }

    /// The app as given by `--app` alone.
    pub fn app_flag(&self) -> Option<&str> {
        self.app.as_deref()
    }

    /// Begins to tell of work, unless the output is JSON.
    pub fn progress(&self, text: &str) -> Result<Progress> {
        Progress::start(!self.is_json, text)
    }

    /// The same, with what comes of it on a line of its own, as upstream's client has it in some commands.
    pub fn progress_below(&self, text: &str) -> Result<Progress> {
        Progress::start_below(!self.is_json, text)
    }

    /// Prints an answer's JSON when that was asked for; else what `show` makes of it.
    pub fn show(&self, answer: &Answer, show: impl FnOnce() -> Result) -> Result {
        if self.is_json { print::json(&answer.json::<Value>()?) } else { show() }
    }

    /// Prints a value as JSON when that was asked for.
    pub fn show_value(&self, value: &impl serde::Serialize) -> Result {
        if !self.is_json {
            return Ok(());
        }
        let value = serde_json::to_value(value).map_err(|error| Error::caused("cannot write JSON", &error))?;
        print::json(&value)
    }

    /// How many items a list asks for.
    pub fn limit(&self, flag: Option<u32>) -> u32 {
        flag.or(self.settings.profile().map(|profile| profile.response_limit))
            .unwrap_or(crate::settings::RESPONSE_LIMIT)
    }

    /// Adds to an error that names no app how the app was chosen, and which one may have been meant.
    pub async fn explain(&self, error: Error) -> Error {
        let Ok(chosen) = self.app_choose() else { return error };
        let is_its = error.is_missing_app() || (error.is_missing() && is_no_name(&chosen.name));
        if !is_its {
            return error;
        }
        if chosen.is_guess {
            return error.hint(format!("{} is this folder's name; {APP_HINT}", chosen.name));
        }
        match self.app_near(&chosen.name).await {
            Some(near) => error.hint(format!("did you mean `-a {near}`? `slipway apps` lists your apps")),
            None => error.hint("`slipway apps` lists your apps"),
        }
    }

    /// The user's app whose name is nearest, when one is near. For information only: any failure is none.
    async fn app_near(&self, name: &str) -> Option<String> {
        let answer = self.api().ok()?.get("/v2/apps/?limit=1000").await.ok()?;
        let apps: Page<App> = answer.json().ok()?;
        nearest(name, apps.results.into_iter().map(|app| app.id))
    }
}

/// Whether a controller knows no address for an app of that name. Source: drycc-v2.md §1.1.
fn is_no_name(app: &str) -> bool {
    !app.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

const APP_HINT: &str =
    "name the app with -a APP, or work in a repository with a git remote `slipway` (`slipway git:remote -a APP`)";

/// The path of an app, with more behind it: `app_path("foo", "config/")`.
pub fn app_path(app: &str, rest: &str) -> String {
    format!("/v2/apps/{}/{rest}", segment(app))
}

/// The controller, as a given user.
pub fn api_as(profile: &Profile) -> Result<Api> {
    Ok(Api::new(builder_as(profile)?.build()?))
}

fn builder_as(profile: &Profile) -> Result<ClientBuilder> {
    Ok(builder(&profile.controller, profile.ssl_verify)?.token(profile.token.clone()))
}

fn builder(controller: &str, ssl_verify: bool) -> Result<ClientBuilder> {
    // What upstream's client means by an address without a scheme, whatever host it is.
    let is_bare = program::current().is_upstream() && !controller.contains("://");
    let controller = &if is_bare { format!("http://{controller}") } else { controller.to_owned() };
    let builder = Client::builder(controller).user_agent(user_agent()).ssl_verify(ssl_verify);
    // The many certificates of a system's bundle take time to read, and plain HTTP has no use for them.
    if controller.starts_with("http://") {
        return Ok(builder);
    }
    Ok(match settings::authorities()? {
        Some(pem) => builder.authorities(pem),
        None => builder,
    })
}

/// The controller, as nobody.
pub fn api_anonymous(controller: &str, ssl_verify: bool) -> Result<Api> {
    Ok(Api::new(builder(controller, ssl_verify)?.build()?))
}

/// The password from a flag, from stdin, or from the person at the terminal.
pub fn password(flag: Option<SecretString>, from_stdin: bool, prompt: &str, confirm: bool) -> Result<SecretString> {
    if let Some(password) = flag {
        return Ok(password);
    }
    if from_stdin {
        return line_of_stdin("password");
    }
    if !print::has_person() {
        return Err(Error::new("a password is needed, and there is no terminal to ask for it")
            .hint("pass it on stdin with --password-stdin"));
    }
    let read = |prompt: &str| -> Result<String> {
        rpassword::prompt_password(prompt).map_err(|error| Error::caused("cannot read the password", &error))
    };
    let password = read(prompt)?;
    if confirm && read(&prompt.replace(':', " (confirm):"))? != password {
        return Err(Error::new("the passwords are not the same"));
    }
    Ok(password.into())
}

/// The next line of stdin, which is a secret.
pub fn line_of_stdin(what: &str) -> Result<SecretString> {
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .map_err(|error| Error::caused(format!("cannot read the {what} from stdin"), &error))?;
    let line = line.strip_suffix('\n').unwrap_or(&line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(Error::new(format!("there is no {what} on stdin")));
    }
    Ok(line.into())
}

/// A secret, from where it is said to be.
pub fn secret(source: &SecretSource, what: &str) -> Result<SecretString> {
    match source {
        SecretSource::Stdin => line_of_stdin(what),
        SecretSource::Variable(name) => settings::variable(name)
            .map(SecretString::from)
            .ok_or_else(|| Error::new(format!("the environment variable {name} is not set, so there is no {what}"))),
        SecretSource::File(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| Error::caused(format!("cannot read the {what} from {}", path.display()), &error))?;
            let text = text.trim_end_matches(['\r', '\n']);
            if text.is_empty() {
                return Err(Error::new(format!("there is no {what} in {}", path.display())));
            }
            Ok(text.into())
        }
        SecretSource::Ask if print::has_person() => {
            let asked = rpassword::prompt_password(format!("{what}: "));
            Ok(asked.map_err(|error| Error::caused(format!("cannot read the {what}"), &error))?.into())
        }
        SecretSource::Ask => Err(Error::new(format!("a {what} is needed, and there is no terminal to ask for it"))
            .hint("say where it is: - (stdin), env:NAME or file:PATH")),
    }
}

/// A word from a flag, or from the person at the terminal.
pub fn word(flag: Option<String>, name: &str) -> Result<String> {
    match flag {
        Some(word) => Ok(word),
        None if print::can_ask() => print::ask(&format!("{name}: ")),
        None => Err(Error::new(format!("a {name} is needed, and there is no terminal to ask for it"))
            .hint(format!("pass it with --{name}"))),
    }
}

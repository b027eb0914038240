//! `doctor`: looks at all that a push and a command need, and says how to mend what is wrong. Slipway's own.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use slipway_client::API_VERSION;
use slipway_wire::drycc_v2::{App, Key, Page, User};

use super::remote;
use crate::api::{Api, fits, in_time, server_version};
use crate::context::{Context, api_anonymous, app_path};
use crate::error::{Error, Result};
use crate::{git, print, program, settings};

/// How far clocks may be apart: more, and tokens and certificates may seem too new or too old.
const CLOCK_MAX_SECS: u64 = 60;

/// What was found about one thing.
struct Finding {
    name: &'static str,
    /// `None` where it was not looked at, since something before it is wrong.
    is_good: Option<bool>,
    text: String,
    /// How to mend it; empty when there is nothing to be mended.
    mend: String,
}

/// All that was found.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn good(&mut self, name: &'static str, text: impl Into<String>) {
        self.0.push(Finding { name, is_good: Some(true), text: text.into(), mend: String::new() });
    }

    fn bad(&mut self, name: &'static str, text: impl Into<String>, mend: impl Into<String>) {
        self.0.push(Finding { name, is_good: Some(false), text: text.into(), mend: mend.into() });
    }

    fn skip(&mut self, name: &'static str, text: impl Into<String>) {
        self.0.push(Finding { name, is_good: None, text: text.into(), mend: String::new() });
    }

    fn failed(&mut self, name: &'static str, error: Error) {
        if let Error::Failed { text, hint, .. } = error {
            self.bad(name, text, hint);
        }
    }
}

/// Checks address, versions, clock, token, keys and git remote. Exit code 1 when something is wrong.
pub async fn doctor(cx: &Context) -> Result {
    let mut found = Findings::default();
    let is_there = endpoint(cx, &mut found).await;
    if is_there {
        match token(cx, &mut found).await {
            Some(api) => {
                keys(&api, &mut found).await;
                remote(cx, &api, &mut found).await;
            }
            None => {
                for name in ["key", "git remote"] {
                    found.skip(name, "not looked at without a good token");
                }
            }
        }
    } else {
        for name in ["versions", "clock", "token", "key", "git remote"] {
            found.skip(name, "not looked at without a controller");
        }
    }
    let bad = found.0.iter().filter(|finding| finding.is_good == Some(false)).count();
    if cx.is_json {
        let all =
            found.0.iter().map(|it| json!({"check": it.name, "ok": it.is_good, "text": it.text, "mend": it.mend}));
        print::json(&Value::Array(all.collect()))?;
    } else {
        for finding in &found.0 {
            let mark = match finding.is_good {
                Some(true) => "ok",
                Some(false) => "!!",
                None => "--",
            };
            print::line(format_args!("{mark}  {:<11} {}", finding.name, finding.text.replace('\n', " ")))?;
            if !finding.mend.is_empty() {
                print::line(format_args!("    {:<11} {}", "", program::current().spoken(&finding.mend)))?;
            }
        }
    }
    if bad == 0 {
        Ok(())
    } else {
        Err(Error::new(format!("{bad} of {} checks found something to mend", found.0.len())))
    }
}

async fn endpoint(cx: &Context, found: &mut Findings) -> bool {
    let Some(controller) = cx.settings.controller() else {
        found.bad("endpoint", "it is not known which controller to ask", "log in with `slipway login URL`");
        return false;
    };
    let asked = async {
        let api = api_anonymous(controller, cx.settings.is_verified(controller))?;
        in_time(controller, api.get("/healthz")).await?
    };
    let answer = asked.await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            found.failed("endpoint", error);
            return false;
        }
    };
    found.good("endpoint", format!("{controller} answers"));
    match server_version(&answer.headers) {
        Some(theirs) if fits(Some(theirs)) => {
            found.good("versions", format!("the controller's API is {theirs}, this client's {API_VERSION}"));
        }
        Some(theirs) => found.bad(
            "versions",
            format!("the controller's API is {theirs}, this client's {API_VERSION}"),
            "upgrade the older of the two",
        ),
        None => found.bad(
            "versions",
            "the controller does not tell its version",
            "check the address; a proxy before it must let headers with underscores through",
        ),
    }
    let theirs = answer.header("date").and_then(|date| DateTime::parse_from_rfc2822(date).ok());
    match theirs {
        Some(theirs) => clock(theirs.with_timezone(&Utc), found),
        None => found.skip("clock", "the controller does not tell its time"),
    }
    true
}

fn clock(theirs: DateTime<Utc>, found: &mut Findings) {
    let ours = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let apart = ours.abs_diff(u64::try_from(theirs.timestamp()).unwrap_or(0));
    if apart <= CLOCK_MAX_SECS {
        found.good("clock", format!("{apart} s from the controller's"));
    } else {
        let side = if i64::try_from(ours).unwrap_or(i64::MAX) > theirs.timestamp() { "ahead of" } else { "behind" };
        let mend = "set the clock of the machine that is wrong, for example with `timedatectl set-ntp true`";
        found.bad("clock", format!("{apart} s {side} the controller's"), mend);
    }
}

async fn token(cx: &Context, found: &mut Findings) -> Option<Api> {
    let whoami = async {
        let api = cx.api()?;
        let user: User = api.get("/v2/auth/whoami/").await?.json()?;
        Ok::<_, Error>((api, user))
    };
    match whoami.await {
        Ok((api, user)) => {
            found.good("token", format!("of {}", user.username));
            Some(api)
        }
        Err(error) => {
            found.failed("token", error);
            None
        }
    }
}

async fn keys(api: &Api, found: &mut Findings) {
    let page = async { Ok::<Page<Key>, Error>(api.get("/v2/keys/").await?.json()?) };
    let page = match page.await {
        Ok(page) => page,
        Err(error) => return found.failed("key", error),
    };
    if page.results.is_empty() {
        return found.bad("key", "no SSH key is known of you, so you cannot push", "add one with `slipway keys:add`");
    }
    // The part that counts: the type and the key, without its comment.
    let bare = |text: &str| text.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let known: Vec<String> = page.results.iter().map(|key| bare(&key.public)).collect();
    let files = settings::home().map(|home| home.join(".ssh")).ok().and_then(|dir| std::fs::read_dir(dir).ok());
    let ours = files.into_iter().flatten().flatten().map(|entry| entry.path()).find(|path| {
        path.extension().is_some_and(|extension| extension == "pub")
            && std::fs::read_to_string(path).is_ok_and(|text| known.contains(&bare(&text)))
    });
    match ours {
        Some(path) => found.good("key", format!("{} is known", path.display())),
        None => found.bad(
            "key",
            format!("{} known of you, none of them in ~/.ssh", page.results.len()),
            "if an agent or another folder has one of them, all is well; else add one with `slipway keys:add`",
        ),
    }
}

async fn remote(cx: &Context, api: &Api, found: &mut Findings) {
    let name = "git remote";
    if !git::is_repository() {
        return found.skip(name, "this folder is not in a git repository");
    }
    let remotes = git::remotes();
    let ours = remotes
        .iter()
        .find(|remote| remote.name == git::remote_name())
        .or(remotes.iter().find(|it| it.app().is_some()));
    let Some((remote, app)) = ours.and_then(|remote| Some((remote, remote.app()?))) else {
        return found.bad(name, "there is none for an app", "add it with `slipway git:remote -a APP`");
    };
    let checked = async {
        let app: App = api.get(&app_path(&app, "")).await?.json()?;
        Ok::<_, Error>((remote::repository(api, &app.id).await?, app.id))
    };
    match checked.await {
        Ok((url, _)) if url == remote.url => found.good(name, format!("{} leads to {app}", remote.name)),
        Ok((url, app)) => found.bad(
            name,
            format!("{} is {}, and {app} is at {url}", remote.name, remote.url),
            format!("point it there with `slipway git:remote --force -r {} -a {app}`", remote.name),
        ),
        Err(error) => found.failed(name, cx.explain(error).await),
    }
}

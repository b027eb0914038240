//! `deploy`: a repository elsewhere, built and run. Source of calls: dployr-v1.md §4 and §7.

use std::io::IsTerminal as _;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use slipway_client::{StatusCode, segment};
use slipway_wire::dployr_v1::{Deployment, LogEntry};
use slipway_wire::drycc_v2::App;

use super::remote;
use super::setting::pairs;
use crate::api::Api;
use crate::args::deploy::DeployArgs;
use crate::context::{self, Context, app_path};
use crate::error::{Error, Result};
use crate::print;

/// Pauses between two looks: the first ones are short. Callers have so many requests an hour, and a build may take half of
/// one.
const PAUSES: [(u32, Duration); 3] =
    [(10, Duration::from_millis(500)), (40, Duration::from_secs(2)), (u32::MAX, Duration::from_secs(5))];
/// Pause when there were too many requests and the answer does not say for how long.
const PAUSE_THROTTLED: Duration = Duration::from_secs(30);
/// Most lines of a log that are asked for at once.
const LINES: u32 = 5000;

/// Has a repository built and run, and follows that to its end.
pub async fn deploy(cx: &Context, args: DeployArgs) -> Result {
    refuse_password(&args.git)?;
    let (api, name) = (cx.api()?, cx.app()?);
    let mut body = request(&name, &args)?;
    if let Some(source) = &args.password_from {
        body["remote"] = with_password(&args.git, &context::secret(source, "password")?)?.into();
    }
    let progress = cx.progress(&format!("Deploying {} to {name}...", print::url_without_password(&args.git)))?;
    let earlier = log_newest(&api, &name).await?;
    let answer = api.post("/v1/deployments", &body).await?;
    let asked: Deployment = answer.json()?;
    progress.done(&format!("accepted, {}", asked.id))?;
    if args.detach {
        cx.show(&answer, || Ok(()))?;
        print::note(format_args!("`slipway watch -a {}` shows what becomes of it.", asked.app));
        return Ok(());
    }
    let ended = follow(cx, &api, &asked, &earlier).await?;
    cx.show_value(&ended)?;
    if ended.status == "failed" {
        let why = ended.error.unwrap_or_else(|| "the platform does not say why".to_owned());
        return Err(Error::new(format!("the deployment failed: {why}"))
            .hint(format!("`slipway builds:log -a {0}` and `slipway logs -a {0}` say more", ended.app)));
    }
    if cx.is_json {
        return Ok(());
    }
    let release = ended.release.map_or_else(String::new, |version| format!(" v{version}"));
    let app: App = api.get(&app_path(&ended.app, "")).await?.json()?;
    print::line(format_args!("{}{release} runs at {}", ended.app, remote::app_url(&api, &app).await?))
}

fn request(name: &str, args: &DeployArgs) -> Result<Value> {
    let mut body = json!({"name": name, "source": "remote", "remote": args.git, "force_rebuild": args.force_rebuild});
    let texts = [
        ("branch", &args.branch),
        ("commit_hash", &args.commit),
        ("runtime", &args.runtime),
        ("version", &args.version),
        ("build_cmd", &args.build_cmd),
        ("run_cmd", &args.run_cmd),
        ("type", &args.kind),
        ("working_dir", &args.working_dir),
        ("static_dir", &args.static_dir),
        ("health_check", &args.health_check),
    ];
    for (field, text) in texts {
        if let Some(text) = text {
            body[field] = text.as_str().into();
        }
    }
    if let Some(port) = args.port {
        body["port"] = port.into();
    }
    if !args.env.is_empty() {
        body["env"] = pairs(&args.env)?.into();
    }
    Ok(body)
}

/// Other users of the machine can read what a command was called with, and the shell keeps it.
fn refuse_password(url: &str) -> Result {
    if !url.parse::<url::Url>().is_ok_and(|url| url.password().is_some()) {
        return Ok(());
    }
    let without = print::url_without_password(url);
    Err(Error::new("the address holds a password, which others on this machine can read")
        .hint(format!(
            "pass `--git {without}` with --password-from env:NAME, file:PATH or ask; with ssh:// a deploy key needs no password; and replace this password, which your shell may have kept"
        )))
}

/// The address with a password in it, which the platform keeps apart from it. Hosts that take tokens ignore the user.
fn with_password(url: &str, password: &SecretString) -> Result<String> {
    let wrong = || Error::new("a password goes with an https:// address only").hint("with ssh:// keys are used");
    let mut url: url::Url = url.parse().map_err(|_| wrong())?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(wrong());
    }
    if url.username().is_empty() {
        url.set_username("git").map_err(|()| wrong())?;
    }
    url.set_password(Some(password.expose_secret())).map_err(|()| wrong())?;
    Ok(url.into())
}

/// Shows the log of the build as it grows and the state as it changes, until that is final.
async fn follow(cx: &Context, api: &Api, asked: &Deployment, earlier: &str) -> Result<Deployment> {
    let path = format!("/v1/deployments/{}", segment(&asked.id));
    let mut state = asked.status.clone();
    let mut shown = 0;
    let mut looks = 0;
    loop {
        match api.get(&path).await {
            Ok(answer) => {
                let now: Deployment = answer.json()?;
                let is_over = matches!(now.status.as_str(), "completed" | "failed");
                if now.status != "pending" && !cx.is_json {
                    shown = show_log(api, asked, earlier, shown).await?;
                }
                if now.status != state {
                    state.clone_from(&now.status);
                    if !is_over && std::io::stderr().is_terminal() {
                        print::note(format_args!("{} is {}", now.app, state.replace('_', " ")));
                    }
                }
                if is_over {
                    return Ok(now);
                }
            }
            // What was asked for goes on without anybody who looks.
            Err(Error::Failed { status: Some(StatusCode::TOO_MANY_REQUESTS), .. }) => {
                print::note(format_args!("!    Too many requests; looking again in {} s.", PAUSE_THROTTLED.as_secs()));
                tokio::time::sleep(PAUSE_THROTTLED).await;
            }
            Err(error) if error.status().is_none_or(|status| status.is_server_error()) && looks > 0 => {
                print::note("!    The controller does not answer; trying again.");
            }
            Err(error) => return Err(error),
        }
        looks += 1;
        let pause = PAUSES.iter().find(|(until, _)| looks < *until).map_or(PAUSE_THROTTLED, |(_, pause)| *pause);
        tokio::time::sleep(pause).await;
    }
}

/// The time of the newest build's log that an app has so far; empty when it has none.
async fn log_newest(api: &Api, app: &str) -> Result<String> {
    let newest = log_entries(api, app, 1).await?.and_then(|mut entries| entries.pop());
    Ok(newest.map(|entry| entry.timestamp).unwrap_or_default())
}

/// Shows what the build's log has more than was shown; how much that is in all. The log of an earlier build is none of
/// this one's.
async fn show_log(api: &Api, asked: &Deployment, earlier: &str, shown: usize) -> Result<usize> {
    let service = asked.service_id.as_deref().unwrap_or(&asked.name);
    let Some(mut entries) = log_entries(api, service, LINES).await? else { return Ok(shown) };
    // All are written in one way, to the millisecond.
    entries.retain(|entry| entry.timestamp.as_str() > earlier);
    for entry in entries.iter().skip(shown) {
        print::log::log_line(&entry.message)?;
    }
    Ok(entries.len().max(shown))
}

/// The last lines of the newest build's log; `None` when there is none yet, or it may be there at the next look.
async fn log_entries(api: &Api, service: &str, lines: u32) -> Result<Option<Vec<LogEntry>>> {
    let path = format!("/v1/services/{}/logs?source=build&tail={lines}", segment(service));
    match api.get(&path).await {
        Ok(answer) => Ok(Some(answer.json()?)),
        Err(Error::Failed { status: Some(_), .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &str) -> DeployArgs {
        #[derive(clap::Parser)]
        struct Whole {
            #[command(flatten)]
            args: DeployArgs,
        }
        let words = std::iter::once("deploy").chain(words.split(' '));
        <Whole as clap::Parser>::parse_from(words).args
    }

    #[test]
    fn only_what_is_given_is_asked_for() {
        assert_eq!(
            request("blog", &args("--git https://a/b --runtime go")).unwrap(),
            json!({"name": "blog", "source": "remote", "remote": "https://a/b", "runtime": "go", "force_rebuild": false})
        );
        let all = request("blog", &args("--git u -b b --commit c --port 80 -e A=1 -e B=2 --type worker")).unwrap();
        assert_eq!(
            all,
            json!({
                "name": "blog", "source": "remote", "remote": "u", "branch": "b", "commit_hash": "c", "port": 80,
                "env": {"A": "1", "B": "2"}, "type": "worker", "force_rebuild": false,
            })
        );
        assert!(request("blog", &args("--git u -e A")).is_err());
    }

    #[test]
    fn passwords_go_into_addresses_that_can_have_one() {
        let with = |url: &str| with_password(url, &"p@ss".into()).ok();
        assert_eq!(with("https://a.b/c").as_deref(), Some("https://git:p%40ss@a.b/c"));
        assert_eq!(with("https://ann@a.b/c").as_deref(), Some("https://ann:p%40ss@a.b/c"));
        assert_eq!((with("ssh://git@a.b/c"), with("git@a.b:c")), (None, None));
        assert!(
            ["https://ann:p@a.b/c", "https://:p@a.b/c", "ssh://git:p@a.b/c"]
                .iter()
                .all(|url| refuse_password(url).is_err())
        );
        assert!(
            ["https://ann@a.b/c", "git@a.b:c", "ssh://git@a.b:22/c"].iter().all(|url| refuse_password(url).is_ok())
        );
        assert_eq!(print::url_without_password("https://ann:p@a.b/c@d"), "https://a.b/c@d");
        assert_eq!(print::url_without_password("git@a.b:c"), "git@a.b:c");
    }
}

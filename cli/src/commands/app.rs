//! `apps`. Source of calls and texts: drycc-v2.md §2.2 and §6.2.

use std::process::{Command, Stdio};

use serde_json::{Value, json};
use slipway_wire::drycc_v2::{App, Page, RunResult};

use super::confirm::Doomed;
use super::session::{self, Talk};
use super::{domain, heading, ps, remote, setting, volume};
use crate::context::{Context, app_path};
use crate::error::{Error, Result};
use crate::{git, print, program};

/// Creates an app, and a git remote for it when `remote` names one and there is a repository.
pub async fn create(cx: &Context, name: Option<&str>, remote: Option<&str>, buildpack: Option<&str>) -> Result {
    let api = cx.api()?;
    let name = name.or(cx.app_flag());
    let progress = cx.progress("Creating Application...")?;
    let answer = match name {
        Some(name) => api.post("/v2/apps/", &json!({"id": name})).await?,
        None => api.post_empty("/v2/apps/").await?,
    };
    let app: App = answer.json()?;
    progress.done(&format!("done, created {}", app.id))?;
    cx.show(&answer, || Ok(()))?;
    if let Some(url) = buildpack {
        api.post(&app_path(&app.id, "config/"), &json!({"values": {"BUILDPACK_URL": url}})).await?;
    }
    let Some(remote) = remote else {
        if program::current().is_upstream() && !cx.is_json {
            let program = program::current().name();
            print::line(format_args!(
                "If you want to add a git remote for this app later, use `{program} git:remote -a {}`",
                app.id
            ))?;
        }
        return Ok(());
    };
    if !git::is_repository() {
        return Ok(());
    }
    let url = remote::repository(&api, &app.id).await?;
    match git::remotes().into_iter().find(|known| known.name == remote) {
        None => {
            git::remote_add(remote, &url)?;
            if !cx.is_json {
                print::line(format_args!("Git remote {remote} successfully created for app {}.", app.id))?;
            }
        }
        Some(known) if known.url == url => {}
        Some(_) if program::current().is_upstream() => {
            let program = program::current().name();
            return Err(Error::new(format!(
                "A git remote with the name {remote} already exists. To overwrite this remote run:\n\
                 {program} git:remote --force --remote {remote} --app {}",
                app.id
            )));
        }
        Some(known) => {
            print::warning(format_args!("The git remote {remote} stays as it is: {}", known.url));
            print::warning(format_args!(
                "To point it to the new app: {} git:remote -f -r {remote} -a {}",
                program::current().name(),
                app.id
            ));
        }
    }
    Ok(())
}

/// Lists apps.
pub async fn list(cx: &Context, limit: Option<u32>) -> Result {
    let answer = cx.api()?.get(&format!("/v2/apps/?limit={}", cx.limit(limit))).await?;
    cx.show(&answer, || {
        let page: Page<App> = answer.json()?;
        print::line(heading("Apps", page.results.len(), page.count))?;
        page.results.iter().try_for_each(|app| print::line(&app.id))
    })
}

/// Shows an app and its processes.
pub async fn info(cx: &Context) -> Result {
    let api = cx.api()?;
    let name = cx.app()?;
    let answer = api.get(&app_path(&name, "")).await?;
    if cx.is_json {
        return cx.show(&answer, || Ok(()));
    }
    let app: App = answer.json()?;
    let mut url = remote::app_url(&api, &app).await?;
    if program::current().is_upstream() {
        // Scripts put the scheme in front of it.
        url = url.trim_start_matches("http://").to_owned();
    }
    print::line(format_args!("=== {} Application", app.id))?;
    for (name, value) in [
        ("updated:", &app.updated),
        ("uuid:", &app.uuid),
        ("created:", &app.created),
        ("url:", &url),
        ("owner:", &app.owner),
        ("id:", &app.id),
    ] {
        print::line(format_args!("{name:9} {value}"))?;
    }
    print::line("")?;
    ps::show(&app.id, &ps::fetch(&api, &app.id).await?.json()?)?;
    print::line("")?;
    domain::list(cx, None).await?;
    print::line("")?;
    setting::label_list(cx).await?;
    print::line("")
}

/// Opens an app in a browser, or says where it is.
pub async fn open(cx: &Context) -> Result {
    let api = cx.api()?;
    let app: App = api.get(&app_path(&cx.app()?, "")).await?.json()?;
    let url = remote::app_url(&api, &app).await?;
    if cx.is_json {
        return print::json(&json!({"url": url}));
    }
    let opener: &[&str] = if cfg!(windows) {
        // The shell's `start` would read the address as its own language.
        &["rundll32", "url.dll,FileProtocolHandler"]
    } else if cfg!(target_os = "macos") {
        &["open"]
    } else {
        &["xdg-open"]
    };
    let opened = Command::new(opener[0])
        .args(&opener[1..])
        .arg(&url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if opened { print::line(format_args!("Opening {url}")) } else { print::line(url) }
}

/// Runs a one-off process and ends with its exit code.
pub async fn run(cx: &Context, command: &[String], has_input: bool, has_terminal: bool, mounts: &[String]) -> Result {
    let api = cx.api()?;
    let command = command_line(command);
    let app = cx.app()?;
    let path = app_path(&app, "run");
    if has_input || has_terminal {
        return session::talk(cx, &path, Value::String(command), Talk::asked(has_input, has_terminal)).await;
    }
    let running = format!("Running '{command}'...");
    match program::current().is_upstream() {
        _ if cx.is_json => {}
        // What scripts of upstream's take from stdout begins with it.
        true => print::line(running)?,
        false => print::note(running),
    }
    let mut body = json!({"command": command});
    if !mounts.is_empty() {
        body["volumes"] = volume::mounts(&api, &app, mounts).await?.into();
    }
    let answer = api.post(&path, &body).await?;
    let result: RunResult = answer.json()?;
    if cx.is_json {
        cx.show(&answer, || Ok(()))?;
    } else if result.exit_code == 0 {
        print::raw(result.output.as_bytes())?;
    } else {
        print::raw_to_stderr(result.output.as_bytes());
    }
    if result.exit_code == 0 { Ok(()) } else { Err(Error::Exit(result.exit_code)) }
}

/// Begins a one-off process that goes on by itself; its output is in the app's log.
pub async fn run_detached(cx: &Context, command: &[String], mounts: &[String]) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let command = command_line(command);
    let mut body = json!({"command": command, "detach": true});
    if !mounts.is_empty() {
        body["volumes"] = volume::mounts(&api, &app, mounts).await?.into();
    }
    let answer = api.post(&app_path(&app, "run"), &body).await?;
    cx.show(&answer, || {
        let process = answer.json::<RunResult>()?.output;
        print::line(format_args!("Running '{command}' in {process}"))?;
        print::note(format_args!("Its output is in `slipway logs --follow --type run -a {app}`."));
        Ok(())
    })
}

/// One word is a line for the app's shell; several are made into a line of which the shell makes the same words again.
/// For upstream's client they are the line as they are: `deis run ls '&&' pwd` is two commands.
fn command_line(words: &[String]) -> String {
    let words = if words.first().is_some_and(|word| word == "--") { &words[1..] } else { words };
    match words {
        _ if program::current().is_upstream() => words.join(" "),
        [line] => line.clone(),
        _ => words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "),
    }
}

fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Destroys an app, after asking.
pub async fn destroy(cx: &Context, confirm: Option<&str>) -> Result {
    let api = cx.api()?;
    let name = cx.app()?;
    if confirm.is_none() && print::has_person() {
        // Asked before anything else, so that nobody types the name of an app that is not there.
        api.get(&app_path(&name, "")).await?;
    }
    Doomed { what: "application", title: "App", name: &name }.confirm(confirm)?;
    let url = remote::repository(&api, &name).await.ok();
    let progress = cx.progress_below(&format!("Destroying {name}..."))?;
    api.delete(&app_path(&name, "")).await?;
    progress.done_in()?;
    let is_upstream = program::current().is_upstream();
    if is_upstream && cx.app_flag().is_some() {
        // With the app's name given, upstream's client leaves the repository alone.
        return Ok(());
    }
    let mut is_told = false;
    for known in git::remotes() {
        let is_its = url.as_deref() == Some(known.url.as_str());
        if is_its || (known.name == git::remote_name() && known.app().as_deref() == Some(name.as_str())) {
            git::remote_remove(&known.name)?;
            if is_upstream && !std::mem::replace(&mut is_told, true) && !cx.is_json {
                print::line(format_args!("Git remotes for app {name} removed."))?;
            } else if !is_upstream && !cx.is_json {
                print::line(format_args!("Git remote {} for app {name} removed.", known.name))?;
            }
        }
    }
    Ok(())
}

/// Gives an app to somebody else.
pub async fn transfer(cx: &Context, user: &str) -> Result {
    let api = cx.api()?;
    let name = cx.app()?;
    let progress = cx.progress(&format!("Transferring {name} to {user}..."))?;
    api.post(&app_path(&name, ""), &json!({"owner": user})).await?;
    progress.done("done")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_a_line() {
        for (words, want) in [
            (vec!["echo out; exit 3"], "echo out; exit 3"),
            (vec!["python", "-c", "print('a b')"], r"python -c 'print('\''a b'\'')'"),
            (vec!["--", "ls", "-l"], "ls -l"),
            (vec!["echo", "", "$HOME"], "echo '' '$HOME'"),
            (vec!["echo", "grüße"], "echo grüße"),
        ] {
            let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
            assert_eq!(command_line(&words), want);
        }
    }
}

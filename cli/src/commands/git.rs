//! `git`: remotes of the repository around the working directory.

use super::remote;
use crate::context::{Context, app_path};
use crate::error::{Error, Result};
use crate::{git, print, program};

/// Adds a remote for the app.
pub async fn remote(cx: &Context, name: &str, force: bool) -> Result {
    if !git::is_repository() {
        return Err(Error::new("this folder is in no git repository").hint("make one with `git init`"));
    }
    let app = cx.app()?;
    let api = cx.api()?;
    // A remote for an app that is not there would only fail at the push; and the name may just be this folder's. Scripts of
    // upstream's may create the app later.
    if !program::current().is_upstream() {
        api.get(&app_path(&app, "")).await?;
    }
    let url = remote::repository(&api, &app).await?;
    match git::remotes().into_iter().find(|known| known.name == name) {
        None => git::remote_add(name, &url)?,
        Some(known) if known.url == url => {
            return print::line(format_args!(
                "Remote {name} already exists and is correctly configured for app {app}."
            ));
        }
        Some(_) if force => {
            if program::current().is_upstream() {
                print::line(format_args!("Deleting git remote {name}."))?;
            }
            git::remote_set(name, &url)?;
        }
        Some(known) if program::current().is_upstream() => {
            return Err(Error::new(format!(
                "Remote {name} already exists, please run '{} git:remote -f' to overwrite\n\
                 Existing remote URL: {}\nWhen forced, will overwrite with: {url}",
                program::current().name(),
                known.url
            )));
        }
        Some(known) => {
            return Err(Error::new(format!("Remote {name} already exists: {}", known.url)).hint(format!(
                "replace it with `slipway git:remote -f -r {name} -a {app}`, or give another name with -r"
            )));
        }
    }
    print::line(format_args!("Git remote {name} successfully created for app {app}."))
}

/// Removes the remotes that lead to the app; only that of one name, if one is given.
pub async fn remove(cx: &Context, name: Option<&str>) -> Result {
    let app = cx.app()?;
    let url = remote::repository(&cx.api()?, &app).await?;
    let mut removed = Vec::new();
    for known in git::remotes().into_iter().filter(|known| name.is_none_or(|name| known.name == name)) {
        if known.url == url || (known.name == git::remote_name() && known.app().as_deref() == Some(app.as_str())) {
            git::remote_remove(&known.name)?;
            removed.push(known.name);
        }
    }
    if program::current().is_upstream() {
        return match removed.as_slice() {
            [] => Err(Error::new("Could not find remote matching app in 'git remote -v'")),
            _ => print::line(format_args!("Git remotes for app {app} removed.")),
        };
    }
    if removed.is_empty() {
        let which = name.map(|name| format!(" {name}")).unwrap_or_default();
        return Err(Error::new(format!("no git remote{which} leads to app {app}")));
    }
    print::line(format_args!("Git remotes for app {app} removed: {}.", removed.join(", ")))
}

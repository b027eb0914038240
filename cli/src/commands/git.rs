//! `git`: remotes of the repository around the working directory.

use super::remote;
use crate::context::{Context, app_path};
use crate::error::{Error, Result};
use crate::{git, print};

/// Adds a remote for the app.
pub async fn remote(cx: &Context, name: &str, force: bool) -> Result {
    if !git::is_repository() {
        return Err(Error::new("this folder is in no git repository").hint("make one with `git init`"));
    }
    let app = cx.app()?;
    let api = cx.api()?;
    // A remote for an app that is not there would only fail at the push; and the name may just be this folder's.
    api.get(&app_path(&app, "")).await?;
    let url = remote::repository(&api, &app).await?;
    match git::remotes().into_iter().find(|known| known.name == name) {
        None => git::remote_add(name, &url)?,
        Some(known) if known.url == url => {
            return print::line(format_args!(
                "Remote {name} already exists and is correctly configured for app {app}."
            ));
        }
        Some(_) if force => git::remote_set(name, &url)?,
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
    if removed.is_empty() {
        let which = name.map(|name| format!(" {name}")).unwrap_or_default();
        return Err(Error::new(format!("no git remote{which} leads to app {app}")));
    }
    print::line(format_args!("Git remotes for app {app} removed: {}.", removed.join(", ")))
}

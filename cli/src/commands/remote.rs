//! Where the platform's parts are, as far as the controller tells.

use slipway_client::StatusCode;
use slipway_wire::drycc_v2::{App, Domain, Page, Platform};

use crate::api::Api;
use crate::context::app_path;
use crate::error::{Error, Result};
use crate::git;

/// What the controller says of the platform; nothing for controllers that cannot say.
pub async fn platform(api: &Api) -> Result<Option<Platform>> {
    match api.get("/v2/slipway/").await {
        Ok(answer) => Ok(Some(answer.json()?)),
        Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The address of an app's git repository.
pub async fn repository(api: &Api, app: &str) -> Result<String> {
    let ssh = match platform(api).await?.and_then(|platform| platform.ssh) {
        Some(ssh) if ssh.starts_with(':') => format!("{}{ssh}", host(api)),
        Some(ssh) => ssh,
        None => git::builder_guess(api.client().base())
            .ok_or_else(|| Error::new("it is not known where this platform takes git pushes"))?,
    };
    Ok(git::url(&ssh, app))
}

/// The controller's own host: parts without one are on the same.
fn host(api: &Api) -> String {
    let url = url::Url::parse(api.client().base()).ok();
    url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

/// Where an app answers.
pub async fn app_url(api: &Api, app: &App) -> Result<String> {
    let host = if app.url.is_empty() { first_domain(api, app).await? } else { app.url.clone() };
    let router = platform(api).await?.and_then(|platform| platform.router);
    let port = router.as_deref().and_then(|router| router.rsplit_once(':')).and_then(|(_, port)| port.parse().ok());
    Ok(match port {
        None | Some(80) => format!("http://{host}"),
        Some(443) => format!("https://{host}"),
        Some::<u16>(port) => format!("http://{host}:{port}"),
    })
}

/// The host name of an app whose controller does not tell it: its first domain, completed with the platform's when it has
/// no dot. Source: drycc-v2.md §2.0 and §2.7.
async fn first_domain(api: &Api, app: &App) -> Result<String> {
    let page: Page<Domain> = api.get(&app_path(&app.id, "domains/?limit=1")).await?.json()?;
    let name = page.results.into_iter().next().map_or_else(|| app.id.clone(), |domain| domain.domain);
    let url = url::Url::parse(api.client().base()).ok();
    let platform = url.as_ref().and_then(|url| url.domain()?.split_once('.'));
    Ok(match platform {
        Some((_, platform)) if !name.contains('.') => format!("{name}.{platform}"),
        _ => name,
    })
}

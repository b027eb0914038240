//! `releases`. Source of calls and texts: drycc-v2.md §2.6 and §6.2.

use serde_json::json;
use slipway_wire::drycc_v2::{Page, Release, ReleaseVersion};

use super::heading;
use crate::context::{Context, app_path};
use crate::error::{Error, Result};
use crate::print;

/// Lists releases.
pub async fn list(cx: &Context, limit: Option<u32>) -> Result {
    let api = cx.api()?;
    let app = cx.app()?;
    let answer = api.get(&app_path(&app, &format!("releases/?limit={}", cx.limit(limit)))).await?;
    cx.show(&answer, || {
        let page: Page<Release> = answer.json()?;
        print::line(heading(&format!("{app} Releases"), page.results.len(), page.count))?;
        let rows: Vec<Vec<String>> = page
            .results
            .iter()
            .map(|release| vec![format!("v{}", release.version), release.created.clone(), summary(release)])
            .collect();
        print::table::rows(&rows)
    })
}

/// The summary, with the state where that is not the ordinary one.
fn summary(release: &Release) -> String {
    match release.state.as_str() {
        "succeeded" | "superseded" | "failed" | "" => release.summary.clone(),
        state => format!("{} ({state})", release.summary),
    }
}

/// Shows one release.
pub async fn info(cx: &Context, version: &str) -> Result {
    let number = number(version)?;
    let app = cx.app()?;
    let answer = cx.api()?.get(&app_path(&app, &format!("releases/v{number}/"))).await?;
    cx.show(&answer, || {
        let release: Release = answer.json()?;
        print::line(format_args!("=== {app} Release v{}", release.version))?;
        let mut fields: Vec<(&str, String)> = release.build.into_iter().map(|build| ("build:", build)).collect();
        fields.extend([
            ("config:", release.config),
            ("owner:", release.owner),
            ("created:", release.created),
            ("summary:", release.summary),
            ("updated:", release.updated),
            ("uuid:", release.uuid),
        ]);
        // Upstream's controller knows no states.
        if !release.state.is_empty() {
            fields.push(("state:", release.state));
        }
        if let Some(reason) = release.exception {
            fields.push(("exception:", reason));
        }
        for (name, value) in fields {
            let value = value.replace('\n', &format!("\n{}", " ".repeat(name.len().max(9) + 1)));
            print::line(format!("{name:9} {value}").trim_end())?;
        }
        Ok(())
    })
}

/// Makes a new release of an old one.
pub async fn rollback(cx: &Context, version: Option<&str>) -> Result {
    let number = version.map(number).transpose()?;
    let api = cx.api()?;
    let path = app_path(&cx.app()?, "releases/rollback/");
    let text = number.map_or_else(|| "Rolling back one release...".to_owned(), |n| format!("Rolling back to v{n}..."));
    let progress = cx.progress(&text)?;
    let answer = match number {
        Some(number) => api.post(&path, &json!({"version": number})).await?,
        None => api.post_empty(&path).await?,
    };
    let release: ReleaseVersion = answer.json()?;
    progress.done(&format!("done, v{}", release.version))?;
    cx.show(&answer, || Ok(()))
}

/// The number of a release, written `v2` or `2`.
pub fn number(version: &str) -> Result<u32> {
    let digits = version.strip_prefix('v').unwrap_or(version);
    digits.parse().map_err(|_| Error::new(format!("'{version}' is not in the form 'v#'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_a_v_or_not() {
        for (text, want) in [("v2", Some(2)), ("12", Some(12)), ("v", None), ("vv2", None), ("-1", None), ("2.0", None)]
        {
            assert_eq!(number(text).ok(), want, "{text}");
        }
    }
}

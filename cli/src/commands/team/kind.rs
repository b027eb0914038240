//! What is alike in all commands about things that a team has several of, each with a name of its own.

use serde::de::DeserializeOwned;
use serde_json::Value;
use slipway_client::segment;

use super::{Found, Team, find};
use crate::context::Context;
use crate::error::Result;
use crate::print;

/// What a team has several of.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// One of them: `node`.
    pub one: &'static str,
    /// One of them, above what is shown of it: `Node`.
    pub title: &'static str,
    /// All of them, above their list: `Nodes`.
    pub titles: &'static str,
    /// Where they are in the team, and the command that lists them: `nodes`.
    pub all: &'static str,
}

impl Team {
    /// The one that has this name or id.
    pub async fn one(&self, kind: Kind, named: &str) -> Result<Found> {
        find(&self.api, kind.one, &self.path(kind.all), named, kind.all).await
    }

    /// The path of one, with more behind it.
    pub fn path_of(&self, kind: Kind, found: &Found, rest: &str) -> String {
        self.path(&format!("{}/{}{rest}", kind.all, segment(&found.id)))
    }

    /// Lists all of a kind, a row each.
    pub async fn list<T: DeserializeOwned>(&self, cx: &Context, kind: Kind, row: impl Fn(&T) -> Vec<String>) -> Result {
        let answer = self.api.get(&self.path(kind.all)).await?;
        cx.show(&answer, || {
            let list: Vec<T> = answer.json()?;
            print::line(format_args!("=== {} {}", self.slug, kind.titles))?;
            print::table::rows(&list.iter().map(row).collect::<Vec<_>>())
        })
    }

    /// Shows one: its name, then what `rows` makes of it, a line each. Gives it to whoever has more to show.
    pub async fn info<T: DeserializeOwned>(
        &self,
        cx: &Context,
        kind: Kind,
        named: &str,
        rows: impl FnOnce(&T) -> Vec<(&'static str, String)>,
    ) -> Result<T> {
        let found = self.one(kind, named).await?;
        let answer = self.api.get(&self.path_of(kind, &found, "")).await?;
        let it: T = answer.json()?;
        cx.show(&answer, || {
            print::line(format_args!("=== {} {}", found.name, kind.title))?;
            print::table::pairs(rows(&it))
        })?;
        Ok(it)
    }

    /// Changes one. The call replaces everything, so that what is `kept` of the old is sent once more with what `change`
    /// makes of it.
    pub async fn update(
        &self,
        cx: &Context,
        kind: Kind,
        named: &str,
        kept: &[&str],
        change: impl FnOnce(&mut Value) -> Result,
    ) -> Result {
        let found = self.one(kind, named).await?;
        let path = self.path_of(kind, &found, "");
        let old: Value = self.api.get(&path).await?.json()?;
        let mut body: Value = kept.iter().map(|name| ((*name).to_owned(), old[*name].clone())).collect();
        change(&mut body)?;
        let text = format!("Updating {} {}...", kind.one, found.name);
        cx.work(&text, self.api.put(&path, &body)).await.map(drop)
    }

    /// Removes one.
    pub async fn remove(&self, cx: &Context, kind: Kind, named: &str) -> Result {
        let found = self.one(kind, named).await?;
        let text = format!("Removing {} {} from {}...", kind.one, found.name, self.slug);
        cx.work(&text, self.api.delete(&self.path_of(kind, &found, ""))).await.map(drop)
    }
}

//! `webhooks`. Source of calls: dployr-v1.md §9.3; testing, deliveries and replays are Slipway's own.

use std::time::{Duration, Instant};

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use slipway_client::segment;
use slipway_wire::dployr_v1::{Delivery, Webhook};

use super::{heading, yes_no};
use crate::api::Api;
use crate::args::secret::SecretSource;
use crate::args::webhook::WebhookCommand;
use crate::context::{self, Context};
use crate::error::{Error, Result};
use crate::print;

/// How long the first try of a delivery is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// First pause between two looks; the next are longer, since callers have so many requests an hour.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// Most items that the API gives at once.
const LIMIT_MAX: u32 = 100;

/// Runs a command about webhooks.
pub async fn webhook(cx: &Context, command: WebhookCommand) -> Result {
    match command {
        WebhookCommand::List(limit) => list(cx, limit.limit).await,
        WebhookCommand::Create { url, events, secret_from } => create(cx, &url, &events, secret_from).await,
        WebhookCommand::Info { webhook } => info(cx, &webhook).await,
        WebhookCommand::Test { webhook, no_wait } => test(cx, &webhook, !no_wait).await,
        WebhookCommand::Deliveries { webhook, limit } => deliveries(cx, &webhook, limit.limit).await,
        WebhookCommand::Replay { webhook, delivery, no_wait } => replay(cx, &webhook, &delivery, !no_wait).await,
        WebhookCommand::Remove { webhook } => remove(cx, &webhook).await,
    }
}

/// Items of a list, and how many there are.
fn items<T: serde::de::DeserializeOwned>(page: &Value, name: &str) -> Result<(Vec<T>, u64)> {
    let items = serde_json::from_value(page[name].clone())
        .map_err(|error| Error::caused("the controller's list cannot be read", &error))?;
    Ok((items, page["total"].as_u64().unwrap_or_default()))
}

async fn list(cx: &Context, limit: Option<u32>) -> Result {
    let limit = cx.limit(limit).min(LIMIT_MAX);
    let answer = cx.api()?.get(&format!("/v1/webhooks?limit={limit}")).await?;
    cx.show(&answer, || {
        let (webhooks, count) = items::<Webhook>(&answer.json()?, "webhooks")?;
        print::line(heading("Webhooks", webhooks.len(), count))?;
        let rows: Vec<Vec<String>> = webhooks
            .into_iter()
            .map(|it| {
                let last = it.last_delivery.map_or_else(|| "-".to_owned(), |last| last.status);
                let active = if it.active { last } else { "given up".to_owned() };
                vec![it.id, it.url, events(&it.events), active]
            })
            .collect();
        print::table::rows(&rows)
    })
}

/// The names of events; of many only the first ones.
fn events(names: &[String]) -> String {
    match names {
        [first, second, _, rest @ ..] if !rest.is_empty() => format!("{first},{second},+{}", rest.len() + 1),
        few => few.join(","),
    }
}

async fn create(cx: &Context, url: &str, events: &[String], secret: Option<SecretSource>) -> Result {
    let api = cx.api()?;
    let events: Vec<&str> = if events.is_empty() { vec!["*"] } else { events.iter().map(String::as_str).collect() };
    let mut body = json!({"url": url, "events": events});
    if let Some(source) = secret {
        body["secret"] = context::secret(&source, "secret")?.expose_secret().into();
    }
    let progress = cx.progress(&format!("Adding webhook {url}..."))?;
    let answer = api.post("/v1/webhooks", &body).await?;
    let made: Webhook = answer.json()?;
    progress.done(&format!("done, {}", made.id))?;
    cx.show(&answer, || Ok(()))
}

/// The id of a webhook that is named by id or by address.
async fn find(api: &Api, named: &str) -> Result<String> {
    if !named.contains("://") {
        return Ok(named.to_owned());
    }
    let page: Value = api.get(&format!("/v1/webhooks?limit={LIMIT_MAX}")).await?.json()?;
    let (webhooks, _) = items::<Webhook>(&page, "webhooks")?;
    let bare = |url: &str| url.trim_end_matches('/').to_owned();
    let mut found = webhooks.into_iter().filter(|webhook| bare(&webhook.url) == bare(named));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one.id),
        (Some(_), Some(_)) => Err(Error::new(format!("several webhooks have the address {named}"))
            .hint("name one by its id: `slipway webhooks`")),
        (None, _) => {
            Err(Error::new(format!("no webhook has the address {named}")).hint("`slipway webhooks` lists them"))
        }
    }
}

fn path(id: &str, rest: &str) -> String {
    format!("/v1/webhooks/{}{rest}", segment(id))
}

async fn info(cx: &Context, named: &str) -> Result {
    let api = cx.api()?;
    let answer = api.get(&path(&find(&api, named).await?, "")).await?;
    cx.show(&answer, || {
        let it: Webhook = answer.json()?;
        print::line(format_args!("=== {} Webhook", it.id))?;
        let last = it.last_delivery.map_or_else(
            || "none".to_owned(),
            |last| format!("{} at {} ({})", last.status, last.at, times(last.attempts)),
        );
        print::table::pairs([
            ("url", it.url),
            ("events", it.events.join("\n")),
            ("active", yes_no(it.active)),
            ("signed", yes_no(it.has_secret)),
            ("last delivery", last),
            ("created", it.created_at),
            ("updated", it.updated_at),
        ])
    })
}

fn times(attempts: u32) -> String {
    if attempts == 1 { "1 try".to_owned() } else { format!("{attempts} tries") }
}

async fn deliveries(cx: &Context, named: &str, limit: Option<u32>) -> Result {
    let api = cx.api()?;
    let limit = cx.limit(limit).min(LIMIT_MAX);
    let id = find(&api, named).await?;
    let answer = api.get(&path(&id, &format!("/deliveries?limit={limit}"))).await?;
    cx.show(&answer, || {
        let (deliveries, count) = items::<Delivery>(&answer.json()?, "deliveries")?;
        print::line(heading(&format!("{id} Deliveries"), deliveries.len(), count))?;
        let rows: Vec<Vec<String>> = deliveries
            .into_iter()
            .map(|it| {
                let said = outcome(&it);
                vec![it.id, it.created_at, it.event, it.status, times(it.attempts), said]
            })
            .collect();
        print::table::rows(&rows)
    })
}

/// What the receiver said to the newest try.
fn outcome(delivery: &Delivery) -> String {
    match delivery.log.last() {
        None => String::new(),
        Some(attempt) => match (attempt.status, &attempt.error) {
            (_, Some(error)) => error.clone(),
            (Some(status), None) => format!("HTTP {status}"),
            (None, None) => String::new(),
        },
    }
}

async fn test(cx: &Context, named: &str, is_waiting: bool) -> Result {
    let api = cx.api()?;
    let id = find(&api, named).await?;
    send(cx, &api, &id, "/test", &format!("Testing webhook {id}..."), is_waiting).await
}

async fn replay(cx: &Context, named: &str, delivery: &str, is_waiting: bool) -> Result {
    let api = cx.api()?;
    let id = find(&api, named).await?;
    let rest = format!("/deliveries/{}/replay", segment(delivery));
    send(cx, &api, &id, &rest, &format!("Sending {delivery} again..."), is_waiting).await
}

/// Asks for a delivery, and waits for its first try when that is wanted.
async fn send(cx: &Context, api: &Api, id: &str, rest: &str, text: &str, is_waiting: bool) -> Result {
    let progress = cx.progress(text)?;
    let answer = api.post_empty(&path(id, rest)).await?;
    let asked: Delivery = answer.json()?;
    if !is_waiting {
        progress.done(&format!("asked for, {}", asked.id))?;
        return cx.show(&answer, || Ok(()));
    }
    let tried = first_try(api, id, &asked.id).await?;
    if tried.status == "delivered" {
        progress.done(&format!("done, {}", outcome(&tried)))?;
        return cx.show_value(&tried);
    }
    drop(progress);
    cx.show_value(&tried)?;
    let why = match outcome(&tried) {
        why if why.is_empty() => format!("it was not tried within {} s", PATIENCE.as_secs()),
        why => why,
    };
    let again = tried.next_attempt_at.map_or_else(String::new, |at| format!("; it is tried again at {at}"));
    Err(Error::new(format!("the webhook did not take it: {why}{again}"))
        .hint(format!("`slipway webhooks:deliveries {id}` shows all tries")))
}

async fn first_try(api: &Api, id: &str, delivery: &str) -> Result<Delivery> {
    let started = Instant::now();
    let mut pause = PAUSE_FIRST;
    loop {
        let page: Value = api.get(&path(id, &format!("/deliveries?limit={LIMIT_MAX}"))).await?.json()?;
        let (found, _) = items::<Delivery>(&page, "deliveries")?;
        let found = found.into_iter().find(|known| known.id == delivery);
        let Some(found) = found else { return Err(Error::new("the delivery is gone; was the webhook removed?")) };
        // A try is counted when it begins, and in the log when it has ended.
        if !found.log.is_empty() || found.status != "pending" || started.elapsed() > PATIENCE {
            return Ok(found);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

async fn remove(cx: &Context, named: &str) -> Result {
    let api = cx.api()?;
    let id = find(&api, named).await?;
    let progress = cx.progress(&format!("Removing webhook {id}..."))?;
    api.delete(&path(&id, "")).await?;
    progress.done("done")
}

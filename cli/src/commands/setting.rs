//! `tls`, `maintenance`, `routing`, `whitelist`, `labels`, `autoscale`. Source of calls and texts: drycc-v2.md §2.9,
//! §2.10 and §6.2.

use serde_json::{Map, Value, json};
use slipway_client::Answer;
use slipway_wire::drycc_v2::{Addresses, Settings, Tls};

use crate::args::route::{AllowlistCommand, AutoscaleRule};
use crate::context::{Context, app_path};
use crate::error::{Error, Result};
use crate::print;

/// Shows whether plain requests are sent to HTTPS, and whether the platform gets certificates by itself.
pub async fn tls_info(cx: &Context) -> Result {
    let app = cx.app()?;
    let answer = cx.api()?.get(&app_path(&app, "tls/")).await?;
    cx.show(&answer, || {
        let tls: Tls = answer.json()?;
        let said = |switch: Option<bool>| switch.map_or_else(|| "not set".to_owned(), |is_on| is_on.to_string());
        print::line(format_args!("=== {app} TLS"))?;
        print::line(format_args!("HTTPS Enforced: {}", said(tls.https_enforced)))?;
        // Controllers from before 2020 do not know the field.
        if answer.json::<Value>()?.get("certs_auto_enabled").is_some() {
            print::line(format_args!("Certs Auto Enabled: {}", said(tls.certs_auto_enabled)))?;
        }
        Ok(())
    })
}

/// Says whether plain requests are sent to HTTPS.
pub async fn tls_set(cx: &Context, is_enforced: bool) -> Result {
    let app = cx.app()?;
    let text = format!("{} https-only requests for {app}...", if is_enforced { "Enabling" } else { "Disabling" });
    change(cx, &app, "tls/", &text, &json!({"https_enforced": is_enforced})).await
}

/// Says whether the platform gets certificates for the app's domains. Source: drycc-v2.md §2.9.
pub async fn tls_auto(cx: &Context, is_on: bool) -> Result {
    let app = cx.app()?;
    let api = cx.api()?;
    // A controller that does not know the field would take the body for a wish to forget the other one.
    let tls: Value = api.get(&app_path(&app, "tls/")).await?.json()?;
    if tls.get("certs_auto_enabled").is_none() {
        return Err(Error::new("this controller does not get certificates by itself")
            .hint("add one with `slipway certs:add`, and attach it with `slipway certs:attach`"));
    }
    let text = format!("{} certs-auto requests for {app}...", if is_on { "Enabling" } else { "Disabling" });
    change(cx, &app, "tls/", &text, &json!({"certs_auto_enabled": is_on})).await
}

/// Shows whether the app is in maintenance.
pub async fn maintenance_info(cx: &Context) -> Result {
    let (answer, settings) = settings(cx, &cx.app()?).await?;
    let state = if settings.maintenance { "on" } else { "off" };
    cx.show(&answer, || print::line(format_args!("Maintenance mode is {state}.")))
}

/// Puts the app in maintenance or takes it out.
pub async fn maintenance_set(cx: &Context, is_on: bool) -> Result {
    let app = cx.app()?;
    let text = format!("{} maintenance mode for {app}...", if is_on { "Enabling" } else { "Disabling" });
    change(cx, &app, "settings/", &text, &json!({"maintenance": is_on})).await
}

/// Shows whether requests reach the app.
pub async fn routing_info(cx: &Context) -> Result {
    let (answer, settings) = settings(cx, &cx.app()?).await?;
    let state = if settings.routable { "enabled" } else { "disabled" };
    cx.show(&answer, || print::line(format_args!("Routing is {state}.")))
}

/// Says whether requests reach the app.
pub async fn routing_set(cx: &Context, is_routable: bool) -> Result {
    let app = cx.app()?;
    let text = format!("{} routing for {app}...", if is_routable { "Enabling" } else { "Disabling" });
    change(cx, &app, "settings/", &text, &json!({"routable": is_routable})).await
}

/// What the list of addresses that may call is called: in the command that was typed, the controller's path and what is
/// printed alike. Controllers from before November 2020 know the one only, Drycc's later ones the other.
#[derive(Debug, Clone, Copy)]
pub enum ListName {
    /// `whitelist`.
    Whitelist,
    /// `allowlist`.
    Allowlist,
}

impl ListName {
    const fn word(self) -> &'static str {
        match self {
            Self::Whitelist => "whitelist",
            Self::Allowlist => "allowlist",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Whitelist => "Whitelisted",
            Self::Allowlist => "Allowlisted",
        }
    }

    fn path(self, app: &str) -> String {
        app_path(app, &format!("{}/", self.word()))
    }
}

/// Runs a command about the addresses that may call.
pub async fn allowlist(cx: &Context, name: ListName, command: AllowlistCommand) -> Result {
    match command {
        AllowlistCommand::List => allowlist_list(cx, name).await,
        AllowlistCommand::Add { addresses } => allowlist_add(cx, name, &addresses).await,
        AllowlistCommand::Remove { addresses } => allowlist_remove(cx, name, &addresses).await,
    }
}

async fn allowlist_list(cx: &Context, name: ListName) -> Result {
    let app = cx.app()?;
    let answer = cx.api()?.get(&name.path(&app)).await?;
    cx.show(&answer, || {
        let list: Addresses = answer.json()?;
        print::line(format_args!("=== {app} {} Addresses", name.title()))?;
        list.addresses.iter().try_for_each(print::line)
    })
}

async fn allowlist_add(cx: &Context, name: ListName, addresses: &str) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let body = json!({"addresses": addresses_of(addresses)?});
    let progress = cx.progress_below(&format!("Adding {addresses} to {app} {}...", name.word()))?;
    let answer = api.post(&name.path(&app), &body).await?;
    progress.done("done")?;
    cx.show(&answer, || Ok(()))
}

async fn allowlist_remove(cx: &Context, name: ListName, addresses: &str) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let body = json!({"addresses": addresses_of(addresses)?});
    let progress = cx.progress_below(&format!("Removing {addresses} from {app} {}...", name.word()))?;
    api.delete_with(&name.path(&app), &body).await?;
    progress.done("done")
}

fn addresses_of(text: &str) -> Result<Vec<&str>> {
    let addresses: Vec<&str> = text.split(',').map(str::trim).filter(|address| !address.is_empty()).collect();
    if addresses.is_empty() { Err(Error::new("no address was given")) } else { Ok(addresses) }
}

/// Lists labels.
pub async fn label_list(cx: &Context) -> Result {
    let app = cx.app()?;
    let (answer, settings) = settings(cx, &app).await?;
    cx.show(&answer, || {
        print::line(format_args!("=== {app} Label"))?;
        if settings.label.is_empty() {
            return print::line("No labels found.");
        }
        let named: Vec<(String, &String)> =
            settings.label.iter().map(|(key, value)| (format!("{key}:"), value)).collect();
        print::table::pairs(named.iter().map(|(name, value)| (name.as_str(), (*value).clone())))
    })
}

/// Sets labels.
pub async fn label_set(cx: &Context, words: &[String]) -> Result {
    let app = cx.app()?;
    let body = json!({"label": pairs_of(words, is_one_pair, LABEL_FORM)?});
    change(cx, &app, "settings/", &format!("Applying labels on {app}..."), &body).await
}

/// Removes labels.
pub async fn label_unset(cx: &Context, keys: &[String]) -> Result {
    let app = cx.app()?;
    let body = json!({"label": nulls(keys)});
    change(cx, &app, "settings/", &format!("Removing labels on {app}..."), &body).await
}

/// Lists rules of automatic scaling.
pub async fn autoscale_list(cx: &Context) -> Result {
    let app = cx.app()?;
    let (answer, settings) = settings(cx, &app).await?;
    cx.show(&answer, || {
        print::line(format_args!("=== {app} Autoscale\n"))?;
        if settings.autoscale.is_empty() {
            return print::line("No autoscale rules found.");
        }
        for (process_type, rule) in &settings.autoscale {
            print::line(format_args!("--- {process_type}:"))?;
            print::line(format_args!("Min Replicas: {}", rule.min))?;
            print::line(format_args!("Max Replicas: {}", rule.max))?;
            print::line(format_args!("CPU: {}%", rule.cpu_percent))?;
        }
        Ok(())
    })
}

/// Sets a rule of automatic scaling.
pub async fn autoscale_set(cx: &Context, process_type: &str, rule: &AutoscaleRule) -> Result {
    let app = cx.app()?;
    let rule = json!({"min": rule.min, "max": rule.max, "cpu_percent": rule.cpu_percent});
    let text = format!("Applying autoscale settings for process type {process_type} on {app}...");
    change(cx, &app, "settings/", &text, &json!({"autoscale": {(process_type): rule}})).await
}

/// Removes a rule of automatic scaling.
pub async fn autoscale_unset(cx: &Context, process_type: &str) -> Result {
    let app = cx.app()?;
    let text = format!("Removing autoscale for process type {process_type} on {app}...");
    change(cx, &app, "settings/", &text, &json!({"autoscale": {(process_type): null}})).await
}

async fn settings(cx: &Context, app: &str) -> Result<(Answer, Settings)> {
    let answer = cx.api()?.get(&app_path(app, "settings/")).await?;
    let settings = answer.json()?;
    Ok((answer, settings))
}

async fn change(cx: &Context, app: &str, path: &str, text: &str, body: &Value) -> Result {
    let api = cx.api()?;
    let progress = cx.progress(text)?;
    let answer = api.post(&app_path(app, path), body).await?;
    progress.done("done")?;
    cx.show(&answer, || Ok(()))
}

/// `KEY=VALUE` words as a map.
pub fn pairs(words: &[String]) -> Result<Map<String, Value>> {
    let pair = |word: &String| match word.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.into())),
        _ => Err(Error::new(format!("'{word}' does not match the pattern 'key=value', ex: team=web"))),
    };
    words.iter().map(pair).collect()
}

/// `KEY=VALUE` words for which `is_pair` holds as a map. `form` says how words look, behind the first that does not:
/// texts of upstream's client, which its acceptance suite looks for (drycc-v2.md §6.5).
pub fn pairs_of(words: &[String], is_pair: impl Fn(&str, &str) -> bool, form: &str) -> Result<Map<String, Value>> {
    let pair = |word: &String| match word.split_once('=') {
        Some((key, value)) if is_pair(key, value) => Ok((key.to_owned(), value.into())),
        _ => Err(Error::new(format!("{word} {form}"))),
    };
    words.iter().map(pair).collect()
}

const LABEL_FORM: &str = "is invalid, Must be in format key=value\nExamples: team=web tier=front";

/// Whether something is set to something, and no other `=` leaves open to what.
pub fn is_one_pair(key: &str, value: &str) -> bool {
    !key.is_empty() && !value.is_empty() && !value.contains('=')
}

/// Whether a process type can have that name. Source: drycc-v2.md §2.4.
pub fn is_process_type(name: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    name.split('-').all(is_part)
}

/// Keys to be removed as a map.
pub fn nulls(keys: &[String]) -> Map<String, Value> {
    keys.iter().map(|key| (key.clone(), Value::Null)).collect()
}

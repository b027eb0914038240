//! Every example of the published documents of the team API, against what it answers.
//!
//! `examples/team_api.json` holds those of the newer document, bodies to the letter, in an order in which each finds what
//! it is about; `send` is what is sent in place of placeholders, `differs` where the answer has a right to be another.
//! An answer must have every member of the example's, of the same type, or null. `examples/team_api_old.txt` lists the
//! calls of the older document, which has no bodies.

use std::collections::HashMap;

use http::Method;
use serde::Deserialize;
use serde_json::Value;
use slipway_api::route::Generation;

use super::send;
use crate::world::{Database, World, both};

const EXAMPLES: &str = include_str!("../examples/team_api.json");
const OLD: &str = include_str!("../examples/team_api_old.txt");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    method: String,
    path: String,
    query: Option<String>,
    status: u16,
    /// The example's.
    #[serde(default)]
    body: Value,
    /// The example's.
    answer: Option<Value>,
    /// What is sent in its place.
    send: Option<Value>,
    /// Why.
    why: Option<String>,
    /// Identities that later examples use, by JSON pointers into the answer.
    #[serde(default)]
    save: HashMap<String, String>,
    /// JSON pointers into the answer, each with the reason.
    #[serde(default)]
    differs: Vec<(String, String)>,
}

/// Puts what is known into the variables of a text; `None` where something is not known.
fn filled(text: &str, known: &HashMap<String, String>) -> Option<String> {
    let mut text = text.to_owned();
    while let Some((before, rest)) = text.split_once('{') {
        let (name, after) = rest.split_once('}').unwrap();
        text = format!("{before}{}{after}", known.get(name)?);
    }
    Some(text)
}

fn filled_value(value: &Value, known: &HashMap<String, String>) -> Option<Value> {
    Some(match value {
        Value::String(text) => Value::String(filled(text, known)?),
        Value::Array(items) => items.iter().map(|item| filled_value(item, known)).collect::<Option<_>>()?,
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, value)| Some((name.clone(), filled_value(value, known)?)))
                .collect::<Option<_>>()?,
        ),
        other => other.clone(),
    })
}

/// Fails unless `got` has all that `example` has, of the same types.
fn shape(example: &Value, got: &Value, at: &str, differs: &[(String, String)], context: &str) {
    if differs.iter().any(|(own, _)| own == at) || got.is_null() {
        return;
    }
    match (example, got) {
        (Value::Object(example), Value::Object(got)) => {
            for (name, value) in example {
                let at = format!("{at}/{name}");
                if differs.iter().any(|(own, _)| *own == at) {
                    continue;
                }
                let got = got.get(name).unwrap_or_else(|| panic!("{at} is missing: {context}"));
                shape(value, got, &at, differs, context);
            }
        }
        (Value::Array(example), Value::Array(got)) => {
            if let (Some(example), Some(got)) = (example.first(), got.first()) {
                shape(example, got, &format!("{at}/0"), differs, context);
            }
        }
        (Value::String(_), Value::String(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Null, _) => {}
        _ => panic!("{at} is of another type: {context}"),
    }
}

/// Whether there is such a route.
fn is_there(world: &World, method: &str, path: &str) -> bool {
    world.api.table().iter().any(|route| {
        let plain = route.pattern == path || variables_gone(route.pattern) == variables_gone(path);
        route.generation == Generation::Team && route.method == *method && plain
    })
}

/// A path without the names of its variables.
fn variables_gone(path: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part }).collect::<Vec<_>>().join("/")
}

async fn replay(database: Database) {
    let world = World::new(database).await;
    world.web.answer("https://hooks.example.com/a", 200, "ok");
    let examples: Vec<Example> = serde_json::from_str(EXAMPLES).unwrap();
    let fixed = [("teamSlug", "replay"), ("prefix", "shop"), ("name", "web"), ("templateId", "wordpress")];
    let mut known: HashMap<String, String> =
        fixed.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    for example in &examples {
        let Example { method, path, query, status, body, answer, send: sent, why, save, differs } = example;
        assert_eq!(sent.is_some(), why.is_some(), "{method} {path}: what is sent instead has a reason");
        assert!(is_there(&world, method, path), "{method} {path} is not there");
        let sent = filled_value(sent.as_ref().unwrap_or(body), &known);
        let (Some(filled), Some(sent)) = (filled(path, &known), sent) else {
            panic!("{method} {path}: nothing made what it is about");
        };
        let whole = query.as_ref().map_or_else(|| filled.clone(), |query| format!("{filled}?{query}"));
        let reply = send(&world, "owner", method, &whole, sent).await;
        let context = format!("{method} {whole}: {reply:?}");
        assert_eq!(reply.status, *status, "{context}");
        if reply.status < 300 {
            match answer {
                Some(answer) => shape(answer, &reply.json(), "", differs, &context),
                None if reply.status == 204 => assert!(reply.body.is_empty(), "{context}"),
                None => {}
            }
        }
        for (name, pointer) in save {
            let id = reply.json().pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            known.insert(name.clone(), id.unwrap_or_else(|| panic!("{pointer} is missing: {context}")));
        }
    }
    assert!(examples.len() > 80, "{}", examples.len());
}
both!(replay, every_example_of_the_newer_document);

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_the_older_document_is_there() {
    let world = World::new(Database::Sqlite).await;
    super::team(&world, "owner", "acme").await;
    let mut tried = 0;
    for line in OLD.lines() {
        let (method, path) = line.split_once(' ').unwrap();
        assert!(is_there(&world, method, path), "{line} is not there");
        tried += 1;
        let nobody = path.split('/').map(|part| match part {
            "{name}" | "{prefix}" => "shop",
            part if part.starts_with('{') => "00000000-0000-4000-8000-000000000000",
            part => part,
        });
        let mut whole = nobody.collect::<Vec<_>>().join("/");
        if path.ends_with("/log") || path.ends_with("audit-log") {
            whole.push_str("?skip=0&take=1&from=2020-01-01&to=2120-01-01");
        }
        let is_plain = !path.contains('{');
        let reply = send(&world, "owner", method, &whole, Value::Null).await;
        if method == Method::GET.as_str() && is_plain {
            assert_eq!(reply.status, 200, "{line}: {reply:?}");
        } else {
            assert!(reply.status < 500 && reply.status != 405, "{line}: {reply:?}");
        }
    }
    assert!(tried > 80, "{tried}");
}

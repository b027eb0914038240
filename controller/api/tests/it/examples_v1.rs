//! Every example request of the published document of the Deis API 1.0, in its order, against what it answers.
//!
//! `examples/deis_v1.json` holds them as they stand there, bodies to the letter. What an example takes for granted is
//! made by the requests of `prepare`; where the contract overrules the document, `overruled` says how and why. Beside
//! that an answer must have the fields of the example, no others, and their values; identities, times and tokens are
//! compared by their form.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::world::{Call, Database, Reply, World, both};

const EXAMPLES: &str = include_str!("examples/deis_v1.json");
/// Not the document's own, which has a domain below it, and that later versions reserve.
const DOMAIN: &str = "example.net";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    name: String,
    /// Requests that make what the example takes for granted: method, path, body.
    #[serde(default)]
    prepare: Vec<Vec<Value>>,
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    #[serde(default)]
    authorized: bool,
    body: Option<String>,
    /// What the body ought to be, and why: the document's is refused then.
    corrected: Option<(String, String)>,
    status: u16,
    #[serde(default)]
    answer_headers: BTreeMap<String, String>,
    answer: Option<Value>,
    /// By header or JSON pointer: what is instead, and why.
    #[serde(default)]
    overruled: BTreeMap<String, (Value, String)>,
    #[serde(default)]
    after: Vec<Vec<Value>>,
}

fn is_form(form: &str, value: &Value) -> bool {
    value.as_str().is_some_and(|text| regex::Regex::new(form).unwrap().is_match(text))
}

fn differences(at: &str, expect: &Value, found: &Value, example: &Example, wrong: &mut Vec<String>) {
    let expect = example.overruled.get(at).map_or(expect, |(value, _)| value);
    let is_good = match (at.rsplit('/').next().unwrap_or_default(), expect, found) {
        ("created" | "updated", ..) => is_form(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dUTC$", found),
        ("last_login" | "date_joined", ..) => is_form(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", found),
        ("uuid" | "build" | "config", Value::String(_), _) => {
            is_form("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", found)
        }
        ("token", ..) => is_form("^[0-9a-f]{40}$", found),
        ("public", ..) => is_form("^ssh-ed25519 ", found),
        ("url", Value::String(url), _) => *found == json!(url.replace("example.com", DOMAIN)),
        (_, Value::Object(expect), Value::Object(found)) => {
            for (name, value) in expect {
                match found.get(name) {
                    Some(found) => differences(&format!("{at}/{name}"), value, found, example, wrong),
                    None => wrong.push(format!("{at}/{name} is missing")),
                }
            }
            found.keys().all(|name| expect.contains_key(name))
        }
        (_, Value::Array(expect), Value::Array(found)) => {
            for (place, (value, found)) in expect.iter().zip(found).enumerate() {
                differences(&format!("{at}/{place}"), value, found, example, wrong);
            }
            expect.len() == found.len()
        }
        // The first line of a log that goes on.
        ("", Value::String(part), Value::String(text)) => text.contains(part.as_str()),
        (_, expect, found) => expect == found,
    };
    if !is_good {
        wrong.push(format!("{at} should be {expect} and is {found}"));
    }
}

fn check(example: &Example, reply: &Reply) -> Vec<String> {
    let mut wrong = Vec::new();
    if reply.status != example.status {
        wrong.push(format!("the status should be {}", example.status));
    }
    for (name, value) in &example.answer_headers {
        let value = match example.overruled.get(name) {
            Some((value, _)) => value.as_str().unwrap(),
            None => value,
        };
        let found = reply.header(name).unwrap_or_default();
        // A media type may have parameters.
        if found != value && !(name == "content-type" && found.split(';').next() == Some(value)) {
            wrong.push(format!("{name} should be {value} and is {found}"));
        }
    }
    match &example.answer {
        Some(answer) => {
            let found = serde_json::from_str(&reply.body).unwrap_or(Value::Null);
            differences("", answer, &found, example, &mut wrong);
        }
        None if reply.body.is_empty() => {}
        None => wrong.push("there should be no body".to_owned()),
    }
    assert!(example.overruled.values().all(|(_, why)| !why.is_empty()), "{}: say why", example.name);
    wrong
}

/// Puts in the key that the document leaves out, another one in each request.
fn filled(body: &str, number: usize) -> String {
    body.replace("ssh-rsa <...>", &World::public_key(number))
}

async fn authorized<'a>(world: &'a World, method: &str, path: &str) -> Call<'a> {
    let body = json!({"username": "test", "password": "opensesame"});
    let reply = world.request("POST", "/v1/auth/login/").json_body(&body).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let token = reply.json()["token"].as_str().unwrap().to_owned();
    world.request(method, path).header("authorization", &format!("token {token}"))
}

async fn step(world: &World, step: &[Value], number: usize) {
    let (method, path) = (step[0].as_str().unwrap(), step[1].as_str().unwrap());
    let call =
        if path.contains("/auth/") { world.request(method, path) } else { authorized(world, method, path).await };
    let reply = match step.get(2) {
        Some(body) => call.text_body(filled(&body.to_string(), number)).send().await,
        None => call.send().await,
    };
    assert!(reply.status < 300, "{step:?}: {reply:?}");
}

pub async fn replay(database: Database) {
    let examples: Vec<Example> = serde_json::from_str(EXAMPLES).unwrap();
    assert_eq!(examples.len(), 30, "an example of the document is missing");
    let world = World::bare(database, DOMAIN).await;
    world.engine.script_run("echo hi", Ok((0, "hi".to_owned())));
    let mut wrong = Vec::new();
    for (index, example) in examples.iter().enumerate() {
        let number = 10 * index;
        for prepare in &example.prepare {
            step(&world, prepare, number).await;
        }
        let send = async |body: Option<&str>| {
            let mut call = if example.authorized {
                authorized(&world, &example.method, &example.path).await
            } else {
                world.request(&example.method, &example.path)
            };
            call = call.header("host", "deis.example.com");
            for (name, value) in &example.headers {
                call = call.header(name, value);
            }
            match body {
                // Without a content type where the document has none.
                Some(body) => call.body(filled(body, number + 1)).send().await,
                None => call.send().await,
            }
        };
        let reply = match &example.corrected {
            Some((body, why)) => {
                let refused = send(example.body.as_deref()).await;
                assert_eq!(refused.status, 400, "{}: {why}: {refused:?}", example.name);
                send(Some(body)).await
            }
            None => send(example.body.as_deref()).await,
        };
        for reason in check(example, &reply) {
            wrong.push(format!("{}: {reason}\n  {} {}", example.name, reply.status, reply.body));
        }
        for after in &example.after {
            step(&world, after, number + 2).await;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

both!(replay, every_example_of_the_document_is_answered_as_it_says);

//! Every example request of the published documents of API 2.0 – 2.3, in their order, against what they answer.
//!
//! `examples/drycc_v2.json` holds each once, with the versions that have it. What an example takes for granted is made
//! by the requests of `prepare`; where the contract overrules the document, `overruled` says how and why. Beside that,
//! an answer must have every field of the example with its value; identities, times, tokens and names of processes
//! are compared by their form.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::world::{Call, Database, Reply, World, both};

const EXAMPLES: &str = include_str!("examples/drycc_v2.json");
const CERTIFICATE: &str = include_str!("examples/bar.com.pem");
const KEY: &str = include_str!("examples/bar.com.key");
/// Not the documents' own: they have the domain `example.example.com` below theirs, which later versions reserve.
const DOMAIN: &str = "example.net";
const USER: &str = "test";

/// One example.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    name: String,
    versions: Vec<String>,
    /// Users who must be there.
    #[serde(default)]
    users: Vec<String>,
    /// Requests that make what the example takes for granted; refusals do not matter.
    #[serde(default)]
    prepare: Vec<Vec<Value>>,
    method: String,
    path: String,
    #[serde(default, rename = "path_why")]
    _path_why: Option<String>,
    #[serde(default = "no_query")]
    queries: Vec<String>,
    content_type: Option<String>,
    #[serde(default)]
    anonymous: bool,
    /// The bodies it is sent with, one after the other: with and without what is optional.
    #[serde(default = "no_body")]
    bodies: Vec<Value>,
    #[serde(default, rename = "body_why")]
    _body_why: Option<String>,
    status: u16,
    /// The release header, in the versions that have it.
    release: Option<String>,
    answer: Option<Value>,
    #[serde(default, rename = "answer_why")]
    _answer_why: Option<String>,
    #[serde(default)]
    overruled: Vec<Overruled>,
    /// The same for one of `bodies`, by its index.
    #[serde(default)]
    overruled_by_body: std::collections::BTreeMap<usize, Vec<Overruled>>,
    #[serde(default)]
    after: Vec<Vec<Value>>,
}

fn no_query() -> Vec<String> {
    vec![String::new()]
}

fn no_body() -> Vec<Value> {
    vec![Value::Null]
}

/// Where the contract says otherwise.
#[derive(Deserialize, Clone)]
struct Overruled {
    /// `status`, `release`, or a JSON pointer into the body.
    at: String,
    is: Expect,
    why: String,
}

#[derive(Deserialize, Clone)]
#[serde(rename_all = "snake_case")]
enum Expect {
    Equals(Value),
    Matches(String),
    Contains(String),
    Absent,
    Uuid,
}

impl Expect {
    /// What is wrong with what was found, if anything is.
    fn check(&self, found: Option<&Value>) -> Result<(), String> {
        let text = || found.and_then(Value::as_str).unwrap_or_default();
        let is_good = match self {
            Self::Equals(value) => found == Some(value),
            Self::Matches(form) => is_form(form, text()),
            Self::Contains(part) => text().contains(part.as_str()),
            Self::Absent => found.is_none(),
            Self::Uuid => is_uuid(text()),
        };
        if is_good { Ok(()) } else { Err(format!("overruled, but is {found:?}")) }
    }
}

fn is_form(form: &str, text: &str) -> bool {
    regex::Regex::new(form).unwrap().is_match(text)
}

fn is_uuid(text: &str) -> bool {
    text.parse::<uuid::Uuid>().is_ok()
}

/// Compares an answer with the example's, field by field.
fn differences(at: &str, expect: &Value, found: &Value, overruled: &[Overruled], wrong: &mut Vec<String>) {
    if overruled.iter().any(|one| one.at == at) {
        return;
    }
    let key = at.rsplit('/').next().unwrap_or_default();
    let text = found.as_str().unwrap_or_default();
    let is_good = match (key, expect, found) {
        ("uuid" | "build" | "config", Value::String(_), _) => is_uuid(text),
        ("created" | "updated" | "started" | "date_joined" | "last_login", _, _) => {
            is_form(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", text)
        }
        ("token", _, _) => is_form("^[0-9a-f]{40}$", text),
        ("id", Value::Number(_), found) => found.as_i64().is_some_and(|id| id > 0),
        ("name", Value::String(name), _) if name.starts_with("go-v2-web-") => is_form("^example-go-web-", text),
        ("url", Value::String(url), _) => text == url.replace("example.com", DOMAIN),
        (_, Value::Object(expect), Value::Object(found)) => {
            for (name, value) in expect {
                let at = format!("{at}/{name}");
                match found.get(name) {
                    Some(found) => differences(&at, value, found, overruled, wrong),
                    None if overruled.iter().any(|one| one.at == at) => {}
                    None => wrong.push(format!("{at} is missing")),
                }
            }
            true
        }
        (_, Value::Array(expect), Value::Array(found)) => {
            for (place, (value, found)) in expect.iter().zip(found).enumerate() {
                differences(&format!("{at}/{place}"), value, found, overruled, wrong);
            }
            expect.len() == found.len()
        }
        (_, expect, found) => expect == found,
    };
    if !is_good {
        wrong.push(format!("{at} should be {expect} and is {found}"));
    }
}

/// The person of the examples.
struct Person<'a> {
    world: &'a World,
}

impl Person<'_> {
    /// The token, asked for each time: examples replace it. The password is one of those that they set.
    async fn token(&self) -> String {
        for password in ["opensesame", "foo", "bar"] {
            let body = json!({"username": USER, "password": password});
            let reply = self.world.request("POST", "/v2/auth/login/").json_body(&body).send().await;
            if reply.status == 200 {
                return reply.json()["token"].as_str().unwrap().to_owned();
            }
        }
        panic!("{USER} cannot log in");
    }

    async fn call(&self, method: &str, path: &str, is_anonymous: bool) -> Call<'_> {
        let request = self.world.request(method, path).header("host", "drycc.example.com");
        if is_anonymous {
            return request;
        }
        request.header("authorization", &format!("token {}", self.token().await))
    }

    /// A request that prepares for an example.
    async fn send(&self, step: &[Value]) {
        let (method, path) = (step[0].as_str().unwrap(), step[1].as_str().unwrap());
        let call = self.call(method, path, path == "/v2/auth/register/").await;
        let reply = match step.get(2) {
            Some(body) => call.json_body(&filled(body)).send().await,
            None => call.send().await,
        };
        assert!(reply.status < 500, "{step:?}: {reply:?}");
    }
}

/// Puts in what the documents leave out.
fn filled(body: &Value) -> Value {
    match body {
        Value::String(text) => match text.as_str() {
            "CERTIFICATE" => json!(CERTIFICATE),
            "KEY" => json!(KEY),
            "PUBLIC1" => json!(World::public_key(1)),
            "PUBLIC2" => json!(World::public_key(2)),
            text => json!(text),
        },
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.clone(), filled(value))).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

fn check(example: &Example, index: usize, reply: &Reply) -> Vec<String> {
    let mut overruled = example.overruled.clone();
    overruled.extend(example.overruled_by_body.get(&index).into_iter().flatten().cloned());
    let body = serde_json::from_str(&reply.body).unwrap_or_else(|_| json!(reply.body));
    let mut wrong = Vec::new();
    for Overruled { at, is, why } in &overruled {
        assert!(!why.is_empty(), "{}: say why {at} is overruled", example.name);
        let found = match at.as_str() {
            "status" => Some(json!(reply.status)),
            "release" => reply.header("X-Drycc-Release").map(|release| json!(release)),
            pointer => body.pointer(pointer).cloned(),
        };
        if let Err(reason) = is.check(found.as_ref()) {
            wrong.push(format!("{at}: {reason} ({why})"));
        }
    }
    let is_overruled = |at: &str| overruled.iter().any(|one| one.at == at);
    if !is_overruled("status") && reply.status != example.status {
        wrong.push(format!("status should be {}", example.status));
    }
    if !is_overruled("release") && example.release.as_deref() != reply.header("X-Drycc-Release") {
        // Later versions do not have it, and do not mind it.
        if example.release.is_some() || !example.versions.contains(&"2.1".to_owned()) {
            wrong.push(format!("X-Drycc-Release should be {:?}", example.release));
        }
    }
    match &example.answer {
        Some(answer) => differences("", answer, &body, &overruled, &mut wrong),
        None if reply.body.is_empty() || is_overruled("") => {}
        None => wrong.push("there should be no body".to_owned()),
    }
    for (name, value) in [("DRYCC_API_VERSION", "2.3"), ("DRYCC_PLATFORM_VERSION", "2.3.0")] {
        if reply.header(name) != Some(value) {
            wrong.push(format!("{name} should be {value}"));
        }
    }
    wrong
}

/// The name of a process that runs.
async fn pod(person: &Person<'_>) -> String {
    let reply = person.call("GET", "/v2/apps/example-go/pods/", false).await.send().await;
    reply.json()["results"][0]["name"].as_str().unwrap().to_owned()
}

pub async fn replay(database: Database) {
    let examples: Vec<Example> = serde_json::from_str(EXAMPLES).unwrap();
    let mut replayed = 0;
    for version in ["2.0", "2.1", "2.2", "2.3"] {
        let world = World::bare(database, DOMAIN).await;
        world.engine.script_run("echo hi", Ok((0, "hi\n".to_owned())));
        let person = Person { world: &world };
        let mut wrong = Vec::new();
        for example in examples.iter().filter(|example| example.versions.iter().any(|own| own == version)) {
            replayed += 1;
            for user in &example.users {
                world.user(user).await;
            }
            for step in &example.prepare {
                person.send(step).await;
            }
            for (index, body) in example.bodies.iter().enumerate() {
                for query in &example.queries {
                    let path = if example.path.contains("POD") {
                        example.path.replace("POD", &pod(&person).await)
                    } else {
                        format!("{}{query}", example.path)
                    };
                    let mut call = person.call(&example.method, &path, example.anonymous).await;
                    if let Some(media_type) = &example.content_type {
                        call = call.header("content-type", media_type);
                    }
                    if !body.is_null() {
                        // As a client would without the header, where the document has none.
                        call = call.body(filled(body).to_string());
                    }
                    let reply = call.send().await;
                    for reason in check(example, index, &reply) {
                        wrong.push(format!(
                            "{} {path} with {body}: {reason}\n  {} {}",
                            example.name, reply.status, reply.body
                        ));
                    }
                }
            }
            for step in &example.after {
                person.send(step).await;
            }
        }
        assert!(wrong.is_empty(), "version {version}:\n{}", wrong.join("\n"));
    }
    assert_eq!(replayed, 45 + 45 + 46 + 48, "an example of the documents is missing");
}

both!(replay, every_example_of_the_documents_is_answered_as_they_say);

//! The answers of the API's document: what is read is written again as it was, in the same order of fields.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;

fn check<T: Serialize + DeserializeOwned>(body: &str) {
    let read: T = serde_json::from_str(body).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), body);
}

#[test]
fn bodies_are_as_in_the_document() {
    check::<User>(concat!(
        r#"{"id":1,"last_login":"2014-10-19T22:01:00.601Z","is_superuser":true,"username":"test","first_name":"test","#,
        r#""last_name":"testerson","email":"test@example.com","is_staff":true,"is_active":true,"#,
        r#""date_joined":"2014-10-19T22:01:00.601Z","groups":[],"user_permissions":[]}"#,
    ));
    check::<Page<App>>(concat!(
        r#"{"count":1,"next":null,"previous":null,"results":[{"created":"2014-01-01T00:00:00UTC","id":"example-go","#,
        r#""owner":"test","structure":{"web":2},"updated":"2014-01-01T00:00:00UTC","url":"example-go.example.com","#,
        r#""uuid":"de1bf5b5-4a72-4f94-a10c-d2a3741cdf75"}]}"#,
    ));
    check::<RunResult>(r#"{"rc":0,"output":"hi"}"#);
    check::<RunPair>(r#"[0,"hi\n"]"#);
    check::<Container>(concat!(
        r#"{"owner":"test","app":"example-go","release":"v2","created":"2014-01-01T00:00:00UTC","#,
        r#""updated":"2014-01-01T00:00:00UTC","uuid":"de1bf5b5-4a72-4f94-a10c-d2a3741cdf75","type":"web","num":1,"#,
        r#""state":"up"}"#,
    ));
    check::<Config>(concat!(
        r#"{"owner":"test","app":"example-go","values":{"HELLO":"world"},"memory":{"web":"1G"},"cpu":{"web":512},"#,
        r#""tags":{},"created":"2014-01-01T00:00:00UTC","updated":"2014-01-01T00:00:00UTC","#,
        r#""uuid":"de1bf5b5-4a72-4f94-a10c-d2a3741cdf75"}"#,
    ));
    check::<Domain>(concat!(
        r#"{"app":"example-go","created":"2014-01-01T00:00:00UTC","domain":"example.example.com","owner":"test","#,
        r#""updated":"2014-01-01T00:00:00UTC"}"#,
    ));
    check::<Build>(concat!(
        r#"{"app":"example-go","created":"2014-01-01T00:00:00UTC","dockerfile":"","image":"deis/example-go:latest","#,
        r#""owner":"test","procfile":{},"sha":"","updated":"2014-01-01T00:00:00UTC","#,
        r#""uuid":"de1bf5b5-4a72-4f94-a10c-d2a3741cdf75"}"#,
    ));
    check::<Release>(concat!(
        r#"{"app":"example-go","build":null,"config":"95bd6dea-1685-4f78-a03d-fd7270b058d1","#,
        r#""created":"2014-01-01T00:00:00UTC","owner":"test","summary":"test created initial release","#,
        r#""updated":"2014-01-01T00:00:00UTC","uuid":"de1bf5b5-4a72-4f94-a10c-d2a3741cdf75","version":1}"#,
    ));
    check::<Key>(concat!(
        r#"{"created":"2014-01-01T00:00:00UTC","id":"test@example.com","owner":"test","public":"ssh-rsa <...>","#,
        r#""updated":"2014-01-01T00:00:00UTC","uuid":"de1bf5b5-4a72-4f94-a10c-d2a3741cdf75"}"#,
    ));
    check::<BuildHookResult>(r#"{"release":{"version":3},"domains":["example-go.example.com"]}"#);
}

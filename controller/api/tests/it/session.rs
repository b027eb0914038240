//! Interactive processes over a real WebSocket.

use std::time::Duration;

use serde_json::{Value, json};
use slipway_client::{Client, ClientError, Piece, Socket, StatusCode};
use tokio::time::timeout;

use crate::serve::Server;
use crate::world::{Database, World};

const PATIENCE: Duration = Duration::from_mins(3);

async fn open(world: &World, server: &Server, user: &str, path: &str) -> Result<Socket, ClientError> {
    let client = Client::builder(format!("http://{}", server.addr))
        .token(world.token(user).to_owned().into())
        .http1_only()
        .build()
        .unwrap();
    client.socket(path).await
}

async fn next(socket: &mut Socket) -> Option<(u8, String)> {
    match timeout(PATIENCE, socket.next()).await.expect("a message in time").unwrap() {
        Some(Piece::Binary(bytes)) => Some((bytes[0], String::from_utf8(bytes[1..].to_vec()).unwrap())),
        Some(Piece::Text(text)) => panic!("text came: {text}"),
        None => None,
    }
}

async fn begin(socket: &mut Socket, first: &Value) {
    socket.send(Piece::Text(first.to_string())).await.unwrap();
}

/// A world with an app that runs, and one of its processes.
async fn deployed() -> (World, Server, String, String) {
    let world = World::new(Database::Sqlite).await;
    let server = Server::start(&world).await;
    let app = world.app("owner", &[]).await;
    let body = json!({"image": "example/app:1", "procfile": {"web": "run"}});
    let path = format!("/v2/apps/{app}/builds/");
    assert_eq!(world.request("POST", &path).user("owner").json_body(&body).send().await.status, 201);
    let pods = world.request("GET", &format!("/v2/apps/{app}/pods/")).user("owner").send().await.json();
    let pod = pods["results"][0]["name"].as_str().expect("a process").to_owned();
    (world, server, app, pod)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_reaches_the_process_and_its_exit_code_comes_back() {
    let (world, server, app, pod) = deployed().await;
    for (path, command, shown) in [
        (format!("/v2/apps/{app}/run/"), json!("bash -l"), "bash -l on 100x40"),
        (format!("/v2/apps/{app}/pods/{pod}/exec/"), json!(["ls", "-l"]), "ls -l on 100x40"),
    ] {
        let mut socket = open(&world, &server, "owner", &path).await.unwrap();
        begin(&mut socket, &json!({"command": command, "tty": true, "width": 100, "height": 40})).await;
        assert_eq!(next(&mut socket).await, Some((2, shown.to_owned())));
        socket.send(Piece::Binary(b"\0hello".to_vec())).await.unwrap();
        assert_eq!(next(&mut socket).await, Some((1, "hello".to_owned())));
        socket.send(Piece::Binary(b"\x04{\"width\":10,\"height\":5}".to_vec())).await.unwrap();
        assert_eq!(next(&mut socket).await, Some((1, "10x5".to_owned())));
        socket.send(Piece::Binary(vec![255, 0])).await.unwrap();
        assert_eq!(next(&mut socket).await, Some((3, r#"{"exit_code":7}"#.to_owned())));
        assert_eq!(next(&mut socket).await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_use_the_app_gets_no_socket() {
    let (world, server, app, pod) = deployed().await;
    for path in [format!("/v2/apps/{app}/run/"), format!("/v2/apps/{app}/pods/{pod}/exec/")] {
        let refused = open(&world, &server, "stranger", &path).await.unwrap_err();
        assert_eq!(refused.status(), Some(StatusCode::FORBIDDEN), "{path}");
        let plain = world.request("GET", &path).user("owner").send().await;
        assert_eq!(plain.status, 400, "{plain:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_told_and_end_the_connection() {
    let (world, server, app, pod) = deployed().await;
    let (run, exec) = (format!("/v2/apps/{app}/run/"), format!("/v2/apps/{app}/pods/{pod}/exec/"));
    let gone = format!("/v2/apps/{app}/pods/gone-web-v9-xxxxx/exec/");
    for (path, first, reason) in [
        (&run, "{}".to_owned(), "the first message is not as it should be"),
        (&run, "not JSON".to_owned(), "the first message is not as it should be"),
        (&run, json!({"command": ["a"]}).to_string(), "command must be a line of text"),
        (&run, json!({"command": " "}).to_string(), "command is a required field"),
        (&exec, json!({"command": "a"}).to_string(), "command must be a list of words"),
        (&exec, json!({"command": []}).to_string(), "command is a required field"),
        (&exec, json!({"command": ["a\0"]}).to_string(), "command holds NUL"),
        (&gone, json!({"command": ["a"]}).to_string(), "does not exist"),
    ] {
        let mut socket = open(&world, &server, "owner", path).await.unwrap();
        socket.send(Piece::Text(first.clone())).await.unwrap();
        let (channel, text) = next(&mut socket).await.expect("a reason");
        assert!(channel == 3 && text.contains(reason), "{first}: {text}");
        assert_eq!(next(&mut socket).await, None);
    }
    let mut socket = open(&world, &server, "owner", &run).await.unwrap();
    begin(&mut socket, &json!({"command": "a"})).await;
    assert_eq!(next(&mut socket).await.unwrap().0, 2);
    socket.send(Piece::Binary(vec![9])).await.unwrap();
    assert!(next(&mut socket).await.unwrap().1.contains("on a channel that is not there"));
}

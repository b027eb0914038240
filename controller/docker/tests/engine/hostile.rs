//! Engines that answer what no engine should, and ones that are not there.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{Ssl, SslAcceptor, SslMethod, SslVerifyMode};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use serde_json::json;
use slipway_core::config::SecretText;
use slipway_docker::{DockerEndpoint, DockerNode, DockerSettings};
use slipway_engine::EngineError;
use slipway_engine::testing::container;
use slipway_engine::workload::{ContainerCommand, WorkloadNode, WorkloadSpec};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;

/// Reads a request's head and sends `answer`; with `repeat` its last bytes again and again.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &[u8], is_endless: bool) {
    let mut head = [0; 4096];
    let _ = stream.read(&mut head).await;
    let mut sent = stream.write_all(answer).await;
    while is_endless && sent.is_ok() {
        sent = stream.write_all(&[b'x'; 8192]).await;
    }
    let _ = stream.shutdown().await;
}

/// An engine that says the same to everything. It ends when dropped.
struct Fake {
    node: DockerNode,
    _dir: tempfile::TempDir,
    _serving: JoinSet<()>,
}

fn fake(text: impl Into<Vec<u8>>, is_endless: bool) -> Fake {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    let text: Arc<Vec<u8>> = Arc::new(text.into());
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut all = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let text = Arc::clone(&text);
            all.spawn(async move { answer(stream, &text, is_endless).await });
        }
    });
    Fake { node: node(&socket), _dir: dir, _serving: serving }
}

fn node(socket: &Path) -> DockerNode {
    DockerNode::connect(&DockerEndpoint::Unix(socket.to_owned()), DockerSettings::default()).unwrap()
}

fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn spec() -> WorkloadSpec {
    WorkloadSpec {
        secrets: std::collections::BTreeMap::from([("A".to_owned(), SecretText::new("geheim"))]),
        ..container("web", json!({"volumes": [{"name": "data", "path": "/data"}], "networks": [{"key": "n"}]}))
    }
}

/// Everything that can be asked of a node; the errors.
async fn everything(node: &DockerNode) -> Vec<EngineError> {
    let mut errors = Vec::new();
    errors.extend(node.facts().await.err());
    errors.extend(node.apply(&spec()).await.err());
    errors.extend(node.progress("prod", "web").await.err());
    errors.extend(node.containers(None).await.err());
    errors.extend(node.command("prod", "web", ContainerCommand::Restart).await.err());
    errors.extend(node.delete("prod", "web").await.err());
    errors.extend(node.delete_all("prod").await.err());
    errors.extend(node.secret_keys("prod", "web").await.err());
    errors.extend(node.log("prod", "web", 10, false).await.err());
    node.changed("prod", Duration::from_millis(20)).await;
    errors
}

#[tokio::test]
async fn nonsense_is_an_error_and_no_panic() {
    let labels = r#"{"app.kubernetes.io/managed-by":"slipway","slipway.io/prefix":"prod","slipway.io/container":"web","slipway.io/role":"main","slipway.io/team":"x"}"#;
    let odd = format!(
        r#"{{"Config":{{"Labels":{labels}}},"Labels":{labels},"State":{{"Status":"zombie","StartedAt":"never","ExitCode":-9}},"Name":"{}"}}"#,
        "x".repeat(100_000)
    );
    let answers = [
        String::new(),
        "nonsense".to_owned(),
        http("200 OK", ""),
        http("200 OK", "null"),
        http("200 OK", "[]"),
        http("200 OK", "{}"),
        http("200 OK", "[null, 1, {\"Names\": 5}]"),
        http("200 OK", r#"{"State": 7, "Volumes": "x", "Version": []}"#),
        http("200 OK", &odd),
        http("200 OK", &format!("[{odd}]")),
        http("200 OK", &"[".repeat(100_000)),
        http("204 No Content", ""),
        http("304 Not Modified", ""),
        http("404 Not Found", "not json"),
        http("409 Conflict", r#"{"message": 7}"#),
        http("500 Internal Server Error", r#"{"message": "geheim\u0000\n"}"#),
        http("503 Service Unavailable", ""),
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n".to_owned(),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n".to_owned(),
    ];
    for text in answers {
        let fake = fake(text.clone(), false);
        for error in everything(&fake.node).await {
            assert!(format!("{error} {error:?}").len() < 5000, "{error:?}");
        }
        // The value of a secret of what is applied.
        if let Err(error) = fake.node.apply(&spec()).await {
            assert!(!format!("{error} {error:?}").contains("geheim"), "{error:?}");
        }
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    for head in
        ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n[\"", "HTTP/1.1 500 Oh\r\n\r\n", "HTTP/1.1 200 OK\r\nx: "]
    {
        let fake = fake(head, true);
        let errors = everything(&fake.node).await;
        assert!(errors.len() >= 7, "{head:?}: {errors:?}");
    }
}

#[tokio::test]
async fn a_silent_engine_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let _listener = UnixListener::bind(&socket).unwrap();
    let settings = DockerSettings { call_limit: Duration::from_millis(100), ..DockerSettings::default() };
    let node = DockerNode::connect(&DockerEndpoint::Unix(socket), settings).unwrap();
    let EngineError::Unavailable { public, .. } = node.facts().await.unwrap_err() else { panic!() };
    assert_eq!(public, "the node's engine did not answer in time");
}

#[tokio::test]
async fn an_engine_that_is_away_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir.path().join("none"));
    for error in everything(&node).await {
        let EngineError::Unavailable { public, .. } = error else { panic!("{error:?}") };
        assert_eq!(public, "the node's engine cannot be reached");
    }
}

/// A certificate for `name`, by `authority` or by itself.
fn certificate(name: &str, authority: Option<&(X509, PKey<Private>)>) -> (X509, PKey<Private>) {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(authority.map_or(&*subject, |(issuer, _)| issuer.subject_name())).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    if authority.is_none() {
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    } else {
        let names = SubjectAlternativeName::new().ip("127.0.0.1").build(&builder.x509v3_context(None, None)).unwrap();
        builder.append_extension(names).unwrap();
    }
    builder.sign(authority.map_or(&key, |(_, key)| key), MessageDigest::sha256()).unwrap();
    (builder.build(), key)
}

fn pem(bytes: Result<Vec<u8>, openssl::error::ErrorStack>) -> String {
    String::from_utf8(bytes.unwrap()).unwrap()
}

#[tokio::test]
async fn both_sides_show_certificates_over_the_network() {
    let authority = certificate("authority", None);
    let (server, client) = (certificate("engine", Some(&authority)), certificate("us", Some(&authority)));
    let stranger = certificate("stranger", None);
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    acceptor.set_certificate(&server.0).unwrap();
    acceptor.set_private_key(&server.1).unwrap();
    acceptor.cert_store_mut().add_cert(authority.0.clone()).unwrap();
    acceptor.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    let acceptor = acceptor.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let mut stream = tokio_openssl::SslStream::new(Ssl::new(acceptor.context()).unwrap(), tcp).unwrap();
            if std::pin::Pin::new(&mut stream).accept().await.is_ok() {
                answer(stream, http("200 OK", r#"{"Version": "1.2.3"}"#).as_bytes(), false).await;
            }
        }
    });
    let connect = |authority: &X509, own: &(X509, PKey<Private>), allow_private: bool| {
        let endpoint = DockerEndpoint::Tls {
            address: address.clone(),
            authorities: Some(pem(authority.to_pem())),
            certificate: pem(own.0.to_pem()),
            key: SecretText::new(pem(own.1.private_key_to_pem_pkcs8())),
        };
        DockerNode::connect(&endpoint, DockerSettings { allow_private, ..DockerSettings::default() }).unwrap()
    };
    let facts = connect(&authority.0, &client, true).facts().await.unwrap();
    assert_eq!((facts.version.as_str(), facts.address), ("Docker 1.2.3", Some(address.clone())));
    for (node, what) in [
        (connect(&stranger.0, &client, true), "an engine of another authority"),
        (connect(&authority.0, &stranger, true), "a certificate that the engine does not know"),
        (connect(&authority.0, &client, false), "a private address"),
    ] {
        assert!(matches!(node.facts().await, Err(EngineError::Unavailable { .. })), "{what}");
    }
}

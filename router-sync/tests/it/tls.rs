//! Certificates by name, and both protocols over TLS.

use std::net::SocketAddr;
use std::pin::Pin;

use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode, SslVersion};
use openssl::x509::{X509, X509NameBuilder};
use slipway_core::config::SecretText;
use slipway_engine::route::Certificate;
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use crate::rig::{Rig, Wire, config, mirror, route, within};

async fn rig() -> Rig {
    let mut config = config();
    config.https = Some(([127, 0, 0, 1], 0).into());
    Rig::start(config).await
}

/// A certificate for `hosts` whose subject is `subject`.
fn certificate(subject: &str, hosts: &[&str]) -> Certificate {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    certificate_of(&PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap(), subject, hosts)
}

fn certificate_of(key: &PKey<Private>, subject: &str, hosts: &[&str]) -> Certificate {
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, subject).unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    let digest = if key.id() == Id::ED25519 { MessageDigest::null() } else { MessageDigest::sha256() };
    builder.sign(key, digest).unwrap();
    Certificate {
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        chain_pem: String::from_utf8(builder.build().to_pem().unwrap()).unwrap(),
        key_pem: SecretText::new(String::from_utf8(key.private_key_to_pem_pkcs8().unwrap()).unwrap()),
    }
}

async fn connect(addr: SocketAddr, name: &str, alpn: &[u8]) -> SslStream<TcpStream> {
    let mut connector = SslConnector::builder(SslMethod::tls()).unwrap();
    connector.set_verify(SslVerifyMode::NONE);
    // Clients that take weak certificates are served them.
    connector.set_security_level(1);
    if !alpn.is_empty() {
        connector.set_alpn_protos(alpn).unwrap();
    }
    let ssl = connector.build().configure().unwrap().verify_hostname(false).into_ssl(name).unwrap();
    let mut stream = SslStream::new(ssl, TcpStream::connect(addr).await.unwrap()).unwrap();
    within(Pin::new(&mut stream).connect()).await.unwrap();
    stream
}

fn subject(stream: &SslStream<TcpStream>) -> String {
    let certificate = stream.ssl().peer_certificate().unwrap();
    let name = certificate.subject_name().entries_by_nid(Nid::COMMONNAME).next().unwrap();
    name.data().to_string().unwrap()
}

/// The subject that is served for `name`, once it is `wanted`: certificates are taken over beside the requests.
async fn served(addr: SocketAddr, name: &str, wanted: &str) {
    within(async {
        while subject(&connect(addr, name, b"").await) != wanted {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_name_chooses_the_certificate() {
    let rig = rig().await;
    let addr = rig.tls_addr.unwrap();
    let broken = Certificate {
        hosts: vec!["broken.example.com".to_owned()],
        chain_pem: "nonsense".to_owned(),
        key_pem: SecretText::new("nonsense"),
    };
    let mut mismatched = certificate("mismatched", &["mismatched.example.com"]);
    mismatched.key_pem = certificate("other", &[]).key_pem;
    let certificates = vec![
        broken,
        mismatched,
        certificate("exact", &["a.example.com"]),
        certificate("wild", &["*.example.com", "a.example.com"]),
    ];
    rig.publish(route("app", vec![mirror("web.1").await]), certificates);
    served(addr, "a.example.com", "exact").await;
    served(addr, "A.Example.Com", "exact").await;
    served(addr, "b.example.com", "wild").await;
    for name in ["x.b.example.com", "example.com", "app.localhost"] {
        served(addr, name, "Slipway self-signed").await;
    }
    // Those that cannot be used are as if they were not there.
    served(addr, "mismatched.example.com", "wild").await;
}

#[tokio::test]
async fn one_certificate_may_be_for_all_names_that_have_none() {
    let rig = rig().await;
    let addr = rig.tls_addr.unwrap();
    let certificates = vec![certificate("default", &["*"]), certificate("exact", &["a.example.com"])];
    rig.publish(route("app", vec![mirror("web.1").await]), certificates);
    served(addr, "a.example.com", "exact").await;
    // An address is no name: such clients name no host.
    for name in ["b.example.com", "example.com", "app.localhost", "127.0.0.1"] {
        served(addr, name, "default").await;
    }
}

#[tokio::test]
async fn certificates_change_without_cutting_connections() {
    let rig = rig().await;
    let addr = rig.tls_addr.unwrap();
    let backend = mirror("web.1").await;
    rig.publish(route("app", vec![backend.clone()]), vec![certificate("old", &["app.localhost"])]);
    served(addr, "app.localhost", "old").await;
    let mut wire = Wire::new(connect(addr, "app.localhost", b"\x08http/1.1").await);
    wire.send("GET /1 HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    let answer = wire.answer().await;
    assert_eq!(answer.mirrored("x-forwarded-proto").as_deref(), Some("https"));
    assert_eq!(answer.mirrored("x-forwarded-port"), Some(addr.port().to_string()));

    rig.publish(route("app", vec![backend]), vec![certificate("new", &["app.localhost"])]);
    served(addr, "app.localhost", "new").await;
    wire.send("GET /2 HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    assert!(wire.answer().await.body.starts_with("GET /2 "));
    assert!(rig.log.texts(2).await[0].ends_with(" protocol=https"));
}

#[tokio::test]
async fn keys_of_all_kinds_serve_and_weak_ones_too() {
    let rig = rig().await;
    let addr = rig.tls_addr.unwrap();
    let kinds = [
        ("ed25519", PKey::generate_ed25519().unwrap()),
        ("rsa", PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()),
        ("weak", PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap()),
    ];
    let host = |kind: &str| format!("{kind}.example.com");
    let certificates = kinds.iter().map(|(kind, key)| certificate_of(key, kind, &[&host(kind)])).collect();
    rig.publish(route("app", vec![mirror("web.1").await]), certificates);
    for (kind, _) in &kinds {
        served(addr, &host(kind), kind).await;
    }
}

#[tokio::test]
async fn http_2_is_spoken_when_the_client_offers_it() {
    let rig = rig().await;
    let addr = rig.tls_addr.unwrap();
    rig.publish(route("app", vec![mirror("web.1").await]), vec![certificate("app", &["app.localhost"])]);
    served(addr, "app.localhost", "app").await;
    let stream = connect(addr, "app.localhost", b"\x02h2\x08http/1.1").await;
    assert_eq!(stream.ssl().selected_alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, conn) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(conn);
    let requests = (0..20).map(|number| {
        let uri = format!("https://app.localhost/{number}");
        sender.send_request(http::Request::get(uri).body(Empty::<bytes::Bytes>::new()).unwrap())
    });
    for (number, response) in within(futures::future::join_all(requests)).await.into_iter().enumerate() {
        let response = response.unwrap();
        assert!(response.headers().contains_key("x-request-id"));
        let body = within(response.into_body().collect()).await.unwrap().to_bytes();
        assert!(body.starts_with(format!("GET /{number} HTTP/1.1\r\n").as_bytes()));
    }
}

#[tokio::test]
async fn old_protocols_and_plain_text_are_refused() {
    let rig = rig().await;
    let addr = rig.tls_addr.unwrap();
    let mut connector = SslConnector::builder(SslMethod::tls()).unwrap();
    connector.set_verify(SslVerifyMode::NONE);
    connector.set_min_proto_version(Some(SslVersion::TLS1)).unwrap();
    connector.set_max_proto_version(Some(SslVersion::TLS1_1)).unwrap();
    connector.set_cipher_list("ALL:@SECLEVEL=0").unwrap();
    let ssl = connector.build().configure().unwrap().into_ssl("app.localhost").unwrap();
    let mut stream = SslStream::new(ssl, TcpStream::connect(addr).await.unwrap()).unwrap();
    assert!(within(Pin::new(&mut stream).connect()).await.is_err());

    let mut wire = Wire::new(TcpStream::connect(addr).await.unwrap());
    wire.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    let reply = wire.rest().await;
    assert!(!reply.starts_with(b"HTTP"), "{reply:?}");
}

#[tokio::test]
async fn a_client_that_does_not_shake_hands_is_cut() {
    let mut config = config();
    config.https = Some(([127, 0, 0, 1], 0).into());
    config.timeouts.handshake = std::time::Duration::from_millis(100);
    let rig = Rig::start(config).await;
    let mut wire = Wire::new(TcpStream::connect(rig.tls_addr.unwrap()).await.unwrap());
    assert!(wire.is_at_end().await);
}

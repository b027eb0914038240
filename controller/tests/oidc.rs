//! Log-ins at a provider: the whole controller over HTTP, and a little provider with keys of its own, which lies where it
//! is told to.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "these are tests")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64};
use chrono::Utc;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use reqwest::{Client, Response, Url};
use secrecy::SecretString;
use serde_json::{Value, json};
use slipway_controller::{Config, Controller, UpOptions};
use slipway_service::testing::FakeEngine;
use slipway_service::{OidcSettings, RouterEndpoint};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

const CLIENT: &str = "slipway";
const SECRET: &str = "the client's secret";

/// How the provider lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    None,
    /// `alg: none` without a signature.
    Unsigned,
    /// HMAC under the public key, which everybody has.
    PublicKeyAsSecret,
    /// HMAC under the client's secret: not among the ways that are believed.
    ClientSecret,
    /// Another key under the right name.
    OtherKey,
    /// A key that is not in the set.
    UnknownKey,
    NoToken,
    /// The token endpoint refuses.
    RefusedCode,
    /// The token endpoint sends elsewhere, where somebody would give a good token.
    Redirect,
    /// The discovery document is of another issuer.
    OtherIssuer,
    /// The discovery document names a token endpoint elsewhere that is not protected.
    ElsewhereToken,
    /// The same of the keys.
    ElsewhereKeys,
    /// The discovery document is no JSON.
    Nonsense,
}

struct State {
    lie: Lie,
    /// Put over the usual claims; null takes one away.
    claims: Value,
    codes: HashMap<String, (String, String)>,
    given: usize,
    asked: Vec<String>,
}

/// A provider at `issuer`.
struct Provider {
    issuer: String,
    key: PKey<Private>,
    other: PKey<Private>,
    state: Mutex<State>,
}

fn key() -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()
}

impl Provider {
    async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let state = State { lie: Lie::None, claims: json!({}), codes: HashMap::new(), given: 0, asked: Vec::new() };
        let provider = Arc::new(Self { issuer, key: key(), other: key(), state: Mutex::new(state) });
        let own = Arc::clone(&provider);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let own = Arc::clone(&own);
                tokio::spawn(async move { own.serve(stream).await });
            }
        });
        provider
    }

    fn say(&self, lie: Lie, claims: Value) {
        let mut state = self.state.lock().unwrap();
        state.lie = lie;
        state.claims = claims;
    }

    /// What the provider does when somebody logs in there: a code for who asked.
    fn grant(&self, asked: &Url) -> String {
        let query: HashMap<String, String> = asked.query_pairs().into_owned().collect();
        assert_eq!(query["client_id"], CLIENT);
        assert_eq!(query["response_type"], "code");
        assert_eq!(query["code_challenge_method"], "S256");
        assert_eq!(query["scope"], "openid email profile");
        assert!(query["redirect_uri"].ends_with("/api/auth/oidc/callback"), "{asked}");
        assert!(query["state"].len() >= 16 && query["nonce"].len() >= 16);
        let mut state = self.state.lock().unwrap();
        state.given += 1;
        let code = format!("code-{}", state.given);
        state.codes.insert(code.clone(), (query["nonce"].clone(), query["code_challenge"].clone()));
        code
    }

    async fn serve(&self, mut stream: TcpStream) {
        let mut bytes = Vec::new();
        let (head, body) = loop {
            if stream.read_buf(&mut bytes).await.unwrap() == 0 {
                return;
            }
            let text = String::from_utf8(bytes.clone()).unwrap();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
            });
            if body.len() >= length.unwrap_or_default() {
                break (head.to_owned(), body.to_owned());
            }
        };
        let (status, body) = self.answer(&head, &body);
        let more = if status == 302 { format!("location: {}/elsewhere\r\n", self.issuer) } else { String::new() };
        let answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{more}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    }

    fn answer(&self, head: &str, body: &str) -> (u16, String) {
        let line = head.lines().next().unwrap();
        let path = line.split(' ').nth(1).unwrap();
        let mut state = self.state.lock().unwrap();
        state.asked.push(path.to_owned());
        match path {
            "/.well-known/openid-configuration" if state.lie == Lie::Nonsense => (200, "<html>".to_owned()),
            "/.well-known/openid-configuration" => {
                let of = |lie: Lie, path: &str| {
                    let host = if state.lie == lie { "http://192.0.2.1" } else { &self.issuer };
                    format!("{host}{path}")
                };
                let issuer = if state.lie == Lie::OtherIssuer { "https://other.example" } else { &self.issuer };
                let document = json!({
                    "issuer": issuer,
                    "authorization_endpoint": of(Lie::None, "/authorize").replace("http://192.0.2.1", &self.issuer),
                    "token_endpoint": of(Lie::ElsewhereToken, "/token"),
                    "jwks_uri": of(Lie::ElsewhereKeys, "/keys"),
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256", "none", "HS256"],
                });
                (200, document.to_string())
            }
            "/keys" => {
                let rsa = self.key.rsa().unwrap();
                let number = |number: &openssl::bn::BigNumRef| BASE64.encode(number.to_vec());
                let key = json!({
                    "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one", "n": number(rsa.n()), "e": number(rsa.e()),
                });
                (200, json!({ "keys": [key] }).to_string())
            }
            "/token" => {
                if state.lie == Lie::Redirect {
                    return (302, String::new());
                }
                let fields: HashMap<String, String> =
                    url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
                let secret: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
                let basic = format!("basic {}", STANDARD.encode(format!("{CLIENT}:{secret}")));
                let is_client = head.lines().any(|line| {
                    line.split_once(':').is_some_and(|(name, value)| {
                        name.eq_ignore_ascii_case("authorization")
                            && value.trim().split_once(' ').is_some_and(|(scheme, value)| {
                                format!("{} {value}", scheme.to_ascii_lowercase()) == basic
                            })
                    })
                });
                let granted = state.codes.remove(&fields["code"]);
                let Some((nonce, challenge)) = granted.filter(|_| is_client && state.lie != Lie::RefusedCode) else {
                    return (400, json!({"error": "invalid_grant"}).to_string());
                };
                let proof = BASE64.encode(openssl::sha::sha256(fields["code_verifier"].as_bytes()));
                assert_eq!(proof, challenge, "the code was asked for by who has the verifier");
                let mut answer = json!({"access_token": "a", "token_type": "Bearer", "expires_in": 60});
                if state.lie != Lie::NoToken {
                    answer["id_token"] = json!(self.token(&state, &nonce));
                }
                (200, answer.to_string())
            }
            other => (404, json!({ "error": other }).to_string()),
        }
    }

    fn token(&self, state: &State, nonce: &str) -> String {
        let now = Utc::now().timestamp();
        let mut claims = json!({
            "iss": self.issuer, "aud": CLIENT, "sub": "subject-1", "iat": now, "exp": now + 300, "nonce": nonce,
            "email": "ann@example.com", "email_verified": true, "given_name": "Ann", "family_name": "Bell",
        });
        for (name, value) in state.claims.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        let (algorithm, kid) = match state.lie {
            Lie::Unsigned => ("none", "one"),
            Lie::PublicKeyAsSecret | Lie::ClientSecret => ("HS256", "one"),
            Lie::UnknownKey => ("RS256", "two"),
            _ => ("RS256", "one"),
        };
        let header = json!({"alg": algorithm, "typ": "JWT", "kid": kid});
        let text = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
        let sign = |key: &PKey<Private>| {
            let mut signer = Signer::new(MessageDigest::sha256(), key).unwrap();
            signer.sign_oneshot_to_vec(text.as_bytes()).unwrap()
        };
        let signature = match state.lie {
            Lie::Unsigned => Vec::new(),
            Lie::PublicKeyAsSecret => sign(&PKey::hmac(&self.key.public_key_to_pem().unwrap()).unwrap()),
            Lie::ClientSecret => sign(&PKey::hmac(SECRET.as_bytes()).unwrap()),
            Lie::OtherKey | Lie::UnknownKey => sign(&self.other),
            _ => sign(&self.key),
        };
        format!("{text}.{}", BASE64.encode(signature))
    }
}

/// A controller that knows the provider.
struct World {
    url: String,
    provider: Arc<Provider>,
    client: Client,
    shutdown: CancellationToken,
    _dir: TempDir,
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl World {
    async fn start(is_registering: bool, domains: &[&str]) -> Self {
        let (provider, dir) = (Provider::start().await, tempfile::tempdir().unwrap());
        let mut config = Config::for_up(UpOptions {
            data_dir: dir.path().to_owned(),
            listen: ([127, 0, 0, 1], 0).into(),
            domain: "localhost".to_owned(),
            router: RouterEndpoint { scheme: "http".to_owned(), port: 8080 },
        })
        .unwrap();
        config.teams.oidc = Some(OidcSettings {
            issuer: provider.issuer.clone(),
            client_id: CLIENT.to_owned(),
            client_secret: Some(SecretString::from(SECRET)),
            scopes: vec!["email".to_owned(), "profile".to_owned()],
            email_domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
            is_registering,
            redirect_url: "http://slipway.example.com/api/auth/oidc/callback".to_owned(),
        });
        let controller = Controller::start(config, FakeEngine::new()).await.unwrap();
        let (url, shutdown) = (format!("http://{}", controller.api_addr), CancellationToken::new());
        tokio::spawn(controller.run(shutdown.clone()));
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { url, provider, client, shutdown, _dir: dir }
    }

    async fn get(&self, path: &str, cookie: &str) -> Response {
        self.client.get(format!("{}{path}", self.url)).header("cookie", cookie).send().await.unwrap()
    }

    async fn post(&self, path: &str, credentials: (&str, &str), body: Value) -> Response {
        let request = self.client.post(format!("{}{path}", self.url)).header(credentials.0, credentials.1);
        request.json(&body).send().await.unwrap()
    }

    /// Registers a user by password and gives the header to be them.
    async fn user(&self, name: &str, email: &str) -> String {
        let body = json!({"username": name, "password": "pw", "email": email});
        assert_eq!(self.post("/v2/auth/register/", ("x-none", ""), body).await.status(), 201);
        let login = self.post("/v2/auth/login/", ("x-none", ""), json!({"username": name, "password": "pw"})).await;
        let login: Value = login.json().await.unwrap();
        format!("token {}", login["token"].as_str().unwrap())
    }

    /// The first half: the provider's code, the state, and the cookie of the browser.
    async fn begin(&self, path: &str) -> (String, String, String) {
        let begun = self.get(path, "").await;
        assert_eq!(begun.status(), 302, "{}", begun.text().await.unwrap());
        let cookie = cookie(&begun, "slipway_oidc").unwrap();
        let asked: Url = begun.headers()["location"].to_str().unwrap().parse().unwrap();
        assert!(asked.as_str().starts_with(&format!("{}/authorize?", self.provider.issuer)), "{asked}");
        let state = asked.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        (self.provider.grant(&asked), state, cookie)
    }

    async fn finish(&self, (code, state, cookie): &(String, String, String)) -> Response {
        self.get(&format!("/api/auth/oidc/callback?code={code}&state={state}"), cookie).await
    }

    /// The whole of it.
    async fn log_in(&self) -> Response {
        let begun = self.begin("/api/auth/oidc").await;
        self.finish(&begun).await
    }

    async fn whoami(&self, response: &Response) -> Value {
        let session = cookie(response, "ory_kratos_session").expect("a session");
        let me = self.post("/api/users/me", ("cookie", &session), json!({})).await;
        assert_eq!(me.status(), 200);
        me.json().await.unwrap()
    }
}

/// A cookie that an answer sets, as browsers send it.
fn cookie(response: &Response, name: &str) -> Option<String> {
    let cookies = response.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let own: Vec<&str> = cookies.filter(|cookie| cookie.starts_with(&format!("{name}="))).collect();
    let [cookie] = own.as_slice() else { return None };
    assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax"), "{cookie}");
    Some(cookie.split(';').next().unwrap().to_owned()).filter(|cookie| !cookie.ends_with('='))
}

async fn refusal(response: Response) -> (u16, String) {
    assert!(cookie(&response, "ory_kratos_session").is_none(), "nobody is let in");
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    for secret in [SECRET, "code-", "eyJ"] {
        assert!(!text.contains(secret), "{text}");
    }
    let body: Value = serde_json::from_str(&text).unwrap();
    (status, body["property"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_provider_knows_is_let_in_and_is_always_the_same() {
    let world = World::start(true, &["example.com"]).await;
    let begun = world.begin("/api/auth/oidc?return=/teams/acme?tab=1").await;
    let response = world.finish(&begun).await;
    assert_eq!(response.status(), 302);
    assert_eq!(response.headers()["location"], "/teams/acme?tab=1");
    assert_eq!(response.headers()["referrer-policy"], "no-referrer");
    let me = world.whoami(&response).await;
    assert_eq!(me["user"]["name"], "Ann Bell");
    // Neither the code nor the state is good again, nor in another browser.
    assert_eq!(refusal(world.finish(&begun).await).await, (400, "state".to_owned()));
    let (code, state, _) = world.begin("/api/auth/oidc").await;
    let elsewhere = (code, state, "slipway_oidc=another".to_owned());
    assert_eq!(refusal(world.finish(&elsewhere).await).await, (400, "state".to_owned()));
    // The address may change, the subject does not.
    world.provider.say(Lie::None, json!({"email": "ann.new@example.com"}));
    assert_eq!(world.whoami(&world.log_in().await).await["user"]["id"], me["user"]["id"]);
    world.provider.say(Lie::None, json!({"sub": "subject-2", "email": "bob@example.com"}));
    assert_ne!(world.whoami(&world.log_in().await).await["user"]["id"], me["user"]["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_and_foreign_tokens_are_refused() {
    let world = World::start(true, &[]).await;
    assert_eq!(world.log_in().await.status(), 302, "the truth is believed");
    let past = Utc::now().timestamp() - 10;
    let none = json!({});
    for (lie, claims) in [
        (Lie::Unsigned, none.clone()),
        (Lie::PublicKeyAsSecret, none.clone()),
        (Lie::ClientSecret, none.clone()),
        (Lie::OtherKey, none.clone()),
        (Lie::UnknownKey, none.clone()),
        (Lie::NoToken, none.clone()),
        (Lie::RefusedCode, none.clone()),
        (Lie::None, json!({"iss": "https://other.example"})),
        (Lie::None, json!({"aud": "another"})),
        (Lie::None, json!({"aud": [CLIENT, "another"]})),
        (Lie::None, json!({"nonce": "another"})),
        (Lie::None, json!({"nonce": null})),
        (Lie::None, json!({"exp": past})),
        (Lie::None, json!({"iat": past + 10_000})),
        (Lie::None, json!({"sub": ""})),
    ] {
        let begun = world.begin("/api/auth/oidc").await;
        world.provider.say(lie, claims.clone());
        let refused = refusal(world.finish(&begun).await).await;
        assert_eq!(refused, (403, "oidc".to_owned()), "{lie:?} {claims}");
        world.provider.say(Lie::None, json!({}));
        assert_eq!(refusal(world.finish(&begun).await).await, (400, "state".to_owned()), "{lie:?}: once is all");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_none_is_told_and_nobody_else_is_asked() {
    for lie in [Lie::OtherIssuer, Lie::ElsewhereKeys, Lie::Nonsense] {
        let world = World::start(true, &[]).await;
        world.provider.say(lie, json!({}));
        assert_eq!(refusal(world.get("/api/auth/oidc", "").await).await.0, 503, "{lie:?}");
    }
    let world = World::start(true, &[]).await;
    for lie in [Lie::ElsewhereToken, Lie::Redirect] {
        let begun = world.begin("/api/auth/oidc").await;
        world.provider.say(lie, json!({}));
        assert_eq!(refusal(world.finish(&begun).await).await.0, 503, "{lie:?}");
        world.provider.say(Lie::None, json!({}));
    }
    let asked = world.provider.state.lock().unwrap().asked.clone();
    assert!(!asked.iter().any(|path| path == "/elsewhere"), "redirects are not followed: {asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_accounts_made_for_an_address_are_linked_by_it() {
    let world = World::start(false, &[]).await;
    assert_eq!(refusal(world.log_in().await).await, (403, "oidc".to_owned()), "nobody is registered");
    let boss = world.user("boss", "boss@example.com").await;
    // Somebody who merely claimed the address would keep their password.
    let squatter = world.user("squatter", "ann@example.com").await;
    assert_eq!(refusal(world.log_in().await).await, (409, "email".to_owned()));
    // Who is invited has an account that nobody else was ever let in to.
    let team = world.post("/api/teams", ("authorization", &boss), json!({"name": "Acme", "slug": "acme"})).await;
    let team: Value = team.json().await.unwrap();
    let invite = json!({"email": "eve@example.com", "firstName": "Eve"});
    let path = format!("/api/teams/{}/users", team["id"].as_str().unwrap());
    let invited = world.post(&path, ("authorization", &boss), invite).await;
    assert_eq!(invited.status(), 201);
    let invited: Value = invited.json().await.unwrap();
    world.provider.say(Lie::None, json!({"sub": "eve", "email": "Eve@example.com", "email_verified": false}));
    assert_eq!(refusal(world.log_in().await).await, (403, "oidc".to_owned()), "the address is not verified");
    world.provider.say(Lie::None, json!({"sub": "eve", "email": "Eve@example.com"}));
    let me = world.whoami(&world.log_in().await).await;
    assert_eq!(me["user"]["id"], invited["id"]);
    assert_eq!(me["invitations"][0]["slug"], "acme");
    // Administrators are not linked by an address, others neither; whoever is logged in links for themselves.
    world.provider.say(Lie::None, json!({"sub": "boss", "email": "boss@example.com"}));
    assert_eq!(refusal(world.log_in().await).await, (409, "email".to_owned()));
    let begun = world.post("/api/auth/oidc/link?return=/done", ("authorization", &boss), json!({})).await;
    let browser = cookie(&begun, "slipway_oidc").unwrap();
    let url: Value = begun.json().await.unwrap();
    let asked: Url = url["url"].as_str().unwrap().parse().unwrap();
    let state = asked.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let linked = world.finish(&(world.provider.grant(&asked), state, browser)).await;
    assert_eq!(linked.headers()["location"], "/done");
    let me = world.whoami(&linked).await;
    assert_eq!(me["teams"][0]["slug"], "acme");
    assert_eq!(world.whoami(&world.log_in().await).await["user"]["id"], me["user"]["id"]);
    // An identity is one account's.
    let begun = world.post("/api/auth/oidc/link", ("authorization", &squatter), json!({})).await;
    let browser = cookie(&begun, "slipway_oidc").unwrap();
    let url: Value = begun.json().await.unwrap();
    let asked: Url = url["url"].as_str().unwrap().parse().unwrap();
    let state = asked.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let refused = world.finish(&(world.provider.grant(&asked), state, browser)).await;
    assert_eq!(refusal(refused).await, (409, "oidc".to_owned()));
    assert_eq!(world.post("/api/auth/oidc/link", ("x-none", ""), json!({})).await.status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_told_without_what_is_secret() {
    let world = World::start(true, &["example.org"]).await;
    assert_eq!(refusal(world.log_in().await).await, (403, "oidc".to_owned()), "another domain");
    for path in ["/api/auth/oidc?return=//evil.example", "/api/auth/oidc?return=https://evil.example"] {
        assert_eq!(refusal(world.get(path, "").await).await, (400, "return".to_owned()));
    }
    for query in ["", "?code=code-1", "?state=none&code=code-1"] {
        let refused = world.get(&format!("/api/auth/oidc/callback{query}"), "slipway_oidc=x").await;
        assert_eq!(refusal(refused).await, (400, "state".to_owned()), "{query}");
    }
    let (_, state, browser) = world.begin("/api/auth/oidc").await;
    let path = format!("/api/auth/oidc/callback?state={state}&error=access_denied<script>&code=code-1");
    let request = world.client.get(format!("{}{path}", world.url)).header("cookie", browser);
    let page = request.header("accept", "text/html,application/xhtml+xml").send().await.unwrap();
    assert_eq!(page.status(), 403);
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let text = page.text().await.unwrap();
    assert!(text.contains("The log-in provider refuses: access_denied"), "{text}");
    assert!(!text.contains("<script>") && !text.contains(&state), "{text}");
}

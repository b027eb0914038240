//! Log-in by e-mail address, and how often one may ask. Source: `dployr-v1.md` §1.2 and §3.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use slipway_api::route::{Generation, Route};
use slipway_service::RateLimits;
use slipway_service::testing::FakeClock;

use crate::world::{Database, Reply, World, both};

async fn world(database: Database, limits: RateLimits) -> (World, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::default());
    let shared = Arc::clone(&clock) as Arc<dyn slipway_service::Clock>;
    let world = World::at_clock(database, "example.com", shared, |config| config.rate_limits = limits).await;
    for name in ["root", "ada"] {
        world.user(name).await;
    }
    (world, clock)
}

async fn post(world: &World, path: &str, body: &Value) -> Reply {
    world.request("POST", path).json_body(body).send().await
}

async fn login(world: &World, email: &str, password: &str) -> Reply {
    post(world, "/v1/auth/login", &json!({"email": email, "password": password})).await
}

async fn bearer(world: &World, method: &str, path: &str, token: &Value) -> Reply {
    let value = format!("Bearer {}", token.as_str().unwrap());
    world.request(method, path).header("authorization", &value).send().await
}

fn is_unauthorized(reply: &Reply) -> bool {
    assert_eq!(reply.json()["error"]["code"] == json!("unauthorized"), reply.status == 401, "{reply:?}");
    reply.status == 401 && reply.header("www-authenticate") == Some("Bearer")
}

pub async fn tokens(database: Database) {
    let (world, clock) = world(database, RateLimits { user: 1000, anonymous: 1000 }).await;
    let reply = login(&world, " ADA@Example.COM ", "pw").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let pair = reply.json();
    assert_eq!((&pair["expires_in"], &pair["token_type"]), (&json!(3600), &json!("Bearer")));
    let (access, refresh) = (&pair["access_token"], &pair["refresh_token"]);
    assert!(access.as_str().unwrap().starts_with("eyJ") && refresh.as_str().unwrap().starts_with("eyJ"));
    for path in ["/v1/deployments", "/v1/apps"] {
        assert_eq!(bearer(&world, "GET", path, access).await.status, 200, "{path}");
    }
    // The other kind of token opens the same routes; `/v2` knows nothing of this kind.
    assert_eq!(bearer(&world, "GET", "/v2/apps", access).await.status, 401);
    let old = post(&world, "/v1/auth/login/", &json!({"username": "ada", "password": "pw"})).await.json();
    let value = format!("token {}", old["token"].as_str().unwrap());
    assert_eq!(world.request("GET", "/v1/projects").header("authorization", &value).send().await.status, 200);
    assert!(is_unauthorized(&bearer(&world, "GET", "/v1/deployments", refresh).await));
    assert!(is_unauthorized(&bearer(&world, "GET", "/v1/deployments", &json!("a.b.c")).await));
    assert!(is_unauthorized(&bearer(&world, "GET", "/v1/deployments", &json!(" ")).await));
    assert!(is_unauthorized(&world.request("GET", "/v1/deployments").send().await));

    // Once for another pair, and no second time.
    clock.advance(Duration::from_mins(59));
    let next = post(&world, "/v1/auth/refresh", &json!({"refresh_token": refresh})).await;
    assert_eq!(next.status, 200, "{next:?}");
    let next = next.json();
    assert_ne!(next["refresh_token"], *refresh);
    clock.advance(Duration::from_mins(2));
    assert!(is_unauthorized(&bearer(&world, "GET", "/v1/deployments", access).await), "an hour is over");
    assert_eq!(bearer(&world, "GET", "/v1/deployments", &next["access_token"]).await.status, 200);
    assert!(is_unauthorized(&post(&world, "/v1/auth/refresh", &json!({"refresh_token": access})).await));

    // A thief used the first token, or the user does now that the thief has: nobody goes on.
    assert!(is_unauthorized(&post(&world, "/v1/auth/refresh", &json!({"refresh_token": refresh})).await));
    for body in [json!({"refresh_token": next["refresh_token"]}), json!({"refresh_token": refresh})] {
        assert!(is_unauthorized(&post(&world, "/v1/auth/refresh", &body).await));
    }
    assert!(is_unauthorized(&bearer(&world, "GET", "/v1/deployments", &next["access_token"]).await));

    // Another log-in is another family. A refresh token ends after a day.
    let pair = login(&world, "ada@example.com", "pw").await.json();
    let other = login(&world, "ada@example.com", "pw").await.json();
    assert_eq!(bearer(&world, "POST", "/v1/auth/logout", &pair["access_token"]).await.status, 204);
    assert!(is_unauthorized(&bearer(&world, "GET", "/v1/deployments", &pair["access_token"]).await));
    assert!(is_unauthorized(&post(&world, "/v1/auth/refresh", &json!({"refresh_token": pair["refresh_token"]})).await));
    assert_eq!(bearer(&world, "GET", "/v1/deployments", &other["access_token"]).await.status, 200);
    clock.advance(Duration::from_mins(24 * 60 + 1));
    assert!(is_unauthorized(
        &post(&world, "/v1/auth/refresh", &json!({"refresh_token": other["refresh_token"]})).await
    ));

    // A new password ends every log-in.
    let pair = login(&world, "ada@example.com", "pw").await.json();
    let change = json!({"password": "pw", "new_password": "other"});
    let changed =
        world.request("POST", "/v1/auth/passwd").header("authorization", &value).json_body(&change).send().await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert!(is_unauthorized(&bearer(&world, "GET", "/v1/deployments", &pair["access_token"]).await));
    assert_eq!(login(&world, "ada@example.com", "other").await.status, 200);
}

both!(tokens, tokens_are_good_once_and_for_their_time);

pub async fn refusals(database: Database) {
    let (world, clock) = world(database, RateLimits { user: 1000, anonymous: 1000 }).await;
    let nobody = login(&world, "nobody@example.com", "pw").await;
    let wrong = login(&world, "ada@example.com", "wrong").await;
    assert!(is_unauthorized(&nobody) && is_unauthorized(&wrong));
    assert_eq!(nobody.body, wrong.body, "who is there is not told");
    for (body, field) in [
        (json!({"email": "ada@example.com"}), "password"),
        (json!({"email": "ada@example.com", "password": 1}), "password"),
        (json!({"email": "ada", "password": "x"}), "email"),
        (json!({"email": 1, "password": "x"}), "email"),
    ] {
        let reply = post(&world, "/v1/auth/login/", &body).await;
        assert_eq!((reply.status, &reply.json()["error"]["details"]["field"]), (400, &json!(field)), "{body}");
    }
    let missing = post(&world, "/v1/auth/refresh", &json!({})).await;
    assert_eq!((missing.status, &missing.json()["error"]["details"]["field"]), (400, &json!("refresh_token")));

    // Two with one address: the password tells them apart, unless both have the same.
    let twin = json!({"username": "twin", "password": "secret", "email": "Ada@example.com"});
    assert_eq!(post(&world, "/v2/auth/register/", &twin).await.status, 201);
    assert_eq!(login(&world, "ada@example.com", "secret").await.status, 200);
    let triplet = json!({"username": "triplet", "password": "secret", "email": "ada@example.com"});
    assert_eq!(post(&world, "/v2/auth/register/", &triplet).await.status, 201);
    assert_eq!(login(&world, "ada@example.com", "secret").await.status, 401);

    // Guessing becomes slow, and time forgives.
    for _ in 0..6 {
        login(&world, "ada@example.com", "wrong").await;
    }
    let slow = login(&world, "ada@example.com", "pw").await;
    assert_eq!((slow.status, &slow.json()["error"]["code"]), (429, &json!("rate_limited")), "{slow:?}");
    assert!(slow.header("retry-after").is_some());
    clock.advance(Duration::from_mins(20));
    assert_eq!(login(&world, "ada@example.com", "pw").await.status, 200);
}

both!(refusals, what_is_wrong_with_a_login_is_told_and_nothing_else);

fn rate(reply: &Reply) -> (u32, u32, i64) {
    let number = |name: &str| reply.header(name).unwrap_or_else(|| panic!("{name}: {reply:?}")).parse::<i64>().unwrap();
    let small = |name: &str| u32::try_from(number(name)).unwrap();
    (small("x-ratelimit-limit"), small("x-ratelimit-remaining"), number("x-ratelimit-reset"))
}

async fn limits(database: Database) {
    let (world, clock) = world(database, RateLimits::default()).await;
    let pair = login(&world, "ada@example.com", "pw").await;
    let (limit, remaining, reset) = rate(&pair);
    assert_eq!((limit, remaining), (60, 59));
    assert_eq!(reset % 3600, 0);
    let access = pair.json()["access_token"].clone();
    let counted = bearer(&world, "GET", "/v1/deployments", &access).await;
    assert_eq!(rate(&counted), (1000, 999, reset));
    // Whatever is wrong with a request, the answer tells.
    for (method, path, status) in
        [("GET", "/v1/deployments/none", 404), ("PATCH", "/v1/deployments", 405), ("GET", "/v1/webhooks/a/b/c/d", 404)]
    {
        let reply = bearer(&world, method, path, &access).await;
        assert_eq!((reply.status, rate(&reply).0), (status, 1000), "{method} {path}");
        assert_eq!(reply.header("allow").is_some(), status == 405);
    }
    assert_eq!(rate(&bearer(&world, "GET", "/v1/projects", &access).await).1, 995);
    let bad = json!({"email": "ada@example.com", "password": "wrong"});
    let mut left = 59;
    for (method, path, body) in [
        ("GET", "/v1/services", None),
        ("POST", "/v1/auth/login", Some(bad)),
        ("POST", "/v1/auth/refresh", Some(json!({}))),
    ] {
        left -= 1;
        let call = world.request(method, path);
        let reply = match body {
            Some(body) => call.json_body(&body).send().await,
            None => call.send().await,
        };
        assert_eq!(rate(&reply), (60, left, reset), "{path}: {reply:?}");
    }
    // Deis clients, and the other generation, know no limits.
    for path in ["/v1/apps", "/v2/apps"] {
        assert_eq!(world.request("GET", path).send().await.header("x-ratelimit-limit"), None);
    }
    let deis = post(&world, "/v1/auth/login", &json!({"username": "ada", "password": "pw"})).await;
    assert_eq!((deis.status, deis.header("x-ratelimit-limit")), (200, None));
    assert_eq!(deis.header("deis-api-version"), None, "the spelling has no hyphens");
    assert_eq!(deis.header("DEIS_API_VERSION"), Some("1.0"));

    for expect in (0..left).rev() {
        assert_eq!(rate(&world.request("GET", "/v1/services").send().await).1, expect);
    }
    for _ in 0..2 {
        let reply = world.request("GET", "/v1/services").send().await;
        assert_eq!((reply.status, rate(&reply).1), (429, 0), "{reply:?}");
        let wait: i64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=3600).contains(&wait));
    }
    assert_eq!(login(&world, "ada@example.com", "pw").await.status, 429);
    assert_eq!(
        bearer(&world, "GET", "/v1/projects", &access).await.status,
        200,
        "who is known has a count of their own"
    );
    // The next hour begins anew.
    clock.advance(Duration::from_hours(1));
    let reply = world.request("GET", "/v1/services").send().await;
    assert_eq!((reply.status, rate(&reply)), (401, (60, 59, reset + 3600)));
}

both!(limits, requests_are_counted_by_caller_and_hour);

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_a_thousand_requests() {
    let (world, _clock) = world(Database::Sqlite, RateLimits { user: 3, anonymous: 60 }).await;
    let access = login(&world, "ada@example.com", "pw").await.json()["access_token"].clone();
    assert_eq!(RateLimits::default().user, 1000);
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(bearer(&world, "GET", "/v1/projects", &access).await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
}

/// Two routes of different generations that one request could mean.
fn clash(routes: &[(Generation, Method, &'static str)]) -> Option<(&'static str, &'static str)> {
    let is_variable = |part: &str| part.starts_with('{');
    let overlap = |one: &str, other: &str| {
        let (one, other): (Vec<&str>, Vec<&str>) = (one.split('/').collect(), other.split('/').collect());
        let is_rest = |parts: &[&str], length: usize| {
            parts.last().is_some_and(|last| last.ends_with("*}")) && length >= parts.len()
        };
        let is_long_enough = one.len() == other.len() || is_rest(&one, other.len()) || is_rest(&other, one.len());
        is_long_enough && one.iter().zip(&other).all(|(a, b)| a == b || is_variable(a) || is_variable(b))
    };
    routes.iter().enumerate().find_map(|(index, (generation, method, pattern))| {
        let other = routes.get(index + 1..)?.iter().find(|(other, other_method, other_pattern)| {
            other != generation && other_method == method && overlap(pattern, other_pattern)
        })?;
        Some((*pattern, other.2))
    })
}

#[test]
fn no_two_generations_claim_a_method_and_a_path() {
    let key = |route: &Route| (route.generation, route.method.clone(), route.pattern);
    let mut routes: Vec<_> = slipway_api::routes().iter().map(key).collect();
    assert_eq!(clash(&routes), None);
    // The check itself: each of these would be one too many.
    for pattern in ["/v1/apps", "/v1/apps/{name}", "/v1/keys/a/b", "/v1/apps/{name}/{what}"] {
        routes.push((Generation::DployrV1, Method::GET, pattern));
        assert!(clash(&routes).is_some(), "{pattern}");
        routes.pop();
    }
    routes.push((Generation::DployrV1, Method::PATCH, "/v1/apps"));
    assert_eq!(clash(&routes), None);
}

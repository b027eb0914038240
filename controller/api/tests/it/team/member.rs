//! Members, those invited, and what concerns the caller alone.

use chrono::TimeDelta;
use serde_json::{Value, json};
use slipway_team::Role;

use super::{expect, get, refusal, send, team};
use crate::world::{Database, World, both};

async fn user_id(world: &World, user: &str) -> String {
    send(world, user, "POST", "/api/users/me", Value::Null).await.json()["user"]["id"].as_str().unwrap().to_owned()
}

async fn invitations(database: Database) {
    let world = World::new(database).await;
    let id = team(&world, "owner", "acme").await;
    let users = format!("/api/teams/{id}/users");
    let body = json!({"email": "Stranger@Example.com", "firstName": "Some", "lastName": "Body", "captcha": "x"});
    let invited = expect(&world, "owner", "POST", &users, body.clone(), 201).await.json();
    let stranger = user_id(&world, "stranger").await;
    assert_eq!(
        invited,
        json!({
            "id": stranger, "name": "stranger@example.com", "email": "Stranger@Example.com", "role": "user",
            "status": "pending", "lastLogin": null,
        })
    );
    let mail = world.mailer.sent();
    assert_eq!((mail.len(), mail[0].to.as_str()), (1, "Stranger@Example.com"));
    assert!(mail[0].text.contains(&format!("https://slipway.example.com/teams/{id}/invitation")), "{mail:?}");
    assert_eq!(refusal(&send(&world, "owner", "POST", &users, body.clone()).await), (409, "email".to_owned()));
    let member = json!({"email": "owner@example.com", "firstName": "x"});
    assert_eq!(refusal(&send(&world, "owner", "POST", &users, member).await), (409, "email".to_owned()));

    // Invited is not yet in the team.
    let me = send(&world, "stranger", "POST", "/api/users/me", Value::Null).await;
    assert_eq!(me.status, 200);
    assert_eq!(me.json()["invitations"], json!([{"id": id, "name": "Team acme", "slug": "acme"}]));
    assert_eq!(get(&world, "stranger", "/api/acme/registries").await.status, 403);
    let role = format!("{users}/{stranger}/role");
    assert_eq!(
        refusal(&send(&world, "owner", "PUT", &role, json!({"role": "admin"})).await),
        (404, "userId".to_owned())
    );
    let details = get(&world, "owner", &format!("/api/teams/{id}")).await.json();
    assert_eq!((&details["statistics"]["users"], &details["users"][1]["status"]), (&json!(2), &json!("pending")));

    let own = format!("/api/users/me/invitations/{id}");
    expect(&world, "stranger", "DELETE", &own, Value::Null, 204).await;
    assert_eq!(refusal(&send(&world, "stranger", "POST", &own, Value::Null).await), (412, "teamId".to_owned()));
    let again = format!("{users}/{stranger}/reinvite");
    assert_eq!(refusal(&send(&world, "owner", "POST", &again, Value::Null).await), (412, "userId".to_owned()));
    expect(&world, "owner", "DELETE", &format!("{users}/{stranger}"), Value::Null, 204).await;
    assert_eq!(refusal(&send(&world, "owner", "POST", &again, Value::Null).await), (404, "invitation".to_owned()));
    assert_eq!(refusal(&send(&world, "stranger", "POST", &own, Value::Null).await), (404, "invitation".to_owned()));

    // One that is too old can be renewed.
    expect(&world, "owner", "POST", &users, body, 201).await;
    world.invitation_age(&id, "stranger", TimeDelta::days(8)).await;
    let details = get(&world, "owner", &format!("/api/teams/{id}")).await.json();
    assert_eq!(details["users"][1]["status"], "expired");
    assert_eq!(refusal(&send(&world, "stranger", "POST", &own, Value::Null).await), (412, "teamId".to_owned()));
    expect(&world, "owner", "POST", &again, Value::Null, 204).await;
    expect(&world, "stranger", "POST", &own, Value::Null, 204).await;
    assert_eq!(get(&world, "stranger", "/api/acme/registries").await.status, 200);
    let me = send(&world, "stranger", "POST", "/api/users/me", Value::Null).await.json();
    assert_eq!(me["teams"], json!([{"id": id, "name": "Team acme", "slug": "acme", "role": "user"}]));
    assert_eq!((&me["activeTeamId"], &me["invitations"]), (&json!(id), &json!([])));
}
both!(invitations, invitations_are_sent_declined_renewed_and_accepted);

async fn new_accounts(database: Database) {
    let world = World::new(database).await;
    let id = team(&world, "owner", "acme").await;
    let users = format!("/api/teams/{id}/users");
    for bad in ["", "nobody", "a@b\r\nBcc: x@y", "a b@c.d"] {
        let reply = send(&world, "owner", "POST", &users, json!({"email": bad, "firstName": "x"})).await;
        assert_eq!(refusal(&reply), (400, "email".to_owned()), "{bad:?}");
    }
    let body = json!({"email": "new.one@example.com", "firstName": "New", "lastName": "One"});
    let invited = expect(&world, "owner", "POST", &users, body, 201).await.json();
    assert_eq!((&invited["name"], &invited["lastLogin"]), (&json!("New One"), &json!(null)));
    let mail = world.mailer.sent().pop().unwrap();
    let code = mail.text.lines().find_map(|line| line.strip_prefix("    ")).unwrap().to_owned();
    assert_eq!(code.len(), 43, "{mail:?}");

    let sign_up = |code: &str, password: &str| json!({"code": code, "password": password});
    let reply = send(&world, "", "POST", "/api/auth/sign-up", sign_up("wrong", "pw")).await;
    assert_eq!(refusal(&reply), (400, "code".to_owned()));
    let reply = send(&world, "", "POST", "/api/auth/sign-up", sign_up(&code, "")).await;
    assert_eq!(refusal(&reply), (400, "password".to_owned()));
    let reply = expect(&world, "", "POST", "/api/auth/sign-up", sign_up(&code, "chosen"), 204).await;
    let cookie = reply.header("set-cookie").unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let reply = send(&world, "", "POST", "/api/auth/sign-up", sign_up(&code, "other")).await;
    assert_eq!(refusal(&reply), (400, "code".to_owned()), "a code is good once");

    let with_cookie = |method: &str, path: String, cookie: &str| world.request(method, &path).header("cookie", cookie);
    let own = format!("/api/users/me/invitations/{id}");
    assert_eq!(with_cookie("POST", own, &cookie).send().await.status, 204);
    assert_eq!(with_cookie("GET", "/api/acme/registries".to_owned(), &cookie).send().await.status, 200);
    assert_eq!(with_cookie("POST", "/api/auth/logout".to_owned(), &cookie).send().await.status, 204);
    assert_eq!(with_cookie("GET", "/api/acme/registries".to_owned(), &cookie).send().await.status, 403);

    for (body, status) in [
        (json!({"email": "NEW.one@example.com", "password": "chosen"}), 204),
        (json!({"username": "new.one@example.com", "password": "chosen"}), 204),
        (json!({"email": "new.one@example.com", "password": "wrong"}), 403),
        (json!({"email": "nobody@example.com", "password": "chosen"}), 403),
        (json!({"password": "chosen"}), 400),
    ] {
        assert_eq!(send(&world, "", "POST", "/api/auth/login", body.clone()).await.status, status, "{body}");
    }
}
both!(new_accounts, those_without_an_account_sign_up_with_a_code);

async fn roles(database: Database) {
    let mut world = World::new(database).await;
    world.login("boss").await;
    let id = team(&world, "owner", "acme").await;
    world.join(&id, "boss", Role::Admin).await;
    world.join(&id, "collaborator", Role::User).await;
    let (owner, boss, user) =
        (user_id(&world, "owner").await, user_id(&world, "boss").await, user_id(&world, "collaborator").await);
    let users = format!("/api/teams/{id}/users");
    let role = |of: &str| format!("{users}/{of}/role");
    for (caller, of, given, status) in [
        ("boss", &owner, "user", 403),
        ("boss", &user, "owner", 403),
        ("boss", &user, "admin", 204),
        ("owner", &owner, "admin", 403),
        ("collaborator", &user, "user", 204),
        ("collaborator", &boss, "user", 403),
        ("owner", &boss, "owner", 204),
        ("owner", &boss, "user", 403),
    ] {
        let reply = send(&world, caller, "PUT", &role(of), json!({ "role": given })).await;
        assert_eq!(reply.status, status, "{caller} {given}: {reply:?}");
    }
    let reply = send(&world, "owner", "PUT", &role(&user), json!({"role": "king"})).await;
    assert_eq!(refusal(&reply), (400, "role".to_owned()));
    let reply = send(&world, "owner", "PUT", &role("nonsense"), json!({"role": "king"})).await;
    assert_eq!(refusal(&reply), (400, "userId".to_owned()));
    let unknown = uuid::Uuid::new_v4().to_string();
    let reply = send(&world, "owner", "DELETE", &format!("{users}/{unknown}"), Value::Null).await;
    assert_eq!(refusal(&reply), (404, "userId".to_owned()));
    expect(&world, "owner", "DELETE", &format!("{users}/{boss}"), Value::Null, 403).await;

    // `leave` is no user; one of two owners may, the last may not.
    expect(&world, "owner", "DELETE", &format!("{users}/leave"), Value::Null, 204).await;
    let reply = send(&world, "boss", "DELETE", &format!("{users}/leave"), Value::Null).await;
    assert_eq!(refusal(&reply), (412, "userId".to_owned()));
    expect(&world, "boss", "DELETE", &format!("{users}/{user}"), Value::Null, 204).await;
    assert_eq!(get(&world, "collaborator", "/api/acme/registries").await.status, 403);
}
both!(roles, roles_are_kept);

async fn tokens(database: Database) {
    let world = World::new(database).await;
    team(&world, "owner", "acme").await;
    let body = json!({"name": "ci", "expirationInDays": 30});
    let reply = expect(&world, "owner", "POST", "/api/tokens", body.clone(), 201).await;
    let made = reply.json();
    let id = made["id"].as_str().unwrap();
    let token = made["token"].as_str().unwrap().to_owned();
    assert_eq!(reply.header("location"), Some(format!("/api/tokens/{id}").as_str()));
    assert_eq!(refusal(&send(&world, "owner", "POST", "/api/tokens", body).await), (409, "name".to_owned()));
    let forever = json!({"name": "forever", "expirationInDays": 0});
    assert_eq!(expect(&world, "owner", "POST", "/api/tokens", forever, 201).await.json()["expiresAt"], json!(null));
    for (body, property) in [
        (json!({"name": "", "expirationInDays": 1}), "name"),
        (json!({"name": "x", "expirationInDays": -1}), "expirationInDays"),
        (json!({"name": "x", "expirationInDays": 1_000_000_000_000_u64}), "expirationInDays"),
        (json!({"name": "x"}), "expirationInDays"),
    ] {
        let reply = send(&world, "owner", "POST", "/api/tokens", body.clone()).await;
        assert_eq!(refusal(&reply), (400, property.to_owned()), "{body}");
    }

    let list = get(&world, "owner", "/api/tokens").await;
    assert!(!list.body.contains(&token) && !list.body.contains("nonce"), "{list:?}");
    assert_eq!(list.json()[0], get(&world, "owner", &format!("/api/tokens/{id}")).await.json());
    assert_eq!(list.json().as_array().unwrap().len(), 2);
    assert_eq!(get(&world, "stranger", "/api/tokens").await.json(), json!([]));
    let reply = get(&world, "stranger", &format!("/api/tokens/{id}")).await;
    assert_eq!(refusal(&reply), (404, "token".to_owned()));

    let with = |value: &str| world.request("GET", "/api/acme/registries").header("authorization", value);
    let v2 = world.token("owner").to_owned();
    for (value, status) in [
        (format!("Bearer {token}"), 200),
        (format!("Bearer {v2}"), 200),
        (format!("token {v2}"), 200),
        (format!("Bearer {}x", &token[..token.len() - 2]), 403),
        (format!("Basic {token}"), 403),
        ("Bearer a.b.c".to_owned(), 403),
    ] {
        assert_eq!(with(&value).send().await.status, status, "{value}");
    }
    // A cookie that is no good leaves the header its chance.
    let reply = with(&format!("Bearer {token}")).header("cookie", "ory_kratos_session=old").send().await;
    assert_eq!(reply.status, 200);
    expect(&world, "owner", "DELETE", &format!("/api/tokens/{id}"), Value::Null, 204).await;
    assert_eq!(with(&format!("Bearer {token}")).send().await.status, 403);
    let reply = send(&world, "owner", "DELETE", &format!("/api/tokens/{id}"), Value::Null).await;
    assert_eq!(refusal(&reply), (404, "token".to_owned()));
}
both!(tokens, tokens_are_shown_once_and_end);

async fn active(database: Database) {
    let world = World::new(database).await;
    let mut ids = Vec::new();
    for slug in ["first", "second", "third"] {
        ids.push(team(&world, "owner", slug).await);
    }
    let active =
        async || send(&world, "owner", "POST", "/api/users/me", Value::Null).await.json()["activeTeamId"].clone();
    assert_eq!(active().await, json!(ids[0]));
    let set = |id: &str| json!({ "teamId": id });
    expect(&world, "owner", "POST", "/api/users/me/active-team", set(&ids[2]), 204).await;
    assert_eq!(active().await, json!(ids[2]));
    let foreign = team(&world, "other", "theirs").await;
    let reply = send(&world, "owner", "POST", "/api/users/me/active-team", set(&foreign)).await;
    assert_eq!(refusal(&reply), (404, "team".to_owned()));
    assert_eq!(active().await, json!(ids[2]), "nothing was changed");
    let reply = send(&world, "owner", "POST", "/api/users/me/active-team", set("nonsense")).await;
    assert_eq!(refusal(&reply), (400, "teamId".to_owned()));
    expect(&world, "owner", "DELETE", &format!("/api/teams/{}", ids[2]), Value::Null, 204).await;
    assert_eq!(active().await, json!(ids[0]), "the oldest of the rest");
    for method in ["DELETE", "PUT"] {
        expect(&world, "owner", method, "/api/users/me/preferences/onboarding", Value::Null, 204).await;
    }
}
both!(active, one_team_is_active);

async fn health(database: Database) {
    let world = World::new(database).await;
    let health = get(&world, "", "/api/health").await.json();
    assert_eq!((&health["status"], &health["version"]), (&json!("operational"), &json!(env!("CARGO_PKG_VERSION"))));
    assert!(health["lastMigration"].as_str().unwrap() >= "0010", "{health}");
    if database == Database::Postgres {
        world.database_drop().await;
        let health = get(&world, "", "/api/health").await;
        assert_eq!((health.status, &health.json()["status"]), (200, &json!("disrupted")));
    }
}
both!(health, health_is_told_to_everybody);

async fn removed_accounts(database: Database) {
    let world = World::new(database).await;
    let id = team(&world, "owner", "acme").await;
    let mine = team(&world, "owner", "mine").await;
    world.join(&id, "collaborator", Role::Admin).await;
    let (owner, collaborator) = (user_id(&world, "owner").await, user_id(&world, "collaborator").await);
    let cancel = |user: &'static str, body: Value| send(&world, user, "DELETE", "/v2/auth/cancel/", body);
    let only =
        |slug: &str| format!("owner is the only owner of the team {slug}. Make somebody else its owner, or remove it");
    // A team is never without an owner, whoever removes the account.
    for (user, body) in [("owner", Value::Null), ("admin", json!({"username": "owner"}))] {
        let reply = cancel(user, body).await;
        assert_eq!((reply.status, reply.json()["detail"].clone()), (409, json!(only("acme"))), "{reply:?}");
    }
    let role = format!("/api/teams/{id}/users/{collaborator}/role");
    expect(&world, "owner", "PUT", &role, json!({"role": "owner"}), 204).await;
    let reply = cancel("owner", Value::Null).await;
    assert_eq!((reply.status, reply.json()["detail"].clone()), (409, json!(only("mine"))), "{reply:?}");
    expect(&world, "owner", "DELETE", &format!("/api/teams/{mine}"), Value::Null, 204).await;
    assert_eq!(cancel("owner", Value::Null).await.status, 204);
    // The team goes on without, and so does its record.
    let details = get(&world, "collaborator", &format!("/api/teams/{id}")).await.json();
    let users: Vec<&Value> = details["users"].as_array().unwrap().iter().map(|user| &user["id"]).collect();
    assert_eq!(users, [&json!(collaborator)]);
    let record = "/api/acme/audit-log?skip=0&take=10&from=2000-01-01&to=2100-01-01";
    let record = get(&world, "collaborator", record).await.json();
    assert_eq!(record["items"][0]["user"]["id"], json!(owner), "{record}");
    // Members who own nothing go as they like.
    world.join(&id, "stranger", Role::Admin).await;
    assert_eq!(cancel("stranger", Value::Null).await.status, 204);
}

/// Two do something at once; how that ends for either, the better end first.
async fn both_at_once(world: &World, one: (&str, &str), two: (&str, &str)) -> (u16, u16) {
    let call = |(user, path): (&str, &str)| {
        let (user, path) = (user.to_owned(), path.to_owned());
        async move { send(world, &user, "DELETE", &path, Value::Null).await.status }
    };
    let (one, two) = tokio::join!(call(one), call(two));
    (one.min(two), one.max(two))
}

async fn last_owners(database: Database) {
    const CANCEL: &str = "/v2/auth/cancel/";
    let mut world = World::new(database).await;
    for round in 0..4 {
        let id = team(&world, "owner", &format!("round-{round}")).await;
        world.join(&id, "collaborator", Role::Owner).await;
        let leave = format!("/api/teams/{id}/users/leave");
        assert_eq!(both_at_once(&world, ("owner", &leave), ("collaborator", &leave)).await, (204, 412));
    }
    let pairs = [("ann", "bob"), ("cem", "dan"), ("eve", "fay"), ("gus", "hal")];
    for (round, (one, two)) in pairs.into_iter().enumerate() {
        world.login(one).await;
        world.login(two).await;
        let slug = format!("pair-{round}");
        let id = team(&world, one, &slug).await;
        world.join(&id, two, Role::Owner).await;
        let leave = format!("/api/teams/{id}/users/leave");
        let (ended, refused) = if round % 2 == 0 {
            both_at_once(&world, (one, CANCEL), (two, CANCEL)).await
        } else {
            both_at_once(&world, (one, CANCEL), (two, &leave)).await
        };
        assert!(ended == 204 && (refused == 409 || refused == 412), "{ended} {refused}");
        // Whoever stayed still has the team.
        let mut left = Vec::new();
        for user in [one, two] {
            left.push(get(&world, user, &format!("/api/{slug}/nodes")).await.status);
        }
        left.sort_unstable();
        assert_eq!(left, [200, 403]);
    }
}
both!(last_owners, of_two_last_owners_who_go_at_once_one_stays);

both!(removed_accounts, an_account_goes_when_no_team_is_left_without_an_owner);

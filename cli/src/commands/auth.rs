//! `auth`. Source of calls and texts: drycc-v2.md §1.8, §2.1 and §6.2.

use std::fs;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use slipway_client::{ClientError, StatusCode};
use slipway_wire::drycc_v2::{Login, Register, Token, User};

use crate::api::{Api, in_time};
use crate::args::auth::Password;
use crate::context::{self, Context, api_anonymous, api_as};
use crate::error::{Error, Result};
use crate::settings::{Profile, SLIPWAY_TOKEN};
use crate::{connection, print, program};

/// An account on a controller, as flags give it.
#[derive(Debug)]
pub struct Account {
    /// The controller's address.
    pub controller: Option<String>,
    /// The user's name.
    pub username: Option<String>,
    /// The password.
    pub password: Password,
    /// Whether the controller's certificate is checked.
    pub ssl_verify: bool,
}

/// Makes an account, and logs in as it unless told otherwise.
pub async fn register(cx: &Context, account: Account, email: Option<String>, login: bool) -> Result {
    let api = controller(cx, account.controller, account.ssl_verify).await?;
    let username = context::word(account.username, "username")?;
    let Password { password, password_stdin } = account.password;
    let password = context::password(password, password_stdin, "password: ", true)?;
    let email = match email {
        None if print::can_ask() => print::ask("email: ")?,
        email => email.unwrap_or_default(),
    };
    let body = Register { username: username.clone(), password: password.expose_secret().to_owned(), email };
    let caller = caller(cx, &api, account.ssl_verify)?;
    let answer = caller.as_ref().unwrap_or(&api).post("/v2/auth/register/", &body).await.map_err(|error| {
        print::before_error("Registration failed");
        match error.status() {
            Some(StatusCode::FORBIDDEN) => {
                error.advise("this platform lets only its administrators register users; ask one of them")
            }
            _ => error,
        }
    })?;
    if cx.is_json {
        cx.show(&answer, || Ok(()))?;
    } else {
        print::line(format_args!("Registered {username}"))?;
    }
    if login { enter(cx, &api, &username, &password, account.ssl_verify).await } else { Ok(()) }
}

/// The same controller as who is logged in there, since an administrator may register others where nobody else may.
fn caller(cx: &Context, api: &Api, ssl_verify: bool) -> Result<Option<Api>> {
    let Ok(session) = cx.settings.session() else { return Ok(None) };
    let caller = api_as(&Profile { ssl_verify, ..session })?;
    Ok((caller.client().base() == api.client().base()).then_some(caller))
}

/// Logs in: with a token from a flag, from stdin or from the environment, else with name and password.
pub async fn login(cx: &Context, account: Account, token: Option<SecretString>, token_stdin: bool) -> Result {
    let has_password = account.password.password.is_some() || account.password.password_stdin;
    let from_environment = cx.settings.token().filter(|_| account.username.is_none() && !has_password);
    let token = match (token, from_environment) {
        (Some(token), _) => Some(token),
        (None, _) if token_stdin => Some(context::line_of_stdin("token")?),
        (None, token) => token.cloned(),
    };
    let api = controller(cx, account.controller, account.ssl_verify).await?;
    if let Some(token) = token {
        let profile = Profile {
            username: String::new(),
            ssl_verify: account.ssl_verify,
            controller: api.client().base().to_owned(),
            token,
            response_limit: cx.limit(None),
            team: None,
        };
        let user: User = api_as(&profile)?.get("/v2/auth/whoami/").await?.json()?;
        return keep(cx, &Profile { username: user.username, ..profile });
    }
    let username = context::word(account.username, "username")?;
    let Password { password, password_stdin } = account.password;
    let password = context::password(password, password_stdin, "password: ", false)?;
    enter(cx, &api, &username, &password, account.ssl_verify).await
}

/// The controller at an address, when there is one. Source: drycc-v2.md §1.8.
async fn controller(cx: &Context, address: Option<String>, ssl_verify: bool) -> Result<Api> {
    let Some(address) = address.or_else(|| cx.settings.controller().map(str::to_owned)) else {
        return Err(Error::new("it is not known where the controller is")
            .hint("name its address, for example http://127.0.0.1:8000"));
    };
    let api = api_anonymous(&address, ssl_verify)?;
    let asked = api.client().send(slipway_client::Method::GET, "/v2/", slipway_client::NO_BODY);
    match in_time(api.client().base(), asked).await? {
        Err(error) if error.status() == Some(StatusCode::UNAUTHORIZED) => Ok(api),
        Err(
            error @ (ClientError::Connect { .. }
            | ClientError::Url { .. }
            | ClientError::Header(_)
            | ClientError::Setup { .. }),
        ) => Err(error.into()),
        answer => Err(connection::no_controller(api.client().base(), answer.err().as_ref())),
    }
}

async fn token(api: &Api, username: &str, password: &SecretString) -> Result<SecretString> {
    let body = Login { username: username.to_owned(), password: password.expose_secret().to_owned() };
    let token: Token = api.post("/v2/auth/login/", &body).await?.json()?;
    Ok(token.token.into())
}

async fn enter(cx: &Context, api: &Api, username: &str, password: &SecretString, ssl_verify: bool) -> Result {
    let profile = Profile {
        username: username.to_owned(),
        ssl_verify,
        controller: api.client().base().to_owned(),
        token: token(api, username, password).await?,
        response_limit: cx.limit(None),
        team: None,
    };
    keep(cx, &profile)
}

/// Keeps who is logged in.
fn keep(cx: &Context, profile: &Profile) -> Result {
    profile.write(&cx.settings.path)?;
    if cx.settings.token().is_some_and(|token| token.expose_secret() != profile.token.expose_secret()) {
        print::warning(format_args!("{SLIPWAY_TOKEN} is set, and goes before what was just written."));
    }
    if cx.is_json {
        return Ok(());
    }
    print::line(format_args!("Logged in as {}", profile.username))?;
    print::line(format_args!("Configuration file written to {}", cx.settings.path.display()))
}

/// Forgets who is logged in.
pub fn logout(cx: &Context) -> Result {
    match fs::remove_file(&cx.settings.path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::caused(format!("cannot remove {}", cx.settings.path.display()), &error)),
    }
    if cx.is_json { Ok(()) } else { print::line("Logged out") }
}

/// Shows who is logged in.
pub async fn whoami(cx: &Context, all: bool) -> Result {
    let session = cx.settings.session()?;
    if !all && !session.username.is_empty() {
        return if cx.is_json {
            print::json(&json!({"username": session.username, "controller": session.controller}))
        } else {
            print::line(format_args!("You are {} at {}", session.username, session.controller))
        };
    }
    let answer = api_as(&session)?.get("/v2/auth/whoami/").await?;
    cx.show(&answer, || {
        let user: User = answer.json()?;
        if !all {
            return print::line(format_args!("You are {} at {}", user.username, session.controller));
        }
        let rows = [
            ("ID:", user.id.to_string()),
            ("Username:", user.username),
            ("Email:", user.email),
            ("First Name:", user.first_name),
            ("Last Name:", user.last_name),
            ("Last Login:", user.last_login.unwrap_or_default()),
            ("Is Superuser:", user.is_superuser.to_string()),
            ("Is Staff:", user.is_staff.to_string()),
            ("Is Active:", user.is_active.to_string()),
            ("Date Joined:", user.date_joined),
        ];
        if program::current().is_upstream() {
            return rows.iter().try_for_each(|(name, value)| print::line(format_args!("{name} {value}")));
        }
        print::line("=== User")?;
        // Controllers of upstream's tell no number.
        print::table::pairs(rows.into_iter().skip(usize::from(user.id == 0)))
    })
}

/// Changes a password.
pub async fn passwd(cx: &Context, old: Password, new: Option<SecretString>, username: Option<String>) -> Result {
    let api = cx.api()?;
    // An administrator who changes another's password need not know the old one.
    let is_old_needed = username.is_none() || old.password.is_some() || old.password_stdin;
    let from_stdin = old.password_stdin;
    let old = if is_old_needed {
        Some(context::password(old.password, from_stdin, "current password: ", false)?)
    } else {
        None
    };
    let new = context::password(new, from_stdin, "new password: ", true)?;
    let mut body = json!({"new_password": new.expose_secret()});
    if let Some(old) = &old {
        body["password"] = old.expose_secret().into();
    }
    if let Some(username) = username {
        body["username"] = username.into();
    }
    api.post("/v2/auth/passwd/", &body).await.inspect_err(|_| print::before_error("Password change failed"))?;
    if cx.is_json { Ok(()) } else { print::line("Password change succeeded.") }
}

/// Cancels an account: the one that is logged in, one whose password is known, or, for administrators, any.
pub async fn cancel(cx: &Context, username: Option<String>, password: Password, yes: bool) -> Result {
    let session = cx.settings.session()?;
    let api = api_as(&session)?;
    let is_of_another = username.is_some() && password.password.is_none() && !password.password_stdin;
    let (api, name) = match username {
        None => {
            let user: User = api.get("/v2/auth/whoami/").await?.json()?;
            (api, user.username)
        }
        Some(name) if is_of_another => (api, name),
        Some(name) => {
            let secret = context::password(password.password, password.password_stdin, "password: ", false)?;
            let token = token(&api_anonymous(&session.controller, session.ssl_verify)?, &name, &secret).await?;
            (api_as(&Profile { token, username: name.clone(), ..session.clone() })?, name)
        }
    };
    if !yes {
        if !print::can_ask() {
            return Err(Error::new(format!("cancelling the account {name} must be confirmed")).hint("pass --yes"));
        }
        let answer = print::ask(&format!("cancel account {name} at {}? (y/N): ", session.controller))?;
        if !answer.eq_ignore_ascii_case("y") && !answer.eq_ignore_ascii_case("yes") {
            if program::current().is_upstream() {
                print::note("Account not changed");
                return Ok(());
            }
            return Err(Error::new("Account not changed"));
        }
    }
    let path = "/v2/auth/cancel/";
    if is_of_another {
        api.delete_with(path, &json!({"username": name})).await?;
    } else {
        api.delete(path).await?;
    }
    if cx.settings.profile().is_some_and(|profile| profile.username == name) {
        fs::remove_file(&cx.settings.path)
            .map_err(|error| Error::caused(format!("cannot remove {}", cx.settings.path.display()), &error))?;
    }
    if cx.is_json { Ok(()) } else { print::line("Account cancelled") }
}

/// Replaces tokens. Whoever replaces their own is logged out, as the old one is of no use.
pub async fn regenerate(cx: &Context, username: Option<&str>, all: bool) -> Result {
    let api = cx.api()?;
    let path = "/v2/auth/tokens/";
    let answer = match username {
        Some(username) => api.post(path, &json!({"username": username})).await?,
        None if all => api.post(path, &json!({"all": true})).await?,
        None => api.post_empty(path).await?,
    };
    let is_own = username.is_none_or(|name| cx.settings.profile().is_some_and(|profile| profile.username == name));
    if is_own {
        let _ = fs::remove_file(&cx.settings.path);
    }
    cx.show(&answer, || {
        print::line("Token Regenerated")?;
        if is_own {
            print::note(program::current().spoken("You are logged out: log in again with `slipway login URL`."));
        }
        Ok(())
    })
}

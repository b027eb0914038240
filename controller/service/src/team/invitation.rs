//! Members of teams and those invited. Source: `team-api.md` §3.5 and §4.1.

use chrono::TimeDelta;
use openssl::sha::sha256;
use secrecy::{ExposeSecret, SecretString};
use slipway_core::user::User;
use slipway_core::{UserId, Username};
use slipway_store as store;
use slipway_team::invitation::{Invitation, InvitationStatus};
use slipway_team::notification::Happening;
use slipway_team::team::{TeamUser, person_name};
use slipway_team::{Error, Member, Refusal, Refused, Result, Role, TeamId};

use super::happening::happening_record;
use super::port::Mail;
use super::session::random_text;
use crate::settings::Registration;
use crate::stored::{Fail, Stored, write};
use crate::token::Tokens;
use crate::{Cx, Service};

/// Time for which a code to sign up is good.
const SIGN_UP_LIFETIME: TimeDelta = TimeDelta::hours(12);
/// Longest e-mail address. Source: RFC 5321, section 4.5.3.1.
const EMAIL_MAX: usize = 254;
/// Longest first or last name, in characters.
const PERSON_MAX: usize = 150;
/// Most tries to find a name to log in with that nobody has.
const USERNAME_ATTEMPTS: u32 = 1000;

/// Who is invited.
#[derive(Debug, Clone)]
pub struct Invite {
    /// E-mail address.
    pub email: String,
    /// For an account that is to be made.
    pub first_name: String,
    /// For an account that is to be made; possibly empty.
    pub last_name: String,
}

fn no_such_user() -> Error {
    Refusal::new(Refused::NotFound, "userId", "There is no such user in the team.").into()
}

impl Service {
    /// Invites somebody to the member's team, making an account where the address has none.
    ///
    /// # Errors
    /// 400 for the address or the names; 403 for members who are no administrators, and for accounts that only the
    /// platform's administrators may make; 409 `email` for members and those who are invited.
    pub async fn team_user_invite(&self, cx: &Cx, member: &Member, invite: Invite) -> Result<TeamUser> {
        member.require(Role::Admin)?;
        invite_check(&invite)?;
        let known = store::user_by_email(&mut self.read().await?, &invite.email).await.stored()?;
        let new = match known {
            Some(_) => None,
            None => Some(self.account_prepare(cx, &invite).await?),
        };
        let code = random_text()?;
        let hash = sha256(code.expose_secret().as_bytes());
        let (team, tokens) = (member.team.id, self.tokens());
        let invited = Happening::UserInvited {
            who: person_name(&self.user_of(member.user).await?),
            email: invite.email.clone(),
            team: member.team.name.clone(),
        };
        let user = write!(self, |db| {
            let user = match (store::user_by_email(db, &invite.email).await?, &new) {
                (Some(user), _) => user,
                (None, Some(new)) => {
                    let mut new = new.clone();
                    new.username = username_free(db, &invite.email).await?;
                    let user = store::user_insert(db, &new).await?;
                    let token = tokens.derive(user.id, user.key_generation)?;
                    store::user_set_key_hash(db, user.id, &Tokens::hash(&token)).await?;
                    store::proven_email_set(db, user.id, &user.email).await?;
                    user
                }
                // Somebody removed the account meanwhile.
                (None, None) => return Err(Error::conflict("email", "The account is being removed.").into()),
            };
            let is_member = store::member_by_team(db, user.id, team).await?.is_some();
            if is_member || store::invitation_by_user(db, team, user.id).await?.is_some() {
                let taken = Error::conflict("email", "The user is a member already, or invited.");
                return Err(taken.value(invite.email.clone()).into());
            }
            let invitation = Invitation {
                team,
                user: user.id,
                email: invite.email.clone(),
                status: InvitationStatus::Pending,
                created: cx.now,
            };
            store::invitation_insert(db, &invitation).await?;
            if user.last_login.is_none() {
                store::sign_up_code_insert(db, &hash, user.id, cx.now + SIGN_UP_LIFETIME).await?;
            }
            happening_record(db, team, &invited, cx.now).await?;
            Ok::<_, Fail>(user)
        })?;
        self.happening_told();
        self.invitation_mail(member, &user, &invite.email, &code).await?;
        Ok(TeamUser {
            id: user.id,
            name: person_name(&user),
            email: invite.email,
            role: Role::User,
            invitation: Some(InvitationStatus::Pending),
            last_login: None,
        })
    }

    /// Invites once more somebody who did not take an invitation up.
    ///
    /// # Errors
    /// 403 for members who are no administrators; 404 `invitation`; 412 `userId` when it was declined.
    pub async fn team_user_reinvite(&self, cx: &Cx, member: &Member, user: UserId) -> Result<()> {
        member.require(Role::Admin)?;
        let code = random_text()?;
        let hash = sha256(code.expose_secret().as_bytes());
        let team = member.team.id;
        let (user, email) = write!(self, |db| {
            let invitation = store::invitation_by_user(db, team, user).await?;
            let invitation = invitation.ok_or_else(|| Error::not_found("invitation"))?;
            if invitation.status == InvitationStatus::Declined {
                let refusal = Error::precondition("userId", "The user declined the invitation.");
                return Err(refusal.value(user.to_string()).into());
            }
            store::invitation_delete(db, team, user).await?;
            let again = Invitation { status: InvitationStatus::Pending, created: cx.now, ..invitation };
            store::invitation_insert(db, &again).await?;
            let user = store::user_by_id(db, user).await?.ok_or_else(|| Error::not_found("invitation"))?;
            if user.last_login.is_none() {
                store::sign_up_code_insert(db, &hash, user.id, cx.now + SIGN_UP_LIFETIME).await?;
            }
            Ok::<_, Fail>((user, again.email))
        })?;
        self.invitation_mail(member, &user, &email, &code).await
    }

    /// Gives a member another role.
    ///
    /// # Errors
    /// 403 for members who are no administrators, about an owner, and for making an owner without being one; 404
    /// `userId` for those who are no members.
    pub async fn team_user_role_set(&self, member: &Member, user: UserId, role: Role) -> Result<()> {
        member.require(Role::Admin)?;
        let team = member.team.id;
        write!(self, |db| {
            let target = store::member_by_team(db, user, team).await?.ok_or_else(no_such_user)?;
            if target.role == Role::Owner {
                return Err(Error::forbidden("An owner's role cannot be changed.").into());
            }
            member.require(role)?;
            store::member_set_role(db, team, user, role).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// Takes somebody out of the member's team, or takes an invitation back.
    ///
    /// # Errors
    /// 403 for members who are no administrators, and about an owner; 404 `userId`.
    pub async fn team_user_delete(&self, member: &Member, user: UserId) -> Result<()> {
        member.require(Role::Admin)?;
        let team = member.team.id;
        write!(self, |db| {
            let target = store::member_by_team(db, user, team).await?;
            if target.as_ref().is_some_and(|target| target.role == Role::Owner) {
                return Err(Error::forbidden("An owner cannot be taken out.").into());
            }
            let was_invited = store::invitation_delete(db, team, user).await?;
            if target.is_none() && !was_invited {
                return Err(no_such_user().into());
            }
            store::member_delete(db, team, user).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// Takes the member out of the team.
    ///
    /// # Errors
    /// 412 `userId` for the only owner.
    pub async fn team_leave(&self, member: &Member) -> Result<()> {
        let (team, user) = (member.team.id, member.user);
        write!(self, |db| {
            let own = store::member_by_team(db, user, team).await?.ok_or_else(|| Error::not_found("team"))?;
            if own.role == Role::Owner && store::team_owner_count(db, team).await? < 2 {
                let refusal = Error::precondition("userId", "The only owner of a team cannot leave it.");
                return Err(refusal.value(user.to_string()).into());
            }
            store::member_delete(db, team, user).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// Makes the caller a member of the team that invited.
    ///
    /// # Errors
    /// 404 `invitation`; 412 `teamId` when it is too old or was declined.
    pub async fn invitation_accept(&self, cx: &Cx, team: TeamId) -> Result<()> {
        let (user, _, _) = cx.user()?;
        let status = write!(self, |db| {
            let invitation = store::invitation_by_user(db, team, user).await?;
            let invitation = invitation.ok_or_else(|| Error::not_found("invitation"))?;
            let status = invitation.status_at(cx.now);
            match status {
                InvitationStatus::Pending => {
                    store::invitation_delete(db, team, user).await?;
                    if store::member_by_team(db, user, team).await?.is_none() {
                        store::member_insert(db, team, user, Role::User, cx.now).await?;
                    }
                }
                // This is kept although the call is refused.
                InvitationStatus::Expired => {
                    store::invitation_set_status(db, team, user, status).await?;
                }
                InvitationStatus::Declined => {}
            }
            Ok::<_, Fail>(status)
        })?;
        let message = match status {
            InvitationStatus::Pending => return Ok(()),
            InvitationStatus::Expired => "The invitation is too old.",
            InvitationStatus::Declined => "The invitation was declined.",
        };
        Err(Error::precondition("teamId", message).value(team.to_string()).into())
    }

    /// Declines an invitation of the caller.
    ///
    /// # Errors
    /// 404 `invitation`.
    pub async fn invitation_decline(&self, cx: &Cx, team: TeamId) -> Result<()> {
        let (user, _, _) = cx.user()?;
        write!(self, |db| {
            if !store::invitation_set_status(db, team, user, InvitationStatus::Declined).await? {
                return Err(Error::not_found("invitation").into());
            }
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// Gives the account that a code is about a password.
    ///
    /// # Errors
    /// 400 `code` when it is not good (any more), or `password` when it is empty or too long.
    pub async fn sign_up(&self, cx: &Cx, code: &str, password: SecretString) -> Result<User> {
        let length = password.expose_secret().len();
        if length == 0 || length > crate::password::PASSWORD_MAX_BYTES {
            return Err(Error::invalid("password", "password must not be empty, nor overly long"));
        }
        let hash = SecretString::from(self.passwords().hash(password).await?);
        let code = sha256(code.as_bytes());
        let bad = || Error::invalid("code", "code is wrong, or not good any more");
        let user = write!(self, |db| {
            let user = store::sign_up_code_take(db, &code, cx.now).await?.ok_or_else(bad)?;
            store::user_update_password(db, user, &hash).await?;
            let user = store::user_by_id(db, user).await?.filter(|user| user.is_active).ok_or_else(bad)?;
            Ok::<_, Fail>(user)
        })?;
        Ok(user)
    }

    /// An account for somebody who is invited, with a password that nobody knows.
    async fn account_prepare(&self, cx: &Cx, invite: &Invite) -> Result<store::NewUser> {
        let (_, _, is_superuser) = cx.user()?;
        if !is_superuser && self.config().registration != Registration::Open {
            return Err(Error::forbidden("Nobody has this address, and only administrators may make accounts here."));
        }
        let password_hash = SecretString::from(self.passwords().hash(random_text()?).await?);
        Ok(store::NewUser {
            username: username_of(&invite.email, 0)?,
            email: invite.email.clone(),
            first_name: invite.first_name.trim().to_owned(),
            last_name: invite.last_name.trim().to_owned(),
            password_hash,
            is_superuser: false,
            date_joined: cx.now,
        })
    }

    async fn invitation_mail(&self, member: &Member, user: &User, email: &str, code: &SecretString) -> Result<()> {
        let settings = &self.config().teams;
        let Some(mailer) = &settings.mailer else { return Ok(()) };
        let (url, team) = (&settings.public_url, &member.team);
        let inviter = person_name(&self.user_of(member.user).await?);
        let how = if user.last_login.is_none() {
            let code = code.expose_secret();
            format!(
                "Choose a password at {url}/api/auth/sign-up with this code, which is good for 12 hours:\n\n    {code}\n\n\
                 Your name to log in with is {}. Then accept the invitation:",
                user.username
            )
        } else {
            "Log in and accept the invitation:".to_owned()
        };
        let mail = Mail {
            to: email.to_owned(),
            subject: format!("Invitation to the team {}", team.name),
            text: format!(
                "{inviter} invites you to the team {}.\n\n{how}\n\n    {url}/teams/{}/invitation\n\n\
                 The invitation is good for 7 days.\n",
                team.name, team.id
            ),
        };
        mailer.send(&mail).await.map_err(|reason| {
            slipway_core::Error::Unavailable {
                public: "The invitation is kept, but its mail cannot be sent now.".to_owned(),
                context: format!("mail: {reason}"),
            }
            .into()
        })
    }
}

/// Checks an address and the names of its owner.
fn invite_check(invite: &Invite) -> Result<()> {
    email_check("email", &invite.email)?;
    for (property, name) in [("firstName", &invite.first_name), ("lastName", &invite.last_name)] {
        if name.chars().count() > PERSON_MAX || name.chars().any(char::is_control) {
            return Err(Error::invalid(property, format!("{property} must be at most 150 printable characters")));
        }
    }
    Ok(())
}

/// Checks the form of an e-mail address, as far as it can be told without sending to it.
pub(super) fn email_check(property: &str, email: &str) -> Result<()> {
    let is_good = email.split_once('@').is_some_and(|(local, host)| {
        let is_label =
            |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        !local.is_empty()
            && local.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte))
            && host.split('.').all(is_label)
    });
    if is_good && email.len() <= EMAIL_MAX {
        Ok(())
    } else {
        Err(Error::invalid(property, format!("{property} must be an e-mail address")))
    }
}

/// A name to log in with for the owner of an address; another one for each attempt.
fn username_of(email: &str, attempt: u32) -> Result<Username> {
    let base: String = email
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "@.+-_".contains(c) { c } else { '-' })
        .take(100)
        .collect();
    let name = if attempt == 0 { base } else { format!("{base}-{}", u64::from(attempt) + 1) };
    Username::new(&name).map_err(|_| Error::invalid("email", "email gives no name to log in with"))
}

pub(super) async fn username_free(db: &mut store::Db, email: &str) -> std::result::Result<Username, Fail> {
    for attempt in 0..USERNAME_ATTEMPTS {
        let name = username_of(email, attempt)?;
        if store::user_by_name(db, &name).await?.is_none() {
            return Ok(name);
        }
    }
    Err(Error::taken("email").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_form() {
        for good in ["a@b", "first.last+tag@mail.example.com", "o'neil@example.com"] {
            assert!(email_check("email", good).is_ok(), "{good}");
            assert!(username_of(good, 0).is_ok() && username_of(good, 7).is_ok(), "{good}");
        }
        let long = format!("a@{}", "b".repeat(254));
        for bad in ["", "a", "@b", "a@", "a@b@c", "a b@c", "a@b c", "a@b..c", "a@b\r\nBcc: c@d", "<a@b>", "ä@b", &long]
        {
            assert!(email_check("email", bad).is_err(), "{bad:?}");
        }
    }
}

//! The record of what was done in teams. Source: `team-api.md` §1.13.

use chrono::{DateTime, Utc};
use serde_json::Value;
use slipway_core::authz::Actor;
use slipway_core::{Page, Paged};
use slipway_store as store;
use slipway_team::audit::{AuditActor, AuditContext, AuditEntry, masked};
use slipway_team::team::person_name;
use slipway_team::{Member, Result, TeamId};

use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

pub use store::AuditQuery;

/// What was done, as the record has it.
#[derive(Debug, Clone)]
pub struct Deed {
    /// By which way.
    pub context: AuditContext,
    /// The request's method in lower case.
    pub method: Option<String>,
    /// The request's path with its query, or the message's type.
    pub event: String,
    /// The request's body as it came; secrets are taken out here.
    pub data: Option<Value>,
    /// Whether `url` in the body is a secret.
    pub is_url_secret: bool,
}

impl Service {
    /// Writes down what the caller did in a team.
    ///
    /// # Errors
    /// `Unavailable`; none about the deed, which is done.
    pub async fn team_audit_write(&self, cx: &Cx, team: TeamId, deed: Deed) -> Result<()> {
        let actor = match &cx.actor {
            Actor::User { id, .. } => {
                let user = self.user_of(*id).await?;
                AuditActor::User { id: id.to_string(), name: person_name(&user), email: user.email }
            }
            Actor::Anonymous | Actor::Builder | Actor::System => {
                return Err(slipway_core::Error::internal("a deed in a team without a user").into());
            }
        };
        self.team_audit_write_by(team, (actor, cx.now), deed).await
    }

    /// Writes down what somebody did in a team at a time.
    ///
    /// # Errors
    /// `Unavailable`; none about the deed, which is done.
    pub async fn team_audit_write_by(
        &self,
        team: TeamId,
        (actor, created): (AuditActor, DateTime<Utc>),
        deed: Deed,
    ) -> Result<()> {
        let Deed { context, method, event, data, is_url_secret } = deed;
        let data = data.map(|data| masked(data, is_url_secret));
        let entry = AuditEntry { created, actor, context, method, event, data };
        write!(self, |db| {
            store::team_audit_insert(db, team, &entry).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// The record of the member's team, newest first.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn team_audit_list(&self, member: &Member, query: AuditQuery) -> Result<Paged<AuditEntry>> {
        Ok(store::team_audit_list(&mut self.read().await?, member.team.id, &query).await.stored()?)
    }

    /// A part of a list that begins after `skip` and has at most `take`.
    #[must_use]
    pub const fn team_page(skip: u64, take: u32) -> Page {
        Page { limit: take, offset: skip }
    }
}

//! `audit`. Source of the call: team-api.md §3.11.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use slipway_client::segment;
use slipway_wire::team::{AuditEntry, Paged};

use super::Team;
use crate::args::team::AuditArgs;
use crate::commands::heading;
use crate::context::Context;
use crate::error::Result;
use crate::print;

/// How far back is looked when nothing is said.
const SPAN: TimeDelta = TimeDelta::days(30);

/// Lists what was done in a team, newest first.
pub async fn audit(cx: &Context, args: AuditArgs) -> Result {
    let team = Team::choose(cx, args.team.as_deref()).await?;
    let until = args.until.unwrap_or_else(|| Utc::now() + TimeDelta::days(1));
    let since = args.since.unwrap_or_else(|| Utc::now() - SPAN);
    let time = |time: DateTime<Utc>| segment(&time.to_rfc3339_opts(SecondsFormat::Millis, true));
    let filter = args.filter.map(|text| format!("&filter={}", segment(&text))).unwrap_or_default();
    let limit = cx.limit(args.limit.limit);
    let path = format!("audit-log?skip=0&take={limit}&from={}&to={}{filter}", time(since), time(until));
    let answer = team.api.get(&team.path(&path)).await?;
    cx.show(&answer, || {
        let page: Paged<AuditEntry> = answer.json()?;
        print::line(heading(&format!("{} Audit", team.slug), page.items.len(), page.total))?;
        let rows = page.items.into_iter().map(|entry| {
            let method = entry.method.map_or(entry.context, |method| method.to_uppercase());
            vec![entry.created_at, entry.name, method, entry.event]
        });
        print::table::rows(&rows.collect::<Vec<_>>())
    })
}

//! `tokens`: what programs use teams with, in their user's name. Source of calls: team-api.md §3.8.

use serde_json::{Value, json};
use slipway_client::segment;
use slipway_wire::team::Token;

use super::team::{find, text};
use crate::args::token::TokenCommand;
use crate::context::Context;
use crate::error::Result;
use crate::print;

/// Where a user's tokens are.
pub const TOKENS: &str = "/api/tokens";

/// Runs a command about the user's tokens.
pub async fn token(cx: &Context, command: TokenCommand) -> Result {
    let api = cx.api()?;
    match command {
        TokenCommand::List => {
            let answer = api.get(TOKENS).await?;
            cx.show(&answer, || {
                print::line("=== Tokens")?;
                let rows = answer
                    .json::<Vec<Token>>()?
                    .into_iter()
                    .map(|it| vec![it.name, it.created_at, it.expires_at.unwrap_or_else(|| "never".to_owned())]);
                print::table::rows(&rows.collect::<Vec<_>>())
            })
        }
        TokenCommand::Create { name, days } => {
            let body = json!({"name": name, "expirationInDays": days.unwrap_or(0)});
            let answer = api.post(TOKENS, &body).await?;
            cx.show(&answer, || {
                let made: Value = answer.json()?;
                print::note("The token is shown this once. SLIPWAY_TOKEN takes it, for commands about teams.");
                print::line(text(&made, "token"))
            })
        }
        TokenCommand::Remove { token } => {
            let found = find(&api, "token", TOKENS, &token, "tokens").await?;
            let path = format!("{TOKENS}/{}", segment(&found.id));
            cx.work(&format!("Removing token {}...", found.name), api.delete(&path)).await.map(drop)
        }
    }
}

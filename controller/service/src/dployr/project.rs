//! Projects. Source: `dployr-v1.md` §9.1.

use serde_json::{Value, json};
use slipway_core::error::Kind;
use slipway_core::project::Project;
use slipway_core::{Error, ProjectId, Result};
use slipway_store as store;
use slipway_store::{StoreError, UniqueOn};

use crate::audit::{Subject, event};
use crate::stored::{Fail, Stored, write};
use crate::webhook::id_parse;
use crate::{Cx, Page, PageQuery, Service};

/// Longest name.
const NAME_MAX: usize = 63;
/// Longest description.
const DESCRIPTION_MAX: usize = 255;

impl Service {
    /// Makes a project of the caller's.
    ///
    /// # Errors
    /// `Invalid` by field; `Conflict` for a name that another has.
    pub async fn project_create(&self, cx: &Cx, name: &str, description: &str) -> Result<Project> {
        let (owner, _, _) = cx.user()?;
        let name = name.trim();
        let is_line = |text: &str| !text.chars().any(char::is_control);
        if name.is_empty() || name.chars().count() > NAME_MAX || !is_line(name) {
            return Err(Error::invalid("name", format!("Give 1 to {NAME_MAX} characters in one line.")));
        }
        if description.chars().count() > DESCRIPTION_MAX || description.contains('\0') {
            return Err(Error::invalid("description", format!("Give at most {DESCRIPTION_MAX} characters.")));
        }
        let taken = || Error::Conflict(format!("There is a project {name} already."));
        write!(self, |db| {
            if store::dployr_project_by_name(db, owner, name).await?.is_some() {
                return Err(taken().into());
            }
            let id = match store::dployr_project_insert(db, owner, name, description, cx.now).await {
                Err(StoreError::Conflict { what: UniqueOn::ProjectName }) => return Err(taken().into()),
                other => other?,
            };
            let project = store::dployr_project_by_id(db, id).await?;
            let project = project.ok_or_else(|| Error::internal("the new project is gone"))?;
            let entry = event(cx, "create", project_subject(&project), Value::Null, json!({ "name": name }));
            store::event_insert(db, &entry).await?;
            Ok::<_, Fail>(project)
        })
        .map_err(Error::from)
    }

    /// The caller's projects, newest first.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn projects_list(&self, cx: &Cx, page: PageQuery) -> Result<Page<Project>> {
        let (owner, _, _) = cx.user()?;
        store::dployr_projects_list(&mut self.read().await?, owner, page.into()).await.stored().map(Page::from)
    }

    /// One of the caller's projects.
    ///
    /// # Errors
    /// `NotFound`, also for those of others.
    pub async fn project_get(&self, cx: &Cx, id: &str) -> Result<Project> {
        let (owner, _, _) = cx.user()?;
        let missing = || Error::not_found(Kind::Project);
        let id = id_parse(id).map(ProjectId::from_uuid).ok_or_else(missing)?;
        let project = store::dployr_project_by_id(&mut self.read().await?, id).await.stored()?;
        project.filter(|project| project.owner == owner).ok_or_else(missing)
    }

    /// Removes a project. Its deployments stay.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn project_delete(&self, cx: &Cx, id: &str) -> Result<()> {
        let project = self.project_get(cx, id).await?;
        write!(self, |db| {
            store::dployr_project_delete(db, project.id).await?;
            let before = json!({ "name": project.name });
            store::event_insert(db, &event(cx, "delete", project_subject(&project), before, Value::Null)).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }
}

fn project_subject(project: &Project) -> Subject<'static> {
    Subject { kind: "project", id: project.id.to_string(), name: project.name.clone() }
}

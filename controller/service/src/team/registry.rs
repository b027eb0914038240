//! Registries of teams. Source: `team-api.md` §3.1.

use slipway_store as store;
use slipway_store::{StoreError, UniqueOn};
use slipway_team::name::{DESCRIPTION_MAX, name_check};
use slipway_team::registry::{DetailsGiven, Registry, RegistryDetails, RegistryKind};
use slipway_team::{Error, Member, RegistryId, Result, Stamp};

use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

/// A registry as a request has it.
#[derive(Debug, Clone)]
pub struct RegistryGiven {
    /// Its name.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// For people.
    pub icon: Option<String>,
    /// The kind.
    pub kind: RegistryKind,
    /// Where images are.
    pub details: DetailsGiven,
}

/// A registry, and whether it is used.
#[derive(Debug, Clone)]
pub struct RegistryView {
    /// The registry.
    pub registry: Registry,
    /// Whether an image names it.
    pub is_in_use: bool,
}

/// Checks what is said about a thing beside its name.
pub(super) fn about_check(name: &str, description: Option<&str>, icon: Option<&str>) -> Result<()> {
    name_check("name", name)?;
    text_check("description", description)?;
    text_check("icon", icon)
}

/// Checks the length of a text for people.
pub(super) fn text_check(property: &str, text: Option<&str>) -> Result<()> {
    if text.is_some_and(|text| text.chars().count() > DESCRIPTION_MAX) {
        return Err(Error::invalid(property, format!("{property} must have at most {DESCRIPTION_MAX} characters")));
    }
    Ok(())
}

fn name_taken(error: StoreError) -> Fail {
    match error {
        StoreError::Conflict { what: UniqueOn::RegistryName } => Error::taken("name").into(),
        other => other.into(),
    }
}

async fn name_free(db: &mut store::Db, registry: &Registry) -> std::result::Result<(), Fail> {
    let others = store::registries_list(db, registry.team).await?;
    if others.iter().any(|other| other.name == registry.name && other.id != registry.id) {
        return Err(Error::taken("name").into());
    }
    Ok(())
}

impl Service {
    /// The registries of the member's team, oldest first.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn registries_list(&self, member: &Member) -> Result<Vec<Registry>> {
        Ok(store::registries_list(&mut self.read().await?, member.team.id).await.stored()?)
    }

    /// A registry of the member's team.
    ///
    /// # Errors
    /// 404 `registry`.
    pub async fn registry_get(&self, member: &Member, id: RegistryId) -> Result<RegistryView> {
        let mut db = self.read().await?;
        let registry = store::registry_by_id(&mut db, member.team.id, id).await.stored()?;
        let registry = registry.ok_or_else(|| Error::not_found("registry"))?;
        let is_in_use = store::registries_in_use(&mut db, &[id]).await.stored()?.contains(&id);
        Ok(RegistryView { registry, is_in_use })
    }

    /// Adds a registry, if it answers as it should.
    ///
    /// # Errors
    /// 400 by member; 409 `name`; what the registry says: 400, 401 or 404.
    pub async fn registry_create(&self, cx: &Cx, member: &Member, given: RegistryGiven) -> Result<RegistryView> {
        let RegistryGiven { name, description, icon, kind, details } = given;
        about_check(&name, description.as_deref(), icon.as_deref())?;
        let registry = Registry {
            id: RegistryId::generate(),
            team: member.team.id,
            name,
            description,
            icon,
            details: RegistryDetails::new(kind, details, None)?,
            stamp: Stamp::new(member.user, cx.now),
        };
        name_free(&mut self.read().await?, &registry).await.map_err(Error::from)?;
        self.registry_probe(cx, &registry.details).await?;
        write!(self, |db| {
            name_free(db, &registry).await?;
            store::registry_insert(db, &registry).await.map_err(name_taken)?;
            Ok::<_, Fail>(())
        })?;
        Ok(RegistryView { registry, is_in_use: false })
    }

    /// Replaces a registry, if it answers as it should.
    ///
    /// # Errors
    /// As [`Service::registry_create`]; 404 `registry`.
    pub async fn registry_update(&self, cx: &Cx, member: &Member, id: RegistryId, given: RegistryGiven) -> Result<()> {
        let RegistryView { registry: old, .. } = self.registry_get(member, id).await?;
        let RegistryGiven { name, description, icon, kind, details } = given;
        about_check(&name, description.as_deref(), icon.as_deref())?;
        let registry = Registry {
            name,
            description,
            icon,
            details: RegistryDetails::new(kind, details, Some(&old.details))?,
            stamp: Stamp { updated: cx.now, updated_by: member.user, ..old.stamp },
            ..old
        };
        self.registry_probe(cx, &registry.details).await?;
        write!(self, |db| {
            name_free(db, &registry).await?;
            if !store::registry_update(db, &registry).await.map_err(name_taken)? {
                return Err(Error::not_found("registry").into());
            }
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// Removes a registry that no image uses.
    ///
    /// # Errors
    /// 404 `registry`; 412 `id` while it is used.
    pub async fn registry_delete(&self, member: &Member, id: RegistryId) -> Result<()> {
        let team = member.team.id;
        write!(self, |db| {
            match store::registry_delete(db, team, id).await {
                Ok(true) => Ok::<_, Fail>(()),
                Ok(false) => Err(Error::not_found("registry").into()),
                Err(StoreError::Reference) => {
                    let refusal = Error::precondition("id", "Images use the registry.");
                    Err(refusal.value(id.to_string()).into())
                }
                Err(error) => Err(error.into()),
            }
        })?;
        Ok(())
    }
}

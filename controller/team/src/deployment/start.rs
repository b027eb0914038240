//! Starting a deployment: what goes out, and what must hold before it does.
//!
//! What is decided here is written down with the start, so that nothing that people change meanwhile gets into it.
//! Source: `team-api.md` §4.5.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Deployment, Instance, Status};
use crate::container::check::{Faults, config_check, environment_check};
use crate::container::part::{KeyValue, SecretKeyValue};
use crate::container::{Effective, InstanceConfig};
use crate::image::Image;
use crate::version::VersionKind;
use crate::{DeploymentId, Error, InstanceId, RegistryId, Result};

/// Who started a deployment, by the name of the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Starter {
    /// A user.
    User {
        /// Identity.
        id: String,
        /// What the person is called.
        name: String,
    },
    /// The deployment's token.
    Token {
        /// Identity.
        id: String,
        /// Its name.
        name: String,
    },
}

impl Starter {
    /// What whoever it was is called.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::User { name, .. } | Self::Token { name, .. } => name,
        }
    }
}

/// A start that was taken: one try of a deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// The deployment.
    pub deployment: DeploymentId,
    /// The number of the try.
    pub attempt: u32,
    /// Who wanted it.
    pub starter: Starter,
    /// When.
    pub created: DateTime<Utc>,
    /// Variables for all of its containers.
    pub environment: Vec<KeyValue>,
    /// The containers, in the order in which they are brought up.
    pub units: Vec<Unit>,
}

/// A container that goes out with a start.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// The instance.
    pub instance: InstanceId,
    /// The registry that the image is in.
    pub registry: RegistryId,
    /// The image's name there, with a digest if it has one.
    pub image: String,
    /// Its tag.
    pub tag: Option<String>,
    /// Its configuration, which follows nothing any more.
    pub config: InstanceConfig,
}

impl Unit {
    /// The configuration that the container gets.
    #[must_use]
    pub fn effective(&self) -> Effective {
        Effective::of_frozen(&self.config, self.name())
    }

    /// The container's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.config.name.as_deref().unwrap_or_default()
    }

    /// The image as an engine pulls it, when its registry calls it `name`.
    #[must_use]
    pub fn reference(&self, name: &str) -> String {
        match &self.tag {
            _ if name.contains('@') => name.to_owned(),
            Some(tag) => format!("{name}:{tag}"),
            None => format!("{name}:latest"),
        }
    }
}

/// The configuration that an instance is deployed with. One that was frozen when it succeeded, and that another took the
/// place of since, has its own alone: going back to it brings back what was.
#[must_use]
pub fn effective(kind: VersionKind, status: Status, image: &Image, instance: &Instance) -> Effective {
    let empty = InstanceConfig::default();
    let config = instance.config.as_ref().unwrap_or(&empty);
    if kind == VersionKind::Incremental && status == Status::Obsolete && config.is_frozen() {
        Effective::of_frozen(config, &image.config.name)
    } else {
        Effective::of(&image.config, config)
    }
}

/// Steps 1 to 3: something is selected, the state allows a start, and the configurations make sense. Gives what goes
/// out. `chosen` is in the order of the images.
///
/// # Errors
/// 412 `instances`, 412 `status`, 400 with the path of the member at fault.
pub fn plan(kind: VersionKind, deployment: &Deployment, chosen: &[(Instance, Image)]) -> Result<Vec<Unit>> {
    if chosen.is_empty() {
        return Err(Error::precondition("instances", "There is nothing to deploy.").into());
    }
    if !deployment.status.is_startable(kind) {
        let status = deployment.status.as_str();
        let refusal = Error::precondition("status", format!("A deployment that is {status} cannot be started."));
        return Err(refusal.value(status).into());
    }
    let mut faults = Faults::default();
    environment_check("environment", &deployment.environment, &mut faults);
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let mut units = Vec::new();
    for (index, (instance, image)) in chosen.iter().enumerate() {
        let at = format!("instances[{index}].config");
        let config = effective(kind, deployment.status, image, instance);
        config_check(&at, &config, &mut faults);
        if names.insert(config.name.clone(), index).is_some() {
            faults.add(format!("{at}.name"), format!("another container is called {:?}", config.name));
        }
        units.push(Unit {
            instance: instance.id,
            registry: image.registry,
            image: image.name.clone(),
            tag: image.tag.clone(),
            config: config.freeze(),
        });
    }
    faults.into_result()?;
    Ok(units)
}

fn secrets(unit: &Unit) -> &[SecretKeyValue] {
    unit.config.secrets.as_deref().unwrap_or_default()
}

/// Step 5: every secret that an image cannot do without has a value.
///
/// # Errors
/// 412 `instanceIds` with identity and name of each instance that lacks one.
pub fn required_check(chosen: &[(Instance, Image)], units: &[Unit]) -> Result<()> {
    let lacks = |(image, unit): (&Image, &Unit)| {
        let mut required = image.config.secrets.iter().flatten().filter(|secret| secret.required);
        required.any(|wanted| !secrets(unit).iter().any(|has| has.key == wanted.key && has.is_set()))
    };
    let lacking: Vec<Value> = chosen
        .iter()
        .zip(units)
        .filter(|((_, image), unit)| lacks((image, unit)))
        .map(|(_, unit)| json!({"id": unit.instance.to_string(), "name": unit.name()}))
        .collect();
    if lacking.is_empty() {
        return Ok(());
    }
    Err(Error::precondition("instanceIds", "Required secrets have no value.").value(lacking).into())
}

/// Step 7: the instances with values that were not encrypted for the key that `is_ours` knows, and which secrets those
/// are. An empty secret is nobody's.
#[must_use]
pub fn foreign_secrets(units: &[Unit], is_ours: impl Fn(&str) -> bool) -> BTreeMap<InstanceId, Vec<String>> {
    let is_foreign =
        |secret: &&SecretKeyValue| !secret.value.is_empty() && !secret.public_key.as_deref().is_some_and(&is_ours);
    units
        .iter()
        .map(|unit| (unit.instance, secrets(unit).iter().filter(is_foreign).map(|secret| secret.id.clone()).collect()))
        .filter(|(_, invalid): &(InstanceId, Vec<String>)| !invalid.is_empty())
        .collect()
}

/// Takes the values of these secrets away and stamps them with the key that they must be encrypted for.
pub fn secrets_clear(config: &mut InstanceConfig, invalid: &[String], public_key: &str) {
    for secret in config.secrets.iter_mut().flatten().filter(|secret| invalid.contains(&secret.id)) {
        secret.value.clear();
        secret.encrypted = false;
        secret.public_key = Some(public_key.to_owned());
    }
}

/// The refusal that says which values were taken away.
#[must_use]
pub fn secrets_refusal(invalid: &BTreeMap<InstanceId, Vec<String>>) -> Error {
    let value: Vec<Value> =
        invalid.iter().map(|(id, secrets)| json!({"instanceId": id.to_string(), "invalid": secrets})).collect();
    let message = "Secrets were encrypted for another key; their values were removed.";
    Error::precondition("secrets", message).value(value).into()
}

#[cfg(test)]
mod tests {
    use serde_json::Map;
    use slipway_core::UserId;

    use super::*;
    use crate::container::ImageConfig;
    use crate::{ImageId, NodeId, Refused, Stamp, TeamId, VersionId};

    fn config(name: &str, patch: &Value) -> ImageConfig {
        ImageConfig::bare(name).patch(patch.as_object().unwrap()).unwrap()
    }

    fn chosen(name: &str, image: &Value, instance: &Value) -> (Instance, Image) {
        let image = Image {
            id: ImageId::generate(),
            version: VersionId::generate(),
            registry: RegistryId::generate(),
            name: name.to_owned(),
            tag: Some("1".to_owned()),
            order: 0,
            config: config(name, image),
            created: DateTime::UNIX_EPOCH,
        };
        let patch: &Map<String, Value> = instance.as_object().unwrap();
        let instance = Instance {
            id: InstanceId::generate(),
            deployment: DeploymentId::generate(),
            image: image.id,
            config: Some(InstanceConfig::default().patch(&image.config, patch).unwrap()),
            updated: DateTime::UNIX_EPOCH,
        };
        (instance, image)
    }

    fn deployment(status: Status) -> Deployment {
        Deployment {
            id: DeploymentId::generate(),
            team: TeamId::generate(),
            version: VersionId::generate(),
            node: NodeId::generate(),
            prefix: "p".to_owned(),
            note: None,
            status,
            tries: 0,
            environment: Vec::new(),
            stamp: Stamp::new(UserId::generate(), DateTime::UNIX_EPOCH),
        }
    }

    fn refused(result: Result<impl std::fmt::Debug>) -> (Refused, String) {
        match result {
            Err(Error::Refused(refusal)) => (refusal.kind, refusal.property.unwrap_or_default()),
            other => panic!("{other:?}"),
        }
    }

    const ROLLING: VersionKind = VersionKind::Rolling;

    #[test]
    fn what_makes_no_sense_does_not_go_out() {
        let one = || chosen("web", &json!({}), &json!({}));
        let start = |status, chosen: &[(Instance, Image)]| plan(ROLLING, &deployment(status), chosen);
        assert_eq!(refused(start(Status::Preparing, &[])), (Refused::Precondition, "instances".to_owned()));
        assert_eq!(refused(start(Status::InProgress, &[one()])), (Refused::Precondition, "status".to_owned()));
        let twins = [one(), one()];
        assert_eq!(refused(start(Status::Failed, &twins)), (Refused::Invalid, "instances[1].config.name".to_owned()));
        let bad = [one(), chosen("db", &json!({}), &json!({"expose": "expose"}))];
        assert_eq!(refused(start(Status::Failed, &bad)), (Refused::Invalid, "instances[1].config.ports".to_owned()));
        let units = start(Status::Successful, &[one()]).unwrap();
        assert_eq!((units[0].name(), units[0].reference("r.example/web")), ("web", "r.example/web:1".to_owned()));
        assert_eq!(units[0].reference("web@sha256:1"), "web@sha256:1");
    }

    #[test]
    fn what_was_frozen_alone_comes_back() {
        let (mut instance, mut image) = chosen("web", &json!({"tty": true, "args": [{"key": "a"}]}), &json!({}));
        instance.config = Some(Effective::of(&image.config, &InstanceConfig::default()).freeze());
        image.config = config("other", &json!({"environment": [{"key": "A", "value": "1"}]}));
        let back = effective(VersionKind::Incremental, Status::Obsolete, &image, &instance);
        assert_eq!((back.name.as_str(), back.tty, back.environment.is_none()), ("web", true, true));
        assert_eq!(back.args.as_ref().unwrap()[0].key, "a");
        // One that failed was never frozen: it follows its image as it did.
        instance.config = Some(InstanceConfig { tty: Some(true), ..InstanceConfig::default() });
        let follows = effective(VersionKind::Incremental, Status::Obsolete, &image, &instance);
        assert_eq!((follows.name.as_str(), follows.environment.is_some()), ("other", true));
    }

    #[test]
    fn secrets_are_there_and_for_the_right_key() {
        let image = json!({"secrets": [{"id": "1", "key": "NEEDED", "required": true}, {"id": "2", "key": "EXTRA"}]});
        let with = |value: &str, encrypted: bool| {
            let secret = json!({
                "id": "1", "key": "NEEDED", "required": true, "value": value, "encrypted": encrypted,
                "publicKey": "ours",
            });
            let chosen = [chosen("web", &image, &json!({"secrets": [secret]}))];
            let units = plan(ROLLING, &deployment(Status::Preparing), &chosen).unwrap();
            (chosen, units)
        };
        for (value, encrypted, is_good) in [("m", true, true), ("", true, false), ("m", false, false)] {
            let (chosen, units) = with(value, encrypted);
            assert_eq!(required_check(&chosen, &units).is_ok(), is_good, "{value} {encrypted}");
        }
        let (mut chosen, units) = with("m", true);
        assert!(foreign_secrets(&units, |key| key == "ours").is_empty(), "an empty secret is nobody's");
        let foreign = foreign_secrets(&units, |key| key == "theirs");
        assert_eq!(foreign, [(units[0].instance, vec!["1".to_owned()])].into());
        let config = chosen[0].0.config.as_mut().unwrap();
        secrets_clear(config, &foreign[&units[0].instance], "theirs");
        let cleared = config.secrets.as_ref().unwrap().iter().find(|secret| secret.id == "1").unwrap();
        assert_eq!((cleared.value.as_str(), cleared.public_key.as_deref()), ("", Some("theirs")));
        assert_eq!(refused(Err::<(), _>(secrets_refusal(&foreign))), (Refused::Precondition, "secrets".to_owned()));
    }
}

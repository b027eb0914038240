//! Identities of what teams own. All are random (UUID version 4), which is what clients of this API check for.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// The text is no UUID in its usual form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID")]
pub struct IdError;

/// Reads a UUID in the one form that answers have, `8-4-4-4-12`, in either case.
///
/// # Errors
/// When it has another form.
pub fn uuid_parse(text: &str) -> Result<Uuid, IdError> {
    if text.len() != 36 {
        return Err(IdError);
    }
    Uuid::try_parse(text).map_err(|_| IdError)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a new one.
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::new_v4())
            }

            /// Wraps a UUID that is known to name one of these.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The bare UUID.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                uuid_parse(text).map(Self)
            }
        }
    };
}

id!(
    /// Names a team.
    TeamId
);
id!(
    /// Names a registry of a team.
    RegistryId
);
id!(
    /// Names a storage of a team.
    StorageId
);
id!(
    /// Names a notification of a team.
    NotificationId
);
id!(
    /// Names a user's token.
    UserTokenId
);
id!(
    /// Names a project.
    ProjectId
);
id!(
    /// Names a version of a project.
    VersionId
);
id!(
    /// Names an image of a version.
    ImageId
);
id!(
    /// Names a deployment.
    DeploymentId
);
id!(
    /// Names the token of a deployment.
    DeploymentTokenId
);
id!(
    /// Names an instance: an image in a deployment.
    InstanceId
);
id!(
    /// Names a node.
    NodeId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_usual_form_is_read() {
        let id = TeamId::generate();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
        assert_eq!(id.uuid().get_version_num(), 4);
        for bad in ["", "x", &id.uuid().simple().to_string(), &id.uuid().urn().to_string(), "{0}", &"g".repeat(36)] {
            assert!(bad.parse::<TeamId>().is_err(), "{bad}");
        }
    }
}

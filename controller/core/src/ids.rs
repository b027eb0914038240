//! Typed identifiers: an app's id can never be passed where a build's is meant.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a new identifier that sorts by its time of creation (UUID version 7).
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
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
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

id!(
    /// Names an app for its whole life; the app's name may be reused after it, this never.
    AppId
);
id!(
    /// Names a user.
    UserId
);
id!(
    /// Names a volume for its whole life; its name may be reused after it, this never.
    VolumeId
);
id!(
    /// Names a build.
    BuildId
);
id!(
    /// Names one immutable state of an app's configuration.
    ConfigId
);
id!(
    /// Names a release.
    ReleaseId
);
id!(
    /// Names an SSH public key.
    KeyId
);
id!(
    /// Names the log of one attempt to build.
    BuildLogId
);
id!(
    /// Names an entry of the record of who did what.
    EventId
);
id!(
    /// Names a certificate.
    CertificateId
);
id!(
    /// Names a log-in by e-mail address: a family of refresh tokens.
    LoginId
);
id!(
    /// Names a project.
    ProjectId
);
id!(
    /// Names a webhook.
    WebhookId
);
id!(
    /// Names something that is told to an address outside, over all its attempts.
    DeliveryId
);

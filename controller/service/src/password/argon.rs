//! argon2id in memory that goes back to the system.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::password_hash::{self, CustomizedPasswordHasher, PasswordHasher};
use argon2::{Algorithm, Argon2, Block, Params, Version};

/// Room that is asked for at least, in bytes; only what a computation needs of it (19 MiB by default) is touched.
/// The C library maps anything above 32 MiB on its own, and unmaps it when it is freed. Below that it keeps such large
/// pieces for the next time, one for each thread that ever computed a hash.
const ROOM_BYTES: usize = 33 << 20;

/// What a new hash costs whoever computes it. Hashes that are kept say what they cost, and are checked at that.
#[derive(Debug, Clone)]
pub struct PasswordCost(Params);

/// 19 MiB of memory and two passes, which the OWASP asks for at least.
impl Default for PasswordCost {
    fn default() -> Self {
        Self(Params::default())
    }
}

impl PasswordCost {
    /// Next to nothing, for tests that make hundreds of users.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn least() -> Self {
        Self(Params::new(Params::MIN_M_COST, Params::MIN_T_COST, Params::MIN_P_COST, None).unwrap_or_default())
    }
}

/// Computes as [`Argon2`] does, without leaving the process larger for good.
#[derive(Debug, Clone, Default)]
pub(super) struct Hasher(PasswordCost);

impl Hasher {
    pub(super) fn new(cost: PasswordCost) -> Self {
        Self(cost)
    }
}

fn compute(
    algorithm: Algorithm,
    version: Version,
    params: Params,
    password: &[u8],
    salt: &[u8],
) -> password_hash::Result<PasswordHash> {
    let salt = Salt::new(salt)?;
    let mut buffer = [0; Output::MAX_LENGTH];
    let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    let out = buffer.get_mut(..length).ok_or(password_hash::Error::OutputSize)?;
    let argon2 = Argon2::new(algorithm, version, params);
    let count = argon2.params().block_count();
    let mut blocks = Vec::new();
    blocks.try_reserve(count.max(ROOM_BYTES / Block::SIZE)).map_err(|_| password_hash::Error::Internal)?;
    blocks.resize(count, Block::default());
    argon2.hash_password_into_with_memory(password, &salt, out, &mut blocks)?;
    Ok(PasswordHash {
        algorithm: algorithm.ident(),
        version: Some(version.into()),
        params: ParamsString::try_from(argon2.params())?,
        salt: Some(salt),
        hash: Some(Output::new(out)?),
    })
}

impl PasswordHasher<PasswordHash> for Hasher {
    fn hash_password_with_salt(&self, password: &[u8], salt: &[u8]) -> password_hash::Result<PasswordHash> {
        compute(Algorithm::default(), Version::default(), self.0.0.clone(), password, salt)
    }
}

impl CustomizedPasswordHasher<PasswordHash> for Hasher {
    type Params = Params;

    fn hash_password_customized(
        &self,
        password: &[u8],
        salt: &[u8],
        algorithm: Option<&str>,
        version: Option<u32>,
        params: Params,
    ) -> password_hash::Result<PasswordHash> {
        let algorithm = algorithm.map(Algorithm::try_from).transpose()?.unwrap_or_default();
        let version = version.map(Version::try_from).transpose()?.unwrap_or_default();
        compute(algorithm, version, params, password, salt)
    }
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::PasswordVerifier;

    use super::*;

    #[test]
    fn hashes_are_those_of_argon2() {
        let salt = b"some salt of it";
        let ours = Hasher::default().hash_password_with_salt(b"password", salt).unwrap();
        let theirs = Argon2::default().hash_password_with_salt(b"password", salt).unwrap();
        assert_eq!(ours.to_string(), theirs.to_string());
        // Other parameters than the usual, as an older release may have written them.
        let params = Params::new(64, 1, 2, Some(16)).unwrap();
        let other = Argon2::new(Algorithm::Argon2i, Version::V0x10, params);
        let other = other.hash_password_with_salt(b"password", salt).unwrap();
        assert!(Hasher::default().verify_password(b"password", &other).is_ok());
        assert!(Hasher::default().verify_password(b"Password", &other).is_err());
    }
}

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use pgp::types::CompressionAlgorithm;

use super::*;

fn key() -> KeyPair {
    generate("a node").unwrap()
}

/// Runs `gpg` in a folder of its own and gives what it wrote.
fn gpg(home: &Path, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("gpg")
        .arg("--homedir")
        .arg(home)
        .args(["--batch", "--quiet", "--no-permission-warning", "--trust-model", "always"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("gpg is installed");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "gpg {arguments:?}");
    output.stdout
}

#[test]
fn what_is_encrypted_for_a_key_is_read_with_it() {
    let pair = key();
    for text in ["", "hunter2", "ä\n\u{1f980}", &"x".repeat(SECRET_MAX)] {
        let message = encrypt(&pair.public, text).unwrap();
        assert!(message.starts_with("-----BEGIN PGP MESSAGE-----"), "{message}");
        assert_eq!(decrypt(&pair.secret, &message).unwrap().expose_secret(), text);
    }
}

#[test]
fn what_gnupg_encrypts_is_read() {
    let pair = key();
    let home = tempfile::tempdir().unwrap();
    gpg(home.path(), &["--import"], pair.public.as_bytes());
    for more in [&[][..], &["--compress-algo", "zlib"], &["--compress-algo", "none"], &["--cipher-algo", "AES128"]] {
        let arguments = [&["--armor", "--encrypt", "--recipient", "a node"], more].concat();
        let message = String::from_utf8(gpg(home.path(), &arguments, b"hunter2")).unwrap();
        assert_eq!(decrypt(&pair.secret, &message).unwrap().expose_secret(), "hunter2", "{more:?}");
    }
    // GnuPG can read what is encrypted here, too: it is the same key.
    gpg(home.path(), &["--import"], pair.secret.expose_secret().as_bytes());
    let message = encrypt(&pair.public, "for gpg").unwrap();
    assert_eq!(gpg(home.path(), &["--decrypt"], message.as_bytes()), b"for gpg");
    let stop = Command::new("gpgconf").arg("--homedir").arg(home.path()).args(["--kill", "gpg-agent"]).status();
    assert!(stop.unwrap().success());
}

#[test]
fn hostile_messages_are_refused() {
    let pair = key();
    let good = encrypt(&pair.public, "hunter2").unwrap();
    let other = encrypt(&key().public, "hunter2").unwrap();
    let why = |message: &str| decrypt(&pair.secret, message).unwrap_err();
    assert_eq!(why(&other), Unreadable::WrongKey);
    for garbage in ["", "hunter2", "-----BEGIN PGP MESSAGE-----", &pair.public, pair.secret.expose_secret()] {
        assert_eq!(why(garbage), Unreadable::Malformed, "{garbage}");
    }
    // A message with the end cut off, at every place.
    for length in (0..good.len()).step_by(7) {
        assert!(decrypt(&pair.secret, &good[..length]).is_err(), "{length}");
    }
    assert_eq!(why(&"x".repeat(MESSAGE_MAX + 1)), Unreadable::TooLong);
    assert_eq!(why(&encrypt(&pair.public, &"x".repeat(SECRET_MAX + 1)).unwrap()), Unreadable::TooMuch);
    assert_eq!(decrypt(&SecretString::from("no key"), &good).unwrap_err(), Unreadable::Key);
}

#[test]
fn a_message_that_unpacks_to_too_much_is_refused() {
    let pair = key();
    let (public, _) = SignedPublicKey::from_string(&pair.public).unwrap();
    let mut builder =
        MessageBuilder::from_bytes("", vec![0_u8; 32 * 1024 * 1024]).seipd_v1(OsRng, SymmetricKeyAlgorithm::AES256);
    builder.compression(CompressionAlgorithm::ZLIB);
    builder.encrypt_to_key(OsRng, &public.public_subkeys[0]).unwrap();
    let bomb = builder.to_armored_string(OsRng, ArmorOptions::default()).unwrap();
    assert!(bomb.len() < MESSAGE_MAX, "{}", bomb.len());
    assert_eq!(decrypt(&pair.secret, &bomb).unwrap_err(), Unreadable::TooMuch);
}

#[test]
fn changed_bytes_are_noticed() {
    let pair = key();
    let good = encrypt(&pair.public, "hunter2").unwrap();
    let body = good.find("\n\n").unwrap() + 2;
    for place in (body..good.len() - 40).step_by(3) {
        let mut bytes = good.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        // Only bytes that carry nothing may differ, such as the checksum of the armor.
        if let Ok(text) = decrypt(&pair.secret, &changed) {
            assert_eq!(text.expose_secret(), "hunter2", "{place}");
        }
    }
}

#[test]
fn keys_are_told_apart() {
    let (one, other) = (key(), key());
    assert!(is_same_key(&one.public, &format!("{}\n", one.public)));
    assert!(is_same_key(&one.public, &one.public.replacen("\n\n", "\nComment: x\n\n", 1)));
    assert!(!is_same_key(&one.public, &other.public));
    assert!(!is_same_key("garbage", &one.public) && !is_same_key("", "x"));
    assert!(encrypt("garbage", "x").is_err());
    assert!(!format!("{one:?}").contains("PRIVATE"));
}

//! Sending mail: to a server, or into a folder where there is none.

use std::path::PathBuf;

use async_trait::async_trait;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};
use slipway_service::{Mail, Mailer};

/// Time that a server may take for one mail.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(20);

/// Why mail cannot be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The address of the sender.
    #[error("SLIPWAY_MAIL_FROM must be an address such as Slipway <slipway@example.com>")]
    From,
    /// The address of the server; it is not shown, for it may hold a password.
    #[error("SLIPWAY_SMTP_URL must be a URL such as smtps://USER:PASSWORD@mail.example.com")]
    Server,
}

/// Hands mail to a server.
pub(crate) struct SmtpMailer {
    from: Mailbox,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

/// Puts mail into a folder, a file each, readable by its owner only.
pub(crate) struct FolderMailer {
    from: Mailbox,
    folder: PathBuf,
}

impl SmtpMailer {
    pub(crate) fn new(url: &SecretString, from: &str) -> Result<Self, MailError> {
        let from = from.parse().map_err(|_| MailError::From)?;
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose_secret());
        let transport = builder.map_err(|_| MailError::Server)?.timeout(Some(TIMEOUT)).build();
        Ok(Self { from, transport })
    }
}

impl FolderMailer {
    pub(crate) fn new(folder: PathBuf, from: &str) -> Result<Self, MailError> {
        Ok(Self { from: from.parse().map_err(|_| MailError::From)?, folder })
    }
}

fn message(from: &Mailbox, mail: &Mail) -> Result<Message, String> {
    let to: Mailbox = mail.to.parse().map_err(|_| "the address of the receiver does not parse".to_owned())?;
    Message::builder()
        .from(from.clone())
        .to(to)
        .subject(mail.subject.replace(char::is_control, " "))
        .header(ContentType::TEXT_PLAIN)
        .body(mail.text.clone())
        .map_err(|error| error.to_string())
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: &Mail) -> Result<(), String> {
        let message = message(&self.from, mail)?;
        self.transport.send(message).await.map(|_| ()).map_err(|error| error.to_string())
    }
}

#[async_trait]
impl Mailer for FolderMailer {
    async fn send(&self, mail: &Mail) -> Result<(), String> {
        let bytes = message(&self.from, mail)?.formatted();
        let folder = self.folder.clone();
        let name = format!("{}.eml", uuid::Uuid::now_v7());
        let written = tokio::task::spawn_blocking(move || write(&folder, &name, &bytes)).await;
        written.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }
}

fn write(folder: &std::path::Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // Whoever reads the folder sees whole mails only.
    let unfinished = folder.join(format!(".{name}"));
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(unfinished, folder.join(name))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;

    use super::*;

    fn mail(to: &str) -> Mail {
        Mail { to: to.to_owned(), subject: "Hello\r\nBcc: x@y".to_owned(), text: "A line.\n".to_owned() }
    }

    #[tokio::test]
    async fn a_folder_gets_whole_mails() {
        let dir = tempfile::tempdir().unwrap();
        let mailer = FolderMailer::new(dir.path().join("outbox"), "Slipway <slipway@example.com>").unwrap();
        mailer.send(&mail("ann@example.com")).await.unwrap();
        let files: Vec<_> = std::fs::read_dir(dir.path().join("outbox")).unwrap().map(Result::unwrap).collect();
        assert_eq!(files.len(), 1);
        let text = std::fs::read_to_string(files[0].path()).unwrap();
        assert!(text.contains("To: ann@example.com\r\n") && text.contains("A line."), "{text}");
        assert!(!text.contains("\nBcc:"), "{text}");
        assert!(mailer.send(&mail("nonsense")).await.is_err());
        assert!(FolderMailer::new(dir.path().to_owned(), "nobody").is_err());
    }

    #[tokio::test]
    async fn a_server_is_spoken_to() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            let mut said = Vec::new();
            write.write_all(b"220 here\r\n").await.unwrap();
            let mut is_data = false;
            while let Ok(Some(line)) = lines.next_line().await {
                let answer: &[u8] = match line.as_str() {
                    "." => {
                        is_data = false;
                        b"250 taken\r\n"
                    }
                    _ if is_data => b"",
                    "DATA" => {
                        is_data = true;
                        b"354 go on\r\n"
                    }
                    "QUIT" => b"221 bye\r\n",
                    _ => b"250 yes\r\n",
                };
                said.push(line);
                write.write_all(answer).await.unwrap();
                if said.last().is_some_and(|line| line == ".") {
                    break;
                }
            }
            said
        });
        let url = SecretString::from(format!("smtp://{addr}"));
        let mailer = SmtpMailer::new(&url, "slipway@example.com").unwrap();
        mailer.send(&mail("ann@example.com")).await.unwrap();
        let said = serving.await.unwrap();
        assert!(said.contains(&"RCPT TO:<ann@example.com>".to_owned()), "{said:?}");
        assert!(said.contains(&"A line.".to_owned()), "{said:?}");
        assert!(SmtpMailer::new(&SecretString::from("https://x"), "slipway@example.com").is_err());
    }
}

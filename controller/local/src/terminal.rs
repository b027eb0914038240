//! The platform's end of a pseudo-terminal.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{InputModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};
use slipway_engine::session::TerminalSize;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A terminal whose other end a process has. When it is dropped the process is told that its terminal hung up.
#[derive(Debug)]
pub(crate) struct Terminal {
    ours: AsyncFd<OwnedFd>,
}

impl Terminal {
    /// A new terminal, and the end that the process is to be given.
    pub(crate) fn open(size: TerminalSize) -> io::Result<(Self, OwnedFd)> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let ours = openpt(flags)?;
        grantpt(&ours)?;
        unlockpt(&ours)?;
        let theirs = ioctl_tiocgptpeer(&ours, flags)?;
        let mut modes = tcgetattr(&theirs)?;
        // Else the key that removes a character removes one byte of it.
        modes.input_modes |= InputModes::IUTF8;
        tcsetattr(&theirs, OptionalActions::Now, &modes)?;
        rustix::io::ioctl_fionbio(&ours, true)?;
        #[expect(deprecated, reason = "sound for a descriptor that is owned; what replaces it is unsafe")]
        let terminal = Self { ours: AsyncFd::new(ours)? };
        terminal.resize(size)?;
        Ok((terminal, theirs))
    }

    /// Tells the process that its terminal has another size.
    pub(crate) fn resize(&self, size: TerminalSize) -> io::Result<()> {
        let size = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(tcsetwinsize(self.ours.as_fd(), size)?)
    }

    /// Reads what was printed; 0 when nobody has the other end any more.
    pub(crate) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.ours.async_io(Interest::READABLE, |ours| Ok(rustix::io::read(ours, &mut *buffer)?)).await;
        match read {
            // How Linux says that the other end is closed.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::IO) => Ok(0),
            read => read,
        }
    }

    /// Types all of `bytes`; waits while the process does not read.
    pub(crate) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = self.ours.async_io(Interest::WRITABLE, |ours| Ok(rustix::io::write(ours, bytes)?)).await?;
            bytes = &bytes[written..];
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rustix::termios::tcgetwinsize;

    use super::*;

    #[tokio::test]
    async fn bytes_and_sizes_pass_and_a_closed_end_is_the_end() {
        let (terminal, theirs) = Terminal::open(TerminalSize { columns: 100, rows: 30 }).unwrap();
        let size = || tcgetwinsize(&theirs).map(|size| (size.ws_col, size.ws_row)).unwrap();
        assert_eq!(size(), (100, 30));
        terminal.resize(TerminalSize { columns: 7, rows: 8 }).unwrap();
        assert_eq!(size(), (7, 8));
        rustix::io::write(&theirs, b"out").unwrap();
        let mut buffer = [0; 16];
        assert_eq!(terminal.read(&mut buffer).await.unwrap(), 3);
        terminal.write_all(b"in\n").await.unwrap();
        assert_eq!(rustix::io::read(&theirs, &mut buffer).unwrap(), 3);
        assert_eq!(&buffer[..3], b"in\n");
        // What was typed is shown, as on any terminal.
        assert_eq!(terminal.read(&mut buffer).await.unwrap(), 4);
        drop(theirs);
        assert_eq!(terminal.read(&mut buffer).await.unwrap(), 0);
    }
}

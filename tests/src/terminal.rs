//! Somebody at a terminal: a program on a pseudo-terminal, what is typed and what is seen.

use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, Termios, Winsize, tcgetattr, tcsetwinsize};

use crate::eventually;

/// A program on a terminal.
pub struct Terminal {
    ours: std::fs::File,
    theirs: OwnedFd,
    seen: Arc<Mutex<Vec<u8>>>,
    reader: std::thread::JoinHandle<()>,
    child: Child,
    /// How the terminal was before.
    before: Termios,
}

impl Terminal {
    /// Starts `command` on a terminal of this size. It leads a session whose terminal that is.
    #[must_use]
    pub fn run(command: &Command, columns: u16, rows: u16) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let ours = openpt(flags).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let theirs = ioctl_tiocgptpeer(&ours, flags).unwrap();
        // setsid gives the program a session of its own, with its stdin as the terminal.
        let mut own = Command::new("setsid");
        own.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => own.env(name, value),
                None => own.env_remove(name),
            };
        }
        if !command.get_envs().any(|(name, _)| name == "TERM") {
            own.env("TERM", "xterm");
        }
        if let Some(folder) = command.get_current_dir() {
            own.current_dir(folder);
        }
        own.stdin(theirs.try_clone().unwrap());
        own.stdout(theirs.try_clone().unwrap());
        own.stderr(theirs.try_clone().unwrap());
        resize(&ours, columns, rows);
        let before = tcgetattr(&theirs).unwrap();
        let child = own.spawn().unwrap();
        let ours = std::fs::File::from(ours);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, shared) = (ours.try_clone().unwrap(), Arc::clone(&seen));
        let reading = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                shared.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        Self { ours, theirs, seen, reader: reading, child, before }
    }

    /// Types.
    pub fn types(&mut self, text: &str) {
        self.ours.write_all(text.as_bytes()).unwrap();
    }

    /// Gives the terminal another size.
    pub fn resize(&self, columns: u16, rows: u16) {
        resize(&self.ours, columns, rows);
    }

    /// Sends a signal to the program.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// All that was seen so far.
    #[must_use]
    pub fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned()
    }

    /// Waits until `text` is seen.
    pub fn sees(&self, text: &str) {
        let limit = Duration::from_mins(3);
        let start = std::time::Instant::now();
        while !self.seen().contains(text) {
            assert!(start.elapsed() < limit, "{text:?} is not to be seen:\n{}", self.seen());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until what is typed is no longer shown, as for a password.
    pub fn is_silent(&self) {
        eventually("nothing that is typed is shown", Duration::from_mins(3), || {
            (!tcgetattr(&self.theirs).unwrap().local_modes.contains(LocalModes::ECHO)).then_some(())
        });
    }

    /// Waits for the end; the exit code, and all that was seen. The terminal must be as it was before.
    #[must_use]
    pub fn end(mut self) -> (i32, String) {
        let status = eventually("the program ends", Duration::from_mins(3), || self.child.try_wait().unwrap());
        let after = tcgetattr(&self.theirs).unwrap();
        assert!(
            after.local_modes == self.before.local_modes && after.input_modes == self.before.input_modes,
            "the terminal is not as it was:\n{}",
            self.seen()
        );
        // Nobody else has the terminal open: what was written last is read, and then its end.
        drop(self.theirs);
        self.reader.join().unwrap();
        let seen = String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned();
        (status.code().unwrap(), seen)
    }
}

fn resize(terminal: impl std::os::fd::AsFd, columns: u16, rows: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).unwrap();
}

//! A Procfile of a pushed repository.

#![no_main]

use libfuzzer_sys::fuzz_target;
use slipway_core::procfile::{PROCFILE_MAX_TYPES, parse};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    match parse(&text) {
        Ok(procfile) => {
            assert!(procfile.len() <= PROCFILE_MAX_TYPES);
            // What was understood can be written and is understood again.
            let mut written = String::new();
            for (process_type, command) in &procfile {
                assert!(!command.is_empty() && !command.contains(['\0', '\n']), "{command:?}");
                written.push_str(&format!("{process_type}: {command}\n"));
            }
            assert_eq!(parse(&written).as_ref(), Ok(&procfile));
        }
        Err(error) => {
            let lines = text.lines().count();
            assert!(error.line <= lines, "line {} of {lines}", error.line);
            assert!(error.to_string().len() < 1000, "the message grows with the file");
        }
    }
});

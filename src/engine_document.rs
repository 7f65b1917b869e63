//! The settings as they cross to the engine, in a memfd of their own: not in its arguments or
//! environment, which other users of the machine may see.
//!
//! They are written when the engine's supervisor starts, later than the region is made: until then a
//! module may still learn what it needs.
#![forbid(unsafe_code)]

use rustix::fs::{MemfdFlags, Mode, SealFlags};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

/// The document.
#[derive(Debug, Serialize, Deserialize)]
pub struct Document {
    /// How long the drain at the end may take.
    pub drain_timeout_ms: u64,
    /// By module, what its settings type serializes to.
    pub modules: BTreeMap<String, serde_json::Value>,
}

impl Document {
    /// Writes it where only those can read it who are given the descriptor. Not blocking.
    ///
    /// # Errors
    /// The system's, when memory or descriptors are short.
    pub fn store(&self) -> io::Result<OwnedFd> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = File::from(rustix::fs::memfd_create("sipbus-settings", flags)?);
        rustix::fs::fchmod(&file, Mode::RUSR)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        rustix::fs::fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SEAL)?;
        Ok(file.into())
    }

    /// Reads what was stored behind `fd`, as the engine does.
    ///
    /// # Errors
    /// The system's, or that it is no such document.
    pub fn load(fd: OwnedFd) -> io::Result<Self> {
        let file = File::from(fd);
        let len = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        let mut text = vec![0; len];
        // Each engine has the same descriptor, with one position for all of them.
        file.read_exact_at(&mut text, 0)?;
        Ok(serde_json::from_slice(&text)?)
    }
}

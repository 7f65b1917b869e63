//! The program's arguments: descriptors that the supervisor left open, or the word to check settings.

use crate::shm::inherit::inherited;
use crate::supervisor::argument;
use lexopt::prelude::{Long, ValueExt};
use std::collections::BTreeMap;
use std::os::fd::{OwnedFd, RawFd};

/// See the module.
#[derive(Debug)]
pub struct Arguments {
    /// The region.
    pub region: OwnedFd,
    /// The settings document.
    pub settings: OwnedFd,
    /// A stream: a byte or its end means to drain.
    pub control: OwnedFd,
    /// A datagram socket for log records.
    pub log: OwnedFd,
    /// By module.
    pub doorbells: BTreeMap<String, OwnedFd>,
    /// By module and number of the setting.
    pub listeners: Vec<(String, usize, OwnedFd)>,
}

/// What the program is asked to do.
#[derive(Debug)]
pub enum Task {
    /// To run the connectors.
    Run(Arguments),
    /// To check settings.
    Check,
}

impl Task {
    /// Reads the program's own arguments.
    ///
    /// # Errors
    /// What is wrong or missing.
    pub fn from_env() -> Result<Self, String> {
        let check = format!("--{}", argument::CHECK);
        if std::env::args_os().skip(1).eq([check.as_str()]) {
            return Ok(Self::Check);
        }
        Arguments::parse(lexopt::Parser::from_env()).map(Self::Run)
    }
}

impl Arguments {
    fn parse(mut parser: lexopt::Parser) -> Result<Self, String> {
        let (mut region, mut settings, mut control, mut log) = (None, None, None, None);
        let (mut doorbells, mut listeners) = (BTreeMap::new(), Vec::new());
        while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
            let Long(name) = argument else {
                return Err(argument.unexpected().to_string());
            };
            let name = name.to_owned();
            let value = parser.value().and_then(|value| value.string());
            let value = value.map_err(|error| error.to_string())?;
            match name.as_str() {
                argument::REGION => region = Some(take(&name, &value)?),
                argument::SETTINGS => settings = Some(take(&name, &value)?),
                argument::CONTROL => control = Some(take(&name, &value)?),
                argument::LOG => log = Some(take(&name, &value)?),
                argument::DOORBELL => {
                    let (module, fd) = value
                        .split_once('=')
                        .ok_or_else(|| format!("--{name}: no module"))?;
                    doorbells.insert(module.to_owned(), take(&name, fd)?);
                }
                argument::LISTENER => {
                    let wrong = || format!("--{name}={value}: it must be module.number=fd");
                    let (place, fd) = value.split_once('=').ok_or_else(wrong)?;
                    let (module, number) = place.rsplit_once('.').ok_or_else(wrong)?;
                    let number = number.parse().map_err(|_| wrong())?;
                    listeners.push((module.to_owned(), number, take(&name, fd)?));
                }
                _ => return Err(format!("--{name}: there is no such argument")),
            }
        }
        let missing = |name: &str| format!("--{name} is missing");
        Ok(Self {
            region: region.ok_or_else(|| missing(argument::REGION))?,
            settings: settings.ok_or_else(|| missing(argument::SETTINGS))?,
            control: control.ok_or_else(|| missing(argument::CONTROL))?,
            log: log.ok_or_else(|| missing(argument::LOG))?,
            doorbells,
            listeners,
        })
    }
}

fn take(name: &str, number: &str) -> Result<OwnedFd, String> {
    let fd: RawFd = number
        .parse()
        .map_err(|_| format!("--{name}={number}: it is no number"))?;
    if fd < 3 {
        return Err(format!("--{name}={number}: it is a standard descriptor"));
    }
    inherited(fd).map_err(|error| format!("--{name}={number}: {error}"))
}

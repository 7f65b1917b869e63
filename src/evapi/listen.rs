//! Opens the listening sockets, on Kamailio's side: a port in use is an error at start, privileged
//! ports work, and they stay open when the engine is started again.

use super::address::Address;
use super::settings::Settings;
use std::io;
use std::net::{TcpListener, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// Opens every `bind_addr`; each socket comes with the number of its line. A name is listened on
/// at all its addresses that this machine has.
///
/// # Errors
/// Every address that cannot be used, and why.
pub fn open(settings: &Settings) -> Result<Vec<(usize, OwnedFd)>, Vec<String>> {
    let (mut open, mut mistakes) = (Vec::new(), Vec::new());
    for (line, address) in settings.bind.iter().enumerate() {
        let opened = match address {
            Address::Tcp { host, port, .. } => tcp(host, *port),
            Address::Unix(path) => unix(Path::new(path), settings).map(|fd| vec![fd]),
        };
        match opened {
            Ok(sockets) => open.extend(sockets.into_iter().map(|fd| (line, fd))),
            Err(error) => {
                let before = settings.bind.iter().take(line);
                let other = before
                    .rev()
                    .find(|other| other.port().is_some() && other.port() == address.port());
                mistakes.push(match other {
                    Some(other) if error.kind() == io::ErrorKind::AddrInUse => format!(
                        "bind_addr = \"{address}\": its port is taken by bind_addr = \"{other}\"; each line is one more address"
                    ),
                    _ => format!("bind_addr = \"{address}\": {error}"),
                });
            }
        }
    }
    if mistakes.is_empty() {
        Ok(open)
    } else {
        Err(mistakes)
    }
}

/// Removes the files of UNIX sockets, at the end.
pub fn remove(settings: &Settings) {
    for address in &settings.bind {
        if let Address::Unix(path) = address {
            // Without the privileges it was made with this may fail; the next start takes it over.
            drop(std::fs::remove_file(path));
        }
    }
}

fn tcp(host: &str, port: u16) -> io::Result<Vec<OwnedFd>> {
    let (mut open, mut foreign) = (Vec::new(), None);
    for address in (host, port).to_socket_addrs()? {
        match TcpListener::bind(address) {
            Ok(listener) => {
                listener.set_nonblocking(true)?;
                open.push(listener.into());
            }
            // A name may have addresses of a kind that this machine has not.
            Err(error) if is_foreign(&error) => foreign = Some(error),
            Err(error) => return Err(error),
        }
    }
    match foreign {
        Some(error) if open.is_empty() => Err(error),
        _ if open.is_empty() => Err(io::Error::other("the name has no address")),
        _ => Ok(open),
    }
}

fn is_foreign(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(libc::EAFNOSUPPORT)
}

fn unix(path: &Path, settings: &Settings) -> io::Result<OwnedFd> {
    // What a Kamailio before us left; a socket that somebody answers on is in use.
    if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        if UnixStream::connect(path).is_ok() {
            return Err(io::Error::from(io::ErrorKind::AddrInUse));
        }
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    let (user, group) = settings.unix_owner;
    if user.is_some() || group.is_some() {
        std::os::unix::fs::chown(path, user, group)?;
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(settings.unix_mode))?;
    Ok(listener.into())
}

//! Least privilege: which descriptors the engine holds, each with what it is for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use super::load;
use super::peer::{Peer, present};
use crate::{turn, wait};

/// `LISTEN` in the kernel's tables.
const LISTENS: &str = "0A";

pub(crate) fn the_engine_keeps_no_descriptor_that_it_does_not_need<P: Peer>() {
    if !present::<P>(&[]) {
        return;
    }
    let _turn = turn::light();
    const COUNT: usize = 20;
    let (mut peer, kamailio, mut sip) = load::under_way::<P>(COUNT);
    let port = peer.gate().port();
    explained(kamailio.engine().unwrap(), 1, &[port], P::CONNECTIONS);
    // The next one is given the same by its supervisor, which has had an engine before.
    kamailio.kill_engine();
    peer.joined(&kamailio);
    load::arrives(&mut peer, &mut sip, COUNT, COUNT);
    explained(kamailio.engine().unwrap(), 1, &[port], P::CONNECTIONS);
    kamailio.stop();
}

/// Waits until each descriptor of an engine of so many modules has its reason; connections are those with the ports, and
/// no more than so many.
pub(crate) fn explained(engine: u32, modules: usize, ports: &[u16], connections: usize) {
    let mut told = Vec::new();
    // One that is just being made or closed is in one of the kernel's tables and not in the other.
    wait::until("each descriptor is explained", || {
        let now = Held::by(engine).unexplained(modules, ports, connections);
        if now != told {
            eprintln!("unexplained: {now:?}");
            told = now;
        }
        told.is_empty()
    });
}

/// What `/proc` tells of a process's files, by the number of the descriptor.
pub(crate) fn links(pid: u32) -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let open = entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        let link = fs::read_link(&path).ok()?;
        Some((path, link.display().to_string()))
    });
    open.collect()
}

/// A TCP socket as the kernel shows it.
struct Tcp {
    local: u16,
    remote: u16,
    state: String,
}

/// Sockets count once, however many descriptors lead to them.
struct Held {
    links: Vec<String>,
    tcp: BTreeMap<String, Tcp>,
    unix: BTreeSet<String>,
}

impl Held {
    fn by(pid: u32) -> Self {
        let links = links(pid).into_iter().map(|(_, link)| link).collect();
        let table = |name: &str| {
            let text = fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default();
            let rows = text.lines().skip(1);
            rows.map(|row| row.split_whitespace().map(str::to_owned).collect())
                .collect::<Vec<Vec<String>>>()
        };
        let port = |address: &str| {
            let (_, port) = address.rsplit_once(':').unwrap();
            u16::from_str_radix(port, 16).unwrap()
        };
        let tcp = table("tcp").into_iter().chain(table("tcp6")).map(|row| {
            let socket = Tcp {
                local: port(&row[1]),
                remote: port(&row[2]),
                state: row[3].clone(),
            };
            (format!("socket:[{}]", row[9]), socket)
        });
        let tcp = tcp.collect();
        let unix = table("unix").into_iter();
        let unix = unix.map(|row| format!("socket:[{}]", row[6])).collect();
        Self { links, tcp, unix }
    }

    /// What has no reason to be there, or is there too often.
    fn unexplained(&self, modules: usize, ports: &[u16], connections: usize) -> Vec<String> {
        let mut left: Vec<String> = Vec::new();
        let mut often = BTreeMap::<&str, usize>::new();
        let mut sockets = BTreeSet::new();
        for link in &self.links {
            let kind = self.kind(link, ports);
            match kind {
                Some("unix" | "listener" | "connection") => {
                    if sockets.insert(link) {
                        *often.entry(kind.unwrap()).or_default() += 1;
                    }
                }
                Some(kind) => *often.entry(kind).or_default() += 1,
                None => left.push(link.clone()),
            }
        }
        // A module has a thread with a runtime: an epoll, a copy of it and what wakes it, and a doorbell with a copy.
        // The main thread has a runtime, too.
        let runtimes = modules + 1;
        let limits = [
            ("nothing", 2),
            ("log", 1),
            ("region", 1),
            ("epoll", 2 * runtimes),
            ("eventfd", runtimes + 2 * modules),
            // Two ends of its own signals, and the supervisor's two: its word, and the log.
            ("unix", 4),
            ("listener", 1),
            ("connection", connections),
        ];
        for (kind, most) in limits {
            let count = often.get(kind).copied().unwrap_or_default();
            if count > most {
                left.push(format!("{count} of {kind}: at most {most}"));
            }
        }
        if !often.contains_key("connection") {
            left.push("no connection".to_owned());
        }
        left
    }

    fn kind(&self, link: &str, ports: &[u16]) -> Option<&'static str> {
        let listens = |port: u16| {
            let mut all = self.links.iter().filter_map(|link| self.tcp.get(link));
            all.any(|socket| socket.state == LISTENS && socket.local == port)
        };
        match link {
            "/dev/null" => Some("nothing"),
            "anon_inode:[eventpoll]" => Some("epoll"),
            "anon_inode:[eventfd]" => Some("eventfd"),
            // The settings, of another name, were read and closed.
            "/memfd:sipbus (deleted)" => Some("region"),
            _ if link.ends_with("/kamailio.log") => Some("log"),
            _ if self.unix.contains(link) => Some("unix"),
            // Threads of a library wake each other: both ends are here.
            _ if link.starts_with("pipe:") => {
                let ends = self.links.iter().filter(|other| *other == link).count();
                (ends == 2).then_some("pipe")
            }
            _ => match self.tcp.get(link)? {
                socket if socket.state == LISTENS => Some("listener"),
                socket if ports.contains(&socket.remote) => Some("connection"),
                socket if listens(socket.local) => Some("connection"),
                _ => None,
            },
        }
    }
}

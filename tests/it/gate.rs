//! A TCP gate between Kamailio and a server, which a test opens and shuts.
//!
//! A server that appears is seen by Kamailio as soon as it listens. With a gate before it, the
//! independent subscriber is there first, so that nothing can arrive unseen.

use std::net::SocketAddrV4;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rustix::net::{self, AddressFamily, Shutdown, SocketFlags, SocketType};
use tokio::io::{AsyncReadExt, copy, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::port;
use crate::subscriber::runtime;

/// Shut at first: its port refuses connections.
pub(crate) struct Gate {
    port: u16,
    upstream: u16,
    door: Arc<Door>,
    tasks: Arc<Mutex<JoinSet<()>>>,
    cut: Arc<AtomicBool>,
}

impl Gate {
    pub(crate) fn before(upstream: u16) -> Self {
        let port = port::free();
        Self {
            port,
            upstream,
            door: Arc::new(Door::at(port)),
            tasks: Arc::default(),
            cut: Arc::default(),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The port that it leads to.
    pub(crate) fn upstream(&self) -> u16 {
        self.upstream
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Lets connections through.
    pub(crate) fn open(&self) {
        let listener = self.door.open();
        let (upstream, tasks) = (self.upstream, Arc::clone(&self.tasks));
        let accept = async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let pass = async move {
                    if let Ok(mut far) = TcpStream::connect(("127.0.0.1", upstream)).await {
                        copy_bidirectional(&mut near, &mut far).await.ok();
                    }
                };
                tasks.lock().unwrap().spawn(pass);
            }
        };
        let _entered = runtime().enter();
        self.tasks.lock().unwrap().spawn(accept);
    }

    /// Lets connections through, until one of them has passed so many bytes in one direction: then
    /// all end.
    pub(crate) fn open_for(&self, bytes: u64) {
        self.cut.store(false, Ordering::Release);
        let listener = self.door.open();
        let (upstream, cut) = (self.upstream, Arc::clone(&self.cut));
        let door = Arc::clone(&self.door);
        let pass = async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    Ok((near, _)) = listener.accept() => {
                        connections.spawn(pass_until(near, upstream, bytes));
                    }
                    Some(_) = connections.join_next() => break,
                    else => break,
                }
            }
            door.shut();
            drop((listener, connections));
            cut.store(true, Ordering::Release);
        };
        let _entered = runtime().enter();
        self.tasks.lock().unwrap().spawn(pass);
    }

    /// Whether the connections that `open_for` let through have ended.
    pub(crate) fn has_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    /// Cuts all connections and refuses new ones.
    pub(crate) fn shut(&self) {
        self.door.shut();
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap());
        runtime().block_on(async move {
            let mut tasks = tasks;
            tasks.shutdown().await;
        });
        // The accept task may have passed a connection on while it was being stopped.
        self.tasks.lock().unwrap().abort_all();
    }
}

/// The gate's port, which it holds from its beginning to its end, also while nobody may come in.
///
/// A listener that is closed may live on for a moment, in a child that another test has just forked. So one
/// socket listens and stops listening.
struct Door {
    socket: OwnedFd,
    listens: AtomicBool,
}

impl Door {
    fn at(port: u16) -> Self {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
        // Connections that were cut may linger.
        net::sockopt::set_socket_reuseaddr(&socket, true).unwrap();
        net::bind(&socket, &SocketAddrV4::new([127, 0, 0, 1].into(), port)).unwrap();
        Self {
            socket,
            listens: AtomicBool::new(false),
        }
    }

    fn open(&self) -> TcpListener {
        net::listen(&self.socket, 128).unwrap();
        self.listens.store(true, Ordering::Release);
        let listener = std::net::TcpListener::from(self.socket.try_clone().unwrap());
        let _entered = runtime().enter();
        TcpListener::from_std(listener).unwrap()
    }

    /// Refuses connections, and ends those that were not accepted yet. Who shuts down a socket that does not
    /// listen has all connections ended that it accepts later.
    fn shut(&self) {
        if self.listens.swap(false, Ordering::AcqRel) {
            net::shutdown(&self.socket, Shutdown::Both).unwrap();
        }
    }
}

async fn pass_until(mut near: TcpStream, upstream: u16, bytes: u64) {
    let mut far = TcpStream::connect(("127.0.0.1", upstream)).await.unwrap();
    let (near_read, mut near_write) = near.split();
    let (far_read, mut far_write) = far.split();
    let (mut there, mut back) = (near_read.take(bytes), far_read.take(bytes));
    tokio::select! {
        _ = copy(&mut there, &mut far_write) => {}
        _ = copy(&mut back, &mut near_write) => {}
    }
}

#[test]
fn a_gate_opens_and_shuts_while_other_tests_start_programs() {
    let gate = Gate::before(port::free());
    gate.shut();
    let passes = || std::net::TcpStream::connect(("127.0.0.1", gate.port())).is_ok();
    let started = || std::process::Command::new("true").status().unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                started();
            }
        });
        for _ in 0..200 {
            assert!(!passes());
            gate.open();
            assert!(passes());
            gate.shut();
        }
        done.store(true, Ordering::Release);
    });
}

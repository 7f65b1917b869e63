//! A rabbitmq-server of the distribution, with a node name, ports and a folder of its own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::Server;
use crate::{port, require, wait};

/// The scripts as they are: what lies in the `PATH` changes to a user of its own first.
const SCRIPTS: &str = "/usr/lib/rabbitmq/bin";

/// A running RabbitMQ; it can be stopped and started again on the same port.
pub(crate) struct Rabbit {
    port: u16,
    environment: Vec<String>,
    folder: TempDir,
    server: Option<Server>,
    // Erlang's name service, which would otherwise stay behind as a daemon.
    epmd: Server,
}

impl Rabbit {
    /// The server of all tests that leave it as it is. It takes seconds to start.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<(Rabbit, Child)> = OnceLock::new();
        let start = || {
            // A server ends with the thread that started it: that must not be the first test's.
            let (give, take) = mpsc::channel();
            std::thread::spawn(move || {
                give.send(Self::start()).ok();
                loop {
                    std::thread::park();
                }
            });
            let rabbit = take.recv().expect("a running rabbitmq-server");
            let cleaner = rabbit.cleaner();
            (rabbit, cleaner)
        };
        &SHARED.get_or_init(start).0
    }

    /// A server of the test's own.
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// A server with further lines in its configuration.
    pub(crate) fn with(lines: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("sipbus-rabbitmq-")
            .tempdir()
            .unwrap();
        let (port, names) = (port::free(), port::free());
        let config = format!(
            "listeners.tcp.1 = 127.0.0.1:{port}\nloopback_users = none\nlog.console = true\n\
             disk_free_limit.absolute = 1MB\nvm_memory_high_watermark.relative = 0.6\n{lines}\n"
        );
        std::fs::write(folder.path().join("rabbitmq.conf"), config).unwrap();
        std::fs::write(folder.path().join("plugins"), "[].\n").unwrap();
        let address = ["-address", "127.0.0.1", "-port", &names.to_string()].map(String::from);
        let epmd = require::program("epmd").unwrap();
        let mut rabbit = Self {
            port,
            environment: environment(&folder, port, names),
            server: None,
            epmd: Server::spawn("epmd", &epmd, &address, folder.path()),
            folder,
        };
        wait::until("epmd listens", || {
            TcpStream::connect(("127.0.0.1", names)).is_ok()
        });
        rabbit.start_again();
        rabbit
    }

    pub(crate) fn start_again(&mut self) {
        // One after the other: a start is seconds of work for all cores.
        static STARTING: Mutex<()> = Mutex::new(());
        let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut args = self.environment.clone();
        args.push(format!("{SCRIPTS}/rabbitmq-server"));
        let program = require::program("env").unwrap();
        self.server = Some(Server::spawn(
            "rabbitmq-server",
            &program,
            &args,
            self.folder.path(),
        ));
        wait::until("rabbitmq-server answers", || {
            let server = self.server.as_mut().unwrap();
            let ended = server.ended();
            assert!(ended.is_none(), "rabbitmq-server ended:\n{}", server.log());
            answers(self.port)
        });
    }

    /// Stops the server; its port refuses connections from then on.
    pub(crate) fn stop(&mut self) {
        self.server.take().expect("a running server").stop();
    }

    /// Ends the server as a crash does.
    pub(crate) fn kill(&mut self) {
        let mut server = self.server.take().expect("a running server");
        server.signal(Signal::KILL);
        server.wait();
    }

    /// Holds the server up: its connections stay, and nothing moves on them.
    pub(crate) fn freeze(&self) {
        self.server.as_ref().unwrap().signal(Signal::STOP);
    }

    pub(crate) fn thaw(&self) {
        self.server.as_ref().unwrap().signal(Signal::CONT);
    }

    /// What `rabbitmqctl` says.
    pub(crate) fn control(&self, args: &[&str]) -> String {
        let mut command = Command::new("env");
        command
            .args(&self.environment)
            .arg(format!("{SCRIPTS}/rabbitmqctl"));
        let output = command.arg("--quiet").args(args).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "rabbitmqctl {args:?}:\n{text}{error}"
        );
        text
    }

    /// Has the server think that its memory is used up, or not any more.
    pub(crate) fn memory_alarm(&self, on: bool) {
        let share = if on { "0.00001" } else { "0.6" };
        self.control(&["set_vm_memory_high_watermark", share]);
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        url(self.port)
    }

    /// A process that clears up after a server that nobody drops, once this process has ended.
    fn cleaner(&self) -> Child {
        let server = self.server.as_ref().unwrap().pid();
        let script = "cat; kill -KILL \"$1\" \"$2\"; for _ in $(seq 100); do [ -e /proc/\"$1\"/cwd ] || break; sleep 0.1; done; rm -rf -- \"$0\"";
        let mut command = Command::new("sh");
        command.args(["-c", script]).arg(self.folder.path());
        command.args([server.to_string(), self.epmd.pid().to_string()]);
        command
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.spawn().unwrap()
    }
}

/// The URL of what listens on a port, for the user that RabbitMQ begins with.
pub(crate) fn url(port: u16) -> String {
    format!("amqp://guest:guest@127.0.0.1:{port}")
}

/// Everything that a node would otherwise have in common with another one.
fn environment(folder: &TempDir, port: u16, names: u16) -> Vec<String> {
    let folder = folder.path().display();
    let control = port::free();
    [
        format!("HOME={folder}"),
        // The script then becomes the server, instead of watching over it.
        "RUNNING_UNDER_SYSTEMD=true".into(),
        format!("ERL_EPMD_PORT={names}"),
        "ERL_EPMD_ADDRESS=127.0.0.1".into(),
        format!("RABBITMQ_NODENAME=sipbus{port}@localhost"),
        format!("RABBITMQ_DIST_PORT={}", port::free()),
        format!("RABBITMQ_CTL_DIST_PORT_MIN={control}"),
        format!("RABBITMQ_CTL_DIST_PORT_MAX={control}"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}".into(),
        format!("RABBITMQ_CONF_ENV_FILE={folder}/none"),
        format!("RABBITMQ_CONFIG_FILE={folder}/rabbitmq.conf"),
        format!("RABBITMQ_GENERATED_CONFIG_DIR={folder}/generated"),
        format!("RABBITMQ_ENABLED_PLUGINS_FILE={folder}/plugins"),
        format!("RABBITMQ_MNESIA_BASE={folder}/mnesia"),
        format!("RABBITMQ_LOG_BASE={folder}/logs"),
        "RABBITMQ_LOGS=-".into(),
        format!("RABBITMQ_PID_FILE={folder}/pid"),
    ]
    .into()
}

/// Whether a server on this port begins to speak AMQP.
fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let second = Some(Duration::from_secs(1));
    stream.set_read_timeout(second).unwrap();
    let mut frame = [0; 1];
    stream.write_all(b"AMQP\0\0\x09\x01").is_ok()
        && stream.read_exact(&mut frame).is_ok()
        && frame == [1]
}

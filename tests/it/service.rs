//! The drop-in for the distribution's unit, tried with a systemd of its own: in a process namespace, where it is the
//! first process, and a mount namespace, in which nothing of this machine is changed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::geteuid;
use tempfile::TempDir;

use crate::evapi::client::Client;
use crate::kazoo::bus::Bus;
use crate::process::{copy_program, status};
use crate::require::{self, needs};
use crate::server::kafka::Kafka;
use crate::server::nats::Nats;
use crate::server::rabbitmq::Rabbit;
use crate::sip::Sip;
use crate::subscriber::{Subscriber, text};
use crate::{port, turn, wait};

const SYSTEMD: &str = "/lib/systemd/systemd";
const UNIT: &str = "/lib/systemd/system/kamailio.service";

/// What is needed of the machine lies in $1, which the service sees as /mnt.
const BOOT: &str = r#"
set -e
mount --bind "$1" /mnt
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
export container=test SYSTEMD_UNIT_PATH=/mnt/units SYSTEMD_PROC_CMDLINE=systemd.unified_cgroup_hierarchy=1
exec /lib/systemd/systemd --system --unit=kamailio.service --log-target=console --show-status=no
"#;

/// A systemd and what it started; all of it is killed when dropped.
struct Machine {
    child: Child,
    folder: TempDir,
}

impl Machine {
    fn boot(folder: TempDir) -> Self {
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let spaces = ["--pid", "--fork", "--kill-child", "--mount", "--cgroup"];
        let child = Command::new("unshare")
            .args(spaces)
            .args(["--mount-proc", "sh", "-c", BOOT, "sh"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    /// Its first process, by the number it has here.
    fn systemd(&self) -> u32 {
        let unshare = self.child.id();
        let children = fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children"));
        children.unwrap().trim().parse().unwrap()
    }

    fn processes(&self) -> Vec<u32> {
        let space = |pid| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let own = space(self.systemd());
        let all = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        all.filter(|pid| space(*pid) == own).collect()
    }

    fn systemctl(&self, arguments: &[&str]) -> String {
        let done = Command::new("nsenter")
            .arg(format!("--target={}", self.systemd()))
            .args(["--mount", "--pid", "--cgroup", "systemctl"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(done.status.success(), "{arguments:?}: {done:?}");
        String::from_utf8(done.stdout).unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.path().join("log"));
            eprintln!("--- log of systemd\n{}---", log.unwrap_or_default());
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Why it cannot be tried here.
fn missing() -> Option<&'static str> {
    if require::program("kamailio") != Some("/usr/sbin/kamailio".into())
        || !Path::new(UNIT).exists()
    {
        return Some("it is not the distribution's Kamailio");
    }
    if !geteuid().is_root() || !Path::new(SYSTEMD).exists() {
        return Some("only root can start a systemd, where there is one");
    }
    let tried = Command::new("unshare")
        .args(["--pid", "--fork", "--mount", "--cgroup", "true"])
        .status();
    let may = tried.is_ok_and(|status| status.success());
    (!may).then_some("this user may not make namespaces")
}

fn configuration(sip: u16, evapi: u16, nats: &str, amqp: &str, kafka: &str) -> String {
    let stock = require::stock_modules();
    format!(
        r#"#!KAMAILIO
log_stderror=no
children=2
disable_tcp=yes
listen=udp:127.0.0.1:{sip}
mpath="/mnt/modules:{}"
loadmodule "pv.so"
loadmodule "sl.so"
loadmodule "kex.so"
loadmodule "nats.so"
modparam("nats", "nats_url", "{nats}")
loadmodule "kazoo.so"
modparam("kazoo", "amqp_connection", "{amqp}")
modparam("kazoo", "node_hostname", "served")
modparam("kazoo", "pua_mode", 0)
loadmodule "event_kafka.so"
modparam("event_kafka", "broker_id", "[k1]{kafka}?g.linger.ms=1")
loadmodule "evapi.so"
modparam("evapi", "bind_addr", "127.0.0.1:{evapi}")
request_route {{
    if ($rm == "OPTIONS") {{ sl_send_reply("200", "OK"); exit; }}
    nats_publish("served", "$rU");
    $var(answer) = $rc;
    kazoo_publish("served", "key", "{{}}");
    $var(answer) = $var(answer) + $rc;
    kafka_publish("k1", "$rU");
    $var(answer) = $var(answer) + $rc;
    sl_send_reply("200", "sum=$var(answer)");
}}
event_route[evapi:message-received] {{ evapi_relay("$evapi(msg)"); }}
"#,
        stock.display()
    )
}

/// What the service finds in /mnt: the modules, the distribution's unit, our drop-in, a configuration.
fn staged(configuration: &str) -> TempDir {
    let folder = tempfile::Builder::new()
        .prefix("sipbus-service-")
        .tempdir()
        .unwrap();
    let at = |path: &str| folder.path().join(path);
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(at("units/kamailio.service.d")).unwrap();
    fs::create_dir(at("modules")).unwrap();
    let modules = ["nats.so", "kazoo.so", "event_kafka.so", "evapi.so"];
    for file in ["libsipbus.so", "sipbus-engine"].into_iter().chain(modules) {
        copy_program(&require::modules().join(file), &at("modules").join(file));
    }
    fs::copy(UNIT, at("units/kamailio.service")).unwrap();
    let ours = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/kamailio-glue/build/kamailio-sipbus.conf"
    );
    fs::copy(ours, at("units/kamailio.service.d/sipbus.conf")).unwrap();
    let tested =
        "[Unit]\nDefaultDependencies=no\n[Service]\nEnvironment=CFGFILE=/mnt/kamailio.cfg\n";
    fs::write(at("units/kamailio.service.d/test.conf"), tested).unwrap();
    fs::write(at("kamailio.cfg"), configuration).unwrap();
    folder
}

#[test]
fn it_serves_and_stops_under_the_hardened_unit() {
    needs!(
        "kamailio",
        "evapi",
        "nats",
        "kazoo",
        "rabbitmq",
        "event_kafka",
        "kafka"
    );
    let _turn = turn::light();
    if let Some(reason) = missing() {
        eprintln!("skipped: {reason}");
        return;
    }
    let (nats, rabbit, kafka) = (Nats::start(), Rabbit::shared(), Kafka::start());
    let subscriber = Subscriber::new(&nats.url(), "served");
    let listener = Bus::to(rabbit.port()).listen("served", "topic", "#");
    let topic = kafka.topic();
    let (sip, evapi) = (port::free(), port::free());
    let socket = format!("{}/{topic}", kafka.bootstrap());
    let configuration = configuration(sip, evapi, &nats.url(), &rabbit.url(), &socket);
    let machine = Machine::boot(staged(&configuration));
    let mut phone = Sip::to(sip);
    wait::until("Kamailio answers", || phone.answers());

    let mut client = Client::dial(([127, 0, 0, 1], evapi).into());
    assert_eq!(phone.message("alice", b""), "sum=3");
    assert_eq!(text(&subscriber.only()), "alice");
    assert_eq!(listener.only().key, "key");
    assert_eq!(kafka.records(&topic).only().text(), "alice");
    client.send("hello");
    assert_eq!(client.text(), "hello");

    let own = machine.processes();
    let program = |pid: &u32| {
        fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.ends_with("sipbus-engine"))
    };
    let engine = own.into_iter().find(program).unwrap();
    // The restrictions were in force.
    for (name, value) in [
        ("NoNewPrivs:", "1"),
        ("Seccomp:", "2"),
        ("CapBnd:", "0000000000000000"),
    ] {
        assert_eq!(status(engine, name).unwrap(), value, "{name}");
    }
    machine.systemctl(&["stop", "kamailio.service"]);
    assert_eq!(
        machine
            .systemctl(&["show", "--property=Result", "kamailio.service"])
            .trim(),
        "Result=success"
    );
    assert!(!crate::process::alive(engine));
}

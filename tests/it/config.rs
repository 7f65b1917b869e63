//! The configuration of a kamailio under test.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::require;
use crate::script::Script;

/// SIP workers: more than one, so that each test shows data crossing processes.
pub(crate) const WORKERS: u32 = 4;

/// What every configuration has: an OPTIONS is answered at once, any other request runs
/// `route[TEST]`, whose `$var(answer)` becomes the reason phrase of the answer.
const FRAME: &str = r#"
request_route {
    if ($rm == "OPTIONS") { sl_send_reply("200", "OK"); exit; }
    $var(answer) = "nothing";
    route(TEST);
    sl_send_reply("200", "$var(answer)");
}
"#;

/// The stock modules that the frame and most tests use.
const MODULES: [&str; 7] = ["pv", "sl", "kex", "jsonrpcs", "xlog", "htable", "cfgutils"];

/// The modules that suspend requests.
const SUSPENDING: &str = "loadmodule \"tm.so\"\nloadmodule \"tmx.so\"\n\
     modparam(\"tm\", \"wt_timer\", 100)";

/// A timer.
const TICKING: &str = "loadmodule \"rtimer.so\"\n\
     modparam(\"rtimer\", \"timer\", \"name=tick;interval=100000u;mode=1;\")\n\
     modparam(\"rtimer\", \"exec\", \"timer=tick;route=TICK\")";

/// A configuration in the making.
pub(crate) struct Config {
    pub(crate) folder: TempDir,
    pub(crate) module: &'static str,
    before: String,
    params: String,
    after: String,
    routes: String,
    script: bool,
    /// Further arguments of the command line.
    pub(crate) args: Vec<String>,
    /// Where the log goes, if not into the folder.
    pub(crate) log: Option<PathBuf>,
    /// A program and its arguments that start Kamailio, if it is not started itself.
    pub(crate) under: Vec<String>,
}

impl Config {
    /// For `nats.so`.
    pub(crate) fn new() -> Self {
        Self::of("nats")
    }

    /// For any other of the modules.
    pub(crate) fn of(module: &'static str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("sipbus-kamailio-")
            .tempdir()
            .unwrap();
        let args = ["-m", "64", "-M", "16"].map(String::from).to_vec();
        let (before, params, after, routes) = Default::default();
        Self {
            folder,
            module,
            before,
            params,
            after,
            routes,
            script: false,
            args,
            log: None,
            under: Vec::new(),
        }
    }

    /// With one server, the usual case.
    pub(crate) fn at(url: &str) -> Self {
        Self::new().nats("nats_url", url)
    }

    /// A parameter of the module under test, as text.
    pub(crate) fn text_param(mut self, name: &str, value: &str) -> Self {
        let module = self.module;
        writeln!(
            self.params,
            "modparam(\"{module}\", \"{name}\", \"{value}\")"
        )
        .unwrap();
        self
    }

    /// A parameter of `nats.so`, as text.
    pub(crate) fn nats(self, name: &str, value: &str) -> Self {
        self.text_param(name, value)
    }

    /// A parameter of the module under test, as a number.
    pub(crate) fn number(mut self, name: &str, value: i64) -> Self {
        let module = self.module;
        writeln!(self.params, "modparam(\"{module}\", \"{name}\", {value})").unwrap();
        self
    }

    /// Lines before the module under test is loaded: core settings, other modules.
    pub(crate) fn before(mut self, lines: &str) -> Self {
        writeln!(self.before, "{lines}").unwrap();
        self
    }

    /// With what suspends requests.
    pub(crate) fn suspending(self) -> Self {
        self.before(SUSPENDING)
    }

    /// Lines after the module under test and its parameters.
    pub(crate) fn after(mut self, lines: &str) -> Self {
        writeln!(self.after, "{lines}").unwrap();
        self
    }

    /// With a timer that runs `route[TICK]` ten times a second.
    pub(crate) fn ticking(self) -> Self {
        self.after(TICKING)
    }

    /// The statements of `route[TEST]`.
    pub(crate) fn request(self, statements: &str) -> Self {
        self.routes(&format!("route[TEST] {{\n{statements}\n}}"))
    }

    /// Whole routes.
    pub(crate) fn routes(mut self, routes: &str) -> Self {
        writeln!(self.routes, "{routes}").unwrap();
        self
    }

    /// A KEMI script, which has all the routes.
    pub(crate) fn script(mut self, script: &Script) -> Self {
        let lines = format!("{}cfgengine \"{}\"\n", self.loaded(script), script.language);
        self.script = true;
        // Kazoo runs a function of the script at its start, so that must be there already.
        match self.module {
            "kazoo" => self.before(&lines),
            _ => self.after(&lines),
        }
    }

    /// A KEMI script that only lends its functions: the native routes stay in charge.
    pub(crate) fn lent(self, script: &Script) -> Self {
        let lines = self.loaded(script);
        self.after(&lines)
    }

    /// Writes a script, and the lines that load it.
    fn loaded(&self, script: &Script) -> String {
        let path = self.folder.path().join(script.file);
        std::fs::write(&path, &script.text).unwrap();
        let module = script.module;
        format!(
            "loadmodule \"{module}.so\"\nmodparam(\"{module}\", \"load\", \"{}\")\n",
            path.display()
        )
    }

    /// Room for large payloads: megabytes of private memory per process.
    pub(crate) fn private_memory(mut self, megabytes: u32) -> Self {
        self.args[3] = megabytes.to_string();
        self
    }

    /// The log goes there, and cannot be read by the test.
    pub(crate) fn log_to(mut self, file: &Path) -> Self {
        self.log = Some(file.into());
        self
    }

    /// Each process may have so many descriptors.
    pub(crate) fn descriptors(mut self, limit: u64) -> Self {
        self.under = vec!["prlimit".to_owned(), format!("--nofile={limit}")];
        self
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The whole file, for a Kamailio that serves SIP on the port.
    pub(crate) fn text(&self, sip: u16) -> String {
        let modules = require::modules();
        let mpath = format!(
            "{}:{}",
            modules.display(),
            require::stock_modules().display()
        );
        let socket = self.folder.path().join("rpc");
        let routes = match (self.script, self.routes.contains("route[TEST]")) {
            (true, _) => self.routes.clone(),
            (false, true) => format!("{FRAME}{}", self.routes),
            (false, false) => format!("{FRAME}{}\nroute[TEST] {{ return; }}", self.routes),
        };
        let loaded: String = MODULES
            .iter()
            .map(|name| format!("loadmodule \"{name}.so\"\n"))
            .collect();
        format!(
            "#!KAMAILIO\ndebug=2\nlog_stderror=yes\nchildren={WORKERS}\nauto_aliases=no\n\
             disable_tcp=yes\nmax_while_loops=0\nlisten=udp:127.0.0.1:{sip}\nmpath=\"{mpath}\"\n\
             {loaded}\
             modparam(\"jsonrpcs\", \"transport\", 4)\n\
             modparam(\"jsonrpcs\", \"dgram_socket\", \"{}\")\n\
             modparam(\"htable\", \"htable\", \"count=>size=6;initval=0;\")\n\
             {}loadmodule \"{}.so\"\n{}{}{routes}",
            socket.display(),
            self.before,
            self.module,
            self.params,
            self.after,
        )
    }
}

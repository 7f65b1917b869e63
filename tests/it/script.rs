//! KEMI scripts: their language, and what each has around its own lines.

/// In Lua the request route is a function, and so are all others.
const LUA: &str = r#"
function ksr_request_route()
    if KSR.pv.get("$rm") == "OPTIONS" then
        KSR.sl.send_reply(200, "OK")
        return 1
    end
REQUEST
    return 1
end
FUNCTIONS
"#;

/// In Python all are methods.
const PYTHON: &str = r#"
import KSR as KSR

def mod_init():
    return kamailio()

class kamailio:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.pv.get("$rm") == "OPTIONS":
            KSR.sl.send_reply(200, "OK")
            return 1
REQUEST
        return 1
FUNCTIONS
"#;

/// A script, which answers an OPTIONS at once.
pub(crate) struct Script {
    /// As `cfgengine` names it.
    pub(crate) language: &'static str,
    /// Kamailio's module that runs it.
    pub(crate) module: &'static str,
    pub(crate) file: &'static str,
    pub(crate) text: String,
}

impl Script {
    /// What is done with a request, and the other functions.
    pub(crate) fn lua(request: &str, functions: &str) -> Self {
        Self {
            language: "lua",
            module: "app_lua",
            file: "script.lua",
            text: whole(LUA, request, functions),
        }
    }

    /// What is done with a request, and the other methods; each line as deep as it is in the class.
    pub(crate) fn python(request: &str, methods: &str) -> Self {
        Self {
            language: "python",
            module: "app_python3",
            file: "script.py",
            text: whole(PYTHON, request, methods),
        }
    }
}

fn whole(frame: &str, request: &str, functions: &str) -> String {
    frame
        .replace("REQUEST", request)
        .replace("FUNCTIONS", functions)
}

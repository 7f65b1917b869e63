//! The examples of a manual, taken out of it.

use std::path::Path;

/// The fenced blocks of a module's manual, without those that are commands of a shell or no script.
pub(crate) fn examples(module: &str) -> Vec<String> {
    let path = format!("kamailio-glue/{module}/README.md");
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = std::fs::read_to_string(manual).unwrap();
    let blocks = text.split("```").skip(1).step_by(2);
    let scripts = blocks.filter_map(|block| block.strip_prefix('\n'));
    scripts
        .filter(|block| !block.starts_with("kamcmd"))
        .map(String::from)
        .collect()
}

/// The parameters that a block sets, as texts.
pub(crate) fn params(block: &str) -> Vec<(String, String)> {
    let lines = block.lines().filter(|line| line.starts_with("modparam("));
    let quoted = lines.map(|line| line.splitn(6, '"').map(String::from).collect::<Vec<_>>());
    quoted
        .map(|parts| {
            let value = parts[5].rsplit_once('"').unwrap().0;
            (parts[3].clone(), value.into())
        })
        .collect()
}

/// The routes that a block defines, but for the request route.
pub(crate) fn routes(block: &str) -> String {
    let mut routes = String::new();
    let mut inside = false;
    for line in block.lines() {
        inside |= line.starts_with("route[") || line.starts_with("event_route[");
        if inside {
            routes.push_str(line);
            routes.push('\n');
        }
        inside &= !line.ends_with('}') || line.starts_with(' ');
    }
    routes
}

/// The statements of a block: those of its request route, without the answer, which is the harness's,
/// or all of it if it is nothing else.
pub(crate) fn statements(block: &str) -> String {
    if let Some((_, rest)) = block.split_once("request_route {\n") {
        let (body, _) = rest.split_once("\n}").unwrap();
        return body.replace("sl_send_reply(\"200\", \"OK\");", "");
    }
    if params(block).is_empty() && routes(block).is_empty() {
        return block.into();
    }
    String::new()
}

//! Kamailio's RPC, over the datagram socket of its jsonrpcs module: structures stay structures.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

/// A client of one Kamailio.
pub(crate) struct Rpc {
    server: PathBuf,
    socket: UnixDatagram,
}

impl Rpc {
    /// A client with a socket of its own in `folder`, of the Kamailio that listens on `server`.
    pub(crate) fn new(folder: &Path, server: &Path) -> Self {
        let own = folder.join("rpc-client");
        let socket = UnixDatagram::bind(&own).unwrap();
        // A Kamailio of another user answers, too; the folder is nobody else's.
        std::fs::set_permissions(&own, Permissions::from_mode(0o666)).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Self {
            server: server.into(),
            socket,
        }
    }

    /// The result of one call.
    ///
    /// # Errors
    ///
    /// The RPC's own error, or what kept the answer away, as text.
    pub(crate) fn call(&self, method: &str, params: &[Value]) -> Result<Value, String> {
        let request = json!({"jsonrpc": "2.0", "method": method, "params": params, "id": 1});
        let text = request.to_string();
        self.socket
            .send_to(text.as_bytes(), &self.server)
            .map_err(|error| error.to_string())?;
        let mut answer = vec![0; 256 * 1024];
        let length = self
            .socket
            .recv(&mut answer)
            .map_err(|error| format!("{method}: {error}"))?;
        let text = String::from_utf8_lossy(&answer[..length]).into_owned();
        let answer: Value =
            serde_json::from_str(&text).map_err(|error| format!("{error} in {text}"))?;
        match answer.get("result") {
            Some(result) => Ok(result.clone()),
            None => Err(answer.to_string()),
        }
    }
}

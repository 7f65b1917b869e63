//! Voice messages that wait: simple message summaries (RFC 3842).

use super::{Message, Package, Row};

pub(super) fn row(message: &Message<'_>, now: i64) -> Result<Row, String> {
    let line = |name: &str, default: &str| -> Result<String, String> {
        let text = message.field(name)?;
        // A line end would begin another header.
        let text = String::from_utf8_lossy(&text).replace(char::is_control, " ");
        Ok(if text.is_empty() {
            default.to_owned()
        } else {
            text
        })
    };
    let waiting = line("Messages-Waiting", "no")?;
    let account = line("Message-Account", "")?;
    let [new, saved, urgent, urgent_saved] = [
        line("Messages-New", "0")?,
        line("Messages-Saved", "0")?,
        line("Messages-Urgent", "0")?,
        line("Messages-Urgent-Saved", "0")?,
    ];
    let mut body = format!("Messages-Waiting: {waiting}\r\n");
    if !account.is_empty() {
        body.push_str(&format!("Message-Account: {account}\r\n"));
    }
    body.push_str(&format!(
        "Voice-Message: {new}/{saved} ({urgent}/{urgent_saved})\r\n"
    ));
    Ok(Row {
        event: Package::MessageSummary.event(),
        domain: message.field("From-Realm")?.into_owned(),
        username: message.field("From-User")?.into_owned(),
        etag: message.first(&["ETag", "Call-ID"])?.into_owned(),
        // The original's: Sender-URI is not asked.
        sender: message.field("From")?.into_owned(),
        body: body.into_bytes(),
        expires: message.expires(now),
        reset: 1,
    })
}

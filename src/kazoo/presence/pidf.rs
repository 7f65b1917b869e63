//! What somebody does: PIDF documents (RFC 3863) with activities (RFC 4480).

use super::xml::escaped;
use super::{Message, Package, Row, Style};

pub(super) fn row(message: &Message<'_>, style: Style, now: i64) -> Result<Row, String> {
    let user = message.needed("From-User")?;
    message.needed("To-User")?;
    let state = message.needed("State")?;
    let from = message.field("From")?;
    let call_id = message.field("Call-ID")?;
    let (basic, note, activity) = match &*state {
        b"early" => ("open", "Busy", "<rpid:busy/>"),
        b"confirmed" => ("open", "On the Phone", "<rpid:on-the-phone/>"),
        b"offline" => ("closed", "Offline", ""),
        _ => ("open", "Available", ""),
    };
    let entity = escaped(if style.full_entity { &from } else { &user });
    let tuple = escaped(&call_id);
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
         xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" \
         xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" \
         xmlns:c=\"urn:ietf:params:xml:ns:pidf:cipid\" entity=\"{entity}\">\
         <tuple id=\"{tuple}\"><status><basic>{basic}</basic></status></tuple>\
         <note>{note}</note>\
         <dm:person id=\"1\"><rpid:activities>{activity}</rpid:activities>\
         <dm:note>{note}</dm:note></dm:person>\
         </presence>"
    );
    let sender = message.first(&["Sender-URI", "Switch-URI", "From"])?;
    Ok(Row {
        event: Package::Presence.event(),
        domain: message.field("From-Realm")?.into_owned(),
        username: user.into_owned(),
        etag: message.first(&["ETag", "Call-ID"])?.into_owned(),
        sender: sender.into_owned(),
        body: body.into_bytes(),
        expires: message.expires(now),
        reset: 1,
    })
}

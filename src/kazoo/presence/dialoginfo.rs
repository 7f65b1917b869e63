//! Calls in progress: dialog-info documents (RFC 4235).

use super::xml::escaped;
use super::{Message, Package, Row, Style, Text};

/// The dialog of a document about no call in particular, the original's.
const NO_CALL: &str = "76001e23e09704ea9e1257ebea85e1f3";

/// Whose lamp it is.
struct Presentity<'a> {
    address: Text<'a>,
    user: Text<'a>,
    realm: Text<'a>,
}

impl<'a> Presentity<'a> {
    fn of(message: &Message<'a>, prefix: &str) -> Result<Self, String> {
        Ok(Self {
            address: message.field(prefix)?,
            user: message.field(&format!("{prefix}-User"))?,
            realm: message.field(&format!("{prefix}-Realm"))?,
        })
    }

    fn is_whole(&self) -> bool {
        !self.address.is_empty() && !self.user.is_empty() && !self.realm.is_empty()
    }
}

pub(super) fn row(message: &Message<'_>, style: Style, now: i64) -> Result<Row, String> {
    for name in ["From", "To", "State"] {
        message.needed(name)?;
    }
    let mut presentity = Presentity::of(message, "Presentity")?;
    if !presentity.is_whole() {
        presentity = Presentity::of(message, "From")?;
    }
    let call_id = message.field("Call-ID")?;
    let entity = escaped(&presentity.address);
    let dialog = match &*call_id {
        b"" => no_dialog(),
        _ => dialog(message, &call_id, style)?,
    };
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"1\" state=\"full\" \
         entity=\"{entity}\">{dialog}</dialog-info>"
    );
    let sender = match message.first(&["Sender-URI", "Switch-URI"])? {
        given if !given.is_empty() => given.into_owned(),
        _ => [b"sip:", &*call_id].concat(),
    };
    Ok(Row {
        event: Package::Dialog.event(),
        domain: presentity.realm.into_owned(),
        username: presentity.user.into_owned(),
        etag: message.first(&["ETag", "Call-ID"])?.into_owned(),
        sender,
        body: body.into_bytes(),
        expires: message.expires(now),
        reset: message.flush_level(),
    })
}

fn no_dialog() -> String {
    format!(
        "<dialog call-id=\"{NO_CALL}\" direction=\"initiator\"><state>terminated</state></dialog>"
    )
}

fn dialog(message: &Message<'_>, call_id: &[u8], style: Style) -> Result<String, String> {
    let dialog_id = message.first(&["Dialog-ID", "Call-ID"])?;
    let mut tags = String::new();
    for (attribute, field) in [("local-tag", "From-Tag"), ("remote-tag", "To-Tag")] {
        let tag = message.field(field)?;
        if !tag.is_empty() {
            tags.push_str(&format!(" {attribute}=\"{}\"", escaped(&tag)));
        }
    }
    Ok(format!(
        "<dialog id=\"{}\" call-id=\"{}\"{tags} direction=\"{}\"><state>{}</state>{}{}</dialog>",
        escaped(&dialog_id),
        escaped(call_id),
        escaped(&message.field("Direction")?),
        escaped(&message.field("State")?),
        side(message, "local", "From", style)?,
        side(message, "remote", "To", style)?,
    ))
}

/// The `element` about one side of the call, from the fields that begin with `prefix`.
fn side(
    message: &Message<'_>,
    element: &str,
    prefix: &str,
    style: Style,
) -> Result<String, String> {
    let (uri, user) = (format!("{prefix}-URI"), format!("{prefix}-User"));
    let target = if style.include_entity {
        let target = message.first(&[&uri, prefix])?;
        format!("<target uri=\"{}\"/>", escaped(&target))
    } else {
        String::new()
    };
    Ok(format!(
        "<{element}><identity display=\"{}\">{}</identity>{target}</{element}>",
        escaped(&message.field(&user)?),
        escaped(&message.field(prefix)?),
    ))
}

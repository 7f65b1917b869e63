//! Delivery reports that a script wants: each goes into the inbox of the report worker that has the least
//! to do. Only then its frame may leave its lane.

use super::ledger::Outcome;
use crate::frame::kafka::{EVENT_OVERHEAD, Event};
use crate::link::Inbound;
use crate::module::arrived;
use crossbeam_channel::Receiver;
use std::sync::Arc;
use tokio::sync::Notify;

/// The longest text of an error, in bytes.
const ERROR_BYTES_MAX: usize = 512;

/// Runs for ever.
pub(super) async fn run(
    mut inbounds: Vec<Inbound>,
    outcomes: Receiver<Outcome>,
    reported: Arc<Notify>,
) {
    loop {
        while let Ok(outcome) = outcomes.try_recv() {
            if let Some(inbound) = inbounds.iter_mut().min_by_key(|i| i.waiting_bytes()) {
                stage(inbound, &outcome).await;
            }
            let Outcome {
                ledger,
                ticket,
                error,
                ..
            } = outcome;
            ledger.settle(ticket, error.is_some());
        }
        inbounds.iter_mut().for_each(Inbound::deliver);
        reported.notified().await;
    }
}

async fn stage(inbound: &mut Inbound, outcome: &Outcome) {
    let error = outcome.error.as_deref().unwrap_or_default().as_bytes();
    let error = error.get(..ERROR_BYTES_MAX).unwrap_or(error);
    let event = Event::Report {
        target: outcome.ticket.row,
        route: outcome.ticket.report.unwrap_or_default(),
        delivered: outcome.error.is_none(),
        place: outcome.place,
        key: outcome.key.as_deref(),
        error,
        payload: &outcome.payload,
    };
    let key = outcome.key.as_ref().map_or(0, Vec::len);
    let bytes = EVENT_OVERHEAD + key + error.len() + outcome.payload.len();
    if inbound.room_for(bytes).await.is_err()
        || event.write(|parts| inbound.try_stage(parts)) != Ok(true)
    {
        inbound.count(arrived::OVERSIZED, 1);
        log::error!("event_kafka: a delivery report is over inbox_size: left out");
        return;
    }
    inbound.count(arrived::RECEIVED, 1);
}

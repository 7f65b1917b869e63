//! What every connector must do, written once. A module's tests have it all by one line:
//!
//! ```ignore
//! conformance!(crate::nats::peer::Peer);
//! ```
//!
//! The line names the module's [`peer::Peer`]: how its server is started, stopped and killed, how a
//! script publishes to it, and what has arrived there. Where connectors differ by nature, the peer's
//! constants say so, and the rules say what holds instead.

pub(crate) mod delivery;
pub(crate) mod descriptor;
pub(crate) mod engine;
pub(crate) mod figure;
pub(crate) mod load;
pub(crate) mod outage;
pub(crate) mod peer;
pub(crate) mod scarcity;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod stuck;

/// All rules, as tests of a module in whose file it stands.
macro_rules! conformance {
    ($peer:path) => {
        $crate::conformance::rules! { $peer:
            descriptor::the_engine_keeps_no_descriptor_that_it_does_not_need,
            delivery::each_message_arrives_once_and_in_order,
            delivery::an_oversized_message_is_refused_and_the_next_is_not,
            delivery::empty_and_binary_messages_arrive_whole_or_are_refused,
            figure::figures_tell_of_an_absent_peer_and_of_what_waits_for_it,
            outage::accepted_while_the_peer_is_away_arrives_later,
            outage::a_connection_that_ends_in_mid_message_loses_nothing,
            outage::a_peer_killed_under_load_loses_nothing,
            stuck::a_stuck_peer_costs_each_worker_one_wait,
            stuck::a_stuck_engine_costs_each_worker_one_wait,
            stuck::a_stop_with_full_lanes_ends_at_the_drain_deadline,
            engine::an_engine_killed_under_load_loses_nothing,
            engine::a_killed_supervisor_leaves_nothing_behind,
            start::a_configuration_check_starts_nothing,
            start::a_module_that_fails_leaves_nothing_behind,
            start::twenty_restarts_in_a_row_lose_nothing,
            stop::what_was_accepted_before_the_stop_arrives,
            stop::a_stop_that_reaches_every_process_loses_nothing,
            stop::an_engine_killed_right_before_the_stop_loses_nothing,
            stop::a_stop_with_the_peer_away_ends_at_the_drain_deadline,
            scarcity::an_engine_out_of_descriptors_goes_on_when_there_are_some,
            scarcity::a_start_without_descriptors_works_or_is_refused,
            scarcity::a_full_disk_for_the_log_stops_nothing,
        }
    };
}
pub(crate) use conformance;

macro_rules! rules {
    ($peer:path: $($room:ident::$rule:ident,)*) => {
        mod conformance {
            $(
                #[test]
                fn $rule() {
                    $crate::conformance::$room::$rule::<$peer>();
                }
            )*
        }
    };
}
pub(crate) use rules;

//! What evapi.so promises, against a real Kamailio.

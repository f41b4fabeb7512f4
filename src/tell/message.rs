//! The words of a notification, in one place.

//! The channels a notification leaves by: one file each.

//! Probe mail in the daemon: what arrives hours behind its round, and across a restart, counts.

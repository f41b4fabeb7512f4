//! When each claim is looked at next.

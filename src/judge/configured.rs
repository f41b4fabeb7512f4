//! Does the connector say what was agreed?

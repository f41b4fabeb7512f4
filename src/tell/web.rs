//! HTTP: metrics, health, one probe on demand.

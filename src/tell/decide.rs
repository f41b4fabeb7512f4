//! Whether to speak, and why.

//! Whether what failed is us.

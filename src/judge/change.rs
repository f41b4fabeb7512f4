//! Better or worse than before: which looks count, and what they change.

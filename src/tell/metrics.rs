//! Every metric: its name and its help stand here and nowhere else.

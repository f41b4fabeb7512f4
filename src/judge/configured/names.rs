//! Whether every certificate that one pattern accepts is accepted by another.

use crate::wire::name::NamePattern;

/// Whether each of `said` accepts nothing that all of `agreed` would refuse.
pub(super) fn are_within(said: &[NamePattern], agreed: &[NamePattern]) -> bool {
    said.iter().all(|said| agreed.iter().any(|agreed| is_within(said, agreed)))
}

fn is_within(said: &NamePattern, agreed: &NamePattern) -> bool {
    match (said, agreed) {
        (NamePattern::Exact(said), NamePattern::Exact(agreed)) => said == agreed,
        (NamePattern::Exact(said), NamePattern::Under(suffix)) => {
            is_below(said.as_str(), suffix.as_str())
        }
        (NamePattern::Under(said), NamePattern::Under(suffix)) => {
            said == suffix || is_below(said.as_str(), suffix.as_str())
        }
        (NamePattern::Under(_), NamePattern::Exact(_)) => false,
    }
}

fn is_below(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

/// Patterns in words.
pub(super) fn listed(names: &[NamePattern]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern() -> impl Strategy<Value = NamePattern> {
        let label = prop_oneof!["a", "b"];
        let name = proptest::collection::vec(label, 1..4).prop_map(|labels| labels.join("."));
        (name, any::<bool>()).prop_map(|(name, is_under)| {
            let text = if is_under { format!("*.{name}.test") } else { format!("{name}.test") };
            text.parse().unwrap()
        })
    }

    proptest! {
        /// What is within accepts no certificate that the other refuses.
        #[test]
        fn within_is_never_wider(said in pattern(), agreed in pattern(), shown in pattern()) {
            let shown = shown.to_string();
            if is_within(&said, &agreed) && said.is_met_by(&shown) {
                prop_assert!(agreed.is_met_by(&shown), "{said} {agreed} {shown}");
            }
        }
    }

    #[test]
    fn the_usual_pairs() {
        #[track_caller]
        fn check(said: &str, agreed: &str, expect: bool) {
            assert_eq!(is_within(&said.parse().unwrap(), &agreed.parse().unwrap()), expect);
        }
        check("mx.fabrikam.test", "mx.fabrikam.test", true);
        check("mx.fabrikam.test", "*.fabrikam.test", true);
        check("*.fabrikam.test", "*.fabrikam.test", true);
        check("*.mail.fabrikam.test", "*.fabrikam.test", true);
        check("*.fabrikam.test", "mx.fabrikam.test", false);
        check("*.fabrikam.test", "*.mail.fabrikam.test", false);
        check("fabrikam.test", "*.fabrikam.test", false);
        check("mx.northwind.test", "*.fabrikam.test", false);
    }
}

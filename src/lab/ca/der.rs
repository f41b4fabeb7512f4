//! As much DER ([X.690 §8]) as OCSP responses and one extension need.
//!
//! [X.690 §8]: https://www.itu.int/rec/T-REC-X.690

pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;

/// One element with the parts as its content.
pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    let length = content.len().to_be_bytes();
    let significant = length.iter().skip_while(|octet| **octet == 0).copied();
    if content.len() >= 0x80 {
        out.push(0x80 | u8::try_from(significant.clone().count()).unwrap_or(0x08));
    }
    // Short form and long form end alike; only an empty content has no significant octet.
    if content.is_empty() {
        out.push(0);
    }
    out.extend(significant);
    out.extend(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_the_shortest_form() {
        #[track_caller]
        fn check(octets: usize, expect: &[u8]) {
            let made = element(OCTET_STRING, &[&vec![7; octets]]);
            assert_eq!(&made[1..made.len() - octets], expect);
        }
        check(0, &[0]);
        check(1, &[1]);
        check(127, &[127]);
        check(128, &[0x81, 128]);
        check(256, &[0x82, 1, 0]);
    }
}

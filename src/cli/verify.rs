use super::{Failure, args::VerifyArgs};
use std::io::Write;
pub(super) fn run(_args: &VerifyArgs, _out: &mut dyn Write) -> Result<u8, Failure> {
    Err(Failure::usage("x", "y"))
}

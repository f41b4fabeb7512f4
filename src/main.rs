//! The `mxwarden` program: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    mxwarden::cli::main()
}

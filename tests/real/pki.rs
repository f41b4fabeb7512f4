//! Every certificate of the lab, made by the `openssl` tool: a maker that shares no code with the judge.
//!
//! Dates are fixed (2020 to 2049), so no clock is read. The leaves share three keys, because keys are slow to make and no
//! case is about a key being used twice.

use crate::lab::succeed;
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

const START: &str = "20200101000000Z";
const END: &str = "20491231235959Z";

/// The 1024-bit group of RFC 2409 §6.2, which many a server still has from its maker.
const DH_1024: &str = "\
-----BEGIN DH PARAMETERS-----
MIGHAoGBAP//////////yQ/aoiFowjTExmKLgNwc0SkCTgiKZ8x0Agu+pjsTmyJR
Sgh5jjQE3e+VGbPNOkMbMCsKbfJfFDdP4TVtbVHCReSFtXZiXn7G9ExC6aY37WsL
/1y29Aa37e44a/taiZ+lrp8kEXxLH+ZJKGZR7OZTgf//////////AgEC
-----END DH PARAMETERS-----
";

/// Who signs a leaf.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Issuer {
    /// The intermediate below the trusted root.
    Intermediate,
    /// The leaf's own key.
    Itself,
    /// A root that nobody trusts.
    Stranger,
}

/// A leaf's key.
#[derive(Clone, Copy)]
pub(crate) enum Key {
    /// ECDSA on P-256.
    Ec,
    /// RSA, 2048 bits.
    Rsa,
    /// RSA, 1024 bits.
    Rsa1024,
}

impl Key {
    fn file(self) -> &'static str {
        match self {
            Self::Ec => "leaf-ec.key",
            Self::Rsa => "leaf-rsa.key",
            Self::Rsa1024 => "leaf-rsa1024.key",
        }
    }
}

/// One server certificate and what is sent with it. A case says how it differs from [`Leaf::good`].
#[derive(Clone, Copy)]
pub(crate) struct Leaf {
    /// The file it goes by, and no part of the certificate.
    pub(crate) file: &'static str,
    /// The subject's common name.
    pub(crate) common_name: &'static str,
    /// The one DNS name; none: no such extension.
    pub(crate) dns_name: Option<&'static str>,
    /// Its key.
    pub(crate) key: Key,
    /// Who signed it.
    pub(crate) issuer: Issuer,
    /// The digest that is signed.
    pub(crate) digest: &'static str,
    /// From when.
    pub(crate) not_before: &'static str,
    /// Until when.
    pub(crate) not_after: &'static str,
    /// What it may be used for.
    pub(crate) usage: &'static str,
    /// Whether it calls itself a certification authority.
    pub(crate) is_ca: bool,
    /// Whether the issuer's certificate is sent with it.
    pub(crate) with_issuer: bool,
}

impl Leaf {
    /// One that passes for `host` at every level.
    pub(crate) const fn good(host: &'static str) -> Self {
        Self {
            file: host,
            common_name: host,
            dns_name: Some(host),
            key: Key::Rsa,
            issuer: Issuer::Intermediate,
            digest: "sha256",
            not_before: START,
            not_after: END,
            usage: "serverAuth",
            is_ca: false,
            with_issuer: true,
        }
    }

    /// One that a client passes with, as `name`.
    pub(crate) const fn client(name: &'static str) -> Self {
        Self { usage: "clientAuth", ..Self::good(name) }
    }
}

/// Where the keys and certificates lie.
pub(crate) struct Pki {
    directory: PathBuf,
    /// `openssl ca` keeps a list of what it has signed, and is not made for two at once.
    turn: Mutex<()>,
}

impl Pki {
    /// Makes the authorities and the keys.
    pub(crate) fn make(directory: &Path) -> Self {
        fs::create_dir(directory).unwrap();
        fs::create_dir(directory.join("issued")).unwrap();
        let pki = Self { directory: directory.to_owned(), turn: Mutex::new(()) };
        pki.write("index.txt", "");
        pki.write("dh-1024.pem", DH_1024);
        pki.write(
            "ca.cnf",
            &format!(
                "[ca]\ndefault_ca = house\n\
                 [house]\ndatabase = {0}/index.txt\nnew_certs_dir = {0}/issued\n\
                 rand_serial = yes\nunique_subject = no\npolicy = any\ndefault_md = sha256\n\
                 [any]\ncommonName = supplied\n\
                 [req]\ndistinguished_name = dn\n[dn]\n",
                directory.display()
            ),
        );
        for key in ["root.key", "intermediate.key", "stranger.key", Key::Rsa.file()] {
            pki.generate(key, &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
        }
        pki.generate(
            Key::Rsa1024.file(),
            &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
        );
        pki.generate(Key::Ec.file(), &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        pki.authority("root", "Lab Root", "root");
        pki.authority("intermediate", "Lab Intermediate", "root");
        pki.authority("stranger", "Stranger Root", "stranger");
        pki
    }

    /// The root that is trusted.
    pub(crate) fn root(&self) -> PathBuf {
        self.path("root.pem")
    }

    /// The certificate that signs most leaves.
    pub(crate) fn intermediate(&self) -> PathBuf {
        self.path("intermediate.pem")
    }

    /// Diffie-Hellman parameters with a prime of 1024 bits.
    pub(crate) fn dh_1024(&self) -> PathBuf {
        self.path("dh-1024.pem")
    }

    /// Makes a leaf; returns a file with its key, itself and what is sent with it, in the order Postfix asks for.
    pub(crate) fn chain(&self, leaf: &Leaf) -> PathBuf {
        let issuer = match leaf.issuer {
            Issuer::Intermediate => Some("intermediate"),
            Issuer::Itself => None,
            Issuer::Stranger => Some("stranger"),
        };
        let mut extensions = format!(
            "basicConstraints = critical,CA:{}\n\
             keyUsage = critical,digitalSignature,keyEncipherment{}\n\
             extendedKeyUsage = {}\n\
             subjectKeyIdentifier = hash\n",
            if leaf.is_ca { "TRUE" } else { "FALSE" },
            if leaf.is_ca { ",keyCertSign" } else { "" },
            leaf.usage,
        );
        if let Some(name) = leaf.dns_name {
            extensions += &format!("subjectAltName = DNS:{name}\n");
        }
        // As public authorities do, and as a private one (the stranger) does not. Nobody fetches it.
        if leaf.issuer == Issuer::Intermediate {
            extensions += "authorityKeyIdentifier = keyid\n\
                           authorityInfoAccess = caIssuers;URI:http://pki.test/intermediate.der\n";
        }
        self.sign(&Signing {
            file: leaf.file,
            common_name: leaf.common_name,
            key: leaf.key.file(),
            issuer,
            digest: leaf.digest,
            dates: (leaf.not_before, leaf.not_after),
            extensions: &extensions,
        });

        let mut chain = fs::read_to_string(self.path(leaf.key.file())).unwrap();
        chain += &fs::read_to_string(self.path(&format!("{}.pem", leaf.file))).unwrap();
        if let Some(issuer) = issuer.filter(|_| leaf.with_issuer) {
            chain += &fs::read_to_string(self.path(&format!("{issuer}.pem"))).unwrap();
        }
        self.write(&format!("{}.chain", leaf.file), &chain)
    }

    fn generate(&self, file: &str, arguments: &[&str]) {
        let path = self.path(file);
        succeed(self.openssl().arg("genpkey").args(arguments).arg("-out").arg(&path));
        // Exim reads it as a user of its own.
        fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    }

    fn authority(&self, file: &str, common_name: &str, issuer: &str) {
        self.sign(&Signing {
            file,
            common_name,
            key: &format!("{file}.key"),
            issuer: Some(issuer).filter(|issuer| *issuer != file),
            digest: "sha256",
            dates: (START, END),
            extensions: "basicConstraints = critical,CA:TRUE\n\
                         keyUsage = critical,keyCertSign,cRLSign\n\
                         subjectKeyIdentifier = hash\n",
        });
    }

    fn sign(&self, signing: &Signing<'_>) {
        let request = self.path(&format!("{}.csr", signing.file));
        let extensions = self.write(&format!("{}.ext", signing.file), signing.extensions);
        let config = self.path("ca.cnf");
        let subject = format!("/CN={}", signing.common_name);
        let mut ask = self.openssl();
        ask.args(["req", "-new", "-config"]).arg(&config).args(["-subj", &subject]);
        ask.arg("-key").arg(self.path(signing.key)).arg("-out").arg(&request);
        succeed(&ask);

        let mut sign = self.openssl();
        sign.args(["ca", "-batch", "-notext", "-config"]).arg(&config);
        sign.args(["-md", signing.digest]);
        sign.args(["-startdate", signing.dates.0, "-enddate", signing.dates.1]);
        sign.arg("-extfile").arg(extensions).arg("-in").arg(&request);
        sign.arg("-out").arg(self.path(&format!("{}.pem", signing.file)));
        match signing.issuer {
            None => sign.arg("-selfsign").arg("-keyfile").arg(self.path(signing.key)),
            Some(issuer) => sign
                .arg("-cert")
                .arg(self.path(&format!("{issuer}.pem")))
                .arg("-keyfile")
                .arg(self.path(&format!("{issuer}.key"))),
        };
        let _turn = self.turn.lock().unwrap();
        succeed(&sign);
    }

    fn openssl(&self) -> Command {
        let mut openssl = Command::new("openssl");
        // Its random seed file would land in the home directory.
        openssl.env("RANDFILE", self.path("rnd"));
        openssl
    }

    /// A file among them.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }

    fn write(&self, file: &str, text: &str) -> PathBuf {
        let path = self.path(file);
        fs::write(&path, text).unwrap();
        path
    }
}

/// What `openssl ca` is told.
struct Signing<'a> {
    file: &'a str,
    common_name: &'a str,
    key: &'a str,
    issuer: Option<&'a str>,
    digest: &'a str,
    dates: (&'a str, &'a str),
    extensions: &'a str,
}

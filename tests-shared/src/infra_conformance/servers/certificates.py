"""Certificates for a server at 127.0.0.1, made at test time."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra_conformance.messages import ConformanceMessages
from infra_conformance.servers.engine import EngineMissing

_SETTINGS: Final = """
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = IP:127.0.0.1, DNS:localhost
"""


@dataclass(frozen=True, slots=True)
class Certificates:
    """A certificate authority, and what a server for 127.0.0.1 and localhost shows and keeps; all in PEM files."""

    ca: Path
    certificate: Path
    key: Path


def certificates(folder: Path) -> Certificates:
    """
    Make certificates of an authority of their own in `folder`, good for a day.

    Raises:
        EngineMissing: there is no `openssl` on the PATH.
    """
    if (openssl := shutil.which("openssl")) is None:
        raise EngineMissing(ConformanceMessages.NO_BINARY.format(engine="OpenSSL", binary="openssl"), "OpenSSL")

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True)

    (folder / "openssl.cnf").write_text(_SETTINGS, encoding="utf-8")
    for name in ("ca", "server"):
        run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")
        run(
            "req",
            "-config",
            "openssl.cnf",
            "-new",
            "-key",
            f"{name}.key",
            "-subj",
            f"/CN=test {name}",
            "-out",
            f"{name}.csr",
        )
    sign = ("x509", "-req", "-days", "1", "-sha256", "-extfile", "openssl.cnf")
    run(*sign, "-in", "ca.csr", "-signkey", "ca.key", "-extensions", "ca", "-out", "ca.crt")
    authority = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial")
    run(*sign, "-in", "server.csr", *authority, "-extensions", "server", "-out", "server.crt")
    return Certificates(folder / "ca.crt", folder / "server.crt", folder / "server.key")

"""Services of a private sigstore on the loopback interface: a certificate authority, its certificate log and a
transparency log of one entry, with what a client must trust to use them.

What they answer has the form of Fulcio's and Rekor's version 1; the library checks every signature in it.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ISSUER = "https://issuer.example"
EMBEDDED_TIMESTAMPS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
ISSUER_EXTENSION, OLD_ISSUER_EXTENSION = (x509.ObjectIdentifier(f"1.3.6.1.4.1.57264.1.{last}") for last in (8, 1))
WHOSE = {"organization": "a team", "commonName": "sigstore"}
NAME = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "a team's own sigstore")])


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def signature(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def der(tag: int, content: bytes) -> bytes:
    length = bytes([len(content)]) if len(content) < 128 else bytes([0x81, len(content)])
    return bytes([tag]) + length + content


class Services:
    def __init__(self) -> None:
        self.authority, self.certificate_log, self.log = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
        self.now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        self.root = self._signed(
            self._certificate(NAME, self.authority.public_key(), datetime.timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=False), critical=True)
        )

    def _certificate(
        self, subject: x509.Name, key: Any, lasts: datetime.timedelta, serial: int | None = None
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(NAME)
            .public_key(key)
            .serial_number(serial or x509.random_serial_number())
            .not_valid_before(self.now - datetime.timedelta(minutes=1))
            .not_valid_after(self.now + lasts)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.authority.public_key()), critical=False
            )
        )

    def _signed(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        return builder.sign(self.authority, hashes.SHA256())

    def certify(self, request: x509.CertificateSigningRequest, claims: dict[str, Any]) -> list[str]:
        """A certificate for ten minutes, and its issuer's."""
        builder = (
            self._certificate(x509.Name([]), request.public_key(), datetime.timedelta(minutes=10))
            .add_extension(_usage(signs=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.RFC822Name(claims["sub"])]), critical=True)
            .add_extension(
                x509.UnrecognizedExtension(ISSUER_EXTENSION, der(0x0C, claims["iss"].encode())), critical=False
            )
            .add_extension(x509.UnrecognizedExtension(OLD_ISSUER_EXTENSION, claims["iss"].encode()), critical=False)
        )
        stamped = self._timestamped(self._signed(builder).tbs_certificate_bytes)
        embedded = x509.UnrecognizedExtension(EMBEDDED_TIMESTAMPS, der(0x04, stamped))
        chain = (self._signed(builder.add_extension(embedded, critical=False)), self.root)
        return [one.public_bytes(serialization.Encoding.PEM).decode() for one in chain]

    def _timestamped(self, certificate: bytes) -> bytes:
        """RFC 6962: a list of one signed certificate timestamp, of a certificate without it."""
        at = int(self.now.timestamp() * 1000)
        issuer = hashlib.sha256(spki(self.authority)).digest()
        entry = issuer + struct.pack("!I", len(certificate))[1:] + certificate
        signed = signature(self.certificate_log, struct.pack("!BBQH", 0, 0, at, 1) + entry + struct.pack("!H", 0))
        log = hashlib.sha256(spki(self.certificate_log)).digest()
        stamp = struct.pack("!B32sQH", 0, log, at, 0) + struct.pack("!BBH", 4, 3, len(signed)) + signed
        return struct.pack("!HH", len(stamp) + 2, len(stamp)) + stamp

    def record(self, proposed: dict[str, Any]) -> dict[str, Any]:
        """The entry in a log that has no other, with the promise and the proof that it is there."""
        import rfc8785

        body = rfc8785.dumps(proposed)
        root = hashlib.sha256(b"\0" + body).digest()
        identity = hashlib.sha256(spki(self.log)).digest()
        entry = {"body": text(body), "integratedTime": int(time.time()), "logID": identity.hex(), "logIndex": 0}
        note = f"log.example\n1\n{text(root)}\n"
        checkpoint = f"{note}\n— log.example {text(identity[:4] + signature(self.log, note.encode()))}\n"
        proof = {"checkpoint": checkpoint, "hashes": [], "logIndex": 0, "rootHash": root.hex(), "treeSize": 1}
        promise = text(signature(self.log, rfc8785.dumps(entry)))
        return {"0": {**entry, "verification": {"inclusionProof": proof, "signedEntryTimestamp": promise}}}

    def trust(self, url: str) -> str:
        """A client trust configuration."""
        since = {"start": (self.now - datetime.timedelta(days=1)).isoformat()}

        def known(key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
            return {
                "baseUrl": url,
                "hashAlgorithm": "SHA2_256",
                "publicKey": {"rawBytes": text(spki(key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": since},
                "logId": {"keyId": text(hashlib.sha256(spki(key)).digest())},
            }

        service = [{"url": url, "majorApiVersion": 1, "validFor": since, "operator": "a team"}]
        chain = {"certificates": [{"rawBytes": text(self.root.public_bytes(serialization.Encoding.DER))}]}
        return json.dumps(
            {
                "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
                "trustedRoot": {
                    "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
                    "tlogs": [known(self.log)],
                    "ctlogs": [known(self.certificate_log)],
                    "certificateAuthorities": [{"subject": WHOSE, "uri": url, "certChain": chain, "validFor": since}],
                },
                "signingConfig": {
                    "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
                    "caUrls": service,
                    "oidcUrls": service,
                    "rekorTlogUrls": service,
                    "rekorTlogConfig": {"selector": "ANY"},
                    "tsaConfig": {"selector": "ANY"},
                },
            }
        )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs,
        key_cert_sign=not signs,
        crl_sign=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def identity_token(who: str) -> str:
    """An identity provider's token, valid for ten minutes; the stand-ins do not check its signature."""
    import jwt

    now = int(time.time())
    claims = {"iss": ISSUER, "sub": who, "aud": "sigstore", "iat": now - 60, "exp": now + 600}
    return jwt.encode(claims, "a secret of thirty-two letters ...", algorithm="HS256")


@dataclass(frozen=True, kw_only=True)
class Running:
    trust: str
    url: str


@contextmanager
def running(refuse: bool = False) -> Iterator[Running]:
    """The services, until the end of the block; with `refuse` they issue no certificate."""
    services = Services()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if refuse:
                self._answer(403, {"message": "this identity is not known here"})
            elif self.path == "/api/v2/signingCert":
                import jwt

                token = self.headers["Authorization"].removeprefix("Bearer ")
                claims = jwt.decode(token, options={"verify_signature": False})
                request = x509.load_pem_x509_csr(base64.b64decode(given["certificateSigningRequest"]))
                chain = {"certificates": services.certify(request, claims)}
                self._answer(200, {"signedCertificateEmbeddedSct": {"chain": chain}})
            else:
                self._answer(201, services.record(given))

        def _answer(self, status: int, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield Running(trust=services.trust(url), url=url)
        finally:
            server.shutdown()
            thread.join()

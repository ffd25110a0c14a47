"""open_jwe.py <private.jwk> <jwe> <request> <field>: opens a number that cardbatch encrypted to your public key.

Needs the package `cryptography`. RFC 7516 and 7518: ECDH-ES+A256KW with A256GCM, nothing else is taken.
"""

import base64
import json
import sys

from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap

ALGORITHM = b"ECDH-ES+A256KW"
CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}


def open_jwe(jwe, private_jwk, request, field):
    """The text of `jwe`, if it was made for this request and field."""
    parts = jwe.split(".")
    header = json.loads(decode(parts[0]))
    if header["alg"] != ALGORITHM.decode() or header["enc"] != "A256GCM":
        raise ValueError("another algorithm")
    if header["rid"] != request or header["fld"] != field:
        raise ValueError("made for another request or field")
    wrapped, nonce, ciphertext, tag = (decode(part) for part in parts[1:])
    content_key = aes_key_unwrap(wrapping_key(private_jwk, header["epk"]), wrapped)
    return AESGCM(content_key).decrypt(nonce, ciphertext + tag, parts[0].encode()).decode()


def wrapping_key(private_jwk, epk):
    """RFC 7518, 4.6.2: the Concat KDF over what both keys agree on."""
    info = sized(ALGORITHM) + sized(b"") + sized(b"") + (256).to_bytes(4, "big")
    return ConcatKDFHash(SHA256(), 32, info).derive(agree(private_jwk, epk))


def agree(private_jwk, epk):
    if epk["crv"] != private_jwk["crv"]:
        raise ValueError("another curve")
    if epk["crv"] == "X25519":
        ours = x25519.X25519PrivateKey.from_private_bytes(decode(private_jwk["d"]))
        return ours.exchange(x25519.X25519PublicKey.from_public_bytes(decode(epk["x"])))
    curve = CURVES[epk["crv"]]
    ours = ec.derive_private_key(number(private_jwk["d"]), curve)
    # Points that are not on the curve are refused here.
    theirs = ec.EllipticCurvePublicNumbers(number(epk["x"]), number(epk["y"]), curve).public_key()
    return ours.exchange(ec.ECDH(), theirs)


def sized(data):
    return len(data).to_bytes(4, "big") + data


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(text):
    return int.from_bytes(decode(text), "big")


if __name__ == "__main__":
    key_file, jwe, request, field = sys.argv[1:5]
    with open(key_file, encoding="utf-8") as file:
        print(open_jwe(jwe, json.load(file), request, field))

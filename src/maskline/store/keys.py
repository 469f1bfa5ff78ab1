"""The key file and what is derived from it: sealing, party references, PIN hashes.

The file holds master keys as JSON; every use has its own sub-key by HKDF with a label. Losing the file
loses every number in the database; a wrong one is refused at start by a check value kept there.
"""

import hmac
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from maskline.core.numbers import E164, PartyRef
from maskline.errors import DatabaseUnusableError

KEY_FILE_FORMAT: Final = 1
KEY_FILE_SIZE_MAX: Final = 65_536
"""Room for hundreds of rotated keys; anything longer is not a key file."""

_KEY_LENGTH: Final = 32  # AES-256, and as much for HMAC-SHA-256
_NONCE_LENGTH: Final = 12  # NIST SP 800-38D section 8.2.2: random nonces of 96 bits
_KEY_ID_LENGTH: Final = 2
_PARTY_REF_LENGTH: Final = 16  # 128 bits: no two of 2**40 numbers meet by chance
_SALT: Final = b"maskline 1"
_REF_CACHE_SIZE: Final = 8192
"""References kept: the parties of the calls of a few seconds. A call asks five times, at 10 us of HMAC each."""


class KeyFileError(DatabaseUnusableError):
    """The key file is missing, unreadable, or not the one of this database."""

    code = "keys.unusable"


class SealError(DatabaseUnusableError):
    """A sealed value was changed, moved to another row, or sealed with a key that is gone."""

    code = "keys.seal_broken"


class Keys:
    """The sub-keys in use. Printing one tells nothing.

    Sealed values are: key id (2 bytes, big-endian), nonce (12), AES-256-GCM ciphertext and tag, with
    `table.column:row` as associated data.

    Source: RFC 5869; NIST SP 800-38D; docs/adr/0007.
    """

    __slots__ = (
        "_api_key_key",
        "_cipher_by_id",
        "_current_id",
        "_idempotency_key",
        "_link_key",
        "_pin_key",
        "_random_bytes",
        "_ref_by_identity",
        "_ref_key",
        "_ssid_key",
        "check_value",
    )

    def __init__(
        self,
        *,
        seal_keys: dict[int, bytes],
        current_id: int,
        ref_key: bytes,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._cipher_by_id = {id_: AESGCM(_derive(key, b"seal")) for id_, key in seal_keys.items()}
        self._current_id = current_id
        self._ref_key = _derive(ref_key, b"party ref")
        self._ref_by_identity: dict[str, PartyRef] = {}
        self._pin_key = _derive(ref_key, b"pin")
        self._link_key = _derive(ref_key, b"recording link")
        self._api_key_key = _derive(ref_key, b"api key")
        self._idempotency_key = _derive(ref_key, b"idempotency key")
        self._ssid_key = _derive(ref_key, b"deepcall ssid")
        self._random_bytes = random_bytes
        self.check_value = hmac.digest(_derive(ref_key, b"check"), b"maskline", "sha256").hex()

    def __repr__(self) -> str:
        return "Keys(hidden)"

    def ref(self, number: E164) -> PartyRef:
        """Return the pseudonym of a number: the same for the same subscriber as long as the key lives."""
        identity = number.identity
        ref = self._ref_by_identity.get(identity)
        if ref is None:
            digest = hmac.digest(self._ref_key, identity.encode(), "sha256")
            if len(self._ref_by_identity) >= _REF_CACHE_SIZE:
                self._ref_by_identity.clear()
            ref = self._ref_by_identity[identity] = PartyRef(digest[:_PARTY_REF_LENGTH].hex())
        return ref

    def pin_hash(self, pin: str) -> str:
        """Return the keyed hash under which a PIN is found on its number: 32 hex digits."""
        return hmac.digest(self._pin_key, pin.encode(), "sha256")[:_PARTY_REF_LENGTH].hex()

    def link_signature(self, text: str) -> str:
        """Return the signature of what a link to a recording allows: 64 hex digits."""
        return hmac.digest(self._link_key, text.encode(), "sha256").hex()

    def ssid_hash(self, ssid: str) -> str:
        """Return the keyed hash under which a DeepCall ssid is found: 64 hex digits."""
        return hmac.digest(self._ssid_key, ssid.encode(errors="surrogatepass"), "sha256").hex()

    def api_key_hash(self, secret: str) -> str:
        """Return the keyed hash under which an API key's secret is kept: 64 hex digits."""
        return hmac.digest(self._api_key_key, secret.encode(errors="surrogatepass"), "sha256").hex()

    def idempotency_hash(self, content: bytes) -> str:
        """Return the keyed hash of an idempotency key, or of a request sent with one: 64 hex digits."""
        return hmac.digest(self._idempotency_key, content, "sha256").hex()

    def seal(self, text: str, place: str) -> bytes:
        """Encrypt `text` so that it can be read back only at `place` (`table.column:row`)."""
        nonce = self._random_bytes(_NONCE_LENGTH)
        sealed = self._cipher_by_id[self._current_id].encrypt(nonce, text.encode(), place.encode())
        return self._current_id.to_bytes(_KEY_ID_LENGTH) + nonce + sealed

    def unseal(self, sealed: bytes, place: str) -> str:
        """Decrypt what `seal` made for the same place. Raises SealError."""
        cipher = self._cipher_by_id.get(int.from_bytes(sealed[:_KEY_ID_LENGTH]))
        if cipher is None:
            raise SealError
        body = _KEY_ID_LENGTH + _NONCE_LENGTH
        try:
            return cipher.decrypt(sealed[_KEY_ID_LENGTH:body], sealed[body:], place.encode()).decode()
        except (InvalidTag, ValueError):  # ValueError: too short to be sealed by us
            raise SealError from None

    def seal_party(self, account_id: int, ref: PartyRef, number: E164) -> bytes:
        """Seal a number for its one row in `party`."""
        return self.seal(number.reveal(), f"party.sealed:{account_id}/{ref}")

    def unseal_party(self, account_id: int, ref: str, sealed: bytes) -> E164:
        """Read a number from its row in `party`. Raises SealError."""
        return E164(self.unseal(sealed, f"party.sealed:{account_id}/{ref}"))


def make_key_file(path: Path, *, random_bytes: Callable[[int], bytes] = os.urandom) -> Keys:
    """Write a new key file, 0600 and on the disk before this returns. Raises KeyFileError when one exists."""
    content = {
        "format": KEY_FILE_FORMAT,
        "current": 1,
        "seal": {"1": random_bytes(_KEY_LENGTH).hex()},
        "ref": random_bytes(_KEY_LENGTH).hex(),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            os.fchmod(file.fileno(), 0o600)  # whatever the umask
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        _sync_directory(path.parent)
    except OSError as error:
        raise KeyFileError(f"cannot make the key file {path}: {error.strerror}") from error
    return load_key_file(path)


def load_key_file(path: Path) -> Keys:
    """Read a key file. Raises KeyFileError: missing, open to others than its owner, or not a key file."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise KeyFileError(f"the key file {path} can be read by others; chmod 600 it")
            content = json.loads(file.read(KEY_FILE_SIZE_MAX))
        if content["format"] != KEY_FILE_FORMAT:
            raise KeyFileError(f"the key file {path} is of a later release")
        seal_keys = {int(id_): _parse_key(text) for id_, text in content["seal"].items()}
        current_id = int(content["current"])
        if current_id not in seal_keys:
            raise KeyFileError(f"the key file {path} lacks its current key")
        return Keys(seal_keys=seal_keys, current_id=current_id, ref_key=_parse_key(content["ref"]))
    except OSError as error:
        raise KeyFileError(f"cannot read the key file {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # From `None`: the error's text may quote key material.
        raise KeyFileError(f"{path} is not a key file ({type(error).__name__})") from None


def _parse_key(text: str) -> bytes:
    key = bytes.fromhex(text)
    if len(key) != _KEY_LENGTH:
        raise ValueError("a key of the wrong length")
    return key


def _derive(key: bytes, label: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=_KEY_LENGTH, salt=_SALT, info=label).derive(key)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

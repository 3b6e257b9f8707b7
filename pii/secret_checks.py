"""What a token's format lets one verify without its issuer: checksums, and structures that chance does not make."""

from __future__ import annotations

import base64
import json
import zlib

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
_SNOWFLAKE_SHIFT = 22  # bits below the milliseconds since 2015


def _in_base(number: int, digits: str, length: int) -> str:
    """`number` written with `length` digits, the highest first."""
    result = ""
    for _ in range(length):
        number, digit = divmod(number, len(digits))
        result = digits[digit] + result
    return result


def crc32_base62(token: str) -> bool:
    """Whether the last six characters are the CRC-32 of the 30 before them, in base 62 (GitHub's and npm's rule)."""
    body = token.rpartition("_")[2]
    return _in_base(zlib.crc32(body[:-6].encode()), BASE62, 6) == body[-6:]


def crc32_base36(token: str) -> bool:
    """Whether the last seven characters are the CRC-32 of all before them, in base 36 (GitLab's routable tokens)."""
    return "." in token and _in_base(zlib.crc32(token[:-7].encode()), _BASE36, 7) == token[-7:]


def decoded(value: str) -> bytes:
    """`value` from base 64 (either alphabet, padded or not); empty where it is none."""
    try:
        return base64.b64decode(
            value.rstrip("=").translate({45: 43, 95: 47}) + "=" * (-len(value.rstrip("=")) % 4), validate=True
        )
    except ValueError:
        return b""


def _object(value: str) -> dict[str, object]:
    """The JSON object that base 64 holds; empty where there is none."""
    try:
        parsed = json.loads(decoded(value))
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def is_json_web_token(token: str) -> bool:
    """Whether the header is a JSON object that names an algorithm."""
    return "alg" in _object(token.partition(".")[0])


def is_macaroon(token: str) -> bool:
    """Whether a PyPI token is a macaroon of version 2 whose first field, its location, is pypi.org or test.pypi.org."""
    data = decoded(token.removeprefix("pypi-"))
    return data[:2] == b"\x02\x01" and data[3 : 3 + data[2]] in (b"pypi.org", b"test.pypi.org")


def is_onepassword_token(token: str) -> bool:
    """Whether a service account's token holds its credentials as JSON."""
    return "secretKey" in _object(token.removeprefix("ops_"))


def is_discord_token(token: str) -> bool:
    """Whether the first part of a bot token is the id of a user: a number of 17 to 20 digits."""
    number = decoded(token.partition(".")[0])
    return number.isdigit() and 17 <= len(number) <= 20 and int(number) >> _SNOWFLAKE_SHIFT > 0

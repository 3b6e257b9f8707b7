"""Keys and tokens for the evaluation templates: random in the format their vendor describes, none ever issued.

Where a format has a checksum it is right, so that nothing can tell these from real ones.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable

from pii.evaluation.draw import BASE32, BASE62, BASE64, DIGITS, HEX, LOWER, UPPER, URLSAFE, Draw


def _crc32_token(draw: Draw, prefix: str) -> str:
    body = draw.text(BASE62, 30)
    number, check = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        check = BASE62[digit] + check
    return prefix + body + check


def _segment(draw: Draw, text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _jwt(draw: Draw) -> str:
    header = '{"alg":"HS256","typ":"JWT"}'
    claims = (
        f'{{"sub":"{draw.text(DIGITS, 8)}","iat":17{draw.text(DIGITS, 8)},"scope":"{draw.of(["api", "read write"])}"}}'
    )
    return f"{_segment(draw, header)}.{_segment(draw, claims)}.{draw.text(URLSAFE, 43)}"


def pem_body(draw: Draw, lines: int, width: int = 64) -> list[str]:
    """Base64 lines that look like the body of a private key and are none."""
    start = draw.of(["MIIEpAIBAAKCAQEA", "MIIEvQIBADANBgkqhkiG9w0B", "MHcCAQEEI", "b3BlbnNzaC1rZXktdjEAAAAA"])
    body = start + draw.text(BASE64, width * lines - len(start) - draw.between(3, 30))
    body += "=" * (-len(body) % 4)
    return [body[i : i + width] for i in range(0, len(body), width)]


def keys() -> dict[str, Callable[[Draw], str]]:
    """Generators of keys by the name a template uses."""
    return {
        "aws_id": lambda d: "AKIA" + d.text(BASE32, 16),
        "aws_secret": lambda d: d.text(BASE64[:-1], 39) + d.of(LOWER),
        "github_token": lambda d: _crc32_token(d, d.of(["ghp_", "gho_", "ghs_"])),
        "npm_token": lambda d: _crc32_token(d, "npm_"),
        "gitlab_token": lambda d: "glpat-" + d.text(URLSAFE, 20),
        "slack_token": lambda d: f"xoxb-{d.text(DIGITS, 12)}-{d.text(DIGITS, 13)}-{d.text(BASE62, 24)}",
        "slack_hook": lambda d: f"T{d.text(UPPER + DIGITS, 8)}/B{d.text(UPPER + DIGITS, 8)}/{d.text(BASE62, 24)}",
        "stripe_key": lambda d: d.of(["sk_live_", "sk_test_", "rk_live_"]) + d.text(BASE62, 24),
        "google_key": lambda d: "AIza" + d.text(URLSAFE, 34) + d.of(LOWER),
        "sendgrid_key": lambda d: f"SG.{d.text(URLSAFE, 22)}.{d.text(URLSAFE, 42)}{d.of(LOWER)}",
        "telegram_token": lambda d: f"{d.of('123456789')}{d.text(DIGITS, 9)}:AA{d.text(URLSAFE, 32)}{d.of(LOWER)}",
        "twilio_key": lambda d: "SK" + d.text(HEX, 32),
        "mailgun_key": lambda d: "key-" + d.text(HEX, 32),
        "digitalocean_token": lambda d: "dop_v1_" + d.text(HEX, 64),
        "pypi_token": lambda d: "pypi-AgEIcHlwaS5vcmc" + d.text(URLSAFE, 90) + d.of(LOWER),
        "hf_token": lambda d: "hf_" + d.text(UPPER + LOWER, 34),
        "openai_key": lambda d: f"sk-proj-{d.text(BASE62, 40)}T3BlbkFJ{d.text(BASE62, 40)}",
        "azure_key": lambda d: d.text(BASE64, 86) + "==",
        "square_token": lambda d: "sq0atp-" + d.text(URLSAFE, 21) + d.of(LOWER),
        "flurry_key": lambda d: d.text(UPPER + DIGITS, 20),
        "jwt": _jwt,
        "hex32": lambda d: d.text(HEX, 32),
        "hex40": lambda d: d.text(HEX, 40),
        "hex64": lambda d: d.text(HEX, 64),
        "base64_44": lambda d: d.text(BASE64, 43) + "=",
        "token": lambda d: d.text(BASE62, d.of([24, 32, 40])),
        "short_token": lambda d: d.text(LOWER + DIGITS, d.of([16, 20])),
        "django_secret": lambda d: d.text(LOWER + DIGITS + "!@#$%^&*(-_=+)", 49) + d.of(LOWER),
        "pem": lambda d: "\n".join(pem_body(d, d.between(4, 9))),
        "pem_escaped": lambda d: "\\n".join(pem_body(d, d.between(3, 6))),
        "pem_line": lambda d: pem_body(d, 1)[0],
    }

"""What the recognizers find and what they leave, on whole texts; planted secrets are random and put together here."""

from __future__ import annotations

import random
import re
import string
import time
import zlib
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pii import windows
from pii.recognizers import (
    EmailRecognizer,
    IpAddressRecognizer,
    PrivateKeyRecognizer,
    SecretRecognizer,
    UrlPasswordRecognizer,
    UsernameRecognizer,
)
from pii.secrets import BASE62, Format, crc32_base62, formats

EMAIL, IP, PASSWORD = EmailRecognizer(), IpAddressRecognizer(), UrlPasswordRecognizer()
USERNAME = UsernameRecognizer()
SECRET, PRIVATE_KEY = SecretRecognizer(), PrivateKeyRecognizer()
RANDOM = random.Random(20230509)
HEX, ALNUM, UPPER = "0123456789abcdef", string.ascii_letters + string.digits, string.ascii_uppercase + "234567"


def noise(alphabet: str, length: int) -> str:
    return "".join(RANDOM.choice(alphabet) for _ in range(length))


def found(recognizer: Any, text: str) -> list[str]:
    return [text[start:end] for start, end, *_ in recognizer.find(text)]


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("Author: Jane Doe <jane.doe@mail.example.org>", ["jane.doe@mail.example.org"]),
        ("contact user@example.com, or o'neill+x@pcg-random.org.", ["user@example.com", "neill+x@pcg-random.org"]),
        ("12345+dev@users.noreply.github.com", ["12345+dev@users.noreply.github.com"]),
        ("https://host/people/jane@gmail.com/", ["jane@gmail.com"]),
        ('"mailto:jane@gmail.com?subject=x"', ["jane@gmail.com"]),
        ("邮箱jane@qq.com邮箱", ["jane@qq.com"]),
        ("иван@почта.рф и jane@xn--e1afmkfd.xn--p1ai", ["иван@почта.рф", "jane@xn--e1afmkfd.xn--p1ai"]),
        (r'"\njane@gmail.com\n", "\u003cjane@gmail.com\u003e"', ["jane@gmail.com", "jane@gmail.com"]),
        ("root@build7.corp.local", ["root@build7.corp.local"]),
        ("jane@163.com", ["jane@163.com"]),
        ("Ask jane@gmail.com.Then wait.", ["jane@gmail.com"]),
    ],
)
def test_addresses_are_found(text: str, addresses: list[str]) -> None:
    assert found(EMAIL, text) == addresses


@pytest.mark.parametrize(
    "text",
    [
        "git@github.com:owner/repo.git",
        "ssh://git@github.com/owner/repo.git",
        "https://jane@github.com/owner/repo.git",  # the user of a URL
        "@decorator\n@app.route('/')\n@click.command",
        "npm install lodash@4.17.21 @types/node@20.1.0 next@14.0.0-canary.dev",
        "user@host root@localhost",
        r"[a-z]+@[a-z]+\.[a-z]+ a@b.c",
        "y = x@w.to(device) + A@B.mT + q@k.transpose",
        "icon@2x.png sprite@3x.webp",
        "curve25519-sha256@libssh.org aes128-gcm@openssh.com",
        ".jane@ @gmail.com jane.@gmail.com jane@gmail jane@.com",
    ],
)
def test_what_is_no_persons_address_is_left(text: str) -> None:
    assert found(EMAIL, text) == []


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ('connect("52.95.110.1", 80)', ["52.95.110.1"]),
        ("http://93.184.216.34:8080/ and 93.184.216.35/32", ["93.184.216.34", "93.184.216.35"]),
        ("dns server 4.2.2.1", ["4.2.2.1"]),
        ("remote_addr=5.9.12.7", ["5.9.12.7"]),
        ("[2a00:1450:4001:81b::200e]:443 2606:2800:220:1:248:1893:25c8:1946.", [
            "2a00:1450:4001:81b::200e", "2606:2800:220:1:248:1893:25c8:1946",
        ]),
        ("::ffff:93.184.216.34", ["93.184.216.34"]),
        ("from 2a00:1450:4001:81b::200e: refused, 2a00:1450::/29", ["2a00:1450:4001:81b::200e", "2a00:1450::"]),
        ("proxy/93.184.216.34", ["93.184.216.34"]),
    ],
)  # fmt: skip
def test_public_addresses_are_found(text: str, addresses: list[str]) -> None:
    assert found(IP, text) == addresses


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("10.0.0.3 172.20.1.99 192.168.77.1 127.0.0.1 0.0.0.0 169.254.3.4 100.64.99.1", "private_address"),
        ("fe80::1%eth0 'fd00:c2b6::6a3b' http://[::1]:80/ ff02::1 64:ff9b::1", "private_address"),
        ("192.0.2.44 198.51.100.44 203.0.113.44 2001:db8::1", "example"),
        ("8.8.8.8 208.67.222.222 2001:4860:4860::8888 dns 1.1.1.1", "public_service"),
        ("93.184.216.34 2a00:1450:4001:81b::200e server 5.9.12.7", ""),
        ("10.0.0.0/8 192.168.0.0/16 172.16.0.0/12", "private_address"),
    ],
)
def test_an_address_that_leads_to_nobody_says_why_it_stays(text: str, left: str) -> None:
    hits = list(IP.find(text))
    assert [hit.left for hit in hits] == [left] * len(re.findall(r"[0-9a-f:.]{6,}|::1", text.replace("http:", "")))


@pytest.mark.parametrize(
    "text",
    [
        "255.255.255.0 0.0.0.255 255.240.0.0",  # masks
        "version 1.2.3.4, v12.45.67.89, ==41.42.43.44, Chrome/96.97.98.99, build: 99.98.97.96, 10.3.2.4. Leaf nodes",
        "upgrade V8 to 5.0.71.34 (deps)",
        "1.2.3.4 4.1.0.27 12.0.0.0",
        "2.5.29.15 1.3.6.1 1.3.6.1.4.1.311 1.2.840.113549.1.1",  # object identifiers
        "2019.12.31.10 2021-10-05 12:30:45 1.2.3 999.1.2.3 52.1.2 52.1.2.3.4 x52.95.110.1",
        '<path d="m2.12 33.51.98.32 2.03.5"/>',
        "std::cout abc::def ::ffff 2021:10:05 deadbeef:cafe dead::beef A::B1 a[1::2] x[::2] li::before",
        "00:1b:44:11:3a:b7 2c:54:19:40:99:3e:0e:ee 12:34:56",  # hardware, a fingerprint, a time
    ],
)
def test_what_is_no_address_is_not_found(text: str) -> None:
    assert found(IP, text) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("// TODO(jdoe): x\n# FIXME(m-renaud) y", ["jdoe", "m-renaud"]),
        ("Thanks @kookjr, @Dark-Dimius and [@Hectic](https://github.com/Hectic).",
         ["kookjr", "Dark-Dimius", "Hectic", "Hectic"]),
        ("* Fix a leak (#12, @rkatic) by @alfps", ["rkatic", "alfps"]),
        ("Muñoz (@pwntester) and 🙂 cc @jane", ["pwntester", "jane"]),
        ("/home/colton/.cabal /Users/finley/x C:\\\\Users\\\\jsmith\\\\x", ["colton", "finley", "jsmith"]),
        ("https://github.com/vic, <http://twitter.com/seldaek> https://www.linkedin.com/in/jdoe/",
         ["vic", "seldaek", "jdoe"]),
        ("Server=db;User Id=websvc;Password=x; DB_USER=jonas", ["websvc", "jonas"]),
        ("username: 'jonas', \"user\": \"jane.roe\"", ["jonas", "jane.roe"]),
        ("deploy:\n  user: aaronloo\n", ["aaronloo"]),
        ("CREATE USER 'maria'@'%' IDENTIFIED BY 'x'; psql -U karl db; mysql -u otto -p", ["maria", "otto", "karl"]),
        ("amqp://rita:pw1@host/ ssh lena@build7 -p 22", ["rita", "lena"]),
        ("$OpenBSD: misc.c,v 1.215 2026/06/21 19:23:56 dtucker Exp $ $Author: kuhn $", ["dtucker", "kuhn"]),
        ("Failed password for invalid user oskar from 1.2.3.4 port 22", ["oskar"]),
        ("drwxr-xr-x    5 markus   markus       1024 Jan", ["markus"]),
        ("http://www.cs.ucdavis.edu/~rogaway/umac", ["rogaway"]),
    ],
)  # fmt: skip
def test_accounts_are_found_by_their_context(text: str, names: list[str]) -> None:
    hits = sorted(USERNAME.find(text))
    assert sorted(text[hit.start : hit.end] for hit in hits) == sorted(names)
    assert {hit.left for hit in hits} == {""}


@pytest.mark.parametrize(
    "text",
    [
        "root@host:~# whoami /home/ubuntu/x",
        "DB_USER=postgres user: 'admin', psql -U postgres",
        "TODO(root): x",
    ],
)
def test_accounts_that_every_system_has_stay(text: str) -> None:
    assert {hit.left for hit in USERNAME.find(text)} == {"generic_account"}


@pytest.mark.parametrize(
    "text",
    [
        "TODO(#123) TODO(bug): x FIXME(perf) TODO(JIRA-12) debug(name): x TODO(b/1234) TODO(v2)",
        '@Override\n * @param name by @deprecated\n@media screen\nimport "@babel/core"; // thanks to @types/node',
        "jane@gmail.com git@github.com:o/r.git DECLARE @name INT; SELECT @total WHERE (@a = 1)",
        "/home/<user>/x /home/$USER/x ~/home/x /home/{name}/y '/home/about' import '@/home/components/x'",
        "https://github.com/owner/repo https://github.com/features https://api.github.com/x https://twitter.com/share?u=1",
        "user=$USER user=<name> user: str\nusername: string\nuser = request.user\nuser=your_username",
        '"user": "Benutzer", "username": "USERNAME", user: currentUser.name,',
        "https://${user}:pw@host http://www.site.com@evil.com systemctl --user restart x; git push -u origin main",
        "Haddock @Cabal@ by @autoconf@, div[@class='x'] by (@Flag = 1)",
    ],
)
def test_what_is_no_account_is_not_found(text: str) -> None:
    assert found(USERNAME, text) == []


PIECES = [
    "TODO(jdoe):", "thanks @jane, @joe", "(#1, @kay)", "/home/kim/x", "C:\\Users\\max\\y", "github.com/lea",
    "user='pat'",
    "DB_USER=sam", "user: tom\n", "http://ann:pw@h.io", "fe80::1", "[::1]:80", "10.0.0.1", "a::b", "std::x",
    "1::2", "@", "::",
    "X-User-Id: 'ulf'", "~ivo/", "://x.edu/~ivo/", ",v 1.2 2001/02/03 04:05:06 djm Exp $", "user", "=", "'",
    "CREATE USER eva;",
    "INT (@v)", "AS @v", "ssh eli@h1", " -u ida ", "mysql", "drwxr-xr-x 2 noa noa 4", "twitter: @kai\n", "uid=bo,ou=x",
]  # fmt: skip
SPACES = ["", " ", "\n", "\t", " 🙂 ", " \u202eعربي ", " \0 ", " İ ", " " + "x" * 600 + " ", "ж" * 3000 + " "]
READERS: list[Any] = [EMAIL, IP, USERNAME, PASSWORD]
TRIGGERS = windows.triggers(READERS)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(SPACES), st.sampled_from(PIECES)), max_size=10))
def test_windows_lose_no_match(pairs: list[tuple[str, str]]) -> None:
    text = "".join(space + piece for space, piece in pairs)
    read = windows.find(pa.array([text], pa.string()), TRIGGERS)
    for reader in READERS:
        whole = set(reader.find(text))
        shifted = set()
        for hit in reader.find(read.text):
            by = read.origins[read.starts <= hit.start][-1] - read.starts[read.starts <= hit.start][-1]
            shifted.add(hit._replace(start=hit.start + by, end=hit.end + by))
        assert shifted == whole


@pytest.mark.parametrize(
    "piece",
    ["a", "@a", "@a,", "thanks ", "[@a](", "/home/a", "/home", "user=", "user: '", "user", "TODO(", "://a",
    "://a:b", "github.com/",
     "github.com/a", "~a/", "/~", "::", "1::", "::1", "1:", "-u ", "mysql -u a", "mysql ", "ssh ", "ssh a",
     "CREATE USER ", ",v 1 ",
     "drwxr-xr-x 1 ", ":x:1", "@author ", "twitter:", "for user ", "\\Users\\", "uid=a,", "a\n", "\n", " ",
     "useradd -a ", "b@c.de "],
)  # fmt: skip
def test_no_text_makes_the_recognizers_slow(piece: str) -> None:
    text = piece * (500_000 // len(piece))
    started = time.process_time()
    for reader in READERS:
        for hit in reader.find(text):
            assert 0 <= hit.start < hit.end <= len(text)
    assert time.process_time() - started < 8  # a quadratic step would take minutes


@pytest.mark.parametrize(
    ("text", "passwords"),
    [
        ("postgres://admin:hunter2!@db.internal/x", ["hunter2!"]),
        ("'redis://:s3cr3t-p%40ss@10.0.0.1:6379/0'", ["s3cr3t-p%40ss"]),
        ("mongodb+srv://app:ab$Cd99@cluster0.example.net", ["ab$Cd99"]),
        ("https://user:password@host https://u:${PASS}@host https://u:$PASS@host https://u:{pw}@host", []),
        ("https://u:%s@host https://u:***@host https://u:<pw>@host https://:your_password@host", []),
        (r"^https?://([^:]+):([^@]+)@(.*)$", []),
        ("http://host:8080/@x http://host:8080 a:b@c", []),
    ],
)
def test_passwords_in_urls(text: str, passwords: list[str]) -> None:
    assert found(PASSWORD, text) == passwords


def github(prefix: str) -> str:
    body, digits = noise(ALNUM, 30), ""
    crc = zlib.crc32(body.encode())
    for _ in range(6):
        crc, digit = divmod(crc, 62)
        digits = BASE62[digit] + digits
    return prefix + "_" + body + digits


PLANTED = {
    "aws_access_key_id": "AKI" + "A" + noise(UPPER, 16),
    "google_api_key": "AI" + "za" + noise(ALNUM, 35),
    "github_token": github("gh" + "p"),
    "github_fine_grained_token": "github_" + "pat_" + noise(ALNUM, 22) + "_" + noise(ALNUM, 59),
    "gitlab_token": "gl" + "pat-" + noise(ALNUM, 20),
    "npm_token": github("np" + "m"),
    "pypi_token": "py" + "pi-AgE" + noise(ALNUM, 120),
    "openai_key": "s" + "k-proj-" + noise(ALNUM, 40) + "T3Blb" + "kFJ" + noise(ALNUM, 40),
    "anthropic_key": "sk" + "-ant-api03-" + noise(ALNUM, 93),
    "huggingface_token": "h" + "f_" + noise(string.ascii_letters, 34),
    "stripe_key": "sk" + "_live_" + noise(ALNUM, 24),
    "slack_token": "xo" + "xb-" + noise(string.digits, 12) + "-" + noise(string.digits, 12) + "-" + noise(ALNUM, 24),
    "sendgrid_key": "S" + "G." + noise(ALNUM, 22) + "." + noise(ALNUM, 43),
    "twilio_key": "S" + "K" + noise(HEX, 32),
    "mailchimp_key": noise(HEX, 32) + "-u" + "s12",
    "telegram_bot_token": noise("123456789", 10) + ":A" + "A" + noise(ALNUM, 33),
    "digitalocean_token": "do" + "p_v1_" + noise(HEX, 64),
    "shopify_token": "shp" + "at_" + noise(HEX, 32),
    "databricks_token": "da" + "pi" + noise(HEX, 32),
    "age_secret_key": "AGE-SECRET" + "-KEY-1" + noise("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),
    "json_web_token": "ey" + "J" + noise(ALNUM, 33) + ".ey" + "J" + noise(ALNUM, 900) + "." + noise(ALNUM, 342),
}
IN_CONTEXT = {
    "aws_secret_access_key": ("aws_secret_" + 'access_key = "', noise(ALNUM + "+/", 40), '"'),
    "azure_storage_key": ("Account" + "Key=", noise(ALNUM + "+/", 86) + "==", ";EndpointSuffix=core"),
    "slack_webhook": ("https://hooks.slack" + ".com/services/", "T" + noise(UPPER, 9) + "/B" + noise(UPPER, 9) + "/"
                      + noise(ALNUM, 24), "'"),
    "discord_webhook": ("https://discord" + ".com/api/webhooks/", noise("123456789", 18) + "/" + noise(ALNUM, 68), ""),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(PLANTED))
def test_a_secret_is_found_whole_and_named(name: str) -> None:
    secret = PLANTED[name]
    text = f'token = "{secret}"  # {secret}.'
    hits = list(SECRET.find(text))
    assert [(text[start:end], form) for start, end, _, form, _ in hits] == [(secret, name)] * 2
    assert found(SECRET, f"x{secret}") == []  # part of a longer word


@pytest.mark.parametrize("name", sorted(IN_CONTEXT))
def test_only_the_secret_part_is_marked(name: str) -> None:
    before, secret, after = IN_CONTEXT[name]
    text = before + secret + after
    assert [(text[start:end], form) for start, end, _, form, _ in SECRET.find(text)] == [(secret, name)]


def test_a_checksum_raises_the_score() -> None:
    good = PLANTED["github_token"]
    bad = good[:-1] + ("a" if good[-1] != "a" else "b")
    assert crc32_base62(good)
    assert [hit.score for hit in SECRET.find(f"{good} {bad}")] == [1.0, 0.95]


@pytest.mark.parametrize(
    "text",
    ["AKI" + "AIOSFODNN7EXAMPLE", "gh" + "p_" + "x" * 36, "h" + "f_" + "ab" * 17, "sk-" + "your-key-here", "eyJ.eyJ.x"],
)
def test_placeholders_are_left(text: str) -> None:
    assert found(SECRET, text) == []


SHORT = {form: re.sub(r"\{[0-9]{2,}(?:,[0-9]+)?\}", "{2}", form.pattern) for form in formats()}  # anchors stay


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_every_match_holds_one_of_its_formats_anchors(data: st.DataObject) -> None:
    form: Format = data.draw(st.sampled_from(formats()))
    value = data.draw(st.from_regex(SHORT[form], fullmatch=True, alphabet=st.characters(max_codepoint=127)))
    assert any(anchor in value for anchor in form.anchors)


def pem(label: str, newline: str) -> tuple[str, str]:
    body = newline.join(["MII" + noise(ALNUM + "+/", 61), noise(ALNUM + "+/", 64), noise(ALNUM, 10) + "=="])
    return f"-----BEGIN {label}-----{newline}{body}{newline}-----END {label}-----", body


@pytest.mark.parametrize("label", ["PRIVATE " + "KEY", "RSA PRIVATE " + "KEY", "PGP PRIVATE " + "KEY BLOCK"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\\n", '\\n",\n"'])
def test_the_body_of_a_private_key_is_found_in_files_and_string_literals(label: str, newline: str) -> None:
    block, body = pem(label, newline)
    assert found(PRIVATE_KEY, f'key = "{block}"\n{block}') == [body, body]


def test_certificates_and_empty_or_unfinished_blocks_are_left() -> None:
    block, _ = pem("PRIVATE " + "KEY", "\n")
    texts = [
        pem("CERTIFICATE", "\n")[0],
        block.replace("END", "FIN"),
        "-----BEGIN PRIVATE " + "KEY-----\n...\n-----END PRIVATE KEY-----",
        block[:40] + "\0" + block[40:],
    ]
    assert [found(PRIVATE_KEY, text) for text in texts] == [[], [], [], []]

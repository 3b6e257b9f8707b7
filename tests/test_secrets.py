"""Passwords and keys by their names, in commands and by format: what is found, what is left, and in what time.

Every secret here is made up for these tests, or random and put together when they run.
"""

from __future__ import annotations

import base64
import json
import random
import string
import time
import zlib
from typing import Any

import pytest

from pii.rarity import Rarity, entropy
from pii.recognizers import (
    AssignmentRecognizer,
    CommandRecognizer,
    KeyMemberRecognizer,
    PrivateKeyRecognizer,
    SecretRecognizer,
    TableRecognizer,
    UrlPasswordRecognizer,
)
from pii.secret_checks import crc32_base36, is_discord_token, is_json_web_token, is_macaroon
from pii.secret_names import kind_of

ASSIGNMENT, COMMAND, SECRET = AssignmentRecognizer(), CommandRecognizer(), SecretRecognizer()
RECOGNIZERS = [
    ASSIGNMENT,
    COMMAND,
    SECRET,
    UrlPasswordRecognizer(),
    PrivateKeyRecognizer(),
    TableRecognizer(),
    KeyMemberRecognizer(),
]
RANDOM = random.Random(20240229)
ALNUM, HEX = string.ascii_letters + string.digits, "0123456789abcdef"
KEY = "".join(RANDOM.choice(ALNUM) for _ in range(31)) + "7"
HEX_KEY = "".join(RANDOM.choice(HEX) for _ in range(39)) + "7"


def found(text: str, entity: str = "", left: bool = False) -> set[str]:
    """The values found in `text` (or left) that lie in no longer one."""
    results = [hit for recognizer in RECOGNIZERS for hit in recognizer.analyze(text, ["PASSWORD", "KEY"])]
    values = {
        text[hit.start : hit.end]
        for hit in results
        if hit.entity_type == (entity or hit.entity_type) and bool(hit.recognition_metadata["left"]) == left
    }
    return {value for value in values if not any(value != other and value in other for other in values)}


PASSWORDS = r"""
password = "@"
const password: string = "@";
private static final String DB_PASSWORD = "@";
let db_pass: &str = "@";
char *passwd = "@";
const char password[] = "@";
#define WIFI_PASSWORD "@"
$config['password'] = '@';
'password' => '@',
:password => "@"
"password": "@"
{\"password\": \"@\"}
    password: "@"  # of the database
password: @
password=@
spring.datasource.password=@
export DB_PASSWORD=@
ENV POSTGRES_PASSWORD @
ENV POSTGRES_PASSWORD=@
      - MYSQL_ROOT_PASSWORD=@
set PASSWORD=@
<password>@</password>
<add key="DbPassword" value="@"/>
<property name="hibernate.connection.password">@</property>
<user username="tom" password="@" roles="x"/>
{"name": "DB_PASSWORD", "value": "@"}
CREATE USER 'bob'@'%' IDENTIFIED BY '@';
CREATE ROLE bob WITH LOGIN PASSWORD '@';
SET PASSWORD FOR 'root'@'localhost' = PASSWORD('@');
mysql -u root -p@ shop
mysqldump -h db -u root -p'@' shop
sshpass -p '@' ssh root@host
curl -u bob:@ https://x.org
curl --user "bob:@" https://x.org
PGPASSWORD=@ psql -h db
tool --password=@ --verbose
tool --password @ --verbose
"Server=db;Database=x;User Id=sa;Password=@;"
jdbc:mysql://h/db?user=bob&password=@&useSSL=false
postgres://bob:@@host/db
redis://:@@host:6379/0
mongodb+srv://bob:@@cluster0.mongodb.net
machine api.x.org login bob password @
db.x.org:5432:shop:bob:@
The default password is @.
2024-02-29 Telnet Password: @
host=localhost user=bob password=@ dbname=x
requests.get(url, auth=("bob", "@"))
new NetworkCredential("bob", "@")
new mysqli("localhost", "bob", "@", "shop")
connection.setPassword("@");
settings.put("password", "@");
define('DB_PASSWORD', '@');
%{password: "@"}
{password, "@"}.
(def password "@")
set password "@"
$p = @{ Password = ConvertTo-SecureString "@" -AsPlainText }
password <- "@"
net user bob @ /add
echo "root:@" | chpasswd
htpasswd -bc /etc/nginx/.htpasswd bob @
openssl rsa -in k.pem -passin pass:@
docker login -u bob -p @ registry.x.org
requirepass @
if (password == "@")
""".strip().splitlines()


@pytest.mark.parametrize("line", PASSWORDS)
def test_a_password_is_found_by_where_it_stands(line: str) -> None:
    at = (
        line.replace("'bob'@'%'", "'bob'\0'%'")
        .replace("'root'@", "'root'\0")
        .replace("root@", "root\0")
        .replace("= @{", "= \0{")
    )
    text = at.replace("@", "tig3r!Xy", 1).replace("\0", "@")
    assert found(text, "PASSWORD") == {"tig3r!Xy"}


KEYS = """
api_key = "@"
apiKey: '@',
"client_secret": "@"
ARG NPM_TOKEN=@
X-Api-Key: @
Authorization: Bearer @
-H "Authorization: token @"
https://x.org/feed?access_token=@&page=2
tool --token @
sessionSecret: '@'
secret_key_base: @
encryption_key = b"@"
APP_KEY=base64:@
<machineKey validationKey="@" />
""".strip().splitlines()


@pytest.mark.parametrize("line", KEYS)
@pytest.mark.parametrize("key", [KEY, HEX_KEY])
def test_a_key_is_found_by_name_and_rarity(line: str, key: str) -> None:
    assert found(line.replace("@", key), "KEY") == {key}


@pytest.mark.parametrize(
    "line",
    r"""
    password = getpass.getpass("Password: ")
    password = os.environ["DB_PASSWORD"]
    "password": "Enter your password"
    "forgotPassword": "Forgot your password?"
    password: string;
    password: str = Field(...)
    password = request.form["password"]
    password: params[:password], token: tokens[i],
    <label for="password">Password</label>
    <input type="password" name="password" placeholder="Password">
    <input type="password" id="user_password" name="user[password]">
    document.getElementById("password"); $('#password').val()
    password: "${DB_PASSWORD}"
    password: {{ db_password }}
    password: !vault |
    password = <your password here>
    def check(password: str, token: str) -> bool:
    fields = ["username", "password", "email"]
    path('password/reset/', views.reset, name='password_reset')
    'password' => 'required|string|min:8',
    "password": {"type": "string"}
    password varchar(255) NOT NULL,
    public string Password { get; set; }
    assert.equal(ok ? 'pass' : 'fail')
    password_hash = "$2b$12$KIXQ4S1P0M9dJ8f7G6h5Ou"
    "parse-passwd": "^1.0.0"
    mkdir -p /var/lib/mysql && mysql -u root -p shop
    curl -u "$USER:$PASS" https://x; curl -u $USER:$PASS https://x
    "--registry-password requires --registry-username"
    """.strip().splitlines(),
)
def test_what_is_no_password_is_left(line: str) -> None:
    assert found(line.strip()) == set()


@pytest.mark.parametrize(
    "line",
    """
    token = "identifier"
    token: 'COMMENT', tokenizer = "bert-base-uncased"
    key = "user_profile_settings_v2_default"
    "token_type": "bearer", "authToken": state.auth.token,
    secret_name = "projects/x/secrets/y/versions/latest"
    api_key = "YOUR_API_KEY"; api_key = "<api key>"; key="sk-..."
    secret = r'([a-z0-9]{64})'
    "integrity": "sha512-@=="
    checksum = "#"
    "sha256": "#", "etag": "#", revision = "#"
    cache_key = "#", cacheKey: "#"
    public_key = "@"
    csrf_token = "@"; nonce = "@"
    next_page_token: "@"
    key: 6f1d8a3e-2b7c-4e95-9a1f-0c4d7e8b2a63
    Sec-WebSocket-Key: @
    token = "0123456789abcdef0123456789abcdef"
    #HostKey /etc/ssh/ssh_host_ed25519_key
    ["kong.plugins.jwt.000_base_jwt"] = "kong/plugins/jwt/migrations/000_base_jwt.lua",
    github.com/x/y v1.2.3 h1:@=
    "resolved": "https://registry.npmjs.org/token/-/token-1.0.0.tgz#"
    """.strip().splitlines(),
)
def test_what_is_no_key_is_left(line: str) -> None:
    assert found(line.strip().replace("@", KEY).replace("#", HEX_KEY)) == set()


@pytest.mark.parametrize("value", ["passwd", "changeme", "secret", "test", "my-secret", "dbPassword", "user_secret"])
def test_words_that_say_what_they_are_are_found_and_left(value: str) -> None:
    line = f'password = "{value}"'
    assert (found(line), found(line, left=True)) == (set(), {value})


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("DB_PASSWORD", "password"),
        ("userPass", "password"),
        ("secretPassword", "password"),
        ("password_confirmation", "password"),
        ("passwordResetToken", "key"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
        ("stripe.apiKey", "key"),
        ("key", "weak"),
        ("bypass", ""),
        ("compass", ""),
        ("password_hash", ""),
        ("publicKey", ""),
        ("primary_key", "weak"),
        ("token_count", ""),
        ("csrfToken", ""),
    ],
)
def test_the_nearest_word_of_a_name_decides(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_rarity_tells_keys_from_names_where_entropy_does_not() -> None:
    rarity = Rarity()
    alphabets = [HEX, ALNUM, string.ascii_lowercase + string.digits, string.ascii_uppercase + "234567"]
    keys = ["".join(RANDOM.choice(letters) for _ in range(n)) for letters in alphabets for n in range(16, 65)]
    names = [name for module in (string, random, json, zlib, time, pytest) for name in _names(module) if len(name) > 11]
    assert len(names) > 100
    assert sum(rarity.characters_per_token(key) < 1.8 for key in keys) > 0.99 * len(keys)
    assert sum(rarity.characters_per_token(name) < 1.8 for name in names) < 0.05 * len(names)  # MFD_HUGE_2MB
    rare_names = [rarity.characters_per_token(name) for name in names]
    rare_keys = [rarity.characters_per_token(key) for key in keys[:49]]  # hexadecimal
    by_rarity = sum(name < key for name in rare_names for key in rare_keys)
    by_entropy = sum(entropy(name) > entropy(key) for name in names for key in keys[:49])
    assert by_rarity < by_entropy / 4  # pairs in which the name looks more random than the key


def _names(module: Any) -> list[str]:
    return sorted(
        name for name in {*dir(module), *(n for k in vars(module).values() for n in dir(k))} if name[0] != "_"
    )


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def noise(alphabet: str, length: int) -> str:
    return "".join(RANDOM.choice(alphabet) for _ in range(length))


def test_formats_are_verified_by_their_own_structure() -> None:
    token = base64url(b'{"alg":"HS256","typ":"JWT"}') + "." + base64url(b'{"sub":"1"}') + "." + noise(ALNUM, 43)
    assert is_json_web_token(token)
    assert not is_json_web_token("eyJ" + noise(ALNUM, 40) + "." + token)
    macaroon = b"\x02\x01\x08pypi.org" + RANDOM.randbytes(80)
    assert is_macaroon("pypi-" + base64url(macaroon))
    assert not is_macaroon("pypi-" + base64url(b"\x02\x01\x08pypl.org" + RANDOM.randbytes(80)))
    bot = base64url(b"198622483471925248") + "." + noise(ALNUM, 6) + "." + noise(ALNUM, 27)
    assert is_discord_token(bot)
    assert not is_discord_token(base64url(b"19862248347192524x") + "." + noise(ALNUM, 6) + "." + noise(ALNUM, 27))
    routable = "gl" + "pat-" + noise(ALNUM, 30) + ".01."
    number, digits = zlib.crc32(routable.encode()), ""
    for _ in range(7):
        number, digit = divmod(number, 36)
        digits = (string.digits + string.ascii_lowercase)[digit] + digits
    assert crc32_base36(routable + digits)
    assert not crc32_base36(routable + digits[::-1])
    text = f"bot.run('{bot}') {token} {routable}{digits}"
    scores = {hit.format: hit.score for hit in SECRET.find(text)}
    assert scores == {"discord_bot_token": 1.0, "json_web_token": 1.0, "gitlab_token": 1.0}


def test_a_discord_token_whose_first_part_is_no_number_is_none() -> None:
    text = f"bot.run('MT{noise(ALNUM, 22)}.{noise(ALNUM, 6)}.{noise(ALNUM, 27)}')"
    assert list(SECRET.find(text)) == []


@pytest.mark.parametrize(
    "token",
    [
        "sk-or-" + "v1-" + noise(HEX, 64),
        "nvapi-" + noise(ALNUM, 64),
        "glc_" + noise(ALNUM, 60),
        "tskey-" + "auth-" + noise(ALNUM, 12) + "-" + noise(ALNUM, 32),
        "sha256~" + noise(ALNUM, 43),
        "squ_" + noise(HEX, 40),
        "rdme_" + noise(string.ascii_lowercase + string.digits, 70),
        "shippo_" + "live_" + noise(HEX, 40),
        "NRII-" + noise(ALNUM, 32),
        "sb_" + "secret_" + noise(ALNUM, 31),
        "LS0tLS1CRUdJTi" + "BSU0EgUFJJVkFURSBLRVktLS0tLQ" + noise(ALNUM, 400),
    ],
)
def test_tokens_of_further_services_are_found_without_a_name(token: str) -> None:
    assert found(f"see {token}, there", "KEY") == {token}


@pytest.mark.parametrize("label", ["RSA PRIVATE", "EC PRIVATE", "OPENSSH PRIVATE", "ENCRYPTED PRIVATE", "PRIVATE"])
@pytest.mark.parametrize("joint", ["\n", "\\n", '\\n" +\n  "', "\\n' .\n  '", '\\n"\n  "', "\\n\\\n", "\n    "])
def test_private_keys_are_found_in_every_writing(label: str, joint: str) -> None:
    lines = ["MII" + noise(ALNUM + "/", 61), noise(ALNUM, 64), noise(ALNUM, 20) + "=="]
    body = joint.join(lines)
    text = f'key = "-----BEGIN {label} KEY-----{joint}{body}{joint}-----END {label} KEY-----\\n";'
    assert body in found(text, "KEY")


HOSTILE = [
    "password=", "password = '", 'key="', "token:", "secret ", "pass.", "a-key-", "password: string = ", "<password>",
    "Authorization: Bearer ", "Basic ", "curl -u ", "mysql ", "curl ", " -u x -p ", "IDENTIFIED BY ", "auth=('a', ",
    "htpasswd -b ", "echo x:y ", "net user ", ":5432:", "docker login ", "bot.run", "eyJ",
    "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "token[", "key key1=", "passpasspass",
    '\\"password\\": ', "&quot;token&quot;:", "a.b-", "password is ", "value=", 'PDO("', "login('a', '", "://a:b",
    "AKIA", "glpat-", "insert into x (password) values ('a'),", "insert into x (password", "| password |\n|---|\n",
    '"kty": ', '"kty": "d": "', "Private-Lines: 2\n", "credentials ", "log in as a / ", "createUser('a', ", "echo ",
    "assertEquals('a', ", "7z a ", "user: x, password: ", "password\n  ", "</a> <b>", "ConvertTo-SecureString ",
    "\\n", "'", '"', "{", "(", "A1b2", "=",
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_time_is_linear_in_hostile_text(piece: str) -> None:
    text = piece * (60_000 // len(piece))
    mixed = "".join(RANDOM.choice(HOSTILE) for _ in range(2_500))
    for hostile in (text, text + mixed, "x" * 30_000 + piece, piece + "x" * 30_000, piece + "Ab1/" * 7_500):
        for recognizer in RECOGNIZERS:
            begin = time.process_time()
            list(recognizer.find(hostile))
            assert time.process_time() - begin < 2.0, (recognizer.name, hostile[:40])

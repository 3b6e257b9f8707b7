"""What the name of a variable, field, option or column says about its value: a password, a key, or neither.

The nearest word decides: `secret_password` is a password, `password_reset_token` a key, `password_hash` neither. Words
that only qualify (numbers, `confirm`, `prod`) are passed over.
"""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["password", "key", "weak", ""]  # weak: may hold a key, and much else


def words(text: str) -> frozenset[str]:
    """The words of a list written as prose."""
    return frozenset(text.split())


_SEGMENT = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_PASSWORD = words("""
    password passwords passwd passphrase passcode passwort kennwort wachtwoord senha contrasena motdepasse pwd
    pass pw psw pswd passw psk
    """)
_PASSWORD_ENDS = ("password", "passwd", "passphrase", "pwd", "passwort")
_ENDS_WITH_PASS = words("""
    userpass dbpass mypass rootpass adminpass mysqlpass pgpass keypass storepass proxypass smtppass mailpass
    sshpass ftppass redispass testpass loginpass authpass bindpass
    """)
_SECRET = words("""
    secret secrets token tokens apikey apikeys appkey authkey accesskey secretkey privatekey authtoken
    accesstoken apitoken apisecret appsecret clientsecret masterkey licensekey signingkey encryptionkey
    consumerkey consumersecret refreshtoken bearertoken idtoken credential credentials creds jwt bearer
    secretaccesskey
    """)
_SECRET_ENDS = ("secret", "apikey", "token")
_KEY_OF = words("""
    api app application access auth authentication authorization private secret encryption encrypt crypt
    crypto cipher signing signature sign signed master client consumer account shared license licence service
    session deploy deployment hmac aes des storage server admin subscription webhook jwt integration project
    user developer dev merchant cookie django flask rails base decryption decrypt validation machine read
    write ingest ingestion sas ssh rsa license function host vault recovery security ikey
    """)
_WEAK = words("""
    key keys auth authorization authentication cookie session sid sessionid dsn pat
    """)
_PASSED_OVER = words("""
    confirm confirmation confirmed repeat repeated again retype verify verification new old current value val
    string str text plain plaintext clear cleartext prod production dev development test tests testing staging
    stage live sandbox default raw base64 b64 literal const constant env main primary secondary a b c d x y i
    ii one two encoded bytes data local
    """)
# A name with one of these is no secret's, wherever it stands.
_NEVER = words("""
    public pub csrf xsrf nonce hash hashed hashes digest checksum sha sha1 sha256 sha512 md5 etag integrity
    revision commit page next continuation cursor sync foreign sort partition cache i18n label placeholder
    hint tooltip title caption message msg error errors regex pattern css class selector color icon xpath
    route href primarykey fingerprint sitekey lexer parser websocket socket plugins signature certificate cert
    thumbprint guid uuid
    """)


def kind_of(name: str) -> Kind:
    """What `name` (an identifier, or several with dots or hyphens between) says of the value that it is given."""
    segments = [segment.lower() for segment in _SEGMENT.findall(name[-80:])]
    while segments and (segments[-1] in _PASSED_OVER or segments[-1].isdigit()):
        segments.pop()
    if not segments or not _NEVER.isdisjoint(segments):
        return ""
    last = segments[-1]
    before = segments[-2] if len(segments) > 1 else ""
    if last in _PASSWORD or last.endswith(_PASSWORD_ENDS) or last in _ENDS_WITH_PASS:
        return "password"
    if last in _SECRET or last.endswith(_SECRET_ENDS):
        return "key"
    if last == "base" and before == "key":  # Rails' secret_key_base
        return "key"
    if last in ("key", "keys"):
        return "key" if before in _KEY_OF else "weak"
    if last in ("id", "hex") and before in ("secret", "token"):
        return "key"
    if before + last in _SECRET:
        return "key"
    return "weak" if last in _WEAK else ""

"""Whether a literal can be a password or a key, judged by its form; what it is assigned to is judged elsewhere.

A key looks random (pii/rarity.py). A password may be any word, so a literal is one unless it is seen to be something
else: a template, a reference, a type, a label of a form, a field's name, a path, a selector, a rule.
"""

from __future__ import annotations

import re
from typing import Literal

from pii.rarity import Rarity
from pii.secret_checks import decoded
from pii.secret_names import words
from pii.secrets import is_made_up

Verdict = Literal["value", "placeholder", ""]  # placeholder: says itself that it stands for a value

# What a program, a template engine, a shell or a manual puts in a value's place.
_REFERENCE = re.compile(
    r"^\$[A-Za-z_]|\$[{(]|[{#%]\{|\{[\w.:-]*\}|%[sdrq@](?![\w!@#$%^&*])|%\(|%\w+%|@\w+@|\*\*\*|\.\.\.|…|^<|>$|<[%?=]|%>|\{%|^\[.*\]$|^\(.*\)$|\\[dwsb(\[.*]"
    r"|^(?:env|vault|secret|ssm|arn|file|ref|op|data|aws|projects|keyring|azurekeyvault|base64|http|https|urn|git|ssh|ldap|cn|uid)[:=]"
    r"|^!|process\.env|environ|getenv|^x+$|^([^0-9])\1+$|^[\W_]+$|xxxx"
)
_PLACE = re.compile(  # your_password, <password>, my-secret-here: a hole to fill in
    r"^(?:your|the|insert|enter|put|add|set|use|some|any|replace|fill|change|provide|type|paste|redacted|hidden|masked|omitted|removed|snip)"
    r"(?![a-z])|^your|(?:^|[_\W])(?:your|here|goes|todo|fixme|changeit|replaceme|replace|redacted|placeholder)(?:[_\W]|$)",
    re.IGNORECASE,
)
_SAYS_WHAT_IT_IS = re.compile(
    r"(?:(?:my|the|a|some|test|super|very|top|new|old|wrong|bad|good|db|user|admin|root|default|dummy|fake|mock|sample|demo|example|dev"
    r"|invalid|incorrect|valid|correct|strong|weak|foo|bar|client|api|access|auth|app|key|jwt|session)[_ .-]?){0,4}"
    r"(?:password|passwd|passphrase|passw|pass|pwd|pw|secret|token|key|test|foo|bar|baz|foobar|changeme|change-me|change_me|changeit|dummy|fake|mock"
    r"|sample|demo|example|letmein|qwerty|abc|abcd|abcdef|1234|12345|123456|1234567|12345678|123456789|1234567890)"
    r"[_ .-]?(?:[0-9]{0,4}|123[0-9]*)!?",
    re.IGNORECASE,
)
# A word alone, or several with signs between: the value is none, or the reader's to choose.
_STANDS_FOR_ONE = re.compile(
    r"(?:(?:my|the|a|some|test|super|very|top|new|old|wrong|bad|good|db|user|admin|root|default|dummy|fake|mock|sample|demo|example|dev"
    r"|invalid|incorrect|valid|correct|strong|weak|foo|bar|client|api|access|auth|app|key|jwt|session)[_ .-]){0,4}"
    r"(?:password|passwd|passphrase|passw|pass|pwd|pw|secret|token|key|test|foo|bar|baz|foobar|changeme|change-me|change_me|changeit"
    r"|dummy|fake|mock|sample|example)!?"
    r"|[a-z]+(?:[A-Z][a-z]+)*(?:Password|Pass|Passwd|Pwd|Secret|Token|Key)",
)
_DEFAULTS = words("""
    admin administrator root guest vagrant raspberry postgres mysql oracle tomcat jboss rabbitmq mongo redis
    elastic kibana grafana jenkins sonar nexus minio minioadmin wordpress drupal joomla magento petclinic welcome
    letmein qwerty monkey dragon hunter docker ansible ubuntu pi hello world abc123 s3cret manager demo dev
    """)
_TYPES = words("""
    string str text varchar char bytes int number bool boolean object any void null none nil true false undefined
    required optional prompt ask unknown
    """)
_NOT_PASSWORDS = words("""
    string str text varchar char nvarchar bytes bytea byte number int integer bool boolean object any void
    null none nil true false undefined unknown unreserved reserved requires must never optional required nullable
    empty yes no on off enabled
    disabled auto type value values name username user users email mail login logout signin signup register
    account accounts profile url uri path file host hostname port database key id hash salt md5 sha1 sha256
    sha512 crypt bcrypt scrypt plain plaintext basic digest bearer oauth oauth2 prompt ask input hidden field
    fields form label title hint button submit reset forgot forgotten confirm confirmation change update
    create delete edit set get new old current missing incorrect wrong empty blank random generated generate
    always never default self this cls that data body json params request req res response query args kwargs
    config conf settings options opts env environment process system const let var function func def return
    class struct enum interface static public private protected final readonly with and or not is in if else
    then end unless when while do done case esac fi from import require include use using var_dump echo print
    printf puts line lines word words first last next prev item items result buffer buf ptr str1 str2 tmp temp
    passwort kennwort senha contrasena parola heslo haslo lozinka jelszo salasana losenord adgangskode passord
    wachtwoord sifre parool slaptazodis sandi clave geslo
    mixed array list map dict set tuple vec option maybe some just ref box rc arc secretstring cstring
    """)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:(?:\.|->|::|\?\.)[A-Za-z_][A-Za-z0-9_]*)+")
_SECRET_WORD = re.compile(r"pass(?:w|phrase|code|_|-|$)|pwd|secret|token|credential", re.IGNORECASE)
_PATH = re.compile(
    r"^[~.]{0,2}/|^[A-Za-z]:\\|^[#.][A-Za-z_][\w-]*$|^[\w.-]+/[\w./-]+$|\.(?:txt|pem|key|json|ya?ml|conf|ini|php|html?|jsx?|tsx?|py|rb|go|java|sh|env|crt|cer|p12|pfx|jks|svg|png|css|md|xml|log|csv|enc|gpg|asc|pub)$|://"
)
_RULE = re.compile(r"^(?:required|nullable|string|min|max|sometimes|confirmed)\b|\|\w+[:|]|^[\w-]+\|[\w|:-]+$")
_KEY_TEXT = re.compile(r"[A-Za-z0-9+/=_.~:$!@#%^&*(){}\[\]<>?,;|-]+")
_BASE64_TEXT = re.compile(r"[A-Za-z0-9+/=_.~-]+")
_WEAK_TEXT = re.compile(r"[A-Za-z0-9+/=_-]+")
_UUID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
_HEX = re.compile(r"(?:0x)?[0-9A-Fa-f]+")
_DIGEST_LENGTHS = frozenset({32, 40, 56, 64, 96, 128})
_HASHED = re.compile(
    r"^\$(?:[0-9][a-z]?|apr1|argon2\w*|pbkdf2[\w-]*|bcrypt\w*|scrypt|y|P|S|H)\$|^\{?(?:SSHA|SHA|MD5|CRYPT)\d*\}|^pbkdf2|^sha\d+[-:$]|^bcrypt|^\*[0-9A-F]{40}$|^md5[0-9a-f]{32}$"
)
_ORDERED = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz 01234567890123456789 qwertyuiopasdfghjklzxcvbnm"


class Values:
    """Judges literals. Built once."""

    def __init__(self) -> None:
        self.rarity = Rarity()

    def password(self, value: str, strict: bool, phrase: bool = False, trusted: bool = False) -> Verdict:
        """Whether `value` can be a password.

        strict: only what no word of a language and no identifier is. phrase: words with spaces between, too.
        trusted: it stands beside a user's name, or where nothing but a password can; then any word will do.
        """
        least = 1 if trusted else 4 if strict else 3
        if (
            not least <= len(value) <= 128
            or not value.isprintable()
            or _REFERENCE.search(value)
            or _HASHED.match(value)
        ):
            return ""
        if any(character.isspace() for character in value):
            words = value.split(" ")
            if not phrase or len(words) < 3 or not all(re.fullmatch(r"[a-z0-9]{2,12}", word) for word in words):
                return ""
            return "value"
        lowered = value.lower()
        if re.fullmatch(r"[\^~<>=v]*[0-9]+(?:\.[0-9x*]+)+[\w.+-]*", value) or re.fullmatch(
            r"[A-Z]+(?:_[A-Z0-9]+)+", value
        ):
            return ""  # a version; a constant
        if _PLACE.search(value) or _PATH.search(value) or _RULE.search(value):
            return ""
        if lowered in (_TYPES if trusted else _NOT_PASSWORDS):
            return ""
        if strict and value in _DEFAULTS:
            return "value"
        if _SAYS_WHAT_IT_IS.fullmatch(value) or _STANDS_FOR_ONE.fullmatch(value):
            if value.isupper() or (strict and not value.isdigit()):
                return ""
            if _STANDS_FOR_ONE.fullmatch(value if value[1:].lower() != value[1:] else lowered):
                return "placeholder"
            return "" if strict and value.isdigit() else "value"
        if _IDENTIFIER.fullmatch(value):
            return ""
        plain = value.isascii()
        letters = re.fullmatch(r"[^\W\d_]+[:?!.,*]?", value) is not None
        if letters:
            if strict or not plain:
                return ""
            if not value.islower() and not (trusted and value.isupper() and len(value) <= 8):
                return ""
            if trusted and value.isalpha():
                return "value"
            return "" if _SECRET_WORD.search(value) or not value.isalpha() else "value"
        if not plain:
            return "" if not re.search(r"[0-9]", value) else "value"
        if not strict and _is_encoded_text(value):
            return "value"
        if not re.search(r"[0-9]", value):
            if trusted and re.fullmatch(r"[a-z]+(?:[-_][a-z]+)+", value) and not _SECRET_WORD.search(value):
                return "value"
            if re.fullmatch(
                r"[\w.:/-]+", value
            ):  # words with separators: an identifier, a key of a translation, an option
                return ""
            if re.search(r"[()\[\]{}\\=;,\"'`<>|]", value) or not re.search(r"[A-Za-z]{2}", value):
                return ""
            return "value"
        if _SECRET_WORD.search(value) and re.fullmatch(
            r"[A-Za-z]+(?:[_.-][A-Za-z]+)*[_.-]?[0-9]" if strict else r"[A-Za-z]+(?:[_.-][A-Za-z]+)+[_.-]?[0-9]", value
        ):
            return ""  # password1, old_password_2: more often a variable
        if strict and re.fullmatch(r"[0-9.,:-]+", value):
            return ""
        if re.search(r"[()\[\]{}\\\"'`<>]", value) and re.search(r"\w\(|\)\.|\w\[|\]\.|\\|[\"'`]", value):
            return ""
        return "value"

    def key(self, value: str, weak: bool, bare: bool) -> Verdict:
        """Whether `value` looks random enough for a key. weak: so says little of its name. bare: it stands unquoted."""
        if len(value) < (20 if weak else 16 if bare else 10) or len(value) > 2000 or not value.isascii():
            return ""
        text = _BASE64_TEXT if bare else _WEAK_TEXT if weak else _KEY_TEXT
        if not text.fullmatch(value) or _HASHED.match(value) or ("://" in value):
            return ""
        if not re.search(r"[0-9]", value) and (bare or weak or len(value) < 20):
            return ""
        if not re.search(r"[A-Za-z]", value) or is_made_up(value) or _PLACE.search(value) or self._in_order(value):
            return ""
        if re.search(r"\$\{|\{\{|\$\(|%\(|<[a-z_ -]+>|#\{|\*\*\*|\.\.\.", value):
            return ""
        if re.search(r"\w\(.*\)", value) and len(re.findall(r"[!@#$%^&*+=-]", value)) < 6:  # Django's keys have more
            return ""
        if _UUID.fullmatch(value):
            return "" if weak else "value"
        if re.fullmatch(r"0x[0-9a-fA-F]{64}", value) and not weak:
            return "value"
        if re.match(r"[~.]{0,2}/[a-z]{2,}/|0x|\^|[a-z]+://", value) or re.search(
            r"\[\^?\w-\w|\\[dws]|\{[0-9]+,?[0-9]*\}", value
        ):
            return ""  # a path, a number, a regular expression
        if _SAYS_WHAT_IT_IS.fullmatch(value):
            return ""
        if weak and _HEX.fullmatch(value) and len(value) in _DIGEST_LENGTHS:
            return ""
        limit = 1.7 if weak or len(value) < 16 else 1.8 if bare else 1.9
        if self.rarity.characters_per_token(value) >= limit:
            return ""
        worded = weak or len(value) < 16 or "/" in value or "." in value
        return "" if worded and self.rarity.longest_word(value) >= 5 else "value"

    def _in_order(self, value: str) -> bool:
        """Whether a good part of `value` are runs of the alphabet, the digits or the keyboard."""
        lowered = value.lower()
        runs = sum(lowered[at : at + 4] in _ORDERED for at in range(len(lowered) - 3))
        return runs * 3 > len(lowered)


def _is_encoded_text(value: str) -> bool:
    """Whether `value` is padded base 64 of plain text, as Kubernetes holds secrets."""
    if not value.endswith("=") or len(value) % 4 or not re.fullmatch(r"[A-Za-z0-9+/]+={1,2}", value):
        return False
    text = decoded(value)
    return len(text) > 2 and text.isascii() and text.decode("ascii").strip().isprintable()

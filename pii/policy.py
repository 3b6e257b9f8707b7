"""Which of the found values stay in the text, and why: pure functions on a text and its spans.

What stays is still found: it is recorded with its reason, so that an audit sees it. Left by default are the people whom
a licence names as its holders (removing them would break it), values that say themselves that they are examples,
addresses that lead to no one (private, loopback, documentation, public name servers) and accounts that every system
has. An e-mail address in a copyright line is redacted.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from pii.addresses import kind_of
from pii.holders import is_holder
from pii.spans import Span

Choice = Literal["leave", "redact"]
PEOPLE = ("NAME", "USERNAME")

# reason -> the option that decides about it
LEFT = {
    "license_holder": "license_holders",
    "example": "examples",
    "private_address": "private_addresses",
    "public_service": "public_services",
    "generic_account": "generic_accounts",
}


class Policy(BaseModel):
    """For each kind of value that is found, whether it stays."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    license_holders: Choice = "leave"  # people and handles in copyright lines and in a licence's words
    examples: Choice = "leave"  # John Doe, user@example.com, 192.0.2.1, "changeme"
    private_addresses: Choice = "leave"  # 10.0.0.0/8 and the like, loopback, link-local, netmasks
    public_services: Choice = "leave"  # well-known name servers such as 8.8.8.8
    generic_accounts: Choice = "leave"  # root, admin, postgres, ubuntu, ...


def judge(text: str, spans: Sequence[Span], policy: Policy) -> list[Span]:
    """The spans, each with `left` set to why it stays, or empty where it is to be redacted."""
    return [span._replace(left=_reason(text, span, policy)) for span in spans]


def _reason(text: str, span: Span, policy: Policy) -> str:
    value = text[span.start : span.end]
    if policy.license_holders == "leave" and span.entity in PEOPLE and is_holder(text, span.start, span.end):
        return "license_holder"
    judged = _JUDGES.get(span.entity)
    reason = judged(value, text, span) if judged else ""
    if span.left and not reason:
        reason = span.left if span.left in LEFT else "example"  # what a recognizer calls a placeholder
    return reason if reason and getattr(policy, LEFT[reason]) == "leave" else ""


# ---- e-mail addresses

_RESERVED = re.compile(
    r"(?i)@(?:[\w-]+\.)*(?:example|invalid|test|localhost|localdomain)$"
    r"|@(?:[\w-]+\.)*example\.(?:com|org|net|edu|[a-z]{2}|co\.[a-z]{2})$"
    r"|@(?:your|my|some)[-_]?(?:domain|company|host|site|server|email|mail|website|app|org)[\w.-]*$"
)
_ANY_DOMAIN = re.compile(
    r"(?i)@(?:domain|company|email|mail|host|site|server|website|foo|bar|baz|foobar|acme|abc|xyz|somewhere|test|localhost"
    r"|example[\w-]*|mydomain|somedomain)\.[a-z]{2,9}$"
)
_ANY_USER = re.compile(
    r"(?i)^(?:you|your[-_.]?(?:e?mail|name|username|address)?|me|my[-_.]?(?:e?mail|name)|user(?:name)?\d{0,3}|name|some(?:one|body)|foo|bar"
    r"|baz|foobar|example|e?mail|test\d{0,3}|tester|a|b|c|x|y|abc|xyz|john|jane|joe|bob|alice"
    r"|(?:john|jane)[._-]?(?:doe|smith)?|jdoe|first[._-]?(?:name)?[._-]?last(?:name)?)@"
)


def _email(value: str, text: str, span: Span) -> str:
    if _RESERVED.search(value) or (_ANY_USER.search(value) and _ANY_DOMAIN.search(value)):
        return "example"
    return ""


# ---- names

_MADE_UP_NAME = re.compile(
    r"(?i)^(?:(?:john|jane|jonny|johnny|joe|jon|jim|baby|[a-z]\.?)\s(?:[a-z]\.?\s)?(?:doe|roe|public)|doe,?\s(?:john|jane)|richard\sroe"
    r"|joe\s(?:bloggs|blow|schmoe|sixpack)|(?:max|erika|hans|anna|maria)\smuster(?:mann|frau)?|foo\s(?:bar|baz)"
    r"|(?:your|full|first|last|some|author'?s?|user'?s?)[\s_](?:full[\s_])?name(?:\s?here)?|test\suser|first\slast"
    r"|(?:john(?:ny)?|jonny)\sappleseed|lorem\sipsum)$"
)
_USUAL_NAME = re.compile(
    r"(?i)^(?:(?:john|jane|bob|alice|joe|mary)(?:\s(?:smith|jones|brown))?|alice|bob|carol|charlie|dave|eve|mallory|trent|peggy"
    r"|victor|oscar|trudy|foo|bar)$"
)
# On a line that credits somebody, these are people.
_CREDIT = re.compile(
    r"(?i)\b(?:authors?|by|thanks|credits?|maintain\w*|contribut\w*|reported|signed-off|co-authored|suggested|copyright)\b"
)


def _name(value: str, text: str, span: Span) -> str:
    shown = " ".join(value.split())
    if _MADE_UP_NAME.match(shown):
        return "example"
    if _USUAL_NAME.match(shown):
        line = text.rfind("\n", max(0, span.start - 200), span.start) + 1
        if not _CREDIT.search(text, max(line, span.start - 200), span.start):
            return "example"
    return ""


# ---- IP addresses


def _ip_address(value: str, text: str, span: Span) -> str:
    try:
        address = ipaddress.ip_address(value.strip("[]").partition("%")[0].partition("/")[0])
    except ValueError:
        return ""
    return kind_of(address)


# ---- accounts, passwords, keys

_ACCOUNT_NAMES = """
root admin administrator sysadmin postgres postgresql mysql mariadb mongo mongodb redis oracle sa sys system sqlserver
user users username guest git svn hg github gitlab ubuntu debian centos fedora redhat alpine core pi vagrant docker
ec2-user azureuser opc www www-data nginx apache apache2 httpd nobody nogroup daemon bin mail ftp anonymous operator
runner jenkins travis circleci buildkite ci build builder node app application deploy deployer default service
elastic elasticsearch kibana logstash rabbitmq kafka zookeeper hadoop spark airflow superuser staff wheel
linuxbrew homebrew public shared default-user all everyone here channel team owner self me you name myname
"""
_ACCOUNTS = frozenset(_ACCOUNT_NAMES.split())
_MADE_UP_ACCOUNT = re.compile(
    r"(?i)^(?:(?:my|your|some|the|test|new|db|ftp|ssh|aws|api|example|demo|sample|dummy|fake)[-_.]?(?:user(?:name)?|name|login|account|id|org"
    r"|organization|company|project|team|owner|handle)?\d{0,4}|user[-_]?(?:name|id)?\d{0,4}|foo|bar|baz|foobar|foo_?bar|(?:john|jane)?[-_.]?doe|jdoe"
    r"|john[-_.]?smith|alice|bob|username\d*|login|account|acme|octocat)$"
)


def _username(value: str, text: str, span: Span) -> str:
    shown = value.lower().lstrip("@")
    if shown in _ACCOUNTS:
        return "generic_account"
    return "example" if _MADE_UP_ACCOUNT.match(shown) else ""


_MADE_UP_PASSWORD = re.compile(
    r"(?i)^(?:(?:my|your|the|some|this|test|new|old|user|db|root|admin|super|very|secure|strong|top|default|example|dummy"
    r"|fake|wrong|bad|good|correct|invalid|another|other|is|not|mysql|postgres|redis|secret|pass(?:word)?)[-_ .]?){0,3}"
    r"(?:pass(?:word|wd|phrase|w)?|p[a@4][s$5]{2}w[o0]rd|pwd|pw|secrets?|token|key|pin|change[-_ ]?(?:me|it|this)"
    r"|letmein|test(?:ing)?|admin|root|guest|user|foo(?:bar)?|bar|baz|qux|qwerty|default|example|sample|dummy|placeholder|none"
    r"|null|empty|blank|hidden|redacted|x{3,}|abc(?:123|def)?|1234?5?6?7?8?9?0?)"
    r"(?:[-_ .]?(?:here|value|string|hash|\d{1,6}|[!?.*]{1,3})){0,3}$"
)
_SAYS_EXAMPLE = re.compile(r"(?i)example|placeholder|changeme|dummy|your[-_ ]|insert[-_ ]|xxxx|<[a-z_ -]+>|\*{4}|\.{3}")


def _password(value: str, text: str, span: Span) -> str:
    return "example" if _MADE_UP_PASSWORD.match(value) or _SAYS_EXAMPLE.search(value) else ""


def _key(value: str, text: str, span: Span) -> str:
    return "example" if len(value) < 200 and _SAYS_EXAMPLE.search(value) else ""


_JUDGES = {
    "EMAIL": _email,
    "NAME": _name,
    "IP_ADDRESS": _ip_address,
    "USERNAME": _username,
    "PASSWORD": _password,
    "KEY": _key,
}

"""E-mail addresses under a top-level domain that exists."""

from __future__ import annotations

import re
from collections.abc import Iterator

import tldextract

from pii.recognizers.base import Found, Recognizer

# Scripts written without spaces between words (Han, Kana, Hangul, Thai, ...) delimit an address, as in StarCoder's.
_LETTER = "A-Za-z0-9\u00c0-\u024f\u0370-\u052f"
_EMAIL = re.compile(
    rf"(?<![{_LETTER}_.%+-])"
    r"(?:(?<=\\)(?:[nrt]|u[0-9a-fA-F]{4}))?"  # an escape of the string literal it stands in
    rf"([{_LETTER}_%+][{_LETTER}_.%+-]{{0,63}})(?<![.-])@"
    rf"((?:[{_LETTER}](?:[{_LETTER}-]{{0,61}}[{_LETTER}])?\.){{1,10}})"
    r"(xn--[A-Za-z0-9-]{1,59}|[A-Za-z]{2,63}|[\u0400-\u052f]{2,63})"
    rf"(?![{_LETTER}_-])(?!\.[{_LETTER}])"
)
_USER_OF_URL = re.compile(r"(?<!mailto)://[^\s/@]{0,100}\Z")
_PRIVATE_TLDS = frozenset({"corp", "home", "internal", "intranet", "lan", "local"})
_SERVICE_USERS = frozenset({"git", "hg", "svn"})  # who logs in to a remote, not a person
_ALGORITHM_DOMAINS = frozenset({"openssh.com", "libssh.org"})  # names of SSH's algorithms look like addresses


class EmailRecognizer(Recognizer):
    """Addresses in a top-level domain that exists; examples, role and noreply addresses too, as StarCoder does."""

    def __init__(self) -> None:
        super().__init__("EMAIL")
        # suffix_list_urls=(): the list that tldextract ships, instead of a download.
        suffixes = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None).tlds
        self.tlds = _PRIVATE_TLDS.union(suffix for suffix in suffixes if "." not in suffix)

    def find(self, text: str) -> Iterator[Found]:
        for match in _EMAIL.finditer(text):
            local, labels, tld = match.groups()
            start, end = match.start(1), match.end()
            if tld[0].isupper() and labels.count(".") > 1 and not self._exists(tld):  # jane@mail.com.Then
                end -= len(tld) + 1
                labels, _, tld = labels[:-1].rpartition(".")
                labels += "."
            if (
                self._exists(tld)
                and local not in _SERVICE_USERS
                and labels + tld not in _ALGORITHM_DOMAINS
                and not re.match(r"[0-9]\.|[0-9]+\.[0-9]", labels)  # name@1.2.3-rc.dev: a package's version
                and not text.startswith("(", end)  # a@b.to(device): a product, then a call
                and not _USER_OF_URL.search(text, max(0, start - 110), start)
            ):
                yield Found(start, end, 0.9, "email")

    def _exists(self, tld: str) -> bool:
        if tld not in (tld.lower(), tld.upper(), tld.capitalize()):
            return False  # A@B.mT is a matrix product, not Malta
        lowered = tld.lower()
        return lowered in self.tlds or (lowered.startswith("xn--") and _decoded(lowered) in self.tlds)


def _decoded(label: str) -> str:
    """An xn-- label in its own script; itself where it is not one."""
    try:
        return label.encode().decode("idna")
    except UnicodeError:
        return label

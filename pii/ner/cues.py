"""The words near which code names people and accounts: how far each reaches, and what counts as a name there."""

from __future__ import annotations

from functools import cache

import numpy as np

from pii.ner import gazetteer

CREDIT = 1  # a name anywhere after it on the line, or on the next where this one ends with the cue
BY = 2  # a name right after it
AFTER = 3  # a name right before it: "Jane wrote", "Doe et al."
NOTE = 4  # TODO(jdoe), TODO @jdoe, TODO: Jane
PATH = 5  # /home/jdoe, C:\\Users\\jdoe
SITE = 6  # github.com/jdoe
ACCOUNT = 7  # user: "jdoe"
NAMED = 8  # name: "Jane Doe"
PARTICLE = 9  # Jane van der Doe
FIELD = 10  # as CREDIT, and the value of author: or maintainer= may be in lower case
MENTION = 11  # before an @jdoe

_WORDS = {
    FIELD: "author authors author_name maintainer maintainers contributor contributors creator reviewer reviewers approver"
    " approvers assignee owner owners packager programmer translator autor auteur автор autori auteurs autores developer"
    " developers moduleauthor codeauthor sectionauthor lead leads __author__ __maintainer__ __credits__ codeowners committer"
    " assignees email_author authored copyrightholder responsible verantwortlich yazar autore opracował",
    CREDIT: "copyright copyrights filecopyrighttext copyrighted thanks thank kudos props credit credits contributed written"
    " maintained developed signed acked reported tested suggested submitted coded designed translated devised invented"
    " founder courtesy inspired adapted ported rewritten modified created programmed discovered proposed published"
    " implemented implementation pointed contact merci danke gracias acknowledgements acknowledgments grateful discussions"
    " extended extends originally initial coauthored co authored coauthor reviewed ack translation translators hat"
    " revised updated idea ideas patch patches noticed found fixed debugged signedoffby people team staff hackers"
    " __copyright__ legalcopyright module_author driver_author photo icon artwork music logo wrote cc bcc",
    BY: "by per see cf dear hi hello hey cheers regards sincerely mr mrs ms dr prof professor sir via from ask"
    " von de par por av af door przez autorem od and",
    AFTER: "wrote writes et says said noted suggested reported pointed",
    NOTE: "todo fixme xxx hack note bug todos nb tbd optimize review",
    PATH: "home users",
    SITE: "github gitlab bitbucket twitter x linkedin keybase facebook instagram medium stackoverflow launchpad mastodon"
    " t youtube gravatar codepen npmjs pypi dribbble patreon paypal",
    PARTICLE: "van von der den de da di la le bin ibn al el dos du del ter ten vande vander e y av af zu zur della do das st",
    MENTION: "to with for via ping follow twitter on at cc thanks by props and from credit h ask merged reviewed closes"
    " fixes contributor user",
}
_TAILS = {
    ACCOUNT: ("user", "username", "login", "uid", "userid", "usr", "user_name", "screen_name", "nick", "nickname"),
    NAMED: ("name", "surname", "firstname", "lastname"),
}
SLOTS = 1 << 11
ACCOUNT_TAILS, NAMED_TAILS = b"user", b"name"


@cache
def table() -> tuple[np.ndarray, np.ndarray]:
    """(uint32 hashes, uint8 kinds) as the gazetteer's table; the kind listed first wins."""
    kinds: dict[int, int] = {}
    for kind, words in _WORDS.items():
        for word in words.split():
            kinds.setdefault(gazetteer.hash_of(word), kind)
    for kind, tails in _TAILS.items():
        for word in tails:
            kinds.setdefault(gazetteer.hash_of(word), kind)
    hashes = np.array(list(kinds), dtype=np.uint32)
    return gazetteer.slots(hashes, np.array(list(kinds.values()), dtype=np.uint8), SLOTS)

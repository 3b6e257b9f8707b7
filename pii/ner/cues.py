"""The words near which code names people and accounts, and what kind of hint each is."""

from __future__ import annotations

from functools import cache

import numpy as np

from pii.ner import gazetteer

CREDIT = 1  # a name follows somewhere on the line, or on the next where this one ends with the cue
FIELD = 2  # as CREDIT; what is assigned to it may be in lower case
LABEL = 3  # a name follows a colon: "Reported: Jane"
BY = 4  # a name follows right away
AFTER = 5  # a name stands right before: "Jane wrote", "Doe et al."
NOTE = 6  # TODO(jdoe), TODO @jdoe, TODO: Jane
PATH = 7  # /home/jdoe, C:\\Users\\jdoe
SITE = 8  # github.com/jdoe
ACCOUNT = 9  # user: "jdoe"
NAMED = 10  # name: "Jane Doe"
PARTICLE = 11  # Jane van der Doe
MENTION = 12  # an @jdoe may follow
KEYWORD = 13  # LastChangedBy, IDENTIFIED BY: such a line is read as it is
REVISION = 14  # $Id: file,v 1.2 2001/02/03 jdoe Exp $
DEED = 15  # a listed given name stands right before: "Jane fixed"

_WORDS = {
    FIELD: "author authors author_name maintainer maintainers contributor contributors creator creators reviewer "
    "reviewers approver approvers assignee assignees owner owners packager programmer programmers translator "
    "translators developer developers moduleauthor codeauthor sectionauthor __author__ __maintainer__ "
    "__credits__ codeowners committer autor auteur auteurs autori autores autore автор автори авторы 作者 著者 "
    "作成者 저자 작성자 المؤلف מחבר συγγραφέας लेखक "
    "assignedto assigned_to createdby created_by updatedby updated_by modifiedby reportedby approvedby reviewedby "
    "authorname ownername contactname contact_name customername customer_name employeename employee_name",
    CREDIT: "copyright copyrights filecopyrighttext copyrighted thanks thank kudos props credit credits contributed "
    "written maintained signed acked courtesy coauthored authored merci danke gracias acknowledgements "
    "acknowledgments grateful rewritten cheers regards sincerely greetings yours __copyright__ legalcopyright "
    "module_author driver_author devised invented",
    LABEL: "co coauthor reported tested suggested submitted reviewed developed designed implemented translated patch "
    "photo icon music artwork font contact team staff lead founder idea created modified updated revised "
    "changed approved coded programmed cc bcc to from logo translation translations with an attn student "
    "instructor artist presenter speaker teacher supervisor manager recipient sender editor editors publisher "
    "person people members member thx ack",
    BY: "by per see cf dear hi hello hey mr mrs ms dr prof professor sir via from ask par por af door "
    "przez autorem and",
    AFTER: "wrote writes et says said noted suggests pointed",
    NOTE: "todo fixme xxx hack note bug",
    PATH: "home users",
    SITE: "github gitlab bitbucket twitter x linkedin keybase facebook instagram medium launchpad t youtube codepen "
    "npmjs dribbble patreon",
    PARTICLE: "van von der den da di la le bin ibn al el dos du del ter ten vande e y av af zu zur della do das",
    MENTION: "for ping follow on at h merged closes fixes",
    ACCOUNT: "user username login uid userid usr user_name screen_name nickname db_user dbuser db_username user_login",
    NAMED: "surname firstname lastname first_name last_name fullname full_name middlename given family first last "
    "alt names name displayname display_name realname real_name forename lname fname client_name",
    DEED: "fixed found asked told thinks added explained noticed wants helped joined prefers believes agreed",
    REVISION: "id header revision",
    KEYWORD: "lastchangedby identified sshd sudo rw drwx drwxr drwxrwxr drwxrwxrwx lrwxrwxrwx",
}

SLOTS = 1 << 11


@cache
def table() -> tuple[np.ndarray, np.ndarray]:
    """(uint32 hashes, uint8 kinds) as the gazetteer's table; of two kinds a word is listed under, the first counts."""
    kinds: dict[int, int] = {}
    for kind, words in _WORDS.items():
        for word in words.split():
            kinds.setdefault(gazetteer.hash_of(word), kind)
            kinds.setdefault(gazetteer.hash_of(word.capitalize()), kind)  # other letters than ASCII keep their case
    hashes = np.array(list(kinds), dtype=np.uint32)
    return gazetteer.slots(hashes, np.array(list(kinds.values()), dtype=np.uint8), SLOTS)

"""Where the name of an account stands: one row each, what it is called, how it is spotted, what it looks like.

The group `name` is the account; what it says is judged afterwards (pii/recognizers/account_names.py). Patterns are
bounded and begin with a literal, where Python's search is fastest. The score says how specific the context is.
"""

from __future__ import annotations

import re
from typing import NamedTuple

NAME = r"[A-Za-z][A-Za-z0-9_.-]{1,38}"
_QUOTED = r"(?P<quote>\\?[\"'`])(?P<name>[A-Za-z][\w.+\\-]{1,38})(?P=quote)"
_KEY = r"(?:[uU]ser(?:[_ -]?(?:[nN]ame|[iI][dD]))?|USER(?:_?NAME|_?ID)?|[uU]sr)"


class Context(NamedTuple):
    """How accounts are named in one kind of place; `anchors`, `words`, `assigned` as in Recognizer."""

    name: str
    score: float
    pattern: str
    anchors: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    assigned: tuple[str, ...] = ()
    flags: int = 0
    scanned: tuple[str, ...] = ()  # literals like anchors, for which the scan for windows has a rule of its own
    judged: str = "account"  # or "profile": the page of a site; "credential": also the left side of an assignment


def contexts() -> tuple[Context, ...]:
    """The table."""
    return (
        Context(
            "todo",
            0.9,
            r"(?<![A-Za-z0-9_])(?:(?:TODO|Todo|FIXME|XXX|HACK|BUG|NOTE|OPTIMIZE|REVIEW)\(@?|(?:todo|fixme) ?\(@?"
            r"(?=[\w.-]{2,39}\)[: ]))"
            rf"(?P<name>{NAME})(?=[),|/ ]|: )(?![),:|/ ]{{1,2}}[^()\n]{{60}})(?!/[\w/]*[0-9])(?! [a-z]+ [a-z]+)",
            anchors=(
                "TODO(", "Todo(", "todo(", "todo (", "FIXME(", "fixme(", "fixme (", "XXX(", "HACK(", "BUG(", "NOTE(",
                "OPTIMIZE(", "REVIEW(",
            ),
            judged="todo",
        ),
        # ---- homes
        Context(
            "home",
            0.9,
            r"(?<![\w.~%})@*-])(?:/export|/usr|/var|/mnt|/nfs|/data|/private|file://)?/home[0-9]?/"
            r"(?P<name>[A-Za-z_][\w.-]{1,31})"
            r"(?=/[\w.*~$@-])",
            anchors=("/home",),
        ),
        Context(
            "home",
            0.8,
            r"(?:HOME|home|Home|homedir)[\"']?(?:=|: ?| = |=> ?|, ?|:)[\"']?/home/(?P<name>[a-z_][\w-]{1,31})"
            r"(?=[\"'\s;:]|$)",
            anchors=("/home",),
            flags=re.MULTILINE,
        ),
        Context(
            "home",
            0.9,
            r"(?<![\w.~%})@*-])(?:file://|/private|/Volumes/[\w ]{1,30})?/Users/(?P<name>[A-Za-z_][\w.-]{1,31})"
            r"(?=/[\w.*~$@-])",
            anchors=("/Users/",),
        ),
        Context(
            "home",
            0.9,
            r"(?<![A-Za-z])[A-Za-z]:(?:\\{1,4}|/)(?:[uU]sers|USERS|Documents and Settings)(?:\\{1,4}|/)"
            r"(?P<name>[A-Za-z_][\w.-]{1,31})(?=[\\/\"'\s;)]|$)",
            anchors=("\\Users\\", "\\users\\", "\\USERS\\", ":/Users/", ":/users/", "Documents and Settings"),
            flags=re.MULTILINE,
        ),
        Context(
            "home_page",
            0.8,
            r"://[\w.:-]{3,60}(?:/[\w.-]{1,20}){0,2}/~(?P<name>[A-Za-z][\w.-]{1,31})(?=[/\s\"'<>)\],;]|\.\s|$)",
            anchors=("/~",),
            flags=re.MULTILINE,
        ),
        # ---- credentials
        Context(
            "url",
            0.8,
            r"(?<!wasb)(?<!wasbs)(?<!abfs)(?<!abfss)://(?P<name>[A-Za-z][\w.+-]{1,38})(?::[^\s/?#@\"'<>]{0,128})?@"
            r"(?=[\w\[])",
            scanned=("://",),
            judged="credential",
        ),
        Context(
            "sql",
            0.9,
            r"(?P<quote>[\"'`])(?P<name>[A-Za-z][\w.-]{1,31})(?P=quote)@[\"'`][\w.%:-]{1,64}[\"'`]",
            anchors=("'@'", '"@"', "`@`", "'@\"", "'@`", "`@'"),
        ),
        Context(
            "sql",
            0.85,
            r"(?:CREATE|ALTER|DROP|create|alter|drop|Create) (?:USER|LOGIN|ROLE|user|login|role|User|Login) {1,4}"
            r"(?:(?:IF|if) (?:NOT |not )?(?:EXISTS|exists) {1,3})?[\"'`\[]?(?P<name>[A-Za-z][\w.\\-]{1,38})"
            r"(?=[\"'`\]]?(?:@|[ ]?;|[ \t]{1,4}"
            r"(?i:with|identified|for|password|from|login|superuser|nosuperuser|createdb|encrypted)\b))",
            anchors=tuple(
                f"{verb} {noun}"
                for verb in ("CREATE", "create", "Create", "ALTER", "alter", "DROP", "drop")
                for noun in ("USER", "user", "User", "LOGIN", "login", "Login", "ROLE", "role")
            ),
        ),
        Context(
            "connection_string",
            0.9,
            r"(?:[Uu]ser(?: ?(?:[Ii][Dd]|[Nn]ame))?|USER|U[iI][dD]|uid)[ ]?=[ ]?(?P<name>[A-Za-z][\w.@\\-]{1,38})"
            r"(?=;[\w \"'])",
            assigned=("user", "uid", "user id", "user name"),
            judged="credential",
        ),
        Context(
            "quoted",
            0.8,
            rf"(?:(?<![A-Za-z])|(?<=[a-z])(?=[A-Z])|(?<=db)|(?<=my)){_KEY}(?:\\?[\"'`])?\]?[ \t]{{0,12}}"
            rf"(?:=>|:=|:|={{1,3}}|!=|:\s?(?:str|string|String)\s?=|\("
            rf"(?=[^()\n]{{0,40}}\)))[ \t]{{0,12}}[uUbL@]?{_QUOTED}(?![ \t]?[\[+(%])",
            assigned=("user", "usr"),
            judged="quoted",
        ),
        Context(
            "argument",
            0.8,
            rf"(?:put|set|setProperty|define|append|putString|property|param|Add|add)\([ ]?"
            rf"(?P<outer>[\"'])[\w.-]{{0,40}}(?<![a-z]){_KEY}(?P=outer),"
            rf"[ ]?{_QUOTED}(?=\))",
            assigned=("user", "usr"),
            judged="quoted",
        ),
        Context(
            "ldap",
            0.85,
            r"(?<![\w.])(?:uid|UID)=(?P<name>[A-Za-z][\w.-]{1,38}),[ ]?(?:ou|cn|dc|o|OU|CN|DC)=",
            assigned=("uid",),
        ),
        Context(
            "environment",
            0.85,
            r"(?:^|[\s\"'])(?:-[eD]\s?|--env[ =])?[A-Za-z0-9_.-]{0,40}(?<![a-z])(?:USER(?:_?NAME)?|user(?:_?name)?"
            r"|[a-z]User(?:[nN]ame)?)="
            r"(?P<name>[A-Za-z][\w.-]{1,38})(?=[\s\"'&]|$)(?!(?:yes|no|true|false)\b)",
            assigned=("user",),
            flags=re.MULTILINE,
            judged="credential",
        ),
        Context(
            "yaml",
            0.7,
            r"^[ \t]{0,40}(?:- )?[\w.-]{0,40}(?<![a-z])(?:USER(?:_?NAME)?|[uU]ser(?:_?[nN]ame)?):[ \t]{1,8}"
            r"(?P<name>[a-z][\w.-]{1,38})"
            r"[ \t]{0,8}(?:#.{0,200})?\r?$",
            assigned=("user",),
            flags=re.MULTILINE,
            judged="bare",
        ),
        Context(
            "xml",
            0.85,
            r"<(?:\w{1,20}:)?(?:[a-zA-Z]{0,12}[uU]ser(?:[nN]ame|[iI]d)?|[uU]ser-name|login)>"
            r"(?P<name>[A-Za-z][\w.-]{1,38})</",
            assigned=("user", "login"),
        ),
        Context(
            "xml",
            0.8,
            rf"(?:name|key|id)=[\"'](?:[\w.-]{{0,40}}[._-])?{_KEY}[\"'] value=[\"']"
            rf"(?P<name>[A-Za-z][\w.-]{{1,38}})[\"']",
            assigned=("user", "uid"),
            judged="credential",
        ),
        Context(
            "query",
            0.7,
            r"[?&](?:user(?:_?name|_?id)?|login|uid)=(?P<name>[A-Za-z][\w.-]{1,38})(?=[&\s\"'#<)]|$)",
            assigned=("user", "login", "uid"),
            flags=re.MULTILINE,
            judged="credential",
        ),
        Context(
            "option",
            0.85,
            r"--(?:user|username|login|db-?user|remote-user|become-user)[= ][\"']?(?P<name>[A-Za-z][\w.-]{1,38})"
            r"(?=[\s\"':\\]|$)"
            r"(?!:[0-9])",
            words=("--user", "--login", "--db", "--remote-user", "--become-user"),
            flags=re.MULTILINE,
            judged="credential",
        ),
        Context(
            "option",
            0.85,
            r"(?<![\w/])(?:mysql\w{0,10}|mariadb\w{0,10}|curl|wget|docker login|podman login|sudo|svn|crontab"
            r"|runuser|ldap\w{1,10}|redis-cli"
            r"|influx|mongo\w{0,8}|clickhouse-client)\b[^\n|;&]{0,120}?\s-u[ ]?[\"']?"
            r"(?P<name>[A-Za-z][\w.-]{1,38})(?=[\s\"':\\]|$)(?!://)",
            anchors=(" -u",),
            flags=re.MULTILINE,
            judged="credential",
        ),
        Context(
            "option",
            0.85,
            r"(?:psql|pg_\w{3,10}|createdb|dropdb|createuser|sqlcmd|bcp|smbclient|net|rpcclient|vacuumdb|pgbench"
            r"|osql|isql)\b"
            r"[^\n|;&]{0,120}?\s-U[ ]?[\"']?(?P<name>[A-Za-z][\w.-]{1,38})(?=[\s\"'%\\]|$)",
            anchors=(" -U",),
            flags=re.MULTILINE,
            judged="credential",
        ),
        Context(
            "command",
            0.8,
            r"(?:^|[\s`\"'$#;&(])(?:useradd|adduser|userdel|deluser|usermod|chpasswd|chage|createuser|dropuser"
            r"|htpasswd)"
            r"(?:[ ]-{1,2}[\w=/.,-]{1,40}(?:[ ](?=-)|[ ][\w/.,-]{1,40}(?=[ ]-))?){0,6}[ ]"
            r"(?P<name>[a-z][\w-]{1,31})(?=[\s\"'`;]|$)",
            anchors=("useradd", "adduser", "userdel", "deluser", "usermod", "chage", "createuser", "dropuser"),
            flags=re.MULTILINE,
        ),
        Context(
            "command",
            0.8,
            r"(?:^|[\s`\"'])chown (?:-\w{1,4} )?(?P<name>[a-z][\w-]{1,31})(?=[:.]\w|:? [/~$\"][\w/.\"{$])",
            anchors=("chown ",),
            flags=re.MULTILINE,
        ),
        Context(
            "ssh",
            0.85,
            r"(?:(?<![\w./])(?:ssh|scp|sftp|rsync|mosh|ssh-copy-id) [^\n|;()]{0,120}?(?<=[\s\"'])|ssh://)"
            r"(?P<name>[A-Za-z][\w.-]{1,31})@"
            r"(?=[\w.-]{2})(?!openssh\.com|libssh\.org)",
            anchors=("ssh ", "scp ", "sftp ", "rsync ", "mosh ", "ssh-copy-id ", "ssh://"),
            judged="credential",
        ),
        # ---- what programs print
        Context(
            "rcs",
            0.95,
            r",v [0-9.]{3,20} [0-9]{4}[/-][0-9]{2}[/-][0-9]{2} [0-9:]{8}Z? (?P<name>[A-Za-z][\w.-]{1,31}) "
            r"(?=[A-Z][a-z]{1,8}\b|\$)",
            anchors=(",v ",),
        ),
        Context(
            "rcs",
            0.9,
            r"\$Id: [^\s$]{1,80} [0-9a-f.]{1,40} [0-9]{4}[/-][0-9]{2}[/-][0-9]{2} [0-9:]{8}Z? "
            r"(?P<name>[A-Za-z][\w.-]{1,31}) ",
            anchors=("$Id: ",),
        ),
        Context(
            "rcs",
            0.95,
            r"\$(?:Author|LastChangedBy): (?P<name>[A-Za-z][\w.-]{1,31}) \$",
            anchors=("$Author: ", "$LastChangedBy: "),
        ),
        Context(
            "passwd",
            0.9,
            r"^[\s\"'`]{0,8}(?P<name>[a-z_][\w-]{1,31}):[x*!]:[0-9]{1,6}:[0-9]{1,6}:",
            anchors=(":x:", ":*:", ":!:"),
            flags=re.MULTILINE,
        ),
        Context(
            "listing",
            0.85,
            r"[-dl](?:[r-][w-][xsS-]){2}[r-][w-][xtT-][+.@]?\s{1,4}[0-9]{1,6}\s{1,4}"
            r"(?P<name>[A-Za-z_][\w.-]{1,31})\s{1,8}[\w.-]{1,32}\s{1,12}[0-9]",
            anchors=("-rw", "drw", "lrw", "-r--"),
        ),
        Context(
            "prompt",
            0.85,
            r"(?:^|[\s\[(\"'>`])(?P<name>[a-z][\w-]{1,31})@[\w.-]{1,40}(?::~[\w./~-]{0,60}[$#](?= )"
            r"| [~\w./-]{1,40}\][$#])",
            anchors=(":~", "]$", "]#"),
            flags=re.MULTILINE,
        ),
        Context(
            "log",
            0.9,
            r"(?:assword|ublickey|keyboard-interactive/pam|none) for (?:(?:invalid|illegal) user )?"
            r"(?P<name>[A-Za-z][\w.-]{1,31})(?= from )",
            anchors=("assword for ", "ublickey for ", "interactive/pam for ", "none for "),
        ),
        Context(
            "log",
            0.85,
            r"(?:(?:for|by) (?:invalid )?user|nvalid user|llegal user|isconnected from user) (?P<name>[a-z][\w-]{1,31})"
            r"(?= from | by \(|\(uid)",
            anchors=("for user ", "nvalid user ", "llegal user ", "by user ", "from user "),
        ),
        # ---- who wrote it, by account
        Context(
            "author",
            0.7,
            r"@author:?[ \t]{1,8}(?P<name>[a-z][a-z0-9_]{1,24}(?:[-.][a-z0-9_]{1,24})?)[ \t]{0,8}(?:\*/)?\r?$",
            anchors=("@author",),
            flags=re.MULTILINE,
        ),
        Context(
            "author",
            0.75,
            r"[Cc]reated by (?P<name>[a-z][a-z0-9_.-]{2,24}) on [0-9]{1,4}[/.-][0-9]{1,2}[/.-][0-9]{1,4}",
            words=("created by ",),
        ),
        Context(
            "social",
            0.85,
            r"(?<![/?@])(?:[tT]witter|TWITTER|[gG]it[hH]ub|GITHUB|[gG]it[lL]ab|[iI]nstagram|[lL]inked[iI]n"
            r"|[tT]elegram|[kK]eybase)"
            r"(?:[_.:-]?(?:[uU]ser(?:[_-]?[nN]ame)?|USER(?:_?NAME)?|[hH]andle|[aA]ccount|creator|[nN]ame))?"
            r"(?P<close>[\"']?)[ \t]{0,4}(?:[:=]|=>)"
            r"[ \t]{0,4}(?P<quote>[\"']?)@?(?P<name>[A-Za-z0-9][\w-]{1,38})(?P=quote)[ \t]{0,4},?[ \t]{0,8}\r?$",
            assigned=("twitter", "github", "gitlab", "instagram", "linkedin", "telegram", "keybase"),
            flags=re.MULTILINE,
            judged="profile",
        ),
        # ---- profiles
        Context(
            "profile",
            0.85,
            r"(?<![\w.@-])(?:(?:https?:)?//)?(?:www\.|mobile\.|gist\.)?"
            r"(?:github\.com|twitter\.com|gitlab\.com|bitbucket\.org|x\.com|instagram\.com|codepen\.io"
            r"|hackerone\.com|dev\.to|t\.me"
            r"|gitee\.com|codeberg\.org|dribbble\.com|soundcloud\.com|behance\.net|speakerdeck\.com|keybase\.io"
            r"|(?:[a-z]{2,3}\.)?linkedin\.com/in|npmjs\.com/~|sr\.ht/~|launchpad\.net/~|people\.launchpad\.net/~"
            r"|medium\.com/@"
            r"|youtube\.com/@|tiktok\.com/@|threads\.net/@|(?:mastodon|fosstodon|hachyderm|mstdn)\.(?:social|org"
            r"|io|jp)/@"
            r"|reddit\.com/u(?:ser)?|sourceforge\.net/u(?:sers)?|profiles\.wordpress\.org|metacpan\.org/author"
            r"|rubygems\.org/profiles"
            r"|drupal\.org/u|stackoverflow\.com/users/[0-9]{1,10}|(?:[a-z]{2}\.)?wikipedia\.org/wiki/User:"
            r"|github\.com/sponsors"
            r"|hub\.docker\.com/u|kaggle\.com|patreon\.com|ko-fi\.com|buymeacoffee\.com|paypal\.me|flickr\.com/"
            r"(?:people|photos)"
            r"|news\.ycombinator\.com/user\?id=|facebook\.com|vk\.com|codewars\.com/users|leetcode\.com"
            r"|pypi\.org/user|crates\.io/users)"
            r"(?:(?<=[~@=:])|/@?)(?P<name>[A-Za-z0-9](?:[\w-]|\.(?=\w)){1,38})/?"
            r"(?![\w/@-]|\.\w|\?tab=repositories&|:[\w/])",
            anchors=(
                "github.com/", "twitter.com/", "gitlab.com/", "bitbucket.org/", "x.com/", "instagram.com/",
                "codepen.io/", "hackerone.com/", "dev.to/", "t.me/", "gitee.com/", "codeberg.org/", "dribbble.com/",
                "soundcloud.com/", "behance.net/", "speakerdeck.com/", "keybase.io/", "linkedin.com/in/", "/~",
                "medium.com/@", "youtube.com/@", "tiktok.com/@", "threads.net/@", "mastodon.", "fosstodon.",
                "hachyderm.", "mstdn.", "reddit.com/u", "sourceforge.net/u", "profiles.wordpress.org/",
                "metacpan.org/author/", "rubygems.org/profiles/", "drupal.org/u/", "stackoverflow.com/users/",
                "wiki/User:", "hub.docker.com/u/", "kaggle.com/", "patreon.com/", "ko-fi.com/", "buymeacoffee.com/",
                "paypal.me/", "flickr.com/", "ycombinator.com/user?id=", "facebook.com/", "vk.com/",
                "codewars.com/users/", "leetcode.com/", "pypi.org/user/", "crates.io/users/",
            ),
            judged="profile",
        ),
    )  # fmt: skip

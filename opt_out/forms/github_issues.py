"""Issues as GitHub exports them: a JSON list or JSON lines, of the REST API (`gh api`) or of `gh issue list --json`.

What an issue's text says is read by the form it was written in; the author is who GitHub says wrote it. Pull requests,
which the API lists among issues, are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from opt_out.forms.demand import DELETED, Demand, Uncertain, utc
from opt_out.forms.issue_form import is_form, read_form
from opt_out.forms.markdown import lines_of
from opt_out.forms.template import is_template, read_template
from opt_out.selectors import Selector
from pipeline.errors import UsageError

_PAGE = re.compile(r"https?://([^/\s]+)/(?:api/v3/)?(?:repos/)?([\w.-]+/[\w.-]+)/(issues|pull)/\d+", re.ASCII)
GITHUB = ("github.com", "www.github.com", "api.github.com")
KEPT = 65_536  # characters of a text that is kept for a person who reads a held request
QUESTION = "question"  # BigCode's label for what is no request


def is_issue(record: Any) -> bool:
    """Whether a JSON value is an issue of GitHub, by its keys."""
    return (
        isinstance(record, dict)
        and "number" in record
        and "body" in record
        and not {"user", "author"}.isdisjoint(record)
    )


def read_issues(records: Iterator[tuple[str, Any]], source: str) -> Iterator[Demand]:
    """A demand an issue, or two where part of it is no matter of these data. `records` are (where it stands, issue).

    Raises UsageError, which names the place, where a record is no issue.
    """
    for where, record in records:
        if not is_issue(record) or not isinstance(record["number"], int):
            raise UsageError(f"{where} is no issue with number, body and user; nothing was imported.")
        page = _PAGE.match(_text(record, "html_url", "url"))
        if "pull_request" in record or (page and page[3] == "pull"):
            continue
        author = _author(record, where)
        name = page[2].lower() if page else source
        if page and page[1].lower() not in GITHUB:  # accounts of another host are not those of GitHub
            author, name = None, f"{page[1].lower()}/{name}"
        yield from read_issue(record, f"{name}#{record['number']}", author, where)


def read_issue(issue: Mapping[str, Any], source: str, author: str | None, where: str) -> Iterator[Demand]:
    """The demands of one issue; `author` is the GitHub account that certainly wrote it."""
    body, title = _text(issue, "body"), _text(issue, "title")
    received = _time(_text(issue, "created_at", "createdAt"), where)
    selectors: tuple[Selector, ...] = ()
    former: tuple[str, ...] = ()
    claims: dict[str, Any] = {}
    held = elsewhere = ""
    try:
        lines = lines_of(body)
        if not any(line.text for line in lines):
            raise Uncertain("its text is empty")
        in_form, in_template = is_form(lines), is_template(lines)
        if in_form and in_template:
            raise Uncertain("it holds both the old template and the new form")
        if in_form:
            selectors, former, claims, held = read_form(lines, author)
        elif in_template:
            selectors, elsewhere = read_template(lines, title, author)
        else:
            raise Uncertain("it is in its author's own words, in no known form")
    except Uncertain as reason:
        held = str(reason)
    if not held and QUESTION in _labels(issue):
        held = "it is labelled as a question"
    if not held and str(issue.get("state_reason") or issue.get("stateReason") or "").casefold() == "not_planned":
        held = "its issue was closed as not planned"
    if held:
        claims |= {"title": title[:KEPT], "text": body[:KEPT]}
    yield Demand(selectors, source, received, author, former=former, claims=claims, held=held)
    if elsewhere and not held:
        words = {"title": title[:KEPT], "text": body[:KEPT]}
        yield Demand((), f"{source}/elsewhere", received, author, claims=words, held=elsewhere)


def _author(issue: Mapping[str, Any], where: str) -> str | None:
    user = issue.get("user", issue.get("author"))
    if user is None:
        return None
    login = user.get("login") if isinstance(user, dict) else user
    if not isinstance(login, str):
        raise UsageError(f"{where} has no login in its user; export the issues again, whole. Nothing was imported.")
    return None if login.lower() in ("", DELETED) else login


def _time(written: str, where: str) -> str | None:
    if not written:
        return None
    try:
        return utc(written)
    except ValueError:
        raise UsageError(f"{where} was created at {written[:40]!r}, which is no time; nothing was imported.") from None


def _text(issue: Mapping[str, Any], *names: str) -> str:
    return next((value for name in names if isinstance(value := issue.get(name), str)), "")


def _labels(issue: Mapping[str, Any]) -> set[str]:
    labels = issue.get("labels")
    names = [one.get("name") if isinstance(one, dict) else one for one in labels] if isinstance(labels, list) else []
    return {name.casefold() for name in names if isinstance(name, str)}

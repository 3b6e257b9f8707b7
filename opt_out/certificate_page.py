"""The certificate as a page for who made the request: what was asked, found and removed, and what remains, in words.

It loads nothing from anywhere and runs nothing; every name in it is escaped, and cut out of the line by direction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

LISTED = 200  # files, or copies, that are listed; the JSON has all
EVENTS = {
    "received": "received",
    "held": "held for a person to look at",
    "verified": "verified: who asks may ask for it",
    "applying": "the removal began",
    "honoured": "honoured: the removal was complete",
}
ACTIONS = {
    "removed": "removed too",
    "left": "left, as the request does not ask for copies",
    "common": "left, as many owners have it: it is nobody's own",
    "judged_again": "had been left out in favour of the removed file, and was judged again",
}
COPIES = {True: "to be removed too", False: "not asked for"}
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c2430; max-width: 52rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem; margin-bottom: .2rem } h2 { font-size: 1.1rem; margin: 1.6rem 0 .4rem }
p.lead { font-size: 1.1rem; background: #eef6ee; border-left: 4px solid #2e7d32; padding: .6rem 1rem }
table { border-collapse: collapse; width: 100%; font-size: .85rem } th { text-align: left }
th, td { border-bottom: 1px solid #d8dee6; padding: .25rem .5rem .25rem 0; vertical-align: top }
td.n, th.n { text-align: right } code { font-size: .85em; overflow-wrap: anywhere } bdi { overflow-wrap: anywhere }
.dim { color: #5a6675 } @media print { body { margin: 0; max-width: none } h2 { break-after: avoid } }
"""


def page(certificate: Mapping[str, Any]) -> str:
    """The page as HTML, UTF-8."""
    runs = certificate["runs"]
    body = [
        f"<h1>Opt-out certificate {_name(certificate['request'])}</h1>",
        f"<p class=dim>Issued on the state of {_name(certificate['history'][-1]['time'])}, "
        f"entry {certificate['ledger']['sequence']} of the operator's ledger.</p>",
        f"<p class=lead>{_lead(certificate)}</p>",
        "<h2>What was asked</h2>",
        _list(f"<code>{_name(selector)}</code>" for selector in certificate["asked"]["selectors"]),
        f"<p>Copies in other repositories: {COPIES[certificate['asked']['copies']]}.</p>",
        "<h2>What happened when</h2>",
        _table(("", "when (UTC)", "by what authority"), map(_event, certificate["history"])),
    ]
    for run, dataset in zip(runs, certificate["datasets"], strict=True):
        body += _run(run, dataset)
    body += _remains(runs)
    body += _proof(certificate)
    title = escape(f"Opt-out certificate {certificate['request']}")
    head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    return f"<!doctype html>\n<html lang=en><head>{head}</head>\n<body>\n" + "\n".join(body) + "\n</body></html>\n"


def _lead(certificate: Mapping[str, Any]) -> str:
    documents = sum(run["found"]["documents"] for run in certificate["runs"])
    scan = certificate["residual"]
    return (
        f"{documents:,} files that the request covers were found and removed. A separate scan of all {scan['files']:,} "
        f"files of the data ({scan['rows']:,} rows) then found no trace of them."
    )


def _run(run: Mapping[str, Any], dataset: Mapping[str, Any]) -> list[str]:
    files = sorted(run["shards"], key=lambda shard: (not shard["file"].startswith("dataset/"), shard["file"]))
    rows = [
        (_name(one["file"]), f"{one['rows_removed']:,}", _digest(one["before"]), _digest(one["after"]))
        for one in files[:LISTED]
    ]
    found = run["found"]
    body = [
        f"<h2>Data set {_name(run['name'])}</h2>",
        f"<p>Found: {found['documents']:,} files of {found['repositories']:,} repositories. They were removed from the "
        f"{len(files):,} data files below, each written again without them.</p>",
        _table(("file", "rows removed", "SHA-256 before", "SHA-256 after"), rows, numbers={1}),
        _more(len(files)),
        f"<p>Merkle root of the published data set: <code>{_name(run['merkle_root']['before'])}</code> before, "
        f"<code>{_name(run['merkle_root']['after'])}</code> after, "
        f"<code>{_name(dataset['merkle_root'])}</code> when this was signed.</p>",
    ]
    copies = run["copies"]
    if not run.get("copies_searched", True):
        body.append(
            "<p>Copies in other repositories could not be searched for, beyond identical files: the texts that they "
            "would be compared by were deleted when the data set was complete.</p>"
        )
    if copies:
        listed = [
            (
                f"{_name(one['repo'])}: {_name(one['path'])}",
                f"{100 * one['jaccard']:.0f} %",
                ACTIONS.get(one["action"], ""),
            )
            for one in copies[:LISTED]
        ]
        body += [
            "<h2>Copies elsewhere</h2>",
            "<p>These files of other repositories resemble removed ones; each pair was compared as a whole.</p>",
            _table(("file", "alike", "what became of it"), listed, numbers={1}),
            _more(len(copies)),
        ]
    return body


def _remains(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    left = sum(copy["action"] == "left" for run in runs for copy in run["copies"])
    checkpoints = [checkpoint for run in runs for checkpoint in run["checkpoints"]]
    said = [
        "The operator's ledger and this certificate name the removed files by a number (an id), and the request by "
        "what it asks for."
    ]
    if left:
        said.append(
            f"{left:,} copies in other repositories, listed above. Their owners, or a request for copies, can have "
            "them removed."
        )
    for one in checkpoints:
        said.append(
            f"The model in <code>{_name(one['folder'])}</code>, trained on the data as they were before (data set "
            f"<code>{_name(one['dataset'])}</code>). What a model has learned cannot be taken out of it."
        )
    return ["<h2>What remains, and why</h2>", _list(said)]


def _proof(certificate: Mapping[str, Any]) -> list[str]:
    command = f"quarry opt-out certify --check {certificate['request']}.json --public KEYS DATASET"
    return [
        "<h2>How to check this without trusting us</h2>",
        "<p>The JSON file beside this page is signed. With the operator's public keys, which are published apart, and "
        f"a copy of the data set, <code>{_name(command)}</code> verifies the signature, computes the Merkle root, and "
        "searches every row for what was to be removed.</p>",
        f"<p class=dim>Key <code>{_name(certificate['key'])}</code>, signature "
        f"<code>{_name(certificate['signature'])}</code>.</p>",
    ]


def _event(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    authority = " ".join(str(entry[word]) for word in ("how", "because", "reason") if word in entry)
    return EVENTS.get(entry["event"], _name(entry["event"])), _name(entry["time"]), _name(authority)


def _name(text: object) -> str:
    """Text of anybody's, as it is: no markup, and no direction that reaches beyond it."""
    return f"<bdi>{escape(str(text))}</bdi>"


def _digest(digest: str | None) -> str:
    return f'<code title="{escape(digest)}">{escape(digest[:16])}…</code>' if digest else "–"


def _more(count: int) -> str:
    return f"<p class=dim>{count - LISTED:,} more are in the JSON file.</p>" if count > LISTED else ""


def _list(items: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: frozenset[int] | set[int] = frozenset()) -> str:
    """A table; the columns in `numbers` are set to the right."""

    def cells(tag: str, values: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{' class=n' if at in numbers else ''}>{value}</{tag}>" for at, value in enumerate(values)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><tr>{cells('th', head)}</tr>{body}</table>" if body else "<p>None.</p>"

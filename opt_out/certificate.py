"""The certificate: what one request asked for, what was removed from which files, and what remains, signed.

It is made of the ledger's entries about the request and of the runs as they are, and of nothing a clock says, so that
making it again gives the same bytes. Who has the operator's public keys can check it against a dataset without Quarry's
ledger: signature, Merkle root, and the residual scan (opt_out/residual.py), which shares no code with the removal.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from opt_out.chain import canonical
from opt_out.globs import to_regex
from opt_out.keys import PrivateKey, PublicKeys
from opt_out.ledger import Ledger
from opt_out.merkle import merkle_root
from opt_out.selectors import Selector, parse_selector
from pipeline.errors import QuarryError, RunFailed, UsageError
from pipeline.storage import Storage, read_file

FORMAT = 1
Certificate = dict[str, Any]


class TracesLeft(QuarryError):
    """A scan found what a certificate would deny."""


def make_certificate(ledger: Ledger, name: str, runs: Sequence[str], key: PrivateKey) -> Certificate:
    """The signed certificate of request `name` about these runs.

    Raises UsageError where the request was not honoured in one of them, TracesLeft where the residual scan finds
    anything of it.
    """
    request = ledger.request(name)
    entries = ledger.entries_of(name)
    records = [_record_of(name, entries, run) for run in runs]
    content: Certificate = {
        "format": FORMAT,
        "request": name,
        "asked": {
            "selectors": [str(selector) for selector in request.selectors],
            "copies": request.copies,
            "source": request.source,
            "received": request.received,
        },
        "history": _history(entries),
        "runs": [record for record, _ in records],
        "ledger": max(head for _, head in records)[1],
    }
    content["residual"] = residual(content, runs)
    if content["residual"]["findings"]:
        raise TracesLeft(_left(content["residual"], name))
    content["datasets"] = [_dataset(run) for run in runs]
    content["key"] = key.id
    return {**content, "signature": key.sign(signed_bytes(content)).hex()}


def signed_bytes(certificate: Mapping[str, Any]) -> bytes:
    """What the signature is of: the certificate without it, as canonical JSON."""
    return canonical({name: value for name, value in certificate.items() if name != "signature"}).encode()


def file_bytes(certificate: Certificate) -> bytes:
    """The certificate's file."""
    return (json.dumps(certificate, sort_keys=True, ensure_ascii=False, indent=1) + "\n").encode()


def read_certificate(path: str) -> Certificate:
    """The certificate in a file, not checked yet. UsageError where it is none."""
    try:
        content = json.loads(read_file(path))
        if content["format"] > FORMAT:
            raise UsageError(f"the certificate '{path}' is of a newer Quarry (format {content['format']}); update it.")
        for name in ("request", "asked", "history", "runs", "residual", "datasets", "key", "signature"):
            content[name]
        return dict(content)
    except OSError as error:
        raise UsageError(f"cannot read the certificate '{path}' ({error.strerror}).") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UsageError(
            f"'{path}' is no certificate; name the JSON file that 'quarry opt-out certify' wrote."
        ) from None


def check_signature(certificate: Certificate, keys: PublicKeys) -> None:
    """UsageError unless a key of the operator that is trusted signed just this."""
    key, request = str(certificate["key"]), certificate["request"]
    if not keys.knows(key):
        raise UsageError(
            f"the certificate of {request} is signed by {key}, which is no key of the operator: do not trust it."
        )
    if key in keys.lost:
        raise UsageError(
            f"the certificate of {request} is signed by {key}, a lost key: ask the operator for a new one."
        )
    try:
        signature = bytes.fromhex(certificate["signature"])
    except (ValueError, TypeError):
        signature = b""
    retired = keys.keys[key].retired
    if retired and str(certificate["history"][-1]["time"]) > retired:
        raise UsageError(f"the certificate of {request} is of after its key {key} was retired: do not trust it.")
    if not keys.verify(key, signed_bytes(certificate), signature):
        raise UsageError(f"the certificate of {request} is forged: its signature is not of what it says.")


def check_dataset(certificate: Certificate, number: int, folder: str) -> tuple[bool, str]:
    """Whether the dataset is just the one that the certificate's run `number` names, and a sentence that says so.

    `folder` is a run, or the folder `dataset` of one; it is scanned anew. Raises TracesLeft where it holds anything of
    the request, UsageError where it holds no shard.
    """
    found = residual(certificate, [folder])
    if found["findings"]:
        raise TracesLeft(_left(found, certificate["request"]))
    held, named = _dataset(folder), certificate["datasets"][number]
    if not held["shards"]:
        raise UsageError(f"'{folder}' holds no shard, so it proves nothing; name the dataset as it was published.")
    if held["merkle_root"] == named["merkle_root"]:
        return True, f"{folder} is the dataset it names, byte for byte; nothing of the request is in it."
    shards = f", {held['shards']} shards of {named['shards']}" if held["shards"] != named["shards"] else ""
    return False, (
        f"{folder} is not byte for byte the dataset it names (changed since, or another one{shards}); nothing of the "
        "request is in it."
    )


def residual(certificate: Mapping[str, Any], runs: Sequence[str]) -> dict[str, Any]:
    """What a scan of every file, by a process of its own, finds of a request; UsageError where it cannot read one."""
    names = [one for run in certificate["runs"] for one in run.get("names", ())]  # what repositories are called now
    written = [*certificate["asked"]["selectors"], *names]
    selectors = [parse_selector(selector, "the certificate") for selector in written]
    # The process works in another folder.
    whole = [run if "://" in run else os.path.abspath(run) for run in runs]
    asked = json.dumps({"runs": whole, "ids": _ids(certificate), **_names(selectors)})
    folder = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-m", "opt_out.residual"], input=asked, capture_output=True, text=True, check=False, cwd=folder
    )
    if done.returncode not in (0, 1):
        raise RunFailed(done.stderr.strip().split("\n")[-1] or "the residual scan did not end.")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _ids(certificate: Mapping[str, Any]) -> list[str]:
    """The documents that were removed, and the copies that were."""
    ids: set[str] = set()
    for run in certificate["runs"]:
        ids.update(run["ids"])
        ids.update(copy["id"] for copy in run["copies"] if copy["action"] == "removed")
    return sorted(ids)


def _names(selectors: Sequence[Selector]) -> dict[str, Any]:
    """Selectors as the scan takes them; those of kinds that no run holds are left out."""
    of_code = [one for one in selectors if not one.kinds or "code" in one.kinds]
    values = {
        target: [one.value for one in of_code if one.target == target] for target in ("owner", "repository", "path")
    }
    paths = [value.partition(":") for value in values["path"]]
    return {
        "owners": values["owner"],
        "repositories": values["repository"],
        "paths": [[repo, to_regex(glob)] for repo, _, glob in paths],
        "blobs": [one.value for one in of_code if one.target == "content"],
    }


def _record_of(name: str, entries: Sequence[Any], run: str) -> tuple[dict[str, Any], tuple[int, dict[str, Any]]]:
    """What the ledger says was done in a run, all removals for the request together, and the last such entry."""
    done = [
        (record, entry)
        for entry in entries
        for record in (entry.body.get("runs", ()) if entry.event == "honoured" else ())
        if _same(record["run"], run)
    ]
    if not done:
        raise UsageError(
            f"nothing is recorded of request {name} in '{run}'; 'quarry opt-out apply --request {name} {run}' first."
        )
    records, last = [record for record, _ in done], done[-1][1]
    ids = sorted({one for record in records for one in record["ids"]})
    copies = {(copy["id"], copy["of"]): copy for record in records for copy in record["copies"]}
    together = {
        **records[-1],
        "ids": ids,
        "found": {
            "documents": len(ids),
            "repositories": max(record["found"]["repositories"] for record in records),
        },
        "copies": [copies[key] for key in sorted(copies)],
        "copies_searched": all(record.get("copies_searched", True) for record in records),
        "shards": [shard for record in records for shard in record["shards"]],
        "names": sorted({one for record in records for one in record.get("names", ())}),
        "merkle_root": {
            "before": records[0]["merkle_root"]["before"],
            "after": records[-1]["merkle_root"]["after"],
        },
    }
    return together, (last.sequence, {"sequence": last.sequence, "chain": last.chain})


def _same(one: str, other: str) -> bool:
    if "://" in one or "://" in other:
        return one.rstrip("/") == other.rstrip("/")
    return os.path.realpath(one) == os.path.realpath(other)


def _history(entries: Sequence[Any]) -> list[dict[str, Any]]:
    """The request's way: what happened when, and by which authority; without what is said of runs."""
    told = ("how", "because", "reason")
    return [
        {"sequence": entry.sequence, "time": entry.time, "event": entry.event}
        | {word: entry.body[word] for word in told if word in entry.body}
        for entry in entries
        if entry.event != "certified"
    ]


def _dataset(folder: str) -> dict[str, Any]:
    """Root and number of files of the dataset of a run, or of the dataset in `folder` itself."""
    store = Storage(folder)
    below = "dataset" if store.exists("dataset") else ""
    if not below and not store.exists("data"):
        raise UsageError(f"'{folder}' holds no dataset; name a run, or the folder 'dataset' of one.")
    return {"merkle_root": merkle_root(store, below), "shards": len(store.names(f"{below}/data".strip("/")))}


def _left(found: Mapping[str, Any], name: str) -> str:
    first = found["findings"][0]
    where = f"{first['run']}/{first['file']}" + (f", row {first['row']}" if first.get("row") is not None else "")
    count = f"{len(found['findings'])}{' and more' if found.get('more') else ''}"
    return (
        f"{count} traces of request {name} are left, first in {where} ({first['what']}); apply the request again with "
        "'quarry opt-out apply --request', and look who put them there."
    )

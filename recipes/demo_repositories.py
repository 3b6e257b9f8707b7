"""Makes git repositories for the demo and CI, without a network: `python -m recipes.demo_repositories FOLDER`.

The code is real: it is taken from the packages installed beside Quarry, each with its licence files where its source
repository has them. Small planted repositories add what a pipeline must get right: copyleft, a missing licence, a fork,
personal data, opted-out owners, odd files, a repository that is empty and one that is gone.
Equal packages give equal commit ids, and a folder that is up to date is not touched.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UsageError
from recipes import demo_planted
from recipes.demo_planted import (
    BENCHMARK,
    File,
    Tree,
    license_text,
    mit,
    oddities,
    personal_data,
    puzzles,
    text_file,
    tool,
)

FEWEST_PACKAGES = 20
FILES_PER_SUFFIX = 30  # of one package, evenly spaced over the sorted paths: all languages and corners of a big one
LARGEST_FILE = 170_000  # bytes
LICENSE_FILE = re.compile(r"licen[cs]e|copying|notice|copyright", re.IGNORECASE)
AUTHOR = "Demo <demo@example.invalid> 1700000000 +0000"  # of every commit, so that ids never change
SERVES = "[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n"  # partial clones, fetching one commit


class Package(NamedTuple):
    """The repository an installed package stands for, and the folders of the package that are taken."""

    repo: str
    folders: tuple[str, ...] = ("",)


@dataclass(frozen=True)
class Built:
    """The two lists for a recipe, how many repositories there are, files and bytes in them, packages not installed."""

    repositories: Path
    opt_out: Path
    count: int
    files: int
    bytes: int
    skipped: tuple[str, ...]


PACKAGES = {
    "requests": Package("psf/requests"),
    "click": Package("pallets/click"),
    "Jinja2": Package("pallets/jinja"),
    "MarkupSafe": Package("pallets/markupsafe"),
    "rich": Package("Textualize/rich"),
    "typer": Package("fastapi/typer"),
    "Pygments": Package("pygments/pygments"),
    "certifi": Package("certifi/python-certifi"),  # MPL-2.0
    "tqdm": Package("tqdm/tqdm"),  # MPL-2.0 AND MIT
    "hypothesis": Package("HypothesisWorks/hypothesis"),  # MPL-2.0
    "chardet": Package("chardet/chardet"),  # 0BSD
    "intbitset": Package("inveniosoftware/intbitset"),  # LGPL-3.0-or-later
    "gemfileparser2": Package("aboutcode-org/gemfileparser2"),  # GPL-3.0-or-later OR MIT
    "text-unidecode": Package("kmike/text-unidecode"),  # Artistic
    "typing_extensions": Package("python/typing_extensions"),  # PSF-2.0
    "pillow": Package("python-pillow/Pillow"),  # MIT-CMU
    "ply": Package("dabeaz/ply"),  # BSD in the headers of its files, no licence file
    "humanize": Package("python-humanize/humanize"),
    "wasabi": Package("explosion/wasabi"),
    "httpx": Package("encode/httpx"),
    "fsspec": Package("fsspec/filesystem_spec"),
    "jsonschema": Package("python-jsonschema/jsonschema"),
    "pytest": Package("pytest-dev/pytest"),
    "pydantic": Package("pydantic/pydantic"),
    "datasketch": Package("ekzhu/datasketch"),
    "datatrove": Package("huggingface/datatrove"),
    "lxml": Package("lxml/lxml"),
    "mypy": Package("python/mypy"),
    "setuptools": Package("pypa/setuptools"),
    "fonttools": Package("fonttools/fonttools"),
    "networkx": Package("networkx/networkx"),
    "sympy": Package("sympy/sympy"),
    "matplotlib": Package("matplotlib/matplotlib"),
    "numpy": Package("numpy/numpy"),
    "scipy": Package("scipy/scipy"),
    "pandas": Package("pandas-dev/pandas"),
    "numba": Package("numba/numba"),
    "spacy": Package("explosion/spaCy", ("spacy/",)),
    "pyarrow": Package("apache/arrow", ("pyarrow/include/arrow/", "pyarrow/src/", "pyarrow/includes/", "pyarrow/_")),
    "ray": Package("ray-project/ray", ("ray/dashboard/", "ray/includes/", "ray/tune/")),
    "torch": Package("pytorch/pytorch", ("torch/include/ATen/", "torch/share/cmake/", "torch/utils/")),
    "scancode-toolkit": Package("aboutcode-org/scancode-toolkit", ("formattedcode/", "cluecode/", "packagedcode/")),
}


INPUTS = ("repositories.txt", "opt-out.txt", "benchmark.jsonl")


def build(folder: Path, packages: Sequence[str] | None = None) -> Built:
    """Make `folder` hold the bare repositories `remotes/OWNER/NAME.git`, and the files of INPUTS.

    `packages` are names out of PACKAGES (all by default); those that are not installed are skipped.
    Raises UsageError where a name is unknown, too few packages are installed, git is missing, or the folder's
    `remotes` was not made by this function.
    """
    folder = folder.resolve()
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file: name a folder for the demo's repositories.")
    names = list(PACKAGES) if packages is None else list(packages)
    unknown = [name for name in names if name not in PACKAGES]
    if unknown:
        raise UsageError(f"The demo knows no package {unknown[0]!r}: name some of {', '.join(PACKAGES)}.")
    installed = _installed(names)
    if packages is None and len(installed) < FEWEST_PACKAGES:
        raise UsageError(
            f"The demo is made of at least {FEWEST_PACKAGES} installed packages and finds {len(installed)}: "
            "install those of requirements.lock into this Python environment and run it again."
        )
    stamp, digest = folder / "demo.json", _digest(folder, installed)
    parts = [folder / name for name in ("remotes", *INPUTS)]
    made = json.loads(stamp.read_bytes()) if stamp.exists() else None
    if made is None and parts[0].exists():
        raise UsageError(f"{parts[0]} was not made by the demo: remove it, or name another folder.")
    if made is None or made["digest"] != digest or not all(part.exists() for part in parts):
        groups = _groups(installed)
        trees = [tree for group in groups.values() for tree in group.values() if tree is not None]
        made = {
            "digest": digest,
            "count": len(trees),
            "files": sum(map(len, trees)),
            "bytes": sum(len(file.data) for tree in trees for file in tree.values()),
            "skipped": [name for name in names if name not in installed],
        }
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".tmp-", dir=folder) as scratch:
            _write(Path(scratch), folder, groups)
            # Whatever stops the exchange, the stamp without a digest makes the next build start over.
            _replace(Path(scratch), stamp, json.dumps({**made, "digest": None}))
            for part in parts:
                if part.is_dir():
                    shutil.rmtree(part)
                os.replace(Path(scratch, part.name), part)
            _replace(Path(scratch), stamp, json.dumps(made))
    counts = (made["count"], made["files"], made["bytes"], tuple(made["skipped"]))
    return Built(folder / "repositories.txt", folder / "opt-out.txt", *counts)


def _replace(scratch: Path, target: Path, text: str) -> None:
    """Write a file so that it is never half there."""
    (scratch / target.name).write_text(text)
    os.replace(scratch / target.name, target)


def _installed(names: Sequence[str]) -> dict[str, Distribution]:
    """The packages that are installed with a list of their files, in the order given."""
    found = {}
    for name in names:
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        if package.read_text("RECORD"):
            found[name] = package
    return found


def _digest(folder: Path, installed: Mapping[str, Distribution]) -> str:
    """Stands for all that decides what the folder holds: the place, the code here and the versions of the packages."""
    versions = {name: package.version for name, package in installed.items()}
    sources = Path(__file__).read_bytes() + Path(demo_planted.__file__).read_bytes()
    inputs = [str(folder), versions, distribution("scancode-toolkit").version]
    return hashlib.sha256(sources + json.dumps(inputs).encode()).hexdigest()


# ---- real code


def _package_tree(package: Distribution, folders: tuple[str, ...]) -> dict[str, File]:
    """The package's text files and pictures, its README, and its licence files at the paths its source has them."""
    licenses: dict[str, Path] = {}
    by_suffix: dict[str, list[tuple[str, Path]]] = {}
    for entry in sorted(map(str, package.files or ())):
        path = Path(str(package.locate_file(entry)))
        folder, _, rest = entry.partition("/")
        if folder.endswith(".dist-info"):
            if LICENSE_FILE.search(path.name):
                licenses[rest.removeprefix("licenses/")] = path
        elif not entry.startswith(folders) or entry.startswith("../") or "__pycache__" in entry:
            continue
        elif path.is_file() and path.stat().st_size <= LARGEST_FILE:
            by_suffix.setdefault(path.suffix, []).append((entry, path))
    tree = {}
    for found in by_suffix.values():
        taken = min(FILES_PER_SUFFIX, len(found))
        for entry, path in (found[number * len(found) // taken] for number in range(taken)):
            data = path.read_bytes()
            if b"\0" not in data or path.suffix == ".png":
                tree[entry] = File(data, "100755" if data.startswith(b"#!") else "100644")
    for name, path in licenses.items():
        inside = name.rpartition("/")[0]
        if not inside or any(entry.startswith(f"{inside}/") for entry in tree):  # not those of code that is not here
            tree[name] = File(path.read_bytes())
    about = package.metadata.json
    markdown = "markdown" in about.get("description_content_type", "")
    tree["README.md" if markdown else "README.rst"] = text_file(str(about.get("description", "")))
    return tree


def _fork(tree: Tree) -> dict[str, File]:
    """A near-copy: four of five Python files have small edits, all other files are as they were."""
    fork = dict(tree)
    for number, path in enumerate(sorted(path for path in tree if path.endswith(".py"))):
        if number % 5:
            text = tree[path].data.decode().replace("Click", "Klick")
            text = f"# Kept up by forker since the fork.\n{text}\n\ndef _forked_from() -> str:\n    return {path!r}\n"
            fork[path] = File(text.encode())
    return fork


# ---- the list


def _groups(installed: Mapping[str, Distribution]) -> dict[str, dict[str, Tree | None]]:
    """Repositories under the comment they are listed with, in list order; None stands for one that is not there."""
    real: dict[str, Tree | None] = {
        PACKAGES[name].repo: _package_tree(package, PACKAGES[name].folders) for name, package in installed.items()
    }
    original = real.get("pallets/click")
    return {
        "Real code: packages installed beside Quarry.": real,
        "A fork with small edits, after its original.": {"forker/click": _fork(original)} if original else {},
        "Licences: copyleft, none at all, and a copyleft folder in a permissive repository.": {
            "acme/gpl-tool": {"COPYING": license_text("gpl-3.0"), **tool("frobnicate")},
            "acme/no-license": tool("transmogrify"),
            "acme/mixed": {
                "LICENSE": mit("Acme"),
                **tool("calibrate"),
                "third_party/slots/COPYING": license_text("gpl-3.0"),
                "third_party/slots/slots.py": text_file("def slots(parts):\n    return dict.fromkeys(parts)\n"),
            },
        },
        "Personal data and secrets, all made up.": {"acme/pii": personal_data()},
        "Files that are no ordinary source text.": {"acme/oddities": oddities()},
        "Holds a benchmark's problem, and prose in French.": {"acme/puzzles": puzzles()},
        "Opted out by their owner.": {
            "optedout/secret-sauce": {"LICENSE": mit("Opted Out"), **tool("simmer")},
            "optedout/toolbox": {"LICENSE": mit("Opted Out"), **tool("sharpen")},
        },
        "Holds no commit.": {"acme/empty": {}},
        "Is not there.": {"acme/gone": None},
    }


OPT_OUT = """\
# Who asked not to be used: one owner, or one owner/repository, a line.
# Everything of this owner:
optedout
# This repository alone; its owner's others stay:
pallets/markupsafe
"""


# ---- git


def _write(place: Path, folder: Path, groups: Mapping[str, Mapping[str, Tree | None]]) -> None:
    """Write into `place` what is then moved to `folder`."""
    lines = ["# The demo's repositories, one a line."]
    for comment, trees in groups.items():
        lines += ["", f"# {comment}"] if trees else []
        for repo, tree in trees.items():
            lines.append(Path(folder, "remotes", f"{repo}.git").as_uri())
            if tree is not None:
                _make_repository(place / "remotes" / f"{repo}.git", tree)
    lines += ["", "# Listed a second time, by mistake.", next(line for line in lines if line.startswith("file:"))]
    (place / "repositories.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (place / "opt-out.txt").write_text(OPT_OUT, encoding="utf-8")
    problems = "".join(f"{json.dumps(problem)}\n" for problem in BENCHMARK)
    (place / "benchmark.jsonl").write_text(problems, encoding="utf-8")


def _make_repository(path: Path, tree: Tree) -> None:
    """Make a bare repository whose branch main is one commit of `tree`; an empty tree makes no commit."""
    _git("init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(path))
    with (path / "config").open("a") as config:
        config.write(SERVES)
    if tree:
        stream = [f"commit refs/heads/main\ncommitter {AUTHOR}\ndata 14\nInitial commit\n".encode()]
        for name, file in sorted(tree.items()):
            shown = name.encode(errors="surrogateescape")
            if file.mode == "160000":
                stream.append(b"M 160000 %s %s\n" % (file.data, shown))
            else:
                stream.append(b"M %s inline %s\ndata %d\n" % (file.mode.encode(), shown, len(file.data)) + file.data)
                stream.append(b"\n")
        _git("--git-dir", str(path), "-c", "fastimport.unpackLimit=1", "fast-import", "--quiet", data=b"".join(stream))


def _git(*arguments: str, data: bytes = b"") -> None:
    """Run git, deaf to the settings of this machine and user."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    try:
        subprocess.run(["git", *arguments], input=data, env=environment, check=True, capture_output=True)
    except FileNotFoundError:
        raise UsageError("The demo's repositories are made with git, which is not on the PATH: install git.") from None


def main(arguments: Sequence[str]) -> int:
    """The command; returns its exit code."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m recipes.demo_repositories FOLDER", file=sys.stderr)
        return 2
    try:
        built = build(Path(arguments[0]))
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    if built.skipped:
        print(f"Left out, as they are not installed: {', '.join(built.skipped)}.", file=sys.stderr)
    print(f"{built.count} repositories, {built.files:,} files, {built.bytes / 1e6:.1f} MB: {built.repositories}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

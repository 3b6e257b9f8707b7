"""The table of languages (languages.yaml) and the two questions asked of it: which language is this file in, and which
quality limits differ for it.

StarCoder decides by extension; file names and shebangs are looked at too, as GitHub's linguist does, because otherwise
Makefiles and scripts without an extension are lost. All look-ups go over the distinct values of a column.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

Limits = Mapping[str, float | None]
Names = TypeVar("Names", bound=Collection[str] | None)

TABLE = Path(__file__).with_name("languages.yaml")

_LAST_EXTENSION = r"(?s)^.+(?P<extension>\.[^.]+)$"  # a name that only begins with a dot, such as .bashrc, has none
_SHEBANG = re.compile(r"#!\s*(\S+)(.*)")
_VERSION = re.compile(r"-?\d[\d.]*$")
_SHEBANG_BYTES = 256  # Linux reads no more of the line


@dataclass(frozen=True)
class Languages:
    """The table, turned round for look-ups."""

    names: frozenset[str]
    by_extension: Mapping[str, str]  # ".py" -> language
    by_filename: Mapping[str, str]
    by_interpreter: Mapping[str, str]
    quality: Mapping[str, Limits]  # language or extension -> limits that differ from Quality's fields

    def of(self, paths: pa.ChunkedArray | pa.Array, texts: pa.ChunkedArray | pa.Array) -> pa.Array:
        """The language of each file: by its name, else its extension, else its shebang; null where none is known."""
        names = file_names(paths)
        extensions = self.extensions(names)
        found = pc.coalesce(_look_up(names, self.by_filename), self._by_extension(extensions))
        open_rows = np.flatnonzero(pc.and_(pc.is_null(found), pc.equal(extensions, "")))
        if len(open_rows) == 0:
            return found
        rows = pa.array(open_rows)
        heads = _flat(pc.binary_slice(texts.take(rows).cast(pa.binary()), 0, _SHEBANG_BYTES))
        scripts = np.flatnonzero(pc.starts_with(heads, b"#!"))
        told: list[str | None] = [None] * len(names)
        for script in scripts:
            told[open_rows[script]] = self.of_shebang(heads[script].as_py().decode("utf-8", "replace"))
        return pc.coalesce(found, pa.array(told, pa.string()))

    def extensions(self, names: pa.Array) -> pa.Array:
        """The extension of each file name, with its dot: the longest one of the table, else the last; "" for none."""
        result = pc.fill_null(pc.struct_field(pc.extract_regex(names, _LAST_EXTENSION), "extension"), "")
        for extension in sorted((e for e in self.by_extension if e.count(".") > 1), key=len):
            result = pc.if_else(pc.ends_with(names, extension), extension, result)
        return result

    def of_shebang(self, head: str) -> str | None:
        """The language of a script that begins with `head`: `#!/usr/bin/env -S python3.11 -u` is python."""
        match = _SHEBANG.match(head)
        if match is None:
            return None
        program = match[1].rsplit("/", 1)[-1]
        if program == "env":
            arguments = [word for word in match[2].split() if not word.startswith("-") and "=" not in word]
            program = arguments[0].rsplit("/", 1)[-1] if arguments else ""
        return self.by_interpreter.get(program) or self.by_interpreter.get(_VERSION.sub("", program))

    def _by_extension(self, extensions: pa.Array) -> pa.Array:
        return pc.coalesce(
            _look_up(extensions, self.by_extension), _look_up(pc.utf8_lower(extensions), self.by_extension)
        )


def load() -> Languages:
    """Read the table; about 20 ms."""
    table = yaml.safe_load(TABLE.read_text("utf-8"))
    languages = {name: entry for name, entry in table.items() if not name.startswith(".")}
    quality = {name: entry["quality"] for name, entry in languages.items() if "quality" in entry}
    for entry in languages.values():
        quality.update(entry.get("quality_by_extension", {}))

    def turned(key: str) -> dict[str, str]:
        return {value: name for name, entry in languages.items() for value in entry.get(key, ())}

    return Languages(frozenset(languages), turned("extensions"), turned("filenames"), turned("interpreters"), quality)


def checked(names: Names, known: Iterable[str] | None = None, table: str = "languages.yaml") -> Names:
    """`names` as they are, each a language of the table (or of `known`); else ValueError with the nearest."""
    wanted: list[str] = [] if names is None else list(names)
    spelt = sorted(load().names if known is None else known) if wanted else []
    for name in wanted:
        if name not in spelt:
            near = difflib.get_close_matches(name.lower(), spelt, n=1, cutoff=0.0)
            raise ValueError(f"{name!r} is not a language of stages/{table}; the nearest is {near[0]!r}")
    return names


def file_names(paths: pa.ChunkedArray | pa.Array) -> pa.Array:
    """The last part of each path."""
    return pc.replace_substring_regex(_flat(paths), r"(?s)^.*/", "")


def _look_up(keys: pa.Array, mapping: Mapping[str, str]) -> pa.Array:
    """The value of each key, null where the mapping has none."""
    index = pc.index_in(keys, pa.array(list(mapping), pa.string()))
    return pa.array(list(mapping.values()), pa.string()).take(index)


def _flat(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column

"""How free an SPDX licence expression is, told without reading any text: for licences that a dataset or a host names.

The classes are those of ScanCode's licence database, of which license-expression ships an index of ids and categories;
so a licence has the same type whether ScanCode read it in a file or a dataset named it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import license_expression

from stages.scancode import CLASS_OF_CATEGORY, NEUTRAL, STRICTNESS, strictest


class Spdx:
    """ScanCode's licence classes by SPDX id; loads in about 0.1 s."""

    def __init__(self) -> None:
        self._types: dict[str, str | None] = {}  # lower-case id -> type; None is neutral
        for entry in license_expression.get_license_index():
            category, key = entry["category"], entry["license_key"]
            neutral = key in NEUTRAL or category == "CLA"
            kind = None if neutral else CLASS_OF_CATEGORY.get(category, "non_free")
            for spdx in (entry["spdx_license_key"], *entry["other_spdx_license_keys"]):
                if spdx:
                    self._types.setdefault(spdx.lower(), kind)
        self._licensing = license_expression.Licensing()
        self._judged: dict[tuple[str, ...], tuple[str | None, str]] = {}

    def judge(self, licenses: Sequence[str]) -> tuple[str | None, str]:
        """The expression that all of `licenses` (ids or expressions) hold together (AND), and its licence type.

        None and no_license where there are none; what is no SPDX id is of type unknown.
        """
        distinct = tuple(dict.fromkeys(license.strip() for license in licenses if license.strip()))
        if distinct not in self._judged:
            self._judged[distinct] = self._judge(distinct)
        return self._judged[distinct]

    def _judge(self, licenses: tuple[str, ...]) -> tuple[str | None, str]:
        if not licenses:
            return None, "no_license"
        several = len(licenses) > 1
        expression = " AND ".join(f"({each})" if several and " OR " in each.upper() else each for each in licenses)
        types = [kind for kind in map(self._type, licenses) if kind is not None]
        return expression, strictest(types) or "unknown"

    def _type(self, expression: str) -> str | None:
        try:
            return self._type_of(self._licensing.parse(expression))
        except license_expression.ExpressionError:
            return "unknown"

    def _type_of(self, node: Any) -> str | None:
        """The type of a parsed expression: the freest of an OR, the strictest of an AND or WITH; None is neutral."""
        if isinstance(node, license_expression.LicenseWithExceptionSymbol):
            parts = [node.license_symbol, node.exception_symbol]
        elif isinstance(node, license_expression.LicenseSymbol):
            return self._types.get(node.key.lower(), "unknown")
        else:
            parts = node.args
        types = [kind for kind in map(self._type_of, parts) if kind is not None]
        if isinstance(node, self._licensing.OR):
            return min(types, key=STRICTNESS.index, default=None)
        return strictest(types)

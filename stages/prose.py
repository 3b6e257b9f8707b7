"""Reduces Markdown, reStructuredText and R Markdown to the sentences a person reads.

What is asked of the result is which language it is written in, so it may lose a sentence and must not keep code: a
quarter of a README is commands, paths, badges and names, and to a language identifier they are noise or English.
One expression takes the markup away in a single pass, so that what begins first wins (a comment in a fence is code,
a fence in a comment is comment), a second one the words that are no words. Both run in Arrow's RE2, in linear time.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

# How much of a text is read for each character of prose that is wanted; READMEs hold one in three.
_READ = 8

_LIST_ITEM = r"(?:[-*+] |[0-9]+[.)] )?"
_MARKUP = "(?m)" + "|".join(
    (
        r"\A\x{FEFF}?---[ \t]*\r?\n(?s:.*?)\n(?:---|\.\.\.)[ \t]*\r?$",  # front matter
        rf"^[ \t>]*{_LIST_ITEM}````+[^`\n]*\n(?s:.*?)(?:^[ \t>]*````+|\z)",  # fenced code, as long as it is open
        rf"^[ \t>]*{_LIST_ITEM}```[^`\n]*\n(?s:.*?)(?:^[ \t>]*```+|\z)",
        rf"^[ \t>]*{_LIST_ITEM}~~~+[^~\n]*\n(?s:.*?)(?:^[ \t>]*~~~+|\z)",
        r"^(?: {4}|\t).*$",  # indented code, bodies of directives
        r"^[ \t]*(?:\.\. |:[\w -]+:|\[[^\]\n]+\]:).*$",  # directives and comments, their fields, link targets
        r"^[ \t]*(?:\||\+[-=]|>>>|\$ ).*$",  # rows of tables, lines of a shell or an interpreter
        r"<!--(?s:.*?)(?:-->|\z)",
        r"(?i:<(?:pre|code|script|style)\b(?s:.*?)</(?:pre|code|script|style)>)",
        r"<[/A-Za-z][^<>]*>",  # other tags stay with their content; <https://...>
        r"(?::[\w:+-]+:)?`+[^`]*`+[\w:]*_*",  # inline code, roles, references
        r"!\[[^\]]*\](?:\([^)]*\)|\[[^\]]*\])",  # images, most of which are badges
        r"\](?:\([^)]*\)|\[[^\]]*\])",  # where a link leads; its text stays
    )
)
# Runs of visible ASCII only: Chinese and Thai have no blanks, and "使用Python3时" must not vanish for its digit.
_NO_WORDS = "|".join(
    (
        r"[!-~]*[0-9_/\\=@{}$|#&][!-~]*",  # URLs, paths, versions, options, identifiers, addresses
        r"\b[A-Za-z]+(?:[a-z][A-Z]|[.:(][A-Za-z])[!-~]*",  # camelCase, file.names, calls(x)
        r"\p{Lu}\p{Ll}[\pL\pM'’-]*(?:[ \t]+\p{Lu}\p{Ll}[\pL\pM'’-]*)+",  # names of persons: Zbigniew Nowak is no Polish
    )
)
_NO_LETTERS = r"[^\pL\pM']+"


def prose_of(texts: pa.ChunkedArray | pa.Array, characters: int) -> pa.ChunkedArray | pa.Array:
    """The first `characters` or fewer of each text's prose: words in lower case with one blank between them.

    Lower case, because fastText's identifier takes LOUD ENGLISH for other languages.
    """
    heads = pc.utf8_slice_codeunits(texts, 0, _READ * characters)
    words = pc.replace_substring_regex(pc.replace_substring_regex(heads, _MARKUP, " "), _NO_WORDS, " ")
    letters = pc.replace_substring_regex(pc.utf8_slice_codeunits(words, 0, 2 * characters), _NO_LETTERS, " ")
    return pc.utf8_lower(pc.utf8_slice_codeunits(pc.utf8_trim(letters, " "), 0, characters))

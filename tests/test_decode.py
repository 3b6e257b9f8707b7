"""Decoding: what bytes become which text, and what is refused."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.decode import Decoded, decode, decode_batch

SAMPLES = [
    ("cp1252", "# Génération des données à l'été\nprint('déjà vu, forêt')\n"),
    ("cp1252", "/* Größe des Puffers ändern */\nint x;\n"),
    ("cp1252", "/* Copyright © 2010 José */\n" + "int main(void) { return 0; }\n" * 500),
    ("cp1251", "// Функция возвращает значение переменной\nint f(){return 1;}\n"),
    ("koi8_r", "// Функция возвращает значение переменной\nint f(){return 1;}\n"),
    ("cp866", "// Функция возвращает значение переменной\nint f(){return 1;}\n"),
    ("gb18030", "// 初始化所有的变量和数据结构\nint main(){}\n// 返回结果给调用者\n"),
    ("gb18030", "x = '初始化所有的变量和数据结构'; " * 1000),
    ("big5", "// 初始化所有的變數和資料結構\nint main(){}\n// 返回結果給呼叫者\n"),
    ("cp932", "// すべての変数を初期化する\nint main(){}\n// 結果を返します\n"),
    ("euc_jp", "// すべての変数を初期化する\nint main(){}\n// 結果を返します\n"),
    ("cp949", "// 모든 변수를 초기화합니다\nint main(){}\n"),
]


@pytest.mark.parametrize(("encoding", "text"), SAMPLES)
def test_other_encodings_are_detected_and_recorded(encoding: str, text: str) -> None:
    assert decode(text.encode(encoding)) == Decoded(text, encoding, None)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", Decoded("", "utf-8", None)),
        (b"a\r\nb\rc\n", Decoded("a\r\nb\rc\n", "utf-8", None)),
        (b"\xef\xbb\xbfx = 1\r\n", Decoded("x = 1\r\n", "utf-8-sig", None)),
        ("\ufeff\ufeffé".encode(), Decoded("\ufeffé", "utf-8-sig", None)),
        ("é x".encode("utf-16"), Decoded("é x", "utf-16", None)),
        (b"\xfe\xff" + "é x".encode("utf-16-be"), Decoded("é x", "utf-16", None)),
        ("é x".encode("utf-32"), Decoded("é x", "utf-32", None)),
        (b"\x00\x00\xfe\xff" + "é x".encode("utf-32-be"), Decoded("é x", "utf-32", None)),
        (b"\x7fELF\x02\x00\x01", Decoded(None, None, "binary")),
        (b"text\x00", Decoded(None, None, "binary")),
        (b"\xef\xbb\xbftext\x00", Decoded(None, None, "binary")),
        ("a\0b".encode("utf-16"), Decoded(None, None, "binary")),
        (b"\xff\xfe\x00\xd8", Decoded(None, None, "binary")),  # UTF-16 with half a surrogate pair
        (bytes(range(1, 256)), Decoded(None, None, "undecodable")),
    ],
)
def test_marks_nul_and_line_ends(data: bytes, expected: Decoded) -> None:
    assert decode(data) == expected


def test_an_encoded_surrogate_is_no_utf8() -> None:
    assert decode(b"# \xed\xa0\x80").encoding != "utf-8"


BLOBS = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=40).map(str.encode),
    st.sampled_from([text.encode(encoding) for encoding, text in SAMPLES[:6]]),
    st.text(alphabet=st.characters(codec="utf-16"), max_size=20).map(lambda text: text.encode("utf-16")),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(BLOBS, max_size=8), st.integers(0, 130))
def test_a_batch_decodes_like_each_blob(blobs: list[bytes], padding: int) -> None:
    blobs = [b"plain"] * padding + blobs
    text, encoding, reason = decode_batch(blobs)
    columns = zip(text.to_pylist(), encoding.to_pylist(), reason.to_pylist(), strict=True)
    assert [Decoded(*row) for row in columns] == [decode(blob) for blob in blobs]


@settings(max_examples=150, deadline=None)
@given(BLOBS)
def test_text_stands_for_its_bytes(blob: bytes) -> None:
    text, encoding, reason = decode(blob)
    if reason is not None:
        assert text is None
        assert encoding is None
        return
    assert text is not None
    assert encoding is not None
    assert "\0" not in text
    assert blob.decode(encoding) == text
    if encoding == "utf-8":
        assert text.encode() == blob


def test_time_is_bounded_for_large_blobs_that_are_not_utf8() -> None:
    line = b"x = 'a long line without end'; " * 30_000
    for blob in (b"\xe9\n" + line, line + b"\xe9", b"# caf\xe9\n" * 100_000, bytes(range(1, 256)) * 4000):
        began = time.perf_counter()
        decode(blob)
        assert time.perf_counter() - began < 2

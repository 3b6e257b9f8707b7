"""Natural language: translated READMEs go, English ones stay whatever code, names and tables they hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import packages_distributions

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.law import judge
from pipeline.side import Side
from pipeline.stage import Outcome
from stages.natural_language import NaturalLanguage, load_model, natural_languages
from stages.prose import prose_of

# The same paragraph in ten languages and in English.
PARAGRAPHS = {
    "German": (
        "Dieses Programm liest Textdateien, zählt die Wörter darin und schreibt das Ergebnis in eine Tabelle. "
        "Nach der Installation kann es auf der Kommandozeile oder als Bibliothek in eigenen Projekten verwendet werden."
    ),
    "French": (
        "Ce programme lit des fichiers texte, compte les mots qu'ils contiennent et écrit le résultat dans un tableau. "
        "Après l'installation, il s'utilise en ligne de commande ou comme bibliothèque dans vos propres projets."
    ),
    "Spanish": (
        "Este programa lee archivos de texto, cuenta las palabras que contienen y escribe el resultado en una tabla. "
        "Después de la instalación se puede usar en la línea de comandos o como biblioteca en otros proyectos."
    ),
    "Portuguese": (
        "Este programa lê arquivos de texto, conta as palavras que eles contêm e escreve o resultado em uma tabela. "
        "Depois da instalação, você pode usá-lo na linha de comando ou como biblioteca em seus próprios projetos."
    ),
    "Italian": (
        "Questo programma legge file di testo, conta le parole che contengono e scrive il risultato in una tabella. "
        "Dopo l'installazione si può usare dalla riga di comando oppure come libreria nei propri progetti."
    ),
    "Polish": (
        "Ten program czyta pliki tekstowe, liczy zawarte w nich słowa i zapisuje wynik w tabeli. "
        "Po instalacji można go używać w wierszu poleceń albo jako biblioteki we własnych projektach."
    ),
    "Russian": (
        "Эта программа читает текстовые файлы, считает слова в них и записывает результат в таблицу. "
        "После установки её можно использовать в командной строке или как библиотеку в собственных проектах."
    ),
    "Chinese": (
        "这个程序可以读取文本文件，统计其中的单词数量，并把结果写入一张表格。安装完成之后，您可以直接在命令行中使用它，"
        "也可以把它作为一个库引入到自己的项目里。如果在使用过程中遇到任何问题，欢迎先查看常见问题解答，然后再提交新的问题报告，"
        "我们会尽快回复您。"
    ),
    "Japanese": (
        "このプログラムはテキストファイルを読み込み、その中の単語を数えて、結果を表に書き出します。"
        "インストールした後は、コマンドラインから使うことも、ライブラリとして自分のプロジェクトに組み込むこともできます。"
        "問題が見つかった場合は、まずよくある質問をご確認のうえ、お知らせください。"
    ),
    "Korean": (
        "이 프로그램은 텍스트 파일을 읽고 그 안에 있는 단어의 수를 세어 결과를 표에 기록합니다. "
        "설치한 뒤에는 명령줄에서 바로 사용할 수 있으며, 라이브러리로 자신의 프로젝트에 포함하여 사용할 수도 있습니다. "
        "문제가 생기면 먼저 자주 묻는 질문을 확인해 주세요."
    ),
}
ENGLISH = (
    "This program reads text files, counts the words in them and writes the result to a table. "
    "Once it is installed, use it on the command line, or as a library in projects of your own."
)

# What surrounds the prose of a README, and says nothing about its language; each ends with its line.
MARKUP = {
    "fenced code": "```python\nfor word in words:  # count every word of the text in the file\n    count(word)\n```\n",
    "long fence": "````md\n```\nwhatever is in here\n```\nis an example of the text\n````\n",
    "fence in a list": "1. ```sh\n   make the install and the tests\n   ```\n",
    "tildes": "~~~\nthe quick brown fox\n~~~\n",
    "indented code": "    if the word is not in the table then return\n",
    "comment": "<!-- this is not\nshown to the reader -->\n",
    "comment in a fence": "```html\n<!-- this never ends\n```\n",
    "element": "<pre>\nusage of the program\n</pre>\n",
    "badge": "![the build is passing](https://example.org/badge.svg)\n",
    "tags": '<p align="center"><img src="logo.png" alt="this is the logo"></p>\n',
    "target": "[the documentation]: https://example.org/the/documentation\n",
    "bare address": "https://example.org/the/documentation?page=1#top\n",
    "table": "| option | what it is for |\n|---|---|\n",
    "directive": ".. image:: the-logo-of-the-project.png\n   :alt: the logo\n",
    "inline code": "`return the value`\n",
    "role": ":func:`the function of it`\n",
    "identifiers": "word_count wordCount words.txt word-count==1.0 count(words)\n",
    "session": ">>> count the words\n$ run it and see\n",
    "names": "* Zbigniew Nowak\n* Małgorzata Wiśniewska-Zielińska\n",
}


def documents(rows: Sequence[tuple[str | None, str]]) -> pa.Table:
    """(language, text) rows."""
    ids = pa.array([f"{row:032x}" for row in range(len(rows))], pa.string())
    languages, texts = (pa.array([row[at] for row in rows], pa.string()) for at in (0, 1))
    return pa.table([ids, languages, texts], schema=NaturalLanguage.takes)


def outcome(side: Side, texts: Sequence[str], stage: NaturalLanguage | None = None) -> Outcome:
    """What the stage makes of Markdown documents, under the conservation law."""
    return judge(stage or NaturalLanguage(), "natural_language", documents([("markdown", t) for t in texts]), side)


def prose(text: str, characters: int = 2000) -> str:
    [result] = prose_of(pa.array([text]), characters).to_pylist()
    return result


@pytest.mark.parametrize("language", PARAGRAPHS)
def test_a_readme_in_another_language_goes_though_most_of_it_is_code(side: Side, language: str) -> None:
    readme = "# wordcount\n" + MARKUP["badge"] + PARAGRAPHS[language] + "\n\n" + MARKUP["fenced code"] * 20
    [decision] = outcome(side, [readme]).decisions.to_pylist()
    detail = json.loads(decision["detail"])
    assert (detail["language"], detail["keep"]) == (language, "English")
    assert NaturalLanguage().explain(decision) == (
        f"its text is in {language} (fastText's score {detail['score']}), and the recipe keeps English"
    )


def test_english_stays_whatever_stands_around_it(side: Side) -> None:
    readmes = [ENGLISH] + [f"{extra}\n{ENGLISH}\n{extra}" for extra in MARKUP.values()]
    assert outcome(side, readmes).kept["text"].to_pylist() == readmes


@pytest.mark.parametrize(
    "text",
    [
        "# Contributors\n\n" + MARKUP["names"] * 10,
        "# Changes\n" + "".join(f"- Fix crash in parser (#{n}, thanks @jürgen-müller)\n" for n in range(30)),
        ENGLISH.upper(),
        "[Deutsch](README.de.md) | [Français](README.fr.md) | [中文](README.zh.md) | [日本語](README.ja.md)\n\n"
        + ENGLISH,
        "\n".join(f"| Größe {n} | die Anzahl der Wörter | natürlich |" for n in range(30)),
        "foo bar baz qux quux corge grault garply waldo fred plugh xyzzy thud\n" * 5,
        "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore." * 3,
        PARAGRAPHS["Russian"][:80],
        "",
    ],
    ids=["names", "changelog", "capitals", "links to translations", "table", "nonsense", "lorem", "short", "empty"],
)
def test_what_is_not_certain_stays(side: Side, text: str) -> None:
    assert outcome(side, [text]).kept.num_rows == 1


def test_only_prose_documents_are_judged(side: Side) -> None:
    german = PARAGRAPHS["German"]
    shard = documents([("markdown", german), ("python", german), (None, german), ("restructuredtext", german)])
    assert judge(NaturalLanguage(), "it", shard, side).kept["language"].to_pylist() == ["python", None]
    stage = NaturalLanguage(documents=["python"])
    assert judge(stage, "it", shard, side).kept["language"].to_pylist() == ["markdown", None, "restructuredtext"]


def test_the_recipe_says_what_is_kept_and_how_certain_to_be(side: Side) -> None:
    texts = [ENGLISH, PARAGRAPHS["German"], PARAGRAPHS["French"]]
    result = outcome(side, texts, NaturalLanguage(keep=["de", "fr"]))
    assert result.kept["text"].to_pylist() == texts[1:]
    assert json.loads(result.decisions["detail"][0].as_py())["keep"] == "German, French"
    assert outcome(side, texts, NaturalLanguage(min_characters=2000)).kept.num_rows == 3
    assert outcome(side, [PARAGRAPHS["Russian"][:80]], NaturalLanguage(min_characters=50)).kept.num_rows == 0
    lorem = "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore."
    assert outcome(side, [lorem], NaturalLanguage(min_score=0.1, min_characters=50)).kept.num_rows == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"keep": ["english"]}, r"'english' is not a code .*; the nearest is 'en' \(English\)"),
        ({"keep": ["germann"]}, r"the nearest is 'de' \(German\)"),
        ({"keep": ["zhh"]}, r"the nearest is 'zh' \(Chinese\)"),
        ({"keep": []}, "at least 1 item"),
        ({"documents": ["markdwon"]}, "'markdwon' is not a language of .*; the nearest is 'markdown'"),
        ({"min_score": 1.5}, "less than or equal to 1"),
    ],
)
def test_what_cannot_be_meant_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        NaturalLanguage.model_validate(fields)


@given(st.lists(st.sampled_from([ENGLISH, *PARAGRAPHS.values(), *MARKUP.values()]), max_size=8), st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
def test_each_document_is_judged_on_its_own(side: Side, texts: list[str], data: st.DataObject) -> None:
    stage, shard = NaturalLanguage(), documents([("markdown", text) for text in texts])
    whole = stage.apply(shard, side)
    at = data.draw(st.integers(0, len(texts)))
    parts = [stage.apply(piece, side) for piece in (shard.slice(0, at), shard.slice(at))]
    assert pa.concat_tables([part.kept for part in parts]).equals(whole.kept)
    assert pa.concat_tables([part.decisions for part in parts]).equals(whole.decisions)
    backwards = stage.apply(shard.take(np.arange(len(texts))[::-1]), side)
    assert backwards.decisions.equals(whole.decisions.take(np.arange(whole.decisions.num_rows)[::-1]))


@pytest.mark.parametrize("kind", MARKUP)
def test_markup_and_code_leave_nothing_behind(kind: str) -> None:
    assert prose(MARKUP[kind]) == ""


@given(st.lists(st.sampled_from([*MARKUP.values()]), max_size=6), st.sampled_from([ENGLISH, *PARAGRAPHS.values()]))
@settings(deadline=None)
def test_prose_is_the_same_with_and_without_markup(around: list[str], paragraph: str) -> None:
    before, after = around[: len(around) // 2], around[len(around) // 2 :]
    assert prose("\n".join([*before, paragraph, *after])) == prose(paragraph)


@given(st.text(), st.integers(1, 50))
@settings(deadline=None)
def test_prose_is_words_with_single_blanks(text: str, characters: int) -> None:
    result = prose(text, characters)
    assert len(result) <= characters
    assert "  " not in result
    assert not result.startswith(" ")
    assert not any(character in "0123456789\n\t\r<>`" for character in result)


def test_prose_keeps_what_a_reader_reads() -> None:
    text = (
        "---\ntitle: x\n---\n# Word *count*\n\nSee [the **guide**](https://a.b/c), [this one][1] or <https://a.b>.\n"
        "Don't use `x` with <b>old</b> files (v1.2); 使用Python3时很方便。\n\n[1]: https://a.b\n"
    )
    assert prose(text) == "word count see the guide this one or don't use with old files 使用 时很方便"


def test_code_that_is_open_to_the_end_is_code() -> None:
    assert prose("before\n```\nfor each word\n") == "before"
    assert prose("before\n<!-- for each word\n") == "before"


def test_the_table_names_every_language_of_the_model() -> None:
    labels = load_model().predict("a", k=1000, threshold=-1.0)[0]
    assert sorted(label.removeprefix("__label__") for label in labels) == sorted(natural_languages())


def test_one_distribution_owns_the_module_fasttext() -> None:
    assert packages_distributions()["fasttext"] == ["fasttext-predict"]

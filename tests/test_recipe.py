"""What a user can get wrong in a recipe is told in one sentence: file, field, value, what is allowed, nearest name."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipeline.errors import UsageError
from pipeline.recipe import load_recipe
from tests.toy import CATALOG

GOOD = """
name: toy
repositories: list.txt
passes:
  make: [make]
  filter: [forbid, {forbid: {as: again, word: good}}]
"""


def _write(folder: Path, text: str) -> str:
    path = folder / "recipe.yaml"
    path.write_text(text)
    return str(path)


def test_a_recipe_resolves_to_one_with_every_field_spelt_out(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("bad")
    recipe = load_recipe(_write(tmp_path, GOOD.replace("word: good", "words: words.txt")), CATALOG)
    resolved = yaml.safe_load(recipe.resolved())
    assert resolved["repositories"] == str(tmp_path / "list.txt")
    assert resolved["passes"]["filter"][1]["forbid"]["words"] == str(tmp_path / "words.txt")
    assert [named.name for named in recipe.passes[1].stages] == ["forbid", "again"]
    again = load_recipe(_write(tmp_path, recipe.resolved()), CATALOG)
    assert again == recipe


def test_what_the_publisher_says_is_kept_and_held_to_its_fields(tmp_path: Path) -> None:
    about = "about: {contact: opt-out@example.org, published: 2026-11-25}\n"
    recipe = load_recipe(_write(tmp_path, about + GOOD), CATALOG)
    assert str(recipe.about.published) == "2026-11-25"
    assert load_recipe(_write(tmp_path, recipe.resolved()), CATALOG) == recipe
    with pytest.raises(UsageError, match=r"'about' has no field 'contct'; did you mean 'contact'\?"):
        load_recipe(_write(tmp_path, about.replace("contact", "contct") + GOOD), CATALOG)
    with pytest.raises(UsageError, match=r"'about', field 'published': 'soon'"):
        load_recipe(_write(tmp_path, about.replace("2026-11-25", "soon") + GOOD), CATALOG)


def test_overrides_change_one_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here.txt").write_text("bad")
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe(_write(tmp_path, GOOD), CATALOG, ["again.word=worse", "forbid.words=here.txt", "name=other"])
    assert recipe.name == "other"
    fields = [named.stage.model_dump() for named in recipe.passes[1].stages]
    assert [f["word"] for f in fields] == ["bad", "worse"]
    assert fields[0]["words"] == str(tmp_path / "here.txt")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ("[make]", "[mkae]"),
            "there is no stage 'mkae'; did you mean 'make'? Allowed: blank, forbid, last, make, misbehave",
        ),
        (("word: good", "wrod: good"), "stage 'again' has no field 'wrod'; did you mean 'word'?"),
        (("word: good", "word: 3"), "stage 'again', field 'word': 3: input should be a valid string"),
        (("word: good", "words: gone.txt"), "field 'words': there is no file '"),
        (("{as: again, word: good}", "{}"), "stage 'forbid' occurs twice; name one of them with 'as: other_name'"),
        (("make: [make]", "make: [make]\n  make: [make]"), "'make' is given twice"),
        (("name: toy", "nmae: toy"), "the recipe has no key 'nmae'; did you mean 'name'?"),
        (("name: toy", ""), "'name' is missing"),
        (("make: [make]", "make: make"), "pass 'make' must be a list of stages"),
        (("make: [make]", "make: [[make]]"), "write a stage as 'name'"),
        (("[make]", "[make, last]"), "stage 'last' prepares a side input, so it must stand first in its pass"),
        (("make: [make]", "make: [misbehave]"), "takes column 'path', which the repository list does not give"),
        (("make: [make]", "make: [make"), "line 6: this is not valid YAML"),
        ((GOOD, "just text"), "a recipe is a mapping"),
        ((GOOD, "\x00"), "not valid YAML"),
    ],
)
def test_each_mistake_is_one_sentence(change: tuple[str, str], said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_recipe(_write(tmp_path, GOOD.replace(*change)), CATALOG)
    assert said in str(caught.value)
    assert "recipe.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_recipe_and_a_bad_override_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read recipe '.*gone.yaml' \(No such file"):
        load_recipe(str(tmp_path / "gone.yaml"), CATALOG)
    path = _write(tmp_path, GOOD)
    with pytest.raises(UsageError, match=r"write stage.field=value"):
        load_recipe(path, CATALOG, ["again"])
    with pytest.raises(UsageError, match=r"has no stage 'agian'; did you mean 'again'\?"):
        load_recipe(path, CATALOG, ["agian.word=x"])
    with pytest.raises(UsageError, match=r"stage 'again' has no field 'wrod'"):
        load_recipe(path, CATALOG, ["again.wrod=x"])

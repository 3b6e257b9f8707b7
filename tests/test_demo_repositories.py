"""The demo's repositories: real git, equal ids on every build, and the planted cases a pipeline must get right."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from pipeline.errors import UsageError
from recipes import demo_repositories
from recipes.demo_repositories import Package, build, main

FEW = ("requests", "click", "certifi")


def git(*arguments: str) -> bytes:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(["git", *arguments], check=True, capture_output=True, env=environment).stdout


def urls(repositories: Path) -> list[str]:
    return [line for line in repositories.read_text().splitlines() if line and not line.startswith("#")]


def heads(folder: Path) -> dict[str, bytes]:
    """The commit of every repository below `remotes` that has one."""
    remotes = sorted((folder / "remotes").glob("*/*.git"))
    return {
        str(path.relative_to(folder)): git("--git-dir", str(path), "for-each-ref", "--format=%(objectname)")
        for path in remotes
    }


def mtimes(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in [folder, *folder.rglob("*")]}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo of three packages and all planted cases, in a folder whose name needs quoting in a URL."""
    folder = tmp_path_factory.mktemp("demo") / "the demo"
    build(folder, FEW)
    return folder


def show(demo: Path, repo: str, path: str) -> bytes:
    return git("--git-dir", str(demo / "remotes" / f"{repo}.git"), "show", f"main:{path}")


def tree(demo: Path, repo: str) -> dict[bytes, bytes]:
    """Mode by path."""
    listed = git("--git-dir", str(demo / "remotes" / f"{repo}.git"), "ls-tree", "-r", "-z", "main")
    return {entry.split(b"\t", 1)[1]: entry.split(b" ", 1)[0] for entry in listed.split(b"\0") if entry}


def test_every_listed_repository_but_the_one_that_is_gone_clones(demo: Path, tmp_path: Path) -> None:
    listed = urls(demo / "repositories.txt")
    for number, url in enumerate(listed):
        if url.endswith("/acme/gone.git"):
            assert not Path(unquote(urlsplit(url).path)).exists()
        else:
            git("clone", "--quiet", "--no-checkout", "--filter=blob:none", url, str(tmp_path / str(number)))
    assert len(listed) == len(set(listed)) + 1  # one is listed twice, for the pipeline to merge
    assert len(heads(demo)) == len(set(listed)) - 1
    assert heads(demo)["remotes/acme/empty.git"] == b""


def test_a_commit_can_be_fetched_by_its_id_without_its_blobs(demo: Path, tmp_path: Path) -> None:
    commit = heads(demo)["remotes/psf/requests.git"].decode().strip()
    url = next(url for url in urls(demo / "repositories.txt") if url.endswith("/psf/requests.git"))
    git("init", "--quiet", "--bare", str(tmp_path))
    git("-C", str(tmp_path), "fetch", "--quiet", "--depth=1", "--filter=blob:none", url, commit)
    kinds = git("-C", str(tmp_path), "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)").split()
    assert set(kinds) == {b"commit", b"tree"}


def test_two_builds_give_the_same_commit_ids(demo: Path, tmp_path: Path) -> None:
    build(tmp_path, FEW)
    assert heads(tmp_path) == heads(demo)


def test_building_again_touches_nothing(demo: Path) -> None:
    before = mtimes(demo)
    built = build(demo, FEW)
    assert mtimes(demo) == before
    assert built.repositories == demo / "repositories.txt"
    assert built.count == len(heads(demo))


def test_a_folder_out_of_date_is_made_anew_and_other_files_stay(tmp_path: Path) -> None:
    build(tmp_path, ("requests",))
    (tmp_path / "notes.txt").write_text("mine")
    built = build(tmp_path, ("click",))
    assert not (tmp_path / "remotes/psf").exists()
    assert built.count == len(heads(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {
        "remotes", "repositories.txt", "opt-out.txt", "benchmark.jsonl", "demo.json", "notes.txt",
    }  # fmt: skip


def test_a_build_that_was_cut_off_is_made_good(tmp_path: Path) -> None:
    build(tmp_path, ("certifi",))
    expected, stamp = heads(tmp_path), (tmp_path / "demo.json").read_text()
    shutil.rmtree(tmp_path / "remotes" / "certifi")
    (tmp_path / "demo.json").write_text(json.dumps({**json.loads(stamp), "digest": None}))
    build(tmp_path, ("certifi",))
    assert heads(tmp_path) == expected
    assert (tmp_path / "demo.json").read_text() == stamp


def test_settings_of_the_user_do_not_change_the_commits(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".gitconfig").write_text("[user]\n\tname = Someone\n[core]\n\tautocrlf = true\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    build(tmp_path / "demo", FEW)
    monkeypatch.delenv("GIT_DIR")
    assert heads(tmp_path / "demo") == heads(demo)


def test_real_repositories_carry_their_licence_and_readme_at_the_root(demo: Path) -> None:
    assert {b"LICENSE", b"NOTICE", b"README.md", b"requests/sessions.py"} <= set(tree(demo, "psf/requests"))
    assert b"Mozilla Public License" in show(demo, "certifi/python-certifi", "LICENSE")
    author = git("--git-dir", str(demo / "remotes/psf/requests.git"), "log", "--format=%an <%ae> %cn %ct")
    assert author == b"Demo <demo@example.invalid> Demo 1700000000\n"


def test_the_fork_is_a_near_copy_listed_after_its_original(demo: Path) -> None:
    listed = urls(demo / "repositories.txt")
    original, fork = (
        next(number for number, url in enumerate(listed) if url.endswith(f"/{repo}.git"))
        for repo in ("pallets/click", "forker/click")
    )
    assert original < fork
    assert set(tree(demo, "pallets/click")) == set(tree(demo, "forker/click"))
    assert show(demo, "pallets/click", "LICENSE.txt") == show(demo, "forker/click", "LICENSE.txt")
    changed = 0
    for path in (path.decode() for path in tree(demo, "pallets/click") if path.endswith(b".py")):
        before, after = show(demo, "pallets/click", path), show(demo, "forker/click", path)
        ast.parse(after)
        shared = set(before.splitlines()) & set(after.splitlines())
        assert len(shared) > 0.8 * len(set(before.splitlines()))
        changed += before != after
    assert changed >= 10


def test_licences_planted(demo: Path) -> None:
    assert b"GNU GENERAL PUBLIC LICENSE" in show(demo, "acme/gpl-tool", "COPYING")[:200]
    assert sorted(tree(demo, "acme/no-license")) == [b"README.md", b"src/transmogrify.c", b"transmogrify.py"]
    assert show(demo, "acme/mixed", "LICENSE").startswith(b"MIT License\n\nCopyright (c) 2023 Acme\n\nPermission is")
    assert show(demo, "acme/mixed", "third_party/slots/COPYING") == show(demo, "acme/gpl-tool", "COPYING")
    ast.parse(show(demo, "acme/no-license", "transmogrify.py"))


def test_personal_data_is_planted_and_does_not_stand_in_the_source_code(demo: Path) -> None:
    client, settings = show(demo, "acme/pii", "client.py"), show(demo, "acme/pii", "settings.py")
    for source in (client, settings, show(demo, "acme/pii", "deploy/key.py")):
        ast.parse(source)
    key = "-----BEGIN RSA PRIVATE " + "KEY-----"
    planted = [(client, "@northwind-orchards.com"), (client, "93.184.216" + ".34"), (settings, "AK" + "IA"),
               (settings, "gh" + "p_"), (show(demo, "acme/pii", "deploy/id_rsa.pem"), key)]  # fmt: skip
    assert [text for content, text in planted if text.encode() not in content] == []
    code = Path(build.__code__.co_filename).read_text()
    assert [text for text in ("AK" + "IA", "gh" + "p_", key, "93.184.216" + ".34") if text in code] == []


def test_odd_files_are_planted(demo: Path) -> None:
    modes = tree(demo, "acme/oddities")
    assert modes[b"src/link.py"] == b"120000"
    assert modes[b"vendor/library"] == b"160000"
    assert {"src/größe.py".encode(), b"src/caf\xe9.py"} <= set(modes)

    def odd(path: str) -> bytes:
        return show(demo, "acme/oddities", path)

    assert odd("src/link.py") == b"measure.py"
    assert odd("src/crlf.py").count(b"\r\n") == odd("src/crlf.py").count(b"\n") > 20
    assert "größer" in odd("src/latin1.py").decode("latin-1")
    with pytest.raises(UnicodeDecodeError):
        odd("src/latin1.py").decode()
    assert odd("src/bom.py").startswith(b"\xef\xbb\xbf#")
    assert odd("src/empty.py") == b""
    assert b"\n" not in odd("web/app.min.js")
    assert len(odd("web/app.min.js")) > 3_000
    assert b"auto-generated" in odd("include/config.h").splitlines()[0]
    assert len(max(odd("data/blob.py").splitlines(), key=len)) > 20_000
    assert odd("data/model.bin").startswith(b"version https://git-lfs.github.com/spec/v1\noid sha256:")
    assert len(odd("data/readings.json")) > 2_000_000
    assert odd("web/index.html").count(b"<") > 100


def test_opted_out_owner_and_repository_are_among_the_repositories(demo: Path) -> None:
    lines = (demo / "opt-out.txt").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["optedout", "pallets/markupsafe"]
    owned = [url for url in urls(demo / "repositories.txt") if "/optedout/" in url]
    assert [url.rsplit("/", 1)[1] for url in owned] == ["secret-sauce.git", "toolbox.git"]


def test_the_full_demo_is_large_enough_and_quick(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start = time.perf_counter()
    assert main([str(tmp_path)]) == 0
    assert time.perf_counter() - start < 60  # 5 s on an idle machine
    built = build(tmp_path)
    assert built.count >= 35
    assert built.files >= 2_000
    assert 15e6 < built.bytes < 40e6
    assert built.count == len(list((tmp_path / "remotes").glob("*/*.git")))
    assert f"{built.count} repositories" in capsys.readouterr().out
    varied = ("pytorch/pytorch", "numpy/numpy", "matplotlib/matplotlib", "lxml/lxml")
    suffixes = {path.rpartition(b".")[2] for repo in varied for path in tree(tmp_path, repo)}
    assert {b"py", b"pyi", b"h", b"c", b"cuh", b"cmake", b"pyx", b"js", b"css", b"html", b"md", b"f90"} <= suffixes
    assert b"so" not in suffixes
    assert b"pyc" not in suffixes
    assert any(url.endswith("/pallets/markupsafe.git") for url in urls(built.repositories))


@pytest.mark.parametrize(
    ("prepare", "packages", "message"),
    [
        (lambda folder: None, ("leftpad",), "knows no package 'leftpad'"),
        (lambda folder: (folder / "remotes").mkdir(parents=True), FEW, "was not made by the demo"),
        (lambda folder: folder.write_text("a file"), FEW, "is a file: name a folder"),
    ],
)
def test_what_a_user_gets_wrong_is_one_sentence(
    tmp_path: Path, prepare: Callable[[Path], object], packages: Sequence[str], message: str
) -> None:
    prepare(tmp_path / "demo")
    with pytest.raises(UsageError, match=message):
        build(tmp_path / "demo", packages)


def test_a_package_that_is_not_installed_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(demo_repositories.PACKAGES, "not-installed-here", Package("no/where"))
    assert build(tmp_path, ("certifi", "not-installed-here")).skipped == ("not-installed-here",)
    assert not [url for url in urls(tmp_path / "repositories.txt") if "/no/where" in url]


def test_too_few_installed_packages_stop_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo_repositories, "FEWEST_PACKAGES", 1_000)
    assert main([str(tmp_path / "demo")]) == 2
    assert "at least 1000 installed packages" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()


def test_without_git_the_error_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="install git"):
        build(tmp_path / "demo", ("certifi",))


def test_the_command_explains_its_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "python -m recipes.demo_repositories FOLDER" in capsys.readouterr().err

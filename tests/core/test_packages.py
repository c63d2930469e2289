"""Our top-level packages have plain names; nothing else that is installed may bring one of them."""

import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]


def our_packages() -> set[str]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        patterns = tomllib.load(file)["tool"]["setuptools"]["packages"]["find"]["include"]
    return {pattern.rstrip("*") for pattern in patterns}


def test_no_other_distribution_brings_our_names() -> None:
    ours = our_packages()
    assert "core" in ours
    clashes = {
        (distribution.name, top)
        for distribution in distributions()
        if distribution.name != "skvoz"
        for file in distribution.files or ()
        if (top := file.parts[0].removesuffix(".py")) in ours
    }
    assert clashes == set()


def test_locks_name_no_registry() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / lock).read_text(encoding="utf-8")
        assert "://" not in text
        assert "--index" not in text
        assert "--hash=sha256:" in text


def test_locks_agree() -> None:
    def pins(lock: str) -> set[str]:
        lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
        return {line.split(" ")[0] for line in lines if line[:1].isalnum()}

    assert pins("requirements.lock") <= pins("requirements-dev.lock")


@pytest.mark.parametrize(("lock", "extras"), [("requirements.lock", ()), ("requirements-dev.lock", ("dev",))])
def test_locks_hold_what_the_project_asks_for(lock: str, extras: tuple[str, ...]) -> None:
    """A dependency that was added without `make lock` would be missing from a clean installation."""
    pinned: dict[str, set[Version]] = {}
    for line in (ROOT / lock).read_text(encoding="utf-8").splitlines():
        if line[:1].isalnum():
            pin = Requirement(line.rstrip("\\ "))
            pinned.setdefault(canonicalize_name(pin.name), set()).update(
                Version(specifier.version) for specifier in pin.specifier
            )
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    wanted = [
        *project["dependencies"],
        *(line for extra in extras for line in project["optional-dependencies"][extra]),
    ]
    for line in wanted:
        requirement = Requirement(line)
        versions = pinned.get(canonicalize_name(requirement.name), set())
        assert versions, f"{requirement.name} isn't in {lock}; run make lock"
        assert all(version in requirement.specifier for version in versions), f"{line} isn't met by {lock}"

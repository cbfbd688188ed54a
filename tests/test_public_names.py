"""The public names are those of the list: whoever changes one sees it in the diff, and users in CHANGELOG.md."""

from __future__ import annotations

from tests import public_names


def test_the_public_names_are_those_of_the_list() -> None:
    listed = public_names.LIST.read_text(encoding="utf-8").splitlines()
    found = public_names.lines()
    new, gone = [line for line in found if line not in set(listed)], [line for line in listed if line not in set(found)]
    assert (new, gone) == ([], []), "meant? then  python -m tests.public_names  writes the list anew, and CHANGELOG.md says it"
    assert found == listed

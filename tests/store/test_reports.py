"""Reports of several studies of one name."""

from __future__ import annotations

import pytest

from toile.store import reports


def _write(folder, name, source):
    path = reports.place(folder, name, source)
    path.write_text(source)
    reports.note(path, source)
    return path


def test_studies_of_one_name_have_a_report_each_and_keep_it(tmp_path):
    folder, sources = tmp_path / "reports", [tmp_path / "a" / "shoes.toml", tmp_path / "b" / "shoes.toml"]
    folder.mkdir()
    for one in sources:
        one.parent.mkdir()
        one.write_text("")
    named = [str(one) for one in sources] + ["shoes"]  # a packaged one of that name too
    first = [_write(folder, "shoes", one) for one in named]
    assert first[0].name == "shoes.html" and len(set(first)) == 3
    assert [_write(folder, "shoes", one) for one in reversed(named)] == first[::-1]
    assert [path.read_text() for path in first] == named


def test_a_study_that_was_moved_takes_its_report_along(tmp_path):
    assert _write(tmp_path, "shoes", str(tmp_path / "gone.toml")) == _write(tmp_path, "shoes", str(tmp_path / "moved.toml"))


@pytest.mark.parametrize("content", ["", "[1]", "{"])
def test_what_cannot_be_read_stops_no_report(tmp_path, content):
    (tmp_path / reports.WRITTEN).write_text(content)
    (tmp_path / "shoes.html").write_text("")
    assert reports.place(tmp_path, "shoes", "shoes") == tmp_path / "shoes.html"

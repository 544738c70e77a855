"""The report in a real browser: it stands alone, shows everything, and fits a phone and a wide screen in both themes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.reports.fixture import MODELS, SWEPT, make_results
from toile.reports.page.html import render
from toile.reports.plots import PLOTS


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    file = folder / "report.html"
    plain = make_results(folder / "plain", models=MODELS + SWEPT)
    chosen = make_results(folder / "store", models=MODELS + SWEPT, chosen=True)
    named = [replace(one, name=f"{one.name}, chosen") for one in chosen.committees]
    file.write_text(render(replace(chosen, committees=(*plain.committees, *named))), encoding="utf-8")
    return file


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_report_in_a_browser(browser, report, width, theme):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)
    told, requested = [], []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda request: requested.append(request.url))
    page.goto(report.as_uri())

    assert told == []
    assert [url for url in requested if not url.startswith("data:")] == [report.as_uri()]

    for name in (*PLOTS, "samples", "disputed-images"):
        box = page.locator(f'[data-figure="{name}"]').bounding_box()
        assert box and box["width"] > 200 and box["height"] > 60, name
    for picture in page.locator("svg[data-picture]").all():
        box = picture.bounding_box()
        assert box["width"] > 150 and box["height"] > 80, picture.get_attribute("data-picture")
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")

    # Wide tables scroll in their own boxes; the page itself never does.
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    red = int(background.removeprefix("rgb(").split(",")[0])
    assert red > 240 if theme == "light" else red < 40
    series = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--series-1').trim()")
    ink = page.evaluate("getComputedStyle(document.querySelector('svg[data-picture] text')).fill")
    assert series and (int(ink.removeprefix("rgb(").split(",")[0]) < 130) == (theme == "light")
    page.close()

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

    # Searches have pictures of their own, which this study has not.
    for name in (*(one for one in PLOTS if not one.startswith("search-")), "samples", "disputed-images"):
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


def test_the_report_answers_to_the_hand(browser, report):
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    told = []
    page.on("pageerror", lambda error: told.append(str(error)))
    page.goto(report.as_uri())

    table = page.locator(".scroll > table", has_text="Models on the test images")
    head = table.locator("thead tr").last.locator("th").nth(1)
    cells = lambda: [float(row.locator("td").first.inner_text()) for row in table.locator("tbody tr").all()]  # noqa: E731
    before = cells()
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert cells() == sorted(before, reverse=True) and head.get_attribute("aria-sort") == "descending"
    head.locator("button").click()
    assert cells() == sorted(before) and head.get_attribute("aria-sort") == "ascending"

    figure = page.locator("#learning-curves")
    name = figure.locator(".legend button").first
    line = figure.locator("[data-line]").first
    assert line.is_visible()
    name.click()
    assert name.get_attribute("aria-pressed") == "false" and not line.is_visible()
    name.click()
    assert line.is_visible()

    cell = page.locator("#confusion-matrices [data-cell][role=button]").first
    cell.focus()
    page.keyboard.press("Enter")
    strip = page.locator(".strip.here")
    assert strip.is_visible() and strip.locator("img").get_attribute("alt") == cell.get_attribute("aria-label")
    assert page.locator("#accuracies g > g title").first.text_content().startswith("model-")
    assert told == []
    page.close()


def test_the_report_is_complete_without_its_script(browser, report):
    """The same words, tables and pictures, and no control that would do nothing."""
    texts = {}
    for on in (True, False):
        context = browser.new_context(java_script_enabled=on)
        page = context.new_page()
        page.goto(report.as_uri())
        texts[on] = " ".join(page.locator("main").inner_text().split())
        assert (page.locator("main button").count() > 0) == on
        context.close()
    assert texts[True] == texts[False]

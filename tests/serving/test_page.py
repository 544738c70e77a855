"""The page in a real browser: every way in, what it shows, on a phone and a desk, by day and by night, by keyboard alone."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from tests.serving.fixture import CLASSES, MEMBERS, Server, expected, metadata, png, sample, samples, serving, write_export


@pytest.fixture(scope="module")
def server(browser, tmp_path_factory) -> Iterator[Server]:
    export = write_export(tmp_path_factory.mktemp("export") / "quarters.onnx", with_samples=samples())
    with serving(export) as started:
        yield started


class Visit:
    """A page that was opened, with what it asked for and what the browser complained of."""

    def __init__(self, browser, address: str, width: int = 1440, theme: str = "light") -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)
        self.told, self.asked = [], []
        self.page.on("console", lambda message: self.told.append(message.text))
        self.page.on("pageerror", lambda error: self.told.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(address)
        self.page.wait_for_selector("body[data-ready]")

    def answer(self, name: str) -> None:
        """Wait until the page names this class."""
        self.page.wait_for_function("name => document.getElementById('class').textContent === name", arg=name)

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()


@pytest.fixture
def visit(browser, server) -> Iterator[Visit]:
    opened = Visit(browser, server.address)
    yield opened
    assert opened.told == []
    assert all(url.startswith((server.address, "blob:")) for url in opened.asked)
    opened.page.close()


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def give(visit: Visit, event: str, content: bytes, target: str = "document") -> None:
    """Drop or paste a PNG: the event that a browser makes of it, which a test cannot make with a real mouse."""
    visit.page.evaluate(
        """([event, content, target]) => {
          const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
          const data = new DataTransfer();
          data.items.add(new File([bytes], "given.png", { type: "image/png" }));
          const made = event === "paste" ? new ClipboardEvent(event, { clipboardData: data, bubbles: true })
            : new DragEvent(event, { dataTransfer: data, bubbles: true, cancelable: true });
          document.querySelector(target).dispatchEvent(made);
        }""",
        [event, base64.b64encode(content).decode(), target],
    )


def test_what_is_guessed_about_pictures_can_be_switched_off(visit):
    """A dark block on white paper, of another size: a picture that the model has not learned."""
    bright = np.full((60, 60, 1), 255, np.uint8)
    bright[35:50, 40:55] = 20
    give(visit, "drop", png(bright), "body")
    visit.page.wait_for_selector("#result:not([hidden])")
    assert "inverted, because its border is bright" in visit.text("#steps")
    assert "trimmed" in visit.text("#steps")
    assert visit.text("#as-is-line").strip() == (
        "Take it as it is The model knows light on dark: it inverts a picture that is not, and trims it."
    )
    visit.page.check("#as-is")
    visit.page.wait_for_function("() => !document.getElementById('steps').innerText.includes('inverted')")
    assert visit.text("#steps") == "resized from 60 x 60 to 28 x 28"
    visit.page.click("#explain")
    visit.page.wait_for_selector("#heat:not([hidden])")
    asked = [url for url in visit.asked if "as_is" in url]
    assert [url.endswith("as_is=true") for url in asked] == [False, True, True]


def test_it_says_what_it_serves(visit):
    assert visit.text("h1") == "three"
    assert visit.text("#model-line") == "A committee of 3 · 4 classes · quarters · right on 87.50 % of the test images"
    assert visit.page.title() == "three · toile"
    visit.page.click("summary")
    assert "by hand, 000000000000" in visit.text("#about")
    assert visit.page.locator("#result").is_hidden()


def test_a_picked_picture(visit, tmp_path):
    file = tmp_path / "corner.png"
    file.write_bytes(png(sample(1)))
    visit.page.set_input_files("#file", file)
    visit.answer("top right")
    probabilities, members = (one[0] for one in expected(sample(1)[None]))
    assert visit.text("#percent") == percent(probabilities[1])
    shown = [row.inner_text().split("\t") for row in visit.page.locator("#bars tbody tr").all()]
    assert shown[0][0] == "top right"
    assert {row[0]: row[-1] for row in shown} == {n: percent(p) for n, p in zip(CLASSES, probabilities, strict=True)}
    votes = [row.inner_text().split("\t") for row in visit.page.locator("#votes tr").all()]
    for vote, member, row in zip(votes, MEMBERS, members, strict=True):
        wanted = CLASSES[row.argmax()]
        assert vote[0] == member["name"]
        assert vote[1] == (wanted if wanted == "top right" else f"≠ {wanted}")
        assert vote[2:] == [percent(row.max()), percent(row[1])]
    assert visit.text("#sentence").startswith("2 of 3 members agree; upside down says bottom right")
    assert visit.page.locator("#chosen").get_attribute("alt") == "The chosen picture, corner.png"
    seen = visit.page.evaluate(
        "(c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data])(document.getElementById('seen'))"
    )
    np.testing.assert_array_equal(np.reshape(seen, (28, 28, 4))[:, :, :1], sample(1))
    assert visit.text("#steps") == "taken as it is"


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_picture_that_is_dropped_or_pasted(visit, event):
    give(visit, event, png(sample(2)), "body")
    visit.answer("bottom left")
    assert visit.page.locator("#chosen").is_visible()


def test_a_sample_and_what_mattered(visit):
    buttons = visit.page.locator("#sample-list button")
    assert buttons.count() == 10
    # The pictures come after the page says that it is ready: they are waited for.
    visit.page.wait_for_function(
        "() => [...document.querySelectorAll('#sample-list img')].every(i => i.complete && i.naturalWidth === 28)"
    )
    buttons.nth(3).click()
    visit.answer("bottom right")
    assert buttons.nth(3).get_attribute("aria-pressed") == "true"
    assert "The data set says bottom right, too." in visit.text("#sentence")
    assert visit.page.locator("#heat").is_hidden()
    visit.page.click("#explain")
    visit.page.wait_for_selector("#heat:not([hidden])")
    line = visit.text("#heat-line")
    assert line.startswith("The lower right matters most: covering parts of it lowers the probability of bottom right by ")
    assert re.search(r"by \d\.\d points on average\.$", line)
    assert visit.page.locator("#explain").get_attribute("aria-expanded") == "true"
    visit.page.click("#explain")
    assert visit.page.locator("#heat").is_hidden()
    buttons.nth(0).click()
    visit.answer("top left")
    assert buttons.nth(3).get_attribute("aria-pressed") == "false"


def test_a_drawing_by_mouse(visit):
    page = visit.page
    page.click("text=Draw")
    box = page.locator("#canvas").bounding_box()
    page.locator("#brush").fill("60")
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.8 * box["height"])
    page.mouse.down()
    for step in range(5):
        page.mouse.move(box["x"] + (0.25 + 0.02 * step) * box["width"], box["y"] + 0.75 * box["height"])
    page.mouse.up()
    page.wait_for_selector("#result:not([hidden])")
    assert "trimmed the margins" in visit.text("#steps")
    page.click("#clear")
    page.wait_for_selector("#empty:not([hidden])")
    assert page.locator("#result").is_hidden()


def test_a_drawing_by_keyboard_and_undo(visit):
    page = visit.page
    page.locator("input[value=draw]").focus()
    page.keyboard.press("Space")
    page.locator("#canvas").focus()
    for key in ("Space", *["ArrowRight"] * 5, "Space"):
        page.keyboard.press(key)
    page.wait_for_selector("#result:not([hidden])")
    page.click("#undo")
    page.wait_for_selector("#empty:not([hidden])")
    assert page.evaluate(
        "(c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.every((v, i) => v === (i % 4 === 3 ? 255 : 0)))"
        "(document.getElementById('canvas'))"
    )


def test_a_photo_of_a_phone_is_made_smaller_first(visit, tmp_path):
    large = np.zeros((2400, 3000, 1), np.uint8)
    large[1300:2300, 100:1400] = 200
    (tmp_path / "photo.png").write_bytes(png(large))
    visit.page.set_input_files("#file", tmp_path / "photo.png")
    visit.page.wait_for_selector("#result:not([hidden])")
    assert "made smaller in the browser, from 3000 x 2400 to 1024 x 819" in visit.text("#steps")


def test_what_is_no_picture(browser, server, tmp_path):
    visit = Visit(browser, server.address)
    visit.page.locator("#sample-list button").first.click()
    visit.answer("top left")
    (tmp_path / "notes.txt").write_text("no picture")
    visit.page.set_input_files("#file", tmp_path / "notes.txt")
    problem = visit.page.locator("[role=alert]")
    problem.wait_for(state="visible")
    assert (
        problem.inner_text().lower()
        == "the file is not a picture, or of another format; allowed: png, jpeg, gif, bmp, webp, tiff"
    )
    assert visit.page.locator("#result").is_hidden(), "an old answer beside a new problem would be the problem's answer"
    visit.page.locator("#sample-list button").first.click()
    problem.wait_for(state="hidden")
    visit.answer("top left")
    assert len(visit.told) == 1, "the browser's own line on the 422"
    visit.page.close()


def test_a_server_that_is_gone(browser, tmp_path):
    with serving(write_export(tmp_path / "quarters.onnx", with_samples=samples())) as started:
        visit = Visit(browser, started.address)
        visit.page.locator("#sample-list img").last.scroll_into_view_if_needed()
    visit.page.locator("#sample-list button").first.click()
    visit.page.locator("[role=alert]").wait_for(state="visible")
    assert visit.text("[role=alert]").lower() == "the server cannot be reached."
    visit.page.close()


def test_a_single_run_without_samples(browser, tmp_path):
    members = [{"name": "only", "fingerprint": "f" * 64, "architecture": "by hand"}] * 3
    about = metadata(kind="run", rule=None, members=members, metrics={})
    with serving(write_export(tmp_path / "run.onnx", about=about)) as started:
        visit = Visit(browser, started.address)
        assert visit.text("#model-line") == "One model · 4 classes · quarters"
        assert visit.page.locator("#samples").is_hidden()
        give(visit, "paste", png(sample(0)), "body")
        visit.answer("top left")
        assert visit.page.locator("#members").is_hidden()
        assert visit.text("#sentence") == ""
        assert visit.told == []
        visit.page.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_every_width_in_both_themes(browser, server, width, theme):
    visit = Visit(browser, server.address, width, theme)
    page = visit.page
    page.locator("#sample-list button").nth(1).click()
    visit.answer("top right")
    page.click("#explain")
    page.wait_for_selector("#legend:not([hidden])")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    red = int(background.removeprefix("rgb(").split(",")[0])
    assert red > 240 if theme == "light" else red < 40
    image, answer = (page.locator(one).bounding_box() for one in (".input", ".output"))
    assert (image["x"] + image["width"] <= answer["x"]) == (width == 1440), "beside each other where there is room"
    if width < 1440:
        assert page.evaluate("document.getElementById('answer').getBoundingClientRect().top") < 450, "scrolled to the answer"
    for control in page.locator("button:visible, .button:visible, .ways label:visible").all():
        assert min(control.bounding_box()["height"], control.bounding_box()["width"]) >= 24, "WCAG 2.2, 2.5.8"
    page.goto(f"{server.address}/docs")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert visit.told == []
    page.close()


CONTRASTS = """() => {
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (!colour.endsWith(", 0)") && colour !== "transparent") return colour;
    }
    return "rgb(255, 255, 255)";
  };
  return [...document.querySelectorAll("body *")]
    .filter((one) => one.checkVisibility() && [...one.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()))
    .filter((one) => !one.closest("[disabled], noscript"))
    .map((one) => {
      const [a, b] = [getComputedStyle(one).color, ground(one)].map(luminance);
      return [one.outerHTML.slice(0, 80), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
    });
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out(browser, server, theme):
    """WCAG 2.2, 1.4.3: at least 4.5 : 1."""
    visit = Visit(browser, server.address, theme=theme)
    visit.page.locator("#sample-list button").first.click()
    visit.answer("top left")
    found = visit.page.evaluate(CONTRASTS)
    assert len(found) > 30
    assert not [(text, round(ratio, 2)) for text, ratio in found if ratio < 4.5]
    visit.page.close()


def test_everything_has_a_name_and_headings_are_in_order(visit):
    page = visit.page
    page.locator("#sample-list button").first.click()
    visit.answer("top left")
    assert page.locator("html").get_attribute("lang") == "en"
    names = page.evaluate(
        """() => [...document.querySelectorAll("button, input, a, canvas:not([hidden]), [role=region], fieldset")]
          .map((one) => [one.outerHTML.slice(0, 60), (one.getAttribute("aria-label")
            || [...(one.labels ?? [])].map((label) => label.textContent).join(" ")
            || document.getElementById(one.getAttribute("aria-labelledby"))?.textContent
            || one.querySelector("legend")?.textContent || one.textContent || one.querySelector("img")?.alt || "").trim()])"""
    )
    assert len(names) > 15
    assert not [tag for tag, name in names if not name]
    assert page.evaluate("[...document.images].every(image => image.hidden || image.alt)")
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map(one => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    identifiers = page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(identifiers) == len(set(identifiers))
    assert page.locator("#said").inner_text().startswith("top left, ")
    assert page.locator("#said").get_attribute("role") == "status"


def test_the_tab_key_reaches_everything_in_the_order_of_the_page(visit):
    page = visit.page
    page.locator("#sample-list button").first.click()
    visit.answer("top left")
    reached = []
    page.evaluate("document.querySelector('.skip').focus()")
    for _ in range(24):
        reached.append(
            page.evaluate(
                """() => { const one = document.activeElement;
                  return one.id || one.className || one.getAttribute("href") || one.name || one.tagName; }"""
            )
        )
        page.keyboard.press("Tab")
    order = ["skip", "way", "file", "as-is", *["BUTTON"] * 10, "explain", "scroll", "SUMMARY", "/docs", "/v1/model", "/metrics"]
    assert reached[: len(order)] == order
    page.locator("#sample-list button").nth(1).focus()
    page.keyboard.press("Enter")
    visit.answer("top right")
    page.locator("#explain").focus()
    page.keyboard.press("Space")
    page.wait_for_selector("#heat:not([hidden])")


def test_reduced_motion_is_respected(browser, server):
    page = browser.new_page(reduced_motion="reduce")
    page.goto(server.address)
    page.wait_for_selector("body[data-ready]")
    page.locator("#sample-list button").first.click()
    page.wait_for_selector("#result:not([hidden])")
    assert page.evaluate("getComputedStyle(document.querySelector('.fill')).transitionDuration") in ("0s", "1e-05s")
    page.close()

"""The page in a real browser, while a study runs: what it shows, by mouse and keyboard, on phone and desk, light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.cli.fixture import TINY, stored_tiny
from tests.serving.test_page import Visit
from tests.viewer.fixture import at_work, checkpoint, everything, opened
from toile import api


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    return stored_tiny(tmp_path_factory.mktemp("tiny") / "store", skill=0.5)


@pytest.fixture(scope="module")
def address(browser, plan) -> Iterator[str]:
    before = everything(plan.store.root)
    with opened(plan.store.root, str(TINY)) as client:
        yield str(client.base_url)
    assert everything(plan.store.root) == before


@pytest.fixture
def visit(browser, address) -> Iterator[Visit]:
    made = Visit(browser, address)
    yield made
    assert made.told == []
    assert all(url.startswith(address) for url in made.asked), "no request leaves the page"
    made.page.close()


def go(visit: Visit, view: str) -> None:
    visit.page.evaluate("view => { location.hash = view }", view)
    visit.page.wait_for_selector(f"main .view-{view.partition('/')[0]}")


def test_all_runs_sorted_filtered_and_chosen(visit, plan):
    page = visit.page
    assert visit.text("#runs-found") == "2 of 2 runs"
    page.click("th[data-key=test_accuracy] button")
    shown = [float(cell.inner_text()) for cell in page.locator("tbody tr td:nth-child(4)").all()]
    accuracies = sorted((plan.run_of(one).metrics["test"]["accuracy"] for one in plan.trials[:2]), reverse=True)
    assert shown == [round(one, 4) for one in accuracies]
    assert page.locator("th[data-key=test_accuracy]").get_attribute("aria-sort") == "descending"
    page.click("th[data-key=test_accuracy] button")
    assert page.locator("th[data-key=test_accuracy]").get_attribute("aria-sort") == "ascending"
    page.fill("#filter", "mlp tiny")
    assert visit.text("#runs-found") == "1 of 2 runs"
    assert visit.text("tbody th a") == "perceptron"
    page.fill("#filter", "nothing of the kind")
    assert visit.text("#runs-found") == "0 of 2 runs"
    page.fill("#filter", "")
    page.select_option("#by-architecture", "cnn")
    assert visit.text("tbody th a") == "convolution"
    page.select_option("#by-architecture", "")
    for tick in page.locator("tbody input").all():
        tick.check()
    page.click("#tray >> text=Compare")
    page.wait_for_selector(".view-compare .lead")
    assert visit.text(".view-compare .lead").startswith(
        ("No difference is shown (p = ", "convolution is right", "perceptron is")
    )
    assert "McNemar" in visit.text(".note")
    page.click("text=Forget")
    assert page.locator("#tray").is_hidden()


def test_a_committee_is_compared_with_a_run_and_with_another(visit):
    page = visit.page
    go(visit, "study/tiny")
    page.locator(".committee a.button").first.click()
    page.wait_for_selector(".view-compare .lead")
    page.wait_for_selector("#side-1 optgroup[data-study=tiny]", state="attached")
    assert page.locator("#side-0").input_value() == "tiny~0" and "both right" in visit.text(".view-compare")
    assert [one.get_attribute("value") for one in page.locator("#side-1 optgroup[data-study=tiny] option").all()] == [
        "tiny~0",
        "tiny~1",
    ]
    page.select_option("#side-1", "tiny~1")
    page.wait_for_function("() => document.querySelector('.view-compare table').innerText.includes('weighed')")


def test_a_run_its_cells_and_mistakes(visit, plan):
    page, run = visit.page, plan.run_of(plan.trials[0])
    page.click("tbody th a >> text=perceptron")
    page.wait_for_selector(".view-run .matrix")
    assert visit.text("h1") == "perceptron"
    assert page.locator(".chart").count() == 2
    cell = page.locator(".cell.wrong").first
    count = int(cell.inner_text())
    cell.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".gallery img")
    assert page.locator(".gallery img").count() == count
    page.wait_for_function(
        "() => [...document.querySelectorAll('.gallery img')].every(i => i.complete && i.naturalWidth === 28)"
    )
    assert re.match(r"Test image \d+: \w+ taken for \w+, ", page.locator(".gallery img").first.get_attribute("alt"))
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.matches('.cell')"), "arrows go from cell to cell"
    page.click("text=Show its surest mistakes")
    page.wait_for_selector(".mistakes .gallery")
    wrong = round((1 - run.metrics["test"]["accuracy"]) * run.metrics["test"]["images"])
    assert visit.text(".mistakes h3").startswith(f"Mistakes: {wrong} image")
    page.click("summary >> text=The curves as figures")
    page.wait_for_selector("details table tbody tr")  # drawn when it is opened
    assert page.locator("details table tbody tr").count() == 2


def test_who_is_in_a_table_by_the_keyboard_stays_there_when_it_is_drawn_anew(visit):
    page = visit.page
    for place in ("tbody a >> nth=1", "tbody input >> nth=1"):
        page.locator(place).focus()
        before = page.evaluate("document.activeElement.outerHTML")
        page.evaluate("import('/web/store.js').then((store) => store.refresh())")
        assert page.evaluate("document.activeElement.outerHTML") == before
    go(visit, "study/tiny")
    page.locator(".committee button").first.click()
    page.wait_for_selector(".committee .matrix")
    page.evaluate("import('/web/store.js').then((store) => store.refresh())")
    assert page.locator(".committee .matrix").count() == 1, "what is open stays so"


def test_curves_over_each_other_and_a_line_put_away(visit, plan):
    go(visit, "curves/" + ",".join(one.fingerprint for one in plan.trials[:2]))
    page = visit.page
    assert page.locator(".chart .line").count() == 4
    page.click(".pick >> text=convolution")
    assert page.locator(".chart .line").count() == 2
    assert page.locator(".pick >> text=convolution").get_attribute("aria-pressed") == "false"


def test_a_study_its_committees_and_its_report(visit):
    go(visit, "studies")
    page = visit.page
    page.click("text=Two small models on digits")
    page.wait_for_selector(".view-study .committee")
    assert page.locator(".committee h3").all_inner_texts() == ["both", "weighed"]
    page.locator(".committee button").first.click()
    page.wait_for_selector(".committee .matrix")
    with page.context.expect_page() as opening:
        page.click(".view-study >> text=Report")
    report = opening.value
    report.wait_for_load_state()
    assert "Two small models on digits" in report.inner_text("h1")
    assert report.evaluate("origin") == "null", "it has no origin that could ask for anything"
    report.close()


def test_reports_that_are_opened_by_their_address_come_with_their_studies(browser, address):
    """They were drawn before the studies were known, and never again."""
    visit = Visit(browser, f"{address}/#reports")
    visit.page.wait_for_selector(".view-reports >> text=Two small models on digits")
    assert visit.told == []
    visit.page.close()


# Gives how many streams were closed by that.
LOOKED_AT = """(seen) => {
  let closed = 0;
  const close = EventSource.prototype.close;
  EventSource.prototype.close = function () { closed += this.readyState !== EventSource.CLOSED; close.call(this); };
  Object.defineProperty(document, "hidden", { value: !seen, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
  EventSource.prototype.close = close;
  return closed;
}"""


def test_what_runs_is_shown_while_it_runs(browser, tmp_path):
    """Begun, an epoch on, done: the page is told, and is never loaded again."""
    made = stored_tiny(tmp_path / "store")
    longer = api.plan(TINY, store=made.store.root, epochs_scale=0.5)
    planned = longer.trials[1]
    with opened(made.store.root, "--epochs-scale", "0.5", str(TINY)) as client:
        visit = Visit(browser, str(client.base_url))
        page = visit.page
        page.wait_for_function("() => document.getElementById('live-text').textContent === 'nothing is being trained'")
        go(visit, "now")
        with at_work(made.store, planned, 0):
            page.wait_for_selector("article.training")
            assert "in the first of 2 epochs" in visit.text(".pace")
            checkpoint(made.store, planned.fingerprint, 1)
            page.wait_for_selector("article.training .chart")
            assert visit.text(".pace").replace("\u00a0", " ") == "epoch 1 of 2 done · 2.00 s an epoch · at most 2.00 s left"
            assert visit.text("#count") == "1"
            # A tab that nobody looks at keeps no connection, of which a browser has few; it catches up when it is seen.
            assert page.evaluate(LOOKED_AT, False) == 1
            checkpoint(made.store, planned.fingerprint, 2)
            page.evaluate(LOOKED_AT, True)
            page.wait_for_function("() => document.querySelector('.pace').textContent.startsWith('epoch 2 of 2')")
        page.wait_for_function("() => document.querySelector('.pace').textContent.startsWith('interrupted')")
        go(visit, "study/tiny")
        assert page.locator("article.training").count() == 1

        def rests(route):
            told = route.fetch().json()
            next(one for one in told if one["reference"] == "tiny")["resting"] = [planned.fingerprint]
            route.fulfill(json=told)

        # What a search does not go on with now was not interrupted, in the view of its study either.
        page.route("**/v1/studies", rests)
        page.reload()
        page.wait_for_selector("body[data-ready]")
        page.wait_for_selector("article.training", state="detached")
        assert visit.told == []
        page.close()


def test_a_server_that_is_gone_is_said(browser, tmp_path):
    made = stored_tiny(tmp_path / "store")
    with opened(made.store.root) as client:
        visit = Visit(browser, str(client.base_url))
        visit.page.wait_for_function("() => document.getElementById('live-text').textContent === 'nothing is being trained'")
    visit.page.wait_for_function("() => document.getElementById('live-text').textContent.startsWith('connection lost')")
    visit.page.close()


def test_another_origin_cannot_read_it(browser, address, tmp_path):
    """A page from elsewhere tries all that a page can try."""
    (tmp_path / "evil.html").write_text("<!doctype html><title>evil</title>")
    page = browser.new_page()
    page.goto((tmp_path / "evil.html").as_uri())
    tried = page.evaluate(
        """async (address) => {
          const tell = (promise) => promise.then((found) => `got ${found}`, () => "refused");
          const image = (url) => new Promise((yes, no) => Object.assign(new Image(), { onload: yes, onerror: no, src: url }));
          const script = (url) => new Promise((yes, no) => document.head.append(
            Object.assign(document.createElement("script"), { onload: yes, onerror: no, src: url, type: "module" })));
          const events = (url) => new Promise((yes, no) => {
            Object.assign(new EventSource(url), { onmessage: yes, onopen: yes, onerror: no });
          });
          const frame = (url) => new Promise((yes, no) => {
            const made = Object.assign(document.createElement("iframe"), { src: url });
            made.onload = () => { try { made.contentDocument?.body.children.length ? yes() : no(); } catch { no(); } };
            document.body.append(made);
          });
          return Promise.all([
            tell(fetch(`${address}/v1/runs`).then((answer) => answer.text())),
            tell(fetch(`${address}/v1/runs`, { mode: "no-cors" })
              .then((answer) => answer.type === "opaque" ? Promise.reject() : 1)),
            tell(image(`${address}/web/icon.svg`)), tell(script(`${address}/web/dom.js`)), tell(events(`${address}/v1/events`)),
            tell(frame(`${address}/`)), tell(fetch(`${address}/v1/runs`, { method: "POST", body: "{}" }).then((a) => a.text())),
          ]);
        }""",
        address.rstrip("/"),
    )
    assert tried == ["refused"] * 7
    page.close()


# The least contrast of each text with what is behind it, half-transparent colours laid over each other.
CONTRASTS = """() => {
  const parsed = (colour) => {
    const numbers = colour.match(/[\\d.]+(e-\\d+)?/g).map(Number);
    const scale = colour.startsWith("color(") ? 255 : 1;
    return [...numbers.slice(0, 3).map((v) => scale * v), numbers[3] ?? 1];
  };
  const luminance = (colour) => colour.slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    if (!element) return [255, 255, 255, 1];
    const own = parsed(getComputedStyle(element).backgroundColor);
    if (own[3] === 1) return own;
    const behind = ground(element.parentElement);
    return [0, 1, 2].map((i) => own[3] * own[i] + (1 - own[3]) * behind[i]);
  };
  return [...document.querySelectorAll("body *")]
    .filter((one) => one.checkVisibility() && [...one.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()))
    .filter((one) => !one.closest("noscript, .hidden, [disabled]"))
    .map((one) => {
      const style = getComputedStyle(one);
      const [a, b] = [parsed(one instanceof SVGElement ? style.fill : style.color), ground(one)].map(luminance);
      return [one.outerHTML.slice(0, 80), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
    });
}"""
VIEWS = ("runs", "studies", "study/tiny", "now", "reports")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_every_view_at_every_width_in_both_themes(browser, address, plan, width, theme):
    visit = Visit(browser, address, width, theme)
    page = visit.page
    a, b = (one.fingerprint for one in plan.trials[:2])
    for view in (*VIEWS, f"run/{a}", f"compare/{a}/{b}", f"curves/{a},{b}"):
        go(visit, view)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view
        found = page.evaluate(CONTRASTS)
        assert len(found) > 8, view
        assert not [(text, round(ratio, 2)) for text, ratio in found if ratio < 4.5], view
        for control in page.locator("button:visible, .button:visible, nav a:visible").all():
            assert min(control.bounding_box()["height"], control.bounding_box()["width"]) >= 20, view
    red = int(page.evaluate("getComputedStyle(document.body).backgroundColor").removeprefix("rgb(").split(",")[0])
    assert red > 240 if theme == "light" else red < 40
    assert visit.told == []
    page.close()


def test_names_headings_and_the_tab_key(visit, plan):
    page = visit.page
    for view in (*VIEWS, f"run/{plan.trials[0].fingerprint}"):
        go(visit, view)
        names = page.evaluate(
            """() => [...document.querySelectorAll(
                "button, input, select, a, svg[role=img], [role=region], [role=progressbar]")]
              .filter((one) => one.checkVisibility())
              .map((one) => [one.outerHTML.slice(0, 60), (one.getAttribute("aria-label") || one.textContent
                || [...(one.labels ?? [])].map((label) => label.textContent).join(" ")).trim()])"""
        )
        assert len(names) > 5
        assert not [tag for tag, name in names if not name], view
        levels = page.evaluate("[...document.querySelectorAll('main h1, main h2, main h3')].map(one => Number(one.tagName[1]))")
        assert levels[0] == 1 and levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels)), view
        identifiers = page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
        assert len(identifiers) == len(set(identifiers))
    go(visit, "runs")
    page.evaluate("document.querySelector('.skip').focus()")
    reached = []
    for _ in range(10):
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.innerText.trim()"))
        page.keyboard.press("Tab")
    assert reached[:6] == ["Skip to the content", "toile", "Runs", "Studies", "Now", "Reports"]
    assert reached[6:10] == ["filter", "by-study", "by-architecture", "by-dataset"]

"""The site: built without a warning, with links that lead somewhere, and in a browser without a request to anybody else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.test_docs import PAGES, REPOSITORY


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    # The theme's advertisement of its successor is no warning of ours.
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    return folder


class Links(HTMLParser):
    """What a page links to, what it loads, and what can be linked to in it."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links, self.loaded, self.anchors = [], [], set()
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.anchors |= {found[name] for name in ("id", "name") if found.get(name)}
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        elif tag == "link" and found.get("rel") not in ("canonical", "next", "prev"):
            self.loaded.append(found["href"])
        elif found.get("src"):
            self.loaded.append(found["src"])


def pages(site: Path) -> list[Path]:
    return [page for page in sorted(site.rglob("*.html")) if page.name != "404.html"]


def test_every_page_is_in_it(site: Path) -> None:
    wanted = [page.relative_to(REPOSITORY) for page in PAGES] + [Path("CONTRIBUTING.md"), Path("CHANGELOG.md")]
    names = [path.with_name("index.html") if path.name == "README.md" else path.with_suffix(".html") for path in wanted]
    assert not [name for name in names if not (site / name).is_file()]
    shown = (site / "src" / "toile" / "workers" / "__init__.py.html").read_text("utf-8")
    assert "Keras fixes its backend when it is imported" in shown


def test_every_link_leads_somewhere(site: Path) -> None:
    known = {page.resolve(): Links(page) for page in pages(site)}
    for page, found in known.items():
        for link in found.links:
            parts = urlsplit(link)
            if parts.scheme:
                assert parts.scheme in ("https", "mailto"), link
                continue
            there = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            assert there.is_file(), f"{page.name}: {link}"
            anchor = unquote(parts.fragment)
            assert anchor in ("", "__skip") or there not in known or anchor in known[there].anchors, f"{page.name}: {link}"


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for page in pages(site):
        for address in Links(page).loaded:
            assert not urlsplit(address).netloc, f"{page.name}: {address}"
            assert (page.parent / unquote(urlsplit(address).path)).is_file(), f"{page.name}: {address}"


def test_tables_and_blocks_of_code_are_what_they_should_be(site: Path) -> None:
    """Markdown that GitHub shows and Python's Markdown does not: a table without an empty line before it, say."""
    for page in pages(site):
        text = re.sub(r"<(pre|code|script)\b.*?</\1>", "", page.read_text("utf-8"), flags=re.DOTALL)
        text = re.sub(r"<[^>]+>", "", text)
        assert "| ---" not in text and "```" not in text, page.name


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Of the site on a server, because a browser lets no file search another file."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_in_a_browser(browser, address: str, width: int, theme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)
    requested, errors = [], []
    page.on("request", lambda request: requested.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    for name in ("index.html", "docs/architecture.html", "docs/performance.html"):
        page.goto(f"{address}/{name}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)"), name
        red = int(page.evaluate("getComputedStyle(document.body).backgroundColor").removeprefix("rgb(").split(",")[0])
        assert red > 240 if theme == "light" else red < 60, name
    assert errors == []
    assert not [url for url in requested if not url.startswith((address, "data:", "blob:"))]
    page.close()


def test_the_site_can_be_searched(browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    # Asked for by the address: what is typed before the page's script listens would be heard by nobody.
    page.goto(f"{address}/index.html?q=how+toile+is+built")
    page.locator(".md-search-result__item a").first.wait_for()
    assert "docs/architecture.html" in " ".join(
        link.get_attribute("href") for link in page.locator(".md-search-result__item a").all()
    )
    page.close()

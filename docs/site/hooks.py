"""The site has the repository's tree, so that one link is right there and on GitHub.

MkDocs knows only what lies in docs/. Here its files get the paths that they have in the repository, and what they link to
outside docs/ joins them: Markdown as a page, a source file as a page that shows it.
"""

from __future__ import annotations

import re
from pathlib import Path
from posixpath import dirname, join, normpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
# A link to a source file: where it begins, and its path.
SOURCE = re.compile(r"(\]\()([^)#:\s]+\.(?:py|toml|j2))(?=\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The files of docs/ under the paths of the repository, and those beside them."""
    root = Path(config.config_file_path).parent
    theme = [file for file in files if file.src_dir != config.docs_dir]
    ours = [name for name in PAGES if (root / name).is_file()]
    ours += [f"docs/{file.src_uri}" for file in files if file.src_dir == config.docs_dir and not file.inclusion.is_excluded()]
    made = [File.generated(config, name, abs_src_path=str(root / name)) for name in ours]
    sources = {
        normpath(join(dirname(name), path))
        for name in ours if name.endswith(".md")
        for _, path in SOURCE.findall((root / name).read_text("utf-8"))
    }  # fmt: skip
    made += [File.generated(config, f"{path}.md", content=_shown(root, path)) for path in sorted(sources)]
    return Files([*theme, *made])


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """A link to a source file leads to the page that shows it."""
    return SOURCE.sub(r"\1\2.md", markdown)


def _shown(root: Path, path: str) -> str:
    language = {".py": "python", ".toml": "toml", ".j2": "jinja"}[Path(path).suffix]
    head = f"---\ntitle: {path}\nhide: [navigation, toc]\n---\n# `{path}`"
    return f"{head}\n\n~~~~~~~~{language}\n{(root / path).read_text('utf-8')}~~~~~~~~\n"

"""The page of what lies outside docs/, and the check that no page loads what is elsewhere."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
LOG = re.compile(r"\]\((\.\./)+LOG\.md\)")
LOADED = re.compile(r'<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)="?(https?:[^">\s]+)')

log = logging.getLogger("mkdocs.hooks.whole")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add LOG.md, which stands at the top of the repository, as the first page of docs/log."""
    text = (ROOT / "LOG.md").read_text(encoding="utf-8").replace("docs/log/", "")
    files.append(File.generated(config, "log/index.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to LOG.md to its page."""
    here = "../" * page.file.src_uri.count("/")
    return LOG.sub(f"]({here}log/index.md)", markdown)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Warn, which fails a strict build, of what a page would load from the network."""
    for address in LOADED.findall(output):
        place = page.file.src_uri
        log.warning("%s loads %s: pages must be read without a network", place, address)
    return output

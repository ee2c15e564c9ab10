"""Settings of Sphinx for the site of the documents, which `make docs` builds into var/docs.

The documents are taken as they are, with README.md as the first page. A link or an anchor that leads nowhere, and a
document that is not listed here, are warnings of Sphinx, which end the build.
"""

from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

project = "Client queue"
language = "en"
html_theme = "furo"
html_title = project
html_show_copyright = False
html_copy_source = False
html_extra_path = ["index.html"]

extensions = ["myst_parser"]
myst_heading_anchors = 4  # headings have the anchors that GitHub gives them

# The order of the pages, by title of the group.
PAGES = {
    "To begin with": ["docs/faq", "docs/how-it-works", "docs/tasks", "docs/testing", "docs/adopting"],
    "To run it": [
        *("docs/reference", "docs/operations", "docs/operations/kubernetes/README", "docs/operations/README"),
        "docs/operations/errors-and-traces",
    ],
    "Trust": ["docs/privacy", "SECURITY", "docs/asvs"],
    "Inside": [
        "docs/architecture",
        "docs/lifecycle",
        "docs/glossary",
        "docs/benchmarks",
        "docs/benchmarks-machines",
        "docs/speed",
        "docs/scale",
        "docs/accuracy",
    ],
    "The project": ["CONTRIBUTING", "CHANGELOG"],
}

root_doc = "README"
# The folder that is searched is the whole repository.
include_patterns = ["*.md", "docs/**.md"]
exclude_patterns = [path.name for path in Path(__file__).parents[2].iterdir() if path.is_dir() and path.name != "docs"]


def add_contents(app: Sphinx, document: str, source: list[str]) -> None:
    """Append the list of all pages to the first page: on GitHub it would be shown as code."""
    if document == root_doc:
        for title, pages in PAGES.items():
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n" + "\n".join(pages) + "\n```\n"


def setup(app: Sphinx) -> None:
    app.connect("source-read", add_contents)
    app.add_lexer("haproxy", TextLexer)  # Pygments does not know it

"""The HTML site: what its pages show, what they are called, and where they are written."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
from contrast import over, ratio
from projects import command, line_of, write_notebook

from ipycov import notebooks, site
from ipycov.analysis import CellAnalysis
from ipycov.cells import Cell
from ipycov.errors import CannotReport, NothingMeasured
from ipycov.folding import NotebookReporter
from ipycov.headings import headings
from ipycov.report import Report, ReportingCoverage, ReportOptions
from ipycov.reporters import CellReporter
from ipycov.results import ReportedFile, Results

F = "def f(x):\n    if x:\n        return (\n            1\n        )\n    return 2"


class Parsed(HTMLParser):
    """A page: its elements with their attributes, and its text by the id of the element."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "input"):
            self._open.append(dict(attrs).get("id") or "")

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for id in self._open:
            self.text[id] = self.text.get(id, "") + data

    def all(self, tag: str, name: str) -> list[str]:
        """The values of an attribute of all elements of a kind."""
        return [
            value for each, attrs in self.elements if each == tag and (value := attrs.get(name))
        ]

    def classes(self, id: str) -> set[str]:
        """The classes of the element with an id."""
        (found,) = [attrs for _, attrs in self.elements if attrs.get("id") == id]
        return set((found.get("class") or "").split())


class Site:
    """Notebooks, cells and modules with what ran of them, and the site written of them."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.cov = ReportingCoverage(config_file=False)
        self.files: list[ReportedFile] = []
        self.reporters: dict[str, Any] = {}

    def notebook(self, path: Path, ran: dict[str, Any] | None = None, name: str = "") -> None:
        """Add a notebook; `ran` are the sources of the lines that ran."""
        name = name or str(path.relative_to(self.base))
        reporter = NotebookReporter(notebooks.read(str(path)), name, self.cov.exclusions, {})
        lines = {line_of(path, source) for source in ran or ()}
        self.reporters[reporter.filename] = reporter
        self.files.append(ReportedFile(reporter.filename, lines, None, reporter.filename, -1))

    def cell(
        self,
        count: int,
        text: str,
        ran: set[int],
        arcs: Any = None,
        nested: int = 0,
        unmeasured: set[int] | None = None,
    ) -> None:
        """Add a cell, of which the lines `unmeasured` ran before measuring began."""
        cell = Cell(f"/nowhere/{count}_{nested}.py", text, count=count, nested=nested)
        analysis = CellAnalysis(text, cell.label, self.cov.exclusions)
        reporter = CellReporter(cell, str(self.base), analysis, frozenset(unmeasured or ()))
        self.reporters[reporter.filename] = reporter
        self.files.append(ReportedFile(reporter.filename, ran, arcs, cell.filename, 1))

    def module(self, name: str, text: str, ran: set[int]) -> None:
        path = self.base / name
        path.write_text(text)
        self.files.append(ReportedFile(str(path), ran, None, str(path), 1))

    def write(self, **options: Any) -> float:
        """Write the site to `out`; return the total."""
        results = Results(self.files, [], lambda file, line: [line])
        self.cov.use(results, self.reporters)
        return Report(self.cov, ReportOptions(**options)).write("html", "out")[1]

    def page(self, name: str) -> Parsed:
        return Parsed(self.base / "out" / name)

    def texts(self) -> Iterator[tuple[str, str]]:
        """The names and texts of the pages that are not coverage.py's."""
        for path in (self.base / "out").glob("*.html"):
            text = path.read_text(encoding="utf-8")
            if "by ipycov" in text:
                yield path.name, text


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.chdir(tmp_path)
    return Site(Path(os.getcwd()))


def with_headings(path: Path) -> Path:
    """Write a notebook whose third and sixth of seven cells hold code."""
    code, markdown = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    cells = [
        markdown("# Begin"),
        markdown("```\n# no heading\n```\n\nSetext\n---"),
        code("x = 1\ny = 2"),
        nbformat.v4.new_raw_cell("# raw"),
        markdown("## Middle"),
        code("if x == 2:\n    z = 1"),
        markdown("### End"),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_a_notebook_in_order(written: Site) -> None:
    """A notebook's page has its cells in order, with the headings of its markdown between them."""
    path = with_headings(written.base / "a.ipynb")
    written.notebook(path, {"x = 1": 1, "if x == 2:": 1})
    total = written.write()
    assert total == 50.0
    page = written.page("a.ipynb.html")
    shown = re.findall(
        r"Begin|Setext|Middle|End|no heading|raw|cell \d(?=</a>)",
        (written.base / "out/a.ipynb.html").read_text(),
    )
    assert shown == ["Begin", "Setext", "cell 3", "Middle", "cell 6", "End"]
    assert page.all("section", "id") == ["cell-3", "cell-6"]


def test_each_line_has_an_anchor_and_a_state(written: Site) -> None:
    """A line can be linked to, and says in a sign and a word what became of it."""
    written.notebook(with_headings(written.base / "a.ipynb"), {"x = 1": 1, "if x == 2:": 1})
    written.write()
    page = written.page("a.ipynb.html")
    lines = [id for id in page.all("div", "id") if "-L" in id]
    assert lines == ["cell-3-L1", "cell-3-L2", "cell-6-L1", "cell-6-L2"]
    assert {f"#{line}" for line in lines} <= set(page.all("a", "href"))
    assert page.text["cell-3-L1"] == "1>x = 1"
    assert page.text["cell-3-L2"] == "2!y = 2missed"
    assert "missing" in page.classes("cell-3-L2")
    assert "cell 3, line 2, missed" in page.all("a", "aria-label")


def test_partial_lines_in_words(written: Site) -> None:
    """A partial line says which way was never taken; lines that go on are as the first."""
    written.cell(3, F, {1, 2, 3}, {(-1, 1), (1, -1), (-1, 2), (2, 3), (3, -1)})
    written.write()
    page = written.page("In.html")
    assert page.text["cell-3-L2"].startswith("2~    if x:line 2 didn't jump to line 6 because")
    assert page.classes("cell-3-L2") == {"line", "partial"}
    assert page.classes("cell-3-L4") == {"line", "run", "goes-on"}
    assert page.text["cell-3-L4"] == "4            1"
    assert page.text["cell-3-L6"] == "6!    return 2missed"


def test_excluded_lines(written: Site) -> None:
    """An excluded line is told from one that ran."""
    written.cell(1, "x = 1\nif x:  # pragma: no cover\n    y = 1", {1})
    written.write()
    page = written.page("In.html")
    assert page.classes("cell-1-L3") == {"line", "excluded"}
    assert page.text["cell-1-L3"] == "3-    y = 1excluded"


def test_lines_that_ran_before_measuring(written: Site) -> None:
    """They are told from lines that are left out, and counted apart."""
    text = "from os import (\n    path,\n)\ndef f():\n    return 1"
    written.cell(1, text, {5}, unmeasured={1, 4})
    written.cell(2, "x = 1  # pragma: no cover", set())
    written.write()
    page = written.page("In.html")
    assert page.classes("cell-1-L1") == {"line", "before"}
    assert page.text["cell-1-L1"].endswith("ran before measuring")
    assert page.text["cell-1-L4"].startswith("4:")
    assert page.classes("cell-1-L2") == {"line", "before", "goes-on"}
    assert "ran before" not in page.text["cell-1-L2"]
    assert page.classes("cell-2-L1") == {"line", "excluded"}
    assert "100% of 1 statement, 2 lines ran before measuring" in page.text["cell-1"]
    html = (written.base / "out/In.html").read_text()
    assert "not counted: 2 lines that ran before measuring" in html
    assert '<li class="before"><span class="sign">:</span> ran before measuring</li>' in html


def test_all_of_a_cell_ran_before_measuring(written: Site) -> None:
    """A cell without lines to count says why; a site without such lines has no sign for them."""
    written.cell(1, "import os", set(), unmeasured={1})
    written.write()
    assert "no statements" not in written.page("In.html").text["cell-1"]
    written.files.clear()
    written.cell(1, "import os", {1})
    written.write()
    assert "before measuring" not in (written.base / "out/In.html").read_text()


STATES = ("run", "missing", "partial", "excluded", "before")


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_colours_of_states_can_be_read(scheme: str) -> None:
    """Signs and words have a contrast of 4.5 and more on their lines, and so has the source."""
    css = (Path(site.__file__).parent / "templates/site.css").read_text()
    light, dark, printed = re.findall(r":root \{(.*?)\}", css, flags=re.S)
    block = {"light": light, "dark": dark, "print": printed}[scheme]
    rgb = {name: over(value, ()) for name, value in re.findall(r"--([\w-]+): (#\w{6})", block)}
    for state in STATES:
        back = rgb.get(f"{state}-back", rgb["page"])
        for name in (state, "text", "quiet", "key", "str", "num", "com"):
            assert ratio(rgb[name], back) >= 4.5, f"{name} on {state}"


def test_the_index(written: Site) -> None:
    """The index lists notebooks, their cells, cells of sessions and modules, each with a link."""
    written.notebook(with_headings(written.base / "a.ipynb"), {"x = 1": 1})
    written.cell(2, "x = 1", {1})
    written.cell(2, "y = 1", {1}, nested=1)
    written.module("lib.py", "x = 1\n", {1})
    written.write()
    page = written.page("index.html")
    links = [link for link in page.all("a", "href") if not link.startswith("#")]
    assert sorted(links) == sorted(
        [
            *("a.ipynb.html", "a.ipynb.html#cell-3", "a.ipynb.html#cell-6"),
            *("In.html#cell-2", "In.html#cell-2.1", "lib_py.html"),
            *("function_index.html", "class_index.html"),
        ]
    )
    for link in links:
        name, _, anchor = link.partition("#")
        assert (written.base / "out" / name).exists()
        assert not anchor or anchor in written.page(name).all("section", "id")


def test_modules_are_coverage_pys_own(written: Site) -> None:
    """A module's page is the one that coverage.py writes, and leads back to the index."""
    written.module("lib.py", "x = 1\nif x == 2:\n    y = 1\n", {1, 2})
    written.write()
    text = (written.base / "out/lib_py.html").read_text()
    assert "coverage.py" in text
    assert 'href="index.html"' in text
    assert "by ipycov" in (written.base / "out/index.html").read_text()


HOSTILE = [
    ("markup", "x = '</code></div><script>alert(1)</script><img src=x onerror=alert(1)>'"),
    ("template", "x = '{{ 7 * 7 }}{% endblock %}'"),
    ("control", "x = '\x1b[31m\x07'  # \x00"),
    ("bidi", "x = '\u202e\u2066'"),
    ("broken", "def f(:\n  <script>alert(1)</script>"),
    ("wide", "x = '" + "<b>" * 350_000 + "'"),
]


@pytest.mark.parametrize(("kind", "text"), HOSTILE, ids=[kind for kind, _ in HOSTILE])
def test_hostile_source_is_text(written: Site, kind: str, text: str) -> None:
    """Whatever a cell, a heading or a name holds is shown as text."""
    name = "<img src=x>.ipynb"
    path = written.base / name
    cells = [nbformat.v4.new_markdown_cell(f"# {text[:200]}"), nbformat.v4.new_code_cell(text)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    written.notebook(path)
    written.module("lib.py", "x = 1\n", {1})
    written.write()
    pages = dict(written.texts())
    assert set(pages) == {"index.html", "img_src_x_.ipynb.html"}
    for page in pages.values():
        assert not re.search(r"<(img|b)\b|<script>alert", page)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", page)
    shown = written.page("img_src_x_.ipynb.html").text["cell-2-L1"]
    assert {
        "control": "\\x1b[31m\\x07",
        "bidi": "\\u202e\\u2066",
        "template": "{{ 7 * 7 }}",
    }.get(kind, text.partition("\n")[0]) in shown


def test_nothing_from_elsewhere(written: Site) -> None:
    """No page of ours asks for another file or a network, and what may run is said in it."""
    written.notebook(with_headings(written.base / "a.ipynb"))
    written.write()
    for name, text in written.texts():
        page = written.page(name)
        assert not page.all("script", "src") + page.all("img", "src")
        assert page.all("link", "href") == ["data:,"]
        assert not re.search(r"https?:|@import|url\(", text)
        assert "default-src 'none'" in text
        assert len(page.all("html", "lang")) == 1


NAMES = [
    ("a.ipynb", "a.ipynb.html"),
    ("sub/a.ipynb", "sub_a.ipynb.html"),
    ("../../etc/a.ipynb", "etc_a.ipynb.html"),
    ("/etc/a.ipynb", "etc_a.ipynb.html"),
    (r"..\a.ipynb", "a.ipynb.html"),
    ("a b\x00\n.ipynb", "a_b__.ipynb.html"),
    ("\u202eé.ipynb", "é.ipynb.html"),
    ("..", "page.html"),
    ("In", "In.html"),
]


@pytest.mark.parametrize(("name", "page"), NAMES, ids=[repr(name) for name, _ in NAMES])
def test_names_of_pages(name: str, page: str) -> None:
    """A page's name is one part of a path, whatever its notebook is called."""
    assert site.file_name(name, set()) == page


def test_no_page_has_the_name_of_another() -> None:
    """Names that come out alike are told apart, also where case makes no difference."""
    taken = {"index.html"}
    names = ("a/b.ipynb", "a_b.ipynb", "A/B.ipynb", "index", "x" * 500, "x" * 501)
    given = [site.file_name(name, taken) for name in names]
    assert given[:4] == ["a_b.ipynb.html", "a_b.ipynb_2.html", "A_B.ipynb_3.html", "index_2.html"]
    assert len({name.casefold() for name in given}) == len(given)
    assert max(map(len, given)) < 80


def test_a_path_never_leads_outside(written: Site) -> None:
    """A notebook from elsewhere gets its page in the directory, and nowhere else."""
    path = write_notebook(written.base / "elsewhere/a.ipynb", "x = 1")
    written.notebook(path, name="../../../elsewhere/a.ipynb")
    before = {each for each in written.base.rglob("*") if "out" not in each.parts}
    written.write()
    assert {each for each in written.base.rglob("*") if "out" not in each.parts} == before
    assert (written.base / "out/elsewhere_a.ipynb.html").exists()


def test_a_site_that_fails_changes_nothing(written: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A site that can't be made leaves the one that was there, and no directory where none was."""
    written.cell(1, "x = 1", {1})

    def fails(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(site._Templates, "write", fails)
    with pytest.raises(CannotReport, match="No space left"):
        written.write()
    assert not (written.base / "out").exists()
    monkeypatch.undo()
    monkeypatch.chdir(written.base)
    written.write()
    (written.base / "out/mine.txt").write_text("mine")
    before = {path: path.read_bytes() for path in (written.base / "out").iterdir()}
    monkeypatch.setattr(site._Templates, "write", fails)
    with pytest.raises(CannotReport, match="No space left"):
        written.write()
    assert {path: path.read_bytes() for path in (written.base / "out").iterdir()} == before


def test_other_files_stay(written: Site) -> None:
    """What else is in the directory stays and git sees it as before; a new one is kept from git."""
    written.cell(1, "x = 1", {1})
    written.module("lib.py", "x = 1\n", {1})
    written.write()
    assert "*" in (written.base / "out/.gitignore").read_text()
    (written.base / "out/.gitignore").unlink()
    (written.base / "out/mine.txt").write_text("mine")
    written.write()
    assert (written.base / "out/mine.txt").read_text() == "mine"
    assert not (written.base / "out/.gitignore").exists()
    assert not list((written.base / "out").glob(".ipycov*"))


def test_a_link_in_the_directory_is_replaced(written: Site) -> None:
    """A link that stands where a page goes is replaced, not written through."""
    written.cell(1, "x = 1", {1})
    (written.base / "target").write_text("old")
    (written.base / "out").mkdir()
    (written.base / "out/index.html").symlink_to(written.base / "target")
    written.write()
    assert (written.base / "target").read_text() == "old"
    assert "by ipycov" in (written.base / "out/index.html").read_text()


def test_options(written: Site) -> None:
    """--skip-covered, --omit and --precision hold in the site as in other reports."""
    written.cell(1, "x = 1", {1})
    written.cell(2, "x = 1\nif x == 2:\n    y = 1", {1, 2})
    written.module("lib.py", "x = 1\n", {1})
    total = written.write(skip_covered=True, precision=2)
    index = (written.base / "out/index.html").read_text()
    assert total == 80.0
    assert "In[2]" in index
    assert "In[1]" not in index
    assert "80.00%" in index
    assert "2 files are counted in the total and not listed" in index
    written.write(omit=("*.py",))
    assert "lib_py.html" not in (written.base / "out/index.html").read_text()
    with pytest.raises(NothingMeasured):
        written.write(include=("nothing",))


def test_titles_and_styles_of_the_configuration(written: Site) -> None:
    """coverage.py's own options for the title and a style sheet hold."""
    (written.base / "extra.css").write_text("h1 { color: teal } /* </style> */")
    (written.base / ".coveragerc").write_text("[html]\ntitle = <b>Mine\nextra_css = extra.css\n")
    written.cov = ReportingCoverage(config_file=".coveragerc")
    written.cell(1, "x = 1", {1})
    written.write()
    index = (written.base / "out/index.html").read_text()
    assert "<h1>&lt;b&gt;Mine</h1>" in index
    assert "h1 { color: teal }" in index
    assert index.count("</style>") == 1


def test_contexts(written: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --show-contexts each line says which cells ran it."""
    written.cell(1, F, {1, 2, 3})
    monkeypatch.setattr(
        Results, "contexts_by_lineno", lambda self, name: {2: ["In[1]", "In[2]"], 4: ["In[2]"]}
    )
    written.write(show_contexts=True)
    assert written.page("In.html").text["cell-1-L2"].endswith("ran in In[1], In[2]")
    written.write()
    assert "ran in" not in (written.base / "out/In.html").read_text()


def test_without_jinja(written: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Jinja2 is missing coverage.py's own site is written, and one line says so."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    written.cell(1, "x = 1", {1})
    results = Results(written.files, [], lambda file, line: [line])
    written.cov.use(results, written.reporters)
    report = Report(written.cov, ReportOptions())
    assert report.write("html", "out") == ("out", 100.0)
    assert "coverage.py" in (written.base / "out/index.html").read_text()
    assert report.notes == [site.WITHOUT_JINJA]
    assert ".[html]" in site.WITHOUT_JINJA


def test_a_run_writes_the_site(tmp_path: Path) -> None:
    """`ipycov run --html` writes a page for each notebook, whose cells say what ran them."""
    write_notebook(tmp_path / "a.ipynb", "x = 1", "if x == 2:\n    y = 1", "1 / 0", "z = 1")
    write_notebook(tmp_path / "sub/a.ipynb", "x = 1")
    command("ipycov", "run", ".", "--branch", "--html", "out", cwd=tmp_path, code=1)
    page = Parsed(tmp_path / "out/a.ipynb.html")
    assert "ran as In[2]" in page.text["cell-2"]
    assert "line 1 didn't jump to line 2 because" in page.text["cell-2-L1"]
    assert "did not run" in page.text["cell-4"]
    assert (tmp_path / "out/sub_a.ipynb.html").exists()


MARKDOWN = [
    ("# A #\n## B", [(1, "A"), (2, "B")]),
    ("A\n===\nB\n---", [(1, "A"), (2, "B")]),
    ("#A\n####### B\n#\n    # C", []),
    ("~~~\n# A\n```\n~~~\n# B", [(1, "B")]),
    ("- A\n---\n\n---\n> B\n===", []),
]


@pytest.mark.parametrize(("markdown", "found"), MARKDOWN)
def test_headings(markdown: str, found: list[tuple[int, str]]) -> None:
    """Headings are found by CommonMark's rules, and none in code."""
    assert [(each.level, each.text) for each in headings(7, markdown)] == found


SPANS = [
    ("`f(*a)`, **b c** and _d_", [("f(*a)", True), (", b c and d", False)]),
    ("``a`b`` snake_case_name 2 * 3 * 4", [("a`b", True), (" snake_case_name 2 * 3 * 4", False)]),
    ('<a id="x"></a>[A](http://b) a < b', [("A a < b", False)]),
    ("`a **b *", [("`a **b *", False)]),
    ('<a id="x"></a>', []),
    ("_a " * 100_000, [("_a " * 99_999 + "_a", False)]),
]


@pytest.mark.parametrize(("markdown", "spans"), SPANS)
def test_a_heading_as_it_reads(markdown: str, spans: list[tuple[str, bool]]) -> None:
    """A heading has its code as code, and no marks of emphasis, links or anchors."""
    (heading,) = headings(7, "# " + markdown)
    assert heading.spans == spans

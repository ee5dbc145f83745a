"""What was measured, under the names that reports use."""

from __future__ import annotations

from coverage import CoverageData

from ipycov.results import PART, Collected, ReportedFile, Results, collected_in


def data(**contexts: dict[str, object]) -> CoverageData:
    """Data in memory: for each context, the lines or arcs of files."""
    held = CoverageData(no_disk=True)
    for context, files in contexts.items():
        held.set_context(context)
        for name, measured in files.items():
            assert isinstance(measured, list)
            if measured and isinstance(measured[0], tuple):
                held.add_arcs({name: measured})
            else:
                held.add_lines({name: measured})
    return held


def test_what_was_added_has_a_version() -> None:
    """A file gets a new version with all that is added to it, the others keep theirs."""
    collected = Collected()
    collected.add("x.py", [1], None)
    collected.add("y.py", [1], None)
    files = collected.files()
    first, other = files["x.py"].version, files["y.py"].version
    collected.add("x.py", [2], None)
    assert files["x.py"].lines == {1, 2}
    assert files["x.py"].version > other > first > 0
    assert files["y.py"].version == other


def test_no_version_is_had_twice() -> None:
    """What is measured after erasing can't be taken for what was measured before."""
    versions = []
    for _ in range(2):
        collected = Collected()
        collected.add("x.py", [1], None)
        versions.append(collected.files()["x.py"].version)
    assert versions[0] < versions[1]


def test_lines_and_arcs_come_together() -> None:
    """Data of lines and data of branches of one file add up."""
    collected = Collected()
    collected.add("x.py", [1, 2], None)
    collected.add("x.py", [1, 3], [(1, 3), (3, -1)])
    assert collected.files()["x.py"].lines == {1, 2, 3}
    assert collected.files()["x.py"].arcs == {(1, 3), (3, -1)}


def test_without_branches_there_are_no_arcs() -> None:
    """A file whose branches were not measured has None, not none, of them."""
    collected = Collected()
    collected.add("x.py", [1], None)
    collected.touch(["never.py"], branch=False)
    collected.touch(["branches.py"], branch=True)
    arcs = {name: file.arcs for name, file in collected.files().items()}
    assert arcs == {"x.py": None, "never.py": None, "branches.py": set()}


def test_touching_keeps_what_ran() -> None:
    """A file that ran stays as it is when it is named as one that could have run."""
    collected = Collected()
    collected.add("x.py", [1], None)
    collected.touch(["x.py"], branch=True)
    assert collected.files()["x.py"].lines == {1}


def test_what_some_contexts_ran() -> None:
    """The lines of some contexts are read, and the data is left open to all."""
    held = data(**{"In[1]": {"x.py": [1]}, "In[11]": {"x.py": [2]}})
    assert collected_in(held, {"x.py"}, ["In[1]"]).files()["x.py"].lines == {1}
    assert sorted(held.lines("x.py") or []) == [1, 2]


def results() -> Results:
    held = data(**{"In[10]": {"raw": [1, 2]}, "In[2]": {"raw": [1]}, f"In[3]{PART}7": {"raw": [2]}})
    files = [
        ReportedFile("In[2]", {1, 2}, {(1, 2)}, "raw", 1),
        ReportedFile("a.py", {5}, None, "a.py", 1),
    ]
    return Results(files, [held], lambda file, line: [line + 10])


def test_results_are_read_like_data() -> None:
    """coverage.py's reporters find lines, arcs and names as in a data file."""
    found = results()
    assert found
    assert found.measured_files() == {"In[2]", "a.py"}
    assert sorted(found.lines("In[2]") or []) == [1, 2]
    assert found.arcs("In[2]") == [(1, 2)]
    assert found.lines("b.py") is None
    assert found.arcs("b.py") is None
    assert found.file_tracer("b.py") is None
    assert found.has_arcs()
    assert not Results([], [], lambda file, line: [])


def test_a_file_without_branches_beside_one_with() -> None:
    """A file whose branches were not measured is analysed by its lines."""
    found = results()
    assert found.for_file("In[2]").has_arcs()
    assert not found.for_file("a.py").has_arcs()
    assert found.for_file("a.py").lines("a.py") == [5]


def test_contexts_are_cells() -> None:
    """Contexts come as cells in the order of their counts, on the lines that are reported."""
    found = results()
    assert found.contexts_by_lineno("In[2]") == {
        11: ["In[2]", "In[10]"],
        12: ["In[3]", "In[10]"],
    }
    assert found.measured_contexts() == {"In[2]", "In[3]", "In[10]"}

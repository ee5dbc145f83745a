"""The colours of what a notebook shows: those of its theme, and others where there is none.

Each has a short name, which elements use as a custom property of CSS: a view declares them once.
The variables are those of JupyterLab, then of VS Code, chosen so that each theme's own light and
dark values can be read on its own background.
"""

from __future__ import annotations

from typing import NamedTuple


class Colour(NamedTuple):
    """A theme's variables, the first that is set wins, and the colours where none is."""

    variables: tuple[str, ...]
    light: str
    dark: str

    @property
    def css(self) -> str:
        """The colour as a value of CSS."""
        value = f"light-dark({self.light},{self.dark})"
        for variable in reversed(self.variables):
            value = f"var({variable},{value})"
        return value


#: What everything stands on.
BACKGROUND = {
    "bg": Colour(("--jp-layout-color0", "--vscode-editor-background"), "#ffffff", "#111111"),
}

#: The colours of text: each has a contrast of at least 4.5 with the background, as WCAG AA asks.
TEXT = {
    "fg": Colour(("--jp-content-font-color1", "--vscode-editor-foreground"), "#1f1f1f", "#e0e0e0"),
    # JupyterLab's own colour of comments can't be read well in the dark
    "q": Colour(("--jp-ui-font-color2", "--vscode-descriptionForeground"), "#666666", "#a0a0a0"),
    "k": Colour(
        ("--jp-mirror-editor-keyword-color", "--vscode-debugTokenExpression-boolean"),
        "#006b00",
        "#4caf50",
    ),
    "d": Colour(
        ("--jp-mirror-editor-def-color", "--vscode-debugTokenExpression-name"),
        "#0000dd",
        "#6cb0ff",
    ),
    "s": Colour(
        ("--jp-mirror-editor-string-color", "--vscode-debugTokenExpression-string"),
        "#ba2121",
        "#ff7070",
    ),
    "n": Colour(
        ("--jp-mirror-editor-number-color", "--vscode-debugTokenExpression-number"),
        "#006b00",
        "#66bb6a",
    ),
    "o": Colour(
        ("--jp-mirror-editor-operator-color", "--vscode-editor-foreground"), "#7800c2", "#d48fff"
    ),
    "b": Colour(
        ("--jp-mirror-editor-builtin-color", "--vscode-debugTokenExpression-name"),
        "#006b00",
        "#43a047",
    ),
    "m": Colour(("--jp-error-color1", "--vscode-errorForeground"), "#b71c1c", "#ff7b72"),
}

#: The colours of marks that repeat what is said in words: a contrast of at least 3.
MARKS = {
    "r": Colour(("--jp-success-color0", "--vscode-charts-green"), "#2e7d32", "#4caf50"),
    "p": Colour(("--jp-warn-color0", "--vscode-editorWarning-foreground"), "#c25700", "#ffa726"),
}

#: The declarations that a view's outermost element has in its style.
DECLARED = ";".join(
    f"--{name}:{colour.css}" for name, colour in (BACKGROUND | TEXT | MARKS).items()
)

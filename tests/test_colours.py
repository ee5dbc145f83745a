"""Colours can be read in light and dark: the contrast of WCAG AA, computed."""

from __future__ import annotations

import pytest
from contrast import over, ratio

from ipycov.colours import BACKGROUND, DECLARED, MARKS, TEXT, Colour

#: What themes set the variables to: JupyterLab 4's light and dark, VS Code's light and dark modern.
THEMES = {
    "jupyterlab light": {
        "--jp-layout-color0": "#ffffff",
        "--jp-content-font-color1": "rgba(0,0,0,.87)",
        "--jp-ui-font-color2": "rgba(0,0,0,.54)",
        "--jp-mirror-editor-keyword-color": "#008000",
        "--jp-mirror-editor-def-color": "#0000ff",
        "--jp-mirror-editor-string-color": "#ba2121",
        "--jp-mirror-editor-number-color": "#008800",
        "--jp-mirror-editor-operator-color": "#7800c2",
        "--jp-mirror-editor-builtin-color": "#008000",
        "--jp-error-color1": "#d32f2f",
        "--jp-success-color0": "#1b5e20",
        "--jp-warn-color0": "#e65100",
    },
    "jupyterlab dark": {
        "--jp-layout-color0": "#111111",
        "--jp-content-font-color1": "#ffffff",
        "--jp-ui-font-color2": "rgba(255,255,255,.54)",
        "--jp-mirror-editor-keyword-color": "#4caf50",
        "--jp-mirror-editor-def-color": "#1e88e5",
        "--jp-mirror-editor-string-color": "#ff7070",
        "--jp-mirror-editor-number-color": "#66bb6a",
        "--jp-mirror-editor-operator-color": "#d48fff",
        "--jp-mirror-editor-builtin-color": "#43a047",
        "--jp-error-color1": "#f44336",
        "--jp-success-color0": "#388e3c",
        "--jp-warn-color0": "#f57c00",
    },
    "vs code light": {
        "--vscode-editor-background": "#ffffff",
        "--vscode-editor-foreground": "#3b3b3b",
        "--vscode-descriptionForeground": "#3b3b3b",
        "--vscode-debugTokenExpression-boolean": "#0000ff",
        "--vscode-debugTokenExpression-name": "#9b46b0",
        "--vscode-debugTokenExpression-string": "#a31515",
        "--vscode-debugTokenExpression-number": "#098658",
        "--vscode-errorForeground": "#a1260d",
        "--vscode-charts-green": "#388a34",
        "--vscode-editorWarning-foreground": "#bf8803",
    },
    "vs code dark": {
        "--vscode-editor-background": "#1f1f1f",
        "--vscode-editor-foreground": "#cccccc",
        "--vscode-descriptionForeground": "#9d9d9d",
        "--vscode-debugTokenExpression-boolean": "#4e94ce",
        "--vscode-debugTokenExpression-name": "#c586c0",
        "--vscode-debugTokenExpression-string": "#ce9178",
        "--vscode-debugTokenExpression-number": "#b5cea8",
        "--vscode-errorForeground": "#f48771",
        "--vscode-charts-green": "#89d185",
        "--vscode-editorWarning-foreground": "#cca700",
    },
    "no theme, light": {},
    "no theme, dark": {},
}


def shown(colour: Colour, theme: str) -> str:
    """The colour that a front end takes: that of the first variable that its theme sets."""
    values = THEMES[theme]
    fallback = colour.dark if "dark" in theme else colour.light
    return next((values[name] for name in colour.variables if name in values), fallback)


def contrast(colour: Colour, theme: str) -> float:
    background = over(shown(BACKGROUND["bg"], theme), ())
    return ratio(over(shown(colour, theme), background), background)


def test_how_contrast_is_computed() -> None:
    """Black on white is 21, and the grey that is known to be just enough is 4.54."""
    assert contrast(Colour((), "#000000", ""), "no theme, light") == pytest.approx(21)
    assert contrast(Colour((), "#767676", ""), "no theme, light") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", TEXT)
def test_text_can_be_read(name: str, theme: str) -> None:
    """Text has a contrast of 4.5 and more on its background, in light and dark."""
    assert contrast(TEXT[name], theme) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", MARKS)
def test_marks_can_be_seen(name: str, theme: str) -> None:
    """Marks that are no text have a contrast of 3 and more."""
    assert contrast(MARKS[name], theme) >= 3


def test_a_colour_as_css() -> None:
    """The theme's variables come first, and the colours for light and dark where there is none."""
    assert Colour(("--a", "--b"), "#fff", "#000").css == "var(--a,var(--b,light-dark(#fff,#000)))"
    assert '"' not in DECLARED

"""Sphinx configuration."""

from __future__ import annotations

import sys
from pathlib import Path

import ipycov

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "ipycov"
author = "ipycov contributors"
copyright = "ipycov contributors"
release = version = ipycov.__version__

extensions = ["myst_parser", "from_code"]
myst_enable_extensions = ["deflist", "fieldlist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
nitpicky = True

html_theme = "furo"
html_title = "ipycov"

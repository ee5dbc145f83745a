"""`python -m ipycov`."""

from __future__ import annotations

import sys

from ipycov.app import main

sys.exit(main())

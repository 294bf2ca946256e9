"""``python -m benchmarks.referee INSTANCE PLAN``."""

from __future__ import annotations

import gc
import sys

from benchmarks.referee import main

gc.disable()  # files make millions of objects and no circles: looking for some takes longer than reading
sys.exit(main(sys.argv[1:]))

"""The mutants of scripts/mutate.py: single mistakes that somebody could make, and the tests that must notice each.

Those below are classic ones, by hand and by name; `drawn` draws as many more from all changes by rule (`operators`).

The exact text must occur once in its file; tests/test_mutants.py holds the table to that. To add one: give it a line
in its room's file, then ``python scripts/mutate.py --only NAME``. Where it survives, sharpen a test, or leave the
mutant out and say at the end of this file why no test could tell it from the original.
"""

from mutants import applications, backward, cells, driver, family, sweep, training, wrappers
from mutants.drawn import Drawn, draw
from mutants.table import Mutant

MUTANTS = (
    *cells.MUTANTS,
    *family.MUTANTS,
    *wrappers.MUTANTS,
    *driver.MUTANTS,
    *backward.MUTANTS,
    *training.MUTANTS,
    *sweep.MUTANTS,
    *applications.MUTANTS,
)

__all__ = ["MUTANTS", "Drawn", "Mutant", "draw"]

# Left out, because nothing that can be observed changes:
# - unroll.py, `resets & keep` as `resets`: what the step makes of a reset on padding is thrown away by Flow.leave, and
#   its cotangent is zero there, so the gradient of the initial state gets nothing either.
# - session.py, a stopped run's result thrown away when more steps are asked for: it is computed again, to the same
#   bits.

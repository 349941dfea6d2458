"""Mutants of the fast path's backward pass: a term missing from each gradient, a scan taken the wrong way."""

from mutants.table import of

PATHS = "tests/test_properties.py::test_every_path_equals_the_plain_scan"
PROPERTIES = "tests/test_properties.py::test"
LAYOUT = "tests/driver/test_layout.py::test"

MUTANTS = of(
    "lstm_jax/driver/hoisted.py",
    (
        "gradient-without-readout-to-preactivations",
        "d_a = inexact.add(d_a_update, d_a)",
        "d_a = d_a_update",
        f"{PATHS}[chunks-everything]",
    ),
    (
        "gradient-without-readout-to-states",
        "            d_state = inexact.add(d_state, d_out)\n",
        "",
        f"{PATHS}[chunks-lstm]",
    ),
    (
        "gradient-without-readout-to-parameters",
        "pull_project(d_zs)[0], d_params):",
        "pull_project(d_zs)[0]):",
        f"{PATHS}[chunks-everything]",
    ),
    (
        "gradient-without-mix-to-states",
        "            d_entered = inexact.add(d_entered, pull_mix(d_a)[0])\n",
        "",
        f"{PATHS}[chunks-lstm]",
    ),
    (
        "gradient-without-mix-to-parameters",
        "for part in (d_params_mix, ",
        "for part in (",
        f"{PATHS}[chunks-lstm]",
    ),
    (
        "gradient-without-update-to-parameters",
        "(d_params_mix, d_params_update, ",
        "(d_params_mix, ",
        f"{PATHS}[chunks-gru]",
    ),
    (
        "gradient-without-project-to-parameters",
        "pull_project(d_zs)[0], d_params)",
        "d_params)",
        f"{PATHS}[chunks-lstm]",
    ),
    (
        "gradient-without-later-chunks",
        "total = later.params",
        "total = inexact.zeros_like(later.params)",
        f"{PATHS}[chunks-lstm]",
    ),
    (
        "gradient-without-resets-to-initial-state",
        "            d_initial = inexact.add(d_initial, [d.sum(axis=0) for d in at_resets])\n",
        "",
        f"{PATHS}[chunks-and-rest-everything]",
    ),
    (
        "gradient-without-later-resets-to-initial-state",
        "d_initial = later.initial",
        "d_initial = inexact.zeros_like(later.initial)",
        f"{PATHS}[chunks-and-rest-everything]",
    ),
    (
        "gradient-flows-across-resets",
        "d_previous = select(at.reset, inexact.zeros_like(d_entered), d_entered)",
        "d_previous = d_entered",
        f"{PROPERTIES}_a_reset_equals_starting_anew[lstm]",
    ),
    (
        "gradient-stops-at-padding",
        "d_previous = select(at.keep, d_previous, d_state)",
        "d_previous = select(at.keep, d_previous, inexact.zeros_like(d_state))",
        f"{PATHS}[whole-lstm]",
    ),
    (
        "gradient-through-the-update-on-padding",
        "d_new = select(at.keep, d_state, inexact.zeros_like(d_state)) if at.keep is not None else d_state",
        "d_new = d_state",
        f"{PATHS}[whole-lstm]",
    ),
    (
        "gradient-from-outputs-on-padding",
        "d_outputs = select(flow.keep, d_outputs, inexact.zeros_like(d_outputs))",
        "d_outputs = [*d_outputs]",
        f"{PATHS}[whole-lstm]",
    ),
    (
        "gradient-at-the-state-before-the-reset",
        "entered = select(flow.reset, _over_time(initial, flow.reset), self._before(saved.start, steps.states))",
        "entered = self._before(saved.start, steps.states)",
        f"{PATHS}[whole-lstm]",
    ),
    (
        "gradient-of-project-without-keys",
        "return lambda p, zs: joined(p, zs, entered), lambda p: cell.project(p, xs, keys=flow.keys)",
        "return lambda p, zs: joined(p, zs, entered), lambda p: cell.project(p, xs)",
        f"{PATHS}[chunks-everything]",
    ),
    (
        "gradient-of-project-without-keys-of-merged-rows",
        "shape, keys = xs.shape[:2], merged(flow.keys)",
        "shape, keys = xs.shape[:2], None",
        f"{LAYOUT}_gradients_with_draws_at_every_step",
    ),
    (
        "gradient-to-inputs-without-keys",
        "lambda xs: cell.project(params, xs, keys=flow.keys), xs)",
        "lambda xs: cell.project(params, xs), xs)",
        f"{PATHS}[chunks-everything]",
    ),
    (
        "rows-merged-where-parameters-are-a-rows-own",
        "merge=bool(batch_axes(cell, xs)) and holds_no_rows(cell, params, xs)",
        "merge=bool(batch_axes(cell, xs))",
        f"{PATHS}[chunks-everything]",
    ),
    (
        "states-before-in-the-order-of-time",
        "parts = [states[1:], start[None]] if self.reverse else [start[None], states[:-1]]",
        "parts = [start[None], states[:-1]]",
        f"{PATHS}[whole-lstm]",
    ),
    (
        "states-before-in-reverse-start-first",
        "[states[1:], start[None]] if self.reverse",
        "[start[None], states[1:]] if self.reverse",
        f"{PATHS}[whole-lstm]",
    ),
    (
        "gradient-of-steps-always-against-time",
        "jax.lax.scan(one, none_yet, inputs, reverse=not self.reverse)",
        "jax.lax.scan(one, none_yet, inputs, reverse=True)",
        f"{PATHS}[whole-lstm]",
    ),
    (
        "gradient-of-chunks-always-against-time",
        "scan_pieces(run, none_yet, pieces, reverse=not self.reverse)",
        "scan_pieces(run, none_yet, pieces, reverse=True)",
        f"{PATHS}[chunks-and-rest-lstm]",
    ),
)

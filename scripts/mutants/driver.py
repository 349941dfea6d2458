"""Mutants of the driver, but for the backward pass."""

from mutants.table import of

PATHS = "tests/test_properties.py::test_every_path_equals_the_plain_scan"
PROPERTIES = "tests/test_properties.py::test"
ORACLES = "tests/cells/test_oracles.py::test_cell_equals_its_paper"
CHUNKS = "tests/driver/test_chunks.py::test"
COLLECT = "tests/driver/test_collect.py::test"
ERRORS = "tests/driver/test_errors.py::test"
STACK = "tests/wrappers/test_stack.py::test"

_UNROLL = of(
    "lstm_jax/driver/unroll.py",
    (
        "lengths-off-by-one",
        "inside = time < jnp.broadcast_to(lengths, (1, *batch))",
        "inside = time <= jnp.broadcast_to(lengths, (1, *batch))",
        f"{PROPERTIES}_padding_changes_nothing[lstm]",
    ),
    (
        "mask-ignored-beside-lengths",
        "keep = inside if keep is None else keep & inside",
        "keep = inside",
        f"{ORACLES}[lstm]",
    ),
    (
        "padding-not-zeroed",
        "xs = select(keep, xs, jnp.zeros_like(xs))",
        "xs = xs + jnp.zeros_like(xs)",
        f"{PROPERTIES}_padding_changes_nothing[lstm]",
    ),
    (
        "reset-after-the-step",
        "keep=keep, reset=resets)",
        "keep=keep, reset=None if resets is None else jnp.roll(resets, 1, axis=0))",
        f"{PROPERTIES}_a_reset_equals_starting_anew[lstm]",
    ),
    (
        "reset-to-the-state-given",
        "xs, state, initial, Flow(",
        "xs, state, state, Flow(",
        f"{PROPERTIES}_a_reset_equals_starting_anew[lstm]",
    ),
    (
        "step-keys-without-the-row",
        "rows = row_keys(key_steps, batch).reshape(-1)",
        "rows = jnp.broadcast_to(key_steps, batch).reshape(-1)",
        f"{STACK}_dropout_rate_scale_and_reach",
    ),
    (
        "step-keys-without-the-time",
        "keys = at_time(rows, jnp.arange(steps))",
        "keys = at_time(rows, jnp.zeros_like(jnp.arange(steps)))",
        f"{STACK}_dropout_rate_scale_and_reach",
    ),
    (
        "flip-always-runs-in-reverse",
        "replace(self, reverse=not self.reverse)",
        "replace(self, reverse=True)",
        f"{PROPERTIES}_reverse_equals_reversed_sequences[bidirectional]",
    ),
    (
        "parts-without-lengths-and-resets",
        "plan, replace(flow, keys=keys)",
        "plan, Flow(keys=keys)",
        f"{PROPERTIES}_padding_changes_nothing[stack]",
    ),
)

_CHECKS = of(
    "lstm_jax/driver/checks.py",
    (
        "negative-lengths-accepted",
        "values.max() > steps or values.min() < 0",
        "values.max() > steps",
        f"{ERRORS}_wrong_arguments",
    ),
    (
        "lengths-above-t-accepted",
        "values.max() > steps or values.min() < 0",
        "values.min() < 0",
        f"{ERRORS}_wrong_arguments",
    ),
    (
        "state-keeps-the-precision-it-came-in",
        "jnp.asarray(x).astype(like.dtype)",
        "jnp.asarray(x)",
        f"{PROPERTIES}_dtype_policy[lstm]",
    ),
)

_COLLECT = of(
    "lstm_jax/driver/collect.py",
    (
        "collect-of-the-old-state",
        "state_fields(new)",
        "state_fields(state)",
        f"{COLLECT}_gates_and_cell_state_of_an_lstm",
    ),
    (
        "collect-of-gates-from-the-new-state",
        "self.cell.inspect(params, z, state)",
        "self.cell.inspect(params, z, new)",
        f"{COLLECT}_gates_and_cell_state_of_an_lstm",
    ),
)

_FLOW = of(
    "lstm_jax/driver/flow.py",
    (
        "outputs-on-padding",
        "return ys if self.keep is None else select(self.keep, ys, jax.tree.map(jnp.zeros_like, ys))",
        "return ys",
        f"{PROPERTIES}_a_mask_equals_deleting_its_steps[lstm]",
    ),
    (
        "state-moves-on-padding",
        "return new if self.keep is None else select(self.keep, new, state)",
        "return new",
        f"{PROPERTIES}_a_mask_equals_deleting_its_steps[lstm]",
    ),
)

_PLAIN = of(
    "lstm_jax/driver/plain.py",
    (
        "plain-padding-holds-the-initial-state",
        "at.leave(new, previous)",
        "at.leave(new, initial)",
        f"{PATHS}[remat-lstm]",
    ),
    (
        "plain-never-in-reverse",
        "jax.lax.scan(one, previous, (zs, flow), reverse=reverse)",
        "jax.lax.scan(one, previous, (zs, flow))",
        f"{PATHS}[whole-lstm]",
    ),
)

_PIECES = of(
    "lstm_jax/driver/pieces.py",
    (
        "rest-dropped",
        "return whole, None if rest == 0 and n else jax.tree.map(lambda x: x[None, n * chunk :], tree)",
        "return whole, None",
        f"{CHUNKS}_cutting_and_pasting_is_the_identity",
    ),
    (
        "rest-pasted-first",
        "jnp.concatenate(parts)",
        "jnp.concatenate(parts[::-1])",
        f"{CHUNKS}_cutting_and_pasting_is_the_identity",
    ),
    (
        "rest-always-last",
        "    if reverse and rest is not None:\n"
        "        carry, rest_out = run(carry, rest)\n"
        "    if whole is not None:\n"
        "        carry, whole_out = run(carry, whole)\n"
        "    if not reverse and rest is not None:\n",
        "    if whole is not None:\n        carry, whole_out = run(carry, whole)\n    if rest is not None:\n",
        f"{PATHS}[chunks-and-rest-lstm]",
    ),
    (
        "auto-chunk-of-none",
        "return min(max(4, chunk), max(1, steps))",
        "return min(chunk, max(1, steps))",
        f"{CHUNKS}_a_chunk_is_at_least_one_step_and_at_most_all",
    ),
    (
        "auto-chunk-of-none-on-accelerators",
        "return max(1, math.isqrt(steps)) if remat else max(1, steps)",
        "return math.isqrt(steps) if remat else max(1, steps)",
        f"{CHUNKS}_a_chunk_is_at_least_one_step_and_at_most_all",
    ),
)

_HOISTED_FORWARD = of(
    "lstm_jax/driver/hoisted.py",
    (
        "padding-holds-the-initial-state",
        "left = at.leave(self.cell.update(params, a, entered), previous)",
        "left = at.leave(self.cell.update(params, a, entered), initial)",
        f"{PROPERTIES}_a_mask_equals_deleting_its_steps[lstm]",
    ),
    (
        "mix-sees-the-state-before-the-reset",
        "a = self.cell.join(z, self.cell.mix(params, entered))",
        "a = self.cell.join(z, self.cell.mix(params, previous))",
        f"{PROPERTIES}_a_reset_equals_starting_anew[lstm]",
    ),
    (
        "update-sees-the-state-before-the-reset",
        "at.leave(self.cell.update(params, a, entered), previous)",
        "at.leave(self.cell.update(params, a, previous), previous)",
        f"{PROPERTIES}_a_reset_equals_starting_anew[lstm]",
    ),
    (
        "remat-from-the-initial-state",
        "self._forward_chunk(params, initial, saved.start, room, 0, (xs, flow))",
        "self._forward_chunk(params, initial, initial, room, 0, (xs, flow))",
        f"{PATHS}[remat-lstm]",
    ),
    (
        "every-chunk-written-over-the-first",
        "room, 0 if self.remat else index, piece)",
        "room, 0, piece)",
        f"{PATHS}[chunks-lstm]",
    ),
    (
        "steps-of-a-chunk-never-in-reverse",
        "(jnp.arange(xs.shape[0]), zs, flow), reverse=self.reverse)[0]",
        "(jnp.arange(xs.shape[0]), zs, flow))[0]",
        f"{PATHS}[whole-lstm]",
    ),
    (
        "chunks-never-in-reverse",
        "(jnp.arange(count), chunks), reverse=self.reverse",
        "(jnp.arange(count), chunks)",
        f"{PATHS}[chunks-and-rest-lstm]",
    ),
)

MUTANTS = (
    *_UNROLL,
    *_CHECKS,
    *_COLLECT,
    *_FLOW,
    *_PLAIN,
    *_PIECES,
    *_HOISTED_FORWARD,
)

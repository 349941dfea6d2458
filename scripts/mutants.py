"""The mutants of scripts/mutate.py: single mistakes that somebody could make, and the tests that must notice each.

The exact text must occur once in its file; tests/test_mutants.py holds the table to that. To add one: give it a line
here, then ``python scripts/mutate.py --only NAME``. Where it survives, sharpen a test, or leave the mutant out and say
at the end of this file why no test could tell it from the original.
"""

from typing import NamedTuple

PATHS = "tests/test_properties.py::test_every_path_equals_the_plain_scan"
PROPERTIES = "tests/test_properties.py::test"
ORACLES = "tests/cells/test_oracles.py::test_cell_equals_its_paper"
INITIAL = "tests/cells/test_initial_values.py::test"
CHUNKS = "tests/driver/test_chunks.py::test"
COLLECT = "tests/driver/test_collect.py::test"
ERRORS = "tests/driver/test_errors.py::test"
STACK = "tests/wrappers/test_stack.py::test"
BIDIRECTIONAL = "tests/wrappers/test_bidirectional.py::test"
DRAWS = "tests/wrappers/test_draws.py::test_parts_draw_each_for_itself"
DEVICES = "tests/driver/test_devices.py"
LOOP = "tests/train/test_loop.py::test"
RESUME = "tests/train/test_resume.py::test"
FOLDER = "tests/train/test_folder.py::test"
ADDING = "tests/tasks/test_adding.py::test"


class Mutant(NamedTuple):
    """One mistake."""

    name: str
    file: str
    text: str
    """What is replaced: exactly this, once in the file."""
    replacement: str
    tests: tuple[str, ...]
    """Arguments of pytest; at least one of these tests must fail, all of them pass without the mutant."""

    def apply(self, source: str) -> str:
        """The file's text with the mistake in it; ValueError where the table no longer fits the file."""
        found = source.count(self.text)
        if found != 1:
            raise ValueError(
                f"{self.name}: the text must occur once in {self.file}, but does {found} times: {self.text!r}"
            )
        return source.replace(self.text, self.replacement)


def _of(file: str, *rows: tuple[str, str, str, *tuple[str, ...]]) -> list[Mutant]:
    """Mutants of one file: ``(name, text, replacement, test, ...)`` each."""
    return [Mutant(name, file, text, replacement, tuple(tests)) for name, text, replacement, *tests in rows]


_LSTM = _of(
    "lstm_jax/cells/lstm.py",
    (
        "lstm-gates-i-f-swapped",
        "i, f, g, o = jnp.split(a.astype(state.c.dtype), 4, axis=-1)",
        "f, i, g, o = jnp.split(a.astype(state.c.dtype), 4, axis=-1)",
        f"{ORACLES}[lstm]",
    ),
    (
        "lstm-gates-f-o-swapped",
        "i, f, g, o = jnp.split(a.astype(state.c.dtype), 4, axis=-1)",
        "i, o, g, f = jnp.split(a.astype(state.c.dtype), 4, axis=-1)",
        f"{ORACLES}[lstm]",
    ),
    (
        "lstm-gates-g-o-swapped",
        "i, f, g, o = jnp.split(a.astype(state.c.dtype), 4, axis=-1)",
        "i, f, o, g = jnp.split(a.astype(state.c.dtype), 4, axis=-1)",
        f"{ORACLES}[lstm]",
    ),
    (
        "lstm-gates-in-half-precision",
        "jnp.split(a.astype(state.c.dtype), 4, axis=-1)",
        "jnp.split(a, 4, axis=-1)",
        f"{PROPERTIES}_dtype_policy[lstm]",
    ),
    (
        "lstm-output-of-the-old-cell-state",
        "(o * activation(self.activation)(c))",
        "(o * activation(self.activation)(state.c))",
        f"{ORACLES}[lstm]",
    ),
    (
        "lstm-forget-bias-on-the-input-gate",
        "b_f = b_f + self.forget_bias",
        "b_i = b_i + self.forget_bias",
        f"{INITIAL}_forget_bias_is_on_the_forget_gate_alone",
    ),
    (
        "lstm-chrono-and-forget-bias-together",
        "b_i, b_f = chrono(key_b, self.hidden_size, self.chrono, self.param_dtype)",
        "b_i, b_f = chrono(key_b, self.hidden_size, self.chrono, self.param_dtype)\n"
        "            b_f = b_f + self.forget_bias",
        f"{INITIAL}_chrono_biases_are_opposite_and_span_the_dependency",
    ),
)

_GRU = _of(
    "lstm_jax/cells/gru.py",
    (
        "gru-update-gate-flipped",
        "h=n + z * (state.h - n)",
        "h=state.h + z * (n - state.h)",
        f"{ORACLES}[gru]",
    ),
    (
        "gru-gates-r-z-swapped",
        "r, z = jnp.split(jax.nn.sigmoid(a.gates), 2, axis=-1)",
        "z, r = jnp.split(jax.nn.sigmoid(a.gates), 2, axis=-1)",
        f"{ORACLES}[gru]",
    ),
    (
        "gru-hidden-bias-outside-the-reset",
        "jnp.tanh(a.x_n + r * (a.h_n + b_hn))",
        "jnp.tanh(a.x_n + b_hn + r * a.h_n)",
        f"{ORACLES}[gru]",
    ),
    (
        "gru-collected-gates-misnamed",
        'GATES = ("r", "z", "n")',
        'GATES = ("z", "r", "n")',
        f"{COLLECT}_gates_of_both_grus",
    ),
    (
        "gru-reset-before-update-gate-flipped",
        "h = n + update * (state.h - n)",
        "h = state.h + update * (n - state.h)",
        f"{ORACLES}[gru-reset-before]",
    ),
    (
        "gru-reset-before-resets-after",
        "(r * h) @ w_n",
        "r * (h @ w_n)",
        f"{ORACLES}[gru-reset-before]",
    ),
)

_ELMAN = _of(
    "lstm_jax/cells/elman.py",
    (
        "elman-activation-ignored",
        "activation(self.activation)(a)",
        'activation("tanh")(a)',
        f"{ORACLES}[elman-relu]",
    ),
    (
        "elman-recurrent-initializer-ignored",
        "RECURRENT_INITIALIZERS[self.recurrent]",
        'RECURRENT_INITIALIZERS["orthogonal"]',
        f"{INITIAL}_identity_recurrence",
    ),
)

_CELL = _of(
    "lstm_jax/cell.py",
    (
        "bias-counted-twice",
        "return ys + jnp.broadcast_to(b.astype(xs.dtype), ys.shape)",
        "return ys + 2 * jnp.broadcast_to(b.astype(xs.dtype), ys.shape)",
        f"{ORACLES}[lstm]",
    ),
    (
        "cell-state-in-half-precision",
        'return dtype if field == "h" else _widest(dtype, np.dtype("float32"))',
        "return dtype",
        f"{PROPERTIES}_dtype_policy[lstm]",
    ),
    (
        "initial-state-of-ones",
        "jnp.zeros((*batch_shape, self.hidden_size), dtype=d)",
        "jnp.ones((*batch_shape, self.hidden_size), dtype=d)",
        f"{ORACLES}[lstm]",
    ),
    (
        "rows-share-a-key",
        "jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, rows).reshape(batch_shape)",
        "jnp.broadcast_to(key, rows.shape).reshape(batch_shape)",
        f"{PROPERTIES}_draws_do_not_depend_on_chunks_or_the_batch[everything]",
    ),
    (
        "rows-counted-from-the-last",
        "rows = jnp.arange(int(np.prod(batch_shape, dtype=np.int64)))",
        "rows = jnp.arange(int(np.prod(batch_shape, dtype=np.int64)))[::-1]",
        f"{PROPERTIES}_draws_do_not_depend_on_chunks_or_the_batch[everything]",
    ),
    (
        "keys-folded-with-nothing",
        "flat = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys.reshape(-1), data)",
        "flat = keys.reshape(-1)",
        f"{STACK}_different_gaps_draw_different_masks",
    ),
)

_INITIALIZERS = _of(
    "lstm_jax/initializers.py",
    (
        "orthogonal-over-all-gates-at-once",
        "jnp.concatenate([init(k, shape, wide) for k in jax.random.split(key, gates)], axis=-1)",
        "init(key, (shape[0], gates * shape[1]), wide)",
        f"{INITIAL}_recurrent_weights_are_orthogonal_in_each_gate",
    ),
    (
        "glorot-over-all-gates-at-once",
        "w_x=per_gate(glorot, key_x, (input_size, hidden_size), gates, dtype)",
        "w_x=glorot(key_x, (input_size, gates * hidden_size), dtype)",
        f"{INITIAL}_input_weights_are_glorot_in_each_gate",
    ),
    (
        "gates-share-a-draw",
        "for k in jax.random.split(key, gates)]",
        "for k in [key] * gates]",
        f"{INITIAL}_recurrent_weights_are_orthogonal_in_each_gate",
    ),
    (
        "input-and-recurrent-weights-from-one-key",
        "w_h=per_gate(recurrent, key_h,",
        "w_h=per_gate(recurrent, key_x,",
        f"{INITIAL}_input_and_recurrent_weights_are_drawn_apart",
    ),
    (
        "chrono-sign",
        "return -forget, forget",
        "return forget, -forget",
        f"{INITIAL}_chrono_biases_are_opposite_and_span_the_dependency",
    ),
    (
        "chrono-to-t-max",
        "maxval=t_max - 1.0",
        "maxval=t_max",
        f"{INITIAL}_chrono_biases_are_opposite_and_span_the_dependency",
    ),
)

_STACK = _of(
    "lstm_jax/wrappers/stack.py",
    (
        "dropout-not-scaled",
        "jnp.where(keep, 1 / (1 - self.dropout), 0.0)",
        "jnp.where(keep, 1.0, 0.0)",
        f"{STACK}_dropout_rate_scale_and_reach",
    ),
    (
        "dropout-keeps-what-it-should-drop",
        "bernoulli(fold_in(keys, len(self.cells) + layer), 1 - self.dropout,",
        "bernoulli(fold_in(keys, len(self.cells) + layer), self.dropout,",
        f"{STACK}_dropout_rate_scale_and_reach",
    ),
    (
        "dropout-gaps-share-a-mask",
        "fold_in(keys, len(self.cells) + layer)",
        "fold_in(keys, len(self.cells))",
        f"{STACK}_different_gaps_draw_different_masks",
    ),
    (
        "dropout-after-the-last-layer",
        "            xs = self._between(i, params, ys, keys) if i + 1 < len(self.cells) else ys",
        "            xs = self._between(i, params, ys, keys)",
        f"{STACK}_the_last_layers_outputs_are_not_dropped",
    ),
    (
        "variational-mask-shared-over-rows",
        "rows = row_keys(fold_in(key, len(self.cells)), batch_shape)",
        "rows = jnp.broadcast_to(fold_in(key, len(self.cells)), batch_shape)",
        f"{STACK}_dropout_rate_scale_and_reach",
    ),
    (
        "variational-mask-drawn-each-step",
        "        if params.masks is not None:\n"
        "            mask = jnp.broadcast_to(params.masks[layer], ys.shape)\n"
        "        elif keys is not None and self.dropout and not self.variational:\n",
        "        if keys is not None and self.dropout:\n",
        f"{STACK}_dropout_rate_scale_and_reach",
    ),
    (
        "residual-on-the-first-layer",
        "ys = ys + xs if self.residual and i else ys",
        "ys = ys + xs[..., : ys.shape[-1]] if self.residual else ys",
        f"{STACK}_residual_adds_the_inputs_of_all_layers_but_the_first",
    ),
    (
        "residual-missing-in-the-step",
        "y = y if x is None or not self.residual else y + x",
        "y = y if x is None or not self.residual else y",
        f"{PROPERTIES}_chunks_of_a_stream_equal_the_whole[stack-dropout-residual]",
    ),
    (
        "layers-share-the-keys-of-steps",
        "state[i], initial[i], fold_in(keys, i))",
        "state[i], initial[i], keys)",
        f"{PROPERTIES}_one_step_draws_like_the_sequence[stack-dropout-residual]",
    ),
    (
        "layers-prepared-with-one-key",
        "c.prepare(p, batch_shape, key=fold_in(key, i))",
        "c.prepare(p, batch_shape, key=key)",
        f"{DRAWS}[DrawnOnce-stack]",
    ),
)

_BIDIRECTIONAL = _of(
    "lstm_jax/wrappers/bidirectional.py",
    (
        "backward-cell-not-flipped",
        "fold_in(keys, 1), flip=True",
        "fold_in(keys, 1), flip=False",
        f"{BIDIRECTIONAL}_merges",
    ),
    (
        "directions-merged-in-the-wrong-order",
        "jnp.concatenate([ys, ys_back], axis=-1)",
        "jnp.concatenate([ys_back, ys], axis=-1)",
        f"{BIDIRECTIONAL}_merges",
    ),
    (
        "mean-is-a-sum",
        "(ys + ys_back) / 2",
        "(ys + ys_back)",
        f"{BIDIRECTIONAL}_merges",
    ),
    (
        "directions-share-the-keys-of-steps",
        "fold_in(keys, 1), flip=True",
        "fold_in(keys, 0), flip=True",
        f"{DRAWS}[DrawnEachStep-bidirectional]",
    ),
    (
        "directions-prepared-with-one-key",
        "batch_shape, key=fold_in(key, 1))",
        "batch_shape, key=fold_in(key, 0))",
        f"{DRAWS}[DrawnOnce-bidirectional]",
    ),
)

_UNROLL = _of(
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
        "replace(flow, keys=keys))",
        "Flow(keys=keys))",
        f"{PROPERTIES}_padding_changes_nothing[stack]",
    ),
)

_CHECKS = _of(
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

_COLLECT = _of(
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

_FLOW = _of(
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

_PLAIN = _of(
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

_PIECES = _of(
    "lstm_jax/driver/pieces.py",
    (
        "rest-dropped",
        "return whole, None if n * chunk == steps else jax.tree.map(lambda x: x[n * chunk :], tree)",
        "return whole, None",
        f"{CHUNKS}_cutting_and_pasting_is_the_identity",
    ),
    (
        "rest-pasted-first",
        "jnp.concatenate([a, b])",
        "jnp.concatenate([b, a])",
        f"{CHUNKS}_cutting_and_pasting_is_the_identity",
    ),
    (
        "rest-always-last",
        "    if reverse and rest is not None:\n"
        "        carry, rest_out = body(carry, rest)\n"
        "    if whole is not None:\n"
        "        carry, whole_out = jax.lax.scan(body, carry, whole, reverse=reverse)\n"
        "    if not reverse and rest is not None:\n",
        "    if whole is not None:\n"
        "        carry, whole_out = jax.lax.scan(body, carry, whole, reverse=reverse)\n"
        "    if rest is not None:\n",
        f"{PATHS}[chunks-and-rest-lstm]",
    ),
    (
        "chunks-never-in-reverse",
        "jax.lax.scan(body, carry, whole, reverse=reverse)",
        "jax.lax.scan(body, carry, whole)",
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

_HOISTED_FORWARD = _of(
    "lstm_jax/driver/hoisted.py",
    (
        "padding-holds-the-initial-state",
        "left = at.leave(new, previous)",
        "left = at.leave(new, initial)",
        f"{PROPERTIES}_a_mask_equals_deleting_its_steps[lstm]",
    ),
    (
        "mix-sees-the-state-before-the-reset",
        "a = split.join(z, split.mix(params, entered))",
        "a = split.join(z, split.mix(params, previous))",
        f"{PROPERTIES}_a_reset_equals_starting_anew[lstm]",
    ),
    (
        "update-sees-the-state-before-the-reset",
        "new, y = split.local(params, a, entered)",
        "new, y = split.local(params, a, previous)",
        f"{PROPERTIES}_a_reset_equals_starting_anew[lstm]",
    ),
    (
        "remat-from-the-initial-state",
        "self.forward_chunk(params, initial, saved.start, (xs, flow))",
        "self.forward_chunk(params, initial, initial, (xs, flow))",
        f"{PATHS}[remat-lstm]",
    ),
)

# A term missing from each gradient, and the backward scan taken the wrong way.
_HOISTED_BACKWARD = _of(
    "lstm_jax/driver/hoisted.py",
    (
        "gradient-without-readout-to-preactivations",
        "d_a_t = inexact.add(d_a_t, d_a_local)",
        "d_a_t = d_a_local",
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
        "d_params, d_a_out, d_states_out = pull_readout(d_outputs)",
        "d_params, d_a_out, d_states_out = pull_readout(d_outputs)\n"
        "            d_params = inexact.zeros_like(d_params)",
        f"{PATHS}[chunks-everything]",
    ),
    (
        "gradient-without-mix-to-states",
        "            d_entered = inexact.add(d_entered, pull_mix(d_a_t)[0])\n",
        "",
        f"{PATHS}[chunks-lstm]",
    ),
    (
        "gradient-without-mix-to-parameters",
        "(d_params_mix, d_params_local, d_params_project, later.params)",
        "(d_params_local, d_params_project, later.params)",
        f"{PATHS}[chunks-lstm]",
    ),
    (
        "gradient-without-update-to-parameters",
        "(d_params_mix, d_params_local, d_params_project, later.params)",
        "(d_params_mix, d_params_project, later.params)",
        f"{PATHS}[chunks-gru]",
    ),
    (
        "gradient-without-project-to-parameters",
        "(d_params_mix, d_params_local, d_params_project, later.params)",
        "(d_params_mix, d_params_local, later.params)",
        f"{PATHS}[chunks-lstm]",
    ),
    (
        "gradient-without-later-chunks",
        "(d_params_mix, d_params_local, d_params_project, later.params)",
        "(d_params_mix, d_params_local, d_params_project)",
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
        "d_outputs = [select(flow.keep, d, jnp.zeros_like(d)) if flow.keep is not None else d for d in d_outputs]",
        "d_outputs = [*d_outputs]",
        f"{PATHS}[whole-lstm]",
    ),
    (
        "gradient-at-the-state-before-the-reset",
        "entered = select(flow.reset, _over_time(initial, flow.reset), self._before(saved))",
        "entered = self._before(saved)",
        f"{PATHS}[whole-lstm]",
    ),
    (
        "gradient-of-project-without-keys",
        "inexact.vjp(partial(cell.project, keys=flow.keys), params, xs)",
        "inexact.vjp(cell.project, params, xs)",
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
        "jax.lax.scan(one, later.state, inputs, reverse=not self.reverse)",
        "jax.lax.scan(one, later.state, inputs, reverse=True)",
        f"{PATHS}[whole-lstm]",
    ),
    (
        "gradient-of-chunks-always-against-time",
        "scan_pieces(body, none_yet, pieces, reverse=not self.reverse)",
        "scan_pieces(body, none_yet, pieces, reverse=True)",
        f"{PATHS}[chunks-and-rest-lstm]",
    ),
)

_ADDING = _of(
    "lstm_jax/tasks/adding.py",
    (
        "adding-last-step-never-marked",
        "jax.random.randint(second_key, (batch_size,), half, length)",
        "jax.random.randint(second_key, (batch_size,), half, max(half + 1, length - 1))",
        f"{ADDING}_statistics",
    ),
    (
        "adding-first-marker-anywhere",
        "jax.random.randint(first_key, (batch_size,), 0, half)",
        "jax.random.randint(first_key, (batch_size,), 0, length)",
        f"{ADDING}_one_marker_in_each_half_and_the_target_is_the_marked_sum",
    ),
    (
        "adding-markers-from-one-key",
        "jax.random.randint(second_key, ",
        "jax.random.randint(first_key, ",
        f"{ADDING}_statistics",
    ),
    (
        "adding-target-is-the-product",
        "values[first, rows] + values[second, rows]",
        "values[first, rows] * values[second, rows]",
        f"{ADDING}_one_marker_in_each_half_and_the_target_is_the_marked_sum",
    ),
)

_TRAINING = (
    *_of(
        "lstm_jax/cell.py",
        (
            "rows-of-a-share-numbered-from-zero",
            "rows += jax.lax.axis_index(BATCH_AXIS).astype(rows.dtype) * rows.size",
            "rows += 0",
            f"{DEVICES}::test_row_keys_inside_a_shard_map",
        ),
    ),
    *_of(
        "lstm_jax/train/state.py",
        (
            "loss-draws-what-the-data-drew",
            "_DATA, _LOSS = range(2)",
            "_DATA, _LOSS = 0, 0",
            f"{LOOP}_equals_a_plain_loop",
        ),
        (
            "test-data-are-the-validation-data",
            "_INIT, _TRAIN, _VALIDATION, _TEST = range(4)",
            "_INIT, _TRAIN, _VALIDATION, _TEST = 0, 1, 2, 2",
            f"{LOOP}_equals_a_plain_loop",
        ),
        (
            "a-non-finite-step-is-taken",
            "jnp.where(finite, after, before)",
            "jnp.where(finite, after, after)",
            f"{LOOP}_a_non_finite_step_leaves_the_state_before_it",
        ),
        (
            "non-finite-parameters-pass",
            "jnp.isfinite(norm) & _all_finite(params)",
            "jnp.isfinite(norm)",
            f"{LOOP}_a_non_finite_step_stops_the_run_and_is_named",
        ),
        (
            "a-schedule-s-steps-compile-nothing",
            "steps if optimizer.depends_on_steps else None,",
            "None,",
            f"{LOOP}_a_schedule_is_followed",
        ),
    ),
    *_of(
        "lstm_jax/train/loop.py",
        (
            "the-last-parameters-are-tested",
            "metrics = _floats(self.test(best.params, self.keys.test))",
            "metrics = _floats(self.test(saved.state.params, self.keys.test))",
            f"{LOOP}_the_best_validated_parameters_are_tested_and_returned",
        ),
        (
            "best-is-the-last",
            "self.experiment.better(score, float(self.saved.best.score))",
            "True",
            f"{LOOP}_the_best_validated_parameters_are_tested_and_returned",
        ),
        (
            "patience-one-too-many",
            "return len(since) >= experiment.patience",
            "return len(since) > experiment.patience",
            f"{LOOP}_patience_ends_the_training",
        ),
        (
            "saved-before-written-down",
            "    def _save(self) -> None:\n        self.metrics.flush()\n",
            "    def _save(self) -> None:\n",
            f"{RESUME}_killed_at_any_instant",
        ),
    ),
    *_of(
        "lstm_jax/train/experiment.py",
        (
            "goal-upside-down",
            'score < than if self.goal == "min" else score > than',
            'score > than if self.goal == "min" else score < than',
            f"{LOOP}_the_best_validated_parameters_are_tested_and_returned",
        ),
        (
            "nan-is-never-beaten",
            "if than != than:\n            return score == score\n        ",
            "",
            f"{LOOP}_a_score_that_is_no_number_is_never_the_best",
        ),
    ),
    *_of(
        "lstm_jax/train/writers.py",
        (
            "one-record-too-many-kept",
            'if record["step"] <= step]',
            'if record["step"] <= step + 1]',
            f"{FOLDER}_cut_back_drops_later_records_and_a_torn_line",
        ),
        (
            "tensorboard-keeps-what-is-taken-again",
            "TensorBoard(workdir, purge_step=step + 1)",
            "TensorBoard(workdir, purge_step=step + 9)",
            f"{RESUME}_tensorboard_is_told_to_forget_what_is_taken_again",
        ),
    ),
    *_of(
        "lstm_jax/train/folder.py",
        (
            "two-may-write",
            "fcntl.LOCK_EX | fcntl.LOCK_NB",
            "fcntl.LOCK_SH | fcntl.LOCK_NB",
            f"{FOLDER}_a_folder_in_use_is_refused",
        ),
        (
            "other-data-pass",
            '"fingerprint": "the data"',
            '"experiment ": "the data"',
            f"{FOLDER}_other_data_are_refused",
        ),
    ),
    *_of(
        "lstm_jax/train/checkpoint.py",
        (
            "damaged-checkpoints-stay",
            "self._set_aside(len(damaged))",
            "self._set_aside(0)",
            "tests/train/test_checkpoint.py::test_a_damaged_checkpoint_is_told_and_the_one_before_it_used",
        ),
    ),
)

MUTANTS = (
    *_LSTM,
    *_GRU,
    *_ELMAN,
    *_CELL,
    *_INITIALIZERS,
    *_STACK,
    *_BIDIRECTIONAL,
    *_UNROLL,
    *_CHECKS,
    *_COLLECT,
    *_FLOW,
    *_PLAIN,
    *_PIECES,
    *_HOISTED_FORWARD,
    *_HOISTED_BACKWARD,
    *_ADDING,
    *_TRAINING,
)

# Left out, because nothing that can be observed changes:
# - unroll.py, `resets & keep` as `resets`: what the step makes of a reset on padding is thrown away by Flow.leave, and
#   its cotangent is zero there, so the gradient of the initial state gets nothing either.
# - loop.py, a stopped run's result thrown away when more steps are asked for: it is computed again, to the same bits.

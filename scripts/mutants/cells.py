"""Mutants of the contract, the cells and the initial values."""

from mutants.table import of

PROPERTIES = "tests/test_properties.py::test"
ORACLES = "tests/cells/test_oracles.py::test_cell_equals_its_paper"
INITIAL = "tests/cells/test_initial_values.py::test"
COLLECT = "tests/driver/test_collect.py::test"
STACK = "tests/wrappers/test_stack.py::test"

_LSTM = of(
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

_GRU = of(
    "lstm_jax/cells/gru.py",
    (
        "gru-update-gate-flipped",
        "h=n + z * (state.h - n)",
        "h=state.h + z * (n - state.h)",
        f"{ORACLES}[gru]",
    ),
    (
        "gru-gates-r-z-swapped",
        "r, z = jnp.split(once(jax.nn.sigmoid(a.gates)), 2, axis=-1)",
        "z, r = jnp.split(once(jax.nn.sigmoid(a.gates)), 2, axis=-1)",
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

_ELMAN = of(
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

_CELL = of(
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

_INITIALIZERS = of(
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
        "maxval=t_max - 1.0))\n    return -forget, forget",
        "maxval=t_max - 1.0))\n    return forget, -forget",
        f"{INITIAL}_chrono_biases_are_opposite_and_span_the_dependency",
    ),
    (
        "chrono-to-t-max",
        "maxval=t_max - 1.0",
        "maxval=t_max",
        f"{INITIAL}_chrono_biases_are_opposite_and_span_the_dependency",
    ),
)

MUTANTS = (
    *_LSTM,
    *_GRU,
    *_ELMAN,
    *_CELL,
    *_INITIALIZERS,
)

"""Mutants of the other cells: peepholes, projections, norms, convolutions and what else has a paper of its own."""

from mutants.table import of

ORACLES = "tests/cells/test_oracles.py::test_cell_equals_its_paper"
INITIAL = "tests/cells/test_initial_values.py::test"

MUTANTS = (
    *of(
        "lstm_jax/cells/peephole.py",
        (
            "peephole-of-o-sees-the-old-cell-state",
            'squashed(("o",), c)',
            'squashed(("o",), state.c)',
            f"{ORACLES}[v]",
        ),
        (
            "peephole-of-g",
            'tuple(gate for gate in self.gates if gate != "g")',
            'tuple(gate for gate in self.gates if gate != "o")',
            f"{ORACLES}[v]",
        ),
        (
            "coupled-the-wrong-way",
            "1 - i if self.coupled else",
            "i if self.coupled else",
            f"{ORACLES}[cifg]",
        ),
        (
            "peephole-clip-missing",
            "look = look if self.clip is None else jnp.clip(look, -self.clip, self.clip)",
            "look = look + 0",
            f"{ORACLES}[clip]",
        ),
        (
            "peephole-clip-of-one-side",
            "jnp.clip(look, -self.clip, self.clip)",
            "jnp.clip(look, None, self.clip)",
            f"{ORACLES}[clip]",
        ),
        (
            "gate-left-out-is-closed",
            'before.setdefault("i", jnp.ones_like(state.c))',
            'before.setdefault("i", jnp.zeros_like(state.c))',
            f"{ORACLES}[nig]",
        ),
        (
            "peephole-forget-bias-on-every-gate",
            'self.forget_bias * (gate == "f")',
            "self.forget_bias",
            f"{INITIAL}_forget_bias_of_the_whole_family",
        ),
    ),
    *of(
        "lstm_jax/cells/full_gate.py",
        (
            "gates-of-the-step-before-not-kept",
            "r=jnp.concatenate([i, f, o], axis=-1))",
            "r=state.r)",
            f"{ORACLES}[fgr]",
        ),
        (
            "gates-of-the-step-before-on-the-candidate",
            "jnp.concatenate([v_if, jnp.zeros_like(v_o), v_o], axis=-1)",
            "jnp.concatenate([v_if, v_o, jnp.zeros_like(v_o)], axis=-1)",
            f"{ORACLES}[fgr]",
        ),
    ),
    *of(
        "lstm_jax/cells/projected.py",
        (
            "projection-clip-missing",
            "h=_clipped(h, self.projection_clip)",
            "h=h",
            f"{ORACLES}[projected-clips]",
        ),
        (
            "cell-clip-missing",
            "c = _clipped(f * state.c + i * g, self.cell_clip)",
            "c = f * state.c + i * g",
            f"{ORACLES}[projected-clips]",
        ),
    ),
    *of(
        "lstm_jax/cells/layer_norm.py",
        (
            "norm-without-the-mean",
            "centred = wide - jnp.mean(wide, axis=-1, keepdims=True)",
            "centred = wide",
            f"{ORACLES}[layer-norm]",
        ),
        (
            "norm-without-the-variance",
            "normed = centred * jax.lax.rsqrt(variance + epsilon)",
            "normed = centred",
            f"{ORACLES}[layer-norm]",
        ),
        (
            "norm-gate-by-gate",
            "z + layer_norm(u, params.gain_h, self.epsilon)",
            "z + layer_norm(u.reshape(*u.shape[:-1], 4, -1), params.gain_h.reshape(4, -1), self.epsilon)"
            ".reshape(u.shape)",
            f"{ORACLES}[layer-norm]",
        ),
        (
            "norm-of-the-cell-state-is-carried",
            "return LSTMState(h=(o * once(jnp.tanh(normed))).astype(state.h.dtype), c=c)",
            "return LSTMState(h=(o * once(jnp.tanh(normed))).astype(state.h.dtype), c=normed)",
            f"{ORACLES}[layer-norm]",
        ),
    ),
    *of(
        "lstm_jax/cells/ur_lstm.py",
        (
            "refine-gate-flipped",
            'gates["r"] * (1 - (1 - f) ** 2) + (1 - gates["r"]) * f**2',
            '(1 - gates["r"]) * (1 - (1 - f) ** 2) + gates["r"] * f**2',
            f"{ORACLES}[ur-lstm]",
        ),
        (
            "refine-bias-of-the-same-sign",
            "b.at[h : 2 * h].set(-forget)",
            "b.at[h : 2 * h].set(forget)",
            f"{INITIAL}_uniform_gates",
        ),
    ),
    *of(
        "lstm_jax/cells/lstm_1997.py",
        (
            "blocks-mixed-up",
            "(jnp.repeat(gate, self.block_size, axis=-1) for gate in (i, o))",
            "(jnp.tile(gate, self.block_size) for gate in (i, o))",
            f"{ORACLES}[lstm-1997]",
        ),
        (
            "first-lstm-forgets",
            "c = state.c + i * g",
            "c = (1 - i) * state.c + i * g",
            f"{ORACLES}[lstm-1997]",
        ),
    ),
    *of(
        "lstm_jax/cells/mgu.py",
        (
            "mgu-gate-flipped",
            "state.h + f * (n - state.h)",
            "n + f * (state.h - n)",
            f"{ORACLES}[mgu]",
        ),
    ),
    *of(
        "lstm_jax/cells/multiplicative.py",
        (
            "multiplicative-is-additive",
            "m = z[1] * (h @ params.w_hm.astype(h.dtype))",
            "m = z[1] + (h @ params.w_hm.astype(h.dtype))",
            f"{ORACLES}[multiplicative]",
        ),
    ),
    *of(
        "lstm_jax/cells/conv_lstm.py",
        (
            "conv-peephole-of-o-sees-the-old-cell-state",
            "o + p_o * c))",
            "o + p_o * state.c))",
            f"{ORACLES}[conv-1d]",
        ),
        (
            "conv-of-even-size-reaches-back",
            'padding="SAME"',
            'padding="SAME_LOWER"',
            f"{ORACLES}[conv-1d]",
        ),
    ),
)

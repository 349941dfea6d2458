"""Mutants of what is made of cells."""

from mutants.table import of

PROPERTIES = "tests/test_properties.py::test"
STACK = "tests/wrappers/test_stack.py::test"
BIDIRECTIONAL = "tests/wrappers/test_bidirectional.py::test"
WRAPPERS = "tests/wrappers/test_wrappers.py::test"
DRAWS = "tests/wrappers/test_draws.py::test_parts_draw_each_for_itself"

_DRAWS = of(
    "lstm_jax/cell.py",
    (
        "dropout-not-scaled",
        "1 / (1 - dropped), 0.0)",
        "1.0, 0.0)",
        f"{STACK}_dropout_rate_scale_and_reach",
    ),
    (
        "dropout-keeps-what-it-should-drop",
        "bernoulli(keys, 1 - dropped, *features)",
        "bernoulli(keys, dropped, *features)",
        f"{STACK}_dropout_rate_scale_and_reach",
    ),
)

_STACK = of(
    "lstm_jax/wrappers/stack.py",
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
        "            mask = params.masks[layer]\n"
        "        elif keys is not None and self.dropout and not self.variational:\n",
        "        if keys is not None and self.dropout:\n",
        f"{STACK}_dropout_rate_scale_and_reach",
    ),
    (
        "layers-share-the-keys-of-steps",
        "state[i], initial[i], fold_in(keys, i))",
        "state[i], initial[i], keys)",
        f"{PROPERTIES}_one_step_draws_like_the_sequence[stack-dropout]",
    ),
    (
        "layers-prepared-with-one-key",
        "c.prepare(p, batch_shape, key=fold_in(key, i))",
        "c.prepare(p, batch_shape, key=key)",
        f"{DRAWS}[DrawnOnce-stack]",
    ),
)

_BIDIRECTIONAL = of(
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

_AROUND = (
    *of(
        "lstm_jax/wrappers/residual.py",
        (
            "residual-of-the-outputs",
            "return ys + xs.astype(ys.dtype)",
            "return ys + ys",
            f"{WRAPPERS}_residual",
        ),
        (
            "highway-gate-flipped",
            "return xs + jax.nn.sigmoid(affine(xs, params.w, params.b)) * (ys - xs)",
            "return ys + jax.nn.sigmoid(affine(xs, params.w, params.b)) * (xs - ys)",
            f"{WRAPPERS}_highway",
        ),
    ),
    *of(
        "lstm_jax/wrappers/wrapper.py",
        (
            "residual-missing-in-the-step",
            "return new, self.after(params, x, y)",
            "return new, y",
            f"{WRAPPERS}_a_wrapper_of_a_cell_with_only_a_step",
        ),
    ),
    *of(
        "lstm_jax/wrappers/initial_state.py",
        (
            "learned-initial-state-ignored",
            "return own if learned is None else jnp.broadcast_to(learned, own.shape).astype(own.dtype)",
            "return own",
            f"{WRAPPERS}_learned_initial_state[cell]",
        ),
    ),
    *of(
        "lstm_jax/driver/flow.py",
        (
            "resets-restore-no-initial-state",
            "return select(self.reset, initial, state)",
            "return select(self.reset, jax.tree.map(jnp.zeros_like, state), state)",
            f"{WRAPPERS}_learned_initial_state[cell]",
        ),
    ),
    *of(
        "lstm_jax/wrappers/reset_by_flag.py",
        (
            "flag-seen-as-a-feature",
            "return self.cell.project(params, xs[..., :-1], keys=keys), self._flags(xs)",
            "return self.cell.project(params, xs[..., 1:], keys=keys), self._flags(xs)",
            f"{WRAPPERS}_reset_by_flag[cell]",
        ),
        (
            "flags-take-the-place-of-resets",
            "initial, keys, resets=self._flags(xs))",
            "initial, keys, resets=None)",
            f"{WRAPPERS}_reset_by_flag[cell]",
        ),
    ),
)

_INSIDE = (
    *of(
        "lstm_jax/wrappers/zoneout.py",
        (
            "zoneout-rate-the-wrong-way-round",
            "jnp.where(a[1][field.name], before, after)",
            "jnp.where(a[1][field.name], after, before)",
            f"{WRAPPERS}_zoneout_keeps_what_was_drawn",
        ),
        (
            "zoneout-expectation-the-wrong-way-round",
            "after + (before - after) * self._rate(field.name)",
            "before + (after - before) * self._rate(field.name)",
            f"{WRAPPERS}_zoneout_in_evaluation_is_the_expectation",
        ),
        (
            "zoneout-rates-of-h-and-c-swapped",
            'return self.h if field == "h" else self.c',
            'return self.c if field == "h" else self.h',
            f"{WRAPPERS}_zoneout_in_evaluation_is_the_expectation",
        ),
    ),
    *of(
        "lstm_jax/wrappers/dropout.py",
        (
            "candidate-mask-on-the-whole-state",
            "return super().update(params, inner, state, both)",
            "new = super().update(params, inner, state)\n"
            "        return new if both is None else replace(new, c=new.c * both)",
            f"{WRAPPERS}_recurrent_dropout_drops_candidates[cell]",
        ),
        (
            "variational-mask-on-the-state-itself",
            "    def mix(self, params: VariationalParams, state: State) -> Any:\n",
            "    def update(self, params: Any, a: Any, state: State, candidate: Any = None) -> State:\n"
            "        return super().update(params, a, self._masked(params, state), candidate)\n\n"
            "    def mix(self, params: VariationalParams, state: State) -> Any:\n",
            f"{WRAPPERS}_variational_dropout_leaves_the_state_itself",
        ),
        (
            "weight-drop-not-scaled",
            "w * kept(fold_in(key, number + 1), self.rate, *w.shape).astype(w.dtype)",
            "w * (kept(fold_in(key, number + 1), self.rate, *w.shape) > 0).astype(w.dtype)",
            f"{WRAPPERS}_weight_drop",
        ),
    ),
)

MUTANTS = (
    *_DRAWS,
    *_STACK,
    *_BIDIRECTIONAL,
    *_AROUND,
    *_INSIDE,
)

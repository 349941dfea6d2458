"""Mutants of what is made of cells."""

from mutants.table import of

PROPERTIES = "tests/test_properties.py::test"
STACK = "tests/wrappers/test_stack.py::test"
BIDIRECTIONAL = "tests/wrappers/test_bidirectional.py::test"
DRAWS = "tests/wrappers/test_draws.py::test_parts_draw_each_for_itself"

_STACK = of(
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

MUTANTS = (
    *_STACK,
    *_BIDIRECTIONAL,
)

"""Mutants of the applications: data, models, metrics, what training carries, the front door."""

from mutants.table import of

CARRY = "tests/train/test_carry.py::test"
SUPERVISED = "tests/train/test_supervised.py::test"
POOLING = "tests/models/test_pooling.py::test"
STREAMS = "tests/data/test_streams.py::test"
NAB = "tests/metrics/test_nab.py::test"

MUTANTS = (
    *of(
        "lstm_jax/train/state.py",
        (
            "what-is-carried-stays-as-it-was",
            "new = TrainState(state.step + 1, params, opt_state, state.key, handed, state.complete)",
            "new = TrainState(state.step + 1, params, opt_state, state.key, state.carry, state.complete)",
            f"{CARRY}_the_carry_goes_on_through_calls_and_a_resumption",
        ),
        (
            "the-average-is-never-scored",
            "params = self.opt_state.average if isinstance(self.opt_state, Averaged) else self.params",
            "params = self.params",
            f"{CARRY}_averaging_begins_when_validation_gets_worse",
        ),
    ),
    *of(
        "lstm_jax/train/supervised.py",
        (
            "filler-enters-the-statistics",
            "equal = equal and not (statistics and any(len(part) % sorted_.batch_size for part in sorted_.parts))",
            "equal = bool(equal)",
            f"{SUPERVISED}_filler_is_in_no_statistic",
        ),
    ),
    *of(
        "lstm_jax/models/lstm_fcn.py",
        (
            "padding-enters-the-statistics",
            "(ys, mask=mask)",
            "(ys)",
            "tests/models/test_lstm_fcn.py::test_in_training_the_batch_normalises_padding_left_out",
        ),
        (
            "padding-enters-the-shuffled-steps",
            "_shuffled(ys, positive",
            "_shuffled(xs, positive",
            "tests/models/test_lstm_fcn.py::test_shuffled_dimensions_are_what_the_paper_draws",
        ),
    ),
    *of(
        "lstm_jax/train/session.py",
        (
            "averaging-begins-in-the-call-on-its-way",
            'return record["step"] + self.experiment.steps_per_call',
            'return record["step"]',
            f"{CARRY}_averaging_begins_when_validation_gets_worse",
        ),
    ),
    *of(
        "lstm_jax/models/losses.py",
        (
            "missing-targets-count-as-zero",
            "counted = jnp.where(known, 1.0 if weights is None else weights, 0.0)",
            "counted = jnp.ones(targets.shape) if weights is None else weights + 0.0 * known",
            f"{SUPERVISED}_scores_are_those_of_each_sequence_alone",
        ),
    ),
    *of(
        "lstm_jax/train/supervised.py",
        (
            "filler-is-scored",
            'targets[numbers >= len(examples)] = np.nan if targets.dtype.kind == "f" else -1',
            "pass",
            f"{SUPERVISED}_scores_are_those_of_each_sequence_alone",
        ),
    ),
    *of(
        "lstm_jax/models/pooling.py",
        (
            "the-mean-counts-padding",
            "weights = inside / jnp.maximum(inside.sum(axis=0), 1)",
            "weights = inside / len(ys)",
            f"{POOLING}_pooling_is_that_of_each_row_alone",
        ),
        (
            "the-maximum-sees-padding",
            "highest = jnp.max(jnp.where(inside[..., None], ys, -jnp.inf), axis=0)",
            "highest = jnp.max(ys, axis=0)",
            f"{POOLING}_pooling_is_that_of_each_row_alone",
        ),
    ),
    *of(
        "lstm_jax/data/streams.py",
        (
            "the-state-begins-anew-in-the-first-epoch-alone",
            '"first": number == 0',
            '"first": jnp.asarray(step) == 0',
            f"{STREAMS}_rows_go_on_where_they_ended",
        ),
        (
            "a-warm-up-is-scored",
            "counted = (places >= begins[:, None]) & (places < ",
            "counted = (places >= 0) & (places < ",
            f"{STREAMS}_each_token_is_scored_once_after_its_warm_up",
        ),
    ),
    *of(
        "lstm_jax/models/language_model.py",
        (
            "the-nucleus-keeps-one-too-few",
            "least = jnp.min(jnp.where(before < top_p, ordered, jnp.inf), axis=-1, keepdims=True)",
            "least = jnp.min(jnp.where(before < top_p / 2, ordered, jnp.inf), axis=-1, keepdims=True)",
            "tests/models/test_language_model.py::test_what_is_left_out_is_by_definition",
        ),
    ),
    *of(
        "lstm_jax/metrics/ngram.py",
        (
            "unseen-contexts-are-impossible",
            "probability = np.where(seen, mixed, probability)",
            "probability = np.maximum(mixed, 1e-9)",
            "tests/metrics/test_ngram.py::test_it_is_the_definition",
        ),
    ),
    *of(
        "lstm_jax/metrics/nab.py",
        (
            "false-alarms-just-behind-a-window-cost-all",
            "values[last + 1 :] = profile.fp * np.where(behind >= 3, -1.0, _sigma(behind))",
            "values[last + 1 :] = -profile.fp",
            f"{NAB}_every_threshold_has_the_score_of_the_definition",
        ),
        (
            "the-last-detection-of-a-window-counts",
            "worth = np.maximum.accumulate(values[rows])",
            "worth = np.minimum.accumulate(values[rows])",
            f"{NAB}_every_threshold_has_the_score_of_the_definition",
        ),
    ),
    *of(
        "lstm_jax/data/lookahead.py",
        (
            "nothing-looks-ahead",
            "return earlier.shape == xs.shape and np.array_equal(earlier, xs)",
            "return True",
            "tests/data/test_panel.py::test_a_planted_leak_is_refused",
        ),
    ),
    *of(
        "lstm_jax/metrics/forecasting.py",
        (
            "the-spread-of-crps-is-left-out",
            "2 * density - 1 / math.sqrt(math.pi)",
            "2 * density",
            "tests/metrics/test_forecasting.py::test_crps_of_a_normal_distribution_is_its_integral",
        ),
    ),
    *of(
        "lstm_jax/fitted.py",
        (
            "validation-is-trained-on",
            "training = examples.take(slice(None, -count))",
            "training = examples",
            "tests/test_fitted.py::test_history_and_validation",
        ),
    ),
)

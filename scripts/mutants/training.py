"""Mutants of the tasks and the training system."""

from mutants.table import of

DEVICES = "tests/driver/test_devices.py"
LOOP = "tests/train/test_loop.py::test"
POPULATION = "tests/train/test_population.py::test"
RESUME = "tests/train/test_resume.py::test"
FOLDER = "tests/train/test_folder.py::test"
ADDING = "tests/tasks/test_adding.py::test"
TASK = "tests/tasks/test_task.py::test"
TASK_EXPERIMENT = "tests/train/test_task_experiment.py::test"

_ADDING = of(
    "lstm_jax/tasks/adding.py",
    (
        "adding-last-step-never-marked",
        "jax.random.randint(second_key, (batch_size,), half, self.length)",
        "jax.random.randint(second_key, (batch_size,), half, max(half + 1, self.length - 1))",
        f"{ADDING}_statistics",
    ),
    (
        "adding-first-marker-anywhere",
        "jax.random.randint(first_key, (batch_size,), 0, half)",
        "jax.random.randint(first_key, (batch_size,), 0, self.length)",
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

_TASK = (
    *of(
        "lstm_jax/tasks/task.py",
        (
            "what-is-not-taught-is-trained-on",
            "jnp.where(taught, losses(task, answers, sequences), 0.0)) / jnp.maximum(jnp.sum(taught), 1)",
            "losses(task, answers, sequences)) / jnp.maximum(jnp.sum(taught), 1)",
            f"{TASK}_the_loss_to_train_on_is_the_mean_over_what_is_taught",
        ),
        (
            "what-is-not-asked-must-be-right",
            "jnp.all(hits | ~asked, axis=0)",
            "jnp.all(hits, axis=0)",
            f"{TASK}_scores",
        ),
        (
            "rows-that-do-not-count-are-asked",
            "asked = sequences.asked & counted\n    taught",
            "asked = sequences.asked\n    taught",
            f"{TASK}_only_the_rows_that_are_counted_count",
        ),
        (
            "one-member-of-a-set-is-enough",
            "jnp.all((answers > 0) == targets, axis=-1)",
            "jnp.any((answers > 0) == targets, axis=-1)",
            f"{TASK}_the_loss_and_the_right_answers_step_by_step",
        ),
    ),
    *of(
        "lstm_jax/train/task_experiment.py",
        (
            "every-piece-has-the-same-rows",
            "piece_key, numbers = jax.random.fold_in(key, index)",
            "piece_key, numbers = jax.random.fold_in(key, 0)",
            f"{TASK_EXPERIMENT}_scores_are_those_of_the_rows_drawn_by_hand",
        ),
        (
            "the-last-piece-counts-whole",
            "counted = numbers < rows",
            "counted = numbers >= 0",
            f"{TASK_EXPERIMENT}_scores_are_those_of_the_rows_drawn_by_hand",
        ),
        (
            "tests-score-the-first-task",
            "scored = TaskModel(model.model, one)",
            "scored = TaskModel(model.model, task)",
            f"{TASK_EXPERIMENT}_other_tasks_are_tested_too",
        ),
        (
            "lengths-are-not-told",
            "lengths=sequences.lengths",
            "lengths=None",
            f"{TASK_EXPERIMENT}_each_row_is_read_to_its_own_end",
        ),
        (
            "dropout-is-always-off",
            'None if key is None else {"dropout": key}',
            "None",
            f"{TASK_EXPERIMENT}_dropout_is_on_in_the_loss_alone",
        ),
    ),
)

_TRAINING = (
    *of(
        "lstm_jax/cell.py",
        (
            "rows-of-a-share-numbered-from-zero",
            "rows += jax.lax.axis_index(BATCH_AXIS).astype(rows.dtype) * rows.size",
            "rows += 0",
            f"{DEVICES}::test_row_keys_inside_a_shard_map",
        ),
    ),
    *of(
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
            "optimizer.structure, steps if optimizer.depends_on_steps else None",
            "optimizer.structure, None",
            f"{LOOP}_a_schedule_is_followed",
        ),
    ),
    *of(
        "lstm_jax/train/session.py",
        (
            "the-last-parameters-are-tested",
            "programs(experiment).test(best.params, self.keys.test)",
            "programs(experiment).test(saved.state.params, self.keys.test)",
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
            "return len(since) >= self.experiment.patience",
            "return len(since) > self.experiment.patience",
            f"{LOOP}_patience_ends_the_training",
        ),
        (
            "saved-before-written-down",
            "    def _save(self) -> None:\n        self.metrics.flush()\n",
            "    def _save(self) -> None:\n",
            f"{RESUME}_killed_at_any_instant",
        ),
    ),
    *of(
        "lstm_jax/train/loop.py",
        (
            "a-population-has-one-rate",
            "numbers = _stacked([session.numbers() for session in self._sessions])",
            "numbers = _stacked([self._sessions[0].numbers() for _ in self._sessions])",
            f"{POPULATION}_each_is_what_it_would_be_alone",
        ),
        (
            "who-has-ended-goes-on",
            "{number: call for number, call in calls.items() if number not in ended}",
            "calls",
            f"{POPULATION}_each_ends_by_itself",
        ),
    ),
    *of(
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
    *of(
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
    *of(
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
    *of(
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
    *_ADDING,
    *_TASK,
    *_TRAINING,
)

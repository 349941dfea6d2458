"""Mutants of sweeps."""

from mutants.table import of

SPACE = "tests/sweep/test_space.py::test"
STUDY = "tests/sweep/test_study.py::test"
BUDGET = "tests/sweep/test_budget.py::test"

MUTANTS = (
    *of(
        "lstm_jax/sweep/space.py",
        (
            "whole-numbers-have-half-ends",
            "low, high = low - 0.5, high + 0.5",
            "low, high = low, high",
            f"{SPACE}_draws_are_spread_as_they_should_be",
        ),
        (
            "a-logarithmic-range-is-drawn-evenly",
            "if self.log else rng.uniform(low, high)",
            "if False else rng.uniform(low, high)",
            f"{SPACE}_draws_are_spread_as_they_should_be",
        ),
        (
            "every-trial-draws-the-same",
            'random.Random(f"{seed} {number}")',
            'random.Random(f"{seed}")',
            f"{STUDY}_random_trials_depend_on_the_sweeps_seed_alone_and_more_can_be_asked_for",
        ),
    ),
    *of(
        "lstm_jax/sweep/locks.py",
        (
            "two-may-work-on-a-trial",
            "fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)",
            "fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)",
            f"{STUDY}_nobody_gets_what_somebody_has",
        ),
    ),
    *of(
        "lstm_jax/sweep/study.py",
        (
            "who-died-is-never-given-up",
            "if died > self.sweep.retries:",
            "if False:",
            f"{STUDY}_a_trial_whose_workers_die_again_and_again_has_failed",
        ),
        (
            "who-stopped-counts-as-dead",
            'if attempt and not attempt.get("released"):',
            "if attempt:",
            f"{STUDY}_a_trial_whose_workers_die_again_and_again_has_failed",
        ),
        (
            "a-crashed-trial-holds-the-others-up",
            "if len(claims) < most and trial not in crashed:",
            "if len(claims) < most:",
            f"{STUDY}_a_bad_trial_stops_nothing",
        ),
        (
            "nobody-makes-trials-without-end",
            "return math.inf if timed else 0",
            "return 0",
            f"{BUDGET}_without_a_number_trials_are_made_until_the_time_is_up",
        ),
        (
            "trials-are-made-without-a-deadline",
            "return math.inf if timed else 0",
            "return math.inf",
            f"{BUDGET}_who_has_no_deadline_makes_no_trials_without_end",
        ),
        (
            "the-worst-is-the-best",
            'return trial.value if self.goal == "min" else -trial.value',
            'return -trial.value if self.goal == "min" else trial.value',
            f"{STUDY}_each_trial_is_what_a_lone_run_of_its_settings_is",
        ),
    ),
    *of(
        "lstm_jax/sweep/settings.py",
        (
            "another-question-passes",
            "if json.loads(json.dumps(value)) != json.loads(json.dumps(before[name])):",
            "if False:",
            f"{STUDY}_random_trials_depend_on_the_sweeps_seed_alone_and_more_can_be_asked_for",
        ),
    ),
    *of(
        "lstm_jax/sweep/trial.py",
        (
            "what-crashed-has-stopped",
            'if crashes else ("stopped", reason)',
            'if False else ("stopped", reason)',
            f"{STUDY}_a_trial_that_crashed_waits_with_its_reason",
        ),
    ),
    *of(
        "lstm_jax/sweep/worker.py",
        (
            "seeds-are-not-averaged",
            "value = sum(values) / len(values)",
            "value = values[0]",
            f"{STUDY}_the_objective_is_the_mean_over_seeds",
        ),
        (
            "shapes-are-mixed",
            "return json.dumps([to_json(plain), ",
            "return json.dumps([",
            f"{STUDY}_populations_give_what_lone_runs_give",
        ),
        (
            "what-crashed-is-pruned",
            "if isinstance(error, (PrunedError, NonFiniteError)):",
            "if error is not None:",
            f"{STUDY}_a_bad_trial_stops_nothing",
        ),
    ),
    *of(
        "lstm_jax/sweep/patience.py",
        (
            "trouble-is-told-at-once",
            "if waited + pause > seconds:",
            "if True:",
            f"{STUDY}_a_full_disk_is_waited_for",
        ),
    ),
    *of(
        "lstm_jax/sweep/database.py",
        (
            "who-may-only-read-writes",
            "?mode=ro",
            "",
            f"{STUDY}_who_may_only_read_sees_how_a_study_stands",
        ),
        (
            "a-password-in-a-query-passes",
            ' or "password=" in url',
            "",
            "tests/sweep/test_refusals.py::test_a_password_is_refused_where_others_could_read_it",
        ),
    ),
)

"""Scoring submissions: durable steps, workers, runs of submitted code.

    run (code only) → validate → public features → public score → private features
        → private score → publish

A submission is on the leaderboards, and its scores are shown, only after "publish", when both
exist: one that fails half-way costs its team no attempt, so it must not show a score either.

    worker.py              the processes: a worker, and the supervisor that restarts it
    task_threads.py        the threads of a worker, which do tasks
    queue.py               which task is next; workers, heartbeats and leases
    scheduler.py           heartbeats, and what a worker does every second beside its tasks
    step_runner.py         the steps of one submission, with retries
    steps.py               the rows of steps: begun, finished, failed
    pipeline.py            what each step does
    retry.py               MAX_ATTEMPTS; retrying failed work on an organizer's request
    reference_features.py  the features of a split's own images, computed once and stored
    evaluate.py            features, distances and score of a submission, by genmem's own layers
    code_runs.py           runs of code in the sandbox
    programs.py            the program of a run
    code_archive.py        zips of code
    packages.py            the packages that code locks
    rescore.py             rescores when a split changes
    rescore_task.py        rescores that need workers
    stored_names.py        names of files in storage
    db_retry.py            waiting for an unavailable database
    errors.py              whose fault a failure is

Whatever dies, a submission ends as scored, refused (its files are at fault; a clear message) or
failed (our fault; organizers see the detail), with one score on each split: a score is written and
its step marked as done in one transaction, which first checks whether that was done before.
"""

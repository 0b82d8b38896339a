"""Scoring what was received: durable steps, workers, runs of submitted code.

    run (code only) → validate → public features → public score → private features
        → private score → publish

A submission stands on the boards, and shows its scores to anybody, from "publish" on, when both are
there: one that fails half-way costs its team no attempt, so it must not tell a score either.

    worker.py      the processes: a worker, the keeper that starts it again
    sweep.py       what a worker looks after every second: what was received, who has died
    engine.py      DBOS: queue, workflows, taking over; nothing else knows it
    performing.py  one step with its tries; how a submission ends when it fails
    steps.py       the book of steps in the database: begun, done, ended
    work.py        what each step does
    spaces.py      the organiser's features, made once and kept
    measuring.py   a submission's features, distances and score, by genmem's own layers
    runs.py        runs of code in the sandbox, moved on by sweeps
    programs.py    what is run for one of them; code.py: its zip, packages.py: what it locks
    rescore.py     scores made anew when a split changes; anew.py: where workers are needed for it
    retry.py       scoring again what failed, at an organiser's word
    patience.py    waiting for a database that is away

Whatever dies, a submission ends as scored, refused (its files are at fault; a clear message) or
failed (ours; organisers see the detail), and it has one score on each split: writing a score and
marking its step done are one transaction, which looks first whether that was done.
"""

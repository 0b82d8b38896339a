"""Labels, decisions, rebuttals, notes and the log: who may, what shows where, what is kept."""

import pytest

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def world(competition):
    """A team with a scored submission, its captain, two reviewers and an organizer."""
    from types import SimpleNamespace

    from genmem.arena.teams.models import Role

    from ..factories import a_team, a_user, captain, scored, signed_in

    team = a_team(competition, "alpha")
    found = SimpleNamespace(competition=competition, team=team, one=scored(team, 5.0, private=6.0))
    found.people = {"member": captain(team), "first": a_user("first"), "second": a_user("second")}
    found.people["organizer"] = a_user("organizer")
    for who, role in (("first", "reviewer"), ("second", "reviewer"), ("organizer", "organizer")):
        Role.objects.create(competition=competition, user=found.people[who], role=role)
    found.clients = {who: signed_in(one) for who, one in found.people.items()}
    found.where = f"/c/dogs/moderation/submissions/{found.one.pk}/"
    return found


def post(world, who, what, **form):
    answer = world.clients[who].post(world.where + what, form, follow=True)
    return answer.content.decode()


def team_page(world):
    where = f"/c/dogs/submissions/{world.one.pk}/"
    return world.clients["member"].get(where).content.decode()


def board(world, kind="public"):
    from genmem.arena.leaderboards.leaderboard import leaderboard_rows

    return [row.name for row in leaderboard_rows(world.competition, kind)]


def test_two_reviewers_who_agree_settle_the_top(world):
    assert "2 reviews left" in world.clients["first"].get("/c/dogs/moderation/").content.decode()
    post(world, "first", "label/", label="legitimate")
    assert "1 review left" in world.clients["first"].get("/c/dogs/moderation/").content.decode()
    assert "A second reviewer is needed" in world.clients["first"].get(world.where).content.decode()
    page = post(world, "second", "label/", label="legitimate", next="1")
    assert "No submission in the queue waits for your review" in page
    assert "The top 1 is settled" in page


def test_reviewers_who_disagree_leave_it_to_the_organizer_and_the_newest_label_counts(world):
    post(world, "first", "label/", label="legitimate")
    page = post(world, "second", "label/", label="SUP", reason="blends")
    assert "an organizer decides" in page
    page = post(world, "first", "label/", label="SUP", reason="blends, yes")
    assert "SUP, agreed" in page
    from genmem.arena.moderation.models import Label

    assert Label.objects.count() == 3


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"label": "MGAN", "reason": " "}, "Write a reason"),
        ({"label": "good"}, "Choose one of the labels"),
        ({"label": "legitimate", "reason": "x" * 10_001}, "at most 10,000 characters"),
    ],
)
def test_a_label_that_cannot_be_kept_is_refused(world, form, words):
    from genmem.arena.moderation.models import Label

    assert words in post(world, "first", "label/", **form)
    assert Label.objects.count() == 0


def test_a_disqualified_submission_is_on_no_leaderboard_and_comes_back_when_it_is_reinstated(world):
    from ..factories import a_team, scored

    scored(a_team(world.competition, "beta"), 9.0, private=9.0)
    assert board(world) == ["alpha", "beta"]
    post(world, "organizer", "decision/", kind="disqualified", reason="Copies.")
    assert board(world) == board(world, "private") == ["beta"]
    page = world.clients["member"].get("/c/dogs/leaderboard/").content.decode()
    assert "alpha" not in page.split("<table")[1]
    page = post(world, "organizer", "decision/", kind="disqualified", reason="Again.")
    assert "disqualified already" in page
    post(world, "organizer", "decision/", kind="reinstated", reason="They showed us.")
    assert board(world) == board(world, "private") == ["alpha", "beta"]
    assert [one.kind for one in world.one.decisions.order_by("pk")] == [
        "disqualified",
        "reinstated",
    ]


def test_a_disqualified_final_is_not_replaced_by_another_submission(world):
    from ..factories import scored

    better = [scored(world.team, public, private=public) for public in (1.0, 2.0)]
    assert board(world, "private") == ["alpha"]
    from genmem.arena.moderation.decisions import decide

    for one in better:
        decide(one, "disqualified", reason="Copies.", by=None)
    assert board(world, "private") == []
    assert board(world, "public") == ["alpha"]


def test_the_rank_history_shows_when_a_team_lost_its_rank(world, time):
    from genmem.arena.leaderboards.leaderboard import team_rank_history

    time.pass_(hours=1)
    post(world, "organizer", "decision/", kind="disqualified", reason="Copies.")
    time.pass_(hours=1)
    post(world, "organizer", "decision/", kind="reinstated", reason="Not so.")
    assert [(one.at.hour, one.rank) for one in team_rank_history(world.team)] == [
        (12, 1),
        (13, None),
        (14, 1),
    ]


def test_the_team_reads_the_decision_answers_once_and_reads_the_reply(world):
    from genmem.arena.leaderboards.models import Decision

    post(world, "first", "label/", label="MGAN", reason="secret-reason-of-a-label")
    post(world, "second", "label/", label="MGAN", reason="another")
    post(world, "organizer", "decision/", kind="disqualified", reason="38 images are copies.")
    page = team_page(world)
    assert "38 images are copies." in page
    assert "as MGAN" in page
    assert "secret-reason" not in page
    decision = Decision.objects.get()
    where = f"/c/dogs/moderation/decisions/{decision.pk}/rebuttal/"
    send = world.clients["member"].post
    assert "Sent." in send(where, {"text": "They are ours."}, follow=True).content.decode()
    again = send(where, {"text": "Really."}, follow=True).content.decode()
    assert "has answered to this decision already" in again
    assert "Your answer" not in again
    assert "They are ours." in world.clients["first"].get(world.where).content.decode()
    waiting = world.clients["first"].get("/c/dogs/moderation/decisions/").content.decode()
    assert "Unanswered rebuttals" in waiting
    answer = f"/c/dogs/moderation/rebuttals/{decision.rebuttal.pk}/answer/"
    assert world.clients["first"].post(answer, {"text": "No."}).status_code == 403
    world.clients["organizer"].post(answer, {"text": "We looked again."})
    assert "We looked again." in team_page(world)
    page = world.clients["organizer"].post(answer, {"text": "x"}, follow=True).content.decode()
    assert "has an answer already" in page


def test_nobody_answers_to_a_decision_that_no_longer_stands(world):
    from genmem.arena.core.errors import RuleError
    from genmem.arena.moderation.decisions import decide, rebut

    first = decide(world.one, "disqualified", reason="Copies.", by=None)
    second = decide(world.one, "reinstated", reason="Not so.", by=None)
    for decision in (first, second):
        with pytest.raises(RuleError, match="no longer in force"):
            rebut(decision, text="?", by=world.people["member"])


def test_notes_are_for_reviewers_only_and_not_in_the_log(world):
    from genmem.arena.auditlog.models import LogEntry

    post(world, "first", "note/", text="look-at-the-ears")
    assert "look-at-the-ears" in world.clients["second"].get(world.where).content.decode()
    for where in (
        "",
        "leaderboard/",
        f"submissions/{world.one.pk}/",
        "submissions/",
        "team/",
        "finals/",
    ):
        answer = world.clients["member"].get(f"/c/dogs/{where}")
        assert "look-at-the-ears" not in answer.content.decode()
    entry = LogEntry.objects.get(action="note")
    assert "look-at-the-ears" not in f"{entry.before}{entry.after}{entry.subject}"


def test_the_log_can_be_searched_by_action_person_and_subject(world):
    post(world, "first", "label/", label="legitimate")
    post(world, "organizer", "decision/", kind="disqualified", reason="Copies.")
    see = world.clients["first"].get

    def count(query):
        return see(f"/c/dogs/moderation/log/?{query}").content.decode().count('data-label="Action"')

    assert count("") == 2
    assert count("action=label") == count("action=disqualify") == 1
    assert count(f"actor={world.people['organizer'].pk}") == 1
    assert count("actor=server") == 0
    assert count(f"subject={world.one.pk}") == 2
    assert count("subject=nothing") == 0
    assert count("page=99&actor=x") == 2


def test_what_moderation_writes_is_only_ever_added_to(world):
    from genmem.arena.leaderboards.models import Decision
    from genmem.arena.moderation.models import Answer, Label, Note, Rebuttal

    from .factories import disqualified_and_rebutted

    rebuttal = disqualified_and_rebutted(world.team)
    post(world, "first", "label/", label="legitimate")
    post(world, "first", "note/", text="x")
    Answer.objects.create(rebuttal=rebuttal, by=world.people["organizer"], text="x")
    for model in (Answer, Decision, Label, Note, Rebuttal):
        row = model.objects.all()[0]
        for change in (row.save, row.delete, model.objects.all().delete):
            with pytest.raises(TypeError, match="never"):
                change()


def test_the_gallery_shows_the_nearest_images_first_beside_their_training_images(world, tmp_path):
    import io

    from django.db import connection
    from PIL import Image

    from ..images import COUNT, png
    from .factories import a_train_folder, keep_distances

    train = a_train_folder(tmp_path)
    connection.cursor().execute("UPDATE competitions_split SET train = %s", [str(train)])
    keep_distances(world.one)
    page = world.clients["first"].get(world.where).content.decode()
    places = [page.index(f"Submitted: {number:04d}.png") for number in range(COUNT)]
    assert places == sorted(places, reverse=True)
    assert "Training: t0003.png" in page
    for whose in ("submitted", "training"):
        answer = world.clients["first"].get(f"{world.where}images/private/0/{whose}/")
        assert answer.headers["Content-Type"] == "image/png"
        shown = Image.open(io.BytesIO(answer.content)).tobytes()
        assert shown == Image.open(io.BytesIO(png(COUNT - 1))).tobytes()
        assert world.clients["member"].get(answer.wsgi_request.path).status_code == 403
    for wrong in ("private/99/training", "public/0/training", "private/0/other", "x/0/training"):
        assert world.clients["first"].get(f"{world.where}images/{wrong}/").status_code == 404


def test_the_gallery_finds_training_images_by_name_where_the_set_has_changed(world, tmp_path):
    import json

    from django.db import connection

    from genmem.arena.scoring.reference_features import store_bytes

    from ..images import COUNT
    from .factories import a_train_folder, keep_distances

    train = a_train_folder(tmp_path)
    connection.cursor().execute("UPDATE competitions_split SET train = %s", [str(train)])
    keep_distances(world.one)
    names = [f"t{number:04d}.png" for number in range(COUNT)]
    store_bytes(json.dumps(names).encode(), "splits/space/train.json")
    (train / "t0000.png").unlink()  # every later one is at another position now
    page = world.clients["first"].get(world.where).content.decode()
    assert [f"Training: {name}" in page for name in names] == [False, *[True] * (COUNT - 1)]
    assert "The training images have changed since it was scored." in page
    pairs = page.index("Submitted: 0003.png"), page.index("Training: t0003.png")
    assert abs(pairs[0] - pairs[1]) < 400


def test_what_is_not_scored_cannot_be_labelled_or_disqualified(world):
    from genmem.arena.submissions.models import Submission

    Submission.objects.filter(pk=world.one.pk).update(state="received")
    for who in ("first", "organizer"):
        page = world.clients[who].get(world.where).content.decode()
        assert "Only scored submissions are reviewed; this one is received." in page
        assert 'id="label-form"' not in page
        assert "Disqualify" not in page


def test_an_submission_whose_files_are_gone_still_has_its_page(world, tmp_path):
    from genmem.arena.submissions import storage

    from .factories import keep_distances

    keep_distances(world.one)
    storage.remove(f"submissions/{world.one.pk}.zip")
    page = world.clients["first"].get(world.where).content.decode()
    assert "cannot be read" in page
    assert "missing</span>" in page


def test_submitted_code_and_its_log_can_be_read_as_text(world, tmp_path):
    import zipfile

    from genmem.arena.submissions import storage
    from genmem.arena.submissions.models import Submission

    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("run.py", "print('<b>images</b>')")
        archive.writestr("weights.bin", bytes(range(256)))
    name = f"submissions/{world.one.pk}.zip"
    storage.store_file(tmp_path / "c.zip", name)
    (tmp_path / "log").write_text("made 4 images")
    storage.store_file(tmp_path / "log", f"logs/{world.one.pk}.log")
    Submission.objects.filter(pk=world.one.pk).update(kind="code", file=name)
    page = world.clients["first"].get(world.where).content.decode()
    assert "print(&#x27;&lt;b&gt;images&lt;/b&gt;&#x27;)" in page
    assert "weights.bin" in page
    assert "made 4 images" in page


PAGES = (
    "leaderboard/",
    "leaderboard/private/",
    "moderation/",
    "moderation/distances/private/",
    "moderation/distances/private/preview/?tau=0.3",
    "moderation/decisions/",
    "moderation/log/",
)


@pytest.mark.parametrize("page", PAGES)
def test_more_submissions_take_no_more_queries(world, page):
    from django.core.cache import cache
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from ..factories import a_team, scored
    from .factories import labelled

    def queries():
        cache.clear()
        with CaptureQueriesContext(
            connection,
        ) as found:
            assert world.clients["organizer"].get(f"/c/dogs/{page}").status_code == 200
        return len(found)

    def more(count):
        for number in range(count):
            made = scored(a_team(world.competition), 5.0 + number, private=7.0 + number)
            labelled(made, "legitimate", "MGAN", by=[world.people["first"], world.people["second"]])
            from genmem.arena.moderation.decisions import decide

            if number % 2:
                decide(made, "disqualified", reason="Copies.", by=None)

    more(2)
    queries()
    few = queries()
    more(8)
    assert queries() == few

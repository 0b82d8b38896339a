"""Teams: invitations, leaving and merging, by the rules and no other way."""

from datetime import timedelta

import pytest

from ..images import a_zip

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def team(competition):
    from ..factories import a_team

    return a_team(competition, "Terriers", people=2)


def refused(words):
    from genmem.arena.core.errors import RuleError

    return pytest.raises(RuleError, match=words)


def members(team):
    return set(team.memberships.values_list("user__display_name", flat=True))


def test_whoever_makes_a_team_is_its_captain(competition):
    from genmem.arena.teams.teams import create_team

    from ..factories import a_user, captain

    user = a_user()
    assert captain(create_team(competition, user, " Poodles ")) == user


@pytest.mark.parametrize("name", ["Terriers", "terriers", " TERRIERS "])
def test_two_teams_cannot_share_a_name_in_any_case(team, name):
    from genmem.arena.teams.teams import create_team

    from ..factories import a_user

    with refused("Another team has this name"):
        create_team(team.competition, a_user(), name)


def test_a_person_is_in_one_team_of_a_competition(team):
    from django.db import IntegrityError, transaction

    from genmem.arena.teams.models import Membership
    from genmem.arena.teams.teams import create_team

    from ..factories import a_competition, a_team, captain

    with refused("You are in the team Terriers"):
        create_team(team.competition, captain(team), "Another")
    create_team(a_competition("cats"), captain(team), "Another")
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.create(team=a_team(team.competition), user=captain(team))


@pytest.mark.parametrize("role", ["reviewer", "organizer"])
def test_whoever_judges_a_competition_cannot_take_part(competition, role):
    from genmem.arena.teams.models import Role
    from genmem.arena.teams.teams import create_team

    from ..factories import a_user

    user = a_user()
    Role.objects.create(competition=competition, user=user, role=role)
    with refused("cannot take part"):
        create_team(competition, user, "Insiders")


def test_no_team_is_made_after_closing(competition, time):
    from genmem.arena.teams.teams import create_team

    from ..factories import a_user

    time.set(competition.closes_at + timedelta(seconds=1))
    with refused("has closed"):
        create_team(competition, a_user(), "Late")


def test_an_invitation_brings_its_addressee_in_once(team):
    from genmem.arena.teams.teams import accept_invitation, invite

    from ..factories import a_user, captain

    friend = a_user("friend")
    invitation = invite(team, captain(team), " Friend@Example.org ")
    accept_invitation(invitation, friend)
    assert "friend" in members(team)
    with refused("has been used"):
        accept_invitation(invitation, friend)


def test_an_invitation_is_for_its_address_only(team):
    from genmem.arena.teams.teams import accept_invitation, invite

    from ..factories import a_user, captain

    invitation = invite(team, captain(team), "friend@example.org")
    with refused("for friend@example.org"):
        accept_invitation(invitation, a_user("thief"))


def test_only_the_captain_invites(team):
    from genmem.arena.teams.teams import invite

    from ..factories import member

    with refused("Only the team's captain"):
        invite(team, member(team, 1), "friend@example.org")


def test_inviting_twice_is_one_invitation(team):
    from genmem.arena.teams.teams import invite

    from ..factories import captain

    first = invite(team, captain(team), "friend@example.org")
    assert invite(team, captain(team), "friend@example.org") == first


def test_an_invitation_ends_with_the_time_for_merging(team, time):
    from genmem.arena.teams.teams import accept_invitation, invite

    from ..factories import a_user, captain

    invitation = invite(team, captain(team), "friend@example.org")
    time.set(team.competition.merge_until)
    other = invite(team, captain(team), "other@example.org")
    accept_invitation(other, a_user("other"))
    time.pass_(seconds=1)
    with refused("until 25 May 2026, 12:00 UTC"):
        accept_invitation(invitation, a_user("friend"))
    with refused("until 25 May 2026"):
        invite(team, captain(team), "third@example.org")


def test_an_invitation_can_be_withdrawn_by_the_captain(team):
    from genmem.arena.teams.models import Invitation
    from genmem.arena.teams.teams import invite, withdraw_invitation

    from ..factories import captain, member

    invitation = invite(team, captain(team), "friend@example.org")
    with refused("Only the team's captain"):
        withdraw_invitation(invitation, member(team, 1))
    withdraw_invitation(invitation, captain(team))
    assert not Invitation.objects.exists()


def test_an_invitation_is_mailed_with_its_link(team):
    from django.core import mail

    from genmem.arena.teams.models import Invitation

    from ..factories import captain, signed_in

    signed_in(captain(team)).post("/c/dogs/team/invite/", {"email": "friend@example.org"})
    assert mail.outbox[-1].to == ["friend@example.org"]
    link = f"http://127.0.0.1:8000/invitations/{Invitation.objects.get().token}/"
    assert link in mail.outbox[-1].body


def test_whoever_leaves_leaves_the_submissions_and_the_next_member_leads(team, tmp_path):
    from genmem.arena.teams.teams import leave

    from ..factories import captain, member, send

    first, second = captain(team), member(team, 1)
    send(team, a_zip(tmp_path / "s.zip"))
    leave(team, first)
    assert captain(team) == second
    assert team.submissions.count() == 1


def test_nobody_leaves_after_closing(team, time):
    from genmem.arena.teams.teams import leave

    from ..factories import captain

    time.set(team.competition.closes_at + timedelta(seconds=1))
    with refused("has closed"):
        leave(team, captain(team))


@pytest.fixture
def pair(team):
    """Terriers ask to merge into Poodles."""
    from genmem.arena.teams.teams import request_merge

    from ..factories import a_team, captain

    poodles = a_team(team.competition, "Poodles")
    return team, poodles, request_merge(team, captain(team), "poodles")


def test_a_merge_brings_people_and_submissions_and_drops_their_finals(pair):
    from genmem.arena.auditlog.models import LogEntry
    from genmem.arena.leaderboards.finals import choose_finals
    from genmem.arena.leaderboards.models import Final
    from genmem.arena.teams.teams import accept_merge

    from ..factories import captain, scored

    team, poodles, merge = pair
    for one in (team, poodles):
        choose_finals(one, captain(one), [scored(one, 5.0).pk])
    accept_merge(merge, captain(poodles))
    assert len(members(poodles)) == 3
    assert members(team) == set()
    assert poodles.submissions.count() == 2
    assert Final.objects.get().submission.author == captain(poodles)
    entry = LogEntry.objects.get(action="merge teams")
    assert len(entry.before["members"]) == 2
    assert len(entry.before["submissions"]) == 1


def test_a_merge_needs_both_captains(pair):
    from genmem.arena.teams.teams import accept_merge, request_merge

    from ..factories import captain, member

    team, _, merge = pair
    with refused("Only the team's captain"):
        accept_merge(merge, captain(team))
    with refused("Only the team's captain"):
        request_merge(team, member(team, 1), "Poodles")


def test_either_captain_can_drop_a_request_and_nobody_else(pair):
    from genmem.arena.teams.models import MergeRequest
    from genmem.arena.teams.teams import cancel_merge

    from ..factories import captain, member

    team, poodles, merge = pair
    with refused("Only the captains of the two"):
        cancel_merge(merge, member(team, 1))
    cancel_merge(merge, captain(poodles))
    assert not MergeRequest.objects.exists()


def test_teams_merge_until_the_date_and_not_after(pair, time):
    from genmem.arena.teams.teams import accept_merge

    from ..factories import captain

    _, poodles, merge = pair
    time.set(poodles.competition.merge_until + timedelta(seconds=1))
    with refused("until 25 May 2026"):
        accept_merge(merge, captain(poodles))


def test_two_teams_cannot_have_more_submissions_than_one_could(pair):
    from genmem.arena.teams.teams import accept_merge

    from ..factories import captain, scored

    team, poodles, merge = pair
    for _ in range(17):
        scored(team, 1.0)
        scored(poodles, 1.0)
    with refused("34 submissions, more than the 33"):
        accept_merge(merge, captain(poodles))


@pytest.mark.parametrize(
    ("name", "words"), [("Nobody", "There is no team called 'Nobody'"), ("terriers", "your own")]
)
def test_asking_the_wrong_team_is_told(team, name, words):
    from genmem.arena.teams.teams import request_merge

    from ..factories import captain

    with refused(words):
        request_merge(team, captain(team), name)


def test_a_team_of_another_competition_cannot_be_asked(team):
    from genmem.arena.teams.teams import request_merge

    from ..factories import a_competition, a_team, captain

    a_team(a_competition("cats"), "Siamese")
    with refused("no team called"):
        request_merge(team, captain(team), "Siamese")


def test_a_rule_that_stands_against_it_is_said_on_the_page(team):
    from ..factories import captain, signed_in

    answer = signed_in(captain(team)).post("/c/dogs/team/merge/", {"name": "Nobody"}, follow=True)
    assert "There is no team called" in answer.content.decode()


def test_a_request_that_was_taken_back_meanwhile_is_not_accepted(pair):
    from genmem.arena.teams.models import MergeRequest
    from genmem.arena.teams.teams import accept_merge

    from ..factories import captain

    first, second, request = pair
    MergeRequest.objects.filter(pk=request.pk).delete()
    with refused("just cancelled"):
        accept_merge(request, captain(second))
    assert first.memberships.count() == 2


def test_no_address_is_flooded_with_mail(team, monkeypatch):
    from django.conf import settings
    from django.core import mail

    from ..factories import captain, signed_in

    monkeypatch.setattr(settings, "ACCOUNT_RATE_LIMITS", {"invite": "3/d/user,2/d/key"})
    client, before = signed_in(captain(team)), len(mail.outbox)
    for _ in range(5):
        client.post("/c/dogs/team/invite/", {"email": "friend@example.org"})
    assert len(mail.outbox) - before == 2
    page = client.get("/c/dogs/team/").content.decode()
    assert "pass on the link below" in page
    assert "friend@example.org" in page

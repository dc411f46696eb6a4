from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_babyai.actions import ACTIONS
from aegis_babyai.levels import COLOURS
from aegis_babyai.rendering import PAST, SEEN, facing, lines, nearest, scene_of
from aegis_babyai.scene import MARKS, Scene, Sight, Start, Thing, Walls
from aegis_babyai.sides import FACES

SIDES = st.sampled_from([along + across for along in "fbo" for across in "lro"])
THINGS = st.builds(
    Thing,
    st.sampled_from(COLOURS),
    st.sampled_from(["ball", "box", "key"]),
    st.just(""),
    st.sampled_from(["", *MARKS]),
    SIDES,
) | st.builds(
    Thing,
    st.sampled_from(COLOURS),
    st.just("door"),
    st.sampled_from(["open", "closed", "locked"]),
    st.sampled_from(["", *MARKS]),
    SIDES,
)
STEPS = st.integers(0, 6)
SEEN_SAID = (
    "seen f o plain red door locked seen o r plain blue key seen ff l plain grey ball "
    "seen fff rr target green box"
)
PAST_SAID = "past bb o plain red ball past o lllll plain purple door open"


def _sights(ahead, aside):
    """Return a strategy of things, one in a place at most, none where the agent stands."""
    places = st.tuples(ahead, aside).filter(any)
    return st.dictionaries(places, THINGS, max_size=16).map(
        lambda found: tuple(Sight(thing, *place) for place, thing in found.items())
    )


SCENES = st.builds(
    Scene,
    st.builds(Walls, STEPS, st.integers(0, 3), st.integers(0, 3)),
    st.none() | THINGS,
    _sights(STEPS, st.integers(-3, 3)),
    _sights(st.integers(-9, 9), st.integers(-9, 9)),
    st.lists(st.sampled_from([*ACTIONS, "forward blocked"]), max_size=3).map(tuple),
    st.booleans(),
    st.none() | st.builds(Start, st.integers(-9, 9), st.integers(-9, 9), st.sampled_from(FACES)),
).map(lambda scene: _as_told(scene))  # noqa: PLW0108 - it is defined below


def _as_told(scene):
    """Return a scene without the marks and sides that it does not tell."""
    untold = ({} if scene.marked else {"mark": ""}) | ({} if scene.start else {"side": ""})
    seen, past = (
        tuple(sight._replace(thing=sight.thing._replace(**untold)) for sight in sights)
        for sights in (scene.seen, scene.past)
    )
    carried = scene.carried and scene.carried._replace(**untold)
    return scene._replace(carried=carried, seen=seen, past=past)


def _unmarked(scene):
    return _as_told(scene._replace(marked=False))


def test_a_scene_is_said_in_few_plain_words_nearest_first_places_before_names():
    scene = Scene(
        walls=Walls(4, 1, 0),
        carried=Thing("red", "key"),
        seen=(
            Sight(Thing("grey", "ball"), 2, -1),
            Sight(Thing("green", "box", mark="target"), 3, 2),
            Sight(Thing("red", "door", "locked"), 1, 0),
            Sight(Thing("blue", "key"), 0, 1),
        ),
        past=(Sight(Thing("purple", "door", "open"), 0, -5), Sight(Thing("red", "ball"), -2, 0)),
        last=("forward blocked", "pickup"),
        marked=True,
    )
    assert lines(scene) == (
        "walls 4 1 0",
        "carry plain red key",
        "last none blocked pickup",
        f"{SEEN_SAID} {PAST_SAID}",
    )
    assert facing(scene) == Thing("red", "door", "locked")
    nothing = Scene(Walls(0, 0, 0), None, (), ())
    assert lines(nothing) == ("walls 0 0 0", "carry no thing", "last none none none")
    assert lines(_unmarked(scene))[1] == "carry red key"


def test_sides_stand_before_names():
    scene = Scene(
        Walls(4, 1, 0),
        Thing("red", "key", side="fo"),
        (Sight(Thing("green", "box", side="fl"), 3, 2),),
        (Sight(Thing("blue", "ball", side="or"), -2, 0),),
        start=Start(-2, -1, "r"),
    )
    assert lines(scene) == (
        "walls 4 1 0",
        "start bb l r",
        "carry fo red key",
        "last none none none",
        "seen fff rr fl green box past bb o or blue ball",
    )
    assert lines(scene._replace(carried=None))[2] == "carry oo no thing"


def _door(thing):
    return thing is not None and thing.kind == "door"


@given(SCENES)
def test_everything_has_its_place(scene):
    """The same words before the things, and as many for each of them, but for states of doors."""
    said = list(lines(scene))
    if scene.start:
        assert len(said.pop(1).split()) == 4
        assert len(said[1].split()) == 4 + scene.marked * bool(scene.carried) + _door(scene.carried)
    walls, _, last, *things = said
    assert [len(line.split()) for line in (walls, last)] == [4, 4]
    words = [word for line in things for word in line.split()]
    starts = [place for place, word in enumerate(words) if word in {"seen", "past"}]
    for start, end in itertools.pairwise([*starts, len(words)]):
        more = scene.marked + bool(scene.start) + ("door" in words[start:end])
        assert end - start == 5 + more


@given(SCENES)
def test_the_words_say_the_scene_again_as_far_as_they_show_it(scene):
    said = lines(scene)
    again = scene_of(said)
    assert lines(again) == said
    assert again[:2] == scene[:2]
    assert again.start == scene.start
    assert again.last == scene.last
    assert again.marked == (scene.marked and bool(scene.carried or again.seen or again.past))
    assert set(again.seen) <= set(scene.seen)
    assert set(again.past) <= set(scene.past)
    assert again.seen == tuple(nearest(scene.seen, SEEN))
    assert again.past == tuple(nearest(scene.past, PAST))


@given(SCENES)
def test_every_word_is_a_plain_one_or_a_small_number(scene):
    words = [word for line in lines(scene) for word in line.split()]
    assert all(re.fullmatch(r"[a-z]+|\d", word) for word in words)


@given(SCENES)
def test_what_is_marked_is_shown_and_of_the_rest_the_nearest(scene):
    for sights, limit in ((scene.seen, SEEN), (scene.past, PAST)):
        shown = nearest(sights, limit)
        left_out = set(sights) - set(shown)
        plain = [sight for sight in shown if not sight.thing.mark]
        assert all(not sight.thing.mark for sight in left_out)
        assert len(plain) <= limit
        assert not left_out or len(plain) >= limit - 1

        def far(sight):
            return abs(sight.ahead) + abs(sight.aside)

        assert [far(s) for s in shown] == sorted(far(s) for s in shown)
        assert not left_out or not plain or max(map(far, plain)) <= min(map(far, left_out))


@given(SCENES)
def test_a_mirrored_scene_shows_the_same_things_in_their_mirrored_places(scene):
    for sights, limit in ((scene.seen, SEEN), (scene.past, PAST)):
        mirrored = [sight._replace(aside=-sight.aside) for sight in sights]
        there = {sight._replace(aside=-sight.aside) for sight in nearest(mirrored, limit)}
        assert there == set(nearest(sights, limit))


@pytest.mark.parametrize(
    "said",
    [
        (),
        ("walls 0 0 0", "carry no thing"),
        ("walls 0 0", "carry no thing", "last none none none"),
        ("walls a b c", "carry no thing", "last none none none"),
        ("walls 0 0 0", "carry nothing", "last none none none"),
        ("walls 0 0 0", "carry red ball soft round", "last none none none"),
        ("walls 0 0 0", "carry no thing", "last none none"),
        ("walls 0 0 0", "carry no thing", "last left none none"),
        ("walls 0 0 0", "carry oo no thing", "last none none none"),
        ("walls 0 0 0", "start o o f", "carry no thing", "last none none none"),
        ("walls 0 0 0", "start o o u", "carry oo no thing", "last none none none"),
        ("walls 0 0 0", "start o o fr", "carry oo no thing", "last none none none"),
        ("walls 0 0 0", "start o f", "carry oo no thing", "last none none none"),
        (
            "walls 0 0 0",
            "start o o f",
            "carry oo no thing",
            "last none none none",
            "seen o l red ball",
        ),
        ("walls 0 0 0", "carry no thing", "last none none none", "seen o l fl red ball"),
        *[
            ("walls 0 0 0", "carry no thing", "last none none none", things)
            for things in (
                "",
                "red ball",
                "seen o l pink ball",
                "seen u o red ball",
                "seen l f red ball",
                "seen fb o red ball",
                "seen o l",
                "seen o ll red ball seen o l red key",
                "past o l red ball seen o l red key",
                "seen o l plain red ball seen o ll red key",
                "felt o l red ball",
            )
        ],
    ],
)
def test_other_words_are_refused(said):
    with pytest.raises((ValueError, LookupError)):
        scene_of(said)

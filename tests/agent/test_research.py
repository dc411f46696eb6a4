"""The research environment on a real ledger, with a tool whose answers the test decides."""

from __future__ import annotations

import pytest
from attrs import evolve

from aegis.agent.proposals import SHORT_REST, ActiveTool
from aegis.agent.research import ResearchEnvironment, Services
from aegis.config.settings import AgentSettings, RewardSettings
from aegis.contracts.action import Action
from aegis.contracts.outcome import Document, Reading, ToolResult
from aegis.contracts.roles import ToolSpec
from aegis.host.plugin import PluginInfo
from aegis.store.ledger import Ledger

PLUGIN = PluginInfo("shelf", "test", "1")
QUERY = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
DOCUMENT = {
    "type": "object",
    "properties": {"document": {"type": "string", "format": "document"}},
    "required": ["document"],
}
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


class Search:
    def __init__(self, name="search_shelf", queries=("low rank", "adaptation", "rank")):
        self.spec = ToolSpec(name, "Searches.", QUERY)
        self.queries = queries

    def candidates(self, view):
        return [{"query": query} for query in self.queries]


class Read:
    spec = ToolSpec("read", "Reads.", DOCUMENT)

    def candidates(self, view):
        return [Action("read", {"document": seen.ref}, about=seen.title) for seen in view.found]


class Note:
    spec = ToolSpec("write_note", "Writes.", TEXT, effects="local")

    def candidates(self, view):
        return [Action("write_note", {}, slot="text")]


class Answers:
    """Carries out calls by giving prepared answers, and keeps what was asked."""

    def __init__(self):
        self.prepared = {}
        self.asked = []

    def call(self, tool, arguments, *, key, documents):
        self.asked.append((tool, dict(arguments), key, dict(documents)))
        if tool == "read":
            ref = arguments["document"]
            return self.prepared.get(("read", ref)) or ToolResult(
                "ok", readings=(Reading(ref, ("A key sentence.",), ("low rank",)),)
            )
        return self.prepared[tool, arguments.get("query", "")]


def paper(number, title, text="Low rank adaptation of weights.", **fields):
    return Document("shelf", f"p{number}", title, text, **fields)


ABOUT = [paper(i, f"Low rank adaptation, part {i}") for i in range(1, 6)]
OTHER = paper(9, "Gardening", "Flowers.")


class Life:
    """An environment with everything around it, as the tests need it."""

    def __init__(self, ledger, clock, tools=None, **settings):
        self.answers, self.notices, self.step = Answers(), [], 0
        chosen = tools or (Search(), Read(), Note())
        self.environment = ResearchEnvironment(
            Services(
                connection=ledger.connection,
                tools={tool.spec.name: ActiveTool(tool, PLUGIN) for tool in chosen},
                caller=self.answers,
                settings=AgentSettings(interests=("low rank adaptation",), **settings),
                clock=clock,
                writes_text=True,
                notify=self.notices.append,
            )
        )
        self.begin()

    def begin(self):
        self.environment.at(self.step + 1, f"key-{self.step + 1}")
        self.view = self.environment.reset(0)

    def act(self, tool, **arguments):
        self.step += 1
        self.environment.at(self.step, f"key-{self.step}")
        result = self.environment.step(Action(tool, arguments))
        self.view = result.view
        return result

    def search(self, result, query="low rank", tool="search_shelf"):
        self.answers.prepared[tool, query] = result
        return self.act(tool, query=query)

    def offered(self):
        return [action.render() for action in self.environment.candidates(self.view)]


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path) as opened:
        yield opened


@pytest.fixture
def life(ledger, clock):
    return Life(ledger, clock)


def test_the_first_interest_becomes_the_goal_with_all_terms_missing(life):
    assert life.view.goal == "Understand low rank adaptation"
    assert set(life.view.missing) == {"low", "rank", "adaptation"}


def test_each_new_relevant_item_earns_and_a_known_one_does_not(life):
    first = life.search(ToolResult("ok", documents=(*ABOUT[:2], OTHER)))
    assert first.reward == 2.0
    assert first.outcome.gained == 2
    assert first.outcome.message == "3 found: 2 new, 0 known, 1 about something else"
    second = life.search(ToolResult("ok", documents=tuple(ABOUT[:3])), "adaptation")
    assert (second.reward, second.outcome.gained) == (1.0, 1)


def test_what_is_about_something_else_is_not_kept(life):
    life.search(ToolResult("ok", documents=(ABOUT[0], OTHER)))
    assert [item.document.title for item in life.environment.items.all()] == [ABOUT[0].title]


@pytest.mark.parametrize("status", ["partial", "empty", "error", "timeout", "denied"])
def test_only_an_ok_result_becomes_knowledge(life, status):
    """A failed, partial or simulated result never becomes knowledge."""
    result = life.search(ToolResult(status, "no", documents=tuple(ABOUT)))
    assert result.reward == -0.5
    assert result.outcome.status == status
    assert life.environment.items.count() == 0


def test_a_search_that_brings_nothing_new_counts_as_empty(life):
    life.search(ToolResult("ok", documents=(ABOUT[0],)))
    assert life.search(ToolResult("ok", documents=(ABOUT[0],)), "rank").reward == -0.5


def test_a_withdrawn_paper_is_kept_and_neither_counted_nor_offered(life):
    result = life.search(ToolResult("ok", documents=(evolve(ABOUT[0], withdrawn=True),)))
    assert result.reward == -0.5
    assert life.environment.items.count() == 1
    assert life.view.found == ()


def test_progress_is_earned_by_reading_and_completes_the_goal(life):
    life.search(ToolResult("ok", documents=tuple(ABOUT)))
    assert life.environment.progress(life.environment.goals.active())[0] == 0
    rewards = []
    for seen in life.view.found[:3]:
        result = life.act("read", document=seen.ref)
        rewards.append(result.reward)
    assert rewards == pytest.approx([0.2, 0.2, 3.2])
    assert result.done and result.goal_completed
    assert [goal.state for goal in life.environment.goals.all()] == ["done"]


def test_the_document_is_handed_to_the_tool_that_reads_it(life):
    life.search(ToolResult("ok", documents=(ABOUT[0],)))
    life.act("read", document="1")
    assert life.answers.asked[-1] == ("read", {"document": "1"}, "key-2", {"1": ABOUT[0]})


def test_a_reference_that_is_not_known_is_denied_without_a_call(life):
    life.search(ToolResult("ok", documents=(ABOUT[0],)))
    result = life.act("read", document="99")
    assert result.outcome.status == "denied"
    assert len(life.answers.asked) == 1


def test_a_call_whose_answer_is_known_is_not_offered_again(life):
    assert "search_shelf low rank" in life.offered()
    life.search(ToolResult("ok", documents=(ABOUT[0],)))
    assert "search_shelf low rank" not in life.offered()


def test_an_answer_is_asked_for_again_once_it_is_stale(life, clock):
    life.search(ToolResult("ok", documents=(ABOUT[0],)))
    assert "search_shelf low rank" not in life.offered()
    clock.jump(days=31)
    assert "search_shelf low rank" in life.offered()


def test_a_failed_call_may_be_tried_in_the_next_episode_and_not_before(ledger, clock):
    life = Life(ledger, clock, episode_steps=2)
    life.search(ToolResult("error", "down"))
    assert "search_shelf low rank" not in life.offered()
    life.search(ToolResult("ok", documents=(ABOUT[0],)), "rank")
    life.environment.goals.add("rank adaptation methods", "told", step=2)
    life.begin()
    assert "search_shelf low rank" in life.offered()


def test_a_call_that_was_made_up_again_is_denied(life):
    life.search(ToolResult("ok", documents=(ABOUT[0],)))
    result = life.search(ToolResult("ok", documents=tuple(ABOUT)))
    assert result.outcome.status == "denied"
    assert len(life.answers.asked) == 1


def test_a_goal_is_put_aside_after_its_steps(ledger, clock):
    life = Life(ledger, clock, episode_steps=2)
    assert not life.search(ToolResult("ok", documents=(ABOUT[0],))).done
    result = life.search(ToolResult("empty", "nothing"), "rank")
    assert result.done and not result.goal_completed
    assert [goal.state for goal in life.environment.goals.all()] == ["abandoned"]


def test_a_goal_is_put_aside_when_nothing_can_be_done_for_it(ledger, clock):
    life = Life(ledger, clock, tools=[Search(queries=["low rank"])])
    assert life.search(ToolResult("empty", "nothing")).done
    assert [goal.state for goal in life.environment.goals.all()] == ["abandoned"]
    life.begin()
    assert life.view.goal == ""
    assert life.offered() == []


def test_a_tool_out_of_reach_is_named_once_and_offers_nothing_while_it_cools_down(ledger, clock):
    far = Search("search_far", ["far one", "far two"])
    life = Life(ledger, clock, tools=[Search(), far])
    down = ToolResult("error", "no network", unreachable=True, retry_after=600)
    life.search(down, "far one", "search_far")
    assert life.notices == ["search_far is out of reach: no network"]
    assert not [text for text in life.offered() if "far" in text]
    clock.jump(minutes=11)
    assert "search_far far two" in life.offered()
    life.search(down, "far two", "search_far")
    assert len(life.notices) == 1, "still out of reach: nothing new to say"


def test_the_loop_waits_for_a_short_rest_and_not_for_a_long_one(ledger, clock):
    only = [Search("search_far", ["far one", "far two"])]
    life = Life(ledger, clock, tools=only)
    life.search(ToolResult("ok", documents=(ABOUT[0],), retry_after=10), "far one", "search_far")
    assert life.offered() == []
    assert 0 < life.environment.wait <= SHORT_REST


def test_a_clock_that_jumped_back_does_not_keep_a_tool_resting_for_days(ledger, clock):
    life = Life(ledger, clock, tools=[Search("search_far", ["far one", "far two"])])
    life.search(ToolResult("ok", documents=(ABOUT[0],), retry_after=3), "far one", "search_far")
    clock.jump(days=-3000)
    assert life.offered() == ["search_far far two"]


def test_notes_earn_a_little_and_are_no_evidence_of_learning(life):
    note = Document("note", "n1", "Low rank adaptation", "Low rank adaptation.")
    life.answers.prepared["write_note", ""] = ToolResult("ok", "noted", documents=(note,))
    result = life.act("write_note", text="Low rank adaptation.")
    assert (result.reward, result.outcome.gained) == (pytest.approx(0.1), 0)
    assert life.environment.progress(life.environment.goals.active())[0] == 0
    assert not [text for text in life.offered() if "write_note" in text], "once a goal"


def test_slots_are_offered_only_to_an_engine_that_writes(ledger, clock):
    life = Life(ledger, clock)
    assert [text for text in life.offered() if "write_note" in text]
    silent = ResearchEnvironment(
        Services(
            connection=ledger.connection,
            tools={"write_note": ActiveTool(Note(), PLUGIN)},
            caller=life.answers,
            settings=AgentSettings(interests=("low rank adaptation",)),
            clock=clock,
            writes_text=False,
            notify=print,
        )
    )
    assert silent.reset(0).goal == ""


def test_candidates_are_merged_round_robin_up_to_the_cap(ledger, clock):
    talkative = Search("search_much", [f"query {i}" for i in range(50)])
    quiet = Search("search_little", ["one", "two"])
    life = Life(ledger, clock, tools=[talkative, quiet], candidates=6)
    assert life.offered() == [
        "search_much query 0",
        "search_little one",
        "search_much query 1",
        "search_little two",
        "search_much query 2",
        "search_much query 3",
    ]


def test_the_table_of_rewards_decides(ledger, clock):
    rewards = RewardSettings(new_item=5, failed_search=-7, goal_completed=11, read=2, step=-1)
    life = Life(ledger, clock, rewards=rewards, coverage=1)
    assert life.search(ToolResult("empty", "nothing")).reward == -8
    assert life.search(ToolResult("ok", documents=(ABOUT[0],)), "rank").reward == 4
    assert life.act("read", document="1").reward == 2 - 1 + 11


def test_a_gap_opens_from_what_is_read_and_its_document_counts_as_new(ledger, clock):
    life = Life(ledger, clock, coverage=5)
    docs = [evolve(d, references=("singular-value-decomposition",)) for d in ABOUT[:2]]
    life.search(ToolResult("ok", documents=tuple(docs)))
    life.act("read", document="1")
    assert life.view.gaps == ()
    life.act("read", document="2")
    assert life.view.gaps == ("singular value decomposition",)
    svd = paper(7, "Singular value decomposition", "A matrix as a product of three.")
    assert life.search(ToolResult("ok", documents=(svd,)), "rank").reward == 1.0


def test_a_new_instance_goes_on_where_the_database_stands(ledger, clock):
    life = Life(ledger, clock)
    life.search(ToolResult("ok", documents=tuple(ABOUT)))
    before = life.view
    other = Life.__new__(Life)
    other.__dict__.update(life.__dict__)
    other.environment = ResearchEnvironment(
        Services(
            connection=ledger.connection,
            tools=life.environment._tools,
            caller=life.answers,
            settings=life.environment._settings,
            clock=clock,
            writes_text=True,
            notify=print,
        )
    )
    resumed = other.environment.resume([])
    assert evolve(resumed, step=before.step, recent=before.recent) == before


def test_views_stay_within_their_budget(life):
    long = [paper(i, f"Low rank adaptation {'very ' * 40}long {i}") for i in range(20, 40)]
    life.search(ToolResult("ok", documents=tuple(long)))
    budget = life.environment._settings.view
    assert len(life.view.render()) <= budget.characters
    assert len(life.view.found) <= budget.found
    assert life.view.goal


def test_candidates_stay_within_their_budget(ledger, clock):
    life = Life(ledger, clock, tools=[Search(queries=["low rank " * 30])])
    assert [len(text) <= 120 for text in life.offered()] == [True]
    life.search(ToolResult("ok", documents=(ABOUT[0],)), "low rank " * 30)
    assert life.answers.asked[0][1] == {"query": "low rank " * 30}, "the call itself is not cut"

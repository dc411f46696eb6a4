"""``aegis knowledge``: what the agent learned, with where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from aegis.cli.invocation import invocation, shared_options

if TYPE_CHECKING:
    from aegis.knowledge.items import Item


@click.command(help="Show what the agent learned, or search it with QUERY (best matches first).")
@click.argument("query", nargs=-1)
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Items at most."
)
def _knowledge(query: tuple[str, ...], limit: int) -> None:
    from aegis.cli.reading import reading
    from aegis.knowledge.items import Items

    call = invocation()
    words = " ".join(query)
    with reading(call) as ledger:
        store = Items(ledger.connection)
        items = store.search(words, limit) if words else store.all()[-limit:]
        count = store.count()
    answer = {"count": count, "query": words, "items": [_fields(item) for item in items]}
    call.answer(answer, lambda: _say(items, count, words))


def _fields(item: Item) -> dict[str, Any]:
    document = item.document
    return {
        "ref": item.ref,
        "title": document.title,
        "source": document.source,
        "identifier": document.identifier,
        "version": document.version,
        "url": document.url,
        "tool": item.tool,
        "retrieved_at": item.retrieved_at,
        "digest": item.digest,
        "read": item.read_step is not None,
        "sentences": list(item.sentences),
        "terms": list(item.terms),
    }


def _say(items: list[Item], count: int, words: str) -> None:
    if not items:
        click.echo(
            f'nothing of {count} items matches "{words}"' if words else "nothing learned yet"
        )
        return
    for item in items:
        mark = "read " if item.read_step is not None else "found"
        origin = f"{item.document.source}:{item.document.identifier}"
        click.echo(
            f"{item.ref:>5}  {mark}  {item.document.title}  [{origin}, {item.retrieved_at[:10]}]"
        )
        for sentence in item.sentences[:1]:
            click.echo(f"              {sentence}")
    click.echo(f"{len(items)} of {count} items")


command = shared_options(_knowledge)

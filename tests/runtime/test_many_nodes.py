"""What is said to code outside a process that could mean more than one node.

Source: Processes, "Functions", first paragraph.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

import greenrelay as gr
from tests.probe import end, wait_for_ever

# What each function that may be called outside a process can be called with.
WITH: dict[str, tuple[object, ...]] = {
    "broadcast": ("room", "hello"),
    "cancel": ("target",),
    "info": ("target",),
    "lookup": ("target",),
    "members": ("room",),
    "nodes": (),
    "processes": (),
    "send": ("target", "hello"),
    "send_after": (0, "target", "hello"),
    "spawn": (int,),
    "terminate": ("target",),
    "whereis": ("target",),
}


@pytest.fixture
def nodes() -> Iterator[tuple[gr.Node, gr.Node]]:
    with gr.Node("one") as one, gr.Node("two") as two:
        yield one, two


def refusal(name: str, *args: object) -> str:
    """Return what a public function says that is called here."""
    with pytest.raises(gr.NotInProcess) as raised:
        getattr(gr, name)(*args)
    return raised.value.way_out


def asks_which_node(name: str) -> bool:
    """Whether a public function, called here with whatever it takes, wants to know the node."""
    for arguments in (WITH.get(name, ()), *(["x"] * number for number in range(1, 5))):
        try:
            getattr(gr, name)(*arguments)
        except TypeError:
            # There are too few.
            continue
        except Exception as error:
            return isinstance(error, gr.NotInProcess) and "there are 2 nodes" in error.way_out
        return False
    raise AssertionError(f"it is not known with what {name} can be called")


def test_these_are_all_the_functions_that_may_be_called_outside_a_process(
    nodes: tuple[gr.Node, gr.Node],
) -> None:
    functions = [name for name in gr.__all__ if name[0].islower()]

    assert {name for name in functions if asks_which_node(name)} == set(WITH)


@pytest.mark.parametrize("name", WITH)
def test_what_is_said_to_be_called_instead_is_there_and_works(
    nodes: tuple[gr.Node, gr.Node], name: str
) -> None:
    """elsewhere it raises NotInProcess"""
    one, _ = nodes
    target = one.spawn(wait_for_ever, name="target")

    way_out = refusal(name, *WITH[name])
    found = re.fullmatch(
        r"there are 2 nodes: call node\.(?:(\w+)\(\)|run\(greenrelay\.(\w+), …\)) of one", way_out
    )

    assert found is not None, way_out
    own, run = found.groups()
    assert (own or run) == name
    if own:
        getattr(one, own)(*WITH[name])
    else:
        one.run(getattr(gr, run), *WITH[name])
    end(one, target)

"""State in memory and state read back agree: an admitted value goes through jsonb unchanged."""

import msgspec
import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.core.values import Inadmissible, admit

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats()
    | st.sampled_from([1e2, 1e16, 1e22, 1e25, -0.0, 5e-324, 1.7976931348623157e308, 1e-7, 123456789012345680.0])
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values)
def test_an_admitted_value_comes_back_from_jsonb_as_it_went(
    postgresql: "psycopg.Connection[tuple[str]]", value: object
) -> None:
    try:
        admitted = admit(value).value
    except Inadmissible:
        return
    text = msgspec.json.encode(admitted).decode()
    row = postgresql.execute("select (%s::jsonb)::text", (text,)).fetchone()

    assert row is not None
    back = msgspec.json.decode(row[0])
    assert (back, kinds(back)) == (admitted, kinds(admitted))


def kinds(value: object) -> object:
    """Return the types in a value: 1 and 1.0 are equal, and yet not the same."""
    if isinstance(value, dict):
        return {key: kinds(item) for key, item in value.items()}
    if isinstance(value, list):
        return [kinds(item) for item in value]
    return type(value)

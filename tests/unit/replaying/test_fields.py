from agents.replaying.fields import plain, told
from audit.bodies.decision import RunBody

RUN = RunBody(start="2023-03-01T00:00:00Z", end="2023-03-01T01:00:00Z", power_kw="10.000000")


def test_bodies_and_lists_of_them_are_as_they_stand_on_the_log_without_what_is_unknown():
    assert plain([RUN, 3]) == [{"start": RUN.start, "end": RUN.end, "power_kw": "10.000000"}, 3]
    assert plain({"one": None, "other": {"third": None, "fourth": 0}}) == {"other": {"fourth": 0}}


def test_the_place_where_two_values_part_is_named_with_both():
    assert told({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}) == "a[1].b: recorded 2, derived 3"
    assert told({"a": 1}, {"a": 1, "b": 2}) == "b: recorded no such field, derived 2"
    assert told([1, 2], [1]) == "recorded 2 items, derived 1 items"
    assert told("x" * 200, None) == f"recorded {'x' * 90}…, derived None"

from app.directory import MAX_ROOMS, Directory


def test_a_room_is_found_by_name_until_it_ends() -> None:
    directory = Directory()
    directory.add("tea", "{n@app|1}")

    name = directory.remove("{n@app|1}", has_crashed=False)

    assert name == "tea"
    assert directory == Directory()


def test_an_ending_is_counted_once() -> None:
    directory = Directory()
    directory.add("tea", "{n@app|1}")
    directory.remove("{n@app|1}", has_crashed=True)

    assert directory.remove("{n@app|1}", has_crashed=True) is None
    assert directory.crashes == {"tea": 1}


def test_only_rooms_with_somebody_in_them_are_crowded() -> None:
    directory = Directory()
    directory.add("tea", "{n@app|1}")
    directory.add("coffee", "{n@app|2}")

    directory.count("{n@app|2}", 3)

    assert directory.crowded() == ["{n@app|2}"]
    assert directory.counts == {"tea": 0, "coffee": 3}


def test_the_count_of_a_room_that_has_ended_is_ignored() -> None:
    directory = Directory()

    directory.count("{n@app|1}", 3)

    assert directory.counts == {}


def test_there_is_an_end_to_the_number_of_rooms() -> None:
    directory = Directory()
    for number in range(MAX_ROOMS):
        assert not directory.is_full
        directory.add(f"room-{number}", f"{{n@app|{number}}}")

    assert directory.is_full


def test_the_oldest_empty_room_is_the_first_to_go() -> None:
    directory = Directory()
    for number in range(3):
        directory.add(f"room-{number}", f"{{n@app|{number}}}")
    directory.count("{n@app|0}", 1)

    assert directory.first_empty() == "{n@app|1}"


def test_no_room_goes_while_somebody_is_in_each() -> None:
    directory = Directory()
    directory.add("tea", "{n@app|1}")
    directory.count("{n@app|1}", 1)

    assert directory.first_empty() is None


def test_the_names_longest_without_a_crash_are_forgotten() -> None:
    directory = Directory()
    for number in [*range(MAX_ROOMS), 0, MAX_ROOMS]:
        directory.add(f"room-{number}", f"{{n@app|{number}}}")
        directory.remove(f"{{n@app|{number}}}", has_crashed=True)

    assert len(directory.crashes) == MAX_ROOMS
    assert directory.crashes["room-0"] == 2
    assert "room-1" not in directory.crashes

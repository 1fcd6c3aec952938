from greenrelay.config.mark import suggestion


def test_a_shared_first_part_makes_no_two_names_alike() -> None:
    options = ["wsrelay.allowed.origins", "wsrelay.max.message.size"]

    near = suggestion("wsrelay.max.mesage.size", options)
    far = suggestion("wsrelay.slow.policy", options)

    assert 'did you mean "wsrelay.max.message.size"' in near
    assert "did you mean" not in far


def test_a_first_part_that_is_misspelt_is_found() -> None:
    known = ["addr", "sserelay.retry", "timeouts.read", "timeouts.write"]

    found = [suggestion(name, known) for name in ("timeout.read", "sserealy.retry")]

    assert found[0].startswith('; did you mean "timeouts.read"?')
    assert found[1].startswith('; did you mean "sserelay.retry"?')

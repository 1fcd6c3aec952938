from greenrelay.config.mark import suggestion


def test_a_shared_first_part_makes_no_two_names_alike() -> None:
    options = ["wsrelay.allowed.origins", "wsrelay.max.message.size"]

    near = suggestion("wsrelay.max.mesage.size", options)
    far = suggestion("wsrelay.slow.policy", options)

    assert 'did you mean "wsrelay.max.message.size"' in near
    assert "did you mean" not in far
